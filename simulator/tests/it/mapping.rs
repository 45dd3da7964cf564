//! A queue in front of a function, as Lambda drives it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{
    Ended, EventRule, EventSourceMapping, Finished, Next, QueueAttributes, QueueName, Redrive, SendMessage,
    Server,
};

use crate::client::{Client, MANAGEMENT, start};

fn queue(simulator: &Server, name: &str, attributes: QueueAttributes) -> QueueName {
    let queue = QueueName::new(MANAGEMENT, "us-east-1", name);
    simulator.with(|model| model.create_queue(&queue, attributes)).expect("it can be");
    queue
}

fn standard(simulator: &Server) -> QueueName {
    queue(simulator, "events", QueueAttributes::default())
}

fn fifo(simulator: &Server) -> QueueName {
    queue(simulator, "tasks.fifo", QueueAttributes { fifo: true, ..QueueAttributes::default() })
}

fn send(simulator: &Server, queue: &QueueName, body: &str) {
    let sent = simulator.with(|model| model.send_message(queue, "test", SendMessage::new(body)));
    sent.expect("it is taken");
}

fn send_in_group(simulator: &Server, queue: &QueueName, group: &str, body: &str) {
    let message = SendMessage::in_group(body, group, body);
    simulator.with(|model| model.send_message(queue, "test", message)).expect("it is taken");
}

#[track_caller]
fn batch(mapping: &mut EventSourceMapping, simulator: &Server) -> (u64, Value) {
    match mapping.next(simulator).expect("the queue is there") {
        Next::Batch { invocation, event } => (invocation, event),
        other => panic!("{other:?}"),
    }
}

fn bodies(event: &Value) -> Vec<&str> {
    let records = event["Records"].as_array().expect("records");
    records.iter().filter_map(|record| record["body"].as_str()).collect()
}

fn answered() -> Ended {
    Ended::Answered(Value::Null)
}

#[tokio::test]
async fn the_event_is_what_lambda_makes() {
    let simulator = start().await;
    let queue = fifo(&simulator);
    let attribute = json!({ "DataType": "String", "StringValue": "two" });
    let message = SendMessage {
        attributes: json!({ "one": attribute }).as_object().cloned().unwrap_or_default(),
        ..SendMessage::in_group("hello", "a", "d")
    };
    simulator.with(|model| model.send_message(&queue, "AIDATEST", message)).expect("it is taken");
    let (_, event) = batch(&mut EventSourceMapping::new(&queue), &simulator);
    let record = &event["Records"][0];
    let now = simulator.with(|model| model.now()).as_millisecond().to_string();
    assert_eq!(
        *record,
        json!({
            "messageId": record["messageId"],
            "receiptHandle": record["receiptHandle"],
            "body": "hello",
            "attributes": {
                "ApproximateFirstReceiveTimestamp": now,
                "ApproximateReceiveCount": "1",
                "MessageDeduplicationId": "d",
                "MessageGroupId": "a",
                "SenderId": "AIDATEST",
                "SentTimestamp": now,
                "SequenceNumber": "18850000000000000256",
            },
            "messageAttributes": {
                "one": { "stringValue": "two", "stringListValues": [], "binaryListValues": [], "dataType": "String" },
            },
            "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:111111111111:tasks.fifo",
            "awsRegion": "us-east-1",
        })
    );
    simulator.stop().await;
}

#[tokio::test]
async fn what_failed_comes_back_after_the_visibility_timeout() {
    let simulator = start().await;
    let queue = standard(&simulator);
    for body in ["one", "two", "three"] {
        send(&simulator, &queue, body);
    }
    let mut mapping = EventSourceMapping::new(&queue);
    let (first, event) = batch(&mut mapping, &simulator);
    assert_eq!(bodies(&event), ["one", "two", "three"]);
    let failed = event["Records"][1]["messageId"].clone();
    let partly = json!({ "batchItemFailures": [{ "itemIdentifier": failed }] });
    let finished = mapping.finish(&simulator, first, &Ended::Answered(partly)).expect("the queue is there");
    assert_eq!((finished.deleted.len(), &json!(finished.left)), (2, &json!([failed])));
    let begun = simulator.with(|model| model.now());
    for (round, ended) in [Ended::Failed, Ended::Crashed].into_iter().enumerate() {
        let due = begun + Duration::from_secs(30 * (round as u64 + 1));
        assert_eq!(mapping.next(&simulator), Ok(Next::Later(due)), "not before");
        assert_eq!(mapping.wait(&simulator), Ok(Some(due)));
        let (again, event) = batch(&mut mapping, &simulator);
        assert_eq!(bodies(&event), ["two"]);
        let count = (round + 2).to_string();
        assert_eq!(event["Records"][0]["attributes"]["ApproximateReceiveCount"], count.as_str());
        assert_eq!(mapping.finish(&simulator, again, &ended).expect("the queue is there").left.len(), 1);
    }
    mapping.wait(&simulator).expect("the queue is there");
    let (last, _) = batch(&mut mapping, &simulator);
    mapping.finish(&simulator, last, &answered()).expect("the queue is there");
    assert_eq!(mapping.next(&simulator), Ok(Next::Idle));
    assert_eq!(mapping.wait(&simulator), Ok(None));
    simulator.stop().await;
}

