//! Sweeps: queues every account, a page at a time, and finds out when all were looked at.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tracing::{debug, info};

use super::baselines::{PresentBaseline, effective, followed_if_known, present_for};
use super::counting::{begun, log_waiting};
use super::destinations::destinations;
use super::effect::{ChangedBaseline, Effect, Notice, SweepEnd};
use super::guardrails::recorded_catalog;
use super::listing::{ListedPage, NOT_LISTED, is_too_old, page};
use super::logged::not_placed;
use super::placing::placing_as_recorded;
use super::swept::tally;
use super::{Keeper, Stopped, organization_level};
use crate::baseline::{Baseline, GuardrailKey};
use crate::cloud::Page;
use crate::failure::Failure;
use crate::ids::{Region, Target};
use crate::limits::{EffectiveBaseline, RevisionApproval};
use crate::organization::{Account, AccountPlacement};
use crate::resolved::differing;
use crate::resource_policy::Resource;
use crate::task::{AccountTask, Cause, Errand, FinishSweep, OwnerTask, Sweep, Task};
use crate::trigger::Regions;

/// How often the end of a sweep is looked for before it ends without the missing accounts.
const LOOKS_FOR_AN_END: u32 = 10;

/// How a look at everything begins: a revision that is not counted yet, or has to be counted again, is counted first.
///
/// # Errors
/// When it is not known whether the revision is counted.
pub(super) async fn beginning(
    keeper: &Keeper,
    sweep: Sweep,
    known: &PresentBaseline,
) -> Result<Errand, Stopped> {
    let revision = &known.baseline.revision;
    // Without the count first, the sweep would end before the revision is counted.
    let counts = keeper
        .ledger
        .revision_approval()
        .await?
        .is_none_or(|approval| approval.revision != *revision || approval.is_to_be_counted());
    if known.unread {
        // The present baseline can't be read, and the sweep may be about its change.
        return Err(Stopped::NoBaseline(known.instead_of.clone().unwrap_or_default()));
    }
    if !counts || !sweep.is_whole() || known.instead_of.is_some() {
        return Ok(Errand::Sweep(sweep));
    }
    Ok(Errand::Count(begun(revision.clone(), sweep.cause)))
}

/// Queues the tasks of one page of accounts; before the first page those of the owner.
pub(super) async fn sweep_a_page(keeper: &Keeper, mut sweep: Sweep) -> Result<Vec<Effect>, Stopped> {
    let PresentBaseline { baseline, .. } =
        present_for(keeper, sweep.cause.revision.as_ref(), sweep.cause.first_seen).await?;
    let followed = followed_if_known(keeper, &baseline).await;
    let mut effects = Vec::new();
    if sweep.page.is_none() && sweep.is_whole() {
        effects.extend(approved_or_refused(keeper, &baseline, &sweep.cause).await);
    }
    if sweep.page.is_none() && sweep.guardrails.is_none() {
        // The owner's side first: accounts use the snapshot, and wait where the owner task has work to do.
        let here = owner_targets(&baseline, followed.as_ref());
        let here = here.into_iter().filter(|owner| sweep.regions.contain(&owner.region));
        let task = |owner| Effect::Queue(Task::Owner(OwnerTask::new(owner, &sweep.cause)));
        effects.extend(here.map(task));
    }
    let listed = match page(keeper, sweep.page.clone()).await {
        Ok(ListedPage::Page(page)) => page,
        Ok(ListedPage::TokenRefused) if is_too_old(&sweep.cause, keeper.clock.now()) => {
            effects.push(Effect::GiveUp(NOT_LISTED.to_owned()));
            return Ok(effects);
        }
        // The owner's side is looked at in any case.
        Err(stopped) => {
            effects.push(Effect::Fail(stopped));
            return Ok(effects);
        }
        Ok(ListedPage::TokenRefused) => {
            let cause = sweep.cause.again();
            let delay = cause.delay_seconds();
            effects
                .push(Effect::Later(Errand::Sweep(Sweep { page: None, accounts: 0, cause, ..sweep }), delay));
            return Ok(effects);
        }
    };
    let baselines: Vec<&Baseline> =
        followed.iter().map(|followed| &followed.baseline).chain([&baseline]).collect();
    sweep.page.clone_from(&listed.next);
    let (tasks, nameless) = tasks_of(&baselines, listed, &sweep, keeper.clock.now());
    sweep.accounts += tasks.len() + nameless;
    effects.extend(tasks.into_iter().map(|task| Effect::Queue(Task::Account(task))));
    if sweep.page.is_some() {
        effects.push(Effect::GoOn(Errand::Sweep(sweep)));
        return Ok(effects);
    }
    if sweep.accounts == 0 && sweep.guardrails.is_none() {
        // A sweep of no account shows nothing, so it doesn't count as completed.
        effects.push(Effect::Fail(Stopped::OrganizationUnreadable(Failure::no_accounts())));
        return Ok(effects);
    }
    info!(accounts = sweep.accounts, "queued {} accounts: {}", sweep.accounts, sweep.cause.reason);
    if sweep.is_whole() {
        let Sweep { began, accounts, cause, .. } = sweep;
        let cause = Cause { attempt: 0, ..cause };
        let delay = cause.delay_seconds();
        effects.push(Effect::Later(Errand::FinishSweep(FinishSweep { began, accounts, cause }), delay));
    }
    Ok(effects)
}

