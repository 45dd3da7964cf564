//! A guardrail that stops even the probe's harmless text: enforced, it would stop every call.

use expect_test::expect;
use serde_json::Value;
use simulator::GuardrailName;

use testkit::program::Guardrailctl;
use testkit::stack::Stack;
use testkit::world::{Document, EU, HUB, PARAMETER, PAYMENTS, PUT, Setup, World, check, guardrail, version};

fn document() -> Document {
    Document { regions: EU, ..Document::only(PAYMENTS) }
}

/// The owner's version that stops everything.
fn spoil(world: &World, version: &str) {
    let name = GuardrailName::from_arn(&guardrail(EU)).unwrap();
    world.server.with(|model| model.block_everything(&name, Some(version))).unwrap();
}

async fn spoiled(setup: Setup) -> World {
    let world = setup.start().await;
    spoil(&world, "2");
    world
}

#[tokio::test]
async fn it_is_not_enforced_where_it_is_not_yet() {
    let world = spoiled(World::of(&document()).durable()).await;
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 held, would enforce corporate:2: the guardrail stops even the harmless text "Hello." (by its sensitive information filters), so enforcing it would stop the account's calls: correct it and publish a new version; if it is meant to, write `on_blocked_probe: enforce` in the baseline
        0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
    let program = Guardrailctl::of(&world)
        .variable("KEEPER_LEDGER", &format!("file:{}", world.ledger_file().display()))
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"));
    let ran = program.run(&["status", "--account", PAYMENTS]).await;
    assert_ne!(ran.code, 0, "{ran}");
    check(
        &ran.out,
        expect![[r#"
        1 target
              1 held
        oldest look: under a minute ago, 300000000001/eu-west-1

        held        300000000001/eu-west-1 (Workload/payments)  [probe_blocked] under a minute ago: the guardrail stops even the harmless text "Hello." (by its sensitive information filters), so enforcing it would stop the account's calls: correct it and publish a new version; if it is meant to, write `on_blocked_probe: enforce` in the baseline
        baseline f969ce46e2d8ad08, mode sync
    "#]],
    );

    // Corrected and published anew, it is enforced.
    let name = GuardrailName::from_arn(&guardrail(EU)).unwrap();
    world.server.with(|model| model.add_guardrail_version(&name, None)).unwrap();
    world.publish(&Document { version: 3, ..document() });
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn it_takes_no_other_versions_place_and_nothing_is_released() {
    let world = spoiled(World::of(&Document { version: 1, ..document() }).durable()).await;
    assert!(world.look_at(&[PAYMENTS]).await.is_converged());
    world.publish(&document());
    world.server.clear_calls();
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 held, would replace corporate:1 => corporate:2 (weaker): the guardrail stops even the harmless text "Hello." (by its sensitive information filters), so enforcing it would stop the account's calls: correct it and publish a new version; if it is meant to, write `on_blocked_probe: enforce` in the baseline
        0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
    assert!(world.enforced_in(PAYMENTS).contains("eubase1a2b3c:1"));
}

#[tokio::test]
async fn it_is_enforced_where_the_baseline_says_that_it_is_meant_to() {
    let meant = Document { guardrail: vec!["on_blocked_probe: enforce"], ..document() };
    let world = spoiled(World::of(&meant).durable()).await;
    let report = world.look_at(&[PAYMENTS]).await;
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}")], "{report}");
    assert!(report.is_converged() && report.warnings.is_empty(), "{report}");
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn where_it_is_enforced_it_stays_and_a_probe_that_finds_it_is_a_warning() {
    let world = World::guarded(World::of(&document()).durable()).await;
    spoil(&world, "2");
    world.quiet(&[PAYMENTS]).await;
    assert!(world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"));

    // Somebody weakens it: the models are put right, and what the probe saw is told.
    let models = simulator::ModelEnforcement {
        included_models: vec!["amazon.nova-pro-v1:0".to_owned()],
        excluded_models: Vec::new(),
    };
    let weaker = simulator::Enforce { model_enforcement: Some(models), ..version(EU, "2") };
    world.administrator_enforces(PAYMENTS, EU, weaker);
    world.server.clear_calls();
    let report = world.look_at(&[PAYMENTS]).await;
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}")], "{report}");
    check(
        &report,
        expect![[r#"
        ~ 300000000001/eu-west-1 corporate:2 models amazon.nova-pro-v1:0 => corporate:2 (weaker)
        ! 300000000001/eu-west-1 enforces corporate:2, which stops even the harmless text "Hello." (by its sensitive information filters): the account's calls are stopped, and the keeper doesn't release it for that; correct the guardrail, publish a new version and put it into the baseline
        1 changed, 0 held, 0 in sync"#]],
    );

    // Once somebody removed it, calls work: it is not put back.
    world.administrator_releases(PAYMENTS, EU);
    world.server.clear_calls();
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 held, would enforce corporate:2 (it was removed): the guardrail stops even the harmless text "Hello." (by its sensitive information filters), so enforcing it would stop the account's calls: correct it and publish a new version; if it is meant to, write `on_blocked_probe: enforce` in the baseline
        0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_copy_that_stops_everything_is_not_enforced_either() {
    let copied = Document { guardrail: vec!["placement: copy"], ..document() };
    let world = spoiled(World::of(&copied).durable()).await;
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.to_string().contains("the guardrail stops even the harmless text"), "{report}");
    assert!(!world.writes().iter().any(|write| write.starts_with(PUT)), "{:?}", world.writes());
}

#[tokio::test]
async fn the_bus_hears_once_that_it_is_held() {
    let setup = World::of(&document()).durable().variable("KEEPER_BUS", "outcomes");
    let mut stack = Stack::start(setup).await;
    spoil(&stack.world, "2");
    let mut held = Vec::new();
    for _ in 0..2 {
        let sweep = stack.schedule();
        stack.deliver(&sweep).await;
        let events: Vec<Value> = stack.world.server.with(|model| {
            let events = model.put_events().iter().filter(|put| put.account == HUB);
            let events = events.map(|put| put.event.clone()).collect();
            model.clear_put_events();
            events
        });
        let events = events.into_iter().filter(|event| event["detail-type"] == "Enforcement Held");
        held.push(events.map(|event| event["detail"]["reason"]["code"].clone()).collect::<Vec<_>>());
    }
    assert_eq!(held, [vec![Value::from("probe_blocked")], Vec::new()]);
}
