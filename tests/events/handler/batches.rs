//! Batches: each record has its own fate, and the answer is exact.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::{Fault, FaultKind};
use testkit::log::Log;

use super::{BASELINE, Scene, batch, failures, received, record, sample};
use crate::harness::settings;
use crate::samples;
use guardrail_keeper::handler::HandlerError;
use guardrail_keeper::trigger::{Ignored, Trigger, decide};

/// Far above what a thousand records take, far below the function's timeout for each invocation.
const BOUND: Duration = Duration::from_secs(120);

/// A thousand records in an order without a pattern, and whether each is malformed: one in ten is.
fn records() -> Vec<(String, String, bool)> {
    let (bad, good): (Vec<_>, Vec<_>) = samples()
        .into_iter()
        .filter(|(file, _)| !file.starts_with("events/batches/"))
        .partition(|(file, _)| file.starts_with("events/rejected/"));
    let record = |number: usize| {
        let shuffled = number * 617 % 1000;
        let malformed = shuffled.is_multiple_of(10);
        let (_, body) =
            if malformed { &bad[shuffled / 10 % bad.len()] } else { &good[shuffled % good.len()] };
        (format!("{number:04}"), body.clone(), malformed)
    };
    (0..1000).map(record).collect()
}

/// The records that a line of the log settles: rejected, ignored, departed or worked on.
fn settles(line: &Value) -> Vec<&str> {
    match (line["record"].as_str(), line["records"].as_str(), line["level"].as_str()) {
        (Some(id), None, _) => vec![id],
        // A failure is told after the work that it ends.
        (None, Some(ids), Some("INFO")) => ids.split(' ').collect(),
        _ => Vec::new(),
    }
}

/// Hands the records to the handler in batches of this size, and checks everything there is to check.
async fn check_a_thousand(size: usize, regions: &[&str]) {
    let scene = Scene::start().await;
    let all = "us-east-1, eu-west-1, ap-southeast-2";
    scene.put_baseline(&BASELINE.replace(all, &regions.join(", ")));
    scene.approve().await;
    let records = records();
    let began = Instant::now();
    let mut reported: BTreeMap<String, usize> = BTreeMap::new();
    let mut settled: BTreeMap<String, usize> = BTreeMap::new();
    for chunk in records.chunks(size) {
        let payload = batch(chunk.iter().map(|(id, body, _)| record(id, body)));
        let (answer, log) = Log::of(scene.handle(&payload)).await;
        for id in failures(&answer.unwrap()) {
            *reported.entry(id.to_owned()).or_default() += 1;
        }
        for id in log.iter().flat_map(settles) {
            *settled.entry(id.to_owned()).or_default() += 1;
        }
        let errors = log.iter().filter(|line| line["level"] == "ERROR");
        let told: BTreeSet<&str> =
            errors.map(|line| line["record"].as_str().unwrap_or_else(|| panic!("{line}"))).collect();
        let malformed = chunk.iter().filter(|(_, _, malformed)| *malformed);
        assert_eq!(told, malformed.map(|(id, _, _)| id.as_str()).collect(), "one error each, and no other");
    }
    let took = began.elapsed();
    let malformed: BTreeMap<String, usize> =
        records.iter().filter(|(_, _, malformed)| *malformed).map(|(id, _, _)| (id.clone(), 1)).collect();
    assert_eq!(malformed.len(), 100);
    assert_eq!(reported, malformed, "each malformed one once, and no other");
    for (id, body, _) in &records {
        // A guardrail's change or one account's event is one piece of work; a request may be several.
        assert_eq!(settled.get(id), Some(&1), "{id}: {}", decide(body, &settings()));
    }
    // What they ask for was done: the schedule is among them, and everything is in reach.
    for account in ["111111111111", "222222222222", "300000000001", "300000000007"] {
        for region in regions {
            assert!(scene.is_enforced(account, region), "{account} in {region}");
        }
    }
    assert!(!scene.is_enforced("300000000005", "us-east-1"), "the sandbox is unguarded on purpose");
    println!("{size} at a time: {took:?}");
    assert!(took < BOUND, "{took:?}");
}

