//! Assuming roles.

use std::sync::Arc;

use serde_json::json;

use super::caller::{Caller, Principal, Session};
use super::error::ApiError;
use super::event::HOME_REGION;
use super::iam::{Permissions, Role, Verdict};
use super::{Model, clock};

/// What AssumeRole asks for.
#[derive(Clone, Debug, Default)]
pub struct AssumeRole {
    /// The role.
    pub role_arn: String,
    /// What the session is called.
    pub session_name: String,
    /// How long it lasts; an hour when left out.
    pub duration_seconds: Option<u64>,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// A policy that narrows the session.
    pub policy: Option<String>,
}

/// How a trust policy admits a caller.
enum Trusted {
    /// By name: that is enough within the role's account.
    Principal,
    /// Through its account: the caller needs a permission of its own as well.
    Account,
}

impl Model {
    /// Mints keys for a session of a role.
    ///
    /// # Errors
    /// `AccessDenied` for everything that stands in the way, whether the role exists or not: STS doesn't tell.
    pub fn assume_role(&mut self, caller: &Caller, wanted: &AssumeRole) -> Result<Arc<Session>, ApiError> {
        let denied = || {
            ApiError::new(
                "AccessDenied",
                format!(
                    "User: {} is not authorized to perform: sts:AssumeRole on resource: {}",
                    caller.principal.arn(),
                    wanted.role_arn
                ),
            )
        };
        let (account, name) = role_of(&wanted.role_arn).ok_or_else(denied)?;
        let role = Arc::clone(self.role(account, name).ok_or_else(denied)?);
        if !self.account(account).is_some_and(|account| account.state.may_call()) {
            return Err(denied());
        }
        let trusted = self.trusted(&role, caller, wanted.external_id.as_deref()).ok_or_else(denied)?;
        if self.denied_by_service_control(caller, "sts:AssumeRole") {
            return Err(ApiError::new(
                "AccessDenied",
                format!("{} with an explicit deny in a service control policy", denied().message),
            ));
        }
        let identity = self.identity_verdict(&caller.principal, "sts:AssumeRole", &wanted.role_arn);
        let named_in_own_account = matches!(trusted, Trusted::Principal) && account == caller.account();
        if identity != Verdict::Allowed && !(named_in_own_account && identity == Verdict::NotAllowed) {
            return Err(denied());
        }
        let narrowed = wanted.policy.as_deref().map(|text| {
            Permissions::from_document(text).ok_or_else(|| {
                ApiError::new("MalformedPolicyDocument", "The policy is not in the valid JSON format.")
            })
        });
        self.check_duration(caller, wanted)?;
        let now = self.now();
        let session = Arc::new(Session {
            account: account.to_owned(),
            role: role.name.clone(),
            name: wanted.session_name.clone(),
            access_key: format!("ASIM{}", self.ids.upper(16)),
            token: self.ids.upper(64),
            assumed_by: Some(caller.principal.arn()),
            created: now,
            expires: clock::after(now, wanted.duration_seconds.unwrap_or(3600)),
            function: None,
            narrowed: narrowed.transpose()?,
        });
        self.keep_session(Arc::clone(&session));
        Ok(session)
    }

    /// Chained sessions last an hour at most (aws-facts §5).
    fn check_duration(&self, caller: &Caller, wanted: &AssumeRole) -> Result<(), ApiError> {
        let chained = matches!(caller.principal, Principal::Session(_));
        if chained && wanted.duration_seconds.is_some_and(|seconds| seconds > 3600) {
            let message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
            return Err(ApiError::new("ValidationError", message));
        }
        Ok(())
    }

    fn keep_session(&mut self, session: Arc<Session>) {
        // Sessions that ended are dropped now and then, so that a long life doesn't fill the memory.
        if self.sessions.len() >= self.sessions_swept_at * 2 {
            let now = self.now();
            self.sessions.retain(|_, session| session.expires > now);
            self.sessions_swept_at = self.sessions.len().max(1024);
        }
        self.sessions.insert(session.access_key.clone(), session);
    }

