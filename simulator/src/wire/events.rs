//! EventBridge, in JSON 1.1: PutEvents, and what there is of buses and rules.

use serde_json::{Value, json};

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::bus_rules::BusRule;
use crate::model::caller::Caller;
use crate::model::error::ApiError;

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    model.require_region(caller.account(), &caller.region)?;
    match operation {
        "PutEvents" => {
            let results = model.put_events_as(caller, input.parse("Entries")?)?;
            let failed = results.iter().filter(|result| result.is_err()).count();
            let entries: Vec<Value> = results.into_iter().map(shown).collect();
            Ok(Output::Json(json!({ "FailedEntryCount": failed, "Entries": entries })))
        }
        "DescribeEventBus" => {
            let (name, arn) = model.event_bus_as(caller, operation, input.optional("Name"))?;
            let mut shown = json!({ "Name": name, "Arn": arn });
            if let Some(policy) = model.bus_policy(&arn) {
                shown["Policy"] = policy.to_string().into();
            }
            Ok(Output::Json(shown))
        }
        "ListRules" => {
            let prefix = input.optional("NamePrefix").unwrap_or_default();
            let rules = model.rules_as(caller, input.optional("EventBusName"), prefix)?;
            listed(model, input, "Rules", rules, |rule| &rule.name, |rule| rule_shown(rule))
        }
        "ListTargetsByRule" => {
            let rule = model.rule_as(caller, input.optional("EventBusName"), input.text("Rule"))?;
            listed(
                model,
                input,
                "Targets",
                &rule.targets,
                |target| &target.id,
                |target| {
                    let mut shown = json!({ "Id": target.id, "Arn": target.arn });
                    if let Some(role) = &target.role {
                        shown["RoleArn"] = role.as_str().into();
                    }
                    shown
                },
            )
        }
        other => Err(super::not_carried_out(other)),
    }
}

fn rule_shown(rule: &BusRule) -> Value {
    let state = match (rule.enabled, rule.all_management_events) {
        (false, _) => "DISABLED",
        (true, false) => "ENABLED",
        (true, true) => "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
    };
    json!({
        "Name": rule.name,
        "Arn": rule.arn(),
        "EventPattern": rule.pattern.to_string(),
        "State": state,
        "EventBusName": rule.bus,
    })
}

fn listed<T>(
    model: &Model,
    input: &Input,
    name: &str,
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> &str,
    shown: impl Fn(&T) -> Value,
) -> Result<Output, ApiError> {
    let size = input.number("Limit").unwrap_or(100) as usize;
    let page = model
        .page(items, key, input.optional("NextToken"), size)
        .map_err(|_| ApiError::validation("The NextToken is invalid."))?;
    let mut output = json!({ name: page.items.iter().map(shown).collect::<Vec<_>>() });
    if let Some(token) = page.next_token {
        output["NextToken"] = token.into();
    }
    Ok(Output::Json(output))
}

fn shown(result: Result<String, ApiError>) -> Value {
    match result {
        Ok(id) => json!({ "EventId": id }),
        Err(error) => json!({ "ErrorCode": error.code, "ErrorMessage": error.message }),
    }
}
