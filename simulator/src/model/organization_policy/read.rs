//! Reading policies, what they are attached to, and what they come to in an account.

use super::effective::EffectivePolicy;
use super::{Model, OrganizationPolicy, PolicyKind, PolicyTypeStatus};
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::switches::ListOrder;

impl Model {
    /// One policy.
    ///
    /// # Errors
    /// `PolicyNotFoundException`, `AccessDeniedException`.
    pub fn describe_policy(&self, caller: &Caller, id: &str) -> Result<&OrganizationPolicy, ApiError> {
        self.readable_policy(caller, "DescribePolicy", id)
    }

    fn readable_policy(
        &self,
        caller: &Caller,
        action: &str,
        id: &str,
    ) -> Result<&OrganizationPolicy, ApiError> {
        let Some(policy) = self.organization.policy(id) else {
            self.authorize_policy_reader(caller, action, "*", None)?;
            return self.require_policy(id);
        };
        let arn = self.organization.policy_arn(policy);
        self.authorize_policy_reader(caller, action, &arn, Some(policy.kind.name()))?;
        Ok(policy)
    }

    /// Every policy of a type, in the order of their ids.
    ///
    /// # Errors
    /// `PolicyTypeNotEnabledException` where the type is off: that was seen, though no model lists it
    /// (organization-policies §1.5).
    pub fn list_policies(&self, caller: &Caller, kind: &str) -> Result<Vec<&OrganizationPolicy>, ApiError> {
        self.authorize_policy_reader(caller, "ListPolicies", "*", Some(kind))?;
        let kind = PolicyKind::from_name(kind);
        let is_on = match kind {
            Some(PolicyKind::ServiceControlPolicy) => true,
            Some(PolicyKind::BedrockPolicy) => {
                self.organization.bedrock_policies == PolicyTypeStatus::Enabled
            }
            None => false,
        };
        if !is_on {
            let message = "The specified policy type isn't currently enabled in this root.";
            return Err(ApiError::new("PolicyTypeNotEnabledException", message));
        }
        let of_kind = |policy: &&OrganizationPolicy| Some(policy.kind) == kind;
        let mut found: Vec<&OrganizationPolicy> = self.organization.policies.iter().filter(of_kind).collect();
        found.sort_by_key(|policy| &policy.id);
        Ok(found)
    }

    /// The policies of a type that are attached to a target itself, each with what it is sorted by.
    ///
    /// # Errors
    /// `TargetNotFoundException`, `AccessDeniedException`.
    pub fn list_policies_for_target(
        &self,
        caller: &Caller,
        target: &str,
        kind: &str,
    ) -> Result<Vec<(String, &OrganizationPolicy)>, ApiError> {
        let arn = self.organization.target_arn(target);
        self.authorize_policy_reader(caller, "ListPoliciesForTarget", &arn, Some(kind))?;
        self.require_target(target)?;
        let Some(kind) = PolicyKind::from_name(kind) else { return Ok(Vec::new()) };
        let key = |(order, policy): &(u64, &OrganizationPolicy)| match self.switches.policies_for_target {
            ListOrder::ById => policy.id.clone(),
            ListOrder::ByAttachment => format!("{order:020} {}", policy.id),
        };
        let attached = self.organization.policies_on(target, kind);
        let mut found: Vec<_> = attached.into_iter().map(|each| (key(&each), each.1)).collect();
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }

    /// What a policy is attached to, in the order of the targets' ids.
    ///
    /// # Errors
    /// `PolicyNotFoundException`, `AccessDeniedException`.
    pub fn list_targets_for_policy(&self, caller: &Caller, id: &str) -> Result<Vec<&str>, ApiError> {
        let policy = self.readable_policy(caller, "ListTargetsForPolicy", id)?;
        let mut targets: Vec<&str> = policy.attachments.iter().map(|one| one.target.as_str()).collect();
        targets.sort_unstable();
        Ok(targets)
    }

    /// What an account's policies came to: the caller's own account's, or another's for whom may read it
    /// (organization-policies §1.6). There is nothing before the first look.
    ///
    /// # Errors
    /// The error of each state.
    pub fn describe_effective_policy(
        &self,
        caller: &Caller,
        kind: &str,
        target: Option<&str>,
    ) -> Result<(String, Option<&EffectivePolicy>), ApiError> {
        const OPERATION: &str = "DescribeEffectivePolicy";
        let account = target.unwrap_or_else(|| caller.account());
        let arn = self.organization.target_arn(account);
        if account == caller.account() {
            self.require_own_organization(caller)?;
            self.authorize_of_type(caller, &format!("organizations:{OPERATION}"), &arn, Some(kind))?;
        } else {
            self.authorize_policy_reader(caller, OPERATION, &arn, Some(kind))?;
        }
        if account.starts_with("r-") || account.starts_with("ou-") {
            let message = "You can't perform this operation on the specified target.";
            return Err(ApiError::because("InvalidInputException", "TARGET_NOT_SUPPORTED", message));
        }
        self.require_target(account)?;
        self.require_effective(kind)?;
        Ok((account.to_owned(), self.effective_policy(account)))
    }

    /// The accounts that keep an old document because their merge isn't valid.
    ///
    /// # Errors
    /// `EffectivePolicyNotFoundException` where the type is off.
    pub fn list_invalid_accounts(&self, caller: &Caller, kind: &str) -> Result<Vec<&str>, ApiError> {
        self.authorize_policy_reader(caller, "ListAccountsWithInvalidEffectivePolicy", "*", Some(kind))?;
        self.require_effective(kind)?;
        let effective = self.organization.effective.iter();
        Ok(effective.filter(|(_, one)| one.is_frozen()).map(|(account, _)| account.as_str()).collect())
    }

    /// Why an account keeps an old document, if it does.
    ///
    /// # Errors
    /// `AccountNotFoundException`, or `EffectivePolicyNotFoundException` where the type is off.
    pub fn list_validation_errors(
        &self,
        caller: &Caller,
        account: &str,
        kind: &str,
    ) -> Result<Option<&EffectivePolicy>, ApiError> {
        let arn = self.organization.target_arn(account);
        self.authorize_policy_reader(caller, "ListEffectivePolicyValidationErrors", &arn, Some(kind))?;
        self.require_member(account)?;
        self.require_effective(kind)?;
        Ok(self.effective_policy(account))
    }

    /// The type must be on: only then has any account a document.
    fn require_effective(&self, kind: &str) -> Result<(), ApiError> {
        let is_on = self.organization.bedrock_policies == PolicyTypeStatus::Enabled;
        if kind == PolicyKind::BedrockPolicy.name() && is_on {
            return Ok(());
        }
        let message = "If you ran this action on the management account, this policy type is not enabled.";
        Err(ApiError::new("EffectivePolicyNotFoundException", message))
    }
}
