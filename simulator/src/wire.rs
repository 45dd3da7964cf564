//! The thin face: AWS's protocols over HTTP, in front of the model.

pub(crate) mod account;
pub(crate) mod answer;
pub(crate) mod bedrock;
pub(crate) mod bedrock_runtime;
pub(crate) mod cloudformation;
pub(crate) mod cloudtrail;
pub(crate) mod compatible;
pub(crate) mod constraint;
pub(crate) mod control;
pub(crate) mod dynamodb;
mod event_stream;
pub(crate) mod events;
pub(crate) mod iam;
pub(crate) mod kms;
pub(crate) mod lambda;
pub(crate) mod organizations;
pub(crate) mod request;
pub(crate) mod schema;
pub(crate) mod sns;
pub(crate) mod sqs;
pub(crate) mod ssm;
pub(crate) mod sts;
mod xml;

use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use answer::Output;
use request::Input;
use schema::SCHEMA;

/// Carries out one operation on the model.
pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    service: &str,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    match service {
        "sts" => sts::carry_out(model, caller, operation, input),
        "organizations" => organizations::carry_out(model, caller, operation, input),
        "account" => account::carry_out(model, caller, operation, input),
        "ssm" => ssm::carry_out(model, caller, operation, input),
        "dynamodb" => dynamodb::carry_out(model, caller, operation, input),
        "sqs" => sqs::carry_out(model, caller, operation, input),
        "events" => events::carry_out(model, caller, operation, input),
        "kms" => kms::carry_out(model, caller, operation, input),
        "iam" => iam::carry_out(model, caller, operation, input),
        "lambda" => lambda::carry_out(model, caller, operation, input),
        "sns" => sns::carry_out(model, caller, operation, input),
        "cloudtrail" => cloudtrail::carry_out(model, caller, operation, input),
        "cloudformation" => cloudformation::carry_out(model, caller, operation, input),
        "bedrock-runtime" => bedrock_runtime::carry_out(model, caller, operation, input),
        _ => bedrock::carry_out(model, caller, operation, input),
    }
}

/// Whether an operation changes anything when it succeeds. What isn't modelled never does.
pub(crate) fn writes(service: &str, operation: &str) -> bool {
    let reads = [
        "Get", "BatchGet", "List", "Lookup", "Scan", "Describe", "Apply", "Converse", "Invoke", "Assume",
        "Simulate",
    ];
    let modelled = SCHEMA.services.get(service).is_some_and(|known| known.operations.contains_key(operation));
    modelled && !reads.iter().any(|prefix| operation.starts_with(prefix))
}

/// The error for an operation that the schema knows and no file here carries out: a mistake of this program.
pub(crate) fn not_carried_out(operation: &str) -> ApiError {
    ApiError::new("UnknownOperationException", format!("{operation} is not modelled."))
}
