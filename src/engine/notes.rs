//! What a run records: before a write, after it, and for every look.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::baseline::{Baseline, Mode, Revision};
use crate::desired::{Desired, Wanted};
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, Region, Target};
use crate::limits::is_repair;
use crate::observed::{Observation, Observed, Seen};
use crate::organization::OrgPath;
use crate::own_roles::OwnRoles;
use crate::plan::{
    Broken, Change, CleanUp, Correction, Decision, HandedBack, Held, HoldReason, InSync, Kept, LeaveReason,
    LeftAlone, SafePlan,
};
use crate::record::{
    Awaited, Checked, Fate, FoundUnusable, LastSeen, Note, Origin, Ours, Records, ReleasedUnusable, Tellers,
    Usability,
};
use crate::report::{ChangeResult, TargetReport};
use crate::resolved::Unusable;
use crate::task::Cause;

/// The changes in one account, and the decisions about its other targets.
#[derive(Default)]
pub(super) struct Decisions {
    pub(super) changes: Vec<Change>,
    pub(super) clean_ups: Vec<CleanUp>,
    pub(super) decided: BTreeMap<Target, Decision>,
    /// What is handed back, whatever else was decided.
    pub(super) handed_back: BTreeMap<Target, HandedBack>,
}

pub(super) fn by_account(plan: SafePlan) -> BTreeMap<AccountId, Decisions> {
    let mut accounts: BTreeMap<AccountId, Decisions> = BTreeMap::new();
    let plan = plan.into_plan();
    for (target, handed_back) in plan.handed_back {
        accounts.entry(target.account.clone()).or_default().handed_back.insert(target, handed_back);
    }
    for (target, decision) in plan.decisions {
        let account = accounts.entry(target.account.clone()).or_default();
        match decision {
            Decision::Change(change) => account.changes.push(change),
            Decision::CleanUp(clean_up) => account.clean_ups.push(clean_up),
            decision => {
                account.decided.insert(target, decision);
            }
        }
    }
    accounts
}

/// What every note of a run needs.
#[derive(Clone, Copy)]
pub(super) struct RecordUpdates<'a> {
    pub(super) baseline: &'a Baseline,
    pub(super) desired: &'a Desired,
    pub(super) records: &'a Records,
    pub(super) observed: &'a Observed,
    /// How often the revision was approved when this was decided.
    pub(super) approvals: u32,
    /// What caused the run.
    pub(super) cause: Option<&'a Cause>,
    /// Where the account stands.
    pub(super) path: Option<&'a OrgPath>,
    /// The time of the run, by the clock that the plan was made with.
    pub(super) now: Timestamp,
    /// Whether this run's writes are published, and who else may publish them.
    pub(super) tells: Option<Tellers>,
    pub(super) own_roles: &'a OwnRoles,
}

