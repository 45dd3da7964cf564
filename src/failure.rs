//! What went wrong, as far as a decision or a report has to know.
//!
//! The core never sees an SDK error: `cloud::error` turns each into one of these categories.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a failure means for what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Throttled, timed out, a server's fault, a conflict: the same call may work later.
    Transient,
    /// The account or Region is still being set up.
    NotReady,
    /// The caller may not do this; waiting won't change it.
    Denied,
    /// AWS refuses the request as such. Never retried blindly.
    Rejected,
    /// The account is suspended, closed or left.
    Gone,
}

impl Category {
    /// A short stable name, as it is stored.
    pub fn code(self) -> &'static str {
        match self {
            Category::Transient => "transient",
            Category::NotReady => "not_ready",
            Category::Denied => "denied",
            Category::Rejected => "rejected",
            Category::Gone => "gone",
        }
    }

    /// Whether trying again soon may help.
    pub fn is_worth_waiting(self) -> bool {
        match self {
            Category::Transient | Category::NotReady => true,
            Category::Denied | Category::Rejected | Category::Gone => false,
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code().replace('_', " "))
    }
}

/// One failed call, in words that stand alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// What it means.
    pub category: Category,
    /// The API operation that failed, for example `AssumeRole`.
    pub operation: String,
    /// What AWS said: its error code and message, or how the call broke.
    pub message: String,
}

impl Failure {
    /// Whether AWS refused the credentials as expired: new ones will do.
    pub fn says_expired(&self) -> bool {
        self.message.contains("ExpiredToken")
    }

    /// Whether it is a denial that waiting may end: not one that a policy states.
    pub fn is_a_lacking_permission(&self) -> bool {
        self.category == Category::Denied && !self.message.contains("explicit deny")
    }

    /// Takes a denial for a matter of time within `seconds` of what it may be waiting for.
    ///
    /// Two clocks differ, so that `since` may be ahead of `now`. As far ahead as behind it counts the same: a
    /// time that is years ahead excuses nothing.
    #[must_use]
    pub fn excused(self, since: Option<Timestamp>, seconds: u64, now: Timestamp) -> Failure {
        let young = since.is_some_and(|since| now.as_second().abs_diff(since.as_second()) < seconds);
        match young && self.is_a_lacking_permission() {
            true => Failure { category: Category::NotReady, ..self },
            false => self,
        }
    }

    /// What failed and how, without what that means for the next run: for people who stand before it.
    pub fn said(&self) -> String {
        let Failure { category: _, operation, message } = self;
        format!("{operation}: {message}")
    }

    /// A failure that may pass.
    pub fn transient(operation: &str, message: impl Into<String>) -> Failure {
        Failure { category: Category::Transient, operation: operation.to_owned(), message: message.into() }
    }

    /// The failure of a list of accounts that names none to work on: an organization has its management
    /// account at least, so this is no answer to go by.
    pub fn no_accounts() -> Failure {
        let message = "the answer names no account that could be worked on, and an organization has its \
                       management account at least";
        Failure::transient("ListAccounts", message)
    }

    /// The failure of an observation that was never made.
    pub fn not_observed() -> Failure {
        Failure {
            category: Category::Transient,
            operation: "ListEnforcedGuardrailsConfiguration".to_owned(),
            message: "not read in this run".to_owned(),
        }
    }

    /// The failure of a look-up that was never made.
    pub fn not_looked_up(what: &impl fmt::Display) -> Failure {
        Failure {
            category: Category::Transient,
            operation: "GetGuardrail".to_owned(),
            message: format!("{what} was not looked up in this run"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { category, operation, message } = self;
        write!(f, "{operation}: {message} ({category})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_excused_for_a_while_after_what_it_may_be_waiting_for() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let now = at(1_000_000);
        let failure = |category, message: &str| Failure {
            category,
            operation: "AssumeRole".to_owned(),
            message: message.to_owned(),
        };
        let denied = || failure(Category::Denied, "AccessDenied: not you");
        let excused = |since: Option<i64>| denied().excused(since.map(at), 3600, now).category;
        for (since, expected) in [
            (None, Category::Denied),
            (Some(1_000_000), Category::NotReady),
            (Some(1_000_000 - 3_599), Category::NotReady),
            (Some(1_000_000 - 3_600), Category::Denied),
            (Some(0), Category::Denied),
            // A clock that is a little ahead of ours, and one that is far ahead.
            (Some(1_000_000 + 300), Category::NotReady),
            (Some(1_000_000 + 3_600), Category::Denied),
            (Some(100_000_000_000), Category::Denied),
        ] {
            assert_eq!(excused(since), expected, "{since:?}");
        }
        assert_eq!(denied().excused(Some(now), 0, now), denied(), "no grace is set");
        let stated =
            failure(Category::Denied, "AccessDenied: with an explicit deny in a service control policy");
        assert_eq!(stated.clone().excused(Some(now), 3600, now), stated);
        for category in [Category::Transient, Category::Rejected, Category::Gone] {
            let other = failure(category, "something else");
            assert_eq!(other.clone().excused(Some(now), 3600, now), other);
        }
    }
}
