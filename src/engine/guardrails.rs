//! Reads the owner's side: the guardrails, whether they can be enforced, and who may use them.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use jiff::Timestamp;

use super::Keeper;
use super::kept::owner_snapshot;
use crate::baseline::{Baseline, GuardrailKey, Placement, Source};
use crate::cloud::{Condition, Reader, Session};
use crate::desired::{Desired, Wanted};
use crate::failure::{Code, Failure};
use crate::ids::{AccountId, GuardrailArn, GuardrailVersion, Region, Target};
use crate::observed::{Observation, Observed, ResourcePolicySeen};
use crate::resolved::{Catalog, CatalogEntry, OwnerSnapshot, Resolved, ResolvedTarget, Unusable};
use crate::resource_policy::Resource;
use crate::trigger::Regions;

/// Guardrails of the baseline, by their key in it and by Region.
pub(super) type Sources = BTreeMap<(GuardrailKey, Region), Source>;

/// Which guardrails a run has to know, and how recent the knowledge must be.
#[derive(Clone, Copy)]
pub(super) enum CatalogScope<'a> {
    /// All, also those that no target wants: only then a leftover grant can be found.
    Whole,
    /// Those that a target wants.
    Wanted,
    /// Those that a target wants. The owner snapshot is recent enough, if it is not older than `since`.
    WantedAsRecorded { since: Option<Timestamp> },
    /// All of these Regions.
    AllOf(&'a Regions),
    /// All of one owner in one Region.
    Owned(&'a Target),
}

/// Looks up the guardrails that a run needs, once per Region.
pub(super) async fn read_catalog(
    keeper: &Keeper,
    baseline: &Baseline,
    desired: &Desired,
    needs: CatalogScope<'_>,
) -> Catalog {
    let mut wanted: Sources = desired
        .iter()
        .filter_map(|(target, wanted)| match wanted {
            Wanted::Guardrail(wanted) => {
                Some(((wanted.key.clone(), target.region.clone()), wanted.source.clone()))
            }
            Wanted::Nothing { .. } | Wanted::Unassigned | Wanted::Excluded => None,
        })
        .collect();
    let mut recorded = Catalog::default();
    match needs {
        // Unassigned ones as well, so that their grants don't look left over.
        CatalogScope::Whole => wanted.extend(central_guardrails(baseline)),
        CatalogScope::AllOf(regions) => wanted = sources(baseline, regions),
        CatalogScope::Owned(owner) => wanted = owned(baseline, owner),
        CatalogScope::WantedAsRecorded { since } => {
            recorded = recorded_lately(keeper, baseline, &mut wanted, since).await;
        }
        CatalogScope::Wanted => {}
    }
    let Catalog { entries, resource_policies, .. } = look_up(keeper, baseline, wanted).await;
    recorded.entries.extend(entries);
    recorded.resource_policies.extend(resource_policies);
    recorded
}

/// All guardrails of the baseline, from owner snapshots since then, without resource policies.
pub(super) async fn recorded_catalog(keeper: &Keeper, baseline: &Baseline, since: Timestamp) -> Catalog {
    let owners = baseline.owner_targets();
    let known =
        join_all(owners.iter().map(async |owner| keeper.ledger.owner_snapshot(owner).await.ok().flatten()));
    let known: BTreeMap<&Target, OwnerSnapshot> = owners
        .iter()
        .zip(known.await)
        .filter_map(|(owner, snapshot)| Some((owner, snapshot.filter(|it| it.at >= since)?)))
        .collect();
    let mut catalog = Catalog::default();
    for ((key, region), source) in sources(baseline, &Regions::All) {
        let entry = known
            .get(&owner_of(baseline, &key, &region))
            .and_then(|snapshot| snapshot.look_up(&key, &source, false));
        catalog.entries.extend(entry.map(|(entry, _)| ((key, region), entry)));
    }
    catalog
}

/// All guardrails of the baseline, from owner snapshots of any age, and in words what is assumed of those that they don't
/// have. Reads only the ledger.
pub(super) async fn catalog_by_record(keeper: &Keeper, baseline: &Baseline) -> (Catalog, Vec<String>) {
    let (mut catalog, mut assumed) = (Catalog::default(), Vec::new());
    let mut recorded: BTreeMap<Target, Option<OwnerSnapshot>> = BTreeMap::new();
    for ((key, region), source) in sources(baseline, &Regions::All) {
        let owner = owner_of(baseline, &key, &region);
        if !recorded.contains_key(&owner) {
            let snapshot = keeper.ledger.owner_snapshot(&owner).await.ok().flatten();
            recorded.insert(owner.clone(), snapshot);
        }
        let snapshot = recorded.get(&owner).and_then(Option::as_ref);
        let shared = is_central(baseline, &key);
        let known = snapshot.and_then(|snapshot| snapshot.look_up(&key, &source, shared));
        let foreseen = || {
            let (entry, resource_policies) = snapshot?.foresee(&source, shared)?;
            assumed.push(format!(
                "the deployed keeper has not looked at version {} of {key} in {region} yet: the plan assumes that it \
                 can be used",
                source.version
            ));
            Some((entry, resource_policies))
        };
        let (entry, resource_policies) = known.or_else(foreseen).unwrap_or_else(|| {
            let failure = Failure::not_recorded("GetGuardrail");
            (CatalogEntry::unusable(Unusable::Unreadable { failure }), BTreeMap::new())
        });
        catalog.entries.insert((key, region), entry);
        catalog.resource_policies.extend(resource_policies);
    }
    (catalog, assumed)
}

/// The wanted guardrails that a recent owner snapshot has. They are removed from `wanted`, of which the rest is looked
/// up.
async fn recorded_lately(
    keeper: &Keeper,
    baseline: &Baseline,
    wanted: &mut Sources,
    since: Option<Timestamp>,
) -> Catalog {
    let mut catalog = Catalog::default();
    let owners: BTreeSet<Target> =
        wanted.keys().map(|(key, region)| owner_of(baseline, key, region)).collect();
    for owner in owners {
        let Some(snapshot) = owner_snapshot(keeper, &owner, since).await else { continue };
        wanted.retain(|(key, there), source| {
            if owner_of(baseline, key, there) != owner {
                return true;
            }
            match snapshot.look_up(key, source, is_central(baseline, key)) {
                Some((entry, resource_policies)) => {
                    catalog.entries.insert((key.clone(), there.clone()), entry);
                    catalog.resource_policies.extend(resource_policies);
                    false
                }
                None => true,
            }
        });
    }
    catalog
}

async fn look_up(keeper: &Keeper, baseline: &Baseline, wanted: Sources) -> Catalog {
    if wanted.is_empty() {
        return Catalog::default();
    }
    let owners: BTreeSet<&AccountId> = wanted.keys().map(|(key, _)| baseline.owner_of(key)).collect();
    let sessions = OwnerSessions::of(keeper, owners).await;
    let entries = wanted.into_iter().map(|((key, region), source)| {
        let session = sessions.of_owner(baseline.owner_of(&key));
        async move {
            let entry = match session {
                Ok(session) => Reader::new(&session, &region).catalog_entry(&source).await,
                Err(failure) => CatalogEntry::unusable(Unusable::Unreadable { failure }),
            };
            ((key, region), entry)
        }
    });
    let entries: BTreeMap<(GuardrailKey, Region), CatalogEntry> =
        join_all(entries).await.into_iter().collect();
    let resources: BTreeSet<(Resource, Region)> = entries
        .iter()
        // A copy needs no grant.
        .filter(|((key, _), _)| is_central(baseline, key))
        .flat_map(|((_, region), entry)| entry.resources().map(|resource| (resource, region.clone())))
        .collect();
    let resource_policies = resources.into_iter().map(|(resource, region)| {
        let session = sessions.of_owner(resource.account());
        async move {
            let seen = match session {
                Ok(session) => Reader::new(&session, &region).resource_policy(&resource).await,
                Err(failure) => ResourcePolicySeen::Unreadable(failure),
            };
            (resource, seen)
        }
    });
    let resource_policies = join_all(resource_policies).await.into_iter().collect();
    let expired = |entry: &CatalogEntry| matches!(&entry.unusable, Some(Unusable::Unreadable { failure }) if failure.code == Code::ExpiredCredentials);
    let expired: BTreeSet<&AccountId> = entries
        .iter()
        .filter(|(_, entry)| expired(entry))
        .map(|((key, _), _)| baseline.owner_of(key))
        .collect();
    for owner in expired {
        keeper.cloud.forget_session(owner).await;
    }
    Catalog { entries, resource_policies, ..Catalog::default() }
}

/// Where the wanted guardrail can't be enforced, looks whether the one that is enforced now can still be used.
pub(super) async fn look_at_the_present(
    keeper: &Keeper,
    baseline: &Baseline,
    resolved: &mut Resolved,
    observed: &Observed,
) {
    let standing = |target: &Target, desired: &ResolvedTarget| match (desired, observed.get(target)) {
        (ResolvedTarget::Enforce(wanted), Some(Observation::Enforced(seen)))
            if wanted.unusable.is_some()
                && wanted.enforcement.as_ref() != Some(&seen.enforcement)
                && baseline.is_owner(&seen.enforcement.guardrail.account)
                && seen.enforcement.guardrail.region == target.region =>
        {
            Some((seen.enforcement.guardrail.clone(), seen.enforcement.version))
        }
        _ => None,
    };
    let wanted: BTreeSet<(GuardrailArn, GuardrailVersion)> =
        resolved.iter().filter_map(|(target, desired)| standing(target, desired)).collect();
    if wanted.is_empty() {
        return;
    }
    let sessions = OwnerSessions::of(keeper, wanted.iter().map(|(arn, _)| &arn.account).collect()).await;
    let looks = wanted.iter().cloned().map(|(arn, version)| {
        let session = sessions.of_owner(&arn.account);
        async move {
            let session = session.ok()?;
            let Condition { unusable, .. } =
                Reader::new(&session, &arn.region).condition(&arn, version).await;
            Some(((arn, version), unusable.filter(Unusable::is_certain)))
        }
    });
    let found: BTreeMap<(GuardrailArn, GuardrailVersion), Option<Unusable>> =
        join_all(looks).await.into_iter().flatten().collect();
    for (target, desired) in resolved.iter_mut() {
        let present = standing(target, desired).and_then(|key| found.get(&key).cloned().flatten());
        if let ResolvedTarget::Enforce(wanted) = desired {
            wanted.present_unusable = present;
        }
    }
}

/// The sessions in owner accounts, or why there is none.
struct OwnerSessions(BTreeMap<AccountId, Result<Session, Failure>>);

impl OwnerSessions {
    async fn of(keeper: &Keeper, owners: BTreeSet<&AccountId>) -> OwnerSessions {
        let sessions =
            owners.into_iter().map(async |owner| (owner.clone(), keeper.cloud.session(owner).await));
        OwnerSessions(join_all(sessions).await.into_iter().collect())
    }

    fn of_owner(&self, owner: &AccountId) -> Result<Session, Failure> {
        self.0.get(owner).cloned().unwrap_or_else(|| Err(Failure::not_looked_up(owner)))
    }
}

/// Where a guardrail of the baseline is looked up.
fn owner_of(baseline: &Baseline, key: &GuardrailKey, region: &Region) -> Target {
    Target { account: baseline.owner_of(key).clone(), region: region.clone() }
}

fn is_central(baseline: &Baseline, key: &GuardrailKey) -> bool {
    baseline.guardrails.get(key).is_some_and(|guardrail| guardrail.placement != Placement::Copy)
}

fn central_guardrails(baseline: &Baseline) -> Sources {
    let mut all = sources(baseline, &Regions::All);
    all.retain(|(key, _), _| is_central(baseline, key));
    all
}

/// Every guardrail of the baseline that one account owns in one Region.
pub(super) fn owned(baseline: &Baseline, owner: &Target) -> Sources {
    let mut owned = sources(baseline, &Regions::Only(BTreeSet::from([owner.region.clone()])));
    owned.retain(|(key, _), _| *baseline.owner_of(key) == owner.account);
    owned
}

/// Every guardrail of the baseline in these Regions.
pub(super) fn sources(baseline: &Baseline, regions: &Regions) -> Sources {
    let sources = baseline.guardrails.iter().flat_map(|(key, one)| {
        one.regions.iter().map(move |(region, source)| ((key.clone(), region.clone()), source.clone()))
    });
    sources.filter(|((_, region), _)| regions.contain(region)).collect()
}
