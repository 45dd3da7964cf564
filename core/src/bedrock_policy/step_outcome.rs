//! What steps come to in each account: what changes, who would be given what, and what others' policies make of it.
//!
//! Accounts with the same policies on their paths share all of it: most of an organization has few chains.
//!
//! What an account has before is what its policies come to, under each answer to what isn't known. Answers under which
//! that is invalid say nothing of before, as long as AWS doesn't call the account frozen. Of an account that AWS calls
//! frozen nothing is known: each Region that any of its policies names, before or after, counts as one that has something
//! and changes. An account that no step touches doesn't change, frozen or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change_extent::ChangeExtent;
use super::compare::{RegionComparison, compare};
use super::document::BedrockPolicy;
use super::effective::Meaning;
use super::hold::OrganizationHold;
use super::ids::{AttachPoint, PolicyAt, PolicyKey};
use super::leaf::LeafPath;
use super::level::{OrganizationLevel, Proofs};
use super::merge::{MergeLevel, MergedPolicy, merge};
use super::order::WantedPolicies;
use super::predict::{AttachedPolicies, reached_alike};
use super::problem::InvalidBedrockPolicy;
use super::rules::MergeRules;
use super::step::PolicyStep;
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, Region, Target};

/// What the steps come to in each account in which they change anything.
#[derive(Default)]
pub(super) struct StepOutcome {
    accounts: Vec<(AccountId, Arc<ChainOutcome>)>,
    /// Accounts that AWS calls frozen and that a step is about.
    pub(super) unreached: BTreeSet<AccountId>,
    /// Accounts that a step is about and of which it can't be said what they have, nor what would be taken away.
    before_not_known: BTreeSet<AccountId>,
}

/// What the steps come to for all accounts that have the same policies on their paths.
struct ChainOutcome {
    /// The Regions that change under any answer to what isn't known.
    changed: BTreeSet<Region>,
    /// Those of them in which something is enforced before, under any answer; where that isn't known, all.
    had: BTreeSet<Region>,
    /// Those of them in which nothing is enforced after, under any answer.
    lacking: BTreeSet<Region>,
    /// Everything that is enforced in them after, under any answer; nothing where it can't be understood.
    given: Vec<(Region, Option<Enforcement>)>,
    /// Those of them that end as something else than what is wanted.
    overridden: BTreeMap<Region, RegionComparison>,
    /// Those of them that depend on the order of peers, with the policies.
    contested: BTreeMap<Region, BTreeSet<PolicyAt>>,
}

impl StepOutcome {
    pub(super) fn of(
        level: OrganizationLevel<'_>,
        policies: &WantedPolicies,
        steps: &[PolicyStep],
    ) -> StepOutcome {
        let mut end = level.present.clone();
        steps.iter().for_each(|step| step.apply(&mut end));
        let points = level.present.attached.keys().chain(end.attached.keys()).cloned().collect();
        let mut outcome = StepOutcome::default();
        for (chain, accounts) in reached_alike(&points, level.accounts) {
            if chain.iter().all(|point| acting(level.present, point) == acting(&end, point)) {
                continue;
            }
            let answers = ChainAnswers::new(&chain, level.present, &end);
            // What the nearest point above the accounts wants. Each point that wants something has a policy at the end.
            let of_points = chain.iter().filter_map(|point| policies.get(point)).flatten();
            let wanted = of_points.map(|(region, it)| (region.clone(), it.clone())).collect();
            outcome.add(accounts, level.frozen, &answers, &wanted);
        }
        outcome
    }

    /// Adds the accounts of one chain.
    fn add(
        &mut self,
        accounts: BTreeSet<AccountId>,
        frozen: &BTreeSet<AccountId>,
        answers: &ChainAnswers,
        wanted: &BTreeMap<Region, Enforcement>,
    ) {
        let (frozen, free): (BTreeSet<AccountId>, BTreeSet<AccountId>) =
            accounts.into_iter().partition(|account| frozen.contains(account));
        let is_known = answers.before().next().is_some();
        if !is_known {
            self.before_not_known.extend(free.iter().cloned());
        }
        if answers.is_unreadable {
            self.before_not_known.extend(frozen.iter().cloned());
        }
        let not_known = Arc::new(ChainOutcome::of(answers, answers.named(), answers.named(), wanted));
        self.accounts.extend(frozen.iter().map(|account| (account.clone(), Arc::clone(&not_known))));
        self.unreached.extend(frozen);
        let known = match is_known {
            true => Arc::new(ChainOutcome::of(answers, answers.changed(), answers.enforced(), wanted)),
            false => not_known,
        };
        if !is_known || !known.changed.is_empty() {
            self.accounts.extend(free.into_iter().map(|account| (account, Arc::clone(&known))));
        }
    }

