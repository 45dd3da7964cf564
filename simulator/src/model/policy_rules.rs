//! The only resource policies that Bedrock takes for a guardrail (aws-facts §2.2).
//!
//! (a) The own account as principal. (b) Everybody of the own organization. (c) Everybody of some of its units,
//! with the organization named too. Everything else is refused.

use serde_json::{Map, Value};

use super::error::ApiError;
use super::iam::{one_or_many, strings};
use crate::switches::{Answer, Switches};

/// Refuses everything but the three patterns.
pub(super) fn check(
    text: &str,
    arn: &str,
    account: &str,
    organization: Option<&str>,
    switches: Switches,
) -> Result<(), ApiError> {
    let document: Value =
        serde_json::from_str(text).map_err(|error| invalid(format!("it is not valid JSON ({error})")))?;
    let document = document.as_object().ok_or_else(|| invalid("it is not a JSON object"))?;
    only(document, &["Version", "Id", "Statement"])?;
    if document.get("Version").and_then(Value::as_str) != Some("2012-10-17") {
        return Err(invalid("Version must be 2012-10-17"));
    }
    let statements = document.get("Statement").map(one_or_many).unwrap_or_default();
    if statements.is_empty() {
        return Err(invalid("it has no Statement"));
    }
    if statements.len() > 1 && switches.several_statements == Answer::Refused {
        return Err(invalid("it has more than one Statement"));
    }
    statements
        .iter()
        .try_for_each(|statement| check_statement(statement, arn, account, organization, switches))
}

fn check_statement(
    statement: &Value,
    arn: &str,
    account: &str,
    organization: Option<&str>,
    switches: Switches,
) -> Result<(), ApiError> {
    let statement = statement.as_object().ok_or_else(|| invalid("a Statement is not a JSON object"))?;
    only(statement, &["Sid", "Effect", "Principal", "Action", "Resource", "Condition"])?;
    if statement.contains_key("Sid") && switches.sid == Answer::Refused {
        return Err(invalid("Sid is not supported"));
    }
    if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
        return Err(invalid("Effect must be Allow"));
    }
    check_actions(statement, arn)?;
    if statement.get("Resource").and_then(strings).is_none_or(|resources| resources != [arn]) {
        return Err(invalid(format!("Resource must be {arn}")));
    }
    match principal(statement)? {
        Principal::Account(named) if named == account => match statement.get("Condition") {
            None => Ok(()),
            Some(_) => Err(invalid("a Condition is not supported with an account as Principal")),
        },
        Principal::Account(named) => Err(invalid(format!(
            "the Principal {named} must be the account that owns the resource, {account}"
        ))),
        Principal::Everybody => check_conditions(statement.get("Condition"), organization),
    }
}

/// A profile can only be applied; a guardrail can also be read.
fn check_actions(statement: &Map<String, Value>, arn: &str) -> Result<(), ApiError> {
    let legal: &[&str] = if arn.contains(":guardrail-profile/") {
        &["bedrock:ApplyGuardrail"]
    } else {
        &["bedrock:ApplyGuardrail", "bedrock:GetGuardrail"]
    };
    let actions = statement.get("Action").and_then(strings).unwrap_or_default();
    let known = |action: &String| legal.iter().any(|legal| legal.eq_ignore_ascii_case(action));
    if !actions.is_empty() && actions.iter().all(known) {
        Ok(())
    } else {
        Err(invalid(format!("Action must be one or more of {}", legal.join(", "))))
    }
}

enum Principal {
    Everybody,
    Account(String),
}

fn principal(statement: &Map<String, Value>) -> Result<Principal, ApiError> {
    let unsupported = || invalid("the Principal must be the owning account's root, or * with a Condition");
    let principal = statement.get("Principal").ok_or_else(unsupported)?;
    if principal == "*" {
        return Ok(Principal::Everybody);
    }
    let members = principal.as_object().filter(|members| members.len() == 1).ok_or_else(unsupported)?;
    let named = members.get("AWS").and_then(strings).ok_or_else(unsupported)?;
    let [only] = named.as_slice() else { return Err(unsupported()) };
    let account = only.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root"));
    match account {
        Some(account) if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Principal::Account(account.to_owned()))
        }
        _ => Err(unsupported()),
    }
}

