//! How accounts come, move, close and go.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::error::ApiError;
use super::event::{Trail, english};
use super::organization::{Account, AccountState, JoinedMethod, Membership, Tags, Unit};
use super::{Model, Pending, clock, iam};

/// The role's name when CreateAccount names none.
const DEFAULT_ROLE: &str = "OrganizationAccountAccessRole";
/// Creations at a time (aws-facts §5).
const MAX_CONCURRENT_CREATIONS: usize = 5;
/// Levels of units (aws-facts §5).
const MAX_DEPTH: usize = 5;

/// A request to create an account.
#[derive(Clone, Debug, Serialize)]
pub struct Creation {
    /// e.g. `car-…`.
    pub id: String,
    /// The name of the account.
    pub account_name: String,
    /// The address of its root user.
    pub email: String,
    /// The role that trusts the management account.
    pub role_name: String,
    /// Its tags.
    pub tags: Tags,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// The id that the account gets or got. It is shown only once the account exists.
    pub account: String,
    /// How it ended, and when; nothing while it is in progress.
    pub ended: Option<(Timestamp, Result<(), String>)>,
    /// Where the account is moved when it exists; accounts are created in the root.
    pub move_to: Option<String>,
}

/// What CreateAccount asks for.
#[derive(Clone, Debug, Default)]
pub struct CreateAccount {
    /// The name of the account.
    pub name: String,
    /// The address of its root user, which no other account may have.
    pub email: String,
    /// The role's name; `OrganizationAccountAccessRole` when left out.
    pub role_name: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Creation {
    /// `IN_PROGRESS`, `SUCCEEDED` or `FAILED`.
    pub fn state(&self) -> &'static str {
        match &self.ended {
            None => "IN_PROGRESS",
            Some((_, Ok(()))) => "SUCCEEDED",
            Some((_, Err(_))) => "FAILED",
        }
    }
}

impl Model {
    /// Asks for an account. It exists when the world's `account_creation_seconds` are over (aws-facts §5).
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn create_account_as(
        &mut self,
        caller: &Caller,
        wanted: CreateAccount,
    ) -> Result<Creation, ApiError> {
        self.authorize_management(caller, "CreateAccount")?;
        let running = self.creations.values().filter(|creation| creation.ended.is_none()).count();
        if running >= MAX_CONCURRENT_CREATIONS {
            let message = "You have exceeded the number of accounts that you can create at one time.";
            return Err(ApiError::new("TooManyRequestsException", message));
        }
        let creation = self.begin_creation(wanted, None);
        let due = clock::after(self.now(), self.settings.account_creation_seconds);
        self.schedule(due, Pending::Creation { request: creation.id.clone() });
        self.trail(
            caller,
            Trail::organizations(
                "CreateAccount",
                json!({ "email": "****", "accountName": "****", "roleName": creation.role_name }),
                json!({ "createAccountStatus": {
                "accountName": "****", "state": "IN_PROGRESS", "id": creation.id,
                "requestedTimestamp": english(creation.requested_at),
            } }),
            ),
        );
        Ok(creation)
    }

    pub(crate) fn begin_creation(&mut self, wanted: CreateAccount, move_to: Option<String>) -> Creation {
        let mut account = self.ids.account();
        while self.accounts.contains_key(&account) {
            account = self.ids.account();
        }
        let creation = Creation {
            id: format!("car-{}", self.ids.lower(32)),
            account_name: wanted.name,
            email: wanted.email,
            role_name: wanted.role_name.unwrap_or_else(|| DEFAULT_ROLE.to_owned()),
            tags: wanted.tags,
            requested_at: self.now(),
            account,
            ended: None,
            move_to,
        };
        self.creations.insert(creation.id.clone(), creation.clone());
        creation
    }

