//! How a command that writes ends before its end, and what it says then: what was written, and what is not known.

use std::fmt;

use super::advice::FailedCall;
use super::{PARTLY, UNTOLD};
use guardrail_keeper::engine::Stopped;
use guardrail_keeper::ledger::LedgerError;
use keeper_core::failure::{Category, Failure};

/// Why a command ended early, where its exit code says more than that it stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// Something went wrong after something was written, or may have been.
    #[error("{why}\n{done}")]
    After {
        /// What was written, in words.
        done: String,
        /// What went wrong.
        why: String,
    },
    /// The process was ended by Ctrl-C or SIGTERM.
    #[error("interrupted: {done}")]
    Interrupted {
        /// What was written, in words.
        done: String,
        /// The exit code of the signal.
        code: u8,
    },
    /// What is about to be written could not be shown.
    #[error("standard output can't be written ({why}): nothing was changed")]
    Unshown {
        /// Why not.
        why: String,
    },
}

impl Ended {
    /// The code to end with.
    pub(super) fn code(&self) -> u8 {
        match self {
            Ended::After { .. } => PARTLY,
            Ended::Interrupted { code, .. } => *code,
            Ended::Unshown { .. } => UNTOLD,
        }
    }
}

/// What a command has written so far, each in a sentence.
#[derive(Clone, Debug, Default)]
pub(super) struct Done(Vec<String>);

impl Done {
    /// Takes note of something that was written.
    pub(super) fn add(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    /// Whether nothing was written yet.
    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// An error from here on says what was written before it.
    pub(super) fn or_say<T, E: Into<anyhow::Error>>(&self, result: Result<T, E>) -> anyhow::Result<T> {
        result.map_err(|error| self.after(error.into()))
    }

    fn after(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast::<Ended>() {
            Ok(Ended::Interrupted { code, .. }) if !self.is_nothing() => {
                Ended::Interrupted { done: self.to_string(), code }.into()
            }
            Ok(Ended::After { done, why }) if !self.is_nothing() => {
                Ended::After { done: format!("{self}; {done}"), why }.into()
            }
            Ok(ended) => ended.into(),
            Err(error) if self.is_nothing() => error,
            Err(error) => Ended::After { done: self.to_string(), why: format!("{error:#}") }.into(),
        }
    }
}

impl Done {
    /// What is said where the rest isn't to be done.
    pub(super) fn and_no_more(&self) -> String {
        if self.is_nothing() { self.to_string() } else { format!("{self}; the rest was not done") }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("nothing was changed"),
            done => f.write_str(&done.join("; ")),
        }
    }
}

/// A write to the ledger that failed. Where only its answer may have been lost, the error says so: "whether …".
pub(super) fn recorded<T>(result: Result<T, Stopped>, what: &str) -> anyhow::Result<T> {
    result.map_err(|stopped| match &stopped {
        Stopped::Ledger(LedgerError::Table(failure)) if may_have_arrived(failure) => unknown(what, &stopped),
        Stopped::NotApproved { failure, .. } if may_have_arrived(failure) => unknown(what, &stopped),
        _ => stopped.into(),
    })
}

/// A call that failed. Where its answer may only have been lost, the error says so.
pub(super) fn sent<T>(result: Result<T, Failure>, what: &str, refused: &str) -> anyhow::Result<T> {
    result.map_err(|failure| {
        if may_have_arrived(&failure) {
            unknown(what, &format_args!("{refused}: {failure}"))
        } else {
            FailedCall::new(refused, failure).into()
        }
    })
}

fn unknown(what: &str, why: &dyn fmt::Display) -> anyhow::Error {
    let done = format!("{what} is not known: the answer may have been lost");
    Ended::After { done, why: why.to_string() }.into()
}

fn may_have_arrived(failure: &Failure) -> bool {
    failure.category == Category::Transient
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stops_later_is_told_what_was_done_before() {
        let mut done = Done::default();
        assert_eq!(done.and_no_more(), "nothing was changed");
        done.add("5 changes were made");
        assert_eq!(done.and_no_more(), "5 changes were made; the rest was not done");
        let failed = done.or_say::<(), _>(Err(anyhow::anyhow!("AWS is gone"))).unwrap_err();
        assert_eq!(failed.to_string(), "AWS is gone\n5 changes were made");
        assert_eq!(failed.downcast_ref::<Ended>().map(Ended::code), Some(PARTLY));
    }
}
