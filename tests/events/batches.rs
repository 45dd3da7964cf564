//! Many messages at once: each has its own fate, and the answer is exact.

use guardrail_keeper::trigger::{Delivery, Trigger, decide, merge};
use serde_json::{Value, json};

use crate::harness::{check_merge, settings};
use crate::samples;

/// A thousand records, one in ten malformed, in an order without a pattern.
fn records() -> Vec<Value> {
    let good: Vec<String> = samples()
        .into_iter()
        .filter(|(file, _)| file.matches('/').count() == 1 || file.starts_with("events/odd/"))
        .map(|(_, text)| text)
        .collect();
    let bad: Vec<String> = samples()
        .into_iter()
        .filter(|(file, _)| file.starts_with("events/rejected/"))
        .map(|(_, text)| text)
        .collect();
    let record = |number: usize| {
        let shuffled = number * 617 % 1000;
        let body =
            if shuffled % 10 == 0 { &bad[shuffled / 10 % bad.len()] } else { &good[shuffled % good.len()] };
        json!({ "messageId": format!("{number:04}"), "eventSource": "aws:sqs", "body": body })
    };
    (0..1000).map(record).collect()
}

#[test]
fn a_thousand_mixed_records_are_each_decided_once() {
    let records = records();
    let delivery = Delivery::parse(json!({ "Records": records }).to_string());
    let answers = delivery.decide(&settings());

    let ids: Vec<&str> = answers.iter().map(|(id, _)| id.unwrap()).collect();
    let sent: Vec<&str> = records.iter().map(|record| record["messageId"].as_str().unwrap()).collect();
    assert_eq!(ids, sent);
    let rejected: Vec<&str> = answers
        .iter()
        .filter(|(_, trigger)| matches!(trigger, Trigger::Reject(_)))
        .map(|(id, _)| id.unwrap())
        .collect();
    let malformed: Vec<&str> =
        (0..1000).filter(|number| number * 617 % 1000 % 10 == 0).map(|number| sent[number]).collect();
    assert_eq!(malformed.len(), 100);
    assert_eq!(rejected, malformed);
    for (record, (_, trigger)) in records.iter().zip(&answers) {
        assert_eq!(*trigger, decide(record["body"].as_str().unwrap(), &settings()));
    }
}

#[test]
fn what_they_ask_for_is_merged_without_loss() {
    let delivery = Delivery::parse(json!({ "Records": records() }).to_string());
    let scopes: Vec<_> = delivery
        .decide(&settings())
        .into_iter()
        .filter_map(|(_, trigger)| match trigger {
            Trigger::Reconcile(scope) => Some(*scope),
            Trigger::Departed { .. } | Trigger::Ignore(_) | Trigger::Reject(_) => None,
        })
        .collect();
    check_merge(&scopes);
    let merged = merge(scopes.clone());
    assert!(merged.len() < 20, "{} scopes of {}", merged.len(), scopes.len());
}

#[test]
fn two_events_of_one_account_are_one_piece_of_work() {
    let read = |name: &str| {
        let file = format!("events/{name}.json");
        samples().into_iter().find(|(path, _)| *path == file).unwrap().1
    };
    let scopes =
        ["account-created", "account-joined-created"].map(|name| match decide(read(name), &settings()) {
            Trigger::Reconcile(scope) => *scope,
            other => panic!("{other}"),
        });
    let merged = merge(scopes);
    assert_eq!(merged.len(), 1);
    assert_eq!(merged[0].to_string(), "300000000007 in all Regions");
    assert_eq!(merged[0].reason(), "the account was created; the account joined the organization");
    assert_eq!(merged[0].events.len(), 2);
}
