//! STS, in the query protocol with XML answers.

use super::answer::{Output, escape};
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::clock::iso8601;
use crate::model::error::ApiError;
use crate::model::session::{AssumeRole, assumed_role_user, user_id};

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    match operation {
        "AssumeRole" => assume_role(model, caller, input),
        "GetCallerIdentity" => {
            // It needs no permission, and no denial of it has any effect.
            let (arn, id) = (escape(&caller.principal.arn()), escape(&user_id(&caller.principal)));
            let account = caller.account();
            Ok(Output::Xml(format!("<Arn>{arn}</Arn><UserId>{id}</UserId><Account>{account}</Account>")))
        }
        other => Err(super::not_carried_out(other)),
    }
}

fn assume_role(model: &mut Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let wanted = AssumeRole {
        role_arn: input.text("RoleArn").to_owned(),
        session_name: input.text("RoleSessionName").to_owned(),
        duration_seconds: input.number("DurationSeconds"),
        external_id: input.optional("ExternalId").map(str::to_owned),
        policy: input.optional("Policy").map(str::to_owned),
    };
    let session = model.assume_role(caller, &wanted)?;
    let user = assumed_role_user(&session);
    let text = |member: &str| escape(user[member].as_str().unwrap_or_default());
    // The secret is never used: signatures aren't verified.
    Ok(Output::Xml(format!(
        "<AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>simulator</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>",
        text("AssumedRoleId"),
        text("Arn"),
        session.access_key,
        session.token,
        iso8601(session.expires),
    )))
}
