//! Decides by what was looked at, and says what would be written. Writes nothing.

use std::collections::BTreeMap;

use super::NotLooked;
use super::looking::{Keeps, LevelView, look};
use crate::baseline::{Baseline, Mode};
use crate::bedrock_policy::{
    OrganizationDecision, OrganizationHold, OrganizationLevel, OrganizationWants, PolicyId, PolicyPart,
    decide,
};
use crate::engine::Keeper;
use crate::engine::inherited::inherited_by_record;
use crate::ids::AccountId;
use crate::limits::EffectiveBaseline;
use crate::organization_level::{OrganizationLevelReport, RecordedHold, RecordedProofs, WantedDigest};
use crate::record::InheritedLevel;

/// Decides by one look. `is_repair` is whether what is wanted was carried out before.
pub(super) async fn decision(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    mut view: LevelView,
    (is_approved, is_repair): (bool, bool),
) -> Result<(OrganizationDecision, LevelView), NotLooked> {
    // Whether there is anything to write doesn't depend on who is there.
    if decided_by(keeper, followed, &view, (is_approved, is_repair), BTreeMap::new())
        == OrganizationDecision::NothingToWrite
    {
        return Ok((OrganizationDecision::NothingToWrite, view));
    }
    view = view.with_accounts(keeper).await?;
    if !view.organization.unplaced.is_empty() {
        let unplaced = view.organization.unplaced.keys().cloned().collect();
        return Ok((OrganizationDecision::Held(vec![OrganizationHold::Unplaced(unplaced)]), view));
    }
    let inherited = inherited_by_record(keeper).await?;
    Ok((decided_by(keeper, followed, &view, (is_approved, is_repair), inherited), view))
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
        accounts: &view.organization.accounts,
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
    let view = match Box::pin(look(keeper, baseline, keeps)).await.map_err(in_words)? {
        Ok(view) => view,
        Err(hold) => {
            report.holds = vec![RecordedHold::from(&*hold)];
            return Ok(report);
        }
    };
    let followed = EffectiveBaseline { baseline: baseline.clone(), candidate: None, approved: true };
    let digest = WantedDigest::of(&view.level.policies);
    report.is_repair = view.known.confirmed.as_ref() == Some(&digest);
    report.frozen.clone_from(&view.reasons);
    report.is_looked = true;
    let is_approved = report.is_repair || is_approved(keeper, &followed).await.map_err(in_words)?;
    let (mut decided, view) =
        decision(keeper, &followed, view, (is_approved, report.is_repair)).await.map_err(in_words)?;
    report.holds = view.holds.iter().map(RecordedHold::from).collect();
    if let OrganizationDecision::Held(holds) = &decided {
        report.holds.extend(holds.iter().map(RecordedHold::from));
        if let [OrganizationHold::NotApproved(_)] = holds.as_slice() {
            let inherited = inherited_by_record(keeper).await.map_err(|error| error.to_string())?;
            decided = decided_by(keeper, &followed, &view, (true, report.is_repair), inherited);
        }
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
