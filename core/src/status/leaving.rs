//! What stays in an account that is about to leave its organization, and then breaks its calls.

use std::fmt;

use super::{Judged, Standing};
use crate::enforcement::Enforcement;
use crate::ids::AccountId;
use crate::record::{AccountRecord, LastSeen, Record};

/// What stays in one Region of an account that leaves.
///
/// A guardrail is shared within an organization. An account that enforces another account's guardrail can't be
/// expected to apply it from outside, so its Bedrock calls fail there, even if the keeper didn't enforce it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// Another account's guardrail.
    Enforced(Enforcement),
    /// It isn't known what.
    Unread,
}

impl Stays {
    /// What an enforcement means for the account once it has left; `None` where it uses a guardrail of its own.
    pub fn of(account: &AccountId, enforced: &Enforcement) -> Option<Stays> {
        (enforced.guardrail.account != *account).then(|| Stays::Enforced(enforced.clone()))
    }

    /// What is known by the record of one Region.
    pub fn recorded(account: &AccountId, record: &Record) -> Option<Stays> {
        let looked = record.checked.as_ref().map(|checked| checked.at);
        match &record.seen {
            Some(LastSeen { at, .. }) if looked.is_some_and(|looked| *at < looked) => Some(Stays::Unread),
            Some(LastSeen { enforcement: Some(seen), .. }) => Stays::of(account, seen),
            Some(LastSeen { enforcement: None, .. }) => None,
            None => Some(Stays::Unread),
        }
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stays::Enforced(enforcement) => write!(
                f,
                "{enforcement} stays enforced and uses a guardrail of account {}: once this account has left, its \
                 Bedrock calls there may fail until its own administrator removes the enforcement",
                enforcement.guardrail.account
            ),
            Stays::Unread => f.write_str(
                "what is enforced there could not be read: if it is another account's guardrail, the Bedrock calls \
                 there may fail once this account has left",
            ),
        }
    }
}

impl Judged {
    /// In an account that is about to leave, what stays there and would break its calls is not good.
    #[must_use]
    pub fn where_it_may_leave(self, id: &AccountId, account: &AccountRecord, record: &Record) -> Judged {
        if account.offboarding.is_none() || !self.standing.is_good() {
            return self;
        }
        let Some(stays) = Stays::recorded(id, record) else { return self };
        let standing = match stays {
            Stays::Enforced(_) => Standing::Held,
            Stays::Unread => Standing::Unknown,
        };
        Judged { standing, reason: Some(format!("the account is about to leave: {stays}")) }
    }
}
