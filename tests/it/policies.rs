//! The owner's side: the grant comes first, what others wrote survives, and what nobody needs any
//! more is taken back last.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use expect_test::{Expect, expect};
use guardrail_keeper::engine::{Reviewer, Step};
use guardrail_keeper::handler::do_here;
use serde_json::{Value, json};
use simulator::{Answer, Fault, FaultKind, Model, Switches};

use testkit::world::{
    ABANDONED, Document, EU, OWNER, PAYMENTS, Setup, US, World, guardrail, schedule, targets,
};

const PUT_POLICY: &str = "PutResourcePolicy";

#[track_caller]
fn check(text: &impl ToString, expected: Expect) {
    expected.assert_eq(&text.to_string());
}

fn europe_only() -> Document {
    Document { regions: EU, ..Document::only(PAYMENTS) }
}

fn several(switches: &mut Switches) {
    switches.several_statements = Answer::Accepted;
    switches.sid = Answer::Accepted;
}

fn policy(world: &World, region: &str) -> Option<Value> {
    let text = world.server.with(|model| model.resource_policy(&guardrail(region)));
    text.map(|text| serde_json::from_str(&text).expect("a policy is JSON"))
}

fn attach(world: &World, region: &str, policy: Option<&Value>) {
    let text = policy.map(ToString::to_string);
    world.server.with(|model| model.set_resource_policy(&guardrail(region), text.as_deref())).unwrap();
}

/// What somebody else shares the guardrail by: with its own account.
fn foreign() -> Value {
    json!({
        "Sid": "SecurityTooling",
        "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{OWNER}:root") },
        "Action": ["bedrock:ApplyGuardrail", "bedrock:GetGuardrail"],
        "Resource": guardrail(EU),
    })
}

fn denying() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "bedrock:ApplyGuardrail", "Resource": guardrail(EU),
    }] })
}

fn statements(policy: &Option<Value>) -> Vec<Value> {
    policy.as_ref().and_then(|policy| policy["Statement"].as_array().cloned()).unwrap_or_default()
}

#[tokio::test]
async fn a_missing_grant_is_put_in_place_before_anything_is_enforced() {
    let world = World::of(&europe_only()).start().await;
    attach(&world, EU, None);
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
        + arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c attach a resource policy that grants it to o-exampleorgid
        + 300000000001/eu-west-1 enforce corporate:2
        2 changed, 0 held, 0 in sync"#]],
    );
    let order: Vec<String> =
        world.server.calls().iter().filter(|call| call.write).map(|call| call.operation.clone()).collect();
    assert_eq!(order, [PUT_POLICY, "PutEnforcedGuardrailConfiguration"]);
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn a_lost_grant_comes_back_and_nothing_is_given_up_for_it() {
    let document = Document { guardrail: vec!["on_unusable: release"], ..europe_only() };
    let world = World::guarded(World::of(&document)).await;
    attach(&world, EU, None);
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    assert_eq!(world.writes(), [format!("{PUT_POLICY} {OWNER}/{EU}")]);
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn the_event_of_a_deleted_policy_brings_it_back() {
    let world = World::guarded(World::of(&Document::default())).await;
    let arn = guardrail(US);
    world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), US).unwrap();
        model.delete_resource_policy(&owner, &arn).unwrap();
    });
    let run = world.converge(&world.event("DeleteResourcePolicy")).await;
    assert_eq!(run.writes, [format!("{PUT_POLICY} {OWNER}/{US}")]);
    assert!(policy(&world, US).is_some());
}

#[tokio::test]
async fn what_others_wrote_survives_to_the_letter() {
    let world = World::of(&europe_only()).switches(several).start().await;
    attach(&world, EU, Some(&json!({ "Version": "2012-10-17", "Id": "theirs", "Statement": [foreign()] })));
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    let after = policy(&world, EU);
    assert_eq!(statements(&after).len(), 2);
    assert_eq!(statements(&after)[0], foreign());
    assert_eq!(after.unwrap()["Id"], "theirs");
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn where_bedrock_takes_one_statement_only_nothing_is_overwritten() {
    let world = World::of(&europe_only())
        .switches(|switches| {
            switches.several_statements = Answer::Refused;
            switches.sid = Answer::Accepted;
        })
        .start()
        .await;
    let theirs = json!({ "Version": "2012-10-17", "Statement": [foreign()] });
    attach(&world, EU, Some(&theirs));
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
            ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c its resource policy could not be written: PutResourcePolicy: Bedrock refused the policy: "ValidationException: The provided resource policy is invalid: it has more than one Statement."; it has 2 statements, and Bedrock may take only one: remove the others if they are not needed: the keeper never overwrites them (rejected)
            ! 300000000001/eu-west-1 held, would enforce corporate:2: arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c isn't granted to the organization yet: no statement gives bedrock:GetGuardrail and bedrock:ApplyGuardrail
            0 changed, 1 held, 0 in sync, 1 resource policy failed"#]],
    );
    assert_eq!(policy(&world, EU), Some(theirs));
    assert_eq!(world.enforced_in(PAYMENTS).trim(), "-                -                -");
}

