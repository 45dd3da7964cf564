//! The effects of a job: jobs to queue, and notices to publish.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::baselines::PresentBaseline;
use super::swept::Tally;
use super::{Departed, Keeper, Stopped};
use crate::baseline::{Baseline, Revision};
use crate::limits::{EffectiveBaseline, RevisionApproval};
use crate::metrics::Calls;
use crate::organization_level::OrganizationLevelReport;
use crate::report::Report;
use crate::task::{AccountTask, Cause, Errand, Flooding, Task};

/// An effect of a job. The shell performs effects in their order and stops at the first that fails; errands that
/// continue come after them.
#[derive(Debug)]
pub enum Effect {
    /// Queue a task: the queue delivers one at a time for each account and each Region of the owner.
    Queue(Task),
    /// Queue an errand with a delay in seconds.
    Later(Errand, u16),
    /// Queue a task again with a delay in seconds, and why it waits.
    Wait(Task, u16, String),
    /// A task has waited long enough, and is not queued again: which, and why it waited.
    GiveUp(String),
    /// Continue an errand at once, if there is time.
    GoOn(Errand),
    /// Publish a notice.
    Tell(Notice),
    /// Decide what is left to do in an account, after all effects before this one. The decision may claim the count of
    /// a revision for this process; the count is queued right after it.
    Decide(Box<Undecided>),
    /// The job failed after the effects before this one: SQS has to deliver the message again.
    Fail(Stopped),
}

/// A finished account task; whether it is queued again is not decided yet.
#[derive(Debug)]
pub struct Undecided {
    pub(super) task: AccountTask,
    pub(super) report: Report,
    pub(super) present: PresentBaseline,
    pub(super) followed: EffectiveBaseline,
}

impl Effect {
    /// The cause of the job that it queues.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Effect::Queue(task) | Effect::Wait(task, ..) => Some(task.cause()),
            Effect::Later(errand, _) | Effect::GoOn(errand) => Some(errand.cause()),
            Effect::GiveUp(_) | Effect::Tell(_) | Effect::Decide(_) | Effect::Fail(_) => None,
        }
    }
}

/// Something to publish.
#[derive(Debug)]
pub enum Notice {
    /// The report of a task.
    Report(Box<TaskReport>),
    /// An account gets no calls any more.
    Departed(Box<Departed>, Box<Cause>),
    /// The baseline has a new revision.
    BaselineChanged(Box<ChangedBaseline>),
    /// The events of an account come faster than each can have a look of its own. SQS took the message of the look that
    /// serves them, since an effect is performed only if those before it were.
    Flooding(Box<Flooding>),
    /// A sweep ended.
    SweepCompleted(Box<SweepEnd>),
    /// What came of a look at the organization's level.
    OrganizationLevel(Box<OrganizationNotice>),
}

/// What came of a look at the organization's level, and what caused it.
#[derive(Debug)]
pub struct OrganizationNotice {
    /// The report.
    pub report: OrganizationLevelReport,
    /// What caused it.
    pub cause: Cause,
}

/// The report of a task, and what the task cost.
#[derive(Debug)]
pub struct TaskReport {
    /// The report.
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
    /// The count, and whether the revision begins.
    pub approval: RevisionApproval,
    /// The revision that the ledger knew before.
    pub previous: Option<Revision>,
    /// What caused the count.
    pub cause: Cause,
}

/// The result of a sweep.
#[derive(Debug)]
pub struct SweepEnd {
    /// The state of every target.
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

/// A job that is under way, with its time and its calls.
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
