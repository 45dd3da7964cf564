//! One invocation: from a payload to an answer. What Lambda runs, the demo and the tests run too.
//!
//! Where there are queues, events only become tasks, and tasks are worked on one at a time for each
//! account. Where there are none, an event is worked on as it comes.

mod planner;
mod sweeping;
mod telling;
mod worker;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::baseline::Baseline;
use crate::engine;
use crate::engine::{Keeper, PresentBaseline, Stopped, unwatched};
use crate::ids::AccountId;
use crate::report::Report;
use crate::trigger::{
    Accounts, Delivery, Departure, Ignored, Merged, Message, Record, Rejected, Scope, Trigger, Why,
    merge_traced,
};
use planner::{Failed, Incoming, Planner};
use telling::Telling;

/// Why an invocation failed, so that Lambda delivers it again and at last puts it aside.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The payload is no event.
    #[error("not an event: {0}")]
    Rejected(Rejected),
    /// The run stopped before anything was written.
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

/// Until when an invocation has to be done.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<tokio::time::Instant>);

impl Deadline {
    /// There is none.
    pub const NONE: Deadline = Deadline(None);

    /// So long from now.
    pub fn after(left: Duration) -> Deadline {
        Deadline(tokio::time::Instant::now().checked_add(left))
    }

    /// Whether at least so much time is left.
    fn leaves(self, seconds: u64) -> bool {
        self.0.is_none_or(|end| {
            end.saturating_duration_since(tokio::time::Instant::now()) >= Duration::from_secs(seconds)
        })
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
    match (Delivery::parse(payload), worker::planner(keeper, deadline)) {
        (Delivery::Event(event), None) => handle_event(keeper, &event).await,
        (Delivery::Batch(records), None) => handle_batch(keeper, &records).await,
        (Delivery::Event(event), Some(planner)) => queue_event(planner, &event).await,
        (Delivery::Batch(records), Some(planner)) => queue_batch(planner, &records).await,
    }
}

/// An event that came straight to the function: planned and queued like any other.
async fn queue_event(planner: Planner<'_>, event: &Message) -> Result<Value, HandlerError> {
    let incoming = Incoming { id: None, repeated: false, from_queue: false, message: event };
    match planner.plan(&[incoming]).await.into_iter().next() {
        Some(Failed { problem, .. }) => Err(problem),
        None => Ok(json!({ "outcome": "queued" })),
    }
}

/// A batch of either queue. Records of both never come together; if they did, each has its own fate.
async fn queue_batch(planner: Planner<'_>, records: &[Record]) -> Result<Value, HandlerError> {
    let mut batch = Batch::default();
    let (tasks, events): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| worker::lay_in(record, &planner.queues.tasks));
    let incoming: Vec<Incoming<'_>> = events
        .iter()
        .map(|record| Incoming {
            id: record.id.as_deref(),
            repeated: record.is_repeated(),
            from_queue: worker::lay_in(record, &planner.queues.events),
            message: &record.message,
        })
        .collect();
    for Failed { position, problem } in planner.plan(&incoming).await {
        match problem {
            // Told already, with its reason.
            HandlerError::Rejected(_) => {
                batch.failed.insert(events[position].id.as_deref());
            }
            problem => batch.fail(&[events[position]], &problem),
        }
    }
    for record in tasks {
        if let Err(problem) = planner.work(record).await {
            batch.fail(&[record], &problem);
        }
    }
    batch.answer()
}

async fn handle_event(keeper: &Keeper, event: &Message) -> Result<Value, HandlerError> {
    let now = keeper.clock().now();
    let trigger = event.decide(&engine::context(keeper, None, now));
    if let Err(settled) = scope_of(trigger.clone()) {
        telling::settled(keeper, &settled, &trigger).await;
        return settled.answer();
    }
    let PresentBaseline { baseline, instead_of, unread: _, refused: _ } = engine::present(keeper).await?;
    match scope_of(event.decide(&engine::context(keeper, Some(&baseline), now))) {
        Ok(scope) => {
            tell_unnamed(&scope);
            info!("reconciling {scope}: {}", scope.reason());
            let mut report = run(keeper, &baseline, &scope).await?;
            report.warnings.extend(instead_of);
            incomplete(&report, &scope)?;
            Ok(json!({ "outcome": "reconcile", "reason": scope.reason(), "report": report.to_json() }))
        }
        Err(settled) => settled.answer(),
    }
}

