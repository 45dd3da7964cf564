//! Organizations, in JSON 1.1.

mod authority;
mod effective;
mod joining;
mod policies;
mod tree;

use serde_json::{Value, json};

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::clock::epoch_seconds;
use crate::model::error::ApiError;
use crate::model::event::{Trail, masked};
use crate::model::organization::{Account, AccountState, JoinedMethod, Tags, ToldState};
use crate::model::paging::Page;
use crate::switches::Presence;

/// The most that a page holds, and what it holds when nobody says how much (aws-facts §5).
const PAGE: u64 = 20;

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    match operation {
        "DescribeOrganization"
        | "ListRoots"
        | "ListAccounts"
        | "ListAccountsForParent"
        | "ListOrganizationalUnitsForParent"
        | "ListParents"
        | "ListChildren"
        | "DescribeAccount"
        | "DescribeOrganizationalUnit"
        | "CreateOrganizationalUnit"
        | "MoveAccount" => tree::carry_out(model, caller, operation, input),
        "CreatePolicy"
        | "UpdatePolicy"
        | "DeletePolicy"
        | "DescribePolicy"
        | "ListPolicies"
        | "AttachPolicy"
        | "DetachPolicy"
        | "ListPoliciesForTarget"
        | "ListTargetsForPolicy"
        | "EnablePolicyType"
        | "DisablePolicyType" => policies::carry_out(model, caller, operation, input),
        "DescribeEffectivePolicy"
        | "ListAccountsWithInvalidEffectivePolicy"
        | "ListEffectivePolicyValidationErrors" => effective::carry_out(model, caller, operation, input),
        "PutResourcePolicy"
        | "DescribeResourcePolicy"
        | "DeleteResourcePolicy"
        | "EnableAWSServiceAccess"
        | "DisableAWSServiceAccess"
        | "ListAWSServiceAccessForOrganization" => authority::carry_out(model, caller, operation, input),
        "TagResource" | "UntagResource" | "ListTagsForResource" => tags(model, caller, operation, input),
        "RegisterDelegatedAdministrator"
        | "DeregisterDelegatedAdministrator"
        | "ListDelegatedAdministrators"
        | "ListDelegatedServicesForAccount" => delegation(model, caller, operation, input),
        _ => joining::carry_out(model, caller, operation, input),
    }
}

fn tags(model: &mut Model, caller: &Caller, operation: &str, input: &Input) -> Result<Output, ApiError> {
    let id = input.text("ResourceId");
    match operation {
        "TagResource" => {
            authorize_tags(model, caller, operation, id)?;
            let added = read_tags(input)?;
            model.organization_tags(id)?.extend(added);
            model.trail(caller, Trail::organizations(operation, masked(&input.members), Value::Null));
            Ok(Output::Nothing)
        }
        "UntagResource" => {
            authorize_tags(model, caller, operation, id)?;
            let tags = model.organization_tags(id)?;
            for key in input.texts("TagKeys") {
                tags.remove(key);
            }
            model.trail(caller, Trail::organizations(operation, masked(&input.members), Value::Null));
            Ok(Output::Nothing)
        }
        _ => {
            match model.organization.policy(id) {
                Some(policy) => model.authorize_policy_reader(
                    caller,
                    operation,
                    &model.organization.policy_arn(policy),
                    Some(policy.kind.name()),
                )?,
                None => model.authorize_reader(caller, operation)?,
            }
            let tags = model.organization_tags(id)?;
            let shown: Vec<Value> =
                tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
            Ok(Output::Json(json!({ "Tags": shown })))
        }
    }
}

/// Tags of a policy may be changed by whoever the delegation policy admits, others by the management account.
fn authorize_tags(model: &Model, caller: &Caller, operation: &str, id: &str) -> Result<(), ApiError> {
    match model.organization.policy(id) {
        Some(policy) => model.authorize_policy_tags(caller, operation, policy),
        None => model.authorize_management(caller, operation),
    }
}

fn read_tags(input: &Input) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.members.get("Tags").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| tag[name].as_str().unwrap_or_default().to_owned();
        if tags.insert(text("Key"), text("Value")).is_some() {
            let message = "Tag keys must be unique.";
            return Err(ApiError::because("InvalidInputException", "DUPLICATE_TAG_KEY", message));
        }
    }
    Ok(tags)
}

