//! Does one job from a queue and returns its effects. The caller queues and publishes.

use tracing::{Instrument, info, info_span};

use super::baselines::{followed, present_for};
use super::deadline::Deadline;
use super::effect::Effect;
use super::tasks::{account_task, owner_task, wait_for};
use super::{Keeper, Stopped, counting, sweeping};
use crate::record::Sequence;
use crate::task::{Errand, Task};

/// Does a task: an account, or one Region of the owner. `sequence` is its place in its queue, if it has one.
///
/// # Errors
/// When SQS has to deliver the message again. A task that has to wait is an effect instead.
pub async fn run_task(
    keeper: &Keeper,
    task: Task,
    sequence: Option<Sequence>,
) -> Result<Vec<Effect>, Stopped> {
    let span = info_span!("task", group = %task.group(), event.id = %task.cause().event, attempt = task.cause().attempt);
    run_task_in_its_span(keeper, task, sequence).instrument(span).await
}

async fn run_task_in_its_span(
    keeper: &Keeper,
    task: Task,
    sequence: Option<Sequence>,
) -> Result<Vec<Effect>, Stopped> {
    info!("working on {}: {}", task.group(), task.cause().reason);
    let present = match present_for(keeper, task.cause().revision.as_ref(), task.cause().first_seen).await {
        Ok(present) => present,
        Err(stopped) => return Ok(wait_for(keeper, task, &stopped.to_string())),
    };
    let followed = match followed(keeper, &present.baseline).await {
        Ok(followed) => followed,
        Err(error) => {
            let why = format!("which baseline accounts follow isn't known: {error}");
            return Ok(wait_for(keeper, task, &why));
        }
    };
    if let Some(candidate) = &followed.candidate {
        let (before, candidate) = (&followed.baseline.revision, &candidate.revision);
        info!("baseline {candidate} waits for its approval, so accounts follow {before}");
    }
    match task {
        Task::Account(task) => account_task(keeper, task, &present, &followed, sequence).await,
        Task::Owner(task) => owner_task(keeper, task, &present.baseline, &followed).await,
    }
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
