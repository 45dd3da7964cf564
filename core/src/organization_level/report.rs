//! What came of a look at the organization's level.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::RecordedHold;
use crate::baseline::Revision;
use crate::bedrock_policy::ChangeExtent;
use crate::ids::AccountId;

/// What came of a look at the organization's level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationLevelReport {
    /// The baseline that it followed.
    pub revision: Revision,
    /// Why nothing was written, or not everything.
    pub holds: Vec<RecordedHold>,
    /// What was written, in words, in its order.
    pub taken: Vec<String>,
    /// What is left to be written; in mode `audit` what would be.
    pub left: Vec<String>,
    /// What the steps change.
    pub extent: ChangeExtent,
    /// Whether they put back what was confirmed before.
    pub is_repair: bool,
    /// The step at which it stopped.
    pub stopped: Option<StoppedStep>,
    /// The accounts that AWS calls frozen, with its reasons where they were read.
    pub frozen: BTreeMap<AccountId, String>,
    /// Whether everything that is wanted was found carried out.
    pub is_confirmed: bool,
    /// Whether a look was made: else nothing is known of frozen accounts.
    pub is_looked: bool,
}

/// The step at which writing stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedStep {
    /// The step, in words.
    pub step: String,
    /// Why, in words.
    pub why: String,
    /// Whether it may pass by itself.
    pub is_worth_waiting: bool,
}

impl fmt::Display for StoppedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped at \"{}\": {}", self.step, self.why)
    }
}

impl OrganizationLevelReport {
    /// A report of nothing.
    pub fn new(revision: Revision) -> OrganizationLevelReport {
        OrganizationLevelReport {
            revision,
            holds: Vec::new(),
            taken: Vec::new(),
            left: Vec::new(),
            extent: ChangeExtent::default(),
            is_repair: false,
            stopped: None,
            frozen: BTreeMap::new(),
            is_confirmed: false,
            is_looked: false,
        }
    }

    /// Whether people have to do something, or wait.
    pub fn is_finished(&self) -> bool {
        self.holds.is_empty() && self.left.is_empty() && self.stopped.is_none()
    }

    /// In one line.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        if !self.taken.is_empty() {
            parts.push(format!("{} steps taken ({})", self.taken.len(), self.extent));
        }
        parts.extend(self.stopped.as_ref().map(ToString::to_string));
        if !self.left.is_empty() {
            parts.push(format!("{} steps left", self.left.len()));
        }
        parts.extend(self.holds.iter().map(|hold| format!("held ({}): {}", hold.code, hold.text)));
        if !self.frozen.is_empty() {
            parts.push(format!("{} accounts are frozen", self.frozen.len()));
        }
        match (parts.is_empty(), self.is_confirmed) {
            (true, true) => "the organization's level is as the baseline wants it".to_owned(),
            (true, false) => "nothing to write on the organization's level".to_owned(),
            (false, _) => parts.join("; "),
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let ChangeExtent { accounts, added, replaced, released } = self.extent;
        json!({
            "revision": self.revision.as_str(),
            "holds": self.holds.iter().map(|hold| json!({"code": hold.code, "text": hold.text})).collect::<Vec<_>>(),
            "taken": self.taken,
            "left": self.left,
            "extent": {"accounts": accounts, "added": added, "replaced": replaced, "released": released},
            "repair": self.is_repair,
            "stopped": self.stopped.as_ref().map(|it| json!({"step": it.step, "why": it.why})),
            "frozen": self.frozen,
            "confirmed": self.is_confirmed,
        })
    }
}
