//! What the ledger is told of a run: before a write, after it, and of every look.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::baseline::{Baseline, Mode, Revision};
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, Region, Target};
use crate::limits::is_repair;
use crate::observed::{Observation, Observed};
use crate::organization::OrgPath;
use crate::plan::{Change, Correction, Decision, InSync, LeftAlone, SafePlan};
use crate::record::{Checked, Intent, LastSeen, Note, Origin, Ours, Records};
use crate::report::{Outcome, TargetReport};

/// What is to be done in one account, and what was decided about the rest of it.
#[derive(Default)]
pub(super) struct Decisions {
    pub(super) changes: Vec<Change>,
    pub(super) decided: BTreeMap<Target, Decision>,
}

pub(super) fn by_account(plan: SafePlan) -> BTreeMap<AccountId, Decisions> {
    let mut accounts: BTreeMap<AccountId, Decisions> = BTreeMap::new();
    for (target, decision) in plan.into_plan().decisions {
        let account = accounts.entry(target.account.clone()).or_default();
        match decision {
            Decision::Change(change) => account.changes.push(change),
            decision => {
                account.decided.insert(target, decision);
            }
        }
    }
    accounts
}

/// What every note of a run rests on.
#[derive(Clone, Copy)]
pub(super) struct Notebook<'a> {
    pub(super) baseline: &'a Baseline,
    pub(super) records: &'a Records,
    pub(super) observed: &'a Observed,
    pub(super) event: Option<&'a str>,
    /// Where the account stands.
    pub(super) path: Option<&'a OrgPath>,
}

