//! Calls that are refused, throttled, lost or never answered: told as what they are, in the target
//! that they concern and nowhere else, and put right by the next run.

use std::time::{Duration, Instant};

use expect_test::expect;
use simulator::{Fault, FaultKind, OptStatus, PutOverExisting, ServiceControl};

use testkit::world::{
    DELETE, Document, EU, HUB, LIST, MEMBER_ROLE, PAYMENTS, PUT, SEARCH, SHIPPING, World, check, schedule,
};

/// Two accounts in one Region, so that every report is short.
fn two_accounts() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..Document::default()
    }
}

const BOTH: [&str; 2] = [PAYMENTS, SHIPPING];

/// What a fault leads to, and that everything is well once it is over.
async fn strike(world: &World, fault: Fault) -> String {
    world.server.fault(fault);
    let report = world.look_at(&BOTH).await.to_string();
    world.server.clear_faults();
    let recovered = world.look_at(&BOTH).await;
    assert!(recovered.is_converged(), "{recovered}");
    world.quiet(&BOTH).await;
    report
}

#[tokio::test]
async fn a_missing_role_is_denied_and_the_other_accounts_converge() {
    let world = World::of(&two_accounts()).long_established().start().await;
    let role = world.server.with(|model| model.role(PAYMENTS, MEMBER_ROLE).cloned()).unwrap();
    assert!(world.server.with(|model| model.revoke_role(PAYMENTS, MEMBER_ROLE)));

    check(
        &world.look_at(&BOTH).await,
        expect![[r#"
            + 300000000002/eu-west-1 enforce corporate:2
            ! 300000000001/eu-west-1 held: could not be read: AssumeRole: AccessDenied: User: arn:aws:sts::111111111111:assumed-role/GuardrailKeeperFunction/standing is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::300000000001:role/GuardrailKeeperMember (denied)
            1 changed, 1 held, 0 in sync"#]],
    );
    let refused = world.server.calls().into_iter();
    let refused = refused.filter(|call| call.operation == "AssumeRole" && call.error.is_some()).count();
    assert_eq!(refused, 2, "a denial isn't tried again: one for the look before, one for the task");

    world.server.with(|model| model.put_role(PAYMENTS, role));
    check(
        &world.look_at(&BOTH).await,
        expect![[r#"
        + 300000000001/eu-west-1 enforce corporate:2
        1 changed, 0 held, 1 in sync"#]],
    );
    world.quiet(&BOTH).await;
}

#[tokio::test]
async fn a_missing_role_is_not_ready_shortly_after_the_account_joined() {
    let world = World::of(&two_accounts()).start().await;
    world.server.with(|model| model.revoke_role(PAYMENTS, MEMBER_ROLE));

    check(
        &world.look_at(&BOTH).await,
        expect![[r#"
            + 300000000002/eu-west-1 enforce corporate:2
            ! 300000000001/eu-west-1 held: could not be read: AssumeRole: AccessDenied: User: arn:aws:sts::111111111111:assumed-role/GuardrailKeeperFunction/standing is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::300000000001:role/GuardrailKeeperMember (not ready)
            1 changed, 1 held, 0 in sync"#]],
    );
    // The account's own event is delivered again; a sweep has the next one to come back with.
    assert_eq!(world.look_at(&[PAYMENTS]).await.unfinished().len(), 1);
    assert_eq!(world.deliver(&schedule()).await.unwrap()["report"]["converged"], false);
}

#[tokio::test]
async fn a_role_that_arrives_late_is_waited_for() {
    let world = World::of(&Document::default())
        .world(|world| world.settings.stack_set_seconds = Some(3600))
        .approved()
        .start()
        .await;
    let account = world.let_an_account_join("research", "ou-exam-workload");
    let event = world.event("CreateAccountResult");

    let error = world.deliver(&event).await.unwrap_err();
    check(
        &error.to_string().replace(&account, "ACCOUNT"),
        expect![
            "3 of 3 targets and policies are worth another try: ACCOUNT/ap-southeast-2: could not be read: AssumeRole: AccessDenied: User: arn:aws:sts::111111111111:assumed-role/GuardrailKeeperFunction/standing is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::ACCOUNT:role/GuardrailKeeperMember (not ready)"
        ],
    );

    // The StackSet gets there, and Lambda delivers the event again.
    world.server.with(|model| model.clock.advance(Duration::from_secs(3601)));
    world.server.with(|model| model.clock.set(jiff::Timestamp::now()));
    assert_eq!(world.converge(&event).await.writes.len(), 3);
}

#[tokio::test]
async fn one_throttled_call_of_any_kind_is_tried_again_and_nobody_notices() {
    for operation in [
        "GetParameter",
        "DescribeOrganization",
        "DescribeAccount",
        "AssumeRole",
        LIST,
        "ListGuardrails",
        "GetGuardrail",
        "ApplyGuardrail",
        PUT,
    ] {
        let world = World::of(&two_accounts()).approved().start().await;
        world.server.fault(Fault::new(FaultKind::Throttle).operation(operation).times(1));
        let report = world.jobs(&BOTH).await;
        assert!(report.is_converged(), "{operation}: {report}");
        // Both accounts have nothing enforced at first, which List answers with an error, twice.
        let throttled = 1 + 4;
        assert_eq!(
            world.server.calls().iter().filter(|call| call.error.is_some()).count(),
            throttled,
            "{operation}"
        );
        world.quiet(&BOTH).await;
    }
}

#[tokio::test]
async fn an_account_that_stays_throttled_is_transient_and_the_others_converge() {
    let world = World::of(&two_accounts()).start().await;
    let fault = Fault::new(FaultKind::Throttle).service("bedrock").account(PAYMENTS);
    check(
        &strike(&world, fault).await,
        expect![[r#"
        + 300000000002/eu-west-1 enforce corporate:2
        ! 300000000001/eu-west-1 held: could not be read: ListEnforcedGuardrailsConfiguration: ThrottlingException: Rate exceeded (transient)
        1 changed, 1 held, 0 in sync"#]],
    );
}

#[tokio::test]
async fn a_hung_region_costs_its_own_time_only_and_the_accounts_other_regions_converge() {
    let world = World::of(&Document::only(PAYMENTS)).hurried().start().await;
    world.server.fault(Fault::new(FaultKind::Hang).account(PAYMENTS).region(EU));

    let began = Instant::now();
    let report = world.look_at(&[PAYMENTS]).await;
    let took = began.elapsed();

    check(
        &report,
        expect![[r#"
        + 300000000001/ap-southeast-2 enforce corporate:2
        + 300000000001/us-east-1 enforce corporate:2
        ! 300000000001/eu-west-1 held: could not be read: ListEnforcedGuardrailsConfiguration: timed out (transient)
        2 changed, 1 held, 0 in sync"#]],
    );
    assert!(took < Duration::from_secs(8), "{took:?}");
    world.server.clear_faults();
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        + 300000000001/eu-west-1 enforce corporate:2
        1 changed, 0 held, 2 in sync"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn a_put_that_is_never_answered_is_transient() {
    let world = World::of(&two_accounts()).hurried().start().await;
    let fault = Fault::new(FaultKind::Hang).operation(PUT).account(PAYMENTS);
    check(
        &strike(&world, fault).await,
        expect![[r#"
        ! 300000000001/eu-west-1 failed to enforce: PutEnforcedGuardrailConfiguration: timed out (transient)
        + 300000000002/eu-west-1 enforce corporate:2
        1 changed, 0 held, 0 in sync, 1 failed"#]],
    );
}

#[tokio::test]
async fn a_connection_that_breaks_once_is_tried_again() {
    let world = World::of(&two_accounts()).start().await;
    for operation in [LIST, "ApplyGuardrail", PUT] {
        world.server.fault(Fault::new(FaultKind::Reset).operation(operation).times(1));
    }
    let report = world.look_at(&BOTH).await;
    assert!(report.is_converged(), "{report}");
    world.quiet(&BOTH).await;
}

#[tokio::test]
async fn a_connection_that_always_breaks_is_transient() {
    let world = World::of(&two_accounts()).start().await;
    let fault = Fault::new(FaultKind::Reset).account(PAYMENTS).service("bedrock");
    check(
        &strike(&world, fault).await.to_string().replace(world.server.url(), "http://SIMULATOR"),
        expect![[r#"
        + 300000000002/eu-west-1 enforce corporate:2
        ! 300000000001/eu-west-1 held: could not be read: ListEnforcedGuardrailsConfiguration: could not be reached at http://SIMULATOR: connection closed before message completed (transient)
        1 changed, 1 held, 0 in sync"#]],
    );
}

#[tokio::test]
async fn a_server_error_is_transient() {
    let world = World::of(&two_accounts()).start().await;
    check(
        &strike(&world, Fault::new(FaultKind::ServerError).account(PAYMENTS).service("bedrock")).await,
        expect![[r#"
            + 300000000002/eu-west-1 enforce corporate:2
            ! 300000000001/eu-west-1 held: could not be read: ListEnforcedGuardrailsConfiguration: InternalServerException: An internal error occurred. (transient)
            1 changed, 1 held, 0 in sync"#]],
    );
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_transient() {
    let world = World::guarded(World::of(&two_accounts()).hurried()).await;
    check(
        &strike(&world, Fault::new(FaultKind::StallBody).account(PAYMENTS).operation(LIST)).await,
        expect![[r#"
            ! 300000000001/eu-west-1 held: could not be read: ListEnforcedGuardrailsConfiguration: timed out (transient)
            0 changed, 1 held, 1 in sync"#]],
    );
}

#[tokio::test]
async fn a_region_that_is_still_being_enabled_is_not_ready() {
    let world = World::of(&two_accounts()).start().await;
    let error = FaultKind::Error {
        code: "SubscriptionRequiredException".to_owned(),
        message: "The AWS Access Key Id needs a subscription for the service.".to_owned(),
        status: 403,
    };
    check(
        &strike(&world, Fault::new(error).account(PAYMENTS).operation(LIST)).await,
        expect![[r#"
        + 300000000002/eu-west-1 enforce corporate:2
        ! 300000000001/eu-west-1 held: could not be read: ListEnforcedGuardrailsConfiguration: SubscriptionRequiredException: The AWS Access Key Id needs a subscription for the service. (not ready)
        1 changed, 1 held, 0 in sync"#]],
    );
}

#[tokio::test]
async fn a_region_that_the_account_switched_off_is_not_ready_and_the_others_converge() {
    let world = World::of(&Document::only(PAYMENTS)).start().await;
    let switch = |status| {
        world.server.with(|model| {
            let account = model.accounts.get_mut(PAYMENTS).unwrap();
            account.opt_in.insert(EU.to_owned(), status);
        });
    };
    switch(OptStatus::Disabled);
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        + 300000000001/ap-southeast-2 enforce corporate:2
        + 300000000001/us-east-1 enforce corporate:2
        ! 300000000001/eu-west-1 held: could not be read: ListEnforcedGuardrailsConfiguration: UnrecognizedClientException: The security token included in the request is invalid. (not ready)
        2 changed, 1 held, 0 in sync"#]],
    );
    switch(OptStatus::Enabled);
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        + 300000000001/eu-west-1 enforce corporate:2
        1 changed, 0 held, 2 in sync"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn an_error_that_nobody_foresaw_is_rejected_and_not_repeated() {
    let world = World::of(&two_accounts()).start().await;
    let error = FaultKind::Error {
        code: "SomethingNewException".to_owned(),
        message: "This is new.".to_owned(),
        status: 400,
    };
    world.server.fault(Fault::new(error).operation(PUT).account(PAYMENTS));
    check(
        &world.look_at(&BOTH).await,
        expect![[r#"
            ! 300000000001/eu-west-1 failed to enforce: PutEnforcedGuardrailConfiguration: SomethingNewException: This is new; the guardrail is account 222222222222's: if AWS refuses that, `placement: copy` gives this account its own (rejected)
            + 300000000002/eu-west-1 enforce corporate:2
            1 changed, 0 held, 0 in sync, 1 failed"#]],
    );
    assert_eq!(world.count(PUT), 2);
}

#[tokio::test]
async fn a_service_control_policy_that_forbids_the_write_is_a_denial() {
    let world = World::of(&two_accounts()).start().await;
    let policy = ServiceControl {
        targets: vec![PAYMENTS.to_owned()],
        deny: vec!["bedrock:PutEnforcedGuardrailConfiguration".to_owned()],
        except: Vec::new(),
        regions: Vec::new(),
    };
    world.server.with(|model| model.organization.service_control.push(policy));
    check(
        &world.look_at(&BOTH).await,
        expect![[r#"
            ! 300000000001/eu-west-1 failed to enforce: PutEnforcedGuardrailConfiguration: AccessDeniedException: User: arn:aws:sts::300000000001:assumed-role/GuardrailKeeperMember/guardrail-keeper is not authorized to perform: bedrock:PutEnforcedGuardrailConfiguration on resource: * with an explicit deny in a service control policy (denied)
            + 300000000002/eu-west-1 enforce corporate:2
            1 changed, 0 held, 0 in sync, 1 failed"#]],
    );
    world.server.with(|model| model.organization.service_control.clear());
    assert!(world.look_at(&BOTH).await.is_converged());
    world.quiet(&BOTH).await;
}

#[tokio::test]
async fn a_service_control_policy_that_forbids_applying_the_guardrail_keeps_it_from_being_enforced() {
    let world = World::of(&two_accounts()).start().await;
    let policy = ServiceControl {
        targets: vec![PAYMENTS.to_owned()],
        deny: vec!["bedrock:ApplyGuardrail".to_owned()],
        except: Vec::new(),
        regions: Vec::new(),
    };
    world.server.with(|model| model.organization.service_control.push(policy));
    check(
        &world.look_at(&BOTH).await,
        expect![[r#"
            + 300000000002/eu-west-1 enforce corporate:2
            ! 300000000001/eu-west-1 held, would enforce corporate:2: the account can't apply the guardrail, so enforcing it would break its calls: ApplyGuardrail: AccessDeniedException: User: arn:aws:sts::300000000001:assumed-role/GuardrailKeeperMember/guardrail-keeper is not authorized to perform: bedrock:ApplyGuardrail on resource: arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c with an explicit deny in a service control policy (denied)
            1 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(world.writes(), [format!("{PUT} {SHIPPING}/{EU}")]);
}

#[tokio::test]
async fn an_account_suspended_between_listing_and_calling_is_told_by_what_aws_says_then() {
    let world = World::of(&two_accounts()).long_established().start().await;
    world.server.fault(Fault::new(FaultKind::StaleRead).service("organizations"));
    world.server.with(|model| model.suspend(PAYMENTS));
    check(
        &world.look_at(&BOTH).await,
        expect![[r#"
            + 300000000002/eu-west-1 enforce corporate:2
            ! 300000000001/eu-west-1 held: could not be read: AssumeRole: AccessDenied: User: arn:aws:sts::111111111111:assumed-role/GuardrailKeeperFunction/standing is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::300000000001:role/GuardrailKeeperMember (denied)
            1 changed, 1 held, 0 in sync"#]],
    );

    world.server.clear_faults();
    check(&world.look_at(&BOTH).await, expect!["0 changed, 0 held, 1 in sync, 1 account skipped"]);
    world.quiet(&BOTH).await;
}

#[tokio::test]
async fn an_account_suspended_while_we_hold_a_session_in_it_is_not_taken_for_unguarded() {
    let world = World::guarded(World::of(&two_accounts())).await;
    world.server.fault(Fault::new(FaultKind::StaleRead).service("organizations"));
    world.server.with(|model| model.suspend(PAYMENTS));
    check(
        &world.look_at(&BOTH).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held: could not be read: ListEnforcedGuardrailsConfiguration: UnrecognizedClientException: The security token included in the request is invalid. (not ready)
        0 changed, 1 held, 1 in sync"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_read_that_lags_behind_makes_no_second_configuration() {
    for over_existing in [PutOverExisting::Conflicts, PutOverExisting::Overwrites] {
        let setup =
            World::of(&two_accounts()).switches(|switches| switches.put_over_existing = over_existing);
        let world = setup.start().await;
        world.server.fault(Fault::new(FaultKind::StaleRead).operation(LIST));
        assert!(world.look_at(&BOTH).await.is_converged());
        let first = world.server.with(|model| model.enforcement(PAYMENTS, EU).cloned()).unwrap();

        // It still looks as if nothing were there.
        let report = world.look_at(&BOTH).await;
        let again = world.server.with(|model| model.enforcement(PAYMENTS, EU).cloned()).unwrap();
        assert_eq!(again.config_id, first.config_id, "{over_existing:?}: {report}");
        assert_eq!(again.guardrail_version, "2", "{over_existing:?}");

        world.server.clear_faults();
        assert!(world.look_at(&BOTH).await.is_converged(), "{over_existing:?}");
        world.quiet(&BOTH).await;
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_recognised_as_done() {
    for over_existing in [PutOverExisting::Conflicts, PutOverExisting::Overwrites] {
        let setup =
            World::of(&two_accounts()).switches(|switches| switches.put_over_existing = over_existing);
        let world = setup.start().await;
        let lost = |operation: &str| {
            Fault::new(FaultKind::Reset).operation(operation).account(PAYMENTS).after_carrying_out().times(1)
        };
        let mut ends = String::new();
        for (operation, baseline) in [
            (PUT, two_accounts()),
            (PUT, Document { version: 1, ..two_accounts() }),
            (DELETE, Document { assignments: vec![(PAYMENTS, "none")], ..two_accounts() }),
        ] {
            world.publish(&baseline);
            world.server.fault(lost(operation));
            let report = world.look_at(&[PAYMENTS]).await;
            ends.push_str(&format!("{report}\n{}\n", world.enforced_in(PAYMENTS)));
            world.quiet(&[PAYMENTS]).await;
        }
        assert_eq!(ends, LOST_AND_FOUND, "{over_existing:?}");
    }
}

const LOST_AND_FOUND: &str = "\
+ 300000000001/eu-west-1 enforce corporate:2
1 changed, 0 held, 0 in sync
-                eubase1a2b3c:2   -
~ 300000000001/eu-west-1 corporate:2 => corporate:1 (different)
1 changed, 0 held, 0 in sync
-                eubase1a2b3c:1   -
- 300000000001/eu-west-1 release eubase1a2b3c:1
1 changed, 0 held, 0 in sync
-                -                -
";

#[tokio::test]
async fn what_is_left_to_a_later_try_is_told_to_lambda() {
    let world = World::of(&two_accounts()).start().await;
    world.server.fault(Fault::new(FaultKind::ServerError).operation(PUT).account(PAYMENTS));
    let error = world.deliver(&schedule()).await.unwrap_err();
    check(
        &format!("{}: {error}", error.name()),
        expect![
            "Incomplete: 1 of 8 targets and policies are worth another try: 300000000001/eu-west-1: PutEnforcedGuardrailConfiguration: InternalServerException: An internal error occurred. (transient)"
        ],
    );

    // Lambda delivers it again.
    world.server.clear_faults();
    assert_eq!(world.converge(&schedule()).await.writes, [format!("{PUT} {PAYMENTS}/{EU}")]);
}

#[tokio::test]
async fn an_organization_that_cannot_be_read_stops_the_run_before_anything_is_written() {
    let setup = World::of(&Document { regions: EU, ..Document::default() });
    let world = World::guarded(setup).await;
    world.publish(&Document { regions: EU, assignments: vec![("r-exam", "none")], ..Document::default() });
    let denied = || FaultKind::Denied { message: "No.".to_owned() };
    let mut ends = String::new();
    for fault in [
        Fault::new(denied()).operation("DescribeOrganization"),
        Fault::new(denied()).operation("ListAccounts"),
        Fault::new(FaultKind::ServerError).operation("ListAccounts"),
    ] {
        world.server.fault(fault);
        // Which organization it is in, a process asks once.
        let fresh = world.another_keeper().await;
        let error = guardrail_keeper::handler::handle(&fresh, &schedule().to_string()).await.unwrap_err();
        ends.push_str(&format!("{}: {error}\n", error.name()));
        world.server.clear_faults();
    }
    check(
        &ends,
        expect![[r#"
        OrganizationUnreadable: the organization could not be read: DescribeOrganization: AccessDeniedException: No. (denied)
        OrganizationUnreadable: the organization could not be read: ListAccounts: AccessDeniedException: No. (denied)
        OrganizationUnreadable: the organization could not be read: ListAccounts: ServiceException: An internal error occurred. (transient)
    "#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_throttled_account_does_not_use_up_the_retries_of_the_others() {
    let all = [PAYMENTS, SHIPPING, SEARCH, HUB];
    let world = World::of(&Document {
        regions: EU,
        assignments: all.iter().map(|account| (*account, "corporate")).collect(),
        ..Document::default()
    })
    .start()
    .await;
    world.server.fault(Fault::new(FaultKind::Throttle).service("bedrock").account(PAYMENTS));
    for account in &all[1..] {
        for operation in [LIST, PUT, "ApplyGuardrail"] {
            world
                .server
                .fault(Fault::new(FaultKind::Throttle).operation(operation).account(account).times(2));
        }
    }
    check(
        &world.look_at(&all).await,
        expect![[r#"
        + 111111111111/eu-west-1 enforce corporate:2
        + 300000000002/eu-west-1 enforce corporate:2
        + 300000000003/eu-west-1 enforce corporate:2
        ! 300000000001/eu-west-1 held: could not be read: ListEnforcedGuardrailsConfiguration: ThrottlingException: Rate exceeded (transient)
        3 changed, 1 held, 0 in sync"#]],
    );
}

#[tokio::test]
async fn a_region_that_nobody_enables_does_not_fail_every_sweep() {
    let world = World::of(&Document {
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..Document::default()
    })
    .long_established()
    .start()
    .await;
    let unknown = FaultKind::Error {
        code: "UnrecognizedClientException".to_owned(),
        message: "The security token included in the request is invalid.".to_owned(),
        status: 403,
    };
    world.server.fault(Fault::new(unknown).service("bedrock").account(PAYMENTS).region(EU));
    for _ in 0..2 {
        let answer = world.deliver(&schedule()).await.unwrap();
        assert_eq!(answer["report"]["converged"], false, "{answer:#}");
    }
    // Whoever was asked for by name is waited for.
    assert!(!world.look_at(&[PAYMENTS]).await.unfinished().is_empty());
}
