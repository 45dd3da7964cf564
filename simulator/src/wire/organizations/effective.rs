//! What the organization's policies come to in each account.

use serde_json::{Value, json};

use super::{listed, page};
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::clock::epoch_seconds;
use crate::model::error::ApiError;
use crate::model::organization_policy::validity::EffectiveFault;
use crate::wire::answer::Output;
use crate::wire::request::Input;

pub(super) fn carry_out(
    model: &Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    let kind = input.text("PolicyType");
    match operation {
        "DescribeEffectivePolicy" => {
            let target = input.optional("TargetId");
            let (account, effective) = model.describe_effective_policy(caller, kind, target)?;
            // An account that no policy was merged for yet is shown as one that none reaches.
            let content = effective.map_or("{}", |effective| effective.document().text.as_str());
            let at = effective.map_or_else(|| model.now(), |effective| effective.evaluated_at);
            Ok(Output::Json(json!({ "EffectivePolicy": {
                "PolicyContent": content,
                "LastUpdatedTimestamp": epoch_seconds(at),
                "TargetId": account,
                "PolicyType": kind,
            } })))
        }
        "ListAccountsWithInvalidEffectivePolicy" => {
            let accounts = model.list_invalid_accounts(caller, kind)?;
            let page = page(model, input, accounts, |account| account)?;
            let shown: Vec<Value> =
                page.items.iter().filter_map(|id| Some(super::shown(model, model.account(id)?))).collect();
            Ok(with(listed("Accounts", &shown, page.next_token), &json!({ "PolicyType": kind })))
        }
        "ListEffectivePolicyValidationErrors" => validation_errors(model, caller, input),
        other => Err(crate::wire::not_carried_out(other)),
    }
}

fn validation_errors(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let (account, kind) = (input.text("AccountId"), input.text("PolicyType"));
    let effective = model.list_validation_errors(caller, account, kind)?;
    let faults = effective.map(|effective| effective.faults.as_slice()).unwrap_or_default();
    let numbered: Vec<(String, &EffectiveFault)> =
        faults.iter().enumerate().map(|(number, fault)| (format!("{number:05}"), fault)).collect();
    let page = page(model, input, numbered, |(number, _)| number)?;
    let shown: Vec<Value> = page
        .items
        .iter()
        .map(|(_, fault)| {
            json!({
                "ErrorCode": fault.code,
                "ErrorMessage": fault.message,
                "PathToError": fault.path,
                "ContributingPolicies": fault.policies,
            })
        })
        .collect();
    let at = effective.map_or_else(|| model.now(), |effective| effective.evaluated_at);
    let about = json!({
        "AccountId": account,
        "PolicyType": kind,
        "Path": model.account_path(account),
        "EvaluationTimestamp": epoch_seconds(at),
    });
    Ok(with(listed("EffectivePolicyValidationErrors", &shown, page.next_token), &about))
}

/// An output with more members.
fn with(output: Output, more: &Value) -> Output {
    let Output::Json(mut members) = output else { return output };
    for (name, value) in more.as_object().into_iter().flatten() {
        members[name] = value.clone();
    }
    Output::Json(members)
}
