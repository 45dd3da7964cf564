//! Limits: what a new baseline revision may change without a person's approval.
//!
//! They guard against a slip of the pen, not against an attacker. Putting things right under a
//! revision that is approved is never limited.
//!
//! What another principal made and the keeper adopted is a case of its own: to release it takes a person's
//! approval, whatever the limits. See [`Approval`].

mod approval;
mod ceilings;
mod effective;
mod extent;
mod given;
mod revision;
mod unreviewed;
mod unusable;

use std::collections::{BTreeMap, BTreeSet};

use crate::baseline::{Limits, Revision};
use crate::enforcement::Drift;
use crate::ids::{AccountId, GuardrailArn, Target};
use crate::organization::OrgPath;
use crate::plan::{
    Change, Decision, GrantChange, GrantPurpose, Held, HoldReason, LeaveReason, LeftAlone, Ownership, Plan,
};
use crate::record::Records;
use crate::resource_policy::Resource;

pub use crate::baseline::LARGEST_LIMIT;
pub use approval::Approval;
pub use ceilings::Ceilings;
pub use effective::EffectiveBaseline;
pub use extent::{Extent, is_abandonment};
pub use given::{ApprovalVerdict, GivenApproval, SelfApproval, WrittenVersion, judge_approval, revision_of};
pub use revision::{Allowance, Moved, RevisionApproval};
pub use unreviewed::Unreviewed;
pub use unusable::{RELEASES_COUNTED_SECONDS, ReleaseVerdict, UnusableVersion, UnusableVersions, Version};

/// Whether what the record has for ours was put there by this very revision.
fn is_from(target: &Target, records: &Records, revision: &Revision) -> bool {
    let ours = records.get(target).and_then(|record| record.ours.as_ref());
    ours.is_some_and(|ours| ours.revision == *revision)
}

/// Whether another principal moved the target away from what this very revision put there, or from what an
/// earlier one put there that this one wants as well.
///
/// What the record doesn't know is no repair: it counts against the limits.
pub fn is_repair(change: &Change, records: &Records, revision: &Revision) -> bool {
    match change {
        Change::Replace { target, to, ownership: Ownership::Ours, .. } => {
            records.get(target).and_then(|record| record.ours.as_ref()).is_some_and(|ours| {
                ours.revision == *revision || Drift::between(&ours.enforcement, to).is_none()
            })
        }
        // What was ours was removed. Nothing is there that an unapproved revision could replace,
        // and unguarded is worse than guarded by what waits for its approval. But where a baseline in mode `audit`
        // took the account out, it may have been removed because it did harm: it isn't put back without an approval.
        Change::Enforce { repair: true, target, .. } => !was_left_by_another(target, records, revision),
        Change::Replace { ownership: Ownership::Foreign, .. }
        | Change::Enforce { repair: false, .. }
        | Change::Adopt { .. }
        // What can't be used is released within the limits, and by what is approved, like anything else.
        | Change::Release { .. }
        | Change::EnsureCopy { .. } => false,
    }
}

/// Whether another revision left an enforcement of ours to itself since it was last seen to: one in mode `audit`, or one
/// that isn't approved. Where this very revision did, the account moved to where it assigns nothing, and came back.
fn was_left_by_another(target: &Target, records: &Records, revision: &Revision) -> bool {
    records
        .get(target)
        .is_some_and(|record| record.would_abandon && record.left_by.as_ref() != Some(revision))
}

/// Whether it puts a grant in place that live enforcements of ours rest on.
pub fn is_repair_of_a_grant(change: &GrantChange, records: &Records) -> bool {
    let rests_on_it = |guardrail: &GuardrailArn| match &change.grant.resource {
        Resource::Guardrail(arn) => guardrail == arn,
        Resource::Profile(arn) => guardrail.account == arn.account && guardrail.region == arn.region,
    };
    let mut ours = records.values().filter_map(|record| record.ours.as_ref());
    change.purpose == GrantPurpose::Grant && ours.any(|ours| rests_on_it(&ours.enforcement.guardrail))
}

