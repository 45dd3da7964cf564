//! What follows from a plan itself. A run looks again once its grants and copies are in place, and does what waited
//! for them: a plan that left that out would show less than is done.

use std::collections::BTreeMap;

use super::{Broken, Change, Decision, GrantAction, Held, HoldReason, Plan};
use crate::enforcement::Enforcement;
use crate::ids::Target;
use crate::resolved::Unusable;
use crate::resource_policy::{Document, Resource};

/// A change that is made once another one of the same plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowUp<'a> {
    /// Once the guardrail is granted.
    Granted {
        /// The change.
        change: &'a Change,
        /// What is granted first.
        resource: &'a Resource,
    },
    /// Once the account's copy is ready. Its id and version aren't known before.
    Copied {
        /// Where.
        target: &'a Target,
        /// What is enforced there until then.
        from: Option<&'a Enforcement>,
    },
}

impl Held {
    /// What it waits for, if that is a grant.
    fn awaited(&self) -> Option<&Resource> {
        match &self.reason {
            HoldReason::Unusable { unusable: Unusable::NotGranted { resource, being_mended: true, .. } } => {
                Some(resource)
            }
            _ => None,
        }
    }
}

impl Plan {
    /// The resource policies that this plan would put in place.
    pub fn granted(&self) -> BTreeMap<Resource, Document> {
        let changes = self.grant_changes();
        changes.filter_map(|change| Some((change.grant.resource.clone(), change.to.clone()?))).collect()
    }

    /// Says of every target that waits for a grant what comes then: as the same plan has it that is made as if the
    /// grants were there. What is held then for another reason is held for that.
    pub fn expect(mut self, then: &Plan) -> Plan {
        for (target, decision) in &mut self.decisions {
            let Decision::Held(held) = decision else { continue };
            if !held.reason.waits_for_a_grant() {
                continue;
            }
            match then.decisions.get(target) {
                Some(Decision::Change(change)) => held.would = Some(change.clone()),
                Some(Decision::Held(later)) => *held = later.clone(),
                Some(
                    Decision::InSync(_) | Decision::CleanUp(_) | Decision::LeftAlone(_) | Decision::Broken(_),
                )
                | None => {}
            }
        }
        self
    }