#[tokio::test]
async fn a_policy_that_cannot_be_mended_is_left_and_told() {
    let world = World::of(&europe_only()).start().await;
    attach(&world, EU, Some(&denying()));
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
            ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c held: its resource policy is left as it is: statement 1 denies it, whatever else is granted; remove that statement: the keeper never removes it
            ! 300000000001/eu-west-1 held: arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c isn't granted to the organization (statement 1 denies it), and the keeper can't change its policy here
            0 changed, 2 held, 0 in sync"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
    assert_eq!(policy(&world, EU), Some(denying()));
}

#[tokio::test]
async fn a_grant_lost_for_good_under_a_live_enforcement_is_broken() {
    for (on_unusable, expected) in [
        (
            "on_unusable: keep",
            expect![[r#"
                ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c held: its resource policy is left as it is: statement 1 denies it, whatever else is granted; remove that statement: the keeper never removes it
                x 300000000001/eu-west-1 broken: eubase1a2b3c:2 is enforced, but arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c isn't granted to the organization (statement 1 denies it), and the keeper can't change its policy here
                0 changed, 1 held, 0 in sync, 1 broken"#]],
        ),
        (
            "on_unusable: release",
            expect![[r#"
                ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c held: its resource policy is left as it is: statement 1 denies it, whatever else is granted; remove that statement: the keeper never removes it
                x 300000000001/eu-west-1 broken: eubase1a2b3c:2 is enforced, but arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c isn't granted to the organization (statement 1 denies it), and the keeper can't change its policy here; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
                0 changed, 1 held, 0 in sync, 1 broken"#]],
        ),
    ] {
        let document = Document { guardrail: vec![on_unusable], ..europe_only() };
        let world = World::guarded(World::of(&document)).await;
        attach(&world, EU, Some(&denying()));
        let report = world.look_at(&[PAYMENTS]).await;
        assert!(!report.is_converged(), "{report}");
        check(&report, expected);
    }
}

#[tokio::test]
async fn a_policy_that_opens_the_guardrail_to_strangers_is_reported() {
    let world = World::of(&europe_only()).start().await;
    let open = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::*:root" },
        "Action": ["bedrock:ApplyGuardrail", "bedrock:GetGuardrail"],
        "Resource": format!("{}/1", guardrail(EU)),
    }] });
    attach(&world, EU, Some(&open));
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
            ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c held: its resource policy is left as it is: statement 1 names "arn:aws:iam::*:root", which is no principal: IAM takes no wildcard there, and where it is taken it means every AWS account; write Principal "*" with StringEquals aws:PrincipalOrgID; statement 1 is for "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c/1", which is not the ARN that the policy is attached to; write that ARN, with the id instead of the name and without a version; nothing is written while the policy holds what Bedrock doesn't support
            ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c is open: statement 1 names "arn:aws:iam::*:root", which is no principal: IAM takes no wildcard there, and where it is taken it means every AWS account; write Principal "*" with StringEquals aws:PrincipalOrgID
            ! 300000000001/eu-west-1 held: arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c isn't granted to the organization (no statement gives bedrock:GetGuardrail and bedrock:ApplyGuardrail), and the keeper can't change its policy here
            0 changed, 2 held, 0 in sync"#]],
    );
    assert_eq!(policy(&world, EU), Some(open));
}

