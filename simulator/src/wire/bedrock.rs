//! Bedrock's control plane, in REST-JSON.

use serde_json::{Value, json};

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::clock::iso8601;
use crate::model::enforcement::{Enforce, EnforcedConfiguration};
use crate::model::error::ApiError;
use crate::model::event::Trail;
use crate::model::guardrail::{Content, Edition, Guardrail, GuardrailName};
use crate::model::inference::FoundationModel;
use crate::model::keys::key_arn;
use crate::model::organization::Tags;

/// Tags that a resource may have.
const MAX_TAGS: usize = 50;

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    model.require_bedrock(caller.account(), &caller.region)?;
    match operation {
        "CreateGuardrail"
        | "UpdateGuardrail"
        | "CreateGuardrailVersion"
        | "GetGuardrail"
        | "ListGuardrails"
        | "DeleteGuardrail" => guardrails(model, caller, operation, input),
        "PutEnforcedGuardrailConfiguration"
        | "ListEnforcedGuardrailsConfiguration"
        | "DeleteEnforcedGuardrailConfiguration" => enforcement(model, caller, operation, input),
        "PutResourcePolicy" | "GetResourcePolicy" | "DeleteResourcePolicy" => {
            resource_policy(model, caller, operation, input)
        }
        "ListFoundationModels" => list_models(model, caller),
        "TagResource" | "UntagResource" | "ListTagsForResource" => tags(model, caller, operation, input),
        other => Err(super::not_carried_out(other)),
    }
}

/// The filters aren't looked at: a client that sends none is told of every model.
fn list_models(model: &Model, caller: &Caller) -> Result<Output, ApiError> {
    model.authorize(caller, "bedrock:ListFoundationModels", "*")?;
    let shown = |one: &FoundationModel| {
        let arn = format!("arn:aws:bedrock:{}::foundation-model/{}", caller.region, one.id);
        json!({ "modelArn": arn, "modelId": one.id })
    };
    Ok(Output::Json(json!({ "modelSummaries": model.models.iter().map(shown).collect::<Vec<_>>() })))
}

fn guardrails(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    let identifier = input.text("guardrailIdentifier");
    match operation {
        "CreateGuardrail" => {
            let tags = read_tags(input, "tags")?;
            let id = once(model, caller, input, |model| {
                Ok(model.create_guardrail(caller, input.parse::<Content>("")?, tags)?.id)
            })?;
            let name = model.name_guardrail(caller, &id)?;
            let made = model.require_guardrail(&name)?;
            Ok(Output::Json(json!({
                "guardrailId": made.id,
                "guardrailArn": made.arn,
                "version": "DRAFT",
                "createdAt": iso8601(made.draft.created_at),
            })))
        }
        "UpdateGuardrail" => {
            let updated = model.update_guardrail(caller, identifier, input.parse::<Content>("")?)?;
            Ok(Output::Json(json!({
                "guardrailId": updated.id,
                "guardrailArn": updated.arn,
                "version": "DRAFT",
                "updatedAt": iso8601(updated.draft.updated_at),
            })))
        }
        "CreateGuardrailVersion" => {
            let description = input.optional("description").map(str::to_owned);
            let version = once(model, caller, input, |model| {
                Ok(model.create_guardrail_version(caller, identifier, description)?.to_string())
            })?;
            let id = model.name_guardrail(caller, identifier)?.id;
            Ok(Output::Json(json!({ "guardrailId": id, "version": version })))
        }
        "GetGuardrail" => {
            let version = input.optional("guardrailVersion");
            let (guardrail, edition) = model.get_guardrail(caller, identifier, version)?;
            Ok(Output::Json(shown(model, guardrail, edition, version.unwrap_or("DRAFT"))))
        }
        "ListGuardrails" => list_guardrails(model, caller, input),
        _ => {
            model.delete_guardrail_as(caller, identifier, input.optional("guardrailVersion"))?;
            Ok(Output::Nothing)
        }
    }
}

