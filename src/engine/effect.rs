//! What comes of a job: what is to be queued, and what others are told.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::baselines::PresentBaseline;
use super::swept::Tally;
use super::{Departed, Keeper, Stopped};
use crate::baseline::{Baseline, Revision};
use crate::limits::{EffectiveBaseline, RevisionApproval};
use crate::metrics::Calls;
use crate::report::Report;
use crate::task::{AccountTask, Cause, Errand, Task};

/// What comes of a job. Effects are performed in their order, up to the first that fails; errands that go on come after
/// them.
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
    /// Decide what is left to do in an account, now that all effects before this one are performed. The decision may claim
    /// the count of a revision for this process; the count is queued right after it.
    Decide(Box<Undecided>),
    /// The job failed after the effects before this one: the same message has to be delivered again.
    Fail(Stopped),
}

/// An account's task after its work, when it isn't decided yet whether it comes back.
#[derive(Debug)]
pub struct Undecided {
    pub(super) task: AccountTask,
    pub(super) report: Report,
    pub(super) present: PresentBaseline,
    pub(super) followed: EffectiveBaseline,
}

impl Effect {
    /// What caused the work that it asks for.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Effect::Queue(task) => Some(task.cause()),
            Effect::Later(errand, _) | Effect::GoOn(errand) => Some(errand.cause()),
            Effect::Tell(_) | Effect::Decide(_) | Effect::Fail(_) => None,
        }
    }
}

/// Something that others are told.
#[derive(Debug)]
pub enum Notice {
    /// What a task came to.
    Report(Box<TaskReport>),
    /// An account gets no calls any more.
    Departed(Box<Departed>, Box<Cause>),
    /// The baseline is another one than before.
    BaselineChanged(Box<ChangedBaseline>),
    /// A sweep came to its end.
    SweepCompleted(Box<SweepEnd>),
}

/// What a task came to, and what it took.
#[derive(Debug)]
pub struct TaskReport {
    /// What it came to.
    pub report: Report,
    /// What caused it.
    pub cause: Cause,
    /// How long it took.
    pub took: Duration,
    /// The requests to AWS that this process sent meanwhile.
    pub calls: Calls,
}

/// A new revision of the baseline, whose changes are counted.
#[derive(Debug)]
pub struct ChangedBaseline {
    /// The baseline.
    pub baseline: Baseline,
    /// What was counted, and whether it begins.
    pub approval: RevisionApproval,
    /// The revision that the ledger knew before.
    pub previous: Option<Revision>,
    /// What caused the count.
    pub cause: Cause,
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
    /// The baseline that accounts follow.
    pub followed: Baseline,
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
        Effect::Tell(Notice::Report(Box::new(TaskReport { report, cause: cause.clone(), took, calls })))
    }
}
