//! One invocation: from a payload to an answer. Lambda, the demo and the tests run it alike.
//!
//! Events become tasks, and tasks run one at a time for each account. The queues are in SQS, or in this process.

mod in_process;
mod queue;
mod shell;
mod telling;

use std::collections::BTreeSet;
use std::fmt;

use aws_lambda_events::sqs::SqsBatchResponse;
use serde_json::{Value, json};
use tracing::error;

use crate::engine::{Incoming, Keeper, NAMELESS, Reviewer, Stopped, Unplanned};
use crate::organization_level::OrganizationLevelReport;
use crate::report::Report;
use crate::settings::QueueSettings;
use crate::trigger::{BatchRecord, Delivery, Message, Rejected, Scope};
use queue::Queue;
use shell::{Failed, Shell};

pub use crate::engine::Deadline;

/// Why an invocation failed, so that the payload is delivered again, and ends in the dead letters after the last try.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The payload is not an event.
    #[error("not an event: {0}")]
    Rejected(Rejected),
    /// The job stopped. The effects before that were performed.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Some targets may work later, and nothing is left to wait for in this process.
    #[error("{left} of {looked_at} targets and policies are worth another try: {first}")]
    Incomplete {
        /// How many of them.
        left: usize,
        /// How many targets and resource policies there were.
        looked_at: usize,
        /// The first of them, with its reason.
        first: String,
    },
    /// There is no baseline: neither the present one nor an earlier one can be read.
    #[error("{0}")]
    NoBaseline(String),
    /// A job could not be queued.
    #[error("not queued: {0}")]
    NotQueued(String),
    /// A message has the form of an errand or a task and can't be parsed: another version of this program wrote it.
    #[error("not a message of this version: {0}")]
    ForeignErrand(String),
    /// A record without an id failed, so the answer can't name it.
    #[error("a record without a messageId failed, so the whole batch counts as failed")]
    NamelessRecord,
}

impl HandlerError {
    /// A stable name: Lambda's `errorType`, for alarms and people.
    pub fn name(&self) -> &'static str {
        match self {
            HandlerError::Rejected(_) => "EventRejected",
            HandlerError::Stopped(stopped) => stopped.name(),
            HandlerError::Incomplete { .. } => "Incomplete",
            HandlerError::NoBaseline(_) => "NoBaseline",
            HandlerError::NotQueued(_) => "NotQueued",
            HandlerError::ForeignErrand(_) => "ForeignErrand",
            HandlerError::NamelessRecord => "NamelessRecord",
        }
    }
}

impl From<Unplanned> for HandlerError {
    fn from(unplanned: Unplanned) -> HandlerError {
        match unplanned {
            Unplanned::Rejected(reason) => HandlerError::Rejected(reason),
            Unplanned::ForeignErrand(why) => HandlerError::ForeignErrand(why),
            Unplanned::NoBaseline(why) => HandlerError::NoBaseline(why),
            Unplanned::NotBegun(why) | Unplanned::NotKnown(why) => HandlerError::NotQueued(why),
        }
    }
}

/// Answers one payload: an EventBridge event, or a batch of messages from SQS.
///
/// # Errors
/// When the payload should be delivered again. For a batch the answer names the failed records; only a failure that
/// can't be attributed to a record fails the whole batch.
pub async fn handle(keeper: &Keeper, payload: &str) -> Result<Value, HandlerError> {
    handle_until(keeper, payload, Deadline::NONE).await
}

/// As [`handle`], until a deadline. Long work continues in another invocation.
///
/// # Errors
/// As [`handle`].
pub async fn handle_until(keeper: &Keeper, payload: &str, deadline: Deadline) -> Result<Value, HandlerError> {
    let delivery = Delivery::parse(payload);
    let Some(queues) = &keeper.settings().queues else {
        return match delivery {
            Delivery::Event(event) => in_process::handle_event(keeper, &event, deadline).await,
            Delivery::Batch(records) => in_process::handle_batch(keeper, &records, deadline).await,
        };
    };
    let shell = Shell { keeper, queue: Queue::Sqs(queues), deadline, reviewer: Reviewer::NOBODY };
    match delivery {
        Delivery::Event(event) => queue_event(shell, &event).await,
        Delivery::Batch(records) => queue_batch(shell, queues, &records).await,
    }
}

/// The results of jobs that were done in this process.
#[derive(Clone, Debug)]
pub struct DoneHere {
    /// The reports of all tasks, as one.
    pub report: Report,
    /// What came of the organization's level, where it was looked at.
    pub organization_level: Option<OrganizationLevelReport>,
    /// What failed or still waits, in words.
    pub unfinished: Vec<String>,
}

/// Does the jobs of a scope in this process, for a terminal without a deployed keeper, as far as possible without
/// waiting.
///
/// # Errors
/// When nothing could be begun.
pub async fn do_here(
    keeper: &Keeper,
    scope: &Scope,
    reviewer: Reviewer<'_>,
) -> Result<DoneHere, HandlerError> {
    Box::pin(in_process::do_scope(keeper, scope, reviewer)).await
}

/// An event that was sent to the function directly: planned and queued like any other.
async fn queue_event(shell: Shell<'_>, event: &Message) -> Result<Value, HandlerError> {
    let incoming = Incoming { id: None, repeated: false, from_queue: false, message: event };
    match shell.plan(&[incoming]).await.failed.into_iter().next() {
        Some(Failed { problem, .. }) => Err(problem),
        None => Ok(json!({ "outcome": "queued" })),
    }
}

/// A batch of either queue. Lambda doesn't mix the queues; if it did, each record would be handled by its own queue.
async fn queue_batch(
    shell: Shell<'_>,
    queues: &QueueSettings,
    records: &[BatchRecord],
) -> Result<Value, HandlerError> {
    let mut batch = Batch::default();
    let (tasks, events): (Vec<&BatchRecord>, Vec<&BatchRecord>) =
        records.iter().partition(|record| record.lay_in(&queues.tasks));
    shell.plan_batch(&events, &mut batch).await;
    for record in tasks {
        if let Err(problem) = shell.work(record).await {
            batch.fail(&[record], &problem);
        }
    }
    batch.answer()
}

/// The results of the records of a batch.
#[derive(Default)]
struct Batch<'a> {
    /// The ids of the records that SQS keeps; `None` stands for one without an id.
    failed: BTreeSet<Option<&'a str>>,
}

impl<'a> Batch<'a> {
    /// Lets SQS keep a record.
    fn keep(&mut self, record: &'a BatchRecord) {
        self.failed.insert(record.id.as_deref());
    }

    fn fail(&mut self, records: &[&'a BatchRecord], problem: &HandlerError) {
        error!(error.kind = problem.name(), records = %Ids(records), "{problem}");
        self.failed.extend(records.iter().map(|record| record.id.as_deref()));
    }

    fn answer(self) -> Result<Value, HandlerError> {
        let mut answer = SqsBatchResponse::default();
        for id in self.failed {
            answer.add_failure(id.ok_or(HandlerError::NamelessRecord)?);
        }
        Ok(json!(answer))
    }
}

/// The ids of records, for the log.
struct Ids<'a>(&'a [&'a BatchRecord]);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, record) in self.0.iter().enumerate() {
            let space = if position > 0 { " " } else { "" };
            write!(f, "{space}{}", record.id.as_deref().unwrap_or(NAMELESS))?;
        }
        Ok(())
    }
}