/// The tasks of a page of accounts, and how many accounts have no valid id. These get no task; they are counted, so
/// that the sweep doesn't look complete.
fn tasks_of(
    baselines: &[&Baseline],
    Page { accounts, unplaced, next: _ }: Page,
    sweep: &Sweep,
    placed_at: Timestamp,
) -> (Vec<AccountTask>, usize) {
    unplaced.iter().for_each(|(account, failure)| not_placed(account, failure));
    let task = |account| AccountTask::new(account, &sweep.regions, &sweep.cause);
    let guardrails = sweep.guardrails.as_ref();
    let placed = accounts
        .into_iter()
        .filter(|account| account.state.admits_work())
        .filter(|account| baselines.iter().any(|it| should_enforce(it, account, guardrails)))
        .map(|account| {
            let placement = Some(AccountPlacement { account: account.clone(), placed_at });
            AccountTask { placement, ..task(account.id) }
        });
    let mut tasks: Vec<AccountTask> = placed.collect();
    // An account that can't be placed gets a task, which asks for this account alone.
    let (odd, nameless): (Vec<_>, Vec<_>) = unplaced.keys().map(|id| id.parse()).partition(Result::is_ok);
    tasks.extend(odd.into_iter().flatten().map(task));
    (tasks, nameless.len())
}

/// Ends a sweep if every account that it queued was looked at; else looks again later.
pub(super) async fn finish_sweep(keeper: &Keeper, finished: FinishSweep) -> Result<Vec<Effect>, Stopped> {
    let FinishSweep { began, accounts, cause } = finished;
    let PresentBaseline { baseline, .. } =
        present_for(keeper, cause.revision.as_ref(), cause.first_seen).await?;
    let followed = effective(keeper, &baseline).await?;
    let tally = tally(keeper, &followed.baseline, began).await?;
    let missing = accounts.saturating_sub(tally.looked_at);
    if missing > 0 && cause.attempt < LOOKS_FOR_AN_END {
        debug!(missing, "the sweep is still under way");
        let cause = cause.again();
        let delay = cause.delay_seconds();
        return Ok(vec![Effect::Later(Errand::FinishSweep(FinishSweep { began, accounts, cause }), delay)]);
    }
    // Accounts that the record knows and no list names may be gone. The departure of others may not be published yet.
    let lost = tally.not_looked_at.union(&tally.untold).map(|account| {
        Effect::Queue(Task::Account(AccountTask::new(account.clone(), &Regions::All, &cause)))
    });
    let mut effects: Vec<Effect> = lost.collect();
    // Every account was looked at, so grants that nothing uses can be taken back.
    let grants = keeper.ledger.grants().await?;
    let granted: BTreeSet<Target> = grants.keys().map(Resource::held_in).collect();
    effects.extend(granted.into_iter().map(|owner| {
        let swept_since = Some(began);
        Effect::Queue(Task::Owner(OwnerTask { swept_since, ..OwnerTask::new(owner, &cause) }))
    }));
    // Every account has shown by now what it can apply.
    if organization_level::is_due(keeper, &followed.baseline).await {
        effects.push(organization_level::task_of(&cause));
    }
    if let Some(candidate) = &followed.candidate {
        log_waiting(candidate);
    }
    effects.extend(untold(keeper, &baseline, &cause).await?);
    let waiting = followed.candidate.map(|candidate| candidate.revision);
    let followed = followed.baseline;
    let end = SweepEnd { tally, accounts, began, followed, waiting, cause };
    effects.push(Effect::Tell(Notice::SweepCompleted(Box::new(end))));
    Ok(effects)
}

