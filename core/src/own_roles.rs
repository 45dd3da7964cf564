//! Which callers are the keeper itself.
//!
//! Recognized by account and role name, the only two parts that both forms of a principal's ARN keep.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::ids::{AccountId, InvalidId, Role, RoleName};

/// The roles the keeper works with, now and formerly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnRoles {
    /// The function's own role. It is this one role, in this one account.
    pub function: Option<Role>,
    /// The names of the role that the function assumes in member accounts.
    pub members: BTreeSet<RoleName>,
    /// Roles that earlier deployments used.
    pub former: BTreeSet<FormerRole>,
}

/// A role of an earlier deployment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FormerRole {
    /// A member role, by its name in each account.
    Member(RoleName),
    /// One role of one account.
    Exact(Role),
}

impl OwnRoles {
    /// Whether a change made in `in_account` by `role` was made by the keeper.
    ///
    /// A member role counts only in its own account: the keeper never uses one across accounts, and
    /// a principal that may create roles anywhere in the organization can create one of that name.
    pub fn is_ours(&self, role: &Role, in_account: &AccountId) -> bool {
        let OwnRoles { function, members, former } = self;
        let at_home = role.account == *in_account;
        function.as_ref() == Some(role)
            || (at_home && members.contains(&role.name))
            || former.iter().any(|former| match former {
                FormerRole::Member(name) => at_home && role.name == *name,
                FormerRole::Exact(exact) => role == exact,
            })
    }

    /// Whether the principal with this ARN, in its `role/` or its `assumed-role/` form, is the keeper
    /// when it changed something in `in_account`.
    pub fn wrote(&self, principal_arn: &str, in_account: &AccountId) -> bool {
        Role::of_principal(principal_arn).is_some_and(|role| self.is_ours(&role, in_account))
    }
}

impl FromStr for FormerRole {
    type Err = InvalidId;

    /// Reads a role's ARN, or the bare name of a member role.
    fn from_str(text: &str) -> Result<FormerRole, InvalidId> {
        if text.starts_with("arn:") {
            Role::parse_arn(text).map(FormerRole::Exact)
        } else {
            text.parse().map(FormerRole::Member)
        }
    }
}

impl fmt::Display for FormerRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormerRole::Member(name) => name.fmt(f),
            FormerRole::Exact(role) => role.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles() -> OwnRoles {
        OwnRoles {
            function: Some(Role::parse_arn("arn:aws:iam::111111111111:role/KeeperFunction").unwrap()),
            members: BTreeSet::from(["KeeperMember".parse().unwrap()]),
            former: BTreeSet::from([
                "OldMember".parse().unwrap(),
                "arn:aws:iam::111111111111:role/service/OldFunction".parse().unwrap(),
            ]),
        }
    }

    #[track_caller]
    fn check(principal: &str, in_account: &str, ours: bool) {
        let account = in_account.parse().unwrap();
        assert_eq!(roles().wrote(principal, &account), ours, "{principal} in {in_account}");
    }

    #[test]
    fn both_forms_of_each_of_our_roles_are_ours() {
        check("arn:aws:sts::300000000001:assumed-role/KeeperMember/run", "300000000001", true);
        check("arn:aws:iam::300000000001:role/keeper/KeeperMember", "300000000001", true);
        check("arn:aws-us-gov:sts::300000000001:assumed-role/KeeperMember/run", "300000000001", true);
        check("arn:aws:sts::111111111111:assumed-role/KeeperFunction/run", "111111111111", true);
        check("arn:aws:sts::111111111111:assumed-role/KeeperFunction/run", "222222222222", true);
        check("arn:aws:sts::300000000001:assumed-role/OldMember/run", "300000000001", true);
        check("arn:aws:sts::111111111111:assumed-role/OldFunction/run", "300000000001", true);
    }

    #[test]
    fn a_role_of_the_same_name_elsewhere_is_not() {
        check("arn:aws:sts::300000000002:assumed-role/KeeperMember/run", "300000000001", false);
        check("arn:aws:sts::300000000002:assumed-role/OldMember/run", "300000000001", false);
        check("arn:aws:sts::300000000001:assumed-role/KeeperFunction/run", "300000000001", false);
        check("arn:aws:sts::300000000001:assumed-role/OldFunction/run", "300000000001", false);
    }

    #[test]
    fn nobody_else_is() {
        check("arn:aws:sts::300000000001:assumed-role/Admin/KeeperMember", "300000000001", false);
        check("arn:aws:iam::300000000001:user/KeeperMember", "300000000001", false);
        check("arn:aws:iam::300000000001:root", "300000000001", false);
        check("KeeperMember", "300000000001", false);
        check("", "300000000001", false);
    }
}
