//! What one account should have of the organization's level, and how what AWS publishes to it stands to that.

use std::collections::{BTreeMap, BTreeSet};

use crate::baseline::{Baseline, Existing, GuardrailKey, Placement};
use crate::bedrock_policy::{EffectivePolicy, Meaning, PublishedPolicy, RegionComparison, compare};
use crate::desired::{Desired, Wanted, WantedGuardrail};
use crate::enforcement::Enforcement;
use crate::failure::Failure;
use crate::ids::{AccountId, Region, Target};
use crate::organization::Account;
use crate::record::{InheritedRegion, InheritedStanding};
use crate::resolved::{Enforce, Resolved, ResolvedTarget};

/// What the baseline gives an account on the organization's level, Region by Region. In each, the nearest assignment whose
/// guardrail names the Region counts: so AWS merges what the keeper writes.
///
/// The guardrail is the owner's in any case: Bedrock policies name no copies.
pub fn inherited_desired(baseline: &Baseline, account: &Account) -> Desired {
    let mut desired = Desired::new();
    for (_, assignment) in baseline.covering_by_organization(&account.id, &account.path) {
        for (target, wanted) in inherited_of(baseline, &assignment.guardrail, &account.id) {
            desired.entry(target).or_insert(wanted);
        }
    }
    desired
}

/// What one guardrail of the baseline gives an account on the organization's level, wherever it is assigned.
pub fn inherited_of(baseline: &Baseline, key: &GuardrailKey, account: &AccountId) -> Desired {
    let Some(guardrail) = baseline.guardrail(key) else { return Desired::new() };
    let wanted = guardrail.regions.iter().map(|(region, source)| {
        let target = Target { account: account.clone(), region: region.clone() };
        let wanted = WantedGuardrail {
            key: key.clone(),
            owner: guardrail.owner.clone(),
            source: source.clone(),
            models: guardrail.models.clone(),
            guarding: guardrail.guarding,
            placement: Placement::Central,
            on_unusable: guardrail.on_unusable,
            existing: Existing::default(),
        };
        (target, Wanted::Guardrail(Box::new(wanted)))
    });
    wanted.collect()
}

/// How what is published to an account stands to what the baseline gives it, in each Region that either names. Nothing is
/// said of probes.
pub fn inherited_regions(
    resolved: &Resolved,
    published: &Result<PublishedPolicy, Failure>,
) -> BTreeMap<Region, InheritedRegion> {
    let wanted = |target: &ResolvedTarget| match target {
        ResolvedTarget::Enforce(enforce) => enforce.enforcement.clone(),
        ResolvedTarget::Nothing { .. } | ResolvedTarget::Unassigned | ResolvedTarget::Excluded => None,
    };
    let mut regions: BTreeMap<Region, InheritedRegion> = resolved
        .iter()
        .map(|(target, one)| {
            let (standing, text) = match one {
                ResolvedTarget::Enforce(enforce) if enforce.enforcement.is_none() => not_found(enforce),
                _ => (InheritedStanding::Absent, String::new()),
            };
            let region = InheritedRegion { wanted: wanted(one), standing, text, probe: None };
            (target.region.clone(), region)
        })
        .collect();
    let effective = match published {
        Ok(PublishedPolicy::Effective(effective)) => effective,
        Ok(PublishedPolicy::NotSetUp) => {
            let text = "Bedrock policies are not enabled in the organization";
            say_of_all(&mut regions, InheritedStanding::NotSetUp, text);
            return regions;
        }
        Ok(PublishedPolicy::Strange(invalid)) => {
            say_of_all(&mut regions, InheritedStanding::Unreadable, &invalid.to_string());
            return regions;
        }
        Err(failure) => {
            say_of_all(&mut regions, InheritedStanding::Unreadable, &failure.to_string());
            return regions;
        }
    };
    let found: BTreeMap<Region, Enforcement> =
        regions.iter().filter_map(|(region, one)| Some((region.clone(), one.wanted.clone()?))).collect();
    for (region, compared) in compare(&found, effective, &BTreeMap::new()) {
        let known = regions.get(&region);
        if known.is_some_and(|one| one.standing == InheritedStanding::NotFound) {
            continue;
        }
        let (standing, text) = in_words(&compared, &region, effective);
        let wanted = known.and_then(|one| one.wanted.clone());
        regions.insert(region, InheritedRegion { wanted, standing, text, probe: None });
    }
    regions
}

fn not_found(enforce: &Enforce) -> (InheritedStanding, String) {
    let why = enforce.unusable.as_ref().map(ToString::to_string).unwrap_or_default();
    (InheritedStanding::NotFound, format!("{} could not be found: {why}", enforce.key))
}

fn say_of_all(regions: &mut BTreeMap<Region, InheritedRegion>, standing: InheritedStanding, text: &str) {
    for region in regions.values_mut() {
        region.standing = standing;
        text.clone_into(&mut region.text);
    }
}

fn in_words(
    compared: &RegionComparison,
    region: &Region,
    effective: &EffectivePolicy,
) -> (InheritedStanding, String) {
    let there = || named_there(region, effective);
    match compared {
        RegionComparison::Equal => (InheritedStanding::AsWanted, String::new()),
        RegionComparison::Absent => (InheritedStanding::Absent, "nothing is published".to_owned()),
        RegionComparison::NotWanted(_) => (InheritedStanding::NotWanted, format!("{} is published", there())),
        RegionComparison::Differs(difference) => (InheritedStanding::Differs, difference.to_string()),
        RegionComparison::Several { .. } => {
            (InheritedStanding::Differs, format!("several configurations are published: {}", there()))
        }
        RegionComparison::Unclear { .. } => {
            let text = "what is published there holds what this program does not know".to_owned();
            (InheritedStanding::Differs, text)
        }
    }
}

/// The guardrails that are published in a Region.
fn named_there(region: &Region, effective: &EffectivePolicy) -> String {
    let regions = effective.regions();
    let named = regions.get(region).into_iter().flat_map(BTreeMap::values);
    let named: BTreeSet<String> = named
        .map(|meaning| match meaning {
            Meaning::Enforcement(enforcement) => enforcement.to_string(),
            Meaning::Unclear(_) => "what this program does not know".to_owned(),
        })
        .collect();
    named.into_iter().collect::<Vec<_>>().join(", ")
}
