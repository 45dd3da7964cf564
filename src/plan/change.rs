//! Every write there is, each with what was there and what will be.

use crate::baseline::GuardrailKey;
use crate::enforcement::{Drift, Enforcement};
use crate::ids::{GuardrailArn, Target};
use crate::observed::Seen;
use crate::resolved::Unusable;

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Enforce a guardrail where nothing is enforced.
    Enforce {
        /// Where.
        target: Target,
        /// What the baseline calls the guardrail.
        key: GuardrailKey,
        /// What.
        to: Enforcement,
        /// Whether the record says that ours was there: somebody removed it.
        repair: bool,
    },
    /// Enforce another configuration than the one that is there.
    Replace {
        /// Where.
        target: Target,
        /// What the baseline calls the guardrail.
        key: GuardrailKey,
        /// What is there.
        from: Seen,
        /// What will be.
        to: Enforcement,
        /// How they differ.
        drift: Drift,
        /// Whose the present one is.
        ownership: Ownership,
    },
    /// Remove the enforcement.
    Release {
        /// Where.
        target: Target,
        /// What is there.
        from: Seen,
        /// Why it can't be used, where that is why it is released.
        broken: Option<Unusable>,
    },
    /// Make or renew the copy of a guardrail in a member.
    EnsureCopy {
        /// The member and Region.
        target: Target,
        /// The guardrail that is copied.
        source: GuardrailArn,
        /// The copy that is there already.
        from: Option<GuardrailArn>,
    },
    /// Attach a resource policy, or replace the one that is there.
    PutResourcePolicy {
        /// The guardrail or guardrail profile, by ARN.
        resource: String,
        /// The policy that is there.
        from: Option<String>,
        /// The policy that will be.
        to: String,
    },
    /// Remove the resource policy.
    RemoveResourcePolicy {
        /// The guardrail or guardrail profile, by ARN.
        resource: String,
        /// The policy that is there.
        from: String,
    },
}

/// Whose a configuration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// We applied or adopted it, and somebody changed it.
    Ours,
    /// We never made it.
    Foreign,
}

impl Change {
    /// The target that is written, for a change of an account's enforcement or copy.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Change::Enforce { target, .. }
            | Change::Replace { target, .. }
            | Change::Release { target, .. }
            | Change::EnsureCopy { target, .. } => Some(target),
            Change::PutResourcePolicy { .. } | Change::RemoveResourcePolicy { .. } => None,
        }
    }

    /// Whether it takes a protection or a grant away.
    pub fn is_release(&self) -> bool {
        match self {
            Change::Release { .. } | Change::RemoveResourcePolicy { .. } => true,
            Change::Enforce { .. }
            | Change::Replace { .. }
            | Change::EnsureCopy { .. }
            | Change::PutResourcePolicy { .. } => false,
        }
    }

    /// What will be enforced, for the two changes that enforce something and so need proof first.
    pub fn enforces(&self) -> Option<(&Target, &Enforcement)> {
        match self {
            Change::Enforce { target, to, .. } | Change::Replace { target, to, .. } => Some((target, to)),
            Change::Release { .. }
            | Change::EnsureCopy { .. }
            | Change::PutResourcePolicy { .. }
            | Change::RemoveResourcePolicy { .. } => None,
        }
    }

    /// The configuration of somebody else that this change would overwrite.
    pub fn overwrites_foreign(&self) -> Option<&Seen> {
        match self {
            Change::Replace { from, ownership: Ownership::Foreign, .. } => Some(from),
            Change::Replace { .. }
            | Change::Enforce { .. }
            | Change::Release { .. }
            | Change::EnsureCopy { .. }
            | Change::PutResourcePolicy { .. }
            | Change::RemoveResourcePolicy { .. } => None,
        }
    }
}
