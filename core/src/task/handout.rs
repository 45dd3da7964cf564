//! When SQS took a task's message and handed it out, and whether a look since then makes the task superfluous.

use super::AccountTask;
use crate::baseline::Revision;
use crate::ids::Region;
use crate::record::{AccountRecord, Sequence};
use crate::trigger::Regions;

/// How SQS handed out the message of a task: its place in the queue, and two times by SQS's own clock. Both times are in
/// milliseconds since 1970, and are compared with each other only: never with a clock of the function's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handout {
    /// The message's place in its queue.
    pub sequence: Option<Sequence>,
    /// When SQS took the message.
    pub sent_ms: Option<u64>,
    /// When SQS handed it out first. A run for this message, and all that it looked at, is later than that.
    pub received_ms: Option<u64>,
}

/// How much later than a message a look has to begin to make the message superfluous, in milliseconds. AWS's lists are
/// eventually consistent: a look that begins a moment after a change may still be shown what was there before it.
pub const SUPERSEDED_AFTER_MS: u64 = 30_000;

impl AccountTask {
    /// Whether any look at its Regions serves it: it was queued because somebody changed something there, and it wants
    /// nothing else. Not the task of a sweep, of a changed guardrail, of an arrival or a departure (they are about all
    /// Regions, or about what the owner has), nor one that waited for something.
    fn is_served_by_any_look(&self) -> Option<&std::collections::BTreeSet<Region>> {
        let AccountTask { account: _, placement, regions, owner_since, cause } = self;
        let Regions::Only(regions) = regions else { return None };
        let plain = placement.is_none()
            && owner_since.is_none()
            && cause.arrival.is_none()
            && !cause.sweep
            // A look for another event doesn't say who removed what it puts back.
            && !cause.in_our_name
            && cause.attempt == 0;
        plain.then_some(regions)
    }

    /// Whether the record can be worth reading: the message waited for longer than [`SUPERSEDED_AFTER_MS`], so that
    /// another look may have begun that much later than it was sent.
    pub fn may_be_superseded(&self, handout: Handout) -> bool {
        let waited =
            handout.received_ms.zip(handout.sent_ms).map(|(received, sent)| received.saturating_sub(sent));
        self.is_served_by_any_look().is_some() && waited.is_some_and(|waited| waited > SUPERSEDED_AFTER_MS)
    }

