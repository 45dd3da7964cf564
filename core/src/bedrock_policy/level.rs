//! What a decision on the organization level rests on: what is there, what is asked for, and what is proven.

use std::collections::BTreeSet;

use super::order::{OwnPolicies, WantedPolicies};
use super::predict::{AccountPaths, AttachedPolicies};
use crate::baseline::{Limits, Mode};
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, Region, Target};

/// What is known of the organization level.
#[derive(Clone, Copy, Debug)]
pub struct OrganizationLevel<'a> {
    /// Whether the type BEDROCK_POLICY is enabled on the root.
    pub is_enabled: bool,
    /// Every Bedrock policy, foreign ones too, and where it is attached.
    pub present: &'a AttachedPolicies,
    /// Which of them are the keeper's.
    pub own: &'a OwnPolicies,
    /// Every account, with its place.
    pub accounts: &'a AccountPaths,
    /// Accounts that AWS calls frozen, because their merge is invalid: what they have isn't what is attached. Only these
    /// count as frozen.
    pub frozen: &'a BTreeSet<AccountId>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct OrganizationWants<'a> {
    /// What each point is to enforce.
    pub policies: &'a WantedPolicies,
    /// The baseline's mode.
    pub mode: Mode,
    /// Whether what exists is to stay, because the followed baseline stands in for another one.
    pub puts_back: bool,
    /// What may be changed without an approval.
    pub limits: Limits,
    /// Whether a person approved it.
    pub is_approved: bool,
}

/// What is known of the guardrails, and of who can apply them.
pub trait Proofs {
    /// Why a guardrail version can't be used in this Region by anybody.
    ///
    /// # Errors
    /// The reason, in words.
    fn guardrail(&self, region: &Region, enforcement: &Enforcement) -> Result<(), String>;

    /// Whether an account can apply it, or need not.
    fn account(&self, target: &Target, enforcement: &Enforcement) -> AccountProof;
}

/// Whether one account can apply what it would be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountProof {
    /// It did so lately.
    Proven,
    /// Nobody can use Bedrock there: the Region is not enabled, or the account not active.
    NotNeeded,
    /// It is not known, or it can't. The reason, in words.
    Missing(String),
}

impl AccountProof {
    pub(super) fn missing(self) -> Option<String> {
        match self {
            AccountProof::Proven | AccountProof::NotNeeded => None,
            AccountProof::Missing(why) => Some(why),
        }
    }
}