impl RecordUpdates<'_> {
    pub(super) fn revision(self) -> Revision {
        self.baseline.revision.clone()
    }

    /// A write begins. Without this note, a crash right after the write would leave no trace.
    pub(super) fn beginning(self, change: &Change, at: Timestamp) -> Vec<(Region, Note)> {
        let notes: Vec<Note> = match change {
            // There is nothing but the record to write.
            Change::Adopt { seen, .. } => {
                let ours = self.ours(&seen.enforcement, Origin::Adopted, at);
                let adopted = Note::Adopted { ours, previous: Box::new(seen.clone()) };
                let intent = self.intent(change, at);
                let owed = intent.deed.is_some().then(|| Note::Owed(Box::new(intent)));
                std::iter::once(adopted).chain(owed).collect()
            }
            Change::Enforce { .. }
            | Change::Replace { .. }
            | Change::Release { .. }
            | Change::EnsureCopy { .. } => {
                let replacing = change.overwrites_foreign().cloned().map(Box::new);
                let begun = Note::Begun { intent: self.intent(change, at), replacing };
                self.confirmed(change.target()).into_iter().chain([begun]).collect()
            }
        };
        in_region(change.target(), notes)
    }

    /// The result of a target.
    pub(super) fn result(self, target: &Target, result: &TargetReport, at: Timestamp) -> Vec<(Region, Note)> {
        match result {
            TargetReport::Attempted(outcome) => self.outcome(outcome, at),
            // The enforcement isn't touched, so nothing was begun by the record.
            TargetReport::CleanedUp { clean_up, result: cleaned } => {
                let tidied = cleaned.is_ok() && clean_up.leftover.settles_the_past();
                let look = self.look(target, result, at);
                in_region(target, tidied.then_some(Note::Tidied).into_iter().chain([look]).collect())
            }
            // What was begun wasn't made.
            TargetReport::Decided(decision) => {
                let mut notes = in_region(target, vec![Note::NotMade]);
                notes.extend(self.decision(target, decision, at));
                notes
            }
        }
    }

    /// The result of a write.
    fn outcome(self, outcome: &ChangeResult, at: Timestamp) -> Vec<(Region, Note)> {
        let target = outcome.change.target();
        let mut notes = Vec::new();
        // After a failure the intent stays: the next look finds out whether the write arrived.
        if outcome.result.is_ok() {
            notes.extend(self.made(outcome));
            notes.extend(self.success(outcome, at));
        } else if !outcome.may_have_been_made() {
            notes.push(Note::NotMade);
        }
        notes.push(self.look(target, &TargetReport::Attempted(outcome.clone()), at));
        in_region(target, notes)
    }

    fn success(self, outcome: &ChangeResult, at: Timestamp) -> Option<Note> {
        let ChangeResult { change, result: _, reads_back, begun: _ } = outcome;
        let repair = is_repair(change, self.records, &self.baseline.revision);
        match change {
            Change::Enforce { to, .. } | Change::Replace { to, .. } => {
                let reads_back = reads_back.as_ref().map(|it| it.shown.clone());
                let ours = Ours { reads_back, ..self.ours(to, Origin::Applied, at) };
                Some(Note::Enforced { ours, repair })
            }
            Change::Release { from, broken: Some(_), .. } => {
                let Enforcement { guardrail, version, .. } = from.enforcement.clone();
                let at = self.now;
                Some(Note::ReleasedUnusable(ReleasedUnusable { guardrail, version, at }))
            }
            Change::Release { .. } => Some(Note::Released { at }),
            Change::Adopt { .. } | Change::EnsureCopy { .. } => None,
        }
    }

    /// What is handed back. In mode `audit` the record stays as it is.
    pub(super) fn all_handed_back(
        self,
        handed_back: &BTreeMap<Target, HandedBack>,
        at: Timestamp,
    ) -> Vec<(Region, Note)> {
        if self.baseline.mode == Mode::Audit {
            return Vec::new();
        }
        let note = |seen: &Seen| Note::Kept { seen: Box::new(seen.clone()), at };
        handed_back.iter().map(|(target, it)| (target.region.clone(), note(&it.seen))).collect()
    }

    /// What a look found in a target where nothing was written.
    pub(super) fn decision(self, target: &Target, decision: &Decision, at: Timestamp) -> Vec<(Region, Note)> {
        // A look takes nothing over: what is ours may be released later.
        let correction = (self.baseline.mode != Mode::Audit).then(|| self.correction(target, decision, at));
        let look = self.look(target, &TargetReport::Decided(decision.clone()), at);
        let notes = self.kept(target, decision, at).into_iter().chain(correction.flatten()).chain([look]);
        notes.map(|note| (target.region.clone(), note)).collect()
    }

    /// What somebody else made and keeps, unless that is recorded already.
    fn kept(self, target: &Target, decision: &Decision, at: Timestamp) -> Option<Note> {
        let seen: &Seen = match (decision, self.observed.get(target)) {
            (Decision::InSync(InSync { kept: Some(Kept { seen, .. }), .. }), _) => seen,
            (
                Decision::Held(Held { reason: HoldReason::NotOurs { .. }, .. }),
                Some(Observation::Enforced(seen)),
            ) => seen,
            (
                Decision::InSync(_)
                | Decision::LeftAlone(_)
                | Decision::Held(_)
                | Decision::Broken(_)
                | Decision::Change(_)
                | Decision::CleanUp(_),
                _,
            ) => return None,
        };
        let record = self.records.get(target);
        // What was adopted is handed back first, which `audit` doesn't do.
        if record.is_some_and(|record| record.ours.is_some()) {
            return None;
        }
        let known = record.and_then(|record| record.previous.as_ref());
        (known.is_none_or(|known| known.seen != *seen || known.fate != Fate::Kept))
            .then(|| Note::Kept { seen: Box::new(seen.clone()), at })
    }

    fn correction(self, target: &Target, decision: &Decision, at: Timestamp) -> Option<Note> {
        let ours = self.records.get(target).and_then(|record| record.ours.as_ref());
        match decision {
            Decision::InSync(InSync { enforced, correction, kept: _, reads_back }) => {
                match (correction.as_ref()?, enforced) {
                    (Correction::Remember, Some(enforcement)) => {
                        // A configuration of somebody else stays adopted, whatever happened to it since.
                        let origin = ours.map_or(Origin::Applied, |ours| ours.origin);
                        let written = reads_back.as_ref().map_or(enforcement, |it| &it.written);
                        let shown = reads_back.as_ref().map(|it| it.shown.clone());
                        let ours = Ours { reads_back: shown, ..self.ours(written, origin, at) };
                        Some(Note::Remembered(ours))
                    }
                    (Correction::Remember, None) => None,
                    (Correction::Forget, _) => self.gone(target, at),
                }
            }
            Decision::Held(Held { reason: HoldReason::ReleasesAdopted { revision, .. }, .. }) => {
                self.awaits(target, revision, at)
            }
            // Ours is gone: what somebody puts there next isn't ours. What isn't abandoned yet stays known.
            Decision::LeftAlone(LeftAlone { seen: Observation::Absent, would_abandon: false, .. }) => {
                self.gone(target, at)
            }
            // And what is there is not the result of a write of ours that was begun and never confirmed.
            Decision::LeftAlone(LeftAlone { reason: LeaveReason::Foreign, .. }) => self.gone(target, at),
            Decision::LeftAlone(_)
            | Decision::Held(_)
            | Decision::Broken(_)
            | Decision::Change(_)
            | Decision::CleanUp(_) => None,
        }
    }

    /// Nothing of ours is there, whatever the record says.
    fn gone(self, target: &Target, at: Timestamp) -> Option<Note> {
        let record = self.records.get(target)?;
        match (&record.ours, &record.intent) {
            (Some(_), _) => Some(Note::Released { at }),
            (None, _) if record.released_unusable.is_some() => Some(Note::Released { at }),
            (None, Some(_)) => Some(Note::NotArrived),
            (None, None) => None,
        }
    }

    /// Since when a release waits for approval, unless that is recorded already.
    fn awaits(self, target: &Target, revision: &Revision, at: Timestamp) -> Option<Note> {
        let awaited = self.records.get(target).and_then(|record| record.awaited.as_ref());
        let known = |awaited: &Awaited| awaited.revision == *revision && awaited.approvals <= self.approvals;
        (!awaited.is_some_and(known)).then(|| {
            Note::Awaits(Awaited { revision: revision.clone(), approvals: self.approvals, at: Some(at) })
        })
    }

    pub(super) fn ours(self, enforcement: &Enforcement, origin: Origin, at: Timestamp) -> Ours {
        Ours {
            enforcement: enforcement.clone(),
            origin,
            at,
            revision: self.revision(),
            path: self.path.cloned(),
            reads_back: None,
        }
    }

    fn look(self, target: &Target, report: &TargetReport, at: Timestamp) -> Note {
        let state = report.state();
        let reason = report.reason();
        let text = match (report, &reason) {
            (TargetReport::Attempted(ChangeResult { change, result: Ok(()), reads_back, .. }), _) => {
                match reads_back {
                    Some(reads_back) => format!("{change}; {reads_back}"),
                    None => change.to_string(),
                }
            }
            (TargetReport::CleanedUp { clean_up, result: Ok(()) }, _) => clean_up.to_string(),
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
            event: self.cause.map(|cause| cause.event.clone()),
            path: self.path.cloned(),
            expected: self.desired.get(target).map(Wanted::expected),
        };
        let adopted = matches!(
            report,
            TargetReport::Attempted(ChangeResult { change: Change::Adopt { .. }, result: Ok(()), .. })
        );
        let wrote = state.is_a_write() || adopted;
        let usability = usability(report, self.now);
        Note::Checked {
            checked: Box::new(checked),
            seen: self.seen(target, report, at),
            usability,
            text,
            wrote,
            news: self.news(target, report, at),
            announced: self.announced(),
        }
    }

    /// What is there after the run, as far as that is known.
    fn seen(self, target: &Target, report: &TargetReport, at: Timestamp) -> Option<LastSeen> {
        if let TargetReport::Attempted(ChangeResult { change, result, reads_back, begun: _ }) = report {
            match (change, result) {
                (Change::Enforce { to, .. } | Change::Replace { to, .. }, Ok(())) => {
                    let shown = reads_back.as_ref().map_or(to, |it| &it.shown);
                    return Some(LastSeen { at, enforcement: Some(shown.clone()), by: None });
                }
                (Change::Release { .. }, Ok(())) => {
                    return Some(LastSeen { at, enforcement: None, by: None });
                }
                // It isn't known whether the write arrived.
                (Change::Enforce { .. } | Change::Replace { .. } | Change::Release { .. }, Err(_)) => {
                    return None;
                }
                (Change::Adopt { .. } | Change::EnsureCopy { .. }, _) => {}
            }
        }
        LastSeen::of(self.observed.get(target)?, at)
    }
}

