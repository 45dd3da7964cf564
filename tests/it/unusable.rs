//! Guardrails that can't be enforced, or can't be used any more: held or broken, each with its
//! reason, and nothing that works is broken by us.

use std::sync::Arc;

use expect_test::expect;
use serde_json::json;
use simulator::{EmptyList, Fault, FaultKind, GuardrailName, Model};

use testkit::log::Log;
use testkit::world::{
    Document, EU, MEMBER_ROLE, OWNER, PAYMENTS, SHIPPING, US, World, check, guardrail, schedule, targets,
};

fn one_account() -> Document {
    Document { regions: EU, ..Document::only(PAYMENTS) }
}

fn europe() -> GuardrailName {
    GuardrailName::from_arn(&guardrail(EU)).unwrap()
}

/// What comes of a guardrail that can't be enforced where nothing is enforced.
async fn held(baseline: &Document, spoil: impl FnOnce(&mut Model)) -> String {
    let world = World::of(baseline).start().await;
    world.server.with(spoil);
    let report = world.look_at(&[PAYMENTS]).await;
    assert_eq!(world.writes(), [""; 0], "{report}");
    report.to_string()
}

#[tokio::test]
async fn a_guardrail_that_is_not_there_is_not_enforced() {
    let baseline = Document { name: "corporate-baselin", ..one_account() };
    check(
        &held(&baseline, |_| ()).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: no guardrail named corporate-baselin in this Region of the owner account: create it there, or take the Region out of the baseline
        0 changed, 1 held, 0 in sync"#]],
    );
}

#[tokio::test]
async fn a_version_that_is_not_there_is_not_enforced() {
    check(
        &held(&Document { version: 7, ..one_account() }, |_| ()).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: guardrail eubase1a2b3c has no version 7 in this Region, its newest is 2: put that into the baseline, or publish a version and put the number that AWS gives it
        0 changed, 1 held, 0 in sync"#]],
    );
}