    /// Ends a creation: the account exists, in the root, with the role of Organizations.
    ///
    /// A new account yields CreateAccountResult and AccountJoinedOrganization (aws-facts §4.2).
    pub(crate) fn finish_creation(&mut self, request: &str) {
        let now = self.now();
        let Some(creation) = self.creations.get(request).filter(|creation| creation.ended.is_none()).cloned()
        else {
            return;
        };
        let failure = self.creation_failure(&creation.email);
        if let Some(kept) = self.creations.get_mut(request) {
            kept.ended = Some((now, failure.map_or(Ok(()), |reason| Err(reason.to_owned()))));
        }
        let mut status = json!({
            "id": creation.id,
            "state": if failure.is_some() { "FAILED" } else { "SUCCEEDED" },
            "accountName": "****",
            "requestedTimestamp": english(creation.requested_at),
            "completedTimestamp": english(now),
        });
        if let Some(reason) = failure {
            status["failureReason"] = reason.into();
            self.organizations_service_event(
                "CreateAccountResult",
                &json!({ "createAccountStatus": status }),
            );
            return;
        }
        let mut account = Account::standalone(&creation.account, &creation.account_name, &creation.email);
        account.tags = creation.tags;
        let management = self.organization.management_account.clone();
        account.roles.push(iam::organization_access_role(&creation.role_name, &management));
        self.accounts.insert(creation.account.clone(), account);
        status["accountId"] = creation.account.clone().into();
        self.organizations_service_event("CreateAccountResult", &json!({ "createAccountStatus": status }));
        self.admit(&creation.account, JoinedMethod::Created);
        if let Some(parent) = creation.move_to {
            let caller = self.management_caller();
            let root = self.organization.root.clone();
            // Nothing can be in the way: the account is in the root and the parent was looked up before.
            let moved = self.move_account_as(&caller, &creation.account, &root, &parent);
            debug_assert!(moved.is_ok(), "{moved:?}");
        }
    }

