//! Which flooding accounts were named on the bus lately. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::AccountId;

/// How often an account that floods is named, in seconds.
const NAMED_EVERY_SECONDS: u64 = 3600;

/// How many accounts are named within that time. A document of the ledger has to hold them all; where as many flood at
/// once, the log has the others.
const MOST_NAMED: usize = 100;

/// Which flooding accounts were named on the bus, and when last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NamedFloods(BTreeMap<AccountId, Timestamp>);

impl NamedFloods {
    /// Whether an account is named now: neither it nor `MOST_NAMED` others were within the last hour.
    pub fn is_to_be_named(&self, account: &AccountId, now: Timestamp) -> bool {
        let named = self.0.iter().filter(|(_, at)| is_recent(**at, now));
        let (mut others, mut known) = (0, false);
        named.for_each(|(other, _)| if other == account { known = true } else { others += 1 });
        !known && others < MOST_NAMED
    }

    /// An account was named. Those of which that is longer ago than an hour are forgotten.
    pub fn name(&mut self, account: AccountId, now: Timestamp) {
        self.0.retain(|_, at| is_recent(*at, now));
        self.0.insert(account, now);
    }
}

/// A time that lies ahead was written by a clock that was wrong.
fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.as_second().abs_diff(at.as_second()) < NAMED_EVERY_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_flooding_account_is_named_once_an_hour() {
        let [one, other]: [AccountId; 2] = ["300000000001", "300000000002"].map(|id| id.parse().unwrap());
        let mut named = NamedFloods::default();
        assert!(named.is_to_be_named(&one, at(10_000)));
        named.name(one.clone(), at(10_000));
        assert!(!named.is_to_be_named(&one, at(13_599)) && named.is_to_be_named(&other, at(10_000)));
        assert!(named.is_to_be_named(&one, at(13_600)));
        named.name(other.clone(), at(13_600));
        assert_eq!(serde_json::to_string(&named).unwrap(), r#"{"300000000002":"1970-01-01T03:46:40Z"}"#);
    }

    #[test]
    fn only_so_many_flooding_accounts_are_named_within_an_hour() {
        let mut named = NamedFloods::default();
        let accounts = (0..50_000_u64).map(|number| format!("{number:012}").parse::<AccountId>().unwrap());
        for account in accounts {
            if named.is_to_be_named(&account, at(10_000)) {
                named.name(account, at(10_000));
            }
        }
        assert_eq!(named.0.len(), MOST_NAMED);
        let next = "300000000001".parse().unwrap();
        assert!(!named.is_to_be_named(&next, at(13_599)) && named.is_to_be_named(&next, at(13_600)));
    }
}
