//! An invocation without queues: all jobs of an event are done before it is answered, as far as possible without
//! waiting. No template deploys it so; the demo and most tests work so, with the same jobs.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use tracing::error;

use super::queue::{Gathered, InProcess, Queue, Waiting};
use super::shell::{JobOrigin, PlannedJobs, Shell};
use super::{Batch, DoneHere, HandlerError};
use crate::engine::{self, Deadline, Incoming, Keeper, Reviewer};
use crate::plan::Plan;
use crate::report::Report;
use crate::task::{Errand, Handout, Task};
use crate::trigger::{BatchRecord, Message, Scope};

/// The results of all jobs.
struct JobResults {
    gathered: Gathered,
    /// Errands that wait for something that no job here brings about.
    left: Vec<Errand>,
    /// Why the last task of each group waits.
    reasons: BTreeMap<String, String>,
    /// Tasks that are not tried again, and why.
    given_up: Vec<String>,
    /// Failures, with the events that caused the jobs.
    failed: Vec<(String, HandlerError)>,
}

impl JobResults {
    /// The failures because of which messages have to be delivered again, each with its event.
    fn problems(self) -> (Gathered, Vec<(String, HandlerError)>) {
        let JobResults { gathered, left, failed: mut problems, .. } = self;
        let report = &gathered.report;
        let unfinished = report.as_ref().map(Report::unfinished).unwrap_or_default();
        let looked_at = report.as_ref().map_or(0, |report| report.targets.len() + report.grants.len());
        problems.extend(left.iter().map(|errand| {
            let cause = errand.cause();
            let first = unfinished.first().unwrap_or(&cause.reason).clone();
            let left = unfinished.len().max(1);
            (cause.event.clone(), HandlerError::Incomplete { left, looked_at, first })
        }));
        (gathered, problems)
    }
}

/// Does the jobs of one event, and returns the answer.
pub(super) async fn handle_event(
    keeper: &Keeper,
    event: &Message,
    deadline: Deadline,
) -> Result<Value, HandlerError> {
    let here = InProcess::default();
    let shell = Shell { keeper, queue: Queue::InProcess(&here), deadline, reviewer: Reviewer::NOBODY };
    let incoming = Incoming { id: None, repeated: false, from_queue: false, message: event };
    let PlannedJobs { failed, ignored, origins } = shell.plan(&[incoming]).await;
    let (Gathered { report, organization_level, .. }, problems) = work_off(shell, &here).await.problems();
    let problems =
        failed.into_iter().map(|failed| failed.problem).chain(problems.into_iter().map(|(_, it)| it));
    let problems: Vec<HandlerError> = problems.collect();
    // Lambda's runtime logs the first one, with which the invocation fails.
    for problem in problems.iter().skip(1) {
        error!(error.kind = problem.name(), "{problem}");
    }
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem);
    }
    if let Some((_, reason)) = ignored.first() {
        return Ok(json!({ "outcome": "ignore", "reason": reason.to_string() }));
    }
    let reason = origins.first().map(|origin| origin.cause.reason.as_str());
    Ok(match (report, organization_level) {
        (None, None) => json!({ "outcome": "departed", "reason": reason }),
        (report, level) => {
            let mut answer = json!({ "outcome": "reconcile", "reason": reason });
            if let Some(report) = report {
                answer["report"] = report.to_json();
            }
            if let Some(level) = level {
                answer["organization_level"] = level.to_json();
            }
            answer
        }
    })
}

/// Does the jobs of a batch. Messages whose jobs failed or are left have to be delivered again.
pub(super) async fn handle_batch(
    keeper: &Keeper,
    records: &[BatchRecord],
    deadline: Deadline,
) -> Result<Value, HandlerError> {
    let here = InProcess::default();
    let shell = Shell { keeper, queue: Queue::InProcess(&here), deadline, reviewer: Reviewer::NOBODY };
    let mut batch = Batch::default();
    let records: Vec<&BatchRecord> = records.iter().collect();
    let PlannedJobs { origins, .. } = shell.plan_batch(&records, &mut batch).await;
    let (_, problems) = work_off(shell, &here).await.problems();
    for (event, problem) in problems {
        let served = served(&origins, &event);
        let served: Vec<&BatchRecord> = served.into_iter().map(|position| records[position]).collect();
        batch.fail(&served, &problem);
    }
    batch.answer()
}

