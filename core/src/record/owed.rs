//! Writes that were made and are not published yet: a process may end between the two, or the answer to a
//! write may be lost.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Intent, Record};
use crate::enforcement::Drift;
use crate::observed::{Observation, Seen};

/// How old a write must be, in seconds, before another run publishes it that can't know whether the run that made it
/// is still at work. Lambda ends each invocation after 15 minutes at most.
const WRITER_ENDED_AFTER_SECONDS: i64 = 900;

/// How many writes of one target are kept until they are published. Each sweep publishes them, so there are more only
/// where the event bus can't be used for a long time.
const UNTOLD_KEPT: usize = 8;

/// How a write is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// What kind of write it is.
    pub kind: DeedKind,
    /// What was there before.
    pub from: Option<Box<Seen>>,
    /// Why it was made: a short stable name.
    pub code: String,
    /// The same in words.
    pub text: String,
}

/// What kind of write is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeedKind {
    /// A guardrail is enforced where it, or that version of it, wasn't.
    Applied,
    /// Ours had been removed or changed, and it is back.
    Repaired {
        /// How many repairs there were within the hour before, this one included.
        within_the_hour: usize,
        /// Whether with this one there were too many over the day, though not within the hour.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        contested_slowly: bool,
    },
    /// A foreign enforcement was as wanted, and was taken over. Only the ledger was written.
    Adopted,
    /// Nothing is wanted there.
    Released,
    /// A guardrail is wanted there, and the one that was enforced can't be used.
    GivenUp,
}

/// Which run may still be about to publish a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tellers {
    /// Runs over one account come one after the other, so the run that made the write has ended.
    OneAtATime,
    /// Several runs may be at work in one account.
    Several,
}

impl Record {
    /// The writes that were made here, as far as the record and what is there now can say, and that aren't published.
    /// `is_ours` says whether a principal is the keeper.
    pub fn owes(
        &self,
        seen: Option<&Observation>,
        tellers: Tellers,
        now: Timestamp,
        is_ours: impl Fn(&str) -> bool,
    ) -> Vec<Intent> {
        let begun = self.intent.as_ref().filter(|intent| {
            intent.deed.is_some() && seen.is_some_and(|seen| self.arrived(intent, seen, is_ours))
        });
        let may_tell = |intent: &&Intent| match tellers {
            Tellers::OneAtATime => true,
            Tellers::Several => now.as_second() - intent.at.as_second() >= WRITER_ENDED_AFTER_SECONDS,
        };
        self.untold.iter().chain(begun).filter(may_tell).cloned().collect()
    }

    /// Whether what is there shows that a write was carried out which was begun and never confirmed.
    fn arrived(&self, intent: &Intent, seen: &Observation, is_ours: impl Fn(&str) -> bool) -> bool {
        match (&intent.to, seen) {
            (Some(to), Observation::Enforced(seen)) => {
                Drift::between(self.meant(&seen.enforcement), to).is_none()
                    && seen.last_writer().is_none_or(is_ours)
            }
            (None, Observation::Absent) => true,
            (Some(_), Observation::Absent)
            | (None, Observation::Enforced(_))
            | (_, Observation::Unreadable(_)) => false,
        }
    }

    /// The write that was begun and never confirmed, where what is there shows that it was carried out. Nothing else in
    /// the record says that it is ours: it has to be confirmed before another intent takes its place.
    pub fn confirms(&self, seen: &Observation, is_ours: impl Fn(&str) -> bool) -> Option<&Intent> {
        let begun = self.intent.as_ref()?;
        let to = begun.to.as_ref()?;
        let known = self.ours.as_ref().is_some_and(|ours| Drift::between(&ours.enforcement, to).is_none());
        (!known && self.arrived(begun, seen, is_ours)).then_some(begun)
    }

    /// Keeps a write that was made until it is published.
    pub(super) fn owe(&mut self, write: Intent) {
        if let Some(begun) = self.intent.as_mut().filter(|begun| begun.at == write.at) {
            begun.deed = None;
        }
        if self.untold.iter().any(|known| known.at == write.at) {
            return;
        }
        self.untold.push(write);
        let surplus = self.untold.len().saturating_sub(UNTOLD_KEPT);
        self.untold.drain(..surplus);
    }

    /// The write that was begun last isn't published, whatever is there.
    pub(super) fn owe_nothing(&mut self) {
        if let Some(intent) = &mut self.intent {
            intent.deed = None;
        }
    }

