//! The queues between events and the work, as the template makes them, in whatever account is the hub.

use std::collections::BTreeMap;

use simulator::{EventSourceMapping, QueueAttributes, QueueName, Redrive, Server};

const REGION: &str = "us-east-1";

pub fn events_queue(hub: &str) -> QueueName {
    QueueName::new(hub, REGION, "events")
}

pub fn tasks_queue(hub: &str) -> QueueName {
    QueueName::new(hub, REGION, "tasks.fifo")
}

fn dead_events(hub: &str) -> QueueName {
    QueueName::new(hub, REGION, "dead-events")
}

fn dead_tasks(hub: &str) -> QueueName {
    QueueName::new(hub, REGION, "dead-tasks.fifo")
}

/// Makes the queues, and answers the settings that name them.
pub fn make_queues(server: &Server, hub: &str) -> BTreeMap<String, String> {
    let attributes = |fifo: bool, dead_letter_queue: QueueName| QueueAttributes {
        fifo,
        visibility_timeout: 720,
        redrive: Some(Redrive { dead_letter_queue, max_receive_count: 5 }),
        ..QueueAttributes::default()
    };
    server.with(|model| {
        let plain = |fifo| QueueAttributes { fifo, ..QueueAttributes::default() };
        model.create_queue(&dead_events(hub), plain(false)).expect("it is new");
        model.create_queue(&dead_tasks(hub), plain(true)).expect("it is new");
        model.create_queue(&events_queue(hub), attributes(false, dead_events(hub))).expect("it is new");
        model.create_queue(&tasks_queue(hub), attributes(true, dead_tasks(hub))).expect("it is new");
    });
    BTreeMap::from([
        ("KEEPER_EVENTS_QUEUE".to_owned(), server.queue_url(&events_queue(hub))),
        ("KEEPER_TASKS_QUEUE".to_owned(), server.queue_url(&tasks_queue(hub))),
    ])
}

/// Goes on with the clock to when something becomes visible that nothing else would bring; says whether
/// there is such a time.
pub fn wait(server: &Server, mappings: [&mut EventSourceMapping; 2]) -> bool {
    let next = |mapping: &mut EventSourceMapping| mapping.next_time(server).expect("the queue is there");
    let Some(until) = mappings.into_iter().filter_map(next).min() else { return false };
    // The clock runs, and may have passed it meanwhile.
    server.with(|model| model.clock.set(until.max(model.clock.now())));
    true
}

/// Nothing is left in any queue.
pub const EMPTY: &str = "0 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo";

/// What is left in the queues, by name.
pub fn left(server: &Server, hub: &str) -> String {
    let queues = [events_queue(hub), tasks_queue(hub), dead_events(hub), dead_tasks(hub)];
    let count = |queue: &QueueName| {
        server.with(|model| model.queue(queue).map_or(0, |queue| queue.messages().count()))
    };
    let left: Vec<String> = queues.iter().map(|queue| format!("{} {}", count(queue), queue.name)).collect();
    left.join(", ")
}