/// Whether ours is where it is because of an assignment that doesn't cover the account any more, since it moved.
fn stood_elsewhere(
    target: &Target,
    records: &Records,
    has_moved: impl Fn(&OrgPath, &Target) -> bool,
) -> bool {
    let ours = records.get(target).and_then(|record| record.ours.as_ref());
    ours.and_then(|ours| ours.path.as_ref()).is_some_and(|path| has_moved(path, target))
}

fn is_a_move(change: &Change, records: &Records, has_moved: impl Fn(&OrgPath, &Target) -> bool) -> bool {
    match change {
        Change::Replace { ownership: Ownership::Ours, .. } | Change::Release { broken: None, .. } => {
            stood_elsewhere(change.target(), records, has_moved)
        }
        Change::Replace { .. }
        | Change::Adopt { .. }
        | Change::Release { .. }
        | Change::Enforce { .. }
        | Change::EnsureCopy { .. } => false,
    }
}

/// Whether ours is abandoned because the account moved to where nothing is assigned. `exclude` names accounts, wherever
/// they stand.
fn is_abandoned_by_a_move(
    target: &Target,
    decision: &Decision,
    records: &Records,
    has_moved: impl Fn(&OrgPath, &Target) -> bool,
) -> bool {
    let Decision::LeftAlone(LeftAlone { reason: LeaveReason::Unassigned, would_abandon: false, .. }) =
        decision
    else {
        return false;
    };
    records.get(target).is_some_and(|record| is_abandonment(decision, record))
        && stood_elsewhere(target, records, has_moved)
}

impl Plan {
    /// Abandons nothing: marks what is ours and is left to itself by a baseline that may not abandon it.
    pub fn abandon_nothing(mut self, records: &Records) -> Plan {
        for (target, decision) in &mut self.decisions {
            let abandons = records.get(target).is_some_and(|record| is_abandonment(decision, record));
            if let Decision::LeftAlone(left) = decision {
                left.would_abandon = abandons;
            }
        }
        self
    }

    /// Holds every change that is no repair, of targets and of grants, cleans nothing up, and abandons nothing.
    fn hold_all_but_repairs(self, revision: &Revision, records: &Records, reason: &HoldReason) -> Plan {
        let plan =
            self.hold_changes(|change| (!is_repair(change, records, revision)).then(|| reason.clone()));
        let plan =
            plan.hold_grants(|change| (!is_repair_of_a_grant(change, records)).then(|| reason.clone()));
        // Nor is handed back what was adopted.
        Plan { handed_back: BTreeMap::new(), ..plan }.hold_clean_ups(|_| true).abandon_nothing(records)
    }

    /// What is replaced, released and abandoned because the account stands elsewhere than when ours was put
    /// there, so that another assignment covers it, or none.
    pub fn extent_of_moves(
        &self,
        records: &Records,
        has_moved: impl Fn(&OrgPath, &Target) -> bool,
    ) -> Extent {
        let mut extent = Extent::default();
        for change in self.changes().filter(|change| is_a_move(change, records, &has_moved)) {
            match change {
                Change::Replace { .. } => extent.replacements += 1,
                Change::Release { .. } => extent.releases += 1,
                Change::Adopt { .. } | Change::Enforce { .. } | Change::EnsureCopy { .. } => {}
            }
        }
        let abandoned = self
            .decisions
            .iter()
            .filter(|(target, decision)| is_abandoned_by_a_move(target, decision, records, &has_moved));
        extent.abandonments = u32::try_from(abandoned.count()).unwrap_or(u32::MAX);
        extent
    }

