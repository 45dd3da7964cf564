//! Customer managed keys of KMS, as far as a guardrail needs them: whether a key can be used, and by whom.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Model;
use super::caller::{Caller, refusal};
use super::error::ApiError;
use super::guardrail::GuardrailName;
use super::resource_policy::Admission;
use crate::switches::Answer;

/// A customer managed key.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Its id, as in `11111111-2222-4333-8444-555555555555`.
    pub id: String,
    /// Whether it can be used.
    #[serde(default)]
    pub state: KeyState,
    /// Its key policy; the one that KMS gives a key, which leaves it to the account's own IAM, when left out.
    #[serde(default)]
    pub policy: Option<Value>,
}

/// Whether a key can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// It can.
    #[default]
    Enabled,
    /// Somebody switched it off.
    Disabled,
    /// It will be deleted.
    PendingDeletion,
}

impl KeyState {
    /// KMS's word for it.
    pub fn name(self) -> &'static str {
        match self {
            KeyState::Enabled => "Enabled",
            KeyState::Disabled => "Disabled",
            KeyState::PendingDeletion => "PendingDeletion",
        }
    }
}

impl Key {
    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:kms:{}:{}:key/{}", self.region, self.account, self.id)
    }

    /// Its key policy.
    pub fn policy(&self) -> Value {
        self.policy.clone().unwrap_or_else(|| {
            json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": { "AWS": format!("arn:aws:iam::{}:root", self.account) },
                    "Action": "kms:*",
                    "Resource": "*",
                }],
            })
        })
    }
}

/// A key may be given by id, alias or ARN, and is shown by ARN. An alias is shown as a key of a made-up id,
/// because aliases are not modelled.
pub(crate) fn key_arn(guardrail: &GuardrailName, key: &str) -> String {
    if key.starts_with("arn:") && key.contains(":key/") {
        return key.to_owned();
    }
    let id = if key.contains("alias/") { "00000000-0000-4000-8000-000000000000" } else { key };
    format!("arn:aws:kms:{}:{}:key/{id}", guardrail.region, guardrail.account)
}

impl Model {
    /// A key, by its ARN.
    pub fn key(&self, arn: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.arn() == arn)
    }

    /// Puts a key there, or another one in its place.
    pub fn put_key(&mut self, key: Key) {
        self.keys.retain(|known| known.arn() != key.arn());
        self.keys.push(key);
    }

    /// Whoever calls a model under a guardrail with a customer managed key needs `kms:Decrypt` on the key
    /// (<https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails-permissions-kms.html>). A key that
    /// this world doesn't know stands in nobody's way.
    ///
    /// Which error Bedrock answers with is not documented; IAM's refusal and a validation error are guesses.
    pub(crate) fn authorize_decryption(&self, caller: &Caller, arn: &str) -> Result<(), ApiError> {
        let Some(key) = self.key(arn) else { return Ok(()) };
        if key.account != caller.account() && self.switches.customer_key_across_accounts == Answer::Refused {
            let why = "because the key belongs to another account";
            return Err(refusal(caller, "kms:Decrypt", arn, why));
        }
        self.authorize_key(caller, "kms:Decrypt", key)?;
        match key.state {
            KeyState::Enabled => Ok(()),
            state @ (KeyState::Disabled | KeyState::PendingDeletion) => Err(ApiError::validation(format!(
                "The KMS key {arn} that encrypts the guardrail is {}.",
                state.name()
            ))),
        }
    }

    /// Whether the key policy and the caller's own permissions let it use a key. The key policy comes first:
    /// without a statement for the account, its IAM policies have no say.
    pub(crate) fn authorize_key(&self, caller: &Caller, action: &str, key: &Key) -> Result<(), ApiError> {
        let arn = key.arn();
        let admission = self.policy_admits(&key.policy(), &arn, caller.account(), action);
        if admission == Admission::None {
            let why = format!("because no resource-based policy allows the {action} action");
            return Err(refusal(caller, action, &arn, &why));
        }
        let own = key.account == caller.account() && admission == Admission::Principal;
        if own {
            self.deny_by_organization(caller, action, &arn)
        } else {
            self.authorize(caller, action, &arn)
        }
    }

    /// A key for KMS's own operations, by id or ARN.
    pub(crate) fn key_as(&self, caller: &Caller, action: &str, named: &str) -> Result<&Key, ApiError> {
        let arn = match named.starts_with("arn:") {
            true => named.to_owned(),
            false => format!("arn:aws:kms:{}:{}:key/{named}", caller.region, caller.account()),
        };
        let key = self.key(&arn).filter(|key| key.region == caller.region);
        let key =
            key.ok_or_else(|| ApiError::new("NotFoundException", format!("Key '{arn}' does not exist")))?;
        self.authorize_key(caller, action, key)?;
        Ok(key)
    }
}
