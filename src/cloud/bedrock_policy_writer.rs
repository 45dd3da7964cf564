//! Writes Bedrock policies, one call each. What may be written is decided before, and what was is read back after.

use std::sync::Arc;

use aws_sdk_organizations::Client;
use aws_sdk_organizations::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_organizations::types::{PolicyType, Tag};

use super::error::{failure, is_so_already};
use super::pace::Paces;
use super::{Cloud, Session};
use crate::bedrock_policy::{AttachPoint, OwnDocument, PolicyId, PolicyPart};
use crate::failure::Failure;
use crate::ids::InvalidId;

/// The key of the tag that the keeper's policies carry. Its role may change and attach only policies with this tag.
pub const OWN_POLICY_TAG: &str = "guardrail-keeper";

/// The tag's value.
const TAG_VALUE: &str = "bedrock-policy";

/// What people read beside the name.
const DESCRIPTION: &str = "Written by Guardrail Keeper from its baseline. Changes by others are undone.";

/// What people read who find a policy that was created to have AWS check its text, and could not be deleted.
const CHECK_DESCRIPTION: &str = "Created by guardrailctl check-policy --ask-aws to have AWS check a text. Attached to nothing; delete it.";

/// Writes Bedrock policies with the credentials of a session.
#[derive(Debug)]
pub struct BedrockPolicyWriter {
    client: Client,
    paces: Arc<Paces>,
}

impl Cloud {
    /// What writes the organization's Bedrock policies with a session's credentials.
    pub fn bedrock_policy_writer(&self, session: &Session) -> BedrockPolicyWriter {
        BedrockPolicyWriter { client: Client::new(session.sdk()), paces: Arc::clone(&self.paces) }
    }
}

impl BedrockPolicyWriter {
    /// Creates a policy. It is attached to nothing, and affects nobody.
    ///
    /// # Errors
    /// When Organizations refuses it, for example because there is one of its name.
    pub async fn create(&self, part: &PolicyPart, content: &OwnDocument) -> Result<PolicyId, Failure> {
        self.create_named(&part.to_string(), DESCRIPTION, &content.text()).await
    }

    /// Creates a policy of any text, which is to be deleted at once: so AWS judges the text.
    ///
    /// # Errors
    /// When Organizations refuses it: the text, or the call.
    pub async fn create_to_check(&self, name: &str, text: &str) -> Result<PolicyId, Failure> {
        self.create_named(name, CHECK_DESCRIPTION, text).await
    }

    async fn create_named(&self, name: &str, description: &str, text: &str) -> Result<PolicyId, Failure> {
        const OPERATION: &str = "CreatePolicy";
        self.paces.write_policies.turn().await;
        let request = self.client.create_policy().name(name).description(description);
        let request = request.r#type(PolicyType::BedrockPolicy).content(text).tags(own_tag(OPERATION)?);
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

    /// Tags a policy as the keeper's: its role may change and attach only policies with this tag.
    ///
    /// # Errors
    /// When Organizations refuses it.
    pub async fn tag(&self, policy: &PolicyId) -> Result<(), Failure> {
        const OPERATION: &str = "TagResource";
        let request = self.client.tag_resource().resource_id(policy.as_str()).tags(own_tag(OPERATION)?);
        request.send().await.map_err(|error| failure(OPERATION, &error))?;
        Ok(())
    }

    /// Gives a policy one of the keeper's names. What it says, and where it is attached, stays.
    ///
    /// # Errors
    /// When Organizations refuses it, for example because there is one of that name.
    pub async fn rename(&self, policy: &PolicyId, part: &PolicyPart) -> Result<(), Failure> {
        self.paces.write_policies.turn().await;
        let request = self.client.update_policy().policy_id(policy.as_str());
        let request = request.name(part.to_string()).description(DESCRIPTION);
        request.send().await.map_err(|error| failure("UpdatePolicy", &error))?;
        Ok(())
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

fn own_tag(operation: &str) -> Result<Tag, Failure> {
    let tag = Tag::builder().key(OWN_POLICY_TAG).value(TAG_VALUE).build();
    tag.map_err(|error| Failure::rejected(operation, error.to_string()))
}
