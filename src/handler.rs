//! One invocation: from a payload to an answer. What Lambda runs, the demo and the tests run too.

use std::collections::BTreeSet;

use aws_lambda_events::sqs::SqsBatchResponse;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{Instrument, error, info, info_span};

use crate::baseline::Baseline;
use crate::reconcile::{Keeper, Stopped, unwatched};
use crate::report::Report;
use crate::trigger::{Accounts, Delivery, Rejected, Scope, Trigger, is_part_of, merge};

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
    #[error("{left} of {looked_at} targets are worth another try: {first}")]
    Incomplete {
        /// How many targets are left.
        left: usize,
        /// How many there were.
        looked_at: usize,
        /// The first of them, with its reason.
        first: String,
    },
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
            HandlerError::NamelessRecord => "NamelessRecord",
        }
    }
}

/// Answers one payload: an EventBridge event, or a batch of them from SQS.
///
/// # Errors
/// Where Lambda should deliver the payload again. For a batch, failed records are named in the
/// answer instead, and only a failure that can't be told apart fails the whole of it.
pub async fn handle(keeper: &Keeper, payload: &str) -> Result<Value, HandlerError> {
    match Delivery::parse(payload) {
        event @ Delivery::Event(_) => handle_event(keeper, &event).await,
        batch @ Delivery::Batch(_) => handle_batch(keeper, &batch).await,
    }
}

async fn handle_event(keeper: &Keeper, event: &Delivery) -> Result<Value, HandlerError> {
    let baseline = keeper.baseline().await;
    let context = keeper.context(baseline.as_ref().ok(), Timestamp::now());
    let trigger = event.decide(&context).into_iter().next().map(|(_, trigger)| trigger);
    match trigger.unwrap_or(Trigger::Reject(Rejected::NotAnObject)) {
        Trigger::Reconcile(scope) => {
            let baseline = baseline?;
            let report = run(keeper, &baseline, &scope).await?;
            incomplete(&report)?;
            Ok(json!({ "outcome": "reconcile", "reason": scope.reason(), "report": report.to_json() }))
        }
        Trigger::Departed { accounts, reason, event: _, at: _ } => {
            info!("no more calls in {}: {reason}", Accounts::Only(accounts.clone()));
            Ok(json!({ "outcome": "departed", "reason": reason.to_string(), "accounts": accounts }))
        }
        Trigger::Ignore(reason) => {
            info!(reason = reason.code(), "ignored: {reason}");
            Ok(json!({ "outcome": "ignore", "reason": reason.to_string() }))
        }
        Trigger::Reject(reason) => {
            error!("rejected: {reason}");
            Err(HandlerError::Rejected(reason))
        }
    }
}

async fn handle_batch(keeper: &Keeper, batch: &Delivery) -> Result<Value, HandlerError> {
    let baseline = keeper.baseline().await;
    let context = keeper.context(baseline.as_ref().ok(), Timestamp::now());
    let mut failed: BTreeSet<Option<String>> = BTreeSet::new();
    let mut wanted: Vec<(Option<String>, Scope)> = Vec::new();
    for (id, trigger) in batch.decide(&context) {
        let id = id.map(str::to_owned);
        let record = id.as_deref().unwrap_or("without an id");
        match trigger {
            Trigger::Reconcile(scope) => wanted.push((id, *scope)),
            Trigger::Departed { accounts, reason, event: _, at: _ } => {
                info!(record, "no more calls in {}: {reason}", Accounts::Only(accounts));
            }
            Trigger::Ignore(reason) => info!(record, reason = reason.code(), "ignored: {reason}"),
            Trigger::Reject(reason) => {
                error!(record, "rejected: {reason}");
                failed.insert(id);
            }
        }
    }
    for scope in merge(wanted.iter().map(|(_, scope)| scope.clone())) {
        let result = match &baseline {
            Ok(baseline) => match run(keeper, baseline, &scope).await {
                Ok(report) => incomplete(&report),
                Err(stopped) => Err(stopped.into()),
            },
            Err(stopped) => {
                Err(HandlerError::Incomplete { left: 0, looked_at: 0, first: stopped.to_string() })
            }
        };
        if let Err(problem) = result {
            error!(error.kind = problem.name(), "{problem}");
            let concerned = wanted.iter().filter(|(_, one)| is_part_of(one, &scope));
            failed.extend(concerned.map(|(id, _)| id.clone()));
        }
    }
    let mut answer = SqsBatchResponse::default();
    for id in failed {
        answer.add_failure(id.ok_or(HandlerError::NamelessRecord)?);
    }
    Ok(json!(answer))
}

async fn run(keeper: &Keeper, baseline: &Baseline, scope: &Scope) -> Result<Report, Stopped> {
    let span = info_span!("reconcile", scope = %scope, baseline.revision = %baseline.revision);
    async {
        info!("reconciling {scope}: {}", scope.reason());
        let report = keeper.reconcile(baseline, scope, &unwatched).await?;
        info!(counts = %json!(report.counts()), "{}", report.summary());
        Ok(report)
    }
    .instrument(span)
    .await
}

/// Whether something is left over that another delivery may finish.
fn incomplete(report: &Report) -> Result<(), HandlerError> {
    let unfinished = report.unfinished();
    match unfinished.first() {
        None => Ok(()),
        Some(first) => Err(HandlerError::Incomplete {
            left: unfinished.len(),
            looked_at: report.targets.len() + report.policies.len(),
            first: first.clone(),
        }),
    }
}
