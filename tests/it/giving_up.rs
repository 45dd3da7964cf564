//! `on_unusable: release`: what can't be used is released, and nothing is given up for one answer of AWS.

use expect_test::expect;
use guardrail_keeper::ids::AccountId;
use guardrail_keeper::record::AccountRecord;
use simulator::{Fault, FaultKind, GetGuardrail, GuardrailName};

use testkit::log::Log;
use testkit::program::Guardrailctl;
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{
    DELETE, Document, EU, OWNER, PARAMETER, PAYMENTS, SHIPPING, World, check, guardrail, repository,
    schedule, version,
};

/// One account in one Region, and what can't be used is released.
fn one_account() -> Document {
    Document { regions: EU, guardrail: vec!["on_unusable: release"], ..Document::only(PAYMENTS) }
}

/// Everybody, in every Region.
fn everybody() -> Document {
    Document { guardrail: vec!["on_unusable: release"], ..Document::default() }
}

fn europe() -> GuardrailName {
    GuardrailName::from_arn(&guardrail(EU)).unwrap()
}

/// Makes the first looks that found a guardrail unusable so many seconds older, in all accounts.
async fn age(world: &World, seconds: i64) {
    let ledger = world.keeper.ledger();
    let (accounts, _) = ledger.known_accounts(None).await.unwrap();
    for account in accounts.keys() {
        let older = |record: &mut AccountRecord| {
            let records = record.regions.values_mut();
            for found in records.filter_map(|record| record.unusable.as_mut()) {
                found.since = jiff::Timestamp::from_second(found.since.as_second() - seconds).unwrap();
            }
        };
        let changed = ledger.change_account(account, |record| {
            older(record);
            Ok(())
        });
        changed.await.unwrap();
    }
}

async fn record_of(world: &World, account: &str) -> AccountRecord {
    let account: AccountId = account.parse().unwrap();
    world.keeper.ledger().account(&account).await.unwrap()
}

/// Makes the version that failed usable again.
fn mend(world: &World) {
    world.server.with(|model| {
        let region = model.region_mut(OWNER, EU).unwrap();
        let guardrail = region.guardrails.get_mut("eubase1a2b3c").unwrap();
        guardrail.versions.get_mut(&2).unwrap().failure = None;
    });
}

/// The event of a guardrail that was deleted in Europe.
fn deleted() -> serde_json::Value {
    let sample = std::fs::read_to_string(repository("events/guardrail-deleted.json")).unwrap();
    let sample = sample.replace("base1234abcd", "eubase1a2b3c").replace("us-east-1", EU);
    serde_json::from_str(&sample).unwrap()
}

fn answers_disagree(world: &World) {
    world.server.with(|model| model.switches.get_guardrail = GetGuardrail::FindsNoVersion);
}

fn answers_agree(world: &World) {
    world.server.with(|model| model.switches.get_guardrail = GetGuardrail::Agrees);
}

