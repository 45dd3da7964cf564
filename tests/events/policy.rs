//! Resource policies, trust policies and service control policies, evaluated as IAM does it, as far as
//! a policy of ours may use the language.
//!
//! What isn't known here is refused and not guessed at: a policy that is taken for another than it is
//! would prove nothing.

use std::collections::BTreeMap;

use serde_json::Value;

/// What somebody asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) caller: Caller,
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The condition keys, in small letters, with all their values.
    pub(crate) context: BTreeMap<String, Vec<String>>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A role, user or root, by its ARN.
    Principal(String),
    /// A service of AWS, on somebody's behalf.
    Service(String),
}

/// What a policy says to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    /// Some statement forbids it.
    Forbidden,
    /// No statement speaks of it.
    NotAllowed,
}

impl Request {
    /// With a condition key.
    pub(crate) fn with(mut self, key: &str, values: &[&str]) -> Request {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        self.context.insert(key.to_ascii_lowercase(), values);
        self
    }
}

/// What the statements of a policy say.
pub(crate) fn verdict(statements: &[Value], request: &Request) -> Verdict {
    let mut verdict = Verdict::NotAllowed;
    for statement in statements {
        if !speaks_of(statement, request) {
            continue;
        }
        match statement["Effect"].as_str() {
            Some("Allow") => verdict = Verdict::Allowed,
            Some("Deny") => return Verdict::Forbidden,
            other => panic!("{other:?} is no effect"),
        }
    }
    verdict
}

fn speaks_of(statement: &Value, request: &Request) -> bool {
    for (name, value) in statement.as_object().expect("a statement") {
        let applies = match name.as_str() {
            "Sid" | "Effect" => true,
            "Principal" => is_meant(value, &request.caller),
            "Action" => texts(value).iter().any(|pattern| is_like(pattern, &request.action)),
            "Resource" => texts(value).iter().any(|pattern| is_arn_like(pattern, &request.resource)),
            "Condition" => holds(value, &request.context),
            other => panic!("{other} is not known here"),
        };
        if !applies {
            return false;
        }
    }
    true
}

fn is_meant(principal: &Value, caller: &Caller) -> bool {
    match principal {
        Value::String(all) if all == "*" => true,
        Value::Object(kinds) => kinds.iter().any(|(kind, names)| {
            texts(names).iter().any(|name| match (kind.as_str(), caller) {
                ("AWS", Caller::Principal(arn)) => match name.strip_suffix(":root") {
                    // An account's root stands for everybody in it whom the account itself allows it.
                    Some(account) => arn.starts_with(&format!("{account}:")),
                    None => arn == name,
                },
                ("Service", Caller::Service(service)) => service == name,
                ("AWS" | "Service", _) => false,
                (other, _) => panic!("{other} is not known here"),
            })
        }),
        other => panic!("{other} is not known here"),
    }
}

fn holds(condition: &Value, context: &BTreeMap<String, Vec<String>>) -> bool {
    condition.as_object().expect("operators").iter().all(|(operator, keys)| {
        keys.as_object().expect("keys").iter().all(|(key, wanted)| {
            let wanted: Vec<String> = texts(wanted).iter().map(|text| filled(text, context)).collect();
            let found = context.get(&key.to_ascii_lowercase());
            let any = |test: &dyn Fn(&str, &str) -> bool| {
                let pairs = |value: &String| wanted.iter().any(|pattern| test(pattern, value));
                // A key that isn't there equals nothing.
                found.is_some_and(|values| values.iter().any(pairs))
            };
            match operator.as_str() {
                "StringEquals" | "Bool" => {
                    assert!(found.is_none_or(|values| values.len() == 1), "{key} needs a set operator");
                    any(&|pattern, value| pattern == value)
                }
                "StringLike" => {
                    assert!(found.is_none_or(|values| values.len() == 1), "{key} needs a set operator");
                    any(&is_like)
                }
                "StringEqualsIfExists" => found.is_none() || any(&|pattern, value| pattern == value),
                "ArnEquals" | "ArnLike" => any(&is_arn_like),
                "ArnNotLike" | "ArnNotEquals" => !any(&is_arn_like),
                "ForAllValues:StringEquals" => {
                    found.is_none_or(|values| values.iter().all(|value| wanted.contains(value)))
                }
                "ForAnyValue:StringEquals" => any(&|pattern, value| pattern == value),
                "Null" => wanted == [if found.is_none() { "true" } else { "false" }],
                other => panic!("{other} is not known here"),
            }
        })
    })
}

