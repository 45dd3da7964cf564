//! Controls as people write them: parameters of SSM below one path, which say which account is about to leave, and the
//! answer to `placement: auto`. Each version is taken over once, and nobody has to write the ledger's table.

use expect_test::expect;
use guardrail_keeper::placement::Answer;
use guardrail_keeper::record::AccountRecord;
use simulator::{Fault, FaultKind};
use testkit::program::Guardrailctl;
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{
    CONTROLS, DELETE, Document, EU, HUB, OWNER, PARAMETER, PAYMENTS, SHIPPING, WORKLOAD, World, check,
};

const BUS: &str = "guardrail-keeper";
const OPERATOR: &str = "assumed-role/Operators/olga";

/// Everybody is guarded, and nothing is left in a queue.
async fn guarded() -> Stack {
    let document = Document { regions: EU, ..Document::default() };
    let setup = World::of(&document).durable().long_established().approved();
    Stack::guarded(setup.variable("KEEPER_BUS", BUS)).await
}

fn leaving(account: &str) -> String {
    format!("{CONTROLS}/leaving/{account}")
}

/// Somebody writes a control, and the keeper hears of it.
async fn heard(stack: &mut Stack, name: &str, text: &str) {
    stack.world.put_as(OPERATOR, name, text);
    let event = stack.world.event("Parameter Store Change");
    Box::pin(stack.deliver(&event)).await;
}

async fn swept(stack: &mut Stack) {
    let event = stack.schedule();
    Box::pin(stack.deliver(&event)).await;
}

async fn record(stack: &Stack) -> AccountRecord {
    stack.world.keeper.ledger().account(&PAYMENTS.parse().unwrap()).await.unwrap()
}

fn releases(stack: &Stack) -> usize {
    stack.world.writes().iter().filter(|write| write.starts_with(DELETE)).count()
}

/// Without a look of somebody, without a request, and without anybody who writes the table.
#[tokio::test]
async fn an_account_that_a_control_names_is_released_at_once_and_kept_so() {
    let mut stack = guarded().await;
    heard(&mut stack, &leaving(PAYMENTS), "leaving\n").await;
    assert_eq!(releases(&stack), 1, "{:?}", stack.world.writes());
    assert_eq!(stack.left(), EMPTY);
    assert!(record(&stack).await.offboarding.is_some());
    // People hear of it, and of whom it is from.
    let put = stack
        .world
        .server
        .with(|model| model.put_events().iter().map(|put| put.event.clone()).collect::<Vec<_>>());
    let news: Vec<_> = put.iter().filter(|event| event["detail-type"] == "Attention Needed").collect();
    let [news] = news[..] else { panic!("one message: {put:?}") };
    let news = news["detail"].to_string();
    assert!(news.contains("\"leaving\"") && news.contains(OPERATOR), "{news}");
    // Each version is taken over once: who wrote it isn't asked for again.
    stack.world.server.clear_calls();
    swept(&mut stack).await;
    assert_eq!((stack.world.count("GetParameterHistory"), stack.world.writes().len()), (0, 0));
    // And back.
    heard(&mut stack, &leaving(PAYMENTS), "staying").await;
    assert_eq!(record(&stack).await.offboarding, None);
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"), "it is guarded again");
}

#[tokio::test]
async fn a_control_whose_event_is_lost_is_found_by_the_next_sweep() {
    let mut stack = guarded().await;
    // On the second page of SSM's list.
    for number in 0..12 {
        stack.world.put_as(OPERATOR, &leaving(&format!("1000000000{number:02}")), "leaving");
    }
    stack.world.put_as(OPERATOR, &leaving(PAYMENTS), "leaving");
    swept(&mut stack).await;
    assert_eq!(releases(&stack), 1);
    // Nothing is recorded of accounts that aren't in the organization.
    let nobody = stack.world.keeper.ledger().account(&"100000000001".parse().unwrap()).await.unwrap();
    assert_eq!(nobody, AccountRecord::default());
}

