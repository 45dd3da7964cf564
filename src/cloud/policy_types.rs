//! Organizations: whether policies of type `BEDROCK_POLICY` are enabled in the root, and enabling them: for a
//! person at a terminal, and for the function where the deployment has it repair a disabled type. Nothing here disables a
//! type.

use aws_sdk_organizations::Client;
use aws_sdk_organizations::operation::list_roots::ListRootsOutput;
use aws_sdk_organizations::types::{PolicyType, PolicyTypeStatus};

use super::error::{failure, is_so_already, needs_service_access};
use super::{Cloud, Session};
use crate::failure::Failure;
use crate::ids::{InvalidId, ParentId};

/// The service whose trusted access AWS may ask for.
const SERVICE: &str = "bedrock.amazonaws.com";

/// Whether Bedrock policies are enabled in a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyTypeState {
    /// They are not.
    Off,
    /// They are being enabled.
    BeingEnabled,
    /// They are.
    Enabled,
    /// They are being disabled.
    BeingDisabled,
    /// Something that AWS added since.
    Other(String),
}

/// What AWS answers who enables a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnablingAnswer {
    /// It is being enabled, or was enabled already.
    Begun,
    /// The service needs trusted access first. In AWS's words.
    NeedsTrustedAccess(String),
}

/// Reads and enables the type with the credentials of a session.
#[derive(Debug)]
pub struct PolicyTypes {
    client: Client,
}

impl Cloud {
    /// What reads and enables the type of Bedrock policies with a session's credentials.
    pub fn policy_types(&self, session: &Session) -> PolicyTypes {
        PolicyTypes { client: Client::new(session.sdk()) }
    }
}

impl PolicyTypes {
    /// The root, and whether Bedrock policies are enabled there.
    ///
    /// # Errors
    /// When Organizations doesn't say.
    pub async fn state(&self) -> Result<(ParentId, PolicyTypeState), Failure> {
        const OPERATION: &str = "ListRoots";
        let pages = self.client.list_roots().into_paginator().send().try_collect().await;
        let pages = pages.map_err(|error| failure(OPERATION, &error))?;
        let root = pages.iter().flat_map(ListRootsOutput::roots).next();
        let root = root.ok_or_else(|| Failure::incomplete(OPERATION, "Roots"))?;
        let id = root.id().ok_or_else(|| Failure::incomplete(OPERATION, "Id"))?;
        let id =
            id.parse().map_err(|invalid: InvalidId| Failure::rejected(OPERATION, invalid.to_string()))?;
        let mut types = root.policy_types().iter();
        let status =
            types.find(|one| one.r#type() == Some(&PolicyType::BedrockPolicy)).and_then(|one| one.status());
        let state = match status {
            None => PolicyTypeState::Off,
            Some(PolicyTypeStatus::Enabled) => PolicyTypeState::Enabled,
            Some(PolicyTypeStatus::PendingEnable) => PolicyTypeState::BeingEnabled,
            Some(PolicyTypeStatus::PendingDisable) => PolicyTypeState::BeingDisabled,
            Some(other) => PolicyTypeState::Other(other.as_str().to_owned()),
        };
        Ok((id, state))
    }

    /// Enables the type in the root. It is enabled some moments later.
    ///
    /// # Errors
    /// When Organizations refuses it.
    pub async fn enable(&self, root: &ParentId) -> Result<EnablingAnswer, Failure> {
        let request = self.client.enable_policy_type().root_id(root.as_str());
        match request.policy_type(PolicyType::BedrockPolicy).send().await {
            Ok(_) => Ok(EnablingAnswer::Begun),
            Err(error) if is_so_already(&error) => Ok(EnablingAnswer::Begun),
            Err(error) if needs_service_access(&error) => {
                Ok(EnablingAnswer::NeedsTrustedAccess(failure("EnablePolicyType", &error).message))
            }
            Err(error) => Err(failure("EnablePolicyType", &error)),
        }
    }

    /// Lets Bedrock work in the organization (trusted access).
    ///
    /// # Errors
    /// When Organizations refuses it.
    pub async fn trust(&self) -> Result<(), Failure> {
        let request = self.client.enable_aws_service_access().service_principal(SERVICE);
        request.send().await.map_err(|error| failure("EnableAWSServiceAccess", &error))?;
        Ok(())
    }
}
