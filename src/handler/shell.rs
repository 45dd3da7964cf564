//! The shell: does the jobs of an invocation, one after another, and performs their effects. It alone queues and
//! publishes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tracing::error;

use super::queue::Queue;
use super::telling::tell;
use super::{Batch, HandlerError};
use crate::engine::{self, Arrived, Deadline, Effect, Incoming, Keeper, NAMELESS, PAGE_SECONDS, Reviewer};
use crate::record::Sequence;
use crate::settings::QueueSettings;
use crate::task::{Cause, Errand, Handout, MOST_HOPS, Task};
use crate::trigger::{BatchRecord, Ignored, Message};

/// What it takes to perform effects.
#[derive(Clone, Copy)]
pub(super) struct Shell<'a> {
    pub(super) keeper: &'a Keeper,
    pub(super) queue: Queue<'a>,
    /// When the invocation has to end.
    pub(super) deadline: Deadline,
    /// Who has the jobs done.
    pub(super) reviewer: Reviewer<'a>,
}

/// Messages that failed for one reason.
pub(super) struct Failed {
    /// Their positions in the batch.
    pub(super) positions: BTreeSet<usize>,
    pub(super) problem: HandlerError,
}

/// The results of planning messages.
pub(super) struct PlannedJobs {
    pub(super) failed: Vec<Failed>,
    /// Messages that were ignored.
    pub(super) ignored: Vec<(usize, Ignored)>,
    /// The jobs of the others.
    pub(super) origins: Vec<JobOrigin>,
}

/// The cause of a job, and the positions of the messages that asked for it.
pub(super) struct JobOrigin {
    pub(super) cause: Cause,
    pub(super) served: BTreeSet<usize>,
}

/// A long errand, with the positions of the messages that asked for it.
struct Long {
    served: BTreeSet<usize>,
    errand: Errand,
    /// How much time it needs, in seconds.
    needs: u64,
}

