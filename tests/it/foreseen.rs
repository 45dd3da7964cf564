//! A plan shows what will happen: also what its own grants and copies make possible, and what an approval would do.
//! What is written is what was shown, and whoever reads it is asked once.

use expect_test::expect;
use guardrail_keeper::engine::{self, Reviewer};
use guardrail_keeper::handler::do_here;
use serde_json::Value;

use testkit::program::{Guardrailctl, Ran};
use testkit::world::{
    Document, EU, HUB, OWNER, PARAMETER, PAYMENTS, PUT, SEARCH, SHIPPING, US, World, check, guardrail,
    version,
};

fn three_accounts() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate"), (SEARCH, "corporate")],
        ..Document::default()
    }
}

fn write(world: &World, document: &Document) {
    std::fs::write(world.folder().join("baseline.yaml"), document.text()).unwrap();
}

async fn world(document: &Document) -> World {
    let world = World::of(document).durable().long_established().start().await;
    write(&world, document);
    world
}

/// Nobody is granted the guardrail.
async fn without_grant(document: &Document) -> World {
    let world = world(document).await;
    take_the_grant(&world);
    world
}

fn take_the_grant(world: &World) {
    world.server.with(|model| model.set_resource_policy(&guardrail(EU), None)).unwrap();
    world.server.clear_calls();
}

fn ctl(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", "baseline.yaml")
        .variable("KEEPER_LEDGER", "file:ledger.json")
        // One after the other, so that copies get their ids in the same order.
        .variable("KEEPER_CONCURRENCY", "1")
}

/// How often somebody was asked.
fn questions(ran: &Ran) -> usize {
    ran.err.matches("[y/N]").count()
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"))
}

