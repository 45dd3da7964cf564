//! Each sample, and the trigger written beside it in `events/expected.jsonl`.

use std::collections::BTreeSet;

use expect_test::{expect, expect_file};
use guardrail_keeper::trigger::{Delivery, decide, known_events, line};
use serde_json::{Value, json};

use crate::harness::settings;
use crate::samples;

#[test]
fn every_sample_is_decided_as_written_beside_it() {
    let mut lines = String::new();
    for (file, text) in samples() {
        for (record, trigger) in Delivery::parse(&text).decide(&settings()) {
            lines += &serde_json::to_string(&line(&file, record, &trigger)).unwrap();
            lines.push('\n');
        }
    }
    expect_file!["../../events/expected.jsonl"].assert_eq(&lines);
}

#[test]
fn a_sample_in_a_batch_is_decided_as_alone() {
    let alone: Vec<(String, String)> =
        samples().into_iter().filter(|(file, _)| !file.starts_with("events/batches/")).collect();
    let records: Vec<Value> = alone
        .iter()
        .map(|(file, text)| json!({ "messageId": file, "eventSource": "aws:sqs", "body": text }))
        .collect();
    let batch = json!({ "Records": records }).to_string();
    let answers = Delivery::parse(&batch);
    let answers = answers.decide(&settings());
    assert_eq!(answers.len(), alone.len());
    for ((file, text), (record, trigger)) in alone.iter().zip(answers) {
        assert_eq!(record, Some(file.as_str()));
        assert_eq!(trigger, decide(text, &settings()), "{file}");
    }
}

#[test]
fn only_what_lies_in_rejected_or_batches_is_rejected() {
    for (file, text) in samples() {
        let rejected = line(&file, None, &decide(&text, &settings())).outcome == "reject";
        let may_be = ["events/rejected/", "events/batches/"].iter().any(|folder| file.starts_with(folder));
        assert_eq!(rejected, may_be, "{file}");
    }
}

#[test]
fn every_event_we_know_has_a_sample() {
    let mut seen = BTreeSet::new();
    for (file, text) in samples() {
        if let (1, Ok(event)) = (file.matches('/').count(), serde_json::from_str::<Value>(&text)) {
            let name = event["detail"]["eventName"].as_str().or(event["detail-type"].as_str());
            seen.insert((event["source"].as_str().unwrap().to_owned(), name.unwrap_or("any").to_owned()));
        }
    }
    for (source, name) in known_events() {
        let known = seen
            .iter()
            .any(|(seen_source, seen_name)| seen_source == source && (name == "any" || seen_name == name));
        assert!(known, "{source} {name} has no sample in events/");
    }
}

#[test]
fn samples_name_nobody() {
    for (file, text) in samples() {
        let digits = text.split(|c: char| !c.is_ascii_digit());
        for account in digits.filter(|digits| digits.len() == 12 && !digits.starts_with("1788")) {
            let placeholder =
                ["111111111111", "222222222222"].contains(&account) || account.starts_with("3000000000");
            assert!(placeholder || file.contains("rejected"), "{file}: {account}");
        }
    }
}

#[test]
fn a_line_reads_well() {
    let texts = samples();
    let read = |file: &str, record: Option<&str>| {
        let (_, text) = texts.iter().find(|(path, _)| path == file).unwrap();
        line(file, record, &decide(text, &settings())).to_string()
    };
    let lines = [
        read("events/account-created.json", Some("m-1")),
        read("events/account-removed.json", None),
        read("events/guardrail-version-created.json", None),
        read("events/request-accounts.json", None),
        read("events/enforcement-put-by-us.json", None),
        read("events/rejected/not-json.json", None),
    ];
    expect![[r#"
        events/account-created.json#m-1: reconcile 300000000007 in all Regions: the account was created
        events/account-removed.json: departed 300000000001: the account was removed from the organization
        events/guardrail-version-created.json: reconcile all accounts in us-east-1 for guardrail base1234abcd: a guardrail version was created, which may be one that was missing
        events/request-accounts.json: reconcile 300000000001, 300000000002 in eu-west-1, us-east-1: it was requested: role repaired
        events/enforcement-put-by-us.json: ignore: the keeper wrote this itself
        events/rejected/not-json.json: reject: the message is not JSON
    "#]]
    .assert_eq(&(lines.join("\n") + "\n"));
}