    /// What follows the changes of this plan, in the order of the targets.
    pub fn follow_ups(&self) -> impl Iterator<Item = FollowUp<'_>> {
        self.decisions.values().filter_map(|decision| match decision {
            Decision::Held(held) => self.follow_up(held),
            Decision::Change(Change::EnsureCopy { target, from, .. }) => {
                Some(FollowUp::Copied { target, from: from.as_ref() })
            }
            Decision::Change(_)
            | Decision::CleanUp(_)
            | Decision::InSync(_)
            | Decision::LeftAlone(_)
            | Decision::Broken(_) => None,
        })
    }

    /// The targets that wait for a grant of this plan.
    pub(super) fn followers(&self) -> impl Iterator<Item = &Target> {
        let follows =
            |decision: &Decision| decision.held().is_some_and(|held| self.follow_up(held).is_some());
        self.decisions.iter().filter(move |(_, decision)| follows(decision)).map(|(target, _)| target)
    }

    /// What comes of a target that waits, if this plan makes what it waits for.
    pub(super) fn follow_up<'a>(&'a self, held: &'a Held) -> Option<FollowUp<'a>> {
        let (resource, change) = (held.awaited()?, held.would.as_ref()?);
        let is_granted = matches!(self.grants.get(resource)?.action, GrantAction::Change(_));
        is_granted.then_some(FollowUp::Granted { change, resource })
    }

    /// How many changes wait for a person's approval, by their verbs.
    pub fn for_approval(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for decision in self.decisions.values() {
            let (reason, verb) = match decision {
                Decision::Held(Held { reason, would: Some(change) }) => (reason, change.verb()),
                // What can't be used would be released, if that didn't leave too many unguarded.
                Decision::Broken(Broken { stays: Some(reason), .. }) => (reason, "release"),
                Decision::Held(Held { would: None, .. })
                | Decision::Broken(Broken { stays: None, .. })
                | Decision::Change(_)
                | Decision::CleanUp(_)
                | Decision::InSync(_)
                | Decision::LeftAlone(_) => continue,
            };
            if reason.waits_for_approval() {
                *counts.entry(verb).or_default() += 1;
            }
        }
        let held =
            |action: &GrantAction| matches!(action, GrantAction::Held(reason) if reason.waits_for_approval());
        let grants = self.grants.values().filter(|grant| held(&grant.action)).count();
        if grants > 0 {
            counts.insert("put-resource-policy", grants);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::{CopyStep, Enforced, Published};
    use crate::enforcement::Drift;
    use crate::ids::{AccountId, GuardrailVersion};
    use crate::limits::RevisionApproval;
    use crate::observed::Seen;
    use crate::plan::{GrantChange, GrantDecision, GrantPurpose, Ownership};
    use crate::resolved::CopyWork;
    use crate::resource_policy::Grant;

    fn target(account: u64) -> Target {
        format!("30000000000{account}/eu-west-1").parse().unwrap()
    }

    fn enforcement() -> Enforcement {
        let enforcement = serde_json::json!({
            "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c", "version": "2",
            "models": { "include": "all", "exclude": [] },
            "guarding": { "messages": "comprehensive", "system": "comprehensive" },
        });
        serde_json::from_value(enforcement).unwrap()
    }

    fn resource() -> Resource {
        Resource::Guardrail(enforcement().guardrail)
    }

    fn enforce(account: u64) -> Change {
        let key = "corporate".parse().unwrap();
        Change::Enforce { target: target(account), key, to: enforcement(), copied: None, repair: false }
    }

    fn waiting() -> Decision {
        let unusable = Unusable::NotGranted {
            resource: Box::new(resource()),
            why: "no statement".to_owned(),
            being_mended: true,
            certain: true,
        };
        Decision::Held(Held { reason: HoldReason::Unusable { unusable }, would: None })
    }

    fn granting(action: impl FnOnce(GrantChange) -> GrantAction) -> (Resource, GrantDecision) {
        let grant = Grant { resource: resource(), organization: "o-exampleorgid".parse().unwrap() };
        let to = Document::granting(&grant);
        let change = GrantChange { grant, purpose: GrantPurpose::Grant, from: None, to: Some(to.clone()) };
        (resource(), GrantDecision { action: action(change), openings: Vec::new(), instead: to })
    }

    fn decided(decisions: impl IntoIterator<Item = (u64, Decision)>) -> Plan {
        let decisions = decisions.into_iter().map(|(account, decision)| (target(account), decision));
        Plan { decisions: decisions.collect(), ..Plan::default() }
    }

    /// Three targets wait for the grant of this plan. One of them could be enforced then, one is foreign,
    /// and of one nothing is known.
    fn plan(action: impl FnOnce(GrantChange) -> GrantAction) -> Plan {
        let foreign = Held { reason: HoldReason::NotOurs { by: None }, would: Some(enforce(2)) };
        let then = decided([(1, Decision::Change(enforce(1))), (2, Decision::Held(foreign))]);
        let plan = decided([(1, waiting()), (2, waiting()), (3, waiting())]).expect(&then);
        Plan { grants: [granting(action)].into(), ..plan }
    }

    fn followers(plan: &Plan) -> Vec<AccountId> {
        let target = |follow_up| match follow_up {
            FollowUp::Granted { change, .. } => change.target().account.clone(),
            FollowUp::Copied { target, .. } => target.account.clone(),
        };
        plan.follow_ups().map(target).collect()
    }

    #[test]
    fn what_a_plan_grants_is_followed_by_what_it_makes_possible_and_by_nothing_else() {
        let plan = plan(GrantAction::Change);
        assert_eq!(followers(&plan), [target(1).account]);
        let counts = plan.counts();
        assert_eq!((counts.to_change, counts.following, counts.held), (2, 1, 2));
        assert!(plan.to_string().contains("+ 300000000001/eu-west-1 enforce corporate:2, after the grant\n"));
        // It isn't made yet: no proof can be had, and none is asked for.
        assert_eq!(plan.changes().count(), 0);
        assert_eq!(followers(plan.clone().prove(&BTreeMap::new(), |_| false).plan()), [target(1).account]);
    }

    fn there(version: u32) -> Seen {
        let version = GuardrailVersion::new(version).unwrap();
        let seen = Enforcement { version, ..enforcement() };
        Seen { config_id: None, enforcement: seen, created_by: None, updated_by: None }
    }

    fn copy(account: u64, from: Option<Seen>) -> Change {
        let original = Published { guardrail: enforcement().guardrail, version: enforcement().version };
        Change::EnsureCopy {
            target: target(account),
            key: "corporate".parse().unwrap(),
            work: CopyWork { original, step: CopyStep::Create },
            enforced: Enforced::Nothing,
            from: from.map(|from| from.enforcement),
        }
    }

    fn replace(account: u64, from: Seen) -> Change {
        let (drift, ownership) = (Drift::Different, Ownership::Ours);
        let (target, key) = (target(account), "corporate".parse().unwrap());
        Change::Replace { target, key, from, to: enforcement(), copied: None, drift, ownership }
    }

    /// Whether all changes of a later look are admitted by who read this plan.
    fn admits(read: &Plan, later: &Plan) -> bool {
        let (revision, other) = ("0123456789abcdef".parse().unwrap(), "fedcba9876543210".parse().unwrap());
        let reviewed = read.reviewed(&revision);
        // Of another baseline, nothing was read.
        assert_eq!(later.clone().hold_unreviewed(&reviewed, &other).changes().count(), 0);
        later.clone().hold_unreviewed(&reviewed, &revision) == *later
    }

    #[test]
    fn who_reads_of_a_copy_reads_of_its_next_steps_and_of_the_enforcement_that_it_is_for() {
        let adopt = |account| {
            let key = "corporate".parse().unwrap();
            Change::Adopt { target: target(account), key, seen: there(2) }
        };
        let release = |account| Change::Release {
            target: target(account),
            from: there(1),
            broken: None,
            adopted: false,
        };
        // The first enforces nothing until its copy is ready, the second an older version.
        let first = Decision::Change(copy(1, None));
        let second = Decision::Change(copy(2, Some(there(1))));
        let plan = decided([(1, first), (2, second)]);
        for (later, read) in [
            (enforce(1), true),
            (enforce(2), false),
            (enforce(3), false),
            (replace(1, there(1)), false),
            (replace(2, there(1)), true),
            // What is there is part of what was read.
            (replace(2, there(2)), false),
            (replace(3, there(1)), false),
            (copy(1, None), true),
            (copy(1, Some(there(2))), false),
            (copy(3, None), false),
            (adopt(1), false),
            (release(2), false),
        ] {
            let later = Plan {
                decisions: [(later.target().clone(), Decision::Change(later))].into(),
                ..Plan::default()
            };
            assert_eq!(admits(&plan, &later), read, "{later}");
        }
    }

    #[test]
    fn only_what_waits_for_a_grant_is_told_what_comes_then() {
        let other = || Decision::Held(Held { reason: HoldReason::NotProven, would: None });
        let broken = |account| {
            let unusable = Unusable::AutomatedReasoning;
            (account, Decision::Broken(Broken { seen: there(2), unusable, stays: None }))
        };
        let then = decided([(1, Decision::Change(enforce(1))), (2, Decision::Change(enforce(2))), broken(3)]);
        let now = decided([(1, other()), (2, waiting()), (3, waiting()), (4, waiting())]);
        let told = now.clone().expect(&then);
        let follows = |decision: &Decision| match decision {
            Decision::Held(held) => held.would.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(told.decisions[&target(1)], other());
        assert_eq!(follows(&told.decisions[&target(2)]), Some(enforce(2)));
        for account in [3, 4] {
            assert_eq!(told.decisions[&target(account)], now.decisions[&target(account)]);
        }
    }

    #[test]
    fn where_the_grant_is_held_nothing_follows() {
        let revision = || "0123456789abcdef".parse().unwrap();
        let held = plan(|_| GrantAction::Held(RevisionApproval::new(revision()).not_approved()));
        assert_eq!(followers(&held), []);
        // What holds the changes holds what follows.
        let reason = RevisionApproval::new(revision()).not_approved();
        let held = plan(GrantAction::Change).hold_changes(|_| Some(reason.clone()));
        let held = held.hold_grants(|_| Some(reason.clone()));
        assert_eq!(followers(&held), []);
        assert_eq!(held.for_approval(), BTreeMap::from([("enforce", 1), ("put-resource-policy", 1)]));
    }

    #[test]
    fn who_agrees_to_a_plan_agrees_to_what_follows() {
        let shown = plan(GrantAction::Change);
        assert!(admits(&shown, &decided([(1, Decision::Change(enforce(1)))])));
        assert!(admits(&shown, &decided([(1, waiting())])));
        assert!(!admits(&shown, &decided([(3, Decision::Change(enforce(3)))])));
        // A change that had to wait is no other change.
        let enforces = decided([(1, Decision::Change(enforce(1))), (2, Decision::Change(enforce(2)))]);
        assert!(admits(&enforces, &enforces) && admits(&enforces, &Plan::default()));
        assert!(!admits(&enforces, &decided([(3, Decision::Change(enforce(3)))])));
        let alone = Plan { grants: [granting(GrantAction::Change)].into(), ..Plan::default() };
        assert_ne!(shown.hash(), alone.hash());
    }
}
