//! How a target stands, in one word.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::record::State;
use crate::words::words;

words! {
    /// How a target stands, worst first.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Standing {
        /// What is enforced can't be used: guarded calls may be failing.
        Broken = "broken",
        /// A guardrail is wanted, and the last look left nothing enforced.
        Unguarded = "unguarded",
        /// It was to be changed, and the write failed.
        Failed = "failed",
        /// The record doesn't know how it is.
        Unknown = "unknown",
        /// It should be changed, and wasn't.
        Held = "held",
        /// Another mode than `audit` would replace it.
        WouldReplace = "would_replace",
        /// Another mode than `audit` would enforce a guardrail, where nothing is enforced.
        WouldEnforce = "would_enforce",
        /// Another mode than `audit` would release it.
        WouldRelease = "would_release",
        /// Ours, and left to itself by a baseline in mode `audit`, or by one that isn't approved.
        WouldAbandon = "would_abandon",
        /// Another principal undoes each repair.
        Contested = "contested",
        /// The last look is too old, or was made for another path, assignment or baseline.
        Stale = "stale",
        /// Its copy of the guardrail was written; what is enforced is still as it was.
        Copied = "copied",
        /// Ours, in an account that gets no calls any more.
        LeftBehind = "left_behind",
        /// The baseline has no say in it.
        LeftAlone = "left_alone",
        /// Enforced by the last look, where nothing was.
        Enforced = "enforced",
        /// Replaced by the last look.
        Replaced = "replaced",
        /// Released by the last look, and nothing is wanted.
        Released = "released",
        /// As wanted.
        InSync = "in_sync",
    }

    /// The word for it in JSON, CSV, metrics and events, like that of [`State::code`].
    pub fn code(self) -> &'static str;
}

/// A word that names no standing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no state of a target")]
pub struct UnknownStanding(String);

impl Standing {
    /// Those that the end of a sweep counts. What was left behind is in accounts that it doesn't look at.
    pub fn of_a_sweep() -> impl Iterator<Item = Standing> {
        Standing::ALL.into_iter().filter(|standing| *standing != Standing::LeftBehind)
    }

    /// What a look that counts says of a target. Whether it counts is for [`super::judge`] to say.
    pub fn of(state: State) -> Standing {
        match state {
            State::Enforced => Standing::Enforced,
            State::Replaced => Standing::Replaced,
            State::Copied => Standing::Copied,
            State::Released => Standing::Released,
            State::InSync => Standing::InSync,
            State::Held => Standing::Held,
            State::WouldReplace => Standing::WouldReplace,
            State::WouldEnforce => Standing::WouldEnforce,
            State::WouldRelease => Standing::WouldRelease,
            State::WouldAbandon => Standing::WouldAbandon,
            State::Failed => Standing::Failed,
            State::Broken => Standing::Broken,
            State::LeftAlone => Standing::LeftAlone,
        }
    }

    /// Whether the target is as the baseline wants it.
    pub fn is_good(self) -> bool {
        match self {
            Standing::Broken
            | Standing::Unguarded
            | Standing::Failed
            | Standing::Unknown
            | Standing::Held
            | Standing::WouldReplace
            | Standing::WouldEnforce
            | Standing::WouldRelease
            | Standing::WouldAbandon
            | Standing::Contested
            | Standing::Stale
            | Standing::Copied
            | Standing::LeftBehind => false,
            Standing::LeftAlone
            | Standing::Enforced
            | Standing::Replaced
            | Standing::Released
            | Standing::InSync => true,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.code().replace('_', " "))
    }
}

impl FromStr for Standing {
    type Err = UnknownStanding;

    /// Reads the code, with hyphens or underscores.
    fn from_str(text: &str) -> Result<Standing, UnknownStanding> {
        let code = text.replace('-', "_");
        let known = Standing::ALL.into_iter().find(|standing| standing.code() == code);
        known.ok_or_else(|| UnknownStanding(text.to_owned()))
    }
}
