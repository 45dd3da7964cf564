//! When ours was repaired lately, and whether another principal undoes the repairs. Pure.
//!
//! | repairs of one target | is | the next repair |
//! | --- | --- | --- |
//! | four or more within an hour | contested | waits ten minutes |
//! | three or more within a day, each an hour or more after the one before | contested | is made at once |
//! | fewer, or closer together | not contested | is made at once |
//!
//! The second row is for whoever tampers once after each sweep: never often, and the target is unguarded nearly all
//! the time.

use std::fmt;

use jiff::Timestamp;

use super::Record;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// How many repairs of one target within an hour mean that another principal undoes them.
pub const CONTESTED_REPAIRS: usize = 4;

/// How many repairs of one target within a day mean that another principal undoes them, each an hour or more after the one
/// before.
pub const SLOWLY_CONTESTED_REPAIRS: usize = 3;

/// How long the next repair of a target waits that was repaired too often within an hour: at most six an hour.
const CONTESTED_PAUSE_SECONDS: u64 = 600;

/// That another principal undoes repairs, and how often. Displays as words that follow "after".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contest {
    /// So many repairs within an hour.
    WithinTheHour(usize),
    /// So many repairs within a day, each an hour or more after the one before. More than three are not counted.
    WithinTheDay(usize),
}

impl fmt::Display for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contest::WithinTheHour(repairs) => write!(f, "{repairs} repairs within an hour"),
            Contest::WithinTheDay(repairs) => {
                write!(f, "{repairs} repairs within a day, each an hour or more after the one before")
            }
        }
    }
}

impl Record {
    /// Whether another principal undoes our repairs, and how often: so many are no accident.
    pub fn contest(&self, now: Timestamp) -> Option<Contest> {
        let (lately, spread) = (self.repairs_lately(now), self.repairs_spread(now));
        if lately >= CONTESTED_REPAIRS {
            return Some(Contest::WithinTheHour(lately));
        }
        (spread >= SLOWLY_CONTESTED_REPAIRS).then_some(Contest::WithinTheDay(spread))
    }

    /// How many repairs within the last hour are remembered.
    pub fn repairs_lately(&self, now: Timestamp) -> usize {
        self.repairs.iter().filter(|repair| apart(now, **repair) < HOUR).count()
    }

    /// How many repairs within the last day are remembered that lie an hour or more apart.
    fn repairs_spread(&self, now: Timestamp) -> usize {
        spread(self.repairs.iter().copied().filter(|repair| apart(now, *repair) < DAY)).len()
    }

    /// Whether the next repair has to wait, because the last ones within the hour didn't hold.
    pub fn must_wait(&self, now: Timestamp) -> bool {
        let waits = |last: &Timestamp| apart(now, *last) < CONTESTED_PAUSE_SECONDS;
        self.repairs_lately(now) >= CONTESTED_REPAIRS && self.repairs.last().is_some_and(waits)
    }

    /// How often this target is repaired within the hour, with a repair that is made now; and whether a contest begins
    /// with it.
    pub fn with_a_repair(&self, now: Timestamp) -> (usize, Option<Contest>) {
        let mut after = Record { repairs: self.repairs.clone(), ..Record::default() };
        after.count_repair(now);
        let lately = after.repairs_lately(now);
        // While it goes on, each repair is published anyhow.
        let begins = after.contest(now).filter(|contest| match contest {
            Contest::WithinTheHour(repairs) => *repairs == CONTESTED_REPAIRS,
            Contest::WithinTheDay(_) => self.contest(now).is_none(),
        });
        (lately, begins)
    }

    /// Remembers a repair. The record stays small: of repairs that are older than an hour, only as many are kept as a
    /// contest takes.
    pub(super) fn count_repair(&mut self, at: Timestamp) {
        self.repairs.retain(|earlier| apart(at, *earlier) < DAY);
        let (lately, older): (Vec<Timestamp>, Vec<Timestamp>) =
            self.repairs.iter().partition(|earlier| apart(at, **earlier) < HOUR);
        let mut kept = spread(older.into_iter());
        kept.drain(..kept.len().saturating_sub(SLOWLY_CONTESTED_REPAIRS));
        kept.extend(lately);
        kept.push(at);
        self.repairs = kept;
    }
}

/// Those that lie an hour or more after the one before, from the first on.
fn spread(repairs: impl Iterator<Item = Timestamp>) -> Vec<Timestamp> {
    let mut kept: Vec<Timestamp> = Vec::new();
    for repair in repairs {
        if kept.last().is_none_or(|last| apart(repair, *last) >= HOUR) {
            kept.push(repair);
        }
    }
    kept
}