    pub(super) fn before_not_known(&self) -> Option<OrganizationHold> {
        let accounts = &self.before_not_known;
        (!accounts.is_empty()).then(|| OrganizationHold::BeforeNotKnown(accounts.clone()))
    }

    pub(super) fn overridden(&self) -> Option<OrganizationHold> {
        let places = self.accounts.iter().flat_map(|(account, chain)| {
            chain.overridden.iter().map(|(region, seen)| (target(account, region), seen.clone()))
        });
        let places: BTreeMap<Target, RegionComparison> = places.collect();
        (!places.is_empty()).then_some(OrganizationHold::Overridden(places))
    }

    pub(super) fn depends_on_order(&self) -> Option<OrganizationHold> {
        let (mut targets, mut policies) = (BTreeSet::new(), BTreeSet::new());
        for (account, chain) in &self.accounts {
            for (region, contested) in &chain.contested {
                targets.insert(target(account, region));
                policies.extend(contested.iter().cloned());
            }
        }
        (!targets.is_empty()).then_some(OrganizationHold::DependsOnOrder { targets, policies })
    }

    /// Where something is given that was not there, by the keeper's policies or by others' behind them, and nothing shows
    /// that the account can apply it.
    pub(super) fn not_proven(&self, proofs: &dyn Proofs) -> Option<OrganizationHold> {
        let mut places = BTreeMap::new();
        for (account, chain) in &self.accounts {
            for (region, given) in &chain.given {
                let target = target(account, region);
                let why = match given {
                    Some(enforcement) => proofs.account(&target, enforcement).missing(),
                    None => Some("what it would be given can't be understood".to_owned()),
                };
                if let Some(why) = why {
                    places.entry(target).or_insert(why);
                }
            }
        }
        (!places.is_empty()).then_some(OrganizationHold::NotProven(places))
    }

    pub(super) fn extent(&self) -> ChangeExtent {
        let mut extent = ChangeExtent { accounts: self.accounts.len(), ..ChangeExtent::default() };
        for (_, chain) in &self.accounts {
            for region in &chain.changed {
                match (chain.had.contains(region), chain.lacking.contains(region)) {
                    (false, _) => extent.added += 1,
                    (true, false) => extent.replaced += 1,
                    (true, true) => extent.released += 1,
                }
            }
        }
        extent
    }
}

impl ChainOutcome {
    fn of(
        answers: &ChainAnswers,
        changed: BTreeSet<Region>,
        mut had: BTreeSet<Region>,
        wanted: &BTreeMap<Region, Enforcement>,
    ) -> ChainOutcome {
        had.retain(|region| changed.contains(region));
        let lacking = changed.iter().filter(|region| !answers.always_end_with(region)).cloned().collect();
        let mut outcome = ChainOutcome {
            changed,
            had,
            lacking,
            given: Vec::new(),
            overridden: BTreeMap::new(),
            contested: BTreeMap::new(),
        };
        answers.after().for_each(|merged| outcome.add(merged, wanted));
        outcome
    }

    /// Adds what is there after, under one answer.
    fn add(&mut self, merged: &MergedPolicy, wanted: &BTreeMap<Region, Enforcement>) {
        for (region, named) in merged.effective.regions() {
            for meaning in named.into_values().filter(|_| self.changed.contains(&region)) {
                let given = match meaning {
                    Meaning::Enforcement(enforcement) => Some(*enforcement),
                    Meaning::Unclear(_) => None,
                };
                let given = (region.clone(), given);
                if !self.given.contains(&given) {
                    self.given.push(given);
                }
            }
        }
        for (region, seen) in compare(wanted, &merged.effective, &merged.origins) {
            // A Region that the keeper doesn't name is for others to fill.
            let is_as_it_should_be = matches!(seen, RegionComparison::Equal | RegionComparison::NotWanted(_));
            if self.changed.contains(&region) && !is_as_it_should_be {
                self.overridden.entry(region).or_insert(seen);
            }
        }
        for region in self.changed.iter().filter(|region| merged.depends_on_order(region)) {
            let paths = merged
                .contested
                .keys()
                .filter(|path| path.configuration().is_some_and(|(key, _)| key == region.as_str()));
            let origins = paths.filter_map(|path| merged.origins.get(path));
            let policies = self.contested.entry(region.clone()).or_default();
            policies.extend(origins.flat_map(|origin| origin.policies().cloned()));
        }
    }
}

fn target(account: &AccountId, region: &Region) -> Target {
    Target { account: account.clone(), region: region.clone() }
}

