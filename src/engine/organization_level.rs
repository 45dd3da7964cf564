//! The organization's task: the Bedrock policies, all of them, by one writer.
//!
//! ```text
//! policies, accounts, guardrails, records ─► decide ─► write, each step read before and after ─► look again ─► record
//! ```
//!
//! Nothing is written that [`decide`] doesn't return. A step that finds something else than was read stops the writing,
//! and the next task begins with a new look.

mod adopting;
mod deciding;
mod looking;
mod policy_type;
mod reading;
mod rounds;
mod under_way;
mod writing;

use tracing::{error, info, warn};

use super::baselines::PresentBaseline;
use super::effect::{Effect, Notice, OrganizationNotice};
use super::tasks::wait_for;
use super::{Deadline, Keeper, Stopped};
use crate::baseline::{Baseline, Revision};
use crate::failure::Failure;
use crate::ids::AccountId;
use crate::limits::EffectiveBaseline;
use crate::organization_level::{
    OrganizationLevelRecord, OrganizationLevelReport, RecordedHold, StoppedStep,
};
use crate::settings::OrganizationAccess;
use crate::task::{Cause, Handout, OrganizationTask, SUPERSEDED_AFTER_MS, Task};
use rounds::{LookEnd, note_holds, run};
use under_way::{end_of_look, is_continued_by, leave_a_note};

pub use adopting::{NotFound, PolicyAdopter, Unadopted};
pub use deciding::{foresee_adopted, foresee_organization_level};
pub use looking::organization_session;

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
