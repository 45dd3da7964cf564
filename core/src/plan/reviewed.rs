//! What a person read of a plan. The jobs that follow look again, and change nothing that was not in it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, FollowUp, HoldReason, Plan};
use crate::baseline::Revision;
use crate::ids::Target;

/// The changes of targets in a plan that a person read, each by its verb, with what follows from them. Grants and
/// clean-ups are not compared: they take no guardrail away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewedPlan {
    /// The baseline that was planned.
    revision: Revision,
    changes: BTreeMap<Target, BTreeSet<&'static str>>,
}

impl ReviewedPlan {
    fn add(&mut self, target: &Target, verb: &'static str) {
        self.changes.entry(target.clone()).or_default().insert(verb);
    }

    fn admits(&self, change: &Change) -> bool {
        self.changes.get(change.target()).is_some_and(|verbs| verbs.contains(change.verb()))
    }
}

impl Plan {
    /// What a person who read this plan knows of. The id of a copy that is still to be made is not known then, so a
    /// change counts by its target and its verb.
    pub fn reviewed(&self, revision: &Revision) -> ReviewedPlan {
        let mut reviewed = ReviewedPlan { revision: revision.clone(), changes: BTreeMap::new() };
        for change in self.changes() {
            reviewed.add(change.target(), change.verb());
        }
        for follow_up in self.follow_ups() {
            match follow_up {
                FollowUp::Granted { change, .. } => reviewed.add(change.target(), change.verb()),
                FollowUp::Copied { target, from: None } => reviewed.add(target, "enforce"),
                FollowUp::Copied { target, from: Some(_) } => reviewed.add(target, "replace"),
            }
        }
        reviewed
    }

    /// Holds every change that nobody has read, and all of them where the baseline is another one now.
    pub fn hold_unreviewed(self, reviewed: &ReviewedPlan, revision: &Revision) -> Plan {
        let is_other = reviewed.revision != *revision;
        self.hold_changes(|change| (is_other || !reviewed.admits(change)).then_some(HoldReason::NotReviewed))
    }
}
