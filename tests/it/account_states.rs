//! Account states that nobody here knows, and lists of accounts that name none: neither dropped nor green.

use expect_test::expect;
use guardrail_keeper::engine;
use guardrail_keeper::handler::HandlerError;
use simulator::{Fault, FaultKind, ToldState};

use testkit::program::Guardrailctl;
use testkit::stack::Stack;
use testkit::world::{
    DELETE, Document, EU, PARAMETER, PAYMENTS, PLAYGROUND, PUT, SANDBOX, SHIPPING, World, check, schedule,
    version,
};

fn one_region() -> Document {
    Document { regions: EU, ..Document::default() }
}

fn of(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
}

/// Organizations tells a state that AWS added later of one account, and none of another.
fn tell_unknown_states(world: &World) {
    world.server.with(|model| {
        model.tell_state(PAYMENTS, Some(ToldState::Word("REINSTATING".to_owned())));
        model.tell_state(SHIPPING, Some(ToldState::Nothing));
    });
}

#[tokio::test]
async fn an_account_in_an_unknown_state_is_guarded_told_and_never_good() {
    let world = World::of(&one_region()).durable().long_established().start().await;
    tell_unknown_states(&world);
    let ran = of(&world).run(&["plan"]).await;
    check(
        &ran,
        expect![[r#"
            ! 300000000001 (Workload/payments) is in a state that this version doesn't know (REINSTATING): it is guarded as usual, and nothing is taken away there
            ! 300000000002 (Workload/shipping) is in a state that Organizations doesn't show: it is guarded as usual, and nothing is taken away there
            + 111111111111/eu-west-1 (management) enforce corporate:2
            + 222222222222/eu-west-1 (guardrail-owner) enforce corporate:2
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            + 300000000003/eu-west-1 (Workload/search) enforce corporate:2
            + 300000000004/eu-west-1 (Workload/support) enforce corporate:2
            6 to change, 0 held, 1 in sync, 1 account skipped
            plan ec99468825a418ee of baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
        "#]],
    );
    let report = world.sweep().await;
    check(
        &report,
        expect![[r#"
        + 111111111111/eu-west-1 enforce corporate:2
        + 222222222222/eu-west-1 enforce corporate:2
        + 300000000001/eu-west-1 enforce corporate:2
        + 300000000002/eu-west-1 enforce corporate:2
        + 300000000003/eu-west-1 enforce corporate:2
        + 300000000004/eu-west-1 enforce corporate:2
        ! 300000000001 is in a state that this version doesn't know (REINSTATING): it is guarded as usual, and nothing is taken away there
        ! 300000000002 is in a state that Organizations doesn't show: it is guarded as usual, and nothing is taken away there
        6 changed, 0 held, 1 in sync, 1 account skipped"#]],
    );
    assert!(!report.is_converged());
    assert!(world.writes().contains(&format!("{PUT} {PAYMENTS}/{EU}")), "{:?}", world.writes());
    // A later look finds all in sync, and still doesn't know.
    assert!(!world.sweep().await.is_converged());
    let ran = of(&world).run(&["status"]).await;
    check(
        &ran,
        expect![[r#"
            7 targets
                  2 unknown
                  5 in sync
            oldest look: under a minute ago
            1 account not looked at: suspended
            1 account in a state that Organizations doesn't show
            1 account in a state that this version doesn't know (REINSTATING)

            unknown     300000000001/eu-west-1 (Workload/payments)  under a minute ago: in sync, but the account is in a state that this version doesn't know (REINSTATING)
            unknown     300000000002/eu-west-1 (Workload/shipping)  under a minute ago: in sync, but the account is in a state that Organizations doesn't show
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
        "#]],
    );
    let ran = of(&world).run(&["explain", PAYMENTS, EU]).await;
    check(
        &ran,
        expect![[r#"
            300000000001/eu-west-1  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
            account   in a state that this version doesn't know (REINSTATING): it is guarded as usual, and nothing is taken away there
            wanted    corporate:2, by the assignment of r-exam (line 11)
            seen      eubase1a2b3c:2, written last by arn:aws:iam::300000000001:role/GuardrailKeeperMember
            ours      eubase1a2b3c:2, applied under a minute ago by baseline 84c0f3cb2b5b1f13
            last      in sync, under a minute ago, by baseline 84c0f3cb2b5b1f13
            decision  in sync
            history   under a minute ago: in sync, by event terminal
                      under a minute ago: 300000000001/eu-west-1 enforce corporate:2, by event terminal
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
        "#]],
    );
    // Somebody removes it: that is repaired.
    world.administrator_releases(SHIPPING, EU);
    world.server.clear_calls();
    drop(world.look_at(&[SHIPPING]).await);
    assert_eq!(world.writes(), [format!("{PUT} {SHIPPING}/{EU}")]);

    // Once its state is known again, all is good.
    world.server.with(|model| {
        model.tell_state(PAYMENTS, None);
        model.tell_state(SHIPPING, None);
    });
    assert!(world.sweep().await.is_converged());
    let ran = of(&world).run(&["status"]).await;
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn nothing_is_taken_away_in_an_account_in_an_unknown_state() {
    let world = World::guarded(World::of(&one_region()).durable().long_established()).await;
    tell_unknown_states(&world);
    let nobody = vec![("r-exam", "corporate"), (PAYMENTS, "none"), (SHIPPING, "none"), (SANDBOX, "none")];
    world.publish(&Document { assignments: nobody, ..one_region() });
    world.server.clear_calls();
    let report = world.sweep().await;
    check(
        &report,
        expect![[r#"
        ! 300000000001 is in a state that this version doesn't know (REINSTATING): it is guarded as usual, and nothing is taken away there
        ! 300000000002 is in a state that Organizations doesn't show: it is guarded as usual, and nothing is taken away there
        ! 300000000001/eu-west-1 held, would release eubase1a2b3c:2: the account is in a state that this version doesn't know (REINSTATING); nothing is released or replaced there until it is active: look at it in Organizations
        ! 300000000002/eu-west-1 held, would release eubase1a2b3c:2: the account is in a state that Organizations doesn't show; nothing is released or replaced there until it is active: look at it in Organizations
        0 changed, 2 held, 5 in sync, 1 account skipped"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
    let ran = of(&world).run(&["status"]).await;
    check(
        &ran,
        expect![[r#"
            7 targets
                  2 held
                  5 in sync
            oldest look: under a minute ago
            1 account not looked at: suspended
            1 account in a state that Organizations doesn't show
            1 account in a state that this version doesn't know (REINSTATING)

            held        300000000001/eu-west-1 (Workload/payments)  [account_state_unknown] under a minute ago: the account is in a state that this version doesn't know (REINSTATING); nothing is released or replaced there until it is active: look at it in Organizations
            held        300000000002/eu-west-1 (Workload/shipping)  [account_state_unknown] under a minute ago: the account is in a state that Organizations doesn't show; nothing is released or replaced there until it is active: look at it in Organizations
            baseline 6d82f95cdaf3e231, mode sync
            exit 1
        "#]],
    );
    let ran = of(&world).run(&["offboard", PAYMENTS, "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            300000000001/eu-west-1 release eubase1a2b3c:2
            300000000001/eu-west-1 not released: eubase1a2b3c:2: the account is in a state that this version doesn't know (REINSTATING); nothing is released or replaced there until it is active: look at it in Organizations
            stderr: warning: 300000000001 may lose its Bedrock calls in eu-west-1 once it has left: the lines above name what is still enforced in each Region
            exit 1
        "#]],
    );
    world.server.with(|model| model.tell_state(PAYMENTS, None));
    world.server.clear_calls();
    drop(world.sweep().await);
    assert_eq!(world.writes(), [format!("{DELETE} {PAYMENTS}/{EU}")]);
}

#[tokio::test]
async fn through_the_queues_its_record_stays_open_and_a_sweep_looks_at_it() {
    let document = one_region();
    let mut stack = Stack::start(World::of(&document).durable().long_established()).await;
    tell_unknown_states(&stack.world);
    let swept = stack.schedule();
    stack.deliver(&swept).await;
    assert!(stack.world.writes().contains(&format!("{PUT} {PAYMENTS}/{EU}")));
    let record = stack.world.keeper.ledger().account(&PAYMENTS.parse().unwrap()).await.unwrap();
    assert_eq!(record.closed, None);
    // Moved where nothing is wanted: what is ours stays until somebody knows what the state means.
    stack.world.server.with(|model| model.move_account(PAYMENTS, SANDBOX).unwrap());
    stack.world.server.clear_calls();
    let swept = stack.schedule();
    stack.deliver(&swept).await;
    let writes = stack.world.writes();
    assert!(!writes.iter().any(|write| write.starts_with(DELETE)), "{writes:?}");
    let ran = of(&stack.world).run(&["status", "--account", PAYMENTS]).await;
    check(
        &ran,
        expect![[r#"
            1 target
                  1 held
            oldest look: under a minute ago
            1 account in a state that this version doesn't know (REINSTATING)

            held        300000000001/eu-west-1 (Sandbox/payments)  [account_state_unknown] under a minute ago: the account is in a state that this version doesn't know (REINSTATING); nothing is released or replaced there until it is active: look at it in Organizations
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
        "#]],
    );
    let ran = of(&stack.world).run(&["status", "--account", SHIPPING, "--recorded"]).await;
    check(
        &ran,
        expect![[r#"
            1 target
                  1 unknown
            oldest look: under a minute ago
            1 account in a state that Organizations doesn't show

            unknown     300000000002/eu-west-1 (Workload/shipping)  under a minute ago: in sync, but the account is in a state that Organizations doesn't show
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
        "#]],
    );
}

#[tokio::test]
async fn a_list_that_names_no_account_is_an_error() {
    let world = World::guarded(World::of(&one_region()).durable().long_established()).await;
    world.server.fault(Fault::new(FaultKind::NothingListed).operation("ListAccounts"));
    world.server.clear_calls();
    let mut told = String::new();
    for arguments in [&["plan"] as &[&str], &["status"], &["apply", "--yes"], &["check", "--organization"]] {
        let ran = of(&world).run(arguments).await;
        assert_ne!(ran.code, 0, "{arguments:?}: {ran}");
        let endpoint = world.server.url();
        let said = ran.to_string().replace(endpoint, "ENDPOINT");
        told.push_str(&format!("$ {}\n{said}", arguments.join(" ")));
    }
    check(
        &told,
        expect![[r#"
            $ plan
            stderr: error: the organization could not be read: ListAccounts: the answer names no account that could be worked on, and an organization has its management account at least
            stderr:   as account 111111111111, in us-east-1, at ENDPOINT (AWS_ENDPOINT_URL)
            exit 3
            $ status
            7 targets
                  6 enforced
                  1 in sync
            oldest look: under a minute ago
            baseline 84c0f3cb2b5b1f13, mode sync
            stderr: warning: the organization could not be read: ListAccounts: the answer names no account that could be worked on, and an organization has its management account at least (transient): accounts that were never looked at are missing here
            exit 1
            $ apply --yes
            stderr: error: the organization could not be read: ListAccounts: the answer names no account that could be worked on, and an organization has its management account at least
            stderr:   as account 111111111111, in us-east-1, at ENDPOINT (AWS_ENDPOINT_URL)
            exit 3
            $ check --organization
            stderr: error: the organization could not be read: ListAccounts: the answer names no account that could be worked on, and an organization has its management account at least
            stderr:   as account 111111111111, in us-east-1, at ENDPOINT (AWS_ENDPOINT_URL)
            exit 3
        "#]],
    );
    let failed = world.deliver(&schedule()).await;
    assert!(matches!(failed, Err(HandlerError::Stopped(_))), "{failed:?}");
    assert_eq!(world.writes(), [""; 0]);
}

/// Neither is a new revision within its limits because nobody would lose anything by it.
#[tokio::test]
async fn through_the_queues_a_sweep_of_nobody_is_not_completed_and_a_count_of_nobody_approves_nothing() {
    let mut stack = Stack::start(World::of(&one_region()).durable().long_established()).await;
    stack.world.administrator_enforces(PLAYGROUND, EU, version(EU, "1"));
    let swept = stack.schedule();
    stack.deliver(&swept).await;
    let baseline = Document { version: 1, rest: vec!["limits: { max_replacements: 1 }"], ..one_region() };
    stack.world.publish(&baseline);
    stack.world.server.fault(Fault::new(FaultKind::NothingListed).operation("ListAccounts"));
    let swept = stack.schedule();
    stack.send(&swept);
    stack.work().await;
    // The message isn't done with: it comes back, and at last it is a dead letter, which alarms.
    assert_ne!(stack.left(), "");
    let approval = stack.world.keeper.ledger().revision_approval().await.unwrap();
    let revision = engine::baseline(&stack.world.keeper).await.unwrap().revision;
    assert!(approval.is_none_or(|approval| approval.revision != revision || !approval.approved));
}
