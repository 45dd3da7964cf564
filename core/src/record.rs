//! What the ledger knows about a target: what we did there, and what was there before.

mod account;
mod arrival;
mod form;
mod inherited;
mod look;
mod news;
mod owed;
mod repairs;
mod state;
mod trust;
mod unusable;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::Revision;
use crate::enforcement::Enforcement;
use crate::ids::{GuardrailArn, Target};
use crate::observed::Seen;
use crate::organization::OrgPath;
use crate::resource_policy::Resource;
use crate::words::cut;

pub use account::{AccountRecord, Closed, Sequence, Superseded};
pub use arrival::{Arrival, Arrivals};
pub use inherited::{
    InheritedLevel, InheritedProbe, InheritedProbeResult, InheritedRegion, InheritedStanding,
};
pub use look::{Checked, Entry, Expected, LastSeen};
pub use news::{Announcement, IN_OUR_NAME, News, NewsId, NewsKind, PASSES_WITHIN_SECONDS};
pub use owed::{Deed, DeedKind, Tellers};
pub use repairs::{CONTESTED_REPAIRS, Contest, SLOWLY_CONTESTED_REPAIRS};
pub use state::State;
pub use trust::RoleTrust;
pub use unusable::{CONFIRMED_AFTER_SECONDS, FoundUnusable, ReleasedUnusable, Usability};

/// The records of every target that a run concerns. A target without one is new to us.
pub type Records = BTreeMap<Target, Record>;

/// What is known about one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// What we applied or adopted and have not released: the proof that a configuration is ours.
    pub ours: Option<Ours>,
    /// The guardrail of what was ours here last, once another or none is enforced: it may be a copy
    /// that no target needs any more.
    pub former: Option<GuardrailArn>,
    /// A write that was begun. Until it is confirmed it proves nothing: the write may have failed,
    /// and what is there may be foreign.
    pub intent: Option<Intent>,
    /// Writes that were made and are not published yet, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Intent>,
    /// The last foreign configuration here, and what became of it; kept so that it can be put back.
    pub previous: Option<Previous>,
    /// A release that waits for a person's approval.
    pub awaited: Option<Awaited>,
    /// Whether a baseline that audits or waits left ours to itself since it was last as wanted, or abandoned.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub would_abandon: bool,
    /// The one revision that left it so. `None` where several did, and in records of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_by: Option<Revision>,
    /// When we released last.
    pub released_at: Option<Timestamp>,
    /// Since when the guardrail of what is enforced is known to be unusable.
    pub unusable: Option<FoundUnusable>,
    /// What was released although a guardrail is wanted, because it can't be used; until something is
    /// enforced again, or nothing is wanted.
    pub released_unusable: Option<ReleasedUnusable>,
    /// When recent repairs of ours were made: by them it is seen that another principal undoes them.
    pub repairs: Vec<Timestamp>,
    /// What people have to hear of it, and what of that they have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub news: Vec<News>,
    /// What the last look came to.
    pub checked: Option<Checked>,
    /// When SQS handed out the message of that look first, by SQS's clock, in milliseconds since 1970: the look began
    /// later than that. `None` where the look had no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_ms: Option<u64>,
    /// What was there when it could be read last.
    pub seen: Option<LastSeen>,
    /// How it changed from look to look, the newest last. `explain` shows it.
    pub history: Vec<Entry>,
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
    /// Where the account stood then.
    #[serde(default)]
    pub path: Option<OrgPath>,
    /// What AWS showed of it right after it was written, where that differs: see
    /// [`ReadsBack`](crate::enforcement::ReadsBack).
    #[serde(default)]
    pub reads_back: Option<Enforcement>,
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
    /// How it is published once it is known to have been made. `None` where it isn't published, and where an
    /// earlier version wrote the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deed: Option<Deed>,
}

/// A foreign configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// What it was, and whose.
    pub seen: Seen,
    /// When that became of it.
    pub at: Timestamp,
    /// What became of it. Earlier versions recorded only what they replaced.
    #[serde(default)]
    pub fate: Fate,
}

/// What became of a foreign configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Another one was written over it, or was about to be.
    #[default]
    Replaced,
    /// It was released, or was about to be.
    Released,
    /// It stayed, and became ours.
    Adopted,
    /// It stayed, and stayed theirs.
    Kept,
}

