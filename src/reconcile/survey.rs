//! Looks and decides. Reads only: nothing in this file can write.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tracing::{Instrument, debug, info_span, warn};

use super::{Keeper, Progress, Step, Stopped};
use crate::baseline::{Baseline, GuardrailKey, Placement, Source};
use crate::cloud::{Condition, Reader, Session};
use crate::desired::{Desired, Wanted, desired};
use crate::failure::{Category, Failure};
use crate::ids::{AccountId, GuardrailArn, GuardrailVersion, Region, Target};
use crate::limits::Rollout;
use crate::observed::{Observation, Observed, PolicySeen};
use crate::organization::{Account, AccountState, Organization};
use crate::plan::{
    Grounds, HoldReason, Plan, PolicyDecision, Proof, SafePlan, decide_policy, decide_withdrawal, plan,
    use_of,
};
use crate::record::{Grants, Records};
use crate::resolved::{Catalog, CatalogEntry, Resolved, Unusable, Wish, resolve};
use crate::resource_policy::{Grant, Resource};
use crate::trigger::{Accounts, Regions, Scope};

/// What was seen, and the plan that follows from it.
#[derive(Clone, Debug)]
#[must_use = "a survey that nobody prints or applies did nothing"]
pub struct Survey {
    /// What is to be done, each enforcement proven.
    pub plan: SafePlan,
    /// The accounts that were looked at.
    pub organization: Organization,
    /// Whether the whole organization was looked at in every Region, so that the plan is all there is to do.
    pub whole: bool,
    /// Accounts that the scope names and that are no members of the organization.
    pub strangers: Vec<AccountId>,
    /// How far this revision has come.
    pub rollout: Rollout,
    /// What the ledger knew.
    pub records: Records,
    /// What went wrong besides.
    pub warnings: Vec<String>,
}

impl Keeper {
    /// Reads everything in scope and decides about it.
    ///
    /// # Errors
    /// When the organization can't be read, or is another one.
    pub async fn survey(
        &self,
        baseline: &Baseline,
        scope: &Scope,
        progress: Progress<'_>,
    ) -> Result<Survey, Stopped> {
        let mut warnings = Vec::new();
        let (organization, strangers) = self.organization(baseline, scope).await?;
        progress(Step::Looking { accounts: organization.accounts.len() });

        let (records, ledger_is_up) = self.records(&organization, &mut warnings).await;
        let rollout = self.rollout(baseline, &mut warnings).await;
        let whole = scope.accounts == Accounts::All && scope.regions == Regions::All;
        // Only a look at everything can tell that a grant isn't needed any more.
        let grants = if whole { self.grants(&mut warnings).await } else { Grants::new() };
        let also = grants.keys().map(|resource| resource.region().clone()).collect();
        let desired = desired(baseline, &organization, &records, &scope.regions, &also);
        let (observed, catalog) = futures_util::join!(
            self.observe(&organization, &desired, progress),
            self.catalog(baseline, &desired, whole)
        );

        let mut resolved = resolve(desired, &catalog, &baseline.organization);
        self.look_at_the_present(baseline, &mut resolved, &observed).await;
        let grounds = Grounds {
            own_roles: &self.settings.own_roles,
            ledger_is_durable: ledger_is_up && self.ledger.is_durable(),
        };
        let mut plan = plan(&resolved, &observed, &records, grounds);
        plan.skipped = inactive(&organization);
        plan.policies = policies(baseline, &catalog);
        plan.policies.extend(self.withdrawals(baseline, &grants, &catalog, &observed, &records).await);
        let plan = plan.restrict(baseline.mode).limit(&rollout, baseline.limits, &records);
        let proofs = self.prove(&plan).await;
        let plan = plan.prove(&proofs);

        Ok(Survey { plan, organization, whole, strangers, rollout, records, warnings })
    }

    async fn organization(
        &self,
        baseline: &Baseline,
        scope: &Scope,
    ) -> Result<(Organization, Vec<AccountId>), Stopped> {
        let organizations = self.cloud.organizations();
        let mut strangers = Vec::new();
        let organization = match &scope.accounts {
            Accounts::All => organizations.everything().await.map_err(Stopped::OrganizationUnreadable)?,
            Accounts::Only(ids) => {
                let head = organizations.head().await.map_err(Stopped::OrganizationUnreadable)?;
                let mut accounts = BTreeMap::new();
                for id in ids {
                    // An event may name any account. Only one that the organization knows is entered.
                    match organizations.account(&head, id).await.map_err(Stopped::OrganizationUnreadable)? {
                        Some(account) => {
                            accounts.insert(account.id.clone(), account);
                        }
                        None => strangers.push(id.clone()),
                    }
                }
                Organization { id: head.id, management: head.management, accounts, complete: false }
            }
        };
        if organization.id == baseline.organization {
            Ok((organization, strangers))
        } else {
            let (baseline, actual) = (baseline.organization.clone(), organization.id);
            Err(Stopped::WrongOrganization { baseline, actual })
        }
    }

