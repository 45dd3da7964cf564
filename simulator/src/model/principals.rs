//! IAM's own calls: who there is in an account, and what each of them would be allowed.

use std::sync::Arc;

use super::Model;
use super::caller::Caller;
use super::error::ApiError;
use super::iam::{Asked, Role, User, Verdict, within};
use super::organization::Tags;

/// What SimulatePrincipalPolicy finds out about one action on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Simulated {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// What all of it comes to.
    pub(crate) decision: Verdict,
    /// What the identity policies say alone.
    pub(crate) identity: Verdict,
    /// Whether the boundary lets it through; nothing where there is none.
    pub(crate) boundary: Option<bool>,
    /// Whether the service control policies do; nothing outside of an organization.
    pub(crate) organization: Option<bool>,
    /// Whether the resource is another account's, whose policy isn't at hand.
    pub(crate) across_accounts: bool,
}

/// What a simulation is to go by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SimulatedContext {
    /// `aws:RequestedRegion`.
    pub(crate) region: String,
    /// `aws:ResourceTag/…`.
    pub(crate) tags: Tags,
    /// `lambda:SourceFunctionArn`.
    pub(crate) function: Option<String>,
    /// `organizations:PolicyType`.
    pub(crate) policy_type: Option<String>,
}

/// A role or a user.
enum Subject {
    Role(Arc<Role>),
    User(User),
}

impl Subject {
    fn allowed(&self, asked: &Asked<'_>) -> Verdict {
        match self {
            Subject::Role(role) => role.permissions.verdict(asked),
            Subject::User(user) => user.permissions.verdict(asked),
        }
    }

    fn boundary(&self) -> Option<&super::iam::Permissions> {
        match self {
            Subject::Role(role) => role.boundary.as_ref(),
            Subject::User(user) => user.boundary.as_ref(),
        }
    }
}

impl Model {
    /// The roles of the caller's account, by name.
    pub(crate) fn roles_as(&self, caller: &Caller) -> Result<Vec<Arc<Role>>, ApiError> {
        self.authorize(caller, "iam:ListRoles", "*")?;
        let account = self.account(caller.account());
        let mut roles = account.map(|account| account.roles.clone()).unwrap_or_default();
        roles.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(roles)
    }

    /// The users of the caller's account, by name.
    pub(crate) fn users_as(&self, caller: &Caller) -> Result<Vec<User>, ApiError> {
        self.authorize(caller, "iam:ListUsers", "*")?;
        let account = self.account(caller.account());
        let mut users = account.map(|account| account.users.clone()).unwrap_or_default();
        users.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(users)
    }

    /// One role of the caller's account.
    pub(crate) fn role_as(&self, caller: &Caller, name: &str) -> Result<Arc<Role>, ApiError> {
        let arn = format!("arn:aws:iam::{}:role/{name}", caller.account());
        self.authorize(caller, "iam:GetRole", &arn)?;
        let role = self.role(caller.account(), name).map(Arc::clone);
        role.ok_or_else(|| no_such(format!("The role with name {name} cannot be found.")))
    }

    /// What a role or user of the caller's account would be allowed.
    ///
    /// Of the context, the Region counts, the tags of the resource and the function that asks; other conditions
    /// aren't modelled. Where the resource is another account's,
    /// that account's policy would have to allow it as well, and the simulation doesn't fetch it.
    pub(crate) fn simulate_as(
        &self,
        caller: &Caller,
        principal: &str,
        actions: &[&str],
        resources: &[&str],
        context: &SimulatedContext,
    ) -> Result<Vec<Simulated>, ApiError> {
        self.authorize(caller, "iam:SimulatePrincipalPolicy", principal)?;
        let account = caller.account();
        let subject = self.subject(account, principal)?;
        let member = self.member(account).is_some();
        let mut results = Vec::new();
        for action in actions {
            for resource in resources {
                let SimulatedContext { region, tags, function, policy_type } = context;
                let (function, policy_type) = (function.as_deref(), policy_type.as_deref());
                let asked = Asked { action, resource, tags: Some(tags), function, policy_type };
                let identity = subject.allowed(&asked);
                let boundary = subject.boundary();
                let mut decision = within(identity, boundary, &asked);
                let across_accounts = owner(resource).is_some_and(|owner| owner != account);
                if across_accounts && decision == Verdict::Allowed {
                    decision = match self.switches.cross_account_simulation {
                        crate::switches::CrossAccountSimulation::BothSides => Verdict::NotAllowed,
                        crate::switches::CrossAccountSimulation::Identity => decision,
                    };
                }
                let organization =
                    member.then(|| !self.organization_denies(account, principal, region, action));
                if organization == Some(false) {
                    decision = Verdict::Denied;
                }
                results.push(Simulated {
                    action: (*action).to_owned(),
                    resource: (*resource).to_owned(),
                    decision,
                    identity,
                    boundary: boundary.map(|boundary| boundary.verdict(&asked) == Verdict::Allowed),
                    organization,
                    across_accounts,
                });
            }
        }
        Ok(results)
    }

    fn subject(&self, account: &str, principal: &str) -> Result<Subject, ApiError> {
        let unknown = || no_such(format!("The principal {principal} does not exist."));
        let kind = principal.strip_prefix(&format!("arn:aws:iam::{account}:")).ok_or_else(|| {
            ApiError::new(
                "InvalidInput",
                format!("Invalid Entity Arn: {principal} does not clearly define entity type and name."),
            )
        })?;
        let held = self.account(account).ok_or_else(unknown)?;
        if kind.starts_with("role/") {
            let role = held.roles.iter().find(|role| role.arn(account) == principal);
            return role.map(|role| Subject::Role(Arc::clone(role))).ok_or_else(unknown);
        }
        let user = held.users.iter().find(|user| user.arn(account) == principal);
        user.cloned().map(Subject::User).ok_or_else(unknown)
    }

    /// Adds a user to an account, or replaces the one of its name.
    pub fn put_user(&mut self, account: &str, user: User) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.users.retain(|other| other.name != user.name);
            account.users.push(user);
        }
    }
}

impl User {
    /// The ARN of the user in `account`.
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:user/{}", self.name)
    }
}

/// The account in an ARN, where it names one.
fn owner(resource: &str) -> Option<&str> {
    resource.split(':').nth(4).filter(|account| account.len() == 12)
}

fn no_such(message: String) -> ApiError {
    ApiError::new("NoSuchEntity", message)
}
