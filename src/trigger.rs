//! From an event to why we woke, and how much to look at. Decides; does no I/O.
//!
//! An event never says what to do: it only narrows what is looked at, and state is always read
//! again. So whatever is unclear in it widens the look or ends as a named no-op; it never fails.

mod context;
mod reason;
mod request;
mod scope;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

pub use context::{Context, Guardrails, Known};
pub use reason::{Departure, Ignored, Rejected, Why};
pub use request::{PlanHash, Request, RequestProblem};
pub use scope::{Accounts, ChangedGuardrail, Regions, Scope};

use crate::ids::AccountId;

/// What an event is for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Look at this.
    Reconcile(Scope),
    /// These accounts get no more calls, and their records are closed.
    Departed {
        /// The accounts.
        accounts: BTreeSet<AccountId>,
        /// Why.
        reason: Departure,
        /// The event's id, where it has one.
        event: Option<String>,
        /// When it happened, in seconds since 1970 (UTC), where it says so.
        at: Option<i64>,
    },
    /// Nothing to do, and nothing wrong.
    Ignore(Ignored),
    /// Not understood: for the dead-letter queue.
    Reject(Rejected),
}

/// Decides what an event is for us. Always decides.
pub fn decide(event: impl AsRef<[u8]>, context: &Context) -> Trigger {
    match serde_json::from_slice::<Value>(event.as_ref()) {
        Ok(event) => decide_value(&event, context),
        Err(_) => Trigger::Reject(Rejected::NotJson),
    }
}

/// As [`decide`], of an event that is parsed already.
pub fn decide_value(_event: &Value, _context: &Context) -> Trigger {
    Trigger::Ignore(Ignored::UnknownEvent)
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trigger::Reconcile(scope) => write!(f, "reconcile {scope}"),
            Trigger::Departed { accounts, reason, event: _, at: _ } => {
                f.write_str("departed ")?;
                scope::write_list(f, accounts)?;
                write!(f, ": {reason}")
            }
            Trigger::Ignore(reason) => write!(f, "ignore: {reason}"),
            Trigger::Reject(reason) => write!(f, "reject: {reason}"),
        }
    }
}
