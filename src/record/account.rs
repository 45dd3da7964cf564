//! What the ledger knows about one account: all of its Regions, and what concerns it as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Note, Record, Records};
use crate::ids::{AccountId, InvalidId, Region, Target};
use crate::organization::Placement;

/// What is known about one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountRecord {
    /// The place in the queue of the last run that wrote here. An older run's notes are refused.
    pub sequence: Option<Sequence>,
    /// Where the account stood when Organizations was asked last.
    pub placement: Option<Placement>,
    /// Since when no calls are made there, and why.
    pub closed: Option<Closed>,
    /// Since when it is being prepared to leave: nothing is enforced there, whatever the baseline says.
    pub offboarding: Option<Timestamp>,
    /// What is known about each Region.
    pub regions: BTreeMap<Region, Record>,
}

/// An account in which no calls are made any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Since when.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: String,
}

/// A task's place in its queue: what orders two runs over one account. Not a clock's business.
///
/// SQS numbers the messages of a FIFO queue with 128 bits, ever larger within a message group
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sequence(u128);

/// A run that came later in the queue has written already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a later run ({theirs}) has been at work since this one ({ours}) was queued")]
pub struct Superseded {
    /// This run's place.
    pub ours: Sequence,
    /// The later one's.
    pub theirs: Sequence,
}

impl AccountRecord {
    /// The records of the account's Regions, by target.
    pub fn records(&self, account: &AccountId) -> Records {
        let target = |region: &Region| Target { account: account.clone(), region: region.clone() };
        self.regions.iter().map(|(region, record)| (target(region), record.clone())).collect()
    }

    /// Takes note of what a run did, unless a later run did something before.
    ///
    /// # Errors
    /// When a later run wrote already; then nothing is changed.
    pub fn note(
        &mut self,
        sequence: Option<Sequence>,
        notes: impl IntoIterator<Item = (Region, Note)>,
    ) -> Result<(), Superseded> {
        self.advance(sequence)?;
        for (region, note) in notes {
            self.regions.entry(region).or_default().note(note);
        }
        Ok(())
    }

    /// Claims the record for a run. A run without a place in a queue comes whenever it comes: it is the
    /// only one there is.
    ///
    /// # Errors
    /// When a later run wrote already.
    pub fn advance(&mut self, sequence: Option<Sequence>) -> Result<(), Superseded> {
        match (sequence, self.sequence) {
            (Some(ours), Some(theirs)) if theirs > ours => Err(Superseded { ours, theirs }),
            (Some(ours), Some(_) | None) => {
                self.sequence = Some(ours);
                Ok(())
            }
            (None, Some(_) | None) => Ok(()),
        }
    }

    /// Takes a placement over unless the one known is newer. Answers the one to go by.
    pub fn place(&mut self, placement: Placement) -> &Placement {
        match &self.placement {
            Some(known) if known.placed_at > placement.placed_at => {}
            Some(_) | None => self.placement = Some(placement),
        }
        self.placement.as_ref().expect("it was there or was put there")
    }

    /// The Regions where the record knows an enforcement of ours.
    pub fn regions_of_ours(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().filter(|(_, record)| record.ours.is_some()).map(|(region, _)| region)
    }
}

impl FromStr for Sequence {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Sequence, InvalidId> {
        text.parse().map(Sequence).map_err(|_| InvalidId::new("a sequence number", "up to 39 digits", text))
    }
}

impl TryFrom<String> for Sequence {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Sequence, InvalidId> {
        text.parse()
    }
}

impl From<Sequence> for String {
    fn from(sequence: Sequence) -> String {
        sequence.to_string()
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organization::{Account, AccountState};

    fn sequence(text: &str) -> Option<Sequence> {
        Some(text.parse().unwrap())
    }

    fn placement(path: &str, second: i64) -> Placement {
        Placement {
            account: Account {
                id: "300000000001".parse().unwrap(),
                name: "payments".to_owned(),
                state: AccountState::Active,
                path: path.parse().unwrap(),
                joined: None,
            },
            placed_at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn an_older_run_never_overwrites_a_newer_one() {
        let mut record = AccountRecord::default();
        let at = Timestamp::from_second(1).unwrap();
        let released = || [("us-east-1".parse().unwrap(), Note::Released { at })];
        record.note(sequence("18849496460467696128"), released()).unwrap();
        let before = record.clone();
        // By number, not by text: this one is shorter and smaller.
        let refused = record.note(sequence("9849496460467696128"), released());
        assert!(refused.is_err());
        assert_eq!(record, before);
        record.note(sequence("18849496460467696128"), released()).unwrap();
        record.note(None, released()).unwrap();
        assert_eq!(record.sequence, before.sequence);
    }

    #[test]
    fn an_older_placement_never_overwrites_a_newer_one() {
        let mut record = AccountRecord::default();
        let (old, new) =
            (placement("o-exampleorgid/r-exam/", 1), placement("o-exampleorgid/r-exam/ou-exam-sandbox1/", 2));
        assert_eq!(record.place(new.clone()), &new);
        assert_eq!(record.place(old), &new);
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let mut record = AccountRecord {
            sequence: sequence("340282366920938463463374607431768211455"),
            ..AccountRecord::default()
        };
        record.place(placement("o-exampleorgid/r-exam/", 1));
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<AccountRecord>(&text).unwrap(), record, "{text}");
    }
}
