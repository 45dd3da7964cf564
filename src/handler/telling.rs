//! Reports results: to the log, to the bus as outcome events, and to the metrics.
//!
//! Never fails: an event that can't be published is a warning. Writes and departures stay in the record until they are
//! published; the next look tries again.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tracing::{info, warn};

use crate::cloud::OutcomeEvent;
use crate::engine::{
    self, ChangedBaseline, Departed, Keeper, Notice, OrganizationNotice, SweepEnd, TaskReport,
};
use crate::metrics::Metrics;
use crate::outcome::{
    AttentionNews, CompletedSweep, Event, Kind, of_baseline, of_departure, of_flood, of_organization_level,
    of_report, of_sweep,
};
use crate::settings::Purpose;
use crate::task::{Cause, Flooding};

/// How long the warnings at the end of a sweep may take.
const WARNINGS_TAKE: Duration = Duration::from_secs(20);

/// Reports one notice. The largest futures are boxed: they lie within those of the shell and the handler, and a thread's
/// stack has 2 MB.
pub(super) async fn tell(keeper: &Keeper, notice: Notice) {
    match notice {
        Notice::Report(told) => Box::pin(report(keeper, &told)).await,
        Notice::Departed(gone, cause) => departed(keeper, &gone, &cause).await,
        Notice::BaselineChanged(changed) => baseline_changed(keeper, *changed).await,
        Notice::Flooding(flood) => flooding(keeper, &flood).await,
        Notice::SweepCompleted(end) => Box::pin(sweep_completed(keeper, *end)).await,
        Notice::OrganizationLevel(notice) => Box::pin(organization_level(keeper, *notice)).await,
    }
}

/// Reports a look at the organization's level. What the bus didn't take is published by the next look, as far as it is so
/// then.
async fn organization_level(keeper: &Keeper, OrganizationNotice { report, cause }: OrganizationNotice) {
    let now = keeper.clock().now();
    engine::measure(keeper, |metrics| metrics.organization_level(&report));
    let known = match keeper.ledger().organization_level().await {
        Ok(known) => known,
        Err(error) => {
            warn!("failed to read what was published of the organization's level: {error}");
            return;
        }
    };
    let events = of_organization_level(&report, &known, &cause, now);
    if events.is_empty() || send(keeper, events).await {
        engine::note_organization_level_told(keeper, &report).await;
    }
}

/// Reports a task.
async fn report(keeper: &Keeper, TaskReport { report, cause, took, calls }: &TaskReport) {
    info!(
        counts = %json!(report.counts()),
        duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        aws_calls = calls.made,
        aws_throttles = calls.throttled,
        "{}",
        report.summary()
    );
    let now = keeper.clock().now();
    engine::measure(keeper, |metrics| metrics.report(report, cause, now));
    if send(keeper, of_report(report, cause, now)).await {
        engine::note_told(keeper, report).await;
    }
    if keeper.settings().bus.is_some()
        && let Some(news) = engine::news_of_task(keeper, report, cause).await
    {
        attention(keeper, &news, cause, false, now).await;
    }
}

/// Publishes what people have to hear, as one message. It stays in the record until it is published.
async fn attention(keeper: &Keeper, news: &AttentionNews, cause: &Cause, whole: bool, now: Timestamp) {
    // What another message covers counts as published as well.
    let covered = news.is_empty() && keeper.settings().bus.is_some();
    if covered || send(keeper, news.event(cause, whole, now).into_iter().collect()).await {
        engine::note_news_published(keeper, news).await;
    }
}

/// Reports a departed account. Not if the ledger never knew it: anyone can put an account id in an event. Not if its
/// departure was published before.
async fn departed(keeper: &Keeper, departed: &Departed, cause: &Cause) {
    info!(account.id = %departed.account, "{departed}");
    let Departed { account, reason, left_behind, known, recorded } = departed;
    if *recorded && !known {
        let event = of_departure(account, reason, left_behind, cause, keeper.clock().now());
        if send(keeper, vec![event]).await {
            engine::note_departure_told(keeper, account).await;
        }
    }
}

/// Reports a new revision of the baseline.
async fn baseline_changed(keeper: &Keeper, changed: ChangedBaseline) {
    let ChangedBaseline { baseline, approval, previous, cause } = changed;
    let now = keeper.clock().now();
    if send(keeper, vec![of_baseline(&baseline, &approval, previous.as_ref(), &cause, now)]).await {
        engine::note_baseline_told(keeper, &baseline.revision).await;
    }
}

/// Reports an account whose events come too fast: to the log each time, to the bus once an hour.
async fn flooding(keeper: &Keeper, flooding: &Flooding) {
    let named = engine::note_flood(keeper, flooding).await;
    let Flooding { sender, due, cause } = flooding;
    warn!(error.kind = "Flooding", sender = %sender, event.id = %cause.event, due = %due,
        "{sender} sends more events than each can have a look of its own: the next look is at {due:.0}");
    let Some(account) = named else { return };
    if send(keeper, vec![of_flood(&account, flooding, keeper.clock().now())]).await {
        engine::note_flood_told(keeper, &account).await;
    }
}

/// Reports the end of a sweep.
async fn sweep_completed(keeper: &Keeper, end: SweepEnd) {
    let SweepEnd { tally, accounts, began, followed, waiting, cause } = end;
    info!(counts = %json!(tally.standings), accounts, began = %began, "the sweep is completed: {}", cause.reason);
    let now = keeper.clock().now();
    engine::measure(keeper, |metrics| metrics.sweep(&tally.standings, tally.not_looked_at.len()));
    let is_reported = engine::is_report_due(keeper).await;
    let sweep = CompletedSweep {
        began,
        accounts,
        looked_at: tally.looked_at,
        not_looked_at: tally.not_looked_at.len(),
        closed: tally.closed,
        standings: &tally.standings,
        guarded: tally.guarded,
        is_reported,
        examples: &tally.examples,
        revision: &followed.revision,
        waiting: waiting.as_ref(),
    };
    let mut events = Vec::new();
    for (kind, versions) in [(Kind::Broken, &tally.broken), (Kind::Unguarded, &tally.unguarded)] {
        events.extend(versions.events(kind, &cause, Some(sweep.revision), true, now));
    }
    events.push(of_sweep(&sweep, &cause, now));
    if send(keeper, events).await {
        if is_reported {
            engine::measure(keeper, Metrics::reported);
            engine::note_reported(keeper).await;
        }
        attention(keeper, &tally.news, &cause, true, now).await;
    }
    // The warnings come last and may be cut short: the sweep is published by now, and the next one warns again.
    let warnings = engine::guardrail_warnings(keeper, &followed, began);
    match tokio::time::timeout(WARNINGS_TAKE, warnings).await {
        Ok(warnings) => warnings.iter().for_each(|warning| warn!("{warning}")),
        Err(_) => warn!("there was no time to compare the guardrails of all Regions"),
    }
}

/// Puts events on the bus, if there is one. Returns whether they are on it.
async fn send(keeper: &Keeper, events: Vec<Event>) -> bool {
    let Some(bus) = keeper.settings().bus.as_deref() else { return false };
    // The bus takes outcome events from the function alone. What a terminal does is printed there.
    if events.is_empty() || keeper.settings().purpose == Purpose::Terminal {
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
            warn!(events = events.len(), "failed to send outcome events to {bus}: {failure}");
            false
        }
    }
}
