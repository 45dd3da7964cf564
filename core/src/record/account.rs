//! What the ledger knows about one account: all of its Regions, and what concerns it as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Arrival, InheritedLevel, News, NewsKind, Note, Record, Records, RoleTrust};
use crate::control::{ControlVersion, Leaving};
use crate::ids::{AccountId, InvalidId, Region, Target, stored_as_text};
use crate::organization::{Account, AccountPlacement, AccountState, OrgPath};

/// What is known about one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountRecord {
    /// The place in the queue of the last run that wrote here. An older run's notes are refused.
    pub sequence: Option<Sequence>,
    /// Where the account stood when Organizations was asked last.
    pub placement: Option<AccountPlacement>,
    /// When it came there, or was given a Region, where that is later than its joining.
    #[serde(skip_serializing_if = "Arrival::is_none")]
    pub arrival: Arrival,
    /// Since when no calls are made there, and why.
    pub closed: Option<Closed>,
    /// Since when it is being prepared to leave: nothing is enforced there, whatever the baseline says.
    pub offboarding: Option<Timestamp>,
    /// The control that last said whether it is about to leave. `None` where none was taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaving_control: Option<ControlVersion>,
    /// The control that says that it is about to leave and waits, because too many accounts would leave within a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaving_waits: Option<ControlVersion>,
    /// Whom its member role admits, as it was read last.
    #[serde(skip_serializing_if = "RoleTrust::is_none")]
    pub role_trust: RoleTrust,
    /// What it has of the organization's level, where the baseline has that level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inherited: Option<InheritedLevel>,
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
    /// Whether it isn't published yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
}

/// A task's place in its queue: what orders two runs over one account. Not our clocks' business.
///
/// SQS numbers the messages of a FIFO queue with 128 bits, ever larger within a message group
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
/// It says nothing about the numbers of another queue. A ledger outlives its queues, so places in
/// two queues are compared by when SQS took the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sequence {
    number: u128,
    /// By SQS's clock, in milliseconds since 1970.
    sent_ms: u64,
    /// Which queue it was, as a hash.
    queue: u64,
}

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

    /// Takes note of what a run did, unless a later run did something before. `received_ms` is when SQS handed out the
    /// run's message first, by SQS's clock.
    ///
    /// # Errors
    /// When a later run wrote already; then nothing is changed.
    pub fn note(
        &mut self,
        sequence: Option<Sequence>,
        received_ms: Option<u64>,
        notes: impl IntoIterator<Item = (Region, Note)>,
    ) -> Result<(), Superseded> {
        self.advance(sequence)?;
        for (region, note) in notes {
            let record = self.regions.entry(region).or_default();
            if matches!(note, Note::Checked { .. }) {
                record.looked_ms = received_ms;
            }
            record.note(note);
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
            (Some(ours), Some(theirs)) if ours.is_before(theirs) => Err(Superseded { ours, theirs }),
            (Some(ours), Some(_) | None) => {
                self.sequence = Some(ours);
                Ok(())
            }
            (None, Some(_) | None) => Ok(()),
        }
    }

    /// Takes a placement over unless the one known is newer. Answers the one to go by.
    pub fn place(&mut self, placement: AccountPlacement) -> &AccountPlacement {
        match &self.placement {
            Some(known) if known.placed_at > placement.placed_at => {}
            Some(_) | None => self.placement = Some(placement),
        }
        self.placement.as_ref().expect("it was there or was put there")
    }

    /// Whether the account is about to leave. A mark from before it joined is over: it left, and came back before anybody
    /// saw that it was gone.
    pub fn is_leaving(&self, joined: Option<Timestamp>) -> bool {
        let is_over = |since: Timestamp| joined.is_some_and(|joined| joined > since);
        self.offboarding.is_some_and(|since| !is_over(since))
    }

    /// Takes over what a control says of the account's departure, unless this version or a later one was taken over.
    /// Returns whether it was taken over now.
    ///
    /// That an account is about to leave is news for people, in each Region that was looked at: `by` is who wrote the control.
    pub fn take_over_leaving(&mut self, leaving: Leaving, version: ControlVersion, by: &str) -> bool {
        let is_new = version.is_after(self.leaving_control);
        if !is_new {
            return false;
        }
        self.leaving_control = Some(version);
        self.leaving_waits = None;
        match (leaving, self.offboarding) {
            (Leaving::Stays, _) => self.offboarding = None,
            // A mark that is there keeps its first date.
            (Leaving::Leaves, Some(_)) => {}
            (Leaving::Leaves, None) => {
                self.offboarding = Some(version.at);
                let text = "a control says that the account is about to leave the organization";
                self.leaving_is_news("leaving", text, version, by);
            }
        }
        true
    }

    /// Takes note that a control says that the account is about to leave, and that it waits: `most` accounts were marked within
    /// a day. Returns whether this version was not known to wait; then it is news for people, as in
    /// [`take_over_leaving`](Self::take_over_leaving).
    pub fn let_leaving_wait(&mut self, version: ControlVersion, by: &str, most: u32) -> bool {
        if self.leaving_waits == Some(version) {
            return false;
        }
        self.leaving_waits = Some(version);
        let text = format!(
            "a control says that the account is about to leave the organization; it stays guarded, because {most} accounts \
             were marked so within a day"
        );
        self.leaving_is_news("leaving_waits", &text, version, by);
        true
    }

    fn leaving_is_news(&mut self, code: &str, text: &str, version: ControlVersion, by: &str) {
        for record in self.regions.values_mut() {
            let news = News::new(NewsKind::Leaving, code.to_owned(), text, version.at);
            // Of several, the last one counts.
            record.news.retain(|news| news.kind != NewsKind::Leaving);
            record.news.push(News { by: Some(by.to_owned()), ..news });
        }
    }

    /// Where the account stood when it was placed or looked at last.
    pub fn path(&self) -> Option<&OrgPath> {
        let placed = self.placement.as_ref().map(|placement| (placement.placed_at, &placement.account.path));
        let looks = self.regions.values().filter_map(|region| region.checked.as_ref());
        let looked = looks.filter_map(|checked| Some((checked.at, checked.path.as_ref()?)));
        looked.chain(placed).max_by_key(|(at, _)| *at).map(|(_, path)| path)
    }

    /// The account as it was placed or looked at last; `None` where its path isn't recorded.
    pub fn last_known(&self, account: &AccountId) -> Option<Account> {
        let path = self.path()?.clone();
        let placed = self.placement.as_ref().map(|placement| &placement.account);
        Some(Account {
            id: account.clone(),
            name: placed.map_or_else(|| account.to_string(), |placed| placed.name.clone()),
            state: placed.map_or(AccountState::Active, |placed| placed.state.clone()),
            path,
            joined: placed.and_then(|placed| placed.joined),
        })
    }

    /// Whether any of its Regions was looked at since.
    pub fn was_looked_at_since(&self, since: Timestamp) -> bool {
        let mut looks = self.regions.values().filter_map(|region| region.checked.as_ref());
        looks.any(|checked| checked.at >= since)
    }

    /// The Regions where the record knows an enforcement of ours, or a write that may have become one.
    pub fn regions_of_ours(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().filter(|(_, record)| record.may_be_ours()).map(|(region, _)| region)
    }
}

