//! How much a plan replaces, releases and abandons.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{is_from, is_repair};
use crate::baseline::{Limits, Revision};
use crate::plan::{Change, Decision, FollowUp, LeaveReason, LeftAlone, Plan};
use crate::record::{Record, Records, State};

/// How much is replaced, released and abandoned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Enforcements replaced by others, and those of others that are adopted.
    pub replacements: u32,
    /// Enforcements released.
    pub releases: u32,
    /// Enforcements of ours that stay as they are, and that are not repaired any more: no assignment covers the account,
    /// it is excluded, or what was adopted there is handed back.
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
        // What is handed back stays as it is, too. Its maker may weaken it from then on.
        let abandoned = abandoned.count() + plan.handed_back.len();
        extent.abandonments = u32::try_from(abandoned).unwrap_or(u32::MAX);
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

impl Extent {
    /// That other revisions changed this much shortly before, which counts against the same ceilings. Empty where they
    /// changed nothing.
    pub fn after_it(self) -> String {
        if self == Extent::default() {
            return String::new();
        }
        format!(", after other revisions within a day, which nobody approved: {self}")
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Extent { replacements, releases, abandonments } = self;
        write!(f, "{replacements} replaced, {releases} released")?;
        if *abandonments > 0 { write!(f, ", {abandonments} abandoned") } else { Ok(()) }
    }
}

/// Whether this decision abandons what is ours. What was left alone at the last look is abandoned already; but not what
/// only a baseline in mode `audit`, or one that isn't approved, left alone (`would_abandon`).
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
