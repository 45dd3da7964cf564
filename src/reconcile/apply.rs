//! Carries out a plan that was proven: one attempt at each change, each recorded before and after.

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tracing::{Instrument, debug, error, info, info_span, warn};

use super::copies::{Originals, ensure_copy};
use super::notes::{Decisions, Notebook, by_account};
use super::trials::Trials;
use super::{Keeper, Manner, Part, Progress, Step, Survey};
use crate::baseline::{Baseline, Mode};
use crate::cloud::{CopyWriter, PolicyWriter, Writer};
use crate::failure::{Category, Failure};
use crate::ids::{AccountId, Region, Target};
use crate::ledger::{LedgerError, Visit};
use crate::limits::{Extent, Rollout};
use crate::organization::{Organization, Placement};
use crate::plan::{Change, Decision, HoldReason, Plan, PolicyAction, PolicyChange, PolicyDecision, Purpose};
use crate::record::{Arrivals, Granted, Note};
use crate::report::{Outcome, PolicyReport, Report, TargetReport};
use crate::resource_policy::{Document, PolicyHold, Resource};

impl Keeper {
    /// Applies what a survey planned, and records it. Never stops early: a failure is an outcome.
    pub async fn apply(&self, baseline: &Baseline, survey: Survey, progress: Progress<'_>) -> Report {
        let Survey {
            plan,
            organization,
            observed,
            manner,
            whole,
            strangers,
            ledger_remembers,
            ledger_trouble,
            lost_grants,
            rollout,
            records,
            warnings,
            originals,
            arrivals,
            catalog: _,
            placing,
        } = survey;
        let extent = Extent::of(plan.plan(), &records, &baseline.revision);
        let mut report = Report {
            strangers,
            warnings,
            ledger_trouble,
            ..Report::of(baseline.revision.clone(), plan.plan().clone())
        };
        let changes = plan.plan().changes().count() + plan.plan().policy_changes().count();
        progress(Step::Writing { changes });

        if baseline.mode != Mode::Audit {
            for resource in &lost_grants {
                self.record_grant(resource, None).await;
            }
            if manner.part == Part::Everything {
                // What was seen without the ledger wasn't counted.
                let whole = whole
                    && report.ledger_trouble.is_none()
                    && !plan.plan().leaves_ours_undecided(&records, ledger_remembers);
                let begun = self.begin_rollout(plan.plan(), rollout, extent, whole).await;
                report.warnings.extend(begun);
            }
        }
        for (resource, written) in self.write_policies(baseline, plan.plan(), progress).await {
            report.policies.insert(resource, written);
        }
        let trials = Trials::begin(self, baseline, &organization, &placing).await;
        let run = Run {
            trials: &trials,
            organization: &organization,
            manner: &manner,
            originals: &originals,
            arrivals: &arrivals,
            progress,
            notebook: Notebook {
                baseline,
                records: &records,
                observed: &observed,
                event: manner.event.as_deref(),
                path: None,
            },
        };
        let applied: Vec<Applied> = stream::iter(by_account(plan))
            .map(|(account, decisions)| self.apply_account(run, account, decisions))
            .buffer_unordered(self.settings.concurrency)
            .collect()
            .await;
        for Applied { results, warnings, unrecorded } in applied {
            report.targets.extend(results);
            report.ledger_trouble = report.ledger_trouble.or(unrecorded);
            report.warnings.extend(warnings);
        }
        report.placement_decided = trials.decided();
        report.before = records;
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
        let approves = rollout.approved || (whole && !stopped);
        let failed = self
            .ledger
            .change_rollout(|known| {
                // Somebody else may have got further with the same revision since it was read.
                let known_now = known.take().filter(|known| known.revision == rollout.revision);
                let mut next = known_now.unwrap_or_else(|| rollout.clone());
                if !rollout.approved {
                    next.done = next.done.plus(extent);
                }
                next.approved |= approves;
                *known = Some(next);
            })
            .await
            .err()?;
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
                let granted = Granted { at: self.clock.now(), revision: baseline.revision.clone() };
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
        let Run { trials, organization, manner, originals: _, arrivals, progress, notebook } = run;
        let Decisions { changes, decided } = decisions;
        let path = organization.accounts.get(&account).map(|account| &account.path);
        let notebook = Notebook { path, ..notebook };
        let visit = Visit {
            sequence: manner.sequence,
            placement: manner.placement.as_ref().filter(|placement| placement.account.id == account),
            arrival: arrivals.get(&account),
        };
        let (mut warnings, mut unrecorded) = (Vec::new(), None);
        let now = Timestamp::now();
        let begun: Vec<_> = changes.iter().filter_map(|change| notebook.beginning(change, now)).collect();
        let recorded = match begun.is_empty() {
            true => Ok(()),
            false => self.ledger.note(&account, visit, begun).await,
        };
        if let Err(error) = &recorded {
            warnings.push(format!("{account}: the ledger could not be written: {error}"));
        }
        let mut moved = None;
        if changes.iter().any(Change::is_release) {
            moved = self.has_moved(organization, manner, &account).await;
        }

        let attempts = changes.into_iter().map(|change| {
            let span = match change.target() {
                Some(target) => info_span!("apply", account.id = %target.account, region = %target.region),
                None => info_span!("apply"),
            };
            let (recorded, moved) = (&recorded, &moved);
            async move {
                let target = change.target().cloned();
                let attempt = async |change: &Change| match (recorded, moved) {
                    // Whoever came later in the queue knows better, and may have written already.
                    (Err(error), _) if error.is_superseded() => Err(not_recorded(error)),
                    // What can't be put back is not overwritten.
                    (Err(error), _) if change.overwrites_foreign().is_some() => Err(not_recorded(error)),
                    (_, Some(failure)) if change.is_release() => Err(failure.clone()),
                    (Ok(()) | Err(_), _) => self.attempt(run, change).await,
                };
                let result = trials.attempt(change, attempt).await;
                progress(Step::Wrote);
                target.map(|target| (target, result))
            }
            .instrument(span)
        });
        let results: Vec<(Target, TargetReport)> = join_all(attempts).await.into_iter().flatten().collect();

        let now = Timestamp::now();
        let mut notes: Vec<(Region, Note)> =
            decided.iter().flat_map(|(target, decision)| notebook.decision(target, decision, now)).collect();
        notes.extend(results.iter().flat_map(|(target, result)| notebook.result(target, result, now)));
        match self.ledger.note(&account, visit, notes).await {
            Ok(()) => {}
            Err(error) if error.is_superseded() => debug!("{account}: {error}"),
            Err(error) => {
                let trouble = format!("{account}: what was done could not be recorded: {error}");
                match results.is_empty() {
                    // A look that left everything as it was. Where the account stood is lost all the same: a task
                    // that was queued before would go by an older place.
                    true => debug!("{trouble}"),
                    false => warnings.push(trouble.clone()),
                }
                unrecorded = Some(trouble);
            }
        }
        Applied { results, warnings, unrecorded }
    }

