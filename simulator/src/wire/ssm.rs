//! Systems Manager's parameters, in JSON 1.1.

use serde_json::{Value, json};

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::clock::epoch_seconds;
use crate::model::error::ApiError;
use crate::model::parameter::{Parameter, ParameterVersion, PutParameter, parameter_arn};

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    model.require_region(caller.account(), &caller.region)?;
    match operation {
        "GetParameter" => {
            let name = input.text("Name");
            let (parameter, version) = model.get_parameter(caller, operation, name)?;
            Ok(Output::Json(json!({ "Parameter": shown(caller, parameter, version, name) })))
        }
        "GetParameters" => get_parameters(model, caller, input),
        "GetParametersByPath" => get_by_path(model, caller, input),
        "GetParameterHistory" => get_history(model, caller, input),
        "PutParameter" => {
            let text = |member| input.optional(member).map(str::to_owned);
            let (version, tier) = model.put_parameter(
                caller,
                PutParameter {
                    name: input.text("Name").to_owned(),
                    value: input.text("Value").to_owned(),
                    kind: text("Type"),
                    tier: text("Tier"),
                    description: text("Description"),
                    overwrite: input.flag("Overwrite"),
                },
            )?;
            Ok(Output::Json(json!({ "Version": version, "Tier": tier })))
        }
        "DeleteParameter" => {
            model.delete_parameter(caller, input.text("Name"))?;
            Ok(Output::Json(json!({})))
        }
        "DescribeParameters" => describe_parameters(model, caller, input),
        other => Err(super::not_carried_out(other)),
    }
}

fn get_parameters(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in input.texts("Names") {
        match model.get_parameter(caller, "GetParameters", name) {
            Ok((parameter, version)) => found.push(shown(caller, parameter, version, name)),
            Err(error) if error.code == "AccessDeniedException" => return Err(error),
            Err(_) => invalid.push(name),
        }
    }
    Ok(Output::Json(json!({ "Parameters": found, "InvalidParameters": invalid })))
}

/// The parameters right below a path; with `Recursive`, all below it. Filters aren't modelled.
fn get_by_path(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let path = input.text("Path");
    model.authorize(
        caller,
        "ssm:GetParametersByPath",
        &parameter_arn(caller.account(), &caller.region, path.trim_end_matches('/')),
    )?;
    if !path.starts_with('/') {
        let message = "The parameter doesn't meet the parameter name requirements. The parameter name must begin \
                       with a forward slash \"/\".";
        return Err(ApiError::validation(message));
    }
    let folder = format!("{}/", path.trim_end_matches('/'));
    let is_recursive = input.flag("Recursive");
    let is_below = |parameter: &&Parameter| {
        let below = parameter.name.strip_prefix(folder.as_str());
        below.is_some_and(|below| is_recursive || !below.contains('/'))
    };
    let region = model.region(caller.account(), &caller.region);
    let kept = region.iter().flat_map(|region| region.parameters.values()).filter(is_below);
    let kept: Vec<&Parameter> = kept.collect();
    let size = input.number("MaxResults").unwrap_or(10) as usize;
    let page = model.page(kept, |parameter| &parameter.name, input.optional("NextToken"), size);
    let page = page.map_err(|_| ApiError::new("InvalidNextToken", "The token is invalid."))?;
    let shown: Vec<Value> = page
        .items
        .iter()
        .map(|parameter| shown(caller, parameter, parameter.latest(), &parameter.name))
        .collect();
    Ok(Output::Json(with_token(json!({ "Parameters": shown }), page.next_token)))
}

