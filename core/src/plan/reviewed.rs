//! What a person read of a plan. The jobs that follow look again, and change nothing that was not in it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, CleanUp, FollowUp, GrantChange, HoldReason, Plan};
use crate::baseline::Revision;
use crate::enforcement::Enforcement;
use crate::ids::Target;
use crate::resource_policy::Resource;

/// What a person read and agreed to: one plan or, where another revision waits, that of the baseline which accounts follow
/// meanwhile as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewedPlan {
    /// By the baseline that was planned.
    plans: BTreeMap<Revision, ReviewedChanges>,
    /// The revision that the person approved with its plan.
    approves: Option<Revision>,
}

/// The changes of one plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ReviewedChanges {
    /// Changes of targets, with what follows from them.
    changes: BTreeMap<Target, Vec<ReviewedChange>>,
    /// Grants, and whether they are taken back.
    grants: BTreeSet<(Resource, bool)>,
    /// Clean-ups as they were printed: each names what it takes away.
    clean_ups: BTreeSet<String>,
}

/// What a person reads of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ReviewedChange {
    verb: &'static str,
    /// What is enforced there.
    from: Option<Enforcement>,
    /// What will be enforced. `None` where nothing will be, and where that was not known: the id of a copy that is still to
    /// be made.
    to: Option<Enforcement>,
}

impl ReviewedChange {
    fn of(change: &Change) -> ReviewedChange {
        let to = change.enforces().map(|(_, to)| to.clone());
        ReviewedChange { verb: change.verb(), from: change.replaces().cloned(), to }
    }

    /// Whether it is this change.
    fn is(&self, change: &ReviewedChange) -> bool {
        let ReviewedChange { verb, from, to } = self;
        *verb == change.verb && *from == change.from && (to.is_none() || *to == change.to)
    }
}

impl ReviewedChanges {
    fn of(plan: &Plan) -> ReviewedChanges {
        let mut reviewed = ReviewedChanges {
            changes: BTreeMap::new(),
            grants: plan.grant_changes().map(identity).collect(),
            clean_ups: plan.clean_ups().map(CleanUp::to_string).collect(),
        };
        for change in plan.changes() {
            reviewed.add(change.target(), ReviewedChange::of(change));
        }
        for follow_up in plan.follow_ups() {
            match follow_up {
                FollowUp::Granted { change, .. } => {
                    reviewed.add(change.target(), ReviewedChange::of(change));
                }
                FollowUp::Copied { target, from } => {
                    let verb = if from.is_some() { "replace" } else { "enforce" };
                    reviewed.add(target, ReviewedChange { verb, from: from.cloned(), to: None });
                }
            }
        }
        reviewed
    }

    fn add(&mut self, target: &Target, change: ReviewedChange) {
        self.changes.entry(target.clone()).or_default().push(change);
    }

    fn admits(&self, change: &Change) -> bool {
        let (read, change) = (self.changes.get(change.target()), ReviewedChange::of(change));
        read.is_some_and(|read| read.iter().any(|read| read.is(&change)))
    }
}

/// What a change of a grant is known by. Its document may differ: others write statements of theirs into it.
fn identity(change: &GrantChange) -> (Resource, bool) {
    (change.grant.resource.clone(), change.is_release())
}

impl ReviewedPlan {
    /// Both plans were read.
    #[must_use]
    pub fn and(mut self, other: ReviewedPlan) -> ReviewedPlan {
        self.plans.extend(other.plans);
        self.approves = self.approves.or(other.approves);
        self
    }

    /// The person also approved this revision with its plan, and nothing else.
    #[must_use]
    pub fn approving(self, revision: &Revision) -> ReviewedPlan {
        ReviewedPlan { approves: Some(revision.clone()), ..self }
    }

    /// Whether the person approved this revision with its plan.
    pub fn approves(&self, revision: &Revision) -> bool {
        self.approves.as_ref() == Some(revision)
    }
}

impl Plan {
    /// What a person who read this plan knows of: of each target what is there, and what will be.
    pub fn reviewed(&self, revision: &Revision) -> ReviewedPlan {
        let plans = BTreeMap::from([(revision.clone(), ReviewedChanges::of(self))]);
        ReviewedPlan { plans, approves: None }
    }

