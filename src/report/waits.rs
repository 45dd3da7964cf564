//! What is looked at again before the next sweep.

use super::{Outcome, TargetReport};
use crate::failure::Failure;
use crate::plan::{Decision, HoldReason};

/// What is worth another look before the next sweep, by why the first one was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Everything was looked at: what waits for its set-up is left to the next sweep, or one Region that nobody
    /// enables would keep every sweep waiting.
    pub in_a_sweep: bool,
    /// The account has just come to where it stands, or may use another Region: a role that is missing may
    /// still come, also after the time for which that is no news.
    pub after_an_arrival: bool,
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
        let failure = match self {
            TargetReport::Attempted(Outcome { result, .. }) => result.as_ref().err(),
            TargetReport::Decided(Decision::Held(held)) => match &held.reason {
                HoldReason::Unreadable { failure } | HoldReason::ProbeFailed { failure } => Some(failure),
                HoldReason::Unusable { unusable } => unusable.copy_failure(),
                _ => None,
            },
            TargetReport::Decided(_) => None,
        };
        failure.is_some_and(Failure::is_a_lacking_permission)
    }
}
