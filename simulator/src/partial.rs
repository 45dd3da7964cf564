//! Batches of which some entries fail, though nothing is wrong with them.

use serde_json::{Value, json};

use crate::model::error::ApiError;
use crate::wire::answer::Output;
use crate::wire::request::Input;
use crate::wire::sqs::query_code;

/// Carries a batch out without every other entry, the first among them, and says of those that they failed.
/// What is no batch is carried out whole.
pub(crate) fn every_other(
    service: &str,
    input: &Input,
    code: &str,
    carry_out: impl FnOnce(&Input) -> Result<Output, ApiError>,
) -> Result<Output, ApiError> {
    let entries = input.members.get("Entries").and_then(Value::as_array);
    let Some(entries) = entries.filter(|entries| !entries.is_empty()) else { return carry_out(input) };
    let struck = |(index, entry): (usize, &Value)| (index % 2 == 0).then(|| entry.clone());
    let failing: Vec<Value> = entries.iter().enumerate().filter_map(struck).collect();
    let passing: Vec<Value> = entries.iter().skip(1).step_by(2).cloned().collect();
    let mut rest = json!({ "Successful": [], "Failed": [], "FailedEntryCount": 0, "Entries": [] });
    if !passing.is_empty() {
        let mut input = input.clone();
        input.members.insert("Entries".to_owned(), Value::Array(passing));
        if let Output::Json(output) = carry_out(&input)? {
            rest = output;
        }
    }
    let message = "It failed on purpose.";
    if service == "events" {
        let count = rest["FailedEntryCount"].as_u64().unwrap_or_default() + failing.len() as u64;
        let failed = json!({ "ErrorCode": code, "ErrorMessage": message });
        let others = rest["Entries"].as_array().cloned().unwrap_or_default();
        let mut others = others.into_iter();
        let all = (0..entries.len())
            .filter_map(|index| if index % 2 == 0 { Some(failed.clone()) } else { others.next() });
        return Ok(Output::Json(json!({ "FailedEntryCount": count, "Entries": all.collect::<Vec<_>>() })));
    }
    let mut failed = rest["Failed"].as_array().cloned().unwrap_or_default();
    failed.extend(failing.iter().map(|entry| {
        json!({ "Id": entry["Id"], "SenderFault": false, "Code": query_code(code), "Message": message })
    }));
    Ok(Output::Json(json!({ "Successful": rest["Successful"], "Failed": failed })))
}

/// A list's answer without what it lists, as a last page.
pub(crate) fn nothing_listed(output: Output) -> Output {
    match output {
        Output::Json(Value::Object(mut members)) => {
            members.retain(|name, _| !name.eq_ignore_ascii_case("nexttoken"));
            for list in members.values_mut().filter_map(Value::as_array_mut) {
                list.clear();
            }
            Output::Json(Value::Object(members))
        }
        other => other,
    }
}