#[tokio::test]
async fn batches_run_side_by_side_but_never_two_of_a_group() {
    let simulator = start().await;
    let queue = fifo(&simulator);
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        send_in_group(&simulator, &queue, group, body);
    }
    let mut mapping = EventSourceMapping::new(&queue).batch_size(1).maximum_concurrency(3);
    let (first, event) = batch(&mut mapping, &simulator);
    assert_eq!(bodies(&event), ["a1"]);
    let (second, event) = batch(&mut mapping, &simulator);
    assert_eq!(bodies(&event), ["b1"]);
    assert_eq!(mapping.next(&simulator), Ok(Next::Idle), "a2 waits for a1, whatever the time");
    assert_eq!(mapping.running().collect::<Vec<_>>(), [first, second]);
    send_in_group(&simulator, &queue, "c", "c1");
    batch(&mut mapping, &simulator);
    send_in_group(&simulator, &queue, "d", "d1");
    assert_eq!(mapping.next(&simulator), Ok(Next::Busy));
    mapping.finish(&simulator, first, &Ended::Crashed).expect("the queue is there");
    let (_, event) = batch(&mut mapping, &simulator);
    assert_eq!(bodies(&event), ["d1"], "the crash keeps its group for the visibility timeout");
    simulator.stop().await;
}

#[tokio::test]
async fn a_call_that_ends_too_late_deletes_nothing() {
    let simulator = start().await;
    let queue = fifo(&simulator);
    send_in_group(&simulator, &queue, "a", "a1");
    let mut mapping = EventSourceMapping::new(&queue).maximum_concurrency(2);
    let (slow, _) = batch(&mut mapping, &simulator);
    simulator.with(|model| model.clock.advance(Duration::from_secs(30)));
    let (next, event) = batch(&mut mapping, &simulator);
    assert_eq!(bodies(&event), ["a1"]);
    let late = mapping.finish(&simulator, slow, &answered()).expect("the queue is there");
    assert_eq!((late.deleted.len(), late.left.len()), (0, 1));
    let done = mapping.finish(&simulator, next, &answered()).expect("the queue is there");
    assert_eq!(done.deleted.len(), 1);
    assert_eq!(mapping.finish(&simulator, next, &answered()), Ok(Finished::default()), "it ended before");
    simulator.stop().await;
}

/// Sends messages of several groups and hands them out until there are none; what the function saw, batch by
/// batch.
async fn history(seed: u64) -> Vec<Vec<String>> {
    let simulator = start().await;
    let queue = fifo(&simulator);
    for number in 0..60 {
        let group = format!("g{}", number % 7);
        send_in_group(&simulator, &queue, &group, &format!("{group}-{number:02}"));
    }
    let mut mapping =
        EventSourceMapping::new(&queue).batch_size(3).maximum_concurrency(4).shuffled(seed).duplicating(2);
    let (mut seen, mut running) = (Vec::new(), BTreeMap::new());
    let mut crashes = 3;
    loop {
        match mapping.next(&simulator).expect("the queue is there") {
            Next::Batch { invocation, event } => {
                let bodies: Vec<String> = bodies(&event).into_iter().map(str::to_owned).collect();
                let groups: BTreeSet<String> = bodies.iter().map(|body| body[..2].to_owned()).collect();
                let busy = running.values().any(|other: &BTreeSet<String>| !other.is_disjoint(&groups));
                assert!(!busy, "{groups:?} beside {running:?}");
                running.insert(invocation, groups);
                seen.push(bodies);
            }
            _ if !running.is_empty() => {
                let (invocation, _) = running.pop_last().expect("not empty");
                let ended = if crashes > 0 { Ended::Crashed } else { answered() };
                crashes -= i32::from(crashes > 0);
                mapping.finish(&simulator, invocation, &ended).expect("the queue is there");
            }
            Next::Later(_) => drop(mapping.wait(&simulator).expect("the queue is there")),
            Next::Busy | Next::Idle => break,
        }
    }
    simulator.stop().await;
    seen
}

#[tokio::test]
async fn a_seed_decides_the_order_across_groups_and_none_within() {
    let one = history(1).await;
    assert_eq!(one, history(1).await, "the same again");
    assert_ne!(one, history(2).await, "another seed");
    for seed in 1..20 {
        let mut last: BTreeMap<String, String> = BTreeMap::new();
        let seen = history(seed).await.concat();
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), 60, "nothing is lost");
        for body in &seen {
            // What a crash left comes again, before anything after it.
            let group = body[..2].to_owned();
            let before = last.insert(group, body.clone());
            let again = seen.iter().filter(|other| *other == body).count() > 1;
            assert!(again || before.is_none_or(|before| before < *body), "{body} in {seen:?}");
        }
    }
}

