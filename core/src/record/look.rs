//! What a look at a target came to, what it was made for, and what was seen.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::State;
use crate::baseline::{GuardrailKey, Revision};
use crate::enforcement::Enforcement;
use crate::observed::Observation;
use crate::organization::OrgPath;

/// What a look at a target came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// When.
    pub at: Timestamp,
    /// Under which baseline.
    pub revision: Revision,
    /// How the target was left.
    pub state: State,
    /// Why, where the state doesn't say it all.
    pub reason: Option<String>,
    /// The reason's kind: a short stable name, by which two looks are compared.
    #[serde(default)]
    pub code: Option<String>,
    /// What was there instead of what is wanted: how the two differ.
    pub drift: Option<String>,
    /// The id of the event that caused the look, where one did.
    pub event: Option<String>,
    /// Where the account stood.
    pub path: Option<OrgPath>,
    /// What was wanted there. `None` in records of versions that didn't say so.
    #[serde(default)]
    pub expected: Option<Expected>,
}

/// What was wanted of a target when it was looked at: what the look was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// This guardrail of the baseline.
    Guardrail(GuardrailKey),
    /// No enforcement.
    Nothing,
    /// No assignment covered the account.
    Unassigned,
    /// The baseline excluded the account.
    Excluded,
}

impl fmt::Display for Expected {
    /// The word that `status` has for it: a guardrail's key is never `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Guardrail(key) => key.fmt(f),
            Expected::Nothing => f.write_str("none"),
            Expected::Unassigned => f.write_str("unassigned"),
            Expected::Excluded => f.write_str("excluded"),
        }
    }
}

/// What was there when a target could be read last, or was written since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSeen {
    /// When.
    pub at: Timestamp,
    /// What was enforced; `None` for nothing.
    pub enforcement: Option<Enforcement>,
    /// Who wrote it last, as far as AWS says.
    pub by: Option<String>,
}

impl LastSeen {
    /// What the record keeps of an observation; nothing of a target that could not be read.
    pub fn of(observation: &Observation, at: Timestamp) -> Option<LastSeen> {
        match observation {
            Observation::Absent => Some(LastSeen { at, enforcement: None, by: None }),
            Observation::Enforced(seen) => Some(LastSeen {
                at,
                enforcement: Some(seen.enforcement.clone()),
                by: seen.last_writer().map(str::to_owned),
            }),
            Observation::Unreadable(_) => None,
        }
    }
}

/// One line of a target's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was first so.
    pub at: Timestamp,
    /// How the target was left.
    pub state: State,
    /// In words.
    pub text: String,
    /// The event that led to it.
    pub event: Option<String>,
}
