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
mod unusable;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::baseline::{Limits, NamedIds, Revision};
use crate::enforcement::Drift;
use crate::ids::{GuardrailArn, Target};
use crate::organization::OrgPath;
use crate::plan::{
    Change, Decision, FollowUp, GrantChange, GrantPurpose, Held, HoldReason, LeaveReason, LeftAlone,
    Ownership, Plan,
};
use crate::record::{Record, Records, State};
use crate::resource_policy::Resource;

pub use crate::baseline::LARGEST_LIMIT;
pub use approval::Approval;
pub use ceilings::Ceilings;
pub use effective::EffectiveBaseline;
pub use unusable::{RELEASES_COUNTED_SECONDS, ReleaseVerdict, UnusableVersion, UnusableVersions, Version};

/// How far a revision is approved: what was counted of it, what was done under it, and who let it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionApproval {
    /// The revision.
    pub revision: Revision,
    /// Whether it may change as much as it wants: a person approved it, or the whole of it was within its limits.
    pub approved: bool,
    /// What was replaced and released under it before it was approved.
    pub done: Extent,
    /// What the whole of it would replace and release, counted from the record before anything was
    /// queued. `None` where it isn't counted yet.
    #[serde(default)]
    pub counted: Option<Extent>,
    /// What accounts that moved in the tree had replaced and released under it, once it was approved.
    #[serde(default)]
    pub moved: Moved,
    /// The ids that it names and for which no account was found when it was counted.
    #[serde(default)]
    pub names_nobody: NamedIds,
    /// How often a person approved it. A revision within its limits is approved without one.
    #[serde(default)]
    pub approvals: u32,
    /// Whether its count was published.
    #[serde(default)]
    pub told: bool,
}

/// How much moves of accounts have changed lately. A mistake in the tree is limited like one in the
/// baseline: both take the guardrail away from many accounts at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moved {
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// How much.
    pub extent: Extent,
}

/// How long moves are counted together, in seconds: a day.
const MOVES_COUNTED_SECONDS: u64 = 24 * 3600;

impl RevisionApproval {
    /// A revision that was never seen before.
    pub fn new(revision: Revision) -> RevisionApproval {
        let (done, moved, names_nobody) = (Extent::default(), Moved::default(), NamedIds::default());
        RevisionApproval {
            revision,
            approved: false,
            done,
            counted: None,
            moved,
            names_nobody,
            approvals: 0,
            told: false,
        }
    }

    /// Takes note of what the whole revision would change, and of the ids in it that name no account. Within the
    /// limits, and with an account for each id, it is approved by that.
    #[must_use]
    pub fn count(self, extent: Extent, limits: Limits, names_nobody: NamedIds) -> RevisionApproval {
        let approved = self.approved || (extent.is_within(limits) && names_nobody.is_empty());
        RevisionApproval { approved, counted: Some(extent), names_nobody, ..self }
    }

    /// Why nothing but repairs is done under it, as long as it isn't approved.
    pub fn not_approved(&self) -> HoldReason {
        HoldReason::NotApproved { revision: self.revision.clone(), names_nobody: self.names_nobody.clone() }
    }

    /// Sets aside what moved accounts are about to have changed. `false` where that, with what other
    /// moves of the same day changed, is more than the limits allow; then nothing is set aside.
    pub fn admit_moves(&mut self, extent: Extent, limits: Limits, now: i64) -> bool {
        if extent == Extent::default() {
            return true;
        }
        // A clock that was far ahead of ours must not hold moves until then.
        if now.abs_diff(self.moved.since) >= MOVES_COUNTED_SECONDS {
            self.moved = Moved { since: now, extent: Extent::default() };
        }
        let sum = self.moved.extent.plus(extent);
        let admitted = sum.is_within(limits);
        if admitted {
            self.moved.extent = sum;
        }
        admitted
    }