    /// Whether each of its Regions was read by a run that began long enough after the message was sent, under the
    /// baseline that accounts follow now. Whatever is changed after such a look has a message of its own.
    pub fn is_superseded(&self, handout: Handout, record: &AccountRecord, followed: &Revision) -> bool {
        let (Some(regions), Some(sent)) = (self.is_served_by_any_look(), handout.sent_ms) else {
            return false;
        };
        let was_read_since = |region: &Region| {
            let Some(known) = record.regions.get(region) else { return false };
            let (Some(began), Some(checked), Some(seen)) = (known.looked_ms, &known.checked, &known.seen)
            else {
                return false;
            };
            began >= sent.saturating_add(SUPERSEDED_AFTER_MS)
                && checked.revision == *followed
                // What could not be read, or was written with an unknown result, was seen before.
                && seen.at == checked.at
        };
        record.closed.is_none() && regions.iter().all(was_read_since)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;

    use super::*;
    use crate::record::{Checked, LastSeen, Record, State};
    use crate::task::cause::cause;

    const SENT: u64 = 1_000_000;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    fn task() -> AccountTask {
        AccountTask {
            account: "300000000001".parse().unwrap(),
            placement: None,
            regions: Regions::Only(BTreeSet::from([region("us-east-1"), region("eu-west-1")])),
            owner_since: None,
            cause: cause("event-1", 0),
        }
    }

    fn looked(after_ms: u64) -> Record {
        let at = Timestamp::UNIX_EPOCH;
        let checked = Checked {
            at,
            revision: "0123456789abcdef".parse().unwrap(),
            state: State::InSync,
            reason: None,
            code: None,
            drift: None,
            event: None,
            path: None,
            expected: None,
        };
        Record {
            looked_ms: Some(SENT + after_ms),
            checked: Some(checked),
            seen: Some(LastSeen { at, enforcement: None, by: None }),
            ..Record::default()
        }
    }

    fn record(here: Record, there: Record) -> AccountRecord {
        let regions = [(region("us-east-1"), here), (region("eu-west-1"), there)].into();
        AccountRecord { regions, ..AccountRecord::default() }
    }

    fn is_superseded(task: &AccountTask, record: &AccountRecord) -> bool {
        let handout = Handout { sequence: None, sent_ms: Some(SENT), received_ms: None };
        task.is_superseded(handout, record, &"0123456789abcdef".parse().unwrap())
    }

    #[test]
    fn only_looks_that_began_long_enough_after_the_message_was_sent_make_it_superfluous() {
        let good = || looked(SUPERSEDED_AFTER_MS);
        assert!(is_superseded(&task(), &record(good(), good())));
        // One Region was looked at a moment too early, or never.
        assert!(!is_superseded(&task(), &record(good(), looked(SUPERSEDED_AFTER_MS - 1))));
        assert!(!is_superseded(&task(), &record(good(), Record::default())));
        assert!(!is_superseded(&task(), &AccountRecord::default()));
        // A version that noted no such time made the last look.
        assert!(!is_superseded(&task(), &record(good(), Record { looked_ms: None, ..good() })));
        // The look read nothing: what was seen is older.
        let mut unread = good();
        unread.checked.as_mut().unwrap().at = Timestamp::from_second(1).unwrap();
        assert!(!is_superseded(&task(), &record(good(), unread)));
        // Another baseline is followed by now.
        let mut earlier = good();
        earlier.checked.as_mut().unwrap().revision = "fedcba9876543210".parse().unwrap();
        assert!(!is_superseded(&task(), &record(good(), earlier)));
        // The account departed since.
        let closed =
            crate::record::Closed { at: Timestamp::UNIX_EPOCH, reason: String::new(), untold: false };
        let departed = AccountRecord { closed: Some(closed), ..record(good(), good()) };
        assert!(!is_superseded(&task(), &departed));
    }

    #[test]
    fn a_task_that_wants_more_than_a_look_is_never_superfluous() {
        let known = record(looked(SUPERSEDED_AFTER_MS), looked(SUPERSEDED_AFTER_MS));
        assert!(is_superseded(&task(), &known));
        let now = Timestamp::UNIX_EPOCH;
        let arrives = crate::task::Cause { arrival: Some(now), ..cause("event-1", 0) };
        let of_a_sweep = crate::task::Cause { sweep: true, ..cause("event-1", 0) };
        let in_our_name = crate::task::Cause { in_our_name: true, ..cause("event-1", 0) };
        for special in [
            AccountTask { regions: Regions::All, ..task() },
            AccountTask { owner_since: Some(now), ..task() },
            AccountTask { cause: arrives, ..task() },
            AccountTask { cause: of_a_sweep, ..task() },
            AccountTask { cause: in_our_name, ..task() },
            AccountTask { cause: cause("event-1", 1), ..task() },
        ] {
            assert!(!is_superseded(&special, &known), "{special:?}");
            let late = Handout { sent_ms: Some(0), received_ms: Some(u64::MAX), ..Handout::default() };
            assert!(!special.may_be_superseded(late), "{special:?}");
        }
    }

    #[test]
    fn a_message_that_did_not_wait_is_worked_on_without_a_question() {
        let handed =
            |received| Handout { sequence: None, sent_ms: Some(SENT), received_ms: Some(SENT + received) };
        assert!(!task().may_be_superseded(handed(SUPERSEDED_AFTER_MS)));
        assert!(task().may_be_superseded(handed(SUPERSEDED_AFTER_MS + 1)));
        assert!(!task().may_be_superseded(Handout::default()));
    }
}
