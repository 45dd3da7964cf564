//! Whom a statement of a service control policy exempts, and whether somebody could become exempt.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::trust::many;

/// Roles of IAM Identity Center, which no principal of an account can change.
const IDENTITY_CENTER: &str = ":role/aws-reserved/sso.amazonaws.com/";

/// The roles that attached statements keep from being made and changed by anybody but such roles.
///
/// A statement counts only with the condition of the shipped ones, or without any: one that never holds protects nobody.
/// Whom it exempts has to be protected by it or by another of them.
pub(super) fn protected(given: &[(&str, Value)]) -> BTreeSet<String> {
    let exempting =
        |(_, statement): &(&str, Value)| Some((texts(&statement["Resource"]), exempt_of(statement)?));
    let mut protecting: Vec<(Vec<String>, Vec<String>)> = given.iter().filter_map(exempting).collect();
    loop {
        let roles = protecting.iter().flat_map(|(roles, _)| roles.iter().cloned()).collect();
        let count = protecting.len();
        protecting.retain(|(_, exempt)| exempt.iter().all(|one| is_protected_principal(one, &roles)));
        if protecting.len() == count {
            return roles;
        }
    }
}

/// Whom a statement exempts that keeps roles from being made and changed; nothing where it isn't one.
fn exempt_of(statement: &Value) -> Option<Vec<String>> {
    let actions = texts(&statement["Action"]);
    let denies =
        |wanted: &str| actions.iter().any(|action| [wanted, "iam:*", "*"].contains(&action.as_str()));
    let changes = ["iam:Create*", "iam:Update*", "iam:Put*"].into_iter().all(denies);
    if statement["Effect"] != "Deny" || !changes || odd_element(statement).is_some() {
        return None;
    }
    let mut conditions = pairs(&statement["Condition"]).into_iter();
    match (conditions.next(), conditions.next()) {
        (None, _) => Some(Vec::new()),
        (Some(((operator, key), exempt)), None) if operator == "ArnNotLike" && key == "aws:PrincipalArn" => {
            Some(exempt)
        }
        _ => None,
    }
}

/// Whether the administrator of an account can't be this principal.
pub(super) fn is_protected_principal(principal: &str, protected: &BTreeSet<String>) -> bool {
    is_of_identity_center(principal) || protected.iter().any(|pattern| covers(pattern, principal))
}

/// A permission set of its own, and not all of them.
fn is_of_identity_center(principal: &str) -> bool {
    principal.split_once(IDENTITY_CENTER).is_some_and(|(_, rest)| {
        let name = rest.rsplit_once("AWSReservedSSO_").map(|(_, name)| name.trim_end_matches('*'));
        name.is_some_and(|name| name.len() > 1 && name.ends_with('_') && !name.contains(['*', '?']))
    })
}

/// Whether a statement about the first is about the second as well.
fn covers(pattern: &str, principal: &str) -> bool {
    let (pattern, principal) = (pattern.splitn(6, ':'), principal.splitn(6, ':'));
    let pairs: Vec<(&str, &str)> = pattern.zip(principal).collect();
    pairs.len() == 6 && pairs.iter().all(|(pattern, part)| pattern == part || *pattern == "*")
}

/// An element that a statement of the documents doesn't have, `NotResource` for example.
pub(super) fn odd_element(statement: &Value) -> Option<&str> {
    let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
    let mut names = statement.as_object().into_iter().flat_map(|elements| elements.keys());
    names.find(|name| !known.contains(&name.as_str())).map(String::as_str)
}

/// The values of each operator and key.
pub(super) fn pairs(condition: &Value) -> BTreeMap<(String, String), Vec<String>> {
    let operators = condition.as_object().into_iter().flatten();
    operators
        .flat_map(|(operator, keys)| {
            let keys = keys.as_object().into_iter().flatten();
            keys.map(move |(key, values)| ((operator.clone(), key.clone()), texts(values)))
        })
        .collect()
}

/// One text or several; anything else reads as an empty list.
pub(super) fn texts(value: &Value) -> Vec<String> {
    many(value).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
