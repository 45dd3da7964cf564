//! How targets stand after a run, by what was wanted in it.

use std::collections::BTreeMap;

use super::{Report, TargetReport};
use crate::ids::Target;
use crate::status::Standing;

impl Report {
    /// How many targets stand how.
    pub fn standings(&self) -> BTreeMap<Standing, usize> {
        let mut standings = BTreeMap::new();
        for (target, report) in &self.targets {
            *standings.entry(self.judged(target, report).0).or_default() += 1;
        }
        standings
    }

    /// How a target stands after this run, and why. In an account whose state isn't known nothing is good.
    pub fn judged(&self, target: &Target, report: &TargetReport) -> (Standing, Option<String>) {
        let standing = report.standing();
        match self.unknown_states.get(&target.account) {
            Some(state) if standing.is_good() => {
                (Standing::Unknown, Some(format!("{standing}, but the account is {state}")))
            }
            Some(_) | None => (standing, report.reason()),
        }
    }

    /// Whether every target is as wanted, or on purpose none of our business. What was looked at without the
    /// ledger is never known to be: an account may be about to leave, or hold something of ours elsewhere.
    /// Neither is what is in an account whose state isn't known, or of which it isn't known where it stands.
    pub fn is_converged(&self) -> bool {
        let grants = self.grants.values().all(|report| report.trouble().is_none());
        grants
            && self.ledger_trouble.is_none()
            && self.unknown_states.is_empty()
            && self.unplaced.is_empty()
            && self.targets.values().all(|target| target.standing().is_good())
    }
}
