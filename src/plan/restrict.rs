//! Takes changes out of a plan and says why.

use super::{Broken, Change, Decision, Held, HoldReason, Plan, PolicyAction};
use crate::baseline::Mode;
use crate::ids::Target;

impl Plan {
    /// Keeps only the changes that the mode allows; the others are held. Adds nothing.
    pub fn restrict(self, mode: Mode) -> Plan {
        let allows = |change: &Change| match mode {
            Mode::Sync => true,
            Mode::EnforceOnly => !change.is_release(),
            Mode::Audit => false,
        };
        let mut plan = self.hold_changes(|change| (!allows(change)).then_some(HoldReason::Mode { mode }));
        if mode != Mode::Sync {
            // No later look releases it either.
            for decision in plan.decisions.values_mut() {
                if let Decision::Broken(Broken { stays: Some(stays), .. }) = decision {
                    *stays = HoldReason::Mode { mode };
                }
            }
        }
        if mode == Mode::Audit {
            plan.audit();
        }
        plan.keep_unadopted();
        plan
    }

    /// Holds every change for which `reason` finds one, those included that follow others. What would have been
    /// released because it is broken is broken still.
    pub fn hold_changes(self, reason: impl Fn(&Change) -> Option<HoldReason>) -> Plan {
        let followers: Vec<Target> = self.followers().cloned().collect();
        let mut plan = self.hold_present(&reason);
        for target in followers {
            if let Some(Decision::Held(held)) = plan.decisions.get_mut(&target)
                && let Some(reason) = held.would.as_ref().and_then(&reason)
            {
                held.reason = reason;
            }
        }
        plan
    }

    /// Holds every change for which `reason` finds one. Those that follow others aren't made yet.
    pub(super) fn hold_present(self, reason: impl Fn(&Change) -> Option<HoldReason>) -> Plan {
        let Plan { mut policies, decisions, handed_back, skipped, unknown_states, unplaced } = self;
        for decision in policies.values_mut() {
            if let PolicyAction::Change(change) = &decision.action
                && let Some(reason) = reason(&Change::Policy(change.clone()))
            {
                decision.action = PolicyAction::Held(reason);
            }
        }
        let decisions = decisions
            .into_iter()
            .map(|(target, decision)| match decision {
                Decision::Change(change) => match reason(&change) {
                    Some(reason) => (target, held_back(change, reason)),
                    None => (target, Decision::Change(change)),
                },
                Decision::InSync(_) | Decision::LeftAlone(_) | Decision::Held(_) | Decision::Broken(_) => {
                    (target, decision)
                }
            })
            .collect();
        Plan { policies, decisions, handed_back, skipped, unknown_states, unplaced }
    }
}

/// What becomes of a change that isn't made.
pub(crate) fn held_back(change: Change, reason: HoldReason) -> Decision {
    match change {
        // Tidying that has to wait leaves nothing to be wished for.
        Change::Tidy { stands, .. } => Decision::InSync(stands),
        Change::Release { from: seen, broken: Some(unusable), .. } => {
            Decision::Broken(Broken { seen, unusable, stays: Some(reason) })
        }
        change => Decision::Held(Held { reason, would: Some(change) }),
    }
}
