//! The organization's task: the Bedrock policies, all of them, by one writer.
//!
//! ```text
//! policies, accounts, guardrails, records ─► decide ─► write, each step read before and after ─► look again ─► record
//! ```
//!
//! Nothing is written that [`decide`] doesn't return. A step that finds something else than was read stops the writing,
//! and the next task begins with a new look.

mod deciding;
mod looking;
mod reading;
mod writing;

use tracing::{error, info, warn};

use super::baselines::PresentBaseline;
use super::effect::{Effect, Notice, OrganizationNotice};
use super::tasks::wait_for;
use super::{Deadline, Keeper, Stopped};
use crate::baseline::{Baseline, Revision};
use crate::bedrock_policy::OrganizationDecision;
use crate::failure::Failure;
use crate::ids::AccountId;
use crate::limits::EffectiveBaseline;
use crate::organization_level::{
    BegunLook, OrganizationLevelRecord, OrganizationLevelReport, RecordedHold, StoppedStep, WantedDigest,
};
use crate::settings::OrganizationAccess;
use crate::task::{Cause, ContinuedLook, Handout, OrganizationTask, SUPERSEDED_AFTER_MS, Task};
use deciding::{decision, is_all_there, is_approved};
use looking::{Keeps, LevelView, Looked, look};

pub use deciding::foresee_organization_level;

use reading::Reading;
use writing::write;

/// How often one task looks: once, and once more after it wrote.
const LOOKS: usize = 2;

/// How many frozen accounts are remembered as published: those beyond are published again.
const FROZEN_TOLD: usize = 5_000;

/// Why a look failed. It may pass by itself.
pub(super) enum NotLooked {
    /// A call failed.
    Failed(Failure),
    /// Another reason, in words.
    Because(String),
}

impl From<Failure> for NotLooked {
    fn from(failure: Failure) -> NotLooked {
        NotLooked::Failed(failure)
    }
}

impl From<crate::ledger::LedgerError> for NotLooked {
    fn from(error: crate::ledger::LedgerError) -> NotLooked {
        NotLooked::Because(format!("the ledger could not be used: {error}"))
    }
}

impl From<Stopped> for NotLooked {
    fn from(stopped: Stopped) -> NotLooked {
        match stopped.failure() {
            Some(failure) => NotLooked::Failed(failure.clone()),
            None => NotLooked::Because(stopped.to_string()),
        }
    }
}

/// How a task ends.
enum LookEnd {
    /// This came of it.
    Done(OrganizationLevelReport),
    /// There was no time for all of it: this came of it so far, and another invocation continues.
    GoesOn(OrganizationLevelReport, ContinuedLook),
}

/// Makes the organization's Bedrock policies agree with the baseline that is followed.
pub(super) async fn organization_task(
    keeper: &Keeper,
    task: OrganizationTask,
    (present, followed): (&PresentBaseline, &EffectiveBaseline),
    (handout, deadline): (Handout, Deadline),
) -> Vec<Effect> {
    let known = match keeper.ledger.organization_level().await {
        Ok(known) => known,
        Err(error) => {
            let why = format!("failed to read what is known of the organization's level: {error}");
            return wait_for(keeper, Task::Organization(task), &why);
        }
    };
    if is_superseded(&known, &task, &followed.baseline.revision, handout) {
        info!("dropped: the organization's level was looked at after this task was queued");
        return Vec::new();
    }
    if !is_concerned(keeper, &followed.baseline, &known) {
        return Vec::new();
    }
    match leave_a_note(keeper, &task, &known).await {
        Ok(false) => {}
        Ok(true) => return Vec::new(),
        Err(why) => return wait_for(keeper, Task::Organization(task), &why),
    }
    let begun = known.begun.as_ref().filter(|begun| is_continued_by(begun, &task));
    let report = match run(keeper, followed, begun, (handout, deadline)).await {
        Ok(LookEnd::Done(report)) => report,
        Ok(LookEnd::GoesOn(report, continues)) => {
            let next = OrganizationTask { continues: Some(continues), cause: task.cause.clone() };
            let told = (!report.taken.is_empty()).then(|| told(report, &task.cause));
            return told.into_iter().chain([Effect::Queue(Task::Organization(next))]).collect();
        }
        // What was read before stays put down, and the task continues it.
        Err(NotLooked::Failed(failure)) if failure.category.is_worth_waiting() => {
            return wait_for(keeper, Task::Organization(task), &failure.to_string());
        }
        Err(NotLooked::Because(why)) => return wait_for(keeper, Task::Organization(task), &why),
        // Waiting doesn't help: people have to hear of it.
        Err(NotLooked::Failed(failure)) => {
            let text = format!("the organization's Bedrock policies could not be read: {failure}");
            unread(keeper, followed, &text).await
        }
    };
    log(&report);
    let waits = report.stopped.as_ref().filter(|stopped| stopped.is_worth_waiting).map(ToString::to_string);
    let mut effects = vec![told(report, &task.cause)];
    let task = OrganizationTask { continues: None, ..task };
    let asked = begun.is_some().then(|| end_of_look(keeper));
    let asked = match asked {
        Some(asked) => asked.await,
        None => None,
    };
    if let Some(why) = waits {
        effects.extend(wait_for(keeper, Task::Organization(task).with_short_pauses(), &why));
    } else if present.unread {
        let why = "the present baseline could not be read, so the last good one was followed";
        effects.extend(wait_for(keeper, Task::Organization(task), why));
    } else if let Some(cause) = asked {
        effects.push(task_of(&cause));
    }
    effects
}

