//! The queues.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use aws_sdk_sqs::types::QueueAttributeName;
use guardrail_keeper::cloud::{DelayedMessage, FifoMessage};
use guardrail_keeper::failure::Category;
use serde_json::{Value, json};

use crate::between::Fault;
use crate::place::Place;

const SEND: &str = "SendMessageBatch";

/// The nth message of a group.
fn task(group: &str, n: usize) -> FifoMessage {
    FifoMessage {
        group: group.to_owned(),
        deduplication_id: format!("{group}-{n}"),
        body: json!({ "group": group, "n": n }).to_string(),
    }
}

fn event(text: &str, delay_seconds: u16) -> DelayedMessage {
    DelayedMessage { body: text.to_owned(), delay_seconds }
}

/// The bodies received, by group, in the order they came.
async fn by_group(place: &Place, queue: &str) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (group, body) in place.received(queue).await {
        groups.entry(group).or_default().push(body);
    }
    groups
}

/// Refuses the entries whose bodies contain `which`, and passes the others on.
fn refuse(which: &'static str, code: &'static str, sender_fault: bool) -> Fault {
    Fault::between(move |request, pass_on| {
        let mut request = request.clone();
        let entries = request["Entries"].as_array().unwrap().clone();
        let (bad, good): (Vec<Value>, Vec<Value>) =
            entries.into_iter().partition(|entry| entry["MessageBody"].as_str().unwrap().contains(which));
        assert!(!bad.is_empty(), "nothing to refuse in {request}");
        request["Entries"] = json!(good);
        let mut answer = if good.is_empty() { json!({ "Successful": [] }) } else { pass_on(&request) };
        let bad = bad.iter().map(|entry| {
            json!({ "Id": entry["Id"], "Code": code, "SenderFault": sender_fault, "Message": "so the test says" })
        });
        answer["Failed"] = bad.collect();
        Some(answer)
    })
}