/// Everybody must be limited to the organization that the owning account is in, and may be limited to units.
fn check_conditions(conditions: Option<&Value>, organization: Option<&str>) -> Result<(), ApiError> {
    let limit = "the Principal * needs a StringEquals Condition on aws:PrincipalOrgID";
    let operators = conditions.and_then(Value::as_object).ok_or_else(|| invalid(limit))?;
    only(operators, &["StringEquals", "ForAnyValue:StringLike"])?;
    let organization = organization.ok_or_else(|| invalid("the owning account is not in an organization"))?;
    let named = test(operators, "StringEquals", "aws:PrincipalOrgID")?.ok_or_else(|| invalid(limit))?;
    if named != [organization] {
        return Err(invalid(format!("aws:PrincipalOrgID must be the owner's organization, {organization}")));
    }
    let paths = test(operators, "ForAnyValue:StringLike", "aws:PrincipalOrgPaths")?.unwrap_or_default();
    let inside = |path: &String| path.starts_with(&format!("{organization}/"));
    if paths.iter().all(inside) {
        Ok(())
    } else {
        Err(invalid(format!("every one of aws:PrincipalOrgPaths must begin with {organization}/")))
    }
}

/// The values of the one key that an operator may test.
fn test(operators: &Map<String, Value>, operator: &str, key: &str) -> Result<Option<Vec<String>>, ApiError> {
    let Some(tests) = operators.get(operator) else { return Ok(None) };
    let unsupported = || invalid(format!("{operator} may test {key} only"));
    let tests = tests.as_object().filter(|tests| tests.len() == 1).ok_or_else(unsupported)?;
    let (name, values) = tests.iter().next().ok_or_else(unsupported)?;
    if name.eq_ignore_ascii_case(key) { Ok(strings(values)) } else { Err(unsupported()) }
}

fn only(members: &Map<String, Value>, known: &[&str]) -> Result<(), ApiError> {
    match members.keys().find(|member| !known.contains(&member.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(invalid(format!("{unknown} is not supported"))),
    }
}

fn invalid(why: impl std::fmt::Display) -> ApiError {
    ApiError::validation(format!("The provided resource policy is invalid: {why}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c";
    const ORGANIZATION: &str = "o-exampleorgid";

    fn statement() -> Value {
        json!({
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["bedrock:GetGuardrail", "bedrock:ApplyGuardrail"],
            "Resource": ARN,
            "Condition": { "StringEquals": { "aws:PrincipalOrgID": ORGANIZATION } },
        })
    }

    fn verdict(statements: &Value, switches: Switches) -> Result<(), String> {
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        check(&text, ARN, "222222222222", Some(ORGANIZATION), switches).map_err(|error| error.message)
    }

    #[track_caller]
    fn refused(change: impl Fn(&mut Value)) {
        let mut changed = statement();
        change(&mut changed);
        verdict(&json!([changed]), Switches::default())
            .expect_err("this policy is not one of the three patterns");
    }

    #[test]
    fn the_three_patterns_are_accepted() {
        verdict(&json!([statement()]), Switches::default()).expect("pattern b");
        let mut units = statement();
        units["Condition"]["ForAnyValue:StringLike"] =
            json!({ "aws:PrincipalOrgPaths": ["o-exampleorgid/*/ou-exam-workload/*"] });
        verdict(&json!([units]), Switches::default()).expect("pattern c");
        let account = json!({
            "Effect": "Allow",
            "Principal": { "AWS": "arn:aws:iam::222222222222:root" },
            "Action": "bedrock:ApplyGuardrail",
            "Resource": ARN,
        });
        verdict(&account, Switches::default()).expect("pattern a, and a statement without its list");
    }

    #[test]
    fn everything_else_is_refused() {
        refused(|statement| statement["Effect"] = "Deny".into());
        refused(|statement| statement["Action"] = "bedrock:*".into());
        refused(|statement| statement["Action"] = json!(["bedrock:InvokeGuardrail"]));
        refused(|statement| statement["Resource"] = "*".into());
        refused(|statement| statement["Resource"] = format!("{ARN}/1").into());
        refused(|statement| statement["Condition"] = json!({}));
        refused(|statement| {
            statement["Condition"]["StringEquals"]["aws:PrincipalOrgID"] = "o-anotherorgid".into();
        });
        refused(|statement| statement["Condition"]["Bool"] = json!({ "aws:SecureTransport": "true" }));
        refused(|statement| statement["Principal"] = json!({ "AWS": "arn:aws:iam::*:root" }));
        refused(|statement| statement["Principal"] = json!({ "AWS": "arn:aws:iam::300000000001:root" }));
        refused(|statement| statement["NotAction"] = "x".into());
    }

    #[test]
    fn what_is_unknown_is_switched() {
        let mut named = statement();
        named["Sid"] = "AllowOrganizationAccess".into();
        let both = json!([statement(), named]);
        verdict(&json!([named]), Switches::default()).expect_err("a Sid is refused by default");
        verdict(&both, Switches::default()).expect_err("so are several statements");
        let lenient =
            Switches { sid: Answer::Accepted, several_statements: Answer::Accepted, ..Switches::default() };
        verdict(&both, lenient).expect("both are accepted when switched on");
    }
}