/// What was said of an account before it left is over when it comes back.
#[tokio::test]
async fn a_control_from_before_an_account_joined_leaves_nobody_unguarded() {
    let mut stack = guarded().await;
    stack.world.put_as(OPERATOR, &leaving(PAYMENTS), "leaving");
    stack.world.wait(60);
    stack.world.server.with(|model| model.leave(PAYMENTS)).unwrap();
    stack.world.wait(60);
    stack.world.server.with(|model| model.join(PAYMENTS, WORKLOAD)).unwrap();
    stack.world.wait(60);
    for _ in 0..2 {
        swept(&mut stack).await;
        assert_eq!(record(&stack).await.offboarding, None);
    }
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"), "{}", stack.world.enforced());
    // What is said from now on counts.
    heard(&mut stack, &leaving(PAYMENTS), "leaving").await;
    assert!(record(&stack).await.offboarding.is_some());
}

#[tokio::test]
async fn a_text_that_is_none_of_a_controls_changes_nothing() {
    let mut stack = guarded().await;
    for text in ["yes", "Leaving", "leaving staying"] {
        heard(&mut stack, &leaving(PAYMENTS), text).await;
        heard(&mut stack, &format!("{CONTROLS}/placement"), text).await;
    }
    // One that names no account, and one of another kind.
    heard(&mut stack, &leaving("nobody"), "leaving").await;
    heard(&mut stack, &format!("{CONTROLS}/other"), "leaving").await;
    swept(&mut stack).await;
    assert_eq!((record(&stack).await.offboarding, releases(&stack)), (None, 0));
    let placement = stack.world.keeper.ledger().placement().await.unwrap();
    assert_eq!((placement.answer, placement.control), (Answer::Undecided, None));
}

/// What can't be read changes nothing; its event is delivered again, so that it isn't forgotten.
#[tokio::test]
async fn a_control_that_cannot_be_read_changes_nothing_and_is_not_forgotten() {
    for operation in ["GetParameter", "GetParameterHistory"] {
        let mut stack = guarded().await;
        let denied = FaultKind::Denied { message: "No.".to_owned() };
        stack.world.server.fault(Fault::new(denied).operation(operation).times(u32::MAX));
        stack.world.put_as(OPERATOR, &leaving(PAYMENTS), "leaving");
        stack.send(&stack.world.event("Parameter Store Change"));
        stack.work().await;
        assert_eq!((record(&stack).await.offboarding, releases(&stack)), (None, 0), "{operation}");
        assert_ne!(stack.left(), EMPTY, "{operation}: the event comes again");
        stack.world.server.clear_faults();
        stack.settle().await;
        assert_eq!(releases(&stack), 1, "{operation}");
    }
    // A sweep goes on without them: nobody stays unguarded because of a permission that lacks.
    let mut stack = guarded().await;
    let denied = FaultKind::Denied { message: "No.".to_owned() };
    stack.world.server.fault(Fault::new(denied).operation("GetParametersByPath").times(u32::MAX));
    stack.world.put_as(OPERATOR, &leaving(PAYMENTS), "leaving");
    stack.world.administrator_releases(PAYMENTS, EU);
    swept(&mut stack).await;
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"));
}

#[tokio::test]
async fn the_answer_to_placement_auto_is_a_control_and_names_who_gave_it() {
    let mut stack = guarded().await;
    let operator = format!("arn:aws:sts::{HUB}:{OPERATOR}");
    for (text, answer) in
        [("copies", Answer::Copies), ("central", Answer::Central), ("undecided", Answer::Undecided)]
    {
        heard(&mut stack, &format!("{CONTROLS}/placement"), text).await;
        let known = stack.world.keeper.ledger().placement().await.unwrap();
        assert_eq!((known.answer, known.history.last().unwrap().by.as_str()), (answer, operator.as_str()));
        let entries = known.history.len();
        swept(&mut stack).await;
        let known = stack.world.keeper.ledger().placement().await.unwrap();
        assert_eq!(known.history.len(), entries, "it is taken over once");
    }
}

/// Once it has left, its calls would fail: somebody's revision that waits must not keep it from being released.
#[tokio::test]
async fn a_revision_that_waits_keeps_no_account_from_leaving() {
    let mut stack = guarded().await;
    let rest = vec!["limits: { max_replacements: 1 }"];
    stack.world.publish(&Document { regions: EU, version: 1, rest, ..Document::default() });
    let event = stack.world.event("Parameter Store Change");
    Box::pin(stack.deliver(&event)).await;
    assert_eq!(stack.world.writes(), [""; 0], "it waits");
    heard(&mut stack, &leaving(PAYMENTS), "leaving").await;
    assert_eq!(releases(&stack), 1, "{:?}", stack.world.writes());
}

