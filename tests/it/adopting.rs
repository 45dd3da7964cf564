//! What somebody else made and is as wanted: adopted in the open, kept where the baseline says so, and
//! released only with a person's approval.

use expect_test::expect;
use guardrail_keeper::record::{Fate, Origin, Record};
use serde_json::Value;

use testkit::program::Guardrailctl;
use testkit::stack::Stack;
use testkit::world::{
    Document, EU, PARAMETER, PAYMENTS, SANDBOX, SEARCH, SHIPPING, World, check, guardrail, schedule, version,
};

const KEEP: (&str, &str) = (PAYMENTS, "corporate, existing: keep");
const NONE: (&str, &str) = (PAYMENTS, "none");

fn one_region(assignments: Vec<(&'static str, &'static str)>) -> Document {
    Document { regions: EU, assignments, ..Document::default() }
}

fn of(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
}

async fn record(world: &World, account: &str) -> Record {
    let known = world.keeper.ledger().account(&account.parse().unwrap()).await.unwrap();
    known.regions.get(&EU.parse().unwrap()).cloned().unwrap_or_default()
}

/// One account whose administrator had enforced what is wanted, and which was adopted.
async fn adopted() -> World {
    let world = World::of(&one_region(vec![(PAYMENTS, "corporate")])).durable().start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    world.converge(&schedule()).await;
    assert_eq!(record(&world, PAYMENTS).await.ours.map(|ours| ours.origin), Some(Origin::Adopted));
    world.server.clear_calls();
    world
}

async fn approve(world: &World) {
    world.approve().await;
    let revision = world.baseline().await.revision;
    assert!(guardrail_keeper::engine::take_over_approval(&world.keeper, &revision).await);
}

/// The ledger as the version before wrote it: it knew neither what had been adopted nor approvals.
fn as_an_earlier_version_wrote_it(world: &World) {
    let mut ledger: Value = serde_json::from_slice(&std::fs::read(world.ledger_file()).unwrap()).unwrap();
    for document in ledger["documents"].as_object_mut().unwrap().values_mut() {
        if let Some(regions) = document["document"]["regions"].as_object_mut() {
            for record in regions.values_mut() {
                record.as_object_mut().unwrap().retain(|member, _| member != "awaited");
                record["previous"] = Value::Null;
            }
        }
        if let Some(approval) = document["document"].as_object_mut() {
            approval.remove("approvals");
        }
    }
    std::fs::write(world.ledger_file(), ledger.to_string()).unwrap();
}

