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
mod writing;

use tracing::{error, info, warn};

use super::baselines::PresentBaseline;
use super::effect::{Effect, Notice, OrganizationNotice};
use super::tasks::wait_for;
use super::{Keeper, Stopped};
use crate::baseline::{Baseline, Revision};
use crate::bedrock_policy::OrganizationDecision;
use crate::failure::Failure;
use crate::ids::AccountId;
use crate::limits::EffectiveBaseline;
use crate::organization_level::{
    OrganizationLevelRecord, OrganizationLevelReport, RecordedHold, StoppedStep, WantedDigest,
};
use crate::settings::OrganizationAccess;
use crate::task::{Cause, Handout, OrganizationTask, SUPERSEDED_AFTER_MS, Task};
use deciding::{decision, is_all_there, is_approved};
use looking::{Keeps, LevelView, look};

pub use adopting::{NotFound, PolicyAdopter, Unadopted};
pub use deciding::{foresee_adopted, foresee_organization_level};
pub use looking::organization_session;
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

/// Makes the organization's Bedrock policies agree with the baseline that is followed.
pub(super) async fn organization_task(
    keeper: &Keeper,
    task: OrganizationTask,
    (present, followed): (&PresentBaseline, &EffectiveBaseline),
    handout: Handout,
) -> Vec<Effect> {
    let known = match keeper.ledger.organization_level().await {
        Ok(known) => known,
        Err(error) => {
            let why = format!("failed to read what is known of the organization's level: {error}");
            return wait_for(keeper, Task::Organization(task), &why);
        }
    };
    if is_superseded(&known, &task.cause, &followed.baseline.revision, handout) {
        info!("dropped: the organization's level was looked at after this task was queued");
        return Vec::new();
    }
    if !is_concerned(keeper, &followed.baseline, &known) {
        return Vec::new();
    }
    let report = match run(keeper, followed, handout).await {
        Ok(report) => report,
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
    let notice = OrganizationNotice { report, cause: task.cause.clone() };
    let mut effects = vec![Effect::Tell(Notice::OrganizationLevel(Box::new(notice)))];
    if let Some(why) = waits {
        effects.extend(wait_for(keeper, Task::Organization(task).with_short_pauses(), &why));
    } else if present.unread {
        let why = "the present baseline could not be read, so the last good one was followed";
        effects.extend(wait_for(keeper, Task::Organization(task), why));
    }
    effects
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
    Effect::Queue(Task::Organization(OrganizationTask { cause: cause.clone() }))
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
    cause: &Cause,
    followed: &Revision,
    handout: Handout,
) -> bool {
    let (Some(look), Some(sent_ms)) = (&known.look, handout.sent_ms) else { return false };
    let is_plain = !cause.sweep && cause.attempt == 0 && look.revision == *followed;
    is_plain && look.looked_ms.is_some_and(|looked| looked >= sent_ms.saturating_add(SUPERSEDED_AFTER_MS))
}

async fn run(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    handout: Handout,
) -> Result<OrganizationLevelReport, NotLooked> {
    let mut report = OrganizationLevelReport::new(followed.baseline.revision.clone());
    for round in 1..=LOOKS {
        let view = match look(keeper, &followed.baseline, Keeps::WhatIsOurs).await {
            Ok(Ok(view)) => LevelView { looked_ms: handout.received_ms, ..view },
            Err(why) => return after_all(report, why),
            Ok(Err(hold)) => {
                report.holds = vec![RecordedHold::from(&*hold)];
                note_holds(keeper, followed, &report).await;
                return Ok(report);
            }
        };
        report.frozen.clone_from(&view.reasons);
        report.is_looked = true;
        let is_last = round == LOOKS;
        let wrote = match Box::pin(decided(keeper, followed, view, is_last, &mut report)).await {
            Ok(wrote) => wrote,
            Err(why) => return after_all(report, why),
        };
        if !wrote || keeper.is_stopping() {
            break;
        }
    }
    Ok(report)
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

/// Decides by one look, and writes. Returns whether another look is due, because everything was written.
async fn decided(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    view: LevelView,
    is_last: bool,
    report: &mut OrganizationLevelReport,
) -> Result<bool, NotLooked> {
    let digest = WantedDigest::of(&view.level.policies);
    report.is_repair = view.known.confirmed.as_ref() == Some(&digest);
    let is_approved = report.is_repair || is_approved(keeper, followed).await?;
    let (decision, mut view) = decision(keeper, followed, view, (is_approved, report.is_repair)).await?;
    report.holds = view.holds.iter().map(RecordedHold::from).collect();
    report.left = Vec::new();
    let mut wrote_all = false;
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
            let written = write(keeper, &mut view, &steps).await;
            report.taken.extend(written.taken);
            report.left = written.left;
            report.stopped = written.stopped;
            wrote_all = report.stopped.is_none();
            // Waiting doesn't help: people have to hear of it.
            let refused = report.stopped.as_ref().filter(|stopped| !stopped.is_worth_waiting);
            report.holds.extend(refused.map(|it| RecordedHold::new("write_failed", &it.to_string())));
        }
    }
    record(keeper, &view, report, digest).await?;
    Ok(wrote_all && !is_last)
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
