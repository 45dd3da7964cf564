//! How many accounts controls mark as about to leave within a day. Pure.
//!
//! Nothing is enforced in a marked account any more. So whoever may write controls could unguard every member, one by one:
//! beyond the ceiling of the deployment, a control waits until the day is over, and people hear of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::AccountId;

/// How long a mark counts against the ceiling, in seconds.
const DAY: i64 = 24 * 3600;

/// The accounts that controls marked as about to leave within a day, and when: one document of the ledger. It holds no more
/// accounts than the ceiling allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecentDepartures {
    /// When each was marked.
    pub marked: BTreeMap<AccountId, Timestamp>,
}

impl RecentDepartures {
    /// Whether an account may be marked now, which is then counted. One that was marked within a day is counted once, however
    /// often its control changes.
    pub fn admit(&mut self, account: &AccountId, most: u32, now: Timestamp) -> bool {
        // What a clock that was ahead wrote must not count for longer than a day either.
        let is_recent = |at: &Timestamp| (now.as_second() - at.as_second()).abs() < DAY;
        self.marked.retain(|_, at| is_recent(at));
        if self.marked.contains_key(account) {
            return true;
        }
        let has_room = u32::try_from(self.marked.len()).is_ok_and(|marked| marked < most);
        if has_room {
            self.marked.insert(account.clone(), now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u64) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    #[test]
    fn so_many_a_day_and_each_once() {
        let mut recent = RecentDepartures::default();
        let mut table = Vec::new();
        for (number, second) in [
            (1, 0),
            (2, 10),
            (3, 20),
            (1, 30),
            (3, DAY - 1),
            (3, DAY),
            (4, DAY),
            (4, DAY + 10),
            (1, DAY + 11),
        ] {
            let admitted = recent.admit(&account(number), 2, Timestamp::from_second(second).unwrap());
            table.push((number, second, admitted));
        }
        assert_eq!(
            table,
            [
                (1, 0, true),
                (2, 10, true),
                (3, 20, false),
                // It counts since it was marked first.
                (1, 30, true),
                (3, DAY - 1, false),
                (3, DAY, true),
                (4, DAY, false),
                (4, DAY + 10, true),
                (1, DAY + 11, false),
            ]
        );
        assert!(!RecentDepartures::default().admit(&account(1), 0, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_nobody_waiting_for_longer_than_a_day() {
        let mut recent = RecentDepartures::default();
        assert!(recent.admit(&account(1), 1, Timestamp::from_second(10 * DAY).unwrap()));
        assert!(recent.admit(&account(2), 1, Timestamp::from_second(DAY).unwrap()));
    }
}