/// Nobody saw that it was gone, so nothing took its mark away.
#[tokio::test]
async fn an_account_that_left_and_came_back_unseen_is_guarded() {
    let mut stack = guarded().await;
    heard(&mut stack, &leaving(PAYMENTS), "leaving").await;
    stack.world.wait(60);
    stack.world.server.with(|model| model.leave(PAYMENTS)).unwrap();
    stack.world.server.with(|model| model.join(PAYMENTS, WORKLOAD)).unwrap();
    stack.world.wait(60);
    swept(&mut stack).await;
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"), "{}", stack.world.enforced());
}

/// What can't be taken over of one account keeps no other from it.
#[tokio::test]
async fn one_control_that_cannot_be_taken_over_keeps_no_other_from_it() {
    let mut stack = guarded().await;
    for account in [OWNER, PAYMENTS] {
        stack.world.put_as(OPERATOR, &leaving(account), "leaving");
    }
    // The owner's comes first.
    let denied = FaultKind::Denied { message: "No.".to_owned() };
    stack.world.server.fault(Fault::new(denied).operation("GetParameterHistory").times(1));
    swept(&mut stack).await;
    assert_eq!(releases(&stack), 1, "{:?}", stack.world.writes());
    let owner = stack.world.keeper.ledger().account(&OWNER.parse().unwrap()).await.unwrap();
    assert_eq!(owner.offboarding, None, "the next sweep tries again");
}

/// Neither does one that an event names, in a batch with a sweep.
#[tokio::test]
async fn a_named_control_that_cannot_be_taken_over_keeps_no_other_from_it() {
    let mut stack = guarded().await;
    stack.world.put_as(OPERATOR, &leaving(SHIPPING), "leaving");
    stack.world.put_as(OPERATOR, &leaving(PAYMENTS), "leaving");
    // The named one comes first.
    let denied = FaultKind::Denied { message: "No.".to_owned() };
    stack.world.server.fault(Fault::new(denied).operation("GetParameterHistory").times(1));
    stack.send(&stack.world.event("Parameter Store Change"));
    stack.send(&stack.schedule());
    assert!(stack.step().await, "both come in one batch");
    let shipping = stack.world.keeper.ledger().account(&SHIPPING.parse().unwrap()).await.unwrap();
    assert!(shipping.offboarding.is_some());
}

/// Whoever may write every control unguards so many members a day, and people hear of the others.
#[tokio::test]
async fn more_departures_than_a_day_may_have_wait_and_are_news() {
    let document = Document { regions: EU, ..Document::default() };
    let setup = World::of(&document).durable().long_established().approved();
    let setup = setup.variable("KEEPER_BUS", BUS).variable("KEEPER_MAX_DEPARTURES", "1");
    let mut stack = Stack::guarded(setup).await;
    stack.world.server.with(simulator::Model::clear_put_events);
    for account in [PAYMENTS, SHIPPING] {
        stack.world.put_as(OPERATOR, &leaving(account), "leaving");
    }
    swept(&mut stack).await;
    let offboarding = async |stack: &Stack, account: &str| {
        stack.world.keeper.ledger().account(&account.parse().unwrap()).await.unwrap().offboarding.is_some()
    };
    let both = async |stack: &Stack| (offboarding(stack, PAYMENTS).await, offboarding(stack, SHIPPING).await);
    assert_eq!((both(&stack).await, releases(&stack)), ((true, false), 1), "{:?}", stack.world.writes());
    let news = |stack: &Stack| {
        let put = stack.world.server.with(|model| {
            let put: Vec<_> = model.put_events().iter().map(|put| put.event.clone()).collect();
            model.clear_put_events();
            put
        });
        let news = put.iter().filter(|event| event["detail-type"] == "Attention Needed");
        news.map(|event| event["detail"].to_string()).collect::<String>()
    };
    let heard = news(&stack);
    assert!(heard.contains("\"leaving_waits\"") && heard.contains(OPERATOR), "{heard}");
    // It is asked for again with each sweep, and news once.
    stack.world.wait(3600);
    swept(&mut stack).await;
    assert_eq!(both(&stack).await, (true, false));
    assert!(!news(&stack).contains("leaving_waits"));
    assert!(stack.world.enforced_in(SHIPPING).contains("eubase1a2b3c:2"), "{}", stack.world.enforced());
    // The day is over.
    stack.world.wait(23 * 3600 + 60);
    swept(&mut stack).await;
    assert_eq!((both(&stack).await, releases(&stack)), ((true, true), 2));
}

