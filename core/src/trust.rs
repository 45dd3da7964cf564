//! Whom the trust policy of a role admits besides the hub.

use serde_json::Value;

use crate::ids::AccountId;

/// A trust policy that isn't JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its trust policy isn't JSON")]
pub struct NotJson;

/// The principals outside of the hub's account that a trust policy admits, as the policy names them.
///
/// `deploy/member-role.yaml` admits one role of the hub. A prohibition admits nobody, and only a condition on
/// `aws:PrincipalArn` narrows a statement: what other conditions let through isn't known here.
///
/// # Errors
/// When the policy isn't JSON.
pub fn outsiders(document: &str, hub: &AccountId) -> Result<Vec<String>, NotJson> {
    let document: Value = serde_json::from_str(document).map_err(|_| NotJson)?;
    let of_the_hub = |one: &str| is_of(one, hub);
    let mut outsiders = Vec::new();
    for statement in many(&document["Statement"]).iter().filter(|statement| statement["Effect"] == "Allow") {
        let principal = &statement["Principal"];
        let kinds = principal.as_object().into_iter().flatten();
        let named = kinds.flat_map(|(kind, names)| many(names).iter().map(move |name| (kind.as_str(), name)));
        let anybody = principal.as_str().map(|all| ("AWS", all)).into_iter();
        let all = anybody.chain(named.filter_map(|(kind, name)| Some((kind, name.as_str()?))));
        let narrowed = admitted(&statement["Condition"]);
        let narrowed = !narrowed.is_empty() && narrowed.iter().all(|one| of_the_hub(one));
        outsiders.extend(
            all.filter(|(kind, name)| *kind != "AWS" || !(of_the_hub(name) || (*name == "*" && narrowed)))
                .map(|(_, name)| name.to_owned()),
        );
        if !statement["NotPrincipal"].is_null() {
            outsiders.push("all but some (NotPrincipal)".to_owned());
        }
    }
    Ok(outsiders)
}

/// Whether a principal is of the account: its number, or an ARN whose account it is. A path may hold anything, another
/// account's number between colons, too.
fn is_of(principal: &str, account: &AccountId) -> bool {
    principal == account.as_str()
        || (principal.starts_with("arn:") && principal.split(':').nth(4) == Some(account.as_str()))
}

/// The principals that a condition narrows a statement to.
fn admitted(condition: &Value) -> Vec<String> {
    let operators = condition.as_object().into_iter().flatten();
    let narrowing = operators.filter(|(operator, _)| {
        matches!(operator.as_str(), "ArnEquals" | "ArnLike" | "StringEquals" | "StringLike")
    });
    let keys = narrowing.flat_map(|(operator, keys)| {
        keys.as_object().into_iter().flatten().map(move |(key, wanted)| (operator.as_str(), key, wanted))
    });
    let arns = keys.filter(|(_, key, _)| key.eq_ignore_ascii_case("aws:PrincipalArn"));
    let names = arns.flat_map(|(operator, _, wanted)| {
        many(wanted).iter().filter_map(Value::as_str).map(move |name| (operator, name))
    });
    names
        .map(|(operator, name)| if is_loose(operator, name) { "*".to_owned() } else { name.to_owned() })
        .collect()
}

/// Whether a pattern says nothing of the account: with `StringLike` a `*` goes over colons, so what stands behind it may be
/// part of a path. With `ArnLike` each part of an ARN is compared by itself (IAM user guide, ARN condition operators).
fn is_loose(operator: &str, pattern: &str) -> bool {
    let mut before_the_name = pattern.split(':').take(5);
    operator == "StringLike" && before_the_name.any(|part| part.contains(['*', '?']))
}

/// JSON policies write one of something without its brackets.
pub(crate) fn many(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(many) => many,
        one => std::slice::from_ref(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_outside_of_the_hub_is_named() {
        let hub: AccountId = "111111111111".parse().unwrap();
        let allow = |rest: &str| format!(r#"{{"Statement":[{{"Effect":"Allow",{rest}}}]}}"#);
        let aws = |name: &str| allow(&format!(r#""Principal":{{"AWS":"{name}"}}"#));
        let narrowed = |by: &str| allow(&format!(r#""Principal":"*","Condition":{by}"#));
        let table = [
            (aws("arn:aws:iam::111111111111:root"), vec![]),
            (aws("arn:aws-cn:iam::111111111111:role/x/Keeper"), vec![]),
            (aws("111111111111"), vec![]),
            (aws("1111111111112"), vec!["1111111111112"]),
            (aws("arn:aws:iam::300000000001:root"), vec!["arn:aws:iam::300000000001:root"]),
            // The path of a role may hold the hub's number, just as an ARN of the hub does.
            (
                aws("arn:aws:iam::300000000001:role/::111111111111:/Admin"),
                vec!["arn:aws:iam::300000000001:role/::111111111111:/Admin"],
            ),
            (aws("x:x:x:x:111111111111:root"), vec!["x:x:x:x:111111111111:root"]),
            (aws("AIDACKCEVSQ6C2EXAMPLE"), vec!["AIDACKCEVSQ6C2EXAMPLE"]),
            (narrowed(r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/*"}}"#), vec![]),
            (narrowed(r#"{"StringLike":{"aws:PrincipalArn":"*:111111111111:*"}}"#), vec!["*"]),
            (narrowed(r#"{"StringLike":{"aws:PrincipalArn":"arn:*:*:*:111111111111:*"}}"#), vec!["*"]),
            (narrowed(r#"{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/K*"}}"#), vec![]),
            (narrowed(r#"{"ArnLike":{"aws:PrincipalArn":"arn:*:iam::111111111111:role/*"}}"#), vec![]),
            (
                narrowed(r#"{"ArnEqualsIfExists":{"aws:PrincipalArn":"arn:aws:iam::111111111111:root"}}"#),
                vec!["*"],
            ),
            (narrowed(r#"{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}"#), vec!["*"]),
            (r#"{"Statement":{"Effect":"Deny","Principal":"*"}}"#.to_owned(), vec![]),
        ];
        for (document, expected) in table {
            assert_eq!(outsiders(&document, &hub).unwrap(), expected, "{document}");
        }
        assert_eq!(outsiders("nonsense", &hub), Err(NotJson));
    }
}
