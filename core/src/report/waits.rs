//! What is looked at again before the next sweep.

use std::collections::BTreeSet;

use super::{Report, TargetReport};
use crate::failure::Failure;
use crate::ids::Target;
use crate::plan::HoldReason;

/// What is worth another look before the next sweep, by why the first one was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Everything was looked at: what waits for its set-up is left to the next sweep, or one Region that is never
    /// enables would keep every sweep waiting.
    pub in_a_sweep: bool,
    /// The account has just come to where it stands, or may use another Region: a role that is missing may
    /// still come, also after the time for which that is normal.
    pub after_an_arrival: bool,
}

impl Report {
    /// The targets that are worth another look before the next sweep.
    pub fn waiting(&self, waits: Waits) -> BTreeSet<Target> {
        let waiting = self.targets.iter().filter(|(_, report)| report.is_tried_again(waits));
        waiting.map(|(target, _)| target.clone()).collect()
    }

    /// Whether this look got on with one of these targets: something was written there, or what it waits for isn't
    /// what it waited for when it was looked at last.
    pub fn gets_on(&self, targets: &BTreeSet<Target>) -> bool {
        targets.iter().any(|target| {
            let last = self.before.get(target).and_then(|record| record.checked.as_ref());
            let report = self.targets.get(target);
            report
                .is_some_and(|report| report.is_made() || last.is_some_and(|last| report.is_news_since(last)))
        })
    }
}

impl TargetReport {
    /// Whether it is looked at again before the next sweep.
    pub fn is_tried_again(&self, waits: Waits) -> bool {
        if waits.after_an_arrival && self.lacks_a_permission() {
            return true;
        }
        self.is_worth_waiting() && !(waits.in_a_sweep && self.waits_for_set_up())
    }

    /// Whether the account's role is missing, or may not do what it has to.
    fn lacks_a_permission(&self) -> bool {
        let failure = self.failure().or_else(|| match &self.held()?.reason {
            HoldReason::Unreadable { failure } | HoldReason::ProbeFailed { failure } => Some(failure),
            HoldReason::Unusable { unusable } => unusable.copy_failure(),
            _ => None,
        });
        failure.is_some_and(Failure::is_a_lacking_permission)
    }
}
