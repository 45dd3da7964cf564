//! Who calls, where, and whether they may.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::Model;
use super::error::ApiError;
use super::guardrail::GuardrailName;
use super::iam::{Asked, Permissions, Role, Verdict};
use super::organization::{AccountState, Tags};

/// A principal, as IAM names it.
#[derive(Clone, Debug)]
pub enum Principal {
    /// May do everything in its account. Its access key is `SIM` and the account id.
    Administrator {
        /// The account.
        account: String,
    },
    /// A session of a role.
    Session(Arc<Session>),
}

/// What `AssumeRole` hands out.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// The account of the role.
    pub account: String,
    /// The role's name.
    pub role: String,
    /// The name that the caller gave the session.
    pub name: String,
    /// The access key id minted for it.
    pub access_key: String,
    /// What requests must send as their security token.
    #[serde(skip)]
    pub token: String,
    /// Whose session it is, by the ARN of whoever assumed the role; nobody's for a standing one.
    #[serde(skip)]
    pub assumed_by: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops working.
    pub expires: Timestamp,
    /// The function that Lambda made it for.
    #[serde(skip)]
    pub(crate) function: Option<String>,
    /// The session policy, which can only narrow what the role may do.
    #[serde(skip)]
    pub(crate) narrowed: Option<Permissions>,
}

/// Everything the model needs to know about one request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// In which Region.
    pub region: String,
    /// The access key used.
    pub access_key: String,
    /// The id of the request, repeated in the trail.
    pub request_id: String,
    /// The client's user agent, repeated in the trail.
    pub user_agent: String,
}

impl Principal {
    /// The account it belongs to.
    pub fn account(&self) -> &str {
        match self {
            Principal::Administrator { account } => account,
            Principal::Session(session) => &session.account,
        }
    }

    /// Its ARN as STS reports it.
    pub fn arn(&self) -> String {
        match self {
            Principal::Administrator { account } => format!("arn:aws:iam::{account}:user/administrator"),
            Principal::Session(session) => {
                format!("arn:aws:sts::{}:assumed-role/{}/{}", session.account, session.role, session.name)
            }
        }
    }

    /// The ARN of the role behind a session; a user has only its own.
    pub fn role_arn(&self) -> String {
        match self {
            Principal::Administrator { .. } => self.arn(),
            Principal::Session(session) => format!("arn:aws:iam::{}:role/{}", session.account, session.role),
        }
    }
}

impl Caller {
    /// The account of the caller.
    pub fn account(&self) -> &str {
        self.principal.account()
    }
}

impl Model {
    /// The caller that an access key and a session token stand for.
    ///
    /// # Errors
    /// `UnrecognizedClientException` for keys nobody has, `ExpiredTokenException` for sessions that ended.
    pub fn principal(&self, access_key: &str, token: Option<&str>) -> Result<Principal, ApiError> {
        let unrecognized = || {
            ApiError::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        };
        if let Some((account, role)) = access_key.strip_prefix("SIM").and_then(account_and_role) {
            self.role(account, role).ok_or_else(unrecognized)?;
            let usable = self.account(account).is_some_and(|account| account.state.may_call());
            return if usable {
                Ok(self.standing_session(account, role, access_key))
            } else {
                Err(unrecognized())
            };
        }
        if let Some(account) = access_key.strip_prefix("SIM").filter(|rest| rest.len() == 12) {
            let known = self.account(account).ok_or_else(unrecognized)?;
            // The keys of a closed account stop working; what exactly AWS answers then is not documented.
            if !known.state.may_call() {
                return Err(unrecognized());
            }
            return Ok(Principal::Administrator { account: account.to_owned() });
        }
        let session = self.sessions.get(access_key).ok_or_else(unrecognized)?;
        if token != Some(session.token.as_str()) {
            return Err(unrecognized());
        }
        if session.expires <= self.now() {
            return Err(ApiError::new(
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ));
        }
        let usable = self.account(&session.account).is_some_and(|account| account.state.may_call());
        if usable { Ok(Principal::Session(Arc::clone(session))) } else { Err(unrecognized()) }
    }

