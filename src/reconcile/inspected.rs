//! What a person at a terminal wants to know beside a plan: the owner's side, and what an account would
//! have to enforce.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use super::owner::{Needs, policies};
use super::swept::recorded;
use super::{Keeper, Stopped};
use crate::baseline::{Baseline, GuardrailKey, Placement};
use crate::cloud::Cloud;
use crate::desired::{Desired, Wanted, desired};
use crate::failure::Failure;
use crate::ids::{AccountId, GuardrailVersion, KmsKeyArn, ParentId, Region, Target};
use crate::organization::Organization;
use crate::plan::PolicyDecision;
use crate::record::Records;
use crate::resolved::{Catalog, Unusable};
use crate::resource_policy::Resource;
use crate::trigger::Regions;

/// How many OUs are asked about at a time.
const UNITS_AT_A_TIME: usize = 4;

/// What an account's callers would have to be allowed in one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What the baseline calls the guardrail.
    pub guardrail: GuardrailKey,
    /// The version.
    pub version: GuardrailVersion,
    /// The ARNs of guardrail and profile; or why they aren't known.
    pub resources: Result<Vec<String>, Unusable>,
    /// The customer managed key that callers have to decrypt with besides, where there is one.
    pub key: Option<KmsKeyArn>,
    /// Whether the ARN is any guardrail's of the account: it gets a copy, whose id nobody knows before.
    pub any_copy: bool,
}

impl Keeper {
    /// The way to AWS.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// The names of OUs, a call for each.
    ///
    /// # Errors
    /// When Organizations doesn't tell all of them.
    pub async fn unit_names(&self, units: BTreeSet<ParentId>) -> Result<BTreeMap<ParentId, String>, Stopped> {
        let organizations = self.cloud.organizations();
        let names = units.into_iter().filter(|unit| !unit.is_root()).map(|unit| {
            let organizations = organizations.clone();
            async move { Ok((unit.clone(), organizations.unit_name(&unit).await?)) }
        });
        let names: Vec<Result<_, Failure>> = stream::iter(names).buffered(UNITS_AT_A_TIME).collect().await;
        names.into_iter().collect::<Result<_, _>>().map_err(Stopped::OrganizationUnreadable)
    }

    /// Looks up every guardrail of the baseline, and what its resource policy needs.
    /// Where it isn't known whether members need copies, it is taken that they don't.
    pub async fn guardrails(&self, baseline: &Baseline) -> (Catalog, BTreeMap<Resource, PolicyDecision>) {
        let placing = self.placing_as_recorded(baseline).await.unwrap_or_default();
        let settled = placing.settled(baseline);
        let catalog = self.catalog(&settled, &Desired::new(), Needs::AllOf(&Regions::All)).await;
        let policies = policies(baseline, &catalog);
        (catalog, policies)
    }

    /// What the baseline wants callers of an account to be able to apply, by Region. Regions in which it
    /// wants nothing are left out.
    ///
    /// # Errors
    /// When the organization or the ledger can't be read; `None` where the account is no member of the
    /// organization.
    pub async fn applied_in(
        &self,
        baseline: &Baseline,
        account: &AccountId,
        regions: &Regions,
    ) -> Result<Option<BTreeMap<Region, Applied>>, Stopped> {
        let head = self.head().await?;
        let Some(placement) = self.place(account).await.map_err(Stopped::OrganizationUnreadable)? else {
            return Ok(None);
        };
        let organization = Organization::part(
            head.id,
            head.management,
            BTreeMap::from([(account.clone(), placement.account)]),
        );
        let records: Records = self.ledger.account(account).await?.records(account).into_iter().collect();
        let mut placing = self.placing_as_recorded(baseline).await?;
        let mut desired = desired(baseline, &organization, &records, regions, &BTreeSet::new());
        let (observed, _) = recorded(&desired, &records);
        let (own_roles, now) = (&self.settings.own_roles, self.clock.now());
        placing.settle(baseline, &mut desired, &observed, &records, own_roles, now);
        let catalog = self.catalog(baseline, &desired, Needs::Wanted).await;
        let wanted = desired.into_iter().filter_map(|(Target { account, region }, wanted)| {
            let Wanted::Guardrail(wanted) = wanted else { return None };
            let target = Target { account, region };
            let ours = records.get(&target).and_then(|record| record.ours.as_ref());
            let (resources, any_copy) = match (wanted.placement, ours) {
                (Placement::Copy, Some(ours)) => (Ok(vec![ours.enforcement.guardrail.to_string()]), false),
                (Placement::Copy, None) => (Ok(vec![any_guardrail(&target)]), true),
                (Placement::Central | Placement::Auto, _) => {
                    let entry = catalog.entries.get(&(wanted.key.clone(), target.region.clone()));
                    let known = entry.map(|entry| entry.resources().map(|one| one.to_string()).collect());
                    let known = known.filter(|resources: &Vec<String>| !resources.is_empty());
                    let why = entry.and_then(|entry| entry.unusable.clone());
                    let why = why.unwrap_or_else(|| Unusable::Unreadable {
                        failure: crate::failure::Failure::not_looked_up(&wanted.key),
                    });
                    (known.ok_or(why), false)
                }
            };
            // A copy has the key that the baseline gives for it, whatever the original's is.
            let entry = catalog.entries.get(&(wanted.key.clone(), target.region.clone()));
            let key = match wanted.placement {
                Placement::Central | Placement::Auto => {
                    entry.and_then(|entry| entry.customer_key.as_ref()).map(|key| key.arn.clone())
                }
                Placement::Copy => {
                    let guardrail = baseline.guardrails.get(&wanted.key);
                    guardrail.and_then(|guardrail| guardrail.copy_keys.get(&target.region).cloned())
                }
            };
            let version = wanted.source.version;
            let applied = Applied { guardrail: wanted.key, version, resources, key, any_copy };
            Some((target.region, applied))
        });
        Ok(Some(wanted.collect()))
    }
}

fn any_guardrail(target: &Target) -> String {
    let partition = crate::ids::Partition::of(&target.region);
    format!("arn:{partition}:bedrock:{}:{}:guardrail/*", target.region, target.account)
}
