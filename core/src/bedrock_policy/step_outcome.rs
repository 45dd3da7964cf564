//! What steps come to in each account: what changes, who would be given what, and what others' policies make of it.
//!
//! Accounts with the same policies on their paths share all of it: most of an organization has few chains.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::change_extent::ChangeExtent;
use super::compare::{RegionComparison, compare};
use super::effective::{EffectivePolicy, Meaning};
use super::hold::OrganizationHold;
use super::ids::{AttachPoint, PolicyAt};
use super::level::{OrganizationLevel, Proofs};
use super::merge::MergedPolicy;
use super::order::WantedPolicies;
use super::predict::{Forecast, Prediction, forecast};
use super::step::PolicyStep;
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, Region, Target};
use crate::organization::OrgPath;

/// What the steps come to in each account in which they change anything.
pub(super) struct StepOutcome {
    accounts: Vec<(AccountId, Arc<ChainOutcome>)>,
    /// Accounts that are frozen and would change.
    pub(super) unreached: BTreeSet<AccountId>,
}

/// What the steps come to for all accounts that have the same policies on their paths.
struct ChainOutcome {
    /// The Regions that change under any answer to what isn't known.
    changed: BTreeSet<Region>,
    /// Those of them in which something is enforced before; where that isn't known, all.
    had: BTreeSet<Region>,
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
        let (before, after) = (forecast(level.present, level.accounts), forecast(&end, level.accounts));
        let mut known: HashMap<(Option<*const Forecast>, *const Forecast), Arc<ChainOutcome>> =
            HashMap::new();
        let (mut accounts, mut unreached) = (Vec::new(), BTreeSet::new());
        for (account, path) in level.accounts {
            let (before, after) = (&before[account], &after[account]);
            let is_frozen = level.frozen.contains(account) || is_ever_frozen(before);
            // What a frozen account has isn't known.
            let before = (!is_frozen).then_some(before);
            let chain = known.entry((before.map(Arc::as_ptr), Arc::as_ptr(after))).or_insert_with(|| {
                let wanted = wanted_of(account, path, policies);
                Arc::new(ChainOutcome::of(before.map(|it| &**it), after, &wanted))
            });
            if chain.changed.is_empty() {
                continue;
            }
            accounts.push((account.clone(), Arc::clone(chain)));
            if is_frozen {
                unreached.insert(account.clone());
            }
        }
        StepOutcome { accounts, unreached }
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
                let has = chain.given.iter().any(|(given, _)| given == region);
                match (chain.had.contains(region), has) {
                    (false, _) => extent.added += 1,
                    (true, true) => extent.replaced += 1,
                    (true, false) => extent.released += 1,
                }
            }
        }
        extent
    }
}

impl ChainOutcome {
    fn of(
        before: Option<&Forecast>,
        after: &Forecast,
        wanted: &BTreeMap<Region, Enforcement>,
    ) -> ChainOutcome {
        let changed = changed_regions(before, after);
        let had = before.map_or_else(|| changed.clone(), |before| enforced(before, &changed));
        let mut outcome = ChainOutcome {
            changed,
            had,
            given: Vec::new(),
            overridden: BTreeMap::new(),
            contested: BTreeMap::new(),
        };
        for merged in merges(after).flatten() {
            outcome.add(merged, wanted);
        }
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

/// What the nearest point above an account wants in each Region.
fn wanted_of(
    account: &AccountId,
    path: &OrgPath,
    policies: &WantedPolicies,
) -> BTreeMap<Region, Enforcement> {
    let of_points = AttachPoint::chain(account, path).filter_map(|point| policies.get(&point));
    of_points.flatten().map(|(region, enforcement)| (region.clone(), enforcement.clone())).collect()
}

/// What there is under each answer; nothing where the merge is invalid, or a policy can't be read.
fn merges(forecast: &Forecast) -> impl Iterator<Item = Option<&MergedPolicy>> {
    forecast.predictions.iter().map(|(_, prediction)| match prediction {
        Prediction::Effective(merged) => Some(&**merged),
        Prediction::Frozen(_) | Prediction::Unreadable(_) => None,
    })
}

fn is_ever_frozen(forecast: &Forecast) -> bool {
    merges(forecast).any(|merged| merged.is_none())
}

/// Those Regions in which something is enforced under any answer.
fn enforced(forecast: &Forecast, among: &BTreeSet<Region>) -> BTreeSet<Region> {
    let regions = merges(forecast).flatten().flat_map(|merged| merged.effective.regions().into_keys());
    regions.filter(|region| among.contains(region)).collect()
}

/// The Regions in which any effective policy of after differs from any of before. Before may not be known: then every
/// Region of after counts.
fn changed_regions(before: Option<&Forecast>, after: &Forecast) -> BTreeSet<Region> {
    let mut changed = BTreeSet::new();
    for after in merges(after).flatten().map(|merged| &merged.effective) {
        match before {
            None => changed.extend(EffectivePolicy::default().changed_regions(after)),
            Some(before) => {
                let before: Vec<&EffectivePolicy> =
                    merges(before).flatten().map(|merged| &merged.effective).collect();
                // Where answers differ before already, what is the same under one of them is no change of ours.
                if !before.iter().any(|before| before.says_the_same(after)) {
                    changed.extend(before.iter().flat_map(|before| before.changed_regions(after)));
                }
            }
        }
    }
    changed
}
