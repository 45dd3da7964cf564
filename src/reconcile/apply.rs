//! Carries out a plan that was proven: one attempt at each change, each recorded before and after.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tracing::{Instrument, debug, error, info, info_span, warn};

use super::copies::{Originals, ensure_copy};
use super::{Keeper, Progress, Step, Survey};
use crate::baseline::{Baseline, Mode, Revision};
use crate::cloud::{PolicyWriter, Writer};
use crate::enforcement::Enforcement;
use crate::failure::{Category, Failure};
use crate::ids::{AccountId, Target};
use crate::limits::{Extent, Rollout};
use crate::observed::Observation;
use crate::plan::{
    Change, Correction, Decision, HoldReason, InSync, LeftAlone, Ownership, Plan, PolicyAction, PolicyChange,
    PolicyDecision, Purpose, SafePlan,
};
use crate::record::{Granted, Intent, Note, Origin, Ours, Records};
use crate::report::{Outcome, PolicyReport, Report, TargetReport};
use crate::resource_policy::{Document, PolicyHold, Resource};

impl Keeper {
    /// Applies what a survey planned, and records it. Never stops early: a failure is an outcome.
    pub async fn apply(&self, baseline: &Baseline, survey: Survey, progress: Progress<'_>) -> Report {
        let Survey {
            plan,
            organization: _,
            whole,
            strangers,
            ledger_remembers,
            lost_grants,
            rollout,
            records,
            warnings,
            originals,
        } = survey;
        let extent = Extent::of(plan.plan(), &records, &baseline.revision);
        let mut report =
            Report { strangers, warnings, ..Report::of(baseline.revision.clone(), plan.plan().clone()) };
        let changes = plan.plan().changes().count() + plan.plan().policy_changes().count();
        progress(Step::Writing { changes });

        if baseline.mode != Mode::Audit {
            for resource in &lost_grants {
                self.record_grant(resource, None).await;
            }
            let whole = whole && !plan.plan().leaves_ours_undecided(&records, ledger_remembers);
            let begun = self.begin_rollout(plan.plan(), rollout, extent, whole).await;
            report.warnings.extend(begun);
        }
        for (resource, written) in self.write_policies(baseline, plan.plan(), progress).await {
            report.policies.insert(resource, written);
        }
        let accounts = by_account(plan, &records, baseline, Timestamp::now());
        let run = Run { baseline, originals: &originals, progress };
        let applied: Vec<Applied> = stream::iter(accounts)
            .map(|(account, decisions)| self.apply_account(run, account, decisions))
            .buffer_unordered(self.settings.concurrency)
            .collect()
            .await;
        for Applied { outcomes, warnings } in applied {
            for (target, outcome) in outcomes {
                report.targets.insert(target, TargetReport::Attempted(outcome));
            }
            report.warnings.extend(warnings);
        }
        log(&report);
        report
    }

    /// Records how much this revision will have replaced and released, before it does. A revision
    /// that was seen whole and stayed within its limits is approved by that.
    async fn begin_rollout(
        &self,
        plan: &Plan,
        rollout: Rollout,
        extent: Extent,
        whole: bool,
    ) -> Option<String> {
        let stopped = plan.decisions.values().any(|decision| {
            matches!(decision, Decision::Held(held) if matches!(held.reason, HoldReason::NotApproved { .. }))
        });
        let next = Rollout {
            approved: rollout.approved || (whole && !stopped),
            done: if rollout.approved { rollout.done } else { rollout.done.plus(extent) },
            revision: rollout.revision.clone(),
        };
        let known = self.ledger.rollout().await.ok().flatten();
        if known.as_ref() == Some(&next) {
            return None;
        }
        let failed = self.ledger.set_rollout(next).await.err()?;
        Some(format!("how far the baseline has come could not be recorded: {failed}"))
    }

    /// Puts the grants in place that everything else rests on, one Region's after another.
    async fn write_policies(
        &self,
        baseline: &Baseline,
        plan: &Plan,
        progress: Progress<'_>,
    ) -> Vec<(Resource, PolicyReport)> {
        let mut written = Vec::new();
        for change in plan.policy_changes() {
            let resource = change.grant.resource.clone();
            let span = info_span!("apply", account.id = %resource.account(), region = %resource.region());
            let attempt = async {
                let session = self.cloud.session(&baseline.owner).await?;
                PolicyWriter::new(&session, resource.region()).write(change).await
            };
            // Recorded before it is written: a Put whose answer is lost is ours all the same, and a
            // record of what never arrived is forgotten at the next look.
            if is_all_ours(change) {
                let granted = Granted { at: Timestamp::now(), revision: baseline.revision.clone() };
                self.record_grant(&resource, Some(granted)).await;
            }
            let result = attempt.instrument(span).await.map_err(|failure| in_words(failure, change));
            if result.is_ok() && change.purpose == Purpose::Withdraw {
                self.record_grant(&resource, None).await;
            }
            progress(Step::Wrote);
            written.push((resource, PolicyReport::Attempted { change: change.clone(), result }));
        }
        written
    }

