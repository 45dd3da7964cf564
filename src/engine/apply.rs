//! Applies a proven plan: one attempt at each change, recorded before and after.

use futures_util::future::{join, join_all};
use futures_util::stream::{self, StreamExt};
use std::sync::{Mutex, PoisonError};
use tracing::debug;

use super::accounts::place;
use super::logged::log;
use super::making::{Begun, clean, make};
use super::notes::{Decisions, RecordUpdates, by_account};
use super::owed::{Owed, tells};
use super::run::{Queued, Run};
use super::trials::Trials;
use super::view::View;
use super::{Keeper, Progress};
use crate::baseline::{Baseline, Mode};
use crate::failure::{Category, Failure};
use crate::ids::{AccountId, Target};
use crate::ledger::{LedgerError, Visit};
use crate::organization::AccountPlacement;
use crate::plan::{Change, CleanUp, Decision, Held, HoldReason, SafePlan};
use crate::report::{Report, TargetReport};
use crate::task::Handout;

/// Writes a plan in its accounts and records it. Never stops early: a failure is a result like any other.
pub(super) async fn write(
    keeper: &Keeper,
    baseline: &Baseline,
    plan: SafePlan,
    view: View,
    queued: Queued<'_>,
    progress: Progress<'_>,
) -> Report {
    let mut report = Report {
        warnings: view.known.warnings.clone(),
        ledger_trouble: view.known.trouble.clone(),
        ..Report::of(baseline.revision.clone(), plan.plan().clone())
    };
    write_targets(keeper, baseline, &mut report, plan, view, queued, progress).await;
    log(&report);
    report
}

/// Writes in the accounts, side by side, and adds the results to the report.
pub(super) async fn write_targets(
    keeper: &Keeper,
    baseline: &Baseline,
    report: &mut Report,
    plan: SafePlan,
    view: View,
    queued: Queued<'_>,
    progress: Progress<'_>,
) {
    if baseline.mode == Mode::Audit {
        // Audit hands nothing back, so the ledger isn't changed.
        report.handed_back.clear();
    }
    let View { organization, known, desired, observed, originals, .. } = &view;
    let trials = Trials::begin(keeper, baseline, organization, &known.placing).await;
    let run = Run {
        trials: &trials,
        organization,
        queued,
        originals,
        arrivals: &known.arrivals,
        progress,
        updates: RecordUpdates {
            baseline,
            desired,
            records: &known.records,
            observed,
            approvals: known.approval.approvals,
            cause: queued.cause,
            path: None,
            now: keeper.clock.now(),
            tells: tells(keeper, queued.handout.sequence.is_some()),
            own_roles: &keeper.settings.own_roles,
        },
    };
    let applied: Vec<AppliedSteps> = stream::iter(by_account(plan))
        .map(|(account, decisions)| apply_account(keeper, run, account, decisions))
        .buffer_unordered(keeper.settings.concurrency)
        .collect()
        .await;
    for AppliedSteps { results, owed, warnings, unrecorded } in applied {
        report.targets.extend(results);
        report.owed.extend(owed);
        if report.ledger_trouble.is_none() {
            report.ledger_trouble = unrecorded;
        }
        report.warnings.extend(warnings);
    }
    report.placement_decided = trials.decided();
    report.before = view.known.records;
}

