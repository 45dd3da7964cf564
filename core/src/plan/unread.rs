//! What becomes of a plan where the ledger could not be read: nothing is written there.
//!
//! Without its record it isn't known whether an enforcement is ours, whether the account is about to leave, or
//! which earlier write a new one would have to be distinguished from.

use std::collections::BTreeSet;

use super::{Broken, Change, CleanUp, Decision, Held, HoldReason, InSync, LeaveReason, LeftAlone, Plan};
use crate::ids::AccountId;

impl Plan {
    /// Holds every change in accounts whose record could not be read, and all else there that only the record
    /// could say: what looks foreign may be ours. Adds nothing.
    pub fn hold_unread(mut self, unread: &BTreeSet<AccountId>) -> Plan {
        if unread.is_empty() {
            return self;
        }
        for (target, decision) in &mut self.decisions {
            if unread.contains(&target.account) {
                *decision = without_its_record(decision.clone());
            }
        }
        // The guardrail may be enforced where only a record says so.
        self.hold_grants(|change| change.is_release().then_some(HoldReason::LedgerUnavailable))
    }

    /// Holds every change of a grant: which grants are ours could not be read.
    pub fn hold_unread_grants(self) -> Plan {
        self.hold_grants(|_| Some(HoldReason::LedgerUnavailable))
    }
}

fn without_its_record(decision: Decision) -> Decision {
    let held = |would| Decision::Held(Held { reason: HoldReason::LedgerUnavailable, would });
    match decision {
        // That it can't be used is certain, whatever the record says.
        Decision::Change(Change::Release { from, broken: Some(unusable), .. }) => {
            Decision::Broken(Broken { seen: from, unusable, stays: Some(HoldReason::LedgerUnavailable) })
        }
        // It guards as wanted. Only the record says whether it is ours, and so whether to take it over.
        Decision::Change(Change::Adopt { seen, .. }) => {
            Decision::InSync(InSync { enforced: Some(seen.enforcement), ..InSync::default() })
        }
        Decision::Change(change) => held(Some(change)),
        Decision::InSync(stands) | Decision::CleanUp(CleanUp { stands, .. }) => in_sync(stands),
        Decision::LeftAlone(LeftAlone { reason: LeaveReason::Foreign | LeaveReason::Unreadable, .. }) => {
            held(None)
        }
        Decision::Held(Held { reason, would: Some(change) }) if reason.waits_for_a_grant() => {
            held(Some(change))
        }
        Decision::Held(Held { reason, would }) => match reason {
            HoldReason::NotOurs { .. }
            | HoldReason::NoDurableLedger
            | HoldReason::ChangedBySomeoneElse { .. }
            | HoldReason::Contested { .. } => held(would),
            reason => Decision::Held(Held { reason, would }),
        },
        decision @ (Decision::LeftAlone(_) | Decision::Broken(_)) => decision,
    }
}

