//! What went wrong, as far as a decision or a report has to know.
//!
//! The core never sees an SDK error: `cloud::error` turns each into one of these categories.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// What a failure means for what happens next.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Category {
        /// Throttled, timed out, a server's fault, a conflict: the same call may work later.
        Transient = "transient",
        /// The account or Region is still being set up.
        NotReady = "not_ready",
        /// The caller may not do this; waiting won't change it.
        Denied = "denied",
        /// AWS refuses the request as such. Never retried blindly.
        Rejected = "rejected",
        /// The account is suspended, closed or left.
        Gone = "gone",
    }

    /// A short stable name, as it is stored.
    pub fn code(self) -> &'static str;
}

impl Category {
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

/// What AWS's error code says, or how a call got no answer. `cloud::error` alone knows which code means what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// There are no credentials.
    NoCredentials,
    /// There are some, and what should give them doesn't.
    BadCredentials,
    /// The credentials have expired: new ones will do.
    ExpiredCredentials,
    /// AWS doesn't know the key, its secret or its token.
    UnknownCredentials,
    /// The clocks of this machine and of AWS differ by minutes.
    WrongClock,
    /// No Region is set.
    NoRegion,
    /// No host has the name of the endpoint.
    NoEndpoint,
    /// The endpoint that is set isn't an address.
    OddEndpoint,
    /// Nothing answers, or not in time.
    Unreached,
    /// Something answers that isn't AWS.
    NotAws,
    /// The account is in no organization.
    NoOrganization,
    /// The organization doesn't know the account.
    UnknownAccount,
    /// The caller may not.
    Denied,
    /// A KMS key doesn't let the caller use it.
    KeyDenied,
    /// There is no such thing.
    Missing,
    /// Policies of that type are not enabled in the organization.
    NotSetUp,
    /// The request isn't valid.
    Invalid,
    /// Too many calls.
    Throttled,
    /// Another caller was writing at the same time, or the resource was there already.
    Conflict,
    /// What was asked for is so already.
    AlreadySo,
    /// An item isn't as the condition of a write asks for.
    UnmetCondition,
    /// Any other code, or none.
    #[default]
    #[serde(other)]
    Other,
}

impl Code {
    fn is_other(&self) -> bool {
        *self == Code::Other
    }
}

/// The calls whose failures have a meaning of their own, and a remedy of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The way into an account: the role that the keeper, or a person, assumes there.
    AssumeRole,
    /// Organizations is asked who is there. It answers few callers.
    Organization,
    /// The parameter with the baseline is read.
    Parameter,
    /// The ledger's table.
    Ledger,
    /// The queues.
    Queue,
    /// An enforcement is removed.
    Release,
    /// A guardrail is tried.
    Probe,
    /// Any other.
    Other,
}

impl Call {
    fn of(operation: &str) -> Call {
        match operation {
            "AssumeRole" => Call::AssumeRole,
            "ListAccounts" | "DescribeAccount" | "ListParents" => Call::Organization,
            "GetParameter" | "GetParameterHistory" | "GetParametersByPath" => Call::Parameter,
            "GetItem" | "PutItem" | "BatchGetItem" | "Scan" => Call::Ledger,
            "SendMessage" | "SendMessageBatch" => Call::Queue,
            "DeleteEnforcedGuardrailConfiguration" => Call::Release,
            "ApplyGuardrail" => Call::Probe,
            _ => Call::Other,
        }
    }
}

/// One failed call. Its message is for people: decisions go by the other members.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// What it means.
    pub category: Category,
    /// The API operation that failed, for example `AssumeRole`.
    pub operation: String,
    /// What AWS's code says.
    #[serde(default, skip_serializing_if = "Code::is_other")]
    pub code: Code,
    /// Whether AWS names a policy that forbids the call, such as a service control policy: that one has to be
    /// changed, and waiting doesn't help.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explicit_deny: bool,
    /// What AWS said: its error code and message, or how the call broke.
    pub message: String,
}

