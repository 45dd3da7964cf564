//! IAM roles, and how AWS names their sessions.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AccountId, InvalidId, text_id};

text_id!(
    /// A role's name without its path: what an assumed-role ARN keeps of it.
    RoleName,
    "a role name",
    "1 to 64 letters, digits and +=,.@_-",
    |text| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
    }
);

/// A role by account and name.
///
/// AWS writes the same caller as `arn:aws:iam::ACCOUNT:role/PATH/NAME` in one place and as
/// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION` in another, and which one
/// `createdBy` and `updatedBy` carry is not documented. Account and name are what both keep.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Role {
    /// The account that holds the role.
    pub account: AccountId,
    /// The role's name, without its path.
    pub name: RoleName,
}

impl Role {
    /// The role behind a principal's ARN in either form; `None` for users, roots and services.
    pub fn of_principal(arn: &str) -> Option<Role> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, service, _, account, resource] = parts.as_slice() else {
            return None;
        };
        let name = match (*service, resource.split_once('/')?) {
            ("iam", ("role", path_and_name)) => path_and_name.rsplit('/').next()?,
            ("sts", ("assumed-role", name_and_session)) => name_and_session.split('/').next()?,
            _ => return None,
        };
        Some(Role { account: account.parse().ok()?, name: name.parse().ok()? })
    }

    /// Parses a role's own ARN, `arn:aws:iam::ACCOUNT:role/NAME`.
    pub fn parse_arn(arn: &str) -> Result<Role, InvalidId> {
        Role::of_principal(arn)
            .filter(|_| arn.contains(":role/"))
            .ok_or_else(|| InvalidId::new("a role ARN", "arn:aws:iam::ACCOUNT:role/NAME", arn))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:role/{}", self.account, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_role() {
        let role = Role::of_principal("arn:aws:iam::300000000001:role/path/to/Keeper").unwrap();
        let session = Role::of_principal("arn:aws:sts::300000000001:assumed-role/Keeper/run-1").unwrap();
        assert_eq!(role, session);
        assert_eq!(role.to_string(), "300000000001:role/Keeper");
    }

    #[test]
    fn others_name_none() {
        for arn in [
            "arn:aws:iam::300000000001:user/Keeper",
            "arn:aws:iam::300000000001:root",
            "arn:aws:sts::300000000001:federated-user/Keeper",
            "arn:aws:iam::3000:role/Keeper",
            "AROAEXAMPLE:Keeper",
            "",
        ] {
            assert_eq!(Role::of_principal(arn), None, "{arn}");
        }
    }
}