#[tokio::test]
async fn a_policy_put_by_somebody_else_meanwhile_is_not_overwritten() {
    let world = World::of(&europe_only()).switches(several).start().await;
    let theirs = json!({ "Version": "2012-10-17", "Statement": [foreign()] });
    attach(&world, EU, None);
    let has_put = AtomicBool::new(false);
    let puts = |step: Step<'_>| {
        if matches!(step, Step::Begins(_)) && !has_put.swap(true, Ordering::Relaxed) {
            attach(&world, EU, Some(&theirs));
        }
    };
    let report =
        do_here(&world.keeper, &testkit::world::scope(&[PAYMENTS]), Reviewer { progress: &puts, plan: None })
            .await
            .unwrap()
            .report;
    check(
        &report,
        expect![[r#"
            ~ arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c add o-exampleorgid to its resource policy
            + 300000000001/eu-west-1 enforce corporate:2
            2 changed, 0 held, 0 in sync"#]],
    );
    // The first write was refused; the next look merges.
    assert_eq!(statements(&policy(&world, EU))[0], foreign());
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn a_policy_that_may_not_be_written_is_held_and_the_others_converge() {
    let document = Document { regions: "us-east-1, eu-west-1", ..Document::only(PAYMENTS) };
    let world = World::of(&document).start().await;
    attach(&world, EU, None);
    let denied = FaultKind::denied_by_service_control_policy("bedrock:PutResourcePolicy");
    world.server.fault(Fault::new(denied).operation(PUT_POLICY));
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
            ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c its resource policy could not be written: PutResourcePolicy: AccessDeniedException: You are not authorized to perform: bedrock:PutResourcePolicy with an explicit deny in a service control policy (denied)
            + 300000000001/us-east-1 enforce corporate:2
            ! 300000000001/eu-west-1 held, would enforce corporate:2: arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c isn't granted to the organization yet: no statement gives bedrock:GetGuardrail and bedrock:ApplyGuardrail
            1 changed, 1 held, 0 in sync, 1 resource policy failed"#]],
    );
}

#[tokio::test]
async fn auditing_writes_no_policy() {
    let world = World::of(&Document { mode: "audit", ..europe_only() }).start().await;
    attach(&world, EU, None);
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
            ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c held: mode audit doesn't write this
            ? 300000000001/eu-west-1 would enforce corporate:2
            0 changed, 1 held, 0 in sync, 1 would be enforced"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

// The way out.

/// The whole organization guarded in two Regions, with a grant in Europe that we put there.
async fn granted_by_us(setup: Setup) -> World {
    let world = setup.start().await;
    attach(&world, EU, None);
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    world.server.clear_calls();
    world
}

fn two_regions() -> Document {
    Document {
        regions: "us-east-1, eu-west-1",
        rest: vec!["limits: { max_releases: 100 }"],
        ..Document::default()
    }
}

fn america_only() -> Document {
    Document { regions: US, ..two_regions() }
}

#[tokio::test]
async fn our_grant_is_taken_back_after_the_last_release_and_not_before() {
    let world = granted_by_us(World::of(&two_regions()).durable()).await;
    world.publish(&america_only());
    let first = world.sweep().await;
    assert!(first.is_converged(), "{first}");
    let operations: BTreeSet<String> = world.writes().iter().map(|write| write[..6].to_owned()).collect();
    assert_eq!(operations, BTreeSet::from(["Delete".to_owned()]));
    assert!(policy(&world, EU).is_some(), "the grant outlives the releases of the same run");
    world.server.clear_calls();

    let second = world.sweep().await;
    check(
        &second,
        expect![[r#"
        - arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c delete its resource policy
        1 changed, 0 held, 14 in sync, 1 account skipped"#]],
    );
    assert_eq!(world.writes(), [format!("DeleteResourcePolicy {OWNER}/{EU}")]);
    world.server.clear_calls();
    let third = world.sweep().await;
    assert!(third.is_converged(), "{third}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_grant_that_somebody_else_made_is_never_taken_back() {
    let world = World::guarded(World::of(&two_regions()).durable()).await;
    let theirs = policy(&world, EU);
    world.publish(&america_only());
    drop(world.sweep().await);
    drop(world.sweep().await);
    assert_eq!(policy(&world, EU), theirs);
}

#[tokio::test]
async fn a_grant_stays_while_anybody_may_still_need_it() {
    // Somebody else enforces it where nothing is assigned.
    let world = granted_by_us(World::of(&two_regions()).durable()).await;
    world.administrator_enforces("300000000005", EU, testkit::world::version(EU, "1"));
    world.publish(&america_only());
    drop(world.sweep().await);
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    assert!(policy(&world, EU).is_some());

    // It can't be told any more whether they do.
    world.administrator_releases("300000000005", EU);
    world.server.fault(
        Fault::new(FaultKind::denied_by_service_control_policy("bedrock:List"))
            .account("300000000005")
            .region(EU),
    );
    let report = world.sweep().await;
    check(
        &report,
        expect![[r#"
            ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c held: the grant is no longer needed, but 300000000005/eu-west-1 can't be read and may still enforce the guardrail
            0 changed, 1 held, 13 in sync, 1 left alone, 1 account skipped"#]],
    );
    assert!(policy(&world, EU).is_some());

    world.server.clear_faults();
    drop(world.sweep().await);
    assert_eq!(policy(&world, EU), None);
}

#[tokio::test]
async fn the_record_speaks_for_a_suspended_account() {
    let world = granted_by_us(World::of(&two_regions()).durable()).await;
    world.server.with(|model: &mut Model| model.suspend(PAYMENTS));
    world.publish(&america_only());
    drop(world.sweep().await);
    drop(world.sweep().await);
    assert!(policy(&world, EU).is_some(), "{PAYMENTS} still enforces it");
    world.server.with(|model: &mut Model| model.reinstate(PAYMENTS));
    drop(world.sweep().await);
    drop(world.sweep().await);
    assert_eq!(policy(&world, EU), None);
    assert_eq!(world.enforced_in(ABANDONED).trim(), "-                -                -");
}

#[tokio::test]
async fn a_grant_is_not_taken_back_for_a_guardrail_that_could_not_be_found() {
    let world = granted_by_us(World::of(&two_regions()).durable()).await;
    // The same guardrail under a name that isn't there: it may have been renamed.
    world.publish(&Document { name: "renamed", ..two_regions() });
    drop(world.sweep().await);
    assert!(policy(&world, EU).is_some());
    let answer = world.deliver(&schedule()).await.unwrap();
    assert!(targets(&answer).contains("no guardrail named renamed"), "{answer}");
}

#[tokio::test]
async fn a_grant_that_somebody_makes_after_ours_was_gone_is_theirs() {
    let world = granted_by_us(World::of(&two_regions()).durable()).await;
    let grant = policy(&world, EU);
    world.publish(&america_only());
    drop(world.sweep().await);
    // An administrator deletes the policy before we take ours back, and later shares the guardrail again.
    attach(&world, EU, None);
    drop(world.sweep().await);
    attach(&world, EU, grant.as_ref());
    for _ in 0..2 {
        let report = world.sweep().await;
        assert!(report.is_converged(), "{report}");
    }
    assert_eq!(policy(&world, EU), grant);
}

#[tokio::test]
async fn a_statement_of_theirs_that_we_completed_stays_when_ours_would_go() {
    let world = World::of(&two_regions()).durable().start().await;
    let theirs = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "bedrock:ApplyGuardrail", "Resource": guardrail(EU),
        "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" } },
    }] });
    attach(&world, EU, Some(&theirs));
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    let completed = policy(&world, EU);
    assert_ne!(completed, Some(theirs));
    world.publish(&america_only());
    for _ in 0..3 {
        drop(world.sweep().await);
    }
    assert_eq!(policy(&world, EU), completed);
}

#[tokio::test]
async fn a_grant_that_is_on_its_way_is_waited_for() {
    let setup = World::of(&europe_only()).long_established();
    let world = setup.world(|world| world.settings.propagation_seconds = 120).start().await;
    attach(&world, EU, None);
    world.server.with(|model| model.clock.advance(std::time::Duration::from_secs(300)));
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(!report.is_converged() && !report.unfinished().is_empty(), "{report}");
    assert_eq!(world.enforced_in(PAYMENTS).trim(), "-                -                -");
    world.server.with(|model| model.clock.advance(std::time::Duration::from_secs(300)));
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn a_sweep_that_cannot_list_the_accounts_looks_at_the_owners_side_all_the_same() {
    let world = World::guarded(World::of(&europe_only()).durable()).await;
    attach(&world, EU, None);
    world.server.fault(Fault::new(FaultKind::Denied { message: "No.".to_owned() }).operation("ListAccounts"));
    let error = world.deliver(&schedule()).await.unwrap_err();
    assert_eq!(error.name(), "OrganizationUnreadable", "{error}");
    assert_eq!(world.writes(), [format!("{PUT_POLICY} {OWNER}/{EU}")]);
    assert!(policy(&world, EU).is_some());
}