#[tokio::test]
async fn an_adoption_is_planned_shown_recorded_and_repaired_from_then_on() {
    let world = World::of(&one_region(vec![(PAYMENTS, "corporate")])).durable().start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    let ctl = of(&world);
    let mut told = ctl.run(&["plan", "--detailed-exit-code"]).await.without_hash();
    told += &ctl.run(&["apply", "--yes"]).await.without_hash();
    told += &ctl.run(&["plan", "--detailed-exit-code"]).await.without_hash();
    check(
        &told,
        expect![[r#"
            = 300000000001/eu-west-1 (Workload/payments) adopt corporate:2 (made by arn:aws:iam::300000000001:user/administrator)
            1 to change, 0 held, 0 in sync, 6 left alone, 1 account skipped
            plan HASH of baseline f969ce46e2d8ad08, mode sync
            exit 4
            = 300000000001/eu-west-1 (Workload/payments) adopt corporate:2 (made by arn:aws:iam::300000000001:user/administrator)
            1 to change, 0 held, 0 in sync, 6 left alone, 1 account skipped
            plan HASH of baseline f969ce46e2d8ad08, mode sync

            Applied:
            = 300000000001/eu-west-1 (Workload/payments) adopt corporate:2 (made by arn:aws:iam::300000000001:user/administrator)
            0 changed, 0 held, 1 in sync, 1 adopted, 6 left alone, 1 account skipped
            exit 0
            0 to change, 0 held, 1 in sync, 6 left alone, 1 account skipped
            plan HASH of baseline f969ce46e2d8ad08, mode sync
            exit 0
        "#]],
    );
    let found = record(&world, PAYMENTS).await;
    let previous = found.previous.expect("what was there is recorded");
    assert_eq!(previous.fate, Fate::Adopted);
    assert_eq!(previous.seen.last_writer(), Some("arn:aws:iam::300000000001:user/administrator"));
    assert_eq!(found.ours.map(|ours| ours.origin), Some(Origin::Adopted));
    assert_eq!(world.writes(), [""; 0]);

    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/eu-west-1 replaced eubase1a2b3c:2
        1 write
    "#]],
    );
}

#[tokio::test]
async fn what_others_made_is_kept_equal_or_not_and_never_released() {
    let both = vec![KEEP, (SHIPPING, "corporate, existing: keep"), (SEARCH, "corporate, existing: keep")];
    let world = World::of(&one_region(both)).durable().start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    world.administrator_enforces(SHIPPING, EU, version(EU, "1"));
    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000002/eu-west-1 held: another configuration is enforced there, made by arn:aws:iam::300000000002:user/administrator: to replace it, write `existing: replace`
        300000000003/eu-west-1 enforced eubase1a2b3c:2
        1 write
    "#]],
    );
    for account in [PAYMENTS, SHIPPING] {
        let found = record(&world, account).await;
        assert_eq!(found.ours, None, "{account}");
        assert_eq!(found.previous.map(|previous| previous.fate), Some(Fate::Kept), "{account}");
    }
    let ctl = of(&world);
    let told = ctl.run(&["explain", PAYMENTS, EU]).await;
    check(
        &told,
        expect![[r#"
            300000000001/eu-west-1  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
            wanted    corporate:2, by the assignment of 300000000001 (line 11)
            seen      eubase1a2b3c:2, written last by arn:aws:iam::300000000001:user/administrator
            ours      nothing is recorded
            foreign   eubase1a2b3c:2 of arn:aws:iam::300000000001:user/administrator, kept, recorded under a minute ago
            last      in sync: made by arn:aws:iam::300000000001:user/administrator, kept, under a minute ago, by baseline a7f287ea20b9528a
            decision  in sync: made by arn:aws:iam::300000000001:user/administrator, kept
            history   under a minute ago: in sync: made by arn:aws:iam::300000000001:user/administrator, kept, by event 53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa
            baseline a7f287ea20b9528a, mode sync
            exit 0
        "#]],
    );

    // Somebody changes it: it is held, and not repaired.
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    world.publish(&one_region(vec![KEEP, (SEARCH, "corporate")]));
    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/eu-west-1 held: another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`
        300000000002/eu-west-1 left_alone eubase1a2b3c:1: no assignment covers the account
        0 writes
    "#]],
    );
    world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    drop(world.sweep().await);
    world.publish(&one_region(vec![(PAYMENTS, "none"), (SEARCH, "none")]));
    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/eu-west-1 left_alone eubase1a2b3c:2: nothing is wanted here, and what is there isn't ours
        300000000002/eu-west-1 left_alone eubase1a2b3c:1: no assignment covers the account
        300000000003/eu-west-1 released
        1 write
    "#]],
    );
}

#[tokio::test]
async fn what_an_explicit_keep_had_adopted_is_handed_back() {
    for assignment in [KEEP, (PAYMENTS, "none, existing: keep")] {
        let world = adopted().await;
        as_an_earlier_version_wrote_it(&world);
        world.publish(&one_region(vec![assignment]));
        let told = of(&world).run(&["plan"]).await.without_hash();
        assert!(
            told.contains(
                "= 300000000001/eu-west-1 (Workload/payments) hand back eubase1a2b3c:2 (adopted earlier"
            ),
            "{told}"
        );
        let run = world.converge(&schedule()).await;
        assert_eq!(run.writes, [""; 0]);
        assert_eq!(run.answer["report"]["handed_back"][0]["account"], PAYMENTS, "{:#}", run.answer);
        let found = record(&world, PAYMENTS).await;
        assert_eq!((found.ours, found.previous.unwrap().fate), (None, Fate::Kept));
        let run = world.converge(&schedule()).await;
        assert_eq!(run.answer["report"]["handed_back"], serde_json::json!([]));
        // It is not repaired any more, and not released.
        world.publish(&one_region(vec![NONE]));
        assert_eq!(world.converge(&schedule()).await.writes, [""; 0]);
    }
}

#[tokio::test]
async fn a_plan_shows_what_is_handed_back_and_audit_leaves_it() {
    let world = adopted().await;
    world.publish(&Document { mode: "audit", ..one_region(vec![KEEP]) });
    check(
        &of(&world).run(&["plan"]).await.without_hash(),
        expect![[r#"
            = 300000000001/eu-west-1 (Workload/payments) hand back eubase1a2b3c:2 (adopted earlier, made by arn:aws:iam::300000000001:user/administrator: `existing: keep`)
            0 to change, 0 held, 1 in sync, 1 handed back, 6 left alone, 1 account skipped
            plan HASH of baseline 8e8fb47ea034df62, mode audit
            exit 0
        "#]],
    );
    let run = world.converge(&schedule()).await;
    assert_eq!(run.answer["report"]["handed_back"], serde_json::json!([]));
    assert!(record(&world, PAYMENTS).await.ours.is_some(), "audit only looks");
}

#[tokio::test]
async fn what_was_adopted_is_not_released_before_a_person_approves() {
    for document in [
        one_region(vec![NONE]),
        // A Region that isn't named any more.
        Document { regions: "us-east-1", assignments: vec![(PAYMENTS, "corporate")], ..Document::default() },
    ] {
        let world = adopted().await;
        as_an_earlier_version_wrote_it(&world);
        world.publish(&document);
        let run = world.converge(&schedule()).await;
        let held = record(&world, PAYMENTS).await;
        assert_eq!(
            held.checked.and_then(|it| it.code).as_deref(),
            Some("releases_adopted"),
            "{}",
            run.text()
        );
        assert!(!run.writes.iter().any(|write| write.contains(EU)), "{:?}", run.writes);
        approve(&world).await;
        let run = world.converge(&schedule()).await;
        assert_eq!(run.writes.iter().filter(|write| write.contains(EU)).count(), 1, "{:?}", run.writes);
        // It is kept what was there, though an earlier version had not recorded it.
        let previous = record(&world, PAYMENTS).await.previous.unwrap();
        assert_eq!(
            (previous.fate, previous.seen.enforcement.guardrail.to_string()),
            (Fate::Released, guardrail(EU))
        );
    }
}

#[tokio::test]
async fn a_terminal_shows_the_release_of_what_was_adopted_and_approves_it() {
    let world = adopted().await;
    world.publish(&one_region(vec![NONE]));
    let revision = world.baseline().await.revision.to_string();
    let ctl = of(&world);
    let mut told = ctl.run(&["plan"]).await.without_hash();
    told += &ctl.run(&["apply", "--yes"]).await.without_hash();
    told += &ctl.run(&["approve", &revision, "--yes"]).await.to_string();
    told += &ctl.run(&["apply", "--yes"]).await.without_hash();
    check(
        &told,
        expect![[r#"
            ! 300000000001/eu-west-1 (Workload/payments) held [releases_adopted], would release eubase1a2b3c:2 (adopted, made by arn:aws:iam::300000000001:user/administrator): made by arn:aws:iam::300000000001:user/administrator and adopted by the keeper, so its release always needs an approval: read the plan, then run guardrailctl approve 95bb900a142ad6cf
            0 to change, 1 held, 0 in sync, 6 left alone, 1 account skipped
            held for approval: 1 release
            to include these: guardrailctl apply --approve 95bb900a142ad6cf
            plan HASH of baseline 95bb900a142ad6cf, mode sync
            exit 1
            ! 300000000001/eu-west-1 (Workload/payments) held [releases_adopted], would release eubase1a2b3c:2 (adopted, made by arn:aws:iam::300000000001:user/administrator): made by arn:aws:iam::300000000001:user/administrator and adopted by the keeper, so its release always needs an approval: read the plan, then run guardrailctl approve 95bb900a142ad6cf
            0 to change, 1 held, 0 in sync, 6 left alone, 1 account skipped
            held for approval: 1 release
            to include these: guardrailctl apply --approve 95bb900a142ad6cf
            plan HASH of baseline 95bb900a142ad6cf, mode sync
            exit 1
            baseline 95bb900a142ad6cf
              all of it: 0 replaced, 1 released
              done without approval: 0 replaced, 0 released
              its limits: 50 replaced, 5 released, 5 abandoned
              it is approved already
              made by another principal, adopted, and to be released: 1
                300000000001/eu-west-1 eubase1a2b3c:2
            ok: baseline 95bb900a142ad6cf is approved
            stderr: the next sweep acts on it, or guardrailctl apply now
            exit 0
            - 300000000001/eu-west-1 (Workload/payments) release eubase1a2b3c:2 (adopted, made by arn:aws:iam::300000000001:user/administrator)
            1 to change, 0 held, 0 in sync, 6 left alone, 1 account skipped
            plan HASH of baseline 95bb900a142ad6cf, mode sync

            Applied:
            - 300000000001/eu-west-1 (Workload/payments) release eubase1a2b3c:2 (adopted, made by arn:aws:iam::300000000001:user/administrator)
            1 changed, 0 held, 0 in sync, 6 left alone, 1 account skipped
            exit 0
        "#]],
    );

    // Or in one go.
    let world = adopted().await;
    world.publish(&one_region(vec![NONE]));
    let told = of(&world).run(&["apply", "--yes", "--approve", &revision]).await.without_hash();
    assert!(told.contains("1 changed, 0 held"), "{told}");
}

/// What is approved with its plan needs no second run, even where an approval of the revision alone doesn't cover it.
#[tokio::test]
async fn apply_releases_what_was_adopted_and_moved_where_it_is_approved_with_the_plan() {
    let document = Document {
        regions: EU,
        assignments: vec![("ou-exam-workload", "corporate"), ("ou-exam-sandbox1", "none")],
        ..Document::default()
    };
    let world = World::of(&document).durable().start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    world.converge(&schedule()).await;
    approve(&world).await;
    world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    let revision = world.baseline().await.revision.to_string();
    let told = of(&world).run(&["apply", "--yes", "--approve", &revision]).await;
    assert_eq!(world.enforced_in(PAYMENTS).matches("eubase1a2b3c").count(), 0, "{told}");
    assert_eq!(told.code, 0, "{told}");
}

#[tokio::test]
async fn a_move_needs_an_approval_that_is_given_after_it() {
    let document = Document {
        regions: EU,
        assignments: vec![("ou-exam-workload", "corporate"), ("ou-exam-sandbox1", "none")],
        ..Document::default()
    };
    let setup = World::of(&document).durable().world(|world| {
        world.guardrails.iter_mut().for_each(|guardrail| guardrail.share_with_organization = true);
    });
    let mut stack = Stack::start(setup).await;
    stack.world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    stack.deliver(&stack.schedule()).await;
    assert_eq!(record(&stack.world, PAYMENTS).await.ours.map(|ours| ours.origin), Some(Origin::Adopted));
    // What was approved was the adoption.
    approve(&stack.world).await;
    stack.world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    stack.deliver(&stack.world.event("MoveAccount")).await;
    stack.deliver(&stack.schedule()).await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
    let held = record(&stack.world, PAYMENTS).await;
    assert_eq!(held.checked.and_then(|it| it.code).as_deref(), Some("releases_adopted"));
    approve(&stack.world).await;
    stack.deliver(&stack.schedule()).await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c").count(), 0);
}

#[tokio::test]
async fn what_is_broken_and_was_adopted_is_not_given_up() {
    let world = adopted().await;
    let baseline = one_region(vec![(PAYMENTS, "corporate")]);
    world.publish(&Document { guardrail: vec!["on_unusable: release"], ..baseline });
    approve(&world).await;
    world.server.with(|model| model.delete_guardrail(&guardrail(EU))).unwrap();
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
            x 300000000001/eu-west-1 broken: eubase1a2b3c:2 is enforced, but guardrail eubase1a2b3c has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
            0 changed, 0 held, 0 in sync, 1 broken"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn a_revision_that_adopts_more_than_its_limits_allow_waits() {
    let working = [PAYMENTS, SHIPPING, SEARCH];
    let assignments = working.iter().map(|account| (*account, "corporate")).collect();
    let limited = Document { rest: vec!["limits: { max_replacements: 2 }"], ..one_region(assignments) };
    let world = World::of(&limited).durable().start().await;
    for account in working {
        world.administrator_enforces(account, EU, version(EU, "2"));
    }
    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/eu-west-1 held: baseline 35d0f4b2dd38161a replaces or releases more than its limits allow: read the plan, then approve it
        300000000002/eu-west-1 held: baseline 35d0f4b2dd38161a replaces or releases more than its limits allow: read the plan, then approve it
        300000000003/eu-west-1 held: baseline 35d0f4b2dd38161a replaces or releases more than its limits allow: read the plan, then approve it
        0 writes
    "#]],
    );
    approve(&world).await;
    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/eu-west-1 in_sync, adopted: eubase1a2b3c:2
        300000000002/eu-west-1 in_sync, adopted: eubase1a2b3c:2
        300000000003/eu-west-1 in_sync, adopted: eubase1a2b3c:2
        0 writes
    "#]],
    );
}

#[tokio::test]
async fn offboarding_says_that_it_releases_what_somebody_else_made() {
    let world = adopted().await;
    check(
        &of(&world).run(&["offboard", PAYMENTS, "--yes"]).await,
        expect![[r#"
        300000000001/eu-west-1 release eubase1a2b3c:2 (another principal made it, and it was adopted)
        300000000001/eu-west-1 nothing is enforced
        ok: nothing of ours is enforced in 300000000001
        exit 0
    "#]],
    );
}
