//! `placement: auto`: whether AWS takes the owner's guardrail in members is found out, recorded and gone by.

use expect_test::{Expect, expect};
use guardrail_keeper::placement::{Answer, PlacementRecord};
use guardrail_keeper::report::Report;
use simulator::{Answer as Switch, Fault, FaultKind, Switches};

use crate::copies::is_guarded;
use testkit::program::{Guardrailctl, Ran};
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{
    Document, EU, HUB, LIST, OWNER, PAYMENTS, PUT, SANDBOX, SEARCH, SHIPPING, Setup, WORKLOAD, World, check,
    schedule,
};

const SUPPORT: &str = "300000000004";
const GUARDED: [&str; 6] = [HUB, OWNER, PAYMENTS, SHIPPING, SEARCH, SUPPORT];

/// Everybody but the sandbox in one Region, in the present format: nothing is said of the placement.
fn document() -> Document {
    Document { format: 2, regions: EU, ..Document::default() }
}

fn two_accounts() -> Document {
    Document { assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")], ..document() }
}

fn one_account() -> Document {
    Document { assignments: vec![(PAYMENTS, "corporate")], ..document() }
}

fn refused(switches: &mut Switches) {
    switches.cross_account_reference = Switch::Refused;
}

/// A world in which AWS refuses another account's guardrail.
fn refusing(document: &Document) -> Setup {
    World::of(document).durable().long_established().switches(refused)
}

async fn known(world: &World) -> PlacementRecord {
    world.keeper.ledger().placement().await.expect("the ledger can be read")
}

/// The text with times of day blotted out.
fn without_times(text: &impl ToString) -> String {
    let text = text.to_string();
    let mut parts = text.split(" UTC").peekable();
    let mut kept = String::new();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let time = |c: char| c.is_ascii_digit() || matches!(c, ':' | '-' | ' ');
        kept.push_str(if is_last { part } else { part.trim_end_matches(time) });
        kept.push_str(if is_last { "" } else { " SOME TIME" });
    }
    kept
}

/// The text without the ids of copies: two that are made side by side get theirs in any order.
fn without_ids(text: &impl ToString) -> String {
    const BEFORE: &str = "the account's copy ";
    let text = text.to_string();
    let mut parts = text.split(BEFORE);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(':').unwrap_or(0);
        kept.push_str(&format!("{BEFORE}ID{}", &part[end..]));
    }
    kept
}

#[track_caller]
fn says(text: &impl ToString, expected: Expect) {
    check(&without_times(text), expected);
}

/// How often the owner's guardrail was refused in each account since the calls were forgotten.
fn tried(world: &World) -> Vec<String> {
    let calls = world.server.calls().into_iter();
    let refused = calls.filter(|call| call.operation == PUT && call.error.is_some());
    let mut accounts: Vec<String> = refused.map(|call| call.account).collect();
    accounts.sort();
    accounts
}

async fn sweep(world: &World) -> Report {
    world.server.clear_calls();
    world.sweep().await
}

async fn all_are_guarded(world: &World) {
    for account in GUARDED {
        assert!(is_guarded(world, account, EU).await, "{account}");
    }
}

#[tokio::test]
async fn where_aws_takes_the_owners_guardrail_it_is_used_at_once() {
    let world = World::of(&document()).durable().start().await;
    let report = sweep(&world).await;
    assert!(report.is_converged(), "{report}");
    all_are_guarded(&world).await;
    let known = known(&world).await;
    assert_eq!(known.answer, Answer::Central);
    let told = report.placement_decided.expect("it is told");
    assert!(told.starts_with("placement auto, for the whole organization: central since"), "{told}");
    assert_eq!(world.count("CreateGuardrail"), 0);
    // Decided once: nothing is told or noted again.
    let run = world.converge(&schedule()).await;
    assert!(run.answer["report"]["placement_decided"].is_null(), "{}", run.answer);
    assert_eq!(self::known(&world).await, known);
}

