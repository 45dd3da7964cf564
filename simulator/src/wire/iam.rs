//! IAM, in the query protocol: who is there, and what each would be allowed.

use serde_json::json;

use super::answer::Output;
use super::request::Input;
use super::xml::{element, list, map, text};
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::clock::iso8601;
use crate::model::error::ApiError;
use crate::model::event::role_id;
use crate::model::iam::{Role, User, Verdict};
use crate::model::principals::{Simulated, SimulatedContext};

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    match operation {
        "GetRole" => {
            let role = model.role_as(caller, input.text("RoleName"))?;
            Ok(Output::Xml(element("Role", &shown_role(model, caller, &role))))
        }
        "ListRoles" => {
            let prefix = input.optional("PathPrefix").unwrap_or("/");
            let roles = model.roles_as(caller)?;
            let roles = roles.iter().filter(|role| role.path().starts_with(prefix));
            listed(model, input, "Roles", roles, |role| &role.name, |role| shown_role(model, caller, role))
        }
        "ListUsers" => {
            let users = model.users_as(caller)?;
            listed(
                model,
                input,
                "Users",
                users.iter(),
                |user| &user.name,
                |user| shown_user(model, caller, user),
            )
        }
        "SimulatePrincipalPolicy" => simulate(model, caller, input),
        other => Err(super::not_carried_out(other)),
    }
}

/// A page of a list, as IAM cuts them.
fn listed<T>(
    model: &Model,
    input: &Input,
    name: &str,
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> &str,
    shown: impl Fn(&T) -> String,
) -> Result<Output, ApiError> {
    let size = input.number("MaxItems").unwrap_or(100) as usize;
    let page = model
        .page(items, key, input.optional("Marker"), size)
        .map_err(|_| ApiError::new("ValidationError", "Invalid Marker."))?;
    let mut output = list(name, page.items.iter().map(shown));
    output += &text("IsTruncated", if page.next_token.is_some() { "true" } else { "false" });
    if let Some(token) = &page.next_token {
        output += &text("Marker", token);
    }
    Ok(Output::Xml(output))
}

fn shown_role(model: &Model, caller: &Caller, role: &Role) -> String {
    let trust = percent_encoding::utf8_percent_encode(
        &trust_document(role).to_string(),
        percent_encoding::NON_ALPHANUMERIC,
    )
    .to_string();
    [
        text("Path", role.path()),
        text("RoleName", &role.name),
        text("RoleId", &role_id(caller.account(), &role.name)),
        text("Arn", &role.arn(caller.account())),
        text("CreateDate", &iso8601(model.now())),
        text("AssumeRolePolicyDocument", &trust),
    ]
    .concat()
}

/// The trust policy as IAM would have it.
fn trust_document(role: &Role) -> serde_json::Value {
    let service = |principal: &&String| principal.ends_with(".amazonaws.com");
    let principals: Vec<&String> = role.trust.principals.iter().filter(|one| !service(one)).collect();
    let services: Vec<&String> = role.trust.principals.iter().filter(service).collect();
    let mut statement = json!({
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "AWS": principals, "Service": services },
    });
    if let Some(id) = &role.trust.external_id {
        statement["Condition"]["StringEquals"]["sts:ExternalId"] = id.as_str().into();
    }
    if let Some(organization) = &role.trust.organization {
        statement["Condition"]["StringEquals"]["aws:PrincipalOrgID"] = organization.as_str().into();
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

fn shown_user(model: &Model, caller: &Caller, user: &User) -> String {
    [
        text("Path", "/"),
        text("UserName", &user.name),
        text("UserId", &role_id(caller.account(), &user.name).replacen("AROA", "AIDA", 1)),
        text("Arn", &user.arn(caller.account())),
        text("CreateDate", &iso8601(model.now())),
    ]
    .concat()
}

fn simulate(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let everything = vec!["*"];
    let resources = Some(input.texts("ResourceArns")).filter(|named| !named.is_empty()).unwrap_or(everything);
    let mut context = SimulatedContext::default();
    let entries = input.members.get("ContextEntries").and_then(serde_json::Value::as_array);
    for entry in entries.into_iter().flatten() {
        let value = entry["ContextKeyValues"][0].as_str().unwrap_or_default().to_owned();
        match entry["ContextKeyName"].as_str().unwrap_or_default() {
            "aws:RequestedRegion" => context.region = value,
            "lambda:SourceFunctionArn" => context.function = Some(value),
            "organizations:PolicyType" => context.policy_type = Some(value),
            key => {
                let tag = key.strip_prefix("aws:ResourceTag/").map(|key| (key.to_owned(), value));
                context.tags.extend(tag);
            }
        }
    }
    let principal = input.text("PolicySourceArn");
    let results = model.simulate_as(caller, principal, &input.texts("ActionNames"), &resources, &context)?;
    // One result for each action on each resource. They have no name to go on from but their number.
    let keyed: Vec<(String, Simulated)> =
        results.into_iter().enumerate().map(|(number, one)| (format!("{number:06}"), one)).collect();
    listed(
        model,
        input,
        "EvaluationResults",
        keyed.iter(),
        |(number, _)| number,
        |(_, one)| shown_result(one),
    )
}

fn shown_result(one: &Simulated) -> String {
    let Simulated { action, resource, decision, identity, boundary, organization, across_accounts } = one;
    let mut shown = [
        text("EvalActionName", action),
        text("EvalResourceName", resource),
        text("EvalDecision", spelled(*decision)),
        element("MatchedStatements", ""),
        element("MissingContextValues", ""),
    ]
    .concat();
    if let Some(allowed) = organization {
        let allowed = text("AllowedByOrganizations", &allowed.to_string());
        shown += &element("OrganizationsDecisionDetail", &allowed);
    }
    if let Some(allowed) = boundary {
        let allowed = text("AllowedByPermissionsBoundary", &allowed.to_string());
        shown += &element("PermissionsBoundaryDecisionDetail", &allowed);
    }
    // Left out where the organization refuses: the simulation ends there.
    if *organization != Some(false) {
        let mut details: Vec<(&str, &str)> = Vec::new();
        if *across_accounts {
            details.push(("IAM Policy", spelled(*identity)));
            details.push(("Resource Policy", spelled(Verdict::NotAllowed)));
            if let Some(allowed) = boundary {
                let verdict = if *allowed { Verdict::Allowed } else { Verdict::NotAllowed };
                details.push(("Permissions Boundary Policy", spelled(verdict)));
            }
        }
        shown += &map("EvalDecisionDetails", details);
    }
    shown
}

fn spelled(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed => "allowed",
        Verdict::NotAllowed => "implicitDeny",
        Verdict::Denied => "explicitDeny",
    }
}
