//! Events that programs put on buses.

use serde_json::{Value, json};
use simulator::{Fault, FaultKind};

use crate::client::{Client, MANAGEMENT, start};

fn entry(source: &str) -> Value {
    json!({ "Source": source, "DetailType": "Sweep Completed", "Detail": "{\"targets\": 3}" })
}

#[tokio::test]
async fn an_event_is_on_the_bus_it_was_put_on() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT).region("eu-west-1");
    let mut named = entry("guardrail-keeper");
    named["EventBusName"] = "keeper".into();
    named["Resources"] = json!(["arn:aws:iam::111111111111:root"]);
    named["Time"] = 1_790_000_000.into();
    let mut by_arn = entry("guardrail-keeper");
    by_arn["EventBusName"] = "arn:aws:events:eu-west-1:111111111111:event-bus/keeper".into();
    let put = hub.put_events(json!([entry("guardrail-keeper"), named, by_arn])).await.json();
    assert_eq!(put["FailedEntryCount"], 0);
    let events = simulator.with(|model| model.put_events().to_vec());
    let buses: Vec<_> = events.iter().map(|event| event.bus.as_str()).collect();
    assert_eq!(buses, ["default", "keeper", "keeper"]);
    assert_eq!((events[0].account.as_str(), events[0].region.as_str()), (MANAGEMENT, "eu-west-1"));
    assert_eq!(events[0].event["id"], put["Entries"][0]["EventId"]);
    assert_eq!(events[0].event["source"], "guardrail-keeper");
    assert_eq!(events[0].event["detail-type"], "Sweep Completed");
    assert_eq!(events[0].event["detail"], json!({ "targets": 3 }));
    assert_eq!(events[1].event["time"], "2026-09-21T14:13:20Z");
    assert!(simulator.with(|model| model.events().is_empty()), "AWS's own events are elsewhere");
    let shown = hub.control("GET", "put-events?since=2", Value::Null).await.json();
    assert_eq!(shown["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["events"][0]["bus"], "keeper");
    hub.control("DELETE", "put-events", Value::Null).await;
    assert!(simulator.with(|model| model.put_events().is_empty()));
    simulator.stop().await;
}

#[tokio::test]
async fn entries_fail_one_by_one_or_together() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    let with = |member: &str, value: Value| {
        let mut entry = entry("guardrail-keeper");
        entry[member] = value;
        entry
    };
    let entries = json!([
        entry("aws.bedrock"),
        entry("guardrail-keeper"),
        with("Detail", json!("not JSON")),
        with("Detail", json!("[1]")),
        with("Source", Value::Null),
        with("DetailType", json!("x".repeat(129))),
    ]);
    let put = hub.put_events(entries).await;
    assert_eq!(put.status, 200);
    let codes: Vec<Value> = put.json()["Entries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|each| each["ErrorCode"].clone())
        .collect();
    let expected = json!([
        "NotAuthorizedForSourceException",
        null,
        "MalformedDetail",
        "MalformedDetail",
        "InvalidArgument",
        "InvalidArgument"
    ]);
    assert_eq!(json!(codes), expected);
    assert_eq!(put.json()["FailedEntryCount"], 5);
    assert_eq!(simulator.with(|model| model.put_events().len()), 1);
    let large = json!({ "text": "x".repeat(600_000) }).to_string();
    let half = with("Detail", large.into());
    for wrong in [json!([]), json!(vec![entry("a"); 11]), json!([half, half]), json!([{ "Source": "a" }])] {
        assert_eq!(hub.put_events(wrong).await.code(), "ValidationException");
    }
    let foreign = with("EventBusName", json!("arn:aws:events:us-east-1:222222222222:event-bus/x"));
    assert_eq!(hub.put_events(json!([foreign])).await.code(), "AccessDeniedException");
    assert_eq!(simulator.with(|model| model.put_events().len()), 1, "nothing of these was put");
    simulator.fault(Fault::new(FaultKind::ServerError).service("events"));
    let failed = hub.put_events(json!([entry("a")])).await;
    assert_eq!((failed.status, failed.code().as_str()), (500, "InternalException"));
    simulator.stop().await;
}
