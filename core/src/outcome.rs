//! Outcome events of a run, for the bus. Decides which; sends nothing.
//!
//! An event reports a change, not a state: what is held is published when it is first held for that kind of
//! reason, and not by each look. `docs/outcomes.md` says so to those who listen.

mod attention;
mod bedrock_policies;
mod broken;
mod changed;
mod deed;
mod detail;
mod ended;
mod flooding;
mod opened;
mod published;
mod reads_back;
mod repaired;
#[cfg(test)]
mod tests;
mod together;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::baseline::{Baseline, Revision};
use crate::ids::{AccountId, Region, Target};
use crate::limits::RevisionApproval;
use crate::organization_level::{OrganizationLevelRecord, OrganizationLevelReport};
use crate::plan::{Change, Decision, HandedBack, HoldReason};
use crate::record::{Deed, DeedKind, Record};
use crate::report::{ChangeResult, Report, TargetReport, Waits};
use crate::status::Standing;
use crate::task::{Cause, Flooding};
use crate::words::words;

pub use attention::AttentionNews;
pub use broken::BrokenVersions;
pub use deed::deed_of;
use detail::{Circumstances, Detail, SweepDetail};
pub use ended::{may_have_ended, news_of_ended};
pub use published::{MESSAGES_AN_HOUR, Publications, URGENT_MESSAGES_AN_HOUR};
pub use repaired::{RepairContext, news_of_repair};

/// The version of every event's detail. Members may be added under the same one.
pub const FORMAT: u32 = 1;

words! {
    /// What kind of thing happened.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Kind {
        /// A guardrail is enforced where it wasn't, as the baseline asks for.
        Applied = "Enforcement Applied",
        /// Ours had been removed or changed, and it is back.
        Repaired = "Enforcement Repaired",
        /// A foreign enforcement is as wanted, and was taken over.
        Adopted = "Enforcement Adopted",
        /// What was adopted is handed back.
        HandedBack = "Enforcement Handed Back",
        /// AWS shows what we wrote in another form than we wrote it in.
        ReadsBackDifferent = "Enforcement Reads Back Different",
        /// Something should be written, and isn't.
        Held = "Enforcement Held",
        /// An enforcement was removed.
        Released = "Enforcement Released",
        /// What is enforced can't be used: guarded calls may be failing.
        Broken = "Enforcement Broken",
        /// What was enforced was released although it is wanted, because it can't be used: nothing guards
        /// the accounts.
        Unguarded = "Accounts Unguarded",
        /// Another principal undoes our repairs again and again.
        Contested = "Enforcement Contested",
        /// A resource policy opens a guardrail beyond the organization.
        Opened = "Guardrail Opened",
        /// The events of an account come faster than each can have a look of its own.
        Flooding = "Account Flooding",
        /// Bedrock policies of the keeper's were written.
        BedrockPoliciesChanged = "Bedrock Policies Changed",
        /// Bedrock policies should be written, and are not.
        BedrockPoliciesHeld = "Bedrock Policies Held",
        /// No change of a Bedrock policy reaches these accounts: their merged policy is invalid.
        AccountsFrozen = "Accounts Frozen",
        /// The baseline is another one than before.
        BaselineChanged = "Baseline Changed",
        /// An account gets no calls any more.
        Departed = "Account Departed",
        /// People have to hear of something that is wrong, or that somebody did.
        AttentionNeeded = "Attention Needed",
        /// Everything was looked at.
        SweepCompleted = "Sweep Completed",
    }

    /// The event's `detail-type`.
    pub fn detail_type(self) -> &'static str;

    impl Display;
}

/// An event to publish.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What kind of thing happened.
    pub kind: Kind,
    /// The particulars: an object, as the schema describes it.
    pub detail: Value,
    /// When.
    pub time: Timestamp,
}

