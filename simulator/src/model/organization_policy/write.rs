//! Making, changing, attaching and deleting policies of type BEDROCK_POLICY (organization-policies §1.2, §1.3, §1.7).
//!
//! No call has a token or an expected version: of two writers the last one wins.

use serde_json::{Value, json};

use super::grammar;
use super::types::require_writable;
use super::{
    MAX_ATTACHED, MAX_CHARACTERS, MAX_POLICIES, Model, OrganizationPolicy, PolicyAttachment, PolicyKind,
};
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::event::Trail;
use crate::model::organization::Tags;
use crate::switches::IdentifierCheck;

/// What CreatePolicy asks for.
#[derive(Clone, Debug, Default)]
pub struct CreateOrganizationPolicy {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its type, as Organizations writes it.
    pub kind: String,
    /// Its text.
    pub content: String,
    /// Its tags.
    pub tags: Tags,
}

/// What UpdatePolicy asks for; what is left out stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateOrganizationPolicy {
    /// Another name.
    pub name: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Another text.
    pub content: Option<String>,
}

impl Model {
    /// Makes a policy, which is attached to nothing. The type need not be switched on (organization-policies §1.2).
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn create_policy(
        &mut self,
        caller: &Caller,
        wanted: CreateOrganizationPolicy,
    ) -> Result<OrganizationPolicy, ApiError> {
        // CreatePolicy has no resource: only a statement about `*` speaks of it.
        self.authorize_policy(caller, "CreatePolicy", &["*".to_owned()], Some(&wanted.kind))?;
        require_writable(&wanted.kind)?;
        self.check_name(&wanted.name, None)?;
        self.check_content(&wanted.content)?;
        let of_kind = |policy: &&OrganizationPolicy| policy.kind == PolicyKind::BedrockPolicy;
        if self.organization.policies.iter().filter(of_kind).count() >= MAX_POLICIES {
            let message = "You have exceeded the number of policies of this type that you can have.";
            return Err(constraint("POLICY_NUMBER_LIMIT_EXCEEDED", message));
        }
        let policy = OrganizationPolicy {
            id: format!("p-{}", self.ids.lower(10)),
            name: wanted.name,
            description: wanted.description,
            kind: PolicyKind::BedrockPolicy,
            content: wanted.content,
            of_aws: false,
            attachments: Vec::new(),
            tags: wanted.tags,
        };
        self.organization.policies.push(policy.clone());
        let request = json!({
            "name": policy.name,
            "description": policy.description,
            "type": policy.kind.name(),
            "content": policy.content,
        });
        let response = self.policy_response(&policy);
        self.trail(caller, Trail::organizations("CreatePolicy", request, response));
        Ok(policy)
    }

    /// Changes a policy in place; what is attached stays attached, in its order.
    ///
    /// # Errors
    /// Whatever stands in the way; then everything stays as it was.
    pub fn update_policy(
        &mut self,
        caller: &Caller,
        id: &str,
        wanted: UpdateOrganizationPolicy,
    ) -> Result<OrganizationPolicy, ApiError> {
        self.writable_policy(caller, "UpdatePolicy", id, None)?;
        self.require_quiet()?;
        if let Some(name) = &wanted.name {
            self.check_name(name, Some(id))?;
        }
        if let Some(content) = &wanted.content {
            self.check_content(content)?;
        }
        let mut request = json!({ "policyId": id });
        let sent =
            [("name", &wanted.name), ("description", &wanted.description), ("content", &wanted.content)];
        for (member, value) in sent.into_iter().filter_map(|(member, value)| Some((member, value.as_ref()?)))
        {
            request[member] = value.as_str().into();
        }
        let policy = self.policy_mut(id)?;
        policy.name = wanted.name.unwrap_or_else(|| policy.name.clone());
        policy.description = wanted.description.unwrap_or_else(|| policy.description.clone());
        policy.content = wanted.content.unwrap_or_else(|| policy.content.clone());
        let updated = policy.clone();
        let response = self.policy_response(&updated);
        self.trail(caller, Trail::organizations("UpdatePolicy", request, response));
        self.policies_were_changed();
        // Also where nothing changed but the name: the time of the last look moves (organization-policies §1.6).
        for attachment in &updated.attachments {
            self.policies_changed(&attachment.target);
        }
        Ok(updated)
    }

