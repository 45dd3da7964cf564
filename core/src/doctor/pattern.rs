//! EventBridge's event patterns: whether a rule takes an event.
//!
//! The language is <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>. What this
//! version doesn't know of it is neither taken for a match nor for none.

use serde_json::Value;

use crate::resource_policy::is_like;

/// Whether a pattern takes an event; `None` where that isn't known.
pub(super) fn takes(pattern: &Value, event: &Value) -> Option<bool> {
    let Some(members) = pattern.as_object() else { return Some(false) };
    all(members.iter().map(|(name, wanted)| {
        if name == "$or" {
            return any(wanted.as_array()?.iter().map(|one| takes(one, event)));
        }
        let found = event.get(name);
        match (wanted, found) {
            (Value::Object(_), Some(Value::Array(items))) => {
                any(items.iter().map(|item| takes(wanted, item)))
            }
            (Value::Object(_), found) => takes(wanted, found.unwrap_or(&Value::Null)),
            (Value::Array(tests), found) => any(tests.iter().map(|test| passes(test, found))),
            _ => None,
        }
    }))
}

fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let parts: Vec<Option<bool>> = parts.collect();
    if parts.contains(&Some(false)) {
        Some(false)
    } else {
        parts.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
    }
}

fn any(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let parts: Vec<Option<bool>> = parts.collect();
    if parts.contains(&Some(true)) {
        Some(true)
    } else {
        parts.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
    }
}

/// Whether a member's value, or one of its values, passes a test.
fn passes(test: &Value, found: Option<&Value>) -> Option<bool> {
    let leaves: Vec<&Value> = match found {
        None | Some(Value::Object(_)) => Vec::new(),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(value) => vec![value],
    };
    let Value::Object(operator) = test else { return Some(leaves.contains(&test)) };
    let (name, wanted) = operator.iter().next().filter(|_| operator.len() == 1)?;
    if name == "exists" {
        return wanted.as_bool().map(|wanted| wanted != leaves.is_empty());
    }
    if name == "anything-but" {
        return any(leaves.iter().map(|leaf| is_none_of(wanted, leaf)));
    }
    any(leaves.iter().map(|leaf| fits(name, wanted, leaf)))
}

/// Whether a value is none of those that are named or described.
fn is_none_of(unwanted: &Value, leaf: &Value) -> Option<bool> {
    match unwanted {
        Value::Object(operator) => {
            let (name, wanted) = operator.iter().next().filter(|_| operator.len() == 1)?;
            let described = match wanted {
                Value::Array(several) => any(several.iter().map(|one| fits(name, one, leaf))),
                one => fits(name, one, leaf),
            };
            described.map(|fits| !fits)
        }
        Value::Array(several) => Some(!several.contains(leaf)),
        one => Some(one != leaf),
    }
}

/// Whether a value is as an operator on texts wants it.
fn fits(operator: &str, wanted: &Value, leaf: &Value) -> Option<bool> {
    let wanted = wanted.as_str()?;
    let Some(leaf) = leaf.as_str() else { return Some(false) };
    match operator {
        "prefix" => Some(leaf.starts_with(wanted)),
        "suffix" => Some(leaf.ends_with(wanted)),
        "equals-ignore-case" => Some(leaf.eq_ignore_ascii_case(wanted)),
        // IAM's other wildcard is none of EventBridge's, and a backslash is.
        "wildcard" if !wanted.contains(['?', '\\']) => Some(is_like(wanted, leaf)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_pattern_takes_and_what_is_not_known() {
        let event =
            json!({ "s": "aws.kms", "list": ["a", "b"], "d": { "n": "Put", "c": 1 }, "l": [{ "A": "x" }] });
        for (pattern, expected) in [
            (json!({ "s": ["aws.kms"] }), Some(true)),
            (json!({ "s": ["aws.s3", "aws.kms"], "d": { "n": ["Put"], "c": [1] } }), Some(true)),
            (json!({ "s": ["aws.kms"], "d": { "n": ["Get"] } }), Some(false)),
            (json!({ "list": ["b"] }), Some(true)),
            (json!({ "l": { "A": ["x"] } }), Some(true)),
            (json!({ "l": { "A": ["y"] } }), Some(false)),
            (json!({ "d": { "e": [{ "exists": false }] } }), Some(true)),
            (json!({ "d": { "n": [{ "exists": false }] } }), Some(false)),
            (json!({ "no": { "e": [{ "exists": false }] } }), Some(true)),
            (json!({ "s": [{ "prefix": "aws." }] }), Some(true)),
            (json!({ "s": [{ "suffix": ".kms" }] }), Some(true)),
            (json!({ "s": [{ "equals-ignore-case": "AWS.KMS" }] }), Some(true)),
            (json!({ "s": [{ "wildcard": "aws.*" }] }), Some(true)),
            (json!({ "s": [{ "anything-but": "aws.kms" }] }), Some(false)),
            (json!({ "s": [{ "anything-but": ["aws.s3"] }] }), Some(true)),
            (json!({ "s": [{ "anything-but": { "wildcard": ["*.s3", "aws.k*"] } }] }), Some(false)),
            (json!({ "s": [{ "anything-but": { "prefix": "aws.s" } }] }), Some(true)),
            (json!({ "no": [{ "anything-but": "x" }] }), Some(false)),
            (json!({ "$or": [{ "s": ["x"] }, { "d": { "c": [1] } }] }), Some(true)),
            (json!({ "$or": [{ "s": ["x"] }, { "d": { "c": [2] } }] }), Some(false)),
            (json!({ "d": { "c": [{ "numeric": [">", 0] }] } }), None),
            (json!({ "s": ["x"], "d": { "c": [{ "numeric": [">", 0] }] } }), Some(false)),
            (json!({ "s": ["aws.kms", { "cidr": "x" }] }), Some(true)),
            (json!({ "s": [{ "wildcard": "aws.\\*" }] }), None),
            (json!({ "s": "aws.kms" }), None),
            (json!(["aws.kms"]), Some(false)),
        ] {
            assert_eq!(takes(&pattern, &event), expected, "{pattern}");
        }
    }
}