    /// The session that a role's standing key is for, as what Lambda gives a function: it never ends.
    fn standing_session(&self, account: &str, role: &str, access_key: &str) -> Principal {
        let now = self.now();
        let function = self.functions.iter().find(|function| function.account == account);
        Principal::Session(Arc::new(Session {
            account: account.to_owned(),
            role: role.to_owned(),
            name: "standing".to_owned(),
            access_key: access_key.to_owned(),
            token: String::new(),
            assumed_by: None,
            created: now,
            expires: super::clock::after(now, 3600),
            function: function.map(super::functions::Function::arn),
            narrowed: None,
        }))
    }

    /// What the caller's own permissions say: its role's, narrowed by the session policy.
    pub(crate) fn identity_verdict(&self, principal: &Principal, action: &str, resource: &str) -> Verdict {
        self.identity_verdict_of_type(principal, action, resource, None)
    }

    fn identity_verdict_of_type(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        policy_type: Option<&str>,
    ) -> Verdict {
        let Principal::Session(session) = principal else { return Verdict::Allowed };
        let Some(role) = self.role(&session.account, &session.role) else { return Verdict::NotAllowed };
        let tags = self.tags_of(resource);
        let asked = Asked { action, resource, tags, function: session.function.as_deref(), policy_type };
        let verdict = role.verdict(&asked);
        match &session.narrowed {
            Some(narrowed) if verdict == Verdict::Allowed => narrowed.verdict(&asked),
            _ => verdict,
        }
    }

    /// The tags of a guardrail or of a policy of the organization, by its ARN.
    fn tags_of(&self, resource: &str) -> Option<&Tags> {
        if resource.contains(":guardrail/") {
            let name = GuardrailName::from_arn(resource)?;
            return self.guardrail(&name).map(|guardrail| &guardrail.tags);
        }
        let (_, policy) = resource.split_once(":policy/")?;
        let (_, id) = policy.rsplit_once('/')?;
        self.organization.policies.iter().find(|policy| policy.id == id).map(|policy| &policy.tags)
    }

    /// Whether the caller may do `action` on `resource` of its own account.
    ///
    /// # Errors
    /// `AccessDeniedException` in the words IAM uses, which tell why.
    pub fn authorize(&self, caller: &Caller, action: &str, resource: &str) -> Result<(), ApiError> {
        self.authorize_of_type(caller, action, resource, None)
    }

    /// The same about a policy of the organization, whose type statements may ask for.
    pub(crate) fn authorize_of_type(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        policy_type: Option<&str>,
    ) -> Result<(), ApiError> {
        self.deny_by_organization(caller, action, resource)?;
        match self.identity_verdict_of_type(&caller.principal, action, resource, policy_type) {
            Verdict::Allowed => Ok(()),
            Verdict::NotAllowed => Err(refusal(
                caller,
                action,
                resource,
                &format!("because no identity-based policy allows the {action} action"),
            )),
            Verdict::Denied => {
                Err(refusal(caller, action, resource, "with an explicit deny in an identity-based policy"))
            }
        }
    }

    /// Service control policies bind every principal of a member account and none of the management
    /// account (aws-facts §1.6).
    pub(crate) fn deny_by_organization(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
    ) -> Result<(), ApiError> {
        if self.denied_by_service_control(caller, action) {
            Err(refusal(caller, action, resource, "with an explicit deny in a service control policy"))
        } else {
            Ok(())
        }
    }

    /// Finds a role, by account and name.
    pub fn role(&self, account: &str, name: &str) -> Option<&Arc<Role>> {
        self.account(account)?.roles.iter().find(|role| role.name == name)
    }
}

/// The parts of a role's standing key, `111111111111_Name`.
fn account_and_role(rest: &str) -> Option<(&str, &str)> {
    let (account, role) = rest.split_once('_')?;
    (account.len() == 12).then_some((account, role))
}

/// IAM's sentence for a refusal.
pub(crate) fn refusal(caller: &Caller, action: &str, resource: &str, why: &str) -> ApiError {
    let who = caller.principal.arn();
    ApiError::denied(format!(
        "User: {who} is not authorized to perform: {action} on resource: {resource} {why}"
    ))
}

impl AccountState {
    /// Whether credentials of an account in this state work.
    pub(crate) fn may_call(self) -> bool {
        self == AccountState::Active
    }
}
