//! A world with queues, and what Lambda does between them and the function: one step at a time, so that
//! a test decides what comes when.

use std::cell::Cell;
use std::time::Duration;

use guardrail_keeper::engine::Keeper;
use guardrail_keeper::handler::{Deadline, handle_until};
use serde_json::Value;
use simulator::{Ended, EventSourceMapping, Next, QueueName, SendMessage};

use crate::queues;
use crate::world::{HUB, Setup, World};

/// What of a deployed stack stands between an event and the work.
pub struct Stack {
    pub world: World,
    pub events: EventSourceMapping,
    pub tasks: EventSourceMapping,
    /// How much time an invocation has left for long work.
    pub deadline: Deadline,
    /// How often the function was invoked.
    pub invocations: Cell<usize>,
}

pub fn events_queue() -> QueueName {
    queues::events_queue(HUB)
}

pub fn tasks_queue() -> QueueName {
    queues::tasks_queue(HUB)
}

/// The most invocations that any of these tests needs; more are a loop.
const TOO_MANY: usize = 2_000;

impl Stack {
    /// Starts a world whose keeper works through queues.
    pub async fn start(setup: Setup) -> Stack {
        let world = setup.queued().start().await;
        Stack {
            world,
            events: EventSourceMapping::new(&events_queue()),
            tasks: EventSourceMapping::new(&tasks_queue()).batch_size(1),
            deadline: Deadline::NONE,
            invocations: Cell::new(0),
        }
    }

    /// A stack in which everybody is guarded and nothing is left in a queue.
    pub async fn guarded(setup: Setup) -> Stack {
        let mut stack = Stack::start(setup).await;
        stack.deliver(&stack.schedule()).await;
        stack.world.server.clear_calls();
        stack
    }

    /// A scheduled event with an id of its own: SQS would take a second of the same id for the first.
    pub fn schedule(&self) -> Value {
        let mut event = crate::world::schedule();
        let count = self.invocations.get();
        event["id"] = format!("00000000-0000-4000-8000-{count:012}").into();
        event
    }

    /// Puts an event on the queue, as the bus does.
    pub fn send(&self, event: &Value) {
        self.send_text(&event.to_string());
    }

    pub fn send_text(&self, body: &str) {
        let message = SendMessage { body: body.to_owned(), ..SendMessage::default() };
        self.world.server.with(|model| {
            model.send_message(&events_queue(), HUB, message).expect("the queue takes it");
        });
    }

    /// Sends an event and lets everything that follows from it happen.
    pub async fn deliver(&mut self, event: &Value) {
        self.send(event);
        self.settle().await;
    }

    /// Works until both queues are empty. The clock goes on where all there is waits.
    #[track_caller]
    pub fn settle(&mut self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            for _ in 0..TOO_MANY {
                if !self.step().await && !self.wait() {
                    return;
                }
            }
            panic!("{place}: it goes on for ever: {}", self.left());
        }
    }

    /// Works until nothing is there that needs no waiting.
    pub async fn work(&mut self) {
        while self.step().await {}
    }

    /// One invocation, if there is anything to hand out now. Tasks come first: an event that waits
    /// behind them loses nothing.
    pub async fn step(&mut self) -> bool {
        let keeper = &self.world.keeper;
        for mapping in [&mut self.tasks, &mut self.events] {
            if let Next::Batch { invocation, event } = mapping.next(&self.world.server).expect("it exists") {
                self.invocations.set(self.invocations.get() + 1);
                let ended = answer(keeper, &event, self.deadline).await;
                mapping.finish(&self.world.server, invocation, &ended).expect("it exists");
                return true;
            }
        }
        false
    }

    /// Goes on with the clock to when something becomes visible.
    pub fn wait(&mut self) -> bool {
        let now = || self.world.server.with(|model| model.clock.now().as_second());
        let before = now();
        let waited = queues::wait(&self.world.server, [&mut self.events, &mut self.tasks]);
        self.world.clock.advance(now() - before);
        waited
    }

    /// What is left in the queues, by name.
    pub fn left(&self) -> String {
        queues::left(&self.world.server, HUB)
    }
}

/// Calls the function as Lambda would.
pub async fn answer(keeper: &Keeper, event: &Value, deadline: Deadline) -> Ended {
    // On the heap: tests wait for this many times, and each would have room for it on its stack.
    match Box::pin(handle_until(keeper, &event.to_string(), deadline)).await {
        Ok(answer) => Ended::Answered(answer),
        Err(_) => Ended::Failed,
    }
}

/// So little time that one page of a list is all that fits.
pub fn no_time() -> Deadline {
    Deadline::after(Duration::ZERO)
}