/// The notes about one target.
pub(super) fn in_region(target: &Target, notes: Vec<Note>) -> Vec<(Region, Note)> {
    notes.into_iter().map(|note| (target.region.clone(), note)).collect()
}

/// What a look says of the guardrail that is enforced.
fn usability(report: &TargetReport, at: Timestamp) -> Usability {
    let (enforcement, unusable) = match report {
        TargetReport::Decided(Decision::Broken(Broken { seen, unusable, .. })) => {
            (&seen.enforcement, unusable)
        }
        TargetReport::Attempted(ChangeResult {
            change: Change::Release { from, broken: Some(unusable), .. },
            result: Err(_),
            ..
        }) => (&from.enforcement, unusable),
        TargetReport::Decided(Decision::Held(held)) if could_not_tell(&held.reason) => {
            return Usability::Unknown;
        }
        TargetReport::Attempted(_) | TargetReport::CleanedUp { .. } | TargetReport::Decided(_) => {
            return Usability::NotUnusable;
        }
    };
    let Enforcement { guardrail, version, .. } = enforcement.clone();
    Usability::Unusable(FoundUnusable { guardrail, version, code: unusable.code(), since: at })
}

/// Whether something could not be read. Two answers that disagree don't count: one of them says that the guardrail is
/// there.
fn could_not_tell(reason: &HoldReason) -> bool {
    match reason {
        HoldReason::Unreadable { .. } | HoldReason::LedgerUnavailable => true,
        HoldReason::Unusable { unusable } => {
            matches!(unusable, Unusable::Unreadable { .. } | Unusable::CopyUnreadable { .. })
        }
        _ => false,
    }
}

fn drift(report: &TargetReport) -> Option<String> {
    let change = match report {
        TargetReport::Attempted(ChangeResult { change, .. }) => change,
        TargetReport::Decided(Decision::Held(held)) => held.would.as_ref()?,
        TargetReport::CleanedUp { .. } | TargetReport::Decided(_) => return None,
    };
    match change {
        Change::Enforce { repair: true, .. } => Some("removed".to_owned()),
        Change::Replace { drift, .. } => Some(drift.to_string()),
        Change::Enforce { .. }
        | Change::Adopt { .. }
        | Change::Release { .. }
        | Change::EnsureCopy { .. } => None,
    }
}
