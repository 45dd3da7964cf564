//! What one change of a Bedrock policy would do to every account, before anybody makes it. Pure.
//!
//! | the account's merge before | after | consequence |
//! | --- | --- | --- |
//! | anything | a policy on its path can't be read | not known |
//! | valid | invalid, under any answer to what isn't known | it freezes |
//! | valid | says the same under every answer | nothing changes |
//! | valid | says something else | Regions change |
//! | invalid | invalid | it stays frozen: the change doesn't reach it |
//! | invalid | valid | it is free: every Region that it then has changes |
//!
//! Accounts with the same policies on their paths share a consequence.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::document::BedrockPolicy;
use super::effective::{EffectivePolicy, Meaning};
use super::ids::{AttachPoint, PolicyAt, PolicyId, PolicyKey};
use super::merge::{MergeError, MergedPolicy};
use super::order::MAX_ATTACHED;
use super::predict::{AccountPaths, AttachedPolicies, Forecast, Prediction, forecast};
use crate::enforcement::{Drift, Enforcement};
use crate::ids::{AccountId, Region};

/// One change of one Bedrock policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChange {
    /// A new policy is created and attached.
    Attach {
        /// What it says.
        content: BedrockPolicy,
        /// Where.
        point: AttachPoint,
    },
    /// A policy says something else, wherever it is attached.
    Update {
        /// Which.
        policy: PolicyId,
        /// What it says from then on.
        content: BedrockPolicy,
    },
    /// A policy that is there is attached somewhere, besides.
    AttachToo {
        /// Which.
        policy: PolicyId,
        /// Where.
        point: AttachPoint,
    },
    /// A policy is detached.
    Detach {
        /// Which.
        policy: PolicyId,
        /// From where.
        point: AttachPoint,
    },
}

/// Why a change can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImpossibleChange {
    /// There is no such policy.
    #[error("there is no Bedrock policy {0}: give the id of one that is there")]
    NoSuchPolicy(PolicyId),
    /// It is attached there already.
    #[error("{0} is attached to {1} already")]
    AttachedAlready(PolicyId, AttachPoint),
    /// It isn't attached there.
    #[error("{0} isn't attached to {1}")]
    NotAttached(PolicyId, AttachPoint),
    /// A point has as many policies as AWS allows.
    #[error("{0} has {MAX_ATTACHED} Bedrock policies, and AWS allows no more: detach one first")]
    TooManyAttached(AttachPoint),
}

/// What a change does to each account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePreview {
    /// The consequences, each with the accounts that it is for; the worst first.
    pub groups: Vec<PreviewGroup>,
    /// How many accounts don't change.
    pub unchanged: usize,
}

/// Accounts with one consequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewGroup {
    /// The accounts.
    pub accounts: BTreeSet<AccountId>,
    /// What becomes of them.
    pub consequence: Consequence,
}

/// What becomes of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Its merge becomes invalid: it keeps what it has, and no later change reaches it.
    Freezes(BTreeSet<MergeError>),
    /// It is frozen, and stays so: the change doesn't reach it.
    StaysFrozen(BTreeSet<MergeError>),
    /// What it will have can't be said, because these policies can't be read.
    NotKnown(BTreeSet<PolicyAt>),
    /// These Regions change. Of an account that was frozen it isn't known what it had.
    Changes(BTreeMap<Region, RegionChange>),
}

/// How one Region of an account changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionChange {
    /// What it may have before, each once. More than one, where AWS documents no answer; `None`, where the account was
    /// frozen.
    pub before: Option<Vec<RegionContent>>,
    /// What it may have after, each once.
    pub after: Vec<RegionContent>,
    /// Whether what it has after depends on an order of attachment that AWS doesn't show.
    pub depends_on_order: bool,
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
    /// It can't be understood.
    Unclear,
}

impl Consequence {
    /// The worst comes first.
    fn rank(&self) -> u8 {
        match self {
            Consequence::Freezes(_) => 0,
            Consequence::StaysFrozen(_) => 1,
            Consequence::NotKnown(_) => 2,
            Consequence::Changes(_) if self.is_harmful() => 3,
            Consequence::Changes(_) => 4,
        }
    }