async fn handle_batch(keeper: &Keeper, records: &[Record]) -> Result<Value, HandlerError> {
    let now = keeper.clock().now();
    let mut batch = Batch::default();
    let unread = engine::context(keeper, None, now);
    let mut waiting: Vec<&Record> = Vec::new();
    for record in records {
        let trigger = record.message.decide(&unread);
        if let Err(settled) = scope_of(trigger.clone()) {
            telling::settled(keeper, &settled, &trigger).await;
        }
        if batch.take(record, trigger).is_some() {
            waiting.push(record);
        }
    }
    if !waiting.is_empty() {
        match engine::present(keeper).await {
            Ok(PresentBaseline { baseline, .. }) => batch.work(keeper, &baseline, now, &waiting).await,
            Err(stopped) => batch.fail(&waiting, &stopped.into()),
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
    /// Settles a record, or answers what has to be looked at for it.
    fn take(&mut self, record: &'a Record, trigger: Trigger) -> Option<Scope> {
        match scope_of(trigger) {
            Ok(scope) => Some(scope),
            Err(settled) => {
                settled.log(record.id.as_deref().unwrap_or(NAMELESS), record.is_repeated());
                if let Settled::Rejected(_) = settled {
                    self.failed.insert(record.id.as_deref());
                }
                None
            }
        }
    }

    /// Does what the records ask for, each piece of work once.
    async fn work(&mut self, keeper: &Keeper, baseline: &Baseline, now: Timestamp, records: &[&'a Record]) {
        let context = engine::context(keeper, Some(baseline), now);
        let mut concerned: Vec<&Record> = Vec::new();
        let mut scopes: Vec<Scope> = Vec::new();
        for record in records {
            if let Some(scope) = self.take(record, record.message.decide(&context)) {
                concerned.push(record);
                scopes.push(scope);
            }
        }
        for Merged { scope, from } in merge_traced(scopes) {
            let served: Vec<&Record> = from.iter().map(|position| concerned[*position]).collect();
            tell_unnamed(&scope);
            info!(records = %Ids(&served), "reconciling {scope}: {}", scope.reason());
            let result = match run(keeper, baseline, &scope).await {
                Ok(report) => incomplete(&report, &scope),
                Err(stopped) => Err(stopped.into()),
            };
            if let Err(problem) = result {
                self.fail(&served, &problem);
            }
        }
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

/// What becomes of an event for which nothing is looked at.
enum Settled {
    Departed(BTreeSet<AccountId>, Departure),
    Ignored(Ignored),
    Rejected(Rejected),
}

/// What has to be looked at for an event, if anything has to.
///
/// Asked without a baseline first: that only narrows, so what needs no look then needs none at all,
/// and no call is made for it.
fn scope_of(trigger: Trigger) -> Result<Scope, Settled> {
    match trigger {
        Trigger::Reconcile(scope) => Ok(*scope),
        Trigger::Departed { accounts, reason, event: _, at: _ } => Err(Settled::Departed(accounts, reason)),
        Trigger::Ignore(reason) => Err(Settled::Ignored(reason)),
        Trigger::Reject(reason) => Err(Settled::Rejected(reason)),
    }
}

/// Tells of an event that leaves out which account it is about.
fn tell_unnamed(scope: &Scope) {
    if scope.reasons.contains(&Why::AccountNotNamed) {
        let events: Vec<&str> = scope.events.iter().map(String::as_str).collect();
        warn!(reason = Why::AccountNotNamed.code(), event.id = %events.join(", "), "{}", Why::AccountNotNamed);
    }
}

impl Settled {
    /// The answer to an event that came alone.
    fn answer(self) -> Result<Value, HandlerError> {
        match self {
            Settled::Departed(accounts, reason) => {
                info!(reason = reason.code(), "no more calls in {}: {reason}", listed(&accounts));
                Ok(json!({ "outcome": "departed", "reason": reason.to_string(), "accounts": accounts }))
            }
            Settled::Ignored(reason) => {
                info!(reason = reason.code(), "ignored: {reason}");
                Ok(json!({ "outcome": "ignore", "reason": reason.to_string() }))
            }
            // Not logged here: the runtime logs what an invocation fails with, and Lambda doesn't
            // tell the first of its three attempts from the others.
            Settled::Rejected(reason) => Err(HandlerError::Rejected(reason)),
        }
    }

    /// Tells of a message of a batch. `repeated` ones were told of before.
    fn log(&self, id: &str, repeated: bool) {
        match self {
            Settled::Departed(accounts, reason) => {
                info!(record = id, reason = reason.code(), "no more calls in {}: {reason}", listed(accounts));
            }
            Settled::Ignored(reason) => info!(record = id, reason = reason.code(), "ignored: {reason}"),
            // SQS hands it out again until the queue puts it aside, and its reason stays the same.
            Settled::Rejected(reason) if repeated => {
                debug!(record = id, reason = reason.code(), "rejected again: {reason}");
            }
            Settled::Rejected(reason) => error!(record = id, reason = reason.code(), "rejected: {reason}"),
        }
    }
}

/// What a record without an id is called in the log.
const NAMELESS: &str = "without an id";

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

fn listed(accounts: &BTreeSet<AccountId>) -> String {
    accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join(", ")
}

async fn run(keeper: &Keeper, baseline: &Baseline, scope: &Scope) -> Result<Report, Stopped> {
    let span = info_span!("reconcile", scope = %scope, baseline.revision = %baseline.revision);
    async {
        let telling = Telling::begin(keeper);
        let report = engine::reconcile(keeper, baseline, scope, &unwatched).await?;
        telling.run(&report, scope, baseline).await;
        Ok(report)
    }
    .instrument(span)
    .await
}

/// Whether something is left over that another delivery may finish.
fn incomplete(report: &Report, scope: &Scope) -> Result<(), HandlerError> {
    let unfinished = match scope.accounts {
        Accounts::All => report.unfinished_in_a_sweep(),
        Accounts::Only(_) => report.unfinished(),
    };
    match unfinished.first() {
        None => Ok(()),
        Some(first) => Err(HandlerError::Incomplete {
            left: unfinished.len(),
            looked_at: report.targets.len() + report.grants.len(),
            first: first.clone(),
        }),
    }
}