impl Sequence {
    /// A place in a queue, which `queue` distinguishes from others.
    pub fn new(number: u128, sent_ms: u64, queue: &str) -> Sequence {
        let digest = Sha256::digest(queue.as_bytes());
        let queue = digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        Sequence { number, sent_ms, queue }
    }

    /// Whether this place comes before the other one.
    fn is_before(self, other: Sequence) -> bool {
        if self.queue == other.queue { self.number < other.number } else { self.sent_ms < other.sent_ms }
    }
}

stored_as_text!(Sequence);

impl FromStr for Sequence {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Sequence, InvalidId> {
        let read = || {
            let (number, rest) = text.split_once('/')?;
            let (sent, queue) = rest.split_once('/')?;
            let queue = u64::from_str_radix(queue, 16).ok()?;
            Some(Sequence { number: number.parse().ok()?, sent_ms: sent.parse().ok()?, queue })
        };
        read().ok_or_else(|| InvalidId::new("a place in a queue", "NUMBER/MILLISECONDS/QUEUE", text))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sequence { number, sent_ms, queue } = self;
        write!(f, "{number}/{sent_ms}/{queue:016x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(number: &str) -> Option<Sequence> {
        Some(Sequence::new(number.parse().unwrap(), 1_000, "the queue"))
    }

