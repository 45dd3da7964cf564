//! Why a target is left alone.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a target is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// No assignment covers the account.
    Unassigned,
    /// The baseline excludes the account.
    Excluded,
    /// Nothing is wanted, and what is there isn't ours.
    Foreign,
    /// Nothing is wanted, the record has nothing of ours, and what is there could not be read.
    Unreadable,
}

impl LeaveReason {
    /// A short stable name, as it is stored.
    pub fn code(self) -> &'static str {
        match self {
            LeaveReason::Unassigned => "unassigned",
            LeaveReason::Excluded => "excluded",
            LeaveReason::Foreign => "foreign",
            LeaveReason::Unreadable => "unreadable",
        }
    }
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