    /// The records of every account, and whether the ledger could be read. Without it, nothing is
    /// known to be ours but what bears our name.
    async fn records(&self, organization: &Organization, warnings: &mut Vec<String>) -> (Records, bool) {
        let mut records = Records::new();
        for account in organization.accounts.keys() {
            match self.ledger.account(account).await {
                Ok(known) => records.extend(known),
                Err(error) => {
                    warn!(error = %error, "the ledger could not be read; going on without it, carefully");
                    warnings.push(format!("the ledger could not be read: {error}"));
                    return (Records::new(), false);
                }
            }
        }
        (records, true)
    }

    async fn grants(&self, warnings: &mut Vec<String>) -> Grants {
        self.ledger.grants().await.unwrap_or_else(|error| {
            warnings.push(format!("which grants are ours isn't known, so none is taken back: {error}"));
            Grants::new()
        })
    }

    /// Decides about the grants that we added and that the baseline has no use for any more.
    async fn withdrawals(
        &self,
        baseline: &Baseline,
        grants: &Grants,
        catalog: &Catalog,
        observed: &Observed,
        records: &Records,
    ) -> BTreeMap<Resource, PolicyDecision> {
        let mut decisions = BTreeMap::new();
        for resource in grants.keys().filter(|resource| !catalog.policies.contains_key(resource)) {
            // Where a guardrail of the Region could not be found, this may be the one that is meant.
            let unresolved = catalog
                .entries
                .iter()
                .any(|((_, region), entry)| region == resource.region() && entry.arn.is_none());
            if unresolved || *resource.account() != baseline.owner {
                continue;
            }
            let seen = match self.cloud.session(&baseline.owner).await {
                Ok(session) => Reader::new(&session, resource.region()).resource_policy(resource).await,
                Err(failure) => PolicySeen::Unreadable(failure),
            };
            let grant = Grant { resource: resource.clone(), organization: baseline.organization.clone() };
            let used = use_of(resource, observed, records);
            if let Some(decision) = decide_withdrawal(&seen, &grant, &used) {
                decisions.insert(resource.clone(), decision);
            }
        }
        decisions
    }

    async fn rollout(&self, baseline: &Baseline, warnings: &mut Vec<String>) -> Rollout {
        match self.ledger.rollout().await {
            Ok(Some(rollout)) if rollout.revision == baseline.revision => rollout,
            Ok(Some(_) | None) => Rollout::new(baseline.revision.clone()),
            Err(error) => {
                warnings.push(format!("how far the baseline has come is not known: {error}"));
                Rollout::new(baseline.revision.clone())
            }
        }
    }

    async fn observe(
        &self,
        organization: &Organization,
        desired: &Desired,
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
        let observations: Vec<Vec<(Target, Observation)>> = stream::iter(accounts)
            .map(|(account, regions)| async move {
                let observed = self.observe_account(account, regions).await;
                progress(Step::Looked);
                observed
            })
            .buffer_unordered(self.settings.concurrency)
            .collect()
            .await;
        observations.into_iter().flatten().collect()
    }

    /// One account's Regions, side by side: one that hangs delays none of the others.
    async fn observe_account(&self, account: &Account, regions: &[&Region]) -> Vec<(Target, Observation)> {
        let session = self.member_session(account).await;
        let observations = regions.iter().map(|region| {
            let target = Target { account: account.id.clone(), region: (*region).clone() };
            let span = info_span!("observe", account.id = %account.id, region = %region);
            let session = session.clone();
            async move {
                let observation = match session {
                    Ok(session) => Reader::new(&session, region).enforcement().await,
                    Err(failure) => Observation::Unreadable(failure),
                };
                debug!("{target}: {observation}");
                (target, observation)
            }
            .instrument(span)
        });
        join_all(observations).await
    }

    /// A session in a member. Shortly after an account joined, its role may still be on the way, and
    /// STS says the same then as when it is missing for good.
    async fn member_session(&self, account: &Account) -> Result<Session, Failure> {
        self.cloud.session(&account.id).await.map_err(|failure| {
            let grace = i64::from(self.settings.grace_minutes) * 60;
            let age = account.joined.map(|joined| Timestamp::now().as_second() - joined.as_second());
            if failure.category == Category::Denied && age.is_some_and(|age| age < grace) {
                Failure { category: Category::NotReady, ..failure }
            } else {
                failure
            }
        })
    }

