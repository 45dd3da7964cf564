//! The bus, listened to through a rule and a queue.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use guardrail_keeper::cloud::OutcomeEvent;
use serde_json::{Value, json};

use crate::between::Fault;
use crate::place::Place;

const PUT: &str = "PutEvents";

/// A bus, with a rule that puts the keeper's events on a queue: the queue's URL.
async fn listen(place: &Place, bus: &str) -> String {
    let queue = place.queue(bus).await;
    let request = place.sqs.get_queue_attributes().queue_url(&queue);
    let answer = request.attribute_names(QueueAttributeName::QueueArn).send().await.unwrap();
    let arn = answer.attributes().unwrap()[&QueueAttributeName::QueueArn].clone();
    place.eventbridge.create_event_bus().name(bus).send().await.unwrap();
    let request = place.eventbridge.put_rule().name("all").event_bus_name(bus);
    request.event_pattern(json!({ "source": ["guardrail-keeper"] }).to_string()).send().await.unwrap();
    let target = Target::builder().id("queue").arn(arn).build().unwrap();
    let request = place.eventbridge.put_targets().rule("all").event_bus_name(bus).targets(target);
    request.send().await.unwrap();
    queue
}

/// The events received, by the number in their detail.
async fn heard(place: &Place, queue: &str) -> BTreeMap<u64, Vec<Value>> {
    let mut heard: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for (_, body) in place.received(queue).await {
        let event: Value = serde_json::from_str(&body).unwrap();
        heard.entry(event["detail"]["n"].as_u64().unwrap()).or_default().push(event);
    }
    heard
}

fn outcome(n: u64) -> OutcomeEvent {
    OutcomeEvent {
        detail_type: "Enforcement Applied".to_owned(),
        detail: json!({ "n": n, "account": "111122223333", "reason": "„wanted“" }),
        time: "2026-11-05T06:07:08Z".parse().unwrap(),
    }
}

/// Refuses the event of that number.
fn refuse(n: u64, code: &'static str) -> Fault {
    Fault::between(move |request, pass_on| {
        let mut request = request.clone();
        let entries = request["Entries"].as_array_mut().unwrap();
        let place = entries.iter().position(|entry| {
            let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
            detail["n"] == n
        });
        let place = place.unwrap_or_else(|| panic!("no event {n} in {entries:?}"));
        entries.remove(place);
        let mut answer = if entries.is_empty() { json!({ "Entries": [] }) } else { pass_on(&request) };
        let refused = json!({ "ErrorCode": code, "ErrorMessage": "so the test says" });
        answer["Entries"].as_array_mut().unwrap().insert(place, refused);
        answer["FailedEntryCount"] = json!(1);
        Some(answer)
    })
}

#[tokio::test]
async fn events_arrive_as_they_were_put() {
    let place = Place::open().await;
    let queue = listen(&place, "outcomes").await;
    let events: Vec<OutcomeEvent> = (0..23).map(outcome).collect();
    place.between.next(
        PUT,
        Fault::between(|request, pass_on| {
            // Looked at here: not every emulator takes it over.
            assert_eq!(request["Entries"][0]["Time"], 1_793_858_828);
            Some(pass_on(request))
        }),
    );
    place.cloud.bus().put("outcomes", &events).await.unwrap();
    assert_eq!(place.between.calls(), [PUT; 3]);
    let heard = heard(&place, &queue).await;
    assert_eq!(heard.keys().copied().collect::<Vec<_>>(), (0..23).collect::<Vec<_>>());
    for (n, events) in heard {
        let [event] = &events[..] else { panic!("event {n} came {} times", events.len()) };
        assert_eq!(event["source"], "guardrail-keeper");
        assert_eq!(event["detail-type"], "Enforcement Applied");
        assert_eq!(event["detail"], outcome(n).detail);
    }
    place.cloud.bus().put("outcomes", &[]).await.unwrap();
    assert_eq!(place.between.calls(), [""; 0]);
}

#[tokio::test]
async fn what_is_refused_for_a_while_is_put_again_and_nothing_else_is() {
    let place = Place::open().await;
    let queue = listen(&place, "partly").await;
    let events: Vec<OutcomeEvent> = (0..5).map(outcome).collect();
    place.between.next(PUT, refuse(1, "ThrottlingException"));
    place.between.next(PUT, refuse(1, "InternalFailure"));
    place.cloud.bus().put("partly", &events).await.unwrap();
    assert_eq!(place.between.calls(), [PUT; 3]);
    let heard = heard(&place, &queue).await;
    assert_eq!(heard.values().map(Vec::len).collect::<Vec<_>>(), [1; 5]);
}

#[tokio::test]
async fn what_is_never_taken_is_counted() {
    let place = Place::open().await;
    let queue = listen(&place, "never").await;
    let bus = place.cloud.bus();
    let events: Vec<OutcomeEvent> = (0..3).map(outcome).collect();
    place.between.next(PUT, refuse(1, "NotAuthorizedForSourceException"));
    let failure = bus.put("never", &events).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "PutEvents: 1 of 3 were not sent: NotAuthorizedForSourceException: so the test says (denied)"
    );
    assert_eq!(place.between.calls(), [PUT]);
    assert_eq!(heard(&place, &queue).await.into_keys().collect::<Vec<_>>(), [0, 2]);

    for _ in 0..5 {
        place.between.next(PUT, refuse(0, "ThrottlingException"));
    }
    let failure = bus.put("never", &events[..1]).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "PutEvents: 1 of 1 were not sent: ThrottlingException: so the test says (transient)"
    );
    place.between.next(PUT, Fault::Refuse("AccessDeniedException"));
    let failure = bus.put("never", &events).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "PutEvents: 3 of 3 were not sent: AccessDeniedException: as the test says (denied)"
    );
}

#[tokio::test]
async fn a_batch_stays_within_its_bytes_and_so_does_an_event() {
    let place = Place::open().await;
    let queue = listen(&place, "bytes").await;
    let bus = place.cloud.bus();
    let sized = |n: u64, size: usize| OutcomeEvent {
        detail: json!({ "n": n, "text": "x".repeat(size) }),
        ..outcome(n)
    };
    let events: Vec<OutcomeEvent> = (0..9).map(|n| sized(n, 60 * 1024)).collect();
    place.between.next(PUT, Fault::Reset);
    place.between.next(PUT, Fault::Refuse("ThrottlingException"));
    bus.put("bytes", &events).await.unwrap();
    assert_eq!(place.between.calls().len(), 3 + 2);
    assert_eq!(heard(&place, &queue).await.len(), 9);

    let failure = bus.put("bytes", &[outcome(0), sized(1, 256 * 1024)]).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "PutEvents: `Enforcement Applied`: an event of 262210 bytes; EventBridge takes 262144 at most (rejected)"
    );
    assert_eq!(place.between.calls(), [""; 0]);
}
