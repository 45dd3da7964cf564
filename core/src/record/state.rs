//! A target's state in one word.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// A target's state in one word, as JSON, metrics and `status` name it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum State {
        /// Enforced by this run where nothing was.
        Enforced = "enforced",
        /// Replaced by this run.
        Replaced = "replaced",
        /// Its copy of the guardrail was written; what is enforced is still as it was.
        Copied = "copied",
        /// Released by this run.
        Released = "released",
        /// As wanted before this run.
        InSync = "in_sync",
        /// Would be enforced where nothing is, if the mode weren't `audit`.
        WouldEnforce = "would_enforce",
        /// Would be replaced, if the mode weren't `audit`.
        WouldReplace = "would_replace",
        /// Would be released, if the mode weren't `audit`.
        WouldRelease = "would_release",
        /// Ours, and left to itself: it would be abandoned, if the mode weren't `audit` or the baseline were approved.
        WouldAbandon = "would_abandon",
        /// Should be changed, and wasn't.
        Held = "held",
        /// Was to be changed, and the write failed.
        Failed = "failed",
        /// What is enforced can't be used.
        Broken = "broken",
        /// None of our business.
        LeftAlone = "left_alone",
    }

    /// The word for it: in JSON, metrics and dimensions.
    pub fn code(self) -> &'static str;
}

impl State {
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