    /// Whether a person should not make the change before looking at this.
    pub fn is_harmful(&self) -> bool {
        match self {
            Consequence::Freezes(_) | Consequence::StaysFrozen(_) | Consequence::NotKnown(_) => true,
            Consequence::Changes(regions) => regions.values().any(RegionChange::is_harmful),
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
        let is_uncertain = self.depends_on_order || self.after.len() > 1 || self.after.iter().any(is_odd);
        is_uncertain || self.is_released() || self.is_weaker()
    }

    /// Whether it may guard less than before: fewer models or less content by the same version, or an older version.
    pub fn is_weaker(&self) -> bool {
        let enforces = |content: &RegionContent| {
            content.values().find_map(|one| match one {
                ConfigurationContent::Enforces(enforcement)
                | ConfigurationContent::OtherRegion(enforcement) => Some((**enforcement).clone()),
                ConfigurationContent::Unclear => None,
            })
        };
        let before: Vec<Enforcement> = self.before.iter().flatten().filter_map(enforces).collect();
        let mut after = self.after.iter().filter_map(enforces);
        after.any(|after| before.iter().any(|before| Drift::between(&after, before) == Some(Drift::Weaker)))
    }

    /// Whether something is enforced before, and may not be after.
    pub fn is_released(&self) -> bool {
        let had = self.before.as_ref().is_none_or(|before| before.iter().any(|content| !content.is_empty()));
        had && self.after.iter().any(BTreeMap::is_empty)
    }
}

impl PolicyChange {
    /// What is attached once it is made.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn applied(&self, present: &AttachedPolicies) -> Result<AttachedPolicies, ImpossibleChange> {
        let mut after = present.clone();
        match self {
            PolicyChange::Attach { content, point } => {
                after.contents.insert(PolicyKey::Proposed, Ok(content.clone()));
                attach(&mut after, PolicyKey::Proposed, point)?;
            }
            PolicyChange::Update { policy, content } => {
                let known = after.contents.get_mut(&PolicyKey::Id(policy.clone()));
                *known.ok_or_else(|| ImpossibleChange::NoSuchPolicy(policy.clone()))? = Ok(content.clone());
            }
            PolicyChange::AttachToo { policy, point } => {
                let key = PolicyKey::Id(policy.clone());
                if !after.contents.contains_key(&key) {
                    return Err(ImpossibleChange::NoSuchPolicy(policy.clone()));
                }
                if after.attached.get(point).is_some_and(|them| them.contains(&key)) {
                    return Err(ImpossibleChange::AttachedAlready(policy.clone(), point.clone()));
                }
                attach(&mut after, key, point)?;
            }
            PolicyChange::Detach { policy, point } => {
                let key = PolicyKey::Id(policy.clone());
                let attached = after.attached.get_mut(point).filter(|them| them.contains(&key));
                attached
                    .ok_or_else(|| ImpossibleChange::NotAttached(policy.clone(), point.clone()))?
                    .retain(|other| *other != key);
            }
        }
        Ok(after)
    }
}

fn attach(
    policies: &mut AttachedPolicies,
    key: PolicyKey,
    point: &AttachPoint,
) -> Result<(), ImpossibleChange> {
    let attached = policies.attached.entry(point.clone()).or_default();
    if attached.len() >= MAX_ATTACHED {
        return Err(ImpossibleChange::TooManyAttached(point.clone()));
    }
    attached.push(key);
    Ok(())
}

/// What a change of what is attached does to each account.
pub fn preview(
    before: &AttachedPolicies,
    after: &AttachedPolicies,
    accounts: &AccountPaths,
) -> ChangePreview {
    let (before, after) = (forecast(before, accounts), forecast(after, accounts));
    let mut groups: Vec<PreviewGroup> = Vec::new();
    let mut known: HashMap<(*const Forecast, *const Forecast), Option<usize>> = HashMap::new();
    let mut unchanged = 0;
    for account in accounts.keys() {
        let (before, after) = (&before[account], &after[account]);
        let group = *known.entry((Arc::as_ptr(before), Arc::as_ptr(after))).or_insert_with(|| {
            let consequence = consequence(before, after)?;
            // Other policies may come to the same.
            Some(groups.iter().position(|group| group.consequence == consequence).unwrap_or_else(|| {
                groups.push(PreviewGroup { accounts: BTreeSet::new(), consequence });
                groups.len() - 1
            }))
        });
        match group {
            Some(group) => drop(groups[group].accounts.insert(account.clone())),
            None => unchanged += 1,
        }
    }
    groups.sort_by_key(|group| (group.consequence.rank(), std::cmp::Reverse(group.accounts.len())));
    ChangePreview { groups, unchanged }
}

