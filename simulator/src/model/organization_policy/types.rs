//! Switching a type of policies on and off in the root.

use serde_json::{Value, json};

use super::{Model, PolicyKind, PolicyTypeStatus};
use crate::model::Pending;
use crate::model::caller::Caller;
use crate::model::clock;
use crate::model::error::ApiError;
use crate::model::event::Trail;
use crate::switches::OnOff;

/// The service that a policy type belongs to, where trusted access for it is needed.
const TRUSTED: &str = "bedrock.amazonaws.com";

impl Model {
    /// Switches a type on. It has effect after `policy_type_seconds`.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn enable_policy_type(&mut self, caller: &Caller, root: &str, kind: &str) -> Result<Value, ApiError> {
        self.authorize_policy(caller, "EnablePolicyType", &[self.organization.target_arn(root)], Some(kind))?;
        self.require_changeable_type(root, kind)?;
        match self.organization.bedrock_policies {
            PolicyTypeStatus::Enabled => {
                let message = "The specified policy type is already enabled.";
                return Err(ApiError::new("PolicyTypeAlreadyEnabledException", message));
            }
            PolicyTypeStatus::Off => {}
            _ => return Err(changes_in_progress()),
        }
        self.require_trusted_access()?;
        let delay = self.settings.policy_type_seconds;
        if delay == 0 {
            self.finish_enabling();
        } else {
            self.organization.bedrock_policies = PolicyTypeStatus::PendingEnable;
            self.schedule(clock::after(self.now(), delay), Pending::PolicyType);
        }
        let shown = self.organization.shown_root();
        self.trail(
            caller,
            Trail::organizations("EnablePolicyType", type_request(root, kind), type_response(&shown)),
        );
        self.policies_were_changed();
        Ok(shown)
    }

    /// Switches a type off: nothing of it is attached any more, and no account has an effective document
    /// (organization-policies §1.6).
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn disable_policy_type(
        &mut self,
        caller: &Caller,
        root: &str,
        kind: &str,
    ) -> Result<Value, ApiError> {
        self.authorize_policy(
            caller,
            "DisablePolicyType",
            &[self.organization.target_arn(root)],
            Some(kind),
        )?;
        self.require_changeable_type(root, kind)?;
        match self.organization.bedrock_policies {
            PolicyTypeStatus::Off => {
                let message = "The specified policy type isn't currently enabled in this root.";
                return Err(ApiError::new("PolicyTypeNotEnabledException", message));
            }
            PolicyTypeStatus::Enabled => {}
            _ => return Err(changes_in_progress()),
        }
        // The recorded answer still said ENABLED (organization-policies §1.9).
        let mut shown = self.organization.shown_root();
        let policies = self.organization.policies.iter_mut();
        for policy in policies.filter(|policy| policy.kind == PolicyKind::BedrockPolicy) {
            policy.attachments.clear();
        }
        let delay = self.settings.policy_type_seconds;
        self.organization.bedrock_policies = PolicyTypeStatus::Off;
        if delay > 0 {
            self.organization.bedrock_policies = PolicyTypeStatus::PendingDisable;
            self.schedule(clock::after(self.now(), delay), Pending::PolicyType);
            shown = self.organization.shown_root();
        }
        self.withdraw_effective_policies();
        self.trail(
            caller,
            Trail::organizations("DisablePolicyType", type_request(root, kind), type_response(&shown)),
        );
        self.policies_were_changed();
        Ok(shown)
    }

    /// Switches the type on at once. Nobody is asked and no event tells of it.
    pub fn enable_bedrock_policies(&mut self) {
        self.finish_enabling();
    }

    /// Ends whatever change of the type is under way.
    pub(crate) fn finish_policy_type(&mut self) {
        match self.organization.bedrock_policies {
            PolicyTypeStatus::PendingEnable => self.finish_enabling(),
            PolicyTypeStatus::PendingDisable => self.organization.bedrock_policies = PolicyTypeStatus::Off,
            PolicyTypeStatus::Off | PolicyTypeStatus::Enabled => {}
        }
    }

    fn finish_enabling(&mut self) {
        self.organization.bedrock_policies = PolicyTypeStatus::Enabled;
        let root = self.organization.root.clone();
        self.policies_changed(&root);
    }

    fn require_changeable_type(&self, root: &str, kind: &str) -> Result<(), ApiError> {
        if root != self.organization.root {
            return Err(ApiError::new("RootNotFoundException", "You specified a root that doesn't exist."));
        }
        require_writable(kind)?;
        self.require_quiet()
    }

    /// Where trusted access is needed, whoever attaches needs it too (organization-policies §1.5: probably not).
    pub(super) fn require_trusted_access(&self) -> Result<(), ApiError> {
        if self.switches.trusted_access_needed == OnOff::Off
            || self.organization.trusted_services.contains_key(TRUSTED)
        {
            return Ok(());
        }
        let message = "You must enable trusted access for the service before you use this policy type.";
        Err(ApiError::because("ConstraintViolationException", "SERVICE_ACCESS_NOT_ENABLED", message))
    }

    /// The type must be on.
    pub(super) fn require_type_enabled(&self) -> Result<(), ApiError> {
        match self.organization.bedrock_policies {
            PolicyTypeStatus::Enabled => Ok(()),
            PolicyTypeStatus::Off => {
                let message = "The specified policy type isn't currently enabled in this root.";
                Err(ApiError::new("PolicyTypeNotEnabledException", message))
            }
            _ => Err(changes_in_progress()),
        }
    }

    /// For `policy_changes_seconds` after a change there can be no other (organization-policies §1.7).
    pub(super) fn require_quiet(&self) -> Result<(), ApiError> {
        let seconds = self.settings.policy_changes_seconds;
        match self.organization.policies_changed_at {
            Some(at) if seconds > 0 && clock::after(at, seconds) > self.now() => Err(changes_in_progress()),
            _ => Ok(()),
        }
    }

    pub(super) fn policies_were_changed(&mut self) {
        self.organization.policies_changed_at = Some(self.now());
    }
}

/// Only one type can be written here; a call about another one is not modelled.
pub(crate) fn require_writable(kind: &str) -> Result<(), ApiError> {
    if kind == PolicyKind::BedrockPolicy.name() {
        return Ok(());
    }
    let message = format!("Writing policies of type {kind} is not modelled.");
    Err(ApiError::new("UnknownOperationException", message))
}

pub(super) fn changes_in_progress() -> ApiError {
    ApiError::new("PolicyChangesInProgressException", "Changes to the effective policy are in progress.")
}

fn type_request(root: &str, kind: &str) -> Value {
    json!({ "rootId": root, "policyType": kind })
}

/// As CloudTrail writes an answer: names with a small first letter.
fn type_response(root: &Value) -> Value {
    let of = |kind: &Value| json!({ "type": kind["Type"], "status": kind["Status"] });
    let types: Vec<Value> = root["PolicyTypes"].as_array().into_iter().flatten().map(of).collect();
    json!({ "root": { "id": root["Id"], "arn": root["Arn"], "name": root["Name"], "policyTypes": types } })
}
