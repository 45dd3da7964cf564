//! The decision about one target: one `match` over (wanted, seen, record).

use super::change::{Change, Ownership};
use super::claim::Case;
use super::{
    Broken, Correction, Decision, DecisionContext, Held, HoldReason, InSync, Kept, LeaveReason, LedgerState,
    LeftAlone,
};
use crate::baseline::{Existing, OnUnusable};
use crate::copy::Enforced;
use crate::enforcement::{Drift, Enforcement};
use crate::ids::Target;
use crate::observed::{Observation, Seen};
use crate::record::{Ours, Record};
use crate::resolved::{Enforce, ResolvedTarget, Unusable};

/// Decides about one target. The table stands at the top of [`crate::plan`].
pub fn decide(
    target: &Target,
    desired: &ResolvedTarget,
    seen: &Observation,
    record: &Record,
    context: DecisionContext<'_>,
) -> Decision {
    let case = Case { target, record, context };
    if case.handed_back(desired, seen).is_some() {
        let record = Record { ours: None, ..record.clone() };
        return decide(target, desired, seen, &record, context);
    }
    match (desired, seen) {
        (ResolvedTarget::Enforce(wanted), Observation::Absent) => case.enforce(wanted),
        (ResolvedTarget::Enforce(wanted), Observation::Enforced(seen)) => case.compare(wanted, seen),
        (ResolvedTarget::Enforce(_), Observation::Unreadable(failure)) => {
            held(HoldReason::Unreadable { failure: failure.clone() })
        }

        (ResolvedTarget::Nothing { .. }, Observation::Absent) => {
            let known = record.may_be_ours() || record.released_unusable.is_some();
            let correction = known.then_some(Correction::Forget);
            Decision::InSync(InSync { correction, ..InSync::default() })
        }
        (ResolvedTarget::Nothing { .. }, Observation::Enforced(seen)) => case.release(seen),
        (ResolvedTarget::Nothing { .. }, Observation::Unreadable(failure)) if record.may_be_ours() => {
            held(HoldReason::Unreadable { failure: failure.clone() })
        }
        (ResolvedTarget::Nothing { .. }, Observation::Unreadable(_)) => {
            left_alone(LeaveReason::Unreadable, seen)
        }

        (ResolvedTarget::Unassigned, _) => left_alone(LeaveReason::Unassigned, seen),
        (ResolvedTarget::Excluded, _) => left_alone(LeaveReason::Excluded, seen),
    }
}