fn told(report: OrganizationLevelReport, cause: &Cause) -> Effect {
    let notice = OrganizationNotice { report, cause: cause.clone() };
    Effect::Tell(Notice::OrganizationLevel(Box::new(notice)))
}

/// Whether a task continues this look.
fn is_continued_by(begun: &BegunLook, task: &OrganizationTask) -> bool {
    task.continues.is_some_and(|look| look.number == begun.number)
}

/// Where another task's look is under way, leaves a note that asks for one more after it. Says whether the task ends here:
/// two looks at a time would take twice as long. A look that has ended meanwhile is not continued either.
async fn leave_a_note(
    keeper: &Keeper,
    task: &OrganizationTask,
    known: &OrganizationLevelRecord,
) -> Result<bool, String> {
    let now = keeper.clock.now();
    let Some(begun) = known.begun.as_ref().filter(|begun| begun.is_under_way(now)) else {
        // The one that it continues was given up, or has ended.
        return Ok(false);
    };
    if is_continued_by(begun, task) {
        return Ok(false);
    }
    info!(
        "a look at the organization's level is under way, and another one follows it: {}",
        task.cause.reason
    );
    let number = begun.number;
    let change = |known: &mut OrganizationLevelRecord| {
        if let Some(begun) = known.begun.as_mut().filter(|begun| begun.number == number) {
            begun.asked.get_or_insert_with(|| task.cause.clone());
        }
    };
    let noted = keeper.ledger.change_organization_level(change).await;
    noted.map_err(|error| format!("failed to note that another look is needed: {error}"))?;
    Ok(true)
}

/// Takes note that a look that took several invocations has ended. Returns what asked for another one meanwhile.
async fn end_of_look(keeper: &Keeper) -> Option<Cause> {
    let mut asked = None;
    let change = |known: &mut OrganizationLevelRecord| {
        asked = known.begun.take().and_then(|begun| begun.asked);
    };
    if let Err(error) = keeper.ledger.change_organization_level(change).await {
        warn!(
            "failed to record that the look at the organization's level has ended, so tasks wait for it: {error}"
        );
    }
    asked
}

/// Whether a task for the organization is worth queuing: its level is assigned, or was, or is watched.
pub(super) async fn is_due(keeper: &Keeper, baseline: &Baseline) -> bool {
    match keeper.ledger.organization_level().await {
        Ok(known) => is_concerned(keeper, baseline, &known),
        // The task asks again.
        Err(_) => true,
    }
}

/// The task, for whoever queues it.
pub(super) fn task_of(cause: &Cause) -> Effect {
    Effect::Queue(Task::Organization(OrganizationTask { continues: None, cause: cause.clone() }))
}

/// A deployment with access to Bedrock policies watches them all, also where the baseline assigns none: accounts may be
/// frozen. A terminal, which uses its own credentials, does what it is asked for.
fn is_concerned(keeper: &Keeper, baseline: &Baseline, known: &OrganizationLevelRecord) -> bool {
    let is_ours = baseline.has_organization_level() || !known.own.is_empty() || known.creating.is_some();
    match keeper.settings.organization_access {
        OrganizationAccess::Role(_) => true,
        OrganizationAccess::Own => is_ours || keeper.settings.own_roles.function.is_some(),
        OrganizationAccess::None => baseline.has_organization_level(),
    }
}