    fn trusted(&self, role: &Role, caller: &Caller, external_id: Option<&str>) -> Option<Trusted> {
        let trust = &role.trust;
        if trust.external_id.is_some() && trust.external_id.as_deref() != external_id {
            return None;
        }
        if let Some(organization) = &trust.organization {
            let inside = self.member(caller.account()).is_some() && *organization == self.organization.id;
            if !inside {
                return None;
            }
        }
        let account = caller.account();
        let (own, role_arn) = (caller.principal.arn(), caller.principal.role_arn());
        if trust.principals.iter().any(|principal| *principal == own || *principal == role_arn) {
            return Some(Trusted::Principal);
        }
        let root = format!("arn:aws:iam::{account}:root");
        let admitted = trust.principals.iter().any(|name| name == "*" || *name == root || name == account);
        admitted.then_some(Trusted::Account)
    }

    /// A caller for calls made from Rust: the principal behind an ARN, in a Region.
    ///
    /// `arn:aws:iam::…:role/Name` and `arn:aws:sts::…:assumed-role/Name/session` stand for sessions of the
    /// role; every other ARN of an account for its administrator.
    ///
    /// # Errors
    /// `AccessDeniedException` for an account or a role that doesn't exist.
    pub fn caller(&mut self, principal_arn: &str, region: &str) -> Result<Caller, ApiError> {
        let unknown = || ApiError::denied(format!("There is no principal {principal_arn}."));
        let account = principal_arn.split(':').nth(4).unwrap_or_default().to_owned();
        if !self.account(&account).ok_or_else(unknown)?.state.may_call() {
            return Err(ApiError::denied(format!("Account {account} is not active.")));
        }
        let (role, name) = match principal_arn.split(':').nth(5).unwrap_or_default().split_once('/') {
            Some(("role", role)) => (role, "session"),
            Some(("assumed-role", rest)) => rest.split_once('/').unwrap_or((rest, "session")),
            _ => ("", ""),
        };
        let principal = if role.is_empty() {
            Principal::Administrator { account: account.clone() }
        } else {
            self.role(&account, role).ok_or_else(unknown)?;
            let now = self.now();
            Principal::Session(Arc::new(Session {
                account: account.clone(),
                role: role.to_owned(),
                name: name.to_owned(),
                access_key: format!("ASIM{}", self.ids.upper(16)),
                token: String::new(),
                assumed_by: None,
                created: now,
                expires: clock::after(now, 3600),
                function: None,
                narrowed: None,
            }))
        };
        let access_key = match &principal {
            Principal::Administrator { account } => format!("SIM{account}"),
            Principal::Session(session) => session.access_key.clone(),
        };
        let (region, request_id) = (region.to_owned(), self.ids.uuid());
        Ok(Caller { principal, region, access_key, request_id, user_agent: "simulator".to_owned() })
    }

    /// The administrator of the management account, in Organizations' home Region.
    pub(crate) fn management_caller(&mut self) -> Caller {
        let account = self.organization.management_account.clone();
        Caller {
            access_key: format!("SIM{account}"),
            principal: Principal::Administrator { account },
            region: HOME_REGION.to_owned(),
            request_id: self.ids.uuid(),
            user_agent: "simulator".to_owned(),
        }
    }

    /// Takes a role away, as somebody does who breaks things. Its sessions can do nothing from then on.
    pub fn revoke_role(&mut self, account: &str, name: &str) -> bool {
        let Some(account) = self.accounts.get_mut(account) else { return false };
        let before = account.roles.len();
        account.roles.retain(|role| role.name != name);
        account.roles.len() < before
    }

    /// Adds a role to an account, or replaces the one of its name.
    pub fn put_role(&mut self, account: &str, role: impl Into<Arc<Role>>) {
        let role = role.into();
        if let Some(account) = self.accounts.get_mut(account) {
            account.roles.retain(|other| other.name != role.name);
            account.roles.push(role);
        }
    }
}

/// The account and the name in a role's ARN; a path before the name is skipped.
fn role_of(arn: &str) -> Option<(&str, &str)> {
    let (account, resource) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    let name = resource.strip_prefix("role/")?;
    Some((account, name.rsplit('/').next().unwrap_or(name)))
}

/// The unique id of a principal, as GetCallerIdentity shows it.
pub(crate) fn user_id(principal: &Principal) -> String {
    match principal {
        Principal::Administrator { account } => format!("AIDA{account}ADMIN"),
        Principal::Session(session) => {
            format!("{}:{}", super::event::role_id(&session.account, &session.role), session.name)
        }
    }
}

/// What the trail and the answer of AssumeRole say of the session.
pub(crate) fn assumed_role_user(session: &Session) -> serde_json::Value {
    let principal = Principal::Session(Arc::new(session.clone()));
    json!({ "AssumedRoleId": user_id(&principal), "Arn": principal.arn() })
}