    /// A person lets the revision change as much as it wants, and moves begin to count anew.
    #[must_use]
    pub fn approve(self) -> RevisionApproval {
        let approvals = self.approvals.saturating_add(1);
        RevisionApproval { approved: true, moved: Moved::default(), approvals, ..self }
    }
}

/// How much is replaced, released and abandoned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Enforcements replaced by others, and those of others that are adopted.
    pub replacements: u32,
    /// Enforcements released.
    pub releases: u32,
    /// Enforcements of ours that stay as they are, and that are not repaired any more: no assignment covers the
    /// account, or it is excluded. If one is removed, it isn't put back.
    #[serde(default)]
    pub abandonments: u32,
}

impl Extent {
    /// What the changes of a plan amount to, drift repairs under the same revision left out.
    pub fn of(plan: &Plan, records: &Records, revision: &Revision) -> Extent {
        let mut extent = Extent::default();
        for change in plan.changes() {
            match change {
                Change::Replace { .. } if is_repair(change, records, revision) => {}
                Change::Replace { .. } | Change::Adopt { .. } => extent.replacements += 1,
                Change::Release { .. } => extent.releases += 1,
                Change::Enforce { .. } | Change::EnsureCopy { .. } => {}
            }
        }
        let abandoned = plan.decisions.iter().filter(|(target, decision)| {
            records.get(*target).is_some_and(|record| is_abandonment(decision, record))
        });
        extent.abandonments = u32::try_from(abandoned.count()).unwrap_or(u32::MAX);
        extent
    }

    /// What follows the changes of a plan, once its grants and copies are in place: it is the same revision's doing.
    pub fn following(plan: &Plan, records: &Records, revision: &Revision) -> Extent {
        let mut extent = Extent::default();
        for follow_up in plan.follow_ups() {
            match follow_up {
                FollowUp::Granted { change: change @ Change::Replace { .. }, .. }
                    if !is_repair(change, records, revision) =>
                {
                    extent.replacements += 1;
                }
                FollowUp::Granted { change: Change::Adopt { .. }, .. } => extent.replacements += 1,
                FollowUp::Granted { change: Change::Release { .. }, .. } => extent.releases += 1,
                FollowUp::Copied { target, from: Some(_) } if !is_from(target, records, revision) => {
                    extent.replacements += 1;
                }
                FollowUp::Granted { .. } | FollowUp::Copied { .. } => {}
            }
        }
        extent
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Extent) -> Extent {
        Extent {
            replacements: self.replacements.saturating_add(other.replacements),
            releases: self.releases.saturating_add(other.releases),
            abandonments: self.abandonments.saturating_add(other.abandonments),
        }
    }

    /// Whether it stays within the limits.
    pub fn is_within(self, limits: Limits) -> bool {
        self.replacements <= limits.max_replacements
            && self.releases <= limits.max_releases
            && self.abandonments <= limits.max_abandonments
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Extent { replacements, releases, abandonments } = self;
        write!(f, "{replacements} replaced, {releases} released")?;
        if *abandonments > 0 { write!(f, ", {abandonments} abandoned") } else { Ok(()) }
    }
}

/// Whether what is ours is left to itself by this decision. What was left alone at the last look is abandoned already.
pub fn is_abandonment(decision: &Decision, record: &Record) -> bool {
    let Decision::LeftAlone(LeftAlone { reason, .. }) = decision else { return false };
    let is_left = match reason {
        LeaveReason::Unassigned | LeaveReason::Excluded => true,
        // Nothing of ours is known there.
        LeaveReason::Foreign | LeaveReason::Unreadable => false,
    };
    let was_left = record.checked.as_ref().is_some_and(|checked| checked.state == State::LeftAlone);
    is_left && record.may_be_ours() && !was_left
}

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
        // and unguarded is worse than guarded by what waits for its approval.
        Change::Enforce { repair: true, .. } => true,
        Change::Replace { ownership: Ownership::Foreign, .. }
        | Change::Enforce { repair: false, .. }
        | Change::Adopt { .. }
        // What can't be used is released within the limits, and by what is approved, like anything else.
        | Change::Release { .. }
        | Change::EnsureCopy { .. } => false,
    }
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

