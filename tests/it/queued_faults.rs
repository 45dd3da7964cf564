//! Through the queues while things break: a ledger that is gone or old, and more events than anybody asked
//! for. A fault at any call, and a worker that dies there, is what `tests/faults` is about.

use std::collections::BTreeSet;

use expect_test::expect;
use futures_util::stream::{FuturesUnordered, StreamExt};
use guardrail_keeper::handler::Deadline;
use serde_json::{Value, json};
use simulator::{EventSourceMapping, Fault, FaultKind, Next};

use testkit::stack::{Stack, answer, events_queue, tasks_queue};
use testkit::world::{
    Document, EU, HUB, LIST, OWNER, PAYMENTS, PUT, SANDBOX, WORKLOAD, World, check, version,
};

use testkit::queues::EMPTY;

/// The organization's root, where no assignment applies.
const ROOT: &str = "r-exam";

fn document() -> Document {
    Document { regions: EU, ..Document::default() }
}

#[tokio::test]
async fn ten_thousand_events_twice_and_in_any_order_are_one_run_at_a_time_for_each_account() {
    const SEED: u64 = 2611;
    const ACCOUNTS: usize = 400;
    const EACH: usize = 25;
    let everybody = Document { rest: vec!["limits: { max_replacements: 1000 }"], ..document() };
    let mut stack = Stack::start(World::of(&everybody)).await;
    let accounts: Vec<String> = stack.world.server.with(|model| {
        let create = |number: usize| {
            let account = model.create_account(&format!("member-{number}"), WORKLOAD).unwrap();
            model.finish_account_creation(&account);
            account
        };
        (0..ACCOUNTS).map(create).collect()
    });
    stack.deliver(&stack.schedule()).await;

    stack.world.administrator_enforces(&accounts[0], EU, version(EU, "1"));
    let event = stack.world.event("PutEnforcedGuardrailConfiguration").to_string();
    let id = serde_json::from_str::<Value>(&event).unwrap()["id"].as_str().unwrap().to_owned();
    for account in &accounts {
        stack.world.administrator_releases(account, EU);
    }

    println!("seed {SEED}");
    let mut events =
        EventSourceMapping::new(&events_queue()).shuffled(SEED).duplicating(5).maximum_concurrency(2);
    let mut tasks =
        EventSourceMapping::new(&tasks_queue()).batch_size(1).shuffled(SEED).maximum_concurrency(12);
    let (server, keeper) = (&stack.world.server, &stack.world.keeper);
    let mut running = FuturesUnordered::new();
    let mut busy: BTreeSet<String> = BTreeSet::new();
    let mut worked = 0;
    let mut sent = 0;
    loop {
        let mut waits = Vec::new();
        for (is_task, mapping) in [(true, &mut tasks), (false, &mut events)] {
            loop {
                match mapping.next(server).unwrap() {
                    Next::Batch { invocation, event } => {
                        let record = &event["Records"][0];
                        let group = record["attributes"]["MessageGroupId"].as_str().map(str::to_owned);
                        if let Some(group) = &group {
                            worked += 1;
                            assert!(busy.insert(group.clone()), "two runs over {group} at once");
                            let body: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
                            let about = body["account"].as_str().map(str::to_owned);
                            assert!(about.is_none_or(|account| account == *group), "{body}");
                        }
                        running.push(async move {
                            let ended = answer(keeper, &event, Deadline::NONE).await;
                            (is_task, invocation, group, ended)
                        });
                    }
                    Next::Later(until) => {
                        waits.push(until);
                        break;
                    }
                    Next::Busy | Next::Idle => break,
                }
            }
        }
        match running.next().await {
            Some((is_task, invocation, group, ended)) => {
                if let Some(group) = group {
                    busy.remove(&group);
                }
                let mapping = if is_task { &mut tasks } else { &mut events };
                mapping.finish(server, invocation, &ended).unwrap();
            }
            None => match waits.into_iter().min() {
                Some(until) => server.with(|model| model.clock.set(until)),
                // A thousand at a time: a queue of ten thousand takes the simulator's time, no more.
                None if sent < ACCOUNTS * EACH => {
                    for number in sent..sent + 1000 {
                        let account = &accounts[number % ACCOUNTS];
                        let event = event.replace(&accounts[0], account);
                        stack.send_text(&event.replace(&id, &format!("event-{number}")));
                    }
                    sent += 1000;
                }
                None => break,
            },
        }
    }
    drop(running);
    // Only what came together in one batch is worked on together.
    assert!(worked > ACCOUNTS * EACH / 2, "{worked} tasks");
    println!("{worked} tasks out of {} events", ACCOUNTS * EACH);
    for account in &accounts {
        assert_eq!(stack.world.enforced_in(account).matches("eubase1a2b3c:2").count(), 1, "{account}");
    }
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn without_the_ledger_nothing_is_lost_and_nothing_is_guessed() {
    let mut stack = Stack::guarded(World::of(&document()).durable()).await;
    let ledger = std::fs::read(stack.world.ledger_file()).unwrap();
    std::fs::write(stack.world.ledger_file(), "{").unwrap();
    stack.world.keeper = stack.world.another_keeper().await;
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.send(&stack.world.event("DeleteEnforcedGuardrailConfiguration"));
    stack.work().await;
    // Whether that is a repair can't be told, so it waits.
    assert!(!stack.world.writes().iter().any(|write| write.starts_with(PUT)), "{:?}", stack.world.writes());
    assert!(stack.left().starts_with("1 events"), "{}", stack.left());
    // However long that lasts: it is put back each time, and never fails.
    for _ in 0..5 {
        assert!(stack.wait());
        stack.work().await;
        check(&stack.left(), expect!["1 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
    }

    std::fs::write(stack.world.ledger_file(), ledger).unwrap();
    stack.settle().await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
    assert_eq!(stack.left(), EMPTY);
}

/// A revision over its limits waits, and an account joins that the one before it guards. Each of the calls to the
/// ledger fails once.
#[tokio::test]
async fn whoever_joins_while_a_revision_waits_is_guarded_though_the_ledger_fails_once() {
    const TABLE: &str = "ledger";
    let everybody = Document { assignments: vec![("r-exam", "corporate")], ..document() };
    let mut struck = 0;
    for number in 1..=30 {
        let mut stack = Stack::start(World::of(&everybody).variable("KEEPER_LEDGER", "table:ledger")).await;
        let server = &stack.world.server;
        server.with(|model| model.create_table(HUB, "us-east-1", TABLE, "key")).unwrap();
        stack.deliver(&stack.schedule()).await;
        let over =
            Document { version: 1, rest: vec!["limits: { max_replacements: 1 }"], ..everybody.clone() };
        stack.world.publish(&over);
        stack.deliver(&stack.world.event("Parameter Store Change")).await;
        stack.world.server.clear_calls();

        let account = stack.world.let_an_account_join("newcomer", WORKLOAD);
        let table = |call: &simulator::Call| call.service == "dynamodb";
        // What is denied the SDK doesn't try again by itself.
        let denied = Fault::new(FaultKind::Denied { message: "not now".to_owned() });
        stack.world.server.fault(denied.service("dynamodb").nth(number));
        stack.deliver(&stack.world.event("CreateAccountResult")).await;
        let failed = stack
            .world
            .server
            .calls()
            .iter()
            .filter(|call| table(call) && call.error.as_deref() == Some("AccessDeniedException"))
            .count();
        assert_eq!(stack.world.enforced_in(&account).matches("eubase1a2b3c:2").count(), 1, "call {number}");
        assert_eq!(stack.left(), EMPTY);
        if failed == 0 {
            break;
        }
        struck += failed;
    }
    assert!((5..30).contains(&struck), "{struck} calls were struck");
}

/// A ledger that can be read and not written: its lock is a file, and a folder has that name.
fn set_writable(stack: &Stack, writable: bool) {
    let lock = stack.world.folder().join("ledger.json.lock");
    drop(std::fs::remove_file(&lock));
    match writable {
        true => std::fs::remove_dir(&lock).unwrap(),
        false => std::fs::create_dir(&lock).unwrap(),
    }
}

#[tokio::test]
async fn a_release_that_could_not_be_counted_is_made_once_the_ledger_is_back() {
    let mut stack = Stack::guarded(World::of(&document()).durable()).await;
    set_writable(&stack, false);
    stack.world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    stack.send(&stack.world.event("MoveAccount"));
    stack.work().await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
    assert!(stack.left().starts_with("1 events"), "{}", stack.left());

    set_writable(&stack, true);
    stack.settle().await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 0);
    assert_eq!(stack.left(), EMPTY);
}

/// A task that was queued before goes by the place that is recorded, if that is newer than its own.
#[tokio::test]
async fn where_an_account_stands_is_looked_at_until_it_is_recorded() {
    let mut stack = Stack::guarded(World::of(&document()).durable()).await;
    let stands = async |stack: &Stack| {
        let known = stack.world.keeper.ledger().account(&PAYMENTS.parse().unwrap()).await.unwrap();
        known.placement.unwrap().account.path.to_string()
    };
    stack.world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    stack.deliver(&stack.world.event("MoveAccount")).await;
    assert!(stands(&stack).await.contains(SANDBOX));

    // Nothing is there any more, and nothing is wanted: nothing but the place is to be recorded.
    set_writable(&stack, false);
    stack.world.server.with(|model| model.move_account(PAYMENTS, ROOT)).unwrap();
    stack.send(&stack.world.event("MoveAccount"));
    stack.work().await;
    assert!(stack.left().starts_with("1 events"), "{}", stack.left());

    set_writable(&stack, true);
    stack.settle().await;
    assert!(!stands(&stack).await.contains(SANDBOX));
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn nothing_is_given_up_for_what_was_seen_a_while_ago() {
    let document = Document { guardrail: vec!["on_unusable: release"], ..document() };
    let mut stack = Stack::guarded(World::of(&document).durable()).await;
    // When the owner's side was looked at last, the version wasn't there. Now it is.
    let owner = format!("{OWNER}/{EU}").parse().unwrap();
    let ledger = stack.world.keeper.ledger();
    let seen = ledger.owner_snapshot(&owner).await.unwrap().expect("the sweep looked at the owner's side");
    let mut seen = serde_json::to_value(seen).unwrap();
    let arn = seen["guardrails"][0]["arn"].clone();
    seen["guardrails"][0]["unusable"] = json!({ "kind": "missing", "guardrail": arn, "version": "2" });
    ledger.set_owner_snapshot(&owner, serde_json::from_value(seen).unwrap()).await.unwrap();
    stack.world.keeper = stack.world.another_keeper().await;

    stack.world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    stack.deliver(&stack.world.event("PutEnforcedGuardrailConfiguration")).await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn an_empty_ledger_is_filled_by_the_next_sweep_and_an_old_one_is_put_right() {
    let mut stack = Stack::guarded(World::of(&document()).durable()).await;
    let old = std::fs::read(stack.world.ledger_file()).unwrap();
    stack.world.publish(&Document { version: 1, ..document() });
    stack.deliver(&stack.world.event("Parameter Store Change")).await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:1").count(), 1);

    for ledger in [Some(old), None] {
        match ledger {
            Some(old) => std::fs::write(stack.world.ledger_file(), old).unwrap(),
            None => std::fs::remove_file(stack.world.ledger_file()).unwrap(),
        }
        stack.world.keeper = stack.world.another_keeper().await;
        stack.world.server.clear_calls();
        stack.deliver(&stack.schedule()).await;
        assert_eq!(stack.world.writes(), [""; 0]);
        let known = stack.world.keeper.ledger().account(&PAYMENTS.parse().unwrap()).await.unwrap();
        let ours = known.regions[&EU.parse().unwrap()].ours.clone().expect("what is as wanted is adopted");
        assert_eq!(ours.enforcement.version.to_string(), "1");
    }
}

/// Whether the present revision was counted, found within its limits, and put in place.
async fn is_rolled_out(stack: &Stack) -> bool {
    let revision = stack.world.baseline().await.revision;
    let approval = stack.world.keeper.ledger().revision_approval().await.unwrap().unwrap();
    let enforced = stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:1").count();
    (approval.revision, approval.approved, approval.counted.is_some(), enforced) == (revision, true, true, 1)
}

#[tokio::test]
async fn a_change_of_the_baseline_that_was_refused_is_heard_again() {
    let mut stack = Stack::guarded(World::of(&document()).durable()).await;
    stack.world.publish(&Document { version: 1, ..document() });
    let refused = FaultKind::Denied { message: "not now".to_owned() };
    stack.world.server.fault(Fault::new(refused).operation("GetParameter").times(1));
    stack.deliver(&stack.world.event("Parameter Store Change")).await;
    assert!(is_rolled_out(&stack).await);
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn a_revision_that_nobody_counts_is_counted_by_those_who_wait_for_it() {
    let mut stack = Stack::guarded(World::of(&document()).durable()).await;
    // The event of this change is lost.
    stack.world.publish(&Document { version: 1, ..document() });
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    stack.deliver(&stack.world.event("PutEnforcedGuardrailConfiguration")).await;
    assert!(is_rolled_out(&stack).await);
    assert_eq!(stack.left(), EMPTY);
}

/// The keeper's clock is the machine's, and stands still while the queues' hours pass.
#[tokio::test]
async fn what_never_gets_ready_is_given_up_whatever_the_clock_says() {
    let mut stack = Stack::guarded(World::of(&document()).durable()).await;
    stack.world.administrator_releases(PAYMENTS, EU);
    let event = stack.world.event("DeleteEnforcedGuardrailConfiguration");
    stack.world.server.fault(Fault::new(FaultKind::ServerError).operation(LIST).account(PAYMENTS));
    stack.deliver(&event).await;
    assert_eq!(stack.left(), EMPTY);
    stack.world.server.clear_faults();
    stack.deliver(&stack.schedule()).await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
}

/// An account moves to where nothing is wanted, and its task can't read the present baseline. It follows the last good
/// one, by which nothing is released, and is tried again: the release isn't left to the next sweep.
#[tokio::test]
async fn what_the_last_good_baseline_may_not_release_is_released_once_the_present_one_can_be_read() {
    let mut stack = Stack::guarded(World::of(&document()).durable().long_established()).await;
    stack.world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    stack.send(&stack.world.event("MoveAccount"));
    assert!(stack.step().await, "it becomes a task");
    // Another process works on it, which has read no baseline yet.
    stack.world.keeper = stack.world.another_keeper().await;
    stack.world.server.fault(Fault::new(FaultKind::ServerError).operation("GetParameter").times(u32::MAX));
    assert!(stack.step().await, "the task");
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase").count(), 1);
    stack.world.server.clear_faults();
    stack.settle().await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase").count(), 0);
}
