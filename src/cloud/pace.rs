//! Keeps calls under a service's published rates, so that they needn't be refused to be slow.
//!
//! This process only: where several run at the same time, AWS still refuses some, and the SDK's
//! attempts do the rest.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How fast calls of one operation may follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// From one call to the next, where they come without end.
    interval: Duration,
    /// How many may come at once after a rest.
    burst: u32,
}

impl Rate {
    /// So many calls a second, and after a rest as many at once. What AWS allows at once beyond that
    /// is left for networks that bunch calls, and for others in the account.
    ///
    /// # Panics
    /// With zero.
    pub const fn per_second(calls: u32) -> Rate {
        assert!(calls > 0, "a rate of zero");
        Rate { interval: Duration::from_nanos(1_000_000_000_u64.div_ceil(calls as u64)), burst: calls }
    }

    /// As fast as they come.
    pub const fn unlimited() -> Rate {
        Rate { interval: Duration::ZERO, burst: 1 }
    }
}

/// The rates of the operations of Organizations that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// DescribeOrganization.
    pub describe_organization: Rate,
    /// DescribeAccount.
    pub describe_account: Rate,
    /// ListAccounts.
    pub list_accounts: Rate,
    /// ListParents.
    pub list_parents: Rate,
    /// The lists of policies and of what they are attached to.
    pub list_policies: Rate,
    /// DescribePolicy.
    pub describe_policy: Rate,
    /// What accounts have of policies: DescribeEffectivePolicy and the two lists of what is invalid.
    pub effective_policies: Rate,
    /// Creating, changing, attaching, detaching and deleting policies.
    pub write_policies: Rate,
}

impl Default for Rates {
    /// What AWS publishes for one account (Organizations user guide, quotas: throttling limits). The rates of effective
    /// policies aren't published, so they keep to the slowest that is. Of the two writes of policies a second, which every
    /// tool in the organization shares, the keeper takes one.
    fn default() -> Rates {
        Rates {
            describe_organization: Rate::per_second(1),
            describe_account: Rate::per_second(20),
            list_accounts: Rate::per_second(8),
            list_parents: Rate::per_second(5),
            list_policies: Rate::per_second(5),
            describe_policy: Rate::per_second(2),
            effective_policies: Rate::per_second(2),
            write_policies: Rate::per_second(1),
        }
    }
}

impl Rates {
    /// For a service that is somebody's own.
    pub const fn unlimited() -> Rates {
        Rates {
            describe_organization: Rate::unlimited(),
            describe_account: Rate::unlimited(),
            list_accounts: Rate::unlimited(),
            list_parents: Rate::unlimited(),
            list_policies: Rate::unlimited(),
            describe_policy: Rate::unlimited(),
            effective_policies: Rate::unlimited(),
            write_policies: Rate::unlimited(),
        }
    }
}

/// The pace of every operation: one for the whole process.
#[derive(Debug)]
pub(super) struct Paces {
    pub(super) describe_organization: Pace,
    pub(super) describe_account: Pace,
    pub(super) list_accounts: Pace,
    pub(super) list_parents: Pace,
    pub(super) list_policies: Pace,
    pub(super) describe_policy: Pace,
    pub(super) effective_policies: Pace,
    pub(super) write_policies: Pace,
}

impl Paces {
    pub(super) fn new(rates: Rates) -> Paces {
        let Rates {
            describe_organization,
            describe_account,
            list_accounts,
            list_parents,
            list_policies,
            describe_policy,
            effective_policies,
            write_policies,
        } = rates;
        Paces {
            describe_organization: Pace::new(describe_organization),
            describe_account: Pace::new(describe_account),
            list_accounts: Pace::new(list_accounts),
            list_parents: Pace::new(list_parents),
            list_policies: Pace::new(list_policies),
            describe_policy: Pace::new(describe_policy),
            effective_policies: Pace::new(effective_policies),
            write_policies: Pace::new(write_policies),
        }
    }
}

