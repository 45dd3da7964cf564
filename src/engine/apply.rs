//! Carries out a plan that was proven: one attempt at each change, each recorded before and after.

use futures_util::future::{join, join_all};
use futures_util::stream::{self, StreamExt};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use tracing::{debug, warn};

use super::copies::Originals;
use super::logged::log;
use super::making::Begun;
use super::notes::{Decisions, Notebook, by_account};
use super::owed::Owed;
use super::trials::Trials;
use super::{Keeper, Manner, Part, Progress, Step, Survey};
use crate::baseline::{Baseline, Mode};
use crate::failure::{Category, Failure};
use crate::ids::{AccountId, Target};
use crate::ledger::{LedgerError, Visit};
use crate::limits::{Extent, is_repair, is_repair_of_a_grant};
use crate::organization::{Organization, Placement};
use crate::plan::{Change, CleanUp, Decision, Held, HoldReason};
use crate::record::Arrivals;
use crate::report::{Report, TargetReport};

impl Keeper {
    /// Begins no write any more. Those under way come to their end, and what isn't begun is held.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Applies what a survey planned, and records it. Never stops early: a failure is an outcome.
    pub async fn apply(&self, baseline: &Baseline, survey: Survey, progress: Progress<'_>) -> Report {
        let Survey {
            plan,
            organization,
            desired,
            observed,
            manner,
            strangers,
            ledger_trouble,
            records,
            warnings,
            originals,
            arrivals,
            approval,
            placing,
            ..
        } = match baseline.mode {
            Mode::Audit => survey,
            Mode::Sync | Mode::EnforceOnly => self.begin(baseline, survey).await,
        };
        let mut report = Report {
            strangers,
            warnings,
            ledger_trouble,
            ..Report::of(baseline.revision.clone(), plan.plan().clone())
        };
        progress(Step::Writing { changes: plan.plan().writes() });
        if baseline.mode == Mode::Audit {
            // It would be handed back; the ledger isn't told.
            report.handed_back.clear();
        }
        report.grants.extend(self.write_grants(baseline, plan.plan(), progress).await);
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
                desired: &desired,
                records: &records,
                observed: &observed,
                approvals: approval.approvals,
                event: manner.event.as_deref(),
                path: None,
                now: self.clock.now(),
                tells: self.tells(manner.sequence.is_some()),
                own_roles: &self.settings.own_roles,
            },
        };
        let applied: Vec<Applied> = stream::iter(by_account(plan))
            .map(|(account, decisions)| self.apply_account(run, account, decisions))
            .buffer_unordered(self.settings.concurrency)
            .collect()
            .await;
        for Applied { results, owed, warnings, unrecorded } in applied {
            report.targets.extend(results);
            report.owed.extend(owed);
            report.ledger_trouble = report.ledger_trouble.or(unrecorded);
            report.warnings.extend(warnings);
        }
        report.placement_decided = trials.decided();
        report.before = records;
        log(&report);
        report
    }

    /// Records what has to be recorded before anything is written. What isn't is held: not counted now, it would
    /// never count against the limits.
    async fn begin(&self, baseline: &Baseline, mut survey: Survey) -> Survey {
        for resource in &survey.lost_grants {
            if let Err(error) = self.record_grant(resource, None).await {
                warn!(guardrail.arn = %resource, error = %error, "that the grant is gone could not be recorded");
            }
        }
        if survey.manner.part == Part::Everything
            && let Err(error) = self.begin_revision(&survey).await
        {
            let trouble = format!("how far the baseline has come could not be recorded: {error}");
            survey.warnings.push(trouble.clone());
            survey.ledger_trouble.get_or_insert(trouble);
            let records = &survey.records;
            let held = |repair: bool| (!repair).then_some(HoldReason::LedgerUnavailable);
            let plan =
                survey.plan.hold_changes(|change| held(is_repair(change, records, &baseline.revision)));
            let plan = plan.hold_grants(|change| held(is_repair_of_a_grant(change, records)));
            survey.plan = plan.without_clean_ups();
        }
        if survey.manner.part == Part::Everything
            && let Err(error) =
                self.record_unusable(baseline, survey.plan.plan(), survey.manner.approved).await
        {
            let trouble = format!("which guardrails can't be used could not be recorded: {error}");
            survey.warnings.push(trouble.clone());
            survey.ledger_trouble.get_or_insert(trouble);
            survey.plan =
                survey.plan.hold_changes(|change| change.gives_up().then_some(HoldReason::LedgerUnavailable));
        }
        survey
    }

    /// Records how much this revision will have replaced and released, before it does. A revision
    /// that was seen whole and stayed within its limits is approved by that.
    async fn begin_revision(&self, survey: &Survey) -> Result<(), LedgerError> {
        let Survey { records, approval, ledger_remembers, .. } = survey;
        let plan = survey.plan.plan();
        // What was seen without the ledger wasn't counted.
        let whole = survey.whole
            && survey.ledger_trouble.is_none()
            && !plan.leaves_ours_undecided(records, *ledger_remembers);
        let extent = Extent::of(plan, records, &approval.revision);
        let stopped = plan.decisions.values().any(|decision| {
            matches!(decision, Decision::Held(held) if matches!(held.reason, HoldReason::NotApproved { .. }))
        });
        let approves = approval.approved || (whole && !stopped && approval.names_nobody.is_empty());
        self.ledger
            .change_revision_approval(|known| {
                // Somebody else may have got further with the same revision since it was read.
                let known_now = known.take().filter(|known| known.revision == approval.revision);
                let mut next = known_now.unwrap_or_else(|| approval.clone());
                if !approval.approved {
                    next.done = next.done.plus(extent);
                }
                next.approved |= approves;
                if survey.whole {
                    next.names_nobody = approval.names_nobody.clone();
                }
                *known = Some(if survey.manner.approved { next.approve() } else { next });
            })
            .await
    }

    async fn apply_account(&self, run: Run<'_>, account: AccountId, decisions: Decisions) -> Applied {
        let Run { organization, manner, arrivals, notebook, .. } = run;
        let Decisions { changes, clean_ups, decided, handed_back } = decisions;
        if self.is_stopping() {
            let clean_ups = clean_ups.into_iter().map(|clean_up| not_begun(clean_up.target, None));
            let changes = changes.into_iter().map(|change| not_begun(change.target().clone(), Some(change)));
            return Applied { results: changes.chain(clean_ups).collect(), ..Applied::default() };
        }
        let path = organization.accounts.get(&account).map(|account| &account.path);
        let notebook = Notebook { path, ..notebook };
        let visit = Visit {
            sequence: manner.sequence,
            placement: manner.placement.as_ref().filter(|placement| placement.account.id == account),
            arrival: arrivals.get(&account),
        };
        let mut warnings = Vec::new();
        let now = self.clock.now();
        let cleaned = clean_ups.iter().map(|clean_up| &clean_up.target);
        let targets = changes.iter().map(Change::target).chain(cleaned.clone()).chain(decided.keys());
        let mut owed = notebook.owed(targets);
        let beginning = |change: &Change| {
            let before = notebook.made_before(change.target(), &owed);
            before.into_iter().chain(notebook.beginning(change, now)).collect::<Vec<_>>()
        };
        let before = cleaned.flat_map(|target| notebook.made_before(target, &owed));
        let begun: Vec<_> = changes.iter().flat_map(beginning).chain(before).collect();
        let recorded = if begun.is_empty() { Ok(()) } else { self.ledger.note(&account, visit, begun).await };
        if let Err(error) = &recorded {
            warnings.push(format!("{account}: the ledger could not be written: {error}"));
            owed.clear();
        }
        let mut moved = None;
        if changes.iter().any(Change::is_release) || clean_ups.iter().any(CleanUp::is_release) {
            moved = self.has_moved(organization, manner, &account).await;
        }
        let found = Mutex::default();
        let begun = Begun { at: now, recorded: &recorded, moved: moved.as_ref(), found: &found };
        let made = join_all(changes.into_iter().map(|change| self.make(run, begun, change)));
        let cleaned = join_all(clean_ups.into_iter().map(|clean_up| self.clean_up(run, begun, clean_up)));
        let (mut results, cleaned) = join(made, cleaned).await;
        results.extend(cleaned);
        let now = self.clock.now();
        let mut notes = notebook.all_handed_back(&handed_back, now);
        notes.extend(decided.keys().flat_map(|target| notebook.made_before(target, &owed)));
        notes.extend(decided.iter().flat_map(|(target, it)| notebook.decision(target, it, now)));
        // What was there right before a write is newer than what the plan was made by.
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let newer = Notebook { observed: &found, ..notebook };
        let owed_by_now = newer.owed(found.keys());
        for (target, result) in &results {
            let notebook = if found.contains_key(target) { newer } else { notebook };
            notes.extend(notebook.made_before(target, &owed_by_now));
            notes.extend(notebook.result(target, result, now));
        }
        owed.extend(owed_by_now);
        let applied = Applied { results, owed, warnings, unrecorded: None };
        match self.ledger.note(&account, visit, notes).await {
            Ok(()) => applied,
            Err(error) => applied.without_its_record(&account, &error),
        }
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
        let wait = |message: String| Failure::new(Category::NotReady, "DescribeAccount", message);
        match self.place(account).await {
            Ok(Some(placement)) if placement.account.path == stood.path => None,
            Ok(Some(Placement { account: now, .. })) => {
                Some(wait(format!("it moved from {} to {} since {}", stood.path, now.path, placed.placed_at)))
            }
            Ok(None) => Some(wait("it is no member of the organization any more".to_owned())),
            Err(stopped) => {
                let failure = stopped.failure().cloned();
                Some(failure.unwrap_or_else(|| Failure::transient("DescribeAccount", stopped.to_string())))
            }
        }
    }
}