#[tokio::test]
async fn where_aws_refuses_it_twice_everybody_gets_a_copy() {
    let world = refusing(&two_accounts()).start().await;
    let first = sweep(&world).await;
    says(
        &first,
        expect![[r#"
            ! 300000000001/eu-west-1 held, would enforce corporate:2: AWS refused the owner's guardrail in this account once (ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000001.); the keeper tries again after SOME TIME, and if AWS refuses it again, here and in another account, members get copies
            ! 300000000002/eu-west-1 held, would enforce corporate:2: AWS refused the owner's guardrail in this account once (ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000002.); the keeper tries again after SOME TIME, and if AWS refuses it again, here and in another account, members get copies
            0 changed, 2 held, 0 in sync, 5 left alone, 1 account skipped"#]],
    );
    assert_eq!(tried(&world), [PAYMENTS, SHIPPING]);

    // Too early: nothing is tried.
    world.wait(590);
    let early = sweep(&world).await;
    assert_eq!((tried(&world), early.unfinished().len()), (vec![], 2), "{early}");
    assert_eq!(known(&world).await.answer, Answer::Undecided);

    world.wait(20);
    drop(sweep(&world).await);
    assert_eq!(tried(&world), [PAYMENTS, SHIPPING]);
    // Who was looked at before the answer was known has a copy after the next look.
    let last = world.sweep().await;
    assert!(last.is_converged(), "{last}");
    says(
        &without_ids(&last),
        expect![[r#"
            + 300000000001/eu-west-1 enforce corporate:2 by the account's copy ID:1
            1 changed, 0 held, 1 in sync, 5 left alone, 1 account skipped"#]],
    );
    for account in [PAYMENTS, SHIPPING] {
        assert!(is_guarded(&world, account, EU).await, "{account}");
    }
    world.quiet(&[PAYMENTS, SHIPPING]).await;
    // A new account gets its copy without another try.
    world.publish(&document());
    let rest = sweep(&world).await;
    assert!(rest.is_converged(), "{rest}");
    assert_eq!(tried(&world), [""; 0]);
    all_are_guarded(&world).await;
    world.quiet(&GUARDED).await;
}

#[tokio::test]
async fn through_the_queues_both_answers_end_with_everybody_guarded() {
    for answer in [Switch::Accepted, Switch::Refused] {
        let setup = World::of(&document()).durable().long_established();
        let setup = setup.switches(|switches| switches.cross_account_reference = answer);
        let mut stack = Stack::start(setup).await;
        stack.deliver(&stack.schedule()).await;
        all_are_guarded(&stack.world).await;
        assert_eq!(stack.left(), EMPTY);
        let expected = if answer == Switch::Accepted { Answer::Central } else { Answer::Copies };
        assert_eq!(known(&stack.world).await.answer, expected);
        // It is tried in two accounts and twice; the others wait for what comes of it.
        let tried = tried(&stack.world);
        if answer == Switch::Refused {
            assert_eq!((tried.len(), &tried[0], &tried[2]), (4, &tried[1], &tried[3]), "{tried:?}");
        }
        // A newcomer is guarded by its own event.
        let account = stack.world.let_an_account_join("newcomer", WORKLOAD);
        stack.deliver(&stack.world.event("CreateAccountResult")).await;
        assert!(is_guarded(&stack.world, &account, EU).await, "{account} with {answer:?}");
        stack.world.server.clear_calls();
        stack.deliver(&stack.schedule()).await;
        let writes: Vec<String> = stack.world.writes();
        // What was granted for the tries is taken back where members have copies.
        assert!(writes.iter().all(|write| write.contains("ResourcePolicy")), "{writes:?}");
        assert_eq!(stack.left(), EMPTY);
    }
}

#[tokio::test]
async fn a_single_account_is_enough_where_there_is_no_other() {
    let world = refusing(&one_account()).start().await;
    drop(sweep(&world).await);
    world.wait(601);
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    assert!(is_guarded(&world, PAYMENTS, EU).await);
}

#[tokio::test]
async fn a_second_account_that_can_not_be_tried_is_waited_for_and_a_person_may_decide() {
    let world = refusing(&two_accounts()).start().await;
    let denied = FaultKind::Denied { message: "not here".to_owned() };
    world.server.fault(Fault::new(denied).operation(LIST).account(SHIPPING));
    drop(sweep(&world).await);
    world.wait(601);
    let report = sweep(&world).await;
    says(
        &report,
        expect![[r#"
            ! 300000000001/eu-west-1 held, would enforce corporate:2: AWS refused the owner's guardrail in this account twice (ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000001.); members get copies once another account was refused twice as well (`guardrailctl placement` shows where it is tried)
            ! 300000000002/eu-west-1 held: could not be read: ListEnforcedGuardrailsConfiguration: AccessDeniedException: not here (denied)
            0 changed, 2 held, 0 in sync, 5 left alone, 1 account skipped"#]],
    );
    assert_eq!(known(&world).await.answer, Answer::Undecided);

    let ran = of(&world).run(&["placement"]).await;
    says(
        &ran,
        expect![[r#"
        placement auto: undecided: AWS refused the owner's guardrail in 300000000001 (2 of 2 times); tried again after SOME TIME
          300000000001/eu-west-1 refused twice, at SOME TIME and SOME TIME: ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000001.
        exit 1
    "#]],
    );
    let ran = of(&world).run(&["placement", "set", "copies"]).await;
    assert_eq!(ran.code, 2, "{ran}");
    let ran = of(&world).run(&["placement", "set", "copies", "--yes"]).await;
    says(
        &ran,
        expect![[r#"
        placement auto: undecided: AWS refused the owner's guardrail in 300000000001 (2 of 2 times); tried again after SOME TIME
          300000000001/eu-west-1 refused twice, at SOME TIME and SOME TIME: ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000001.
        ok: placement auto: copies since SOME TIME: a person set it (arn:aws:iam::111111111111:user/administrator)
        stderr: the next run follows it
        exit 0
    "#]],
    );
    let report = sweep(&world).await;
    assert!(is_guarded(&world, PAYMENTS, EU).await, "{report}");

    let ran = of(&world).run(&["placement", "reset", "--yes"]).await;
    says(
        &ran,
        expect![[r#"
        placement auto: copies since SOME TIME: a person set it (arn:aws:iam::111111111111:user/administrator)
          decided by arn:aws:iam::111111111111:user/administrator, under baseline d38db72440939449
         SOME TIME  copies: a person set it, by arn:aws:iam::111111111111:user/administrator
        ok: placement auto: undecided: the first enforcement in a member shows whether AWS takes the owner's guardrail there
        stderr: the next run follows it
        exit 0
    "#]],
    );
    // Who has a copy keeps it.
    world.quiet(&[PAYMENTS]).await;
    assert!(is_guarded(&world, PAYMENTS, EU).await);
}

fn of(world: &World) -> Guardrailctl {
    let baseline = world.folder().join("baseline.yaml");
    std::fs::write(&baseline, two_accounts().text()).expect("the folder is ours");
    let ledger = format!("file:{}", world.ledger_file().display());
    Guardrailctl::of(world).variable("KEEPER_BASELINE", "baseline.yaml").variable("KEEPER_LEDGER", &ledger)
}

fn json(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"))
}

#[tokio::test]
async fn the_terminal_tells_what_is_known() {
    let world = refusing(&two_accounts()).start().await;
    let plan = of(&world).run(&["plan"]).await;
    assert!(plan.out.contains("\nplacement auto: undecided: the first enforcement"), "{plan}");
    let applied = of(&world).run(&["apply", "--yes"]).await;
    assert_eq!(applied.code, 1);
    says(
        &applied.without_hash(),
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            2 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan HASH of baseline d38db72440939449, mode sync
            placement auto: undecided: the first enforcement in a member shows whether AWS takes the owner's guardrail there

            Applied:
            ! 300000000001/eu-west-1 (Workload/payments) held [placement_undecided], would enforce corporate:2: AWS refused the owner's guardrail in this account once (ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000001.); the keeper tries again after SOME TIME, and if AWS refuses it again, here and in another account, members get copies
            ! 300000000002/eu-west-1 (Workload/shipping) held [placement_undecided], would enforce corporate:2: AWS refused the owner's guardrail in this account once (ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000002.); the keeper tries again after SOME TIME, and if AWS refuses it again, here and in another account, members get copies
            0 changed, 2 held, 0 in sync, 5 left alone, 1 account skipped
            stderr: warning: 300000000001 waits: 300000000001/eu-west-1: AWS refused the owner's guardrail in this account once (ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000001.); the keeper tries again after SOME TIME, and if AWS refuses it again, here and in another account, members get copies
            stderr: warning: 300000000002 waits: 300000000002/eu-west-1: AWS refused the owner's guardrail in this account once (ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000002.); the keeper tries again after SOME TIME, and if AWS refuses it again, here and in another account, members get copies
            exit 1
        "#]],
    );
    for arguments in [&["status"][..], &["explain", PAYMENTS, EU], &["plan"]] {
        let ran = of(&world).run(arguments).await;
        assert!(ran.out.contains("undecided: AWS refused the owner's guardrail in 300000000001"), "{ran}");
        assert_eq!(ran.code, 1, "{ran}");
    }
    let shown = json(&of(&world).run(&["placement", "--output", "json"]).await);
    assert_eq!(shown["auto"]["answer"], "undecided");
    assert_eq!(shown["auto"]["refusals"].as_object().map(serde_json::Map::len), Some(2), "{shown}");
    let doctor = of(&world).run(&["doctor", "--no-members"]).await;
    assert!(doctor.out.contains("AWS refused the owner's guardrail in 300000000001"), "{doctor}");
}

#[tokio::test]
async fn a_denial_by_a_policy_is_never_taken_for_a_refusal() {
    let world = World::of(&two_accounts()).durable().long_established().start().await;
    let denied = FaultKind::denied_by_service_control_policy("bedrock:PutEnforcedGuardrailConfiguration");
    world.server.fault(Fault::new(denied).operation(PUT));
    for _ in 0..3 {
        let report = sweep(&world).await;
        assert!(report.to_string().contains("explicit deny in a service control policy"), "{report}");
        world.wait(700);
    }
    assert_eq!(known(&world).await, PlacementRecord::default());
    world.server.clear_faults();
    let report = sweep(&world).await;
    assert!(report.is_converged(), "{report}");
    assert_eq!(known(&world).await.answer, Answer::Central);
}

#[tokio::test]
async fn a_refusal_of_something_else_is_never_taken_for_one() {
    for (code, message) in [
        ("ThrottlingException", "Too many requests for this guardrail."),
        ("ValidationException", "Provided model identifier is invalid."),
        ("ServiceQuotaExceededException", "Too many guardrail configurations."),
        ("InternalServerException", "The guardrail could not be read."),
    ] {
        let world = World::of(&two_accounts()).durable().long_established().start().await;
        let (code, message) = (code.to_owned(), message.to_owned());
        world.server.fault(Fault::new(FaultKind::Error { code, message, status: 400 }).operation(PUT));
        for _ in 0..2 {
            drop(sweep(&world).await);
            world.wait(700);
        }
        assert_eq!(known(&world).await, PlacementRecord::default());
    }
}

#[tokio::test]
async fn what_is_refused_shortly_after_the_grant_does_not_count() {
    let ungranted = |world: &mut simulator::World| {
        world.guardrails.iter_mut().for_each(|guardrail| guardrail.share_with_organization = false);
    };
    let world = refusing(&two_accounts()).world(ungranted).start().await;
    let report = sweep(&world).await;
    says(
        &report,
        expect![[r#"
            + arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c attach a resource policy that grants it to o-exampleorgid
            ! 300000000001/eu-west-1 held, would enforce corporate:2: AWS refused the owner's guardrail in this account (ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000001.); the grant is too new for this to count, so the keeper tries again after SOME TIME
            ! 300000000002/eu-west-1 held, would enforce corporate:2: AWS refused the owner's guardrail in this account (ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000002.); the grant is too new for this to count, so the keeper tries again after SOME TIME
            1 changed, 2 held, 0 in sync, 5 left alone, 1 account skipped"#]],
    );
    // Twice, ten minutes apart, and yet the first one was too soon.
    world.wait(601);
    drop(sweep(&world).await);
    assert_eq!(tried(&world), [PAYMENTS, SHIPPING]);
    assert_eq!(known(&world).await.answer, Answer::Undecided);
    world.wait(601);
    drop(sweep(&world).await);
    assert_eq!(known(&world).await.answer, Answer::Copies);
    let report = sweep(&world).await;
    assert!(report.is_converged(), "{report}");
}

#[tokio::test]
async fn what_the_owners_own_account_is_refused_as_well_says_nothing() {
    let everybody = Document { assignments: vec![("r-exam", "corporate")], ..document() };
    let world = World::of(&everybody).durable().long_established().start().await;
    let (code, message) = ("ValidationException".to_owned(), "The guardrail is unknown.".to_owned());
    world.server.fault(Fault::new(FaultKind::Error { code, message, status: 400 }).operation(PUT));
    for _ in 0..3 {
        drop(sweep(&world).await);
        world.wait(700);
    }
    assert_eq!(known(&world).await.answer, Answer::Undecided);
    world.server.clear_faults();
    let report = sweep(&world).await;
    assert!(report.is_converged(), "{report}");
}

#[tokio::test]
async fn who_enforces_the_owners_guardrail_keeps_it() {
    // As an organization is in which everything was central until now, and a person says otherwise.
    let world = World::guarded(World::of(&Document { format: 1, ..document() }).durable()).await;
    let revision = world.baseline().await.revision;
    let now = world.keeper.clock().now();
    let set =
        world.keeper.ledger().change_placement(|record| record.set(Answer::Copies, now, &revision, "ann"));
    set.await.expect("the ledger can be written");
    world.publish(&document());
    let account = world.let_an_account_join("newcomer", WORKLOAD);
    let report = sweep(&world).await;
    assert!(report.is_converged(), "{report}");
    let enforced = world.enforced();
    assert_eq!(enforced.matches("eubase1a2b3c:2").count(), GUARDED.len(), "{enforced}");
    assert!(!world.enforced_in(&account).contains("eubase"), "{}", world.enforced_in(&account));
    assert!(is_guarded(&world, &account, EU).await);
    world.quiet(&GUARDED).await;
    // Its grant is still needed, and mended.
    world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        model.delete_resource_policy(&owner, &testkit::world::guardrail(EU)).unwrap();
    });
    drop(sweep(&world).await);
    assert!(world.writes().contains(&format!("PutResourcePolicy {OWNER}/{EU}")), "{:?}", world.writes());
    let report = sweep(&world).await;
    assert!(report.is_converged(), "{report}");
}

#[tokio::test]
async fn an_organization_that_was_central_stays_so_without_a_try() {
    let world = World::guarded(World::of(&Document { format: 1, ..document() }).durable()).await;
    world.publish(&document());
    let run = world.converge(&schedule()).await;
    assert_eq!(run.writes, [""; 0]);
    assert_eq!(known(&world).await.answer, Answer::Central);
    // Copies are never made any more, whatever AWS says from now on.
    world.server.with(|model| refused(&mut model.switches));
    world.let_an_account_join("newcomer", WORKLOAD);
    for _ in 0..3 {
        drop(sweep(&world).await);
        world.wait(700);
    }
    assert_eq!((known(&world).await.answer, world.count("CreateGuardrail")), (Answer::Central, 0));
}

#[tokio::test]
async fn where_the_member_role_may_not_copy_the_parameter_is_named() {
    let world = refusing(&two_accounts()).start().await;
    let denied = |action: &str| FaultKind::Denied {
        message: format!(
            "not authorized to perform: bedrock:{action} because no identity-based policy allows it"
        ),
    };
    world.server.fault(Fault::new(denied("ListGuardrails")).operation("ListGuardrails").account(PAYMENTS));
    world.server.fault(Fault::new(denied("CreateGuardrail")).operation("CreateGuardrail").account(SHIPPING));
    drop(sweep(&world).await);
    world.wait(601);
    let report = sweep(&world).await;
    says(
        &report,
        expect![[r#"
            ! 300000000002/eu-west-1 failed to ensure-copy: CreateGuardrail: AccessDeniedException: not authorized to perform: bedrock:CreateGuardrail because no identity-based policy allows it; the member role may not copy guardrails: deploy it with AllowCopies=true (denied)
            ! 300000000001/eu-west-1 held, would enforce corporate:2: AWS refused the owner's guardrail in this account twice (ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000001.); members get copies once another account was refused twice as well (`guardrailctl placement` shows where it is tried)
            placement auto, for the whole organization: copies since SOME TIME: AWS refused the owner's guardrail twice in 300000000001 and in 300000000002
            0 changed, 1 held, 0 in sync, 1 failed, 5 left alone, 1 account skipped"#]],
    );
}

#[tokio::test]
async fn without_the_ledger_nothing_is_tried() {
    let world = World::of(&two_accounts()).durable().long_established().start().await;
    std::fs::create_dir(world.ledger_file()).expect("the folder is ours");
    let refused = world.refused().await;
    assert_eq!(world.writes(), [""; 0], "{refused}");
    std::fs::remove_dir(world.ledger_file()).expect("it is empty");
    let report = sweep(&world).await;
    assert!(report.is_converged(), "{report}");
}

#[tokio::test]
async fn a_ledger_that_ends_with_the_process_is_told_of() {
    let world = World::of(&two_accounts()).long_established().switches(refused).start().await;
    let report = sweep(&world).await;
    assert!(report.to_string().contains("the ledger ends with this process (KEEPER_LEDGER)"), "{report}");
}

#[tokio::test]
async fn auditing_tries_nothing_and_records_no_answer() {
    let world = refusing(&Document { mode: "audit", ..two_accounts() }).start().await;
    let report = sweep(&world).await;
    assert_eq!((world.writes(), known(&world).await), (vec![], PlacementRecord::default()), "{report}");
}

#[tokio::test]
async fn an_account_that_moves_out_while_it_waits_is_left_alone() {
    let mut stack = Stack::start(refusing(&document())).await;
    stack.send(&stack.schedule());
    stack.work().await;
    stack.world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    stack.deliver(&stack.world.event("MoveAccount")).await;
    assert!(!is_guarded(&stack.world, PAYMENTS, EU).await);
    assert!(is_guarded(&stack.world, SHIPPING, EU).await);
    assert_eq!(stack.left(), EMPTY);
}
