//! Cleaning up what earlier copies left behind, in targets that are as they should be.

use std::collections::BTreeMap;
use std::fmt;

use super::{Decision, InSync, Mark, Plan, PlanLine};
use crate::copy::Leftover;
use crate::ids::Target;

/// Clean up what earlier copies left behind in a target. What is enforced there is as wanted, and isn't touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanUp {
    /// The member and Region.
    pub target: Target,
    /// What is left over, and what becomes of it.
    pub leftover: Leftover,
    /// What is enforced there.
    pub stands: InSync,
}

impl CleanUp {
    /// What it is called in outcomes and logs.
    pub const VERB: &str = "tidy";

    /// Whether it takes a whole guardrail away.
    pub fn is_release(&self) -> bool {
        matches!(self.leftover, Leftover::Copy(_))
    }

    /// Its line.
    pub fn line(&self) -> PlanLine {
        let CleanUp { target, leftover, stands: _ } = self;
        let mark = if matches!(leftover, Leftover::Unproven(..)) { Mark::Hold } else { Mark::Remove };
        PlanLine::about(mark, target).text(format_args!(" {leftover}"))
    }
}

impl fmt::Display for CleanUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CleanUp { target, leftover, stands: _ } = self;
        write!(f, "{target} {leftover}")
    }
}

impl Plan {
    /// Plans to clean up what was found left over. Only in targets that are as wanted, and where the
    /// record says so, too: what is to be done about the enforcement itself comes first.
    pub fn clean_up(mut self, leftovers: BTreeMap<Target, Leftover>) -> Plan {
        for (target, leftover) in leftovers {
            if let Some(decision) = self.decisions.get_mut(&target)
                && let Decision::InSync(in_sync) = decision
                && in_sync.correction.is_none()
                && !self.handed_back.contains_key(&target)
            {
                let stands = in_sync.clone();
                *decision = Decision::CleanUp(CleanUp { target, leftover, stands });
            }
        }
        self
    }

    /// What is cleaned up, in the order of the targets.
    pub fn clean_ups(&self) -> impl Iterator<Item = &CleanUp> {
        self.decisions.values().filter_map(|decision| match decision {
            Decision::CleanUp(clean_up) => Some(clean_up),
            _ => None,
        })
    }

    /// Leaves out what isn't to be cleaned up now. Such a target is in sync: nothing is wrong with what it enforces.
    pub fn hold_clean_ups(mut self, holds: impl Fn(&CleanUp) -> bool) -> Plan {
        for decision in self.decisions.values_mut() {
            if let Decision::CleanUp(clean_up) = decision
                && holds(clean_up)
            {
                *decision = Decision::InSync(clean_up.stands.clone());
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Mode;
    use crate::copy::LeftoverDoubt;
    use crate::enforcement::Enforcement;
    use crate::observed::Observation;
    use crate::plan::{Correction, HandedBack, Held, HoldReason};

    fn target(account: u64) -> Target {
        format!("30000000000{account}/eu-west-1").parse().unwrap()
    }

    fn copy() -> Leftover {
        Leftover::Copy("arn:aws:bedrock:eu-west-1:300000000001:guardrail/abc".parse().unwrap())
    }

    fn in_sync(correction: Option<Correction>) -> Decision {
        Decision::InSync(InSync { correction, ..InSync::default() })
    }

    fn plan() -> Plan {
        let held = Decision::Held(Held { reason: HoldReason::NotProven, would: None });
        let decisions =
            [(target(1), in_sync(None)), (target(2), in_sync(Some(Correction::Forget))), (target(3), held)];
        Plan { decisions: decisions.into(), ..Plan::default() }
    }

    #[test]
    fn only_what_is_as_wanted_is_tidied() {
        let tidied = plan().clean_up((1..5).map(|account| (target(account), copy())).collect());
        let tidies: Vec<&Target> = tidied.clean_ups().map(|it| &it.target).collect();
        assert_eq!(tidies, [&target(1)]);
        assert_eq!(tidied.decisions.len(), 3);
        assert_eq!(tidied.decisions[&target(2)], plan().decisions[&target(2)]);
    }

    #[test]
    fn where_something_is_handed_back_nothing_is_tidied() {
        let seen = serde_json::json!({
            "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c", "version": "2",
            "models": { "include": "all", "exclude": [] },
            "guarding": { "messages": "comprehensive", "system": "comprehensive" },
        });
        let adopted: Enforcement = serde_json::from_value(seen).unwrap();
        let Observation::Enforced(seen) = Observation::recorded(Some(adopted.clone()), None) else {
            unreachable!("as it is made")
        };
        let plan = Plan { handed_back: [(target(1), HandedBack { adopted, seen })].into(), ..plan() };
        let tidied = plan.clone().clean_up(BTreeMap::from([(target(1), copy())]));
        assert_eq!(tidied, plan);
        assert_eq!(tidied.writes(), 0);
    }

    #[test]
    fn what_is_tidied_is_a_write_and_says_what_goes() {
        let tidied = plan().clean_up(BTreeMap::from([(target(1), copy())]));
        assert_eq!(tidied.writes(), 1);
        let told: Vec<String> = tidied.clean_ups().map(ToString::to_string).collect();
        assert_eq!(told, ["300000000001/eu-west-1 delete the copy abc, which isn't used any more"]);
    }

    #[test]
    fn what_may_not_be_tidied_is_as_wanted_all_the_same() {
        let versions = Leftover::Versions(Vec::new());
        let unproven = Leftover::Unproven(
            "arn:aws:bedrock:eu-west-1:300000000001:guardrail/abc".parse().unwrap(),
            LeftoverDoubt::NoMark,
        );
        for (mode, leftover, is_tidied) in [
            (Mode::Sync, copy(), true),
            (Mode::EnforceOnly, copy(), false),
            (Mode::Audit, copy(), false),
            (Mode::EnforceOnly, versions.clone(), true),
            (Mode::Audit, versions, false),
            (Mode::EnforceOnly, unproven, true),
        ] {
            let tidied = plan().clean_up(BTreeMap::from([(target(1), leftover)])).restrict(mode);
            let decision = &tidied.decisions[&target(1)];
            assert_eq!(matches!(decision, Decision::CleanUp(_)), is_tidied, "{mode}: {decision:?}");
            assert!(is_tidied || *decision == in_sync(None), "{mode}: {decision:?}");
        }
    }
}
