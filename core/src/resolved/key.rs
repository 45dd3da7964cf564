//! The customer managed key of a guardrail, as the owner account showed it, and whether it stands in the way.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Unusable;
use crate::ids::{AccountId, KmsKeyArn, OrganizationId};
use crate::resource_policy::{AccessVerdict, Document, key_admits, key_admits_organization};

/// A customer managed KMS key that encrypts a guardrail.
///
/// A principal that calls a model under the guardrail needs `kms:Decrypt` on it
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails-permissions-kms.html>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerKey {
    /// The key.
    pub arn: KmsKeyArn,
    /// Whether it can be used.
    pub state: KeyState,
    /// Its key policy, as text; `None` where it could not be read.
    pub policy: Option<String>,
}

/// Whether a key can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum KeyState {
    /// It can.
    Enabled,
    /// It can't: calls under the guardrail fail.
    Unusable {
        /// KMS's word for it, such as `Disabled` or `PendingDeletion`.
        state: String,
    },
    /// The owner account could not be asked.
    Unknown {
        /// Why, in words.
        why: String,
    },
}

impl CustomerKey {
    /// Why the guardrail can't be enforced in an account, as far as its key shows. What isn't known or
    /// isn't clear is left to the probe, which uses the key as the member.
    pub fn stands_in_the_way(&self, account: &AccountId, organization: &OrganizationId) -> Option<Unusable> {
        if let KeyState::Unusable { state } = &self.state {
            return Some(Unusable::KeyUnusable { key: self.arn.clone(), state: state.clone() });
        }
        match self.verdict(account, organization)? {
            AccessVerdict::Granted | AccessVerdict::Unclear(_) => None,
            verdict @ AccessVerdict::NotGranted(_) => {
                Some(Unusable::KeyNotShared { key: self.arn.clone(), why: verdict.to_string() })
            }
        }
    }

    /// Whether the key policy lets every account of the organization decrypt, as far as its text shows. `None`
    /// where it can't be read.
    pub fn admits_organization(&self, organization: &OrganizationId) -> Option<AccessVerdict> {
        let document: Document = self.policy.as_ref()?.parse().ok()?;
        Some(key_admits_organization(&document, &self.arn, organization))
    }

    /// What the key policy says of an account. `None` for the key's own account, whose principals it may name
    /// one by one, and where the policy can't be read.
    fn verdict(&self, account: &AccountId, organization: &OrganizationId) -> Option<AccessVerdict> {
        if self.arn.account == *account {
            return None;
        }
        let document: Document = self.policy.as_ref()?.parse().ok()?;
        Some(key_admits(&document, &self.arn, account, organization))
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyState::Enabled => f.write_str("Enabled"),
            KeyState::Unusable { state } => f.write_str(state),
            KeyState::Unknown { why } => write!(f, "not known: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555";

    fn key(state: KeyState, policy: Option<&str>) -> CustomerKey {
        CustomerKey { arn: KEY.parse().unwrap(), state, policy: policy.map(str::to_owned) }
    }

    fn in_the_way(key: &CustomerKey, account: &str) -> Option<String> {
        let why = key.stands_in_the_way(&account.parse().unwrap(), &"o-exampleorgid".parse().unwrap());
        why.map(|unusable| unusable.code())
    }

    #[test]
    fn a_key_stands_in_the_way_of_whom_it_surely_refuses() {
        let (owner_account, member_account) = ("222222222222", "300000000001");
        let closed = r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},"Action":"kms:*","Resource":"*"}]}"#;
        let open = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}}]}"#;
        let unclear = open.replace("aws:PrincipalOrgID", "kms:ViaService");
        let disabled = KeyState::Unusable { state: "Disabled".to_owned() };
        let unknown = KeyState::Unknown { why: "denied".to_owned() };
        for (key, owner, member) in [
            (key(KeyState::Enabled, Some(closed)), None, Some("key_not_shared")),
            (key(KeyState::Enabled, Some(open)), None, None),
            (key(KeyState::Enabled, Some(&unclear)), None, None),
            (key(KeyState::Enabled, None), None, None),
            (key(KeyState::Enabled, Some("no JSON")), None, None),
            (key(unknown, None), None, None),
            (key(disabled, Some(open)), Some("key_unusable"), Some("key_unusable")),
        ] {
            assert_eq!(in_the_way(&key, owner_account).as_deref(), owner, "{key:?}");
            assert_eq!(in_the_way(&key, member_account).as_deref(), member, "{key:?}");
        }
    }
}
