//! The queues: the deployment's, or those in this process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::HandlerError;
use crate::cloud::{DelayedMessage, FifoMessage};
use crate::engine::{Keeper, Notice};
use crate::organization_level::OrganizationLevelReport;
use crate::report::Report;
use crate::settings::QueueSettings;
use crate::task::{Errand, Task};

/// Where jobs wait.
#[derive(Clone, Copy)]
pub(super) enum Queue<'a> {
    /// In SQS.
    Sqs(&'a QueueSettings),
    /// In this process, until the invocation ends.
    InProcess(&'a InProcess),
}

/// The jobs that wait in this process, and the reports so far.
#[derive(Default)]
pub(super) struct InProcess(Mutex<Waiting>);

/// The jobs that wait in this process.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) tasks: VecDeque<Task>,
    pub(super) errands: Vec<Errand>,
    /// Whether grants are left that a release of this very run needed.
    pub(super) keeps_grants: bool,
    /// Why the last task of each group waits.
    pub(super) reasons: BTreeMap<String, String>,
    /// The tasks that have waited long enough, and why.
    pub(super) given_up: Vec<String>,
    pub(super) gathered: Gathered,
}

/// What notices said so far.
#[derive(Default)]
pub(super) struct Gathered {
    /// The reports of all tasks, as one.
    pub(super) report: Option<Report>,
    /// What came of the last look at the organization's level.
    pub(super) organization_level: Option<OrganizationLevelReport>,
    /// Whether a job changed something since this was asked last: then waiting errands may continue.
    pub(super) got_on: bool,
}

impl Queue<'_> {
    /// Queues tasks: one at a time is delivered for each account and each Region of the owner.
    pub(super) async fn send(self, keeper: &Keeper, tasks: Vec<Task>) -> Result<(), HandlerError> {
        match self {
            Queue::InProcess(here) => {
                here.waiting().tasks.extend(tasks);
                Ok(())
            }
            Queue::Sqs(queues) => {
                let messages: Vec<FifoMessage> = tasks
                    .iter()
                    .map(|task| FifoMessage {
                        group: task.group(),
                        deduplication_id: task.deduplication_id(),
                        body: serde_json::to_string(task).expect("a task has only texts for keys"),
                    })
                    .collect();
                let sent = keeper.queues().send_tasks(&queues.tasks, &messages).await;
                sent.map_err(|failure| HandlerError::NotQueued(failure.to_string()))
            }
        }
    }

    /// Queues an errand with a delay in seconds. In this process it waits until other jobs change something.
    pub(super) async fn later(
        self,
        keeper: &Keeper,
        errand: Errand,
        delay_seconds: u16,
    ) -> Result<(), HandlerError> {
        match self {
            Queue::InProcess(here) => {
                here.waiting().errands.push(errand);
                Ok(())
            }
            Queue::Sqs(queues) => {
                let message = DelayedMessage { body: errand.message().to_string(), delay_seconds };
                let sent = keeper.queues().send_events(&queues.events, &[message]).await;
                sent.map_err(|failure| HandlerError::NotQueued(failure.to_string()))
            }
        }
    }

    /// Keeps why a task waits.
    pub(super) fn note_waiting(self, task: &Task, why: String) {
        if let Queue::InProcess(here) = self {
            here.waiting().reasons.insert(task.group(), why);
        }
    }

    /// Keeps which task was given up, and why.
    pub(super) fn note_given_up(self, why: String) {
        if let Queue::InProcess(here) = self {
            here.waiting().given_up.push(why);
        }
    }

    /// Keeps what a notice says, before it is published.
    pub(super) fn note(self, notice: &Notice) {
        if let Queue::InProcess(here) = self {
            here.waiting().gathered.note(notice);
        }
    }
}

impl InProcess {
    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::Report(told) => {
                self.got_on |= told.report.calls_for_another_look();
                match &mut self.report {
                    Some(report) => report.absorb(told.report.clone()),
                    None => self.report = Some(told.report.clone()),
                }
            }
            Notice::Departed(..)
            | Notice::BaselineChanged(_)
            | Notice::Flooding(_)
            | Notice::SweepCompleted(_) => {}
            Notice::OrganizationLevel(told) => {
                self.got_on |= !told.report.taken.is_empty();
                self.organization_level = Some(told.report.clone());
            }
        }
    }
}
