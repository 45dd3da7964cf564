//! A revision that leaves what is ours to itself is limited like one that releases it: nobody would repair it any more.

use guardrail_keeper::record::{Record, State};
use serde_json::{Value, json};
use testkit::stack::Stack;
use testkit::world::{Document, EU, PAYMENTS, PLAYGROUND, SANDBOX, SEARCH, SHIPPING, WORKLOAD, World};

fn everybody() -> Document {
    Document { regions: EU, ..Document::default() }
}

async fn guarded(document: &Document, ceilings: &[(&str, &str)]) -> Stack {
    let mut setup = World::of(document).durable().long_established().approved();
    for (name, most) in ceilings {
        setup = setup.variable(name, most);
    }
    Stack::guarded(setup).await
}

async fn publish(stack: &mut Stack, document: &Document) -> bool {
    stack.world.publish(document);
    // On the heap: tests here wait for this many times.
    Box::pin(stack.deliver(&stack.world.event("Parameter Store Change"))).await;
    let known = stack.world.keeper.ledger().revision_approval().await.unwrap().unwrap();
    assert_eq!(known.revision, stack.world.baseline().await.revision);
    known.approved
}

/// Somebody removes what is enforced in an account. Says whether it is put back.
async fn is_repaired(stack: &mut Stack, account: &str) -> bool {
    stack.world.administrator_releases(account, EU);
    Box::pin(stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration"))).await;
    stack.world.enforced_in(account).contains("eubase1a2b3c:2")
}

#[tokio::test]
async fn a_revision_that_assigns_nobody_any_more_waits_and_repair_goes_on() {
    let mut stack = guarded(&everybody(), &[]).await;
    let nobody = Document { assignments: vec![("ou-exam-sandbox1", "none")], ..everybody() };
    assert!(!publish(&mut stack, &nobody).await, "more than five would be left to themselves");
    let known = stack.world.keeper.ledger().revision_approval().await.unwrap().unwrap();
    assert!(known.counted.unwrap().abandonments > 5, "{known:?}");
    assert!(is_repaired(&mut stack, SEARCH).await);
    // Somebody's word, and they are.
    stack.world.approve().await;
    stack.deliver(&stack.schedule()).await;
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"), "what is there stays");
    assert!(!is_repaired(&mut stack, PAYMENTS).await);
    // What is abandoned is not counted again by the next revision.
    assert!(publish(&mut stack, &Document { rest: vec!["limits: { max_releases: 4 }"], ..nobody }).await);
}

#[tokio::test]
async fn whom_a_waiting_revision_excludes_is_guarded_until_it_is_approved() {
    let mut stack = guarded(&everybody(), &[]).await;
    let limits = "limits: { max_abandonments: 1 }";
    let two = Document { rest: vec!["exclude: [\"300000000002\", \"300000000003\"]", limits], ..everybody() };
    assert!(!publish(&mut stack, &two).await);
    assert!(is_repaired(&mut stack, SEARCH).await);
    let one = Document { rest: vec!["exclude: [\"300000000002\"]", limits], ..everybody() };
    assert!(publish(&mut stack, &one).await, "one is within the limits");
    assert!(!is_repaired(&mut stack, SHIPPING).await);
    assert!(is_repaired(&mut stack, SEARCH).await);
}

/// A brake is nothing to go back to: while a revision waits, accounts follow what was approved before the brake.
#[tokio::test]
async fn whom_a_revision_excludes_that_waits_after_a_brake_is_guarded() {
    let mut stack = guarded(&everybody(), &[]).await;
    assert!(publish(&mut stack, &Document { mode: "audit", ..everybody() }).await, "it brakes at once");
    let limits = "limits: { max_abandonments: 1 }";
    let two = Document { rest: vec!["exclude: [\"300000000002\", \"300000000003\"]", limits], ..everybody() };
    assert!(!publish(&mut stack, &two).await);
    assert!(is_repaired(&mut stack, SEARCH).await);
}

/// Those who protect the organization read of each revision once, before it begins.
#[tokio::test]
async fn a_changed_baseline_is_told_once() {
    const BUS: &str = "guardrail-keeper";
    let setup = World::of(&everybody()).durable().long_established().approved().variable("KEEPER_BUS", BUS);
    let mut stack = Stack::guarded(setup).await;
    let told = |stack: &Stack| -> Vec<Value> {
        let events: Vec<Value> =
            stack.world.server.with(|model| model.put_events().iter().map(|put| put.event.clone()).collect());
        let changed = |event: &Value| event["detail-type"] == "Baseline Changed";
        events.into_iter().filter(changed).map(|event| event["detail"].clone()).collect()
    };
    assert_eq!(told(&stack), [Value::Null; 0], "this one was approved before");
    let nobody = Document { assignments: vec![("ou-exam-sandbox1", "none")], ..everybody() };
    assert!(!publish(&mut stack, &nobody).await);
    stack.deliver(&stack.schedule()).await;
    let [detail] = told(&stack).try_into().unwrap();
    assert_eq!((&detail["begins"], &detail["reason"]["code"]), (&json!(false), &json!("over_limits")));
    assert!(detail["counted"]["abandonments"].as_u64().unwrap() > 5, "{detail}");
    assert!(publish(&mut stack, &Document { version: 1, ..everybody() }).await);
    let details = told(&stack);
    assert_eq!(details.len(), 2, "{details:?}");
    assert_eq!((&details[1]["begins"], &details[1]["previous"]), (&json!(true), &detail["revision"]));
}

/// Whoever may write the baseline can't also say how much it may do.
#[tokio::test]
async fn a_baseline_cannot_raise_what_the_deployment_allows() {
    let ceilings =
        [("KEEPER_MAX_RELEASES", "1"), ("KEEPER_MAX_REPLACEMENTS", "2"), ("KEEPER_MAX_ABANDONMENTS", "0")];
    let mut stack = guarded(&everybody(), &ceilings).await;
    let large = "limits: { max_replacements: 1000000, max_releases: 1000000, max_abandonments: 1000000 }";
    let rest = vec![large];
    let released = Document { assignments: vec![("r-exam", "none")], rest: rest.clone(), ..everybody() };
    let replaced = Document { version: 1, rest: rest.clone(), ..everybody() };
    let excluded = Document { rest: vec![large, "exclude: [\"300000000003\"]"], ..everybody() };
    for (document, what) in [(released, "releases"), (replaced, "replaces"), (excluded, "excludes")] {
        assert!(!publish(&mut stack, &document).await, "it {what} more than is allowed");
        assert!(is_repaired(&mut stack, SEARCH).await, "it {what}");
    }
}

async fn record(stack: &Stack, account: &str) -> Record {
    let known = stack.world.keeper.ledger().account(&account.parse().unwrap()).await.unwrap();
    known.regions[&EU.parse().unwrap()].clone()
}

/// `mode: audit` is the brake, and needs no approval. What it leaves to itself is not abandoned by that: a revision that
/// writes has it counted, and puts nothing back that somebody took out meanwhile.
#[tokio::test]
async fn what_a_brake_leaves_alone_is_counted_by_the_next_revision_and_not_put_back_by_it() {
    let mut stack = guarded(&everybody(), &[]).await;
    let nobody = Document { assignments: vec![("ou-exam-sandbox1", "none")], ..everybody() };
    assert!(publish(&mut stack, &Document { mode: "audit", ..nobody.clone() }).await, "it brakes at once");
    assert!(!is_repaired(&mut stack, SEARCH).await);
    let braked = record(&stack, SEARCH).await;
    assert_eq!(braked.checked.as_ref().map(|checked| checked.state), Some(State::WouldAbandon));
    assert!(braked.ours.is_some() && braked.would_abandon, "{braked:?}");

    // The same for good would abandon them all.
    assert!(!publish(&mut stack, &nobody).await, "more than five would be abandoned");
    let known = stack.world.keeper.ledger().revision_approval().await.unwrap().unwrap();
    assert!(known.counted.unwrap().abandonments > 5, "{known:?}");
    stack.deliver(&stack.schedule()).await;
    assert!(!stack.world.enforced_in(SEARCH).contains("eubase1a2b3c:2"), "somebody braked there");
    assert!(record(&stack, SEARCH).await.would_abandon, "it isn't abandoned by what waits");

    // Nor does another revision get there by way of the one that waits.
    let like_it = Document { rest: vec!["limits: { max_releases: 4 }"], ..nobody.clone() };
    assert!(!publish(&mut stack, &like_it).await);

    // The brake is let go, and all are guarded again.
    assert!(
        publish(&mut stack, &Document { rest: vec!["limits: { max_releases: 3 }"], ..everybody() }).await
    );
    assert!(stack.world.enforced_in(SEARCH).contains("eubase1a2b3c:2"));
    assert!(!record(&stack, SEARCH).await.would_abandon);
}

/// While a revision waits, the one before it guards an account that moved to where it assigns nothing, and came back.
#[tokio::test]
async fn an_account_that_went_and_came_back_while_a_revision_waits_is_guarded_as_before() {
    let workload = Document { assignments: vec![(WORKLOAD, "corporate")], ..everybody() };
    let mut stack = guarded(&workload, &[("KEEPER_MAX_ABANDONMENTS", "1")]).await;
    let nobody = Document { assignments: vec![(SANDBOX, "none")], ..everybody() };
    assert!(!publish(&mut stack, &nobody).await, "it has to wait");
    stack.world.server.with(|model| model.move_account(PAYMENTS, "r-exam")).unwrap();
    stack.deliver(&stack.world.event("MoveAccount")).await;
    assert!(!is_repaired(&mut stack, PAYMENTS).await, "nothing is assigned there");
    assert!(record(&stack, PAYMENTS).await.would_abandon);
    stack.world.server.with(|model| model.move_account(PAYMENTS, WORKLOAD)).unwrap();
    stack.deliver(&stack.world.event("MoveAccount")).await;
    let guarded = stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2");
    assert!(guarded, "{:?}", record(&stack, PAYMENTS).await.checked);
    assert!(!record(&stack, PAYMENTS).await.would_abandon);
}

/// Whoever may write the baseline gets no further with many small revisions than with one.
#[tokio::test]
async fn small_revisions_add_up_over_a_day() {
    let mut stack = guarded(&everybody(), &[("KEEPER_MAX_ABANDONMENTS", "2")]).await;
    let without = |excluded| Document { rest: vec![excluded], ..everybody() };
    assert!(publish(&mut stack, &without("exclude: [\"300000000001\"]")).await);
    assert!(publish(&mut stack, &without("exclude: [\"300000000001\", \"300000000002\"]")).await);
    let three = "exclude: [\"300000000001\", \"300000000002\", \"300000000003\"]";
    assert!(!publish(&mut stack, &without(three)).await, "the third of a day is one too many");
    assert!(is_repaired(&mut stack, SEARCH).await);
    let known = stack.world.keeper.ledger().revision_approval().await.unwrap().unwrap();
    assert_eq!((known.counted.unwrap().abandonments, known.earlier.abandonments), (1, 2), "{known:?}");

    // A day later it is a day's worth of its own.
    stack.world.wait(86_400);
    stack.deliver(&stack.schedule()).await;
    let later = "exclude: [\"300000000003\", \"300000000001\", \"300000000002\"]";
    assert!(publish(&mut stack, &without(later)).await);
    assert!(!is_repaired(&mut stack, SEARCH).await);
}

/// Accounts that move to where nothing is assigned lose their repairs: too many of them in a day wait for a person.
#[tokio::test]
async fn moves_to_where_nothing_is_assigned_are_limited_over_a_day() {
    let workload =
        Document { assignments: vec![(WORKLOAD, "corporate"), (SANDBOX, "corporate")], ..everybody() };
    let mut stack = guarded(&workload, &[("KEEPER_MAX_ABANDONMENTS", "1")]).await;
    let mut states = Vec::new();
    for account in [PAYMENTS, SHIPPING, PLAYGROUND] {
        stack.world.server.with(|model| model.move_account(account, "r-exam")).unwrap();
        stack.deliver(&stack.world.event("MoveAccount")).await;
        let checked = record(&stack, account).await.checked.unwrap();
        states.push((checked.state, checked.code));
    }
    let held = (State::Held, Some("too_many_moves".to_owned()));
    assert_eq!(states, [(State::LeftAlone, None), held.clone(), held]);
    // Another look counts nothing twice.
    stack.deliver(&stack.schedule()).await;
    assert_eq!(record(&stack, PAYMENTS).await.checked.unwrap().state, State::LeftAlone);
    assert_eq!(record(&stack, SHIPPING).await.checked.unwrap().state, State::Held);
}
