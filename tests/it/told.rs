//! Writes and departures that could not be told by the run that made or saw them: the next look tells them, once.
//! And what was not written is not told as written.

use std::collections::BTreeSet;

use expect_test::expect;
use guardrail_keeper::handler::Deadline;
use serde_json::Value;
use simulator::{Ended, Fault, FaultKind, Next};

use testkit::stack::{Stack, answer};
use testkit::world::{DELETE, Document, EU, LIST, PAYMENTS, PUT, Setup, World, check, schedule, version};

fn document(assigned: &'static str) -> Document {
    Document { regions: EU, assignments: vec![(PAYMENTS, assigned)], ..Document::default() }
}

fn setup() -> Setup {
    World::of(&document("corporate")).durable().variable("KEEPER_BUS", "outcomes")
}

/// What was put on the bus since this was asked last, but for the ends of sweeps and the changes of the baseline.
fn heard(world: &World) -> Vec<Value> {
    world.server.with(|model| {
        let events: Vec<Value> = model.put_events().iter().map(|put| put.event.clone()).collect();
        model.clear_put_events();
        let of_all = ["Sweep Completed", "Baseline Changed"];
        let is_of_one =
            |event: &Value| event["detail-type"].as_str().is_some_and(|kind| !of_all.contains(&kind));
        events.into_iter().filter(is_of_one).collect()
    })
}

/// A line for each event.
fn told(world: &World) -> String {
    let line = |event: Value| {
        let detail = &event["detail"];
        let late = if detail["write"]["late"] == true { " late" } else { "" };
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!("{} {}{late}\n", word(&event["detail-type"]), word(&detail["reason"]["code"]))
    };
    heard(world).into_iter().map(line).collect()
}

/// Works until the process dies at the call that a fault strikes. Another one goes on.
async fn die(stack: &mut Stack, fault: Fault) {
    stack.world.server.fault(fault);
    let mut dead = false;
    while !dead {
        let Stack { world, tasks, events, .. } = &mut *stack;
        let mut worked = false;
        for mapping in [tasks, events] {
            let next = mapping.next(&world.server).expect("it exists");
            let Next::Batch { invocation, event } = next else { continue };
            let ended = tokio::select! {
                biased;
                () = world.server.crashed() => Ended::Crashed,
                ended = answer(&world.keeper, &event, Deadline::NONE) => ended,
            };
            mapping.finish(&world.server, invocation, &ended).expect("it exists");
            (dead, worked) = (ended == Ended::Crashed, true);
            break;
        }
        assert!(worked || stack.wait(), "the fault struck no call");
    }
    stack.world.server.clear_faults();
    stack.world.keeper = stack.world.another_keeper().await;
}

/// All that follows, and that nothing is told once more by what comes later.
async fn told_in_the_end(stack: &mut Stack) -> String {
    stack.settle().await;
    let told = told(&stack.world);
    stack.deliver(&stack.schedule()).await;
    assert_eq!(heard(&stack.world), [Value::Null; 0], "{told}");
    told
}

