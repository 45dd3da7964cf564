//! A write in the keeper's name is the keeper's only if its record knows it: whoever can use the member role's name
//! could tamper once after each sweep, and nobody would hear of it.

use std::ops::Range;

use expect_test::expect;
use serde_json::Value;
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{
    DELETE, Document, EU, LIST, MEMBER_ROLE, OWNER, PAYMENTS, PUT, SHIPPING, World, check, guardrail, version,
};

use crate::busy::{self, named, plan};

async fn guarded() -> Stack {
    let document = Document { regions: EU, ..Document::default() };
    Stack::guarded(World::of(&document).durable().long_established()).await
}

fn member(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}")
}

#[tokio::test]
async fn a_removal_in_our_name_that_the_record_does_not_know_is_put_back() {
    let mut stack = guarded().await;
    stack.world.wait(60);
    stack.world.server.with(|model| model.delete_enforcement_as(&member(PAYMENTS), PAYMENTS, EU)).unwrap();
    stack.deliver(&stack.world.event(DELETE)).await;
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"), "{:?}", stack.world.writes());
    // Nobody else was looked at.
    assert!(stack.world.server.calls().iter().all(|call| call.account != SHIPPING));
}

#[tokio::test]
async fn a_weaker_version_in_our_name_is_replaced() {
    let mut stack = guarded().await;
    stack.world.wait(60);
    stack.world.server.with(|model| {
        let caller = model.caller(&member(PAYMENTS), EU).unwrap();
        let config = model.enforcement(PAYMENTS, EU).unwrap().config_id.clone();
        model.put_enforcement(&caller, Some(&config), version(EU, "1")).unwrap();
    });
    stack.deliver(&stack.world.event(PUT)).await;
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"), "{:?}", stack.world.writes());
}

/// The keeper's own writes come back to it as events, and cost one read of the ledger each.
#[tokio::test]
async fn what_the_keeper_wrote_itself_has_nobody_looked_at() {
    let mut stack = guarded().await;
    let ours = stack.world.server.with(|model| {
        let put = model.events().iter().filter(|it| it.event["detail"]["eventName"] == PUT);
        put.map(|it| it.event.clone()).collect::<Vec<_>>()
    });
    assert!(ours.len() >= 6, "{ours:?}");
    for event in ours {
        stack.deliver(&event).await;
    }
    assert_eq!(stack.world.count(LIST), 0, "{:?}", stack.world.server.calls());
    assert_eq!(stack.left(), EMPTY);
    // Where the ledger can't be read, whether it was ours isn't known: the event is delivered once more. If that doesn't
    // help, a look is made.
    std::fs::write(stack.world.ledger_file(), "{").unwrap();
    stack.world.keeper = stack.world.another_keeper().await;
    stack.send(&stack.world.event(PUT));
    stack.work().await;
    let queued =
        |call: &simulator::Call| call.target.as_deref().is_some_and(|to| to.ends_with("/tasks.fifo"));
    let calls = stack.world.server.calls();
    assert!(!calls.iter().any(queued), "{calls:?}");
    assert!(stack.wait(), "{}", stack.left());
    stack.work().await;
    let calls = stack.world.server.calls();
    assert!(calls.iter().any(queued), "{calls:?}");
}

/// The events that were sent of this call.
fn events(stack: &Stack, name: &str) -> Vec<serde_json::Value> {
    stack.world.server.with(|model| {
        let events = model.events().iter().filter(|it| it.event["detail"]["eventName"] == name);
        events.map(|it| it.event.clone()).collect()
    })
}

/// What only the next sweep would find otherwise. The keeper's own writes have nobody looked at.
#[tokio::test]
async fn a_copy_and_a_grant_that_are_changed_in_our_name_are_looked_at() {
    let document = Document { regions: EU, guardrail: vec!["placement: copy"], ..Document::only(PAYMENTS) };
    let mut stack = Stack::guarded(World::of(&document).durable().long_established()).await;
    let looks = |stack: &Stack| stack.world.server.calls().iter().filter(|it| it.operation == LIST).count();
    for event in events(&stack, "CreateGuardrailVersion").iter().chain(&events(&stack, "CreateGuardrail")) {
        stack.deliver(event).await;
    }
    assert_eq!(looks(&stack), 0, "{:?}", stack.world.server.calls());
    stack.world.wait(600);
    stack.world.server.with(|model| {
        let copy = model.guardrail_arn(PAYMENTS, EU, "corporate-baseline-keeper").unwrap().to_owned();
        let caller = model.caller(&member(PAYMENTS), EU).unwrap();
        model.create_guardrail_version(&caller, &copy, None).unwrap();
    });
    let event = stack.world.event("CreateGuardrailVersion");
    stack.deliver(&event).await;
    assert!(looks(&stack) > 0, "{:?}", stack.world.server.calls());
    assert!(stack.world.server.calls().iter().all(|call| call.account != SHIPPING));
}

