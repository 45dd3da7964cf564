//! Figures for CloudWatch, in its embedded metric format: a line of JSON in the log is a metric.
//!
//! Pure: figures are gathered as values, and become lines. Each name with each value of a dimension is
//! a metric that is paid for by the month, so there are few, and none by account.
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>)

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::limits::is_repair;
use crate::organization_level::OrganizationLevelReport;
use crate::outcome::since_event;
use crate::plan::Change;
use crate::report::{Report, TargetReport};
use crate::status::Standing;
use crate::task::Cause;

/// The namespace of every metric.
pub const NAMESPACE: &str = "GuardrailKeeper";

/// The dimension that every metric of a deployed stack has: the stack's name.
pub const STACK: &str = "Stack";

/// Targets that runs looked at, by how they stand afterwards.
const LOOKED_AT: &str = "TargetsLookedAt";
/// Targets that are held, by the kind of reason.
const HELD: &str = "TargetsHeld";
/// Targets of the whole organization by how they stand, at the end of a sweep.
const TARGETS: &str = "Targets";
/// Accounts with something of ours that a sweep didn't see.
const NOT_LOOKED_AT: &str = "AccountsNotLookedAt";
/// Targets where ours had been removed or changed.
const DRIFT: &str = "DriftFound";
/// From an event to the enforcement that followed it.
const TIME_TO_ENFORCED: &str = "TimeToEnforced";
/// Requests to AWS, each attempt counted.
const CALLS: &str = "AwsCalls";
/// Those that AWS refused as too many.
const THROTTLED: &str = "AwsCallsThrottled";
/// Reports on the whole organization that were published.
const REPORTS: &str = "ReportsPublished";
/// Outcome events that could not be sent.
const UNTOLD: &str = "OutcomeEventsNotSent";

/// Reasons why Bedrock policies are held, after a look at the organization's level.
const BEDROCK_POLICIES_HELD: &str = "BedrockPolicyHolds";
/// Accounts that no change of a Bedrock policy reaches, because their merged policy is invalid.
const FROZEN: &str = "AccountsFrozen";

/// How many values of one metric a line holds: the format's own limit.
const VALUES_A_LINE: usize = 100;

/// Requests to AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// How many were sent, each attempt counted.
    pub made: u64,
    /// How many of them AWS refused as too many.
    pub throttled: u64,
}

impl Calls {
    /// Those since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Calls) -> Calls {
        Calls {
            made: self.made.saturating_sub(earlier.made),
            throttled: self.throttled.saturating_sub(earlier.throttled),
        }
    }
}