fn crash() -> Fault {
    Fault::new(FaultKind::Crash)
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_told_by_the_next_look() {
    let mut stack = Stack::start(setup().hurried()).await;
    stack.world.server.fault(Fault::new(FaultKind::Hang).operation(PUT).after_carrying_out());
    stack.send(&stack.schedule());
    stack.work().await;
    stack.world.server.clear_faults();
    check(
        &told_in_the_end(&mut stack).await,
        expect![[r#"
            Enforcement Held failed.transient
            Enforcement Applied absent late
        "#]],
    );
}

#[tokio::test]
async fn a_process_that_dies_after_a_write_leaves_it_to_the_next_look_to_tell() {
    for fault in [crash().operation(PUT).after_carrying_out(), crash().operation("PutEvents").nth(2)] {
        let mut stack = Stack::start(setup()).await;
        stack.send(&stack.schedule());
        die(&mut stack, fault).await;
        assert_eq!(told(&stack.world), "");
        assert_eq!(told_in_the_end(&mut stack).await, "Enforcement Applied absent late\n");
    }

    let mut stack = Stack::guarded(setup()).await;
    heard(&stack.world);
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.send(&stack.world.event(DELETE));
    die(&mut stack, crash().operation(PUT).after_carrying_out()).await;
    assert_eq!(told_in_the_end(&mut stack).await, "Enforcement Repaired removed late\n");

    stack.world.publish(&document("none"));
    stack.send(&stack.schedule());
    die(&mut stack, crash().operation(DELETE).after_carrying_out()).await;
    assert_eq!(told_in_the_end(&mut stack).await, "Enforcement Released not_wanted late\n");
}

/// Nobody knows whether AWS carried a release out whose answer was lost. What it denied, it didn't.
#[tokio::test]
async fn a_release_that_was_denied_is_not_told_when_somebody_else_makes_it() {
    for before in [DELETE, LIST] {
        let mut stack = Stack::guarded(setup()).await;
        heard(&stack.world);
        stack.world.publish(&document("none"));
        let denied = FaultKind::Denied { message: "No.".to_owned() };
        // The look right before the write comes after the one that decides.
        let fault = Fault::new(denied).operation(before).account(PAYMENTS);
        stack.world.server.fault(if before == LIST { fault.nth(2) } else { fault });
        stack.deliver(&stack.schedule()).await;
        // Everybody has just joined, so that what is denied may still come.
        assert_eq!(told(&stack.world), "Enforcement Held failed.not_ready\n", "{before}");
        stack.world.server.clear_faults();
        stack.world.administrator_releases(PAYMENTS, EU);
        stack.send(&stack.schedule());
        assert_eq!(told_in_the_end(&mut stack).await, "", "{before}");
    }
}

#[tokio::test]
async fn a_write_that_never_arrived_is_told_when_it_is_made() {
    let mut stack = Stack::start(setup()).await;
    stack.send(&stack.schedule());
    die(&mut stack, crash().operation(PUT)).await;
    assert_eq!(told_in_the_end(&mut stack).await, "Enforcement Applied absent\n");
}

#[tokio::test]
async fn a_write_that_is_told_twice_has_one_id() {
    let mut stack = Stack::start(setup()).await;
    stack.send(&stack.schedule());
    die(&mut stack, crash().operation("PutEvents").nth(2).after_carrying_out()).await;
    stack.settle().await;
    let events = heard(&stack.world);
    assert_eq!(events.len(), 2, "{events:#?}");
    let ids: BTreeSet<&str> =
        events.iter().filter_map(|event| event["detail"]["write"]["id"].as_str()).collect();
    assert_eq!(ids.len(), 1, "{events:#?}");
}

#[tokio::test]
async fn what_a_bus_refuses_is_told_when_it_takes_it() {
    let mut stack = Stack::start(setup()).await;
    stack
        .world
        .server
        .fault(Fault::new(FaultKind::Denied { message: "No.".to_owned() }).operation("PutEvents"));
    stack.deliver(&stack.schedule()).await;
    stack.deliver(&stack.schedule()).await;
    assert_eq!(told(&stack.world), "");
    stack.world.server.clear_faults();
    stack.send(&stack.schedule());
    assert_eq!(told_in_the_end(&mut stack).await, "Enforcement Applied absent late\n");
}

#[tokio::test]
async fn a_departure_that_could_not_be_told_is_told_by_the_next_look() {
    let refused = || Fault::new(FaultKind::Denied { message: "No.".to_owned() }).operation("PutEvents");
    for died in [true, false] {
        let mut stack = Stack::guarded(setup()).await;
        heard(&stack.world);
        stack.world.server.with(|model| model.suspend(PAYMENTS));
        stack.send(&stack.schedule());
        if died {
            die(&mut stack, crash().operation("PutEvents").nth(1)).await;
        } else {
            stack.world.server.fault(refused());
            stack.settle().await;
            stack.world.server.clear_faults();
            assert_eq!(told(&stack.world), "");
            stack.send(&stack.schedule());
        }
        assert_eq!(told_in_the_end(&mut stack).await, "Account Departed departed\n");
    }
}

#[tokio::test]
async fn without_queues_it_is_told_once_the_run_that_wrote_has_ended() {
    let world = setup().start().await;
    world.server.fault(Fault::new(FaultKind::Denied { message: "No.".to_owned() }).operation("PutEvents"));
    world.deliver(&schedule()).await.unwrap();
    world.server.clear_faults();
    world.deliver(&schedule()).await.unwrap();
    assert_eq!(told(&world), "");
    world.wait(901);
    world.deliver(&schedule()).await.unwrap();
    assert_eq!(told(&world), "Enforcement Applied absent late\n");
    world.deliver(&schedule()).await.unwrap();
    assert_eq!(told(&world), "");
}

#[tokio::test]
async fn what_an_old_answer_made_seem_necessary_is_not_told_as_repaired() {
    let world = setup().start().await;
    world.deliver(&schedule()).await.unwrap();
    world.administrator_releases(PAYMENTS, EU);
    world.deliver(&schedule()).await.unwrap();
    heard(&world);
    world.server.clear_calls();
    // The keeper's own write doesn't show yet when the plan is made, and shows right before the next one.
    world.server.fault(Fault::new(FaultKind::LaggingRead).operation(LIST).account(PAYMENTS).nth(1));
    let answer = world.deliver(&schedule()).await.unwrap();
    assert_eq!(world.writes(), [""; 0]);
    assert_eq!(told(&world), "");
    assert_eq!(answer["report"]["counts"]["in_sync"], 1, "{answer:#}");
}

#[tokio::test]
async fn what_somebody_else_puts_there_meanwhile_is_not_taken_for_ours() {
    let world = setup().start().await;
    world.server.fault(Fault::new(FaultKind::StaleRead).operation(LIST).account(PAYMENTS).times(1));
    world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    world.deliver(&schedule()).await.unwrap_err();
    assert_eq!(told(&world), "Enforcement Held failed.transient\n");
    assert_eq!(world.writes(), [""; 0]);
    world.deliver(&schedule()).await.unwrap();
    assert_eq!(told(&world), "Enforcement Adopted as_wanted\n");

    // What was adopted isn't released without an approval; what was applied would be.
    world.publish(&document("none"));
    world.deliver(&schedule()).await.unwrap();
    assert_eq!(told(&world), "Enforcement Held releases_adopted\nAttention Needed releases_adopted\n");
    assert_eq!(world.writes(), [""; 0]);
}