impl Notebook<'_> {
    fn revision(self) -> Revision {
        self.baseline.revision.clone()
    }

    /// That a write begins. Without it a crash right after the write would leave no trace.
    pub(super) fn beginning(self, change: &Change, at: Timestamp) -> Option<(Region, Note)> {
        // The enforcement isn't touched, so nothing has to be told apart after a crash.
        if matches!(change, Change::Tidy { .. }) {
            return None;
        }
        let to = change.enforces().map(|(_, to)| to.clone());
        let intent = Intent { to, at, revision: self.revision() };
        let replacing = change.overwrites_foreign().cloned().map(Box::new);
        change.target().map(|target| (target.region.clone(), Note::Begun { intent, replacing }))
    }

    /// What became of what was to be written.
    pub(super) fn result(self, target: &Target, result: &TargetReport, at: Timestamp) -> Vec<(Region, Note)> {
        match result {
            TargetReport::Attempted(outcome) => self.outcome(outcome, at),
            TargetReport::Decided(decision) => self.decision(target, decision, at),
        }
    }

    /// What became of a write.
    fn outcome(self, outcome: &Outcome, at: Timestamp) -> Vec<(Region, Note)> {
        let Some(target) = outcome.change.target() else { return Vec::new() };
        let mut notes = Vec::new();
        // After a failure the intent stays: whether the write arrived is for the next look to tell.
        if outcome.result.is_ok() {
            notes.extend(self.success(&outcome.change, at));
        }
        notes.push(self.look(target, &TargetReport::Attempted(outcome.clone()), at));
        notes.into_iter().map(|note| (target.region.clone(), note)).collect()
    }

    fn success(self, change: &Change, at: Timestamp) -> Option<Note> {
        let repair = is_repair(change, self.records, &self.baseline.revision);
        match change {
            Change::Enforce { to, .. } | Change::Replace { to, .. } => {
                Some(Note::Enforced { ours: self.ours(to, Origin::Applied, at), repair })
            }
            Change::Release { .. } => Some(Note::Released { at }),
            Change::Tidy { leftover, .. } => leftover.settles_the_past().then_some(Note::Tidied),
            Change::EnsureCopy { .. } | Change::Policy(_) => None,
        }
    }

    /// What a look found where nothing was written.
    pub(super) fn decision(self, target: &Target, decision: &Decision, at: Timestamp) -> Vec<(Region, Note)> {
        // Looking on takes nothing over: what is adopted may be released later.
        let correction = (self.baseline.mode != Mode::Audit).then(|| self.correction(target, decision, at));
        let look = self.look(target, &TargetReport::Decided(decision.clone()), at);
        let notes = correction.flatten().into_iter().chain([look]);
        notes.map(|note| (target.region.clone(), note)).collect()
    }

    fn correction(self, target: &Target, decision: &Decision, at: Timestamp) -> Option<Note> {
        match decision {
            Decision::InSync(InSync { enforced, correction }) => match (correction.as_ref()?, enforced) {
                (Correction::Adopt, Some(enforcement)) => {
                    Some(Note::Adopted(self.ours(enforcement, Origin::Adopted, at)))
                }
                (Correction::Adopt, None) => None,
                (Correction::Forget, _) => Some(Note::Released { at }),
            },
            // What was ours is gone: what somebody puts there next isn't.
            Decision::LeftAlone(LeftAlone { seen: Observation::Absent, .. }) => {
                let ours = self.records.get(target).is_some_and(|record| record.ours.is_some());
                ours.then_some(Note::Released { at })
            }
            Decision::LeftAlone(_) | Decision::Held(_) | Decision::Broken(_) | Decision::Change(_) => None,
        }
    }

    fn ours(self, enforcement: &Enforcement, origin: Origin, at: Timestamp) -> Ours {
        Ours {
            enforcement: enforcement.clone(),
            origin,
            at,
            revision: self.revision(),
            path: self.path.cloned(),
        }
    }

    fn look(self, target: &Target, report: &TargetReport, at: Timestamp) -> Note {
        let state = report.state();
        let reason = report.reason();
        let text = match (report, &reason) {
            (TargetReport::Attempted(Outcome { change, result: Ok(()) }), _) => change.to_string(),
            (_, Some(reason)) => format!("{state}: {reason}"),
            (_, None) => state.to_string(),
        };
        let checked = Checked {
            at,
            revision: self.revision(),
            state,
            reason,
            code: report.code(),
            drift: drift(report),
            event: self.event.map(str::to_owned),
            path: self.path.cloned(),
        };
        Note::Checked { checked, seen: self.seen(target, report, at), text }
    }

    /// What is there after the run, as far as anybody can tell.
    fn seen(self, target: &Target, report: &TargetReport, at: Timestamp) -> Option<LastSeen> {
        if let TargetReport::Attempted(Outcome { change, result }) = report {
            match (change, result) {
                (Change::Enforce { to, .. } | Change::Replace { to, .. }, Ok(())) => {
                    return Some(LastSeen { at, enforcement: Some(to.clone()), by: None });
                }
                (Change::Release { .. }, Ok(())) => {
                    return Some(LastSeen { at, enforcement: None, by: None });
                }
                // Whether it arrived isn't known.
                (Change::Enforce { .. } | Change::Replace { .. } | Change::Release { .. }, Err(_)) => {
                    return None;
                }
                (Change::EnsureCopy { .. } | Change::Tidy { .. } | Change::Policy(_), _) => {}
            }
        }
        match self.observed.get(target)? {
            Observation::Absent => Some(LastSeen { at, enforcement: None, by: None }),
            Observation::Enforced(seen) => Some(LastSeen {
                at,
                enforcement: Some(seen.enforcement.clone()),
                by: seen.last_writer().map(str::to_owned),
            }),
            Observation::Unreadable(_) => None,
        }
    }
}

fn drift(report: &TargetReport) -> Option<String> {
    let change = match report {
        TargetReport::Attempted(Outcome { change, .. }) => change,
        TargetReport::Decided(Decision::Held(held)) => held.would.as_ref()?,
        TargetReport::Decided(_) => return None,
    };
    match change {
        Change::Enforce { repair: true, .. } => Some("removed".to_owned()),
        Change::Replace { drift, .. } => Some(drift.to_string()),
        Change::Enforce { .. }
        | Change::Release { .. }
        | Change::EnsureCopy { .. }
        | Change::Tidy { .. }
        | Change::Policy(_) => None,
    }
}