/// Does the jobs of a scope. Jobs that failed are warnings of the report: what others did is known all the same.
pub(super) async fn do_scope(
    keeper: &Keeper,
    scope: &Scope,
    reviewer: Reviewer<'_>,
) -> Result<DoneHere, HandlerError> {
    let here = InProcess::default();
    here.waiting().keeps_grants = true;
    let shell = Shell { keeper, queue: Queue::InProcess(&here), deadline: Deadline::NONE, reviewer };
    let mut failed = Vec::new();
    for errand in shell.perform(engine::local_jobs(keeper, scope).await?).await? {
        failed.extend(shell.run_whole(errand).await.err());
    }
    let JobResults { gathered, left, reasons, given_up, failed: later } = work_off(shell, &here).await;
    let Gathered { report, organization_level, .. } = gathered;
    failed.extend(later.into_iter().map(|(_, problem)| problem));
    let mut unfinished: Vec<String> = failed.iter().map(ToString::to_string).collect();
    unfinished.extend(given_up);
    unfinished.extend(left.iter().filter_map(|errand| match errand {
        Errand::Retry(task) => reasons.get(&task.group()).cloned(),
        Errand::Count(_) | Errand::Sweep(_) => Some(
            "not every account was listed or placed, because AWS refused to continue a list or to answer: run the command again"
                .to_owned(),
        ),
        // It waits for one of these tasks.
        Errand::FinishSweep(_) => None,
    }));
    unfinished.sort();
    let report = match (report, failed.pop()) {
        (Some(report), _) => report,
        (None, Some(problem)) => return Err(problem),
        // No account of the scope gets calls.
        (None, None) => Report::of(engine::baseline(keeper).await?.revision, Plan::default()),
    };
    Ok(DoneHere { report, organization_level, unfinished })
}

/// The messages that asked for the jobs of an event; all messages, if none did.
fn served(origins: &[JobOrigin], event: &str) -> BTreeSet<usize> {
    let of = |origins: &mut dyn Iterator<Item = &JobOrigin>| -> BTreeSet<usize> {
        origins.flat_map(|origin| origin.served.iter().copied()).collect()
    };
    let served = of(&mut origins.iter().filter(|origin| origin.cause.event == event));
    if served.is_empty() { of(&mut origins.iter()) } else { served }
}

/// Works until no job can continue: tasks first, the owner's before the accounts', then the errands that wait for
/// them.
async fn work_off(shell: Shell<'_>, here: &InProcess) -> JobResults {
    let mut failed = Vec::new();
    loop {
        let tasks = std::mem::take(&mut here.waiting().tasks);
        if !tasks.is_empty() {
            // What relies on others' work comes after it.
            let (owner, rest): (Vec<Task>, Vec<Task>) =
                tasks.into_iter().partition(|task| matches!(task, Task::Owner(_)));
            let (organization, accounts): (Vec<Task>, Vec<Task>) =
                rest.into_iter().partition(|task| matches!(task, Task::Organization(_)));
            failed.extend(work_side_by_side(shell, owner).await);
            failed.extend(work_side_by_side(shell, accounts).await);
            failed.extend(work_side_by_side(shell, organization).await);
            continue;
        }
        let due = due(&mut here.waiting());
        if due.is_empty() {
            let Waiting { gathered, errands: left, reasons, given_up, .. } =
                std::mem::take(&mut *here.waiting());
            return JobResults { gathered, left, reasons, given_up, failed };
        }
        for errand in due {
            if here.waiting().keeps_grants && matches!(errand, Errand::FinishSweep(_)) && has_released(here) {
                // Releases take a while to have effect: the next run takes back the grants that they needed.
                continue;
            }
            let event = errand.cause().event.clone();
            failed.extend(shell.run_whole(errand).await.err().map(|problem| (event, problem)));
        }
    }
}

/// Whether something was released so far.
fn has_released(here: &InProcess) -> bool {
    let waiting = here.waiting();
    let report = waiting.gathered.report.as_ref();
    report.is_some_and(|report| report.outcomes().any(|outcome| outcome.change.is_release()))
}

/// Takes the errands that may continue: new ones, and all of them once a job changed something.
fn due(waiting: &mut Waiting) -> Vec<Errand> {
    let got_on = std::mem::take(&mut waiting.gathered.got_on);
    let (due, left) = std::mem::take(&mut waiting.errands).into_iter().partition(|errand| {
        let is_first = !matches!(errand, Errand::Retry(_)) && errand.cause().attempt == 0;
        got_on || is_first
    });
    waiting.errands = left;
    due
}

/// Does tasks; those of one group one after another. Returns the failures.
async fn work_side_by_side(shell: Shell<'_>, tasks: Vec<Task>) -> Vec<(String, HandlerError)> {
    let mut groups: BTreeMap<String, Vec<Task>> = BTreeMap::new();
    for task in tasks {
        let group = groups.entry(task.group()).or_default();
        if group.iter().all(|known| known.deduplication_id() != task.deduplication_id()) {
            group.push(task);
        }
    }
    let failed: Vec<Vec<(String, HandlerError)>> = stream::iter(groups.into_values())
        .map(|tasks| async move {
            let mut failed = Vec::new();
            for task in tasks {
                let event = task.cause().event.clone();
                failed.extend(
                    shell.do_task(task, Handout::default()).await.err().map(|problem| (event, problem)),
                );
            }
            failed
        })
        .buffer_unordered(shell.keeper.settings().concurrency)
        .collect()
        .await;
    failed.into_iter().flatten().collect()
}
