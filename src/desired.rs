//! What the baseline wants of each target: assignments laid over the organization's tree.

use std::collections::{BTreeMap, BTreeSet};

use crate::baseline::{Baseline, Existing, GuardrailKey, OnUnusable, Placement, Source};
use crate::enforcement::{Guarding, Models};
use crate::ids::{AccountId, Region, Target};
use crate::organization::{Account, Organization};
use crate::record::Records;
use crate::trigger::Regions;

/// What is wanted of every target in scope.
pub type Desired = BTreeMap<Target, Wanted>;

/// What the baseline wants of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This guardrail. Its ARN may not be known yet: that takes a look into the owner account.
    Guardrail(Box<WantedGuardrail>),
    /// No enforcement: one of ours is released, others are left alone.
    Nothing,
    /// No assignment covers the account: whatever is there is kept and reported.
    Unassigned,
    /// The account is excluded: never written, only reported.
    Excluded,
}

/// A guardrail that a target should enforce, as the baseline says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedGuardrail {
    /// What the baseline calls it.
    pub key: GuardrailKey,
    /// Which guardrail of the owner account that is in the target's Region.
    pub source: Source,
    /// The models it guards.
    pub models: Models,
    /// How much of a request it guards.
    pub guarding: Guarding,
    /// Whether the target uses the owner's guardrail or a copy.
    pub placement: Placement,
    /// What to do with an enforcement whose guardrail can't be used.
    pub on_unusable: OnUnusable,
    /// What to do with a configuration that somebody else made.
    pub existing: Existing,
}

/// Lays the baseline over the accounts of `organization`.
///
/// A Region that the baseline no longer names is still looked at where the record knows an
/// enforcement of ours, or it would stay enforced for ever; so are the Regions of `also`, for
/// whoever needs to know that nothing is enforced there any more. Accounts that aren't active are left
/// out: no call can work there.
pub fn desired(
    baseline: &Baseline,
    organization: &Organization,
    records: &Records,
    regions: &Regions,
    also: &BTreeSet<Region>,
) -> Desired {
    let mut desired = Desired::new();
    let named: BTreeSet<Region> = baseline.regions().union(also).cloned().collect();
    for account in organization.accounts.values().filter(|account| account.state.is_active()) {
        let held = regions_held(records, &account.id);
        for region in named.union(&held).filter(|region| regions.contain(region)) {
            let target = Target { account: account.id.clone(), region: region.clone() };
            desired.insert(target, wanted(baseline, account, region));
        }
    }
    desired
}

fn regions_held(records: &Records, account: &AccountId) -> BTreeSet<Region> {
    records
        .iter()
        .filter(|(target, record)| target.account == *account && record.ours.is_some())
        .map(|(target, _)| target.region.clone())
        .collect()
}

fn wanted(baseline: &Baseline, account: &Account, region: &Region) -> Wanted {
    if baseline.exclude.contains(&account.id) {
        return Wanted::Excluded;
    }
    let Some(assignment) = baseline.assignment(&account.id, &account.path) else {
        return Wanted::Unassigned;
    };
    let guardrail = assignment
        .guardrail
        .as_ref()
        .and_then(|key| baseline.guardrails.get(key).map(|guardrail| (key, guardrail)));
    match guardrail
        .and_then(|(key, guardrail)| guardrail.regions.get(region).map(|source| (key, guardrail, source)))
    {
        Some((key, guardrail, source)) => Wanted::Guardrail(Box::new(WantedGuardrail {
            key: key.clone(),
            source: source.clone(),
            models: guardrail.models.clone(),
            guarding: guardrail.guarding,
            placement: guardrail.placement,
            on_unusable: guardrail.on_unusable,
            existing: assignment.existing,
        })),
        None => Wanted::Nothing,
    }
}
