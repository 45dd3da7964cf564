//! Alarms and dashboard, held against the figures that the function writes: each asks for one that is written,
//! with the dimensions that it is written with, and for this stack's only.

use std::collections::{BTreeMap, BTreeSet};

use guardrail_keeper::bedrock_policy::ChangeExtent;
use guardrail_keeper::metrics::{Calls, Metrics};
use guardrail_keeper::organization_level::OrganizationLevelReport;
use guardrail_keeper::plan::{Decision, Held, HoldReason, Plan};
use guardrail_keeper::report::{Report, TargetReport};
use guardrail_keeper::status::Standing;
use guardrail_keeper::task::Cause;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::template;

const STACK: &str = "guardrail-keeper";

/// A metric's name, with the names of its dimensions.
type Figure = (String, BTreeSet<String>);

/// The figures of a run and of a sweep. How long it took to enforce something is added by hand: that takes a
/// write that worked.
fn written() -> BTreeSet<Figure> {
    let cause = Cause {
        event: "event".to_owned(),
        reason: "the schedule starts a sweep".to_owned(),
        first_seen: Timestamp::UNIX_EPOCH,
        happened: None,
        attempt: 0,
        sweep: true,
        revision: None,
        arrival: None,
        in_our_name: false,
        hops: 0,
        pauses: guardrail_keeper::task::Pauses::default(),
    };
    let mut report = Report::of("0123456789abcdef".parse().unwrap(), Plan::default());
    let held = Held { reason: HoldReason::NotProven, would: None };
    let target = "300000000001/eu-west-1".parse().unwrap();
    report.targets.insert(target, TargetReport::Decided(Decision::Held(held)));
    let mut metrics = Metrics::default();
    metrics.report(&report, &cause, Timestamp::UNIX_EPOCH);
    metrics.sweep(&BTreeMap::new(), 0);
    metrics.calls(Calls { made: 1, throttled: 0 });
    metrics.untold(1);
    metrics.reported();
    metrics.organization_level(&OrganizationLevelReport {
        revision: "0123456789abcdef".parse().unwrap(),
        holds: Vec::new(),
        taken: Vec::new(),
        left: Vec::new(),
        extent: ChangeExtent::default(),
        is_repair: false,
        stopped: None,
        frozen: BTreeMap::new(),
        is_confirmed: true,
        is_looked: true,
    });
    let mut figures = BTreeSet::from([("TimeToEnforced".to_owned(), BTreeSet::from(["Stack".to_owned()]))]);
    for line in metrics.lines(Timestamp::UNIX_EPOCH, Some(STACK)) {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["Stack"], STACK);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let dimensions: BTreeSet<String> =
            directive["Dimensions"][0].as_array().unwrap().iter().map(text).collect();
        for metric in directive["Metrics"].as_array().unwrap() {
            figures.insert((text(&metric["Name"]), dimensions.clone()));
        }
    }
    figures
}

/// The namespace of what a filter counts in this stack's log, and the name of it.
fn counted(template: &Value) -> (String, String) {
    let counted = &template["Resources"]["LoggedErrors"]["Properties"]["MetricTransformations"][0];
    assert!(counted["Dimensions"].is_null(), "a line of the log doesn't name its stack");
    let namespace = counted["MetricNamespace"]["Fn::Sub"].as_str().expect("a namespace of this stack's own");
    assert!(namespace.contains("${AWS::StackName}"), "{namespace}");
    (namespace.to_owned(), counted["MetricName"].as_str().unwrap().to_owned())
}

fn is_a_value_of(name: &str, value: &str) -> bool {
    name != "State" || Standing::of_a_sweep().any(|standing| standing.code() == value)
}

#[test]
fn every_alarm_watches_a_figure_of_its_own_stack() {
    let template = template::read("template.yaml");
    let (written, counted) = (written(), counted(&template));
    let resources = template["Resources"].as_object().unwrap();
    let mut watched = 0;
    for (name, alarm) in resources.iter().filter(|(_, one)| one["Type"] == "AWS::CloudWatch::Alarm") {
        let alarm = &alarm["Properties"];
        let metric = alarm["MetricName"].as_str().unwrap().to_owned();
        if let Some(namespace) = alarm["Namespace"]["Fn::Sub"].as_str() {
            assert_eq!((namespace.to_owned(), metric), counted, "{name}");
            watched += 1;
            continue;
        }
        if alarm["Namespace"] != "GuardrailKeeper" {
            // AWS's own metrics go by the names of queues and the function, which are this stack's.
            assert!(alarm["Namespace"].as_str().unwrap().starts_with("AWS/"), "{name}");
            continue;
        }
        let mut dimensions = BTreeSet::new();
        for dimension in alarm["Dimensions"].as_array().expect(name) {
            let (key, value) = (dimension["Name"].as_str().unwrap(), &dimension["Value"]);
            if key == "Stack" {
                assert_eq!(*value, json!({ "Ref": "AWS::StackName" }), "{name}");
            } else {
                assert!(is_a_value_of(key, value.as_str().unwrap()), "{name}: {value}");
            }
            dimensions.insert(key.to_owned());
        }
        assert!(dimensions.contains("Stack"), "{name} watches every stack of the account");
        assert!(written.contains(&(metric.clone(), dimensions)), "{name}: nobody writes {metric} so");
        watched += 1;
    }
    assert!(watched >= 7, "{watched}");
}

#[test]
fn the_dashboard_shows_figures_of_its_own_stack() {
    let template = template::read("template.yaml");
    let (written, (namespace, errors)) = (written(), counted(&template));
    let body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let mut states = BTreeSet::new();
    for widget in body["widgets"].as_array().unwrap() {
        for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            let words: Vec<&str> = metric.as_array().unwrap().iter().filter_map(Value::as_str).collect();
            match words.as_slice() {
                ["GuardrailKeeper", name, dimensions @ ..] => {
                    let pairs: BTreeMap<&str, &str> =
                        dimensions.chunks(2).map(|pair| (pair[0], pair[1])).collect();
                    assert_eq!(pairs.get("Stack"), Some(&"${AWS::StackName}"), "{metric}");
                    assert!(pairs.iter().all(|(name, value)| is_a_value_of(name, value)), "{metric}");
                    states.extend(pairs.get("State").copied());
                    let names = pairs.into_keys().map(str::to_owned).collect();
                    assert!(written.contains(&((*name).to_owned(), names)), "nobody writes {metric} so");
                }
                [own, name] if *own == namespace => assert_eq!(*name, errors),
                [aws, ..] => assert!(aws.starts_with("AWS/") || aws.starts_with('.'), "{metric}"),
                [] => {
                    let search = metric[0]["expression"].as_str().unwrap();
                    assert!(search.contains("{GuardrailKeeper,Stack,Reason}"), "{search}");
                    assert!(search.contains("Stack=\"${AWS::StackName}\""), "{search}");
                }
            }
        }
    }
    let all: BTreeSet<&str> = Standing::of_a_sweep().map(Standing::code).collect();
    assert_eq!(states, all, "the dashboard shows each state");
}
