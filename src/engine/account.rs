//! The account's wing: one account, in the Regions of its task.
//!
//! ```text
//! place the account ─► view ─► plan ─► limits ─► probes ─► write ─► record; once more after a copy was made
//! ```
//!
//! Reads the guardrails' resource policies; only the owner's wing writes them. A task never waits here: what isn't
//! ready is returned to the caller, which queues the task again.

use std::collections::{BTreeMap, BTreeSet};

use tracing::warn;

use super::accounts::{head_of, place};
use super::apply::write;
use super::departed::close;
use super::guardrails::CatalogScope;
use super::inherited::look_at_inherited;
use super::remembered::{Remembered, remembered};
use super::run::Queued;
use super::trust::compare_trust;
use super::unusable::admit_unusable;
use super::view::{ReadDepth, View, planned, proven, restricted, view, with_clean_ups};
use super::{Departed, Gone, Keeper, Reviewer, Stopped, in_rounds, unwatched};
use crate::cloud::Head;
use crate::ids::Target;
use crate::limits::{Approval, EffectiveBaseline, Extent, RevisionApproval};
use crate::organization::{AccountPlacement, AccountState, OrgPath, Organization};
use crate::plan::{Change, HoldReason, Plan};
use crate::record::{AccountRecord, Arrival};
use crate::report::Report;
use crate::resource_policy::Resource;
use crate::task::{AccountTask, Handout};

/// The result of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is left of a task has to be put back"]
pub enum Worked {
    /// It was done, as the report says.
    Done(Box<Report>),
    /// The account is closed: it gets no calls any more.
    Departed(Departed),
    /// The account is still being created.
    Pending(AccountState),
}

/// Makes one account agree with the effective baseline.
///
/// # Errors
/// When the work stopped before anything was written.
pub async fn work_on_account(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    task: &AccountTask,
    handout: Handout,
    reviewer: Reviewer<'_>,
) -> Result<Worked, Stopped> {
    let Some(KnownPlace { placement, swept }) = known_place(keeper, task).await? else {
        return Ok(Worked::Departed(close(keeper, &task.account, &Gone::Left, handout.sequence).await?));
    };
    match &placement.account.state {
        // It isn't known what another state means: the record stays open, and nothing is taken away.
        AccountState::Active | AccountState::Other(_) => {}
        AccountState::PendingActivation => {
            return Ok(Worked::Pending(placement.account.state));
        }
        AccountState::Suspended | AccountState::PendingClosure | AccountState::Closed => {
            let gone = Gone::Inactive(placement.account.state);
            return Ok(Worked::Departed(close(keeper, &task.account, &gone, handout.sequence).await?));
        }
    }
    let queued = Queued { handout, cause: Some(&task.cause), placement: Some(&placement) };
    let report = in_rounds(keeper, async |again| {
        let (plan, mut view) = look(keeper, followed, task, &placement, again).await?;
        let plan = admitted(keeper, followed, plan, &mut view, reviewer).await;
        let plan = match reviewer.plan {
            Some(reviewed) => plan.hold_unreviewed(reviewed, &followed.baseline.revision),
            None => plan,
        };
        let plan = proven(keeper, &followed.baseline, plan, &mut view).await;
        Ok(write(keeper, &followed.baseline, plan, view, queued, reviewer.progress).await)
    });
    let report = report.await?;
    // On the heap: both are rarely more than a comparison.
    Box::pin(look_at_inherited(keeper, &followed.baseline, task, &placement.account)).await;
    // After the work, which it must not delay.
    if let Some(record) = swept {
        Box::pin(compare_trust(keeper, &task.account, &record)).await;
    }
    Ok(Worked::Done(Box::new(report)))
}

/// Where an account stands.
struct KnownPlace {
    placement: AccountPlacement,
    /// What the ledger knew of it before the work, in a sweep.
    swept: Option<AccountRecord>,
}

/// Where the account stands: as the task says, or as the ledger recorded since, or as Organizations says now.
async fn known_place(keeper: &Keeper, task: &AccountTask) -> Result<Option<KnownPlace>, Stopped> {
    let now = |placement| KnownPlace { placement, swept: None };
    let Some(placement) = &task.placement else {
        return Ok(place(keeper, &task.account).await?.map(now));
    };
    match keeper.ledger.account(&task.account).await {
        Ok(known) => {
            let newer = known.placement.as_ref().filter(|known| known.placed_at > placement.placed_at);
            let placement = newer.unwrap_or(placement).clone();
            Ok(Some(KnownPlace { placement, swept: Some(known) }))
        }
        // It isn't known which place is newer, so Organizations is asked.
        Err(error) => {
            warn!(account.id = %task.account, "failed to read the ledger, so Organizations is asked for the account: \
                                               {error}");
            Ok(place(keeper, &task.account).await?.map(now))
        }
    }
}

