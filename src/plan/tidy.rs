//! Tidying up in targets that are as they should be.

use std::collections::BTreeMap;

use super::{Change, Decision, Plan};
use crate::copy::Leftover;
use crate::ids::Target;

impl Plan {
    /// Plans to tidy up what was found left over. Only in targets that are as wanted, and where the
    /// record says so, too: what is to be done about the enforcement itself comes first.
    pub fn tidy(mut self, leftovers: BTreeMap<Target, Leftover>) -> Plan {
        for (target, leftover) in leftovers {
            if let Some(decision) = self.decisions.get_mut(&target)
                && let Decision::InSync(in_sync) = decision
                && in_sync.correction.is_none()
                && !self.handed_back.contains_key(&target)
            {
                let stands = in_sync.clone();
                *decision = Decision::Change(Change::Tidy { target, leftover, stands });
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Mode;
    use crate::copy::Doubt;
    use crate::plan::{Correction, Held, HoldReason, InSync};

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
        let tidied = plan().tidy((1..5).map(|account| (target(account), copy())).collect());
        let tidies: Vec<&Target> = tidied.changes().map(Change::target).collect();
        assert_eq!(tidies, [&target(1)]);
        assert_eq!(tidied.decisions.len(), 3);
        assert_eq!(tidied.decisions[&target(2)], plan().decisions[&target(2)]);
    }

    #[test]
    fn what_may_not_be_tidied_is_as_wanted_all_the_same() {
        let versions = Leftover::Versions(Vec::new());
        let unproven = Leftover::Unproven(
            "arn:aws:bedrock:eu-west-1:300000000001:guardrail/abc".parse().unwrap(),
            Doubt::NoMark,
        );
        for (mode, leftover, is_tidied) in [
            (Mode::Sync, copy(), true),
            (Mode::EnforceOnly, copy(), false),
            (Mode::Audit, copy(), false),
            (Mode::EnforceOnly, versions.clone(), true),
            (Mode::Audit, versions, false),
            (Mode::EnforceOnly, unproven, true),
        ] {
            let tidied = plan().tidy(BTreeMap::from([(target(1), leftover)])).restrict(mode);
            let decision = &tidied.decisions[&target(1)];
            assert_eq!(matches!(decision, Decision::Change(_)), is_tidied, "{mode}: {decision:?}");
            assert!(is_tidied || *decision == in_sync(None), "{mode}: {decision:?}");
        }
    }
}
