//! CloudTrail, in JSON 1.1: which trails there are, and what they log.

use serde_json::{Value, json};

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
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
        other => Err(super::not_carried_out(other)),
    }
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