/// A look at everything that came to its end.
#[derive(Clone, Debug)]
pub struct CompletedSweep<'a> {
    /// When it began.
    pub began: Timestamp,
    /// How many accounts it was to look at.
    pub accounts: usize,
    /// How many accounts were looked at since.
    pub looked_at: usize,
    /// How many accounts with something of ours no look has reached since.
    pub not_looked_at: usize,
    /// How many accounts get no calls.
    pub closed: usize,
    /// How many targets stand how.
    pub standings: &'a BTreeMap<Standing, usize>,
    /// In how many targets a guardrail is wanted and enforced.
    pub guarded: usize,
    /// Whether it is reported to people, which is done once in a while.
    pub is_reported: bool,
    /// The first of the targets that are not as they should be, in words.
    pub examples: &'a [String],
    /// The revision that accounts follow.
    pub revision: &'a Revision,
    /// The revision that waits for its approval, if one does.
    pub waiting: Option<&'a Revision>,
}

/// The events of a look at the organization's Bedrock policies. `known` is what was published before.
pub fn of_organization_level(
    report: &OrganizationLevelReport,
    known: &OrganizationLevelRecord,
    cause: &Cause,
    now: Timestamp,
) -> Vec<Event> {
    bedrock_policies::events(report, known, Circumstances { cause, now })
}

/// The events of a task. Within a sweep, what is broken or unguarded is published at its end, for all accounts
/// together.
pub fn of_report(report: &Report, cause: &Cause, now: Timestamp) -> Vec<Event> {
    let told = RunEvents { report, circumstances: Circumstances { cause, now }, now };
    let mut events = opened::events(report, told.circumstances);
    let (mut broken, mut unguarded) = (BrokenVersions::default(), BrokenVersions::default());
    events.extend(report.handed_back.iter().map(|(target, it)| told.handed_back(target, it)));
    for (target, result) in &report.targets {
        let before = report.before.get(target);
        match result {
            TargetReport::Attempted(
                outcome @ ChangeResult { change, result: Ok(()), reads_back, begun: _ },
            ) => {
                events.extend(told.made(target, outcome));
                events.extend(reads_back.as_ref().and_then(|it| told.reads_back(target, it, before)));
                if let Change::Release { from, broken: Some(unusable), .. } = change
                    && !cause.sweep
                {
                    let words = unusable.to_string();
                    unguarded.add(&target.account, from.enforcement.version(), unusable.code(), words);
                }
            }
            // That was published at the release; what is so still is published at the end of each sweep.
            TargetReport::Decided(Decision::Held(held)) if held.leaves_unguarded() => {}
            TargetReport::Attempted(ChangeResult { result: Err(_), .. })
            | TargetReport::CleanedUp { result: Err(_), .. }
            | TargetReport::Decided(Decision::Held(_)) => {
                events.extend(told.held(target, result, before));
            }
            TargetReport::Decided(Decision::Broken(it)) => {
                if !cause.sweep && is_news(result, before) {
                    let version = it.seen.enforcement.version();
                    broken.add(&target.account, version, it.unusable.code(), it.to_string());
                }
            }
            TargetReport::CleanedUp { result: Ok(()), .. }
            | TargetReport::Decided(
                Decision::InSync(_) | Decision::LeftAlone(_) | Decision::Change(_) | Decision::CleanUp(_),
            ) => {}
        }
    }
    for (target, write) in report.told_late() {
        events.extend(told.made_before(target, write));
        if let Some(Deed { kind: DeedKind::GivenUp, from: Some(from), code, text }) = &write.deed
            && !cause.sweep
        {
            unguarded.add(&target.account, from.enforcement.version(), code.clone(), text.clone());
        }
    }
    for (kind, versions) in [(Kind::Broken, broken), (Kind::Unguarded, unguarded)] {
        events.extend(versions.events(kind, cause, Some(&report.revision), false, now));
    }
    together::name_together(&mut events);
    events
}

/// The event of an account in which no calls are made any more. `left_behind` are the Regions in which it
/// still enforces what we put there.
pub fn of_departure(
    account: &AccountId,
    reason: &str,
    left_behind: &BTreeSet<Region>,
    cause: &Cause,
    now: Timestamp,
) -> Event {
    let mut detail = Detail::of_account(account, Circumstances { cause, now });
    detail.reason("departed".to_owned(), reason);
    detail.left_behind = Some(left_behind);
    Event { kind: Kind::Departed, detail: detail.to_json(), time: now }
}

/// The event of a new revision of the baseline, once its changes are counted. `previous` is the revision that the
/// ledger knew before.
pub fn of_baseline(
    baseline: &Baseline,
    approval: &RevisionApproval,
    previous: Option<&Revision>,
    cause: &Cause,
    now: Timestamp,
) -> Event {
    changed::event(baseline, approval, previous, Circumstances { cause, now })
}

