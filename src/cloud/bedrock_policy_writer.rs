//! Writes Bedrock policies, one call each. What may be written is decided before, and what was is read back after.

use std::sync::Arc;

use aws_sdk_organizations::Client;
use aws_sdk_organizations::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_organizations::types::{PolicyType, Tag};

use super::Session;
use super::error::{failure, is_so_already};
use super::pace::Paces;
use crate::bedrock_policy::{AttachPoint, OwnDocument, PolicyId, PolicyPart};
use crate::failure::Failure;
use crate::ids::{InvalidId, ParentId};

/// The key of the tag that the keeper's policies carry. Its role may change and attach only policies with this tag.
pub const OWN_POLICY_TAG: &str = "guardrail-keeper";

/// The tag's value.
const TAG_VALUE: &str = "bedrock-policy";

/// What people read beside the name.
const DESCRIPTION: &str = "Written by Guardrail Keeper from its baseline. Changes by others are undone.";

/// Writes Bedrock policies with the credentials of a session.
#[derive(Debug)]
pub struct BedrockPolicyWriter {
    client: Client,
    paces: Arc<Paces>,
}

impl BedrockPolicyWriter {
    pub(super) fn with(session: &Session, paces: Arc<Paces>) -> BedrockPolicyWriter {
        BedrockPolicyWriter { client: Client::new(session.sdk()), paces }
    }

    /// Creates a policy. It is attached to nothing, and affects nobody.
    ///
    /// # Errors
    /// When Organizations refuses it, for example because there is one of its name.
    pub async fn create(&self, part: &PolicyPart, content: &OwnDocument) -> Result<PolicyId, Failure> {
        const OPERATION: &str = "CreatePolicy";
        self.paces.write_policies.turn().await;
        let tag = Tag::builder().key(OWN_POLICY_TAG).value(TAG_VALUE).build();
        let tag = tag.map_err(|error| Failure::rejected(OPERATION, error.to_string()))?;
        let request = self.client.create_policy().name(part.to_string()).description(DESCRIPTION);
        let request = request.r#type(PolicyType::BedrockPolicy).content(content.text()).tags(tag);
        let answer = request.send().await.map_err(|error| failure(OPERATION, &error))?;
        let id = answer.policy().and_then(|policy| policy.policy_summary()).and_then(|summary| summary.id());
        let id = id.ok_or_else(|| Failure::incomplete(OPERATION, "Id"))?;
        id.parse().map_err(|invalid: InvalidId| Failure::rejected(OPERATION, invalid.to_string()))
    }

    /// Changes what a policy says, in place: its rank among those on one point stays.
    ///
    /// # Errors
    /// When Organizations refuses it; then the old content is whole.
    pub async fn update(&self, policy: &PolicyId, content: &OwnDocument) -> Result<(), Failure> {
        self.paces.write_policies.turn().await;
        let request = self.client.update_policy().policy_id(policy.as_str()).content(content.text());
        request.send().await.map_err(|error| failure("UpdatePolicy", &error))?;
        Ok(())
    }

    /// Attaches a policy. One that is attached there already stays.
    ///
    /// # Errors
    /// When Organizations refuses it.
    pub async fn attach(&self, policy: &PolicyId, point: &AttachPoint) -> Result<(), Failure> {
        self.paces.write_policies.turn().await;
        let request = self.client.attach_policy().policy_id(policy.as_str()).target_id(point.to_string());
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_so_already(&error) => Ok(()),
            Err(error) => Err(failure("AttachPolicy", &error)),
        }
    }

    /// Detaches a policy. One that isn't attached there is as it should be.
    ///
    /// # Errors
    /// When Organizations refuses it.
    pub async fn detach(&self, policy: &PolicyId, point: &AttachPoint) -> Result<(), Failure> {
        self.paces.write_policies.turn().await;
        let request = self.client.detach_policy().policy_id(policy.as_str()).target_id(point.to_string());
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_so_already(&error) => Ok(()),
            Err(error) => Err(failure("DetachPolicy", &error)),
        }
    }

    /// Deletes a policy that is attached to nothing.
    ///
    /// # Errors
    /// When Organizations refuses it, for example because it is attached somewhere.
    pub async fn delete(&self, policy: &PolicyId) -> Result<(), Failure> {
        self.paces.write_policies.turn().await;
        let request = self.client.delete_policy().policy_id(policy.as_str());
        request.send().await.map_err(|error| failure("DeletePolicy", &error))?;
        Ok(())
    }

    /// Enables the type of Bedrock policies on the root. It is no failure that it is enabled already.
    ///
    /// # Errors
    /// When Organizations refuses it.
    pub async fn enable_type(&self, root: &ParentId) -> Result<(), Failure> {
        self.paces.write_policies.turn().await;
        let request = self.client.enable_policy_type().root_id(root.as_str());
        match request.policy_type(PolicyType::BedrockPolicy).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_so_already(&error) => Ok(()),
            Err(error) => Err(failure("EnablePolicyType", &error)),
        }
    }

    /// Whether a policy carries the keeper's tag.
    ///
    /// # Errors
    /// When Organizations doesn't say.
    pub async fn is_tagged(&self, policy: &PolicyId) -> Result<bool, Failure> {
        const OPERATION: &str = "ListTagsForResource";
        let pages = self.client.list_tags_for_resource().resource_id(policy.as_str()).into_paginator().send();
        let pages = pages.try_collect().await.map_err(|error| failure(OPERATION, &error))?;
        Ok(pages.iter().flat_map(ListTagsForResourceOutput::tags).any(|tag| tag.key() == OWN_POLICY_TAG))
    }
}
