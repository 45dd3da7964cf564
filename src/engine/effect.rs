//! What comes of a job: what is to be queued, and what others are told.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::swept::Tally;
use super::{Departed, Keeper};
use crate::baseline::Revision;
use crate::metrics::Calls;
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
    Report(Box<TaskReport>),
    /// An account gets no calls any more.
    Departed(Box<Departed>, Box<Cause>),
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
        Effect::Tell(Notice::Report(Box::new(TaskReport { report, cause: cause.clone(), took, calls })))
    }
}
