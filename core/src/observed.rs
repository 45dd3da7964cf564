//! What AWS showed of each target. "Could not be read" is a state of its own, never "nothing there".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::enforcement::Enforcement;
use crate::failure::Failure;
use crate::ids::{AccountId, ConfigId, Target};
use crate::own_roles::OwnRoles;
use crate::resource_policy::{Document, InvalidDocument};

/// The account-level enforcement of every target that was looked at.
pub type Observed = BTreeMap<Target, Observation>;

/// What was seen in one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Nothing is enforced.
    Absent,
    /// This is enforced.
    Enforced(Seen),
    /// It could not be read.
    Unreadable(Failure),
}

/// The resource policy of a guardrail or guardrail profile, as its owner was shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourcePolicySeen {
    /// None is attached.
    Absent,
    /// This is attached.
    Attached(Document),
    /// Something is attached that can't be understood.
    Invalid(InvalidDocument),
    /// It could not be read.
    Unreadable(Failure),
}

/// An enforced configuration as AWS reported it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The id that a replacement or a release must name. The record doesn't keep it: what the record shows
    /// alone has none, and is never written over.
    pub config_id: Option<ConfigId>,
    /// What is enforced.
    pub enforcement: Enforcement,
    /// The principal that made it, if AWS says.
    pub created_by: Option<String>,
    /// The principal that changed it last, if AWS says.
    pub updated_by: Option<String>,
}

/// What a guardrail did about the harmless text of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// It let the text pass.
    Passed,
    /// It intervened: it would do so in nearly every call.
    Blocked {
        /// By which of its policies, in words, as far as AWS says.
        by: Vec<&'static str>,
    },
}

/// What the probe sends. No guardrail should object to it.
pub const PROBE_TEXT: &str = "Hello.";

impl Observation {
    /// What was there by the record: `None` for nothing. Good for counting, never for writing: the
    /// configuration's id isn't recorded.
    pub fn recorded(enforcement: Option<Enforcement>, by: Option<String>) -> Observation {
        match enforcement {
            None => Observation::Absent,
            Some(enforcement) => {
                Observation::Enforced(Seen { config_id: None, enforcement, created_by: None, updated_by: by })
            }
        }
    }

    /// What is enforced, as far as something was seen.
    pub fn seen(&self) -> Option<&Seen> {
        match self {
            Observation::Enforced(seen) => Some(seen),
            Observation::Absent | Observation::Unreadable(_) => None,
        }
    }
}

impl Seen {
    /// Whether one of our roles made it or changed it last.
    pub fn bears_our_name(&self, own_roles: &OwnRoles, account: &AccountId) -> bool {
        let by_us = |principal: &Option<String>| {
            principal.as_ref().is_some_and(|principal| own_roles.wrote(principal, account))
        };
        by_us(&self.created_by) || by_us(&self.updated_by)
    }

    /// Whether the last change was ours, so that what is there is exactly what we wrote.
    pub fn was_last_written_by_us(&self, own_roles: &OwnRoles, account: &AccountId) -> bool {
        self.last_writer().is_some_and(|principal| own_roles.wrote(principal, account))
    }

    /// The principal that wrote last, as far as AWS says.
    pub fn last_writer(&self) -> Option<&str> {
        self.updated_by.as_deref().or(self.created_by.as_deref())
    }
}
