//! Puts into queues and publishes what comes of jobs. Whatever an invocation was handed is done here, a job at a time.

use std::collections::{BTreeSet, VecDeque};

use tracing::error;

use super::HandlerError;
use super::telling::tell;
use crate::cloud::{DelayedMessage, FifoMessage};
use crate::engine::{self, Arrived, Deadline, Effect, Incoming, Keeper, PAGE_SECONDS};
use crate::record::Sequence;
use crate::settings::QueueSettings;
use crate::task::{Cause, Errand, MOST_HOPS, Task};
use crate::trigger::{Message, Record};

/// The queues, and until when an invocation has to be done.
#[derive(Clone, Copy)]
pub(super) struct Shell<'a> {
    pub(super) keeper: &'a Keeper,
    pub(super) queues: &'a QueueSettings,
    pub(super) deadline: Deadline,
}

/// A message that could not be dealt with.
pub(super) struct Failed {
    /// Its place among those that came in.
    pub(super) position: usize,
    pub(super) problem: HandlerError,
}

/// Long work, with the positions of the messages that asked for it.
struct Long {
    served: BTreeSet<usize>,
    errand: Errand,
    /// How much time it needs, in seconds.
    needs: u64,
}

impl Shell<'_> {
    /// Does what messages ask for, as far as there is time for it, and answers those that failed.
    pub(super) async fn plan(self, incoming: &[Incoming<'_>]) -> Vec<Failed> {
        let Arrived { jobs, failed } = engine::arrive(self.keeper, incoming).await;
        let mut failed: Vec<Failed> =
            failed.into_iter().map(|(position, why)| Failed { position, problem: why.into() }).collect();
        // Long work comes last: what events say is queued by now.
        let mut long = VecDeque::new();
        for (served, effects) in jobs {
            match self.perform(effects).await {
                // A second piece of it is left to another invocation where this one has no time for both.
                Ok(errands) => long.extend(errands.into_iter().map(|errand| Long {
                    served: served.clone(),
                    errand,
                    needs: 2 * PAGE_SECONDS,
                })),
                Err(problem) => failed.extend(all_of(&served, problem)),
            }
        }
        let mut worked = false;
        while let Some(Long { served, errand, needs }) = long.pop_front() {
            let done = if worked && !self.deadline.leaves(needs) {
                self.later(errand, 0).await.map(|()| Vec::new())
            } else {
                self.run(errand).await
            };
            worked = true;
            match done {
                Ok(next) => next.into_iter().rev().for_each(|errand| {
                    long.push_front(Long { served: served.clone(), errand, needs: PAGE_SECONDS });
                }),
                Err(problem) => failed.extend(all_of(&served, problem)),
            }
        }
        failed
    }

    /// Does an errand, and answers what is left of it.
    async fn run(self, errand: Errand) -> Result<Vec<Errand>, HandlerError> {
        let effects = engine::run_errand(self.keeper, errand, self.deadline).await?;
        self.perform(effects).await
    }

    /// Does the task that a message holds.
    pub(super) async fn work(self, record: &Record) -> Result<(), HandlerError> {
        let task = match &record.message {
            Message::Event(value) => serde_json::from_value::<Task>(value.clone())
                .map_err(|error| HandlerError::ForeignErrand(error.to_string()))?,
            Message::Unreadable(reason) => return Err(HandlerError::Rejected(reason.clone())),
        };
        let effects = engine::run_task(self.keeper, task, self.sequence(record)).await?;
        for errand in self.perform(effects).await? {
            // By way of the queue, so that the task's group is free.
            self.later(errand, 0).await?;
        }
        Ok(())
    }

    /// The task's place in its queue, if SQS numbered it.
    fn sequence(&self, record: &Record) -> Option<Sequence> {
        let number = record.sequence.as_deref()?.parse().ok()?;
        let QueueSettings { tasks, deployment, .. } = self.queues;
        let queue = format!("{tasks} {}", deployment.as_deref().unwrap_or_default());
        Some(Sequence::new(number, record.sent_ms.unwrap_or_default(), &queue))
    }

    /// Performs effects in their order, up to the first that fails. Tasks that follow each other are sent together.
    /// Answers the errands that go on at once.
    async fn perform(self, effects: Vec<Effect>) -> Result<Vec<Errand>, HandlerError> {
        let (mut tasks, mut go_on) = (Vec::new(), Vec::new());
        for effect in effects {
            if let Effect::Queue(task) = effect {
                tasks.push(task);
                continue;
            }
            self.send(std::mem::take(&mut tasks)).await?;
            match effect {
                Effect::Queue(task) => tasks.push(task),
                Effect::Later(errand, delay_seconds) => self.later(errand, delay_seconds).await?,
                Effect::GoOn(errand) => go_on.push(errand),
                Effect::Tell(notice) => tell(self.keeper, notice).await,
            }
        }
        self.send(tasks).await?;
        Ok(go_on)
    }

    /// Puts tasks into the FIFO queue. Every message of a chain goes by this one or [`Shell::later`].
    async fn send(self, tasks: Vec<Task>) -> Result<(), HandlerError> {
        let goes_on = |mut task: Task| {
            let goes_on = task.cause_mut().hop();
            if !goes_on {
                given_up(&task.group(), task.cause());
            }
            goes_on.then_some(task)
        };
        let tasks: Vec<Task> = tasks.into_iter().filter_map(goes_on).collect();
        if tasks.is_empty() {
            return Ok(());
        }
        let messages: Vec<FifoMessage> = tasks
            .iter()
            .map(|task| FifoMessage {
                group: task.group(),
                deduplication_id: task.deduplication_id(),
                body: serde_json::to_string(task).expect("a task has only texts for keys"),
            })
            .collect();
        let sent = self.keeper.queues().send_tasks(&self.queues.tasks, &messages).await;
        sent.map_err(|failure| HandlerError::NotQueued(failure.to_string()))
    }

    /// Puts an errand into the queue where it may wait.
    async fn later(self, mut errand: Errand, delay_seconds: u16) -> Result<(), HandlerError> {
        if !errand.cause_mut().hop() {
            given_up(errand.kind(), errand.cause());
            return Ok(());
        }
        let message = DelayedMessage { body: errand.message().to_string(), delay_seconds };
        let sent = self.keeper.queues().send_events(&self.queues.events, &[message]).await;
        sent.map_err(|failure| HandlerError::NotQueued(failure.to_string()))
    }
}

/// The failure of every message that asked for the same thing. The first one's says what kind of failure it is.
fn all_of(served: &BTreeSet<usize>, problem: HandlerError) -> Vec<Failed> {
    let text = problem.to_string();
    let others = served.iter().skip(1);
    let mut failed: Vec<Failed> = others
        .map(|position| Failed { position: *position, problem: HandlerError::NotQueued(text.clone()) })
        .collect();
    failed.extend(served.first().map(|position| Failed { position: *position, problem }));
    failed
}

/// Tells that a chain of messages has come to its bound. The next sweep begins another.
fn given_up(what: &str, cause: &Cause) {
    error!(
        error.kind = "GivenUp",
        hops = cause.hops,
        event.id = %cause.event,
        "{what} is left to the next sweep: one event led to {MOST_HOPS} messages: {}",
        cause.reason
    );
}
