//! What one change of a Bedrock policy would do to every account, before anybody makes it. Pure.
//!
//! What an account has now is what AWS publishes to it, and whether AWS calls it frozen. What it would have is computed
//! under every answer to what AWS doesn't document and every order of peers that contradict each other, as far as what is
//! published now doesn't disprove them.
//!
//! | AWS calls the account frozen | what it would have | consequence |
//! | --- | --- | --- |
//! | – | a policy on its path can't be read | not known |
//! | no | what is published is nothing that the attached policies come to | differs |
//! | no | an invalid merge, under every answer or under some | it freezes, or may |
//! | yes | an invalid merge, under every answer or under some | it stays frozen, or may |
//! | no | the same under every answer | nothing changes |
//! | no, or yes | something else | Regions change; a frozen account is free |
//!
//! Accounts with the same policies on their paths share a computation, and those with one consequence are one group.

use std::collections::{BTreeMap, BTreeSet};

use super::consequence::{ConfigurationContent, Consequence, RegionChange, RegionContent};
use super::effective::{EffectivePolicy, Meaning};
use super::ids::{AttachPoint, PolicyAt, PolicyKey};
use super::leaf::{LeafPath, LeafValue, Setting};
use super::merge::{MergeError, MergedPolicy, merge};
use super::peers::{PeerOrder, in_order, peer_orders};
use super::policy_change::{ImpossibleChange, PolicyChange};
use super::predict::{AccountPaths, AttachedPolicies};
use super::rules::MergeRules;
use crate::ids::{AccountId, Region};

/// What AWS says of one account now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountNow {
    /// Its effective policy; `None` where that isn't known.
    pub published: Option<EffectivePolicy>,
    /// Whether its present merge is invalid; `None` where that isn't known.
    pub is_frozen: Option<bool>,
}

/// What a change does to each account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePreview {
    /// The consequences, each with the accounts that it is for; the worst first.
    pub groups: Vec<PreviewGroup>,
    /// How many accounts have the changed policy on their paths, and nothing else by that.
    pub unchanged: usize,
    /// How many accounts the changed policy isn't on the path of.
    pub unconcerned: usize,
}

/// Accounts with one consequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewGroup {
    /// The accounts.
    pub accounts: BTreeSet<AccountId>,
    /// What becomes of them.
    pub consequence: Consequence,
}

/// The points of an account's path that have policies, before or after.
pub type PolicyChain = Vec<AttachPoint>;

/// The accounts that have the changed policy on their paths, by the points with policies on them. Only of these AWS has to be
/// asked what they have now.
pub fn concerned(
    before: &AttachedPolicies,
    after: &AttachedPolicies,
    accounts: &AccountPaths,
) -> BTreeMap<PolicyChain, BTreeSet<AccountId>> {
    let mut chains: BTreeMap<PolicyChain, BTreeSet<AccountId>> = BTreeMap::new();
    for (account, path) in accounts {
        let chain: PolicyChain = AttachPoint::chain(account, path)
            .filter(|point| [before, after].iter().any(|state| !attached(state, point).is_empty()))
            .collect();
        let is_changed = |point: &AttachPoint| {
            let (one, other) = (attached(before, point), attached(after, point));
            one != other || one.iter().any(|key| before.contents.get(key) != after.contents.get(key))
        };
        if chain.iter().any(is_changed) {
            chains.entry(chain).or_default().insert(account.clone());
        }
    }
    chains
}

fn attached<'a>(state: &'a AttachedPolicies, point: &AttachPoint) -> &'a [PolicyKey] {
    state.attached.get(point).map(Vec::as_slice).unwrap_or_default()
}