    /// Whether an account stands elsewhere than it did when its work was queued. What was to be
    /// released then may have to stay now.
    async fn has_moved(
        &self,
        organization: &Organization,
        manner: &Manner,
        account: &AccountId,
    ) -> Option<Failure> {
        let stood = organization.accounts.get(account)?;
        let placed = manner.placement.as_ref().filter(|placement| placement.account.id == *account)?;
        let wait = |message: String| Failure {
            category: Category::NotReady,
            operation: "DescribeAccount".to_owned(),
            message,
        };
        match self.place(account).await {
            Ok(Some(placement)) if placement.account.path == stood.path => None,
            Ok(Some(Placement { account: now, .. })) => {
                Some(wait(format!("it moved from {} to {} since {}", stood.path, now.path, placed.placed_at)))
            }
            Ok(None) => Some(wait("it is no member of the organization any more".to_owned())),
            Err(failure) => Some(failure),
        }
    }

    async fn attempt(&self, run: Run<'_>, change: &Change) -> Result<(), Failure> {
        let Some(target) = change.target() else { return Err(no_account_change(change)) };
        let attempted = async {
            let session = self.cloud.session(&target.account).await?;
            let writer = Writer::new(&session, &target.region);
            match change {
                Change::Enforce { to, .. } => writer.enforce(to).await,
                Change::Replace { from, to, .. } => writer.replace(from, to).await,
                Change::Release { from, .. } => writer.release(from).await,
                Change::EnsureCopy { key, enforced, .. } => {
                    ensure_copy(&session, target, key, enforced, run.originals).await
                }
                Change::Tidy { leftover, .. } => {
                    CopyWriter::new(&session, &target.region).tidy(target, leftover).await
                }
                Change::Policy(_) => Err(no_account_change(change)),
            }
        };
        attempted.await.map_err(|failure| self.in_grace(run.organization, run.arrivals, target, failure))
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

fn not_recorded(error: &LedgerError) -> Failure {
    Failure { category: Category::Transient, operation: "record".to_owned(), message: error.to_string() }
}

/// What every account's part of a run shares.
#[derive(Clone, Copy)]
struct Run<'a> {
    trials: &'a Trials<'a>,
    organization: &'a Organization,
    manner: &'a Manner,
    originals: &'a Originals,
    arrivals: &'a Arrivals,
    progress: Progress<'a>,
    notebook: Notebook<'a>,
}

struct Applied {
    results: Vec<(Target, TargetReport)>,
    warnings: Vec<String>,
    /// What the ledger was not told at the end, in words.
    unrecorded: Option<String>,
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
