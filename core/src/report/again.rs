//! What is to be looked at once more in the same run.

use super::{GrantReport, Report, State, TargetReport};
use crate::plan::HoldReason;

impl Report {
    /// Whether something was put in place that other decisions were waiting for.
    pub fn calls_for_another_look(&self) -> bool {
        let copied = self.targets.values().any(|target| target.state() == State::Copied);
        let placed = self.placement_decided.is_some()
            && self.targets.values().any(TargetReport::waits_for_the_placement);
        copied || placed || self.grants.values().any(GrantReport::is_written)
    }

    /// Whether another round of the same run has something to do.
    pub fn is_due_another_look(&self) -> bool {
        self.calls_for_another_look() && !self.is_converged()
    }
}

impl TargetReport {
    /// Whether it is held until it is known whether members need copies.
    fn waits_for_the_placement(&self) -> bool {
        self.held().is_some_and(|held| matches!(held.reason, HoldReason::PlacementUndecided { .. }))
    }
}