/// What is left of a change, or a clean-up, where somebody asked to stop before it was begun.
fn not_begun(target: Target, would: Option<Change>) -> (Target, TargetReport) {
    let held = Held { reason: HoldReason::Interrupted, would };
    (target, TargetReport::Decided(Decision::Held(held)))
}

pub(super) fn not_recorded(error: &LedgerError) -> Failure {
    Failure::transient("record", error.to_string())
}

/// What every account's part of a run shares.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) trials: &'a Trials<'a>,
    pub(super) organization: &'a Organization,
    pub(super) manner: &'a Manner,
    pub(super) originals: &'a Originals,
    pub(super) arrivals: &'a Arrivals,
    pub(super) progress: Progress<'a>,
    pub(super) notebook: Notebook<'a>,
}

#[derive(Default)]
struct Applied {
    results: Vec<(Target, TargetReport)>,
    owed: Owed,
    warnings: Vec<String>,
    /// What the ledger was not told at the end, in words.
    unrecorded: Option<String>,
}

impl Applied {
    /// What was done, where the ledger could not be told at the end.
    fn without_its_record(mut self, account: &AccountId, error: &LedgerError) -> Applied {
        // The next look finds it owed still.
        self.owed.clear();
        if error.is_superseded() {
            debug!("{account}: {error}");
            return self;
        }
        let trouble = format!("{account}: what was done could not be recorded: {error}");
        if self.results.is_empty() {
            // A look that left everything as it was. Where the account stood is lost all the same: a task that was
            // queued before would go by an older place.
            debug!("{trouble}");
        } else {
            self.warnings.push(trouble.clone());
        }
        self.unrecorded = Some(trouble);
        self
    }
}
