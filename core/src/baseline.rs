//! The baseline: which guardrail version must be enforced, where.
//!
//! The raw document is private to this module; only checked values leave it, and a document with
//! problems reports all of them at once.

mod assignment;
mod check;
mod document;
mod keys;
mod letters;
mod membership;
mod part;
mod problem;
mod spared;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::assignment::{
    Assignment, AssignmentTarget, EnforcementLevel, Existing, OrganizationAssignment,
};
pub use self::membership::NamedIds;
pub use self::problem::{InvalidBaseline, Problem, Severity};
use self::problem::{Problems, TextPlace};
use crate::enforcement::{Guarding, Models};
use crate::ids::{
    AccountId, GuardrailArn, GuardrailVersion, KmsKeyArn, OrganizationId, Region, Target, text_id,
};
use crate::organization::OrgPath;
use crate::words::words;

/// A checked baseline. [`Baseline::parse`] is the only way to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Names this text: two baselines with one revision are the same document.
    pub revision: Revision,
    /// The organization it is for. Nothing is written in another.
    pub organization: OrganizationId,
    /// The account that owns the guardrails that name no owner of their own.
    pub owner: AccountId,
    /// What may be written at all.
    pub mode: Mode,
    /// The guardrails, by the name that this document gives them.
    pub guardrails: BTreeMap<GuardrailKey, Guardrail>,
    /// Who gets which on the account's level; the most specific wins: account, then nearest OU, then root.
    pub assignments: Vec<Assignment>,
    /// What the organization's level enforces where, by Bedrock policies. The most specific wins here as well, and both
    /// levels act beside each other.
    pub organization_assignments: Vec<OrganizationAssignment>,
    /// Accounts that need not prove that they can apply what the organization's level gives them.
    pub accept_unproven: BTreeSet<AccountId>,
    /// Accounts never written, only reported.
    pub exclude: BTreeSet<AccountId>,
    /// How much a new revision may change without a person's approval.
    pub limits: Limits,
    places: ProblemPlaces,
}

/// Where in the text stands what can be judged only later.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ProblemPlaces {
    organization: TextPlace,
    owner: TextPlace,
    guardrails: BTreeMap<GuardrailKey, TextPlace>,
    /// Where a guardrail names its own owner.
    guardrail_owners: BTreeMap<GuardrailKey, TextPlace>,
    assignments: TextPlace,
    targets: BTreeMap<AssignmentTarget, TextPlace>,
    organization_targets: BTreeMap<AssignmentTarget, TextPlace>,
    exclude: BTreeMap<AccountId, TextPlace>,
    /// The list, where there is one, and each account of it.
    accept_unproven: Option<TextPlace>,
    accepted: BTreeMap<AccountId, TextPlace>,
}

impl Baseline {
    /// Reads and checks a baseline.
    ///
    /// # Errors
    /// Every problem of the text at once, except behind a syntax error, where nothing can be said.
    pub fn parse(text: &str) -> Result<Baseline, InvalidBaseline> {
        let mut problems = Problems::default();
        let baseline = document::read(text, &mut problems)
            .and_then(|root| check::baseline(&root, Revision::of(text), &mut problems));
        match baseline {
            Some(baseline) if problems.is_empty() => Ok(baseline),
            Some(_) | None => Err(problems.into_invalid()),
        }
    }

    /// The text of a baseline, from the bytes of its file.
    ///
    /// # Errors
    /// Where they aren't UTF-8, with the encoding where it can be guessed.
    pub fn text_of(bytes: Vec<u8>) -> Result<String, InvalidBaseline> {
        letters::decode(bytes).map_err(|problem| {
            let mut problems = Problems::default();
            problems.add(problem);
            problems.into_invalid()
        })
    }

    /// Whether any of its guardrails is placed as AWS's answer has it.
    pub fn has_auto(&self) -> bool {
        self.guardrails.values().any(|guardrail| guardrail.placement == Placement::Auto)
    }

