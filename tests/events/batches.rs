//! Many messages at once: each has its own fate, and the answer is exact.

use std::collections::BTreeSet;

use guardrail_keeper::trigger::{
    Accounts, ChangedGuardrail, Delivery, Regions, Request, Scope, Trigger, Why, decide,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{check_merge, scopes_of_the_work, settings};
use crate::samples;

/// A thousand records in an order without a pattern, and whether each is malformed: one in ten is.
fn records() -> Vec<(Value, bool)> {
    let (bad, good): (Vec<_>, Vec<_>) = samples()
        .into_iter()
        .filter(|(file, _)| !file.starts_with("events/batches/"))
        .partition(|(file, _)| file.starts_with("events/rejected/"));
    let record = |number: usize| {
        let shuffled = number * 617 % 1000;
        let malformed = shuffled.is_multiple_of(10);
        let (_, body) =
            if malformed { &bad[shuffled / 10 % bad.len()] } else { &good[shuffled % good.len()] };
        let id = format!("{number:04}");
        (json!({ "messageId": id, "eventSource": "aws:sqs", "body": body }), malformed)
    };
    (0..1000).map(record).collect()
}

fn batch(records: &[(Value, bool)]) -> Delivery {
    let records: Vec<&Value> = records.iter().map(|(record, _)| record).collect();
    Delivery::parse(json!({ "Records": records }).to_string())
}

#[test]
fn a_thousand_mixed_records_are_each_decided_once() {
    let records = records();
    let delivery = batch(&records);
    let answers = delivery.decide(&settings());
    assert_eq!(answers.len(), 1000);
    assert_eq!(records.iter().filter(|(_, malformed)| *malformed).count(), 100);
    for ((record, malformed), (id, trigger)) in records.iter().zip(&answers) {
        assert_eq!(*id, record["messageId"].as_str());
        assert_eq!(matches!(trigger, Trigger::Reject(_)), *malformed, "{record}");
        assert_eq!(*trigger, decide(record["body"].as_str().unwrap(), &settings()));
    }
}

#[test]
fn what_they_ask_for_is_merged_without_loss() {
    let delivery = batch(&records());
    let scopes: Vec<_> = delivery
        .decide(&settings())
        .into_iter()
        .filter_map(|(_, trigger)| match trigger {
            Trigger::Reconcile(scope) => Some(*scope),
            Trigger::Departed { .. }
            | Trigger::BedrockPolicies { .. }
            | Trigger::Ignore(_)
            | Trigger::Reject(_) => None,
        })
        .collect();
    check_merge(&scopes);
    let merged = scopes_of_the_work(scopes.clone());
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
    let merged = scopes_of_the_work(scopes);
    assert_eq!(merged.len(), 1);
    assert_eq!(merged[0].to_string(), "300000000007 in all Regions");
    assert_eq!(merged[0].reason(), "the account was created; the account joined the organization");
    assert_eq!(merged[0].events.len(), 2);
}

/// Any scope over three accounts, three Regions, two guardrails and two requests.
fn scope() -> impl Strategy<Value = Scope> {
    let some_of =
        |names: [&'static str; 3]| prop::option::of(prop::sample::subsequence(names.to_vec(), 1..=3));
    let guardrail = |id: &str| ChangedGuardrail { named: id.parse().unwrap(), arn: None };
    let request = |reason: &str| Request { reason: Some(reason.to_owned()), plan: None };
    (
        some_of(["300000000001", "300000000002", "300000000003"]),
        some_of(["us-east-1", "eu-west-1", "us-gov-west-1"]),
        prop::option::weighted(0.3, prop::sample::select(vec![guardrail("a"), guardrail("b")])),
        prop::option::weighted(0.2, prop::sample::select(vec![request("x"), request("y")])),
        prop::sample::subsequence(Why::ALL.to_vec(), 1..3),
        prop::sample::subsequence(vec!["e1", "e2", "e3", "e4"], 0..3),
        prop::option::of(0i64..5),
    )
        .prop_map(|(accounts, regions, guardrail, request, reasons, events, since)| Scope {
            accounts: accounts.map_or(Accounts::All, |ids| {
                Accounts::Only(ids.into_iter().map(|id| id.parse().unwrap()).collect())
            }),
            regions: regions.map_or(Regions::All, |names| {
                Regions::Only(names.into_iter().map(|name| name.parse().unwrap()).collect())
            }),
            guardrail,
            changed_in: None,
            request,
            reasons: reasons.into_iter().collect::<BTreeSet<Why>>(),
            events: events.into_iter().map(str::to_owned).collect(),
            since,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_loses_nothing(scopes in prop::collection::vec(scope(), 0..8)) {
        check_merge(&scopes);
    }

    #[test]
    fn no_account_is_worked_on_twice_for_the_same_kind_of_reason(scopes in prop::collection::vec(scope(), 0..8)) {
        let plain = |scope: &&Scope| scope.guardrail.is_none() && scope.request.is_none();
        let merged = scopes_of_the_work(scopes);
        let mut seen = BTreeSet::new();
        for scope in merged.iter().filter(plain) {
            prop_assert!(seen.insert(scope.accounts.clone()), "{} twice", scope.accounts);
        }
    }
}
