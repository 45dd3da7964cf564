//! The rounds of one task: look, decide, write, and look once more.

use super::NotLooked;
use super::deciding::{decision, is_all_there, is_approved, steps_to_approve};
use super::looking::{Keeps, LevelView, LookOutcome, look, nothing_seen};
use super::policy_type::{PolicyTypeRepair, enable_again, refused_to_enable};
use super::reading::Reading;
use super::writing::write;
use crate::bedrock_policy::OrganizationDecision;
use crate::engine::{Deadline, Keeper};
use crate::limits::EffectiveBaseline;
use crate::organization_level::{
    BegunLook, OrganizationLevelRecord, OrganizationLevelReport, RecordedHold, StoppedStep, WantedDigest,
};
use crate::task::{ContinuedLook, Handout};
use tracing::warn;

/// How often one task looks: once, and once more after it wrote.
const LOOKS: usize = 2;

/// How a task ends.
pub(super) enum LookEnd {
    /// This came of it.
    Done(OrganizationLevelReport),
    /// There was no time for all of it: this came of it so far, and another invocation continues.
    GoesOn(OrganizationLevelReport, ContinuedLook),
}

pub(super) async fn run(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    begun: Option<&BegunLook>,
    (handout, deadline): (Handout, Deadline),
) -> Result<LookEnd, NotLooked> {
    let mut report = OrganizationLevelReport::new(followed.baseline.revision.clone());
    let mut reading = Reading::of(keeper, begun, deadline, handout).await?;
    let mut round = 1;
    let mut may_enable = true;
    loop {
        let is_last = round == LOOKS;
        let looked = match look(keeper, &followed.baseline, Keeps::WhatIsOurs, &mut reading).await {
            Ok(LookOutcome::Held(hold)) => {
                report.holds = vec![RecordedHold::from(&*hold)];
                note_holds(keeper, followed, &report).await;
                return Ok(LookEnd::Done(report));
            }
            Ok(LookOutcome::NotAll) => Ok(Decided::NoTime),
            Ok(LookOutcome::Saw(view)) => {
                report.frozen.clone_from(&view.reasons);
                report.is_looked = true;
                match enable_again(keeper, &followed.baseline, &view, may_enable).await {
                    Ok(PolicyTypeRepair::Enabled(root)) => {
                        report.taken.push(format!("enable the policy type BEDROCK_POLICY again on {root}"));
                        may_enable = false;
                        reading = Reading::new(keeper, deadline, handout.received_ms).after_work();
                        continue;
                    }
                    Ok(PolicyTypeRepair::Refused(failure)) => {
                        report.holds = vec![refused_to_enable(&failure)];
                        note_holds(keeper, followed, &report).await;
                        return Ok(LookEnd::Done(report));
                    }
                    Ok(PolicyTypeRepair::NotDue) => {
                        Box::pin(decided(keeper, followed, *view, &mut report, &mut reading)).await
                    }
                    Err(why) => Err(why),
                }
            }
            Err(why) => Err(why),
        };
        match looked {
            Ok(Decided::Done) => return Ok(LookEnd::Done(report)),
            Ok(Decided::Wrote) if is_last || keeper.is_stopping() => return Ok(LookEnd::Done(report)),
            Ok(Decided::Wrote) => {
                reading = Reading::new(keeper, deadline, handout.received_ms).after_work();
                round += 1;
            }
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
        OrganizationDecision::Held(holds) => {
            if let Some(steps) = steps_to_approve(keeper, followed, &view, &holds).await? {
                report.left = steps.steps().iter().map(ToString::to_string).collect();
                report.extent = steps.extent();
            }
            report.holds.extend(holds.iter().map(RecordedHold::from));
        }
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

/// Keeps why no look was possible. What the last one saw stays as it was, with its time.
pub(super) async fn note_holds(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    report: &OrganizationLevelReport,
) {
    let (at, revision) = (keeper.clock.now(), followed.baseline.revision.clone());
    let change = |known: &mut OrganizationLevelRecord| {
        let look = known.look.get_or_insert_with(|| nothing_seen(at, revision.clone()));
        look.holds.clone_from(&report.holds);
    };
    if let Err(error) = keeper.ledger.change_organization_level(change).await {
        warn!("failed to record why Bedrock policies are held: {error}");
    }
}
