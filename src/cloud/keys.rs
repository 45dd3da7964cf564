//! Looks at customer managed keys in the account that owns them.

use super::Reader;
use super::error::failure;
use crate::ids::KmsKeyArn;
use crate::resolved::{CustomerKey, KeyState};

impl Reader {
    /// The customer managed key of a guardrail's draft: all its versions have the same.
    ///
    /// # Errors
    /// When the guardrail can't be read.
    pub async fn key_arn(
        &self,
        guardrail: &crate::ids::GuardrailArn,
    ) -> Result<Option<KmsKeyArn>, crate::failure::Failure> {
        let answer = self.bedrock.get_guardrail().guardrail_identifier(guardrail.to_string()).send().await;
        let answer = answer.map_err(|error| failure("GetGuardrail", &error))?;
        Ok(answer.kms_key_arn().and_then(|arn| arn.parse().ok()))
    }

    /// The state and the policy of a key that encrypts a guardrail. What can't be read is said to be unknown:
    /// a key may belong to yet another account, and an owner role of an earlier release may not look.
    pub async fn customer_key(&self, arn: KmsKeyArn) -> CustomerKey {
        let kms = self.kms(&arn.region);
        let name = arn.to_string();
        let (described, policy) =
            tokio::join!(kms.describe_key().key_id(&name).send(), kms.get_key_policy().key_id(&name).send());
        let state = match described {
            Ok(answer) => match answer.key_metadata().and_then(aws_sdk_kms::types::KeyMetadata::key_state) {
                Some(aws_sdk_kms::types::KeyState::Enabled) => KeyState::Enabled,
                Some(other) => KeyState::Unusable { state: other.as_str().to_owned() },
                None => KeyState::Unknown { why: "KMS's answer leaves out its state".to_owned() },
            },
            Err(error) => KeyState::Unknown { why: failure("DescribeKey", &error).to_string() },
        };
        let policy = match policy {
            Ok(answer) => answer.policy().map(str::to_owned),
            Err(error) => {
                tracing::warn!(
                    kms.key.arn = %arn,
                    "failed to read the key policy of {arn}, so only the probe shows whether members may use the key: {}",
                    failure("GetKeyPolicy", &error)
                );
                None
            }
        };
        CustomerKey { arn, state, policy }
    }
}
