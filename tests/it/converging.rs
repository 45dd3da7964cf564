//! Accounts come, move and change; the baseline changes. Each ends as the baseline says, and the
//! second run finds nothing left to write.

use expect_test::expect;
use guardrail_keeper::engine;
use guardrail_keeper::trigger::Trigger;
use serde_json::Value;
use simulator::{
    Answer, Defaults, Enforce, Guarding, HandshakeState, ModelEnforcement, SelectiveContentGuarding,
    TargetKind, UpdatedBy,
};

use testkit::world::{
    ABANDONED, DELETE, Document, EU, HUB, LIST, OWNER, PAYMENTS, PLAYGROUND, PUT, SANDBOX, SEARCH, SHIPPING,
    US, WORKLOAD, World, check, schedule, version,
};

#[tokio::test]
async fn an_account_that_joins_is_guarded_in_all_its_regions_and_no_other_is_touched() {
    let world = World::of(&Document::default()).approved().start().await;
    let account = world.let_an_account_join("research", WORKLOAD);
    let event = world.event("CreateAccountResult");

    let run = world.converge(&event).await;

    check(
        &run.text().replace(&account, "ACCOUNT"),
        expect![[r#"
            the account was created
            ACCOUNT/ap-southeast-2 enforced apbase1a2b3c:2
            ACCOUNT/eu-west-1 enforced eubase1a2b3c:2
            ACCOUNT/us-east-1 enforced usbase1a2b3c:2
            3 writes
        "#]],
    );
    check(
        &world.enforced().replace(&account, "THE-NEWCOMER"),
        expect![[r#"
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  -                -                -
        222222222222  -                -                -
        300000000001  -                -                -
        300000000002  -                -                -
        300000000003  -                -                -
        300000000004  -                -                -
        300000000005  -                -                -
        THE-NEWCOMER  apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
    "#]],
    );

    world
        .server
        .with(|model| model.delete_enforcement_as(&format!("arn:aws:iam::{account}:root"), &account, EU))
        .unwrap();
    world.deliver(&event).await.unwrap();
    let called: Vec<String> =
        world.accounts_called().into_iter().filter(|called| *called != account).collect();
    assert_eq!(called, [HUB, OWNER], "only the hub, and the owner for a look at its guardrails");
}

#[tokio::test]
async fn every_event_of_an_account_that_joins_leads_to_the_same_end() {
    let world = World::of(&Document::default()).start().await;
    let created = world.let_an_account_join("research", WORKLOAD);
    let invited = "400000000001";
    world.server.with(|model| {
        let management = model.caller("arn:aws:iam::111111111111:root", US).unwrap();
        let handshake = model.invite(&management, TargetKind::Account, invited, None).unwrap();
        let guest = model.caller(&format!("arn:aws:iam::{invited}:root"), US).unwrap();
        model.answer_handshake(&guest, "AcceptHandshake", &handshake.id, HandshakeState::Accepted).unwrap();
        model.move_account(invited, WORKLOAD).unwrap();
    });
    world.server.snapshot("joined");
    let events: Vec<Value> =
        world.server.with(|model| model.events().iter().map(|emitted| emitted.event.clone()).collect());

    let baseline = world.baseline().await;
    let context = engine::context(&world.keeper, Some(&baseline), jiff::Timestamp::now());
    let mut ends = String::new();
    for event in &events {
        let name = event["detail"]["eventName"].as_str().unwrap_or(event["detail-type"].as_str().unwrap());
        let account = match guardrail_keeper::trigger::decide_value(event, &context) {
            Trigger::Reconcile(scope) => scope.accounts.to_string(),
            Trigger::Departed { .. }
            | Trigger::BedrockPolicies { .. }
            | Trigger::Ignore(_)
            | Trigger::Reject(_) => {
                ends.push_str(&format!("{name}: nothing to do\n"));
                continue;
            }
        };
        assert!(world.server.restore("joined"));
        // A keeper that remembers nothing of the event before.
        let fresh = world.another_keeper().await;
        world.approve().await;
        assert!(engine::take_over_approval(&fresh, &baseline.revision).await);
        if account == "all accounts" {
            continue;
        }
        guardrail_keeper::handler::handle(&fresh, &event.to_string()).await.unwrap();
        let account_is = if account == created { "created" } else { "invited" };
        ends.push_str(&format!("{name} ({account_is}): {}\n", world.enforced_in(&account)));
    }
    check(
        &ends,
        expect![[r#"
        CreateAccountResult (created): apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        AccountJoinedOrganization (created): apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        MoveAccount (created): apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        InviteAccountToOrganization: nothing to do
        AcceptHandshake (invited): apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        AccountJoinedOrganization (invited): apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        MoveAccount (invited): apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
    "#]],
    );
}

#[tokio::test]
async fn a_newer_version_in_the_baseline_replaces_the_older_one_everywhere() {
    let world = World::guarded(World::of(&Document { version: 1, ..Document::default() })).await;
    world.publish(&Document { version: 2, ..Document::default() });

    let run = world.converge(&world.event("Parameter Store Change")).await;

    assert_eq!(run.writes.len(), 18, "{:?}", run.writes);
    assert!(run.writes.iter().all(|write| write.starts_with(PUT)), "{:?}", run.writes);
    check(
        &world.enforced(),
        expect![[r#"
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        222222222222  apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        300000000001  apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        300000000002  apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        300000000003  apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        300000000004  apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        300000000005  -                -                -
    "#]],
    );
}

#[tokio::test]
async fn going_back_to_an_earlier_version_is_a_change_like_any_other() {
    let world = World::guarded(World::of(&Document::only(PAYMENTS))).await;
    world.publish(&Document { version: 1, ..Document::only(PAYMENTS) });
    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/ap-southeast-2 replaced apbase1a2b3c:1
        300000000001/eu-west-1 replaced eubase1a2b3c:1
        300000000001/us-east-1 replaced usbase1a2b3c:1
        3 writes
    "#]],
    );
}

#[tokio::test]
async fn what_is_assigned_none_is_released() {
    let setup = World::of(&Document { assignments: vec![("r-exam", "corporate")], ..Document::default() });
    let world = World::guarded(setup).await;
    world.publish(&Document::default());

    let run = world.converge(&schedule()).await;

    check(
        &run.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000005/ap-southeast-2 released
        300000000005/eu-west-1 released
        300000000005/us-east-1 released
        3 writes
    "#]],
    );
    check(&world.enforced_in(PLAYGROUND), expect!["-                -                -"]);
}

#[tokio::test]
async fn an_account_is_released_where_it_moves_into_the_sandbox_and_guarded_where_it_comes_back() {
    let world = World::guarded(World::of(&Document::default())).await;

    world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    let run = world.converge(&world.event("MoveAccount")).await;
    check(
        &run.text(),
        expect![[r#"
        the account moved in the organization
        300000000001/ap-southeast-2 released
        300000000001/eu-west-1 released
        300000000001/us-east-1 released
        3 writes
    "#]],
    );
    check(&world.enforced_in(PAYMENTS), expect!["-                -                -"]);

    world.server.with(|model| model.move_account(PAYMENTS, WORKLOAD)).unwrap();
    let run = world.converge(&world.event("MoveAccount")).await;
    check(
        &run.text(),
        expect![[r#"
        the account moved in the organization
        300000000001/ap-southeast-2 enforced apbase1a2b3c:2
        300000000001/eu-west-1 enforced eubase1a2b3c:2
        300000000001/us-east-1 enforced usbase1a2b3c:2
        3 writes
    "#]],
    );
}

#[tokio::test]
async fn a_region_that_the_baseline_drops_is_released_where_the_ledger_knows_ours() {
    let world = World::guarded(World::of(&Document::only(PAYMENTS))).await;
    world.administrator_enforces(SHIPPING, EU, version(EU, "1"));
    world.publish(&Document {
        regions: "us-east-1",
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "none")],
        ..Document::default()
    });

    let run = world.converge(&schedule()).await;

    check(
        &run.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/ap-southeast-2 released
        300000000001/eu-west-1 released
        2 writes
    "#]],
    );
    check(
        &world.enforced(),
        expect![[r#"
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  -                -                -
        222222222222  -                -                -
        300000000001  -                -                usbase1a2b3c:2
        300000000002  -                eubase1a2b3c:1   -
        300000000003  -                -                -
        300000000004  -                -                -
        300000000005  -                -                -
    "#]],
    );
}

#[tokio::test]
async fn unassigned_and_excluded_accounts_are_left_as_they_are() {
    let world = World::of(&Document {
        assignments: vec![(WORKLOAD, "corporate")],
        rest: vec![r#"exclude: ["300000000002"]"#],
        ..Document::default()
    })
    .start()
    .await;
    world.administrator_enforces(SHIPPING, EU, version(EU, "1"));
    world.administrator_enforces(PLAYGROUND, EU, version(EU, "1"));

    let run = world.converge(&schedule()).await;

    check(
        &run.text(),
        expect![[r#"
        the schedule starts a sweep
        300000000001/ap-southeast-2 enforced apbase1a2b3c:2
        300000000001/eu-west-1 enforced eubase1a2b3c:2
        300000000001/us-east-1 enforced usbase1a2b3c:2
        300000000002/eu-west-1 left_alone eubase1a2b3c:1: the account is excluded
        300000000003/ap-southeast-2 enforced apbase1a2b3c:2
        300000000003/eu-west-1 enforced eubase1a2b3c:2
        300000000003/us-east-1 enforced usbase1a2b3c:2
        300000000004/ap-southeast-2 enforced apbase1a2b3c:2
        300000000004/eu-west-1 enforced eubase1a2b3c:2
        300000000004/us-east-1 enforced usbase1a2b3c:2
        300000000005/eu-west-1 left_alone eubase1a2b3c:1: no assignment covers the account
        9 writes
    "#]],
    );
    check(
        &world.enforced(),
        expect![[r#"
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  -                -                -
        222222222222  -                -                -
        300000000001  apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        300000000002  -                eubase1a2b3c:1   -
        300000000003  apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        300000000004  apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2
        300000000005  -                eubase1a2b3c:1   -
    "#]],
    );
}

#[tokio::test]
async fn defaults_written_out_and_defaults_left_out_are_the_same() {
    for echoed in [Defaults::Echoed, Defaults::Omitted] {
        let explicit = Document {
            guardrail: vec![
                "models: { include: [ALL], exclude: [] }",
                "guarding: { system: comprehensive, messages: comprehensive }",
            ],
            ..Document::only(PAYMENTS)
        };
        for baseline in [explicit, Document::only(PAYMENTS)] {
            let world =
                World::of(&baseline).switches(|switches| switches.list_defaults = echoed).start().await;
            world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
            world.administrator_enforces(
                PAYMENTS,
                US,
                Enforce {
                    selective_content_guarding: Some(SelectiveContentGuarding {
                        system: Some(Guarding::Comprehensive),
                        messages: Some(Guarding::Comprehensive),
                    }),
                    model_enforcement: Some(ModelEnforcement {
                        included_models: vec!["ALL".to_owned()],
                        excluded_models: Vec::new(),
                    }),
                    ..version(US, "2")
                },
            );
            let run = world.converge(&schedule()).await;
            assert_eq!(run.writes, [format!("{PUT} {PAYMENTS}/ap-southeast-2")], "{echoed:?} {baseline:?}");
        }
    }
}

#[tokio::test]
async fn models_and_guarding_are_enforced_as_written_and_their_order_means_nothing() {
    let world = World::of(&Document {
        guardrail: vec![
            "models: { include: [ALL], exclude: [amazon.titan-embed-text-v2:0, amazon.titan-text-express-v1] }",
            "guarding: { messages: selective }",
        ],
        ..Document::only(PAYMENTS)
    })
    .start()
    .await;
    world.administrator_enforces(
        PAYMENTS,
        EU,
        Enforce {
            selective_content_guarding: Some(SelectiveContentGuarding {
                system: None,
                messages: Some(Guarding::Selective),
            }),
            model_enforcement: Some(ModelEnforcement {
                included_models: vec!["ALL".to_owned()],
                excluded_models: vec![
                    "amazon.titan-text-express-v1".to_owned(),
                    "amazon.titan-embed-text-v2:0".to_owned(),
                ],
            }),
            ..version(EU, "2")
        },
    );

    check(
        &world.converge(&schedule()).await.text(),
        expect![[r#"
            the schedule starts a sweep
            300000000001/ap-southeast-2 enforced apbase1a2b3c:2 models ALL except amazon.titan-embed-text-v2:0, amazon.titan-text-express-v1 guarding system comprehensive, messages selective
            300000000001/eu-west-1 in_sync, adopted: eubase1a2b3c:2 models ALL except amazon.titan-embed-text-v2:0, amazon.titan-text-express-v1 guarding system comprehensive, messages selective
            300000000001/us-east-1 enforced usbase1a2b3c:2 models ALL except amazon.titan-embed-text-v2:0, amazon.titan-text-express-v1 guarding system comprehensive, messages selective
            2 writes
        "#]],
    );

    let put = world.server.with(|model| model.enforcement(PAYMENTS, US).cloned()).unwrap();
    assert_eq!((put.system(), put.messages()), (Guarding::Comprehensive, Guarding::Selective));
    assert!(put.guards("amazon.nova-pro-v1:0") && !put.guards("amazon.titan-text-express-v1"));
}

#[tokio::test]
async fn an_administrators_edit_of_ours_is_repaired() {
    for form in [UpdatedBy::Role, UpdatedBy::AssumedRole] {
        let setup = World::of(&Document::only(PAYMENTS)).switches(|switches| switches.updated_by = form);
        let world = World::guarded(setup).await;
        world.administrator_enforces(
            PAYMENTS,
            EU,
            Enforce {
                model_enforcement: Some(ModelEnforcement {
                    included_models: vec!["amazon.nova-pro-v1:0".to_owned()],
                    excluded_models: Vec::new(),
                }),
                ..version(EU, "2")
            },
        );

        let run = world.converge(&world.event(PUT)).await;

        assert_eq!(run.writes, [format!("{PUT} {PAYMENTS}/{EU}")], "{form:?}");
        assert_eq!(run.answer["report"]["targets"][0]["state"], "replaced", "{form:?}");
        let enforced = world.server.with(|model| model.enforcement(PAYMENTS, EU).cloned()).unwrap();
        assert_eq!(enforced.model_enforcement, None);
    }
}

#[tokio::test]
async fn an_enforcement_that_an_administrator_deletes_is_put_back() {
    let world = World::guarded(World::of(&Document::only(PAYMENTS))).await;
    world.administrator_releases(PAYMENTS, EU);

    let run = world.converge(&world.event(DELETE)).await;

    check(
        &run.text(),
        expect![[r#"
        the account's enforcement was removed
        300000000001/eu-west-1 enforced eubase1a2b3c:2
        1 write
    "#]],
    );
}

#[tokio::test]
async fn the_management_account_is_guarded_with_our_own_credentials() {
    let world = World::of(&Document::only(HUB)).start().await;

    let report = world.look_at(&[HUB]).await;

    check(
        &report.to_string(),
        expect![[r#"
        + 111111111111/ap-southeast-2 enforce corporate:2
        + 111111111111/eu-west-1 enforce corporate:2
        + 111111111111/us-east-1 enforce corporate:2
        3 changed, 0 held, 0 in sync"#]],
    );
    let assumed: Vec<Option<String>> = world
        .server
        .calls()
        .into_iter()
        .filter(|call| call.operation == "AssumeRole")
        .map(|call| call.target)
        .collect();
    assert_eq!(assumed, [Some(format!("arn:aws:iam::{OWNER}:role/GuardrailKeeperMember"))]);
    world.quiet(&[HUB]).await;
}

#[tokio::test]
async fn a_suspended_account_is_skipped_and_no_call_is_made_in_it() {
    let world = World::of(&Document { assignments: vec![("r-exam", "corporate")], ..Document::default() })
        .start()
        .await;

    let run = world.converge(&schedule()).await;

    assert!(!world.accounts_called().contains(ABANDONED));
    assert_eq!(run.writes.len(), 21);
}

#[tokio::test]
async fn an_account_that_comes_back_to_life_is_guarded_by_the_next_sweep() {
    let world = World::guarded(World::of(&Document::only(ABANDONED))).await;
    world.server.with(|model| model.reinstate(ABANDONED));
    let run = world.converge(&schedule()).await;
    assert_eq!(run.writes.len(), 3, "{:?}", run.writes);
    check(&world.enforced_in(ABANDONED), expect!["apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2"]);
}

#[tokio::test]
async fn an_account_that_is_no_member_is_a_stranger_and_never_entered() {
    let world = World::of(&Document::default()).start().await;
    // It isn't in the organization, though it has the role, and trusts the hub.
    let role = world.server.with(|model| model.role(PAYMENTS, "GuardrailKeeperMember").cloned()).unwrap();
    world.server.with(|model| model.put_role("400000000001", role));

    let report = world.look_at(&["400000000001", "999999999999"]).await;
    let entered = |call: &simulator::Call| {
        call.operation == "AssumeRole" && call.target.as_deref().is_some_and(|role| !role.contains(OWNER))
    };

    check(
        &report.to_string(),
        expect![[r#"
        ! 400000000001 is no member of this organization: not looked at
        ! 999999999999 is no member of this organization: not looked at
        0 changed, 0 held, 0 in sync"#]],
    );
    assert!(!world.server.calls().iter().any(entered));
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn an_account_that_departed_gets_no_call() {
    let world = World::guarded(World::of(&Document::only(SEARCH))).await;
    world.server.with(|model| model.leave(SEARCH)).unwrap();

    for event in ["LeaveOrganization", "AccountDepartedOrganization"] {
        let answer = world.deliver(&world.event(event)).await.unwrap();
        assert_eq!(answer["outcome"], "departed", "{event}: {answer}");
    }
    // Organizations is asked about it, and nothing in it is touched.
    assert!(world.server.calls().iter().all(|call| call.account != SEARCH && call.operation != "AssumeRole"));

    let run = world.converge(&schedule()).await;
    assert_eq!(run.writes, [""; 0]);
    check(&world.enforced_in(SEARCH), expect!["apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2"]);
}

#[tokio::test]
async fn the_baseline_of_another_organization_writes_nothing() {
    let world = World::of(&Document { organization: "o-anotherorgid", ..Document::default() }).start().await;
    let error = world.deliver(&schedule()).await.unwrap_err();
    check(
        &format!("{}: {error}", error.name()),
        expect![
            "WrongOrganization: the baseline is for organization o-anotherorgid, but this is o-exampleorgid: nothing is written"
        ],
    );
    assert_eq!(world.writes(), [""; 0]);
    // The count of the revision looks at the owner's guardrails.
    assert_eq!(world.count(LIST), 0);
}

#[tokio::test]
async fn a_cross_account_reference_that_aws_refuses_is_told_and_not_tried_again_blindly() {
    let world = World::of(&Document::only(PAYMENTS))
        .switches(|switches| switches.cross_account_reference = Answer::Refused)
        .start()
        .await;

    let answer = world.deliver(&schedule()).await.unwrap();

    check(
        &testkit::world::targets(&answer),
        expect![[r#"
            300000000001/ap-southeast-2 failed: PutEnforcedGuardrailConfiguration: ValidationException: The guardrail arn:aws:bedrock:ap-southeast-2:222222222222:guardrail/apbase1a2b3c doesn't belong to account 300000000001; the guardrail is account 222222222222's: if AWS refuses that, `placement: copy` gives this account its own (rejected)
            300000000001/eu-west-1 failed: PutEnforcedGuardrailConfiguration: ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000001; the guardrail is account 222222222222's: if AWS refuses that, `placement: copy` gives this account its own (rejected)
            300000000001/us-east-1 failed: PutEnforcedGuardrailConfiguration: ValidationException: The guardrail arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c doesn't belong to account 300000000001; the guardrail is account 222222222222's: if AWS refuses that, `placement: copy` gives this account its own (rejected)
        "#]],
    );
    assert_eq!(world.count(PUT), 3, "one attempt in each Region");
}
