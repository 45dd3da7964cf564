//! The particulars of an event, as they are sent. A member that has nothing to say is left out, so that
//! a pattern can ask whether it exists.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::deed::WriteId;
use super::{CompletedSweep, FORMAT};
use crate::baseline::Revision;
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, GuardrailArn, GuardrailVersion, Region};
use crate::observed::Seen;
use crate::status::Standing;
use crate::task::Cause;

/// Longer sentences are cut: they may quote AWS or a request, which have no bound.
pub(super) const TEXT_KEPT: usize = 500;

/// How many causing events are named. A batch merges ten at most.
const EVENTS_NAMED: usize = 20;

/// Why a run was made, and what time it is.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) cause: &'a Cause,
    pub(super) now: Timestamp,
}

/// The detail of an event about one account.
#[derive(Serialize)]
pub(super) struct Detail<'a> {
    version: u32,
    account: &'a AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<&'a Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guardrail: Option<GuardrailDetail<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ReasonDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Configuration<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<Configuration<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since_event_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repairs_within_the_hour: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tried_again: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left_behind: Option<&'a BTreeSet<Region>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<&'a Revision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) write: Option<&'a WriteId>,
    cause: CauseDetail<'a>,
}

/// A guardrail and the version of it.
#[derive(Serialize)]
pub(super) struct GuardrailDetail<'a> {
    pub(super) arn: &'a GuardrailArn,
    pub(super) version: GuardrailVersion,
}

/// Why, for programs and for people.
#[derive(Serialize)]
pub(super) struct ReasonDetail {
    code: String,
    text: String,
}

/// A configuration that is or was there, whole, so that it can be put back.
#[derive(Serialize)]
struct Configuration<'a> {
    #[serde(flatten)]
    enforcement: &'a Enforcement,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
}

/// What led to it.
#[derive(Serialize)]
pub(super) struct CauseDetail<'a> {
    events: Vec<&'a str>,
    text: String,
    attempt: u32,
    sweep: bool,
}

impl<'a> Detail<'a> {
    pub(super) fn of_account(account: &'a AccountId, circumstances: Circumstances<'a>) -> Detail<'a> {
        Detail {
            version: FORMAT,
            account,
            region: None,
            guardrail: None,
            reason: None,
            principal: None,
            previous: None,
            present: None,
            since_event_ms: None,
            repairs_within_the_hour: None,
            tried_again: None,
            left_behind: None,
            revision: None,
            write: None,
            cause: CauseDetail::of(circumstances.cause),
        }
    }

    pub(super) fn guardrail(&mut self, enforcement: &'a Enforcement) {
        self.guardrail = Some(GuardrailDetail { arn: &enforcement.guardrail, version: enforcement.version });
    }

    pub(super) fn reason(&mut self, code: String, text: &str) {
        self.reason = Some(ReasonDetail::new(code, text));
    }

    pub(super) fn previous(&mut self, seen: &'a Seen) {
        self.previous = Some(Configuration::of(seen));
    }

    pub(super) fn present(&mut self, seen: &'a Seen) {
        self.present = Some(Configuration::of(seen));
    }

    /// What AWS shows of what we wrote.
    pub(super) fn shown(&mut self, enforcement: &'a Enforcement) {
        self.present = Some(Configuration { enforcement, by: None });
    }

    pub(super) fn to_json(&self) -> Value {
        json!(self)
    }
}

impl ReasonDetail {
    pub(super) fn new(code: String, text: &str) -> ReasonDetail {
        ReasonDetail { code, text: cut(text) }
    }
}

impl<'a> Configuration<'a> {
    fn of(seen: &'a Seen) -> Configuration<'a> {
        Configuration { enforcement: &seen.enforcement, by: seen.last_writer() }
    }
}

impl<'a> CauseDetail<'a> {
    pub(super) fn of(cause: &'a Cause) -> CauseDetail<'a> {
        let Cause {
            event,
            reason,
            attempt,
            sweep,
            first_seen: _,
            happened: _,
            revision: _,
            arrival: _,
            in_our_name: _,
            hops: _,
            pauses: _,
        } = cause;
        let events = event.split_whitespace().take(EVENTS_NAMED).collect();
        CauseDetail { events, text: cut(reason), attempt: *attempt, sweep: *sweep }
    }
}

/// The detail of the event of a sweep's end.
#[derive(Serialize)]
pub(super) struct SweepDetail<'a> {
    version: u32,
    began: Timestamp,
    seconds: i64,
    accounts: AccountCounts,
    targets: BTreeMap<&'static str, usize>,
    guarded: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<String>,
    examples: Vec<String>,
    revision: &'a Revision,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<&'a Revision>,
    cause: CauseDetail<'a>,
}

#[derive(Serialize)]
struct AccountCounts {
    in_scope: usize,
    looked_at: usize,
    not_looked_at: usize,
    closed: usize,
}

impl<'a> SweepDetail<'a> {
    pub(super) fn of(sweep: &CompletedSweep<'a>, circumstances: Circumstances<'a>) -> SweepDetail<'a> {
        let Circumstances { cause, now } = circumstances;
        let CompletedSweep {
            began,
            accounts,
            looked_at,
            not_looked_at,
            closed,
            standings,
            guarded,
            is_reported,
            examples,
            revision,
            waiting,
        } = sweep;
        SweepDetail {
            version: FORMAT,
            began: *began,
            seconds: (now.as_second() - began.as_second()).max(0),
            accounts: AccountCounts {
                in_scope: *accounts,
                looked_at: *looked_at,
                not_looked_at: *not_looked_at,
                closed: *closed,
            },
            // A state without targets is there too: a pattern on a number finds nothing in what is left out.
            targets: Standing::of_a_sweep()
                .map(|at| (at.code(), standings.get(&at).copied().unwrap_or(0)))
                .collect(),
            guarded: *guarded,
            report: is_reported.then(|| report(sweep)),
            examples: examples.iter().map(|example| cut(example)).collect(),
            revision,
            waiting: *waiting,
            cause: CauseDetail::of(cause),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!(self)
    }
}

/// What people are told of a sweep: how many targets are guarded, and how many are not as they should be.
fn report(sweep: &CompletedSweep<'_>) -> String {
    let bad = sweep.standings.iter().filter(|(standing, targets)| !standing.is_good() && **targets > 0);
    let mut wrong: Vec<String> = bad.map(|(standing, targets)| format!("{targets} {standing}")).collect();
    if sweep.not_looked_at > 0 {
        wrong.push(format!("{} not looked at", plural(sweep.not_looked_at, "account")));
    }
    let (guarded, accounts) = (plural(sweep.guarded, "target"), plural(sweep.looked_at, "account"));
    let waiting = sweep.waiting.map(|revision| format!(". Baseline {revision} waits for its approval"));
    let waiting = waiting.unwrap_or_default();
    if wrong.is_empty() {
        return format!("all is well: {guarded} guarded in {accounts}{waiting}");
    }
    format!("not all is well: {guarded} guarded in {accounts}; {}{waiting}", wrong.join(", "))
}

/// A number with its noun.
pub(super) fn plural(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

pub(super) fn cut(text: &str) -> String {
    crate::words::cut(text, TEXT_KEPT)
}