/// Makes something, unless a request with the same `clientRequestToken` made it before.
fn once(
    model: &mut Model,
    caller: &Caller,
    input: &Input,
    make: impl FnOnce(&mut Model) -> Result<String, ApiError>,
) -> Result<String, ApiError> {
    let token = input.optional("clientRequestToken");
    let request = Value::Object(input.members.clone()).to_string();
    if let Some(made) = model.made_before(caller, token, &request)? {
        return Ok(made);
    }
    let made = make(model)?;
    model.remember_made(caller, token, request, &made);
    Ok(made)
}

/// Without an identifier the drafts of all guardrails, with one all editions of that guardrail.
fn list_guardrails(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let mut rows: Vec<(String, Value)> = Vec::new();
    let mut row = |guardrail: &Guardrail, edition: &Edition, version: &str| {
        let mut summary = json!({
            "id": guardrail.id,
            "arn": guardrail.arn,
            "status": edition.status(model.now()).name(),
            "name": edition.content.name,
            "version": version,
            "createdAt": iso8601(edition.created_at),
            "updatedAt": iso8601(edition.updated_at),
        });
        if let Some(description) = &edition.description {
            summary["description"] = description.clone().into();
        }
        if let Some(details) = cross_region(guardrail, edition) {
            summary["crossRegionDetails"] = details;
        }
        // Padded, so that the order of text is the order of numbers; the draft, as 0, comes first.
        rows.push((format!("{} {:0>8}", guardrail.id, version.replace("DRAFT", "0")), summary));
    };
    if let Some(identifier) = input.optional("guardrailIdentifier") {
        let name = model.own_guardrail(caller, "ListGuardrails", identifier)?;
        let guardrail = model.require_guardrail(&name)?;
        row(guardrail, &guardrail.draft, "DRAFT");
        for (number, edition) in &guardrail.versions {
            row(guardrail, edition, &number.to_string());
        }
    } else {
        model.authorize(caller, "bedrock:ListGuardrails", "*")?;
        let region = model.region(caller.account(), &caller.region);
        for guardrail in region.iter().flat_map(|region| region.guardrails.values()) {
            row(guardrail, &guardrail.draft, "DRAFT");
        }
    }
    let size = input.number("maxResults").unwrap_or(100) as usize;
    let page = model
        .page(rows, |(key, _)| key, input.optional("nextToken"), size)
        .map_err(|_| ApiError::validation("The nextToken is invalid."))?;
    let summaries: Vec<Value> = page.items.into_iter().map(|(_, summary)| summary).collect();
    let mut output = json!({ "guardrails": summaries });
    if let Some(token) = page.next_token {
        output["nextToken"] = token.into();
    }
    Ok(Output::Json(output))
}

/// GetGuardrail's answer.
fn shown(model: &Model, guardrail: &Guardrail, edition: &Edition, version: &str) -> Value {
    // The content writes itself under the names that answers have.
    let mut shown = json!(*edition.content);
    shown["guardrailId"] = guardrail.id.clone().into();
    shown["guardrailArn"] = guardrail.arn.clone().into();
    shown["version"] = version.into();
    shown["status"] = edition.status(model.now()).name().into();
    shown["createdAt"] = iso8601(edition.created_at).into();
    shown["updatedAt"] = iso8601(edition.updated_at).into();
    if let Some(description) = &edition.description {
        shown["description"] = description.clone().into();
    }
    if let Some(reason) = &edition.failure {
        shown["statusReasons"] = json!([reason]);
    }
    if let Some(details) = cross_region(guardrail, edition) {
        shown["crossRegionDetails"] = details;
    }
    if let Some(key) = &edition.content.kms_key_id
        && let Some(name) = GuardrailName::from_arn(&guardrail.arn)
    {
        shown["kmsKeyArn"] = key_arn(&name, key).into();
    }
    shown
}

fn cross_region(guardrail: &Guardrail, edition: &Edition) -> Option<Value> {
    let profile = edition.content.cross_region_config.as_ref()?;
    let name = GuardrailName::from_arn(&guardrail.arn)?;
    Some(json!({
        "guardrailProfileId": profile.profile_id(),
        "guardrailProfileArn": profile.profile_arn(&name.account, &name.region),
    }))
}