/// A dimension's name and value; `None` for a metric that has none.
type Dimension = Option<(&'static str, String)>;

/// Figures that were gathered and not yet written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "figures that nobody writes are lost"]
pub struct Metrics {
    counts: BTreeMap<Dimension, BTreeMap<&'static str, u64>>,
    times: Vec<i64>,
}

impl Metrics {
    fn count(&mut self, dimension: Dimension, name: &'static str, number: usize) {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        let count = self.counts.entry(dimension).or_default().entry(name).or_default();
        *count = count.saturating_add(number);
    }

    /// Adds what a run found and did.
    pub fn report(&mut self, report: &Report, cause: &Cause, now: Timestamp) {
        for (standing, number) in report.standings() {
            self.count(by_state(standing), LOOKED_AT, number);
        }
        // Zero is published too: an alarm needs a figure to end.
        self.count(None, DRIFT, 0);
        for result in report.targets.values() {
            if let Some(held) = result.held().filter(|held| held.only_audited().is_none()) {
                self.count(Some(("Reason", held.reason.code())), HELD, 1);
            }
            if change_of(result).is_some_and(|change| is_repair(change, &report.before, &report.revision)) {
                self.count(None, DRIFT, 1);
            }
            if result.is_made() && result.outcome().is_some_and(|outcome| outcome.change.enforces().is_some())
            {
                self.times.extend(since_event(cause, now));
            }
        }
    }

    /// Adds how everything was left at the end of a sweep.
    pub fn sweep(&mut self, standings: &BTreeMap<Standing, usize>, not_looked_at: usize) {
        for standing in Standing::of_a_sweep() {
            self.count(by_state(standing), TARGETS, standings.get(&standing).copied().unwrap_or(0));
        }
        self.count(None, NOT_LOOKED_AT, not_looked_at);
    }

    /// Adds what a look at the organization's level found.
    pub fn organization_level(&mut self, report: &OrganizationLevelReport) {
        self.count(None, BEDROCK_POLICIES_HELD, report.holds.len());
        if report.is_looked {
            self.count(None, FROZEN, report.frozen.len());
        }
    }

    /// Adds requests to AWS.
    pub fn calls(&mut self, calls: Calls) {
        let Calls { made, throttled } = calls;
        if made > 0 {
            let own = self.counts.entry(None).or_default();
            *own.entry(CALLS).or_default() += made;
            *own.entry(THROTTLED).or_default() += throttled;
        }
    }

    /// Adds a report on the whole organization that was published.
    pub fn reported(&mut self) {
        self.count(None, REPORTS, 1);
    }

    /// Adds events that could not be sent.
    pub fn untold(&mut self, events: usize) {
        self.count(None, UNTOLD, events);
    }

    /// The figures as lines of the log, one for each value of a dimension. `stack` is the first dimension of
    /// each: two stacks of one account and Region must not set off each other's alarms.
    pub fn lines(self, at: Timestamp, stack: Option<&str>) -> Vec<String> {
        let Metrics { counts, times } = self;
        let stack = || stack.map(|stack| (STACK, stack.to_owned()));
        let counts = counts.into_iter().map(|(dimension, counts)| {
            let values = counts.into_iter().map(|(name, value)| (name, "Count", json!(value)));
            line(at, [stack(), dimension], values)
        });
        let times = times
            .chunks(VALUES_A_LINE)
            .map(|values| line(at, [stack(), None], [(TIME_TO_ENFORCED, "Milliseconds", json!(values))]));
        counts.chain(times).collect()
    }
}

fn by_state(standing: Standing) -> Dimension {
    Some(("State", standing.code().to_owned()))
}

fn change_of(result: &TargetReport) -> Option<&Change> {
    let attempted = result.outcome().map(|outcome| &outcome.change);
    attempted.or_else(|| result.held()?.would.as_ref())
}

fn line(
    at: Timestamp,
    dimensions: [Dimension; 2],
    values: impl IntoIterator<Item = (&'static str, &'static str, Value)>,
) -> String {
    let mut members = Map::new();
    let mut metrics = Vec::new();
    for (name, unit, value) in values {
        metrics.push(json!({ "Name": name, "Unit": unit }));
        members.insert(name.to_owned(), value);
    }
    let dimensions = dimensions.into_iter().flatten();
    let names: Vec<&str> = dimensions.clone().map(|(name, _)| name).collect();
    members.extend(dimensions.map(|(name, value)| (name.to_owned(), json!(value))));
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [names], "Metrics": metrics });
    let aws = json!({ "Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive] });
    members.insert("_aws".to_owned(), aws);
    Value::Object(members).to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::enforcement::{Drift, Enforcement, Guarding, Models};
    use crate::failure::Failure;
    use crate::ids::{GuardrailVersion, Target};
    use crate::observed::Seen;
    use crate::plan::{Decision, Held, HoldReason, InSync, Ownership, Plan};
    use crate::record::{Origin, Ours, Record};
    use crate::report::ChangeResult;

    fn at() -> Timestamp {
        "2026-11-02T10:00:00Z".parse().unwrap()
    }

    fn cause(sweep: bool) -> Cause {
        Cause {
            event: "event-1".to_owned(),
            reason: "somebody changed the account's enforcement".to_owned(),
            first_seen: "2026-11-02T09:59:58Z".parse().unwrap(),
            happened: Some("2026-11-02T09:59:57Z".parse().unwrap()),
            attempt: 0,
            sweep,
            revision: None,
            arrival: None,
            in_our_name: false,
            hops: 0,
            pauses: crate::task::Pauses::default(),
        }
    }

    fn enforcement(version: u32) -> Enforcement {
        Enforcement {
            guardrail: "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base".parse().unwrap(),
            version: GuardrailVersion::new(version).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        }
    }

    fn target(account: u64) -> Target {
        format!("{account:012}/eu-west-1").parse().unwrap()
    }

    fn replace(account: u64) -> Change {
        let from = Seen {
            config_id: Some("cfg1".parse().unwrap()),
            enforcement: enforcement(1),
            created_by: None,
            updated_by: None,
        };
        Change::Replace {
            target: target(account),
            key: "corporate".parse().unwrap(),
            from,
            to: enforcement(2),
            copied: None,
            drift: Drift::Weaker,
            ownership: Ownership::Ours,
        }
    }

    fn in_sync() -> TargetReport {
        TargetReport::Decided(Decision::InSync(InSync::default()))
    }

    fn report(targets: impl IntoIterator<Item = TargetReport>) -> Report {
        let revision: crate::baseline::Revision = "0123456789abcdef".parse().unwrap();
        let mut report = Report::of(revision.clone(), Plan::default());
        for (account, result) in (300_000_000_001..).zip(targets) {
            let ours = Ours {
                enforcement: enforcement(2),
                origin: Origin::Applied,
                at: Timestamp::UNIX_EPOCH,
                revision: revision.clone(),
                path: None,
                reads_back: None,
            };
            report.before.insert(target(account), Record { ours: Some(ours), ..Record::default() });
            report.targets.insert(target(account), result);
        }
        report
    }

    #[expect(clippy::needless_pass_by_value, reason = "an expectation is made where it is used")]
    #[track_caller]
    fn check(metrics: Metrics, expected: Expect) {
        let mut text = String::new();
        for line in metrics.lines(at(), None) {
            let value: Value = serde_json::from_str(&line).unwrap();
            let directive = &value["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(directive["Namespace"], NAMESPACE);
            // Whatever a directive names has to be there.
            for metric in directive["Metrics"].as_array().unwrap() {
                assert!(!value[metric["Name"].as_str().unwrap()].is_null(), "{line}");
            }
            for dimension in directive["Dimensions"][0].as_array().unwrap() {
                assert!(value[dimension.as_str().unwrap()].is_string(), "{line}");
            }
            text.push_str(&format!("{line}\n"));
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn a_run_in_lines() {
        let mut metrics = Metrics::default();
        let failure = Failure::transient("ApplyGuardrail", "timed out");
        let held = |would| {
            let reason = HoldReason::ProbeFailed { failure: failure.clone() };
            TargetReport::Decided(Decision::Held(Held { reason, would }))
        };
        let repaired = TargetReport::Attempted(ChangeResult::of(replace(300_000_000_001), Ok(())));
        let report =
            report([repaired, in_sync(), in_sync(), held(Some(replace(300_000_000_004))), held(None)]);
        metrics.report(&report, &cause(false), at());
        metrics.calls(Calls { made: 17, throttled: 2 });
        metrics.untold(3);
        check(
            metrics,
            expect![[r#"
            {"AwsCalls":17,"AwsCallsThrottled":2,"DriftFound":2,"OutcomeEventsNotSent":3,"_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":[{"Name":"AwsCalls","Unit":"Count"},{"Name":"AwsCallsThrottled","Unit":"Count"},{"Name":"DriftFound","Unit":"Count"},{"Name":"OutcomeEventsNotSent","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
            {"Reason":"probe_failed.transient","TargetsHeld":2,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["Reason"]],"Metrics":[{"Name":"TargetsHeld","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
            {"State":"held","TargetsLookedAt":2,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"TargetsLookedAt","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
            {"State":"in_sync","TargetsLookedAt":2,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"TargetsLookedAt","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
            {"State":"replaced","TargetsLookedAt":1,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"TargetsLookedAt","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
            {"TimeToEnforced":[3000],"_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":[{"Name":"TimeToEnforced","Unit":"Milliseconds"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
        "#]],
        );
    }

    #[test]
    fn a_sweep_in_lines() {
        let mut metrics = Metrics::default();
        metrics.sweep(&BTreeMap::from([(Standing::InSync, 9_990), (Standing::Broken, 10)]), 4);
        check(
            metrics,
            expect![[r#"
                {"AccountsNotLookedAt":4,"_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":[{"Name":"AccountsNotLookedAt","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"broken","Targets":10,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"contested","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"copied","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"enforced","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"failed","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"held","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"in_sync","Targets":9990,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"left_alone","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"released","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"replaced","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"stale","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"unguarded","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"unknown","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"would_abandon","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"would_enforce","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"would_release","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
                {"State":"would_replace","Targets":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"Targets","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
            "#]],
        );
    }

    #[test]
    fn every_figure_names_the_stack_that_it_is_of() {
        let mut metrics = Metrics::default();
        metrics.sweep(&BTreeMap::from([(Standing::Broken, 10)]), 4);
        metrics.calls(Calls { made: 17, throttled: 2 });
        let outcome = ChangeResult::of(replace(300_000_000_001), Ok(()));
        metrics.report(&report([TargetReport::Attempted(outcome)]), &cause(false), at());
        for line in metrics.lines(at(), Some("guardrail-keeper")) {
            let value: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["Stack"], "guardrail-keeper", "{line}");
            let directive = &value["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(directive["Dimensions"][0][0], "Stack", "{line}");
            let by_state = value["State"].is_string();
            assert_eq!(
                directive["Dimensions"][0].as_array().unwrap().len(),
                1 + usize::from(by_state),
                "{line}"
            );
        }
    }

    #[test]
    fn nothing_has_no_lines_and_a_run_that_found_nothing_has() {
        let mut metrics = Metrics::default();
        metrics.calls(Calls::default());
        check(metrics.clone(), expect![[""]]);
        metrics.report(&report([in_sync()]), &cause(true), at());
        check(
            metrics,
            expect![[r#"
            {"DriftFound":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":[{"Name":"DriftFound","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
            {"State":"in_sync","TargetsLookedAt":1,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["State"]],"Metrics":[{"Name":"TargetsLookedAt","Unit":"Count"}],"Namespace":"GuardrailKeeper"}],"Timestamp":1793613600000}}
        "#]],
        );
    }

    #[test]
    fn runs_add_up_and_a_line_holds_a_hundred_times() {
        let mut metrics = Metrics::default();
        for account in 0..250 {
            let change = replace(300_000_000_001);
            let outcome = ChangeResult::of(change, Ok(()));
            let later = Timestamp::from_millisecond(at().as_millisecond() + account).unwrap();
            metrics.report(&report([TargetReport::Attempted(outcome)]), &cause(false), later);
        }
        let lines = metrics.lines(at(), None);
        let values: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let times: Vec<&Vec<Value>> =
            values.iter().filter_map(|value| value[TIME_TO_ENFORCED].as_array()).collect();
        assert_eq!(times.iter().map(|times| times.len()).collect::<Vec<_>>(), [100, 100, 50]);
        assert_eq!(times[2][49], 3249);
        assert_eq!(values[0][DRIFT], 250);
    }

    #[test]
    fn what_a_sweep_found_has_no_time() {
        let mut metrics = Metrics::default();
        let outcome = ChangeResult::of(replace(300_000_000_001), Ok(()));
        metrics.report(&report([TargetReport::Attempted(outcome)]), &cause(true), at());
        assert!(metrics.times.is_empty());
    }
}
