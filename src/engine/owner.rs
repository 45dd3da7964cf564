//! An owner's wing: its guardrails in one Region, who may use them, and what accounts may rely on.
//!
//! ```text
//! guardrails and resource policies ─► grants to make and to take back ─► write ─► record the owner snapshot
//! ```

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use tracing::warn;

use super::accounts::{head_of, place};
use super::granting::{record_grant, write_grants};
use super::guardrails::{CatalogScope, owned, read_catalog};
use super::logged::log;
use super::placing::{Placing, placing};
use super::remembered::read_grants;
use super::swept::{seen_by_the_sweep, users_by_record};
use super::{Keeper, MAX_ROUNDS, Progress, Reviewer, Stopped};
use crate::baseline::{Baseline, Mode};
use crate::cloud::Reader;
use crate::desired::Desired;
use crate::ids::{AccountId, GuardrailArn, Target};
use crate::observed::ResourcePolicySeen;
use crate::plan::{GrantDecision, Plan, Sighting, decide_grant, decide_withdrawal, use_of};
use crate::record::Grants;
use crate::report::Report;
use crate::resolved::{Catalog, OwnerSnapshot, Unusable, newly_open};
use crate::resource_policy::{Grant, Remove, Resource, remove};
use crate::settings::{OrganizationAccess, Purpose};
use crate::trigger::Regions;

/// What is to be done for an owner in one Region.
#[derive(Clone, Debug)]
pub struct OwnerWork {
    /// The owner account and the Region.
    pub owner: Target,
    /// When a finished sweep began, if grants that nothing uses are to be taken back.
    pub swept_since: Option<Timestamp>,
}

/// What was read of an owner in one Region, and the plan for its resource policies.
struct OwnerView {
    plan: Plan,
    catalog: Catalog,
    /// Grants that the ledger counts as ours and that are gone.
    lost: Vec<Resource>,
    /// Why the ledger could not be read, in words.
    trouble: Option<String>,
    warnings: Vec<String>,
}

/// Makes the guardrails of one owner in one Region usable by the organization, and records the owner snapshot.
///
/// # Errors
/// When the work stopped before anything was written.
pub async fn work_for_owner(
    keeper: &Keeper,
    followed: &Baseline,
    work: &OwnerWork,
    reviewer: Reviewer<'_>,
) -> Result<Report, Stopped> {
    let owner = &work.owner;
    // Without the earlier snapshot an opening may be published twice, and never missed.
    let known = keeper.ledger.owner_snapshot(owner).await.ok().flatten();
    let (mut report, seen) = grant_in(keeper, followed, work, reviewer).await?;
    // What was written and not read back yet is not in the snapshot.
    if let Some(seen) = seen {
        let before = known.as_ref().map(|known| known.openings(&followed.organization));
        report.opened = newly_open(&seen.openings(&followed.organization), &before.unwrap_or_default());
        if let Err(error) = keeper.ledger.set_owner_snapshot(owner, seen).await {
            // Then each account reads the owner's side itself.
            warn!(account.id = %owner.account, region = %owner.region, "failed to record the owner snapshot: {error}");
        }
        keeper.kept.forget_readiness(owner);
    }
    Ok(report)
}

/// Grants the guardrails of a baseline that waits for approval, so that they are usable once it is approved. No
/// account relies on them yet, so no snapshot is recorded.
///
/// # Errors
/// When the work stopped before anything was written.
pub(super) async fn grant_for_candidate(
    keeper: &Keeper,
    candidate: &Baseline,
    owner: &Target,
    reviewer: Reviewer<'_>,
) -> Result<Report, Stopped> {
    // What only one of the two baselines uses may look unused, so nothing is taken back.
    let work = OwnerWork { owner: owner.clone(), swept_since: None };
    Ok(grant_in(keeper, candidate, &work, reviewer).await?.0)
}

/// Looks at the owner's side and writes, until a look has nothing to write. Returns the snapshot of that look, or
/// `None` if the last round still wrote something.
async fn grant_in(
    keeper: &Keeper,
    baseline: &Baseline,
    OwnerWork { owner, swept_since }: &OwnerWork,
    reviewer: Reviewer<'_>,
) -> Result<(Report, Option<OwnerSnapshot>), Stopped> {
    let mut swept_since = *swept_since;
    let mut whole: Option<Report> = None;
    for _ in 0..MAX_ROUNDS {
        let at = keeper.clock.now();
        let mut view = look(keeper, baseline, owner, swept_since.take()).await?;
        if let Some(reviewed) = reviewer.plan {
            view.plan = view.plan.hold_unreviewed(reviewed, &baseline.revision);
        }
        let seen = OwnerSnapshot::of(&owner.region, &owned(baseline, owner), &view.catalog, at);
        let report = write(keeper, baseline, view, reviewer.progress).await;
        let goes_on = report.calls_for_another_look();
        match &mut whole {
            Some(whole) => whole.absorb(report),
            None => whole = Some(report),
        }
        if !goes_on {
            return Ok((whole.expect("it was just set"), Some(seen)));
        }
    }
    Ok((whole.expect("there is at least one round"), None))
}

