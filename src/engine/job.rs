//! One job out of a queue, and what comes of it. The caller puts into queues and publishes what is answered here.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{Instrument, info, info_span};

use super::baselines::{followed, present_for};
use super::deadline::Deadline;
use super::follow_up::{after_account, after_owner, wait_for};
use super::swept::Tally;
use super::{Departed, Keeper, Stopped, counting, sweeping};
use crate::baseline::Revision;
use crate::metrics::Calls;
use crate::record::Sequence;
use crate::report::Report;
use crate::task::{Cause, Errand, Task};

/// What comes of a job. Effects are performed in their order, up to the first that fails.
#[derive(Debug)]
pub enum Effect {
    /// A task for the queue that hands out one at a time for each account and for each Region of the owner's.
    Queue(Task),
    /// An errand for the queue in which it may wait, and for how many seconds.
    Later(Errand, u16),
    /// What an errand has left to do: at once, where there is time for it.
    GoOn(Errand),
    /// Something for whoever listens.
    Tell(Notice),
}

impl Effect {
    /// What caused the work that it asks for.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Effect::Queue(task) => Some(task.cause()),
            Effect::Later(errand, _) | Effect::GoOn(errand) => Some(errand.cause()),
            Effect::Tell(_) => None,
        }
    }
}

/// Something that others are told.
#[derive(Debug)]
pub enum Notice {
    /// What a task came to.
    Report(Box<Told>),
    /// An account gets no calls any more.
    Departed(Box<Departed>, Box<Cause>),
    /// A sweep came to its end.
    SweepCompleted(Box<SweepEnd>),
}

/// What a task came to, and what it took.
#[derive(Debug)]
pub struct Told {
    /// What it came to.
    pub report: Report,
    /// What caused it.
    pub cause: Cause,
    /// How long it took.
    pub took: Duration,
    /// The requests to AWS that this process sent meanwhile.
    pub calls: Calls,
}

/// How a sweep ended.
#[derive(Debug)]
pub struct SweepEnd {
    /// How every target stands.
    pub tally: Tally,
    /// How many accounts were queued.
    pub accounts: usize,
    /// When the sweep began.
    pub began: Timestamp,
    /// The revision that accounts follow.
    pub revision: Revision,
    /// The revision that waits for its approval, if one does.
    pub waiting: Option<Revision>,
    /// What caused it.
    pub cause: Cause,
}

/// A piece of work that is under way, measured for whoever is told of it.
pub(super) struct Measured<'a> {
    keeper: &'a Keeper,
    began: Instant,
    calls: Calls,
}

impl<'a> Measured<'a> {
    pub(super) fn begin(keeper: &'a Keeper) -> Measured<'a> {
        Measured { keeper, began: Instant::now(), calls: keeper.calls() }
    }

    pub(super) fn tell(self, report: Report, cause: &Cause) -> Effect {
        let (took, calls) = (self.began.elapsed(), self.keeper.calls().since(self.calls));
        Effect::Tell(Notice::Report(Box::new(Told { report, cause: cause.clone(), took, calls })))
    }
}

/// Does a task: an account's work, or the owner's in one Region. `sequence` is its place in its queue, if it has one.
///
/// # Errors
/// When the same message has to be delivered again. What has to wait is an effect instead.
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
        Task::Account(task) => after_account(keeper, task, &present, &followed, sequence).await,
        Task::Owner(task) => after_owner(keeper, task, &present.baseline, &followed).await,
    }
}

/// Does an errand, as far as there is time for it.
///
/// # Errors
/// When the same message has to be delivered again.
pub async fn run_errand(keeper: &Keeper, errand: Errand, deadline: Deadline) -> Result<Vec<Effect>, Stopped> {
    match errand {
        Errand::Again(task) => Ok(vec![Effect::Queue(task)]),
        Errand::Count(count) => counting::run_count(keeper, count, deadline).await,
        Errand::Sweep(sweep) => sweeping::sweep_a_page(keeper, sweep).await,
        Errand::Settle(settle) => sweeping::settle(keeper, settle).await,
    }
}
