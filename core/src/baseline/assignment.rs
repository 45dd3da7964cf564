//! Assignments: who gets which guardrail, on which level.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::GuardrailKey;
use crate::ids::{AccountId, ParentId};
use crate::organization::OrgPath;

/// Gives a guardrail, or on purpose none, to a part of the organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Accounts, OUs and roots.
    pub targets: BTreeSet<AssignmentTarget>,
    /// The guardrail; `None` is unguarded on purpose.
    pub guardrail: Option<GuardrailKey>,
    /// What to do with a configuration that the keeper never made.
    pub existing: Existing,
}

/// Gives a guardrail to a part of the organization by a Bedrock policy, which everything below inherits. No guardrail
/// can't be given so: what is inherited can't be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationAssignment {
    /// Accounts, OUs and roots.
    pub targets: BTreeSet<AssignmentTarget>,
    /// The guardrail.
    pub guardrail: GuardrailKey,
}

/// Which of AWS's two levels enforces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnforcementLevel {
    /// Each account's own: `PutEnforcedGuardrailConfiguration`.
    #[default]
    Account,
    /// The organization's: a policy of type `BEDROCK_POLICY`.
    Organization,
}

/// What an assignment may point at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssignmentTarget {
    /// One account.
    Account(AccountId),
    /// Everything under a root or an OU.
    Parent(ParentId),
}

impl AssignmentTarget {
    /// Whether it is a root, and so reaches every account.
    pub(super) fn is_root(&self) -> bool {
        matches!(self, AssignmentTarget::Parent(parent) if parent.is_root())
    }

    /// What may cover an account, the most specific first: itself, the OUs on its path, the root.
    pub(super) fn chain(
        account: &AccountId,
        path: &OrgPath,
    ) -> impl Iterator<Item = AssignmentTarget> + use<> {
        let parents = path.parents().to_vec().into_iter().rev().map(AssignmentTarget::Parent);
        std::iter::once(AssignmentTarget::Account(account.clone())).chain(parents)
    }
}

impl fmt::Display for AssignmentTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssignmentTarget::Account(account) => account.fmt(f),
            AssignmentTarget::Parent(parent) => parent.fmt(f),
        }
    }
}

/// What to do with a foreign enforcement. It is recorded in each case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Existing {
    /// It stays theirs, whatever it says: never written over, taken over or released.
    Keep,
    /// One that is as wanted is taken over, and repaired from then on; another one is held.
    #[default]
    Adopt,
    /// One that is as wanted is taken over; another one is replaced.
    Replace,
}
