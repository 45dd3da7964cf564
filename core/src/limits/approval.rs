//! What a person's approval covers: the release of what another principal made.
//!
//! An approval is given to what was known when it was given. A revision says by itself what it releases,
//! so that an approval of the revision covers it. That an account moved, it does not say: there the
//! release is held first, and the next approval covers it. The ledger counts approvals; and one that was
//! given in a parameter covers nothing that was found after it was given, by SSM's clock.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::RevisionApproval;
use crate::ids::{AccountId, Target};
use crate::organization::OrgPath;
use crate::plan::{Change, Decision, HoldReason, Plan, held_back};
use crate::record::{Awaited, Records};

/// What a person approved.
#[derive(Clone, Copy, Debug)]
pub struct Approval<'a> {
    /// How often the revision was approved.
    pub approval: &'a RevisionApproval,
    /// Whether a person approved this plan and nothing else, as `apply` asks.
    pub is_given_with_the_plan: bool,
    /// Accounts that a person prepared to leave: what is there is to be released.
    pub leaving: &'a BTreeSet<AccountId>,
}

impl Approval<'_> {
    fn covers(
        self,
        target: &Target,
        broken: bool,
        records: &Records,
        has_moved: impl Fn(&OrgPath, &Target) -> bool,
    ) -> bool {
        if self.is_given_with_the_plan || self.leaving.contains(&target.account) {
            return true;
        }
        // No approval covered that it would break one day.
        if broken || self.approval.approvals == 0 {
            return false;
        }
        let Some(record) = records.get(target) else { return false };
        let stood = record.ours.as_ref().and_then(|ours| ours.path.as_ref());
        // Where it stood when it was adopted isn't known of what an earlier version recorded.
        let moved = stood.is_none_or(|path| has_moved(path, target));
        // An approval is taken over some time after it was given: what was found since, nobody saw.
        let was_seen = |at: Timestamp| {
            let given = self.approval.given.as_ref();
            given.is_none_or(|given| at.as_millisecond() <= given.at.as_millisecond())
        };
        let is_later = |awaited: &Awaited| {
            awaited.revision == self.approval.revision
                && awaited.approvals < self.approval.approvals
                && awaited.at.is_none_or(was_seen)
        };
        !moved || record.awaited.as_ref().is_some_and(is_later)
    }
}

impl Plan {
    /// Holds the release of what was adopted, where no approval covers it. What is broken stays broken.
    pub fn hold_adopted(
        mut self,
        approval: Approval<'_>,
        records: &Records,
        has_moved: impl Fn(&OrgPath, &Target) -> bool,
    ) -> Plan {
        for (target, decision) in &mut self.decisions {
            let Decision::Change(change @ Change::Release { from, broken, adopted: true, .. }) = &*decision
            else {
                continue;
            };
            if approval.covers(target, broken.is_some(), records, &has_moved) {
                continue;
            }
            let reason = HoldReason::ReleasesAdopted {
                revision: approval.approval.revision.clone(),
                by: from.last_writer().map(str::to_owned),
            };
            *decision = held_back(change.clone(), reason);
        }
        self
    }
}
