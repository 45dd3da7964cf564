//! What became of one target, as states, codes and words.

use super::{ChangeResult, State, TargetReport};
use crate::enforcement::ReadsBack;
use crate::failure::{Category, Failure};
use crate::plan::{Broken, Change, CleanUp, Decision, Held, HoldReason, InSync};
use crate::record::Checked;
use crate::status::Standing;

impl TargetReport {
    /// Whether something was attempted.
    pub fn is_an_attempt(&self) -> bool {
        matches!(self, TargetReport::Attempted(_) | TargetReport::CleanedUp { .. })
    }

    /// Whether something was attempted, and it worked.
    pub fn is_made(&self) -> bool {
        self.is_an_attempt() && self.failure().is_none()
    }

    /// Why an attempt didn't work.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            TargetReport::Attempted(ChangeResult { result, .. }) | TargetReport::CleanedUp { result, .. } => {
                result.as_ref().err()
            }
            TargetReport::Decided(_) => None,
        }
    }

    /// The change that was attempted, with what became of it.
    pub fn outcome(&self) -> Option<&ChangeResult> {
        match self {
            TargetReport::Attempted(outcome) => Some(outcome),
            TargetReport::CleanedUp { .. } | TargetReport::Decided(_) => None,
        }
    }

    /// What was decided, where nothing was attempted.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            TargetReport::Decided(decision) => Some(decision),
            TargetReport::Attempted(_) | TargetReport::CleanedUp { .. } => None,
        }
    }

    /// What is held, if that was decided.
    pub fn held(&self) -> Option<&Held> {
        self.decision()?.held()
    }

    /// What is broken, if that was decided.
    pub fn broken(&self) -> Option<&Broken> {
        self.decision()?.broken()
    }

    /// The verb of the change that was attempted, if one was.
    pub fn change(&self) -> Option<&'static str> {
        match self {
            TargetReport::Attempted(outcome) => Some(outcome.change.verb()),
            TargetReport::CleanedUp { .. } => Some(CleanUp::VERB),
            TargetReport::Decided(_) => None,
        }
    }

    /// The state it ended in.
    pub fn state(&self) -> State {
        match self {
            TargetReport::CleanedUp { .. } => State::InSync,
            TargetReport::Attempted(ChangeResult { result: Err(_), .. }) => State::Failed,
            TargetReport::Attempted(ChangeResult { change, result: Ok(()), .. }) => match change {
                Change::Enforce { .. } => State::Enforced,
                Change::EnsureCopy { .. } => State::Copied,
                Change::Replace { .. } => State::Replaced,
                Change::Release { .. } => State::Released,
                // It was as wanted before it was taken over.
                Change::Adopt { .. } => State::InSync,
            },
            TargetReport::Decided(decision) => match decision {
                Decision::InSync(_) => State::InSync,
                Decision::LeftAlone(left) => left.state(),
                // A change that was not attempted was only planned.
                Decision::Change(_) | Decision::CleanUp(_) => State::Held,
                Decision::Held(held) => held.state(),
                Decision::Broken(_) => State::Broken,
            },
        }
    }

    /// How the target stands after it, by what was wanted in this very run.
    pub fn standing(&self) -> Standing {
        // What was released because it can't be used is still wanted.
        if self.leaves_unguarded() { Standing::Unguarded } else { Standing::of(self.state()) }
    }

    /// Whether something was released though it is wanted, because it can't be used, by this run or before.
    fn leaves_unguarded(&self) -> bool {
        match self {
            TargetReport::Attempted(ChangeResult { change, result: Ok(()), .. }) => change.gives_up(),
            TargetReport::Decided(Decision::Held(held)) => held.leaves_unguarded(),
            TargetReport::Attempted(_) | TargetReport::CleanedUp { .. } | TargetReport::Decided(_) => false,
        }
    }

    /// Whether looking again soon may end better than waiting for the next sweep.
    pub fn is_worth_waiting(&self) -> bool {
        match self {
            TargetReport::CleanedUp { .. } => false,
            TargetReport::Attempted(ChangeResult { result: Err(failure), .. }) => {
                failure.category.is_worth_waiting()
            }
            // A copy that was written is still to be enforced; and what was released because it can't be used
            // is still wanted.
            TargetReport::Attempted(ChangeResult { change, result: Ok(()), .. }) => {
                matches!(change, Change::EnsureCopy { .. }) || change.gives_up()
            }
            TargetReport::Decided(Decision::Held(held)) => held.reason.is_worth_waiting(),
            TargetReport::Decided(Decision::Broken(broken)) => {
                broken.stays.as_ref().is_some_and(HoldReason::is_worth_waiting)
            }
            TargetReport::Decided(
                Decision::InSync(_) | Decision::LeftAlone(_) | Decision::Change(_) | Decision::CleanUp(_),
            ) => false,
        }
    }

    /// Whether it waits for the account or Region to be set up. That may take hours, or never come: a
    /// Region that is never enabled. A probe is made only where the target could be read, so what it
    /// waits for is the effect of a grant, and that comes soon.
    pub fn waits_for_set_up(&self) -> bool {
        let failure = self.failure().or_else(|| match &self.held()?.reason {
            HoldReason::Unreadable { failure } => Some(failure),
            _ => None,
        });
        failure.is_some_and(|failure| failure.category == Category::NotReady)
    }

    /// Why, in words; `None` where the state says it all.
    pub fn reason(&self) -> Option<String> {
        if let Some(failure) = self.failure() {
            return Some(failure.to_string());
        }
        match self {
            TargetReport::CleanedUp { .. } => None,
            TargetReport::Attempted(ChangeResult { reads_back: Some(reads_back), .. }) => {
                Some(reads_back.to_string())
            }
            TargetReport::Attempted(ChangeResult { change, .. }) => match change {
                // Why it was given up, though it is wanted.
                Change::Release { broken, .. } => broken.as_ref().map(ToString::to_string),
                Change::Enforce { .. }
                | Change::Replace { .. }
                | Change::Adopt { .. }
                | Change::EnsureCopy { .. } => None,
            },
            TargetReport::Decided(decision) => match decision {
                Decision::Held(held) => Some(held.words()),
                Decision::Broken(broken) => Some(broken.to_string()),
                Decision::LeftAlone(left) => Some(left.reason.to_string()),
                Decision::InSync(InSync { kept, reads_back, .. }) => {
                    let kept = kept.as_ref().map(ToString::to_string);
                    kept.or_else(|| reads_back.as_ref().map(ToString::to_string))
                }
                Decision::Change(_) | Decision::CleanUp(_) => None,
            },
        }
    }

    /// The kind of the reason: a short stable name; `None` where the state says it all.
    pub fn code(&self) -> Option<String> {
        if let Some(failure) = self.failure() {
            return Some(format!("failed.{}", failure.category.code()));
        }
        match self {
            TargetReport::CleanedUp { .. } => None,
            TargetReport::Attempted(ChangeResult { reads_back, .. }) => {
                reads_back.as_ref().map(|_| ReadsBack::CODE.to_owned())
            }
            TargetReport::Decided(decision) => match decision {
                Decision::Held(held) => held.only_audited().is_none().then(|| held.reason.code()),
                Decision::Broken(broken) => Some(broken.unusable.code()),
                Decision::InSync(in_sync) => in_sync.reads_back.as_ref().map(|_| ReadsBack::CODE.to_owned()),
                Decision::LeftAlone(_) | Decision::Change(_) | Decision::CleanUp(_) => None,
            },
        }
    }

    /// Whether the target is in another state than at an earlier look, or so for another kind of reason.
    pub fn is_news_since(&self, last: &Checked) -> bool {
        last.state != self.state() || last.code != self.code()
    }

    /// What is enforced in the target now, where that is known.
    pub fn enforced(&self) -> Option<String> {
        let enforced = match self {
            TargetReport::CleanedUp { clean_up, .. } => clean_up.stands.enforced.as_ref(),
            TargetReport::Attempted(ChangeResult { change: Change::Adopt { seen, .. }, .. }) => {
                Some(&seen.enforcement)
            }
            TargetReport::Attempted(ChangeResult { change, result: Ok(()), .. }) => {
                change.enforces().map(|(_, to)| to)
            }
            TargetReport::Attempted(ChangeResult { change, result: Err(_), .. }) => match change {
                Change::Replace { from, .. } | Change::Release { from, .. } => Some(&from.enforcement),
                Change::Adopt { .. } | Change::Enforce { .. } | Change::EnsureCopy { .. } => None,
            },
            TargetReport::Decided(decision) => match decision {
                Decision::InSync(in_sync) => in_sync.enforced.as_ref(),
                Decision::LeftAlone(left) => left.seen.seen().map(|seen| &seen.enforcement),
                Decision::Broken(broken) => Some(&broken.seen.enforcement),
                Decision::Held(_) | Decision::Change(_) | Decision::CleanUp(_) => None,
            },
        };
        enforced.map(ToString::to_string)
    }
}
