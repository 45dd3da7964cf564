//! Decides by what was looked at, and says what would be written. Writes nothing.

use std::collections::BTreeMap;

use super::NotLooked;
use super::looking::{Keeps, LevelView, LookOutcome, look};
use super::reading::{DECIDING_SECONDS, Reading};
use crate::baseline::{Baseline, Mode};
use crate::bedrock_policy::{
    OrganizationDecision, OrganizationHold, OrganizationLevel, OrganizationWants, PolicyId, PolicyPart,
    SafeSteps, decide,
};
use crate::engine::inherited::inherited_by_record;
use crate::engine::{Deadline, Keeper};
use crate::ids::AccountId;
use crate::limits::EffectiveBaseline;
use crate::organization_level::{OrganizationLevelReport, RecordedHold, RecordedProofs, WantedDigest};
use crate::record::InheritedLevel;

/// Decides by one look; `None` if there is no time to see everything that the decision rests on. `is_repair` is whether what
/// is wanted was carried out before.
pub(super) async fn decision(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    view: &mut LevelView,
    (is_approved, is_repair): (bool, bool),
    reading: &mut Reading<'_>,
) -> Result<Option<OrganizationDecision>, NotLooked> {
    // Whether there is anything to write doesn't depend on who is there.
    if decided_by(keeper, followed, view, (is_approved, is_repair), BTreeMap::new())
        == OrganizationDecision::NothingToWrite
    {
        return Ok(Some(OrganizationDecision::NothingToWrite));
    }
    if !view.add_accounts(reading).await? || !reading.has_time(DECIDING_SECONDS) {
        return Ok(None);
    }
    // What was carried out before is put back all the same: everybody below had it.
    if !view.unplaced.is_empty() && !is_repair {
        let hold = OrganizationHold::Unplaced(view.unplaced.clone());
        return Ok(Some(OrganizationDecision::Held(vec![hold])));
    }
    let inherited = inherited_by_record(keeper).await?;
    Ok(Some(decided_by(keeper, followed, view, (is_approved, is_repair), inherited)))
}

/// The steps that wait for nothing but a person's approval, so that people see what they approve.
pub(super) async fn steps_to_approve(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    view: &LevelView,
    holds: &[OrganizationHold],
) -> Result<Option<SafeSteps>, NotLooked> {
    let [OrganizationHold::NotApproved(_)] = holds else { return Ok(None) };
    let inherited = inherited_by_record(keeper).await?;
    match decided_by(keeper, followed, view, (true, false), inherited) {
        OrganizationDecision::Write(steps) | OrganizationDecision::WouldWrite(steps) => Ok(Some(steps)),
        OrganizationDecision::NothingToWrite | OrganizationDecision::Held(_) => Ok(None),
    }
}

fn decided_by(
    keeper: &Keeper,
    EffectiveBaseline { baseline, candidate, .. }: &EffectiveBaseline,
    view: &LevelView,
    (is_approved, is_repair): (bool, bool),
    inherited: BTreeMap<AccountId, InheritedLevel>,
) -> OrganizationDecision {
    let wants = OrganizationWants {
        policies: &view.level.policies,
        mode: baseline.mode,
        puts_back: candidate.is_some(),
        limits: baseline.limits,
        is_approved,
    };
    let proofs = RecordedProofs {
        versions: view.versions.clone(),
        inherited,
        accounts: &view.accounts,
        accepted: &baseline.accept_unproven,
        restored: is_repair.then_some(&view.level),
        now: keeper.clock.now(),
    };
    let level = OrganizationLevel {
        is_enabled: view.is_enabled,
        present: &view.present,
        own: &view.own,
        accounts: &view.paths,
        frozen: &view.frozen,
    };
    decide(level, wants, &proofs)
}

/// Whether the keeper's policies are just what is wanted, whatever the mode leaves of it: under `enforce-only` nothing is
/// to be written either where they have more.
pub(super) fn is_all_there(keeper: &Keeper, followed: &EffectiveBaseline, view: &LevelView) -> bool {
    let mut followed = followed.clone();
    followed.baseline.mode = Mode::Sync;
    decided_by(keeper, &followed, view, (true, false), BTreeMap::new())
        == OrganizationDecision::NothingToWrite
}

