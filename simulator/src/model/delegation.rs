//! Delegated administrators.

use serde_json::{Value, json};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;
use super::event::Trail;
use super::organization::AccountState;

impl Model {
    /// Makes a member account the administrator of a service for the organization.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn register_delegate(&mut self, caller: &Caller, id: &str, service: &str) -> Result<(), ApiError> {
        self.authorize_management(caller, "RegisterDelegatedAdministrator")?;
        let account = self.require_member(id)?;
        if id == self.organization.management_account {
            return Err(ApiError::because(
                "ConstraintViolationException",
                "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
                "You can't register the management account as a delegated administrator.",
            ));
        }
        if account.state != AccountState::Active {
            return Err(ApiError::because(
                "ConstraintViolationException",
                "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR",
                "You can't register a suspended account as a delegated administrator.",
            ));
        }
        if account.delegated.contains_key(service) {
            let message = "The specified account is already a delegated administrator for this service.";
            return Err(ApiError::new("AccountAlreadyRegisteredException", message));
        }
        let now = self.now();
        if let Some(account) = self.accounts.get_mut(id) {
            account.delegated.insert(service.to_owned(), now);
        }
        let request = json!({ "accountId": id, "servicePrincipal": service });
        self.trail(caller, Trail::organizations("RegisterDelegatedAdministrator", request, Value::Null));
        Ok(())
    }

    /// Takes that back.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn deregister_delegate(&mut self, caller: &Caller, id: &str, service: &str) -> Result<(), ApiError> {
        self.authorize_management(caller, "DeregisterDelegatedAdministrator")?;
        self.require_member(id)?;
        let removed = self.accounts.get_mut(id).and_then(|account| account.delegated.remove(service));
        removed.ok_or_else(not_registered)?;
        let request = json!({ "accountId": id, "servicePrincipal": service });
        self.trail(caller, Trail::organizations("DeregisterDelegatedAdministrator", request, Value::Null));
        Ok(())
    }
}

/// The error about an account that administers nothing.
pub(crate) fn not_registered() -> ApiError {
    let message = "The specified account is not a delegated administrator for this service.";
    ApiError::new("AccountNotRegisteredException", message)
}