async fn apply_account(
    keeper: &Keeper,
    run: Run<'_>,
    account: AccountId,
    decisions: Decisions,
) -> AppliedSteps {
    let Run { organization, queued, arrivals, updates, .. } = run;
    let Decisions { changes, clean_ups, decided, handed_back } = decisions;
    if keeper.is_stopping() {
        let clean_ups = clean_ups.into_iter().map(|clean_up| not_begun(clean_up.target, None));
        let changes = changes.into_iter().map(|change| not_begun(change.target().clone(), Some(change)));
        return AppliedSteps { results: changes.chain(clean_ups).collect(), ..AppliedSteps::default() };
    }
    let path = organization.accounts.get(&account).map(|account| &account.path);
    let updates = RecordUpdates { path, ..updates };
    let Queued { handout: Handout { sequence, received_ms, .. }, placement, .. } = queued;
    let visit = Visit { sequence, placement, received_ms, arrival: arrivals.get(&account) };
    let mut warnings = Vec::new();
    let now = keeper.clock.now();
    let cleaned = clean_ups.iter().map(|clean_up| &clean_up.target);
    let targets = changes.iter().map(Change::target).chain(cleaned.clone()).chain(decided.keys());
    let mut owed = updates.owed(targets);
    let beginning = |change: &Change| {
        let before = updates.made_before(change.target(), &owed);
        before.into_iter().chain(updates.beginning(change, now)).collect::<Vec<_>>()
    };
    let before = cleaned.flat_map(|target| updates.made_before(target, &owed));
    let begun: Vec<_> = changes.iter().flat_map(beginning).chain(before).collect();
    let recorded = if begun.is_empty() { Ok(()) } else { keeper.ledger.note(&account, visit, begun).await };
    if let Err(error) = &recorded {
        warnings.push(format!("{account}: failed to write the ledger: {error}"));
        owed.clear();
    }
    let mut moved = None;
    if changes.iter().any(Change::is_release) || clean_ups.iter().any(CleanUp::is_release) {
        moved = has_moved(keeper, queued, &account).await;
    }
    let found = Mutex::default();
    let begun = Begun { at: now, recorded: &recorded, moved: moved.as_ref(), found: &found };
    let made = join_all(changes.into_iter().map(|change| make(keeper, run, begun, change)));
    let cleaned = join_all(clean_ups.into_iter().map(|clean_up| clean(keeper, run, begun, clean_up)));
    let (mut results, cleaned) = join(made, cleaned).await;
    results.extend(cleaned);
    let now = keeper.clock.now();
    let mut notes = updates.all_handed_back(&handed_back, now);
    notes.extend(decided.keys().flat_map(|target| updates.made_before(target, &owed)));
    notes.extend(decided.iter().flat_map(|(target, it)| updates.decision(target, it, now)));
    // What was there right before a write is newer than what the plan was made from.
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let newer = RecordUpdates { observed: &found, ..updates };
    let owed_by_now = newer.owed(found.keys());
    for (target, result) in &results {
        let updates = if found.contains_key(target) { newer } else { updates };
        notes.extend(updates.made_before(target, &owed_by_now));
        notes.extend(updates.result(target, result, now));
    }
    owed.extend(owed_by_now);
    let applied = AppliedSteps { results, owed, warnings, unrecorded: None };
    match keeper.ledger.note(&account, visit, notes).await {
        Ok(()) => applied,
        Err(error) => applied.without_its_record(&account, &error),
    }
}

/// Why the account no longer stands where it did when the task was queued; `None` if it does. A release that was right
/// for the old place may be wrong for the new one.
async fn has_moved(keeper: &Keeper, queued: Queued<'_>, account: &AccountId) -> Option<Failure> {
    let AccountPlacement { account: stood, placed_at } = queued.placement?;
    let wait = |message: String| Failure::new(Category::NotReady, "DescribeAccount", message);
    match place(keeper, account).await {
        Ok(Some(placement)) if placement.account.path == stood.path => None,
        Ok(Some(AccountPlacement { account: now, .. })) => {
            Some(wait(format!("it moved from {} to {} since {placed_at}", stood.path, now.path)))
        }
        Ok(None) => Some(wait("it is no member of the organization any more".to_owned())),
        Err(stopped) => {
            let failure = stopped.failure().cloned();
            Some(failure.unwrap_or_else(|| Failure::transient("DescribeAccount", stopped.to_string())))
        }
    }
}

/// The report of a change or clean-up that was not begun, because the process was asked to stop.
fn not_begun(target: Target, would: Option<Change>) -> (Target, TargetReport) {
    let held = Held { reason: HoldReason::Interrupted, would };
    (target, TargetReport::Decided(Decision::Held(held)))
}

#[derive(Default)]
struct AppliedSteps {
    results: Vec<(Target, TargetReport)>,
    owed: Owed,
    warnings: Vec<String>,
    /// Why the results could not be recorded, if so.
    unrecorded: Option<String>,
}

impl AppliedSteps {
    /// The results, where recording them failed.
    fn without_its_record(mut self, account: &AccountId, error: &LedgerError) -> AppliedSteps {
        // The next look publishes them: they stay in the record.
        self.owed.clear();
        if error.is_superseded() {
            debug!("{account}: {error}");
            return self;
        }
        let trouble = format!("{account}: failed to record what was written: {error}");
        if self.results.is_empty() {
            // The look changed nothing. Still the account's place is not recorded, and a task from before could use an
            // older place.
            debug!("{trouble}");
        } else {
            self.warnings.push(trouble.clone());
        }
        self.unrecorded = Some(trouble);
        self
    }
}
