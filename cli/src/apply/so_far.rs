//! How far the rounds of one `apply` have come.

use std::collections::BTreeSet;

use guardrail_keeper::engine::MAX_ROUNDS;
use keeper_core::plan::Plan;
use keeper_core::report::Report;

/// How far writing from here has come.
#[derive(Default)]
pub(super) struct SoFar {
    /// The plan that was shown first, and with it what follows from it.
    pub(super) shown: Option<Plan>,
    /// The lines of plans that were printed.
    pub(super) told: BTreeSet<String>,
    pub(super) planned: Vec<serde_json::Value>,
    pub(super) rounds: usize,
    /// What all of them came to; `None` before the first.
    pub(super) report: Option<Report>,
    /// Whether something could be said of all that was asked for.
    pub(super) is_met: bool,
}

impl SoFar {
    /// Takes in what a round came to. Answers whether another one is due.
    pub(super) fn add(&mut self, round: Report) -> bool {
        self.rounds += 1;
        let report = match self.report.take() {
            Some(mut report) => {
                report.absorb(round);
                report
            }
            None => round,
        };
        let is_due = report.is_due_another_look() && self.rounds < MAX_ROUNDS;
        self.report = Some(report);
        is_due
    }
}