/// What a change does to each account. `now` has what AWS says of those that are [`concerned`].
///
/// # Errors
/// When the change can't be made.
pub fn preview(
    change: &PolicyChange,
    present: &AttachedPolicies,
    accounts: &AccountPaths,
    now: &BTreeMap<AccountId, AccountNow>,
) -> Result<ChangePreview, ImpossibleChange> {
    let after = change.applied(present)?;
    let mut groups: Vec<PreviewGroup> = Vec::new();
    let (mut unchanged, mut seen) = (0, 0);
    let unknown = AccountNow::default();
    for (chain, concerned) in concerned(present, &after, accounts) {
        seen += concerned.len();
        let outcomes = outcomes(change, present, &after, &chain);
        let mut known: Vec<(&AccountNow, Option<Consequence>)> = Vec::new();
        for account in concerned {
            let now = now.get(&account).unwrap_or(&unknown);
            let consequence = match known.iter().find(|(other, _)| *other == now) {
                Some((_, consequence)) => consequence.clone(),
                None => {
                    let consequence = match &outcomes {
                        Ok(outcomes) => consequence(outcomes, now),
                        Err(policies) => Some(Consequence::NotKnown(policies.clone())),
                    };
                    known.push((now, consequence.clone()));
                    consequence
                }
            };
            let Some(consequence) = consequence else {
                unchanged += 1;
                continue;
            };
            match groups.iter_mut().find(|group| group.consequence == consequence) {
                Some(group) => drop(group.accounts.insert(account)),
                None => groups.push(PreviewGroup { accounts: [account].into(), consequence }),
            }
        }
    }
    groups.sort_by_key(|group| (group.consequence.rank(), std::cmp::Reverse(group.accounts.len())));
    Ok(ChangePreview { groups, unchanged, unconcerned: accounts.len() - seen })
}

/// What the policies of a chain come to.
type ChainMerge = Result<MergedPolicy, BTreeSet<MergeError>>;

/// What a chain comes to before and after, under each answer and order.
///
/// # Errors
/// The policies that can't be read, or of which too many contradict each other.
fn outcomes(
    change: &PolicyChange,
    before: &AttachedPolicies,
    after: &AttachedPolicies,
    chain: &[AttachPoint],
) -> Result<Vec<(ChainMerge, ChainMerge)>, BTreeSet<PolicyAt>> {
    let levels = [before.levels(chain)?, after.levels(chain)?];
    let documents = levels.iter().flatten().flat_map(|level| level.policies.iter().map(|(_, it)| *it));
    let rules = MergeRules::that_matter(documents);
    let last = change.attaches();
    let is_possible = |order: &PeerOrder| {
        last.as_ref().is_none_or(|(key, point)| {
            let peers = order.get(*point).map(Vec::as_slice).unwrap_or_default();
            !peers.contains(key) || peers.last() == Some(key)
        })
    };
    let mut outcomes = Vec::new();
    for order in peer_orders(chain, &[before, after])?.iter().filter(|order| is_possible(order)) {
        let mut levels = levels.clone();
        levels.iter_mut().for_each(|levels| in_order(levels, order));
        for rules in &rules {
            let outcome = (merge(&levels[0], *rules), merge(&levels[1], *rules));
            if !outcomes.contains(&outcome) {
                outcomes.push(outcome);
            }
        }
    }
    Ok(outcomes)
}

