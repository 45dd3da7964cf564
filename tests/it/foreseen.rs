//! A plan shows what will happen: also what its own grants and copies make possible, and what an approval would do.
//! What is written is what was shown, and whoever reads it is asked once.

use expect_test::expect;
use serde_json::Value;

use crate::support::program::{Guardrailctl, Ran};
use crate::support::{
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
    check(&plan.without_hash(), expect![[""]]);
    let plan = json(&ctl(&world).run(&["plan", "--output", "json"]).await);
    assert_eq!(plan["plan"]["counts"]["following"], 2, "{plan:#}");
    assert_eq!(plan["plan"]["decisions"][0]["decision"], "enforce", "{plan:#}");
    assert_eq!(plan["plan"]["decisions"][0]["after"], guardrail(EU), "{plan:#}");

    world.server.clear_calls();
    // There is only one answer.
    let ran = ctl(&world).start_at_a_terminal(&["apply"], "y\n").end().await;
    assert_eq!((ran.code, questions(&ran)), (1, 1), "{ran}");
    check(&ran.without_hash(), expect![[""]]);
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
    check(&ran.without_hash(), expect![[""]]);
}

#[tokio::test]
async fn over_the_limits_a_plan_shows_what_an_approval_would_do() {
    let limits = || vec!["limits: { max_replacements: 1, max_releases: 0 }"];
    let world = World::guarded(World::of(&three_accounts()).durable().long_established()).await;
    let newer = Document {
        version: 1,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate"), (SEARCH, "none")],
        rest: limits(),
        ..three_accounts()
    };
    write(&world, &newer);
    let ran = ctl(&world).run(&["plan"]).await;
    check(&ran.without_hash(), expect![[""]]);
    let plan = json(&ctl(&world).run(&["plan", "--output", "json"]).await);
    assert_eq!(plan["plan"]["for_approval"], serde_json::json!({ "replace": 2, "release": 1 }));
    assert_eq!(plan["plan"]["decisions"][0]["would"], "replace", "{plan:#}");

    let revision = plan["revision"].as_str().unwrap();
    let ran = ctl(&world).start_at_a_terminal(&["apply", "--approve", revision], "y\n").end().await;
    assert_eq!((ran.code, world.writes().len()), (0, 3), "{ran}");
}

#[tokio::test]
async fn what_follows_counts_against_the_limits_before_anything_is_written() {
    for document in [three_accounts(), Document { guardrail: vec!["placement: copy"], ..three_accounts() }] {
        let world = World::guarded(World::of(&document).durable().long_established()).await;
        take_the_grant(&world);
        let newer = Document { version: 1, rest: vec!["limits: { max_replacements: 2 }"], ..document };
        write(&world, &newer);
        let ran = ctl(&world).run(&["apply", "--yes"]).await;
        let replaced = world.writes().iter().filter(|write| write.starts_with(PUT)).count();
        assert_eq!((ran.code, replaced), (1, 0), "{ran}");
        assert!(ran.out.contains("held for approval: "), "{ran}");
        // No copy is made, either: a revision with a slip in it is not acted on.
        let copies = world.writes().iter().filter(|write| write.contains("Guardrail ")).count();
        assert_eq!(copies, 0, "{:?}", world.writes());

        let within = Document { rest: vec!["limits: { max_replacements: 3 }"], ..newer };
        write(&world, &within);
        let ran = ctl(&world).run(&["apply", "--yes"]).await;
        assert_eq!(ran.code, 0, "{ran}");
    }
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
            check(&ran.without_hash(), expect![[""]]);
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