/// Said of a look that has no deadline: it can't be.
const NO_TIME: &str = "there was no time to look at everything";

/// What would be written on the organization's level if this baseline were followed, and why not, if so. Where nothing
/// but an approval is missing, the steps are named as well. Reads only, and records nothing.
///
/// # Errors
/// When it can't be read, in words.
pub async fn foresee_organization_level(
    keeper: &Keeper,
    baseline: &Baseline,
) -> Result<Option<OrganizationLevelReport>, String> {
    let known = keeper.ledger.organization_level().await.map_err(|error| error.to_string())?;
    if !baseline.has_organization_level() && known.own.is_empty() {
        return Ok(None);
    }
    foreseen(keeper, baseline, Keeps::Nothing).await.map(Some)
}

/// The same, as if a policy of somebody's were the keeper's by then.
///
/// # Errors
/// When it can't be read, in words.
pub async fn foresee_adopted(
    keeper: &Keeper,
    baseline: &Baseline,
    (id, part): (&PolicyId, &PolicyPart),
) -> Result<OrganizationLevelReport, String> {
    foreseen(keeper, baseline, Keeps::AsIfAdopted(id.clone(), part.clone())).await
}

async fn foreseen(
    keeper: &Keeper,
    baseline: &Baseline,
    keeps: Keeps,
) -> Result<OrganizationLevelReport, String> {
    let in_words = |why: NotLooked| match why {
        NotLooked::Failed(failure) => failure.to_string(),
        NotLooked::Because(why) => why,
    };
    let mut report = OrganizationLevelReport::new(baseline.revision.clone());
    let mut reading = Reading::new(keeper, Deadline::NONE, None);
    let looked = Box::pin(look(keeper, baseline, keeps, &mut reading)).await.map_err(in_words)?;
    let mut view = match looked {
        LookOutcome::Saw(view) => *view,
        LookOutcome::Held(hold) => {
            report.holds = vec![RecordedHold::from(&*hold)];
            return Ok(report);
        }
        LookOutcome::NotAll => return Err(NO_TIME.to_owned()),
    };
    let followed = EffectiveBaseline { baseline: baseline.clone(), candidate: None, approved: true };
    let digest = WantedDigest::of(&view.level.policies);
    report.is_repair = view.known.confirmed.as_ref() == Some(&digest);
    report.frozen.clone_from(&view.reasons);
    report.is_looked = true;
    let is_approved = report.is_repair || is_approved(keeper, &followed).await.map_err(in_words)?;
    let by = (is_approved, report.is_repair);
    let decided = decision(keeper, &followed, &mut view, by, &mut reading).await.map_err(in_words)?;
    let mut decided = decided.ok_or_else(|| NO_TIME.to_owned())?;
    report.holds = view.holds.iter().map(RecordedHold::from).collect();
    if let OrganizationDecision::Held(holds) = &decided {
        report.holds.extend(holds.iter().map(RecordedHold::from));
        let steps = steps_to_approve(keeper, &followed, &view, holds).await.map_err(in_words)?;
        decided = steps.map_or(decided, OrganizationDecision::Write);
    }
    match decided {
        OrganizationDecision::Write(steps) | OrganizationDecision::WouldWrite(steps) => {
            report.left = steps.steps().iter().map(ToString::to_string).collect();
            report.extent = steps.extent();
        }
        OrganizationDecision::NothingToWrite => report.is_confirmed = report.holds.is_empty(),
        OrganizationDecision::Held(_) => {}
    }
    Ok(report)
}

/// Whether a person approved the revision that is followed.
pub(super) async fn is_approved(keeper: &Keeper, followed: &EffectiveBaseline) -> Result<bool, NotLooked> {
    let approval = keeper.ledger.revision_approval().await?;
    let revision = &followed.baseline.revision;
    Ok(approval.is_some_and(|approval| approval.revision == *revision && approval.approvals > 0))
}
