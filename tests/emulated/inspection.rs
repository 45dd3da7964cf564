//! What `guardrailctl doctor` reads in the hub: the table above all, which the simulator doesn't have.

use aws_sdk_eventbridge::types::Target;
use guardrail_keeper::doctor::Listens;
use guardrailctl::inspector::Inspector;

use crate::place::Place;

#[tokio::test]
async fn a_table_is_there_or_not() {
    let place = Place::open().await;
    let inspector = Inspector::own(&place.terminal, None).await.unwrap();
    assert_eq!(inspector.table("inspected").await, Ok(None));
    place.table("inspected").await;
    let (arn, status) = inspector.table("inspected").await.unwrap().expect("it was made");
    assert!(arn.starts_with("arn:aws:dynamodb:") && arn.ends_with(":table/inspected"), "{arn}");
    assert_eq!(status, "ACTIVE");
}

#[tokio::test]
async fn a_queue_is_there_or_not() {
    let place = Place::open().await;
    let inspector = Inspector::own(&place.terminal, None).await.unwrap();
    let made = place.sqs.create_queue().queue_name("inspected").send().await.unwrap();
    let url = made.queue_url().unwrap();
    let seen = inspector.queue(url).await.unwrap().expect("it was made");
    assert!(seen.arn.ends_with(":inspected") && !seen.has_dead_letters, "{seen:?}");
    assert_eq!(inspector.queue(&url.replace("inspected", "no-such-queue")).await, Ok(None));
}

#[tokio::test]
async fn rules_are_read_with_where_they_send() {
    let place = Place::open().await;
    let inspector = Inspector::own(&place.terminal, None).await.unwrap();
    assert_eq!(inspector.bus("inspected").await, Ok(None));
    place.eventbridge.create_event_bus().name("inspected").send().await.unwrap();
    let bus = inspector.bus("inspected").await.unwrap().expect("it was made");
    assert!(bus.arn.ends_with(":event-bus/inspected"), "{bus:?}");
    let queue = "arn:aws:sqs:eu-west-1:111122223333:events";
    for (name, source) in [("listens", "aws.bedrock"), ("others", "aws.s3")] {
        let pattern = format!(r#"{{"source":["{source}"]}}"#);
        let rule = place.eventbridge.put_rule().event_bus_name("inspected").name(name).event_pattern(pattern);
        rule.send().await.unwrap();
        let target = Target::builder().id("events").arn(queue).build().unwrap();
        let targets = place.eventbridge.put_targets().event_bus_name("inspected").rule(name).targets(target);
        targets.send().await.unwrap();
    }
    let event = serde_json::json!({ "source": "aws.bedrock" });
    let needs = [Listens { what: "events of aws.bedrock".to_owned(), samples: vec![("any", event)] }];
    let rules = inspector.rules("inspected", "", &needs).await.unwrap();
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert!(rules[0].enabled && rules[0].name == "listens", "{rules:?}");
    assert_eq!(rules[0].targets, Ok(vec![queue.to_owned()]));
    assert_eq!(inspector.rules("inspected", "other-", &needs).await, Ok(Vec::new()));
}
