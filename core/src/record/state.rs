//! A target's state in one word.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A target's state in one word, as JSON, metrics and `status` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Enforced by this run where nothing was.
    Enforced,
    /// Replaced by this run.
    Replaced,
    /// Its copy of the guardrail was written; what is enforced is still as it was.
    Copied,
    /// Released by this run.
    Released,
    /// As wanted before this run.
    InSync,
    /// Would be enforced where nothing is, if the mode weren't `audit`.
    WouldEnforce,
    /// Would be replaced, if the mode weren't `audit`.
    WouldReplace,
    /// Would be released, if the mode weren't `audit`.
    WouldRelease,
    /// Ours, and left to itself: it would be abandoned, if the mode weren't `audit` or the baseline were approved.
    WouldAbandon,
    /// Should be changed, and wasn't.
    Held,
    /// Was to be changed, and the write failed.
    Failed,
    /// What is enforced can't be used.
    Broken,
    /// None of our business.
    LeftAlone,
}

impl State {
    /// Every state, in the order in which they are listed.
    pub const ALL: [State; 13] = [
        State::Enforced,
        State::Replaced,
        State::Copied,
        State::Released,
        State::InSync,
        State::WouldEnforce,
        State::WouldReplace,
        State::WouldRelease,
        State::WouldAbandon,
        State::Held,
        State::Failed,
        State::Broken,
        State::LeftAlone,
    ];

    /// The word for it: in JSON, metrics and dimensions.
    pub fn code(self) -> &'static str {
        match self {
            State::Enforced => "enforced",
            State::Replaced => "replaced",
            State::Copied => "copied",
            State::Released => "released",
            State::InSync => "in_sync",
            State::WouldEnforce => "would_enforce",
            State::WouldReplace => "would_replace",
            State::WouldRelease => "would_release",
            State::WouldAbandon => "would_abandon",
            State::Held => "held",
            State::Failed => "failed",
            State::Broken => "broken",
            State::LeftAlone => "left_alone",
        }
    }

    /// Whether a run got there by writing.
    pub fn is_a_write(self) -> bool {
        matches!(self, State::Enforced | State::Replaced | State::Copied | State::Released)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.code().replace('_', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_what_json_says() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.code());
        }
    }
}
