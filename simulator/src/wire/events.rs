//! EventBridge's PutEvents, in JSON 1.1.

use serde_json::{Value, json};

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
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
        other => Err(super::not_carried_out(other)),
    }
}

fn shown(result: Result<String, ApiError>) -> Value {
    match result {
        Ok(id) => json!({ "EventId": id }),
        Err(error) => json!({ "ErrorCode": error.code, "ErrorMessage": error.message }),
    }
}
