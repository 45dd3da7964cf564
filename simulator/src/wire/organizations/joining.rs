//! Accounts that are created, invited, closed, and that leave.

use serde_json::{Value, json};

use super::{listed, page, read_tags};
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::clock::epoch_seconds;
use crate::model::error::ApiError;
use crate::model::handshake::{Handshake, HandshakeState, TargetKind};
use crate::model::lifecycle::{CreateAccount, Creation};
use crate::wire::answer::Output;
use crate::wire::request::Input;

pub(super) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    match operation {
        "CreateAccount" => {
            let creation = model.create_account_as(
                caller,
                CreateAccount {
                    name: input.text("AccountName").to_owned(),
                    email: input.text("Email").to_owned(),
                    role_name: input.optional("RoleName").map(str::to_owned),
                    tags: read_tags(input)?,
                },
            )?;
            Ok(Output::Json(json!({ "CreateAccountStatus": shown_creation(&creation) })))
        }
        "DescribeCreateAccountStatus" => {
            model.authorize_reader(caller, operation)?;
            let creation = model.creations.get(input.text("CreateAccountRequestId")).ok_or_else(|| {
                let message = "You specified a create account request that doesn't exist.";
                ApiError::new("CreateAccountStatusNotFoundException", message)
            })?;
            Ok(Output::Json(json!({ "CreateAccountStatus": shown_creation(creation) })))
        }
        "ListCreateAccountStatus" => {
            model.authorize_reader(caller, operation)?;
            let states = input.texts("States");
            let wanted = |creation: &&Creation| states.is_empty() || states.contains(&creation.state());
            let page = page(model, input, model.creations.values().filter(wanted), |creation| &creation.id)?;
            let shown: Vec<Value> = page.items.iter().map(|creation| shown_creation(creation)).collect();
            Ok(listed("CreateAccountStatuses", &shown, page.next_token))
        }
        "CloseAccount" => model.close_account_as(caller, input.text("AccountId")).map(|()| Output::Nothing),
        "RemoveAccountFromOrganization" => {
            model.remove_account_as(caller, input.text("AccountId")).map(|()| Output::Nothing)
        }
        "LeaveOrganization" => model.leave_organization(caller).map(|()| Output::Nothing),
        _ => handshakes(model, caller, operation, input),
    }
}

fn handshakes(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    let id = input.text("HandshakeId");
    let answered = |model: &Model, handshake: &Handshake| {
        Output::Json(json!({ "Handshake": shown_handshake(model, handshake) }))
    };
    match operation {
        "InviteAccountToOrganization" => {
            let target = &input.members["Target"];
            let kind = match target["Type"].as_str() {
                Some("ACCOUNT") => TargetKind::Account,
                Some("EMAIL") => TargetKind::Email,
                _ => {
                    return Err(ApiError::because(
                        "InvalidInputException",
                        "INVALID_PARTY_TYPE_TARGET",
                        "An invitation goes to an account or an email address.",
                    ));
                }
            };
            let notes = input.optional("Notes").map(str::to_owned);
            let handshake = model.invite(caller, kind, target["Id"].as_str().unwrap_or_default(), notes)?;
            Ok(answered(model, &handshake))
        }
        "AcceptHandshake" => {
            let handshake =
                model.answer_handshake(caller, "AcceptHandshake", id, HandshakeState::Accepted)?;
            Ok(answered(model, &handshake))
        }
        "DeclineHandshake" => {
            let handshake =
                model.answer_handshake(caller, "DeclineHandshake", id, HandshakeState::Declined)?;
            Ok(answered(model, &handshake))
        }
        "CancelHandshake" => {
            let handshake =
                model.answer_handshake(caller, "CancelHandshake", id, HandshakeState::Canceled)?;
            Ok(answered(model, &handshake))
        }
        "DescribeHandshake" => {
            let handshake = model.handshake(caller, operation, id)?;
            Ok(answered(model, handshake))
        }
        "ListHandshakesForAccount" => {
            model.authorize(caller, "organizations:ListHandshakesForAccount", "*")?;
            list_handshakes(model, input, |handshake| handshake.account == caller.account())
        }
        "ListHandshakesForOrganization" => {
            model.authorize_reader(caller, operation)?;
            list_handshakes(model, input, |_| true)
        }
        other => Err(crate::wire::not_carried_out(other)),
    }
}

fn list_handshakes(
    model: &Model,
    input: &Input,
    wanted: impl Fn(&Handshake) -> bool,
) -> Result<Output, ApiError> {
    let handshakes = model.handshakes.values().filter(|handshake| wanted(handshake));
    let page = page(model, input, handshakes, |handshake| &handshake.id)?;
    let shown: Vec<Value> = page.items.iter().map(|handshake| shown_handshake(model, handshake)).collect();
    Ok(listed("Handshakes", &shown, page.next_token))
}

fn shown_creation(creation: &Creation) -> Value {
    let mut shown = json!({
        "Id": creation.id,
        "AccountName": creation.account_name,
        "State": creation.state(),
        "RequestedTimestamp": epoch_seconds(creation.requested_at),
    });
    if let Some((at, result)) = &creation.ended {
        shown["CompletedTimestamp"] = epoch_seconds(*at);
        match result {
            Ok(()) => shown["AccountId"] = creation.account.clone().into(),
            Err(reason) => shown["FailureReason"] = reason.clone().into(),
        }
    }
    shown
}

fn shown_handshake(model: &Model, handshake: &Handshake) -> Value {
    let organization = &model.organization;
    let (kind, target) = &handshake.target;
    let kind = if *kind == TargetKind::Account { "ACCOUNT" } else { "EMAIL" };
    let email = model.account(&organization.management_account).map_or("", |account| account.email.as_str());
    let mut resources = vec![
        json!({
            "Type": "ORGANIZATION",
            "Value": organization.id,
            "Resources": [
                { "Type": "MASTER_EMAIL", "Value": email },
                { "Type": "ORGANIZATION_FEATURE_SET", "Value": "ALL" },
            ],
        }),
        json!({ "Type": kind, "Value": target }),
    ];
    if let Some(notes) = &handshake.notes {
        resources.push(json!({ "Type": "NOTES", "Value": notes }));
    }
    json!({
        "Id": handshake.id,
        "Arn": format!(
            "arn:aws:organizations::{}:handshake/{}/invite/{}",
            organization.management_account, organization.id, handshake.id
        ),
        "Parties": [
            { "Id": organization.id.trim_start_matches("o-"), "Type": "ORGANIZATION" },
            { "Id": target, "Type": kind },
        ],
        "State": model.handshake_state(handshake).name(),
        "RequestedTimestamp": epoch_seconds(handshake.requested_at),
        "ExpirationTimestamp": epoch_seconds(handshake.expires_at),
        "Action": "INVITE",
        "Resources": resources,
    })
}
