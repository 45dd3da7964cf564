//! Modes and limits: what the baseline itself keeps the keeper from doing.

use expect_test::expect;
use guardrail_keeper::engine::{self, Reviewer};
use guardrail_keeper::handler::do_here;
use guardrail_keeper::trigger::{Accounts, Regions, Scope};
use simulator::{Fault, FaultKind};

use testkit::world::{
    Document, EU, LIST, PAYMENTS, PLAYGROUND, PUT, SEARCH, SHIPPING, WORKLOAD, World, check, guardrail,
    schedule, targets, version,
};

const WORKING: [&str; 3] = [PAYMENTS, SHIPPING, SEARCH];

fn limited(version: u32, limits: &'static str) -> Document {
    Document {
        version,
        regions: EU,
        assignments: WORKING.iter().map(|account| (*account, "corporate")).collect(),
        rest: vec![limits],
        ..Document::default()
    }
}

#[tokio::test]
async fn audit_writes_nothing_to_aws_and_takes_nothing_over() {
    let audit = Document { regions: EU, mode: "audit", ..Document::default() };
    let world = World::of(&audit).durable().start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    world.administrator_enforces(PLAYGROUND, EU, version(EU, "1"));

    let run = world.converge(&schedule()).await;

    check(
        &run.text(),
        expect![[r#"
            the schedule starts a sweep
            111111111111/eu-west-1 would_enforce: enforce corporate:2
            222222222222/eu-west-1 would_enforce: enforce corporate:2
            300000000002/eu-west-1 would_enforce: enforce corporate:2
            300000000003/eu-west-1 would_enforce: enforce corporate:2
            300000000004/eu-west-1 would_enforce: enforce corporate:2
            300000000005/eu-west-1 left_alone eubase1a2b3c:1: nothing is wanted here, and what is there isn't ours
            0 writes
        "#]],
    );
    // What was seen is recorded, so that the first revision that writes can be counted beforehand.
    for (account, state, version) in [(PAYMENTS, "in_sync", "2"), (PLAYGROUND, "left_alone", "1")] {
        let known = world.keeper.ledger().account(&account.parse().unwrap()).await.unwrap();
        let record = &known.regions[&EU.parse().unwrap()];
        assert_eq!(record.ours, None, "what was looked at was not adopted");
        assert_eq!(record.checked.as_ref().map(|checked| checked.state.code()), Some(state));
        let seen = record.seen.as_ref().and_then(|seen| seen.enforcement.as_ref()).unwrap();
        assert_eq!(seen.version.to_string(), version);
    }
}

#[tokio::test]
async fn what_audit_would_do_is_told_from_what_to_what_and_is_not_held() {
    let before = Document { regions: EU, version: 1, ..limited(1, "limits: {}") };
    let world = World::guarded(World::of(&before).durable()).await;
    world.administrator_releases(SHIPPING, EU);
    // The grant that the keeper would make first is no other reason than the mode.
    world.server.with(|model| model.set_resource_policy(&guardrail(EU), None)).unwrap();
    let assignments = vec![(PAYMENTS, "none"), (SHIPPING, "corporate"), (SEARCH, "corporate")];
    world.publish(&Document { regions: EU, mode: "audit", version: 2, assignments, ..Document::default() });
    drop(engine::metrics(&world.keeper));

    let report = world.sweep().await;
    check(
        &report,
        expect![[r#"
        ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c held: mode audit doesn't write this
        ? 300000000001/eu-west-1 would release eubase1a2b3c:1
        ? 300000000002/eu-west-1 would enforce corporate:2 (it was removed)
        ? 300000000003/eu-west-1 would replace corporate:1 => corporate:2 (weaker)
        0 changed, 1 held, 0 in sync, 1 would be enforced, 1 would be replaced, 1 would be released, 4 left alone, 1 account skipped"#]],
    );
    assert!(!report.is_converged());
    check(
        &targets(&serde_json::json!({ "report": report.to_json() })),
        expect![[r#"
        300000000001/eu-west-1 would_release: release eubase1a2b3c:1
        300000000002/eu-west-1 would_enforce: enforce corporate:2 (it was removed)
        300000000003/eu-west-1 would_replace: corporate:1 => corporate:2 (weaker)
    "#]],
    );
    // No figure says that anything is held.
    world.deliver(&schedule()).await.unwrap();
    let lines = engine::metrics(&world.keeper).concat();
    assert!(lines.contains("would_enforce") && !lines.contains("TargetsHeld"), "{lines}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn enforce_only_releases_nothing() {
    let world = World::guarded(World::of(&Document { regions: EU, ..Document::only(PAYMENTS) })).await;
    world.publish(&Document {
        regions: EU,
        mode: "enforce-only",
        assignments: vec![(PAYMENTS, "none"), (SHIPPING, "corporate")],
        ..Document::default()
    });

    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/eu-west-1 held: mode enforce-only doesn't write this
        300000000002/eu-west-1 enforced eubase1a2b3c:2
        1 write
    "#]],
    );

    // Nor does it release what is broken.
    let baseline = Document {
        regions: EU,
        mode: "enforce-only",
        guardrail: vec!["on_unusable: release"],
        ..Document::only(SHIPPING)
    };
    world.publish(&baseline);
    world.server.with(|model| model.delete_guardrail(&testkit::world::guardrail(EU))).unwrap();
    check(
        &world.look_at(&[SHIPPING]).await,
        expect![[r#"
            x 300000000002/eu-west-1 broken: eubase1a2b3c:2 is enforced, but guardrail eubase1a2b3c has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; mode enforce-only doesn't write this
            0 changed, 0 held, 0 in sync, 1 broken"#]],
    );
    world.quiet(&[SHIPPING]).await;
}

#[tokio::test]
async fn a_revision_that_replaces_more_than_its_limit_is_not_acted_on_until_it_is_approved() {
    let world = World::guarded(World::of(&limited(1, "limits: { max_replacements: 2 }"))).await;
    world.publish(&limited(2, "limits: { max_replacements: 2 }"));

    let run = world.converge(&schedule()).await;
    check(
        &run.text(),
        expect![[r#"
            the schedule starts a sweep
            0 writes
        "#]],
    );

    world.approve().await;
    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/eu-west-1 replaced eubase1a2b3c:2
        300000000002/eu-west-1 replaced eubase1a2b3c:2
        300000000003/eu-west-1 replaced eubase1a2b3c:2
        3 writes
    "#]],
    );
}

#[tokio::test]
async fn a_revision_that_releases_more_than_its_limit_is_not_acted_on_at_all() {
    let world = World::guarded(World::of(&limited(2, ""))).await;
    let slip = Document {
        regions: EU,
        // PLAYGROUND would be enforced for the first time; the slip holds that, too.
        assignments: vec![(WORKLOAD, "none"), (PLAYGROUND, "corporate")],
        rest: vec!["limits: { max_releases: 2 }"],
        ..Document::default()
    };
    world.publish(&slip);

    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
            the schedule starts a sweep
            0 writes
        "#]],
    );
}

#[tokio::test]
async fn single_looks_replace_nothing_for_a_revision_that_is_over_its_limits_as_a_whole() {
    let world = World::guarded(World::of(&limited(1, "limits: { max_replacements: 2 }"))).await;
    world.publish(&limited(2, "limits: { max_replacements: 2 }"));

    let mut ends = String::new();
    for account in WORKING {
        ends.push_str(&format!("{}\n", world.look_at(&[account]).await));
    }
    check(
        &ends,
        expect![[r#"
            0 changed, 0 held, 1 in sync
            0 changed, 0 held, 1 in sync
            0 changed, 0 held, 1 in sync
        "#]],
    );
    // They follow the revision before it, though two replacements would have been within the limits.
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn repairing_towards_an_approved_revision_is_never_limited() {
    let world = World::guarded(World::of(&limited(2, "limits: { max_replacements: 1 }"))).await;
    for account in WORKING {
        world.administrator_enforces(account, EU, version(EU, "1"));
    }
    let run = world.converge(&schedule()).await;
    assert_eq!(run.writes, WORKING.map(|account| format!("{PUT} {account}/{EU}")));
}

#[tokio::test]
async fn what_the_record_does_not_know_counts_as_a_change() {
    let world = World::guarded(World::of(&limited(1, ""))).await;
    world.publish(&limited(2, "limits: { max_replacements: 2 }"));
    // Nobody remembers: three replacements of what bears our name.
    let forgetful = world.another_keeper().await;
    let answer = guardrail_keeper::handler::handle(&forgetful, &schedule().to_string()).await.unwrap();
    check(
        &targets(&answer),
        expect![[r#"
        300000000001/eu-west-1 held: baseline 35d0f4b2dd38161a replaces or releases more than its limits allow: read the plan, then approve it
        300000000002/eu-west-1 held: baseline 35d0f4b2dd38161a replaces or releases more than its limits allow: read the plan, then approve it
        300000000003/eu-west-1 held: baseline 35d0f4b2dd38161a replaces or releases more than its limits allow: read the plan, then approve it
    "#]],
    );
}

#[tokio::test]
async fn an_approval_is_for_one_revision_only() {
    let world = World::guarded(World::of(&limited(1, ""))).await;
    world.publish(&limited(2, "limits: { max_replacements: 2 }"));
    world.approve().await;
    world.publish(&limited(2, "limits: { max_replacements: 1 }"));
    let run = world.converge(&schedule()).await;
    assert_eq!(run.writes, [""; 0], "{}", run.text());
}

#[tokio::test]
async fn a_revision_is_not_approved_by_a_sweep_that_could_not_see_what_it_would_change() {
    let slip = limited(1, "limits: { max_replacements: 2 }");
    let mut ends = String::new();
    for fault in [
        Fault::new(FaultKind::Throttle).operation(LIST),
        Fault::new(FaultKind::Throttle).operation("GetGuardrail"),
        Fault::new(FaultKind::Throttle).operation("AssumeRole"),
    ] {
        let setup = World::of(&limited(2, ""));
        let world = World::guarded(setup).await;
        world.publish(&slip);
        world.server.fault(fault);
        let blind = world.sweep().await.summary();
        world.server.clear_faults();
        world.server.clear_calls();
        let report = world.sweep().await;
        ends.push_str(&format!("{blind}, then {}\n", report.summary()));
        assert_eq!(world.writes(), [""; 0]);
    }
    check(
        &ends,
        expect![[r#"
            0 changed, 3 held, 0 in sync, 4 left alone, 1 account skipped, then 0 changed, 0 held, 3 in sync, 4 left alone, 1 account skipped
            0 changed, 3 held, 0 in sync, 4 left alone, 1 account skipped, then 0 changed, 0 held, 3 in sync, 4 left alone, 1 account skipped
            0 changed, 0 held, 3 in sync, 4 left alone, 1 account skipped, then 0 changed, 0 held, 3 in sync, 4 left alone, 1 account skipped
        "#]],
    );
}

#[tokio::test]
async fn repairs_are_not_limited_by_an_account_that_cannot_be_read() {
    let world =
        World::guarded(World::of(&limited(2, "limits: { max_replacements: 1 }")).long_established()).await;
    let another_revision =
        Document { guardrail: vec!["on_unusable: keep"], ..limited(2, "limits: { max_replacements: 1 }") };
    world.publish(&another_revision);
    world.server.fault(Fault::new(FaultKind::Throttle).account("300000000003").operation(LIST));
    for account in [PAYMENTS, SHIPPING] {
        world.administrator_enforces(account, EU, version(EU, "1"));
    }
    check(
        &world.sweep().await.summary(),
        expect!["2 changed, 1 held, 0 in sync, 4 left alone, 1 account skipped"],
    );
    assert_eq!(world.writes(), [PAYMENTS, SHIPPING].map(|account| format!("{PUT} {account}/{EU}")));
}

#[tokio::test]
async fn without_a_ledger_that_remembers_a_blind_sweep_approves_no_slip() {
    let world = World::guarded(World::of(&limited(2, "limits: { max_releases: 1 }"))).await;
    let mut slip = limited(2, "limits: { max_releases: 1 }");
    slip.assignments = vec![("r-exam", "none")];
    world.publish(&slip);
    // A new process, which remembers nothing, sees one account only.
    let forgetful = world.another_keeper().await;
    for account in &WORKING[1..] {
        let denied = simulator::FaultKind::Throttle;
        world.server.fault(
            simulator::Fault::new(denied).account(account).operation("ListEnforcedGuardrailsConfiguration"),
        );
    }
    drop(guardrail_keeper::handler::handle(&forgetful, &schedule().to_string()).await);
    world.server.clear_faults();
    world.server.clear_calls();
    let answer = guardrail_keeper::handler::handle(&forgetful, &schedule().to_string()).await.unwrap();
    assert_eq!(world.writes(), [""; 0], "{answer:#}");
}

#[tokio::test]
async fn a_part_of_a_new_revision_is_done_once_all_of_it_is_counted() {
    let everybody = || Document { regions: "us-east-1, eu-west-1", ..Document::default() };
    for scope in [
        Scope { regions: Regions::Only([EU.parse().unwrap()].into()), ..engine::everything() },
        Scope { accounts: Accounts::one(PAYMENTS.parse().unwrap()), ..engine::everything() },
    ] {
        let world = World::of(&everybody()).start().await;
        let done = do_here(&world.keeper, &scope, Reviewer::NOBODY).await.unwrap();
        assert_eq!(done.unfinished, [""; 0]);
        assert!(done.report.is_converged() && done.report.attempts_anything(), "{}", done.report);
        let elsewhere = |write: &String| !write.contains(EU) && !write.contains(PAYMENTS);
        assert_eq!(world.writes().into_iter().filter(elsewhere).collect::<Vec<_>>(), [""; 0]);
        let approval = world.keeper.ledger().revision_approval().await.unwrap().unwrap();
        assert!(approval.approved && approval.counted.is_some(), "{approval:?}");
    }
}
