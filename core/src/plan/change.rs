//! The writes that change what is enforced or granted, each with what was there and what will be.

use crate::baseline::GuardrailKey;
use crate::copy::Enforced;
use crate::enforcement::{Drift, Enforcement};
use crate::ids::{GuardrailVersion, Target};
use crate::observed::Seen;
use crate::resolved::{CopyWork, Unusable};
use crate::resource_policy::{Document, Grant};

/// One write in a target.
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
        /// Where that is the account's copy: the version that the baseline asks for, of which it is one. A
        /// copy's versions are numbered by themselves.
        copied: Option<GuardrailVersion>,
        /// Whether the record says that ours was there: then it was removed.
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
        /// Where that is the account's copy: the version that it is one of, as above.
        copied: Option<GuardrailVersion>,
        /// How they differ.
        drift: Drift,
        /// Whose the present one is.
        ownership: Ownership,
    },
    /// Take over a foreign enforcement, because it is as wanted. Only the ledger is written.
    Adopt {
        /// Where.
        target: Target,
        /// What the baseline calls the guardrail.
        key: GuardrailKey,
        /// What is there, and who made it.
        seen: Seen,
    },
    /// Remove the enforcement.
    Release {
        /// Where.
        target: Target,
        /// What is there.
        from: Seen,
        /// Why it can't be used, where that is why it is released.
        broken: Option<Unusable>,
        /// Whether another principal made it, and it was adopted: then its release takes an approval.
        adopted: bool,
    },
    /// Make or renew the copy of a guardrail in a member. What is enforced follows when it is ready.
    EnsureCopy {
        /// The member and Region.
        target: Target,
        /// What the baseline calls the guardrail.
        key: GuardrailKey,
        /// The version that is copied, and the next step.
        work: CopyWork,
        /// What the member enforces by a guardrail of its own, so that it isn't pruned.
        enforced: Enforced,
        /// What is enforced until the copy is ready, and replaced by it then.
        from: Option<Enforcement>,
    },
}

/// A change of a guardrail's or guardrail profile's resource policy. Only the owner's side makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantChange {
    /// What it is to grant, or no longer to grant.
    pub grant: Grant,
    /// Which of the two.
    pub purpose: GrantPurpose,
    /// The resource policy that is there.
    pub from: Option<Document>,
    /// The resource policy that will be; `None` where nothing is left of it.
    pub to: Option<Document>,
}

impl GrantChange {
    /// Whether it takes a grant away.
    pub fn is_release(&self) -> bool {
        self.purpose == GrantPurpose::Withdraw
    }
}

/// What a change of a resource policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantPurpose {
    /// The organization is to be granted the resource.
    Grant,
    /// Our grant is taken back: no account needs it any more.
    Withdraw,
}

/// Whose a configuration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// We applied or adopted it, and another principal changed it.
    Ours,
    /// We never made it.
    Foreign,
}

impl Change {
    /// The target that is written.
    pub fn target(&self) -> &Target {
        match self {
            Change::Enforce { target, .. }
            | Change::Replace { target, .. }
            | Change::Adopt { target, .. }
            | Change::Release { target, .. }
            | Change::EnsureCopy { target, .. } => target,
        }
    }

    /// What the baseline calls the guardrail that is to be enforced or copied.
    pub fn key(&self) -> Option<&GuardrailKey> {
        match self {
            Change::Enforce { key, .. } | Change::Replace { key, .. } | Change::EnsureCopy { key, .. } => {
                Some(key)
            }
            Change::Adopt { .. } | Change::Release { .. } => None,
        }
    }

    /// Whether it puts back what was ours and was removed or changed.
    pub fn repairs(&self) -> bool {
        match self {
            Change::Enforce { repair, .. } => *repair,
            Change::Replace { ownership, .. } => *ownership == Ownership::Ours,
            Change::Adopt { .. } | Change::Release { .. } | Change::EnsureCopy { .. } => false,
        }
    }

    /// Whether it releases what is wanted, because it can't be used.
    pub fn gives_up(&self) -> bool {
        matches!(self, Change::Release { broken: Some(_), .. })
    }

    /// Whether it takes a protection away.
    pub fn is_release(&self) -> bool {
        matches!(self, Change::Release { .. })
    }

    /// What will be enforced, for the two changes that enforce something and so need proof first.
    pub fn enforces(&self) -> Option<(&Target, &Enforcement)> {
        match self {
            Change::Enforce { target, to, .. } | Change::Replace { target, to, .. } => Some((target, to)),
            Change::Adopt { .. } | Change::Release { .. } | Change::EnsureCopy { .. } => None,
        }
    }

    /// What is enforced there before the change; `None` where nothing is.
    pub fn replaces(&self) -> Option<&Enforcement> {
        match self {
            Change::Replace { from: seen, .. }
            | Change::Adopt { seen, .. }
            | Change::Release { from: seen, .. } => Some(&seen.enforcement),
            Change::EnsureCopy { from, .. } => from.as_ref(),
            Change::Enforce { .. } => None,
        }
    }

    /// The foreign configuration that this change would overwrite or remove.
    pub fn overwrites_foreign(&self) -> Option<&Seen> {
        match self {
            Change::Replace { from, ownership: Ownership::Foreign, .. }
            | Change::Release { from, adopted: true, .. } => Some(from),
            Change::Replace { .. }
            | Change::Adopt { .. }
            | Change::Enforce { .. }
            | Change::Release { .. }
            | Change::EnsureCopy { .. } => None,
        }
    }
}
