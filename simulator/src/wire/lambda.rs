//! Lambda, in REST-JSON: a function's settings and the mappings of queues to it, to look at.

use serde_json::{Value, json};

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::functions::{Function, Mapping};

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    match operation {
        "GetFunctionRecursionConfig" => {
            let function = model.function_as(caller, operation, input.text("FunctionName"))?;
            Ok(Output::Json(json!({ "RecursiveLoop": function.recursive_loop.name() })))
        }
        "GetFunctionConfiguration" => {
            let function = model.function_as(caller, operation, input.text("FunctionName"))?;
            let mut shown = json!({ "FunctionName": function.name, "FunctionArn": function.arn() });
            if !function.environment.is_empty() {
                shown["Environment"] = json!({ "Variables": function.environment });
            }
            Ok(Output::Json(shown))
        }
        "ListEventSourceMappings" => list_mappings(model, caller, input),
        other => Err(super::not_carried_out(other)),
    }
}

fn list_mappings(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let mappings = model.mappings_as(caller, input.optional("EventSourceArn"))?;
    let named = input.optional("FunctionName");
    let wanted =
        |function: &Function| named.is_none_or(|name| function.name == name || function.arn() == name);
    let mut keyed: Vec<(String, &Function, &Mapping)> = mappings
        .into_iter()
        .filter(|(function, _)| wanted(function))
        .map(|(function, mapping)| (format!("{} {}", function.name, mapping.queue), function, mapping))
        .collect();
    keyed.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let size = input.number("MaxItems").unwrap_or(100).clamp(1, 10_000) as usize;
    let page = model
        .page(keyed, |(key, ..)| key, input.optional("Marker"), size)
        .map_err(|_| ApiError::new("InvalidParameterValueException", "The Marker is invalid."))?;
    let shown: Vec<Value> =
        page.items.iter().map(|(_, function, mapping)| shown(function, mapping)).collect();
    let mut output = json!({ "EventSourceMappings": shown });
    if let Some(token) = page.next_token {
        output["NextMarker"] = token.into();
    }
    Ok(Output::Json(output))
}

fn shown(function: &Function, Mapping { queue, state }: &Mapping) -> Value {
    json!({ "EventSourceArn": queue, "FunctionArn": function.arn(), "State": state, "BatchSize": 10 })
}
