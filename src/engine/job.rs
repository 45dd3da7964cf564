//! Does one job from a queue and returns its effects. The caller queues and publishes.

use tracing::{Instrument, info, info_span};

use super::baselines::{followed, present_for};
use super::deadline::Deadline;
use super::effect::Effect;
use super::organization_level::organization_task;
use super::tasks::{account_task, owner_task, wait_for};
use super::{Keeper, Reviewer, Stopped, counting, sweeping};
use crate::limits::EffectiveBaseline;
use crate::task::{AccountTask, Errand, Handout, Task};

/// Does a task: an account, one Region of the owner, or the organization's Bedrock policies. `handout` is how SQS handed it out, if it did;
/// `deadline` is when the invocation has to end.
///
/// # Errors
/// When SQS has to deliver the message again. A task that has to wait is an effect instead.
pub async fn run_task(
    keeper: &Keeper,
    task: Task,
    (handout, deadline): (Handout, Deadline),
    reviewer: Reviewer<'_>,
) -> Result<Vec<Effect>, Stopped> {
    let span = info_span!("task", group = %task.group(), event.id = %task.cause().event, attempt = task.cause().attempt);
    run_task_in_its_span(keeper, task, (handout, deadline), reviewer).instrument(span).await
}

async fn run_task_in_its_span(
    keeper: &Keeper,
    task: Task,
    (handout, deadline): (Handout, Deadline),
    reviewer: Reviewer<'_>,
) -> Result<Vec<Effect>, Stopped> {
    info!("working on {}: {}", task.group(), task.cause().reason);
    let present = match present_for(keeper, task.cause().revision.as_ref(), task.cause().first_seen).await {
        Ok(present) => present,
        Err(stopped) => return Ok(wait_for(keeper, task, &stopped.to_string())),
    };
    let followed = match followed(keeper, &present.baseline).await {
        Ok(followed) => followed,
        Err(error) => {
            let why = format!("failed to read which baseline accounts follow: {error}");
            return Ok(wait_for(keeper, task, &why));
        }
    };
    if let Some(candidate) = &followed.candidate {
        let (before, candidate) = (&followed.baseline.revision, &candidate.revision);
        info!("baseline {candidate} waits for its approval, so accounts follow {before}");
    }
    // On the heap: each wing awaits much, and what awaits a task would be as large.
    match task {
        Task::Account(task) if is_superseded(keeper, &task, handout, &followed).await => Ok(Vec::new()),
        Task::Account(task) => {
            Box::pin(account_task(keeper, task, (&present, &followed), handout, reviewer)).await
        }
        Task::Owner(task) => Box::pin(owner_task(keeper, task, &present.baseline, &followed, reviewer)).await,
        Task::Organization(task) => {
            Ok(Box::pin(organization_task(keeper, task, (&present, &followed), (handout, deadline))).await)
        }
    }
}

/// Whether a look since the task was queued makes it superfluous. Only a task that waited for long costs this question,
/// which is one read of the ledger: a backlog of one account's tasks is worked off so.
async fn is_superseded(
    keeper: &Keeper,
    task: &AccountTask,
    handout: Handout,
    followed: &EffectiveBaseline,
) -> bool {
    if !task.may_be_superseded(handout) {
        return false;
    }
    // Without the record the account is looked at.
    let Ok(record) = keeper.ledger.account(&task.account).await else { return false };
    let superseded = task.is_superseded(handout, &record, &followed.baseline.revision);
    if superseded {
        info!(account.id = %task.account, "dropped: the account was looked at after this task was queued");
    }
    superseded
}

/// Does an errand: a count as far as there is time, a sweep one page at a time.
///
/// # Errors
/// When SQS has to deliver the message again.
pub async fn run_errand(keeper: &Keeper, errand: Errand, deadline: Deadline) -> Result<Vec<Effect>, Stopped> {
    match errand {
        Errand::Retry(task) => Ok(vec![Effect::Queue(task)]),
        Errand::Count(count) => counting::run_count(keeper, count, deadline).await,
        Errand::Sweep(sweep) => sweeping::sweep_a_page(keeper, sweep).await,
        Errand::FinishSweep(finished) => sweeping::finish_sweep(keeper, finished).await,
    }
}