/// What becomes of an account of which AWS says this now; `None` where nothing changes.
fn consequence(outcomes: &[(ChainMerge, ChainMerge)], now: &AccountNow) -> Option<Consequence> {
    let is_published = |merged: &MergedPolicy| {
        now.published.as_ref().is_none_or(|published| merged.effective.says_the_same(published))
    };
    let is_consistent = |(before, _): &&(ChainMerge, ChainMerge)| match (before, now.is_frozen) {
        (Err(_), Some(false)) | (Ok(_), Some(true)) => false,
        (Err(_), Some(true) | None) => true,
        (Ok(merged), Some(false) | None) => is_published(merged),
    };
    let consistent: Vec<&(ChainMerge, ChainMerge)> = outcomes.iter().filter(is_consistent).collect();
    if consistent.is_empty() {
        return Some(Consequence::Differs);
    }
    let was_frozen = now.is_frozen.unwrap_or_else(|| consistent.iter().all(|(before, _)| before.is_err()));
    let errors: BTreeSet<MergeError> =
        consistent.iter().filter_map(|(_, after)| after.as_ref().err()).flatten().cloned().collect();
    let after: Vec<&MergedPolicy> = consistent.iter().filter_map(|(_, after)| after.as_ref().ok()).collect();
    let before: Vec<&EffectivePolicy> = match &now.published {
        Some(published) => vec![published],
        None => consistent
            .iter()
            .filter_map(|(before, _)| before.as_ref().ok().map(|merged| &merged.effective))
            .collect(),
    };
    let regions = changes(&before, &after);
    match (errors.is_empty(), after.is_empty()) {
        (true, _) => {
            let is_changed = was_frozen || !regions.is_empty();
            is_changed.then_some(Consequence::Changes { was_frozen, regions })
        }
        (false, true) => Some(Consequence::Invalid { was_frozen, errors, otherwise: None }),
        (false, false) => Some(Consequence::Invalid { was_frozen, errors, otherwise: Some(regions) }),
    }
}

fn changes(before: &[&EffectivePolicy], after: &[&MergedPolicy]) -> BTreeMap<Region, RegionChange> {
    let effective = before.iter().copied().chain(after.iter().map(|merged| &merged.effective));
    let regions: BTreeSet<Region> = effective.flat_map(|policy| policy.regions().into_keys()).collect();
    let change = |region: Region| {
        let change = RegionChange {
            before: contents(before.iter().copied(), &region),
            after: contents(after.iter().map(|merged| &merged.effective), &region),
            from: after.iter().flat_map(|merged| origins(merged, &region)).collect(),
        };
        let is_same = change.before.len() == 1 && change.before == change.after;
        (!is_same).then_some((region, change))
    };
    regions.into_iter().filter_map(change).collect()
}

/// Each different content once.
fn contents<'a>(policies: impl Iterator<Item = &'a EffectivePolicy>, region: &Region) -> Vec<RegionContent> {
    let mut contents: Vec<RegionContent> = Vec::new();
    for content in policies.map(|policy| content(policy, region)) {
        if !contents.contains(&content) {
            contents.push(content);
        }
    }
    contents
}

fn content(effective: &EffectivePolicy, region: &Region) -> RegionContent {
    let named = effective.regions().remove(region).unwrap_or_default();
    // By what it says: a change of what can't be understood is a change.
    let values = |name: &str| -> BTreeMap<LeafPath, LeafValue> {
        let leaves = effective.leaves().iter().filter(|(path, _)| {
            path.configuration().is_some_and(|(key, other)| key == region.as_str() && other == name)
        });
        leaves.map(|(path, value)| (path.in_lower_case(), value.clone())).collect()
    };
    let content = |name: &str, meaning: Meaning| match meaning {
        Meaning::Enforcement(enforcement) if enforcement.guardrail.region == *region => {
            ConfigurationContent::Enforces(enforcement)
        }
        Meaning::Enforcement(enforcement) => ConfigurationContent::OtherRegion(enforcement),
        Meaning::Unclear(paths) if paths.iter().any(|path| path.setting() == Some(Setting::Identifier)) => {
            ConfigurationContent::NoGuardrail(values(name))
        }
        Meaning::Unclear(_) => ConfigurationContent::Unclear(values(name)),
    };
    // AWS may publish names in lower case.
    named.into_iter().map(|(name, meaning)| (name.to_lowercase(), content(&name, meaning))).collect()
}

fn origins(merged: &MergedPolicy, region: &Region) -> BTreeSet<PolicyAt> {
    let here = merged
        .origins
        .iter()
        .filter(|(path, _)| path.configuration().is_some_and(|(key, _)| key == region.as_str()));
    here.flat_map(|(_, origin)| origin.policies().cloned()).collect()
}
