//! KMS, in JSON 1.1: what a key is, and whom its policy admits.

use serde_json::json;

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::keys::KeyState;

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    model.require_region(caller.account(), &caller.region)?;
    match operation {
        "DescribeKey" => {
            let key = model.key_as(caller, "kms:DescribeKey", input.text("KeyId"))?;
            Ok(Output::Json(json!({ "KeyMetadata": {
                "AWSAccountId": key.account,
                "KeyId": key.id,
                "Arn": key.arn(),
                "Enabled": key.state == KeyState::Enabled,
                "KeyState": key.state.name(),
                "KeyUsage": "ENCRYPT_DECRYPT",
                "KeyManager": "CUSTOMER",
                "KeySpec": "SYMMETRIC_DEFAULT",
                "Origin": "AWS_KMS",
                "MultiRegion": key.id.starts_with("mrk-"),
            }})))
        }
        "GetKeyPolicy" => {
            let key = model.key_as(caller, "kms:GetKeyPolicy", input.text("KeyId"))?;
            Ok(Output::Json(json!({ "Policy": key.policy().to_string(), "PolicyName": "default" })))
        }
        other => Err(super::not_carried_out(other)),
    }
}
