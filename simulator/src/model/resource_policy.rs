//! Resource policies of guardrails and guardrail profiles: keeping them, and evaluating them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::caller::Caller;
use super::error::ApiError;
use super::event::Trail;
use super::iam::{matches, one_or_many, strings};
use super::settling::Settling;
use super::{Model, policy_rules};

/// Whom a resource policy lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nobody who asked.
    None,
    /// The caller's account, which then decides itself who of its principals may.
    Account,
    /// The caller.
    Principal,
}

/// The parts of `arn:aws:bedrock:<region>:<account>:guardrail/<id>` or `…:guardrail-profile/<id>`.
struct Resource<'a> {
    region: &'a str,
    account: &'a str,
    kind: &'a str,
    id: &'a str,
}

impl<'a> Resource<'a> {
    fn parse(arn: &'a str) -> Option<Resource<'a>> {
        let mut parts = arn.splitn(6, ':');
        let head = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account) = (parts.next()?, parts.next()?);
        let (kind, id) = parts.next()?.split_once('/')?;
        let known = matches!(kind, "guardrail" | "guardrail-profile");
        (head.0 == "arn" && head.1.starts_with("aws") && head.2 == "bedrock" && known && !id.is_empty())
            .then_some(Resource { region, account, kind, id })
    }
}

impl Model {
    /// Attaches a policy to a guardrail or guardrail profile of the caller's account, replacing what was there.
    ///
    /// # Errors
    /// `ValidationException` for a resource that doesn't exist (Put knows no ResourceNotFoundException,
    /// aws-facts §2.1) and for everything but the three legal patterns (§2.2).
    pub fn put_resource_policy(&mut self, caller: &Caller, arn: &str, text: &str) -> Result<(), ApiError> {
        self.authorize(caller, "bedrock:PutResourcePolicy", arn)?;
        let resource = self.own_resource(caller, arn).map_err(|error| match error.code.as_str() {
            "ResourceNotFoundException" => ApiError::validation(error.message),
            _ => error,
        })?;
        let organization = self.member(&resource).map(|_| self.organization.id.as_str());
        policy_rules::check(text, arn, &resource, organization, self.switches)?;
        self.attach_resource_policy(arn, Some(text))?;
        let request = json!({ "resourceArn": arn, "resourcePolicy": text });
        self.trail(caller, Trail::bedrock("PutResourcePolicy", request, json!({ "resourceArn": arn })));
        Ok(())
    }

    /// The policy of a guardrail or guardrail profile of the caller's account.
    ///
    /// # Errors
    /// `ResourceNotFoundException` where there is none.
    pub fn get_resource_policy(&self, caller: &Caller, arn: &str) -> Result<Arc<str>, ApiError> {
        self.authorize(caller, "bedrock:GetResourcePolicy", arn)?;
        self.own_resource(caller, arn)?;
        self.resource_policy(arn).ok_or_else(|| no_policy(arn))
    }

    /// Takes the policy away.
    ///
    /// # Errors
    /// `ResourceNotFoundException` where there is none.
    pub fn delete_resource_policy(&mut self, caller: &Caller, arn: &str) -> Result<(), ApiError> {
        self.authorize(caller, "bedrock:DeleteResourcePolicy", arn)?;
        self.own_resource(caller, arn)?;
        self.resource_policy(arn).ok_or_else(|| no_policy(arn))?;
        self.attach_resource_policy(arn, None)?;
        let request = json!({ "resourceArn": arn });
        self.trail(caller, Trail::bedrock("DeleteResourcePolicy", request, Value::Null));
        Ok(())
    }

    /// The policy that was put last, whether it has effect yet or not.
    pub fn resource_policy(&self, arn: &str) -> Option<Arc<str>> {
        let resource = Resource::parse(arn)?;
        let policies = &self.region(resource.account, resource.region)?.resource_policies;
        policies.get(arn)?.latest().clone()
    }

    /// Attaches any text, legal or not, or takes the policy away. Nothing is checked and no event is made:
    /// this is how a test or the world's file puts things as they are.
    ///
    /// # Errors
    /// `ValidationException` for an ARN of neither a guardrail nor a guardrail profile.
    pub fn attach_resource_policy(&mut self, arn: &str, text: Option<&str>) -> Result<(), ApiError> {
        let resource = Resource::parse(arn).ok_or_else(|| invalid_arn(arn))?;
        let (now, delay) = (self.now(), self.settings.propagation_seconds);
        let policies = &mut self.region_mut(resource.account, resource.region)?.resource_policies;
        policies.entry(arn.to_owned()).or_insert_with(|| Settling::settled(None)).write(
            text.map(Arc::from),
            now,
            delay,
        );
        Ok(())
    }