/// Reads all guardrails of an owner in one Region and plans their resource policies. Only reads. `swept_since` is when a
/// finished sweep began: only then grants that nothing needs can be found.
async fn look(
    keeper: &Keeper,
    baseline: &Baseline,
    owner: &Target,
    swept_since: Option<Timestamp>,
) -> Result<OwnerView, Stopped> {
    head_of(keeper, baseline).await?;
    let (grants, unknown) = read_grants(keeper).await;
    let placing = placing(keeper, baseline, &grants, unknown.as_ref()).await;
    let mut warnings: Vec<String> = unknown.iter().cloned().collect();
    if unknown.is_none() {
        warnings.extend(placing.trouble.clone());
    }
    let settled = placing.settled(baseline);
    let mut catalog = read_catalog(keeper, &settled, &Desired::new(), CatalogScope::Owned(owner)).await;
    if placing.gives_copies() && is_still_enforced(keeper, &placing, &catalog).await {
        // Members that enforce the owner's guardrail keep it, so its grant is still needed.
        let central = placing.central(baseline);
        catalog = read_catalog(keeper, &central, &Desired::new(), CatalogScope::Owned(owner)).await;
    }
    let mut plan = Plan { grants: decided_grants(baseline, &catalog), ..Plan::default() };
    let mut lost = lost_grants(baseline, &grants, &catalog);
    if let Some(since) = swept_since {
        let here = |resource: &Resource| resource.held_in() == *owner;
        let named = named_by_policies(keeper, since).await;
        let is_needed = |resource: &Resource| named.as_ref().is_none_or(|named| is_named(named, resource));
        let ours = grants.into_iter().filter(|(resource, _)| here(resource) && !is_needed(resource));
        let ours: Grants = ours.collect();
        if !ours.is_empty() {
            let everybody =
                seen_by_the_sweep(keeper, since, &Regions::Only(BTreeSet::from([owner.region.clone()])))
                    .await;
            lost.extend(withdraw(keeper, baseline, &mut plan, &ours, &catalog, &everybody).await);
        }
    }
    if unknown.is_some() {
        plan = plan.hold_unread_grants();
    }
    let plan = plan.restrict(baseline.mode);
    Ok(OwnerView { plan, catalog, lost, trouble: unknown.or_else(|| placing.trouble.clone()), warnings })
}

/// How much older than the sweep the last look at Bedrock policies may be, in seconds: changes since then were heard of.
const POLICIES_SEEN_WITHIN_SECONDS: i64 = 26 * 3600;

/// The guardrails that Bedrock policies name, ours and others': whoever inherits one needs its grant. `None` where that isn't
/// known lately; then no grant is taken back.
async fn named_by_policies(keeper: &Keeper, since: Timestamp) -> Option<BTreeSet<GuardrailArn>> {
    if keeper.settings.organization_access == OrganizationAccess::None {
        // This deployment has nothing to do with that level.
        return Some(BTreeSet::new());
    }
    let known = keeper.ledger.organization_level().await.ok()?;
    match known.look {
        Some(look) => {
            let is_recent = look.at.as_second() >= since.as_second() - POLICIES_SEEN_WITHIN_SECONDS;
            look.named.filter(|_| is_recent)
        }
        // A terminal that never had to do with that level doesn't ask.
        None => (keeper.settings.purpose == Purpose::Terminal).then(BTreeSet::new),
    }
}

/// Whether one of these guardrails rests on a grant: its own, or that of a profile in its Region and account.
fn is_named(named: &BTreeSet<GuardrailArn>, resource: &Resource) -> bool {
    match resource {
        Resource::Guardrail(arn) => named.contains(arn),
        Resource::Profile(profile) => {
            named.iter().any(|arn| arn.account == profile.account && arn.region == profile.region)
        }
    }
}

/// Whether a member enforces a guardrail of the owner that says `auto`, by the record.
async fn is_still_enforced(keeper: &Keeper, placing: &Placing, catalog: &Catalog) -> bool {
    for ((key, region), entry) in &catalog.entries {
        let Some(guardrail) = entry.arn.as_ref().filter(|_| placing.leaves(key)) else { continue };
        match users_by_record(keeper, region, |named| named == guardrail).await {
            Ok(users) if users.is_empty() => {}
            Ok(_) => return true,
            Err(error) => {
                // A grant too many does less harm than one that is missing.
                warn!("failed to read who enforces {guardrail}, so it counts as enforced: {error}");
                return true;
            }
        }
    }
    false
}

