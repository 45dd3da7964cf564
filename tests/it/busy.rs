//! Nobody can make the keeper busy with what concerns nobody.

use expect_test::expect;
use guardrail_keeper::handler::Deadline;
use serde_json::{Value, json};
use simulator::{Content, Fault, FaultKind, Next, Tags};
use testkit::queues::EMPTY;
use testkit::stack::{Stack, answer};
use testkit::world::{
    DELETE, Document, EU, HUB, LIST, OWNER, PAYMENTS, PUT, SHIPPING, World, check, guardrail,
};

pub(crate) fn content(name: &str) -> Content {
    let content: Value = json!({
        "name": name,
        "blockedInputMessaging": "This prompt is not allowed here.",
        "blockedOutputsMessaging": "This answer is not allowed here.",
        "wordPolicyConfig": { "wordsConfig": [{ "text": "tungsten-rosebud" }] },
    });
    serde_json::from_value(content).unwrap()
}

/// A pipeline of the owner's makes guardrails for its tests, and deletes them again. The baseline finds its guardrail by
/// name, so that any may be meant.
#[tokio::test]
async fn a_guardrail_that_nobody_uses_has_nobody_looked_at() {
    let document = Document { regions: EU, ..Document::default() };
    let mut stack = Stack::guarded(World::of(&document).durable().long_established()).await;
    let unused = stack.world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        let made = model.create_guardrail(&owner, content("of-a-test"), Tags::default()).unwrap();
        model.create_guardrail_version(&owner, &made.id, None).unwrap();
        model.delete_guardrail_as(&owner, &made.id, None).unwrap();
        made
    });
    for name in ["CreateGuardrail", "CreateGuardrailVersion", "DeleteGuardrail"] {
        stack.deliver(&stack.world.event(name)).await;
        assert_eq!(stack.world.count(LIST), 0, "{name} of {}: {:?}", unused.id, stack.world.server.calls());
    }
    assert_eq!(stack.left(), EMPTY);
    // One that is used has its users looked at, and nobody else.
    stack.world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        let arn = guardrail(EU);
        model.create_guardrail_version(&owner, arn.rsplit('/').next().unwrap(), None).unwrap();
    });
    stack.deliver(&stack.world.event("CreateGuardrailVersion")).await;
    assert!(stack.world.count(LIST) >= 6, "{:?}", stack.world.server.calls());
}

/// What was only made can be in no record, so that none is read for it: a scan of the whole table costs by its size.
#[tokio::test]
async fn a_guardrail_that_was_only_made_has_no_records_read() {
    let document = Document { regions: EU, ..Document::default() };
    let setup = World::of(&document).long_established().variable("KEEPER_LEDGER", "table:ledger");
    let mut stack = Stack::start(setup).await;
    stack.world.server.with(|model| model.create_table(HUB, "us-east-1", "ledger", "key")).unwrap();
    stack.deliver(&stack.schedule()).await;
    stack.world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        let made = model.create_guardrail(&owner, content("of-a-test"), Tags::default()).unwrap();
        model.create_guardrail_version(&owner, &made.id, None).unwrap();
        model.delete_guardrail_as(&owner, &made.id, None).unwrap();
    });
    for (name, scans) in
        [("CreateGuardrail", false), ("CreateGuardrailVersion", false), ("DeleteGuardrail", true)]
    {
        stack.world.server.clear_calls();
        stack.deliver(&stack.world.event(name)).await;
        assert_eq!(stack.world.count("Scan") > 0, scans, "{name}: {:?}", stack.world.server.calls());
    }
}

/// Hands out what is in the queue of events, and does none of the tasks.
pub(crate) async fn plan(stack: &mut Stack) {
    while let Next::Batch { invocation, event } = stack.events.next(&stack.world.server).unwrap() {
        let ended = answer(&stack.world.keeper, &event, Deadline::NONE).await;
        stack.events.finish(&stack.world.server, invocation, &ended).unwrap();
    }
}

/// The account's administrator removes what is enforced, and so many events say so, each in a batch of its own.
async fn tamper(stack: &mut Stack, account: &str, events: std::ops::Range<usize>) {
    if is_guarded(stack, account) {
        stack.world.administrator_releases(account, EU);
    }
    let mut event = stack.world.event(DELETE);
    for number in events {
        event["id"] = format!("00000000-0000-4000-a000-{number:012}").into();
        stack.send(&event);
        plan(stack).await;
    }
}

pub(crate) fn is_guarded(stack: &Stack, account: &str) -> bool {
    stack.world.enforced_in(account).contains("eubase1a2b3c:2")
}

pub(crate) async fn guarded() -> Stack {
    let document = Document { regions: EU, ..Document::default() };
    let setup = World::of(&document).durable().long_established().variable("KEEPER_BUS", "outcomes");
    Stack::guarded(setup).await
}

