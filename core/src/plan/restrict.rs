//! Takes changes out of a plan and says why.

use super::{Broken, Change, Decision, GrantAction, GrantChange, Held, HoldReason, Plan};
use crate::baseline::Mode;
use crate::ids::Target;

impl Plan {
    /// Keeps only the changes that the mode allows; the others are held. Adds nothing.
    pub fn restrict(self, mode: Mode) -> Plan {
        let held = |is_release: bool| match mode {
            Mode::Sync => None,
            Mode::EnforceOnly => is_release.then_some(HoldReason::Mode { mode }),
            Mode::Audit => Some(HoldReason::Mode { mode }),
        };
        let plan = self.hold_changes(|change| held(change.is_release()));
        let plan = plan.hold_grants(|change| held(change.is_release()));
        let mut plan = plan.hold_clean_ups(|clean_up| held(clean_up.is_release()).is_some());
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

    /// Holds every change of a target for which `reason` finds one, those included that follow others. What would
    /// have been released because it is broken is broken still.
    ///
    /// Where grants are held as well, these come first: what follows a grant is known while that is to be made.
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

    /// Holds every change of a target for which `reason` finds one. Those that follow others aren't made yet.
    pub(super) fn hold_present(mut self, reason: impl Fn(&Change) -> Option<HoldReason>) -> Plan {
        for decision in self.decisions.values_mut() {
            if let Decision::Change(change) = decision
                && let Some(reason) = reason(change)
            {
                *decision = held_back(change.clone(), reason);
            }
        }
        self
    }

    /// Holds every change of a grant for which `reason` finds one.
    pub fn hold_grants(mut self, reason: impl Fn(&GrantChange) -> Option<HoldReason>) -> Plan {
        for decision in self.grants.values_mut() {
            if let GrantAction::Change(change) = &decision.action
                && let Some(reason) = reason(change)
            {
                decision.action = GrantAction::Held(reason);
            }
        }
        self
    }
}

/// What becomes of a change that isn't made.
pub(crate) fn held_back(change: Change, reason: HoldReason) -> Decision {
    match change {
        Change::Release { from: seen, broken: Some(unusable), .. } => {
            Decision::Broken(Broken { seen, unusable, stays: Some(reason) })
        }
        change => Decision::Held(Held { reason, would: Some(change) }),
    }
}
