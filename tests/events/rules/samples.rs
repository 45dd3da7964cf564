//! The samples in `events/`, each on the bus that its envelope names.

use guardrail_keeper::trigger::decide;
use serde_json::Value;

use super::{Case, Hub};
use crate::harness::{central_settings, settings};
use crate::samples;

/// Samples that are acted on and that no rule lets through, each with the reason.
const EXCUSED: &[(&str, &str)] = &[
    ("events/account-left.json", "AccountDepartedOrganization tells it in the management account"),
    ("events/invitation-accepted.json", "AccountJoinedOrganization tells it in the management account"),
    ("events/baseline-put-call.json", "Parameter Store Change tells it, and needs no trail"),
    ("events/baseline-delete-call.json", "Parameter Store Change tells it, and needs no trail"),
    ("events/baseline-delete-many-call.json", "Parameter Store Change tells it, and needs no trail"),
    ("events/schedule-rule.json", "a rule with a schedule sends it to its target itself"),
    ("events/schedule-scheduler.json", "is sent to its target itself"),
    ("events/schedule-constant.json", "Scheduler puts it into the queue itself"),
    ("events/odd/bare-bones.json", "has no account, so it came over no bus"),
    ("events/odd/detail-as-text.json", "EventBridge hands on a detail as it is, never as text"),
    ("events/odd/no-outer-source.json", "EventBridge knows no event without a source"),
    ("events/odd/nulls-everywhere.json", "has no account, so it came over no bus"),
];

/// What only the hub's own bus carries.
const OF_THE_HUB: &[&str] = &["aws.ssm", "aws.events", "aws.scheduler"];

/// Every sample that is JSON, with a hub where it appears and, unless it is the hub's own affair,
/// with one that everything has to be sent to.
pub(super) fn cases() -> Vec<(Hub, Vec<Case>)> {
    let mut all = Vec::new();
    for (file, text) in samples() {
        let Ok(event @ Value::Object(_)) = serde_json::from_str::<Value>(&text) else { continue };
        if event.get("Records").is_some() {
            continue;
        }
        let member = |name: &str| event[name].as_str().unwrap_or("nowhere").to_owned();
        let place = (member("account"), member("region"));
        let excuse = EXCUSED.iter().find(|(excused, _)| *excused == file).map(|(_, why)| *why);
        let case = Case {
            label: file,
            place: place.clone(),
            trigger: decide(&text, &settings()),
            event: event.clone(),
            excuse,
        };
        let hub = settings().hub.unwrap().to_string();
        let central = decide(&text, &central_settings());
        if central != case.trigger {
            let case = Case { trigger: central, excuse: None, ..case.clone() };
            all.push((Hub { account: hub.clone(), region: place.1.clone() }, vec![case]));
        }
        // Where the event appears in another account, it is sent to the hub in any case.
        all.push((Hub { account: hub.clone(), region: place.1 }, vec![case.clone()]));
        let source = member("source");
        let requests = event["detail-type"] == "Reconcile Requested";
        if !OF_THE_HUB.contains(&source.as_str()) && !requests && !source.starts_with("guardrail-keeper") {
            all.push((
                Hub { account: "999999999999".to_owned(), region: "ca-west-1".to_owned() },
                vec![case],
            ));
        }
    }
    all
}

#[test]
fn every_excuse_is_needed() {
    let labels: Vec<String> =
        cases().into_iter().flat_map(|(_, cases)| cases).map(|case| case.label).collect();
    for (file, why) in EXCUSED {
        assert!(labels.iter().any(|label| label == file) && !why.is_empty(), "{file} is no sample");
    }
}