/// What a chain's policies come to before and after, under every answer to what isn't known.
struct ChainAnswers {
    /// Before and after, both under the same answer; nothing where the merge is invalid, or a policy can't be read.
    pairs: Vec<(Option<MergedPolicy>, Option<MergedPolicy>)>,
    /// Whether a policy can't be read before.
    is_unreadable: bool,
    /// The Regions that a policy names before.
    named_before: BTreeSet<Region>,
    /// The Regions that a policy names after.
    named_after: BTreeSet<Region>,
}

impl ChainAnswers {
    fn new(chain: &[AttachPoint], present: &AttachedPolicies, end: &AttachedPolicies) -> ChainAnswers {
        let (before, after) = (documents(chain, present), documents(chain, end));
        let rules = MergeRules::that_matter(before.iter().chain(&after).copied());
        let (named_before, named_after) = (named_regions(&before), named_regions(&after));
        let (before, after) = (present.levels(chain).ok(), end.levels(chain).ok());
        let merged = |levels: Option<&Vec<MergeLevel<'_>>>, rules| merge(levels?, rules).ok();
        let mut pairs = Vec::new();
        for rules in rules {
            let pair = (merged(before.as_ref(), rules), merged(after.as_ref(), rules));
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
        ChainAnswers { pairs, is_unreadable: before.is_none(), named_before, named_after }
    }

    fn before(&self) -> impl Iterator<Item = &MergedPolicy> {
        self.pairs.iter().filter_map(|(before, _)| before.as_ref())
    }

    fn after(&self) -> impl Iterator<Item = &MergedPolicy> {
        self.pairs.iter().filter_map(|(_, after)| after.as_ref())
    }

    fn named(&self) -> BTreeSet<Region> {
        self.named_before.union(&self.named_after).cloned().collect()
    }

    /// The Regions in which something is enforced before, under any answer.
    fn enforced(&self) -> BTreeSet<Region> {
        self.before().flat_map(|merged| merged.effective.regions().into_keys()).collect()
    }

    /// Whether something is enforced in a Region after, under every answer. Where no answer says what is published, it
    /// is what the policies name.
    fn always_end_with(&self, region: &Region) -> bool {
        match self.after().next() {
            Some(_) => self.after().all(|merged| merged.effective.regions().contains_key(region)),
            None => self.named_after.contains(region),
        }
    }

    /// The Regions in which after differs from before under one and the same answer. Where before is invalid under an
    /// answer, what no valid answer had before is a change.
    fn changed(&self) -> BTreeSet<Region> {
        let mut changed = BTreeSet::new();
        for (before, after) in &self.pairs {
            let Some(after) = after else { continue };
            match before {
                Some(before) => changed.extend(differing(before, after)),
                None => {
                    let mut all = self.before().map(|before| differing(before, after));
                    let first = all.next().unwrap_or_default();
                    changed.extend(all.fold(first, |common, regions| &common & &regions));
                }
            }
        }
        changed
    }
}

/// The Regions in which two merges differ, or differ under another order of peers.
fn differing(before: &MergedPolicy, after: &MergedPolicy) -> BTreeSet<Region> {
    let mut regions = before.effective.changed_regions(&after.effective);
    let contested: BTreeSet<&LeafPath> = before.contested.keys().chain(after.contested.keys()).collect();
    let differ = contested.into_iter().filter(|path| before.contested.get(path) != after.contested.get(path));
    regions.extend(differ.filter_map(|path| path.configuration()).filter_map(|(key, _)| region_of(key)));
    regions
}

/// A policy, with what it says, where it is attached.
type Acting<'a> = (&'a PolicyKey, Option<&'a Result<BedrockPolicy, InvalidBedrockPolicy>>);

/// What acts on a point, in its order.
fn acting<'a>(state: &'a AttachedPolicies, point: &AttachPoint) -> Vec<Acting<'a>> {
    let attached = state.attached.get(point).into_iter().flatten();
    attached.map(|key| (key, state.contents.get(key))).collect()
}

/// The policies of a chain that can be read.
fn documents<'a>(chain: &[AttachPoint], state: &'a AttachedPolicies) -> Vec<&'a BedrockPolicy> {
    let all = chain.iter().flat_map(|point| acting(state, point));
    all.filter_map(|(_, content)| content?.as_ref().ok()).collect()
}

fn named_regions(documents: &[&BedrockPolicy]) -> BTreeSet<Region> {
    let keys = documents.iter().flat_map(|document| document.configurations());
    keys.filter_map(|(key, _)| region_of(key)).collect()
}

/// Whether AWS keeps capitals in keys isn't known.
fn region_of(key: &str) -> Option<Region> {
    key.to_lowercase().parse().ok()
}