    /// Holds what is replaced, released and abandoned because accounts moved.
    pub fn hold_moves(
        mut self,
        reason: &HoldReason,
        records: &Records,
        has_moved: impl Fn(&OrgPath, &Target) -> bool,
    ) -> Plan {
        for (target, decision) in &mut self.decisions {
            if is_abandoned_by_a_move(target, decision, records, &has_moved) {
                *decision = Decision::Held(Held { reason: reason.clone(), would: None });
            }
        }
        self.hold_changes(|change| is_a_move(change, records, &has_moved).then(|| reason.clone()))
    }

    /// As [`Plan::limit`], for a part of the organization: whether the whole stays within the limits
    /// was counted before.
    pub fn limit_part(self, approval: &RevisionApproval, records: &Records) -> Plan {
        if approval.approved {
            return self;
        }
        let revision = &approval.revision;
        self.hold_all_but_repairs(revision, records, &approval.why_it_waits())
    }

    /// Holds what is no repair: how far the revision has come could not be read or recorded, so that nothing
    /// can be counted against its limits.
    pub fn hold_uncountable(self, approval: &RevisionApproval, records: &Records) -> Plan {
        self.hold_all_but_repairs(&approval.revision, records, &HoldReason::LedgerUnavailable)
    }

    /// What a revision does that waits while accounts follow the one before it: its guardrails are granted, so that they
    /// are usable once it is approved, and nothing else.
    pub fn wait_for_approval(self, waiting: &RevisionApproval, records: &Records) -> Plan {
        let plan = self.hold_changes(|_| Some(waiting.why_it_waits()));
        let plan = plan.hold_grants(|change| change.is_release().then(|| waiting.why_it_waits()));
        Plan { handed_back: BTreeMap::new(), ..plan }.hold_clean_ups(|_| true).abandon_nothing(records)
    }

    /// What an approved revision may do while the next one waits for its approval: put back what was
    /// ours, and guard what isn't guarded. An account that a person said is about to leave is released all the same: once
    /// it has left, its calls would fail.
    pub fn put_back(
        self,
        followed: &Revision,
        waiting: &RevisionApproval,
        records: &Records,
        leaving: &BTreeSet<AccountId>,
    ) -> Plan {
        let plan = self.hold_changes(|change| {
            let puts_back = match change {
                // Somebody took it out with a baseline in mode `audit`: the one before that doesn't put it back.
                Change::Enforce { target, .. } => !was_left_by_another(target, records, followed),
                Change::EnsureCopy { .. } => true,
                Change::Replace { target, to, ownership: Ownership::Ours, .. } => {
                    let ours = records.get(target).and_then(|record| record.ours.as_ref());
                    ours.is_some_and(|ours| Drift::between(&ours.enforcement, to).is_none())
                }
                Change::Release { target, broken: None, .. } => leaving.contains(&target.account),
                Change::Replace { ownership: Ownership::Foreign, .. }
                | Change::Adopt { .. }
                | Change::Release { .. } => false,
            };
            (!puts_back).then(|| waiting.why_it_waits())
        });
        // What it rests on is granted again; only nothing is taken back.
        let plan = plan.hold_grants(|change| change.is_release().then(|| waiting.why_it_waits()));
        let plan = plan.hold_clean_ups(|_| true);
        Plan { handed_back: BTreeMap::new(), ..plan }.abandon_nothing(records)
    }

    /// Holds every change if, together with what the revision did already, they replace, release or abandon
    /// more than these limits allow, or if the revision names accounts or OUs that are not there, and nobody has
    /// approved it.
    ///
    /// First enforcements are held too: a revision with a slip in it is not acted on at all.
    pub fn limit(self, approval: &RevisionApproval, limits: Limits, records: &Records) -> Plan {
        let extent = approval
            .done
            .plus(Extent::of(&self, records, &approval.revision))
            .plus(Extent::following(&self, records, &approval.revision));
        if approval.approved || (extent.is_within(limits) && approval.names_nobody.is_empty()) {
            return self;
        }
        self.hold_all_but_repairs(&approval.revision, records, &approval.not_approved())
    }
}

#[cfg(test)]
mod tests;
