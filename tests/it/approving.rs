//! Approvals as a person gives them: by a parameter beside the baseline's, which IAM keeps apart. Who wrote the
//! baseline and who approved it is what SSM's history says.

use expect_test::expect;
use guardrail_keeper::engine;
use guardrail_keeper::limits::{ApprovalVerdict, RevisionApproval};
use serde_json::{Value, json};
use simulator::{Fault, FaultKind};
use testkit::program::Guardrailctl;
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{APPROVAL, Document, EU, PARAMETER, SEARCH, World, check};

const ALICE: &str = "assumed-role/AWSReservedSSO_BaselineAuthor_1a2b3c/alice@example.com";
const ALICE_AGAIN: &str = "assumed-role/AWSReservedSSO_BaselineApprover_4d5e6f/alice@example.com";
const BOB: &str = "assumed-role/AWSReservedSSO_BaselineApprover_4d5e6f/bob@example.com";
const BUS: &str = "guardrail-keeper";

fn everybody() -> Document {
    Document { regions: EU, ..Document::default() }
}

/// One version for all of them, and at most one may be replaced: it waits.
fn waiting() -> Document {
    Document { version: 1, rest: vec!["limits: { max_replacements: 1 }"], ..everybody() }
}

/// Everybody is guarded, Alice has put a baseline that has to wait, and it was counted.
async fn while_it_waits(self_approval: &str) -> Stack {
    let setup = World::of(&everybody()).durable().long_established().approved();
    let setup = setup.variable("KEEPER_BUS", BUS).variable("KEEPER_SELF_APPROVAL", self_approval);
    let mut stack = Stack::guarded(setup).await;
    stack.world.publish_as(ALICE, &waiting().text());
    changed(&mut stack).await;
    let known = known(&stack).await;
    assert!(known.counted.is_some() && !known.approved, "{known:?}");
    assert_eq!(replaced(&stack), 0);
    stack
}

/// The keeper hears that a parameter was changed. On the heap: tests here wait for this many times.
async fn changed(stack: &mut Stack) {
    let event = stack.world.event("Parameter Store Change");
    Box::pin(stack.deliver(&event)).await;
}

async fn swept(stack: &mut Stack) {
    let event = stack.schedule();
    Box::pin(stack.deliver(&event)).await;
}

async fn known(stack: &Stack) -> RevisionApproval {
    stack.world.keeper.ledger().revision_approval().await.unwrap().unwrap()
}

async fn revision(stack: &Stack) -> String {
    stack.world.baseline().await.revision.to_string()
}

/// Somebody writes this into the approval's parameter, and the keeper hears of it.
async fn approve(stack: &mut Stack, who: &str, text: &str) {
    stack.world.approve_as(who, text);
    changed(stack).await;
}

fn replaced(stack: &Stack) -> usize {
    stack.world.enforced().matches("eubase1a2b3c:1").count()
}

/// The particulars of each `Baseline Changed`, in their order.
fn told(stack: &Stack) -> Vec<Value> {
    let put = stack
        .world
        .server
        .with(|model| model.put_events().iter().map(|put| put.event.clone()).collect::<Vec<_>>());
    let them = put.into_iter().filter(|event| event["detail-type"] == "Baseline Changed");
    them.map(|event| event["detail"].clone()).collect()
}

fn arn(who: &str) -> String {
    format!("arn:aws:sts::111111111111:{who}")
}

#[tokio::test]
async fn an_approval_takes_effect_at_once_and_names_author_and_approver() {
    let mut stack = while_it_waits("yes").await;
    let before = told(&stack).len();
    let revision = revision(&stack).await;
    approve(&mut stack, BOB, &revision).await;
    assert_eq!(replaced(&stack), 6, "{}", stack.world.enforced());
    assert_eq!(stack.left(), EMPTY);
    let known = known(&stack).await;
    let given = known.given.unwrap();
    assert_eq!((known.approved, known.approvals, given.version), (true, 1, 2));
    assert_eq!((given.approver, given.authors), (Some(arn(BOB)), vec![arn(ALICE)]));
    let [detail] = told(&stack)[before..].to_vec().try_into().unwrap();
    assert_eq!((&detail["begins"], &detail["reason"]["code"]), (&json!(true), &json!("approved")));
    let expected = json!({ "approver": arn(BOB), "authors": [arn(ALICE)], "counts": true });
    assert_eq!(detail["approval"], expected);
    // It is taken over once, and told once.
    stack.world.server.clear_calls();
    swept(&mut stack).await;
    assert_eq!((stack.world.count("GetParameterHistory"), told(&stack).len()), (0, before + 1));
}