/// Whether a look was handed out so long after SQS took the message of this task, which an event led to, that it saw what the
/// task is about. What that look left to do has a task of its own, or waits for people. Both times are SQS's own. AWS's lists show a change some seconds late.
fn is_superseded(
    known: &OrganizationLevelRecord,
    OrganizationTask { continues, cause }: &OrganizationTask,
    followed: &Revision,
    handout: Handout,
) -> bool {
    let (Some(look), Some(sent_ms)) = (&known.look, handout.sent_ms) else { return false };
    let is_plain = continues.is_none() && !cause.sweep && cause.attempt == 0 && look.revision == *followed;
    is_plain && look.looked_ms.is_some_and(|looked| looked >= sent_ms.saturating_add(SUPERSEDED_AFTER_MS))
}

async fn run(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    begun: Option<&BegunLook>,
    (handout, deadline): (Handout, Deadline),
) -> Result<LookEnd, NotLooked> {
    let mut report = OrganizationLevelReport::new(followed.baseline.revision.clone());
    let mut reading = Reading::of(keeper, begun, deadline, handout).await?;
    for round in 1..=LOOKS {
        let is_last = round == LOOKS;
        let looked = match look(keeper, &followed.baseline, Keeps::WhatIsOurs, &mut reading).await {
            Ok(Looked::Held(hold)) => {
                report.holds = vec![RecordedHold::from(&*hold)];
                note_holds(keeper, followed, &report).await;
                return Ok(LookEnd::Done(report));
            }
            Ok(Looked::NotAll) => Ok(Decided::NoTime),
            Ok(Looked::Saw(view)) => {
                report.frozen.clone_from(&view.reasons);
                report.is_looked = true;
                Box::pin(decided(keeper, followed, *view, &mut report, &mut reading)).await
            }
            Err(why) => Err(why),
        };
        match looked {
            Ok(Decided::Done) => return Ok(LookEnd::Done(report)),
            Ok(Decided::Wrote) if is_last || keeper.is_stopping() => return Ok(LookEnd::Done(report)),
            Ok(Decided::Wrote) => reading = Reading::new(keeper, deadline, handout.received_ms).after_work(),
            Ok(Decided::NoTime) => match reading.put_down().await {
                Ok(continued) => return Ok(LookEnd::GoesOn(report, continued)),
                Err(why) => return after_all(report, why).map(LookEnd::Done),
            },
            Err(why) => {
                // What was read isn't read again by the next try.
                let why = reading.put_down_after(why).await;
                return after_all(report, why).map(LookEnd::Done);
            }
        }
    }
    Ok(LookEnd::Done(report))
}

/// What was written has to be reported, whatever fails after it.
fn after_all(
    mut report: OrganizationLevelReport,
    why: NotLooked,
) -> Result<OrganizationLevelReport, NotLooked> {
    if report.taken.is_empty() {
        return Err(why);
    }
    let why = match why {
        NotLooked::Failed(failure) => failure.to_string(),
        NotLooked::Because(why) => why,
    };
    report.stopped = Some(StoppedStep { step: "look again".to_owned(), why, is_worth_waiting: true });
    Ok(report)
}

/// What a decision led to.
enum Decided {
    /// Nothing more is to be done now.
    Done,
    /// Everything was written: another look is due.
    Wrote,
    /// There is no time for the rest.
    NoTime,
}

