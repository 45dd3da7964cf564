//! Organizations that one invocation has no time to read: a look at the organization's level goes on in the next ones, and
//! ends like one that had all the time it needed.

use std::time::{Duration, Instant};

use guardrail_keeper::organization_level::OrganizationLevelRecord;
use serde_json::json;
use simulator::{ApiError, Caller, CreateOrganizationPolicy, Model, Next, PolicyKind};

use crate::effective_policy::ROOT;
use crate::organization_level::{CORPORATE, OURS, document, given, id_of, managed, policies};
use guardrail_keeper::handler::Deadline;
use testkit::stack::{Stack, answer, no_time};
use testkit::world::{Document, EU, HUB, PAYMENTS, PLAYGROUND, SANDBOX, SHIPPING, US, WORKLOAD};

/// Invocations that have time for one call, one write or one check each.
async fn stack(document: &Document) -> Stack {
    let mut stack = Stack::start(managed(document)).await;
    stack.deadline = no_time();
    stack
}

fn root() -> Document {
    document(&[(ROOT, CORPORATE)])
}

async fn known(stack: &Stack) -> OrganizationLevelRecord {
    stack.world.keeper.ledger().organization_level().await.unwrap()
}

/// How often the keeper called an operation of Organizations.
fn called(stack: &Stack, operation: &str) -> usize {
    let calls = stack.world.server.calls();
    calls.iter().filter(|call| call.service == "organizations" && call.operation == operation).count()
}

fn administrator(stack: &Stack, act: impl FnOnce(&mut Model, &Caller) -> Result<(), ApiError>) {
    let done = stack.world.server.with(|model| {
        let caller = model.caller(&format!("arn:aws:iam::{HUB}:user/somebody"), US)?;
        act(model, &caller)
    });
    done.unwrap_or_else(|error| panic!("{error:?}"));
}

/// What somebody else's policies say: a Region that the baseline doesn't name.
fn theirs() -> String {
    let named = json!({ "theirs": {
        "identifier": { "@@assign": format!("arn:aws:bedrock:eu-central-1:{HUB}:guardrail/theirs1a2b3c:1") },
        "model_enforcement": {
            "included_models": { "@@assign": ["ALL"] }, "excluded_models": { "@@assign": [] },
        },
        "selective_content_guarding": {
            "messages": { "@@assign": "comprehensive" }, "system": { "@@assign": "comprehensive" },
        },
    } });
    json!({ "bedrock": { "guardrail_inference": { "eu-central-1": named } } }).to_string()
}

/// Somebody else's policies, which change nothing of what the keeper's give.
fn with_others(stack: &Stack, count: usize) {
    administrator(stack, |model, caller| {
        for number in 0..count {
            let wanted = CreateOrganizationPolicy {
                name: format!("other-{number:02}"),
                description: String::new(),
                content: theirs(),
                kind: PolicyKind::BedrockPolicy.name().to_owned(),
                ..CreateOrganizationPolicy::default()
            };
            let id = model.create_policy(caller, wanted)?.id.clone();
            // Ten may be attached to one point; the keeper reads the others as well.
            if number < 24 {
                model.attach_policy(caller, &id, [PAYMENTS, SHIPPING, PLAYGROUND][number % 3])?;
            }
        }
        Ok(())
    });
}

#[tokio::test]
async fn a_look_of_many_invocations_ends_like_one() {
    let mut stack = stack(&document(&[(WORKLOAD, CORPORATE), (SANDBOX, CORPORATE)])).await;
    with_others(&stack, 6);
    stack.deliver(&stack.schedule()).await;
    let ours: Vec<String> =
        policies(&stack.world).into_iter().filter(|line| line.starts_with("guardrail-keeper")).collect();
    assert_eq!(
        ours,
        [
            "guardrail-keeper-ou-exam-sandbox1-1 on ou-exam-sandbox1",
            "guardrail-keeper-ou-exam-workload-1 on ou-exam-workload"
        ]
    );
    for (account, region) in [(PAYMENTS, US), (SHIPPING, EU), (PLAYGROUND, US)] {
        assert!(given(&stack.world, account, region).is_some(), "{account} {region}");
    }
    let known_now = known(&stack).await;
    assert!(known_now.confirmed.is_some(), "{known_now:?}");
    assert_eq!(known_now.begun, None);
    assert!(known_now.begun_looks > 0);
    // The second sweep writes nothing.
    stack.world.server.clear_calls();
    stack.deliver(&stack.schedule()).await;
    assert_eq!(stack.world.writes(), [""; 0]);
    assert_eq!(known(&stack).await.begun, None);
    // What was put down is not read again.
    assert_eq!(called(&stack, "DescribePolicy"), 8);
}