/// Where none is deployed, a terminal says so, and the control stays.
#[tokio::test]
async fn a_terminal_says_that_a_departure_waits() {
    let stack = guarded().await;
    let guardrailctl = Guardrailctl::of(&stack.world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
        .variable("KEEPER_MAX_DEPARTURES", "0");
    check(
        &guardrailctl.run(&["offboard", PAYMENTS, "--yes"]).await,
        expect![[r#"
            300000000001/eu-west-1 release eubase1a2b3c:2
            300000000001/eu-west-1 stays guarded: its control waits
            stderr: warning: 300000000001 stays guarded for now: within 24 hours 0 accounts were marked as about to leave, as many as may be (KEEPER_MAX_DEPARTURES). /guardrail-keeper/controls/leaving/300000000001 is taken over by a run after they are over; --cancel takes it back
            exit 1
        "#]],
    );
    // Also of an account at which nobody has looked, where nothing is to be released.
    for account in [PAYMENTS, HUB] {
        let arguments = ["offboard", account, "--yes", "--confirm", account, "--output", "json"];
        let said = guardrailctl.run(&arguments).await;
        let json: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said}"));
        assert_eq!(
            (said.code, &json["leaving"], &json["released"]),
            (1, &false.into(), &false.into()),
            "{said}"
        );
    }
    assert_eq!((record(&stack).await.offboarding, releases(&stack)), (None, 0));
}

/// `guardrailctl offboard` and `placement` write a parameter each, and nothing else: no table, no queue, no bus.
#[tokio::test]
async fn the_terminal_writes_controls_alone() {
    let mut stack = guarded().await;
    let guardrailctl = Guardrailctl::of(&stack.world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
        .variable("KEEPER_BUS", BUS);
    let ledger = std::fs::read(stack.world.ledger_file()).unwrap();
    stack.world.server.clear_calls();
    let said = guardrailctl.run(&["offboard", PAYMENTS, "--yes", "--wait", "0s"]).await;
    check(
        &said,
        expect![[r#"
        300000000001/eu-west-1 release eubase1a2b3c:2
        300000000001/eu-west-1 not released: eubase1a2b3c:2 is there still
        stderr: /guardrail-keeper/controls/leaving/300000000001 says `leaving`, as version 1; the deployed keeper hears of it
        stderr: warning: 300000000001 may lose its Bedrock calls in eu-west-1 once it has left: the lines above name what is still enforced in each Region
        exit 1
    "#]],
    );
    let said = guardrailctl.run(&["placement", "set", "central", "--yes"]).await;
    check(
        &said,
        expect![[r#"
        placement auto: undecided: the first enforcement in a member shows whether AWS takes the owner's guardrail there
        ok: /guardrail-keeper/controls/placement says central, as version 1
        stderr: no guardrail of this baseline says `placement: auto`, so this has no effect
        stderr: the deployed keeper hears of it by itself; guardrailctl placement shows the answer
        exit 0
    "#]],
    );
    let puts = stack.world.writes();
    assert_eq!(puts, vec![format!("PutParameter {HUB}/us-east-1"); 2]);
    assert_eq!(std::fs::read(stack.world.ledger_file()).unwrap(), ledger);
    // Taken back before the keeper heard of it, it never happened.
    let said = guardrailctl.run(&["offboard", PAYMENTS, "--cancel", "--yes"]).await;
    assert!(said.code == 0 && said.err.contains("says `staying`, as version 2"), "{said}");
    swept(&mut stack).await;
    assert_eq!(releases(&stack), 0);
    let said = guardrailctl.run(&["offboard", PAYMENTS, "--yes", "--wait", "0s"]).await;
    assert!(said.err.contains("says `leaving`, as version 3"), "{said}");
    swept(&mut stack).await;
    assert_eq!(releases(&stack), 1);
    assert_eq!(stack.world.keeper.ledger().placement().await.unwrap().answer, Answer::Central);
    let said = guardrailctl.run(&["offboard", PAYMENTS, "--cancel", "--yes", "--output", "json"]).await;
    check(
        &said,
        expect![[r#"
        {
          "account": "300000000001",
          "leaving": false,
          "requested": {
            "parameter": "/guardrail-keeper/controls/leaving/300000000001",
            "version": 4
          }
        }
        exit 0
    "#]],
    );
    swept(&mut stack).await;
    assert_eq!(record(&stack).await.offboarding, None);
}
