//! What a person read of a plan. The jobs that follow look again, and change nothing that was not in it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, FollowUp, HoldReason, Plan};
use crate::ids::Target;

/// The changes of a plan that a person read, each by its verb, with what follows from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewedPlan(BTreeMap<Target, BTreeSet<&'static str>>);

impl ReviewedPlan {
    fn add(&mut self, target: &Target, verb: &'static str) {
        self.0.entry(target.clone()).or_default().insert(verb);
    }

    fn admits(&self, change: &Change) -> bool {
        self.0.get(change.target()).is_some_and(|verbs| verbs.contains(change.verb()))
    }
}

impl Plan {
    /// What a person who read this plan knows of. The id of a copy that is still to be made is not known then, so a
    /// change counts by its target and its verb.
    pub fn reviewed(&self) -> ReviewedPlan {
        let mut reviewed = ReviewedPlan::default();
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

    /// Holds every change that nobody has read.
    pub fn hold_unreviewed(self, reviewed: &ReviewedPlan) -> Plan {
        self.hold_changes(|change| (!reviewed.admits(change)).then_some(HoldReason::NotReviewed))
    }
}