fn enforcement(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    match operation {
        "PutEnforcedGuardrailConfiguration" => {
            let wanted = input.parse::<Enforce>("guardrailInferenceConfig")?;
            let put = model.put_enforcement(caller, input.optional("configId"), wanted)?;
            Ok(Output::Json(json!({
                "configId": put.config_id,
                "updatedAt": iso8601(put.updated_at),
                "updatedBy": put.updated_by,
            })))
        }
        "ListEnforcedGuardrailsConfiguration" => {
            let listed = model.list_enforcement(caller)?;
            let shown: Vec<Value> =
                listed.iter().map(|(owner, listed)| shown_enforcement(owner, listed)).collect();
            Ok(Output::Json(json!({ "guardrailsConfig": shown })))
        }
        _ => model.delete_enforcement(caller, input.text("configId")).map(|()| Output::Nothing),
    }
}

fn shown_enforcement(owner: &str, enforced: &EnforcedConfiguration) -> Value {
    let EnforcedConfiguration {
        config_id,
        guardrail_arn,
        guardrail_id,
        guardrail_version,
        selective_content_guarding,
        model_enforcement,
        created_at,
        created_by,
        updated_at,
        updated_by,
    } = enforced;
    let mut shown = json!({
        "configId": config_id,
        "guardrailArn": guardrail_arn,
        "guardrailId": guardrail_id,
        "guardrailVersion": guardrail_version,
        "createdAt": iso8601(*created_at),
        "createdBy": created_by,
        "updatedAt": iso8601(*updated_at),
        "updatedBy": updated_by,
        "owner": owner,
    });
    if let Some(guarding) = selective_content_guarding {
        shown["selectiveContentGuarding"] = json!(guarding);
    }
    if let Some(models) = model_enforcement {
        shown["modelEnforcement"] = json!(models);
    }
    shown
}

fn resource_policy(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    let arn = input.text("resourceArn");
    match operation {
        "PutResourcePolicy" => {
            model.put_resource_policy(caller, arn, input.text("resourcePolicy"))?;
            Ok(Output::Json(json!({ "resourceArn": arn })))
        }
        "GetResourcePolicy" => {
            let policy = model.get_resource_policy(caller, arn)?;
            Ok(Output::Json(json!({ "resourcePolicy": &*policy })))
        }
        _ => model.delete_resource_policy(caller, arn).map(|()| Output::Nothing),
    }
}

fn tags(model: &mut Model, caller: &Caller, operation: &str, input: &Input) -> Result<Output, ApiError> {
    let added = read_tags(input, "tags")?;
    let tags = model.guardrail_tags(caller, operation, input.text("resourceARN"))?;
    match operation {
        "TagResource" => {
            let more = added.keys().filter(|key| !tags.contains_key(*key)).count();
            if tags.len() + more > MAX_TAGS {
                let message = format!("A resource may have {MAX_TAGS} tags.");
                return Err(ApiError::new("TooManyTagsException", message)
                    .with("resourceName", input.text("resourceARN")));
            }
            tags.extend(added);
            tell_tags(model, caller, operation, input);
            Ok(Output::Nothing)
        }
        "UntagResource" => {
            for key in input.texts("tagKeys") {
                tags.remove(key);
            }
            tell_tags(model, caller, operation, input);
            Ok(Output::Nothing)
        }
        _ => {
            let shown: Vec<Value> =
                tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
            Ok(Output::Json(json!({ "tags": shown })))
        }
    }
}

fn tell_tags(model: &mut Model, caller: &Caller, operation: &str, input: &Input) {
    model.trail(caller, Trail::bedrock(operation, Value::Object(input.members.clone()), Value::Null));
}

fn read_tags(input: &Input, member: &str) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.members.get(member).and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| tag[name].as_str().unwrap_or_default().to_owned();
        if tags.insert(text("key"), text("value")).is_some() {
            return Err(ApiError::validation(format!("The tag key {} is listed twice.", text("key"))));
        }
    }
    Ok(tags)
}