fn is_a_move(change: &Change, records: &Records, has_moved: impl Fn(&OrgPath, &Target) -> bool) -> bool {
    let target = change.target();
    let stood =
        records.get(target).and_then(|record| record.ours.as_ref()).and_then(|ours| ours.path.as_ref());
    match change {
        Change::Replace { ownership: Ownership::Ours, .. } | Change::Release { broken: None, .. } => {
            stood.is_some_and(|path| has_moved(path, target))
        }
        Change::Replace { .. }
        | Change::Adopt { .. }
        | Change::Release { .. }
        | Change::Enforce { .. }
        | Change::EnsureCopy { .. } => false,
    }
}

impl Plan {
    /// Holds every change that is no repair, of targets and of grants, and cleans nothing up.
    fn hold_all_but_repairs(self, revision: &Revision, records: &Records, reason: &HoldReason) -> Plan {
        let plan =
            self.hold_changes(|change| (!is_repair(change, records, revision)).then(|| reason.clone()));
        let plan =
            plan.hold_grants(|change| (!is_repair_of_a_grant(change, records)).then(|| reason.clone()));
        plan.hold_clean_ups(|_| true)
    }

    /// Whether it couldn't be decided what to do in a target that is ours. A revision that was seen
    /// like that wasn't seen whole: more may have to be replaced or released than was counted.
    ///
    /// Where the ledger doesn't remember, any target may be ours.
    pub fn leaves_ours_undecided(&self, records: &Records, ledger_remembers: bool) -> bool {
        let may_be_ours = |target: &Target| {
            !ledger_remembers || records.is_empty() || records.get(target).is_some_and(Record::may_be_ours)
        };
        self.decisions.iter().any(|(target, decision)| match decision {
            Decision::Held(Held {
                reason: HoldReason::Unreadable { .. } | HoldReason::Unusable { .. },
                ..
            })
            | Decision::LeftAlone(LeftAlone { reason: LeaveReason::Unreadable, .. }) => may_be_ours(target),
            Decision::Held(_)
            | Decision::Change(_)
            | Decision::CleanUp(_)
            | Decision::InSync(_)
            | Decision::LeftAlone(_)
            | Decision::Broken(_) => false,
        })
    }

    /// What is replaced and released because the account stands elsewhere than when ours was put
    /// there, so that another assignment covers it.
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
        extent
    }

    /// Holds what is replaced and released because accounts moved.
    pub fn hold_moves(
        self,
        reason: &HoldReason,
        records: &Records,
        has_moved: impl Fn(&OrgPath, &Target) -> bool,
    ) -> Plan {
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

    /// What an approved revision may do while the next one waits for its approval: put back what was
    /// ours, and guard what isn't guarded.
    pub fn put_back(self, waiting: &RevisionApproval, records: &Records) -> Plan {
        let plan = self.hold_changes(|change| {
            let puts_back = match change {
                Change::Enforce { .. } | Change::EnsureCopy { .. } => true,
                Change::Replace { target, to, ownership: Ownership::Ours, .. } => {
                    let ours = records.get(target).and_then(|record| record.ours.as_ref());
                    ours.is_some_and(|ours| Drift::between(&ours.enforcement, to).is_none())
                }
                Change::Replace { ownership: Ownership::Foreign, .. }
                | Change::Adopt { .. }
                | Change::Release { .. } => false,
            };
            (!puts_back).then(|| waiting.why_it_waits())
        });
        plan.hold_grants(|_| Some(waiting.why_it_waits())).hold_clean_ups(|_| true)
    }

    /// Holds every change if, together with what the revision did already, they replace or release
    /// more than its limits allow, or if the revision names accounts or OUs that are not there, and nobody has
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
