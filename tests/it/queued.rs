//! Through the queues: events become tasks, tasks are worked on, and what isn't ready waits aside.

use expect_test::expect;
use guardrail_keeper::engine;
use guardrail_keeper::record::{AccountRecord, State};
use simulator::{Fault, FaultKind};

use testkit::stack::{Stack, no_time};
use testkit::world::{
    DELETE, Document, EU, LIST, OWNER, PAYMENTS, PLAYGROUND, PUT, SANDBOX, SEARCH, SHIPPING, WORKLOAD, World,
    check, version,
};

use testkit::queues::EMPTY;

/// Everybody in one Region, the sandbox unguarded on purpose.
fn document() -> Document {
    Document { regions: EU, ..Document::default() }
}

fn setup() -> testkit::world::Setup {
    World::of(&document()).durable()
}

async fn record_of(stack: &Stack, account: &str) -> AccountRecord {
    stack.world.keeper.ledger().account(&account.parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_sweep_guards_everybody_and_the_next_one_writes_nothing() {
    let mut stack = Stack::start(setup()).await;
    stack.deliver(&stack.schedule()).await;
    check(
        &stack.world.enforced(),
        expect![[r#"
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  -                eubase1a2b3c:2   -
        222222222222  -                eubase1a2b3c:2   -
        300000000001  -                eubase1a2b3c:2   -
        300000000002  -                eubase1a2b3c:2   -
        300000000003  -                eubase1a2b3c:2   -
        300000000004  -                eubase1a2b3c:2   -
        300000000005  -                -                -
    "#]],
    );
    assert_eq!(stack.left(), EMPTY);

    stack.world.server.clear_calls();
    stack.deliver(&stack.schedule()).await;
    assert_eq!(stack.world.writes(), [""; 0]);
    assert_eq!(stack.left(), EMPTY);
    // What is in sync costs one look at each target, and nothing else in any member.
    assert_eq!(stack.world.count(LIST), 7);
    assert_eq!(stack.world.count("AssumeRole") + stack.world.count("DescribeAccount"), 0);
}

#[tokio::test]
async fn one_event_of_an_account_costs_one_look_at_where_it_stands() {
    let mut stack = Stack::guarded(setup()).await;
    let account = stack.world.let_an_account_join("newcomer", WORKLOAD);
    stack.world.server.clear_calls();
    stack.deliver(&stack.world.event("CreateAccountResult")).await;
    assert_eq!(stack.world.writes(), [format!("{PUT} {account}/{EU}")]);
    assert_eq!((stack.world.count("DescribeAccount"), stack.world.count("ListAccounts")), (1, 0));
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn a_second_tampering_within_five_minutes_is_repaired_too() {
    let mut stack = Stack::guarded(setup()).await;
    for _ in 0..2 {
        stack.world.server.clear_calls();
        stack.world.administrator_releases(PAYMENTS, EU);
        stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
        assert!(
            stack.world.writes().contains(&format!("{PUT} {PAYMENTS}/{EU}")),
            "{:?}",
            stack.world.writes()
        );
    }
    assert_eq!(record_of(&stack, PAYMENTS).await.regions[&EU.parse().unwrap()].repairs.len(), 2);
}

#[tokio::test]
async fn a_lost_grant_is_given_back_by_the_owners_task_and_its_users_are_looked_at() {
    let mut stack = Stack::guarded(setup()).await;
    let arn = testkit::world::guardrail(EU);
    stack.world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        model.delete_resource_policy(&owner, &arn).unwrap();
    });
    stack.deliver(&stack.world.event("DeleteResourcePolicy")).await;
    assert!(
        stack.world.writes().contains(&format!("PutResourcePolicy {OWNER}/{EU}")),
        "{:?}",
        stack.world.writes()
    );
    // Those who should enforce it: not the sandbox.
    let looked: Vec<String> = stack
        .world
        .server
        .calls()
        .into_iter()
        .filter(|call| call.operation == LIST)
        .map(|call| call.account)
        .collect();
    assert!(looked.contains(&PAYMENTS.to_owned()) && !looked.contains(&PLAYGROUND.to_owned()), "{looked:?}");
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn a_sweep_that_is_cut_off_after_each_page_ends_complete() {
    // Of a first revision nothing is known, so that all of it counts against the limits.
    let generous = Document { rest: vec!["limits: { max_replacements: 100 }"], ..document() };
    let setup = World::of(&generous).durable();
    let mut stack =
        Stack::start(setup.switches(|switches| switches.empty_pages = simulator::OnOff::On)).await;
    stack.world.server.with(|model| {
        for number in 0..60 {
            let account = model.create_account(&format!("more-{number}"), WORKLOAD).unwrap();
            model.finish_account_creation(&account);
        }
    });
    stack.deadline = no_time();
    stack.deliver(&stack.schedule()).await;
    assert!(stack.invocations.get() > 70, "{}", stack.invocations.get());
    let guarded = stack.world.enforced().lines().filter(|line| line.contains("eubase1a2b3c:2")).count();
    assert_eq!(guarded, 66);
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn what_is_not_ready_waits_aside_and_keeps_nobody_from_a_move() {
    let mut stack = Stack::guarded(setup()).await;
    // A Region that hangs back keeps its own target waiting, and nothing else of the account.
    stack.world.server.fault(Fault::new(FaultKind::ServerError).operation(PUT).account(PAYMENTS));
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.send(&stack.world.event("DeleteEnforcedGuardrailConfiguration"));
    stack.work().await;
    check(&stack.left(), expect!["1 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);

    // Its group is free: a move to where nothing is wanted is worked on at once, while the first task waits.
    stack.world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    stack.send(&stack.world.event("MoveAccount"));
    stack.work().await;
    let record = record_of(&stack, PAYMENTS).await;
    let checked = record.regions[&EU.parse().unwrap()].checked.clone().unwrap();
    assert_eq!(checked.state.code(), "in_sync", "{checked:?}");

    // What waited comes back later, finds that nothing is wanted, and ends.
    stack.world.server.clear_faults();
    stack.world.server.clear_calls();
    stack.settle().await;
    assert_eq!(stack.world.writes(), [""; 0]);
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn an_old_placement_never_overrides_a_newer_one() {
    let mut stack = Stack::guarded(setup()).await;
    // A sweep lists the account where it stands, and its task lies in the queue while the account moves.
    stack.world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    let moved = stack.world.event("MoveAccount");
    stack.deliver(&moved).await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase").count(), 0);
    stack.send(&stack.schedule());
    // The planner lists the account in the sandbox …
    let planned = stack.events.next(&stack.world.server).unwrap();
    let simulator::Next::Batch { invocation, event } = planned else { panic!("{planned:?}") };
    let ended = testkit::stack::answer(&stack.world.keeper, &event, stack.deadline).await;
    stack.events.finish(&stack.world.server, invocation, &ended).unwrap();
    // … and while that task still waits, the account moves back and is guarded by its own event's run.
    stack.world.server.with(|model| model.move_account(PAYMENTS, WORKLOAD)).unwrap();
    let known = record_of(&stack, PAYMENTS).await;
    assert!(known.placement.is_some());
    let later = stack.world.clock.now() + jiff::SignedDuration::from_secs(1);
    stack
        .world
        .keeper
        .ledger()
        .change_account(&PAYMENTS.parse().unwrap(), |record| {
            let mut newer = record.placement.clone().unwrap();
            newer.account.path = "o-exampleorgid/r-exam/ou-exam-workload/".parse().unwrap();
            newer.placed_at = later;
            record.place(newer);
            Ok(())
        })
        .await
        .unwrap();
    stack.settle().await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase").count(), 1);
}

#[tokio::test]
async fn before_a_release_it_is_asked_again_where_the_account_stands() {
    let mut stack = Stack::guarded(setup()).await;
    stack.world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    stack.send(&stack.schedule());
    let simulator::Next::Batch { invocation, event } = stack.events.next(&stack.world.server).unwrap() else {
        panic!("nothing was there")
    };
    let ended = testkit::stack::answer(&stack.world.keeper, &event, stack.deadline).await;
    stack.events.finish(&stack.world.server, invocation, &ended).unwrap();
    // The tasks say: in the sandbox, where nothing is wanted. By now that isn't so any more.
    stack.world.server.with(|model| model.move_account(PAYMENTS, WORKLOAD)).unwrap();
    stack.settle().await;
    let writes = stack.world.writes();
    assert!(!writes.iter().any(|write| write.starts_with(DELETE)), "{writes:?}");
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase").count(), 1);
}

#[tokio::test]
async fn a_revision_over_its_limits_is_counted_before_anything_is_queued_and_repair_goes_on() {
    let limited = Document { rest: vec!["limits: { max_releases: 2 }"], ..document() };
    let mut stack = Stack::guarded(World::of(&limited).durable()).await;
    let slip = Document { assignments: vec![("r-exam", "none")], ..limited.clone() };
    stack.world.publish(&slip);
    stack.deliver(&stack.world.event("Parameter Store Change")).await;
    assert_eq!(stack.world.writes(), [""; 0]);
    let approval = stack.world.keeper.ledger().revision_approval().await.unwrap().unwrap();
    assert_eq!((approval.approved, approval.counted.unwrap().releases), (false, 6));

    // An account event is no way around.
    stack.world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    stack.deliver(&stack.world.event("PutEnforcedGuardrailConfiguration")).await;
    let writes = stack.world.writes();
    assert!(!writes.iter().any(|write| write.starts_with(DELETE)), "{writes:?}");

    // Whoever loses the guardrail under it is guarded again, all the same.
    let bump = Document { version: 1, rest: vec!["limits: { max_replacements: 1 }"], ..document() };
    stack.world.publish(&bump);
    stack.deliver(&stack.world.event("Parameter Store Change")).await;
    assert!(!stack.world.keeper.ledger().revision_approval().await.unwrap().unwrap().approved);
    stack.world.administrator_releases(SEARCH, EU);
    stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
    assert_eq!(stack.world.enforced_in(SEARCH).matches("eubase1a2b3c").count(), 1);
    assert_eq!(stack.world.enforced_in(SHIPPING).matches("eubase1a2b3c:2").count(), 1);
    stack.world.publish(&slip);

    stack.world.approve().await;
    stack.world.server.clear_calls();
    stack.deliver(&stack.schedule()).await;
    let released = stack.world.writes().iter().filter(|write| write.starts_with(DELETE)).count();
    // The one that somebody changed as well: the revision in between wanted just that, and adopted it.
    assert_eq!(released, 6, "{:?}", stack.world.writes());
}

#[tokio::test]
async fn while_a_revision_waits_for_approval_what_was_approved_before_is_kept_up() {
    let mut stack = Stack::guarded(World::of(&document()).durable()).await;
    let waiting = Document { version: 1, rest: vec!["limits: { max_replacements: 1 }"], ..document() };
    stack.world.publish(&waiting);
    stack.deliver(&stack.world.event("Parameter Store Change")).await;
    assert_eq!(stack.world.writes(), [""; 0]);

    // Weakened, removed, and one that is new.
    stack.world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    stack.deliver(&stack.world.event("PutEnforcedGuardrailConfiguration")).await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
    stack.world.administrator_releases(SEARCH, EU);
    stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
    assert_eq!(stack.world.enforced_in(SEARCH).matches("eubase1a2b3c:2").count(), 1);
    let newcomer = stack.world.server.with(|model| {
        let newcomer = model.create_account("newcomer", "ou-exam-workload").unwrap();
        model.finish_account_creation(&newcomer);
        newcomer
    });
    stack.deliver(&stack.world.event("CreateAccountResult")).await;
    assert_eq!(stack.world.enforced_in(&newcomer).matches("base1a2b3c:2").count(), 1);
    // It follows the one that was approved, and says so.
    let followed = engine::effective(&stack.world.keeper, &stack.world.baseline().await).await.unwrap();
    assert!(!followed.is_present());
    let record = record_of(&stack, &newcomer).await;
    let checked = record.regions[&EU.parse().unwrap()].checked.clone().unwrap();
    assert_eq!((checked.state, &checked.revision), (State::Enforced, &followed.baseline.revision));

    // Whom it excludes is guarded until it is approved. Its `audit` stops everything at once.
    let excluding = Document {
        rest: vec!["exclude: [\"300000000003\"]", "limits: { max_replacements: 1 }"],
        ..waiting.clone()
    };
    for (document, guarded) in [(excluding, 1), (Document { mode: "audit", ..waiting.clone() }, 0)] {
        stack.world.publish(&document);
        stack.deliver(&stack.world.event("Parameter Store Change")).await;
        stack.world.administrator_releases(SEARCH, EU);
        stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
        assert_eq!(stack.world.enforced_in(SEARCH).matches("eubase1a2b3c:2").count(), guarded);
    }
    stack.world.administrator_enforces(SEARCH, EU, version(EU, "2"));

    stack.world.publish(&waiting);
    stack.world.approve().await;
    stack.deliver(&stack.schedule()).await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:1").count(), 1);
    assert_eq!(stack.world.enforced_in(&newcomer).matches("base1a2b3c:1").count(), 1);
}

/// A denied probe waits for a grant, and not for an account to be set up: the next sweep is an hour away.
#[tokio::test]
async fn a_sweep_waits_for_the_effect_of_the_grant_that_it_needs() {
    let not_granted = setup().long_established().world(|world| {
        world.settings.propagation_seconds = 120;
        world.guardrails.iter_mut().for_each(|guardrail| guardrail.share_with_organization = false);
    });
    let mut stack = Stack::start(not_granted).await;
    stack.deliver(&stack.schedule()).await;
    for account in [PAYMENTS, SHIPPING, SEARCH] {
        assert_eq!(stack.world.enforced_in(account).matches("eubase1a2b3c:2").count(), 1, "{account}");
    }
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn too_many_moves_in_a_day_wait_for_a_person() {
    let limited = Document { rest: vec!["limits: { max_releases: 1 }"], ..document() };
    let mut stack = Stack::guarded(World::of(&limited).durable()).await;
    for account in [PAYMENTS, SHIPPING, SEARCH] {
        stack.world.server.with(|model| model.move_account(account, SANDBOX)).unwrap();
        stack.deliver(&stack.world.event("MoveAccount")).await;
    }
    let guarded = [PAYMENTS, SHIPPING, SEARCH]
        .map(|account| stack.world.enforced_in(account).matches("eubase").count());
    assert_eq!(guarded, [0, 1, 1]);
    let record = record_of(&stack, SHIPPING).await;
    let checked = record.regions[&EU.parse().unwrap()].checked.clone().unwrap();
    assert!(checked.reason.unwrap().starts_with("moves of accounts within a day"));

    stack.world.approve().await;
    stack.deliver(&stack.schedule()).await;
    // Another day's worth: one more, and the last one waits again.
    let guarded: usize = [SHIPPING, SEARCH]
        .map(|account| stack.world.enforced_in(account).matches("eubase").count())
        .iter()
        .sum();
    assert_eq!(guarded, 1);
}

#[tokio::test]
async fn a_broken_baseline_releases_nothing_and_repair_goes_on_by_the_last_good_one() {
    let mut stack = Stack::guarded(setup()).await;
    for broken in [Some("version: 1\n"), None] {
        stack.world.server.clear_calls();
        match broken {
            Some(text) => stack.world.publish_text(text),
            None => stack.world.delete_baseline(),
        }
        // Not the process that remembers it: the ledger does.
        stack.world.keeper = stack.world.another_keeper().await;
        stack.world.administrator_releases(PAYMENTS, EU);
        stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
        stack.deliver(&stack.schedule()).await;
        let writes: Vec<String> =
            stack.world.writes().into_iter().filter(|write| !write.starts_with("PutParameter")).collect();
        let by_us = format!("{PUT} {PAYMENTS}/{EU}");
        assert!(writes.contains(&by_us), "{writes:?}");
        assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase").count(), 1);
        // A move to where nothing was wanted releases nothing meanwhile.
        stack.world.server.with(|model| model.move_account(SHIPPING, SANDBOX)).unwrap();
        stack.deliver(&stack.world.event("MoveAccount")).await;
        assert_eq!(stack.world.enforced_in(SHIPPING).matches("eubase").count(), 1);
        stack.world.server.with(|model| model.move_account(SHIPPING, WORKLOAD)).unwrap();
    }
    // Restored, it is followed again.
    let mut restored = document();
    restored.assignments.push((PAYMENTS, "none"));
    stack.world.publish(&restored);
    stack.deliver(&stack.world.event("Parameter Store Change")).await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase").count(), 0);
}

#[tokio::test]
async fn an_account_that_left_gets_no_calls_and_its_record_is_closed() {
    let mut stack = Stack::guarded(setup()).await;
    stack.world.server.with(|model| model.remove(PAYMENTS)).unwrap();
    stack.world.server.clear_calls();
    stack.deliver(&stack.world.event("RemoveAccountFromOrganization")).await;
    let record = record_of(&stack, PAYMENTS).await;
    let closed = record.closed.expect("it is closed");
    assert_eq!(closed.reason, "it is no member of the organization");
    assert!(!stack.world.server.calls().iter().any(|call| call.account == PAYMENTS));
    assert_eq!(stack.world.count("AssumeRole"), 0);

    // An event that names a stranger leads to no call there, and to no record.
    let stranger = include_str!("../../events/account-created.json").replace("300000000007", "999999999999");
    let event: serde_json::Value = serde_json::from_str(&stranger).unwrap();
    stack.world.server.clear_calls();
    stack.deliver(&event).await;
    assert_eq!(stack.world.count("AssumeRole"), 0);
    assert_eq!(record_of(&stack, "999999999999").await, AccountRecord::default());
}