    /// Whom the policy that has effect now lets in.
    pub fn resource_policy_admits(&self, arn: &str, account: &str, action: &str) -> Admission {
        let Some(resource) = Resource::parse(arn) else { return Admission::None };
        let Some(region) = self.region(resource.account, resource.region) else { return Admission::None };
        let effective = region
            .resource_policies
            .get(arn)
            .and_then(|policy| policy.effective(self.now(), self.settings.propagation_seconds).as_deref());
        let Some(policy) = effective.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            return Admission::None;
        };
        self.policy_admits(&policy, arn, account, action)
    }

    /// Whom a resource's policy lets in, be it a guardrail's or a key's.
    pub(crate) fn policy_admits(&self, policy: &Value, arn: &str, account: &str, action: &str) -> Admission {
        let statements = policy.get("Statement").map(one_or_many).unwrap_or_default();
        let mut admission = Admission::None;
        for statement in statements {
            if !covers(statement, "Action", action) || !covers(statement, "Resource", arn) {
                continue;
            }
            let reach = self.principal_reach(statement, account);
            if reach == Admission::None || !self.conditions_hold(statement, account) {
                continue;
            }
            match statement["Effect"].as_str() {
                Some("Deny") => return Admission::None,
                _ if admission != Admission::Principal => admission = reach,
                _ => {}
            }
        }
        admission
    }

    fn principal_reach(&self, statement: &Value, account: &str) -> Admission {
        let Some(principal) = statement.get("Principal") else { return Admission::None };
        if principal == "*" {
            return Admission::Principal;
        }
        let Some(named) = principal.get("AWS").and_then(strings) else { return Admission::None };
        if named.iter().any(|name| name == "*") {
            Admission::Principal
        } else if named.iter().any(|name| name == account || *name == format!("arn:aws:iam::{account}:root"))
        {
            Admission::Account
        } else {
            Admission::None
        }
    }

    /// The two conditions that a guardrail's policy may have; any other never holds.
    fn conditions_hold(&self, statement: &Value, account: &str) -> bool {
        let Some(conditions) = statement.get("Condition") else { return true };
        let Some(operators) = conditions.as_object() else { return false };
        operators.iter().all(|(operator, tests)| {
            let Some(tests) = tests.as_object() else { return false };
            tests.iter().all(|(key, wanted)| {
                let wanted = strings(wanted).unwrap_or_default();
                let seen = match key.to_ascii_lowercase().as_str() {
                    "aws:principalorgid" => self.member(account).map(|_| self.organization.id.clone()),
                    "aws:principalorgpaths" => self.principal_path(account),
                    _ => None,
                };
                let Some(seen) = seen else { return false };
                match operator.as_str() {
                    "StringEquals" | "ForAnyValue:StringEquals" => wanted.contains(&seen),
                    "StringLike" | "ForAnyValue:StringLike" => wanted.iter().any(|like| matches(like, &seen)),
                    _ => false,
                }
            })
        })
    }

    /// The account of a guardrail or guardrail profile that is the caller's and exists.
    fn own_resource(&self, caller: &Caller, arn: &str) -> Result<String, ApiError> {
        let resource = Resource::parse(arn).ok_or_else(|| invalid_arn(arn))?;
        if resource.account != caller.account() {
            return Err(ApiError::denied(format!(
                "User: {} is not authorized to access the resource policy of {arn}",
                caller.principal.arn()
            )));
        }
        let region = self.region(resource.account, resource.region);
        // Guardrail profiles are AWS's own and exist in every account and Region.
        let exists = resource.kind == "guardrail-profile"
            || region.is_some_and(|region| region.guardrails.contains_key(resource.id));
        if exists && resource.region == caller.region {
            Ok(resource.account.to_owned())
        } else {
            Err(ApiError::not_found(format!("The resource {arn} doesn't exist.")))
        }
    }
}

fn covers(statement: &Value, member: &str, wanted: &str) -> bool {
    let listed = statement.get(member).and_then(strings).unwrap_or_default();
    listed.iter().any(|pattern| matches(pattern, wanted))
}

fn invalid_arn(arn: &str) -> ApiError {
    ApiError::validation(format!("The provided resource ARN is not supported: {arn}"))
}

fn no_policy(arn: &str) -> ApiError {
    ApiError::not_found(format!("No resource policy is attached to {arn}."))
}