impl Failure {
    /// A failure without an error code.
    pub fn new(category: Category, operation: &str, message: impl Into<String>) -> Failure {
        let (operation, message) = (operation.to_owned(), message.into());
        Failure { category, operation, code: Code::Other, explicit_deny: false, message }
    }

    /// A failure that may pass.
    pub fn transient(operation: &str, message: impl Into<String>) -> Failure {
        Failure::new(Category::Transient, operation, message)
    }

    /// A call that isn't repeated: it, or its answer, isn't what it has to be.
    pub fn rejected(operation: &str, message: impl Into<String>) -> Failure {
        Failure::new(Category::Rejected, operation, message)
    }

    /// An answer that leaves out what every answer has.
    pub fn incomplete(operation: &str, member: &str) -> Failure {
        Failure::transient(operation, format!("the answer leaves out {member}"))
    }

    /// Which call it was.
    pub fn call(&self) -> Call {
        Call::of(&self.operation)
    }

    /// Whether it is a denial that waiting may end: not one that a policy states.
    pub fn is_a_lacking_permission(&self) -> bool {
        self.category == Category::Denied && !self.explicit_deny
    }

    /// With other words for people.
    #[must_use]
    pub fn in_words(self, message: String) -> Failure {
        Failure { message, ..self }
    }

    /// Takes a denial for a matter of time within `seconds` of what it may be waiting for.
    ///
    /// Two clocks differ, so that `since` may be ahead of `now`. As far ahead as behind it counts the same: a
    /// time that is years ahead excuses nothing.
    #[must_use]
    pub fn excused(self, since: Option<Timestamp>, seconds: u64, now: Timestamp) -> Failure {
        let young = since.is_some_and(|since| now.as_second().abs_diff(since.as_second()) < seconds);
        if young && self.is_a_lacking_permission() {
            Failure { category: Category::NotReady, ..self }
        } else {
            self
        }
    }

    /// What failed and how, without what that means for the next run: for people who stand before it.
    pub fn said(&self) -> String {
        let Failure { operation, message, .. } = self;
        format!("{operation}: {message}")
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
        Failure::transient("ListEnforcedGuardrailsConfiguration", "not read in this run")
    }

    /// The record of the deployed keeper does not say: it has not looked yet, or could not read.
    pub fn not_recorded(operation: &'static str) -> Failure {
        Failure::transient(operation, "the record of the deployed keeper does not say")
    }

    /// The failure of a look-up that was never made.
    pub fn not_looked_up(what: &impl fmt::Display) -> Failure {
        Failure::transient("GetGuardrail", format!("{what} was not looked up in this run"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { category, operation, message, .. } = self;
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
        let failure = |category, message: &str| Failure::new(category, "AssumeRole", message);
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
        let stated = Failure { explicit_deny: true, ..denied() };
        assert_eq!(stated.clone().excused(Some(now), 3600, now), stated);
        for category in [Category::Transient, Category::Rejected, Category::Gone] {
            let other = failure(category, "something else");
            assert_eq!(other.clone().excused(Some(now), 3600, now), other);
        }
    }

    #[test]
    fn a_failure_of_the_earlier_version_is_read_and_written_as_before() {
        let earlier = r#"{"category":"denied","operation":"AssumeRole","message":"AccessDenied: not you"}"#;
        let failure: Failure = serde_json::from_str(earlier).unwrap();
        assert_eq!(failure, Failure::new(Category::Denied, "AssumeRole", "AccessDenied: not you"));
        assert_eq!(failure.call(), Call::AssumeRole);
        assert_eq!(serde_json::to_string(&failure).unwrap(), earlier);
        // What a later version may add is no reason to lose the document.
        let later = earlier.replacen('{', r#"{"code":"something_new","explicit_deny":true,"#, 1);
        let failure: Failure = serde_json::from_str(&later).unwrap();
        assert_eq!((failure.code, failure.explicit_deny), (Code::Other, true));
        let known = Failure { code: Code::ExpiredCredentials, ..failure };
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), known);
    }
}