#[tokio::test]
async fn a_standard_queue_delivers_some_messages_twice() {
    let simulator = start().await;
    let queue = standard(&simulator);
    for number in 0..50 {
        send(&simulator, &queue, &number.to_string());
    }
    let mut mapping =
        EventSourceMapping::new(&queue).batch_size(4).maximum_concurrency(2).shuffled(3).duplicating(5);
    let (mut seen, mut handles, mut running): (BTreeMap<String, u32>, BTreeSet<String>, Vec<u64>) =
        Default::default();
    loop {
        match mapping.next(&simulator).expect("the queue is there") {
            Next::Batch { invocation, event } => {
                for record in event["Records"].as_array().expect("records") {
                    *seen.entry(record["messageId"].to_string()).or_default() += 1;
                    handles.insert(record["receiptHandle"].to_string());
                }
                running.push(invocation);
            }
            _ if !running.is_empty() => {
                let finished = mapping.finish(&simulator, running.remove(0), &answered());
                finished.expect("the queue is there");
            }
            _ => break,
        }
    }
    let twice = seen.values().filter(|count| **count == 2).count();
    assert_eq!(seen.len(), 50, "nothing is lost");
    assert!((3..25).contains(&twice), "{twice} came twice");
    assert!(seen.values().all(|count| *count <= 2));
    assert!(handles.len() > 50, "a copy has a handle of its own while the first is in flight");
    simulator.with(|model| {
        let queue = model.queue(&queue).expect("it is there");
        assert_eq!(queue.messages().count(), 0, "a copy leaves nothing behind");
    });
    simulator.stop().await;
}

#[tokio::test]
async fn poison_ends_in_the_dead_letter_queue() {
    let simulator = start().await;
    let dead = queue(&simulator, "dead", QueueAttributes::default());
    let redrive = Some(Redrive { dead_letter_queue: dead.clone(), max_receive_count: 3 });
    let live = queue(&simulator, "live", QueueAttributes { redrive, ..QueueAttributes::default() });
    send(&simulator, &live, "poison");
    let mut mapping = EventSourceMapping::new(&live);
    let mut calls = 0;
    while mapping.wait(&simulator).expect("the queue is there").is_some() {
        let Next::Batch { invocation, .. } = mapping.next(&simulator).expect("the queue is there") else {
            break;
        };
        calls += 1;
        mapping.finish(&simulator, invocation, &Ended::Failed).expect("the queue is there");
    }
    assert_eq!(calls, 3);
    let left = simulator.with(|model| model.queue(&dead).expect("it is there").messages().count());
    assert_eq!(left, 1);
    simulator.stop().await;
}

#[tokio::test]
async fn a_rule_brings_events_to_a_queue() {
    let simulator = start().await;
    let queue = standard(&simulator);
    let hub = Client::new(&simulator, MANAGEMENT);
    let mut organizations = EventRule::to(&queue)
        .account(MANAGEMENT)
        .region("us-east-1")
        .bus("keeper")
        .matching(|event| event["source"] != "aws.ssm");
    let put = |bus: &str| json!([{ "Source": "request", "DetailType": "Sweep", "Detail": "{}", "EventBusName": bus }]);
    let parameter = json!({ "Name": "/one", "Value": "two", "Type": "String" });
    hub.ssm("PutParameter", parameter).await;
    hub.organizations("CreateAccount", json!({ "AccountName": "new", "Email": "new@example.com" })).await;
    hub.put_events(put("keeper")).await;
    hub.put_events(put("default")).await;
    let sent = organizations.deliver(&simulator).expect("the queue is there");
    let (_, event) = batch(&mut EventSourceMapping::new(&queue), &simulator);
    let seen: Vec<Value> =
        bodies(&event).iter().map(|body| serde_json::from_str(body).expect("an event")).collect();
    assert_eq!(seen.len(), sent);
    let kinds: Vec<_> =
        seen.iter().map(|event| event["detail"]["eventName"].as_str().unwrap_or("Sweep")).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "Sweep").count(), 1, "of its bus only: {kinds:?}");
    assert_eq!(kinds.first(), Some(&"CreateAccount"), "in the order in which it came about");
    assert!(kinds.contains(&"CreateAccountResult"), "{kinds:?}");
    assert_eq!(organizations.deliver(&simulator), Ok(0), "each once");
    let mut later = EventRule::to(&queue).from_now(&simulator);
    hub.put_events(put("default")).await;
    assert_eq!(later.deliver(&simulator), Ok(1));
    simulator.reset();
    let nowhere = organizations.deliver(&simulator);
    assert_eq!(nowhere, Ok(0), "nothing to send, so nobody misses the queue");
    hub.put_events(put("keeper")).await;
    assert_eq!(organizations.deliver(&simulator).expect_err("the queue is gone").code, "QueueDoesNotExist");
    assert!(organizations.deliver(&simulator).is_err(), "and it isn't taken as sent");
    simulator.stop().await;
}
