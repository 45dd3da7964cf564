//! Why a target is left alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{LeftAlone, Mark, PlanLine};
use crate::ids::Target;
use crate::observed::Observation;
use crate::record::State;
use crate::words::words;

words! {
    /// Why a target is left alone.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum LeaveReason {
        /// No assignment covers the account.
        Unassigned = "unassigned",
        /// The baseline excludes the account.
        Excluded = "excluded",
        /// Nothing is wanted, and what is there isn't ours.
        Foreign = "foreign",
        /// Nothing is wanted, the record has nothing of ours, and what is there could not be read.
        Unreadable = "unreadable",
    }

    /// A short stable name, as it is stored.
    pub fn code(self) -> &'static str;
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeaveReason::Unassigned => "no assignment covers the account",
            LeaveReason::Excluded => "the account is excluded",
            LeaveReason::Unreadable => {
                "nothing is wanted here, the record has nothing of ours here, and the target could not be read"
            }
            LeaveReason::Foreign => "nothing is wanted here, and what is there isn't ours",
        })
    }
}

impl LeftAlone {
    /// The state of a target that is left so.
    pub fn state(&self) -> State {
        if self.would_abandon { State::WouldAbandon } else { State::LeftAlone }
    }

    /// The decision's word in JSON.
    pub fn verb(&self) -> &'static str {
        if self.would_abandon { "would-abandon" } else { "leave-alone" }
    }

    /// The line of what would be abandoned. What is left alone otherwise has none.
    pub(super) fn line(&self, target: &Target) -> Option<PlanLine> {
        let LeftAlone { reason, seen, would_abandon } = self;
        let line = PlanLine::about(Mark::Would, target);
        let line = match seen {
            Observation::Enforced(seen) => line.text(format_args!(" would abandon {}", seen.enforcement)),
            Observation::Absent | Observation::Unreadable(_) => line.text(" would abandon what was ours"),
        };
        would_abandon.then(|| line.text(format_args!(": {reason}")))
    }
}