fn get_history(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let (parameter, _) = model.get_parameter(caller, "GetParameterHistory", input.text("Name"))?;
    let versions = parameter.versions.iter().map(|version| (format!("{:0>8}", version.number), version));
    let size = input.number("MaxResults").unwrap_or(50) as usize;
    let page = model.page(versions, |(key, _)| key, input.optional("NextToken"), size);
    let page = page.map_err(|_| ApiError::new("InvalidNextToken", "The token is invalid."))?;
    let shown: Vec<Value> = page
        .items
        .iter()
        .map(|(_, version)| {
            json!({
                "Name": parameter.name,
                "Type": version.kind,
                "LastModifiedDate": epoch_seconds(version.at),
                "LastModifiedUser": version.by,
                "Value": version.value,
                "Version": version.number,
                "Tier": parameter.tier,
                "DataType": "text",
            })
        })
        .collect();
    Ok(Output::Json(with_token(json!({ "Parameters": shown }), page.next_token)))
}

fn describe_parameters(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    model.authorize(caller, "ssm:DescribeParameters", "*")?;
    let filters = input.members.get("ParameterFilters").and_then(Value::as_array);
    let mut kept: Vec<&Parameter> = Vec::new();
    let region = model.region(caller.account(), &caller.region);
    'parameters: for parameter in region.iter().flat_map(|region| region.parameters.values()) {
        for filter in filters.into_iter().flatten() {
            if !passes(filter, parameter)? {
                continue 'parameters;
            }
        }
        kept.push(parameter);
    }
    let size = input.number("MaxResults").unwrap_or(10) as usize;
    let page = model.page(kept, |parameter| &parameter.name, input.optional("NextToken"), size);
    let page = page.map_err(|_| ApiError::new("InvalidNextToken", "The token is invalid."))?;
    let shown: Vec<Value> = page
        .items
        .iter()
        .map(|parameter| {
            let latest = parameter.latest();
            let mut metadata = json!({
                "Name": parameter.name,
                "ARN": parameter.arn(caller.account(), &caller.region),
                "Type": latest.kind,
                "LastModifiedDate": epoch_seconds(latest.at),
                "LastModifiedUser": latest.by,
                "Version": latest.number,
                "Tier": parameter.tier,
                "Policies": [],
                "DataType": "text",
            });
            if let Some(description) = &parameter.description {
                metadata["Description"] = description.clone().into();
            }
            metadata
        })
        .collect();
    Ok(Output::Json(with_token(json!({ "Parameters": shown }), page.next_token)))
}

/// The filters by name, type and tier; others aren't modelled, and saying so is better than passing everything.
fn passes(filter: &Value, parameter: &Parameter) -> Result<bool, ApiError> {
    let seen = match filter["Key"].as_str().unwrap_or_default() {
        "Name" => parameter.name.as_str(),
        "Type" => parameter.latest().kind.as_str(),
        "Tier" => parameter.tier.as_str(),
        other => {
            return Err(ApiError::new("InvalidFilterKey", format!("The filter {other} is not modelled.")));
        }
    };
    let mut values = filter["Values"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match filter["Option"].as_str().unwrap_or("Equals") {
        "Equals" => Ok(values.any(|value| value == seen)),
        "BeginsWith" => Ok(values.any(|value| seen.starts_with(value))),
        "Contains" => Ok(values.any(|value| seen.contains(value))),
        other => {
            Err(ApiError::new("InvalidFilterOption", format!("The filter option {other} is not supported.")))
        }
    }
}

fn shown(caller: &Caller, parameter: &Parameter, version: &ParameterVersion, asked: &str) -> Value {
    let mut shown = json!({
        "Name": parameter.name,
        "Type": version.kind,
        "Value": version.value,
        "Version": version.number,
        "LastModifiedDate": epoch_seconds(version.at),
        "ARN": parameter.arn(caller.account(), &caller.region),
        "DataType": "text",
    });
    if let Some(selector) = asked.strip_prefix(parameter.name.as_str()).filter(|rest| !rest.is_empty()) {
        shown["Selector"] = selector.into();
    }
    shown
}

fn with_token(mut output: Value, token: Option<String>) -> Value {
    if let Some(token) = token {
        output["NextToken"] = token.into();
    }
    output
}
