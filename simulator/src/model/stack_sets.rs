//! Service-managed StackSets, as they are shown. They deploy nothing: `stack_set_roles` does.

use serde::{Deserialize, Serialize};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;

/// The service that lets an account other than the management account work on StackSets.
const DELEGATE: &str = "member.org.stacksets.cloudformation.amazonaws.com";

/// A StackSet of the organization.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StackSet {
    /// The Region in which it was made.
    pub region: String,
    /// Its name.
    pub name: String,
    /// `ACTIVE` or `DELETED`.
    #[serde(default = "active")]
    pub status: String,
    /// Whether accounts that join get a stack by themselves.
    #[serde(default = "yes")]
    pub auto_deployment: bool,
    /// Its stacks.
    #[serde(default)]
    pub instances: Vec<StackInstance>,
}

/// A stack of a StackSet in one account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StackInstance {
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// `CURRENT`, `OUTDATED` or `INOPERABLE`.
    #[serde(default = "current")]
    pub status: String,
    /// `SUCCEEDED`, `FAILED`, `RUNNING` and others.
    #[serde(default = "succeeded")]
    pub detailed_status: String,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

fn active() -> String {
    "ACTIVE".to_owned()
}

fn yes() -> bool {
    true
}

fn current() -> String {
    "CURRENT".to_owned()
}

fn succeeded() -> String {
    "SUCCEEDED".to_owned()
}

impl StackInstance {
    /// A stack that is as it should be.
    pub fn current(account: &str, region: &str) -> StackInstance {
        let (account, region) = (account.to_owned(), region.to_owned());
        StackInstance { account, region, status: current(), detailed_status: succeeded(), reason: None }
    }
}

impl StackSet {
    /// Its id.
    pub fn id(&self) -> String {
        format!("{}:00000000-0000-4000-8000-000000000000", self.name)
    }
}

impl Model {
    /// A StackSet of the organization: for the management account, or for a delegate that says so.
    pub(crate) fn stack_set_as(
        &self,
        caller: &Caller,
        action: &str,
        name: &str,
        as_delegate: bool,
    ) -> Result<&StackSet, ApiError> {
        let management = &self.organization.management_account;
        let arn = format!("arn:aws:cloudformation:{}:{management}:stackset/{name}:*", caller.region);
        self.authorize(caller, &format!("cloudformation:{action}"), &arn)?;
        let own = caller.account() == management;
        let delegate =
            self.member(caller.account()).is_some_and(|account| account.delegated.contains_key(DELEGATE));
        if as_delegate && !delegate {
            let message = "You must be the management account or delegated admin account of an organization before operating a SERVICE_MANAGED stack set";
            return Err(ApiError::new("ValidationError", message));
        }
        let here = |set: &&StackSet| set.region == caller.region && (set.name == name || set.id() == name);
        // A delegate that doesn't say so sees its own StackSets, of which there are none here.
        let found = self.stack_sets.iter().find(here).filter(|_| own || as_delegate);
        found.ok_or_else(|| ApiError::new("StackSetNotFoundException", format!("StackSet {name} not found")))
    }
}
