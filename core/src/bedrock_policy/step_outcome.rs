//! What steps come to in each account: what changes, who would be given what, and what others' policies make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change_extent::ChangeExtent;
use super::compare::{RegionComparison, compare};
use super::effective::{EffectivePolicy, Meaning};
use super::hold::OrganizationHold;
use super::ids::{AttachPoint, PolicyAt};
use super::level::{OrganizationLevel, Proofs};
use super::order::WantedPolicies;
use super::predict::{Forecast, Prediction, forecast};
use super::step::PolicyStep;
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, Region, Target};
use crate::organization::OrgPath;

/// What the steps come to in each account.
pub(super) struct StepOutcome<'a> {
    accounts: Vec<AccountOutcome<'a>>,
    /// Accounts that are frozen and would change.
    pub(super) unreached: BTreeSet<AccountId>,
}

/// What one account has before and after. Accounts with the same policies share both forecasts.
struct AccountOutcome<'a> {
    account: &'a AccountId,
    wanted: BTreeMap<Region, Enforcement>,
    /// Nothing, where it is frozen: what it has isn't known.
    before: Option<Arc<Forecast>>,
    after: Arc<Forecast>,
    /// The Regions that change under any answer to what isn't known.
    changed: BTreeSet<Region>,
}

impl<'a> StepOutcome<'a> {
    pub(super) fn of(
        level: OrganizationLevel<'a>,
        policies: &WantedPolicies,
        steps: &[PolicyStep],
    ) -> StepOutcome<'a> {
        let mut end = level.present.clone();
        steps.iter().for_each(|step| step.apply(&mut end));
        let (before, after) = (forecast(level.present, level.accounts), forecast(&end, level.accounts));
        let (mut accounts, mut unreached) = (Vec::new(), BTreeSet::new());
        for (account, path) in level.accounts {
            let (before, after) = (&before[account], &after[account]);
            let is_frozen = level.frozen.contains(account) || is_ever_frozen(before);
            let before = (!is_frozen).then(|| Arc::clone(before));
            let changed = changed_regions(before.as_deref(), after);
            if changed.is_empty() {
                continue;
            }
            if is_frozen {
                unreached.insert(account.clone());
            }
            let wanted = wanted_of(account, path, policies);
            accounts.push(AccountOutcome { account, wanted, before, after: Arc::clone(after), changed });
        }
        StepOutcome { accounts, unreached }
    }

    pub(super) fn overridden(&self) -> Option<OrganizationHold> {
        let mut places = BTreeMap::new();
        for account in &self.accounts {
            for (_, prediction) in &account.after.predictions {
                let Prediction::Effective(merged) = prediction else { continue };
                let seen = compare(&account.wanted, &merged.effective, &merged.origins);
                for (region, comparison) in seen {
                    // What the keeper doesn't name in a Region of a foreign policy isn't its business.
                    let is_foreign = matches!(comparison, RegionComparison::NotWanted(_));
                    if account.changed.contains(&region)
                        && comparison != RegionComparison::Equal
                        && !is_foreign
                    {
                        places.entry(account.target(region)).or_insert(comparison);
                    }
                }
            }
        }
        (!places.is_empty()).then_some(OrganizationHold::Overridden(places))
    }

    pub(super) fn depends_on_order(&self) -> Option<OrganizationHold> {
        let (mut targets, mut policies) = (BTreeSet::new(), BTreeSet::<PolicyAt>::new());
        for account in &self.accounts {
            for (_, prediction) in &account.after.predictions {
                let Prediction::Effective(merged) = prediction else { continue };
                for region in account.changed.iter().filter(|region| merged.depends_on_order(region)) {
                    targets.insert(account.target(region.clone()));
                    let contested = merged
                        .contested
                        .iter()
                        .filter(|path| path.configuration().is_some_and(|(key, _)| key == region.as_str()));
                    let origins = contested.filter_map(|path| merged.origins.get(path));
                    policies.extend(origins.flat_map(|origin| origin.policies().cloned()));
                }
            }
        }
        (!targets.is_empty()).then_some(OrganizationHold::DependsOnOrder { targets, policies })
    }

    /// Where something is given that was not there, by the keeper's policies or by others' behind them, and nothing shows
    /// that the account can apply it.
    pub(super) fn not_proven(&self, proofs: &dyn Proofs) -> Option<OrganizationHold> {
        let mut places = BTreeMap::new();
        for account in &self.accounts {
            for effective in effectives(&account.after).flatten() {
                let named = effective.regions();
                for region in &account.changed {
                    let target = account.target(region.clone());
                    let why = named.get(region).into_iter().flat_map(BTreeMap::values).find_map(|meaning| {
                        match meaning {
                            Meaning::Enforcement(enforcement) => {
                                proofs.account(&target, enforcement).missing()
                            }
                            Meaning::Unclear(_) => {
                                Some("what it would be given can't be understood".to_owned())
                            }
                        }
                    });
                    if let Some(why) = why {
                        places.entry(target).or_insert(why);
                    }
                }
            }
        }
        (!places.is_empty()).then_some(OrganizationHold::NotProven(places))
    }

    pub(super) fn extent(&self) -> ChangeExtent {
        let mut extent = ChangeExtent { accounts: self.accounts.len(), ..ChangeExtent::default() };
        for account in &self.accounts {
            for region in &account.changed {
                let before = account.before.as_deref().is_none_or(|it| has_any(it, region));
                match (before, has_any(&account.after, region)) {
                    (false, _) => extent.added += 1,
                    (true, true) => extent.replaced += 1,
                    (true, false) => extent.released += 1,
                }
            }
        }
        extent
    }
}

impl AccountOutcome<'_> {
    fn target(&self, region: Region) -> Target {
        Target { account: self.account.clone(), region }
    }
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

fn effectives(forecast: &Forecast) -> impl Iterator<Item = Option<&EffectivePolicy>> {
    forecast.predictions.iter().map(|(_, prediction)| match prediction {
        Prediction::Effective(merged) => Some(&merged.effective),
        Prediction::Frozen(_) | Prediction::Unreadable(_) => None,
    })
}

fn is_ever_frozen(forecast: &Forecast) -> bool {
    effectives(forecast).any(|effective| effective.is_none())
}

/// Whether something is enforced in a Region, under any answer.
fn has_any(forecast: &Forecast, region: &Region) -> bool {
    effectives(forecast).flatten().any(|effective| effective.regions().contains_key(region))
}

/// The Regions in which any effective policy of after differs from any of before. Before may not be known: then every
/// Region of after counts.
fn changed_regions(before: Option<&Forecast>, after: &Forecast) -> BTreeSet<Region> {
    let nothing = EffectivePolicy::default();
    let mut changed = BTreeSet::new();
    for after in effectives(after).flatten() {
        match before {
            None => changed.extend(nothing.changed_regions(after)),
            Some(before) => {
                let before: Vec<_> = effectives(before).flatten().collect();
                // Where answers differ before already, what doesn't change under any of them is no change of ours.
                let same = before.iter().any(|before| before.changed_regions(after).is_empty());
                if !same {
                    changed.extend(before.iter().flat_map(|before| before.changed_regions(after)));
                }
            }
        }
    }
    changed
}
