//! The only plan that can be applied: every enforcement in it is proven harmless to its member.

use std::collections::BTreeMap;

use super::{Change, HoldReason, Plan};
use crate::ids::Target;

/// Whether the member may apply the guardrail that is to be enforced in it: its probe answered, or why not.
pub type Proof = Result<(), HoldReason>;

/// A plan in which each enforcement was proven first. Nothing else can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a plan that nobody applies did nothing"]
pub struct SafePlan(Plan);

impl Plan {
    /// The enforcements of this plan, each of which needs a proof.
    pub fn needs_proof(&self) -> impl Iterator<Item = &Change> {
        self.changes().filter(|change| change.enforces().is_some())
    }

    /// Holds every enforcement whose proof is missing or says no.
    pub fn prove(self, proofs: &BTreeMap<Target, Proof>) -> SafePlan {
        SafePlan(self.hold_present(|change| {
            let (target, _) = change.enforces()?;
            match proofs.get(target) {
                Some(Ok(())) => None,
                Some(Err(reason)) => Some(reason.clone()),
                None => Some(HoldReason::NotProven),
            }
        }))
    }
}

impl SafePlan {
    /// The plan, to be read.
    pub fn plan(&self) -> &Plan {
        &self.0
    }

    /// Holds more of it: every change for which `reason` finds one.
    pub fn hold_changes(self, reason: impl Fn(&Change) -> Option<HoldReason>) -> SafePlan {
        SafePlan(self.0.hold_changes(reason))
    }

    /// The plan, to be taken apart.
    pub fn into_plan(self) -> Plan {
        self.0
    }
}
