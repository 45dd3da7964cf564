//! Whether a configuration is ours or foreign, and what becomes of a foreign one.

use std::fmt;

use super::change::Ownership;
use super::{Decision, DecisionContext, Held, HoldReason, InSync, Plan};
use crate::baseline::{Existing, Mode};
use crate::enforcement::Enforcement;
use crate::ids::Target;
use crate::observed::{Observation, Seen};
use crate::plan::Change;
use crate::record::{Origin, Record};
use crate::resolved::ResolvedTarget;

/// A foreign configuration that is as wanted, and that stays foreign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What is there, and who made it.
    pub seen: Seen,
    /// Whether the baseline says to adopt it, and its mode keeps that from being done.
    pub would_adopt: bool,
}

/// A configuration that was adopted, and that is handed back: the baseline says
/// `existing: keep` now. It stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedBack {
    /// What was adopted.
    pub adopted: Enforcement,
    /// What is there now, and who made it.
    pub seen: Seen,
}

/// One target, with what its decision goes by besides what is wanted and seen.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) target: &'a Target,
    pub(super) record: &'a Record,
    pub(super) context: DecisionContext<'a>,
}

impl Case<'_> {
    /// Ours: the record says that we applied or adopted one here and have not released it, or AWS says
    /// that one of our roles wrote it. An intent that was never confirmed proves nothing.
    pub(super) fn ownership(self, seen: &Seen) -> Ownership {
        if self.record.ours.is_some() || self.bears_our_name(seen) {
            Ownership::Ours
        } else {
            Ownership::Foreign
        }
    }

    /// Whether it is ours only because it was found as wanted: another principal made it.
    pub(super) fn is_adopted(self, seen: &Seen) -> bool {
        self.record.ours.as_ref().is_some_and(|ours| ours.origin == Origin::Adopted)
            && !self.bears_our_name(seen)
    }

    fn bears_our_name(self, seen: &Seen) -> bool {
        seen.bears_our_name(self.context.own_roles, &self.target.account)
    }

    /// What is to be handed back: it was adopted, and the baseline says to keep what others
    /// made. Decided before everything else, so that nothing is written on the strength of the adoption.
    pub(super) fn handed_back(
        self,
        desired: &ResolvedTarget,
        observation: &Observation,
    ) -> Option<HandedBack> {
        let existing = match desired {
            ResolvedTarget::Enforce(wanted) => wanted.existing,
            ResolvedTarget::Nothing { existing } => *existing,
            ResolvedTarget::Unassigned | ResolvedTarget::Excluded => return None,
        };
        let seen = observation.seen()?;
        let adopted = &self.record.ours.as_ref()?.enforcement;
        (existing == Existing::Keep && self.is_adopted(seen))
            .then(|| HandedBack { adopted: adopted.clone(), seen: seen.clone() })
    }

    /// A repair that was undone several times within the hour waits a while: we keep at it, but
    /// two automatons fighting must not eat each other's API limits. What we wrote last ourselves wasn't undone.
    pub(super) fn paced(self, decision: Decision, seen: &Observation) -> Decision {
        let DecisionContext { own_roles, now, .. } = self.context;
        match decision {
            Decision::Change(change) if change.repairs() && self.record.must_wait(now) => {
                let seen = seen.seen();
                if seen.is_some_and(|seen| seen.was_last_written_by_us(own_roles, &self.target.account)) {
                    return Decision::Change(change);
                }
                let by = seen.and_then(Seen::last_writer).map(str::to_owned);
                Decision::Held(Held { reason: HoldReason::Contested { by }, would: Some(change) })
            }
            decision => decision,
        }
    }
}

impl Plan {
    /// Where the mode keeps something from being adopted, nothing is wrong: it guards as wanted.
    pub(super) fn keep_unadopted(&mut self) {
        for decision in self.decisions.values_mut() {
            if let Decision::Held(Held {
                reason: HoldReason::Mode { mode: Mode::Audit },
                would: Some(Change::Adopt { seen, .. }),
            }) = decision
            {
                let kept = Kept { seen: seen.clone(), would_adopt: true };
                let enforced = Some(seen.enforcement.clone());
                *decision = Decision::InSync(InSync { enforced, kept: Some(kept), ..InSync::default() });
            }
        }
    }
}

impl HandedBack {
    /// For programs.
    pub(crate) fn to_json((target, handed_back): (&Target, &HandedBack)) -> serde_json::Value {
        let HandedBack { adopted, seen } = handed_back;
        serde_json::json!({
            "account": target.account,
            "region": target.region,
            "adopted": adopted,
            "present": seen.enforcement,
            "by": seen.last_writer(),
        })
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kept { seen, would_adopt } = self;
        write!(f, "made by {}", maker(seen))?;
        f.write_str(if *would_adopt { "; mode audit doesn't adopt it" } else { ", kept" })
    }
}

impl fmt::Display for HandedBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HandedBack { adopted, seen } = self;
        write!(f, "hand back {adopted} (adopted earlier, made by {}: `existing: keep`)", maker(seen))
    }
}

/// Who wrote it last, as far as AWS says.
pub(super) fn maker(seen: &Seen) -> &str {
    seen.last_writer().unwrap_or("another principal")
}
