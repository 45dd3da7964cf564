//! The organization's own resource policy, by which the management account lets members manage policies
//! (organization-policies §1.5).

use serde::Serialize;
use serde_json::{Value, json};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;
use super::event::Trail;
use super::guardrails::HIDDEN;
use super::iam::{matches, matches_ignoring_case, one_or_many, strings};
use super::organization::Tags;

/// The delegation policy as it was put.
#[derive(Clone, Debug, Serialize)]
pub struct DelegationPolicy {
    /// e.g. `rp-examplepolicy`.
    pub id: String,
    /// Its text.
    pub content: String,
    /// Its tags.
    pub tags: Tags,
}

impl Model {
    /// Puts the delegation policy in the place of the one that is there. It has effect at once.
    ///
    /// # Errors
    /// `InvalidInputException` for a text that isn't one, or whatever else stands in the way.
    pub fn put_delegation_policy(
        &mut self,
        caller: &Caller,
        content: &str,
        tags: Tags,
    ) -> Result<DelegationPolicy, ApiError> {
        self.authorize_management(caller, "PutResourcePolicy")?;
        self.check_delegation(content)?;
        let before = self.organization.delegation_policy.take();
        let (id, mut kept) = before.map_or_else(
            || (format!("rp-{}", self.ids.lower(8)), Tags::new()),
            |before| (before.id, before.tags),
        );
        kept.extend(tags);
        let policy = DelegationPolicy { id, content: content.to_owned(), tags: kept };
        self.organization.delegation_policy = Some(policy.clone());
        let summary = json!({ "id": policy.id, "arn": self.delegation_policy_arn(&policy) });
        let response = json!({ "resourcePolicy": { "resourcePolicySummary": summary, "content": HIDDEN } });
        self.trail(caller, Trail::organizations("PutResourcePolicy", json!({ "content": HIDDEN }), response));
        Ok(policy)
    }

    /// The delegation policy.
    ///
    /// # Errors
    /// `ResourcePolicyNotFoundException`, `AccessDeniedException`.
    pub fn describe_delegation_policy(&self, caller: &Caller) -> Result<&DelegationPolicy, ApiError> {
        self.authorize_reader(caller, "DescribeResourcePolicy")?;
        self.organization.delegation_policy.as_ref().ok_or_else(no_delegation_policy)
    }

    /// Takes the delegation policy away.
    ///
    /// # Errors
    /// `ResourcePolicyNotFoundException`, `AccessDeniedException`.
    pub fn delete_delegation_policy(&mut self, caller: &Caller) -> Result<(), ApiError> {
        self.authorize_management(caller, "DeleteResourcePolicy")?;
        self.organization.delegation_policy.take().ok_or_else(no_delegation_policy)?;
        self.trail(caller, Trail::organizations("DeleteResourcePolicy", Value::Null, Value::Null));
        Ok(())
    }

    /// The ARN of the delegation policy.
    pub fn delegation_policy_arn(&self, policy: &DelegationPolicy) -> String {
        self.organization.arn("resourcepolicy", &policy.id)
    }

    /// Whether the delegation policy lets a member's principal do something that is the management account's. A
    /// statement may be limited to types of policies; one that is says nothing about what has no type, unless its
    /// condition is an `…IfExists`.
    pub(crate) fn delegation_admits(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        kind: Option<&str>,
    ) -> bool {
        let Some(policy) = &self.organization.delegation_policy else { return false };
        let Ok(document) = serde_json::from_str::<Value>(&policy.content) else { return false };
        let speaks = |statement: &&Value| {
            let listed = |member: &str| statement.get(member).and_then(strings).unwrap_or_default();
            listed("Action").iter().any(|pattern| matches_ignoring_case(pattern, action))
                && listed("Resource").iter().any(|pattern| matches(pattern, resource))
                && names(statement, caller)
                && conditions_hold(statement.get("Condition"), kind)
        };
        let statements = document.get("Statement").map(one_or_many).unwrap_or_default();
        let mut speaking = statements.iter().filter(speaks).map(|statement| statement["Effect"] == "Allow");
        let mut admitted = false;
        speaking.all(|allows| {
            admitted = allows;
            allows
        }) && admitted
    }