/// The pace of one operation.
#[derive(Debug)]
pub struct Pace {
    bucket: Mutex<Bucket>,
}

impl Pace {
    /// Calls at this rate.
    pub fn new(rate: Rate) -> Pace {
        Pace { bucket: Mutex::new(Bucket { rate, full: None }) }
    }

    /// Waits for its turn: whoever asks first goes first. Who is dropped while waiting leaves its
    /// turn unused.
    pub async fn turn(&self) {
        let now = Instant::now();
        let turn = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now);
        if turn > now {
            tokio::time::sleep_until(turn.into()).await;
        }
    }
}

/// Tokens that come back one by one, kept as the time when all will be there.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    rate: Rate,
    /// `None` before the first call.
    full: Option<Instant>,
}

impl Bucket {
    /// Takes a token, if need be one that isn't there yet, and says when it is.
    fn take(&mut self, now: Instant) -> Instant {
        let Rate { interval, burst } = self.rate;
        let full = self.full.map_or(now, |full| full.max(now)) + interval;
        self.full = Some(full);
        // One that is there has been there for a while.
        full.checked_sub(interval * burst).map_or(now, |there| there.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When calls may go that come at these times, all in milliseconds.
    fn turns(rate: Rate, calls: impl IntoIterator<Item = u64>) -> Vec<u128> {
        let start = Instant::now();
        let mut bucket = Bucket { rate, full: None };
        let turns = calls
            .into_iter()
            .map(|call| (bucket.take(start + Duration::from_millis(call)) - start).as_millis());
        turns.collect()
    }

    #[test]
    fn a_burst_goes_at_once_and_the_others_one_by_one() {
        assert_eq!(turns(Rate::per_second(4), [0; 7]), [0, 0, 0, 0, 250, 500, 750]);
        assert_eq!(turns(Rate::per_second(1), [0, 0, 0]), [0, 1_000, 2_000]);
    }

    #[test]
    fn tokens_come_back_with_time_but_no_more_than_a_burst() {
        // After 500 ms, two are back; who waits already goes first.
        assert_eq!(
            turns(Rate::per_second(4), [0, 0, 0, 0, 500, 500, 500, 600]),
            [0, 0, 0, 0, 500, 500, 750, 1_000]
        );
        assert_eq!(
            turns(Rate::per_second(2), [0, 0, 60_000, 60_000, 60_000]),
            [0, 0, 60_000, 60_000, 60_500]
        );
    }

    #[test]
    fn calls_that_come_slowly_never_wait() {
        let calls: Vec<u64> = (0..100).map(|n| n * 125).collect();
        assert_eq!(
            turns(Rate::per_second(8), calls.clone()),
            calls.into_iter().map(u128::from).collect::<Vec<_>>()
        );
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        assert_eq!(turns(Rate::unlimited(), [0, 0, 0, 5, 5]), [0, 0, 0, 5, 5]);
    }

    #[test]
    fn over_any_second_no_more_go_than_a_burst_and_the_rate() {
        // Whatever the calls, each turn is a burst's calls and an interval after an earlier one.
        for rate in [1, 3, 5, 8, 20] {
            let calls = (0..400_u64).map(|n| n * n * 7 % 1_301 + n * 11).collect::<Vec<_>>();
            let mut calls = calls;
            calls.sort_unstable();
            let turns = turns(Rate::per_second(rate), calls.clone());
            assert!(turns.is_sorted(), "first come, first served");
            assert!(calls.iter().zip(&turns).all(|(call, turn)| *turn >= u128::from(*call)));
            for (first, turn) in turns.iter().enumerate() {
                let within = turns[first..].iter().take_while(|other| **other < turn + 1_000).count();
                assert!(within <= 2 * rate as usize, "{within} calls in a second at {rate} per second");
            }
        }
    }

    #[tokio::test]
    async fn a_turn_is_waited_for() {
        let pace = Pace::new(Rate::per_second(100));
        let start = Instant::now();
        for _ in 0..105 {
            pace.turn().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(50), "{:?}", start.elapsed());
    }
}
