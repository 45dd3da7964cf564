//! The caches of a process: what one run read and the next ones use, each with its age.
//!
//! A worker does one account after another, and the baseline and the owner's side are the same for all of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tracing::debug;

use super::Keeper;
use crate::baseline::Revision;
use crate::clock::Clock;
use crate::ids::{GuardrailArn, Target};
use crate::ledger::LedgerError;
use crate::placement::{Answer, PlacementRecord};
use crate::resolved::OwnerSnapshot;

/// How long an owner snapshot from the ledger is not read again.
const READINESS_KEPT: SignedDuration = SignedDuration::from_secs(20);

/// How old an owner snapshot may be for an account's run, in seconds. An older one is read again. The probe as the
/// member comes before every write in any case.
const OWNER_SNAPSHOT_SECONDS: u64 = 900;

/// What was read, and when.
#[derive(Debug, Default)]
pub(super) struct Cache {
    owner_snapshots: Mutex<HashMap<Target, (Timestamp, Option<OwnerSnapshot>)>>,
    meant: Mutex<HashMap<Target, (Timestamp, BTreeSet<GuardrailArn>)>>,
    baseline: Mutex<Option<(Timestamp, Timestamp, String)>>,
    approved: Mutex<Option<Revision>>,
    placement: Mutex<Option<(Timestamp, PlacementRecord)>>,
}

impl Cache {
    pub(super) fn forget_readiness(&self, owner: &Target) {
        locked(&self.owner_snapshots).remove(owner);
    }

    /// The text of the last good baseline and when it was read, unless that is longer ago than `longest`.
    pub(super) fn baseline(&self, longest: SignedDuration, clock: &Clock) -> Option<(Timestamp, String)> {
        let kept = locked(&self.baseline);
        let (read, at, text) = kept.as_ref()?;
        is_fresh(clock, *read, longest).then(|| (*at, text.clone()))
    }

    /// Whether this revision is known to be approved, and kept in the ledger as such.
    pub(super) fn is_approved(&self, revision: &Revision) -> bool {
        locked(&self.approved).as_ref() == Some(revision)
    }

    /// Remembers that this revision is approved.
    pub(super) fn keep_approved(&self, revision: &Revision) {
        *locked(&self.approved) = Some(revision.clone());
    }

    /// Remembers the text of a good baseline.
    pub(super) fn keep_baseline(&self, text: &str, at: Timestamp, clock: &Clock) {
        *locked(&self.baseline) = Some((clock.now(), at, text.to_owned()));
    }
}

/// How long a decided placement is not read again: only a person changes it.
const PLACEMENT_KEPT: SignedDuration = SignedDuration::from_secs(20);

/// The answer to `placement: auto`, with its evidence.
///
/// # Errors
/// When the ledger can't be read.
pub async fn placement_record(keeper: &Keeper) -> Result<PlacementRecord, LedgerError> {
    if let Some((read, record)) = locked(&keeper.kept.placement).clone()
        && is_fresh(&keeper.clock, read, PLACEMENT_KEPT)
    {
        return Ok(record);
    }
    let record = keeper.ledger.placement().await?;
    let decided = record.answer != Answer::Undecided;
    *locked(&keeper.kept.placement) = decided.then(|| (keeper.clock.now(), record.clone()));
    Ok(record)
}

/// The snapshot of an owner in a Region, if it is recent and not older than `since`.
pub(super) async fn owner_snapshot(
    keeper: &Keeper,
    owner: &Target,
    since: Option<Timestamp>,
) -> Option<OwnerSnapshot> {
    let now = keeper.clock.now();
    let fresh = |snapshot: &OwnerSnapshot| {
        snapshot.is_fresh(now, OWNER_SNAPSHOT_SECONDS) && since.is_none_or(|since| snapshot.at >= since)
    };
    let known = locked(&keeper.kept.owner_snapshots).get(owner).cloned();
    if let Some((read, snapshot)) = known
        && is_fresh(&keeper.clock, read, READINESS_KEPT)
        && (since.is_none() || snapshot.as_ref().is_some_and(fresh))
    {
        return snapshot.filter(fresh);
    }
    let snapshot = match keeper.ledger.owner_snapshot(owner).await {
        Ok(snapshot) => snapshot,
        Err(error) => {
            // Then every account reads the owner's side itself.
            debug!("failed to read the owner snapshot of {owner}: {error}");
            return None;
        }
    };
    locked(&keeper.kept.owner_snapshots).insert(owner.clone(), (now, snapshot.clone()));
    snapshot.filter(fresh)
}

/// The guardrails of an owner in a Region that the baseline means, as the last owner task saw them, however long ago; none where the
/// ledger can't be read.
pub(super) async fn guardrails_meant(keeper: &Keeper, owner: &Target) -> BTreeSet<GuardrailArn> {
    if let Some((read, meant)) = locked(&keeper.kept.meant).get(owner)
        && is_fresh(&keeper.clock, *read, READINESS_KEPT)
    {
        return meant.clone();
    }
    let meant = match keeper.ledger.owner_snapshot(owner).await {
        Ok(snapshot) => snapshot.map(|snapshot| snapshot.meant()).unwrap_or_default(),
        Err(error) => {
            debug!("failed to read which guardrails the baseline means in {owner}: {error}");
            return BTreeSet::new();
        }
    };
    locked(&keeper.kept.meant).insert(owner.clone(), (keeper.clock.now(), meant.clone()));
    meant
}

/// Whether something that was read at this time needs no second read yet.
fn is_fresh(clock: &Clock, read: Timestamp, longest: SignedDuration) -> bool {
    // The machine's clock may have been set back.
    clock.age(read).abs() < longest
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
