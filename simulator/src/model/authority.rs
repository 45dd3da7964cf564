//! Who may read and change the organization and its policies (organization-policies §1.5).
//!
//! The management account may do everything, as far as its principals' permissions go. Another account needs the
//! organization's own resource policy, the delegation policy, to admit it besides; reading is also open to delegated
//! administrators of any service.

use super::Model;
use super::caller::Caller;
use super::error::ApiError;
use super::organization::Account;
use super::organization_policy::{OrganizationPolicy, require_writable};

impl Model {
    /// What any account of the organization may read.
    ///
    /// # Errors
    /// `AWSOrganizationsNotInUseException` outside of the organization, `AccessDeniedException` without permission.
    pub fn authorize_member(&self, caller: &Caller, action: &str) -> Result<(), ApiError> {
        self.authorize_member_on(caller, action, "*")
    }

    fn authorize_member_on(&self, caller: &Caller, action: &str, resource: &str) -> Result<(), ApiError> {
        self.require_own_organization(caller)?;
        self.authorize(caller, &format!("organizations:{action}"), resource)
    }

    /// The caller's account must be in the organization.
    pub(crate) fn require_own_organization(&self, caller: &Caller) -> Result<(), ApiError> {
        if self.member(caller.account()).is_some() {
            return Ok(());
        }
        let message = "Your account is not a member of an organization.";
        Err(ApiError::new("AWSOrganizationsNotInUseException", message))
    }

    /// What only the management account may read, or a delegated administrator of any service, or whom the
    /// delegation policy lets.
    ///
    /// # Errors
    /// As [`Model::authorize_member`], and `AccessDeniedException` for every other member account.
    pub fn authorize_reader(&self, caller: &Caller, action: &str) -> Result<(), ApiError> {
        self.authorize_reader_of(caller, action, "*")
    }

    /// As [`Model::authorize_reader`], about one account, organizational unit or root, which policies
    /// may name.
    ///
    /// # Errors
    /// As [`Model::authorize_reader`].
    pub fn authorize_reader_of(&self, caller: &Caller, action: &str, resource: &str) -> Result<(), ApiError> {
        self.authorize_member_on(caller, action, resource)?;
        let reads = |account: &Account| !account.delegated.is_empty() || account.reads_organization;
        let delegated = self.account(caller.account()).is_some_and(reads)
            || self.delegation_admits(caller, &format!("organizations:{action}"), resource, None);
        if delegated || self.is_management(caller) { Ok(()) } else { Err(not_permitted()) }
    }

    /// What only the management account may do.
    ///
    /// # Errors
    /// As [`Model::authorize_member`], and `AccessDeniedException` for every other account.
    pub fn authorize_management(&self, caller: &Caller, action: &str) -> Result<(), ApiError> {
        self.authorize_member(caller, action)?;
        if self.is_management(caller) { Ok(()) } else { Err(not_permitted()) }
    }

    /// What changes policies or switches a type: on each of the resources that it is about.
    ///
    /// # Errors
    /// `AWSOrganizationsNotInUseException` outside of the organization, `AccessDeniedException` for who may not.
    pub(crate) fn authorize_policy(
        &self,
        caller: &Caller,
        action: &str,
        resources: &[String],
        kind: Option<&str>,
    ) -> Result<(), ApiError> {
        self.require_own_organization(caller)?;
        let action = format!("organizations:{action}");
        for resource in resources {
            self.authorize_of_type(caller, &action, resource, kind)?;
        }
        let admits = |resource: &String| self.delegation_admits(caller, &action, resource, kind);
        if self.is_management(caller) || resources.iter().all(admits) { Ok(()) } else { Err(not_permitted()) }
    }

    /// What reads policies.
    ///
    /// # Errors
    /// As [`Model::authorize_policy`].
    pub(crate) fn authorize_policy_reader(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        kind: Option<&str>,
    ) -> Result<(), ApiError> {
        self.require_own_organization(caller)?;
        let action = format!("organizations:{action}");
        self.authorize_of_type(caller, &action, resource, kind)?;
        let reads = |account: &Account| !account.delegated.is_empty() || account.reads_organization;
        let may = self.is_management(caller)
            || self.account(caller.account()).is_some_and(reads)
            || self.delegation_admits(caller, &action, resource, kind);
        if may { Ok(()) } else { Err(not_permitted()) }
    }

    /// A policy that the caller may change: of the type that can be written here, and not AWS's own.
    pub(crate) fn writable_policy(
        &self,
        caller: &Caller,
        action: &str,
        id: &str,
        target: Option<&str>,
    ) -> Result<&OrganizationPolicy, ApiError> {
        // Whether a policy exists is told only to those who may change policies of some kind.
        let policy = self.require_policy(id).or_else(|missing| {
            self.authorize_policy(caller, action, &["*".to_owned()], None)?;
            Err(missing)
        })?;
        let mut resources = vec![self.organization.policy_arn(policy)];
        resources.extend(target.map(|target| self.organization.target_arn(target)));
        self.authorize_policy(caller, action, &resources, Some(policy.kind.name()))?;
        if policy.of_aws {
            let message = "You specified a policy that is managed by AWS and can't be modified.";
            return Err(ApiError::because("InvalidInputException", "IMMUTABLE_POLICY", message));
        }
        require_writable(policy.kind.name())?;
        Ok(policy)
    }

    pub(crate) fn is_management(&self, caller: &Caller) -> bool {
        caller.account() == self.organization.management_account
    }

    /// Changing the tags of a policy is open to whom the delegation policy admits too.
    pub(crate) fn authorize_policy_tags(
        &self,
        caller: &Caller,
        action: &str,
        policy: &OrganizationPolicy,
    ) -> Result<(), ApiError> {
        let arn = self.organization.policy_arn(policy);
        self.authorize_policy(caller, action, &[arn], Some(policy.kind.name()))
    }
}

fn not_permitted() -> ApiError {
    ApiError::denied("You don't have permissions to access this resource.")
}
