//! Reads members: what is enforced there, and whether they can apply what will be enforced.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tracing::{Instrument, debug, info_span};

use super::remembered::read_grants;
use super::{Keeper, Progress, Step};
use crate::cloud::Reader;
use crate::desired::Desired;
use crate::failure::{Category, Code, Failure};
use crate::ids::{AccountId, GuardrailArn, Region, Target};
use crate::observed::{Observation, Observed};
use crate::organization::{Account, Organization};
use crate::placement::GRANT_SETTLES_SECONDS;
use crate::plan::{HoldReason, Plan, Proof};
use crate::record::{Arrivals, Grants};
use crate::resolved::Catalog;
use crate::resource_policy::Resource;

pub(super) async fn observe(
    keeper: &Keeper,
    organization: &Organization,
    desired: &Desired,
    arrivals: &Arrivals,
    progress: Progress<'_>,
) -> Observed {
    let mut regions: BTreeMap<&AccountId, Vec<&Region>> = BTreeMap::new();
    for target in desired.keys() {
        regions.entry(&target.account).or_default().push(&target.region);
    }
    let accounts = organization
        .accounts
        .values()
        .filter_map(|account| regions.get(&account.id).map(|regions| (account, regions.as_slice())));
    let observed: Vec<Vec<(Target, Observation)>> = stream::iter(accounts)
        .map(|(account, regions)| async move {
            let observed = observe_account(keeper, account, regions).await;
            progress(Step::Looked);
            observed
        })
        .buffer_unordered(keeper.settings.concurrency)
        .collect()
        .await;
    let excused = |(target, observation)| match observation {
        Observation::Unreadable(failure) => {
            let failure = in_grace(keeper, organization, arrivals, &target, failure);
            (target, Observation::Unreadable(failure))
        }
        observation @ (Observation::Absent | Observation::Enforced(_)) => (target, observation),
    };
    observed.into_iter().flatten().map(excused).collect()
}

/// Reads one account's Regions, side by side: one that hangs doesn't delay the others.
async fn observe_account(
    keeper: &Keeper,
    account: &Account,
    regions: &[&Region],
) -> Vec<(Target, Observation)> {
    let session = keeper.cloud.session(&account.id).await;
    let observations = regions.iter().map(|region| {
        let target = Target { account: account.id.clone(), region: (*region).clone() };
        let span = info_span!("observe", account.id = %account.id, region = %region);
        let session = session.clone();
        async move {
            let observation = match session {
                Ok(session) => Reader::new(&session, region).enforcement().await,
                Err(failure) => Observation::Unreadable(failure),
            };
            let observation = match observation {
                Observation::Unreadable(failure) => {
                    if failure.code == Code::ExpiredCredentials {
                        keeper.cloud.forget_session(&account.id).await;
                    }
                    Observation::Unreadable(failure)
                }
                observation @ (Observation::Absent | Observation::Enforced(_)) => observation,
            };
            debug!("{target}: {observation}");
            (target, observation)
        }
        .instrument(span)
    });
    join_all(observations).await
}

/// What a denial in a member means. Shortly after an account joined, was moved or got a Region, its role or the role's
/// permissions may not be there yet. AWS answers the same then as if they were missing for good.
pub(super) fn in_grace(
    keeper: &Keeper,
    organization: &Organization,
    arrivals: &Arrivals,
    target: &Target,
    failure: Failure,
) -> Failure {
    let Some(account) = organization.accounts.get(&target.account) else { return failure };
    let arrival = arrivals.get(&account.id).cloned().unwrap_or_default();
    let grace = u64::from(keeper.settings.grace_minutes) * 60;
    failure.excused(arrival.since(account.joined, &target.region), grace, keeper.clock.now())
}

/// Probes each enforcement of the plan, as the member that will use the guardrail.
pub(super) async fn prove(
    keeper: &Keeper,
    plan: &Plan,
    organization: &Organization,
    arrivals: &Arrivals,
    grants: &Grants,
    catalog: &Catalog,
) -> BTreeMap<Target, Proof> {
    let probes = plan.needs_proof().filter_map(|change| change.enforces());
    let probes: Vec<(Target, Proof)> = stream::iter(probes)
        .map(|(target, enforcement)| async move {
            let answer = match keeper.cloud.session(&target.account).await {
                Ok(session) => Reader::new(&session, &target.region).probe(enforcement).await,
                Err(failure) => Err(failure),
            };
            let answer = match answer {
                Ok(answer) => Ok(answer),
                Err(failure) => {
                    let failure = in_grace(keeper, organization, arrivals, target, failure);
                    let failure = while_granting(keeper, &enforcement.guardrail, grants, failure).await;
                    let failure = naming_the_key(&enforcement.guardrail, catalog, failure);
                    Err(HoldReason::ProbeFailed { failure })
                }
            };
            (target.clone(), answer)
        })
        .buffer_unordered(keeper.settings.concurrency)
        .collect()
        .await;
    probes.into_iter().collect()
}

/// What a denied probe means shortly after our grant: the grant may not have effect yet. The owner task may have made
/// it after this look read the grants, so they are read again.
async fn while_granting(
    keeper: &Keeper,
    guardrail: &GuardrailArn,
    grants: &Grants,
    failure: Failure,
) -> Failure {
    if failure.category != Category::Denied {
        return failure;
    }
    let resource = Resource::Guardrail(guardrail.clone());
    let granted_at = match grants.get(&resource) {
        Some(granted) => Some(granted.at),
        None => {
            let (grants, _) = read_grants(keeper).await;
            grants.get(&resource).map(|granted| granted.at)
        }
    };
    failure.excused(granted_at, GRANT_SETTLES_SECONDS.unsigned_abs(), keeper.clock.now())
}

/// Names the customer managed key in a denied probe: the member role needs permission for the key, too, and AWS's
/// message may name only the guardrail.
fn naming_the_key(guardrail: &GuardrailArn, catalog: &Catalog, failure: Failure) -> Failure {
    let entry = catalog.entries.values().find(|entry| entry.arn.as_ref() == Some(guardrail));
    match entry.and_then(|entry| entry.customer_key.as_ref()) {
        Some(key) if failure.category == Category::Denied => {
            let message = format!(
                "{}; the guardrail is encrypted with {}, so the member role, like every caller, needs kms:Decrypt on it",
                failure.message, key.arn
            );
            failure.in_words(message)
        }
        Some(_) | None => failure,
    }
}