fn delegation(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    let (id, service) = (input.text("AccountId"), input.optional("ServicePrincipal"));
    match operation {
        "RegisterDelegatedAdministrator" => {
            model.register_delegate(caller, id, service.unwrap_or_default()).map(|()| Output::Nothing)
        }
        "DeregisterDelegatedAdministrator" => {
            model.deregister_delegate(caller, id, service.unwrap_or_default()).map(|()| Output::Nothing)
        }
        "ListDelegatedAdministrators" => {
            model.authorize_reader(caller, operation)?;
            let administers = |account: &&Account| {
                account.delegated.keys().any(|each| service.is_none_or(|wanted| wanted == each))
            };
            let page = page(model, input, model.members().filter(administers), |account| &account.id)?;
            let shown = page.items.iter().map(|account| {
                let mut shown = shown(model, account);
                if let Some(members) = shown.as_object_mut() {
                    // This list has its own shape of an account.
                    members.remove("Paths");
                    let since = account.delegated.values().min();
                    members.insert(
                        "DelegationEnabledDate".to_owned(),
                        since.map_or(Value::Null, |at| epoch_seconds(*at)),
                    );
                }
                shown
            });
            Ok(listed("DelegatedAdministrators", &shown.collect::<Vec<_>>(), page.next_token))
        }
        _ => {
            model.authorize_reader(caller, operation)?;
            let account = model.require_member(id)?;
            if account.delegated.is_empty() {
                return Err(crate::model::delegation::not_registered());
            }
            let page = page(model, input, account.delegated.iter(), |(service, _)| service)?;
            let shown = page.items.iter().map(|(service, at)| {
                json!({ "ServicePrincipal": service, "DelegationEnabledDate": epoch_seconds(**at) })
            });
            Ok(listed("DelegatedServices", &shown.collect::<Vec<_>>(), page.next_token))
        }
    }
}

/// A page of what is listed, cut by the request's `NextToken` and `MaxResults`.
fn page<T>(
    model: &Model,
    input: &Input,
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> &str,
) -> Result<Page<T>, ApiError> {
    let size = input.number("MaxResults").unwrap_or(PAGE).min(PAGE) as usize;
    model.page(items, key, input.optional("NextToken"), size).map_err(|_| {
        ApiError::because("InvalidInputException", "INVALID_NEXT_TOKEN", "The NextToken is invalid.")
    })
}

fn listed(name: &str, items: &[Value], token: Option<String>) -> Output {
    let mut output = json!({ name: items });
    if let Some(token) = token {
        output["NextToken"] = token.into();
    }
    Output::Json(output)
}

/// An `Account`.
fn shown(model: &Model, account: &Account) -> Value {
    // `Status` is the older member and knows fewer states (aws-facts §5).
    let (state, status) = match account.state {
        AccountState::PendingActivation => ("PENDING_ACTIVATION", "ACTIVE"),
        AccountState::Active => ("ACTIVE", "ACTIVE"),
        AccountState::Suspended => ("SUSPENDED", "SUSPENDED"),
        AccountState::PendingClosure => ("PENDING_CLOSURE", "PENDING_CLOSURE"),
        AccountState::Closed => ("CLOSED", "SUSPENDED"),
    };
    let mut shown = json!({
        "Id": account.id,
        "Arn": model.organization.arn("account", &account.id),
        "Email": account.email,
        "Name": account.name,
        "Status": status,
        "State": state,
    });
    let members = shown.as_object_mut().expect("it was made as one");
    match &account.told_state {
        Some(ToldState::Word(word)) => {
            members.insert("State".to_owned(), word.as_str().into());
        }
        Some(ToldState::Nothing) => {
            members.remove("State");
            members.remove("Status");
        }
        None => {}
    }
    match account.told_id.as_deref() {
        Some("") => drop(members.remove("Id")),
        Some(told) => drop(members.insert("Id".to_owned(), told.into())),
        None => {}
    }
    if let Some(membership) = &account.membership {
        let invited = membership.method == JoinedMethod::Invited;
        shown["JoinedMethod"] = if invited { "INVITED" } else { "CREATED" }.into();
        shown["JoinedTimestamp"] = epoch_seconds(membership.at);
    }
    if model.switches.paths == Presence::Present {
        shown["Paths"] = json!(model.account_path(&account.id).into_iter().collect::<Vec<_>>());
    }
    shown
}
