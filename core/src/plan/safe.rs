//! The only plan that can be applied: every enforcement in it is proven harmless to its member.

use std::collections::BTreeMap;

use super::hold::by_its;
use super::{Change, HoldReason, Plan};
use crate::baseline::GuardrailKey;
use crate::ids::Target;
use crate::observed::{PROBE_TEXT, ProbeAnswer};

/// Whether the member may apply the guardrail that is to be enforced in it: what its probe answered, or why it
/// has no answer.
pub type Proof = Result<ProbeAnswer, HoldReason>;

/// A plan in which each enforcement was proven first. Nothing else can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a plan that nobody applies did nothing"]
pub struct SafePlan(Plan);

impl Plan {
    /// The enforcements of this plan, each of which needs a proof.
    pub fn needs_proof(&self) -> impl Iterator<Item = &Change> {
        self.changes().filter(|change| change.enforces().is_some())
    }

    /// Holds every enforcement whose proof is missing or says no. A guardrail that stops the probe's text proves
    /// harmless only where the baseline says that it is meant to (`is_meant`), or where that very version is
    /// enforced already: then calls are stopped as it is, and only models or guarding change.
    pub fn prove(
        self,
        proofs: &BTreeMap<Target, Proof>,
        is_meant: impl Fn(&GuardrailKey) -> bool,
    ) -> SafePlan {
        SafePlan(self.hold_present(|change| {
            let (target, _) = change.enforces()?;
            match proofs.get(target) {
                Some(Ok(ProbeAnswer::Passed)) => None,
                Some(Ok(ProbeAnswer::Blocked { by })) => {
                    let admitted = change.key().is_some_and(&is_meant) || is_in_force(change);
                    (!admitted).then(|| HoldReason::ProbeBlocked { by: by.join(", ") })
                }
                Some(Err(reason)) => Some(reason.clone()),
                None => Some(HoldReason::NotProven),
            }
        }))
    }

    /// Warnings about guardrails that are enforced already, and that stop the probe's text without being
    /// meant to.
    pub fn blocked_in_force(
        &self,
        proofs: &BTreeMap<Target, Proof>,
        is_meant: impl Fn(&GuardrailKey) -> bool,
    ) -> Vec<String> {
        let told = self.needs_proof().filter_map(|change| {
            let ((target, to), key) = (change.enforces()?, change.key()?);
            let Some(Ok(ProbeAnswer::Blocked { by })) = proofs.get(target) else { return None };
            (is_in_force(change) && !is_meant(key)).then(|| {
                format!(
                    "{target} enforces {key}:{}, which stops even the harmless text \"{PROBE_TEXT}\"{}: the \
                     account's calls are stopped, and the keeper doesn't release it for that; correct the guardrail, \
                     publish a new version and put it into the baseline",
                    to.version,
                    by_its(&by.join(", "))
                )
            })
        });
        told.collect()
    }
}

/// Whether just this version of the guardrail is enforced there already.
fn is_in_force(change: &Change) -> bool {
    matches!(change, Change::Replace { from, to, .. } if from.enforcement.version() == to.version())
}

impl SafePlan {
    /// The plan, to be read.
    pub fn plan(&self) -> &Plan {
        &self.0
    }

    /// The plan, to be taken apart.
    pub fn into_plan(self) -> Plan {
        self.0
    }
}
