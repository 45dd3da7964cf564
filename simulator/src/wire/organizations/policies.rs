//! Policies of the organization: reading all types, writing BEDROCK_POLICY.

use serde_json::{Value, json};

use super::{listed, page, read_tags};
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::organization_policy::OrganizationPolicy;
use crate::model::organization_policy::write::{CreateOrganizationPolicy, UpdateOrganizationPolicy};
use crate::wire::answer::Output;
use crate::wire::request::Input;

pub(super) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    let (id, target) = (input.text("PolicyId"), input.text("TargetId"));
    match operation {
        "CreatePolicy" => {
            let text = |name: &str| input.text(name).to_owned();
            let wanted = CreateOrganizationPolicy {
                name: screened(input, "Name")?,
                description: screened(input, "Description")?,
                kind: text("Type"),
                content: text("Content"),
                tags: read_tags(input)?,
            };
            let policy = model.create_policy(caller, wanted)?;
            Ok(whole(model, &policy))
        }
        "UpdatePolicy" => {
            let sent = |name: &str| input.optional(name).map(|_| screened(input, name)).transpose();
            let wanted = UpdateOrganizationPolicy {
                name: sent("Name")?,
                description: sent("Description")?,
                content: input.optional("Content").map(str::to_owned),
            };
            let policy = model.update_policy(caller, id, wanted)?;
            Ok(whole(model, &policy))
        }
        "DeletePolicy" => model.delete_policy(caller, id).map(|()| Output::Nothing),
        "AttachPolicy" => model.attach_policy(caller, id, target).map(|()| Output::Nothing),
        "DetachPolicy" => model.detach_policy(caller, id, target).map(|()| Output::Nothing),
        "EnablePolicyType" => {
            let root = model.enable_policy_type(caller, input.text("RootId"), input.text("PolicyType"))?;
            Ok(Output::Json(json!({ "Root": root })))
        }
        "DisablePolicyType" => {
            let root = model.disable_policy_type(caller, input.text("RootId"), input.text("PolicyType"))?;
            Ok(Output::Json(json!({ "Root": root })))
        }
        _ => read(model, caller, operation, input),
    }
}

fn read(model: &Model, caller: &Caller, operation: &str, input: &Input) -> Result<Output, ApiError> {
    let (id, filter) = (input.text("PolicyId"), input.text("Filter"));
    match operation {
        "DescribePolicy" => Ok(whole(model, model.describe_policy(caller, id)?)),
        "ListPolicies" => {
            let policies = model.list_policies(caller, filter)?;
            let page = page(model, input, policies, |policy| &policy.id)?;
            let shown: Vec<Value> = page.items.iter().map(|policy| shown(model, policy)).collect();
            Ok(listed("Policies", &shown, page.next_token))
        }
        "ListPoliciesForTarget" => {
            let policies = model.list_policies_for_target(caller, input.text("TargetId"), filter)?;
            let page = page(model, input, policies, |(key, _)| key)?;
            let shown: Vec<Value> = page.items.iter().map(|(_, policy)| shown(model, policy)).collect();
            Ok(listed("Policies", &shown, page.next_token))
        }
        "ListTargetsForPolicy" => {
            let targets = model.list_targets_for_policy(caller, id)?;
            let page = page(model, input, targets, |target| target)?;
            let shown: Vec<Value> = page.items.iter().map(|target| shown_target(model, target)).collect();
            Ok(listed("Targets", &shown, page.next_token))
        }
        other => Err(crate::wire::not_carried_out(other)),
    }
}

/// Names and descriptions are screened for what looks like a script (organization-policies §1.7).
fn screened(input: &Input, name: &str) -> Result<String, ApiError> {
    let text = input.text(name);
    if text.contains(['<', '>']) {
        let message = format!("You provided a value that doesn't match the required pattern: {name}.");
        return Err(ApiError::because("InvalidInputException", "INVALID_PATTERN", message));
    }
    Ok(text.to_owned())
}

/// A `Policy`.
fn whole(model: &Model, policy: &OrganizationPolicy) -> Output {
    let summary = shown(model, policy);
    Output::Json(json!({ "Policy": { "PolicySummary": summary, "Content": policy.content } }))
}

/// A `PolicySummary`.
fn shown(model: &Model, policy: &OrganizationPolicy) -> Value {
    json!({
        "Id": policy.id,
        "Arn": model.organization.policy_arn(policy),
        "Name": policy.name,
        "Description": policy.description,
        "Type": policy.kind.name(),
        "AwsManaged": policy.of_aws,
    })
}

/// A `PolicyTargetSummary`.
fn shown_target(model: &Model, target: &str) -> Value {
    let organization = &model.organization;
    let unit = organization.units.get(target).map(|unit| ("ORGANIZATIONAL_UNIT", unit.name.as_str()));
    let root = (target == organization.root).then_some(("ROOT", "Root"));
    let account = || ("ACCOUNT", model.account(target).map_or("", |account| account.name.as_str()));
    let (kind, name) = unit.or(root).unwrap_or_else(account);
    json!({ "TargetId": target, "Arn": organization.target_arn(target), "Name": name, "Type": kind })
}
