//! The organization's own resource policy, and the services that it trusts.

use serde_json::{Value, json};

use super::{listed, page, read_tags};
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::clock::epoch_seconds;
use crate::model::delegation_policy::DelegationPolicy;
use crate::model::error::ApiError;
use crate::wire::answer::Output;
use crate::wire::request::Input;

pub(super) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    let service = input.text("ServicePrincipal");
    match operation {
        "PutResourcePolicy" => {
            let policy = model.put_delegation_policy(caller, input.text("Content"), read_tags(input)?)?;
            Ok(shown(model, &policy))
        }
        "DescribeResourcePolicy" => Ok(shown(model, model.describe_delegation_policy(caller)?)),
        "DeleteResourcePolicy" => model.delete_delegation_policy(caller).map(|()| Output::Nothing),
        "EnableAWSServiceAccess" => model.enable_service_access(caller, service).map(|()| Output::Nothing),
        "DisableAWSServiceAccess" => model.disable_service_access(caller, service).map(|()| Output::Nothing),
        "ListAWSServiceAccessForOrganization" => {
            let page = page(model, input, model.list_service_access(caller)?, |(service, _)| service)?;
            let shown = page.items.iter().map(
                |(service, at)| json!({ "ServicePrincipal": service, "DateEnabled": epoch_seconds(*at) }),
            );
            let shown: Vec<Value> = shown.collect();
            Ok(listed("EnabledServicePrincipals", &shown, page.next_token))
        }
        other => Err(crate::wire::not_carried_out(other)),
    }
}

/// A `ResourcePolicy`.
fn shown(model: &Model, policy: &DelegationPolicy) -> Output {
    let summary = json!({ "Id": policy.id, "Arn": model.delegation_policy_arn(policy) });
    Output::Json(json!({ "ResourcePolicy": { "ResourcePolicySummary": summary, "Content": policy.content } }))
}
