//! The organization: accounts, their states, and where each stands in the tree.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::ids::{AccountId, InvalidId, OrganizationId, ParentId, stored_as_text};

/// An AWS Organization, or the part of it that a run looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// The account that pays; StackSets and SCPs never reach it.
    pub management: AccountId,
    /// The accounts that were looked at: all of them on a sweep, a few for an event.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Accounts whose path or id AWS didn't show: nothing can be decided for them.
    pub unplaced: Unplaced,
    /// Whether `accounts`, with those in `unplaced`, is the whole organization. Only then does a missing account or OU mean anything.
    pub complete: bool,
}

/// Accounts that were named and that can't be placed in the tree, each with why: by their ids; where AWS showed no id
/// that could be one, by what it showed instead.
///
/// What AWS says of one account is no reason to leave the others unguarded, so a run goes on without it, reports it,
/// and has not converged.
pub type Unplaced = BTreeMap<String, Failure>;

/// That an account of [`Unplaced`] isn't looked at, and why.
pub fn not_looked_at(account: &str, failure: &Failure) -> String {
    match account.parse::<AccountId>() {
        Ok(_) => format!("{account} is not looked at, because its path could not be read: {failure}"),
        Err(_) => format!("{account} is not looked at, because it can't be identified: {failure}"),
    }
}

impl Organization {
    /// A part of an organization: these accounts.
    pub fn part(
        id: OrganizationId,
        management: AccountId,
        accounts: BTreeMap<AccountId, Account>,
    ) -> Organization {
        Organization { id, management, accounts, unplaced: Unplaced::new(), complete: false }
    }

    /// The accounts in such a state.
    pub fn states(&self, counts: impl Fn(&AccountState) -> bool) -> BTreeMap<AccountId, AccountState> {
        let accounts = self.accounts.values().filter(|account| counts(&account.state));
        accounts.map(|account| (account.id.clone(), account.state.clone())).collect()
    }
}

/// One account of the organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name, for people.
    pub name: String,
    /// Whether calls may be made in it.
    pub state: AccountState,
    /// Where it stands.
    pub path: OrgPath,
    /// When it joined, where AWS says so.
    pub joined: Option<Timestamp>,
}

/// An account as Organizations showed it, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountPlacement {
    /// The account.
    pub account: Account,
    /// When Organizations was asked.
    pub placed_at: Timestamp,
}

/// The state of an account's life, as Organizations shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Being set up; calls fail for now.
    PendingActivation,
    /// In use.
    Active,
    /// Suspended by AWS.
    Suspended,
    /// On its way to being closed.
    PendingClosure,
    /// Closed; listed for 90 days more.
    Closed,
    /// A state that AWS added after this program was written, or none at all. Nothing is assumed of it: the
    /// account may be in use, so it is guarded, and it may not be, so nothing is taken away there.
    Other(String),
}

/// What stands for a state that Organizations left out.
const NOT_TOLD: &str = "not told";

impl AccountState {
    /// The state of an account for which Organizations shows none.
    pub fn not_told() -> AccountState {
        AccountState::Other(NOT_TOLD.to_owned())
    }

    /// Whether calls in the account can be expected to work.
    pub fn is_active(&self) -> bool {
        *self == AccountState::Active
    }

    /// Whether this version doesn't know what the state means.
    pub fn is_unknown(&self) -> bool {
        matches!(self, AccountState::Other(_))
    }

    /// Whether the account is worked on: calls are expected to work, or at least not known to fail.
    pub fn admits_work(&self) -> bool {
        self.is_active() || self.is_unknown()
    }
}

impl fmt::Display for AccountState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            AccountState::PendingActivation => "pending activation",
            AccountState::Active => "active",
            AccountState::Suspended => "suspended",
            AccountState::PendingClosure => "pending closure",
            AccountState::Closed => "closed",
            AccountState::Other(name) if name == NOT_TOLD => "in a state that Organizations doesn't show",
            AccountState::Other(name) => {
                return write!(f, "in a state that this version doesn't know ({name})");
            }
        };
        f.write_str(word)
    }
}

/// Where an account stands: the root, then the OUs down to its parent.
///
/// Written as `o-…/r-…/ou-…/`, the form of Organizations' `Account.Paths` and of IAM's
/// `aws:PrincipalOrgPaths`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrgPath {
    organization: OrganizationId,
    parents: Vec<ParentId>,
}

impl OrgPath {
    /// A path from its parts, root first.
    ///
    /// # Errors
    /// When the first parent is no root or a later one is.
    pub fn new(organization: OrganizationId, parents: Vec<ParentId>) -> Result<OrgPath, InvalidId> {
        let valid = parents.first().is_some_and(ParentId::is_root)
            && parents.iter().skip(1).all(|parent| !parent.is_root());
        let path = OrgPath { organization, parents };
        if valid { Ok(path) } else { Err(invalid_path(&path.to_string())) }
    }

    /// The organization at its head.
    pub fn organization(&self) -> &OrganizationId {
        &self.organization
    }

    /// The root, then the OUs down to the account's parent.
    pub fn parents(&self) -> &[ParentId] {
        &self.parents
    }
}

stored_as_text!(OrgPath);

impl FromStr for OrgPath {
    type Err = InvalidId;

    /// Reads `o-…/r-…(/ou-…)*(/<account>)?(/)?`: the account at the end, where AWS adds it, is dropped.
    fn from_str(text: &str) -> Result<OrgPath, InvalidId> {
        let mut parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
        if parts.last().is_some_and(|last| last.parse::<AccountId>().is_ok()) {
            parts.pop();
        }
        let (organization, parents) = parts.split_first().ok_or_else(|| invalid_path(text))?;
        let parents: Result<Vec<ParentId>, InvalidId> = parents.iter().map(|part| part.parse()).collect();
        match (organization.parse(), parents) {
            (Ok(organization), Ok(parents)) => OrgPath::new(organization, parents),
            (Ok(_), Err(_)) | (Err(_), _) => Err(invalid_path(text)),
        }
    }
}

impl fmt::Display for OrgPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.organization)?;
        for parent in &self.parents {
            write!(f, "{parent}/")?;
        }
        Ok(())
    }
}

fn invalid_path(text: &str) -> InvalidId {
    InvalidId::new("a path in an organization", "o-…/r-…/ou-…/", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_with_and_without_the_account() {
        let short: OrgPath = "o-exampleorgid/r-exam/ou-exam-workload/".parse().unwrap();
        let long: OrgPath = "o-exampleorgid/r-exam/ou-exam-workload/300000000001/".parse().unwrap();
        assert_eq!(short, long);
        assert_eq!(short.to_string(), "o-exampleorgid/r-exam/ou-exam-workload/");
        assert_eq!(short.parents().len(), 2);
    }

    #[test]
    fn a_path_starts_at_a_root() {
        for text in [
            "",
            "o-exampleorgid/",
            "r-exam/",
            "o-exampleorgid/ou-exam-workload/",
            "o-exampleorgid/r-exam/r-exam/",
        ] {
            assert!(text.parse::<OrgPath>().is_err(), "{text}");
        }
    }
}
