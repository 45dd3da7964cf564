//! While a revision waits for its approval, accounts follow the one that was approved before it.

use expect_test::expect;

use testkit::program::Guardrailctl;
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{
    Document, EU, LIST, OWNER, PARAMETER, PAYMENTS, SANDBOX, SEARCH, US, World, check, guardrail,
};

/// Everybody in one Region, the sandbox unguarded on purpose.
fn approved() -> Document {
    Document { regions: EU, ..Document::default() }
}

/// What has to wait: one version for all of them, and at most one may be replaced.
fn waiting() -> Document {
    Document { version: 1, rest: vec!["limits: { max_replacements: 1 }"], ..approved() }
}

/// Everybody is guarded, and then a baseline is published that has to wait.
async fn while_it_waits(approved: &Document, waiting: &Document) -> Stack {
    let mut stack = Stack::guarded(World::of(approved).durable().long_established()).await;
    stack.world.publish(waiting);
    stack.deliver(&stack.world.event("Parameter Store Change")).await;
    let known = stack.world.keeper.ledger().revision_approval().await.unwrap().unwrap();
    assert!(known.counted.is_some() && !known.approved, "{known:?}");
    stack.world.server.clear_calls();
    stack
}

/// An account is looked at once, by one baseline.
#[tokio::test]
async fn an_account_is_looked_at_by_one_baseline_only() {
    let mut stack = while_it_waits(&approved(), &waiting()).await;
    stack.world.server.with(|model| model.move_account(PAYMENTS, "r-exam")).unwrap();
    stack.deliver(&stack.world.event("MoveAccount")).await;
    assert_eq!(stack.world.count(LIST), 1, "{:?}", stack.world.server.calls());
    assert_eq!(stack.left(), EMPTY);
}

/// The grant that live enforcements rest on is repaired, though the baseline that waits names another guardrail.
#[tokio::test]
async fn the_grant_of_the_followed_baseline_is_kept_up_while_another_waits() {
    let another = Document {
        guardrail: vec!["models: { include: [ALL], exclude: [] }"],
        name: "sandbox-baseline",
        ..waiting()
    };
    let mut stack = while_it_waits(&approved(), &another).await;
    stack.world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        model.delete_resource_policy(&owner, &guardrail(EU)).unwrap();
    });
    stack.deliver(&stack.world.event("DeleteResourcePolicy")).await;
    let put = format!("PutResourcePolicy {OWNER}/{EU}");
    assert!(stack.world.writes().contains(&put), "{:?}", stack.world.writes());
    stack.world.administrator_releases(SEARCH, EU);
    stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
    assert_eq!(stack.world.enforced_in(SEARCH).matches("eubase1a2b3c:2").count(), 1);
}

/// An event of a Region that only the followed baseline names is heard.
#[tokio::test]
async fn a_region_that_the_waiting_baseline_drops_is_kept_guarded() {
    let both = Document { regions: "us-east-1, eu-west-1", ..Document::default() };
    let one = Document { rest: vec!["limits: { max_releases: 1 }"], regions: US, ..both.clone() };
    let mut stack = while_it_waits(&both, &one).await;
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
}

/// Where it can't be read which baseline is followed, nothing is written until it can.
#[tokio::test]
async fn nothing_is_written_while_it_is_unknown_which_baseline_is_followed() {
    let mut stack = while_it_waits(&approved(), &waiting()).await;
    stack.world.keeper = stack.world.another_keeper().await;
    let ledger = std::fs::read(stack.world.ledger_file()).unwrap();
    std::fs::write(stack.world.ledger_file(), "no ledger").unwrap();
    stack.world.administrator_releases(SEARCH, EU);
    stack.send(&stack.world.event("DeleteEnforcedGuardrailConfiguration"));
    stack.work().await;
    assert_eq!(stack.world.writes(), [""; 0]);
    std::fs::write(stack.world.ledger_file(), ledger).unwrap();
    stack.settle().await;
    assert_eq!(stack.world.enforced_in(SEARCH).matches("eubase1a2b3c:2").count(), 1);
}

/// What the followed baseline would release is held because the other one waits, and not by a mode that nobody wrote.
#[tokio::test]
async fn what_is_held_meanwhile_says_that_a_revision_waits() {
    let mut stack = while_it_waits(&approved(), &waiting()).await;
    stack.world.server.with(|model| model.move_account(PAYMENTS, SANDBOX)).unwrap();
    stack.deliver(&stack.world.event("MoveAccount")).await;
    assert_eq!(stack.world.writes(), [""; 0]);
    let record = stack.world.keeper.ledger().account(&PAYMENTS.parse().unwrap()).await.unwrap();
    let checked = record.regions[&EU.parse().unwrap()].checked.clone().unwrap();
    assert_eq!(checked.code.as_deref(), Some("not_approved"), "{:?}", checked.reason);
}