/// Since when the release of what was adopted waits for a person's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// Under which baseline it is to be released.
    pub revision: Revision,
    /// How often that had been approved then: one more approval is the one that is awaited.
    pub approvals: u32,
    /// Since when it waits. `None` where an earlier version recorded it.
    #[serde(default)]
    pub at: Option<Timestamp>,
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

/// How many lines of a target's history are kept: thirty Regions have to fit into 400 KB, DynamoDB's item, by far.
const HISTORY_KEPT: usize = 12;

/// Longer sentences are cut: a reason is there to be read, and an answer of AWS has no bound.
const TEXT_KEPT: usize = 500;

/// Something that happened to a target, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A write begins. `replacing` is what it replaces, where that is foreign.
    Begun {
        /// What is to be written.
        intent: Intent,
        /// The foreign configuration that it overwrites.
        replacing: Option<Box<Seen>>,
    },
    /// A write was made, and isn't published yet.
    Owed(Box<Intent>),
    /// The enforcement was written, which makes it ours.
    Enforced {
        /// What is enforced now.
        ours: Ours,
        /// Whether ours had been removed or changed before.
        repair: bool,
    },
    /// What is there is ours, which the record didn't say in just this way.
    Remembered(Ours),
    /// A foreign enforcement was found as wanted, which makes it ours as well.
    Adopted {
        /// What is ours now.
        ours: Ours,
        /// What was there, and who made it.
        previous: Box<Seen>,
    },
    /// A foreign enforcement stays foreign, whether or not it had been adopted.
    Kept {
        /// What is there, and who made it.
        seen: Box<Seen>,
        /// When.
        at: Timestamp,
    },
    /// The release of what was adopted waits for an approval.
    Awaits(Awaited),
    /// It was released: nothing there is ours any more.
    Released {
        /// When.
        at: Timestamp,
    },
    /// A write that was begun left nothing there.
    NotArrived,
    /// A write that was begun was not made: it isn't published.
    NotMade,
    /// It was released although it is wanted, because its guardrail can't be used.
    ReleasedUnusable(ReleasedUnusable),
    /// What was left of an earlier copy is settled.
    Tidied,
    /// This is there. Nothing was decided about it.
    Seen(LastSeen),
    /// It was looked at, with this result.
    Checked {
        /// The result.
        checked: Box<Checked>,
        /// What is there now, where that is known.
        seen: Option<LastSeen>,
        /// What the look shows of the guardrail of what is enforced.
        usability: Usability,
        /// The result in words, for the history.
        text: String,
        /// Whether the run changed something, so that the history has it in any case.
        wrote: bool,
        /// What people have to hear of.
        news: Vec<News>,
        /// The event that led to the look, where one did.
        announced: Option<Announcement>,
    },
}

impl Record {
    /// What is ours is known, with no write under way and no release awaited.
    fn settle(&mut self, ours: Option<Ours>) {
        self.intent = None;
        self.awaited = None;
        self.released_unusable = None;
        self.set_ours(ours);
    }

    fn set_ours(&mut self, ours: Option<Ours>) {
        let guardrail = |ours: &Option<Ours>| ours.as_ref().map(|ours| ours.enforcement.guardrail.clone());
        let (before, now) = (guardrail(&self.ours), guardrail(&ours));
        if before.is_some() && before != now {
            self.former = before;
        }
        if self.former == now {
            self.former = None;
        }
        self.ours = ours;
    }

    /// The guardrail of what was ours here last, where it is the account's own, as copies are.
    pub fn former_here(&self, target: &Target) -> Option<&GuardrailArn> {
        self.former
            .as_ref()
            .filter(|former| former.account == target.account && former.region == target.region)
    }

    /// What may be enforced there on our account: what is ours, and what was to be written and never
    /// confirmed. Such a write proves nothing, but it may have arrived: it has to be looked for.
    pub fn may_enforce(&self) -> impl Iterator<Item = &Enforcement> {
        let ours = self.ours.as_ref().map(|ours| &ours.enforcement);
        let unconfirmed = self.intent.as_ref().and_then(|intent| intent.to.as_ref());
        ours.into_iter().chain(unconfirmed)
    }

