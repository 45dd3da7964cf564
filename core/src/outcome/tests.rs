//! What is told of a run, event by event; each held against the schema that listeners are given.

mod attention;
mod deployment;
mod late;
mod many;

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::enforcement::{Drift, Enforcement, Guarding, Models};
use crate::failure::{Category, Failure};
use crate::ids::GuardrailVersion;
use crate::limits::Extent;
use crate::observed::Seen;
use crate::plan::{Broken, Held, InSync, Ownership};
use crate::record::{Checked, Intent, Origin, Ours};
use crate::resolved::Unusable;
use crate::task::{OtherGuardrails, Sender};

use crate::trigger::{Context, Ignored, Trigger, decide_value};

const ADMIN: &str = "arn:aws:sts::300000000001:assumed-role/Admin/alice";
const REVISION: &str = "0123456789abcdef";

fn now() -> Timestamp {
    "2026-11-02T10:00:00Z".parse().unwrap()
}

fn cause() -> Cause {
    Cause {
        event: "event-1 event-2".to_owned(),
        reason: "the account joined the organization".to_owned(),
        first_seen: "2026-11-02T09:59:58Z".parse().unwrap(),
        happened: Some("2026-11-02T09:59:57.5Z".parse().unwrap()),
        attempt: 1,
        sweep: false,
        revision: Some(REVISION.parse().unwrap()),
        arrival: None,
        in_our_name: false,
        hops: 0,
        pauses: crate::task::Pauses::default(),
    }
}

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

fn here() -> Target {
    target("300000000001/eu-west-1")
}

fn enforcement(version: u32) -> Enforcement {
    Enforcement {
        guardrail: "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base".parse().unwrap(),
        version: GuardrailVersion::new(version).unwrap(),
        models: Models::default(),
        guarding: Guarding::default(),
    }
}

fn seen(version: u32, by: Option<&str>) -> Seen {
    Seen {
        config_id: Some("cfg1".parse().unwrap()),
        enforcement: enforcement(version),
        created_by: None,
        updated_by: by.map(str::to_owned),
    }
}

fn enforce(repair: bool) -> Change {
    Change::Enforce {
        target: here(),
        key: "corporate".parse().unwrap(),
        to: enforcement(2),
        copied: None,
        repair,
    }
}

fn replace(ownership: Ownership) -> Change {
    Change::Replace {
        target: here(),
        key: "corporate".parse().unwrap(),
        from: seen(1, Some(ADMIN)),
        to: enforcement(2),
        copied: None,
        drift: Drift::Weaker,
        ownership,
    }
}

fn release(broken: Option<Unusable>) -> Change {
    Change::Release { target: here(), from: seen(2, None), broken, adopted: false }
}

fn done(change: Change) -> TargetReport {
    TargetReport::Attempted(ChangeResult::of(change, Ok(())))
}

fn failed(change: Change) -> TargetReport {
    TargetReport::Attempted(ChangeResult::of(change, Err(refused(Category::Transient))))
}

fn held(reason: HoldReason, would: Option<Change>) -> TargetReport {
    TargetReport::Decided(Decision::Held(Held { reason, would }))
}

fn broken(status: &str) -> TargetReport {
    let unusable = Unusable::NotReady { status: status.to_owned().into() };
    TargetReport::Decided(Decision::Broken(Broken { seen: seen(2, None), unusable, stays: None }))
}

fn refused(category: Category) -> Failure {
    let (operation, message) = ("ApplyGuardrail".to_owned(), "AccessDeniedException: no".to_owned());
    Failure::new(category, &operation, message)
}

/// A record of ours, with so many repairs lately.
fn ours(repairs: usize) -> Record {
    let ours = Ours {
        enforcement: enforcement(2),
        origin: Origin::Applied,
        at: Timestamp::UNIX_EPOCH,
        revision: REVISION.parse().unwrap(),
        path: None,
        reads_back: None,
    };
    let at = "2026-11-02T09:30:00Z".parse().unwrap();
    Record { ours: Some(ours), repairs: vec![at; repairs], ..Record::default() }
}

/// A record of a look that came to this.
fn looked(result: &TargetReport) -> Record {
    let checked = Checked {
        at: Timestamp::UNIX_EPOCH,
        revision: REVISION.parse().unwrap(),
        state: result.state(),
        // Words may differ from look to look.
        reason: Some("something of the same kind".to_owned()),
        code: result.code(),
        drift: None,
        event: None,
        path: None,
        expected: None,
    };
    Record { checked: Some(checked), ..Record::default() }
}

fn report(results: impl IntoIterator<Item = (Target, TargetReport, Option<Record>)>) -> Report {
    let mut report = Report::of(REVISION.parse().unwrap(), crate::plan::Plan::default());
    for (target, result, before) in results {
        report.before.extend(before.map(|record| (target.clone(), record)));
        report.targets.insert(target, result);
    }
    report
}