/// The event that names an account whose events come faster than each can have a look of its own.
pub fn of_flood(account: &AccountId, flooding: &Flooding, now: Timestamp) -> Event {
    flooding::event(account, &flooding.sender, Circumstances { cause: &flooding.cause, now })
}

/// The event of a sweep's end.
pub fn of_sweep(sweep: &CompletedSweep<'_>, cause: &Cause, now: Timestamp) -> Event {
    let detail = SweepDetail::of(sweep, Circumstances { cause, now });
    Event { kind: Kind::SweepCompleted, detail: detail.to_json(), time: now }
}

/// How long after the event a target was enforced, in milliseconds. A sweep has none: it isn't known since
/// when what it found was so.
pub fn since_event(cause: &Cause, now: Timestamp) -> Option<i64> {
    let since = cause.happened.unwrap_or(cause.first_seen);
    (!cause.sweep).then(|| (now.as_millisecond() - since.as_millisecond()).max(0))
}

/// Whether a look found a target in another state, or so for another kind of reason, than the last one.
fn is_news(result: &TargetReport, before: Option<&Record>) -> bool {
    before.and_then(|record| record.checked.as_ref()).is_none_or(|last| result.is_news_since(last))
}

/// What all events of one run rest on.
#[derive(Clone, Copy)]
struct RunEvents<'a> {
    report: &'a Report,
    circumstances: Circumstances<'a>,
    now: Timestamp,
}

impl<'a> RunEvents<'a> {
    fn detail(self, target: &'a Target) -> Detail<'a> {
        let mut detail = Detail::of_account(&target.account, self.circumstances);
        detail.region = Some(&target.region);
        detail.revision = Some(&self.report.revision);
        detail
    }

    fn event(self, kind: Kind, detail: &Detail<'_>) -> Event {
        Event { kind, detail: detail.to_json(), time: self.now }
    }

    /// The event of what was adopted and is handed back.
    fn handed_back(self, target: &'a Target, handed_back: &'a HandedBack) -> Event {
        let HandedBack { adopted, seen } = handed_back;
        let mut detail = self.detail(target);
        detail.guardrail(adopted);
        detail.present(seen);
        detail.principal = seen.last_writer();
        detail.reason("existing_keep".to_owned(), &format!("{target} {handed_back}"));
        self.event(Kind::HandedBack, &detail)
    }

    /// The event of a target in which something should be written, and wasn't.
    fn held(self, target: &'a Target, result: &'a TargetReport, before: Option<&Record>) -> Option<Event> {
        let (would, principal) = match result {
            // What mode `audit` would do is counted at the end of each sweep; nothing is in its way.
            TargetReport::Decided(Decision::Held(held)) if held.only_audited().is_some() => return None,
            TargetReport::Decided(Decision::Held(held)) => match &held.reason {
                // Passes by itself, and was published when it began.
                HoldReason::NotCounted { .. }
                | HoldReason::LedgerUnavailable
                | HoldReason::Interrupted
                | HoldReason::Contested { .. } => return None,
                reason => (held.would.as_ref(), reason.other_principal()),
            },
            TargetReport::Attempted(ChangeResult { change, .. }) => (Some(change), None),
            TargetReport::CleanedUp { .. } => (None, None),
            TargetReport::Decided(_) => return None,
        };
        if !is_news(result, before) {
            return None;
        }
        let mut detail = self.detail(target);
        detail.reason(result.code().unwrap_or_default(), &result.reason().unwrap_or_default());
        detail.principal = principal;
        let waits = Waits { in_a_sweep: false, after_an_arrival: self.circumstances.cause.arrival.is_some() };
        detail.tried_again = Some(result.is_tried_again(waits));
        match would {
            Some(Change::Enforce { to, .. }) => detail.guardrail(to),
            Some(Change::Replace { from, to, .. }) => {
                detail.guardrail(to);
                detail.present(from);
            }
            Some(Change::Adopt { seen: from, .. } | Change::Release { from, .. }) => detail.present(from),
            Some(Change::EnsureCopy { .. }) | None => {}
        }
        Some(self.event(Kind::Held, &detail))
    }
}