    /// Whether one of its guardrails is meant to stop even a harmless text.
    pub fn means_to_block(&self, key: &GuardrailKey) -> bool {
        self.guardrails
            .get(key)
            .is_some_and(|guardrail| guardrail.on_blocked_probe == OnBlockedProbe::Enforce)
    }

    /// Every Region in which any guardrail is enforced.
    pub fn regions(&self) -> BTreeSet<Region> {
        self.guardrails.values().flat_map(|guardrail| guardrail.regions.keys().cloned()).collect()
    }

    /// The assignment of the account that stands at `path`, on the account's level; the most specific wins.
    ///
    /// Says nothing of `exclude`: what an excluded account should have is reported all the same.
    pub fn assignment(&self, account: &AccountId, path: &OrgPath) -> Option<&Assignment> {
        self.covering(account, path).next().map(|(_, assignment)| assignment)
    }

    /// The assignments that cover the account that stands at `path`, on the account's level, each with its target that
    /// does: the one that wins, and then those that would without it.
    pub fn covering(
        &self,
        account: &AccountId,
        path: &OrgPath,
    ) -> impl Iterator<Item = (AssignmentTarget, &Assignment)> {
        AssignmentTarget::chain(account, path).filter_map(|target| {
            let found = self.assignments.iter().find(|assignment| assignment.targets.contains(&target));
            found.map(|assignment| (target, assignment))
        })
    }

    /// The assignments of the organization's level that cover the account that stands at `path`, the most specific first.
    /// In one Region the first that names it counts: a Bedrock policy further down replaces one further up only where
    /// both name the Region.
    pub fn covering_by_organization(
        &self,
        account: &AccountId,
        path: &OrgPath,
    ) -> impl Iterator<Item = (AssignmentTarget, &OrganizationAssignment)> {
        AssignmentTarget::chain(account, path).filter_map(|target| {
            let mut all = self.organization_assignments.iter();
            all.find(|assignment| assignment.targets.contains(&target)).map(|assignment| (target, assignment))
        })
    }

    /// Whether it assigns anything on the organization's level.
    pub fn has_organization_level(&self) -> bool {
        !self.organization_assignments.is_empty()
    }

    /// The account that owns a guardrail of this baseline.
    pub fn owner_of(&self, key: &GuardrailKey) -> &AccountId {
        self.guardrails.get(key).map_or(&self.owner, |guardrail| &guardrail.owner)
    }

    /// Every account that owns a guardrail of this baseline; the document's owner, if it has no guardrail.
    pub fn owners(&self) -> BTreeSet<AccountId> {
        let owners: BTreeSet<AccountId> =
            self.guardrails.values().map(|guardrail| guardrail.owner.clone()).collect();
        if owners.is_empty() { BTreeSet::from([self.owner.clone()]) } else { owners }
    }

    /// Whether this account owns a guardrail of this baseline.
    pub fn is_owner(&self, account: &AccountId) -> bool {
        self.guardrails.values().any(|guardrail| guardrail.owner == *account)
            || self.guardrails.is_empty() && self.owner == *account
    }

    /// Each Region of each account in which that account owns a guardrail of this baseline.
    pub fn owner_targets(&self) -> BTreeSet<Target> {
        let targets = self.guardrails.values().flat_map(|guardrail| {
            let of = |region: &Region| Target { account: guardrail.owner.clone(), region: region.clone() };
            guardrail.regions.keys().map(of)
        });
        targets.collect()
    }

    /// Where the text says who owns it.
    fn owner_place(&self, key: &GuardrailKey) -> &TextPlace {
        self.places.guardrail_owners.get(key).unwrap_or(&self.places.owner)
    }

    /// The line of the text in which a target of an assignment on the account's level stands.
    pub fn line_of(&self, target: &AssignmentTarget) -> Option<usize> {
        self.places.targets.get(target).map(|place| place.position.line)
    }

    /// The line of the text in which a target of an assignment on the organization's level stands.
    pub fn organization_line_of(&self, target: &AssignmentTarget) -> Option<usize> {
        self.places.organization_targets.get(target).map(|place| place.position.line)
    }