/// How many seconds lie between two times. A clock that was far ahead of ours wrote nothing that is recent, and
/// what it wrote must not keep anything waiting until then.
fn apart(one: Timestamp, other: Timestamp) -> u64 {
    one.as_second().abs_diff(other.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn repaired(seconds: impl IntoIterator<Item = i64>) -> Record {
        let mut record = Record::default();
        seconds.into_iter().for_each(|second| record.count_repair(at(second)));
        record
    }

    fn remembered(record: &Record) -> Vec<i64> {
        record.repairs.iter().map(|repair| repair.as_second()).collect()
    }

    const HOURS: i64 = 3600;

    #[test]
    fn a_fourth_repair_within_the_hour_is_a_contest_and_paces_the_next() {
        let mut record = repaired([0, 300, 600]);
        assert_eq!(record.contest(at(601)), None);
        record.count_repair(at(900));
        assert_eq!(record.contest(at(901)), Some(Contest::WithinTheHour(4)));
        assert!(record.must_wait(at(1499)) && !record.must_wait(at(1500)));
        assert_eq!(record.contest(at(900 + HOURS)), None);
        // Written by a clock that is hours ahead, they keep nothing waiting.
        assert!(record.contest(at(-4000)).is_none() && !record.must_wait(at(-4000)));
        // An hour after one it is no longer counted.
        assert_eq!([4499, 4500].map(|second| record.repairs_lately(at(second))), [1, 0]);
    }

    #[test]
    fn three_repairs_over_a_day_are_a_contest_that_paces_nothing() {
        let record = repaired([0, 5 * HOURS]);
        assert_eq!(record.contest(at(5 * HOURS)), None);
        let record = repaired([0, 5 * HOURS, 23 * HOURS]);
        assert_eq!(record.contest(at(23 * HOURS)), Some(Contest::WithinTheDay(3)));
        assert!(!record.must_wait(at(23 * HOURS)));
        // A day after the first one, it isn't.
        assert_eq!(record.contest(at(24 * HOURS)), None);
        // Closer together than an hour, two of them count as one.
        assert_eq!(repaired([0, 3599, 5 * HOURS]).contest(at(5 * HOURS)), None);
        assert!(repaired([0, 3600, 7200]).contest(at(7200)).is_some());
        assert!(repaired([0, 10, 3600, 3610, 7200]).contest(at(7200)).is_some());
    }

    #[test]
    fn what_is_remembered_stays_small() {
        // One every ten minutes for two days: those within the hour, and three.
        let record = repaired((0..288).map(|repair| repair * 600));
        assert!(record.repairs.len() <= 6 + SLOWLY_CONTESTED_REPAIRS, "{:?}", remembered(&record));
        let hourly = repaired((0..48).map(|hour| hour * HOURS));
        assert_eq!(remembered(&hourly), [44, 45, 46, 47].map(|hour| hour * HOURS));
        assert_eq!(remembered(&repaired([0, 300, 600, 900, 4500])), [0, 4500]);
        assert_eq!(remembered(&repaired([0, 24 * HOURS])), [24 * HOURS]);
    }

    #[test]
    fn a_contest_begins_once() {
        let begins = |earlier: &[i64], now: i64| repaired(earlier.iter().copied()).with_a_repair(at(now));
        assert_eq!(begins(&[], 0), (1, None));
        assert_eq!(begins(&[0, 300], 600), (3, None));
        assert_eq!(begins(&[0, 300, 600], 900), (4, Some(Contest::WithinTheHour(4))));
        assert_eq!(begins(&[0, 300, 600, 900], 1500), (5, None));
        let two = [0, 2 * HOURS];
        assert_eq!(begins(&two, 4 * HOURS), (1, Some(Contest::WithinTheDay(3))));
        let three = [0, 2 * HOURS, 4 * HOURS];
        assert_eq!(begins(&three, 4 * HOURS + 600), (2, None));
        assert_eq!(begins(&three, 6 * HOURS), (1, None));
        // One that was slow becomes a fight.
        let slow = [0, 2 * HOURS, 4 * HOURS, 4 * HOURS + 300, 4 * HOURS + 600];
        assert_eq!(begins(&slow, 4 * HOURS + 900), (4, Some(Contest::WithinTheHour(4))));
    }
}
