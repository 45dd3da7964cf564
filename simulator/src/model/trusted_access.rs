//! Services that the organization trusts. Whether policies of type BEDROCK_POLICY need that is a switch.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;
use super::event::Trail;

impl Model {
    /// Lets a service work in the organization.
    ///
    /// # Errors
    /// `AccessDeniedException`.
    pub fn enable_service_access(&mut self, caller: &Caller, service: &str) -> Result<(), ApiError> {
        self.authorize_management(caller, "EnableAWSServiceAccess")?;
        let now = self.now();
        self.organization.trusted_services.entry(service.to_owned()).or_insert(now);
        let request = json!({ "servicePrincipal": service });
        self.trail(caller, Trail::organizations("EnableAWSServiceAccess", request, Value::Null));
        Ok(())
    }

    /// Takes that back.
    ///
    /// # Errors
    /// `AccessDeniedException`.
    pub fn disable_service_access(&mut self, caller: &Caller, service: &str) -> Result<(), ApiError> {
        self.authorize_management(caller, "DisableAWSServiceAccess")?;
        self.organization.trusted_services.remove(service);
        let request = json!({ "servicePrincipal": service });
        self.trail(caller, Trail::organizations("DisableAWSServiceAccess", request, Value::Null));
        Ok(())
    }

    /// The services that are trusted, and since when.
    ///
    /// # Errors
    /// `AccessDeniedException`.
    pub fn list_service_access(&self, caller: &Caller) -> Result<Vec<(&str, Timestamp)>, ApiError> {
        self.authorize_reader(caller, "ListAWSServiceAccessForOrganization")?;
        Ok(self.organization.trusted_services.iter().map(|(service, at)| (service.as_str(), *at)).collect())
    }
}