    /// The guardrail that an assignment names.
    pub fn guardrail(&self, key: &GuardrailKey) -> Option<&Guardrail> {
        self.guardrails.get(key)
    }
}

text_id!(
    /// The SHA-256 of a baseline's text, in hexadecimal, shortened to 16 digits.
    Revision,
    "a baseline revision",
    "16 hexadecimal digits",
    |text| text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);

impl Revision {
    /// The revision of a text, whether or not it is a good baseline.
    pub fn of(text: &str) -> Revision {
        let digest = Sha256::digest(text.as_bytes());
        Revision(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

text_id!(
    /// What a baseline calls one of its guardrails, for example `corporate`. Never sent to AWS.
    GuardrailKey,
    "a guardrail's key",
    "1 to 64 lower-case letters, digits, hyphens and underscores, and not `none`",
    |text| {
        (1..=64).contains(&text.len())
            && text != "none"
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    }
);

text_id!(
    /// A guardrail's name in the owner account: what people see in the console.
    GuardrailName,
    "a guardrail name",
    "1 to 50 letters, digits, hyphens and underscores",
    |text| {
        // The pattern and length are the Bedrock service model's.
        (1..=50).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    }
);

words! {
    /// What the keeper may write.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Mode {
        /// Enforce, replace and release.
        Sync = "sync",
        /// Enforce and replace; never release.
        EnforceOnly = "enforce-only",
        /// Write nothing: look and report. Also the switch that pauses everything.
        Audit = "audit",
    }

    impl Display;
}

/// One guardrail of the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardrail {
    /// The account that owns it.
    pub owner: AccountId,
    /// Where it is enforced, and which guardrail that is there.
    pub regions: BTreeMap<Region, Source>,
    /// The models it guards.
    pub models: Models,
    /// How much of a request it guards.
    pub guarding: Guarding,
    /// Whether members use the owner's guardrail or get a copy.
    pub placement: Placement,
    /// The keys that members' copies are encrypted with, where it isn't one of AWS's.
    pub copy_keys: BTreeMap<Region, KmsKeyArn>,
    /// What to do with an enforcement whose guardrail can't be used any more.
    pub on_unusable: OnUnusable,
    /// What to do with a guardrail that stops even a harmless text.
    pub on_blocked_probe: OnBlockedProbe,
}

/// Which guardrail of the owner account, in one Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// How it is found.
    pub selector: Selector,
    /// The version to enforce.
    pub version: GuardrailVersion,
}

/// How a guardrail is found in one Region of the owner account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// Looked up by name.
    Name(GuardrailName),
    /// Given in full.
    Arn(GuardrailArn),
}

/// Where the guardrail that a member enforces lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// In the owner account where AWS lets members refer to it, in each member where AWS refuses that:
    /// see [`crate::placement`].
    Auto,
    /// In the owner account; members refer to it.
    Central,
    /// In each member, as a copy that the keeper maintains.
    Copy,
}

/// What becomes of an enforcement whose guardrail was deleted, isn't ready or is no longer granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnusable {
    /// It stays, and alarms: guarded calls may fail.
    Keep,
    /// It is released where it is ours: calls work again, unguarded.
    Release,
}

/// What becomes of a guardrail that stops even the harmless text of a probe, where it isn't enforced yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBlockedProbe {
    /// It is held: enforced, it would stop the account's calls.
    Hold,
    /// It is enforced: it is meant to stop them.
    Enforce,
}

/// The largest organizations have 50,000 accounts in some 20 Regions.
pub const LARGEST_LIMIT: u32 = 1_000_000;

/// How many targets a new revision may replace, release and abandon without a person's approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Enforcements replaced by others.
    pub max_replacements: u32,
    /// Enforcements released.
    pub max_releases: u32,
    /// Enforcements that stay as they are, and that are not repaired any more.
    pub max_abandonments: u32,
}

impl Default for Limits {
    /// Small enough that a slip of the pen is caught, large enough for a first OU.
    fn default() -> Limits {
        Limits { max_replacements: 50, max_releases: 5, max_abandonments: 5 }
    }
}