/// In sync by what AWS shows. Nothing is taken over or forgotten for that.
fn in_sync(stands: InSync) -> Decision {
    Decision::InSync(InSync { correction: None, kept: None, ..stands })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::Leftover;
    use crate::ids::Target;
    use crate::observed::{Observation, Seen};
    use crate::plan::{Correction, GrantAction, GrantChange, GrantDecision, GrantPurpose, Kept};
    use crate::resolved::Unusable;
    use crate::resource_policy::{Document, Grant, Resource};

    const ORGANIZATION: &str = "o-exampleorgid";

    fn target(account: u64) -> Target {
        format!("30000000000{account}/eu-west-1").parse().unwrap()
    }

    fn seen() -> Seen {
        let enforcement = serde_json::json!({
            "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c", "version": "2",
            "models": { "include": "all", "exclude": [] },
            "guarding": { "messages": "comprehensive", "system": "comprehensive" },
        });
        match Observation::recorded(Some(serde_json::from_value(enforcement).unwrap()), None) {
            Observation::Enforced(seen) => seen,
            other => unreachable!("{other:?}"),
        }
    }

    fn unusable() -> Unusable {
        Unusable::AutomatedReasoning
    }

    fn in_sync(correction: Option<Correction>) -> InSync {
        InSync { enforced: Some(seen().enforcement), correction, ..InSync::default() }
    }

    fn left_alone(reason: LeaveReason) -> Decision {
        Decision::LeftAlone(LeftAlone { reason, seen: Observation::Enforced(seen()), would_abandon: false })
    }

    fn granting(purpose: GrantPurpose) -> (Resource, GrantDecision) {
        let resource = Resource::Guardrail(seen().enforcement.guardrail);
        let grant = Grant { resource: resource.clone(), organization: ORGANIZATION.parse().unwrap() };
        let to = Document::granting(&grant);
        let change = GrantChange { grant, purpose, from: None, to: Some(to.clone()) };
        (resource, GrantDecision { action: GrantAction::Change(change), openings: Vec::new(), instead: to })
    }

    fn word(decision: &Decision) -> String {
        match decision {
            Decision::InSync(InSync { enforced, correction, kept, reads_back: _ }) => {
                let (enforced, kept) = (enforced.is_some(), kept.is_some());
                format!("in sync, enforced {enforced}, kept {kept}, {correction:?}")
            }
            Decision::LeftAlone(left) => format!("left alone, {:?}", left.reason),
            Decision::Change(change) => format!("{} now", change.verb()),
            Decision::CleanUp(_) => "cleaned up now".to_owned(),
            Decision::Held(held) => {
                let would = held.would.as_ref().map_or("nothing", Change::verb);
                format!("held for {}, would {would}", held.reason.code())
            }
            Decision::Broken(_) => "broken".to_owned(),
        }
    }

    #[test]
    fn nothing_is_written_and_nothing_is_taken_over_where_the_record_was_not_read() {
        let release = |broken| {
            Decision::Change(Change::Release { target: target(1), from: seen(), broken, adopted: false })
        };
        let adopt = Change::Adopt { target: target(1), key: "corporate".parse().unwrap(), seen: seen() };
        let enforce = Change::Enforce {
            target: target(1),
            key: "corporate".parse().unwrap(),
            to: seen().enforcement,
            copied: None,
            repair: false,
        };
        let tidy =
            CleanUp { target: target(1), leftover: Leftover::Versions(Vec::new()), stands: in_sync(None) };
        let held = |reason| Decision::Held(Held { reason, would: None });
        let unavailable = "held for ledger_unavailable, would";
        let as_it_stands = || "in sync, enforced true, kept false, None".to_owned();
        let kept = Some(Kept { seen: seen(), would_adopt: false });
        let waits_for_a_grant = || Unusable::NotGranted {
            resource: Box::new(Resource::Guardrail(seen().enforcement.guardrail)),
            why: "no statement".to_owned(),
            being_mended: true,
            certain: true,
        };
        for (decision, expected) in [
            (Decision::Change(enforce.clone()), format!("{unavailable} enforce")),
            (release(None), format!("{unavailable} release")),
            (release(Some(unusable())), "broken".to_owned()),
            (Decision::CleanUp(tidy), as_it_stands()),
            (Decision::InSync(in_sync(Some(Correction::Remember))), as_it_stands()),
            (Decision::InSync(InSync { kept, ..in_sync(None) }), as_it_stands()),
            (Decision::Change(adopt), as_it_stands()),
            // What looks foreign may be ours.
            (left_alone(LeaveReason::Foreign), format!("{unavailable} nothing")),
            (left_alone(LeaveReason::Unreadable), format!("{unavailable} nothing")),
            (left_alone(LeaveReason::Excluded), "left alone, Excluded".to_owned()),
            (held(HoldReason::NotOurs { by: None }), format!("{unavailable} nothing")),
            (held(HoldReason::NoDurableLedger), format!("{unavailable} nothing")),
            (
                held(HoldReason::Unusable { unusable: unusable() }),
                format!("held for {}, would nothing", unusable().code()),
            ),
            (
                Decision::Held(Held {
                    reason: HoldReason::Unusable { unusable: unusable() },
                    would: Some(enforce.clone()),
                }),
                format!("held for {}, would enforce", unusable().code()),
            ),
            // What follows a grant is a change like any other.
            (
                Decision::Held(Held {
                    reason: HoldReason::Unusable { unusable: waits_for_a_grant() },
                    would: Some(enforce.clone()),
                }),
                format!("{unavailable} enforce"),
            ),
            (
                Decision::Broken(Broken { seen: seen(), unusable: unusable(), stays: None }),
                "broken".to_owned(),
            ),
        ] {
            let of = |account| (target(account), decision.clone());
            let plan = Plan { decisions: [of(1), of(2)].into(), ..Plan::default() };
            let held = plan.hold_unread(&BTreeSet::from([target(1).account]));
            assert_eq!(word(&held.decisions[&target(1)]), expected);
            assert_eq!(held.decisions[&target(2)], decision, "its record was read");
        }
    }

    #[test]
    fn a_grant_needs_the_record_of_grants_and_its_withdrawal_everybodys() {
        let unread = BTreeSet::from([target(1).account]);
        for (purpose, without_an_account) in [(GrantPurpose::Grant, true), (GrantPurpose::Withdraw, false)] {
            let plan = Plan { grants: [granting(purpose)].into(), ..Plan::default() };
            let goes_on = |plan: Plan| plan.grant_changes().next().is_some();
            assert!(goes_on(plan.clone().hold_unread(&BTreeSet::new())));
            assert_eq!(goes_on(plan.clone().hold_unread(&unread)), without_an_account);
            let held = plan.hold_unread_grants();
            let grant = held.grants.values().next().map(|decision| &decision.action);
            assert_eq!(grant, Some(&GrantAction::Held(HoldReason::LedgerUnavailable)));
        }
    }
}
