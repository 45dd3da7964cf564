//! Whether a role lets the function in.

use serde_json::Value;

use super::{Check, CheckedPlace, Finding, Place};
use crate::failure::Failure;
use crate::ids::{AccountId, Role};
use crate::trust::{NotJson, many, outsiders};

/// The principal that the member role has to trust.
#[derive(Clone, Copy, Debug)]
pub struct Trusted<'a> {
    /// The function's role, where the settings name it.
    pub function: Option<&'a Role>,
    /// The account that it is in.
    pub hub: &'a AccountId,
    /// The external id that it gives.
    pub external_id: Option<&'a str>,
}

/// Judges the member role of one account by its trust policy; `None` is no such role.
pub fn trust(
    account: &AccountId,
    name: &str,
    seen: &Result<Option<String>, Failure>,
    trusted: Trusted<'_>,
) -> Finding {
    let todo = [
        "deploy deploy/member-role.yaml there, or deploy/management.yaml in the management account",
        "deploy deploy/member-role.yaml with the hub's account, function role and external id",
    ];
    admitting(&Check::MemberRole.at(Place::account(account)), name, seen, trusted, todo)
}

/// Judges whether a role is there and admits the function. `todo` is what to do where there is none, and where it doesn't.
pub(super) fn admitting(
    here: &CheckedPlace,
    name: &str,
    seen: &Result<Option<String>, Failure>,
    trusted: Trusted<'_>,
    [create, change]: [&str; 2],
) -> Finding {
    match seen {
        Err(failure) => here.unread(format_args!("it isn't known whether {name} exists"), failure),
        Ok(None) => here.problem(format!("there is no role {name}"), create),
        Ok(Some(document)) => match admits(document, trusted) {
            Ok(()) => here.ok(format!("{name} is there and trusts the function")),
            Err(why) => here.problem(format!("{name} doesn't trust the function: {why}"), change),
        },
    }
}

/// Judges whether a role of our name is another one than `deploy/member-role.yaml` makes: it has a path
/// or other letters, or it trusts others besides the hub. The service control policies would exempt
/// it or freeze it, and StackSets fail on it.
pub fn foreign(
    account: &AccountId,
    name: &str,
    arn: &str,
    document: &str,
    hub: &AccountId,
) -> Option<Finding> {
    let problem = |text: String, todo: &str| {
        Some(Check::MemberRole.at(Place::account(account)).problem(text, todo).detailed(arn))
    };
    if !arn.ends_with(&format!(":role/{name}")) {
        return problem(
            format!("another role has the name {name}, in a path or in other letters"),
            "find out who created that role and why; delete it, so that the StackSet can create the member role",
        );
    }
    // What isn't JSON is `trust`'s to say.
    let outsiders = outsiders(document, hub).unwrap_or_default();
    if outsiders.is_empty() {
        return None;
    }
    problem(
        format!("{name} trusts others besides the hub: {}", outsiders.join(", ")),
        "find out who changed or made it; deploy deploy/member-role.yaml there again before a service control \
         policy protects the role as it is",
    )
}

/// Looks for a statement that admits the function. Conditions that this version doesn't know are taken to hold.
fn admits(document: &str, trusted: Trusted<'_>) -> Result<(), String> {
    let document: Value = serde_json::from_str(document).map_err(|_| NotJson.to_string())?;
    let statements = many(&document["Statement"]);
    let mut why = format!("no statement admits account {}", trusted.hub);
    for statement in statements {
        let assumes = many(&statement["Action"])
            .iter()
            .any(|action| matches!(action.as_str(), Some("sts:AssumeRole" | "sts:*" | "*")));
        if statement["Effect"] != "Allow" || !assumes || !names(&statement["Principal"], trusted) {
            continue;
        }
        match conditions(&statement["Condition"], trusted) {
            Ok(()) => return Ok(()),
            Err(unmet) => why = unmet,
        }
    }
    Err(why)
}

fn names(principal: &Value, trusted: Trusted<'_>) -> bool {
    let root = format!(":iam::{}:root", trusted.hub);
    let listed = if principal == "*" { vec![principal] } else { many(&principal["AWS"]).iter().collect() };
    listed.iter().filter_map(|one| one.as_str()).any(|one| {
        one == "*"
            || one == trusted.hub.as_str()
            || one.ends_with(&root)
            || trusted.function.is_some_and(|role| is_role(one, role))
    })
}

/// Whether an ARN is the role's, whatever the partition.
fn is_role(arn: &str, role: &Role) -> bool {
    Role::parse_arn(arn).is_ok_and(|one| one == *role)
}

fn conditions(condition: &Value, trusted: Trusted<'_>) -> Result<(), String> {
    let Some(operators) = condition.as_object() else { return Ok(()) };
    for (operator, keys) in operators {
        for (key, wanted) in keys.as_object().into_iter().flatten() {
            let wanted: Vec<&str> = many(wanted).iter().filter_map(Value::as_str).collect();
            match key.to_ascii_lowercase().as_str() {
                "sts:externalid" if operator == "StringEquals" => match trusted.external_id {
                    Some(given) if wanted.contains(&given) => {}
                    Some(_) => return Err("it asks for another external id".to_owned()),
                    None => {
                        return Err("it asks for an external id, and KEEPER_EXTERNAL_ID isn't set".to_owned());
                    }
                },
                "aws:principalarn" if operator.starts_with("Arn") || operator.starts_with("String") => {
                    let Some(function) = trusted.function else { continue };
                    if !wanted.iter().any(|one| is_role(one, function) || one.contains('*')) {
                        return Err(format!("it admits {} and no other role", wanted.join(", ")));
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}
