//! Whether a configuration is ours or foreign, and what becomes of a foreign one.

use std::fmt;

use super::change::Ownership;
use super::{Decision, DecisionContext, Held, HoldReason, InSync, Plan};
use crate::baseline::{Existing, Mode};
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, Target};
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

/// Ours: the record says that we applied or adopted one here and have not released it, or AWS says
/// that one of our roles wrote it. An intent that was never confirmed proves nothing.
pub(super) fn ownership(
    account: &AccountId,
    seen: &Seen,
    record: &Record,
    context: DecisionContext<'_>,
) -> Ownership {
    if record.ours.is_some() || seen.bears_our_name(context.own_roles, account) {
        Ownership::Ours
    } else {
        Ownership::Foreign
    }
}

/// Whether it is ours only because it was found as wanted: another principal made it.
pub(super) fn is_adopted(
    account: &AccountId,
    seen: &Seen,
    record: &Record,
    context: DecisionContext<'_>,
) -> bool {
    record.ours.as_ref().is_some_and(|ours| ours.origin == Origin::Adopted)
        && !seen.bears_our_name(context.own_roles, account)
}

/// What is to be handed back in a target: it was adopted, and the baseline says to keep what others
/// made. Decided before everything else, so that nothing is written on the strength of the adoption.
pub(super) fn handed_back(
    account: &AccountId,
    desired: &ResolvedTarget,
    observation: &Observation,
    record: &Record,
    context: DecisionContext<'_>,
) -> Option<HandedBack> {
    let existing = match desired {
        ResolvedTarget::Enforce(wanted) => wanted.existing,
        ResolvedTarget::Nothing { existing } => *existing,
        ResolvedTarget::Unassigned | ResolvedTarget::Excluded => return None,
    };
    let Observation::Enforced(seen) = observation else { return None };
    let adopted = record.ours.as_ref().map(|ours| &ours.enforcement)?;
    (existing == Existing::Keep && is_adopted(account, seen, record, context))
        .then(|| HandedBack { adopted: adopted.clone(), seen: seen.clone() })
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
