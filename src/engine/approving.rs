//! Takes over a person's approval from its parameter.
//!
//! A person approves by writing the revision into a parameter beside the baseline's, so that IAM says who may. Who
//! wrote both is taken from SSM's history. An approval that was taken over stays in the ledger: neither a later approval
//! of another revision nor one that can't be read takes it back.

use tracing::{error, info, warn};

use super::asked::is_deployed;
use super::baselines::{PresentBaseline, followed_if_known, keep_approved};
use super::{Keeper, Stopped};
use crate::baseline::Revision;
use crate::failure::Failure;
use crate::limits::{
    EffectiveBaseline, GivenApproval, RevisionApproval, UnusableVersions, judge_approval, revision_of,
};
use crate::settings::{BaselineSource, Settings};
use crate::trigger::{Accounts, Scope};

/// What became of an approval that was asked for here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approving {
    /// It is in the ledger, and counts.
    Recorded,
    /// It is in its parameter, in this version. The deployed keeper hears of that and judges it.
    Put {
        /// The parameter.
        parameter: String,
        /// The version.
        version: i64,
    },
    /// It is in its parameter, and doesn't count.
    Refused(Box<GivenApproval>),
}

/// Approves a revision: it may change as much as it wants. Also approves the release of guardrails that are known by
/// now to be unusable.
///
/// Where the baseline is in a parameter, so is its approval: it is written there, and a deployed keeper takes it over
/// from there. Where none is deployed, it is taken over here. The approval of a file is in the ledger alone.
///
/// # Errors
/// When the parameter or the ledger can't be used.
pub async fn approve(keeper: &Keeper, revision: &Revision) -> Result<Approving, Stopped> {
    let Some(name) = &keeper.settings.approval else {
        keeper.ledger.change_unusable(|versions| versions.approve(keeper.clock.now())).await?;
        let approve = |known: &mut Option<RevisionApproval>| {
            *known = Some(RevisionApproval::of(known.take(), revision).approve());
        };
        keeper.ledger.change_revision_approval(approve).await?;
        return Ok(Approving::Recorded);
    };
    let failed = |failure| Stopped::NotApproved { parameter: name.clone(), failure };
    let is_new = keeper.cloud.find_parameter(name).await.map_err(failed)?.is_none();
    let text = revision.to_string();
    let version = keeper.cloud.parameter_writer().put(name, &text, is_new).await.map_err(failed)?;
    if is_deployed(keeper) {
        return Ok(Approving::Put { parameter: name.clone(), version });
    }
    match taken_over(keeper, revision).await.map_err(failed)? {
        Some(given) if given.counts() => Ok(Approving::Recorded),
        Some(given) => Ok(Approving::Refused(Box::new(given))),
        None => Err(failed(Failure::rejected(
            "GetParameterHistory",
            format!("the baseline that is there is not {revision}: read its plan first"),
        ))),
    }
}

/// Takes over the approval of the present baseline, if one was given since. Returns whether the approval is known; where
/// it isn't, nothing is approved by it, and nothing that is approved already is lost.
pub async fn take_over_approval(keeper: &Keeper, revision: &Revision) -> bool {
    // On the heap: it is rarely more than one call, and its callers are awaited by everything that arrives.
    match Box::pin(taken_over(keeper, revision)).await {
        Ok(_) => true,
        Err(failure) => {
            warn!(
                baseline.revision = %revision,
                "whether baseline {revision} was approved is not known, so nothing is approved now: {failure}"
            );
            false
        }
    }
}

/// Takes over the approval of the present baseline before a look at everything, and before any look while a revision
/// waits: its own event may be lost. Returns whether the approval is known, as far as it was asked for.
pub(super) async fn approved_by_now(
    keeper: &Keeper,
    known: &PresentBaseline,
    scopes: &[Scope],
    followed: &mut Option<EffectiveBaseline>,
) -> bool {
    let waits = followed.as_ref().is_none_or(|followed| !followed.approved || !followed.is_present());
    let is_asked = |scope: &Scope| waits || scope.accounts == Accounts::All;
    if known.instead_of.is_some() || !scopes.iter().any(is_asked) {
        return true;
    }
    let is_known = take_over_approval(keeper, &known.baseline.revision).await;
    if waits {
        *followed = followed_if_known(keeper, &known.baseline).await;
    }
    is_known
}

/// The approval that is in effect or refused, if one was given for this revision. Judges it once.
async fn taken_over(keeper: &Keeper, revision: &Revision) -> Result<Option<GivenApproval>, Failure> {
    let Settings {
        baseline: BaselineSource::Parameter(baseline), approval: Some(name), self_approval, ..
    } = &keeper.settings
    else {
        return Ok(None);
    };
    let Some(present) = keeper.cloud.find_parameter(name).await? else { return Ok(None) };
    let Some(named) = revision_of(&present.text) else {
        warn!("{name} holds no revision, so it approves nothing: `guardrailctl approve REVISION` writes it");
        return Ok(None);
    };
    if named != *revision {
        return Ok(None);
    }
    let not_recorded =
        |error| Failure::transient("ReadLedger", format!("the ledger could not be used: {error}"));
    let known = keeper.ledger.revision_approval().await.map_err(not_recorded)?;
    let known = known.filter(|known| known.revision == *revision).and_then(|known| known.given);
    let is_known =
        |given: &GivenApproval| present.at.is_some_and(|at| given.is_of(present.version, at, *self_approval));
    if let Some(known) = known.filter(is_known) {
        return Ok(Some(known));
    }
    let approvals = keeper.cloud.parameter_history(name).await?;
    let baselines = keeper.cloud.parameter_history(baseline).await?;
    let Some(given) = judge_approval(revision, &approvals, &baselines, *self_approval) else {
        return Ok(None);
    };
    record(keeper, revision, &given).await.map_err(not_recorded)?;
    Ok(Some(given))
}

/// Records an approval that was judged.
async fn record(
    keeper: &Keeper,
    revision: &Revision,
    given: &GivenApproval,
) -> Result<(), crate::ledger::LedgerError> {
    if given.counts() {
        // Before the approval itself: after that nobody comes back to it.
        keeper.ledger.change_unusable(|versions: &mut UnusableVersions| versions.approve(given.at)).await?;
    }
    let mut is_news = false;
    let taken = keeper.ledger.change_revision_approval(|known| {
        let before = RevisionApproval::of(known.take(), revision);
        let after = before.clone().take_over(given);
        is_news = before != after;
        *known = Some(after);
    });
    taken.await?;
    if !is_news {
        return Ok(());
    }
    let (approver, authors) = (given.approver.as_deref().unwrap_or_default(), given.authors.join(" "));
    if given.counts() {
        keep_approved(keeper, revision).await;
        info!(baseline.revision = %revision, approver, authors, "baseline {revision} is approved: {given}");
    } else {
        error!(
            error.kind = "ApprovalRefused",
            baseline.revision = %revision, approver, authors,
            "baseline {revision} is not approved: {given}"
        );
    }
    Ok(())
}
