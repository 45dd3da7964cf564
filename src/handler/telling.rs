//! Tells what came of the work: to the log, to whoever listens on the bus, and in figures.
//!
//! Never fails: what can't be told is a warning. Writes and departures that could not be told stay owed in the record,
//! and the next look tells them.

use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Settled;
use crate::baseline::{Baseline, Revision};
use crate::cloud::OutcomeEvent;
use crate::engine;
use crate::engine::{Departed, Keeper, Tally};
use crate::limits::EffectiveBaseline;
use crate::metrics::Calls;
use crate::outcome::{Event, Kind, Look, Sweep, of_departure, of_report, of_sweep};
use crate::report::Report;
use crate::task::{Cause, Pauses, cause_of};
use crate::trigger::{Accounts, Regions, Scope, Trigger};

/// A run that is under way.
pub(super) struct Telling<'a> {
    keeper: &'a Keeper,
    began: Instant,
    calls: Calls,
}

impl<'a> Telling<'a> {
    /// A run begins.
    pub(super) fn begin(keeper: &'a Keeper) -> Telling<'a> {
        Telling { keeper, began: Instant::now(), calls: keeper.calls() }
    }

    /// The report of a task.
    pub(super) async fn task(self, report: &Report, cause: &Cause) {
        let look = if cause.sweep { Look::OfSweep } else { Look::Part };
        self.report(report, cause, look).await;
    }

    /// The report of a run that did all of an event's work in one go.
    pub(super) async fn run(self, report: &Report, scope: &Scope, baseline: &Baseline) {
        let whole = scope.accounts == Accounts::All && scope.regions == Regions::All;
        let look = if whole && scope.guardrail.is_none() { Look::Whole } else { Look::Part };
        let took = self.began.elapsed();
        let began = self.keeper.clock().now() - jiff::SignedDuration::try_from(took).unwrap_or_default();
        let cause = Cause { sweep: look == Look::Whole, ..direct_cause(scope, &baseline.revision, began) };
        let keeper = self.keeper;
        self.report(report, &cause, look).await;
        if look == Look::Whole {
            engine::measure(keeper, |metrics| metrics.sweep(&report.standings(), 0));
        }
    }

    async fn report(self, report: &Report, cause: &Cause, look: Look) {
        let Telling { keeper, began, calls } = self;
        let calls = keeper.calls().since(calls);
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(
            counts = %json!(report.counts()),
            duration_ms,
            aws_calls = calls.made,
            aws_throttles = calls.throttled,
            "{}",
            report.summary()
        );
        let now = keeper.clock().now();
        engine::measure(keeper, |metrics| metrics.report(report, cause, now));
        if send(keeper, of_report(report, cause, look, now)).await {
            engine::note_told(keeper, report).await;
        }
    }
}

/// An account that gets no calls any more. One that the record never knew may be anybody's: whoever
/// sends an event can name it. One that was known as departed was told of.
pub(super) async fn departed(keeper: &Keeper, departed: &Departed, cause: &Cause) {
    info!(account.id = %departed.account, "{departed}");
    let Departed { account, reason, left_behind, known, recorded } = departed;
    if *recorded && !known {
        let event = of_departure(account, reason, left_behind, cause, keeper.clock().now());
        if send(keeper, vec![event]).await {
            engine::note_departure_told(keeper, account).await;
        }
    }
}

/// Accounts that an event says are gone, where there is no queue and so nobody asks Organizations.
pub(super) async fn settled(keeper: &Keeper, settled: &Settled, trigger: &Trigger) {
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
    send(keeper, events).await;
}

/// A sweep that came to its end.
pub(super) async fn sweep_completed(
    keeper: &Keeper,
    tally: &Tally,
    accounts: usize,
    began: Timestamp,
    followed: &EffectiveBaseline,
    cause: &Cause,
) {
    info!(counts = %json!(tally.standings), accounts, began = %began, "the sweep is completed: {}", cause.reason);
    let now = keeper.clock().now();
    engine::measure(keeper, |metrics| metrics.sweep(&tally.standings, tally.not_looked_at.len()));
    let sweep = Sweep {
        began,
        accounts,
        looked_at: tally.looked_at,
        not_looked_at: tally.not_looked_at.len(),
        closed: tally.closed,
        standings: &tally.standings,
        examples: &tally.examples,
        revision: &followed.baseline.revision,
        waiting: followed.candidate.as_ref().map(|candidate| &candidate.revision),
    };
    let mut events = Vec::new();
    for (kind, versions) in [(Kind::Broken, &tally.broken), (Kind::Unguarded, &tally.unguarded)] {
        events.extend(versions.events(kind, cause, Some(sweep.revision), true, now));
    }
    events.push(of_sweep(&sweep, cause, now));
    send(keeper, events).await;
}

fn direct_cause(scope: &Scope, revision: &Revision, began: Timestamp) -> Cause {
    cause_of(scope, Some(revision), "", began)
}

/// Puts events on the bus, where there is one. Answers whether they are on it.
async fn send(keeper: &Keeper, events: Vec<Event>) -> bool {
    let Some(bus) = keeper.settings().bus.as_deref() else { return false };
    if events.is_empty() {
        return false;
    }
    let events: Vec<OutcomeEvent> = events
        .into_iter()
        .map(|Event { kind, detail, time }| OutcomeEvent {
            detail_type: kind.detail_type().to_owned(),
            detail,
            time,
        })
        .collect();
    match keeper.bus().put(bus, &events).await {
        Ok(()) => true,
        Err(failure) => {
            engine::measure(keeper, |metrics| metrics.untold(events.len()));
            warn!(events = events.len(), "outcome events could not be sent to {bus}: {failure}");
            false
        }
    }
}
