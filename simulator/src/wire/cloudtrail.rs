//! CloudTrail, in JSON 1.1: which trails there are, what they log, and which calls of models were made.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::clock::{epoch_seconds, iso8601};
use crate::model::error::ApiError;
use crate::model::history::ModelCall;
use crate::model::trails::{ManagementEvents, Trail};

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    model.require_region(caller.account(), &caller.region)?;
    match operation {
        "DescribeTrails" => {
            let shadows = input.members.get("includeShadowTrails").and_then(Value::as_bool);
            let named = input.texts("trailNameList");
            let trails = model.trails_as(caller, shadows.unwrap_or(true))?;
            let wanted = |trail: &&&Trail| {
                named.is_empty()
                    || named.contains(&trail.name.as_str())
                    || named.contains(&trail.arn().as_str())
            };
            let shown: Vec<Value> = trails.iter().filter(wanted).map(|trail| shown(trail)).collect();
            Ok(Output::Json(json!({ "trailList": shown })))
        }
        "GetTrailStatus" => {
            let trail = model.trail_as(caller, operation, input.text("Name"))?;
            Ok(Output::Json(json!({ "IsLogging": trail.logging })))
        }
        "GetEventSelectors" => {
            let trail = model.trail_as(caller, operation, input.text("TrailName"))?;
            Ok(Output::Json(selectors(trail)))
        }
        "LookupEvents" => lookup_events(model, caller, input),
        other => Err(super::not_carried_out(other)),
    }
}

/// The history knows calls of models only, by the name of the operation or all of them.
fn lookup_events(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let mut operation = None;
    for attribute in input.members.get("LookupAttributes").and_then(Value::as_array).into_iter().flatten() {
        match (attribute["AttributeKey"].as_str(), attribute["AttributeValue"].as_str()) {
            (Some("EventName"), name) => operation = name,
            (Some("EventSource"), Some("bedrock.amazonaws.com")) => {}
            _ => {
                let message = "Only EventName and the EventSource bedrock.amazonaws.com are modelled.";
                return Err(ApiError::new("InvalidLookupAttributesException", message));
            }
        }
    }
    let seconds = input.members.get("StartTime").and_then(Value::as_f64);
    let since = seconds.and_then(|seconds| Timestamp::from_millisecond((seconds * 1000.0) as i64).ok());
    let mut calls = model.looked_up(caller, operation, since)?;
    calls.sort_by(|one, other| one.number.cmp(&other.number));
    let size = input.number("MaxResults").unwrap_or(50) as usize;
    let page = model
        .page(calls, |call| &call.number, input.optional("NextToken"), size)
        .map_err(|_| ApiError::new("InvalidNextTokenException", "The token is not valid."))?;
    let shown: Vec<Value> = page.items.iter().map(|call| shown_call(call)).collect();
    let mut output = json!({ "Events": shown });
    if let Some(token) = page.next_token {
        output["NextToken"] = token.into();
    }
    Ok(Output::Json(output))
}

fn shown_call(call: &ModelCall) -> Value {
    let event = json!({
        "eventName": call.operation,
        "eventSource": "bedrock.amazonaws.com",
        "eventTime": iso8601(call.at),
        "userAgent": call.user_agent,
        "userIdentity": { "arn": call.by },
        "readOnly": true,
        "managementEvent": true,
        "eventCategory": "Management",
    });
    json!({
        "EventId": format!("00000000-0000-4000-8000-{}", call.number),
        "EventName": call.operation,
        "ReadOnly": "true",
        "EventTime": epoch_seconds(call.at),
        "EventSource": "bedrock.amazonaws.com",
        "Username": call.by.rsplit('/').next(),
        "Resources": [],
        "CloudTrailEvent": event.to_string(),
    })
}

fn shown(trail: &Trail) -> Value {
    json!({
        "Name": trail.name,
        "S3BucketName": "trails",
        "IncludeGlobalServiceEvents": true,
        "IsMultiRegionTrail": trail.multi_region,
        "HomeRegion": trail.region,
        "TrailARN": trail.arn(),
        "LogFileValidationEnabled": true,
        "HasCustomEventSelectors": true,
        "HasInsightSelectors": false,
        "IsOrganizationTrail": trail.organization,
    })
}

/// A trail has selectors of the one form or of the other.
fn selectors(trail: &Trail) -> Value {
    let arn = trail.arn();
    if trail.advanced {
        let category = |name: &str| json!({ "Field": "eventCategory", "Equals": [name] });
        let management = |read_only: Option<&str>| {
            let mut fields = vec![category("Management")];
            fields.extend(read_only.map(|value| json!({ "Field": "readOnly", "Equals": [value] })));
            if !trail.excluded.is_empty() {
                fields.push(json!({ "Field": "eventSource", "NotEquals": trail.excluded }));
            }
            json!({ "Name": "management events", "FieldSelectors": fields })
        };
        let data = [category("Data"), json!({ "Field": "resources.type", "Equals": ["AWS::S3::Object"] })];
        let selected = match trail.management {
            ManagementEvents::All => management(None),
            ManagementEvents::Write => management(Some("false")),
            ManagementEvents::Read => management(Some("true")),
            ManagementEvents::None => json!({ "Name": "objects", "FieldSelectors": data }),
        };
        return json!({ "TrailARN": arn, "AdvancedEventSelectors": [selected] });
    }
    let kind = match trail.management {
        ManagementEvents::All | ManagementEvents::None => "All",
        ManagementEvents::Write => "WriteOnly",
        ManagementEvents::Read => "ReadOnly",
    };
    json!({ "TrailARN": arn, "EventSelectors": [{
        "ReadWriteType": kind,
        "IncludeManagementEvents": trail.management != ManagementEvents::None,
        "DataResources": [],
        "ExcludeManagementEventSources": trail.excluded,
    }]})
}