#[tokio::test]
async fn a_plan_shows_what_its_own_grant_makes_possible_and_that_is_asked_for_once() {
    let world = without_grant(&three_accounts()).await;
    world.administrator_enforces(SEARCH, EU, version(EU, "1"));
    let plan = ctl(&world).run(&["plan"]).await;
    check(
        &plan.without_hash(),
        expect![[r#"
            + arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c attach a resource policy that grants it to o-exampleorgid
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2, after the grant
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2, after the grant
            ! 300000000003/eu-west-1 (Workload/search) held [not_ours], would replace corporate:1 => corporate:2 (weaker, not ours: arn:aws:iam::300000000003:user/administrator): another configuration is enforced there, made by arn:aws:iam::300000000003:user/administrator: to replace it, write `existing: replace`
            3 to change (2 of them after a grant or a copy), 1 held, 0 in sync, 4 left alone, 1 account skipped
            plan HASH of baseline 0ba19f91e69a0696, mode sync
            exit 1
        "#]],
    );
    let plan = json(&ctl(&world).run(&["plan", "--output", "json"]).await);
    assert_eq!(plan["plan"]["counts"]["following"], 2, "{plan:#}");
    assert_eq!(plan["plan"]["decisions"][2]["decision"], "enforce", "{plan:#}");
    assert_eq!(plan["plan"]["decisions"][2]["after"], guardrail(EU), "{plan:#}");

    world.server.clear_calls();
    // There is only one answer.
    let ran = ctl(&world).start_at_a_terminal(&["apply"], "y\n").end().await;
    assert_eq!((ran.code, questions(&ran)), (1, 1), "{ran}");
    check(
        &ran.without_hash(),
        expect![[r#"
            + arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c attach a resource policy that grants it to o-exampleorgid
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2, after the grant
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2, after the grant
            ! 300000000003/eu-west-1 (Workload/search) held [not_ours], would replace corporate:1 => corporate:2 (weaker, not ours: arn:aws:iam::300000000003:user/administrator): another configuration is enforced there, made by arn:aws:iam::300000000003:user/administrator: to replace it, write `existing: replace`
            3 to change (2 of them after a grant or a copy), 1 held, 0 in sync, 4 left alone, 1 account skipped
            plan HASH of baseline 0ba19f91e69a0696, mode sync

            Applied:
            + arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c attach a resource policy that grants it to o-exampleorgid
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            3 changed, 1 held, 0 in sync, 4 left alone, 1 account skipped
            stderr: Apply these 3 changes? [y/N] 
            exit 1
        "#]],
    );
    assert_eq!(
        world.writes(),
        [
            format!("PutResourcePolicy {OWNER}/{EU}"),
            format!("{PUT} {PAYMENTS}/{EU}"),
            format!("{PUT} {SHIPPING}/{EU}")
        ]
        .into_iter()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_plan_shows_what_comes_after_a_copy_and_that_is_asked_for_once() {
    let copied = Document { guardrail: vec!["placement: copy"], ..three_accounts() };
    let world = world(&copied).await;
    let ran = ctl(&world).start_at_a_terminal(&["apply"], "y\n").end().await;
    assert_eq!((ran.code, questions(&ran)), (0, 1), "{ran}");
    check(
        &ran.without_hash(),
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) copy corporate:2 (create the copy), then enforce it
            + 300000000002/eu-west-1 (Workload/shipping) copy corporate:2 (create the copy), then enforce it
            + 300000000003/eu-west-1 (Workload/search) copy corporate:2 (create the copy), then enforce it
            6 to change (3 of them after a grant or a copy), 0 held, 0 in sync, 4 left alone, 1 account skipped
            plan HASH of baseline 332b1cceba749348, mode sync

            Applied:
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2 by the account's copy ID:1
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2 by the account's copy ID:1
            + 300000000003/eu-west-1 (Workload/search) enforce corporate:2 by the account's copy ID:1
            3 changed, 0 held, 0 in sync, 4 left alone, 1 account skipped
            stderr: Apply these 6 changes? [y/N] 
            exit 0
        "#]],
    );
}

#[tokio::test]
async fn over_the_limits_a_plan_shows_what_an_approval_would_do() {
    let limits = || vec!["limits: { max_replacements: 1, max_releases: 1 }"];
    let world = World::guarded(World::of(&three_accounts()).durable().long_established()).await;
    let newer = Document {
        version: 1,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate"), (SEARCH, "none")],
        rest: limits(),
        ..three_accounts()
    };
    write(&world, &newer);
    let ran = ctl(&world).run(&["plan"]).await;
    check(
        &ran.without_hash(),
        expect![[r#"
            ! 300000000001/eu-west-1 (Workload/payments) held [not_approved], would replace corporate:2 => corporate:1 (different): baseline 4559fad09919ca90 replaces or releases more than its limits allow: read the plan, then approve it
            ! 300000000002/eu-west-1 (Workload/shipping) held [not_approved], would replace corporate:2 => corporate:1 (different): baseline 4559fad09919ca90 replaces or releases more than its limits allow: read the plan, then approve it
            ! 300000000003/eu-west-1 (Workload/search) held [not_approved], would release eubase1a2b3c:2: baseline 4559fad09919ca90 replaces or releases more than its limits allow: read the plan, then approve it
            0 to change, 3 held, 0 in sync, 4 left alone, 1 account skipped
            held for approval: 1 release, 2 replace
            to include these: guardrailctl apply --approve 4559fad09919ca90
            plan HASH of baseline 4559fad09919ca90, mode sync
            exit 1
        "#]],
    );
    let plan = json(&ctl(&world).run(&["plan", "--output", "json"]).await);
    assert_eq!(plan["plan"]["for_approval"], serde_json::json!({ "replace": 2, "release": 1 }));
    assert_eq!(plan["plan"]["decisions"][2]["would"], "replace", "{plan:#}");

    let revision = plan["revision"].as_str().unwrap();
    let ran = ctl(&world).start_at_a_terminal(&["apply", "--approve", revision], "y\n").end().await;
    assert_eq!((ran.code, world.writes().len()), (0, 3), "{ran}");
}

#[tokio::test]
async fn what_follows_counts_against_the_limits_before_anything_is_written() {
    let document = three_accounts();
    let world = World::guarded(World::of(&document).durable().long_established()).await;
    take_the_grant(&world);
    let newer = Document { version: 1, rest: vec!["limits: { max_replacements: 2 }"], ..document };
    write(&world, &newer);
    let ran = ctl(&world).run(&["apply", "--yes"]).await;
    let replaced = world.writes().iter().filter(|write| write.starts_with(PUT)).count();
    assert_eq!((ran.code, replaced), (1, 0), "{ran}");
    assert!(ran.out.contains("held for approval: "), "{ran}");

    let within = Document { rest: vec!["limits: { max_replacements: 3 }"], ..newer };
    write(&world, &within);
    let ran = ctl(&world).run(&["apply", "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn a_dry_run_shows_a_push_and_pushes_nothing() {
    let world = World::guarded(World::of(&three_accounts()).durable().long_established()).await;
    let push = ctl(&world).variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"));
    for (most, code) in [(50, 0), (1, 1)] {
        let limits = format!("limits: {{ max_replacements: {most} }}");
        let text = Document { version: 1, ..three_accounts() }.text() + &limits + "\n";
        std::fs::write(world.folder().join("new.yaml"), text).unwrap();
        // Nobody has to be asked.
        let ran = push.run(&["push", "new.yaml", "--dry-run"]).await;
        assert_eq!((ran.code, world.writes()), (code, Vec::new()), "{ran}");
        if code == 0 {
            check(
                &ran.without_hash(),
                expect![[r#"
                    Baseline 44015f528ed4d96b of new.yaml, for /guardrail-keeper/baseline, in the place of baseline 0ba19f91e69a0696, version 1:
                    ~ 300000000001/eu-west-1 (Workload/payments) corporate:2 => corporate:1 (different)
                    ~ 300000000002/eu-west-1 (Workload/shipping) corporate:2 => corporate:1 (different)
                    ~ 300000000003/eu-west-1 (Workload/search) corporate:2 => corporate:1 (different)
                    3 to change, 0 held, 0 in sync, 4 left alone, 1 account skipped
                    plan HASH of baseline 44015f528ed4d96b, mode sync
                    381 bytes: a parameter of the standard tier holds it
                    3 replaced, 0 released: within its limits (50 replaced, 5 released, 5 abandoned)
                    stderr: a dry run: nothing was pushed
                    exit 0
                "#]],
            );
        }
        let ran = push.run(&["push", "new.yaml", "--dry-run", "--output", "json"]).await;
        assert_eq!((ran.code, &json(&ran)["pushed"]), (code, &Value::Bool(false)), "{ran}");
    }
    let both = push.run(&["push", "new.yaml", "--dry-run", "--yes"]).await;
    assert_eq!(both.code, 2, "{both}");
    let version = world.server.with(|model| {
        let caller = model.caller(&format!("arn:aws:iam::{HUB}:root"), US).unwrap();
        model.get_parameter(&caller, "GetParameter", PARAMETER).unwrap().1.number
    });
    assert_eq!(version, 1);
}

#[tokio::test]
async fn what_was_not_in_the_plan_that_was_read_is_held() {
    let assignments = vec![(PAYMENTS, "corporate, existing: replace"), (SHIPPING, "corporate")];
    let document = Document { regions: EU, assignments, ..Document::default() };
    let world = World::of(&document).durable().approved().start().await;
    let (baseline, scope) = (world.baseline().await, engine::everything());
    let read = engine::survey(&world.keeper, &baseline, &scope, &engine::unwatched).await.unwrap();
    let reviewed = read.plan.plan().reviewed(&baseline.revision);
    // A replacement was not in that plan.
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    let reviewer = Reviewer { progress: &engine::unwatched, plan: Some(&reviewed) };
    let report = do_here(&world.keeper, &scope, reviewer).await.unwrap().report;
    let held = report.targets.iter().filter(|(_, report)| report.code().as_deref() == Some("not_reviewed"));
    let held: Vec<String> = held.map(|(target, _)| target.to_string()).collect();
    assert_eq!(held, [format!("{PAYMENTS}/{EU}")], "{report}");
    assert_eq!(world.writes(), [format!("{PUT} {SHIPPING}/{EU}")]);
    // Without a plan that somebody read, it is made.
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
}