    async fn record_grant(&self, resource: &Resource, granted: Option<Granted>) {
        if let Err(error) = self.ledger.set_grant(resource.clone(), granted).await {
            // Without the record the grant is never taken back: safe, and said.
            warn!(guardrail.arn = %resource, error = %error, "the grant could not be recorded");
        }
    }

    async fn apply_account(&self, run: Run<'_>, account: AccountId, decisions: Decisions) -> Applied {
        let Run { baseline, originals, progress } = run;
        let Decisions { changes, corrections } = decisions;
        let mut warnings = Vec::new();
        let revision = &baseline.revision;
        let now = Timestamp::now();
        let begun = changes.iter().filter_map(|change| note_of_beginning(change, revision, now)).collect();
        let recorded = self.ledger.note(begun).await.map_err(|error| {
            warnings.push(format!("{account}: the ledger could not be written: {error}"));
            Failure {
                category: Category::Transient,
                operation: "record".to_owned(),
                message: error.to_string(),
            }
        });

        let attempts = changes.into_iter().map(|change| {
            let span = match change.target() {
                Some(target) => info_span!("apply", account.id = %target.account, region = %target.region),
                None => info_span!("apply"),
            };
            let recorded = &recorded;
            async move {
                let result = match recorded {
                    // What can't be put back is not overwritten.
                    Err(failure) if change.overwrites_foreign().is_some() => Err(failure.clone()),
                    Ok(()) | Err(_) => self.attempt(&change, originals).await,
                };
                progress(Step::Wrote);
                Outcome { change, result }
            }
            .instrument(span)
        });
        let outcomes = join_all(attempts).await;

        let mut notes = corrections;
        notes.extend(
            outcomes.iter().filter_map(|outcome| note_of_outcome(outcome, revision, Timestamp::now())),
        );
        if let Err(error) = self.ledger.note(notes).await {
            warnings.push(format!("{account}: what was done could not be recorded: {error}"));
        }
        let outcomes = outcomes
            .into_iter()
            .filter_map(|outcome| outcome.change.target().cloned().map(|target| (target, outcome)))
            .collect();
        Applied { outcomes, warnings }
    }

    async fn attempt(&self, change: &Change, originals: &Originals) -> Result<(), Failure> {
        let Some(target) = change.target() else {
            return Err(no_account_change(change));
        };
        let session = self.cloud.session(&target.account).await?;
        let writer = Writer::new(&session, &target.region);
        match change {
            Change::Enforce { to, .. } => writer.enforce(to).await,
            Change::Replace { from, to, .. } => writer.replace(from, to).await,
            Change::Release { from, .. } => writer.release(from).await,
            Change::EnsureCopy { work, enforced, .. } => {
                ensure_copy(&session, target, work, enforced, originals).await
            }
            Change::Policy(_) => Err(no_account_change(change)),
        }
    }
}

/// A policy that Bedrock refuses, told with what may be the cause.
fn in_words(failure: Failure, change: &PolicyChange) -> Failure {
    match (failure.category, &change.to) {
        (Category::Rejected, Some(document)) => {
            let statements = document.statement_count();
            let hold = PolicyHold::RefusedByBedrock { statements, message: failure.message };
            Failure { message: hold.to_string(), ..failure }
        }
        (_, Some(_) | None) => failure,
    }
}

/// Whether a change adds a statement of ours. One that completes somebody else's leaves it theirs: it
/// isn't to be taken back whole later.
fn is_all_ours(change: &PolicyChange) -> bool {
    let statements = |document: &Option<Document>| document.as_ref().map_or(0, Document::statement_count);
    change.purpose == Purpose::Grant && statements(&change.to) > statements(&change.from)
}

/// Nothing that is planned for an account yields these; the owner's task will.
fn no_account_change(change: &Change) -> Failure {
    Failure {
        category: Category::Rejected,
        operation: change.verb().to_owned(),
        message: "is not a change of an account's enforcement".to_owned(),
    }
}

/// What every account's part of a run shares.
#[derive(Clone, Copy)]
struct Run<'a> {
    baseline: &'a Baseline,
    originals: &'a Originals,
    progress: Progress<'a>,
}

struct Applied {
    outcomes: Vec<(Target, Outcome)>,
    warnings: Vec<String>,
}

/// What is to be done in one account.
#[derive(Default)]
struct Decisions {
    changes: Vec<Change>,
    corrections: Vec<(Target, Note)>,
}

fn by_account(
    plan: SafePlan,
    records: &Records,
    baseline: &Baseline,
    at: Timestamp,
) -> BTreeMap<AccountId, Decisions> {
    let Baseline { mode, revision, .. } = baseline;
    let mut accounts: BTreeMap<AccountId, Decisions> = BTreeMap::new();
    for (target, decision) in plan.into_plan().decisions {
        let note = match decision {
            Decision::Change(change) => {
                accounts.entry(target.account).or_default().changes.push(change);
                continue;
            }
            // Looking on takes nothing over: what is adopted may be released later.
            Decision::InSync(_) | Decision::LeftAlone(_) if *mode == Mode::Audit => continue,
            Decision::InSync(in_sync) => correction(in_sync, revision, at),
            // What was ours is gone: what somebody puts there next isn't.
            Decision::LeftAlone(LeftAlone { seen: Observation::Absent, .. }) => {
                let ours = records.get(&target).is_some_and(|record| record.ours.is_some());
                ours.then_some(Note::Released { at })
            }
            Decision::LeftAlone(_) | Decision::Held(_) | Decision::Broken(_) => None,
        };
        if let Some(note) = note {
            accounts.entry(target.account.clone()).or_default().corrections.push((target, note));
        }
    }
    accounts
}

