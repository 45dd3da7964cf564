//! What is left alone in accounts whose state this version doesn't know.

use std::collections::BTreeMap;

use super::{Change, HoldReason, Ownership, Plan};
use crate::ids::AccountId;
use crate::organization::AccountState;

impl Plan {
    /// Takes nothing away in accounts whose state isn't known: what is there and isn't ours stays, and what
    /// is ours isn't released. To enforce and to repair is safe, whatever the state means. What would have
    /// been released because it is broken is broken still.
    pub fn spare(self, unknown: BTreeMap<AccountId, AccountState>) -> Plan {
        let mut plan = self.hold_changes(|change| {
            let state = unknown.get(&change.target().account)?;
            takes_away(change).then(|| HoldReason::AccountStateUnknown { state: state.clone() })
        });
        plan = plan.hold_clean_ups(|clean_up| unknown.contains_key(&clean_up.target.account));
        plan.unknown_states = unknown;
        plan
    }
}

/// Whether a change takes something away that may be needed, or that isn't ours.
fn takes_away(change: &Change) -> bool {
    match change {
        Change::Release { .. }
        | Change::Adopt { .. }
        | Change::Replace { ownership: Ownership::Foreign, .. } => true,
        Change::Replace { ownership: Ownership::Ours, .. }
        | Change::Enforce { .. }
        | Change::EnsureCopy { .. } => false,
    }
}
