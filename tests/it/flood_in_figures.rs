//! What a flood of one member's events costs, and how long another account waits for its repair meanwhile.
//! `docs/performance.md` has the figures of 100,000 events: `FLOOD_EVENTS=100000` prints them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use guardrail_keeper::engine::Keeper;
use guardrail_keeper::handler::Deadline;
use simulator::{EventSourceMapping, Next};
use testkit::queues::EMPTY;
use testkit::stack::{Stack, answer};
use testkit::world::{DELETE, Document, EU, HUB, PAYMENTS, SHIPPING, World};

/// Processes that plan, and that work on tasks, at a time: as the template deploys them.
const PLANNERS: usize = 5;
const WORKERS: usize = 10;

/// What invocations of one queue came to.
#[derive(Debug, Default)]
struct Lane {
    invocations: usize,
    took: Duration,
}

impl Lane {
    /// One invocation for each of these processes, if there is so much to hand out.
    async fn turn(&mut self, mapping: &mut EventSourceMapping, stack: &World, keepers: &[Keeper]) -> bool {
        let before = self.invocations;
        for keeper in keepers {
            let Next::Batch { invocation, event } = mapping.next(&stack.server).unwrap() else { break };
            let began = Instant::now();
            let ended = answer(keeper, &event, Deadline::NONE).await;
            self.took += began.elapsed();
            self.invocations += 1;
            mapping.finish(&stack.server, invocation, &ended).unwrap();
        }
        self.invocations > before
    }

    fn milliseconds(&self) -> f64 {
        self.took.as_secs_f64() * 1000.0 / f64::from(u32::try_from(self.invocations.max(1)).unwrap())
    }
}

/// The calls that were made, by operation, most first.
fn calls(world: &World) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for call in world.server.calls() {
        *calls.entry(call.operation).or_default() += 1;
    }
    calls
}

#[tokio::test]
async fn a_flood_in_figures() {
    let events: usize = std::env::var("FLOOD_EVENTS").map_or(2_000, |text| text.parse().unwrap());
    let document = Document { regions: EU, ..Document::default() };
    let setup = World::of(&document).long_established().variable("KEEPER_LEDGER", "table:ledger");
    let mut stack = Stack::start(setup.variable("KEEPER_BUS", "outcomes")).await;
    stack.world.server.with(|model| model.create_table(HUB, "us-east-1", "ledger", "key")).unwrap();
    stack.deliver(&stack.schedule()).await;
    stack.world.server.clear_calls();
    // What each of its tasks would cost.
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.deliver(&stack.world.event(DELETE)).await;
    let one = calls(&stack.world);
    let of_one: usize = one.values().sum();
    stack.world.wait(3600);
    stack.world.server.clear_calls();

    stack.world.administrator_releases(PAYMENTS, EU);
    let mut event = stack.world.event(DELETE);
    for number in 0..events {
        event["id"] = format!("00000000-0000-4000-b000-{number:012}").into();
        stack.send(&event);
    }
    // Another account's event lies behind all of them.
    stack.world.administrator_releases(SHIPPING, EU);
    stack.send(&stack.world.event(DELETE));
    let mut planners = Vec::new();
    for _ in 0..PLANNERS {
        planners.push(stack.world.another_keeper().await);
    }
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(stack.world.another_keeper().await);
    }
    let (mut planning, mut working, mut repaired) = (Lane::default(), Lane::default(), None);
    loop {
        let Stack { world, events, tasks, .. } = &mut stack;
        let planned = planning.turn(events, world, &planners).await;
        let worked = working.turn(tasks, world, &workers).await;
        if repaired.is_none() && world.enforced_in(SHIPPING).contains("eubase1a2b3c:2") {
            repaired = Some(planning.invocations);
        }
        if !(planned || worked || stack.wait()) {
            break;
        }
        // Five batches of ten a second.
        stack.world.wait(1);
    }
    let calls = calls(&stack.world);
    let all: usize = calls.values().sum();
    println!("{events} events of one member: {of_one} calls for one look of it ({one:?})");
    println!("planning: {} invocations of {:.1} ms", planning.invocations, planning.milliseconds());
    println!("tasks: {} invocations of {:.1} ms", working.invocations, working.milliseconds());
    println!("calls: {all} ({calls:?})");
    println!("another account was repaired after {repaired:?} invocations that plan");
    assert_eq!(stack.left(), EMPTY);
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"));
    // Each planner queues what it serves at once, and two looks a minute; no event costs a call.
    let seconds = events / 10 / PLANNERS;
    let most = PLANNERS * (5 + 2 * (seconds / 60 + 2)) + 2;
    assert!(working.invocations <= most, "{} tasks, and {most} are allowed", working.invocations);
    // The other one's task does not wait behind the flood's: it is done as soon as its event is planned.
    // Some batches are not full.
    let soon = events / 10 + 2 * PLANNERS;
    assert!(repaired.is_some_and(|repaired| repaired <= soon), "{repaired:?}, and {soon} are allowed");
}