#[tokio::test]
async fn a_thousand_mixed_records_ten_at_a_time() {
    // A hundred runs, many of them sweeps: one Region is enough of each.
    check_a_thousand(10, &["us-east-1"]).await;
}

#[tokio::test]
async fn a_thousand_mixed_records_at_once() {
    check_a_thousand(1000, &["us-east-1", "eu-west-1", "ap-southeast-2"]).await;
}

#[tokio::test]
async fn every_odd_sample_has_an_answer_alone() {
    let scene = Scene::start().await;
    for (file, text) in samples().into_iter().filter(|(file, _)| !file.starts_with("events/batches/")) {
        let answer = guardrail_keeper::handler::handle(&scene.keeper, &text).await;
        match (decide(&text, &settings()), answer) {
            (Trigger::Reject(reason), Err(HandlerError::Rejected(told))) => {
                assert_eq!(reason, told, "{file}");
            }
            (Trigger::Reconcile(_), Ok(answer)) => assert_eq!(answer["outcome"], "reconcile", "{file}"),
            // An event is only a hint: what Organizations still has as a member is looked at.
            (Trigger::Departed { .. }, Ok(answer)) => assert_eq!(answer["outcome"], "reconcile", "{file}"),
            // Nothing here may read or write Bedrock policies.
            (Trigger::BedrockPolicies { .. }, Ok(answer)) => {
                assert_eq!(answer["outcome"], "ignore", "{file}");
                assert_eq!(answer["reason"], Ignored::NoOrganizationLevel.to_string(), "{file}");
            }
            (Trigger::Ignore(reason), Ok(answer)) => {
                assert_eq!(answer["outcome"], "ignore", "{file}");
                assert_eq!(answer["reason"], reason.to_string(), "{file}");
            }
            (trigger, answer) => panic!("{file}: {trigger} was answered with {answer:?}"),
        }
    }
}

/// What one account's trouble fails are the records that asked for that account.
#[tokio::test]
async fn neighbours_of_a_failed_record_are_unaffected() {
    let scene = Scene::start().await;
    scene.server.fault(Fault::new(FaultKind::Throttle).operation("AssumeRole").account("300000000001"));
    let payload = batch([
        record("moved-1", &sample("account-moved")),
        record("enforcement-1", &sample("enforcement-put-by-somebody")),
        record("joined-7", &sample("account-joined-invited")),
        record("created-7", &sample("account-created")),
        record("ours", &sample("enforcement-put-by-us")),
        record("removed", &sample("account-removed")),
        record("garbage", "{"),
    ]);
    let answer = scene.handle(&payload).await.unwrap();
    // That the account is gone is only a hint, and so it is looked at, too.
    assert_eq!(failures(&answer), ["enforcement-1", "garbage", "moved-1", "removed"]);
    assert!(scene.is_enforced("300000000007", "eu-west-1"));
    assert!(!scene.is_enforced("300000000001", "eu-west-1"));

    // SQS hands those out again; two of them go through now.
    scene.server.clear_faults();
    let payload = batch([
        received("moved-1", &sample("account-moved"), 2),
        received("enforcement-1", &sample("enforcement-put-by-somebody"), 2),
        received("garbage", "{", 2),
    ]);
    assert_eq!(failures(&scene.handle(&payload).await.unwrap()), ["garbage"]);
    assert!(scene.is_enforced("300000000001", "eu-west-1"));
}

/// A sweep that can't reach one account is worth another try; what only shared the batch with it isn't.
#[tokio::test]
async fn a_sweep_that_is_not_done_fails_alone() {
    let scene = Scene::start().await;
    scene.server.fault(Fault::new(FaultKind::Throttle).operation("AssumeRole").account("300000000002"));
    let payload = batch([
        record("sweep", &sample("schedule-rule")),
        record("moved-1", &sample("account-moved")),
        record("joined-7", &sample("account-joined-invited")),
    ]);
    assert_eq!(failures(&scene.handle(&payload).await.unwrap()), ["sweep"]);
}

