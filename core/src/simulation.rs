//! What IAM's simulation of a principal says, and what of it is the principal's own doing.
//!
//! The simulation takes in the principal's identity policies, its permissions boundary and the service
//! control policies above its account. It doesn't see resource control policies, session policies,
//! endpoint policies of a VPC, nor the resource policy of another account's resource.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::words::words;

/// IAM's answer to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SimulatedDecision {
    /// Allowed.
    Allowed,
    /// Nothing allows it.
    Implicit,
    /// Something denies it, or IAM answered with a word that this version doesn't know.
    Explicit,
}

/// One action on one resource, simulated for one principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// The action, for example `bedrock:ApplyGuardrail`.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// What all policies come to.
    pub decision: SimulatedDecision,
    /// What each kind of policy says, where the resource is another account's.
    pub details: BTreeMap<String, SimulatedDecision>,
    /// Whether the service control policies let it through, where IAM says so.
    pub by_organization: Option<bool>,
    /// Whether the permissions boundary does, where there is one.
    pub by_boundary: Option<bool>,
    /// Keys that conditions ask for, and whose values the simulation wasn't given.
    pub missing_keys: BTreeSet<String>,
}

words! {
    /// Why a principal may not, as far as its own side goes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Refusal {
        /// No policy of its own allows it.
        NotAllowed = "no policy of its own allows it",
        /// A policy of its own denies it.
        Denied = "a policy of its own denies it",
        /// Its permissions boundary leaves it out.
        Boundary = "its permissions boundary leaves it out",
        /// A service control policy stands in the way.
        ServiceControl = "a service control policy denies it",
    }

    impl Display;
}

impl Evaluated {
    /// Whether the principal's own side lets it do this.
    ///
    /// A guardrail is often another account's. Then both sides have to allow, and the simulation isn't
    /// given the other side's policy: that one is judged elsewhere, so only what is said of the
    /// principal's own policies counts here.
    ///
    /// # Errors
    /// What refuses.
    pub fn own_side(&self) -> Result<(), Refusal> {
        if self.decision == SimulatedDecision::Allowed {
            return Ok(());
        }
        if self.by_organization == Some(false) {
            return Err(Refusal::ServiceControl);
        }
        if self.by_boundary == Some(false) {
            return Err(Refusal::Boundary);
        }
        if self.decision == SimulatedDecision::Explicit {
            return Err(Refusal::Denied);
        }
        let own: Vec<SimulatedDecision> = self
            .details
            .iter()
            .filter(|(kind, _)| !kind.to_ascii_lowercase().contains("resource"))
            .map(|(_, decision)| *decision)
            .collect();
        let allows = !own.is_empty() && own.iter().all(|decision| *decision == SimulatedDecision::Allowed);
        if allows { Ok(()) } else { Err(Refusal::NotAllowed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated(decision: SimulatedDecision) -> Evaluated {
        Evaluated {
            action: "bedrock:ApplyGuardrail".to_owned(),
            resource: "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".to_owned(),
            decision,
            details: BTreeMap::new(),
            by_organization: None,
            by_boundary: None,
            missing_keys: BTreeSet::new(),
        }
    }

    fn details(own: SimulatedDecision, theirs: SimulatedDecision) -> BTreeMap<String, SimulatedDecision> {
        BTreeMap::from([("IAM Policy".to_owned(), own), ("Resource Policy".to_owned(), theirs)])
    }

    #[test]
    fn only_the_principals_own_side_counts() {
        use Refusal::{Boundary, Denied, NotAllowed, ServiceControl};
        use SimulatedDecision::{Allowed, Explicit, Implicit};
        let table = [
            (evaluated(Allowed), Ok(())),
            (evaluated(Implicit), Err(NotAllowed)),
            (evaluated(Explicit), Err(Denied)),
            (Evaluated { by_organization: Some(false), ..evaluated(Explicit) }, Err(ServiceControl)),
            (Evaluated { by_boundary: Some(false), ..evaluated(Implicit) }, Err(Boundary)),
            (Evaluated { by_boundary: Some(true), ..evaluated(Implicit) }, Err(NotAllowed)),
            // The other account's policy, which the simulation wasn't given.
            (Evaluated { details: details(Allowed, Implicit), ..evaluated(Implicit) }, Ok(())),
            (Evaluated { details: details(Implicit, Implicit), ..evaluated(Implicit) }, Err(NotAllowed)),
            (Evaluated { details: details(Implicit, Allowed), ..evaluated(Implicit) }, Err(NotAllowed)),
            (Evaluated { details: details(Explicit, Implicit), ..evaluated(Explicit) }, Err(Denied)),
            // Details that say nothing of the own side say nothing in its favour.
            (
                Evaluated {
                    details: BTreeMap::from([("Resource Policy".to_owned(), Allowed)]),
                    ..evaluated(Implicit)
                },
                Err(NotAllowed),
            ),
        ];
        for (evaluated, expected) in table {
            assert_eq!(evaluated.own_side(), expected, "{evaluated:?}");
        }
    }
}