fn one(result: TargetReport, before: Option<Record>) -> Report {
    report([(here(), result, before)])
}

/// The events as EventBridge delivers them, each of which the schema admits and the keeper ignores.
fn delivered(events: &[Event]) -> Vec<Value> {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    let schema = serde_json::from_str(include_str!("../../../docs/outcomes.schema.json")).unwrap();
    compiler.enable_format_assertions();
    compiler.add_resource("outcomes.json", schema).unwrap();
    let schema = compiler.compile("outcomes.json", &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
    let deliver = |event: &Event| {
        let value = json!({
            "version": "0",
            "id": "7bf73129-1428-4cd3-a780-95db273d1602",
            "detail-type": event.kind.detail_type(),
            "source": "guardrail-keeper",
            "account": "111111111111",
            "time": event.time,
            "region": "us-east-1",
            "resources": [],
            "detail": event.detail,
        });
        schemas.validate(&value, schema).unwrap_or_else(|error| panic!("{value:#}\n{error:#}"));
        assert_eq!(decide_value(&value, &Context::default()), Trigger::Ignore(Ignored::OwnOutcome));
        value
    };
    events.iter().map(deliver).collect()
}

/// What most events of these tests have in common. [`a_first_enforcement`] and [`a_release`] show it.
fn common() -> Vec<(&'static str, Value)> {
    let all = "comprehensive";
    let text = "the account joined the organization";
    let cause = json!({ "attempt": 1, "events": ["event-1", "event-2"], "sweep": false, "text": text });
    let guardrail = "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base";
    vec![
        ("/cause", cause),
        ("/guardrail", json!({ "arn": guardrail, "version": "2" })),
        ("/previous/guarding", json!({ "messages": all, "system": all })),
        ("/previous/models", json!({ "exclude": [], "include": "all" })),
        ("/present/guarding", json!({ "messages": all, "system": all })),
        ("/present/models", json!({ "exclude": [], "include": "all" })),
    ]
}

/// The events in full.
#[expect(clippy::needless_pass_by_value, reason = "an expectation is made where it is used")]
#[track_caller]
fn check_whole(events: &[Event], expected: Expect) {
    expected.assert_eq(&written(events, &[]));
}

/// The events, with `…` for each member that is exactly as in [`common`].
#[expect(clippy::needless_pass_by_value, reason = "an expectation is made where it is used")]
#[track_caller]
fn check(events: &[Event], expected: Expect) {
    expected.assert_eq(&written(events, &common()));
}

fn written(events: &[Event], common: &[(&str, Value)]) -> String {
    let mut text = String::new();
    for mut event in delivered(events) {
        let detail = &mut event["detail"];
        for (pointer, usual) in common {
            if let Some(member) = detail.pointer_mut(pointer)
                && member == usual
            {
                *member = json!("…");
            }
        }
        let name = event["detail-type"].as_str().unwrap();
        writeln!(text, "{name} {:#}", event["detail"]).unwrap();
    }
    text
}

/// The names of the events, and of each its reason.
fn names(events: &[Event]) -> Vec<String> {
    let name = |event: Value| {
        let code = event["detail"]["reason"]["code"].as_str().unwrap_or_default();
        format!("{} {code}", event["detail-type"].as_str().unwrap())
    };
    delivered(events).into_iter().map(name).collect()
}

fn told(report: &Report) -> Vec<Event> {
    of_report(report, &cause(), now())
}

#[test]
fn a_first_enforcement() {
    check_whole(
        &told(&one(done(enforce(false)), None)),
        expect![[r#"
        Enforcement Applied {
          "account": "300000000001",
          "cause": {
            "attempt": 1,
            "events": [
              "event-1",
              "event-2"
            ],
            "sweep": false,
            "text": "the account joined the organization"
          },
          "guardrail": {
            "arn": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base",
            "version": "2"
          },
          "reason": {
            "code": "absent",
            "text": "300000000001/eu-west-1 enforce corporate:2"
          },
          "region": "eu-west-1",
          "revision": "0123456789abcdef",
          "since_event_ms": 2500,
          "version": 1
        }
    "#]],
    );
}

#[test]
fn a_repair_names_who_made_it_necessary() {
    check(
        &told(&one(done(replace(Ownership::Ours)), Some(ours(1)))),
        expect![[r#"
            Enforcement Repaired {
              "account": "300000000001",
              "cause": "…",
              "guardrail": "…",
              "previous": {
                "by": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
                "guarding": "…",
                "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base",
                "models": "…",
                "version": "1"
              },
              "principal": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
              "reason": {
                "code": "changed.weaker",
                "text": "300000000001/eu-west-1 corporate:1 => corporate:2 (weaker)"
              },
              "region": "eu-west-1",
              "repairs_within_the_hour": 2,
              "revision": "0123456789abcdef",
              "since_event_ms": 2500,
              "version": 1
            }
        "#]],
    );
    assert_eq!(names(&told(&one(done(enforce(true)), Some(ours(0))))), ["Enforcement Repaired removed"],);
}

#[test]
fn what_another_revision_replaces_is_no_repair_and_what_was_removed_is() {
    let mut record = ours(0);
    let known = record.ours.as_mut().unwrap();
    known.revision = "ffffffffffffffff".parse().unwrap();
    known.enforcement = enforcement(1);
    let events = told(&one(done(enforce(true)), Some(record.clone())));
    assert_eq!(events[0].kind, Kind::Repaired, "{events:?}");
    for change in [enforce(false), replace(Ownership::Ours), replace(Ownership::Foreign)] {
        let events = told(&one(done(change), Some(record.clone())));
        assert_eq!(events[0].kind, Kind::Applied, "{events:?}");
        assert_eq!(events.len(), 1);
    }
}

#[test]
fn a_contest_is_told_when_it_begins() {
    let repaired = |repairs: usize| names(&told(&one(done(replace(Ownership::Ours)), Some(ours(repairs)))));
    assert_eq!(repaired(2), ["Enforcement Repaired changed.weaker"]);
    assert_eq!(repaired(3), ["Enforcement Repaired changed.weaker", "Enforcement Contested contested"]);
    assert_eq!(repaired(4), ["Enforcement Repaired changed.weaker"]);
    // Twice before, hours apart.
    let mut slowly = ours(0);
    slowly.repairs = ["2026-11-01T20:00:00Z", "2026-11-02T02:00:00Z"].map(|at| at.parse().unwrap()).to_vec();
    let events = told(&one(done(replace(Ownership::Ours)), Some(slowly.clone())));
    assert_eq!(names(&events), ["Enforcement Repaired changed.weaker", "Enforcement Contested contested"]);
    assert_eq!(
        events[1].detail["reason"]["text"],
        "3 repairs within a day, each an hour or more after the one before: another principal undoes each"
    );
    slowly.repairs.push("2026-11-02T08:00:00Z".parse().unwrap());
    assert_eq!(
        names(&told(&one(done(replace(Ownership::Ours)), Some(slowly)))),
        ["Enforcement Repaired changed.weaker"]
    );
    let waits = held(HoldReason::Contested { by: None }, Some(replace(Ownership::Ours)));
    assert_eq!(names(&told(&one(waits, Some(ours(4))))), [""; 0]);
    let events = told(&one(done(replace(Ownership::Ours)), Some(ours(3))));
    check(
        &events[1..],
        expect![[r#"
            Enforcement Contested {
              "account": "300000000001",
              "cause": "…",
              "guardrail": "…",
              "previous": {
                "by": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
                "guarding": "…",
                "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base",
                "models": "…",
                "version": "1"
              },
              "principal": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
              "reason": {
                "code": "contested",
                "text": "4 repairs within an hour: another principal undoes each"
              },
              "region": "eu-west-1",
              "repairs_within_the_hour": 4,
              "revision": "0123456789abcdef",
              "version": 1
            }
        "#]],
    );
}

#[test]
fn what_is_held_is_told_with_what_stays() {
    let reason = HoldReason::NotOurs { by: Some(ADMIN.to_owned()) };
    check(
        &told(&one(held(reason, Some(replace(Ownership::Foreign))), None)),
        expect![[r#"
            Enforcement Held {
              "account": "300000000001",
              "cause": "…",
              "guardrail": "…",
              "present": {
                "by": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
                "guarding": "…",
                "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base",
                "models": "…",
                "version": "1"
              },
              "principal": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
              "reason": {
                "code": "not_ours",
                "text": "another configuration is enforced there, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: to replace it, write `existing: replace`"
              },
              "region": "eu-west-1",
              "revision": "0123456789abcdef",
              "tried_again": false,
              "version": 1
            }
        "#]],
    );
}

#[test]
fn what_is_held_is_told_once_for_each_kind_of_reason() {
    let probe = |category| held(HoldReason::ProbeFailed { failure: refused(category) }, Some(enforce(false)));
    let now_denied = || probe(Category::Denied);
    let after = |before: Option<&TargetReport>| names(&told(&one(now_denied(), before.map(looked))));
    let told = ["Enforcement Held probe_failed.denied"];
    assert_eq!(after(None), told);
    assert_eq!(after(Some(&now_denied())), [""; 0]);
    // Another kind of reason, another state.
    assert_eq!(after(Some(&probe(Category::NotReady))), told);
    assert_eq!(after(Some(&failed(enforce(false)))), told);
    assert_eq!(after(Some(&done(enforce(false)))), told);
}

#[test]
fn a_write_that_failed_is_held() {
    let events = told(&one(failed(release(None)), None));
    assert_eq!(names(&events), ["Enforcement Held failed.transient"]);
    assert_eq!(events[0].detail["tried_again"], true);
    assert_eq!(events[0].detail["present"]["version"], "2");
    assert_eq!(names(&told(&one(failed(enforce(false)), Some(looked(&failed(enforce(false))))))), [""; 0]);
}

#[test]
fn what_passes_by_itself_is_not_told() {
    let reason = HoldReason::NotCounted { revision: REVISION.parse().unwrap() };
    let in_sync = TargetReport::Decided(Decision::InSync(InSync::default()));
    for result in [held(reason, Some(enforce(false))), in_sync] {
        assert_eq!(names(&told(&one(result, None))), [""; 0]);
    }
}

#[test]
fn a_release() {
    check_whole(
        &told(&one(done(release(None)), Some(ours(0)))),
        expect![[r#"
        Enforcement Released {
          "account": "300000000001",
          "cause": {
            "attempt": 1,
            "events": [
              "event-1",
              "event-2"
            ],
            "sweep": false,
            "text": "the account joined the organization"
          },
          "guardrail": {
            "arn": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base",
            "version": "2"
          },
          "previous": {
            "guarding": {
              "messages": "comprehensive",
              "system": "comprehensive"
            },
            "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base",
            "models": {
              "exclude": [],
              "include": "all"
            },
            "version": "2"
          },
          "reason": {
            "code": "not_wanted",
            "text": "300000000001/eu-west-1 release base:2"
          },
          "region": "eu-west-1",
          "revision": "0123456789abcdef",
          "version": 1
        }
    "#]],
    );
    let unusable = Unusable::NotReady { status: "FAILED".to_owned().into() };
    assert_eq!(
        names(&told(&one(done(release(Some(unusable))), None))),
        ["Enforcement Released not_ready", "Accounts Unguarded not_ready"]
    );
}

#[test]
fn what_somebody_else_made_is_told_when_it_changes_hands() {
    const ADMIN: &str = "arn:aws:sts::300000000001:assumed-role/Admin/alice";
    let adopt =
        Change::Adopt { target: here(), key: "corporate".parse().unwrap(), seen: seen(2, Some(ADMIN)) };
    let events = told(&one(done(adopt), None));
    check(
        &events,
        expect![[r#"
            Enforcement Adopted {
              "account": "300000000001",
              "cause": "…",
              "guardrail": "…",
              "present": {
                "by": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
                "guarding": "…",
                "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base",
                "models": "…",
                "version": "2"
              },
              "principal": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
              "reason": {
                "code": "as_wanted",
                "text": "300000000001/eu-west-1 adopt corporate:2 (made by arn:aws:sts::300000000001:assumed-role/Admin/alice)"
              },
              "region": "eu-west-1",
              "revision": "0123456789abcdef",
              "version": 1
            }
        "#]],
    );
    let back = crate::plan::HandedBack { adopted: enforcement(2), seen: seen(1, Some(ADMIN)) };
    let mut report = one(TargetReport::Decided(Decision::InSync(InSync::default())), None);
    report.handed_back.insert(here(), back);
    let events = told(&report);
    assert_eq!(names(&events), ["Enforcement Handed Back existing_keep"]);
    let [event] = delivered(&events).try_into().unwrap();
    assert_eq!(event["detail"]["guardrail"]["version"], "2");
    assert_eq!(event["detail"]["present"]["version"], "1");
    assert_eq!(event["detail"]["principal"], ADMIN);
    // What can't be released without an approval says whose it is.
    let reason =
        HoldReason::ReleasesAdopted { revision: REVISION.parse().unwrap(), by: Some(ADMIN.to_owned()) };
    let release = Change::Release { target: here(), from: seen(2, Some(ADMIN)), broken: None, adopted: true };
    let events = told(&one(held(reason, Some(release)), None));
    let [event] = delivered(&events).try_into().unwrap();
    assert_eq!(event["detail"]["reason"]["code"], "releases_adopted");
    assert_eq!(event["detail"]["principal"], ADMIN);
}

#[test]
fn texts_and_lists_are_bounded() {
    let endless = Cause {
        event: (0..100).map(|number| format!("event-{number} ")).collect(),
        reason: "ü".repeat(5000),
        ..cause()
    };
    let failure = Failure { message: "ü".repeat(5000), ..refused(Category::Rejected) };
    let result = held(HoldReason::ProbeFailed { failure }, None);
    let events = of_report(&one(result, None), &endless, now());
    let detail = &delivered(&events)[0]["detail"];
    assert!(detail.to_string().len() < 4096, "{}", detail.to_string().len());
}