    fn creation_failure(&self, email: &str) -> Option<&'static str> {
        if self.accounts.values().any(|account| account.email.eq_ignore_ascii_case(email)) {
            Some("EMAIL_ALREADY_EXISTS")
        } else if self.members().count() >= self.settings.account_limit {
            Some("ACCOUNT_LIMIT_EXCEEDED")
        } else {
            None
        }
    }

    /// Puts an account into the root of the organization.
    pub(crate) fn admit(&mut self, id: &str, method: JoinedMethod) {
        let now = self.now();
        let root = self.organization.root.clone();
        let Some(account) = self.accounts.get_mut(id) else { return };
        account.membership = Some(Membership { parent: root, method, at: now });
        if let Some(delay) = self.settings.stack_set_seconds {
            // With no delay the roles are there at once: waiting for a call to settle would only surprise.
            if delay == 0 {
                self.deploy_stack_set(id);
            } else {
                self.schedule(clock::after(now, delay), Pending::StackSet { account: id.to_owned() });
            }
        }
        let method = if method == JoinedMethod::Created { "Created" } else { "INVITED" };
        self.organizations_service_event(
            "AccountJoinedOrganization",
            &json!({ "accountId": id, "joinedMethod": method, "joinedTime": english(now) }),
        );
        self.policies_changed(id);
    }

    /// Service-managed StackSets reach every account but the management account (aws-facts §5).
    pub(crate) fn deploy_stack_set(&mut self, id: &str) {
        if id == self.organization.management_account || self.member(id).is_none() {
            return;
        }
        for role in self.stack_set_roles.clone() {
            self.put_role(id, Arc::clone(&role));
        }
    }

    /// Moves an account from one parent to another.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn move_account_as(
        &mut self,
        caller: &Caller,
        id: &str,
        source: &str,
        destination: &str,
    ) -> Result<(), ApiError> {
        self.authorize_management(caller, "MoveAccount")?;
        self.require_member(id)?;
        if !self.organization.is_parent(source) {
            let message = "You specified a source root or parent OU that doesn't exist.";
            return Err(ApiError::new("SourceParentNotFoundException", message));
        }
        if !self.organization.is_parent(destination) {
            let message = "You specified a destination container that doesn't exist.";
            return Err(ApiError::new("DestinationParentNotFoundException", message));
        }
        let Some(membership) = self.accounts.get_mut(id).and_then(|account| account.membership.as_mut())
        else {
            return Ok(());
        };
        if membership.parent == destination {
            let message = "That account is already present in the specified destination.";
            return Err(ApiError::new("DuplicateAccountException", message));
        }
        if membership.parent != source {
            let message = "You specified a source root or parent OU that doesn't exist.";
            return Err(ApiError::new("SourceParentNotFoundException", message));
        }
        destination.clone_into(&mut membership.parent);
        let request =
            json!({ "accountId": id, "sourceParentId": source, "destinationParentId": destination });
        self.trail(caller, Trail::organizations("MoveAccount", request, Value::Null));
        self.policies_changed(id);
        Ok(())
    }

    /// Closes a member account; it stays listed, suspended, for 90 days.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn close_account_as(&mut self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        self.authorize_management(caller, "CloseAccount")?;
        let state = self.require_member(id)?.state;
        if id == self.organization.management_account {
            return Err(ApiError::because(
                "ConstraintViolationException",
                "CANNOT_CLOSE_MANAGEMENT_ACCOUNT",
                "You can't close the management account.",
            ));
        }
        if matches!(state, AccountState::Suspended | AccountState::PendingClosure | AccountState::Closed) {
            let message = "You attempted to close an account that is already closed.";
            return Err(ApiError::new("AccountAlreadyClosedException", message));
        }
        self.set_state(id, AccountState::PendingClosure);
        self.trail(caller, Trail::organizations("CloseAccount", json!({ "accountId": id }), Value::Null));
        let due = clock::after(self.now(), self.settings.account_closure_seconds);
        self.schedule(due, Pending::Closure { account: id.to_owned() });
        Ok(())
    }

    pub(crate) fn finish_closure(&mut self, id: &str) {
        self.set_state(id, AccountState::Suspended);
        let now = english(self.now());
        let status = json!({
            "accountId": id, "state": "SUCCEEDED", "requestedTimestamp": now, "completedTimestamp": now,
        });
        self.organizations_service_event("CloseAccountResult", &json!({ "closeAccountStatus": status }));
    }

    /// Sets the state of an account, as AWS does when it suspends or reinstates one.
    pub fn set_state(&mut self, id: &str, state: AccountState) {
        if let Some(account) = self.accounts.get_mut(id) {
            account.state = state;
        }
    }

    /// Takes an account out of the organization, on behalf of the management account.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn remove_account_as(&mut self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        self.authorize_management(caller, "RemoveAccountFromOrganization")?;
        self.require_removable(id)?;
        let request = json!({ "accountId": id });
        self.trail(caller, Trail::organizations("RemoveAccountFromOrganization", request, Value::Null));
        self.dismiss(id, "REMOVED");
        Ok(())
    }

    /// Takes the caller's own account out of the organization.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn leave_organization(&mut self, caller: &Caller) -> Result<(), ApiError> {
        self.authorize_member(caller, "LeaveOrganization")?;
        let id = caller.account().to_owned();
        self.require_removable(&id)?;
        self.trail(caller, Trail::organizations("LeaveOrganization", Value::Null, Value::Null));
        self.dismiss(&id, "LEFT");
        Ok(())
    }

    fn require_removable(&self, id: &str) -> Result<(), ApiError> {
        let account = self.require_member(id)?;
        if id == self.organization.management_account {
            let message = "You can't remove a management account from an organization.";
            return Err(ApiError::new("MasterCannotLeaveOrganizationException", message));
        }
        if !account.delegated.is_empty() {
            return Err(ApiError::because(
                "ConstraintViolationException",
                "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG",
                "You can't remove a delegated administrator from the organization.",
            ));
        }
        Ok(())
    }

    /// Ends a membership. What the account holds stays in place, roles and enforcement too (aws-facts §5).
    pub(crate) fn dismiss(&mut self, id: &str, method: &str) {
        let now = english(self.now());
        if let Some(account) = self.accounts.get_mut(id) {
            account.membership = None;
        }
        // What was attached to it or came down to it is gone with the membership.
        self.organization.effective.remove(id);
        for policy in &mut self.organization.policies {
            policy.attachments.retain(|attachment| attachment.target != id);
        }
        let details = json!({ "accountId": id, "departureMethod": method, "departureTime": now });
        self.organizations_service_event("AccountDepartedOrganization", &details);
    }

    /// Makes an organizational unit.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn create_unit(
        &mut self,
        caller: &Caller,
        parent: &str,
        name: &str,
        tags: Tags,
    ) -> Result<Unit, ApiError> {
        self.authorize_management(caller, "CreateOrganizationalUnit")?;
        self.require_parent(parent)?;
        if self.organization.units.values().any(|unit| unit.parent == parent && unit.name == name) {
            let message = "An OU with the same name already exists.";
            return Err(ApiError::new("DuplicateOrganizationalUnitException", message));
        }
        if self.organization.depth(parent) >= MAX_DEPTH {
            return Err(ApiError::because(
                "ConstraintViolationException",
                "OU_DEPTH_LIMIT_EXCEEDED",
                "You have exceeded the number of levels of organizational units.",
            ));
        }
        let middle = self.organization.root.trim_start_matches("r-").to_owned();
        let id = format!("ou-{middle}-{}", self.ids.lower(8));
        let unit = Unit { id: id.clone(), name: name.to_owned(), parent: parent.to_owned() };
        self.organization.units.insert(id.clone(), unit.clone());
        self.organization.tags.insert(id.clone(), tags);
        let arn = self.organization.arn("ou", &id);
        self.trail(
            caller,
            Trail::organizations(
                "CreateOrganizationalUnit",
                json!({ "parentId": parent, "name": name }),
                json!({ "organizationalUnit": { "id": id, "arn": arn, "name": name } }),
            ),
        );
        Ok(unit)
    }
}
