//! An invocation where there are no queues: an event is worked on as it comes.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{Instrument, debug, error, info, info_span, warn};

use super::telling;
use super::{Batch, HandlerError, Ids};
use crate::baseline::Baseline;
use crate::engine::{self, Keeper, NAMELESS, PresentBaseline, Stopped, Told, unwatched};
use crate::ids::AccountId;
use crate::metrics::Calls;
use crate::outcome::{Look, of_departure};
use crate::report::Report;
use crate::task::{Cause, Pauses, cause_of};
use crate::trigger::{
    Accounts, Departure, Ignored, Merged, Message, Record, Regions, Rejected, Scope, Trigger, Why,
    merge_traced,
};

pub(super) async fn handle_event(keeper: &Keeper, event: &Message) -> Result<Value, HandlerError> {
    let now = keeper.clock().now();
    let trigger = event.decide(&engine::context(keeper, None, now));
    if let Err(settled) = scope_of(trigger.clone()) {
        tell_settled(keeper, &settled, &trigger).await;
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

pub(super) async fn handle_batch(keeper: &Keeper, records: &[Record]) -> Result<Value, HandlerError> {
    let now = keeper.clock().now();
    let mut batch = Batch::default();
    let unread = engine::context(keeper, None, now);
    let mut waiting: Vec<&Record> = Vec::new();
    for record in records {
        let trigger = record.message.decide(&unread);
        if let Err(settled) = scope_of(trigger.clone()) {
            tell_settled(keeper, &settled, &trigger).await;
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

fn listed(accounts: &BTreeSet<AccountId>) -> String {
    accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join(", ")
}

async fn run(keeper: &Keeper, baseline: &Baseline, scope: &Scope) -> Result<Report, Stopped> {
    let span = info_span!("reconcile", scope = %scope, baseline.revision = %baseline.revision);
    async {
        let (began, calls) = (Instant::now(), keeper.calls());
        let report = engine::reconcile(keeper, baseline, scope, &unwatched).await?;
        Ok(tell_run(keeper, report, began.elapsed(), keeper.calls().since(calls), scope).await)
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

/// Accounts that an event says are gone, where there is no queue and so nobody asks Organizations.
async fn tell_settled(keeper: &Keeper, settled: &Settled, trigger: &Trigger) {
    let (Settled::Departed(accounts, reason), Trigger::Departed { event, at, .. }) = (settled, trigger)
    else {
        return;
    };
    let now = keeper.clock().now();
    let cause = Cause {
        event: event.clone().unwrap_or_default(),
        reason: reason.to_string(),
        first_seen: now,
        happened: at.and_then(|second| Timestamp::from_second(second).ok()),
        attempt: 0,
        sweep: false,
        revision: None,
        arrival: None,
        hops: 0,
        pauses: Pauses::default(),
    };
    let mut events = Vec::new();
    for account in accounts {
        match keeper.ledger().account(account).await {
            Ok(record) if record.regions.is_empty() => {}
            Ok(record) => {
                let left_behind = record.regions_of_ours().cloned().collect();
                events.push(of_departure(account, &reason.to_string(), &left_behind, &cause, now));
            }
            Err(error) => warn!(account.id = %account, "what is left behind in it isn't known: {error}"),
        }
    }
    telling::send(keeper, events).await;
}

/// Tells the report of a run that did all of an event's work in one go.
async fn tell_run(keeper: &Keeper, report: Report, took: Duration, calls: Calls, scope: &Scope) -> Report {
    let whole = scope.accounts == Accounts::All && scope.regions == Regions::All;
    let look = if whole && scope.guardrail.is_none() { Look::Whole } else { Look::Part };
    let began = keeper.clock().now() - jiff::SignedDuration::try_from(took).unwrap_or_default();
    let cause = cause_of(scope, Some(&report.revision), "", began);
    let cause = Cause { sweep: look == Look::Whole, ..cause };
    let told = Told { report, cause, took, calls };
    telling::report(keeper, &told, look).await;
    if look == Look::Whole {
        engine::measure(keeper, |metrics| metrics.sweep(&told.report.standings(), 0));
    }
    told.report
}