    /// Records that the write that was begun then is published.
    pub fn tell(&mut self, begun: Timestamp) {
        self.untold.retain(|write| write.at != begun);
        if let Some(intent) = self.intent.as_mut().filter(|intent| intent.at == begun) {
            intent.deed = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::{Enforcement, Guarding, Models};
    use crate::ids::GuardrailVersion;
    use crate::record::{Note, Origin, Ours};

    const OURS: &str = "arn:aws:sts::300000000001:assumed-role/GuardrailKeeperMember/keeper";
    const THEIRS: &str = "arn:aws:iam::300000000001:user/alice";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn enforcement(version: u32) -> Enforcement {
        Enforcement {
            guardrail: "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap(),
            version: GuardrailVersion::new(version).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        }
    }

    fn there(version: u32, by: Option<&str>) -> Observation {
        Observation::recorded(Some(enforcement(version)), by.map(str::to_owned))
    }

    fn write(to: Option<u32>, second: i64) -> Intent {
        let kind = if to.is_some() { DeedKind::Applied } else { DeedKind::Released };
        let deed = Deed { kind, from: None, code: "absent".to_owned(), text: "enforce".to_owned() };
        let revision = "0123456789abcdef".parse().unwrap();
        Intent { to: to.map(enforcement), at: at(second), revision, deed: Some(deed) }
    }

    fn begun(to: Option<u32>) -> Record {
        let mut record = Record::default();
        record.note(Note::Begun { intent: write(to, 100), replacing: None });
        record
    }

    fn enforced() -> Note {
        let ours = Ours {
            enforcement: enforcement(2),
            origin: Origin::Applied,
            at: at(101),
            revision: "0123456789abcdef".parse().unwrap(),
            path: None,
            reads_back: None,
        };
        Note::Enforced { ours, repair: false }
    }

    #[track_caller]
    fn check(record: &Record, seen: Option<&Observation>, expected: &[i64]) {
        let owed = record.owes(seen, Tellers::OneAtATime, at(200), |principal| principal == OURS);
        let owed: Vec<i64> = owed.iter().map(|write| write.at.as_second()).collect();
        assert_eq!(owed, expected, "{record:?} {seen:?}");
    }

    #[test]
    fn a_write_that_was_begun_is_owed_where_what_is_there_shows_that_it_was_made() {
        let unreadable = Observation::Unreadable(crate::failure::Failure::not_observed());
        for (to, seen, owed) in [
            (Some(2), Some(there(2, Some(OURS))), true),
            // AWS doesn't say who wrote.
            (Some(2), Some(there(2, None)), true),
            (Some(2), Some(there(2, Some(THEIRS))), false),
            (Some(2), Some(there(1, Some(OURS))), false),
            (Some(2), Some(Observation::Absent), false),
            (Some(2), Some(unreadable.clone()), false),
            (Some(2), None, false),
            (None, Some(Observation::Absent), true),
            (None, Some(there(2, Some(OURS))), false),
            (None, Some(unreadable), false),
            (None, None, false),
        ] {
            check(&begun(to), seen.as_ref(), if owed { &[100] } else { &[] });
        }
    }

    #[test]
    fn an_intent_that_says_nothing_of_how_it_is_told_is_not_told() {
        let mut record = begun(Some(2));
        record.intent.as_mut().unwrap().deed = None;
        check(&record, Some(&there(2, Some(OURS))), &[]);
        let earlier = r#"{"to": null, "at": "2026-11-02T10:00:00Z", "revision": "0123456789abcdef"}"#;
        assert_eq!(serde_json::from_str::<Intent>(earlier).unwrap().deed, None);
        assert!(!serde_json::to_string(&record).unwrap().contains("untold"));
    }

    #[test]
    fn what_is_owed_is_owed_until_it_is_told() {
        let mut record = begun(Some(2));
        let seen = there(2, Some(OURS));
        record.note(Note::Owed(Box::new(write(Some(2), 100))));
        // Once, and whatever becomes of the target then.
        check(&record, Some(&seen), &[100]);
        record.note(enforced());
        record.note(Note::Owed(Box::new(write(Some(2), 100))));
        check(&record, None, &[100]);
        record.note(Note::Begun { intent: write(None, 150), replacing: None });
        check(&record, Some(&Observation::Absent), &[100, 150]);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record, "{text}");

        record.tell(at(100));
        check(&record, Some(&Observation::Absent), &[150]);
        record.tell(at(150));
        check(&record, Some(&Observation::Absent), &[]);
        assert!(record.intent.is_some(), "that it was begun is settled by a look");
    }

    #[test]
    fn a_write_that_was_settled_otherwise_is_not_owed() {
        for note in [Note::NotArrived, Note::Released { at: at(150) }, enforced()] {
            let mut record = begun(Some(2));
            record.note(note);
            check(&record, Some(&there(2, Some(OURS))), &[]);
        }
        let mut record = begun(Some(2));
        record.note(Note::NotMade);
        check(&record, Some(&there(2, Some(OURS))), &[]);
        assert!(record.intent.is_some(), "a look settles that");
    }

    #[test]
    fn where_several_may_tell_whoever_wrote_comes_first() {
        let record = begun(Some(2));
        let owed = |second| {
            let seen = there(2, Some(OURS));
            record.owes(Some(&seen), Tellers::Several, at(second), |principal| principal == OURS).len()
        };
        let ended = 100 + WRITER_ENDED_AFTER_SECONDS;
        assert_eq!([owed(101), owed(ended - 1), owed(ended)], [0, 0, 1]);
    }

    #[test]
    fn the_latest_are_kept() {
        let mut record = Record::default();
        for second in 0..10 {
            record.note(Note::Owed(Box::new(write(Some(2), second))));
        }
        check(&record, None, &[2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
