//! Work without a deployed keeper: a terminal records what it showed, and begins the jobs of a scope itself.

use futures_util::stream::{self, StreamExt};

use super::approving::take_over_approval;
use super::baselines::{followed_if_known, present};
use super::controls::controls_by_now;
use super::counting::{begun, run_count};
use super::deadline::Deadline;
use super::effect::Effect;
use super::sweeping::{beginning, owner_targets, regions};
use super::{Keeper, Stopped, Survey};
use crate::ledger::{LedgerError, Visit};
use crate::record::{LastSeen, Note};
use crate::task::{AccountTask, Cause, Errand, OwnerTask, Planned, Task, cause_of, planned};
use crate::trigger::{Accounts, Regions, Scope};

/// Records what a survey saw in each target, and nothing else: a count of the revision reads the record, and is exact
/// where the record is new.
///
/// # Errors
/// When the ledger can't be written. Then targets may count as replacements that are not.
pub async fn record_looks(keeper: &Keeper, survey: &Survey) -> Result<(), LedgerError> {
    let now = keeper.clock.now();
    let accounts = survey.view.organization.accounts.keys();
    let noted = accounts.map(|account| async move {
        let here = survey.view.observed.iter().filter(|(target, _)| target.account == *account);
        let notes: Vec<_> = here
            .filter_map(|(target, observation)| {
                Some((target.region.clone(), Note::Seen(LastSeen::of(observation, now)?)))
            })
            .collect();
        let visit = Visit { arrival: survey.view.known.arrivals.get(account), ..Visit::default() };
        if notes.is_empty() { Ok(()) } else { keeper.ledger.note(account, visit, notes).await }
    });
    let noted: Vec<Result<(), LedgerError>> =
        stream::iter(noted).buffer_unordered(keeper.settings.concurrency).collect().await;
    noted.into_iter().collect()
}

/// The jobs of a scope that a person asks for at a terminal. A revision that nobody has counted is counted first, as
/// after an event: for all accounts and Regions the sweep follows the count; for a part of them the count comes alone.
///
/// # Errors
/// When the baseline or the ledger can't be read, or the count stopped.
pub async fn local_jobs(keeper: &Keeper, scope: &Scope) -> Result<Vec<Effect>, Stopped> {
    let (mut effects, cause) = planned_here(keeper, scope).await?;
    let is_whole = scope.accounts == Accounts::All && scope.regions == Regions::All;
    if !is_whole && let Some(counted) = counted_first(keeper, cause).await? {
        effects.splice(0..0, counted);
    }
    Ok(effects)
}

/// Counts the present revision, unless somebody did; without the sweep that follows a count.
async fn counted_first(keeper: &Keeper, cause: Cause) -> Result<Option<Vec<Effect>>, Stopped> {
    let Some(revision) = cause.revision.clone() else { return Ok(None) };
    let known = keeper.ledger.revision_approval().await?;
    if known.is_some_and(|known| known.revision == revision && (known.counted.is_some() || known.approved)) {
        return Ok(None);
    }
    let effects = run_count(keeper, begun(revision, cause), Deadline::NONE).await?;
    let is_sweep = |effect: &Effect| matches!(effect, Effect::GoOn(Errand::Sweep(_)));
    Ok(Some(effects.into_iter().filter(|effect| !is_sweep(effect)).collect()))
}

/// The jobs of a scope that a person asks for at a terminal, and their cause. There is no event that could be narrowed.
async fn planned_here(keeper: &Keeper, scope: &Scope) -> Result<(Vec<Effect>, Cause), Stopped> {
    let now = keeper.clock.now();
    let known = present(keeper).await?;
    take_over_approval(keeper, &known.baseline.revision).await;
    controls_by_now(keeper, &known.baseline.revision, std::slice::from_ref(scope)).await;
    let followed = followed_if_known(keeper, &known.baseline).await;
    let named = regions(&known.baseline, followed.as_ref());
    let revision = Some(&known.baseline.revision);
    let cause = cause_of(scope, revision, "terminal", now);
    let Planned { tasks, sweep } = planned(scope, &named, revision, "terminal", now);
    // A person wants to know how it is now: no older snapshot of the owner's side is used.
    let tasks = tasks.into_iter().map(|task| match task {
        Task::Account(task) => Task::Account(AccountTask { owner_since: Some(now), ..task }),
        task @ (Task::Owner(_) | Task::Organization(_)) => task,
    });
    let Some(sweep) = sweep else {
        // As in a sweep, the owner's side comes first.
        let here = owner_targets(&known.baseline, followed.as_ref());
        let here = here.into_iter().filter(|owner| scope.regions.contain(&owner.region));
        let owner = here.map(|owner| Task::Owner(OwnerTask::new(owner, &cause)));
        return Ok((owner.chain(tasks).map(Effect::Queue).collect(), cause));
    };
    Ok((vec![Effect::GoOn(beginning(keeper, sweep, &known).await?)], cause))
}