/// A plan shows what is done meanwhile, and what is done is what was shown.
#[tokio::test]
async fn a_plan_shows_what_the_followed_baseline_puts_back_and_apply_does_it() {
    let stack = while_it_waits(&approved(), &waiting()).await;
    stack.world.administrator_releases(SEARCH, EU);
    let guardrailctl = Guardrailctl::of(&stack.world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json");
    let plan = guardrailctl.run(&["plan"]).await;
    check(
        &plan.without_hash(),
        expect![[r#"
        ! 111111111111/eu-west-1 (management) held [not_approved], would replace corporate:2 => corporate:1 (different): baseline b94c9a01db9771b2 replaces or releases more than its limits allow: read the plan, then approve it
        ! 222222222222/eu-west-1 (guardrail-owner) held [not_approved], would replace corporate:2 => corporate:1 (different): baseline b94c9a01db9771b2 replaces or releases more than its limits allow: read the plan, then approve it
        ! 300000000001/eu-west-1 (Workload/payments) held [not_approved], would replace corporate:2 => corporate:1 (different): baseline b94c9a01db9771b2 replaces or releases more than its limits allow: read the plan, then approve it
        ! 300000000002/eu-west-1 (Workload/shipping) held [not_approved], would replace corporate:2 => corporate:1 (different): baseline b94c9a01db9771b2 replaces or releases more than its limits allow: read the plan, then approve it
        ! 300000000003/eu-west-1 (Workload/search) held [not_approved], would enforce corporate:1 (it was removed): baseline b94c9a01db9771b2 replaces or releases more than its limits allow: read the plan, then approve it
        ! 300000000004/eu-west-1 (Workload/support) held [not_approved], would replace corporate:2 => corporate:1 (different): baseline b94c9a01db9771b2 replaces or releases more than its limits allow: read the plan, then approve it
        0 to change, 6 held, 1 in sync, 1 account skipped
        held for approval: 1 enforce, 5 replace
        to include these: guardrailctl apply --approve b94c9a01db9771b2
        until b94c9a01db9771b2 is approved, accounts follow baseline 84c0f3cb2b5b1f13:
        + 300000000003/eu-west-1 (Workload/search) enforce corporate:2 (it was removed)
        plan HASH of baseline b94c9a01db9771b2, mode sync
        exit 1
    "#]],
    );
    let json = guardrailctl.run(&["plan", "--output", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["meanwhile"]["revision"], "84c0f3cb2b5b1f13", "{json:#}");
    assert_eq!(json["meanwhile"]["plan"]["counts"]["to_change"], 1, "{json:#}");
    let changes = guardrailctl.run(&["plan", "--detailed-exit-code"]).await;
    assert_eq!(changes.code, 4, "{changes}");
    let applied = guardrailctl.run(&["apply", "--yes"]).await;
    assert!(stack.world.enforced_in(SEARCH).contains("eubase1a2b3c:2"), "{applied}");
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"), "{applied}");
}

/// `status` judges accounts by what they follow, says what waits and why, and isn't green.
#[tokio::test]
async fn status_says_which_baseline_is_followed_and_which_waits() {
    let stack = while_it_waits(&approved(), &waiting()).await;
    let guardrailctl = Guardrailctl::of(&stack.world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json");
    check(
        &guardrailctl.run(&["status"]).await,
        expect![[r#"
            7 targets
                  7 in sync
            oldest look: under a minute ago
            1 account not looked at: suspended
            baseline 84c0f3cb2b5b1f13, mode sync
            stderr: warning: baseline b94c9a01db9771b2 is not acted on, because it changes more than its limits allow: read its plan, then guardrailctl approve b94c9a01db9771b2; accounts follow 84c0f3cb2b5b1f13 until then
            exit 1
        "#]],
    );
    let explained = guardrailctl.run(&["explain", SEARCH, EU]).await;
    check(
        &explained,
        expect![[r#"
        300000000003/eu-west-1  Workload/search, o-exampleorgid/r-exam/ou-exam-workload/
        wanted    corporate:2, by the assignment of r-exam (line 11)
        seen      eubase1a2b3c:2, written last by arn:aws:iam::300000000003:role/GuardrailKeeperMember
        ours      eubase1a2b3c:2, applied under a minute ago by baseline 84c0f3cb2b5b1f13
        last      in sync, under a minute ago, by baseline 84c0f3cb2b5b1f13
        decision  in sync
        history   under a minute ago: in sync, by event ca3bee9b-77c2-49bb-8dd4-215ae0400ca0
                  under a minute ago: 300000000003/eu-west-1 enforce corporate:2, by event 00000000-0000-4000-8000-000000000000
        baseline 84c0f3cb2b5b1f13, mode sync
        stderr: warning: baseline b94c9a01db9771b2 is not acted on, because it changes more than its limits allow: read its plan, then guardrailctl approve b94c9a01db9771b2; accounts follow 84c0f3cb2b5b1f13 until then
        exit 1
    "#]],
    );
}