/// Who approves what, and whether it begins. Where the deployment takes no approval by an author, the reason names both.
#[tokio::test]
async fn where_two_people_are_asked_for_an_author_does_not_approve() {
    let mut stack = while_it_waits("no").await;
    let (revision, before) = (revision(&stack).await, told(&stack).len());
    // The same person with another permission set is the same person.
    for author in [ALICE, ALICE_AGAIN] {
        approve(&mut stack, author, &revision).await;
        let known = known(&stack).await;
        assert!(!known.approved && known.approvals == 0, "{known:?}");
        assert_eq!(known.given.as_ref().unwrap().verdict, ApprovalVerdict::ByItsAuthor);
        assert_eq!(replaced(&stack), 0);
    }
    let details = told(&stack)[before..].to_vec();
    let codes: Vec<&Value> = details.iter().map(|detail| &detail["reason"]["code"]).collect();
    assert_eq!(codes, ["approved_by_its_author", "approved_by_its_author"]);
    let text = details[1]["reason"]["text"].as_str().unwrap();
    assert!(text.contains(&arn(ALICE)) && text.contains(&arn(ALICE_AGAIN)), "{text}");
    let guardrailctl = Guardrailctl::of(&stack.world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json");
    for command in [&["status"][..], &["explain", SEARCH, EU]] {
        let said = guardrailctl.run(command).await;
        assert!(said.err.contains(&arn(ALICE)) && said.err.contains("does not count"), "{said}");
        assert_ne!(said.code, 0, "{said}");
    }
    approve(&mut stack, BOB, &revision).await;
    assert!(known(&stack).await.approved);
    assert_eq!(replaced(&stack), 6);
    // It stays known who approved it, whatever the author writes there later.
    approve(&mut stack, ALICE, &revision).await;
    let known = known(&stack).await;
    assert!(known.approved && known.refused().is_none(), "{known:?}");
    assert_eq!(known.given.unwrap().approver, Some(arn(BOB)));
}

#[tokio::test]
async fn an_approval_of_another_revision_or_of_another_time_approves_nothing() {
    let mut stack = while_it_waits("yes").await;
    let waits = revision(&stack).await;
    // No revision, and another one.
    for text in ["yes", "0123456789abcdef"] {
        approve(&mut stack, BOB, text).await;
        assert!(!known(&stack).await.approved, "{text}");
    }
    // What was approved stays approved, whatever is approved later.
    approve(&mut stack, BOB, &waits).await;
    approve(&mut stack, BOB, "0123456789abcdef").await;
    swept(&mut stack).await;
    assert!(known(&stack).await.approved);
    approve(&mut stack, BOB, &waits).await;
    // Another text was there since: the approval was not for a return to this one.
    let between = Document { version: 1, rest: vec!["limits: { max_replacements: 2 }"], ..everybody() };
    for (document, approved) in
        [(between, true), (waiting(), true), (Document { version: 2, ..waiting() }, false)]
    {
        stack.world.publish(&document);
        changed(&mut stack).await;
        assert_eq!(known(&stack).await.approved, approved, "{document:?}");
    }
    let back = revision(&stack).await;
    approve(&mut stack, BOB, &back).await;
    assert_eq!(stack.world.enforced().matches("eubase1a2b3c:2").count(), 6);
    stack.world.publish(&waiting());
    changed(&mut stack).await;
    stack.world.publish(&Document { version: 2, ..waiting() });
    changed(&mut stack).await;
    stack.world.publish(&waiting());
    changed(&mut stack).await;
    assert!(!known(&stack).await.approved, "it takes an approval of its own: {:?}", known(&stack).await);
}

/// Unreadable is never approved; and the event is delivered again, so that the approval isn't forgotten.
#[tokio::test]
async fn an_approval_that_cannot_be_read_approves_nothing_and_takes_nothing_back() {
    for (operation, fault) in [
        ("GetParameterHistory", FaultKind::Denied { message: "No.".to_owned() }),
        ("GetParameterHistory", FaultKind::ServerError),
    ] {
        let mut stack = while_it_waits("yes").await;
        let revision = revision(&stack).await;
        stack.world.server.fault(Fault::new(fault).operation(operation).times(u32::MAX));
        stack.world.approve_as(BOB, &revision);
        stack.send(&stack.world.event("Parameter Store Change"));
        stack.work().await;
        assert!(!known(&stack).await.approved, "{operation}");
        assert_eq!(replaced(&stack), 0, "{operation}");
        assert_ne!(stack.left(), EMPTY, "the event comes again");
        stack.world.server.clear_faults();
        stack.settle().await;
        assert!(known(&stack).await.approved, "{operation}");
        // Once taken over, it needs no reading any more.
        let denied = FaultKind::Denied { message: "No.".to_owned() };
        stack.world.server.fault(Fault::new(denied).operation(operation).times(u32::MAX));
        stack.world.administrator_releases(SEARCH, EU);
        stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
        assert!(stack.world.enforced_in(SEARCH).contains("eubase1a2b3c:1"));
    }
}

/// The event of an approval was lost: the next sweep finds it, and so does any event while the revision waits.
#[tokio::test]
async fn an_approval_whose_event_is_lost_is_found() {
    for by_a_sweep in [true, false] {
        let mut stack = while_it_waits("yes").await;
        stack.world.approve().await;
        if by_a_sweep {
            swept(&mut stack).await;
            assert_eq!(replaced(&stack), 6);
        } else {
            stack.world.administrator_releases(SEARCH, EU);
            stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
            assert!(stack.world.enforced_in(SEARCH).contains("eubase1a2b3c:1"));
        }
        assert!(known(&stack).await.approved);
    }
}

/// Only the last hundred versions are kept, fifty a page.
#[tokio::test]
async fn author_and_approver_are_found_on_the_last_page() {
    let stack = while_it_waits("no").await;
    let (text, revision) = (waiting().text(), revision(&stack).await);
    for _ in 0..130 {
        stack.world.publish_as("user/somebody", &everybody().text());
        stack.world.approve_as("user/somebody", "0123456789abcdef");
    }
    stack.world.publish_as(ALICE, &text);
    stack.world.approve_as(ALICE_AGAIN, &revision);
    assert!(engine::take_over_approval(&stack.world.keeper, &revision.parse().unwrap()).await);
    let given = known(&stack).await.given.unwrap();
    assert_eq!((given.approver, given.verdict), (Some(arn(ALICE_AGAIN)), ApprovalVerdict::ByItsAuthor));
    assert_eq!(given.authors, [arn(ALICE)]);
    stack.world.approve_as(BOB, &revision);
    assert!(engine::take_over_approval(&stack.world.keeper, &revision.parse().unwrap()).await);
    assert!(known(&stack).await.approved);
}

/// An approval that an earlier version recorded in the table still counts; there was no parameter then.
#[tokio::test]
async fn an_approval_of_an_earlier_version_in_the_ledger_still_counts() {
    let mut stack = while_it_waits("no").await;
    let approve = |known: &mut Option<RevisionApproval>| *known = known.take().map(RevisionApproval::approve);
    stack.world.keeper.ledger().change_revision_approval(approve).await.unwrap();
    swept(&mut stack).await;
    assert_eq!(replaced(&stack), 6);
    assert_eq!(known(&stack).await.given.map(|given| given.version), None);
}

/// `guardrailctl approve` writes the parameter and nothing else: no table, no queue, no bus.
#[tokio::test]
async fn the_terminal_approves_in_the_parameter_alone() {
    let mut stack = while_it_waits("yes").await;
    let revision = revision(&stack).await;
    let guardrailctl = Guardrailctl::of(&stack.world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
        .variable("KEEPER_BUS", BUS);
    let ledger = std::fs::read(stack.world.ledger_file()).unwrap();
    stack.world.server.clear_calls();
    let said = guardrailctl.run(&["approve", &revision, "--yes"]).await;
    check(
        &said,
        expect![[r#"
        baseline b94c9a01db9771b2
          all of it: 6 replaced, 0 released
          done without approval: 0 replaced, 0 released
          its limits: 1 replaced, 5 released, 5 abandoned
        ok: /guardrail-keeper/approval approves baseline b94c9a01db9771b2, as version 2
        stderr: the deployed keeper hears of it by itself; guardrailctl status says what came of it
        exit 0
    "#]],
    );
    assert_eq!(stack.world.writes(), [format!("PutParameter {}/us-east-1", testkit::world::HUB)]);
    assert_eq!(std::fs::read(stack.world.ledger_file()).unwrap(), ledger);
    let written = stack.world.server.with(|model| {
        let caller = model.caller("arn:aws:iam::111111111111:root", "us-east-1").unwrap();
        model.get_parameter(&caller, "GetParameter", APPROVAL).unwrap().1.value.clone()
    });
    assert_eq!(written, revision);
    changed(&mut stack).await;
    assert_eq!(replaced(&stack), 6);
}

/// What was approved for one text counts for no other of the same revision: one that guards everybody, and one that
/// releases everybody.
#[tokio::test]
async fn a_text_with_the_revision_of_another_is_refused() {
    let (harmless, harmful) = (include_str!("twins/harmless.yaml"), include_str!("twins/harmful.yaml"));
    let setup = World::of(&everybody()).durable().long_established().approved();
    let mut stack = Stack::guarded(setup.variable("KEEPER_BUS", BUS)).await;
    stack.world.publish_as(ALICE, harmless);
    changed(&mut stack).await;
    let revision = revision(&stack).await;
    approve(&mut stack, BOB, &revision).await;
    assert!(known(&stack).await.approved);
    stack.world.server.clear_calls();
    stack.world.publish_as(ALICE, harmful);
    for _ in 0..2 {
        changed(&mut stack).await;
        swept(&mut stack).await;
        assert_eq!(stack.world.writes(), [""; 0], "{}", stack.world.enforced());
    }
    // Repair goes on, by the text that is known.
    stack.world.administrator_releases(SEARCH, EU);
    stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
    assert!(stack.world.enforced_in(SEARCH).contains("eubase1a2b3c:2"), "{}", stack.world.enforced());
    // With a comment changed, it is a text of its own, and waits.
    stack.world.publish_as(ALICE, &format!("{harmful}# changed\n"));
    changed(&mut stack).await;
    assert!(!known(&stack).await.approved && stack.world.enforced_in(SEARCH).contains("eubase1a2b3c:2"));
}