    /// Looks up every guardrail that is wanted somewhere, once per Region.
    async fn catalog(&self, baseline: &Baseline, desired: &Desired, whole: bool) -> Catalog {
        let mut wanted: BTreeMap<(GuardrailKey, Region), Source> = desired
            .iter()
            .filter_map(|(target, wanted)| match wanted {
                Wanted::Guardrail(wanted) if wanted.placement == Placement::Central => {
                    Some(((wanted.key.clone(), target.region.clone()), wanted.source.clone()))
                }
                Wanted::Guardrail(_) | Wanted::Nothing | Wanted::Unassigned | Wanted::Excluded => None,
            })
            .collect();
        if whole {
            // Those that nobody is assigned as well, so that their grants aren't taken for leftovers.
            wanted.extend(central_guardrails(baseline));
        }
        if wanted.is_empty() {
            return Catalog::default();
        }
        let session = self.cloud.session(&baseline.owner).await;
        let entries = wanted.into_iter().map(|((key, region), source)| {
            let session = session.clone();
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
            .flat_map(|((_, region), entry)| entry.resources().map(|resource| (resource, region.clone())))
            .collect();
        let policies = resources.into_iter().map(|(resource, region)| {
            let session = session.clone();
            async move {
                let seen = match session {
                    Ok(session) => Reader::new(&session, &region).resource_policy(&resource).await,
                    Err(failure) => PolicySeen::Unreadable(failure),
                };
                (resource, seen)
            }
        });
        let policies = join_all(policies).await.into_iter().collect();
        Catalog { entries, policies }
    }

    /// Where what is wanted can't be enforced, looks whether what is there still can be used.
    async fn look_at_the_present(&self, baseline: &Baseline, resolved: &mut Resolved, observed: &Observed) {
        let standing = |target: &Target, wish: &Wish| match (wish, observed.get(target)) {
            (Wish::Enforce(wanted), Some(Observation::Enforced(seen)))
                if wanted.unusable.is_some()
                    && wanted.enforcement.as_ref() != Some(&seen.enforcement)
                    && seen.enforcement.guardrail.account == baseline.owner
                    && seen.enforcement.guardrail.region == target.region =>
            {
                Some((seen.enforcement.guardrail.clone(), seen.enforcement.version))
            }
            _ => None,
        };
        let wanted: BTreeSet<(GuardrailArn, GuardrailVersion)> =
            resolved.iter().filter_map(|(target, wish)| standing(target, wish)).collect();
        if wanted.is_empty() {
            return;
        }
        let Ok(session) = self.cloud.session(&baseline.owner).await else {
            return;
        };
        let looks = wanted.into_iter().map(|(arn, version)| {
            let session = session.clone();
            async move {
                let Condition { unusable, .. } =
                    Reader::new(&session, &arn.region).condition(&arn, version).await;
                ((arn, version), unusable.filter(Unusable::is_certain))
            }
        });
        let found: BTreeMap<(GuardrailArn, GuardrailVersion), Option<Unusable>> =
            join_all(looks).await.into_iter().collect();
        for (target, wish) in resolved.iter_mut() {
            let present = standing(target, wish).and_then(|key| found.get(&key).cloned().flatten());
            if let Wish::Enforce(wanted) = wish {
                wanted.present_unusable = present;
            }
        }
    }

    /// Tries each guardrail that is to be enforced as the member that will have to use it.
    async fn prove(&self, plan: &Plan) -> BTreeMap<Target, Proof> {
        let probes = plan.needs_proof().filter_map(|change| change.enforces());
        let probes: Vec<(Target, Proof)> = stream::iter(probes)
            .map(|(target, enforcement)| async move {
                let answer = match self.cloud.session(&target.account).await {
                    Ok(session) => Reader::new(&session, &target.region).probe(enforcement).await,
                    Err(failure) => Err(failure),
                };
                (target.clone(), answer.map_err(|failure| HoldReason::ProbeFailed { failure }))
            })
            .buffer_unordered(self.settings.concurrency)
            .collect()
            .await;
        probes.into_iter().collect()
    }
}

/// Decides about the resource policies that the guardrails of this run need.
fn policies(baseline: &Baseline, catalog: &Catalog) -> BTreeMap<Resource, PolicyDecision> {
    let decide = |(resource, seen): (&Resource, &PolicySeen)| {
        let grant = Grant { resource: resource.clone(), organization: baseline.organization.clone() };
        (resource.clone(), decide_policy(seen, &grant))
    };
    catalog.policies.iter().map(decide).collect()
}

fn central_guardrails(baseline: &Baseline) -> BTreeMap<(GuardrailKey, Region), Source> {
    let central = baseline.guardrails.iter().filter(|(_, one)| one.placement == Placement::Central);
    let sources = central.flat_map(|(key, one)| {
        one.regions.iter().map(move |(region, source)| ((key.clone(), region.clone()), source.clone()))
    });
    sources.collect()
}

fn inactive(organization: &Organization) -> BTreeMap<AccountId, AccountState> {
    organization
        .accounts
        .values()
        .filter(|account| !account.state.is_active())
        .map(|account| (account.id.clone(), account.state.clone()))
        .collect()
}