fn consequence(before: &Forecast, after: &Forecast) -> Option<Consequence> {
    let unreadable: BTreeSet<PolicyAt> = after
        .predictions
        .iter()
        .flat_map(|(_, prediction)| match prediction {
            Prediction::Unreadable(policies) => policies.clone(),
            Prediction::Effective(_) | Prediction::Frozen(_) => BTreeSet::new(),
        })
        .collect();
    if !unreadable.is_empty() {
        return Some(Consequence::NotKnown(unreadable));
    }
    if before == after {
        return None;
    }
    let (was_frozen, errors) = (!errors(before).is_empty(), errors(after));
    if !errors.is_empty() {
        return Some(match was_frozen {
            true => Consequence::StaysFrozen(errors),
            false => Consequence::Freezes(errors),
        });
    }
    let regions = changes((!was_frozen).then_some(before), after);
    (!regions.is_empty()).then_some(Consequence::Changes(regions))
}

/// Why the merge is invalid, under any answer.
fn errors(forecast: &Forecast) -> BTreeSet<MergeError> {
    let errors = forecast.predictions.iter().filter_map(|(_, prediction)| match prediction {
        Prediction::Frozen(errors) => Some(errors),
        Prediction::Effective(_) | Prediction::Unreadable(_) => None,
    });
    errors.flatten().cloned().collect()
}

fn merges(forecast: &Forecast) -> Vec<&MergedPolicy> {
    let effective = forecast.predictions.iter().filter_map(|(_, prediction)| match prediction {
        Prediction::Effective(merged) => Some(&**merged),
        Prediction::Frozen(_) | Prediction::Unreadable(_) => None,
    });
    effective.collect()
}

fn changes(before: Option<&Forecast>, after: &Forecast) -> BTreeMap<Region, RegionChange> {
    let after = merges(after);
    let before = before.map(merges);
    let regions = |merged: &[&MergedPolicy]| -> BTreeSet<Region> {
        merged.iter().flat_map(|merged| merged.effective.regions().into_keys()).collect()
    };
    let all: BTreeSet<Region> =
        regions(&after).into_iter().chain(before.as_deref().map(regions).unwrap_or_default()).collect();
    let change = |region: Region| {
        let contents = |merged: &[&MergedPolicy]| {
            let mut contents: Vec<RegionContent> = Vec::new();
            for content in merged.iter().map(|merged| content(&merged.effective, &region)) {
                if !contents.contains(&content) {
                    contents.push(content);
                }
            }
            contents
        };
        let change = RegionChange {
            before: before.as_deref().map(contents),
            after: contents(&after),
            depends_on_order: after.iter().any(|merged| merged.depends_on_order(&region)),
            from: after.iter().flat_map(|merged| origins(merged, &region)).collect(),
        };
        let is_same = |before: &Vec<RegionContent>| {
            before.iter().all(|it| change.after.contains(it))
                && change.after.iter().all(|it| before.contains(it))
        };
        (!change.before.as_ref().is_some_and(is_same)).then_some((region, change))
    };
    all.into_iter().filter_map(change).collect()
}

fn content(effective: &EffectivePolicy, region: &Region) -> RegionContent {
    let named = effective.regions().remove(region).unwrap_or_default();
    let content = |meaning: Meaning| match meaning {
        Meaning::Enforcement(enforcement) if enforcement.guardrail.region == *region => {
            ConfigurationContent::Enforces(enforcement)
        }
        Meaning::Enforcement(enforcement) => ConfigurationContent::OtherRegion(enforcement),
        Meaning::Unclear(_) => ConfigurationContent::Unclear,
    };
    named.into_iter().map(|(name, meaning)| (name, content(meaning))).collect()
}

fn origins(merged: &MergedPolicy, region: &Region) -> BTreeSet<PolicyAt> {
    let here = merged
        .origins
        .iter()
        .filter(|(path, _)| path.configuration().is_some_and(|(key, _)| key == region.as_str()));
    here.flat_map(|(_, origin)| origin.policies().cloned()).collect()
}
