//! One invocation: from a payload to an answer. What Lambda runs, the demo and the tests run too.
//!
//! Events become tasks, and tasks are worked on one at a time for each account. The queues are SQS's, or this process's.

mod in_process;
mod queue;
mod shell;
mod telling;

use std::collections::BTreeSet;
use std::fmt;

use aws_lambda_events::sqs::SqsBatchResponse;
use serde_json::{Value, json};
use tracing::error;

use crate::engine::{Incoming, Keeper, NAMELESS, Stopped, Unplanned};
use crate::settings::QueueSettings;
use crate::trigger::{Delivery, Message, Record, Rejected};
use queue::Queue;
use shell::{Failed, Shell};

pub use crate::engine::Deadline;

/// Why an invocation failed, so that Lambda delivers it again and at last puts it aside.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The payload is no event.
    #[error("not an event: {0}")]
    Rejected(Rejected),
    /// The work stopped. What was queued before it did is queued.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Something is left that may work later.
    #[error("{left} of {looked_at} targets and policies are worth another try: {first}")]
    Incomplete {
        /// How many of them are left.
        left: usize,
        /// How many targets and resource policies there were.
        looked_at: usize,
        /// The first of them, with its reason.
        first: String,
    },
    /// There is no baseline to go by, neither a present one nor an earlier one.
    #[error("{0}")]
    NoBaseline(String),
    /// Work could not be put into a queue.
    #[error("not queued: {0}")]
    NotQueued(String),
    /// A message has the form of our own and can't be understood: another version wrote it.
    #[error("not a message of this version: {0}")]
    ForeignErrand(String),
    /// A record of a batch failed that has no id to name it by.
    #[error("a record without a messageId failed, so the whole batch counts as failed")]
    NamelessRecord,
}

impl HandlerError {
    /// A stable name: Lambda's `errorType`, which alarms and people go by.
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
            Unplanned::NotBegun(why) => HandlerError::NotQueued(why),
        }
    }
}

/// Answers one payload: an EventBridge event, or a batch of messages from SQS.
///
/// # Errors
/// Where Lambda should deliver the payload again. For a batch, failed records are named in the
/// answer instead, and only a failure that can't be told apart fails the whole of it.
pub async fn handle(keeper: &Keeper, payload: &str) -> Result<Value, HandlerError> {
    handle_until(keeper, payload, Deadline::NONE).await
}

/// As [`handle`], with an end to the time there is. Long work goes on in another invocation.
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
    let shell = Shell { keeper, queue: Queue::Sqs(queues), deadline };
    match delivery {
        Delivery::Event(event) => queue_event(shell, &event).await,
        Delivery::Batch(records) => queue_batch(shell, queues, &records).await,
    }
}

/// An event that came straight to the function: planned and queued like any other.
async fn queue_event(shell: Shell<'_>, event: &Message) -> Result<Value, HandlerError> {
    let incoming = Incoming { id: None, repeated: false, from_queue: false, message: event };
    match shell.plan(&[incoming]).await.failed.into_iter().next() {
        Some(Failed { problem, .. }) => Err(problem),
        None => Ok(json!({ "outcome": "queued" })),
    }
}

/// A batch of either queue. Records of both never come together; if they did, each has its own fate.
async fn queue_batch(
    shell: Shell<'_>,
    queues: &QueueSettings,
    records: &[Record],
) -> Result<Value, HandlerError> {
    let mut batch = Batch::default();
    let (tasks, events): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| lay_in(record, &queues.tasks));
    shell.plan_batch(&events, &mut batch).await;
    for record in tasks {
        if let Err(problem) = shell.work(record).await {
            batch.fail(&[record], &problem);
        }
    }
    batch.answer()
}

/// What becomes of the records of one batch.
#[derive(Default)]
struct Batch<'a> {
    /// The ids of those that SQS shall keep. `None` stands for any without an id.
    failed: BTreeSet<Option<&'a str>>,
}

impl<'a> Batch<'a> {
    /// Has SQS keep a record.
    fn keep(&mut self, record: &'a Record) {
        self.failed.insert(record.id.as_deref());
    }

    fn fail(&mut self, records: &[&'a Record], problem: &HandlerError) {
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
struct Ids<'a>(&'a [&'a Record]);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, record) in self.0.iter().enumerate() {
            let space = if position > 0 { " " } else { "" };
            write!(f, "{space}{}", record.id.as_deref().unwrap_or(NAMELESS))?;
        }
        Ok(())
    }
}

/// Whether a message lay in the queue of this URL.
fn lay_in(record: &Record, queue_url: &str) -> bool {
    record.queue.as_deref().is_some_and(|name| queue_url.rsplit('/').next() == Some(name))
}
