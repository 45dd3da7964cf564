//! What a change of a Bedrock policy does to one account.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::PolicyAt;
use super::leaf::{LeafPath, LeafValue};
use super::merge::MergeError;
use crate::enforcement::Enforcement;
use crate::ids::Region;

/// What becomes of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Its merge is invalid: it keeps what it has, and no later change reaches it.
    Invalid {
        /// Whether AWS calls it frozen already: then the change doesn't reach it.
        was_frozen: bool,
        /// Why.
        errors: BTreeSet<MergeError>,
        /// What changes if AWS takes it for valid all the same, which it documents nowhere; `None` where it is invalid for
        /// certain.
        otherwise: Option<BTreeMap<Region, RegionChange>>,
    },
    /// What it will have can't be said: these policies can't be read, or too many of them contradict each other.
    NotKnown(BTreeSet<PolicyAt>),
    /// AWS publishes something else than its policies come to by any answer. So what it will have isn't known.
    Differs,
    /// These Regions change.
    Changes {
        /// Whether AWS calls it frozen, and would not any more.
        was_frozen: bool,
        /// How.
        regions: BTreeMap<Region, RegionChange>,
    },
}

/// How one Region of an account changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionChange {
    /// What it has, by what AWS publishes; where that isn't known, all that it may have.
    pub before: Vec<RegionContent>,
    /// What it may have after, each once. More than one, where AWS shows or documents no answer.
    pub after: Vec<RegionContent>,
    /// The policies that it comes from after.
    pub from: BTreeSet<PolicyAt>,
}

/// What a Region has: each configuration, by its name; without any, nothing is enforced.
pub type RegionContent = BTreeMap<String, ConfigurationContent>;

/// What one configuration comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigurationContent {
    /// It enforces this.
    Enforces(Box<Enforcement>),
    /// It names a guardrail of another Region: every call fails (Organizations user guide, Bedrock policies).
    OtherRegion(Box<Enforcement>),
    /// It names no guardrail version: every call fails. What it says all the same.
    NoGuardrail(BTreeMap<LeafPath, LeafValue>),
    /// It can't be understood. What it says.
    Unclear(BTreeMap<LeafPath, LeafValue>),
}

impl ConfigurationContent {
    /// What it enforces, where it names a guardrail version.
    pub fn enforcement(&self) -> Option<&Enforcement> {
        match self {
            ConfigurationContent::Enforces(enforcement) | ConfigurationContent::OtherRegion(enforcement) => {
                Some(enforcement)
            }
            ConfigurationContent::NoGuardrail(_) | ConfigurationContent::Unclear(_) => None,
        }
    }
}

impl Consequence {
    /// Whether a person should not make the change before looking at this.
    pub fn is_harmful(&self) -> bool {
        match self {
            Consequence::Invalid { .. } | Consequence::NotKnown(_) | Consequence::Differs => true,
            Consequence::Changes { regions, was_frozen: _ } => regions.values().any(RegionChange::is_harmful),
        }
    }

    /// The Regions that change, or may.
    pub fn regions(&self) -> Option<&BTreeMap<Region, RegionChange>> {
        match self {
            Consequence::Invalid { otherwise, .. } => otherwise.as_ref(),
            Consequence::Changes { regions, .. } => Some(regions),
            Consequence::NotKnown(_) | Consequence::Differs => None,
        }
    }

    /// The worst comes first.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Consequence::Invalid { otherwise: None, .. } => 0,
            Consequence::Invalid { otherwise: Some(_), .. } => 1,
            Consequence::NotKnown(_) | Consequence::Differs => 2,
            Consequence::Changes { .. } if self.is_harmful() => 3,
            Consequence::Changes { .. } => 4,
        }
    }
}

impl RegionChange {
    /// Whether it leaves less guarded than before, or something that can't be said or understood.
    pub fn is_harmful(&self) -> bool {
        let is_odd = |content: &RegionContent| {
            let is_good = |it: &ConfigurationContent| matches!(it, ConfigurationContent::Enforces(_));
            content.len() > 1 || !content.values().all(is_good)
        };
        self.after.len() > 1 || self.after.iter().any(is_odd) || self.is_released() || self.is_weaker()
    }

    /// Whether something is enforced before, and may not be after.
    pub fn is_released(&self) -> bool {
        self.before.iter().any(|content| !content.is_empty()) && self.after.iter().any(BTreeMap::is_empty)
    }

    /// Whether it may guard fewer models or less content than before, or by an older version of the same guardrail. Of
    /// another guardrail nobody can say here what it guards.
    pub fn is_weaker(&self) -> bool {
        let all = |contents: &[RegionContent]| -> Vec<Enforcement> {
            let each = contents.iter().flat_map(RegionContent::values);
            each.filter_map(|one| one.enforcement().cloned()).collect()
        };
        let before = all(&self.before);
        let is_less = |after: &Enforcement, before: &Enforcement| {
            let is_older = after.guardrail == before.guardrail && after.version < before.version;
            is_older || !after.models.cover(&before.models) || !after.guarding.covers(before.guarding)
        };
        all(&self.after).iter().any(|after| before.iter().any(|before| is_less(after, before)))
    }
}
