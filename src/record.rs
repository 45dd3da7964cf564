//! What the ledger knows about a target: what we did there, and what was there before.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::Revision;
use crate::enforcement::Enforcement;
use crate::ids::Target;
use crate::observed::Seen;

/// The records of every target that a run concerns. A target without one is new to us.
pub type Records = BTreeMap<Target, Record>;

/// What is known about one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// What we applied or adopted and have not released: the proof that a configuration is ours.
    pub ours: Option<Ours>,
    /// A write that was begun. Until it is confirmed it proves nothing: the write may have failed,
    /// and what is there may be somebody else's.
    pub intent: Option<Intent>,
    /// What somebody else had configured before we replaced it; kept so that it can be put back.
    pub previous: Option<Previous>,
    /// When we released last.
    pub released_at: Option<Timestamp>,
    /// When each recent repair of ours was made; several within an hour mean that somebody fights us.
    pub repairs: Vec<Timestamp>,
}

/// A configuration that is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ours {
    /// What we last applied, or found equal to what was wanted.
    pub enforcement: Enforcement,
    /// How it became ours.
    pub origin: Origin,
    /// When.
    pub at: Timestamp,
    /// Under which baseline.
    pub revision: Revision,
}

/// How a configuration became ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// We wrote it.
    Applied,
    /// It was there already, equal to what the baseline wants.
    Adopted,
}

/// A write that was begun and not yet confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What was to be enforced; `None` for a release.
    pub to: Option<Enforcement>,
    /// When it was begun.
    pub at: Timestamp,
    /// Under which baseline.
    pub revision: Revision,
}

/// A foreign configuration that we replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// What it was, and whose.
    pub seen: Seen,
    /// When it was replaced.
    pub at: Timestamp,
}

/// How long repairs are remembered.
const REPAIRS_REMEMBERED_SECONDS: i64 = 3600;

impl Record {
    /// Notes that a write begins. `replacing` is what it replaces, where that is somebody else's.
    pub fn begin(&mut self, intent: Intent, replacing: Option<&Seen>) {
        if let Some(seen) = replacing {
            self.previous = Some(Previous { seen: seen.clone(), at: intent.at });
        }
        self.intent = Some(intent);
    }

    /// Notes that the enforcement was written, which makes it ours.
    pub fn confirm_enforced(&mut self, enforcement: Enforcement, at: Timestamp, revision: Revision) {
        self.intent = None;
        self.ours = Some(Ours { enforcement, origin: Origin::Applied, at, revision });
    }

    /// Notes that what is there was found equal to what is wanted.
    pub fn adopt(&mut self, enforcement: Enforcement, at: Timestamp, revision: Revision) {
        self.intent = None;
        self.ours = Some(Ours { enforcement, origin: Origin::Adopted, at, revision });
    }

    /// Notes that it was released: nothing there is ours any more.
    pub fn confirm_released(&mut self, at: Timestamp) {
        self.intent = None;
        self.ours = None;
        self.released_at = Some(at);
    }

    /// Notes that something of ours had been changed or removed by somebody else, and was put right.
    pub fn count_repair(&mut self, at: Timestamp) {
        self.repairs.retain(|earlier| at.as_second() - earlier.as_second() < REPAIRS_REMEMBERED_SECONDS);
        self.repairs.push(at);
    }
}