    /// Whether something of ours is there, or may be.
    pub fn may_be_ours(&self) -> bool {
        self.may_enforce().next().is_some()
    }

    /// Takes note of what happened.
    pub fn note(&mut self, note: Note) {
        match note {
            Note::Begun { intent, replacing } => {
                if let Some(seen) = replacing {
                    let fate = if intent.to.is_some() { Fate::Replaced } else { Fate::Released };
                    self.previous = Some(Previous { seen: *seen, at: intent.at, fate });
                }
                self.intent = Some(intent);
            }
            Note::Owed(write) => self.owe(*write),
            Note::Enforced { ours, repair } => {
                if repair {
                    self.count_repair(ours.at);
                }
                self.settle(Some(ours));
            }
            Note::Remembered(ours) => self.settle(Some(ours)),
            Note::Adopted { ours, previous } => {
                self.previous = Some(Previous { seen: *previous, at: ours.at, fate: Fate::Adopted });
                self.settle(Some(ours));
            }
            Note::Kept { seen, at } => {
                self.previous = Some(Previous { seen: *seen, at, fate: Fate::Kept });
                self.settle(None);
            }
            Note::Awaits(awaited) => self.awaited = Some(awaited),
            Note::Released { at } => {
                self.settle(None);
                self.released_at = Some(at);
            }
            Note::ReleasedUnusable(released) => {
                self.settle(None);
                self.released_at = Some(released.at);
                self.released_unusable = Some(released);
            }
            Note::NotArrived => self.intent = None,
            Note::NotMade => self.owe_nothing(),
            Note::Tidied => self.former = None,
            Note::Seen(seen) => {
                if self.seen.as_ref().is_none_or(|known| known.at <= seen.at) {
                    self.seen = Some(seen);
                }
            }
            Note::Checked { checked, seen, usability, text, wrote, news, announced } => {
                self.hear(news, checked.state, announced);
                self.find_usability(usability);
                self.check(*checked, seen, &text, wrote);
            }
        }
    }