impl Case<'_> {
    fn enforce(self, wanted: &Enforce) -> Decision {
        match usable(wanted) {
            Ok(to) => Decision::Change(self.first(wanted, to)),
            Err(unusable) => match self.ensure_copy(wanted, &Observation::Absent) {
                Some(change) => Decision::Change(change),
                None => {
                    // The grant that it waits for is about to be made: then this follows.
                    let to = wanted.enforcement.clone().filter(|_| unusable.is_being_mended());
                    let would = to.map(|to| self.first(wanted, to));
                    let reason = match self.record.released_unusable {
                        Some(_) => HoldReason::Unguarded { unusable },
                        None => HoldReason::Unusable { unusable },
                    };
                    Decision::Held(Held { reason, would })
                }
            },
        }
    }

    /// An enforcement where nothing is.
    fn first(self, wanted: &Enforce, to: Enforcement) -> Change {
        Change::Enforce {
            target: self.target.clone(),
            key: wanted.key.clone(),
            to,
            copied: wanted.copied,
            repair: self.record.ours.is_some(),
        }
    }

    /// The work on the account's copy that has to come first, if there is some.
    fn ensure_copy(self, wanted: &Enforce, seen: &Observation) -> Option<Change> {
        wanted.copy.as_ref().map(|work| Change::EnsureCopy {
            target: self.target.clone(),
            key: wanted.key.clone(),
            work: work.clone(),
            enforced: Enforced::of(seen, self.target),
            from: seen.seen().map(|seen| seen.enforcement.clone()),
        })
    }

    fn compare(self, wanted: &Enforce, seen: &Seen) -> Decision {
        let present = self.record.meant(&seen.enforcement);
        let drift = wanted.enforcement.as_ref().map(|to| Drift::between(present, to));
        match (usable(wanted), drift) {
            (Ok(_), Some(None)) => self.equal(wanted, seen),
            (Ok(to), Some(Some(_)) | None) => self.replace(wanted, seen, to),
            (Err(unusable), Some(None)) => self.broken(wanted, seen, &unusable),
            // What is wanted can't be enforced. What is there stays, unless it is known to be dead too.
            (Err(unusable), Some(Some(_)) | None) => {
                if let Some(change) = self.ensure_copy(wanted, &Observation::Enforced(seen.clone())) {
                    return self.replacement(change, self.ownership(seen), wanted, seen);
                }
                if let Some(present) = &wanted.present_unusable {
                    return self.broken(wanted, seen, present);
                }
                // The grant that it waits for is about to be made: then this follows.
                let to = wanted.enforcement.clone().filter(|_| unusable.is_being_mended());
                let would = to.and_then(|to| self.replace(wanted, seen, to).change().cloned());
                Decision::Held(Held { reason: HoldReason::Unusable { unusable }, would })
            }
        }
    }

    /// Another configuration in the place of what is there.
    fn replace(self, wanted: &Enforce, seen: &Seen, to: Enforcement) -> Decision {
        let ownership = self.ownership(seen);
        let change = Change::Replace {
            target: self.target.clone(),
            key: wanted.key.clone(),
            from: seen.clone(),
            drift: Drift::between(self.record.meant(&seen.enforcement), &to).unwrap_or(Drift::Different),
            to,
            copied: wanted.copied,
            ownership,
        };
        self.replacement(change, ownership, wanted, seen)
    }

    /// What is there is what is wanted. Whether it is ours says whether a person has to be asked.
    fn equal(self, wanted: &Enforce, seen: &Seen) -> Decision {
        let enforced = Some(seen.enforcement.clone());
        match (self.ownership(seen), wanted.existing, self.context.ledger) {
            (Ownership::Ours, _, _) => Decision::InSync(InSync {
                enforced,
                correction: (!knows(self.record, &seen.enforcement)).then_some(Correction::Remember),
                kept: None,
                reads_back: self.record.reads_back(&seen.enforcement).map(Box::new),
            }),
            (Ownership::Foreign, Existing::Keep, _) => {
                let kept = Kept { seen: seen.clone(), would_adopt: false };
                Decision::InSync(InSync { enforced, kept: Some(kept), ..InSync::default() })
            }
            (
                Ownership::Foreign,
                Existing::Adopt | Existing::Replace,
                LedgerState::Durable | LedgerState::Volatile,
            ) => Decision::Change(Change::Adopt {
                target: self.target.clone(),
                key: wanted.key.clone(),
                seen: seen.clone(),
            }),
        }
    }

    /// A change of what is there, held where that is foreign and the baseline keeps it.
    fn replacement(self, change: Change, ownership: Ownership, wanted: &Enforce, seen: &Seen) -> Decision {
        let reason = match (ownership, wanted.existing) {
            (Ownership::Ours, _) => return Decision::Change(change),
            (Ownership::Foreign, Existing::Replace) => match self.context.ledger {
                LedgerState::Durable => return Decision::Change(change),
                LedgerState::Volatile => HoldReason::NoDurableLedger,
            },
            (Ownership::Foreign, Existing::Keep | Existing::Adopt) => {
                HoldReason::NotOurs { by: seen.last_writer().map(str::to_owned) }
            }
        };
        Decision::Held(Held { reason, would: Some(change) })
    }

    fn broken(self, wanted: &Enforce, seen: &Seen, unusable: &Unusable) -> Decision {
        if !unusable.is_certain() {
            // Not knowing whether it can be used is neither broken nor in sync.
            return held(HoldReason::Unusable { unusable: unusable.clone() });
        }
        // A grant that is about to come back is no reason to give anything up.
        let is_given_up = wanted.on_unusable == OnUnusable::Release
            && !unusable.is_being_mended()
            && !unusable.may_come_back()
            && self.is_what_we_last_applied(seen);
        let stays = is_given_up.then_some(HoldReason::NotConfirmed);
        if is_given_up && self.record.confirms_unusable(&seen.enforcement, &unusable.code(), self.context.now)
        {
            return Decision::Change(self.releasing(seen, Some(unusable.clone())));
        }
        Decision::Broken(Broken { seen: seen.clone(), unusable: unusable.clone(), stays })
    }

    fn releasing(self, seen: &Seen, broken: Option<Unusable>) -> Change {
        let adopted = self.is_adopted(seen);
        Change::Release { target: self.target.clone(), from: seen.clone(), broken, adopted }
    }

    fn release(self, seen: &Seen) -> Decision {
        let change = self.releasing(seen, None);
        if self.is_what_we_last_applied(seen) {
            return Decision::Change(change);
        }
        match self.ownership(seen) {
            Ownership::Ours => Decision::Held(Held {
                reason: HoldReason::ChangedBySomeoneElse { by: seen.last_writer().map(str::to_owned) },
                would: Some(change),
            }),
            Ownership::Foreign => left_alone(LeaveReason::Foreign, &Observation::Enforced(seen.clone())),
        }
    }

    /// The proof that a release needs: what is there is what we put there, unchanged.
    fn is_what_we_last_applied(self, seen: &Seen) -> bool {
        let present = self.record.meant(&seen.enforcement);
        let is_it = |ours: &Ours| Drift::between(present, &ours.enforcement).is_none();
        self.record.ours.as_ref().is_some_and(is_it)
            || seen.was_last_written_by_us(self.context.own_roles, &self.target.account)
    }
}

/// Whether the record says that this is what is ours, with no write begun and not ended.
fn knows(record: &Record, enforcement: &Enforcement) -> bool {
    let equal = |ours: &Ours| Drift::between(&ours.enforcement, record.meant(enforcement)).is_none();
    record.intent.is_none() && record.ours.as_ref().is_some_and(equal)
}

/// The enforcement to write, or why it must not be written.
fn usable(wanted: &Enforce) -> Result<Enforcement, Unusable> {
    match (&wanted.enforcement, &wanted.unusable) {
        (Some(enforcement), None) => Ok(enforcement.clone()),
        (_, Some(unusable)) => Err(unusable.clone()),
        (None, None) => {
            Err(Unusable::Unreadable { failure: crate::failure::Failure::not_looked_up(&wanted.key) })
        }
    }
}

fn held(reason: HoldReason) -> Decision {
    Decision::Held(Held { reason, would: None })
}

fn left_alone(reason: LeaveReason, seen: &Observation) -> Decision {
    Decision::LeftAlone(LeftAlone { reason, seen: seen.clone(), would_abandon: false })
}
