//! Judgements held against a plain evaluator of single requests, which shares no code with them.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::laws::any_document;
use super::*;
use crate::resource_policy::{AccessVerdict, admits, judge};

/// A caller: some principal of an account, which is in an organization or in none.
struct Caller {
    account: &'static str,
    organization: Option<&'static str>,
    path: &'static str,
}

const MEMBERS: &[Caller] = &[
    member("300000000001", "o-exampleorgid/r-exam/"),
    member("300000000002", "o-exampleorgid/r-exam/ou-exam-workload/"),
    member("300000000003", "o-exampleorgid/r-exam/ou-exam-sandbox1/"),
    member("300000000004", "o-exampleorgid/r-exam/ou-exam-sandbox1/ou-exam-workload/"),
];

const STRANGERS: &[Caller] = &[
    Caller { account: "999999999999", organization: None, path: "" },
    Caller { account: "888888888888", organization: Some("o-anotherorgid"), path: "o-anotherorgid/r-othr/" },
];

const fn member(account: &'static str, path: &'static str) -> Caller {
    Caller { account, organization: Some("o-exampleorgid"), path }
}

/// Whether the policy alone lets the caller do it; `None` where this evaluator doesn't know.
fn allows(policy: &Value, caller: &Caller, action: &str) -> Option<bool> {
    let mut allowed = false;
    let mut denied = false;
    for statement in list(&policy["Statement"]) {
        let statement = statement.as_object()?;
        let known = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"];
        if !statement.keys().all(|name| known.contains(&name.as_str())) {
            return None;
        }
        let matched = principal(statement.get("Principal")?, caller)?
            & one(statement.get("Action")?, |name| name.eq_ignore_ascii_case(action) || name == "bedrock:*")?
            & one(statement.get("Resource")?, |arn| arn == GUARDRAIL || arn == "*")?
            & condition(statement.get("Condition"), caller)?;
        match statement.get("Effect")?.as_str()? {
            "Allow" => allowed |= matched,
            "Deny" => denied |= matched,
            _ => return None,
        }
    }
    Some(allowed && !denied)
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        other => vec![other],
    }
}

fn one(value: &Value, test: impl Fn(&str) -> bool) -> Option<bool> {
    let values = list(value);
    let texts: Vec<&str> = values.iter().map(|value| value.as_str()).collect::<Option<_>>()?;
    (!texts.is_empty()).then(|| texts.iter().any(|text| test(text)))
}

fn principal(value: &Value, caller: &Caller) -> Option<bool> {
    if value == "*" {
        return Some(true);
    }
    let names = value.as_object()?.get("AWS")?;
    // A role is a part of its account: whether this caller is that role isn't said.
    if names.to_string().contains("::*:") || names.to_string().contains(":role/") {
        return None;
    }
    let root = format!("arn:aws:iam::{}:root", caller.account);
    one(names, |name| name == "*" || name == caller.account || name == root)
}

fn condition(value: Option<&Value>, caller: &Caller) -> Option<bool> {
    let mut holds = true;
    let Some(value) = value else { return Some(true) };
    for (operator, keys) in value.as_object()? {
        for (key, values) in keys.as_object()? {
            holds &= match (operator.as_str(), key.to_lowercase().as_str()) {
                ("StringEquals", "aws:principalorgid") => one(values, |id| caller.organization == Some(id))?,
                ("StringNotEquals", "aws:principalorgid") => {
                    !one(values, |id| caller.organization == Some(id))?
                }
                ("StringEqualsIfExists", "aws:principalorgid") => {
                    one(values, |id| caller.organization.is_none_or(|organization| organization == id))?
                }
                ("ForAnyValue:StringLike", "aws:principalorgpaths") => one(values, |pattern| {
                    let mut parts = pattern.split("/*/").map(|part| part.trim_end_matches('*'));
                    let front = parts.next().unwrap_or_default();
                    caller.path.starts_with(front)
                        && parts.all(|part| caller.path.contains(&format!("/{part}")))
                })?,
                _ => return None,
            };
        }
    }
    Some(holds)
}

/// The document as the evaluator reads it; `None` where reading alone is in doubt.
fn plain(document: &Document) -> Option<Value> {
    let certain = document.duplicate().is_none() && document.unknown_version().is_none();
    certain.then(|| serde_json::from_str(&document.text()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_granted_is_allowed_to_every_member(document in any_document(), caller in select_from(MEMBERS)) {
        let Some(policy) = plain(&document) else { return Ok(()) };
        let granted = judge(Some(&document), &grant()).verdict.is_granted();
        for action in ["bedrock:ApplyGuardrail", "bedrock:GetGuardrail"] {
            if let (true, Some(allowed)) = (granted, allows(&policy, caller, action)) {
                prop_assert!(allowed);
            }
        }
    }

    #[test]
    fn who_is_admitted_is_allowed_and_who_is_not_is_not(document in any_document(), caller in select_from(MEMBERS)) {
        let Some(policy) = plain(&document) else { return Ok(()) };
        let (account, path) = (caller.account.parse().unwrap(), caller.path.parse().unwrap());
        let admitted = admits(Some(&document), &grant().resource, &account, &path);
        match (admitted, allows(&policy, caller, "bedrock:ApplyGuardrail")) {
            (AccessVerdict::Granted, Some(allowed)) => prop_assert!(allowed),
            (AccessVerdict::NotGranted(_), Some(allowed)) => prop_assert!(!allowed),
            // What the evaluator can tell must be clear to us too.
            (AccessVerdict::Unclear(doubt), Some(_)) => prop_assert!(false, "{}", doubt),
            (AccessVerdict::Granted | AccessVerdict::NotGranted(_) | AccessVerdict::Unclear(_), None) => {}
        }
    }

    #[test]
    fn whoever_lets_a_stranger_in_is_found(document in any_document(), caller in select_from(STRANGERS)) {
        let Some(policy) = plain(&document) else { return Ok(()) };
        if allows(&policy, caller, "bedrock:ApplyGuardrail") == Some(true) {
            prop_assert!(judge(Some(&document), &grant()).openings().next().is_some());
        }
    }
}

fn select_from(callers: &'static [Caller]) -> impl Strategy<Value = &'static Caller> {
    select((0..callers.len()).collect::<Vec<usize>>()).prop_map(|position| &callers[position])
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {:?}", self.account, self.path)
    }
}
