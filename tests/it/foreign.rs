//! What isn't ours: kept, replaced only where the baseline says so and the ledger remembers, adopted
//! where it is what is wanted.

use expect_test::expect;
use guardrail_keeper::handler::handle;
use serde_json::Value;
use simulator::UpdatedBy;

use testkit::world::{
    Document, EU, PAYMENTS, SHIPPING, US, World, check, guardrail, schedule, targets, version,
};

const REPLACE: (&str, &str) = (PAYMENTS, "corporate, existing: replace");

fn ledger(world: &World) -> Value {
    serde_json::from_slice(&std::fs::read(world.ledger_file()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_foreign_configuration_is_kept_and_told_of() {
    let mut ends = Vec::new();
    for form in [UpdatedBy::Role, UpdatedBy::AssumedRole] {
        let setup = World::of(&Document::only(PAYMENTS)).switches(|switches| switches.updated_by = form);
        let world = setup.start().await;
        world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
        let run = world.converge(&schedule()).await;
        ends.push(run.text() + &world.enforced_in(PAYMENTS));
    }
    assert_eq!(ends[0], ends[1]);
    check(
        &ends[0],
        expect![[r#"
        the schedule starts a sweep
        300000000001/ap-southeast-2 enforced apbase1a2b3c:2
        300000000001/eu-west-1 held: another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`
        300000000001/us-east-1 enforced usbase1a2b3c:2
        2 writes
        apbase1a2b3c:2   eubase1a2b3c:1   usbase1a2b3c:2"#]],
    );
}

#[tokio::test]
async fn a_foreign_configuration_is_replaced_on_request_and_the_previous_one_is_recorded() {
    let world =
        World::of(&Document { assignments: vec![REPLACE], ..Document::default() }).durable().start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));

    let run = world.converge(&schedule()).await;

    check(
        &run.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/ap-southeast-2 enforced apbase1a2b3c:2
        300000000001/eu-west-1 replaced eubase1a2b3c:2
        300000000001/us-east-1 enforced usbase1a2b3c:2
        3 writes
    "#]],
    );
    let ledger = ledger(&world);
    let record = &ledger["documents"][format!("account#{PAYMENTS}")]["document"]["regions"][EU];
    let previous = &record["previous"]["seen"];
    assert_eq!(previous["enforcement"]["guardrail"], guardrail(EU), "{ledger:#}");
    assert_eq!(previous["enforcement"]["version"], "1", "{ledger:#}");
    assert_eq!(previous["created_by"], format!("arn:aws:iam::{PAYMENTS}:user/administrator"), "{ledger:#}");
    assert_eq!(record["ours"]["enforcement"]["version"], "2", "{ledger:#}");
}

#[tokio::test]
async fn a_foreign_configuration_is_not_replaced_while_nothing_remembers_it() {
    let world = World::of(&Document { assignments: vec![REPLACE], ..Document::default() }).start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));

    let run = world.converge(&schedule()).await;

    check(
        &run.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/ap-southeast-2 enforced apbase1a2b3c:2
        300000000001/eu-west-1 held: `existing: replace` needs a ledger that lasts, to keep what was there: set KEEPER_LEDGER
        300000000001/us-east-1 enforced usbase1a2b3c:2
        2 writes
    "#]],
    );
}

#[tokio::test]
async fn what_is_there_already_as_wanted_is_adopted_and_released_later_with_an_approval() {
    let world = World::of(&Document::only(PAYMENTS)).start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    world.administrator_enforces(SHIPPING, EU, version(EU, "2"));

    let run = world.converge(&schedule()).await;
    check(
        &run.text(),
        expect![[r#"
            the schedule starts a sweep
            300000000001/ap-southeast-2 enforced apbase1a2b3c:2
            300000000001/eu-west-1 in_sync, adopted: eubase1a2b3c:2
            300000000001/us-east-1 enforced usbase1a2b3c:2
            300000000002/eu-west-1 left_alone eubase1a2b3c:2: no assignment covers the account
            2 writes
        "#]],
    );

    world.publish(&Document {
        assignments: vec![(PAYMENTS, "none"), (SHIPPING, "none")],
        ..Document::default()
    });
    let run = world.converge(&schedule()).await;
    check(
        &run.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/ap-southeast-2 released
        300000000001/eu-west-1 held: made by arn:aws:iam::300000000001:user/administrator and adopted by the keeper, so its release always needs an approval: read the plan, then run guardrailctl approve 1beb9eb8587d37fa
        300000000001/us-east-1 released
        300000000002/eu-west-1 left_alone eubase1a2b3c:2: nothing is wanted here, and what is there isn't ours
        2 writes
    "#]],
    );
    world.approve().await;
    let run = world.converge(&schedule()).await;
    check(
        &run.text(),
        expect![[r#"
            the schedule starts a sweep
            300000000001/eu-west-1 released
            300000000002/eu-west-1 left_alone eubase1a2b3c:2: nothing is wanted here, and what is there isn't ours
            1 write
        "#]],
    );
}

#[tokio::test]
async fn ours_is_not_released_once_somebody_else_changed_it() {
    let world = World::guarded(World::of(&Document::only(PAYMENTS))).await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    world.publish(&Document { assignments: vec![(PAYMENTS, "none")], ..Document::default() });

    let run = world.converge(&schedule()).await;

    check(
        &run.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/ap-southeast-2 released
        300000000001/eu-west-1 held: to be released, but changed since by arn:aws:iam::300000000001:user/administrator: release it by hand, or put it back first
        300000000001/us-east-1 released
        2 writes
    "#]],
    );
    check(&world.enforced_in(PAYMENTS), expect!["-                eubase1a2b3c:1   -"]);
}

#[tokio::test]
async fn what_bears_our_name_is_ours_though_the_ledger_is_lost() {
    let mut ends = Vec::new();
    for form in [UpdatedBy::Role, UpdatedBy::AssumedRole] {
        let baseline = Document { version: 1, ..Document::only(PAYMENTS) };
        let setup = World::of(&baseline).switches(|switches| switches.updated_by = form);
        let world = World::guarded(setup).await;
        // Another process, with an empty ledger in memory.
        let forgetful = world.another_keeper().await;
        world.publish(&Document::only(PAYMENTS));
        let answer = handle(&forgetful, &schedule().to_string()).await.unwrap();
        ends.push(targets(&answer));
    }
    assert_eq!(ends[0], ends[1]);
    check(
        &ends[0],
        expect![[r#"
        300000000001/ap-southeast-2 replaced apbase1a2b3c:2
        300000000001/eu-west-1 replaced eubase1a2b3c:2
        300000000001/us-east-1 replaced usbase1a2b3c:2
    "#]],
    );
}

#[tokio::test]
async fn without_a_ledger_a_foreign_edit_of_ours_still_counts_as_ours() {
    let world = World::guarded(World::of(&Document::only(PAYMENTS))).await;
    let forgetful = world.another_keeper().await;
    world.administrator_enforces(PAYMENTS, US, version(US, "1"));

    let answer = handle(&forgetful, &schedule().to_string()).await.unwrap();

    // We created it: `createdBy` says so, whoever changed it since.
    check(
        &targets(&answer),
        expect![[r#"
        300000000001/us-east-1 replaced usbase1a2b3c:2
    "#]],
    );
}