/// The events on the bus that name an account as flooding.
pub(crate) fn named(stack: &Stack) -> Vec<String> {
    stack.world.server.with(|model| {
        let events = model.put_events().iter().map(|put| &put.event);
        let floods = events.filter(|event| event["detail-type"] == "Account Flooding");
        floods.map(|event| event["detail"]["account"].as_str().unwrap().to_owned()).collect()
    })
}

#[tokio::test]
async fn a_backlog_of_one_account_costs_one_look() {
    let mut stack = guarded().await;
    tamper(&mut stack, PAYMENTS, 0..20).await;
    check(&stack.left(), expect!["0 events, 20 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    stack.world.wait(40);
    stack.settle().await;
    assert!(is_guarded(&stack, PAYMENTS));
    assert_eq!(stack.world.writes(), [format!("{PUT} {PAYMENTS}/{EU}")]);
    // The others read the ledger, and call nobody.
    assert_eq!((stack.world.count("DescribeAccount"), stack.world.count("ApplyGuardrail")), (1, 1));
    assert!(stack.world.count(LIST) <= 3, "{:?}", stack.world.server.calls());
}

#[tokio::test]
async fn what_is_changed_shortly_before_a_look_has_a_look_of_its_own() {
    let mut stack = guarded().await;
    tamper(&mut stack, PAYMENTS, 0..2).await;
    stack.world.wait(40);
    // The task of this one lies behind two others, of which the first is worked on in the same moment.
    tamper(&mut stack, PAYMENTS, 2..3).await;
    stack.step().await;
    assert!(is_guarded(&stack, PAYMENTS));
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.world.wait(40);
    stack.settle().await;
    assert!(is_guarded(&stack, PAYMENTS), "the third task was dropped");
    assert_eq!(stack.world.count("DescribeAccount"), 2);
}

#[tokio::test]
async fn a_flooding_account_is_limited_and_named_and_nobody_waits_for_it() {
    let mut stack = guarded().await;
    tamper(&mut stack, PAYMENTS, 0..100).await;
    check(&stack.left(), expect!["1 events, 40 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    assert_eq!(named(&stack), [PAYMENTS]);
    // Another one is served at once.
    tamper(&mut stack, SHIPPING, 100..101).await;
    stack.work().await;
    assert!(is_guarded(&stack, SHIPPING) && is_guarded(&stack, PAYMENTS));
    // What is changed while nothing is queued for it is found by the look that waits.
    tamper(&mut stack, PAYMENTS, 101..102).await;
    check(&stack.left(), expect!["1 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    stack.settle().await;
    assert!(is_guarded(&stack, PAYMENTS));
    assert_eq!(stack.left(), EMPTY);
}

/// What the baseline ignores costs no look, however much of it comes: a member's guardrails are its own affair.
#[tokio::test]
async fn a_member_that_floods_with_guardrails_of_its_own_has_nobody_looked_at() {
    let mut stack = guarded().await;
    stack.world.server.clear_calls();
    for number in 0..100 {
        // Each event is about another one.
        stack.world.server.with(|model| {
            let member = model.caller(&format!("arn:aws:iam::{PAYMENTS}:root"), EU).unwrap();
            let content = content(&format!("of-its-own-{number}"));
            model.create_guardrail(&member, content, Tags::default()).unwrap();
        });
        stack.send(&stack.world.event("CreateGuardrail"));
        plan(&mut stack).await;
    }
    assert_eq!(stack.left(), EMPTY);
    assert_eq!(named(&stack), [""; 0]);
    let reads = stack.world.count("GetParameter");
    assert!(
        reads <= 41,
        "{reads}: one for each event that is no flood yet, and one for some seconds of a flood"
    );
}

#[tokio::test]
async fn a_flooding_account_is_named_once_an_hour_by_whichever_process() {
    let mut stack = guarded().await;
    tamper(&mut stack, PAYMENTS, 0..50).await;
    stack.world.keeper = stack.world.another_keeper().await;
    tamper(&mut stack, PAYMENTS, 50..100).await;
    assert_eq!(named(&stack), [PAYMENTS]);
    stack.settle().await;
    stack.world.wait(3600);
    tamper(&mut stack, PAYMENTS, 100..200).await;
    assert_eq!(named(&stack), [PAYMENTS, PAYMENTS]);
}

/// The look that serves a flood counts only once SQS has taken its message.
#[tokio::test]
async fn a_look_that_sqs_did_not_take_serves_nobody() {
    let mut stack = guarded().await;
    tamper(&mut stack, PAYMENTS, 0..40).await;
    stack.work().await;
    stack.world.server.fault(Fault::new(FaultKind::ServerError).operation("SendMessageBatch"));
    tamper(&mut stack, PAYMENTS, 40..41).await;
    stack.world.server.clear_faults();
    check(&stack.left(), expect!["1 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    assert_eq!(named(&stack), [""; 0]);
    stack.settle().await;
    assert!(is_guarded(&stack, PAYMENTS));
}