    /// Holds every change that nobody has read, of targets, of grants and clean-ups: all of them where no plan of this
    /// baseline was read.
    pub fn hold_unreviewed(self, reviewed: &ReviewedPlan, revision: &Revision) -> Plan {
        let nothing = ReviewedChanges::default();
        let read = reviewed.plans.get(revision).unwrap_or(&nothing);
        let plan = self.hold_changes(|change| (!read.admits(change)).then_some(HoldReason::NotReviewed));
        let plan = plan.hold_grants(|change| {
            (!read.grants.contains(&identity(change))).then_some(HoldReason::NotReviewed)
        });
        plan.hold_clean_ups(|clean_up| !read.clean_ups.contains(&clean_up.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::Leftover;
    use crate::plan::{Decision, GrantAction, GrantDecision, GrantPurpose, InSync};
    use crate::resource_policy::{Document, Grant};

    fn revision(number: u8) -> Revision {
        format!("{number:016}").parse().unwrap()
    }

    fn grant(id: &str, purpose: GrantPurpose) -> (Resource, GrantDecision) {
        let arn = format!("arn:aws:bedrock:eu-west-1:222222222222:guardrail/{id}").parse().unwrap();
        let organization = "o-exampleorgid".parse().unwrap();
        let grant = Grant { resource: Resource::Guardrail(arn), organization };
        let change = GrantChange { grant: grant.clone(), purpose, from: None, to: None };
        let instead = Document::granting(&grant);
        let action = GrantAction::Change(change);
        (grant.resource, GrantDecision { action, openings: Vec::new(), instead })
    }

    fn tidies(account: u8, copy: &str) -> (Target, Decision) {
        let target: Target = format!("30000000000{account}/eu-west-1").parse().unwrap();
        let arn = format!("arn:aws:bedrock:eu-west-1:30000000000{account}:guardrail/{copy}").parse().unwrap();
        let stands = InSync::default();
        (target.clone(), Decision::CleanUp(CleanUp { target, leftover: Leftover::Copy(arn), stands }))
    }

    fn plan(grants: &[(Resource, GrantDecision)], tidied: &[(Target, Decision)]) -> Plan {
        let (grants, decisions) = (grants.iter().cloned().collect(), tidied.iter().cloned().collect());
        Plan { grants, decisions, ..Plan::default() }
    }

    #[test]
    fn what_was_read_of_grants_and_clean_ups_is_made_and_nothing_else() {
        let read = plan(&[grant("base", GrantPurpose::Grant)], &[tidies(1, "old")]);
        let reviewed = read.reviewed(&revision(1));
        assert_eq!(read.clone().hold_unreviewed(&reviewed, &revision(1)), read);
        let other_baseline = read.clone().hold_unreviewed(&reviewed, &revision(2));
        let other_document = plan(&[grant("base", GrantPurpose::Withdraw)], &[tidies(1, "other")]);
        let unread = plan(&[grant("other", GrantPurpose::Grant)], &[tidies(2, "old")]);
        let later = [other_document, unread].map(|plan| plan.hold_unreviewed(&reviewed, &revision(1)));
        for held in later.iter().chain([&other_baseline]) {
            assert_eq!((held.grant_changes().count(), held.clean_ups().count()), (0, 0), "{held}");
            let reasons = held.grants.values().map(|grant| &grant.action);
            assert!(
                reasons.into_iter().all(|it| *it == GrantAction::Held(HoldReason::NotReviewed)),
                "{held}"
            );
        }
    }

    #[test]
    fn where_another_revision_waits_two_plans_are_read() {
        let (one, other) = (plan(&[], &[tidies(1, "old")]), plan(&[], &[tidies(2, "old")]));
        let both = one.reviewed(&revision(1)).and(other.reviewed(&revision(2)));
        for (plan, number) in [(&one, 1), (&other, 2)] {
            assert_eq!(&plan.clone().hold_unreviewed(&both, &revision(number)), plan);
        }
        assert_eq!(one.hold_unreviewed(&both, &revision(2)).clean_ups().count(), 0);
        assert!(!both.approves(&revision(1)) && both.approving(&revision(1)).approves(&revision(1)));
    }
}
