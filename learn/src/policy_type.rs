//! Enabling the policy type: by separate consent only, and never taken back. DisablePolicyType is called nowhere.

use std::time::Duration;

use aws_sdk_organizations::types::PolicyType;

use crate::answered::{Answered, AwsRefusal};
use crate::calls::Halt;
use crate::experiments::root;
use crate::journal::Made;
use crate::lab::Lab;

/// How long it may take; the call is asynchronous.
const ENABLED: Duration = Duration::from_secs(180);

impl Lab {
    /// Makes sure that Bedrock policies can be attached. Refused means refused by AWS.
    ///
    /// # Errors
    /// [`Halt::Because`] where that takes a consent that wasn't given.
    pub async fn policy_type(&self) -> Result<Answered<()>, Halt> {
        let (root_id, is_on) = root(&self.calls, &self.cloud).await?;
        if is_on {
            return Ok(Ok(()));
        }
        if !self.means.enables_policy_type {
            let why = "the policy type BEDROCK_POLICY is not enabled; with --may-enable-policy-type it would be, and \
                       would stay so";
            return Err(Halt::Because(why.to_owned()));
        }
        let client = self.cloud.organizations()?;
        let number = self.record(Made::PolicyType { root: root_id.clone() })?;
        let enabled = self.calls.firmly("EnablePolicyType", async || {
            let enable = client.enable_policy_type().root_id(&root_id);
            enable.policy_type(PolicyType::BedrockPolicy).send().await
        });
        if let Err(refusal) = enabled.await?
            && refusal.code != "PolicyTypeAlreadyEnabledException"
        {
            self.forget_refused(number, &refusal)?;
            return Ok(Err(refusal));
        }
        let on = async || Ok(root(&self.calls, &self.cloud).await?.1.then_some(()));
        let never = || Halt::Because("the policy type doesn't become enabled".to_owned());
        self.calls.until(ENABLED, on).await?.ok_or_else(never)?;
        Ok(Ok(()))
    }

    /// What AWS refused isn't there; what it didn't answer may be.
    fn forget_refused(&self, number: usize, refusal: &AwsRefusal) -> Result<(), Halt> {
        if refusal.is_transient() { Ok(()) } else { self.forget(number) }
    }
}
