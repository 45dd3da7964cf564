//! Applies a survey without queues: both wings, and the revision's limits over everything that was read.

use super::apply::write_targets;
use super::granting::write_grants;
use super::logged::log;
use super::owner::forget_lost;
use super::remembered::Remembered;
use super::run::Queued;
use super::survey::{Admission, Survey, survey_as};
use super::unusable::record_unusable;
use super::{Keeper, Progress, Step, Stopped, in_rounds};
use crate::baseline::{Baseline, Mode};
use crate::ledger::LedgerError;
use crate::limits::{Extent, is_repair, is_repair_of_a_grant};
use crate::plan::{Decision, HoldReason};
use crate::report::Report;
use crate::trigger::Scope;

/// One whole run over a part of the organization: look, decide, write, record.
///
/// # Errors
/// When the run stopped before anything was written.
pub async fn reconcile(
    keeper: &Keeper,
    baseline: &Baseline,
    scope: &Scope,
    progress: Progress<'_>,
) -> Result<Report, Stopped> {
    let admission = Admission::WithinLimits;
    in_rounds(keeper, async |again| {
        let survey = survey_as(keeper, baseline, scope, &admission, again, progress).await?;
        Ok(apply(keeper, baseline, survey, progress).await)
    })
    .await
}

/// Applies the plan of a survey, and records it. Never stops early: a failure is a result like any other.
pub async fn apply(keeper: &Keeper, baseline: &Baseline, survey: Survey, progress: Progress<'_>) -> Report {
    let Survey { plan, view, strangers, .. } = match baseline.mode {
        Mode::Audit => survey,
        // What follows from another keeper's record is not applied from here.
        Mode::Sync | Mode::EnforceOnly if survey.by_record.is_some() => Survey {
            plan: survey.plan.map(|plan| {
                let held = || Some(HoldReason::NotProven);
                plan.hold_changes(|_| held()).hold_grants(|_| held()).without_clean_ups()
            }),
            ..survey
        },
        Mode::Sync | Mode::EnforceOnly => begin(keeper, baseline, survey).await,
    };
    let plan = plan.into_safe();
    let mut report = Report {
        strangers,
        warnings: view.known.warnings.clone(),
        ledger_trouble: view.known.trouble.clone(),
        ..Report::of(baseline.revision.clone(), plan.plan().clone())
    };
    progress(Step::Writing { changes: plan.plan().writes() });
    report.grants.extend(write_grants(keeper, baseline, plan.plan(), progress).await);
    write_targets(keeper, baseline, &mut report, plan, view, Queued::default(), progress).await;
    log(&report);
    report
}

/// Records what has to be recorded before the writes. If that fails, the changes are held: uncounted, they would
/// escape the limits.
async fn begin(keeper: &Keeper, baseline: &Baseline, mut survey: Survey) -> Survey {
    forget_lost(keeper, &survey.lost_grants).await;
    let approved = survey.admission == Admission::Approved;
    if let Err(error) = begin_revision(keeper, &survey).await {
        let trouble = format!("how far the baseline has come could not be recorded: {error}");
        survey.view.known.warnings.push(trouble.clone());
        survey.view.known.trouble.get_or_insert(trouble);
        let records = &survey.view.known.records;
        let held = |repair: bool| (!repair).then_some(HoldReason::LedgerUnavailable);
        survey.plan = survey.plan.map(|plan| {
            let plan = plan.hold_changes(|change| held(is_repair(change, records, &baseline.revision)));
            plan.hold_grants(|change| held(is_repair_of_a_grant(change, records))).without_clean_ups()
        });
    }
    if let Err(error) = record_unusable(keeper, baseline, survey.plan.plan(), approved).await {
        let trouble = format!("which guardrails can't be used could not be recorded: {error}");
        survey.view.known.warnings.push(trouble.clone());
        survey.view.known.trouble.get_or_insert(trouble);
        survey.plan = survey.plan.map(|plan| {
            plan.hold_changes(|change| change.gives_up().then_some(HoldReason::LedgerUnavailable))
        });
    }
    survey
}

/// Records how much this revision replaces and releases, before it does. A revision whose whole plan stays within its
/// limits is approved by that.
async fn begin_revision(keeper: &Keeper, survey: &Survey) -> Result<(), LedgerError> {
    let Remembered { records, approval, trouble, .. } = &survey.view.known;
    let plan = survey.plan.plan();
    // A plan without the ledger was not counted.
    let whole = survey.whole
        && trouble.is_none()
        && !plan.leaves_ours_undecided(records, survey.view.ledger_remembers(keeper));
    let extent = Extent::of(plan, records, &approval.revision);
    let stopped = plan.decisions.values().any(|decision| {
        matches!(decision, Decision::Held(held) if matches!(held.reason, HoldReason::NotApproved { .. }))
    });
    let now = keeper.clock.now().as_second();
    let approves = approval.approved || (whole && !stopped && approval.names_nobody.is_empty());
    keeper
        .ledger
        .change_revision_approval(|known| {
            // Another run may have recorded more of the same revision since it was read.
            let known_now = known.take().filter(|known| known.revision == approval.revision);
            let mut next = known_now.unwrap_or_else(|| approval.clone());
            if !approval.approved {
                next.done = next.done.plus(extent);
                if survey.admission != Admission::Approved {
                    next.unreviewed.add(&approval.revision, extent, now);
                }
            }
            next.approved |= approves;
            if approves && survey.whole {
                // All of it was seen, which is more than a count by the record tells.
                next.counted.get_or_insert(extent);
            }
            if survey.whole {
                next.names_nobody = approval.names_nobody.clone();
            }
            *known = Some(if survey.admission == Admission::Approved { next.approve() } else { next });
        })
        .await
}
