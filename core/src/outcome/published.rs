//! What was published for people lately: how many messages, and when the last report. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::AccountId;

/// How many messages about single accounts are published within an hour. What goes beyond is published together, at the
/// end of the next sweep: a guardrail that is deleted concerns every account at once, and nobody reads 500 mails.
pub const MESSAGES_AN_HOUR: usize = 10;

/// How many messages of urgent news are published within an hour, besides. Each is about another account. A document of
/// the ledger has to hold them all, and SNS suspends an e-mail subscription that gets more than ten messages a second.
pub const URGENT_MESSAGES_AN_HOUR: usize = 100;

/// How many messages of urgent news are published within a second, and how many messages are where a further one isn't
/// urgent: what isn't can't keep urgent news waiting. So at most twice as many are about single accounts, which SNS still
/// takes: more than ten a second have it suspend an e-mail subscription (SNS quotas). Further ones wait for the end of the
/// sweep.
const MESSAGES_A_SECOND: usize = 5;

const HOUR: i64 = 3600;

/// What was published for people lately: one document of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Publications {
    /// When the last report on the whole organization was published.
    pub reported: Option<Timestamp>,
    /// The accounts that a message was published about within the hour, and when the last one was.
    pub lately: BTreeMap<AccountId, Timestamp>,
    /// The same for messages with urgent news.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub urgent: BTreeMap<AccountId, Timestamp>,
}

impl Publications {
    /// Whether a message about one account may be published now, which is then counted. An account that a message was
    /// about within the hour waits for the end of the sweep: nobody is to keep the others from being heard. Urgent news
    /// wait for nothing but urgent news: of the same account, or of [`URGENT_MESSAGES_AN_HOUR`] others. No more than
    /// five go out within a second, and five besides where the later ones are urgent, however many accounts somebody changes
    /// at once.
    pub fn admit(&mut self, account: &AccountId, is_urgent: bool, now: Timestamp) -> bool {
        // What a clock that was ahead wrote must not keep anybody waiting.
        let is_recent = |at: &Timestamp| (0..HOUR).contains(&(now.as_second() - at.as_second()));
        self.lately.retain(|_, at| is_recent(at));
        self.urgent.retain(|_, at| is_recent(at));
        let is_known = self.urgent.contains_key(account) || !is_urgent && self.lately.contains_key(account);
        let (counted, most) = match is_urgent {
            true => (&self.urgent, URGENT_MESSAGES_AN_HOUR),
            false => (&self.lately, MESSAGES_AN_HOUR),
        };
        if is_known || counted.len() >= most {
            return false;
        }
        let now_too = |at: &&Timestamp| now.duration_since(**at).abs() < SignedDuration::from_secs(1);
        let urgent = self.urgent.values().filter(now_too).count();
        let ordinary = self.lately.values().filter(now_too).count();
        if urgent + if is_urgent { 0 } else { ordinary } >= MESSAGES_A_SECOND {
            return false;
        }
        let counted = if is_urgent { &mut self.urgent } else { &mut self.lately };
        counted.insert(account.clone(), now);
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
        assert!(published.admit(&account(1), true, at(3599)), "what is urgent doesn't wait for what isn't");
        assert!(!published.admit(&account(1), true, at(3599)), "an account can't flood the others");
        assert!(!published.admit(&account(1), false, at(3600)), "the urgent one said all there was");
        for number in 2..=11 {
            let moment = at(3600 + i64::try_from(number).unwrap());
            assert!(published.admit(&account(number), false, moment), "{number}");
        }
        assert!(!published.admit(&account(12), false, at(3620)));
        assert!(published.admit(&account(13), true, at(3620)));
        assert!(published.admit(&account(12), false, at(7220)));
        // A clock that was ahead.
        let mut ahead = Publications::default();
        assert!(ahead.admit(&account(1), false, at(100_000)) && ahead.admit(&account(1), false, at(0)));
    }

    /// Whoever has many accounts changed in our name makes neither a document that the ledger refuses nor mails that
    /// SNS suspends.
    #[test]
    fn urgent_messages_are_bounded_and_forgotten() {
        let mut published = Publications::default();
        let admitted = (0..50_000).filter(|number| {
            let moment = at(100 + i64::try_from(number / 100).unwrap());
            published.admit(&account(*number), true, moment)
        });
        assert_eq!(admitted.count(), URGENT_MESSAGES_AN_HOUR);
        assert!(serde_json::to_string(&published).unwrap().len() < 8_000);
        assert!(published.admit(&account(50_001), true, at(4_200)));
        assert_eq!(published.urgent.len(), 1);
        // An earlier version wrote no such member.
        let earlier: Publications = serde_json::from_str(r#"{"lately":{}}"#).unwrap();
        assert_eq!(earlier, Publications::default());
        assert!(!serde_json::to_string(&earlier).unwrap().contains("urgent"));
    }

    #[test]
    fn five_messages_a_second_and_the_rest_later() {
        let soon = Timestamp::from_millisecond(100_900).unwrap();
        // How many of each ask in that order: whether they are urgent, when, and how many of them are admitted.
        let table: [&[(usize, bool, Timestamp, usize)]; 5] = [
            &[(20, false, at(100), 5), (20, false, soon, 0), (20, false, at(101), 5)],
            &[(20, true, at(100), 5), (20, true, soon, 0), (20, true, at(101), 5)],
            // What isn't urgent keeps no urgent news waiting, and ten in all go out.
            &[(20, false, at(100), 5), (20, true, at(100), 5), (1, false, soon, 0), (1, true, soon, 0)],
            &[(20, true, at(100), 5), (20, false, at(100), 0), (20, false, at(101), 5)],
            &[(3, true, at(100), 3), (20, false, soon, 2), (20, true, soon, 2)],
        ];
        for (row, asking) in table.into_iter().enumerate() {
            let mut published = Publications::default();
            let mut accounts = (0..).map(account);
            for (count, is_urgent, now, expected) in asking {
                let asked = accounts.by_ref().take(*count);
                let admitted = asked.filter(|account| published.admit(account, *is_urgent, *now)).count();
                assert_eq!(admitted, *expected, "row {row}: {count} at {now}, urgent: {is_urgent}");
            }
        }
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
