//! Follows steps one by one: at no moment may an account have what it has neither before nor after.

use std::collections::{BTreeMap, BTreeSet};

use super::document::BedrockPolicy;
use super::effective::EffectivePolicy;
use super::ids::{AttachPoint, PolicyKey};
use super::leaf::{LeafPath, LeafValue};
use super::merge::{MergeError, MergedPolicy, merge};
use super::no_safe_order::NoSafeOrder;
use super::peers::{PeerOrder, in_order, peer_orders};
use super::predict::{AccountPaths, AttachedPolicies};
use super::rules::MergeRules;
use super::step::PolicyStep;
use crate::ids::AccountId;

/// Checks every moment between the steps, under every order of peers and every answer to what isn't known.
///
/// An account that is frozen before is not judged: what it has isn't known here, and no step reaches it before it is
/// free again.
pub(super) fn check_every_moment(
    present: &AttachedPolicies,
    steps: &[PolicyStep],
    accounts: &AccountPaths,
) -> Result<(), NoSafeOrder> {
    let mut with_all = present.clone();
    let attaches = |step: &&PolicyStep| matches!(step, PolicyStep::Attach { .. });
    steps.iter().filter(attaches).for_each(|step| step.apply(&mut with_all));
    let mut checked: BTreeSet<Vec<AttachPoint>> = BTreeSet::new();
    for (account, path) in accounts {
        let chain = with_all.of_chain(AttachPoint::chain(account, path));
        if !checked.contains(&chain) {
            ChainMoments::new(present, steps, &chain).check(account)?;
            checked.insert(chain);
        }
    }
    Ok(())
}

/// What acts in the accounts of one chain, moment by moment.
struct ChainMoments<'a> {
    chain: &'a [AttachPoint],
    /// The beginning, and what is there after each step that makes a difference here.
    moments: Vec<(Option<&'a PolicyStep>, AttachedPolicies)>,
}

/// What an account has at one moment.
type AccountMoment = Result<MergedPolicy, BTreeSet<MergeError>>;

impl<'a> ChainMoments<'a> {
    fn new(
        present: &AttachedPolicies,
        steps: &'a [PolicyStep],
        chain: &'a [AttachPoint],
    ) -> ChainMoments<'a> {
        let here = present.attached.iter().filter(|(point, _)| chain.contains(point));
        let attached: BTreeMap<AttachPoint, Vec<PolicyKey>> =
            here.map(|(point, policies)| (point.clone(), policies.clone())).collect();
        let touched = steps.iter().filter_map(|step| match step {
            PolicyStep::Attach { policy, point } if chain.contains(point) => Some(policy),
            _ => None,
        });
        let keys: BTreeSet<PolicyKey> = attached.values().flatten().chain(touched).cloned().collect();
        let known = keys.iter().filter_map(|key| present.contents.get_key_value(key));
        let contents = known.map(|(key, content)| (key.clone(), content.clone())).collect();
        let mut state = AttachedPolicies { contents, attached };
        let mut moments = vec![(None, state.clone())];
        for step in steps {
            let makes_a_difference = chain.iter().any(|point| step.affects(&state, point));
            let is_here = match step {
                PolicyStep::Create { part, .. } => keys.contains(&PolicyKey::New(part.clone())),
                PolicyStep::Update { policy, .. } => keys.contains(policy),
                PolicyStep::Attach { point, .. } | PolicyStep::Detach { point, .. } => chain.contains(point),
                PolicyStep::Check { .. } | PolicyStep::Delete { .. } => false,
            };
            if is_here {
                step.apply(&mut state);
            }
            if makes_a_difference {
                moments.push((Some(step), state.clone()));
            }
        }
        ChainMoments { chain, moments }
    }

    fn check(&self, account: &AccountId) -> Result<(), NoSafeOrder> {
        let [_, .., (_, end)] = self.moments.as_slice() else { return Ok(()) };
        end.levels(self.chain)
            .map_err(|policies| NoSafeOrder::Unreadable { account: account.clone(), policies })?;
        let states: Vec<&AttachedPolicies> = self.moments.iter().map(|(_, state)| state).collect();
        let orders = peer_orders(self.chain, &states)
            .map_err(|policies| NoSafeOrder::TooManyOrders { account: account.clone(), policies })?;
        for rules in MergeRules::that_matter(self.documents()) {
            for order in &orders {
                self.check_under(account, rules, order)?;
            }
        }
        Ok(())
    }

    fn check_under(
        &self,
        account: &AccountId,
        rules: MergeRules,
        order: &PeerOrder,
    ) -> Result<(), NoSafeOrder> {
        let moment = |state: &AttachedPolicies| -> Option<AccountMoment> {
            let mut levels = state.levels(self.chain).ok()?;
            in_order(&mut levels, order);
            Some(merge(&levels, rules))
        };
        let moments: Vec<_> = self.moments.iter().map(|(step, state)| (*step, moment(state))).collect();
        let (Some((_, Some(Ok(before)))), Some((_, after))) = (moments.first(), moments.last()) else {
            return Ok(());
        };
        let after = match after {
            Some(Ok(merged)) => by_region(&merged.effective),
            Some(Err(_)) | None => BTreeMap::new(),
        };
        let before = by_region(&before.effective);
        for (step, now) in &moments {
            let (Some(step), Some(now)) = (step, now) else { continue };
            let merged = now.as_ref().map_err(|errors| NoSafeOrder::Freezes {
                account: account.clone(),
                step: Box::new((*step).clone()),
                errors: errors.clone(),
            })?;
            let now = by_region(&merged.effective);
            let regions: BTreeSet<&str> =
                now.keys().chain(before.keys()).chain(after.keys()).copied().collect();
            let is_known = |region: &&&str| {
                let has = now.get(**region);
                has == before.get(**region) || has == after.get(**region)
            };
            if let Some(region) = regions.iter().find(|region| !is_known(region)) {
                let paths = now.get(*region).into_iter().flat_map(BTreeMap::keys);
                let origins = paths.filter_map(|path| merged.origins.get(*path));
                return Err(NoSafeOrder::Gap {
                    account: account.clone(),
                    region: (*region).to_owned(),
                    step: Box::new((*step).clone()),
                    policies: origins.flat_map(|origin| origin.policies().cloned()).collect(),
                });
            }
        }
        Ok(())
    }

    fn documents(&self) -> impl Iterator<Item = &BedrockPolicy> {
        self.moments.iter().flat_map(|(_, state)| state.contents.values().filter_map(|it| it.as_ref().ok()))
    }
}

/// The values of each Region key, known as a Region or not.
fn by_region(effective: &EffectivePolicy) -> BTreeMap<&str, BTreeMap<&LeafPath, &LeafValue>> {
    let mut regions: BTreeMap<&str, BTreeMap<&LeafPath, &LeafValue>> = BTreeMap::new();
    for (path, value) in effective.leaves() {
        if let Some((region, _)) = path.configuration() {
            regions.entry(region).or_default().insert(path, value);
        }
    }
    regions
}