#[tokio::test]
async fn a_guardrail_that_was_never_published_is_not_enforced() {
    let spoil = |model: &mut Model| {
        for version in ["1", "2"] {
            model.remove_guardrail(&europe(), Some(version)).unwrap();
        }
    };
    let expected = expect![[r#"
        ! 300000000001/eu-west-1 held: guardrail eubase1a2b3c has only a draft, which can't be enforced: publish a version, and give its number in the baseline
        0 changed, 1 held, 0 in sync"#]];
    for placement in ["placement: central", "placement: copy"] {
        let baseline = Document { guardrail: vec![placement], ..one_account() };
        expected.assert_eq(&held(&baseline, spoil).await);
    }
}

#[tokio::test]
async fn what_versions_there_are_is_asked_only_where_the_one_wanted_is_missing() {
    let world =
        World::of(&one_account()).world(|world| world.guardrails[1].versions = 0).approved().start().await;
    let listed = |world: &World| {
        let calls = world.server.calls().into_iter();
        calls.filter(|call| call.operation == "ListGuardrails" && call.account == OWNER).count()
    };
    let report = world.jobs(&[PAYMENTS]).await;
    assert_eq!(listed(&world), 2, "by its name, then its versions: {report}");

    // A look that fails proves no draft.
    let throttled = Fault::new(FaultKind::Throttle).operation("ListGuardrails").account(OWNER);
    let by_arn = Document { regions: "", ..one_account() };
    let text = by_arn
        .text()
        .replace("regions: []", &format!("regions: {{ {EU}: {{ arn: \"{}\" }} }}", guardrail(EU)))
        .replace("    name: corporate-baseline\n", "");
    world.publish_text(&text);
    world.server.fault(throttled);
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
            ! 300000000001/eu-west-1 held: the owner account could not be read: ListGuardrails: ThrottlingException: Rate exceeded (transient)
            0 changed, 1 held, 0 in sync"#]],
    );
    world.server.clear_faults();

    // Published: the name is looked up, and that is all.
    world.server.with(|model| model.add_guardrail_version(&europe(), None)).unwrap();
    world.publish(&Document { version: 1, ..one_account() });
    world.server.clear_calls();
    world.approve().await;
    let report = world.jobs(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    assert_eq!(listed(&world), 1, "by its name, and no more: {report}");
}

#[tokio::test]
async fn a_version_that_is_still_being_made_is_waited_for() {
    let world = World::of(&Document { version: 3, ..one_account() }).start().await;
    world.server.with(|model| {
        model.settings.version_seconds = 3600;
        model.add_guardrail_version(&europe(), None).unwrap();
    });
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: the guardrail is CREATING, not READY
        0 changed, 1 held, 0 in sync"#]],
    );
    let error = world.deliver(&schedule()).await.unwrap_err();
    assert_eq!(error.name(), "Incomplete", "{error}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_version_that_failed_is_not_enforced() {
    let spoil = |model: &mut Model| model.fail_guardrail(&europe(), Some(2), "It broke.").unwrap();
    check(
        &held(&one_account(), spoil).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: the guardrail is FAILED, not READY
        0 changed, 1 held, 0 in sync"#]],
    );
}

#[tokio::test]
async fn automated_reasoning_is_not_enforced() {
    let world = World::of(&one_account())
        .world(|world| {
            let policies =
                json!(["arn:aws:bedrock:eu-west-1:222222222222:automated-reasoning-policy/abcdefghijkl:1"]);
            let policy = json!({ "policies": policies });
            let content = &mut world.guardrails[1].content;
            content.automated_reasoning_policy = policy.as_object().cloned();
        })
        .start()
        .await;
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: it carries an Automated Reasoning policy, which fails every call when enforced: publish a version without one
        0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_name_that_two_guardrails_have_is_not_guessed_at() {
    let spoil = |model: &mut Model| {
        let region = model.region_mut(OWNER, EU).unwrap();
        let mut twin = region.guardrails["eubase1a2b3c"].clone();
        twin.id = "eutwin1a2b3c".to_owned();
        twin.arn = twin.arn.replace("eubase1a2b3c", "eutwin1a2b3c");
        region.guardrails.insert(twin.id.clone(), twin);
    };
    check(
        &held(&one_account(), spoil).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: 2 guardrails are named corporate-baseline in this Region: give its ARN in the baseline
        0 changed, 1 held, 0 in sync"#]],
    );
}

#[tokio::test]
async fn a_guardrail_is_found_by_its_present_name_only() {
    let spoil = |model: &mut Model| {
        let region = model.region_mut(OWNER, EU).unwrap();
        let guardrail = region.guardrails.get_mut("eubase1a2b3c").unwrap();
        let mut content = simulator::Content::clone(&guardrail.draft.content);
        content.name = "renamed".to_owned();
        guardrail.draft.content = Arc::new(content);
    };
    check(
        &held(&one_account(), spoil).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
        0 changed, 1 held, 0 in sync"#]],
    );
}

#[tokio::test]
async fn an_owner_that_cannot_be_read_proves_nothing() {
    let world = World::guarded(World::of(&one_account()).long_established()).await;
    world.server.with(|model| model.revoke_role(OWNER, MEMBER_ROLE));
    // One that agrees, and one that doesn't.
    let forgetful = world.another_keeper().await;
    world.publish(&Document {
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..one_account()
    });
    let answer = guardrail_keeper::handler::handle(&forgetful, &schedule().to_string()).await.unwrap();
    check(
        &targets(&answer),
        expect![[r#"
            300000000001/eu-west-1 held: the owner account could not be read: AssumeRole: AccessDenied: User: arn:aws:sts::111111111111:assumed-role/GuardrailKeeperFunction/standing is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/GuardrailKeeperMember (denied)
            300000000002/eu-west-1 held: the owner account could not be read: AssumeRole: AccessDenied: User: arn:aws:sts::111111111111:assumed-role/GuardrailKeeperFunction/standing is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/GuardrailKeeperMember (denied)
        "#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn an_owner_that_is_throttled_is_neither_broken_nor_in_sync() {
    let world =
        World::guarded(World::of(&Document { guardrail: vec!["on_unusable: release"], ..one_account() }))
            .await;
    world.server.fault(Fault::new(FaultKind::Throttle).operation("GetGuardrail"));
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: the owner account could not be read: GetGuardrail: ThrottlingException: Rate exceeded (transient)
        0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_guardrail_deleted_under_its_enforcement_is_broken_and_kept() {
    let world = World::guarded(World::of(&one_account())).await;
    world.server.with(|model| model.delete_guardrail(&guardrail(EU))).unwrap();
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        x 300000000001/eu-west-1 broken: eubase1a2b3c:2 is enforced, but guardrail eubase1a2b3c has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
        0 changed, 0 held, 0 in sync, 1 broken"#]],
    );
    check(&world.enforced_in(PAYMENTS), expect!["-                eubase1a2b3c:2   -"]);
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn a_broken_guardrail_is_one_alarm_however_many_enforce_it() {
    let world = World::guarded(World::of(&Document::default())).await;
    world.server.with(|model| model.delete_guardrail(&guardrail(EU))).unwrap();
    world
        .server
        .with(|model| {
            model.fail_guardrail(&GuardrailName::from_arn(&guardrail(US)).unwrap(), Some(2), "It broke.")
        })
        .unwrap();
    let (report, log) = Log::of(world.sweep()).await;
    check(
        &report,
        expect![[r#"
        x 111111111111/eu-west-1, 222222222222/eu-west-1, 300000000001/eu-west-1, 300000000002/eu-west-1, 300000000003/eu-west-1, 300000000004/eu-west-1 broken: eubase1a2b3c:2 is enforced, but guardrail eubase1a2b3c has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
        x 111111111111/us-east-1, 222222222222/us-east-1, 300000000001/us-east-1, 300000000002/us-east-1, 300000000003/us-east-1, 300000000004/us-east-1 broken: usbase1a2b3c:2 is enforced, but the guardrail is FAILED, not READY
        0 changed, 0 held, 9 in sync, 12 broken, 1 account skipped"#]],
    );

    let alarms: Vec<String> = log
        .iter()
        .filter(|line| line["level"] == "ERROR")
        .map(|line| format!("{} {} {}", line["guardrail.arn"], line["guardrail.version"], line["targets"]))
        .collect();
    check(
        &alarms.join("\n"),
        expect![[r#"
            "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c" "2" 1
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c" "2" 1
            "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c" "2" 1
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c" "2" 1
            "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c" "2" 1
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c" "2" 1
            "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c" "2" 1
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c" "2" 1
            "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c" "2" 1
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c" "2" 1
            "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c" "2" 1
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c" "2" 1"#]],
    );
    let told = log.iter().filter(|line| line["level"] == "DEBUG" && line["guardrail.arn"].is_string());
    assert_eq!(told.count(), 12, "every target can be told at debug");

    // For programs, each target stands for itself.
    let json = report.to_json();
    let targets = json["targets"].as_array().unwrap().iter();
    let broken = targets.filter(|target| target["state"] == "broken" && target["reason"].is_string());
    assert_eq!(broken.count(), 12, "{json:#}");
}

#[tokio::test]
async fn a_version_that_failed_under_its_enforcement_is_broken() {
    let world = World::guarded(World::of(&one_account())).await;
    world.server.with(|model| model.fail_guardrail(&europe(), Some(2), "It broke.")).unwrap();
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        x 300000000001/eu-west-1 broken: eubase1a2b3c:2 is enforced, but the guardrail is FAILED, not READY
        0 changed, 0 held, 0 in sync, 1 broken"#]],
    );
}

#[tokio::test]
async fn the_present_version_is_kept_until_the_wanted_one_can_be_used() {
    let world = World::guarded(World::of(&Document { version: 1, ..one_account() })).await;
    world.publish(&Document { version: 3, ..one_account() });
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: guardrail eubase1a2b3c has no version 3 in this Region, its newest is 2: put that into the baseline, or publish a version and put the number that AWS gives it
        0 changed, 1 held, 0 in sync"#]],
    );

    // Both the present and the wanted one are dead: then it is broken.
    world.server.with(|model| model.remove_guardrail(&europe(), Some("1"))).unwrap();
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        x 300000000001/eu-west-1 broken: eubase1a2b3c:1 is enforced, but version 1 of guardrail eubase1a2b3c was deleted in this Region, and AWS never uses a number again: publish a new version, and put its number into the baseline
        0 changed, 0 held, 0 in sync, 1 broken"#]],
    );

    // It is published after all.
    world.server.with(|model| model.add_guardrail_version(&europe(), None)).unwrap();
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        ~ 300000000001/eu-west-1 corporate:1 => corporate:3 (weaker)
        1 changed, 0 held, 0 in sync"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn a_member_whose_role_may_not_apply_guardrails_is_told_so() {
    let world = World::of(&one_account()).long_established().start().await;
    world.server.with(|model| {
        let mut role = simulator::Role::clone(model.role(PAYMENTS, MEMBER_ROLE).unwrap());
        role.permissions.allow[0].actions.retain(|action| action != "bedrock:ApplyGuardrail");
        model.put_role(PAYMENTS, role);
    });
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
            ! 300000000001/eu-west-1 held, would enforce corporate:2: the account can't apply the guardrail, so enforcing it would break its calls: ApplyGuardrail: AccessDeniedException: User: arn:aws:sts::300000000001:assumed-role/GuardrailKeeperMember/guardrail-keeper is not authorized to perform: bedrock:ApplyGuardrail on resource: arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c because no identity-based policy allows the bedrock:ApplyGuardrail action (denied)
            0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn an_empty_list_and_no_list_mean_the_same() {
    for empty in [EmptyList::NotFound, EmptyList::Empty] {
        let setup = World::of(&one_account()).switches(|switches| switches.empty_list = empty);
        let world = setup.start().await;
        let run = world.converge(&schedule()).await;
        assert_eq!(run.writes.len(), 1, "{empty:?}: {}", run.text());
    }
}