/// Reads the account and plans, before limits and probes hold anything. Only reads.
async fn look(
    keeper: &Keeper,
    EffectiveBaseline { baseline, .. }: &EffectiveBaseline,
    task: &AccountTask,
    placement: &AccountPlacement,
    again: bool,
) -> Result<(Plan, View), Stopped> {
    let Head { id, management } = head_of(keeper, baseline).await?;
    let account = &placement.account;
    let organization =
        Organization::part(id, management, BTreeMap::from([(account.id.clone(), account.clone())]));
    let told = task.cause.arrival.map(|at| Arrival::told(at, task.regions.named()));
    // In a sweep the owner's tasks come first: a snapshot from before the sweep may be what the sweep is about.
    let mut needs = CatalogScope::WantedAsRecorded {
        since: task.owner_since.or(task.placement.is_some().then_some(task.cause.first_seen)),
    };
    loop {
        let known = remembered(keeper, baseline, &organization, told.as_ref()).await;
        let also = known.grants.keys().map(|resource| resource.region().clone()).collect();
        let reading = ReadDepth { regions: &task.regions, also: &also, needs };
        let view = view(keeper, baseline, organization.clone(), known, reading, &unwatched).await;
        let mut plan = planned(keeper, baseline, &view).await;
        if !again {
            plan = with_clean_ups(keeper, baseline, plan, &view).await;
        }
        let plan = restricted(baseline, plan, &view);
        // A guardrail is given up only for what is seen now, never for an older snapshot.
        if matches!(needs, CatalogScope::Wanted) || !plan.changes().any(Change::gives_up) {
            return Ok((plan, view));
        }
        needs = CatalogScope::Wanted;
    }
}

/// Holds changes that are not approved, and those over the limits.
async fn admitted(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    plan: Plan,
    view: &mut View,
    reviewer: Reviewer<'_>,
) -> Plan {
    let EffectiveBaseline { baseline, candidate, .. } = followed;
    let Remembered { approval, records, offboarding, .. } = &view.known;
    if let Some(candidate) = candidate {
        return plan.put_back(&baseline.revision, candidate, records, offboarding);
    }
    // What the person didn't read is held after this.
    let is_given_with_the_plan = reviewer.plan.is_some_and(|plan| plan.approves(&baseline.revision));
    let approved = Approval { approval, is_given_with_the_plan, leaving: offboarding };
    let plan = plan.hold_adopted(approved, records, |stood, target| view.has_moved(baseline, stood, target));
    if !view.known.approval_is_known {
        return plan.hold_uncountable(approval, records);
    }
    let plan = plan.limit_part(approval, records);
    let plan = admit_moves(keeper, followed, plan, view).await;
    admit_unusable(keeper, baseline, plan, &mut view.known.warnings).await
}

/// Holds what the account would lose or change because it was moved, if moves then change more than the limits allow
/// within a day: a mistake in the organization's tree does the same harm as one in the baseline.
async fn admit_moves(keeper: &Keeper, followed: &EffectiveBaseline, plan: Plan, view: &mut View) -> Plan {
    let baseline = &followed.baseline;
    // Whoever is about to leave is often moved before: a person said so, and it is no mistake in the tree.
    let has_moved = |stood: &OrgPath, target: &Target| {
        !view.known.offboarding.contains(&target.account) && view.has_moved(baseline, stood, target)
    };
    let extent = plan.extent_of_moves(&view.known.records, has_moved);
    if extent == Extent::default() {
        return plan;
    }
    let (mut admitted, now) = (false, keeper.clock.now().as_second());
    let reserved = keeper
        .ledger
        .change_revision_approval(|known| {
            let approval = known.get_or_insert_with(|| RevisionApproval::new(baseline.revision.clone()));
            admitted = approval.admit_moves(extent, baseline.limits, now);
        })
        .await;
    let reason = match reserved {
        Ok(()) if admitted => return plan,
        Ok(()) => HoldReason::TooManyMoves { revision: baseline.revision.clone() },
        Err(error) => {
            let warning = format!("failed to read how much moves of accounts have changed: {error}");
            view.known.warnings.push(warning);
            HoldReason::LedgerUnavailable
        }
    };
    let has_moved = |stood: &OrgPath, target: &Target| {
        !view.known.offboarding.contains(&target.account) && view.has_moved(baseline, stood, target)
    };
    plan.hold_moves(&reason, &view.known.records, has_moved)
}

/// The Regions in which an owner task has to run before the account can continue.
pub(super) fn awaited_grants(report: &Report) -> BTreeSet<Target> {
    let lacking = report.targets.values().filter_map(|report| {
        let held = report.held().and_then(|held| held.reason.awaited_grant());
        held.or_else(|| report.broken()?.unusable.awaited_grant())
    });
    lacking.map(Resource::held_in).collect()
}