/// Decides by one look, and writes.
async fn decided(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    mut view: LevelView,
    report: &mut OrganizationLevelReport,
    reading: &mut Reading<'_>,
) -> Result<Decided, NotLooked> {
    let digest = WantedDigest::of(&view.level.policies);
    report.is_repair = view.known.confirmed.as_ref() == Some(&digest);
    let is_approved = report.is_repair || is_approved(keeper, followed).await?;
    let by = (is_approved, report.is_repair);
    let Some(decision) = decision(keeper, followed, &mut view, by, reading).await? else {
        return Ok(Decided::NoTime);
    };
    report.holds = view.holds.iter().map(RecordedHold::from).collect();
    report.left = Vec::new();
    let mut decided = Decided::Done;
    match decision {
        OrganizationDecision::NothingToWrite => {
            report.is_confirmed = view.level.not_found.is_empty()
                && followed.is_present()
                && is_all_there(keeper, followed, &view);
        }
        OrganizationDecision::Held(holds) => report.holds.extend(holds.iter().map(RecordedHold::from)),
        OrganizationDecision::WouldWrite(steps) => {
            report.left = steps.steps().iter().map(ToString::to_string).collect();
            report.extent = steps.extent();
        }
        OrganizationDecision::Write(steps) => {
            report.extent = steps.extent();
            if !report.is_repair {
                // From now on something else may be there than what was confirmed.
                keeper.ledger.change_organization_level(|known| known.confirmed = None).await?;
            }
            let written = write(keeper, &mut view, &steps, reading).await;
            report.taken.extend(written.taken);
            report.left = written.left;
            report.stopped = written.stopped;
            decided = match (&report.stopped, written.is_out_of_time && !keeper.is_stopping()) {
                (None, _) => Decided::Wrote,
                (Some(_), true) => Decided::NoTime,
                (Some(_), false) => Decided::Done,
            };
            // Waiting doesn't help: people have to hear of it.
            let refused = report.stopped.as_ref().filter(|stopped| !stopped.is_worth_waiting);
            report.holds.extend(refused.map(|it| RecordedHold::new("write_failed", &it.to_string())));
        }
    }
    record(keeper, &view, report, digest).await?;
    Ok(decided)
}

/// Records what the look came to.
async fn record(
    keeper: &Keeper,
    view: &LevelView,
    report: &OrganizationLevelReport,
    digest: WantedDigest,
) -> Result<(), NotLooked> {
    let look = view.recorded(&report.revision, report.holds.clone(), report.left.clone());
    let change = |known: &mut OrganizationLevelRecord| {
        known.look = Some(look.clone());
        if report.is_confirmed {
            known.confirmed = Some(digest.clone());
        }
    };
    Ok(keeper.ledger.change_organization_level(change).await?)
}

/// Takes note of what was published of a look.
pub async fn note_organization_level_told(keeper: &Keeper, report: &OrganizationLevelReport) {
    let change = |known: &mut OrganizationLevelRecord| {
        known.told_holds.clone_from(&report.holds);
        if report.is_looked {
            known.told_frozen = report.frozen.keys().take(FROZEN_TOLD).cloned().collect();
        }
    };
    if let Err(error) = keeper.ledger.change_organization_level(change).await {
        warn!(
            "failed to record what was published of the organization's level, so it is published again: {error}"
        );
    }
}

/// Keeps why no look was possible. What the last one saw stays as it was, with its time.
async fn note_holds(keeper: &Keeper, followed: &EffectiveBaseline, report: &OrganizationLevelReport) {
    let (at, revision) = (keeper.clock.now(), followed.baseline.revision.clone());
    let change = |known: &mut OrganizationLevelRecord| {
        let look = known.look.get_or_insert_with(|| looking::nothing_seen(at, revision.clone()));
        look.holds.clone_from(&report.holds);
    };
    if let Err(error) = keeper.ledger.change_organization_level(change).await {
        warn!("failed to record why Bedrock policies are held: {error}");
    }
}

async fn unread(keeper: &Keeper, followed: &EffectiveBaseline, text: &str) -> OrganizationLevelReport {
    let mut report = OrganizationLevelReport::new(followed.baseline.revision.clone());
    report.holds = vec![RecordedHold::new("unreadable", text)];
    report.stopped =
        Some(StoppedStep { step: "read".to_owned(), why: text.to_owned(), is_worth_waiting: false });
    note_holds(keeper, followed, &report).await;
    report
}

fn log(report: &OrganizationLevelReport) {
    for step in &report.taken {
        info!("organization's level: {step}");
    }
    for hold in &report.holds {
        error!(error.kind = "OrganizationLevelHeld", code = %hold.code, "Bedrock policies are held: {}", hold.text);
    }
    if !report.frozen.is_empty() {
        let accounts: Vec<&str> = report.frozen.keys().take(10).map(AccountId::as_str).collect();
        error!(
            error.kind = "AccountsFrozen",
            accounts = report.frozen.len(),
            "no change of a Bedrock policy reaches {}: their merged policy is invalid",
            accounts.join(", ")
        );
    }
    info!("{}", report.summary());
}
