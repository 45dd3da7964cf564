//! Writes and departures that are not published yet: the record keeps them until they are.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tracing::warn;

use super::Keeper;
use super::notes::{RecordUpdates, in_region};
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, Region, Target};
use crate::outcome::deed_of;
use crate::plan::Change;
use crate::record::{Deed, DeedKind, Intent, Note, Origin, Ours, ReleasedUnusable, Tellers};
use crate::report::{ChangeResult, Report};
use crate::settings::Purpose;

/// The writes of earlier runs that are not published yet.
pub(super) type Owed = BTreeMap<Target, Vec<Intent>>;

impl RecordUpdates<'_> {
    /// A write that is about to be made, with the event that will report it.
    pub(super) fn intent(self, change: &Change, at: Timestamp) -> Intent {
        let to = match change {
            Change::Adopt { seen, .. } => Some(&seen.enforcement),
            change => change.enforces().map(|(_, to)| to),
        };
        let revision = self.revision();
        let deed = self.tells.and_then(|_| deed_of(change, self.records, &revision, at));
        Intent { to: to.cloned(), at, revision, deed }
    }

    /// A write that an earlier run began and never confirmed was made after all: what is there proves it. The next
    /// intent replaces the intent of that write; if the next write fails, only this note says that the enforcement is
    /// ours.
    pub(super) fn confirmed(self, target: &Target) -> Option<Note> {
        let record = self.records.get(target)?;
        let is_ours = |principal: &str| self.own_roles.wrote(principal, &target.account);
        let Intent { to, at, revision, .. } = record.confirms(self.observed.get(target)?, is_ours)?;
        let origin = record.ours.as_ref().map_or(Origin::Applied, |ours| ours.origin);
        let ours = self.ours(to.as_ref()?, origin, *at);
        Some(Note::Remembered(Ours { revision: revision.clone(), ..ours }))
    }

    /// A write was made and is to be published.
    pub(super) fn made(self, outcome: &ChangeResult) -> Option<Note> {
        Some(Note::Owed(Box::new(self.intent(&outcome.change, outcome.begun?))))
    }

    /// The writes of earlier runs in these targets that are not published yet.
    pub(super) fn owed<'b>(self, targets: impl Iterator<Item = &'b Target>) -> Owed {
        let mut all = Owed::new();
        for target in targets {
            let (Some(tellers), Some(record)) = (self.tells, self.records.get(target)) else { continue };
            let is_ours = |principal: &str| self.own_roles.wrote(principal, &target.account);
            let owed = record.owes(self.observed.get(target), tellers, self.now, is_ours);
            if !owed.is_empty() {
                all.insert(target.clone(), owed);
            }
        }
        all
    }

    /// Writes of a target of which the record only knew that they were begun.
    pub(super) fn made_before(self, target: &Target, owed: &Owed) -> Vec<(Region, Note)> {
        let known = |write: &Intent| {
            self.records.get(target).is_some_and(|record| record.untold.iter().any(|it| it.at == write.at))
        };
        let mut notes = Vec::new();
        for write in owed.get(target).into_iter().flatten().filter(|write| !known(write)) {
            notes.push(Note::Owed(Box::new(write.clone())));
            if let Some(Deed { kind: DeedKind::GivenUp, from: Some(from), .. }) = &write.deed {
                let Enforcement { guardrail, version, .. } = from.enforcement.clone();
                notes.push(Note::ReleasedUnusable(ReleasedUnusable { guardrail, version, at: write.at }));
            }
        }
        in_region(target, notes)
    }
}

/// Whether this run's writes are published, and who else may publish them. A terminal publishes nothing.
pub(super) fn tells(keeper: &Keeper, is_queued: bool) -> Option<Tellers> {
    let tells = keeper.settings.bus.is_some() && keeper.settings.purpose == Purpose::Function;
    tells.then_some(if is_queued { Tellers::OneAtATime } else { Tellers::Several })
}

/// Records that a run's writes were published. If that fails, the next look publishes them again.
pub async fn note_told(keeper: &Keeper, report: &Report) {
    let mut told: BTreeMap<AccountId, BTreeSet<(Region, Timestamp)>> = BTreeMap::new();
    for (target, begun) in report.told() {
        told.entry(target.account.clone()).or_default().insert((target.region.clone(), begun));
    }
    let note = async |(account, told): (AccountId, BTreeSet<(Region, Timestamp)>)| {
        let noted = keeper.ledger.change_account(&account, |record| {
            for (region, begun) in &told {
                if let Some(record) = record.regions.get_mut(region) {
                    record.tell(*begun);
                }
            }
            Ok(())
        });
        if let Err(error) = noted.await {
            warn!(account.id = %account, "failed to record what was published of {account}, so it is published \
                                          again: {error}");
        }
    };
    stream::iter(told).for_each_concurrent(keeper.settings.concurrency, note).await;
}

/// Records that the departure of an account was published.
pub async fn note_departure_told(keeper: &Keeper, account: &AccountId) {
    let noted = keeper.ledger.change_account(account, |record| {
        if let Some(closed) = &mut record.closed {
            closed.untold = false;
        }
        Ok(())
    });
    if let Err(error) = noted.await {
        warn!(account.id = %account, "failed to record that the departure of {account} was published, so it is \
                                      published again: {error}");
    }
}
