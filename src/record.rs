//! What the ledger knows about a target: what we did there, and what was there before.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::Revision;
use crate::enforcement::Enforcement;
use crate::ids::Target;
use crate::observed::Seen;
use crate::resource_policy::Resource;

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

/// Resource policies that we added a grant to, and when. Nothing else is ever taken out of one.
pub type Grants = BTreeMap<Resource, Granted>;

/// A grant that we added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// When.
    pub at: Timestamp,
    /// Under which baseline.
    pub revision: Revision,
}

/// How long repairs are remembered.
const REPAIRS_REMEMBERED_SECONDS: i64 = 3600;

/// Something that happened to a target, as the ledger is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A write begins. `replacing` is what it replaces, where that is somebody else's.
    Begun {
        /// What is to be written.
        intent: Intent,
        /// The foreign configuration that it overwrites.
        replacing: Option<Box<Seen>>,
    },
    /// The enforcement was written, which makes it ours.
    Enforced {
        /// What is enforced now.
        ours: Ours,
        /// Whether somebody had removed or changed ours before.
        repair: bool,
    },
    /// What is there was found equal to what is wanted, which makes it ours as well.
    Adopted(Ours),
    /// It was released: nothing there is ours any more.
    Released {
        /// When.
        at: Timestamp,
    },
}

impl Record {
    /// Takes note of what happened.
    pub fn note(&mut self, note: Note) {
        match note {
            Note::Begun { intent, replacing } => {
                if let Some(seen) = replacing {
                    self.previous = Some(Previous { seen: *seen, at: intent.at });
                }
                self.intent = Some(intent);
            }
            Note::Enforced { ours, repair } => {
                if repair {
                    self.count_repair(ours.at);
                }
                self.intent = None;
                self.ours = Some(ours);
            }
            Note::Adopted(ours) => {
                self.intent = None;
                self.ours = Some(ours);
            }
            Note::Released { at } => {
                self.intent = None;
                self.ours = None;
                self.released_at = Some(at);
            }
        }
    }

    fn count_repair(&mut self, at: Timestamp) {
        self.repairs.retain(|earlier| at.as_second() - earlier.as_second() < REPAIRS_REMEMBERED_SECONDS);
        self.repairs.push(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::{Guarding, Models};
    use crate::ids::GuardrailVersion;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn revision() -> Revision {
        "0123456789abcdef".parse().unwrap()
    }

    fn enforcement() -> Enforcement {
        Enforcement {
            guardrail: "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap(),
            version: GuardrailVersion::new(1).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        }
    }

    fn enforced(second: i64, repair: bool) -> Note {
        let ours = Ours {
            enforcement: enforcement(),
            origin: Origin::Applied,
            at: at(second),
            revision: revision(),
        };
        Note::Enforced { ours, repair }
    }

    #[test]
    fn an_intent_alone_makes_nothing_ours() {
        let mut record = Record::default();
        let intent = Intent { to: Some(enforcement()), at: at(1), revision: revision() };
        record.note(Note::Begun { intent, replacing: None });
        assert_eq!(record.ours, None);
        record.note(enforced(2, false));
        assert!(record.ours.is_some() && record.intent.is_none());
    }

    #[test]
    fn the_foreign_configuration_is_kept_through_what_follows() {
        let mut record = Record::default();
        let seen = Seen {
            config_id: "abc".parse().unwrap(),
            enforcement: enforcement(),
            created_by: None,
            updated_by: None,
        };
        let intent = Intent { to: Some(enforcement()), at: at(1), revision: revision() };
        record.note(Note::Begun { intent, replacing: Some(Box::new(seen.clone())) });
        record.note(enforced(2, false));
        record.note(Note::Released { at: at(3) });
        assert_eq!(record.previous.map(|previous| previous.seen), Some(seen));
        assert_eq!(record.ours, None);
    }

    #[test]
    fn repairs_are_counted_for_an_hour() {
        let mut record = Record::default();
        record.note(enforced(0, false));
        for second in [10, 20, 3615] {
            record.note(enforced(second, true));
        }
        assert_eq!(record.repairs, [at(20), at(3615)]);
    }
}