#[tokio::test]
async fn a_record_that_is_never_understood_is_told_once_and_reported_each_time() {
    let scene = Scene::start().await;
    for (count, level) in [(1, "ERROR"), (2, "DEBUG"), (3, "DEBUG")] {
        let payload = batch([received("garbage", &sample("rejected/no-event"), count)]);
        let (answer, log) = Log::of(scene.handle(&payload)).await;
        assert_eq!(failures(&answer.unwrap()), ["garbage"], "SQS counts; only the answer keeps it going");
        let [line] = log.as_slice() else { panic!("one line: {log:?}") };
        assert_eq!(line["level"], level);
        assert_eq!((line["record"].as_str(), line["reason"].as_str()), (Some("garbage"), Some("no_source")));
        assert!(line["message"].as_str().unwrap().contains("the message has no source"), "{line}");
    }
    assert_eq!(scene.operations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_count_that_cannot_be_read_counts_as_the_first() {
    let scene = Scene::start().await;
    for attributes in [Value::Null, "1".into(), serde_json::json!({ "ApproximateReceiveCount": "many" })] {
        let mut odd = record("garbage", "{");
        odd["attributes"] = attributes;
        let (answer, log) = Log::of(scene.handle(&batch([odd]))).await;
        assert_eq!(failures(&answer.unwrap()), ["garbage"]);
        assert_eq!(log[0]["level"], "ERROR");
    }
}

/// A bare event has no count. The runtime logs what an invocation fails with, so the handler doesn't.
#[tokio::test]
async fn a_bare_event_that_is_not_understood_fails_the_invocation_with_its_reason() {
    let scene = Scene::start().await;
    let (answer, log) =
        Log::of(scene.handle(&serde_json::from_str(&sample("rejected/no-event")).unwrap())).await;
    let problem = answer.unwrap_err();
    assert_eq!(problem.name(), "EventRejected");
    assert_eq!(problem.to_string(), "not an event: the message has no source, so it is no event");
    assert!(log.is_empty(), "{log:?}");
    assert_eq!(scene.operations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_record_without_an_id_fails_the_batch_if_it_fails() {
    let scene = Scene::start().await;
    let nameless = |body: &str| {
        let mut record = record("", body);
        record.as_object_mut().unwrap().remove("messageId");
        record
    };
    let fine =
        batch([nameless(&sample("account-moved")), record("joined-7", &sample("account-joined-invited"))]);
    assert_eq!(failures(&scene.handle(&fine).await.unwrap()), Vec::<&str>::new());
    let failing = batch([nameless("{"), record("joined-7", &sample("account-joined-invited"))]);
    let (answer, log) = Log::of(scene.handle(&failing)).await;
    assert_eq!(answer.unwrap_err().name(), "NamelessRecord");
    assert!(log.iter().any(|line| line["record"] == "without an id" && line["level"] == "ERROR"), "{log:?}");
    assert!(log.iter().any(|line| line["records"] == "joined-7"), "its neighbour was worked on: {log:?}");
}

#[tokio::test]
async fn an_event_that_was_wrapped_on_its_way_is_refused_by_name() {
    let scene = Scene::start().await;
    let payload = batch([
        record("sns", &sample("rejected/sns-notification")),
        record("lambda", &sample("rejected/failed-invocation")),
        record("batch", &sample("batches/well-formed")),
    ]);
    let (answer, log) = Log::of(scene.handle(&payload)).await;
    assert_eq!(failures(&answer.unwrap()), ["batch", "lambda", "sns"]);
    let reasons: Vec<&str> = log.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(
        reasons,
        [
            "rejected: the message is a notification of SNS; turn on raw message delivery in its subscription",
            "rejected: the message is Lambda's record of a failed invocation; its event is in `requestPayload`",
            "rejected: the message is a batch of SQS, not an event",
        ]
    );
}

#[tokio::test]
async fn an_empty_batch_is_an_empty_answer() {
    let scene = Scene::start().await;
    assert_eq!(failures(&scene.handle(&batch([])).await.unwrap()), Vec::<&str>::new());
    assert_eq!(scene.operations(), Vec::<String>::new());
}
