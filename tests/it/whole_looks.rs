//! Nobody has whole organizations looked at as often as he likes: events about guardrails are counted by the account and
//! Region in which they happen, and not by guardrail alone.

use expect_test::expect;
use serde_json::Value;
use simulator::Tags;
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{Document, EU, LIST, OWNER, PAYMENTS, World, check, guardrail, repository};

use crate::busy::{content, guarded, is_guarded, named, plan};

/// The event with another id, each time.
fn numbered(event: &Value, number: usize) -> Value {
    let mut event = event.clone();
    event["id"] = format!("00000000-0000-4000-c000-{number:012}").into();
    event
}

/// The event that says that this account made a guardrail with this name.
fn made(stack: &Stack, account: &str, name: &str) -> Value {
    stack.world.server.with(|model| {
        let caller = model.caller(&format!("arn:aws:iam::{account}:root"), EU).unwrap();
        model.create_guardrail(&caller, content(name), Tags::default()).unwrap();
    });
    stack.world.event("CreateGuardrail")
}

/// The resource policy of a guardrail profile was changed in this account.
fn of_a_profile(stack: &Stack, account: &str) -> Value {
    let path = repository("events/guardrail-profile-policy-put.json");
    let text = std::fs::read_to_string(path).unwrap();
    let now = stack.world.keeper.clock().now().to_string();
    let text = text.replace("us-east-1", EU).replace(OWNER, account).replace("2026-09-01T08:30:00Z", &now);
    serde_json::from_str(&text).unwrap()
}

/// It names no guardrail, so that everybody in the Region is looked at: ten times, and then every five minutes.
#[tokio::test]
async fn a_profile_that_changes_all_the_time_has_everybody_looked_at_from_time_to_time() {
    let mut stack = guarded().await;
    let event = of_a_profile(&stack, OWNER);
    for number in 0..40 {
        stack.send(&numbered(&event, number));
        plan(&mut stack).await;
    }
    assert_eq!(stack.world.count("ListAccounts"), 10);
    assert_eq!(named(&stack), [OWNER]);
    // What is wrong by then is found by the look that waits.
    stack.work().await;
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.send(&numbered(&event, 40));
    plan(&mut stack).await;
    check(&stack.left(), expect!["1 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    stack.settle().await;
    assert!(is_guarded(&stack, PAYMENTS));
    assert_eq!(stack.left(), EMPTY);
}

/// Each of them is another guardrail, and any may be the one that the baseline means while its name doesn't say.
#[tokio::test]
async fn guardrails_that_may_be_the_baselines_have_its_users_looked_at_from_time_to_time() {
    let mut stack = guarded().await;
    let twin = "eutwin1a2b3c";
    stack.world.server.with(|model| {
        let guardrails = &mut model.region_mut(OWNER, EU).unwrap().guardrails;
        let mut other = guardrails["eubase1a2b3c"].clone();
        (other.id, other.arn) = (twin.to_owned(), other.arn.replace("eubase1a2b3c", twin));
        guardrails.insert(twin.to_owned(), other);
    });
    for number in 0..40 {
        let event = made(&stack, OWNER, &format!("of-a-test-{number}"));
        stack.send(&event);
        plan(&mut stack).await;
    }
    check(&stack.left(), expect!["1 events, 10 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    assert_eq!(named(&stack), [OWNER]);
    stack.settle().await;
    assert!(is_guarded(&stack, PAYMENTS), "nothing is given up for a name that says nothing");
    // No event says so. Once the name says again which guardrail is meant, its users are looked at.
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        model.delete_guardrail_as(&owner, twin, None).unwrap();
    });
    stack.send(&stack.world.event("DeleteGuardrail"));
    plan(&mut stack).await;
    check(&stack.left(), expect!["1 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    stack.settle().await;
    assert!(is_guarded(&stack, PAYMENTS), "{:?}", stack.world.server.calls());
    assert_eq!(stack.left(), EMPTY);
}

/// However many a pipeline makes, and what happens to the baseline's own is served at once meanwhile.
#[tokio::test]
async fn guardrails_that_nobody_uses_have_nobody_looked_at_however_many_there_are() {
    let mut stack = guarded().await;
    for number in 0..60 {
        let event = made(&stack, OWNER, &format!("of-a-test-{number}"));
        stack.send(&event);
        plan(&mut stack).await;
    }
    check(&stack.left(), expect!["1 events, 10 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    let granted =
        |stack: &Stack| stack.world.server.with(|model| model.resource_policy(&guardrail(EU)).is_some());
    stack.world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        model.delete_resource_policy(&owner, &guardrail(EU)).unwrap();
    });
    assert_eq!(stack.world.count(LIST), 0);
    stack.send(&stack.world.event("DeleteResourcePolicy"));
    stack.work().await;
    assert!(granted(&stack));
    let looks = stack.world.count(LIST);
    stack.settle().await;
    assert_eq!(stack.world.count(LIST), looks, "{:?}", stack.world.server.calls());
    assert_eq!(stack.left(), EMPTY);
}

/// A member's guardrails may be its copies. They count for the account, whichever they are.
#[tokio::test]
async fn a_member_with_copies_that_floods_is_limited_and_named() {
    let document = Document { regions: EU, guardrail: vec!["placement: copy"], ..Document::only(PAYMENTS) };
    let setup = World::of(&document).durable().long_established().variable("KEEPER_BUS", "outcomes");
    let mut stack = Stack::guarded(setup).await;
    let event = made(&stack, PAYMENTS, "of-its-own");
    let profile = of_a_profile(&stack, PAYMENTS);
    stack.world.server.clear_calls();
    for number in 0..50 {
        let event = made(&stack, PAYMENTS, &format!("of-its-own-{number}"));
        stack.send(&event);
        plan(&mut stack).await;
        stack.send(&numbered(&profile, number));
        plan(&mut stack).await;
    }
    check(&stack.left(), expect!["1 events, 40 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    assert_eq!(named(&stack), [PAYMENTS]);
    let reads = stack.world.count("GetParameter");
    assert!(reads <= 41, "{reads}");
    stack.work().await;
    let copy = |stack: &Stack| !stack.world.enforced_in(PAYMENTS).is_empty();
    assert!(copy(&stack));
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.send(&numbered(&event, 100));
    plan(&mut stack).await;
    check(&stack.left(), expect!["1 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    stack.settle().await;
    assert!(copy(&stack), "{:?}", stack.world.server.calls());
    assert_eq!(stack.left(), EMPTY);
}
