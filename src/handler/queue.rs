//! Where work waits: in the deployment's queues, or in this process.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::HandlerError;
use crate::cloud::{DelayedMessage, FifoMessage};
use crate::engine::{Keeper, Notice};
use crate::report::Report;
use crate::settings::QueueSettings;
use crate::task::{Errand, Task};

/// Where work waits.
#[derive(Clone, Copy)]
pub(super) enum Queue<'a> {
    /// In SQS.
    Sqs(&'a QueueSettings),
    /// In this process, as long as an invocation lasts.
    InProcess(&'a InProcess),
}

/// What waits in this process, and what tasks came to meanwhile.
#[derive(Default)]
pub(super) struct InProcess(Mutex<Waiting>);

/// What waits in this process.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) tasks: VecDeque<Task>,
    pub(super) errands: Vec<Errand>,
    pub(super) gathered: Gathered,
}

/// What was gathered from what was told.
#[derive(Default)]
pub(super) struct Gathered {
    /// What all tasks came to.
    pub(super) report: Option<Report>,
    /// Whether somebody got on since it was asked last: what waits for that may go on.
    pub(super) got_on: bool,
}

impl Queue<'_> {
    /// Puts tasks where one at a time is handed out for each account and for each Region of the owner's.
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

    /// Puts an errand where it may wait for so many seconds. In this process it waits for what others bring about.
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

    /// Takes note of what is about to be told.
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
            Notice::Departed(..) | Notice::BaselineChanged(_) | Notice::SweepCompleted(_) => {}
        }
    }
}