/// A text with the caller's own keys put for policy variables, such as `${aws:PrincipalOrgID}`. One that
/// isn't there fits nothing.
fn filled(text: &str, context: &BTreeMap<String, Vec<String>>) -> String {
    let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
        assert!(!text.contains("${"), "{text}: a variable within a text is not known here");
        return text.to_owned();
    };
    let values = context.get(&name.to_ascii_lowercase()).map(Vec::as_slice);
    let [value] = values.unwrap_or_default() else { return "\0".to_owned() };
    value.clone()
}

/// One text or several.
fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned();
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        value => vec![text(value)],
    }
}

/// Whether an ARN fits a pattern. Each of the six parts is compared with its own: a star reaches over
/// the slashes of a path, and over no colon but those of the last part. Capital and small letters differ.
fn is_arn_like(pattern: &str, arn: &str) -> bool {
    let parts = |text: &str| -> Vec<String> { text.splitn(6, ':').map(str::to_owned).collect() };
    let (patterns, parts) = (parts(pattern), parts(arn));
    if patterns.len() < 6 {
        return is_like(pattern, arn);
    }
    patterns.len() == parts.len() && patterns.iter().zip(&parts).all(|(pattern, part)| is_like(pattern, part))
}

/// Whether a text fits a pattern, in which `*` stands for anything.
pub(crate) fn is_like(pattern: &str, text: &str) -> bool {
    assert!(!pattern.contains('?'), "{pattern}: a question mark is not known here");
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(statements: &Value, request: &Request, expected: Verdict) {
        let statements = statements.as_array().unwrap();
        assert_eq!(verdict(statements, request), expected, "{statements:?} on {request:?}");
    }

    fn request() -> Request {
        Request {
            caller: Caller::Principal("arn:aws:iam::111111111111:role/It".to_owned()),
            action: "sqs:SendMessage".to_owned(),
            resource: "arn:aws:sqs:us-east-1:111111111111:queue".to_owned(),
            context: BTreeMap::new(),
        }
    }

    #[test]
    fn what_nobody_allows_is_not_allowed_and_a_prohibition_wins() {
        let allow = json!({ "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*" });
        let deny = json!({ "Effect": "Deny", "Principal": { "AWS": "arn:aws:iam::111111111111:root" },
            "Action": ["sqs:SendMessage"], "Resource": "arn:aws:sqs:*:111111111111:queue" });
        check(&json!([]), &request(), Verdict::NotAllowed);
        check(&json!([allow]), &request(), Verdict::Allowed);
        check(&json!([allow, deny]), &request(), Verdict::Forbidden);
        let elsewhere =
            Request { resource: "arn:aws:sqs:us-east-1:111111111111:queue2".to_owned(), ..request() };
        check(&json!([allow, deny]), &elsewhere, Verdict::Allowed);
        let service = Request { caller: Caller::Service("events.amazonaws.com".to_owned()), ..request() };
        check(&json!([deny]), &service, Verdict::NotAllowed);
    }

    #[test]
    fn conditions() {
        let check = |condition: Value, values: Option<&[&str]>, expected: bool| {
            let request = match values {
                Some(values) => request().with("Key", values),
                None => request(),
            };
            let condition = &condition;
            assert_eq!(holds(condition, &request.context), expected, "{condition} on {values:?}");
        };
        check(json!({ "StringEquals": { "key": ["a", "b"] } }), Some(&["b"]), true);
        check(json!({ "StringEquals": { "key": "a" } }), Some(&["A"]), false);
        check(json!({ "StringEquals": { "key": "a" } }), None, false);
        check(json!({ "ArnLike": { "key": "arn:*:role/a*" } }), Some(&["arn:aws:iam::1:role/abc"]), true);
        check(json!({ "ArnLike": { "key": "arn:*:role/a*" } }), Some(&["arn:aws:iam::1:role/b"]), false);
        check(json!({ "ArnNotLike": { "key": "a*" } }), Some(&["abc"]), false);
        check(json!({ "ArnNotLike": { "key": "a*" } }), None, true);
        check(json!({ "ArnNotEquals": { "key": "abc" } }), Some(&["abc"]), false);
        check(json!({ "ArnNotEquals": { "key": "abc" } }), None, true);
        check(json!({ "StringLike": { "key": "a.*.c" } }), Some(&["a.b.c"]), true);
        check(json!({ "StringLike": { "key": "a.*.c" } }), Some(&["b.b.c"]), false);
        check(json!({ "StringLike": { "key": "*" } }), None, false);
        let all = json!({ "ForAllValues:StringEquals": { "key": ["a", "b"] } });
        check(all.clone(), Some(&["a", "b"]), true);
        check(all.clone(), Some(&["a", "c"]), false);
        check(all, None, true);
        let own = json!({ "StringEqualsIfExists": { "key": "${other}" } });
        check(own.clone(), Some(&["a"]), false);
        check(own, None, true);
        check(json!({ "StringEqualsIfExists": { "key": "${Key}" } }), Some(&["a"]), true);
        check(json!({ "Null": { "key": "false" } }), None, false);
        check(json!({ "Null": { "key": "false" } }), Some(&["a"]), true);
    }

    /// Where several conditions stand in one statement, all of them have to hold.
    #[test]
    fn a_statement_applies_where_each_of_its_conditions_holds() {
        let deny = json!([{ "Effect": "Deny", "Action": "sqs:*", "Resource": "*", "Condition": {
            "ArnNotLike": { "aws:PrincipalArn": "arn:*:iam::*:role/It" },
            "StringEquals": { "aws:PrincipalAccount": "111111111111" } } }]);
        let by = |role: &str, account: &str| {
            let arn = format!("arn:aws:iam::{account}:role/{role}");
            request().with("aws:PrincipalArn", &[&arn]).with("aws:PrincipalAccount", &[account])
        };
        check(&deny, &by("Another", "111111111111"), Verdict::Forbidden);
        check(&deny, &by("It", "111111111111"), Verdict::NotAllowed);
        check(&deny, &by("Another", "222222222222"), Verdict::NotAllowed);
    }

    #[test]
    fn a_star_in_an_arn_reaches_over_slashes_and_not_over_colons() {
        let check = |pattern: &str, arn: &str, expected: bool| {
            assert_eq!(is_arn_like(pattern, arn), expected, "{pattern} on {arn}");
        };
        let role = |rest: &str| format!("arn:aws:iam::111111111111:role/{rest}");
        check("arn:*:iam::*:role/It", &role("It"), true);
        check("arn:*:iam::*:role/It", &role("path/It"), false);
        check("arn:*:iam::*:role/It", &role("it"), false);
        check("arn:*:iam::*:role/*/It", &role("path/It"), true);
        check("arn:*:iam::*:role/*/It", &role("a/long/path/It"), true);
        check("arn:*:iam::*:role/*/It", &role("It"), false);
        check("arn:*:iam::*:role/*It", &role("It"), true);
        check("arn:*:iam::*:role/it-*", &role("it-is/Another"), true);
        check("arn:*:iam::222222222222:role/It", &role("It"), false);
        check("arn:*:role/It", &role("It"), true);
        check("arn:*:sqs:*:*:*", "arn:aws:iam:sqs:us-east-1:role/It", false);
        check("arn:*:logs:*:*:*", "arn:aws:logs:us-east-1:111111111111:log-group:It:*", true);
        check("*", "*", true);
        check("arn:*:iam::*:role/*", "*", false);
    }
}