    /// What a delegation policy must be, as far as it is known. `NotAction` and `NotResource` are taken no longer.
    fn check_delegation(&self, content: &str) -> Result<(), ApiError> {
        let no_policy = |why: &str| {
            let message = format!("The provided resource policy is invalid: {why}.");
            ApiError::because("InvalidInputException", "INVALID_RESOURCE_POLICY_JSON", message)
        };
        let document: Value = serde_json::from_str(content).map_err(|_| no_policy("it is not JSON"))?;
        let statements = document.get("Statement").map(one_or_many).unwrap_or_default();
        if document["Version"] != "2012-10-17" || statements.is_empty() {
            return Err(no_policy("it has no Version 2012-10-17, or no Statement"));
        }
        for statement in statements {
            let members = ["Action", "Resource"];
            let has_lists = members.iter().all(|name| statement.get(name).and_then(strings).is_some());
            if !has_lists || statement.get("NotPrincipal").is_some() {
                return Err(no_policy("a Statement has no Principal, Action or Resource"));
            }
            if !["Allow", "Deny"].iter().any(|effect| statement["Effect"] == *effect) {
                return Err(no_policy("Effect must be Allow or Deny"));
            }
            let actions = statement.get("Action").and_then(strings).unwrap_or_default();
            if !actions.iter().all(|action| action.starts_with("organizations:")) {
                let message = "The resource policy has an action that isn't supported in it.";
                let reason = "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY";
                return Err(ApiError::because("InvalidInputException", reason, message));
            }
            let named = statement["Principal"].get("AWS").and_then(strings).unwrap_or_default();
            let is_member = |principal: &String| {
                let account = account_of(principal);
                account == "*" || self.member(account).is_some()
            };
            if named.is_empty() || !named.iter().all(is_member) {
                let message =
                    "The resource policy has a principal that isn't an account of the organization.";
                return Err(ApiError::because("InvalidInputException", "INVALID_PRINCIPAL", message));
            }
        }
        Ok(())
    }
}

/// The account in an ARN of IAM, or the principal itself.
fn account_of(principal: &str) -> &str {
    principal.split(':').nth(4).unwrap_or(principal)
}

/// Whether a statement names the caller, by its account or its role.
fn names(statement: &Value, caller: &Caller) -> bool {
    let named = statement["Principal"].get("AWS").and_then(strings).unwrap_or_default();
    let account = caller.account();
    let root = format!("arn:aws:iam::{account}:root");
    let role = caller.principal.role_arn();
    named.iter().any(|name| name == "*" || name == account || *name == root || *name == role)
}

/// `organizations:PolicyType` is the only key that is read; a condition on another one never holds.
fn conditions_hold(condition: Option<&Value>, kind: Option<&str>) -> bool {
    let Some(condition) = condition else { return true };
    let Some(operators) = condition.as_object() else { return false };
    operators.iter().all(|(operator, tests)| {
        let Some(tests) = tests.as_object() else { return false };
        tests.iter().all(|(key, wanted)| {
            let wanted = strings(wanted).unwrap_or_default();
            if !key.eq_ignore_ascii_case("organizations:PolicyType") {
                return false;
            }
            let Some(kind) = kind else { return operator.ends_with("IfExists") };
            match operator.trim_end_matches("IfExists") {
                "StringEquals" => wanted.iter().any(|one| one == kind),
                "StringLike" => wanted.iter().any(|one| matches(one, kind)),
                _ => false,
            }
        })
    })
}

fn no_delegation_policy() -> ApiError {
    let message = "We can't find a resource policy for the organization.";
    ApiError::new("ResourcePolicyNotFoundException", message)
}