    fn check(&mut self, checked: Checked, seen: Option<LastSeen>, text: &str, wrote: bool) {
        match checked.state {
            State::Held
            | State::WouldEnforce
            | State::WouldReplace
            | State::WouldRelease
            | State::Failed
            | State::Broken
            | State::Copied => {}
            State::WouldAbandon => {
                let by = &checked.revision;
                self.left_by = match self.would_abandon {
                    true => self.left_by.take().filter(|known| known == by),
                    false => Some(by.clone()),
                };
                self.would_abandon = true;
            }
            // It isn't to be released any more.
            State::Enforced | State::Replaced | State::Released | State::InSync | State::LeftAlone => {
                self.awaited = None;
                self.would_abandon = false;
                self.left_by = None;
            }
        }
        let news = self.checked.as_ref().is_none_or(|last| {
            last.state != checked.state || last.reason.is_some() != checked.reason.is_some() || wrote
        });
        if news {
            let Checked { at, state, event, .. } = &checked;
            let entry = Entry { at: *at, state: *state, text: cut(text, TEXT_KEPT), event: event.clone() };
            self.history.push(entry);
            let surplus = self.history.len().saturating_sub(HISTORY_KEPT);
            self.history.drain(..surplus);
        }
        self.seen = seen.or_else(|| self.seen.take());
        self.checked = Some(Checked {
            reason: checked.reason.as_deref().map(|reason| cut(reason, TEXT_KEPT)),
            ..checked
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::{Guarding, Models};
    use crate::ids::GuardrailVersion;

    fn looked(second: i64, state: State, reason: Option<&str>) -> Note {
        Note::Checked {
            checked: Box::new(Checked {
                at: at(second),
                revision: revision(),
                state,
                reason: reason.map(str::to_owned),
                code: None,
                drift: None,
                event: None,
                path: None,
                expected: None,
            }),
            seen: None,
            usability: Usability::NotUnusable,
            text: format!("{state} at {second}"),
            wrote: state.is_a_write(),
            news: Vec::new(),
            announced: None,
        }
    }

    #[test]
    fn the_history_tells_changes_and_not_every_look() {
        let mut record = Record::default();
        for note in [
            looked(1, State::Enforced, None),
            looked(2, State::InSync, None),
            looked(3, State::InSync, None),
            looked(4, State::Held, Some("throttled")),
            looked(5, State::Replaced, None),
            looked(6, State::Replaced, None),
        ] {
            record.note(note);
        }
        let told: Vec<i64> = record.history.iter().map(|entry| entry.at.as_second()).collect();
        assert_eq!(told, [1, 2, 4, 5, 6]);
        assert_eq!(record.checked.map(|checked| checked.at), Some(at(6)));
    }

    #[test]
    fn history_and_reasons_are_bounded() {
        let mut record = Record::default();
        let endless = "ü".repeat(10 * TEXT_KEPT);
        for second in 0..100 {
            record.note(looked(second, State::Replaced, Some(&endless)));
        }
        assert_eq!(record.history.len(), HISTORY_KEPT);
        let reason = record.checked.and_then(|checked| checked.reason).unwrap();
        assert_eq!(reason.chars().count(), TEXT_KEPT + 1);
    }

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
            path: None,
            reads_back: None,
        };
        Note::Enforced { ours, repair }
    }

    #[test]
    fn the_guardrail_of_what_was_ours_last_is_remembered() {
        let target: Target = "300000000001/us-east-1".parse().unwrap();
        let with = |id: &str, account: &str| {
            let guardrail = format!("arn:aws:bedrock:us-east-1:{account}:guardrail/{id}").parse().unwrap();
            let Note::Enforced { ours, repair } = enforced(1, false) else { unreachable!("as it is made") };
            Note::Enforced {
                ours: Ours { enforcement: Enforcement { guardrail, ..enforcement() }, ..ours },
                repair,
            }
        };
        let released = || Note::Released { at: at(2) };
        let copy = |id: &str| with(id, "300000000001");
        let central = || with("base", "222222222222");
        for (notes, expected) in [
            (vec![], None),
            (vec![copy("a")], None),
            (vec![copy("a"), copy("a")], None),
            (vec![copy("a"), released()], Some("a")),
            (vec![copy("a"), released(), released()], Some("a")),
            (vec![copy("a"), central()], Some("a")),
            (vec![copy("a"), copy("b")], Some("a")),
            (vec![copy("a"), released(), copy("b")], Some("a")),
            (vec![copy("a"), released(), central()], Some("a")),
            (vec![copy("a"), copy("b"), copy("a")], Some("b")),
            (vec![copy("a"), released(), copy("a")], None),
            (vec![copy("a"), released(), Note::Tidied], None),
            // The owner's guardrail, and one in another Region, are no copies here.
            (vec![central(), released()], None),
            (vec![central(), copy("a")], None),
        ] {
            let mut record = Record::default();
            let told = format!("{notes:?}");
            notes.into_iter().for_each(|note| record.note(note));
            let former = record.former_here(&target).map(|former| former.id.as_str());
            assert_eq!(former, expected, "{told}");
            assert_eq!(record.former_here(&"300000000001/eu-west-1".parse().unwrap()), None);
        }
    }

    #[test]
    fn an_intent_alone_makes_nothing_ours() {
        let mut record = Record::default();
        let intent = Intent { to: Some(enforcement()), at: at(1), revision: revision(), deed: None };
        record.note(Note::Begun { intent, replacing: None });
        assert_eq!(record.ours, None);
        record.note(enforced(2, false));
        assert!(record.ours.is_some() && record.intent.is_none());
    }

    #[test]
    fn the_foreign_configuration_is_kept_through_what_follows() {
        let mut record = Record::default();
        let seen = Seen {
            config_id: Some("abc".parse().unwrap()),
            enforcement: enforcement(),
            created_by: None,
            updated_by: None,
        };
        let intent = Intent { to: Some(enforcement()), at: at(1), revision: revision(), deed: None };
        record.note(Note::Begun { intent, replacing: Some(Box::new(seen.clone())) });
        record.note(enforced(2, false));
        record.note(Note::Released { at: at(3) });
        assert_eq!(record.previous.map(|previous| previous.seen), Some(seen));
        assert_eq!(record.ours, None);
    }

    #[test]
    fn what_an_earlier_version_recorded_is_read() {
        let earlier = r#"{"previous": {"seen": {"config_id": "abc", "enforcement": {"guardrail":
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/base", "version": "1",
            "models": {"include": "all", "exclude": []}, "guarding": {}}, "created_by": null,
            "updated_by": null}, "at": "2026-11-02T10:00:00Z"}}"#;
        let record: Record = serde_json::from_str(earlier).unwrap();
        assert_eq!(record.previous.unwrap().fate, Fate::Replaced);
        assert_eq!(record.awaited, None);
    }

    #[test]
    fn what_changes_hands_is_recorded_with_who_made_it() {
        let seen = || {
            Box::new(Seen {
                config_id: Some("abc".parse().unwrap()),
                enforcement: enforcement(),
                created_by: Some("arn:aws:iam::300000000001:user/alice".to_owned()),
                updated_by: None,
            })
        };
        let ours = Ours {
            enforcement: enforcement(),
            origin: Origin::Adopted,
            at: at(1),
            revision: revision(),
            path: None,
            reads_back: None,
        };
        let mut record = Record::default();
        record.note(Note::Adopted { ours, previous: seen() });
        let told = |record: &Record| {
            let previous = record.previous.clone().unwrap();
            assert_eq!(previous.seen, *seen());
            (record.ours.is_some(), previous.fate, record.awaited.is_some())
        };
        assert_eq!(told(&record), (true, Fate::Adopted, false));
        record.note(Note::Awaits(Awaited { revision: revision(), approvals: 0, at: None }));
        // It is held, and waits on; it is as wanted again, and nothing waits.
        record.note(looked(2, State::Held, Some("it takes an approval")));
        assert!(record.awaited.is_some());
        record.note(looked(3, State::InSync, None));
        assert_eq!(told(&record), (true, Fate::Adopted, false));
        record.note(Note::Awaits(Awaited { revision: revision(), approvals: 0, at: None }));
        let intent = Intent { to: None, at: at(4), revision: revision(), deed: None };
        record.note(Note::Begun { intent, replacing: Some(seen()) });
        assert_eq!(told(&record), (true, Fate::Released, true));
        record.note(Note::Released { at: at(5) });
        assert_eq!(told(&record), (false, Fate::Released, false));
        record.note(Note::Kept { seen: seen(), at: at(6) });
        assert_eq!(told(&record), (false, Fate::Kept, false));
    }

    #[test]
    fn the_one_revision_that_would_abandon_is_remembered_and_of_several_none() {
        let left = |record: &mut Record, by: &str| {
            let Note::Checked { checked, seen, usability, text, wrote, news, announced } =
                looked(1, State::WouldAbandon, None)
            else {
                panic!("a look")
            };
            let checked = Box::new(Checked { revision: by.parse().unwrap(), ..*checked });
            record.note(Note::Checked { checked, seen, usability, text, wrote, news, announced });
            record.left_by.as_ref().map(ToString::to_string)
        };
        let (one, other) = ("1111111111111111", "2222222222222222");
        let mut record = Record::default();
        assert_eq!(left(&mut record, one).as_deref(), Some(one));
        assert_eq!(left(&mut record, one).as_deref(), Some(one));
        assert_eq!(left(&mut record, other), None);
        assert_eq!(left(&mut record, one), None, "the other one left it so, too");
        record.note(looked(2, State::InSync, None));
        assert_eq!(left(&mut record, other).as_deref(), Some(other));
        // An earlier version didn't record which it was.
        let mut record: Record = serde_json::from_str(r#"{"would_abandon":true}"#).unwrap();
        assert_eq!(left(&mut record, one), None);
    }

    #[test]
    fn what_would_be_abandoned_is_remembered_until_it_is_seen_to_or_abandoned() {
        for (state, remembered) in [
            (State::Held, true),
            (State::WouldEnforce, true),
            (State::Failed, true),
            (State::WouldAbandon, true),
            (State::InSync, false),
            (State::Enforced, false),
            (State::LeftAlone, false),
        ] {
            let mut record = Record::default();
            record.note(looked(1, State::WouldAbandon, Some("the account is excluded")));
            assert!(record.would_abandon);
            record.note(looked(2, state, None));
            assert_eq!(record.would_abandon, remembered, "{state}");
        }
        let text = serde_json::to_string(&Record { would_abandon: true, ..Record::default() }).unwrap();
        assert!(serde_json::from_str::<Record>(&text).unwrap().would_abandon, "{text}");
    }
}
