//! What a unit of work goes back to, and how long it has waited.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::Revision;

/// What a task goes back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The id of the event that began it, or of several that were merged.
    pub event: String,
    /// Why, in words.
    pub reason: String,
    /// When that event was first seen; waiting ends at a bounded age.
    pub first_seen: Timestamp,
    /// When the first of the events happened, where they say so.
    #[serde(default)]
    pub happened: Option<Timestamp>,
    /// How often it was put back: 0 at first.
    pub attempt: u32,
    /// Whether a look at everything is behind it. The next one comes by itself, so that not all is
    /// worth waiting for.
    pub sweep: bool,
    /// The revision of the baseline by which it was queued.
    pub revision: Option<Revision>,
    /// When the account came to where it stands, or was given the Region, if the event said so: what it
    /// needs may come later than the event, so that the task waits for it.
    #[serde(default)]
    pub arrival: Option<Timestamp>,
    /// Whether the event says that the keeper wrote something itself, and the record knows of no such write.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_our_name: bool,
    /// How many messages led from that event to this one: each makes a run that sends the next.
    #[serde(default)]
    pub hops: u32,
    /// Since when its pauses grow.
    #[serde(default)]
    pub pauses: Pauses,
}

/// Since when the pauses between tries grow. They begin anew with 15 seconds once a try got something done that it
/// waits for: a copy of a guardrail that is being made is ready within seconds, however long its account's role was
/// waited for before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pauses {
    /// How many tries there were before they began anew.
    pub tries: u32,
    /// How long those waited in all, in seconds.
    pub waited: u32,
    /// How often they began anew.
    pub times: u32,
}

/// How often the pauses of one task may begin anew: whatever is done again and again must not be tried every few
/// seconds for ever.
const MOST_FRESH_PAUSES: u32 = 8;

/// The most messages that one event may lead to, one after another.
///
/// Lambda's own detection of loops stops a chain after 16 runs, far too early for an account that waits for
/// its role for a day; the template switches it off for this function. Attempts and ages end a chain much
/// earlier than this number: waiting for 336 hours, the most that can be set, takes 2,702 messages. It is the
/// bound that holds whatever else is wrong.
pub const MOST_HOPS: u32 = 5_000;

impl Cause {
    /// The cause of a first try, of which nothing else is known.
    pub fn new(event: String, reason: String, first_seen: Timestamp) -> Cause {
        Cause {
            event,
            reason,
            first_seen,
            happened: None,
            attempt: 0,
            sweep: false,
            revision: None,
            arrival: None,
            in_our_name: false,
            hops: 0,
            pauses: Pauses::default(),
        }
    }

    /// The cause of the next try.
    #[must_use]
    pub fn again(&self) -> Cause {
        Cause { attempt: self.attempt.saturating_add(1), ..self.clone() }
    }

    /// The same, with short pauses first: the try got something done that the next one waits for.
    #[must_use]
    pub fn with_short_pauses(self) -> Cause {
        let Pauses { times, .. } = self.pauses;
        if times >= MOST_FRESH_PAUSES {
            return self;
        }
        let waited = u32::try_from(self.waited_seconds()).unwrap_or(u32::MAX);
        Cause { pauses: Pauses { tries: self.attempt, waited, times: times + 1 }, ..self }
    }

    /// Counts one more message of the chain. Says whether it may be sent.
    pub fn hop(&mut self) -> bool {
        self.hops = self.hops.saturating_add(1);
        self.hops <= MOST_HOPS
    }

    /// How long it was put back in all, in seconds: it has waited for so long, whatever a clock says.
    pub fn waited_seconds(&self) -> i64 {
        // No wait is as long as so many.
        let lately = (0..self.pause().min(10_000)).map(|pause| i64::from(delay_seconds(pause)));
        i64::from(self.pauses.waited) + lately.sum::<i64>()
    }

    /// How old it is, in seconds.
    pub fn age_seconds(&self, now: Timestamp) -> i64 {
        now.as_second() - self.first_seen.as_second()
    }

    /// How long to wait before the next try, in seconds: longer each time, a quarter of an hour at most,
    /// which is the longest that SQS delays a message.
    pub fn delay_seconds(&self) -> u16 {
        delay_seconds(self.pause())
    }

    /// How many pauses there were since they began to grow.
    fn pause(&self) -> u32 {
        self.attempt.saturating_sub(self.pauses.tries)
    }
}

fn delay_seconds(attempt: u32) -> u16 {
    const FIRST: u16 = 15;
    const LONGEST: u16 = 900;
    FIRST.saturating_mul(2_u16.saturating_pow(attempt.min(15))).min(LONGEST)
}

/// A cause of tests.
#[cfg(test)]
pub(super) fn cause(event: &str, attempt: u32) -> Cause {
    let first = Cause::new(event.to_owned(), "it was requested".to_owned(), Timestamp::UNIX_EPOCH);
    Cause { attempt, ..first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_back_has_waited_for_as_long_as_that_took() {
        let waited = |attempt| cause("event-1", attempt).waited_seconds();
        assert_eq!([0, 1, 2, 3].map(waited), [0, 15, 45, 105]);
        // The sum of all that is shorter than a quarter of an hour, and then quarters.
        assert_eq!((waited(6), waited(7), waited(100)), (945, 1_845, 945 + 94 * 900));
        assert!(waited(u32::MAX) >= 336 * 3600);
    }

    #[test]
    fn pauses_begin_anew_after_a_try_that_got_on_a_few_times() {
        let waits_long = cause("event-1", 6);
        assert_eq!((waits_long.delay_seconds(), waits_long.waited_seconds()), (900, 945));
        let got_on = waits_long.with_short_pauses();
        assert_eq!((got_on.delay_seconds(), got_on.waited_seconds()), (15, 945));
        let next = got_on.again().again();
        assert_eq!((next.delay_seconds(), next.waited_seconds()), (60, 945 + 15 + 30));

        let mut endless = cause("event-1", 20);
        for _ in 0..MOST_FRESH_PAUSES {
            endless = endless.with_short_pauses().again();
            assert_eq!(endless.delay_seconds(), 30);
        }
        let endless = (0..9).fold(endless, |cause, _| cause.again());
        assert_eq!(endless.with_short_pauses().delay_seconds(), 900);
    }

    #[test]
    fn an_age_is_counted_from_when_it_was_first_seen() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let cause = Cause { first_seen: at(1_000), ..cause("e", 7) };
        assert_eq!([1_000, 1_060, 940].map(|now| cause.age_seconds(at(now))), [0, 60, -60]);
    }

    #[test]
    fn waiting_grows_to_a_quarter_of_an_hour() {
        let delays: Vec<u16> = (0..9).map(|attempt| cause("e", attempt).delay_seconds()).collect();
        assert_eq!(delays, [15, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(cause("e", u32::MAX).delay_seconds(), 900);
    }
}