fn correction(in_sync: InSync, revision: &Revision, at: Timestamp) -> Option<Note> {
    let InSync { enforced, correction } = in_sync;
    match (correction?, enforced) {
        (Correction::Adopt, Some(enforcement)) => {
            Some(Note::Adopted(Ours { enforcement, origin: Origin::Adopted, at, revision: revision.clone() }))
        }
        (Correction::Adopt, None) => None,
        (Correction::Forget, _) => Some(Note::Released { at }),
    }
}

fn note_of_beginning(change: &Change, revision: &Revision, at: Timestamp) -> Option<(Target, Note)> {
    let to = change.enforces().map(|(_, to)| to.clone());
    let intent = Intent { to, at, revision: revision.clone() };
    let replacing = change.overwrites_foreign().cloned().map(Box::new);
    change.target().cloned().map(|target| (target, Note::Begun { intent, replacing }))
}

fn note_of_outcome(outcome: &Outcome, revision: &Revision, at: Timestamp) -> Option<(Target, Note)> {
    let Outcome { change, result } = outcome;
    if result.is_err() {
        // The intent stays: whether the write arrived is for the next look to tell.
        return None;
    }
    let ours = |enforcement: &Enforcement| Ours {
        enforcement: enforcement.clone(),
        origin: Origin::Applied,
        at,
        revision: revision.clone(),
    };
    match change {
        Change::Enforce { target, to, repair, .. } => {
            Some((target.clone(), Note::Enforced { ours: ours(to), repair: *repair }))
        }
        Change::Replace { target, to, ownership, .. } => {
            Some((target.clone(), Note::Enforced { ours: ours(to), repair: *ownership == Ownership::Ours }))
        }
        Change::Release { target, .. } => Some((target.clone(), Note::Released { at })),
        Change::EnsureCopy { .. } | Change::Policy(_) => None,
    }
}

/// Logs each result once, here where it becomes one.
fn log(report: &Report) {
    for (resource, result) in &report.policies {
        match result {
            PolicyReport::Attempted { change, result: Ok(()) } => {
                info!(guardrail.arn = %resource, "{}", Change::Policy(change.clone()));
            }
            PolicyReport::Attempted { change: _, result: Err(failure) } => {
                error!(guardrail.arn = %resource, error.category = %failure.category,
                    "failed to write the resource policy of {resource}: {failure}");
            }
            PolicyReport::Decided(PolicyDecision { action, openings, instead: _ }) => {
                if let PolicyAction::Held(reason) = action {
                    error!(guardrail.arn = %resource, "held {resource}: {reason}");
                }
                for finding in openings {
                    warn!(guardrail.arn = %resource, "{resource} is open beyond the organization: {finding}");
                }
            }
        }
    }
    for (target, result) in &report.targets {
        let (account, region, state) = (&target.account, &target.region, result.state());
        match result {
            TargetReport::Attempted(Outcome { change, result: Ok(()) }) => {
                info!(account.id = %account, region = %region, change = change.verb(), "{change}");
            }
            TargetReport::Attempted(Outcome { change, result: Err(failure) }) => {
                error!(account.id = %account, region = %region, change = change.verb(),
                    error.category = %failure.category, "failed to {} in {target}: {failure}", change.verb());
            }
            TargetReport::Decided(Decision::Broken(broken)) => {
                // Thousands may enforce it: the alarm is one for each guardrail, below.
                debug!(account.id = %account, region = %region, guardrail.arn = %broken.seen.enforcement.guardrail,
                    guardrail.version = %broken.seen.enforcement.version,
                    "broken: {target} enforces {}, but {}", broken.seen.enforcement, broken.unusable);
            }
            TargetReport::Decided(Decision::Held(held)) => {
                warn!(account.id = %account, region = %region, "held {target}: {}", held.reason);
            }
            TargetReport::Decided(Decision::InSync(_) | Decision::LeftAlone(_) | Decision::Change(_)) => {
                debug!(account.id = %account, region = %region, ?state, "{target}");
            }
        }
    }
    for broken in report.broken() {
        error!(guardrail.arn = %broken.guardrail, guardrail.version = %broken.version,
            targets = broken.targets.len(), "{broken}");
    }
    for warning in &report.warnings {
        warn!("{warning}");
    }
    for (account, state) in &report.skipped {
        info!(account.id = %account, "skipped {account}: it is {state}");
    }
    for account in &report.strangers {
        warn!(account.id = %account, "{account} is no member of this organization: not looked at");
    }
}
