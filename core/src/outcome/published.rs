//! What was published for people lately: how many messages, and when the last report. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::AccountId;

/// How many messages about single accounts are published within an hour. What goes beyond is published together, at the
/// end of the next sweep: a guardrail that is deleted concerns every account at once, and nobody reads 500 mails.
pub const MESSAGES_AN_HOUR: usize = 10;

const HOUR: i64 = 3600;

/// What was published for people lately: one document of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Publications {
    /// When the last report on the whole organization was published.
    pub reported: Option<Timestamp>,
    /// The accounts that a message was published about within the hour, and when the last one was.
    pub lately: BTreeMap<AccountId, Timestamp>,
}

impl Publications {
    /// Whether a message about one account may be published now, which is then counted. An account that a message was
    /// about within the hour waits for the end of the sweep: nobody is to keep the others from being heard. What is
    /// urgent is counted, and doesn't wait for others.
    pub fn admit(&mut self, account: &AccountId, is_urgent: bool, now: Timestamp) -> bool {
        // What a clock that was ahead wrote must not keep anybody waiting.
        self.lately.retain(|_, at| (0..HOUR).contains(&(now.as_second() - at.as_second())));
        let is_one_too_many = self.lately.len() >= MESSAGES_AN_HOUR && !is_urgent;
        if self.lately.contains_key(account) || is_one_too_many {
            return false;
        }
        self.lately.insert(account.clone(), now);
        true
    }

    /// Whether a report is due at the end of a sweep: it is the first in this stretch of `hours`, counted from midnight
    /// (UTC) of 1 January 1970. So reports don't get later from one to the next.
    pub fn is_report_due(&self, hours: u32, now: Timestamp) -> bool {
        let stretch = |at: Timestamp| at.as_second().div_euclid(i64::from(hours.max(1)) * HOUR);
        self.reported.is_none_or(|reported| stretch(reported) != stretch(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn account(number: u64) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    #[test]
    fn one_message_an_hour_about_an_account_and_a_few_about_all() {
        let mut published = Publications::default();
        assert!(published.admit(&account(1), false, at(0)));
        assert!(!published.admit(&account(1), false, at(3599)));
        assert!(!published.admit(&account(1), true, at(3599)), "an account can't flood the others");
        assert!(published.admit(&account(1), false, at(3600)));
        for number in 2..=10 {
            assert!(published.admit(&account(number), false, at(3600)), "{number}");
        }
        assert!(!published.admit(&account(11), false, at(3601)));
        assert!(published.admit(&account(12), true, at(3601)));
        assert!(published.admit(&account(11), false, at(7201)));
        // Bounded, whatever comes: the urgent ones are one an account.
        assert!(published.lately.len() <= MESSAGES_AN_HOUR + 2);
        // A clock that was ahead.
        let mut ahead = Publications::default();
        assert!(ahead.admit(&account(1), false, at(100_000)) && ahead.admit(&account(1), false, at(0)));
    }

    #[test]
    fn a_report_is_due_once_a_day_and_never_later_from_day_to_day() {
        const DAY: i64 = 24 * 3600;
        let mut published = Publications::default();
        assert!(published.is_report_due(24, at(20 * DAY + 50_000)));
        published.reported = Some(at(20 * DAY + 50_000));
        assert!(!published.is_report_due(24, at(20 * DAY + 80_000)));
        assert!(published.is_report_due(24, at(21 * DAY)));
        published.reported = Some(at(21 * DAY + 3000));
        assert!(
            !published.is_report_due(24, at(22 * DAY - 1)) && published.is_report_due(24, at(22 * DAY + 1))
        );
        assert!(published.is_report_due(1, at(21 * DAY + 3600)));
    }
}