/// Writes the resource policies of a plan, each once.
async fn write(keeper: &Keeper, baseline: &Baseline, view: OwnerView, progress: Progress<'_>) -> Report {
    let OwnerView { plan, catalog: _, lost, trouble, warnings } = view;
    if baseline.mode != Mode::Audit {
        forget_lost(keeper, &lost).await;
    }
    let mut report =
        Report { warnings, ledger_trouble: trouble, ..Report::of(baseline.revision.clone(), plan.clone()) };
    report.grants.extend(write_grants(keeper, baseline, &plan, progress).await);
    log(&report);
    report
}

/// Plans to take back grants of ours that the baseline doesn't need any more. Returns those that are gone already: a
/// statement that somebody adds later must not be taken for ours.
pub(super) async fn withdraw(
    keeper: &Keeper,
    baseline: &Baseline,
    plan: &mut Plan,
    grants: &Grants,
    catalog: &Catalog,
    everybody: &Sighting,
) -> Vec<Resource> {
    let mut lost = Vec::new();
    for resource in grants.keys().filter(|resource| !catalog.resource_policies.contains_key(resource)) {
        // If a guardrail of the Region could not be found, this may be that one; a profile likewise, if a guardrail
        // could not be read.
        let unresolved = catalog.entries.iter().any(|((key, region), entry)| {
            let unread = matches!(
                entry.unusable,
                Some(Unusable::Unreadable { .. } | Unusable::AnswersDisagree { .. })
            );
            let may_be_this_one = region == resource.region() && baseline.owner_of(key) == resource.account();
            may_be_this_one && (entry.arn.is_none() || unread)
        });
        if unresolved || !may_be_entered(keeper, baseline, resource.account()).await {
            continue;
        }
        let seen = match keeper.cloud.session(resource.account()).await {
            Ok(session) => Reader::new(&session, resource.region()).resource_policy(resource).await,
            Err(failure) => ResourcePolicySeen::Unreadable(failure),
        };
        if let ResourcePolicySeen::Unreadable(failure) = &seen
            && !baseline.is_owner(resource.account())
        {
            // The keeper may have no role there any more.
            warn!(guardrail.arn = %resource, "the grant of {resource} stays, whose account owns no guardrail of the \
                                              baseline any more: {failure}");
            continue;
        }
        let grant = Grant { resource: resource.clone(), organization: baseline.organization.clone() };
        let used = use_of(resource, everybody);
        match decide_withdrawal(&seen, &grant, &used) {
            Some(decision) => {
                plan.grants.insert(resource.clone(), decision);
            }
            None => lost.push(resource.clone()),
        }
    }
    lost
}

/// Whether a grant may be taken back in this account: it owns a guardrail of the baseline, or did so before and is still a
/// member. In an account that is gone nothing is called.
async fn may_be_entered(keeper: &Keeper, baseline: &Baseline, account: &AccountId) -> bool {
    if baseline.is_owner(account) {
        return true;
    }
    let placed = place(keeper, account).await;
    placed.is_ok_and(|placed| placed.is_some_and(|placed| placed.account.state.admits_work()))
}

/// Decides about the grants that this run's guardrails need.
pub(super) fn decided_grants(baseline: &Baseline, catalog: &Catalog) -> BTreeMap<Resource, GrantDecision> {
    let decide = |(resource, seen): (&Resource, &ResourcePolicySeen)| {
        let grant = Grant { resource: resource.clone(), organization: baseline.organization.clone() };
        (resource.clone(), decide_grant(seen, &grant))
    };
    catalog.resource_policies.iter().map(decide).collect()
}

/// Grants that are needed and there by somebody else's statement, while ours is gone.
pub(super) fn lost_grants(baseline: &Baseline, grants: &Grants, catalog: &Catalog) -> Vec<Resource> {
    let is_lost = |resource: &&Resource| match catalog.resource_policies.get(*resource) {
        Some(ResourcePolicySeen::Absent) => true,
        Some(ResourcePolicySeen::Attached(document)) => {
            let grant = Grant { resource: (*resource).clone(), organization: baseline.organization.clone() };
            remove(Some(document), &grant) == Remove::NotNeeded
        }
        Some(ResourcePolicySeen::Invalid(_) | ResourcePolicySeen::Unreadable(_)) | None => false,
    };
    grants.keys().filter(is_lost).cloned().collect()
}

/// Records that grants of ours are gone.
pub(super) async fn forget_lost(keeper: &Keeper, lost: &[Resource]) {
    for resource in lost {
        if let Err(error) = record_grant(keeper, resource, None).await {
            warn!(guardrail.arn = %resource, error = %error, "failed to record that the grant is gone");
        }
    }
}
