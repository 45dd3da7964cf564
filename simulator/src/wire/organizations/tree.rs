//! Reading the tree, and moving accounts in it.

use serde_json::{Value, json};

use super::{listed, page, read_tags, shown};
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::organization::{Account, ChildKind, Unit};
use crate::wire::answer::Output;
use crate::wire::request::Input;

pub(super) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    match operation {
        "DescribeOrganization" => describe_organization(model, caller),
        "CreateOrganizationalUnit" => {
            let unit =
                model.create_unit(caller, input.text("ParentId"), input.text("Name"), read_tags(input)?)?;
            Ok(Output::Json(json!({ "OrganizationalUnit": shown_unit(model, &unit) })))
        }
        "MoveAccount" => {
            let (source, destination) = (input.text("SourceParentId"), input.text("DestinationParentId"));
            model.move_account_as(caller, input.text("AccountId"), source, destination)?;
            Ok(Output::Nothing)
        }
        _ => {
            model.authorize_reader_of(caller, operation, &read_resource(model, operation, input))?;
            read(model, operation, input)
        }
    }
}

/// What a reading call is about, as AWS's service authorization reference says.
fn read_resource(model: &Model, operation: &str, input: &Input) -> String {
    let id = match operation {
        "DescribeAccount" => input.text("AccountId"),
        "DescribeOrganizationalUnit" => input.text("OrganizationalUnitId"),
        "ListParents" => input.text("ChildId"),
        "ListAccountsForParent" | "ListOrganizationalUnitsForParent" | "ListChildren" => {
            input.text("ParentId")
        }
        // ListAccounts and ListRoots have no resource type.
        _ => return "*".to_owned(),
    };
    let kind = match id.split_once('-') {
        Some(("r", _)) => "root",
        Some(("ou", _)) => "ou",
        _ => "account",
    };
    model.organization.arn(kind, id)
}

fn read(model: &Model, operation: &str, input: &Input) -> Result<Output, ApiError> {
    match operation {
        "DescribeAccount" => {
            let account = model.require_member(input.text("AccountId"))?;
            Ok(Output::Json(json!({ "Account": shown(model, account) })))
        }
        "DescribeOrganizationalUnit" => {
            let unit = model.organization.units.get(input.text("OrganizationalUnitId")).ok_or_else(|| {
                let message = "You specified an organizational unit that doesn't exist.";
                ApiError::new("OrganizationalUnitNotFoundException", message)
            })?;
            Ok(Output::Json(json!({ "OrganizationalUnit": shown_unit(model, unit) })))
        }
        "ListRoots" => {
            let root = &model.organization.root;
            let page = page(model, input, [root.as_str()], |root| root)?;
            let shown: Vec<Value> = page.items.iter().map(|_| model.organization.shown_root()).collect();
            Ok(listed("Roots", &shown, page.next_token))
        }
        "ListAccounts" => {
            let page = page(model, input, model.members(), |account| &account.id)?;
            let shown: Vec<Value> = page.items.iter().map(|account| shown(model, account)).collect();
            Ok(listed("Accounts", &shown, page.next_token))
        }
        "ListAccountsForParent" => {
            let parent = input.text("ParentId");
            model.require_parent(parent)?;
            let inside = |account: &&Account| account.parent() == Some(parent);
            let page = page(model, input, model.members().filter(inside), |account| &account.id)?;
            let shown: Vec<Value> = page.items.iter().map(|account| shown(model, account)).collect();
            Ok(listed("Accounts", &shown, page.next_token))
        }
        "ListOrganizationalUnitsForParent" => {
            let parent = input.text("ParentId");
            model.require_parent(parent)?;
            let inside = model.organization.units.values().filter(|unit| unit.parent == parent);
            let page = page(model, input, inside, |unit| &unit.id)?;
            let shown: Vec<Value> = page.items.iter().map(|unit| shown_unit(model, unit)).collect();
            Ok(listed("OrganizationalUnits", &shown, page.next_token))
        }
        "ListParents" => {
            let parent = model.parent_of(input.text("ChildId"))?;
            let page = page(model, input, [parent.as_str()], |parent| parent)?;
            let shown = page.items.iter().map(|parent| {
                let root = *parent == model.organization.root;
                json!({ "Id": parent, "Type": if root { "ROOT" } else { "ORGANIZATIONAL_UNIT" } })
            });
            Ok(listed("Parents", &shown.collect::<Vec<_>>(), page.next_token))
        }
        "ListChildren" => list_children(model, input),
        other => Err(crate::wire::not_carried_out(other)),
    }
}

fn list_children(model: &Model, input: &Input) -> Result<Output, ApiError> {
    let parent = input.text("ParentId");
    model.require_parent(parent)?;
    let kind = input.text("ChildType");
    let children =
        model.children(parent, if kind == "ACCOUNT" { ChildKind::Account } else { ChildKind::Unit });
    let page = page(model, input, children, |child| child)?;
    let shown: Vec<Value> = page.items.iter().map(|child| json!({ "Id": child, "Type": kind })).collect();
    Ok(listed("Children", &shown, page.next_token))
}

fn describe_organization(model: &Model, caller: &Caller) -> Result<Output, ApiError> {
    // Any account of the organization may call this one.
    model.authorize_member(caller, "DescribeOrganization")?;
    let organization = &model.organization;
    let management = &organization.management_account;
    let email = model.account(management).map_or("", |account| account.email.as_str());
    Ok(Output::Json(json!({ "Organization": {
        "Id": organization.id,
        "Arn": format!("arn:aws:organizations::{management}:organization/{}", organization.id),
        "FeatureSet": "ALL",
        "MasterAccountArn": organization.arn("account", management),
        "MasterAccountId": management,
        "MasterAccountEmail": email,
        "AvailablePolicyTypes": [{ "Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED" }],
    } })))
}

fn shown_unit(model: &Model, unit: &Unit) -> Value {
    json!({
        "Id": unit.id,
        "Arn": model.organization.arn("ou", &unit.id),
        "Name": unit.name,
        "Path": model.organization.path(&unit.id),
    })
}
