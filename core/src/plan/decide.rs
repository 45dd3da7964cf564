//! The decision about one target: one `match` over (wanted, seen, record).

use super::change::{Change, Ownership};
use super::claim::{handed_back, is_adopted, ownership};
use super::{
    Broken, Correction, Decision, DecisionContext, Held, HoldReason, InSync, Kept, LeaveReason, LedgerState,
    LeftAlone,
};
use crate::baseline::{Existing, OnUnusable};
use crate::copy::Enforced;
use crate::enforcement::{Drift, Enforcement};
use crate::ids::{AccountId, Target};
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
    if handed_back(&target.account, desired, seen, record, context).is_some() {
        let record = Record { ours: None, ..record.clone() };
        return decide(target, desired, seen, &record, context);
    }
    match (desired, seen) {
        (ResolvedTarget::Enforce(wanted), Observation::Absent) => enforce(target, wanted, record),
        (ResolvedTarget::Enforce(wanted), Observation::Enforced(seen)) => {
            compare(target, wanted, seen, record, context)
        }
        (ResolvedTarget::Enforce(_), Observation::Unreadable(failure)) => {
            held(HoldReason::Unreadable { failure: failure.clone() })
        }

        (ResolvedTarget::Nothing { .. }, Observation::Absent) => {
            let known = record.may_be_ours() || record.released_unusable.is_some();
            let correction = known.then_some(Correction::Forget);
            Decision::InSync(InSync { correction, ..InSync::default() })
        }
        (ResolvedTarget::Nothing { .. }, Observation::Enforced(seen)) => {
            release(target, seen, record, context)
        }
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

fn enforce(target: &Target, wanted: &Enforce, record: &Record) -> Decision {
    match usable(wanted) {
        Ok(to) => Decision::Change(first(target, wanted, to, record)),
        Err(unusable) => match ensure_copy(target, wanted, &Observation::Absent) {
            Some(change) => Decision::Change(change),
            None => {
                // The grant that it waits for is about to be made: then this follows.
                let to = wanted.enforcement.clone().filter(|_| unusable.is_being_mended());
                let would = to.map(|to| first(target, wanted, to, record));
                let reason = match record.released_unusable {
                    Some(_) => HoldReason::Unguarded { unusable },
                    None => HoldReason::Unusable { unusable },
                };
                Decision::Held(Held { reason, would })
            }
        },
    }
}

/// An enforcement where nothing is.
fn first(target: &Target, wanted: &Enforce, to: Enforcement, record: &Record) -> Change {
    Change::Enforce {
        target: target.clone(),
        key: wanted.key.clone(),
        to,
        copied: wanted.copied,
        repair: record.ours.is_some(),
    }
}

/// The work on the account's copy that has to come first, if there is some.
fn ensure_copy(target: &Target, wanted: &Enforce, seen: &Observation) -> Option<Change> {
    wanted.copy.as_ref().map(|work| Change::EnsureCopy {
        target: target.clone(),
        key: wanted.key.clone(),
        work: work.clone(),
        enforced: Enforced::of(seen, target),
        from: match seen {
            Observation::Enforced(seen) => Some(seen.enforcement.clone()),
            Observation::Absent | Observation::Unreadable(_) => None,
        },
    })
}

fn compare(
    target: &Target,
    wanted: &Enforce,
    seen: &Seen,
    record: &Record,
    context: DecisionContext<'_>,
) -> Decision {
    let present = record.meant(&seen.enforcement);
    let drift = wanted.enforcement.as_ref().map(|to| Drift::between(present, to));
    match (usable(wanted), drift) {
        (Ok(_), Some(None)) => equal(target, wanted, seen, record, context),
        (Ok(to), Some(Some(_)) | None) => replace(target, wanted, seen, to, record, context),
        (Err(unusable), Some(None)) => broken(target, wanted, seen, &unusable, record, context),
        // What is wanted can't be enforced. What is there stays, unless it is known to be dead too.
        (Err(unusable), Some(Some(_)) | None) => {
            if let Some(change) = ensure_copy(target, wanted, &Observation::Enforced(seen.clone())) {
                let owner = ownership(&target.account, seen, record, context);
                return replacement(change, owner, wanted, seen, context);
            }
            if let Some(present) = &wanted.present_unusable {
                return broken(target, wanted, seen, present, record, context);
            }
            // The grant that it waits for is about to be made: then this follows.
            let to = wanted.enforcement.clone().filter(|_| unusable.is_being_mended());
            let next = to.map(|to| replace(target, wanted, seen, to, record, context));
            let would = match next {
                Some(Decision::Change(change)) => Some(change),
                Some(_) | None => None,
            };
            Decision::Held(Held { reason: HoldReason::Unusable { unusable }, would })
        }
    }
}

/// Another configuration in the place of what is there.
fn replace(
    target: &Target,
    wanted: &Enforce,
    seen: &Seen,
    to: Enforcement,
    record: &Record,
    context: DecisionContext<'_>,
) -> Decision {
    let ownership = ownership(&target.account, seen, record, context);
    let change = Change::Replace {
        target: target.clone(),
        key: wanted.key.clone(),
        from: seen.clone(),
        drift: Drift::between(record.meant(&seen.enforcement), &to).unwrap_or(Drift::Different),
        to,
        copied: wanted.copied,
        ownership,
    };
    replacement(change, ownership, wanted, seen, context)
}

/// What is there is what is wanted. Whether it is ours says whether a person has to be asked.
fn equal(
    target: &Target,
    wanted: &Enforce,
    seen: &Seen,
    record: &Record,
    context: DecisionContext<'_>,
) -> Decision {
    let enforced = Some(seen.enforcement.clone());
    match (ownership(&target.account, seen, record, context), wanted.existing, context.ledger) {
        (Ownership::Ours, _, _) => Decision::InSync(InSync {
            enforced,
            correction: (!knows(record, &seen.enforcement)).then_some(Correction::Remember),
            kept: None,
            reads_back: record.reads_back(&seen.enforcement).map(Box::new),
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
            target: target.clone(),
            key: wanted.key.clone(),
            seen: seen.clone(),
        }),
    }
}

/// A change of what is there, held where that is foreign and the baseline keeps it.
fn replacement(
    change: Change,
    ownership: Ownership,
    wanted: &Enforce,
    seen: &Seen,
    context: DecisionContext<'_>,
) -> Decision {
    let reason = match (ownership, wanted.existing) {
        (Ownership::Ours, _) => return Decision::Change(change),
        (Ownership::Foreign, Existing::Replace) => match context.ledger {
            LedgerState::Durable => return Decision::Change(change),
            LedgerState::Volatile => HoldReason::NoDurableLedger,
        },
        (Ownership::Foreign, Existing::Keep | Existing::Adopt) => {
            HoldReason::NotOurs { by: seen.last_writer().map(str::to_owned) }
        }
    };
    Decision::Held(Held { reason, would: Some(change) })
}

fn broken(
    target: &Target,
    wanted: &Enforce,
    seen: &Seen,
    unusable: &Unusable,
    record: &Record,
    context: DecisionContext<'_>,
) -> Decision {
    if !unusable.is_certain() {
        // Not knowing whether it can be used is neither broken nor in sync.
        return held(HoldReason::Unusable { unusable: unusable.clone() });
    }
    // A grant that is about to come back is no reason to give anything up.
    let is_given_up = wanted.on_unusable == OnUnusable::Release
        && !unusable.is_being_mended()
        && !unusable.may_come_back()
        && is_what_we_last_applied(&target.account, seen, record, context);
    let adopted = is_adopted(&target.account, seen, record, context);
    let (seen, unusable) = (seen.clone(), unusable.clone());
    if !is_given_up {
        return Decision::Broken(Broken { seen, unusable, stays: None });
    }
    if !record.confirms_unusable(&seen.enforcement, &unusable.code(), context.now) {
        return Decision::Broken(Broken { seen, unusable, stays: Some(HoldReason::NotConfirmed) });
    }
    Decision::Change(Change::Release { target: target.clone(), from: seen, broken: Some(unusable), adopted })
}

fn release(target: &Target, seen: &Seen, record: &Record, context: DecisionContext<'_>) -> Decision {
    let adopted = is_adopted(&target.account, seen, record, context);
    let change = Change::Release { target: target.clone(), from: seen.clone(), broken: None, adopted };
    if is_what_we_last_applied(&target.account, seen, record, context) {
        return Decision::Change(change);
    }
    match ownership(&target.account, seen, record, context) {
        Ownership::Ours => Decision::Held(Held {
            reason: HoldReason::ChangedBySomeoneElse { by: seen.last_writer().map(str::to_owned) },
            would: Some(change),
        }),
        Ownership::Foreign => left_alone(LeaveReason::Foreign, &Observation::Enforced(seen.clone())),
    }
}

/// The proof that a release needs: what is there is what we put there, unchanged.
fn is_what_we_last_applied(
    account: &AccountId,
    seen: &Seen,
    record: &Record,
    context: DecisionContext<'_>,
) -> bool {
    let recorded = record
        .ours
        .as_ref()
        .is_some_and(|ours| Drift::between(record.meant(&seen.enforcement), &ours.enforcement).is_none());
    recorded || seen.was_last_written_by_us(context.own_roles, account)
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