#[tokio::test]
async fn who_comes_while_a_look_is_under_way_has_another_one_after_it() {
    let mut stack = stack(&root()).await;
    stack.deliver(&stack.schedule()).await;
    with_others(&stack, 6);
    stack.world.server.clear_calls();
    stack.send(&stack.schedule());
    // The look has read something, perhaps the keeper's own policy.
    while known(&stack).await.begun.is_none_or(|begun| begun.times < 4) {
        assert!(stack.step().await || stack.wait(), "{}", stack.left());
    }
    administrator(&stack, |model, caller| model.detach_policy(caller, &id_of(model, OURS), ROOT));
    stack.send(&stack.world.event("DetachPolicy"));
    let Next::Batch { invocation, event } = stack.events.next(&stack.world.server).unwrap() else {
        panic!("the event doesn't come: {}", stack.left())
    };
    let ended = answer(&stack.world.keeper, &event, stack.deadline).await;
    stack.events.finish(&stack.world.server, invocation, &ended).unwrap();
    while known(&stack).await.begun.is_some_and(|begun| begun.asked.is_none()) {
        assert!(stack.step().await || stack.wait(), "{}", stack.left());
    }
    assert!(known(&stack).await.begun.is_some(), "the look ended before the event came");
    stack.settle().await;
    assert_eq!(policies(&stack.world).iter().filter(|line| line.ends_with(" on r-exam")).count(), 1);
    assert!(given(&stack.world, PAYMENTS, US).is_some());
    let known = known(&stack).await;
    assert_eq!(known.begun, None);
    assert!(known.confirmed.is_some());
}

#[tokio::test]
async fn a_look_that_nobody_continues_holds_nothing_up_for_ever() {
    let mut stack = stack(&root()).await;
    stack.send(&stack.schedule());
    while known(&stack).await.begun.is_none() {
        assert!(stack.step().await || stack.wait(), "{}", stack.left());
    }
    // Its message is lost, as no message of SQS is.
    stack.world.server.with(|model| {
        for queue in [testkit::stack::tasks_queue(), testkit::stack::events_queue()] {
            model.purge_queue(&queue).unwrap();
        }
    });
    stack.deliver(&stack.schedule()).await;
    assert_eq!(policies(&stack.world), [""; 0], "the lost look still counts as under way");
    stack.world.clock.advance(1_500);
    stack.world.server.with(|model| model.clock.advance(Duration::from_secs(1_500)));
    stack.deliver(&stack.schedule()).await;
    assert_eq!(policies(&stack.world), ["guardrail-keeper-r-exam-1 on r-exam"]);
    assert_eq!(known(&stack).await.begun, None);
}

#[tokio::test]
async fn a_look_that_became_too_old_begins_anew() {
    let mut stack = stack(&root()).await;
    with_others(&stack, 3);
    stack.send(&stack.schedule());
    while known(&stack).await.begun.is_none_or(|begun| begun.times < 3) {
        assert!(stack.step().await || stack.wait(), "{}", stack.left());
    }
    let began = known(&stack).await.begun.unwrap();
    stack.world.clock.advance(4_000);
    stack.world.server.with(|model| model.clock.advance(Duration::from_secs(4_000)));
    stack.settle().await;
    let known = known(&stack).await;
    assert_eq!(known.begun, None);
    assert!(known.begun_looks > began.number);
    assert!(known.look.unwrap().at > began.began);
}

/// At the published rates, with two minutes for each invocation. `LEVEL_POLICIES=300` measures with as many; the figures are
/// in docs/performance.md.
#[tokio::test]
async fn many_policies_are_read_at_the_published_rates() {
    let others = std::env::var("LEVEL_POLICIES").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let mut stack = Stack::start(managed(&root()).at_published_rates()).await;
    with_others(&stack, others);
    let began = Instant::now();
    stack.send(&stack.schedule());
    loop {
        stack.deadline = Deadline::after(Duration::from_secs(120));
        if !stack.step().await && !stack.wait() {
            break;
        }
    }
    let known = known(&stack).await;
    assert!(known.confirmed.is_some(), "{}: {known:?}", stack.left());
    assert_eq!(given(&stack.world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"));
    println!(
        "{others} policies of others: {:?}, {} invocations, {} DescribePolicy, {} looks that were put down",
        began.elapsed(),
        stack.invocations.get(),
        called(&stack, "DescribePolicy"),
        known.begun_looks
    );
}