    fn placement(path: &str, second: i64) -> AccountPlacement {
        AccountPlacement {
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
        record.note(sequence("18849496460467696128"), None, released()).unwrap();
        let before = record.clone();
        // By number, not by text: this one is shorter and smaller.
        let refused = record.note(sequence("9849496460467696128"), None, released());
        assert!(refused.is_err());
        assert_eq!(record, before);
        record.note(sequence("18849496460467696128"), None, released()).unwrap();
        record.note(None, None, released()).unwrap();
        assert_eq!(record.sequence, before.sequence);
    }

    /// Whoever says leaving and staying in turn makes no record grow.
    #[test]
    fn of_several_departures_the_last_one_is_news() {
        let mut record = AccountRecord::default();
        record.regions.insert("eu-west-1".parse().unwrap(), Record::default());
        for version in 1..=100 {
            let said = if version % 2 == 1 { Leaving::Leaves } else { Leaving::Stays };
            let version = ControlVersion { version, at: Timestamp::from_second(version).unwrap() };
            assert!(record.take_over_leaving(said, version, "somebody"));
        }
        let news = &record.regions.values().next().unwrap().news;
        assert_eq!(news.iter().map(|news| news.since.as_second()).collect::<Vec<_>>(), [99]);
    }

    #[test]
    fn a_departure_that_waits_is_news_once_and_again_when_it_is_taken_over() {
        let mut record = AccountRecord::default();
        record.regions.insert("eu-west-1".parse().unwrap(), Record::default());
        let version =
            |version, second| ControlVersion { version, at: Timestamp::from_second(second).unwrap() };
        let codes = |record: &AccountRecord| {
            let news = record.regions.values().flat_map(|region| &region.news);
            news.map(|news| news.code.clone()).collect::<Vec<_>>()
        };
        assert!(record.let_leaving_wait(version(1, 10), "somebody", 3));
        assert!(!record.let_leaving_wait(version(1, 10), "somebody", 3));
        assert_eq!((codes(&record), record.offboarding), (vec!["leaving_waits".to_owned()], None));
        assert!(record.let_leaving_wait(version(2, 20), "somebody", 3));
        assert_eq!(codes(&record), ["leaving_waits"]);
        assert!(record.take_over_leaving(Leaving::Leaves, version(2, 20), "somebody"));
        assert_eq!(codes(&record), ["leaving"]);
        assert_eq!((record.leaving_waits, record.offboarding), (None, Some(version(2, 20).at)));
        // Who stays doesn't wait any more.
        assert!(record.let_leaving_wait(version(3, 30), "somebody", 3));
        assert!(record.take_over_leaving(Leaving::Stays, version(4, 40), "somebody"));
        assert_eq!(record.leaving_waits, None);
    }

    #[test]
    fn a_new_queue_that_counts_from_the_start_is_not_taken_for_an_old_run() {
        let mut record = AccountRecord::default();
        let at = |sent_ms, queue| Some(Sequence::new(if queue == "new" { 1 } else { 134 }, sent_ms, queue));
        record.advance(at(1_000, "old")).unwrap();
        record.advance(at(2_000, "new")).unwrap();
        // What the old queue's last worker still does comes too late, whatever its number.
        record.advance(at(1_500, "old")).unwrap_err();
        record.advance(Some(Sequence::new(2, 1_999, "new"))).unwrap();
        // Of one moment in two queues neither is the older one.
        record.advance(at(1_999, "old")).unwrap();
        record.advance(Some(Sequence::new(3, 1_999, "new"))).unwrap();
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<AccountRecord>(&text).unwrap(), record, "{text}");
    }

    #[test]
    fn an_older_placement_never_overwrites_a_newer_one() {
        let mut record = AccountRecord::default();
        let (old, new) =
            (placement("o-exampleorgid/r-exam/", 1), placement("o-exampleorgid/r-exam/ou-exam-sandbox1/", 2));
        assert_eq!(record.place(new.clone()), &new);
        assert_eq!(record.place(old), &new);
        let newer = placement("o-exampleorgid/r-exam/ou-exam-workload/", 3);
        assert_eq!(record.place(newer.clone()), &newer);
        // Of two with the same time, the one that is recorded last counts.
        let told_last = placement("o-exampleorgid/r-exam/", 3);
        assert_eq!(record.place(told_last.clone()), &told_last);
    }

    #[test]
    fn what_is_ours_is_found_by_its_region() {
        let account: AccountId = "300000000001".parse().unwrap();
        let [here, there]: [Region; 2] = ["eu-west-1", "us-east-1"].map(|region| region.parse().unwrap());
        let ours = crate::record::Ours {
            enforcement: crate::enforcement::Enforcement {
                guardrail: "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base".parse().unwrap(),
                version: crate::ids::GuardrailVersion::new(2).unwrap(),
                models: crate::enforcement::Models::default(),
                guarding: crate::enforcement::Guarding::default(),
            },
            origin: crate::record::Origin::Applied,
            at: Timestamp::UNIX_EPOCH,
            revision: "0123456789abcdef".parse().unwrap(),
            path: None,
            reads_back: None,
        };
        let of_ours = Record { ours: Some(ours), ..Record::default() };
        let regions = [(here.clone(), of_ours.clone()), (there.clone(), Record::default())];
        let record = AccountRecord { regions: regions.into(), ..AccountRecord::default() };
        assert_eq!(record.regions_of_ours().collect::<Vec<_>>(), [&here]);
        let target = |region: &Region| Target { account: account.clone(), region: region.clone() };
        let records = Records::from([(target(&here), of_ours), (target(&there), Record::default())]);
        assert_eq!(record.records(&account), records);
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
