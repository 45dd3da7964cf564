//! Ids in the baseline that name nobody: a slip of the pen would guard accounts that should be left alone.

use expect_test::expect;

use testkit::program::Guardrailctl;
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{
    Document, EU, HUB, PARAMETER, PAYMENTS, PLAYGROUND, PUT, SHIPPING, WORKLOAD, World, check,
};

/// The sandbox, with two letters of its id exchanged.
const SLIP: &str = "ou-exam-sandobx1";

/// Everybody is guarded, and the sandbox isn't, if only its id were right.
fn slip() -> Document {
    Document {
        regions: EU,
        assignments: vec![("r-exam", "corporate"), (SLIP, "none")],
        ..Document::default()
    }
}

fn of(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
}

#[tokio::test]
async fn a_terminal_warns_and_changes_nothing() {
    let world = World::of(&slip()).durable().long_established().start().await;
    check(
        &of(&world).run(&["plan", "--account", PLAYGROUND]).await.without_hash(),
        expect![[r#"
            ! 300000000005/eu-west-1 (Sandbox/playground) held [not_approved], would enforce corporate:2: baseline e0880dcfe350ee64 names an id that matches no account of the organization (ou-exam-sandobx1): correct the id, or approve the baseline if it is right
            0 to change, 1 held, 0 in sync
            held for approval: 1 enforce
            to include these: guardrailctl apply --approve e0880dcfe350ee64
            plan HASH of baseline e0880dcfe350ee64, mode sync
            stderr: warning: ssm:/guardrail-keeper/baseline:12:17: assignments[1].targets[0]: no account stands in ou-exam-sandobx1: it is empty, or doesn't exist; check the id where you expect accounts in it
            exit 1
        "#]],
    );
    let mut told = String::new();
    for arguments in [
        &["apply", "--yes"] as &[&str],
        &["apply", "--yes", "--account", PLAYGROUND],
        &["apply", "--yes", "--account", PLAYGROUND, "--account", PAYMENTS],
    ] {
        let ran = of(&world).run(arguments).await;
        assert_eq!(ran.code, 1, "{arguments:?}: {ran}");
        told.push_str(ran.out.lines().rfind(|line| line.contains(PLAYGROUND)).unwrap_or_default());
        told.push('\n');
    }
    check(
        &told,
        expect![[r#"
            ! 300000000005/eu-west-1 (Sandbox/playground) held [not_approved], would enforce corporate:2: baseline e0880dcfe350ee64 names an id that matches no account of the organization (ou-exam-sandobx1): correct the id, or approve the baseline if it is right
            ! 300000000005/eu-west-1 (Sandbox/playground) held [not_approved], would enforce corporate:2: baseline e0880dcfe350ee64 names an id that matches no account of the organization (ou-exam-sandobx1): correct the id, or approve the baseline if it is right
            ! 300000000005/eu-west-1 (Sandbox/playground) held [not_approved], would enforce corporate:2: baseline e0880dcfe350ee64 names an id that matches no account of the organization (ou-exam-sandobx1): correct the id, or approve the baseline if it is right
        "#]],
    );
    assert_eq!(world.writes(), [""; 0]);
    // A person who knows that it is right says so.
    let revision = world.baseline().await.revision.to_string();
    let ran = of(&world).run(&["apply", "--yes", "--approve", &revision, "--account", PAYMENTS]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let written = [format!("{PUT} {PAYMENTS}/{EU}"), format!("PutParameter {HUB}/us-east-1")];
    assert_eq!(world.writes(), written);
    let ran = of(&world).run(&["apply", "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.err.contains(&format!("warning: ssm:{PARAMETER}:12:17: assignments")), "{ran}");
}

#[tokio::test]
async fn every_kind_of_id_counts_and_a_right_one_holds_nothing() {
    for (assignments, exclude, held) in [
        (vec![("r-exam", "corporate")], "", false),
        (vec![("r-exam", "corporate"), ("ou-exam-sandbox1", "none")], "", false),
        (vec![("r-exam", "corporate"), (SLIP, "none")], "", true),
        (vec![("r-exam", "corporate"), ("ou-exam-nowhere1", "corporate")], "", true),
        (vec![("r-exam", "corporate"), ("300000000099", "none")], "", true),
        (vec![("r-exam", "corporate")], "exclude: [\"300000000005\"]", false),
        (vec![("r-exam", "corporate")], "exclude: [\"300000000050\"]", true),
        (vec![("r-exma", "corporate"), (PAYMENTS, "corporate")], "", true),
    ] {
        let document = Document { regions: EU, assignments, rest: vec![exclude], ..Document::default() };
        let world = World::of(&document).durable().long_established().start().await;
        let report = world.sweep().await;
        let told = report.to_string();
        assert_eq!(told.contains("matches no account"), held, "{document:?}: {told}");
        assert_eq!(world.writes().is_empty(), held, "{document:?}: {told}");
        assert_eq!(report.is_converged(), !held, "{told}");
    }
}

#[tokio::test]
async fn the_deployed_keeper_waits_for_a_correction_or_an_approval() {
    let mut stack = Stack::start(World::of(&slip()).durable().long_established()).await;
    stack.deliver(&stack.schedule()).await;
    assert_eq!(stack.world.writes(), [""; 0]);
    let ran = of(&stack.world).run(&["status", "--account", PLAYGROUND]).await;
    check(
        &ran,
        expect![[r#"
            1 target
                  1 held
            oldest look: under a minute ago

            held        300000000005/eu-west-1 (Sandbox/playground)  [not_approved] under a minute ago: baseline e0880dcfe350ee64 names an id that matches no account of the organization (ou-exam-sandobx1): correct the id, or approve the baseline if it is right
            baseline e0880dcfe350ee64, mode sync
            stderr: warning: baseline e0880dcfe350ee64 is not acted on, because it names an id that matches no account of the organization (ou-exam-sandobx1): correct the id, or read its plan, then guardrailctl approve e0880dcfe350ee64
            exit 1
        "#]],
    );
    // Events, later sweeps and looks at one account don't change that.
    stack.deliver(&stack.schedule()).await;
    let newcomer = stack.world.let_an_account_join("newcomer", WORKLOAD);
    stack.deliver(&stack.world.event("CreateAccountResult")).await;
    assert_eq!(stack.world.writes(), [""; 0]);
    // With the right id it is acted on at once.
    let right = vec![("r-exam", "corporate"), ("ou-exam-sandbox1", "none")];
    stack.world.publish(&Document { regions: EU, assignments: right, ..Document::default() });
    stack.deliver(&stack.schedule()).await;
    let enforced = |account: &str| stack.world.enforced_in(account).contains("eubase1a2b3c:2");
    assert!(enforced(PAYMENTS) && enforced(&newcomer) && !enforced(PLAYGROUND));
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn an_account_that_leaves_later_stops_nothing() {
    let assignments = vec![("r-exam", "corporate"), (SHIPPING, "corporate")];
    let document = Document { regions: EU, assignments, ..Document::default() };
    let mut stack = Stack::guarded(World::of(&document).durable().long_established()).await;
    stack.world.server.with(|model| model.leave(SHIPPING)).unwrap();
    let newcomer = stack.world.let_an_account_join("newcomer", WORKLOAD);
    stack.deliver(&stack.schedule()).await;
    assert!(stack.world.enforced_in(&newcomer).contains("eubase1a2b3c:2"));
    let ran = of(&stack.world).run(&["status", "--limit", "0"]).await;
    assert!(ran.err.contains(&format!("{SHIPPING} is no account of o-exampleorgid")), "{ran}");
    assert!(!ran.err.contains("not acted on"), "{ran}");
    // Nor from a terminal, where the revision was applied before.
    let world = World::guarded(World::of(&document).durable().long_established()).await;
    world.server.with(|model| model.leave(SHIPPING)).unwrap();
    let newcomer = world.let_an_account_join("newcomer", WORKLOAD);
    drop(world.sweep().await);
    assert!(world.enforced_in(&newcomer).contains("eubase1a2b3c:2"));
}

#[tokio::test]
async fn push_and_approve_say_that_it_takes_an_approval() {
    let first = Document { regions: EU, version: 1, ..Document::default() };
    let world = World::guarded(World::of(&first).durable().long_established()).await;
    std::fs::write(world.folder().join("new.yaml"), slip().text()).unwrap();
    let ran = of(&world).run(&["push", "new.yaml", "--yes"]).await;
    check(
        &ran.without_hash(),
        expect![[r#"
            Baseline e0880dcfe350ee64 of new.yaml, for /guardrail-keeper/baseline, in the place of baseline 560ff8d292ea350e, version 1:
            ~ 111111111111/eu-west-1 (management) corporate:1 => corporate:2 (weaker)
            ~ 222222222222/eu-west-1 (guardrail-owner) corporate:1 => corporate:2 (weaker)
            ~ 300000000001/eu-west-1 (Workload/payments) corporate:1 => corporate:2 (weaker)
            ~ 300000000002/eu-west-1 (Workload/shipping) corporate:1 => corporate:2 (weaker)
            ~ 300000000003/eu-west-1 (Workload/search) corporate:1 => corporate:2 (weaker)
            ~ 300000000004/eu-west-1 (Workload/support) corporate:1 => corporate:2 (weaker)
            + 300000000005/eu-west-1 (Sandbox/playground) enforce corporate:2
            7 to change, 0 held, 0 in sync, 1 account skipped
            plan HASH of baseline e0880dcfe350ee64, mode sync
            285 bytes: a parameter of the standard tier holds it
            6 replaced, 0 released: within its limits (50 replaced, 5 released, 5 abandoned)
            it names an id that matches no account of the organization (ou-exam-sandobx1), so it needs an approval
            ok: /guardrail-keeper/baseline holds baseline e0880dcfe350ee64, as version 2
            stderr: new.yaml:12:17: warning: assignments[1].targets[0]: no account stands in ou-exam-sandobx1: it is empty, or doesn't exist; check the id where you expect accounts in it
            stderr: the keeper acts on it once it is approved: guardrailctl approve e0880dcfe350ee64
            exit 1
        "#]],
    );
    let revision = world.baseline().await.revision.to_string();
    world.server.clear_calls();
    drop(world.sweep().await);
    assert_eq!(world.writes(), [""; 0]);
    let ran = of(&world).run(&["approve", &revision, "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            baseline e0880dcfe350ee64
              all of it: 6 replaced, 0 released
              it names an id that matches no account of the organization (ou-exam-sandobx1)
              done without approval: 0 replaced, 0 released
              its limits: 50 replaced, 5 released, 5 abandoned
            ok: baseline e0880dcfe350ee64 is approved
            stderr: the next sweep acts on it, or guardrailctl apply now
            exit 0
        "#]],
    );
    drop(world.sweep().await);
    assert!(world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"));
}
