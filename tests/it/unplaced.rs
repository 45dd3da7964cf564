//! An account of which AWS gives an odd answer: the others are worked on all the same, and it is told.

use expect_test::expect;
use guardrail_keeper::engine::{Reviewer, everything};
use guardrail_keeper::handler::do_here;
use serde_json::Value;
use simulator::{Fault, FaultKind, Presence};

use testkit::log::Log;
use testkit::program::Guardrailctl;
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{
    Document, EU, OWNER, PARAMETER, PAYMENTS, SHIPPING, Setup, US, WORKLOAD, World, check, scope,
};

/// Everybody in one Region, and AWS names no paths.
fn setup() -> Setup {
    World::of(&Document { regions: EU, ..Document::default() })
        .durable()
        .long_established()
        .switches(|switches| switches.paths = Presence::Absent)
}

/// Organizations doesn't know the account that it has just listed.
fn not_found() -> Fault {
    let (code, message) =
        ("ChildNotFoundException".to_owned(), "You specified child that doesn't exist.".to_owned());
    Fault::new(FaultKind::Error { code, message, status: 400 }).operation("ListParents").about(PAYMENTS)
}

fn denied() -> Fault {
    let kind =
        FaultKind::Denied { message: "not authorized to perform: organizations:ListParents".to_owned() };
    Fault::new(kind).operation("ListParents").about(PAYMENTS)
}

fn guarded(world: &World, account: &str) -> bool {
    world.enforced_in(account).contains("eubase1a2b3c:2")
}

fn of(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
}

#[tokio::test]
async fn a_sweep_goes_on_without_it() {
    for fault in [not_found(), denied()] {
        let world = setup().start().await;
        world.server.fault(fault);
        let report = world.sweep().await;
        assert!(guarded(&world, SHIPPING) && !guarded(&world, PAYMENTS), "{report}");
        assert!(!report.is_converged());
        world.server.clear_faults();
        assert!(world.sweep().await.is_converged());
        assert!(guarded(&world, PAYMENTS));
    }
}

