//! What an account holds in one Region, and which Regions it may use.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::caller::Caller;
use super::enforcement::EnforcedConfiguration;
use super::error::ApiError;
use super::event::Trail;
use super::guardrail::Guardrail;
use super::organization::JoinedMethod;
use super::parameter::Parameter;
use super::queue::Queue;
use super::repeat::Made;
use super::settling::Settling;
use super::table::Table;
use super::{Model, clock};

/// What one account holds in one Region.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RegionState {
    /// The one enforced guardrail configuration there can be (aws-facts §1.2).
    pub enforcement: Settling<Option<EnforcedConfiguration>>,
    /// Guardrails by id.
    pub guardrails: BTreeMap<String, Guardrail>,
    /// Resource policies by the ARN of their resource.
    pub resource_policies: BTreeMap<String, Settling<Option<Arc<str>>>>,
    /// Systems Manager parameters by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// Queues of SQS by name.
    pub queues: BTreeMap<String, Queue>,
    /// Tables of DynamoDB by name.
    pub tables: BTreeMap<String, Table>,
    /// What was made for each `clientRequestToken`.
    #[serde(skip)]
    pub(crate) tokens: BTreeMap<String, Made>,
}

/// A Region's opt-in status in one account, as the Account service names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OptStatus {
    /// On, because somebody switched it on.
    Enabled,
    /// On its way; it takes minutes to hours on AWS.
    Enabling,
    /// On its way out.
    Disabling,
    /// Off.
    Disabled,
    /// On, and can't be switched off.
    EnabledByDefault,
}

impl OptStatus {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            OptStatus::Enabled => "ENABLED",
            OptStatus::Enabling => "ENABLING",
            OptStatus::Disabling => "DISABLING",
            OptStatus::Disabled => "DISABLED",
            OptStatus::EnabledByDefault => "ENABLED_BY_DEFAULT",
        }
    }

    fn usable(self) -> bool {
        matches!(self, OptStatus::Enabled | OptStatus::EnabledByDefault | OptStatus::Disabling)
    }
}

impl Model {
    /// What the account holds in the Region, if anything was ever put there.
    pub fn region(&self, account: &str, region: &str) -> Option<&RegionState> {
        self.account(account)?.regions.get(region)
    }

    /// The same, made if it isn't there yet.
    ///
    /// # Errors
    /// `UnrecognizedClientException` for an account that doesn't exist.
    pub fn region_mut(&mut self, account: &str, region: &str) -> Result<&mut RegionState, ApiError> {
        let Some(account) = self.accounts.get_mut(account) else {
            let message = "The security token included in the request is invalid.";
            return Err(ApiError::new("UnrecognizedClientException", message));
        };
        if !account.regions.contains_key(region) {
            account.regions.insert(region.to_owned(), RegionState::default());
        }
        Ok(account.regions.get_mut(region).expect("inserted above when it was missing"))
    }

    /// The opt-in status of a Region in an account; nothing if this world has no such Region.
    pub fn opt_status(&self, account: &str, region: &str) -> Option<OptStatus> {
        let by_default = *self.regions.get(region)?;
        let changed = self.account(account).and_then(|account| account.opt_in.get(region)).copied();
        Some(changed.unwrap_or(by_default))
    }

    /// Whether the account can be called in the Region.
    ///
    /// # Errors
    /// `UnrecognizedClientException`, which is what AWS answers where a Region isn't enabled.
    pub fn require_region(&self, account: &str, region: &str) -> Result<(), ApiError> {
        if self.opt_status(account, region).is_some_and(OptStatus::usable) {
            Ok(())
        } else {
            let message = "The security token included in the request is invalid.";
            Err(ApiError::new("UnrecognizedClientException", message))
        }
    }

    /// Whether Bedrock answers the account in the Region at all.
    ///
    /// AWS says that a new account "might need to wait a few minutes" (aws-facts §5); what services answer in
    /// the meantime is their common `SubscriptionRequiredException`.
    ///
    /// # Errors
    /// As [`Model::require_region`], and `SubscriptionRequiredException` for an account that is too new.
    pub fn require_bedrock(&self, account: &str, region: &str) -> Result<(), ApiError> {
        self.require_region(account, region)?;
        let membership = self.account(account).and_then(|account| account.membership.as_ref());
        let made = membership.filter(|membership| membership.method == JoinedMethod::Created);
        let ready = made.map(|made| clock::after(made.at, self.settings.subscription_seconds));
        if self.settings.subscription_seconds > 0 && ready.is_some_and(|ready| ready > self.now()) {
            let message = "The AWS Access Key Id needs a subscription for the service.";
            return Err(ApiError::new("SubscriptionRequiredException", message));
        }
        Ok(())
    }

    /// The account that a call of the Account service is about.
    ///
    /// Another account's Regions may be read and changed from the management account or a delegated
    /// administrator of Account Management; the management account must not give its own id (aws-facts §5).
    ///
    /// # Errors
    /// `AccessDeniedException` or `ValidationException`.
    pub fn account_service_target(
        &self,
        caller: &Caller,
        action: &str,
        named: Option<&str>,
    ) -> Result<String, ApiError> {
        self.authorize(caller, &format!("account:{action}"), "*")?;
        let own = caller.account();
        let Some(named) = named else { return Ok(own.to_owned()) };
        let delegated =
            self.account(own).is_some_and(|account| account.delegated.contains_key("account.amazonaws.com"));
        let management = own == self.organization.management_account;
        if !(management || delegated) || self.member(named).is_none() {
            return Err(ApiError::denied(format!(
                "User: {} is not authorized to perform: account:{action} (You specified an account ID that is not accessible).",
                caller.principal.arn()
            )));
        }
        if management && named == own {
            let message = "The management account can't specify its own AccountId.";
            return Err(ApiError::validation(message).with("reason", "fieldValidationFailed"));
        }
        Ok(named.to_owned())
    }

    /// Starts to switch a Region on or off; it is done after the world's `region_opt_seconds`.
    ///
    /// # Errors
    /// `ValidationException` for a Region that can't be switched, `ConflictException` while it is being switched.
    pub fn switch_region(
        &mut self,
        caller: &Caller,
        account: &str,
        region: &str,
        on: bool,
    ) -> Result<(), ApiError> {
        let status = match self.opt_status(account, region) {
            None | Some(OptStatus::EnabledByDefault) => {
                let message = format!("The Region {region} can't be enabled or disabled.");
                return Err(ApiError::validation(message).with("reason", "invalidRegionOptTarget"));
            }
            Some(OptStatus::Enabling | OptStatus::Disabling) => {
                return Err(ApiError::conflict(format!("The opt status of {region} is being changed.")));
            }
            Some(status) => status,
        };
        if status.usable() == on {
            return Ok(());
        }
        let due = clock::after(self.now(), self.settings.region_opt_seconds);
        let (during, then) = if on {
            (OptStatus::Enabling, OptStatus::Enabled)
        } else {
            (OptStatus::Disabling, OptStatus::Disabled)
        };
        self.set_opt_status(account, region, during);
        let name = if on { "EnableRegion" } else { "DisableRegion" };
        let mut request = json!({ "regionName": region });
        if account != caller.account() {
            request["accountId"] = account.into();
        }
        self.trail(caller, Trail::account(name, request));
        self.schedule(
            due,
            super::Pending::OptIn { account: account.to_owned(), region: region.to_owned(), then },
        );
        Ok(())
    }

    /// Sets the opt-in status at once.
    pub fn set_opt_status(&mut self, account: &str, region: &str, status: OptStatus) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.opt_in.insert(region.to_owned(), status);
        }
    }

    /// The time the model goes by.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