#[tokio::test]
async fn each_group_arrives_in_its_order() {
    let place = Place::open().await;
    let queue = place.queue("order.fifo").await;
    let groups = ["111111111111", "222222222222", "arn:aws:bedrock:eu-west-1:333333333333:guardrail/abc"];
    let messages: Vec<FifoMessage> = (0..12).flat_map(|n| groups.map(|group| task(group, n))).collect();
    place.cloud.queues().send_tasks(&queue, &messages).await.unwrap();
    let received = by_group(&place, &queue).await;
    assert_eq!(received.keys().collect::<BTreeSet<_>>(), groups.map(str::to_owned).iter().collect());
    for group in groups {
        assert_eq!(received[group], (0..12).map(|n| task(group, n).body).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn many_groups_go_in_batches_of_ten() {
    let place = Place::open().await;
    let queue = place.queue("batches.fifo").await;
    let messages: Vec<FifoMessage> = (0..57).map(|n| task(&format!("{n:012}"), 0)).collect();
    place.cloud.queues().send_tasks(&queue, &messages).await.unwrap();
    assert_eq!(place.between.calls(), [SEND; 6]);
    let received = by_group(&place, &queue).await;
    assert_eq!(received.len(), 57);
    assert!(received.values().all(|bodies| bodies.len() == 1));
    place.cloud.queues().send_tasks(&queue, &[]).await.unwrap();
    assert_eq!(place.between.calls(), [""; 0]);
}

#[tokio::test]
async fn what_is_sent_again_arrives_once() {
    let place = Place::open().await;
    let queue = place.queue("deduplicated.fifo").await;
    let messages: Vec<FifoMessage> = (0..3).map(|n| task("111111111111", n)).collect();
    let queues = place.cloud.queues();
    // Its answer is lost, so the SDK sends the first again.
    place.between.next(SEND, Fault::LoseAnswer);
    queues.send_tasks(&queue, &messages).await.unwrap();
    assert_eq!(place.between.calls(), [SEND; 4]);
    queues.send_tasks(&queue, &messages).await.unwrap();
    let received = by_group(&place, &queue).await;
    assert_eq!(received["111111111111"], messages.iter().map(|task| task.body.clone()).collect::<Vec<_>>());

    // The same work with another id is other work.
    let again = FifoMessage { deduplication_id: "another".to_owned(), ..task("111111111111", 0) };
    queues.send_tasks(&queue, &[again]).await.unwrap();
    assert_eq!(by_group(&place, &queue).await["111111111111"].len(), 1);
}

#[tokio::test]
async fn a_message_that_is_refused_for_a_while_holds_up_its_group_alone() {
    let place = Place::open().await;
    let queue = place.queue("partly.fifo").await;
    let messages: Vec<FifoMessage> =
        (0..3).flat_map(|n| [task("111111111111", n), task("222222222222", n)]).collect();
    let first = r#""111111111111","n":0"#;
    place.between.next(SEND, refuse(first, "InternalError", false));
    place.between.next(SEND, refuse(first, "RequestThrottled", true));
    place.cloud.queues().send_tasks(&queue, &messages).await.unwrap();
    assert_eq!(place.between.calls(), [SEND; 5]);
    let received = by_group(&place, &queue).await;
    for group in ["111111111111", "222222222222"] {
        assert_eq!(received[group], (0..3).map(|n| task(group, n).body).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_message_that_is_never_taken_is_counted_with_what_stays_behind_it() {
    let place = Place::open().await;
    let queue = place.queue("never.fifo").await;
    let queues = place.cloud.queues();
    let messages: Vec<FifoMessage> =
        (0..3).flat_map(|n| [task("111111111111", n), task("222222222222", n)]).collect();
    // The sender's fault: once is enough.
    place.between.next(SEND, Fault::Pass);
    place.between.next(SEND, refuse(r#""111111111111","n":1"#, "InvalidMessageContents", true));
    let failure = queues.send_tasks(&queue, &messages).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "SendMessageBatch: 3 of 6 were not sent: InvalidMessageContents: so the test says (rejected)"
    );
    assert_eq!(place.between.calls(), [SEND; 2]);
    let received = by_group(&place, &queue).await;
    assert_eq!(received["111111111111"].len(), 1);
    assert_eq!(received["222222222222"].len(), 2, "one refused message doesn't keep back its neighbours");

    // Not the sender's fault: several times, and then no more.
    for _ in 0..5 {
        place.between.next(SEND, refuse("333333333333", "InternalError", false));
    }
    let messages = [task("333333333333", 0), task("444444444444", 0)];
    let failure = queues.send_tasks(&queue, &messages).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "SendMessageBatch: 1 of 2 were not sent: InternalError: so the test says (transient)"
    );
    assert_eq!(place.between.calls(), [SEND; 5]);
}

#[tokio::test]
async fn an_entry_that_the_answer_leaves_out_was_not_sent() {
    let place = Place::open().await;
    let queue = place.queue("left-out").await;
    place.between.next(SEND, Fault::between(|_, _| Some(json!({ "Successful": [], "Failed": [] }))));
    place.cloud.queues().send_events(&queue, &[event("a", 0)]).await.unwrap();
    assert_eq!(place.between.calls(), [SEND; 2]);
    assert_eq!(place.received(&queue).await.len(), 1);
}

#[tokio::test]
async fn what_waits_is_delayed() {
    let place = Place::open().await;
    let queue = place.queue("events").await;
    let mut messages: Vec<DelayedMessage> = (0..12).map(|n| event(&format!("now {n}"), 0)).collect();
    messages.push(event("later", 900));
    messages.push(event("soon", 60));
    place.cloud.queues().send_events(&queue, &messages).await.unwrap();
    assert_eq!(place.between.calls(), [SEND; 2]);
    let received: BTreeSet<String> = place.received(&queue).await.into_iter().map(|(_, body)| body).collect();
    assert_eq!(received, (0..12).map(|n| format!("now {n}")).collect());
    let delayed = QueueAttributeName::ApproximateNumberOfMessagesDelayed;
    let request = place.sqs.get_queue_attributes().queue_url(&queue).attribute_names(delayed.clone());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.attributes().unwrap()[&delayed], "2");

    let failure =
        place.cloud.queues().send_events(&queue, &[event("a", 0), event("b", 901)]).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "SendMessageBatch: a delay of 901 s; SQS allows 900 s at most (rejected)"
    );
    assert_eq!(place.between.calls(), [""; 0]);
}

#[tokio::test]
async fn a_batch_stays_within_its_bytes_and_so_does_a_message() {
    let place = Place::open().await;
    let queue = place.queue("bytes").await;
    let queues = place.cloud.queues();
    let messages: Vec<DelayedMessage> =
        (0..9).map(|n| event(&format!("{n}{}", "x".repeat(60 * 1024)), 0)).collect();
    queues.send_events(&queue, &messages).await.unwrap();
    assert_eq!(place.between.calls(), [SEND; 3]);
    assert_eq!(place.received(&queue).await.len(), 9);

    let largest = event(&"x".repeat(256 * 1024), 0);
    queues.send_events(&queue, slice::from_ref(&largest)).await.unwrap();
    assert_eq!(place.received(&queue).await.len(), 1);
    place.between.calls();

    let larger = event(&format!("{}x", largest.body), 0);
    let failure = queues.send_events(&queue, &[event("a", 0), larger.clone()]).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "SendMessageBatch: a message of 262145 bytes; the limit is 262144 (rejected)"
    );
    let task = FifoMessage { body: larger.body, ..task("111111111111", 0) };
    assert_eq!(queues.send_tasks(&queue, &[task]).await.unwrap_err().category, Category::Rejected);
    assert_eq!(place.between.calls(), [""; 0]);
}

#[tokio::test]
async fn calls_that_fail_are_tried_again_or_named() {
    let place = Place::open().await;
    let queue = place.queue("faults").await;
    let queues = place.cloud.queues();
    place.between.next(SEND, Fault::Refuse("RequestThrottled"));
    place.between.next(SEND, Fault::Reset);
    queues.send_events(&queue, &[event("a", 0)]).await.unwrap();
    assert_eq!(place.between.calls(), [SEND; 3]);
    assert_eq!(place.received(&queue).await.len(), 1);

    place.between.next(SEND, Fault::Refuse("AccessDenied"));
    let failure = queues.send_events(&queue, &[event("a", 0), event("b", 0)]).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "SendMessageBatch: 2 of 2 were not sent: AccessDenied: as the test says (denied)"
    );

    let nowhere = queue.replace("faults", "nowhere");
    let failure = queues.send_events(&nowhere, &[event("a", 0)]).await.unwrap_err();
    assert_eq!(failure.category, Category::Rejected, "{failure}");
}
