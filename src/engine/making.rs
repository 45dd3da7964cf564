//! One write: attempted once, unless its intent can't be recorded, or it is no longer needed, or it would be wrong by
//! now.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tracing::{Instrument, info_span};

use super::copies::ensure_copy;
use super::members::in_grace;
use super::run::{Run, not_recorded};
use super::trials::Attempt;
use super::{Keeper, Step, Write};
use crate::cloud::{CopyWriter, Writer, Wrote, put_by_somebody_else};
use crate::failure::Failure;
use crate::ids::Target;
use crate::ledger::LedgerError;
use crate::observed::{Observation, Observed};
use crate::plan::{Change, CleanUp, DecisionContext, LedgerState};
use crate::report::TargetReport;

/// What the changes of one account in one run share.
#[derive(Clone, Copy)]
pub(super) struct Begun<'a> {
    /// When they were begun, as recorded.
    pub(super) at: Timestamp,
    /// Whether their intents were recorded.
    pub(super) recorded: &'a Result<(), LedgerError>,
    /// Why nothing is released: the account stands elsewhere by now.
    pub(super) moved: Option<&'a Failure>,
    /// What was there right before a write that turned out to be needless.
    pub(super) found: &'a Mutex<Observed>,
}

/// Makes one change.
pub(super) async fn make(
    keeper: &Keeper,
    run: Run<'_>,
    begun: Begun<'_>,
    change: Change,
) -> (Target, TargetReport) {
    let Begun { at, recorded, moved, found } = begun;
    let Run { trials, progress, updates, .. } = run;
    let target = change.target().clone();
    let span = info_span!("apply", account.id = %target.account, region = %target.region);
    async move {
        let is_told = updates.intent(&change, at).deed.is_some();
        let attempt = async |change: &Change| match (recorded, moved) {
            // Without a recorded intent nothing is written: the write would leave no trace. And where a later run has
            // recorded already, it knows better.
            (Err(error), _) => Err(not_recorded(error)),
            // An adoption is only recorded.
            (Ok(()), _) if matches!(change, Change::Adopt { .. }) => Ok(Attempt::Made(None)),
            (Ok(()), Some(failure)) if change.is_release() => Err(failure.clone()),
            (Ok(()), _) => {
                progress(Step::Begins(Write::Change(change)));
                let result = attempt(keeper, run, change, found).await;
                match &result {
                    Ok(Attempt::Made(_)) => progress(Step::Ended(Write::Change(change), &Ok(()))),
                    Ok(Attempt::Needless(_)) => progress(Step::Needless(change)),
                    Err(failure) => progress(Step::Ended(Write::Change(change), &Err(failure.clone()))),
                }
                result
            }
        };
        let mut result = trials.attempt(change, attempt).await;
        if let TargetReport::Attempted(outcome) = &mut result {
            outcome.begun = is_told.then_some(at);
        }
        progress(Step::Wrote);
        (target, result)
    }
    .instrument(span)
    .await
}

async fn attempt(
    keeper: &Keeper,
    run: Run<'_>,
    change: &Change,
    found: &Mutex<Observed>,
) -> Result<Attempt, Failure> {
    let target = change.target();
    let attempted = async {
        let session = keeper.cloud.session(&target.account).await?;
        let writer = Writer::new(&session, &target.region);
        match change {
            Change::Enforce { to, .. } => writer.enforce(to).await,
            Change::Replace { from, to, .. } => writer.replace(from, to).await,
            Change::Release { from, .. } => writer.release(from).await,
            Change::EnsureCopy { key, enforced, .. } => {
                let ensured = ensure_copy(&session, target, key, enforced, run.originals).await;
                ensured.map(|()| Wrote::Made(None))
            }
            // An adoption makes no call.
            Change::Adopt { .. } => Ok(Wrote::Made(None)),
        }
    };
    let wrote = attempted
        .await
        .map_err(|failure| in_grace(keeper, run.organization, run.arrivals, target, failure))?;
    let seen = match wrote {
        Wrote::Made(reads_back) => return Ok(Attempt::Made(reads_back.map(Box::new))),
        Wrote::Conflicted(seen) if change.may_have_made(&seen, &keeper.settings.own_roles) => {
            return Ok(Attempt::Made(None));
        }
        Wrote::Conflicted(seen) => Observation::Enforced(seen),
        Wrote::Found(seen) => seen,
    };
    let record = run.updates.records.get(target).cloned().unwrap_or_default();
    let (own_roles, now) = (&keeper.settings.own_roles, keeper.clock.now());
    let context = DecisionContext { own_roles, ledger: LedgerState::Durable, now };
    let decision = change.found(&seen, &record, context).ok_or_else(put_by_somebody_else)?;
    found.lock().unwrap_or_else(PoisonError::into_inner).insert(target.clone(), seen);
    Ok(Attempt::Needless(Box::new(decision)))
}

/// Makes one clean-up.
pub(super) async fn clean(
    keeper: &Keeper,
    run: Run<'_>,
    begun: Begun<'_>,
    clean_up: CleanUp,
) -> (Target, TargetReport) {
    let Begun { at: _, recorded, moved, found: _ } = begun;
    let Run { organization, arrivals, progress, .. } = run;
    let target = clean_up.target.clone();
    let span = info_span!("apply", account.id = %target.account, region = %target.region);
    async move {
        let result = match (recorded, moved) {
            (Err(error), _) => Err(not_recorded(error)),
            (Ok(()), Some(failure)) if clean_up.is_release() => Err(failure.clone()),
            (Ok(()), _) => {
                progress(Step::Begins(Write::CleanUp(&clean_up)));
                let attempted = async {
                    let session = keeper.cloud.session(&target.account).await?;
                    CopyWriter::new(&session, &target.region).tidy(&target, &clean_up.leftover).await
                };
                let result = attempted
                    .await
                    .map_err(|failure| in_grace(keeper, organization, arrivals, &target, failure));
                progress(Step::Ended(Write::CleanUp(&clean_up), &result));
                result
            }
        };
        progress(Step::Wrote);
        (target, TargetReport::CleanedUp { clean_up, result })
    }
    .instrument(span)
    .await
}