/// Parameter Store answers 40 reads a second for the whole account: whoever can use the keeper's name must not use them up.
#[tokio::test]
async fn events_in_our_name_share_one_read_of_the_baseline() {
    let document = Document { regions: EU, guardrail: vec!["placement: copy"], ..Document::only(PAYMENTS) };
    let mut stack = Stack::guarded(World::of(&document).durable().long_established()).await;
    let mut event = events(&stack, "CreateGuardrailVersion").remove(0);
    stack.world.wait(600);
    stack.world.server.clear_calls();
    for number in 0..50 {
        event["id"] = format!("00000000-0000-4000-b000-{number:012}").into();
        stack.deliver(&event).await;
    }
    assert_eq!(stack.world.count("GetParameter"), 1);
    // After some seconds it is read again.
    stack.world.wait(16);
    stack.deliver(&event).await;
    assert_eq!(stack.world.count("GetParameter"), 2);
}

#[tokio::test]
async fn a_grant_that_is_taken_away_in_our_name_is_given_again() {
    let mut stack = Stack::guarded({
        let document = Document { regions: EU, ..Document::only(PAYMENTS) };
        World::of(&document).durable().long_established().world(|world| {
            world.guardrails[1].share_with_organization = false;
        })
    })
    .await;
    let granted =
        |stack: &Stack| stack.world.server.with(|model| model.resource_policy(&guardrail(EU)).is_some());
    assert!(granted(&stack));
    // Our own grant: the owner's side was looked at since.
    stack.world.server.clear_calls();
    for event in events(&stack, "PutResourcePolicy") {
        stack.deliver(&event).await;
    }
    assert!(stack.world.server.calls().iter().all(|call| call.account != OWNER));
    stack.world.wait(600);
    stack.world.server.with(|model| {
        let caller = model.caller(&member(OWNER), EU).unwrap();
        model.delete_resource_policy(&caller, &guardrail(EU)).unwrap();
    });
    stack.deliver(&stack.world.event("DeleteResourcePolicy")).await;
    assert!(granted(&stack), "{:?}", stack.world.server.calls());
}

/// Whoever is in the account removes what is enforced in the keeper's name, and it is told so often, each time by itself.
async fn flood(stack: &mut Stack, event: &Value, numbers: Range<usize>) {
    for number in numbers {
        let mut event = event.clone();
        event["id"] = format!("00000000-0000-4000-d000-{number:012}").into();
        stack.send(&event);
        plan(stack).await;
    }
}

#[tokio::test]
async fn a_flood_in_our_name_is_limited_and_named() {
    let mut stack = busy::guarded().await;
    stack.world.wait(60);
    stack.world.server.with(|model| model.delete_enforcement_as(&member(PAYMENTS), PAYMENTS, EU)).unwrap();
    let event = stack.world.event(DELETE);
    flood(&mut stack, &event, 0..100).await;
    check(&stack.left(), expect!["1 events, 40 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    assert_eq!(named(&stack), [PAYMENTS]);
    stack.settle().await;
    assert!(busy::is_guarded(&stack, PAYMENTS));
    assert_eq!(stack.left(), EMPTY);
}

/// Nothing that is done in the keeper's name goes unreported because its event was served by a look that waited already.
#[tokio::test]
async fn what_the_look_of_a_flood_repairs_is_published_as_done_in_our_name() {
    let mut stack = busy::guarded().await;
    let remove = |stack: &Stack| {
        let removed =
            stack.world.server.with(|model| model.delete_enforcement_as(&member(PAYMENTS), PAYMENTS, EU));
        removed.unwrap();
        stack.world.event(DELETE)
    };
    stack.world.wait(60);
    let mut event = remove(&stack);
    stack.deliver(&event).await;
    stack.world.wait(2 * 3600);
    let now = format!("{:.0}", stack.world.keeper.clock().now());
    event["time"] = now.clone().into();
    event["detail"]["eventTime"] = now.into();
    flood(&mut stack, &event, 0..45).await;
    stack.work().await;
    stack.world.server.with(simulator::Model::clear_put_events);
    let last = remove(&stack);
    flood(&mut stack, &last, 45..46).await;
    check(&stack.left(), expect!["1 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    stack.settle().await;
    assert!(busy::is_guarded(&stack, PAYMENTS));
    let told = stack.world.server.with(|model| {
        let events = model.put_events().iter().map(|put| put.event.clone());
        events.filter(|event| event["detail-type"] == "Attention Needed").collect::<Vec<_>>()
    });
    let [told] = &told[..] else { panic!("{told:#?}") };
    let text = told["detail"]["reason"]["text"].as_str().unwrap();
    assert!(text.contains("(in_our_name)"), "{text}");
    assert!(text.contains("CloudTrail's event: 00000000-0000-4000-d000-000000000040"), "{text}");
}