    /// Deletes a policy that is attached to nothing.
    ///
    /// # Errors
    /// `PolicyInUseException`, or whatever else stands in the way.
    pub fn delete_policy(&mut self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        let policy = self.writable_policy(caller, "DeletePolicy", id, None)?;
        if !policy.attachments.is_empty() {
            let message = "The policy is attached to one or more entities. You must detach it first.";
            return Err(ApiError::new("PolicyInUseException", message));
        }
        self.organization.policies.retain(|policy| policy.id != id);
        self.trail(caller, Trail::organizations("DeletePolicy", json!({ "policyId": id }), Value::Null));
        Ok(())
    }

    /// Attaches a policy to the root, a unit or an account, after all that is attached there.
    ///
    /// # Errors
    /// Whatever stands in the way. Nothing looks at the guardrail (organization-policies §1.1).
    pub fn attach_policy(&mut self, caller: &Caller, id: &str, target: &str) -> Result<(), ApiError> {
        let attached = self.writable_policy(caller, "AttachPolicy", id, Some(target))?.is_attached_to(target);
        self.require_target(target)?;
        self.require_type_enabled()?;
        self.require_trusted_access()?;
        self.require_quiet()?;
        if attached {
            let message = "The selected policy is already attached to the specified target.";
            return Err(ApiError::new("DuplicatePolicyAttachmentException", message));
        }
        if self.organization.policies_on(target, PolicyKind::BedrockPolicy).len() >= MAX_ATTACHED {
            let message = "You have attached the maximum number of policies of this type to the target.";
            return Err(constraint("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", message));
        }
        let order = self.next_attachment();
        self.policy_mut(id)?.attachments.push(PolicyAttachment { target: target.to_owned(), order });
        self.attachment_changed(caller, "AttachPolicy", id, target);
        Ok(())
    }

    /// Takes a policy away from what it is attached to.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn detach_policy(&mut self, caller: &Caller, id: &str, target: &str) -> Result<(), ApiError> {
        let attached = self.writable_policy(caller, "DetachPolicy", id, Some(target))?.is_attached_to(target);
        self.require_target(target)?;
        self.require_quiet()?;
        if !attached {
            let message = "The policy isn't attached to the specified target in the specified root.";
            return Err(ApiError::new("PolicyNotAttachedException", message));
        }
        self.policy_mut(id)?.attachments.retain(|attachment| attachment.target != target);
        self.attachment_changed(caller, "DetachPolicy", id, target);
        Ok(())
    }

    /// The event names no type (organization-policies §1.9).
    fn attachment_changed(&mut self, caller: &Caller, operation: &str, id: &str, target: &str) {
        let request = json!({ "policyId": id, "targetId": target });
        self.trail(caller, Trail::organizations(operation, request, Value::Null));
        self.policies_were_changed();
        self.policies_changed(target);
    }

    fn policy_mut(&mut self, id: &str) -> Result<&mut OrganizationPolicy, ApiError> {
        let found = self.organization.policies.iter_mut().find(|policy| policy.id == id);
        found.ok_or_else(|| {
            ApiError::new("PolicyNotFoundException", "You specified a policy that doesn't exist.")
        })
    }

    fn check_name(&self, name: &str, but: Option<&str>) -> Result<(), ApiError> {
        let others = self.organization.policies.iter().filter(|policy| Some(policy.id.as_str()) != but);
        if others.into_iter().any(|policy| policy.name == name) {
            let message = "A policy with the same name already exists.";
            return Err(ApiError::new("DuplicatePolicyException", message));
        }
        Ok(())
    }

    fn check_content(&self, content: &str) -> Result<(), ApiError> {
        if content.chars().count() > MAX_CHARACTERS {
            let message = "You have exceeded the size of a policy document of this type.";
            return Err(constraint("POLICY_CONTENT_LIMIT_EXCEEDED", message));
        }
        grammar::check(content, self.switches)?;
        let is_checked = self.switches.identifier_check == IdentifierCheck::Create;
        let is_right =
            || self.merged_alone(content).is_some_and(|merged| self.names_existing_versions(&merged));
        if is_checked && !is_right() { Err(grammar::malformed()) } else { Ok(()) }
    }

    fn policy_response(&self, policy: &OrganizationPolicy) -> Value {
        let summary = json!({
            "id": policy.id,
            "arn": self.organization.policy_arn(policy),
            "name": policy.name,
            "description": policy.description,
            "type": policy.kind.name(),
            "awsManaged": policy.of_aws,
        });
        json!({ "policy": { "policySummary": summary, "content": policy.content } })
    }
}

fn constraint(reason: &str, message: &str) -> ApiError {
    ApiError::because("ConstraintViolationException", reason, message)
}
