//! `guardrailctl push` and `approve`: a baseline goes where the deployed keeper finds it, and over its
//! limits only with somebody's word.

use expect_test::expect;
use serde_json::Value;
use simulator::{Fault, FaultKind};

use testkit::program::{Guardrailctl, Ran};
use testkit::world::{Document, EU, HUB, PARAMETER, PUT, US, World, check};

fn first() -> Document {
    Document { regions: EU, version: 1, ..Document::default() }
}

fn second() -> Document {
    Document { version: 2, ..first() }
}

/// Everybody guarded by the first baseline, and another in a file.
async fn world(file: &str) -> World {
    let world = World::guarded(World::of(&first()).durable().long_established()).await;
    std::fs::write(world.folder().join("new.yaml"), file).unwrap();
    world
}

fn of(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
}

/// What a parameter holds: its version, its tier, its text.
fn parameter(world: &World, name: &str) -> Option<(u64, String, String)> {
    world.server.with(|model| {
        let caller = model.caller(&format!("arn:aws:iam::{HUB}:root"), US).unwrap();
        let found = model.get_parameter(&caller, "GetParameter", name).ok();
        found.map(|(parameter, version)| (version.number, parameter.tier.clone(), version.value.clone()))
    })
}

fn object(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"))
}

#[tokio::test]
async fn a_baseline_is_pushed_acted_on_and_taken_back() {
    let world = world(&second().text()).await;
    let ctl = of(&world);
    let unasked = ctl.input("y\n").run(&["push", "new.yaml"]).await;
    assert_eq!((unasked.code, world.writes().len()), (2, 0), "{unasked}");

    let ctl = of(&world);
    let ran = ctl.run(&["push", "new.yaml", "--yes"]).await;
    check(
        &ran.without_hash(),
        expect![[r#"
            Baseline 84c0f3cb2b5b1f13 of new.yaml, for /guardrail-keeper/baseline, in the place of baseline 560ff8d292ea350e, version 1:
            ~ 111111111111/eu-west-1 (management) corporate:1 => corporate:2 (weaker)
            ~ 222222222222/eu-west-1 (guardrail-owner) corporate:1 => corporate:2 (weaker)
            ~ 300000000001/eu-west-1 (Workload/payments) corporate:1 => corporate:2 (weaker)
            ~ 300000000002/eu-west-1 (Workload/shipping) corporate:1 => corporate:2 (weaker)
            ~ 300000000003/eu-west-1 (Workload/search) corporate:1 => corporate:2 (weaker)
            ~ 300000000004/eu-west-1 (Workload/support) corporate:1 => corporate:2 (weaker)
            6 to change, 0 held, 1 in sync, 1 account skipped
            plan HASH of baseline 84c0f3cb2b5b1f13, mode sync
            285 bytes: a parameter of the standard tier holds it
            6 replaced, 0 released: within its limits (50 replaced, 5 released, 5 abandoned)
            ok: /guardrail-keeper/baseline holds baseline 84c0f3cb2b5b1f13, as version 2
            exit 0
        "#]],
    );
    assert_eq!(parameter(&world, PARAMETER).unwrap().2, second().text());
    assert_eq!(world.writes(), [format!("PutParameter {HUB}/{US}")]);
    // It is told like any other change, and acted on.
    let event = world.event("Parameter Store Change");
    let run = world.converge(&event).await;
    assert_eq!(run.writes.len(), 6, "{:?}", run.writes);

    let again = ctl.run(&["push", "new.yaml", "--yes"]).await;
    check(
        &again,
        expect![[r#"
        /guardrail-keeper/baseline holds baseline 84c0f3cb2b5b1f13 already: nothing was changed
        exit 0
    "#]],
    );
    // Going back is pushing the earlier one.
    std::fs::write(world.folder().join("old.yaml"), first().text()).unwrap();
    let back = ctl.run(&["push", "old.yaml", "--yes", "--output", "json", "--no-plan"]).await;
    let told = object(&back);
    assert_eq!((back.code, &told["version"], &told["planned"]), (0, &3.into(), &Value::Null), "{back}");
    assert_eq!(told["extent"]["replacements"], 6, "counted from the record: {back}");
    assert_eq!(parameter(&world, PARAMETER).unwrap().2, first().text());
}

#[tokio::test]
async fn one_over_its_limits_waits_for_approval() {
    let careful = Document { rest: vec!["limits: { max_replacements: 1, max_releases: 1 }"], ..second() };
    let world = world(&careful.text()).await;
    let ctl = of(&world);
    let ran = ctl.run(&["push", "new.yaml", "--yes"]).await;
    check(
        &ran.without_hash(),
        expect![[r#"
            Baseline 7fa477461d715ed9 of new.yaml, for /guardrail-keeper/baseline, in the place of baseline 560ff8d292ea350e, version 1:
            ~ 111111111111/eu-west-1 (management) corporate:1 => corporate:2 (weaker)
            ~ 222222222222/eu-west-1 (guardrail-owner) corporate:1 => corporate:2 (weaker)
            ~ 300000000001/eu-west-1 (Workload/payments) corporate:1 => corporate:2 (weaker)
            ~ 300000000002/eu-west-1 (Workload/shipping) corporate:1 => corporate:2 (weaker)
            ~ 300000000003/eu-west-1 (Workload/search) corporate:1 => corporate:2 (weaker)
            ~ 300000000004/eu-west-1 (Workload/support) corporate:1 => corporate:2 (weaker)
            6 to change, 0 held, 1 in sync, 1 account skipped
            plan HASH of baseline 7fa477461d715ed9, mode sync
            334 bytes: a parameter of the standard tier holds it
            6 replaced, 0 released: more than its limits allow (1 replaced, 1 released, 5 abandoned)
            ok: /guardrail-keeper/baseline holds baseline 7fa477461d715ed9, as version 2
            stderr: the keeper acts on it once it is approved: guardrailctl approve 7fa477461d715ed9
            exit 1
        "#]],
    );
    world.server.clear_calls();
    drop(world.sweep().await);
    assert_eq!(world.writes(), [""; 0]);

    let mut told = String::new();
    for arguments in [
        &["approve", "0123456789abcdef", "--yes"] as &[&str],
        &["approve", "latest", "--yes"],
        &["approve", "ae9f1d3a8a6d7dd0"],
    ] {
        let ran = ctl.run(arguments).await;
        told.push_str(&format!("$ {}\n{ran}", arguments.join(" ")));
    }
    check(
        &told,
        expect![[r#"
        $ approve 0123456789abcdef --yes
        stderr: error: the baseline's revision is 7fa477461d715ed9, not 0123456789abcdef: read its plan first
        exit 3
        $ approve latest --yes
        stderr: error: invalid value 'latest' for '<REVISION>': "latest" is not a baseline revision: expected 16 hexadecimal digits
        stderr: 
        stderr: For more information, try '--help'.
        exit 2
        $ approve ae9f1d3a8a6d7dd0
        stderr: there is no terminal for a question: give --yes to approve without one
        exit 2
    "#]],
    );
    drop(world.sweep().await);
    assert_eq!(world.writes(), [""; 0]);

    let revision = world.baseline().await.revision.to_string();
    let ran = ctl.run(&["approve", &revision, "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            baseline 7fa477461d715ed9
              all of it: 6 replaced, 0 released
              done without approval: 0 replaced, 0 released
              its limits: 1 replaced, 1 released, 5 abandoned
            ok: baseline 7fa477461d715ed9 is approved
            stderr: the next sweep acts on it, or guardrailctl apply now
            exit 0
        "#]],
    );
    drop(world.sweep().await);
    // The approval is in its parameter.
    let puts = world.writes().iter().filter(|write| write.starts_with(PUT)).count();
    assert_eq!((puts, world.writes().len()), (6, 7));
    let ran = ctl.run(&["approve", &revision, "--yes", "--output", "json"]).await;
    assert_eq!(object(&ran)["was_approved"], true, "{ran}");
}

#[tokio::test]
async fn what_cannot_be_used_is_not_pushed() {
    let long = format!("{}# {}\n", second().text(), "long ".repeat(1700));
    let mut told = String::new();
    for text in [
        "version: 1\norganization: o-exampleorgid\nowner: 22\n".to_owned(),
        Document { organization: "o-another0001", ..second() }.text(),
        Document { assignments: vec![("ou-exam-nowhere1", "corporate")], ..second() }.text(),
        long,
    ] {
        let world = world(&text).await;
        let ran = of(&world).run(&["push", "new.yaml", "--yes"]).await;
        let held = parameter(&world, PARAMETER).unwrap();
        if ran.out.contains("\nok: ") {
            // It holds what was put there; whether it is acted on is another question.
            assert_eq!(held.2, text);
        } else {
            assert_eq!((ran.code, held.0), (1, 1), "{ran}");
        }
        told.push_str(&format!("{ran}\n"));
    }
    check(
        &told,
        expect![[r#"
            new.yaml:1:1: assignments: missing; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
            new.yaml:1:1: guardrails: missing; write each guardrail under a name of your choice, or {} for none
            new.yaml:3:8: owner: "22" is not an account id; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            stderr: new.yaml can't be used: nothing was changed
            exit 1

            new.yaml:2:15: organization: this baseline is for o-another0001, and the organization here is o-exampleorgid; use the credentials of the one, or the baseline of the other
            stderr: new.yaml can't be used: nothing was changed
            exit 1

            Baseline 27315e7d6cd5d8ca of new.yaml, for /guardrail-keeper/baseline, in the place of baseline 560ff8d292ea350e, version 1:
            0 to change, 0 held, 0 in sync, 7 left alone, 1 account skipped
            plan e3b0c44298fc1c14 of baseline 27315e7d6cd5d8ca, mode sync
            240 bytes: a parameter of the standard tier holds it
            0 replaced, 0 released, 6 abandoned: more than its limits allow (50 replaced, 5 released, 5 abandoned)
            it names an id that matches no account of the organization (ou-exam-nowhere1), so it needs an approval
            ok: /guardrail-keeper/baseline holds baseline 27315e7d6cd5d8ca, as version 2
            stderr: new.yaml:11:17: warning: assignments[0].targets[0]: no account stands in ou-exam-nowhere1: it is empty, or doesn't exist; check the id where you expect accounts in it
            stderr: the keeper acts on it once it is approved: guardrailctl approve 27315e7d6cd5d8ca
            exit 1

            new.yaml:1:1: the baseline has 8788 bytes, and an SSM parameter holds at most 8192; shorten it by 596: assign OUs instead of accounts, drop comments
            stderr: new.yaml can't be used: nothing was changed
            exit 1

        "#]],
    );
}

#[tokio::test]
async fn mistakes_are_told_before_anything_is_done() {
    let world = world(&second().text()).await;
    let mut told = String::new();
    for (baseline, file) in [("new.yaml", "new.yaml"), ("ssm:/guardrail-keeper/baseline", "gone.yaml")] {
        let ran = of(&world).variable("KEEPER_BASELINE", baseline).run(&["push", file, "--yes"]).await;
        told.push_str(&ran.to_string());
    }
    check(
        &told,
        expect![[r#"
        stderr: error: push puts a baseline into a parameter, and KEEPER_BASELINE names a file: set it to ssm:NAME
        exit 2
        stderr: error: gone.yaml could not be read: No such file or directory (os error 2)
        exit 3
    "#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn what_somebody_else_pushed_meanwhile_is_not_overwritten() {
    let world = world(&second().text()).await;
    // The first read shows what was there before.
    world.server.fault(Fault::new(FaultKind::StaleRead).operation("GetParameter").times(1));
    let theirs = Document { mode: "audit", ..first() };
    world.publish(&theirs);
    let ran = of(&world).run(&["push", "new.yaml", "--yes", "--no-plan"]).await;
    check(
        &ran.without_hash(),
        expect![[r#"
            Baseline 84c0f3cb2b5b1f13 of new.yaml, for /guardrail-keeper/baseline, in the place of baseline 560ff8d292ea350e, version 1:
            285 bytes: a parameter of the standard tier holds it
            6 replaced, 0 released: within its limits (50 replaced, 5 released, 5 abandoned)
            stderr: error: /guardrail-keeper/baseline was changed since it was read, and is left as it is: it is at version 2 now; push again to see the changes against it
            exit 3
        "#]],
    );
    assert_eq!(parameter(&world, PARAMETER).unwrap().2, theirs.text());
}

#[tokio::test]
async fn the_tier_is_advanced_only_where_it_has_to_be() {
    let world = world(&second().text()).await;
    let long = format!("{}# {}\n", second().text(), "long ".repeat(900));
    std::fs::write(world.folder().join("long.yaml"), &long).unwrap();
    let ctl = of(&world).variable("KEEPER_BASELINE", "ssm:/elsewhere");
    let mut told = String::new();
    for file in ["new.yaml", "long.yaml", "new.yaml"] {
        let ran = ctl.run(&["push", file, "--yes", "--no-plan"]).await;
        let (version, tier, _) = parameter(&world, "/elsewhere").unwrap();
        told.push_str(&format!("{ran}version {version}, {tier}\n"));
    }
    check(
        &told,
        expect![[r#"
            Baseline 84c0f3cb2b5b1f13 of new.yaml, for /elsewhere, which doesn't exist yet:
            285 bytes: a parameter of the standard tier holds it
            6 replaced, 0 released: within its limits (50 replaced, 5 released, 5 abandoned)
            ok: /elsewhere holds baseline 84c0f3cb2b5b1f13, as version 1
            exit 0
            version 1, Standard
            Baseline a87c889a3a968caa of long.yaml, for /elsewhere, in the place of baseline 84c0f3cb2b5b1f13, version 1:
            4788 bytes: a parameter of the advanced tier holds it
            6 replaced, 0 released: within its limits (50 replaced, 5 released, 5 abandoned)
            ok: /elsewhere holds baseline a87c889a3a968caa, as version 2
            exit 0
            version 2, Advanced
            Baseline 84c0f3cb2b5b1f13 of new.yaml, for /elsewhere, in the place of baseline a87c889a3a968caa, version 2:
            285 bytes: a parameter of the standard tier holds it
            6 replaced, 0 released: within its limits (50 replaced, 5 released, 5 abandoned)
            ok: /elsewhere holds baseline 84c0f3cb2b5b1f13, as version 3
            exit 0
            version 3, Advanced
        "#]],
    );
}
