//! Reading service control policies.

use serde_json::{Value, json};

use super::{listed, page};
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::control::ControlPolicy;
use crate::model::error::ApiError;
use crate::wire::answer::Output;
use crate::wire::request::Input;

pub(super) fn carry_out(
    model: &Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    model.authorize_reader(caller, operation)?;
    let organization = &model.organization;
    match operation {
        "DescribePolicy" => {
            let id = input.text("PolicyId");
            let policy =
                organization.control_policies.iter().find(|policy| policy.id == id).ok_or_else(|| {
                    ApiError::new("PolicyNotFoundException", "You specified a policy that doesn't exist.")
                })?;
            let summary = shown(model, policy);
            Ok(Output::Json(json!({ "Policy": { "PolicySummary": summary, "Content": policy.content } })))
        }
        "ListPoliciesForTarget" => {
            let target = input.text("TargetId");
            if !organization.is_parent(target) && model.member(target).is_none() {
                let message = "You specified a target that doesn't exist.";
                return Err(ApiError::new("TargetNotFoundException", message));
            }
            let of_the_type = input.text("Filter") == "SERVICE_CONTROL_POLICY";
            let policies = organization.control_policies.iter();
            let mut attached: Vec<&ControlPolicy> = policies
                .filter(|policy| of_the_type && policy.targets.iter().any(|one| one == target))
                .collect();
            attached.sort_by_key(|policy| &policy.id);
            let page = page(model, input, attached, |policy| &policy.id)?;
            let shown: Vec<Value> = page.items.iter().map(|policy| shown(model, policy)).collect();
            Ok(listed("Policies", &shown, page.next_token))
        }
        other => Err(crate::wire::not_carried_out(other)),
    }
}

/// A `PolicySummary`.
fn shown(model: &Model, policy: &ControlPolicy) -> Value {
    let arn = match policy.of_aws {
        true => format!("arn:aws:organizations::aws:policy/service_control_policy/{}", policy.id),
        false => {
            let kind = format!("policy/{}/service_control_policy", model.organization.id);
            format!("arn:aws:organizations::{}:{kind}/{}", model.organization.management_account, policy.id)
        }
    };
    json!({
        "Id": policy.id,
        "Arn": arn,
        "Name": policy.name,
        "Description": "",
        "Type": "SERVICE_CONTROL_POLICY",
        "AwsManaged": policy.of_aws,
    })
}