impl Shell<'_> {
    /// Plans the messages of a batch, and adds the failed ones to its answer.
    pub(super) async fn plan_batch<'b>(
        self,
        records: &[&'b BatchRecord],
        batch: &mut Batch<'b>,
    ) -> PlannedJobs {
        let incoming: Vec<Incoming<'_>> = records
            .iter()
            .map(|record| Incoming {
                id: Some(record.id.as_deref().unwrap_or(NAMELESS)),
                repeated: record.is_repeated(),
                from_queue: match self.queue {
                    Queue::Sqs(queues) => record.lay_in(&queues.events),
                    Queue::InProcess(_) => false,
                },
                message: &record.message,
            })
            .collect();
        let mut planned = self.plan(&incoming).await;
        // Several records that fail for the same reason are logged once.
        let mut told: BTreeMap<String, (HandlerError, Vec<&BatchRecord>)> = BTreeMap::new();
        for Failed { positions, problem } in std::mem::take(&mut planned.failed) {
            let served = positions.into_iter().map(|position| records[position]);
            match problem {
                // Logged already, with its reason.
                HandlerError::Rejected(_) => served.for_each(|record| batch.keep(record)),
                problem => {
                    let (_, failed) =
                        told.entry(problem.to_string()).or_insert_with(|| (problem, Vec::new()));
                    failed.extend(served);
                }
            }
        }
        told.values().for_each(|(problem, failed)| batch.fail(failed, problem));
        planned
    }

    /// Plans messages, queues their tasks and does their errands while there is time.
    pub(super) async fn plan(self, incoming: &[Incoming<'_>]) -> PlannedJobs {
        let Arrived { jobs, ignored, failed } = engine::arrive(self.keeper, incoming).await;
        let failed = failed
            .into_iter()
            .map(|(position, why)| Failed { positions: BTreeSet::from([position]), problem: why.into() });
        let mut planned = PlannedJobs { failed: failed.collect(), ignored, origins: Vec::new() };
        // Long work comes last, when the tasks of all events are queued.
        let mut long = VecDeque::new();
        for (served, effects) in jobs {
            let cause = effects.iter().find_map(Effect::cause).cloned();
            planned.origins.extend(cause.map(|cause| JobOrigin { cause, served: served.clone() }));
            match self.perform(effects).await {
                // A second errand is left to another invocation if this one has no time for both.
                Ok(errands) => long.extend(errands.into_iter().map(|errand| Long {
                    served: served.clone(),
                    errand,
                    needs: 2 * PAGE_SECONDS,
                })),
                Err(problem) => planned.failed.push(Failed { positions: served, problem }),
            }
        }
        planned.failed.extend(self.run_long(long).await);
        planned
    }

    /// Does an errand to its end, or while there is time.
    pub(super) async fn run_whole(self, errand: Errand) -> Result<(), HandlerError> {
        let long = Long { served: BTreeSet::from([0]), errand, needs: 0 };
        let failed = self.run_long(VecDeque::from([long])).await;
        failed.into_iter().next().map_or(Ok(()), |Failed { problem, .. }| Err(problem))
    }

    /// Does long errands while there is time. The first one is done in any case.
    async fn run_long(self, mut long: VecDeque<Long>) -> Vec<Failed> {
        let mut failed = Vec::new();
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
                Err(problem) => failed.push(Failed { positions: served, problem }),
            }
        }
        failed
    }

    /// Does an errand, and returns the errands that continue it.
    async fn run(self, errand: Errand) -> Result<Vec<Errand>, HandlerError> {
        let effects = engine::run_errand(self.keeper, errand, self.deadline).await?;
        self.perform(effects).await
    }

    /// Does the task in a message.
    pub(super) async fn work(self, record: &BatchRecord) -> Result<(), HandlerError> {
        let task = match &record.message {
            Message::Event(value) => serde_json::from_value::<Task>(value.clone())
                .map_err(|error| HandlerError::ForeignErrand(error.to_string()))?,
            Message::Unreadable(reason) => return Err(HandlerError::Rejected(reason.clone())),
        };
        self.do_task(task, self.handout(record)).await
    }

    /// Does a task, and performs its effects.
    pub(super) async fn do_task(self, task: Task, handout: Handout) -> Result<(), HandlerError> {
        let effects =
            Box::pin(engine::run_task(self.keeper, task, (handout, self.deadline), self.reviewer)).await?;
        for errand in self.perform(effects).await? {
            // By way of the queue, so that the task's group is free.
            self.later(errand, 0).await?;
        }
        Ok(())
    }

    /// How SQS handed out a task.
    fn handout(&self, record: &BatchRecord) -> Handout {
        let BatchRecord { sent_ms, received_ms, .. } = *record;
        Handout { sequence: self.sequence(record), sent_ms, received_ms }
    }

    /// The task's place in its queue, if SQS numbered it.
    fn sequence(&self, record: &BatchRecord) -> Option<Sequence> {
        let Queue::Sqs(QueueSettings { tasks, deployment, .. }) = self.queue else { return None };
        let number = record.sequence.as_deref()?.parse().ok()?;
        let queue = format!("{tasks} {}", deployment.as_deref().unwrap_or_default());
        Some(Sequence::new(number, record.sent_ms.unwrap_or_default(), &queue))
    }

    /// Performs effects in their order, up to the first that fails. Tasks that follow each other are sent together.
    /// Returns the errands that continue at once.
    pub(super) async fn perform(self, effects: Vec<Effect>) -> Result<Vec<Errand>, HandlerError> {
        let (mut tasks, mut go_on) = (Vec::new(), Vec::new());
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            if !matches!(effect, Effect::Queue(_)) {
                self.send(std::mem::take(&mut tasks)).await?;
            }
            match effect {
                Effect::Queue(task) => tasks.push(task),
                Effect::Later(errand, delay_seconds) => self.later(errand, delay_seconds).await?,
                Effect::Wait(task, delay_seconds, why) => {
                    self.queue.note_waiting(&task, why);
                    self.later(Errand::Retry(task), delay_seconds).await?;
                }
                Effect::GiveUp(why) => self.queue.note_given_up(why),
                Effect::GoOn(errand) => go_on.push(errand),
                Effect::Tell(notice) => {
                    self.queue.note(&notice);
                    tell(self.keeper, notice).await;
                }
                Effect::Decide(undecided) => {
                    let decided = engine::decide(self.keeper, *undecided).await;
                    decided.into_iter().rev().for_each(|effect| effects.push_front(effect));
                }
                Effect::Fail(stopped) => return Err(stopped.into()),
            }
        }
        self.send(tasks).await?;
        Ok(go_on)
    }

    /// Queues tasks. Every message of a chain passes this function or [`Shell::later`], which count it.
    async fn send(self, tasks: Vec<Task>) -> Result<(), HandlerError> {
        let goes_on = |mut task: Task| {
            let goes_on = task.cause_mut().hop();
            if !goes_on {
                given_up(&task.group(), task.cause());
            }
            goes_on.then_some(task)
        };
        let tasks: Vec<Task> = tasks.into_iter().filter_map(goes_on).collect();
        if tasks.is_empty() { Ok(()) } else { self.queue.send(self.keeper, tasks).await }
    }

    /// Queues an errand with a delay.
    async fn later(self, mut errand: Errand, delay_seconds: u16) -> Result<(), HandlerError> {
        if !errand.cause_mut().hop() {
            given_up(errand.kind(), errand.cause());
            return Ok(());
        }
        self.queue.later(self.keeper, errand, delay_seconds).await
    }
}

/// Logs that a chain of messages reached its bound. The next sweep begins a new one.
fn given_up(what: &str, cause: &Cause) {
    error!(
        error.kind = "GivenUp",
        hops = cause.hops,
        event.id = %cause.event,
        "{what} is left to the next sweep: one event led to {MOST_HOPS} messages: {}",
        cause.reason
    );
}