/// What became of a revision that waited, where a person approved it and that is not published yet. Where the ledger
/// doesn't say, the end of the sweep publishes it.
async fn approved_or_refused(keeper: &Keeper, baseline: &Baseline, cause: &Cause) -> Option<Effect> {
    let known = keeper.ledger.revision_approval().await.ok().flatten();
    if known.is_none_or(|known| known.given.is_none()) {
        return None;
    }
    untold(keeper, baseline, cause).await.ok().flatten()
}

/// The change of the baseline, where nobody could be told of it when it was counted.
async fn untold(keeper: &Keeper, baseline: &Baseline, cause: &Cause) -> Result<Option<Effect>, Stopped> {
    let approval = keeper.ledger.revision_approval().await?;
    let is_owed =
        |it: &RevisionApproval| it.revision == baseline.revision && it.counted.is_some() && !it.told;
    let Some(approval) = approval.filter(is_owed) else { return Ok(None) };
    let (baseline, cause) = (baseline.clone(), cause.clone());
    let changed = ChangedBaseline { baseline, approval, previous: None, cause };
    Ok(Some(Effect::Tell(Notice::BaselineChanged(Box::new(changed)))))
}

/// The warnings about guardrails at the end of a sweep: those that differ between Regions, and profiles with a
/// destination where they are not granted. Uses the owner snapshots since the sweep began; a Region without one is
/// left out.
pub async fn guardrail_warnings(keeper: &Keeper, baseline: &Baseline, began: Timestamp) -> Vec<String> {
    let catalog = recorded_catalog(keeper, baseline, began).await;
    let mut warnings: Vec<String> = differing(baseline, &catalog).iter().map(ToString::to_string).collect();
    match placing_as_recorded(keeper, baseline).await {
        Ok(placing) => {
            let settled = placing.settled(baseline);
            warnings.extend(destinations(keeper, &settled, &catalog).await);
        }
        // It isn't known whether members use the owner's profiles.
        Err(error) => debug!("the destinations of profiles are not checked: {error}"),
    }
    warnings
}

/// The Regions of the present baseline and of the one that accounts follow.
pub(super) fn regions(present: &Baseline, followed: Option<&EffectiveBaseline>) -> BTreeSet<Region> {
    let mut regions = present.regions();
    regions.extend(followed.into_iter().flat_map(|followed| followed.baseline.regions()));
    regions
}

/// The Regions of each owner, by the present baseline and by the one that accounts follow.
pub(super) fn owner_targets(present: &Baseline, followed: Option<&EffectiveBaseline>) -> BTreeSet<Target> {
    let mut owners = present.owner_targets();
    owners.extend(followed.into_iter().flat_map(|followed| followed.baseline.owner_targets()));
    owners
}

/// Whether an account should enforce one of these guardrails; always, if none are named.
fn should_enforce(
    baseline: &Baseline,
    account: &Account,
    guardrails: Option<&BTreeSet<GuardrailKey>>,
) -> bool {
    guardrails.is_none_or(|guardrails| {
        let assignment = baseline.assignment(&account.id, &account.path);
        assignment.and_then(|it| it.guardrail.as_ref()).is_some_and(|key| guardrails.contains(key))
    })
}