#[tokio::test]
async fn a_terminal_tells_it_and_is_not_content() {
    let world = setup().start().await;
    world.server.fault(not_found());
    let mut told = String::new();
    for arguments in
        [&["plan"] as &[&str], &["apply", "--yes"], &["status", "--limit", "1"], &["doctor", "--no-members"]]
    {
        let ran = of(&world).run(arguments).await;
        assert_ne!(ran.code, 0, "{ran}");
        let said = ran.to_string();
        let lines = said.lines().filter(|line| line.contains("stands"));
        told.push_str(&format!("$ {}\n", arguments.join(" ")));
        lines.for_each(|line| told.push_str(&format!("{line}\n")));
    }
    check(
        &told,
        expect![[r#"
            $ plan
            $ apply --yes
            $ status --limit 1
            $ doctor --no-members
        "#]],
    );
    assert!(guarded(&world, SHIPPING) && !guarded(&world, PAYMENTS));
    let plan: Value = serde_json::from_str(&of(&world).run(&["plan", "--output", "json"]).await.out).unwrap();
    assert_eq!(plan["plan"]["unplaced"].as_object().unwrap().len(), 1, "{plan:#}");
}

#[tokio::test]
async fn several_accounts_of_one_event_do_not_wait_for_it() {
    let world = setup().start().await;
    world.server.fault(not_found());
    let report = world.reconcile(&scope(&[PAYMENTS, SHIPPING])).await.unwrap();
    assert!(guarded(&world, SHIPPING) && !guarded(&world, PAYMENTS), "{report}");
    assert!(!report.is_converged());
    // Alone, nothing is left to do.
    world.reconcile(&scope(&[PAYMENTS])).await.unwrap_err();
}

#[tokio::test]
async fn through_the_queues_it_is_asked_for_alone_and_waited_for() {
    let mut stack = Stack::start(setup()).await;
    stack.world.server.fault(not_found().times(3));
    stack.deliver(&stack.schedule()).await;
    for account in [PAYMENTS, SHIPPING] {
        assert!(guarded(&stack.world, account), "{account}");
    }
    assert_eq!(stack.left(), EMPTY);
}

/// One account, of which one enforcement may be replaced without an approval.
fn one_replacement(version: u32) -> Document {
    let rest = vec!["limits: { max_replacements: 1 }"];
    Document { regions: EU, version, rest, assignments: vec![(SHIPPING, "corporate")], ..Document::default() }
}

fn of_one_replacement() -> Setup {
    let setup = World::of(&one_replacement(2)).durable().long_established();
    setup.switches(|switches| switches.paths = Presence::Absent)
}

/// What an account that can't be placed would have replaced isn't known, so the revision is over its limit.
#[tokio::test]
async fn a_revision_that_waits_for_its_sake_is_counted_again_by_the_next_sweep() {
    let world = of_one_replacement().start().await;
    assert!(world.sweep().await.is_converged());
    world.publish(&one_replacement(1));
    world.server.fault(denied());
    drop(world.sweep().await);
    assert!(guarded(&world, SHIPPING), "the revision waits");
    world.server.clear_faults();
    drop(world.sweep().await);
    assert!(world.enforced_in(SHIPPING).contains("eubase1a2b3c:1"), "{}", world.enforced_in(SHIPPING));
}

#[tokio::test]
async fn a_revision_that_waits_for_what_passes_is_counted_again_without_a_sweep() {
    let mut stack = Stack::start(of_one_replacement()).await;
    stack.deliver(&stack.schedule()).await;
    assert!(guarded(&stack.world, SHIPPING));
    stack.world.publish(&one_replacement(1));
    let changed = stack.world.event("Parameter Store Change");
    // As often as a call is tried.
    stack
        .world
        .server
        .fault(Fault::new(FaultKind::ServerError).operation("ListParents").about(PAYMENTS).times(3));
    stack.world.server.clear_calls();
    stack.deliver(&changed).await;
    let enforced = stack.world.enforced_in(SHIPPING);
    assert!(enforced.contains("eubase1a2b3c:1"), "{enforced} {:?}", stack.world.server.calls());
}

#[tokio::test]
async fn no_grant_is_taken_back_while_it_is_unknown_who_uses_it() {
    let rest = vec!["limits: { max_releases: 100 }"];
    let both = Document { regions: "us-east-1, eu-west-1", rest, ..Document::default() };
    let setup = World::of(&both).durable().long_established();
    let setup = setup.switches(|switches| switches.paths = Presence::Absent);
    let world = setup.world(|world| world.guardrails[0].share_with_organization = false).start().await;
    drop(world.sweep().await);
    world.publish(&Document { regions: EU, ..both });
    drop(world.sweep().await);
    // By now nobody needs the grant in America, if only everybody could be asked.
    world.server.clear_calls();
    world.server.fault(not_found());
    let done = do_here(&world.keeper, &everything(), Reviewer::NOBODY).await.unwrap();
    assert_eq!(done.unfinished.len(), 1, "{:?}", done.unfinished);
    assert!(done.unfinished[0].starts_with(&format!("{PAYMENTS} waits: ")), "{:?}", done.unfinished);
    assert_eq!(world.writes(), [""; 0]);
    world.server.clear_faults();
    drop(world.sweep().await);
    assert_eq!(world.writes(), [format!("DeleteResourcePolicy {OWNER}/{US}")]);
}

/// The errors that were logged, as kind and words.
fn errors(log: &[Value]) -> String {
    let errors = log.iter().filter(|line| line["level"] == "ERROR");
    let told = errors.map(|line| {
        format!("{}: {}\n", line["error.kind"].as_str().unwrap_or("-"), line["message"].as_str().unwrap())
    });
    told.collect()
}

#[tokio::test]
async fn one_that_stays_unplaced_is_told_and_given_up_to_the_next_sweep() {
    let mut stack = Stack::start(setup()).await;
    stack.world.server.fault(not_found());
    let schedule = stack.schedule();
    let ((), log) = Log::of(stack.deliver(&schedule)).await;
    check(
        &errors(&log),
        expect![[r#"
            AccountNotPlaced: 300000000001 is not looked at, because its path could not be read: ListParents: ChildNotFoundException: You specified child that doesn't exist. (rejected)
            GivenUp: gave up 300000000001, which waited too long; the next sweep looks again: 300000000001 is not looked at, because its path could not be read: ListParents: ChildNotFoundException: You specified child that doesn't exist. (rejected)
        "#]],
    );
    let given_up = log.iter().find(|line| line["error.kind"] == "GivenUp").unwrap();
    assert!((900..=3600).contains(&given_up["age_seconds"].as_i64().unwrap()), "{given_up}");
    assert!(guarded(&stack.world, SHIPPING) && !guarded(&stack.world, PAYMENTS));
    assert_eq!(stack.left(), EMPTY);
    // The next sweep asks again.
    stack.world.server.clear_faults();
    stack.deliver(&stack.schedule()).await;
    assert!(guarded(&stack.world, PAYMENTS));
}

#[tokio::test]
async fn an_event_of_one_that_stays_unplaced_is_told_at_once_and_given_up_after_the_longest_wait() {
    let mut stack = Stack::start(setup().variable("KEEPER_MAX_WAIT_HOURS", "2")).await;
    let joined = stack.world.let_an_account_join("late", WORKLOAD);
    stack.world.server.fault(Fault { about: Some(joined.clone()), ..not_found() });
    let event = stack.world.event("CreateAccountResult");
    let ((), log) = Log::of(stack.deliver(&event)).await;
    check(
        &errors(&log).replace(&joined, "JOINED"),
        expect![[r#"
            AccountNotPlaced: JOINED is not looked at, because its path could not be read: ListParents: ChildNotFoundException: You specified child that doesn't exist. (rejected)
            GivenUp: gave up JOINED, which waited too long; the next sweep looks again: JOINED is not looked at, because its path could not be read: ListParents: ChildNotFoundException: You specified child that doesn't exist. (rejected)
        "#]],
    );
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn accounts_whose_ids_cannot_be_used_are_told_with_queues_and_without() {
    let odd = |world: &World| {
        world.server.with(|model| {
            model.tell_id(PAYMENTS, Some("3000"));
            model.tell_id(SHIPPING, Some(""));
        });
    };
    let world = setup().start().await;
    odd(&world);
    let (report, direct) = Log::of(world.sweep()).await;
    assert!(!report.is_converged() && !guarded(&world, PAYMENTS), "{report}");
    let mut stack = Stack::start(setup().variable("KEEPER_BUS", "outcomes")).await;
    odd(&stack.world);
    let schedule = stack.schedule();
    let ((), queued) = Log::of(stack.deliver(&schedule)).await;
    assert_eq!(errors(&direct), errors(&queued));
    check(
        &errors(&direct),
        expect![[r#"
            AccountNotPlaced: an account with the id "3000", named "payments", is not looked at, because it can't be identified: ListAccounts: "3000" is not an account id: expected 12 digits (rejected)
            AccountNotPlaced: an account without an id, named "shipping", is not looked at, because it can't be identified: ListAccounts: the answer leaves out Id (transient)
        "#]],
    );
    // The sweep doesn't pass for a look at everybody.
    let ended = stack.world.server.with(|model| {
        let events = model.put_events().iter().map(|put| put.event.clone());
        events.rev().find(|event| event["detail-type"] == "Sweep Completed").unwrap()["detail"].clone()
    });
    let (looked_at, in_scope) = (&ended["accounts"]["looked_at"], &ended["accounts"]["in_scope"]);
    assert_eq!(looked_at.as_u64().unwrap() + 2, in_scope.as_u64().unwrap(), "{ended:#}");
    let mut told = String::new();
    for arguments in [&["plan"] as &[&str], &["status", "--limit", "1"], &["doctor", "--no-members"]] {
        let ran = of(&world).run(arguments).await;
        assert_ne!(ran.code, 0, "{ran}");
        let said = ran.to_string();
        let lines = said.lines().filter(|line| line.contains("an account with"));
        lines.for_each(|line| told.push_str(&format!("{line}\n")));
    }
    check(
        &told,
        expect![[r#"
            ! an account with the id "3000", named "payments", is not looked at, because it can't be identified: ListAccounts: "3000" is not an account id: expected 12 digits (rejected)
            ! an account without an id, named "shipping", is not looked at, because it can't be identified: ListAccounts: the answer leaves out Id (transient)
            stderr: warning: an account with the id "3000", named "payments", is not looked at, because it can't be identified: ListAccounts: "3000" is not an account id: expected 12 digits (rejected)
            stderr: warning: an account without an id, named "shipping", is not looked at, because it can't be identified: ListAccounts: the answer leaves out Id (transient)
              unknown  an account with the id "3000", named "payments", can't be checked: ListAccounts failed
              unknown  an account without an id, named "shipping", can't be checked: ListAccounts failed
        "#]],
    );
}
