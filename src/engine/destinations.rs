//! Checks whether members may use a central guardrail's profile in the other Regions to which Bedrock may send a
//! request. Only warns; writes and holds nothing. See docs/resource-policy.md.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::Keeper;
use crate::baseline::{Baseline, GuardrailKey, Placement};
use crate::cloud::Reader;
use crate::observed::ResourcePolicySeen;
use crate::resolved::Catalog;
use crate::resource_policy::{Document, Grant, ProfileArn, Resource, judge};

/// A warning for each profile that may not be granted in all its destinations.
pub(super) async fn destinations(keeper: &Keeper, baseline: &Baseline, catalog: &Catalog) -> Vec<String> {
    let mut profiles: BTreeMap<&ProfileArn, BTreeSet<&GuardrailKey>> = BTreeMap::new();
    for ((key, _), entry) in &catalog.entries {
        let placement = baseline.guardrails.get(key).map(|guardrail| guardrail.placement);
        // A copy is applied through its own account's profiles, which need no grant.
        if let (Some(Placement::Central), Some(profile)) = (placement, &entry.profile) {
            profiles.entry(profile).or_default().insert(key);
        }
    }
    let looks = profiles.into_iter().map(|(profile, keys)| async move {
        let keys: Vec<&str> = keys.into_iter().map(GuardrailKey::as_str).collect();
        let (keys, id, region) = (keys.join(", "), &profile.id, &profile.region);
        let Some(others) = profile.elsewhere() else {
            return Some(format!(
                "guardrail {keys}: this version of the keeper doesn't know to which Regions profile {id} routes \
                 calls from {region}; members may need a grant of the owner's profile there as well"
            ));
        };
        let lacking = join_all(others.into_iter().map(|other| lacks_grant(keeper, baseline, other))).await;
        let lacking: Vec<ProfileArn> = lacking.into_iter().flatten().collect();
        let first = lacking.first().cloned()?;
        let regions: Vec<&str> = lacking.iter().map(|profile| profile.region.as_str()).collect();
        let grant = Grant { resource: Resource::Profile(first), organization: baseline.organization.clone() };
        Some(format!(
            "guardrail {keys}: profile {id} may route calls from {region} to {regions}, where the owner's profile \
             isn't known to be granted to the organization, so guarded calls may fail: attach this resource policy \
             to the profile in each of these Regions, with that Region in the ARN: {policy}",
            regions = regions.join(", "),
            policy = Document::granting(&grant).text(),
        ))
    });
    join_all(looks).await.into_iter().flatten().collect()
}

/// The profile, unless it is known to be granted to the organization.
async fn lacks_grant(keeper: &Keeper, baseline: &Baseline, profile: ProfileArn) -> Option<ProfileArn> {
    let resource = Resource::Profile(profile.clone());
    let session = keeper.cloud.session(&profile.account).await.ok()?;
    let seen = Reader::new(&session, &profile.region).resource_policy(&resource).await;
    let grant = Grant { resource, organization: baseline.organization.clone() };
    match seen {
        ResourcePolicySeen::Attached(document) if judge(Some(&document), &grant).verdict.is_granted() => None,
        ResourcePolicySeen::Attached(_)
        | ResourcePolicySeen::Absent
        | ResourcePolicySeen::Invalid(_)
        | ResourcePolicySeen::Unreadable(_) => Some(profile),
    }
}