#[tokio::test]
async fn two_answers_that_disagree_release_nothing_however_long_they_do() {
    let world = World::guarded(World::of(&everybody()).durable()).await;
    answers_disagree(&world);
    for _ in 0..3 {
        let report = world.sweep().await;
        assert!(!report.is_converged(), "{report}");
        let counts = report.counts();
        assert_eq!(counts.keys().map(|state| state.code()).collect::<Vec<_>>(), ["in_sync", "held"]);
        age(&world, 600).await;
    }
    assert_eq!(world.writes(), [""; 0]);
    // It is looked at again soon, not with the next sweep.
    let error = world.deliver(&schedule()).await.unwrap_err();
    assert_eq!(error.name(), "Incomplete", "{error}");

    answers_agree(&world);
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_contradiction_says_what_it_is_and_a_list_that_fails_proves_nothing() {
    let world = World::guarded(World::of(&one_account()).durable()).await;
    answers_disagree(&world);
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: AWS contradicts itself: ListGuardrails shows version 2 of guardrail eubase1a2b3c, and GetGuardrail doesn't find it; the keeper asks again soon, and holds the target until both agree
        0 changed, 1 held, 0 in sync"#]],
    );
    // The same where only one of the two can be asked.
    let by_arn = one_account()
        .text()
        .replace(
            &format!("regions: [{EU}]"),
            &format!("regions: {{ {EU}: {{ arn: \"{}\" }} }}", guardrail(EU)),
        )
        .replace("    name: corporate-baseline\n", "");
    world.publish_text(&by_arn);
    world.server.fault(Fault::new(FaultKind::Throttle).operation("ListGuardrails").account(OWNER));
    let unread = expect![[r#"
        ! 300000000001/eu-west-1 held: the owner account could not be read: ListGuardrails: ThrottlingException: Rate exceeded (transient)
        0 changed, 1 held, 0 in sync"#]];
    for _ in 0..2 {
        unread.assert_eq(&world.look_at(&[PAYMENTS]).await.to_string());
        age(&world, 600).await;
    }
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn the_first_look_is_reported_and_a_later_one_that_agrees_releases() {
    let world = World::guarded(World::of(&one_account()).durable()).await;
    world.administrator_enforces(SHIPPING, EU, version(EU, "2"));
    world.server.with(|model| model.delete_guardrail(&guardrail(EU))).unwrap();

    let first = world.look_at(&[PAYMENTS]).await;
    check(
        &first,
        expect![[r#"
            x 300000000001/eu-west-1 broken: eubase1a2b3c:2 is enforced, but guardrail eubase1a2b3c has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
            0 changed, 0 held, 0 in sync, 1 broken"#]],
    );
    // Too soon: nothing is certain by being asked twice in a row.
    age(&world, 200).await;
    let again = world.look_at(&[PAYMENTS]).await;
    assert_eq!(again.to_string(), first.to_string());
    assert!(!again.unfinished().is_empty(), "it is looked at again soon");
    assert_eq!(world.writes(), [""; 0]);

    age(&world, 200).await;
    let (report, log) = Log::of(world.look_at(&[PAYMENTS])).await;
    check(
        &report,
        expect![[r#"
            - 300000000001/eu-west-1 release eubase1a2b3c:2 (broken: guardrail eubase1a2b3c has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one)
            1 changed, 0 held, 0 in sync"#]],
    );
    assert_eq!(world.writes(), [format!("{DELETE} {PAYMENTS}/{EU}")]);
    assert!(!report.is_converged() && !report.unfinished().is_empty(), "{report}");
    let errors = log.iter().filter(|line| line["level"] == "ERROR" && line["account.id"] == PAYMENTS);
    assert_eq!(errors.count(), 1, "the release of what is wanted is an error in the log");

    // As long as it is wanted and can't be guarded, that is told, and looked at again.
    let unguarded = expect![[r#"
        ! 300000000001/eu-west-1 held: UNGUARDED: the enforcement was released because its guardrail can't be used, and what is wanted can't be enforced: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
        0 changed, 1 held, 0 in sync"#]];
    for _ in 0..2 {
        let report = world.look_at(&[PAYMENTS]).await;
        unguarded.assert_eq(&report.to_string());
        assert!(!report.is_converged() && !report.unfinished().is_empty(), "{report}");
    }
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn what_comes_back_before_the_second_look_is_not_given_up() {
    let world = World::guarded(World::of(&one_account()).durable()).await;
    for _ in 0..2 {
        world.server.with(|model| model.fail_guardrail(&europe(), Some(2), "It broke.")).unwrap();
        let report = world.look_at(&[PAYMENTS]).await;
        assert_eq!(report.counts().keys().map(|state| state.code()).collect::<Vec<_>>(), ["broken"]);
        age(&world, 600).await;
        // One look that found it well, and all begins anew.
        mend(&world);
        let report = world.look_at(&[PAYMENTS]).await;
        assert!(report.is_converged(), "{report}");
        assert_eq!(record_of(&world, PAYMENTS).await.regions[&EU.parse().unwrap()].unusable, None);
    }
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn more_than_the_limits_allow_is_released_only_when_somebody_approved() {
    let world = World::guarded(World::of(&everybody()).durable()).await;
    world.server.with(|model| model.delete_guardrail(&guardrail(EU))).unwrap();
    for _ in 0..2 {
        drop(world.sweep().await);
        age(&world, 600).await;
    }
    let report = world.sweep().await;
    check(
        &report,
        expect![[r#"
            x 111111111111/eu-west-1, 222222222222/eu-west-1, 300000000001/eu-west-1, 300000000002/eu-west-1, 300000000003/eu-west-1, 300000000004/eu-west-1 broken: eubase1a2b3c:2 is enforced, but guardrail eubase1a2b3c has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` would release 6 targets, more than the limit max_releases allows: restore the guardrail, or approve 42d1101463ca6af4 to release them
            0 changed, 0 held, 15 in sync, 6 broken, 1 account skipped"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
    // Nor one at a time: they count together, whoever looks.
    for account in [PAYMENTS, SHIPPING] {
        drop(world.look_at(&[account]).await);
    }
    assert_eq!(world.writes(), [""; 0]);

    // A plan says how many an approval would release, and how to give it.
    let revision = world.baseline().await.revision;
    let ctl = Guardrailctl::of(&world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json");
    let plan = ctl.run(&["plan"]).await;
    let told =
        format!("held for approval: 6 release\nto include these: guardrailctl apply --approve {revision}\n");
    assert!(plan.out.contains(&told), "{plan}");

    world.approve().await;
    let report = world.sweep().await;
    assert_eq!(world.writes().len(), 6, "{report}");
    assert!(world.writes().iter().all(|write| write.starts_with(DELETE)));
}

#[tokio::test]
async fn through_the_queues_they_wait_for_the_second_look_and_are_counted_before_the_first_release() {
    let document = Document { regions: EU, ..everybody() };
    let mut stack = Stack::guarded(World::of(&document).durable()).await;
    stack.world.server.with(|model| model.delete_guardrail(&guardrail(EU))).unwrap();
    stack.send(&deleted());
    stack.work().await;
    // Six of them wait for another look.
    assert_eq!(stack.left(), "6 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo");
    assert_eq!(stack.world.writes(), [""; 0]);

    age(&stack.world, 600).await;
    stack.settle().await;
    assert_eq!(stack.world.writes(), [""; 0], "six are more than five");
    assert_eq!(stack.left(), EMPTY);

    stack.world.approve().await;
    stack.send(&stack.schedule());
    stack.work().await;
    assert_eq!(stack.world.writes().len(), 6);
    // Whoever was released is looked at again, without another event.
    assert!(!stack.left().starts_with("0 events"), "{}", stack.left());
}

#[tokio::test]
async fn a_target_that_was_released_is_guarded_as_soon_as_its_guardrail_is_back() {
    let document =
        Document { regions: EU, guardrail: vec!["on_unusable: release"], ..Document::only(PAYMENTS) };
    let mut stack = Stack::guarded(World::of(&document).durable()).await;
    stack.world.server.with(|model| model.fail_guardrail(&europe(), Some(2), "It broke.")).unwrap();
    stack.send(&stack.schedule());
    stack.work().await;
    age(&stack.world, 600).await;
    while stack.world.writes().is_empty() {
        assert!(stack.wait(), "it is looked at again: {}", stack.left());
        stack.work().await;
    }
    assert_eq!(stack.world.writes(), [format!("{DELETE} {PAYMENTS}/{EU}")]);
    let ran = Guardrailctl::of(&stack.world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
        .run(&["status", "--account", PAYMENTS])
        .await;
    assert_ne!(ran.code, 0, "unguarded is never green: {ran}");
    mend(&stack.world);
    stack.settle().await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
    assert_eq!(record_of(&stack.world, PAYMENTS).await.regions[&EU.parse().unwrap()].released_unusable, None);
}

/// The last good baseline, which is followed while the present one can't be read, releases nothing. The release is not
/// left to the next sweep for that.
#[tokio::test]
async fn a_release_that_is_due_while_the_baseline_cannot_be_read_is_tried_again() {
    let mut stack = Stack::guarded(World::of(&one_account()).durable().approved().hurried()).await;
    stack.world.server.with(|model| model.delete_guardrail(&guardrail(EU))).unwrap();
    stack.send(&deleted());
    stack.work().await;
    age(&stack.world, 600).await;
    stack.world.server.fault(Fault::new(FaultKind::Throttle).operation("GetParameter").times(4));
    assert!(stack.wait(), "it waits for a second look");
    stack.work().await;
    assert_eq!(stack.world.writes(), [""; 0]);
    stack.world.server.clear_faults();
    stack.settle().await;
    assert!(
        stack.world.writes().contains(&format!("{DELETE} {PAYMENTS}/{EU}")),
        "{:?}",
        stack.world.writes()
    );
}
