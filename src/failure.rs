//! What went wrong, as far as a decision or a report has to know.
//!
//! The core never sees an SDK error: `cloud::error` turns each into one of these categories.

use std::fmt;

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

    /// A failure that may pass.
    pub fn transient(operation: &str, message: impl Into<String>) -> Failure {
        Failure { category: Category::Transient, operation: operation.to_owned(), message: message.into() }
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
