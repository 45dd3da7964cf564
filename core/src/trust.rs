//! Whom the trust policy of a role admits besides those who are meant.

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
    let of_the_hub = |one: &str| is_of(one, hub);
    let is_inside = |one: &AdmittedPrincipal| {
        let narrowed = !one.narrowed_to.is_empty() && one.narrowed_to.iter().all(|one| of_the_hub(one));
        one.kind == "AWS" && (of_the_hub(&one.name) || (one.name == "*" && narrowed))
    };
    Ok(principals(document)?.into_iter().filter(|one| !is_inside(one)).map(|one| one.name).collect())
}

/// The principals other than StackSets that a trust policy admits, as the policy names them.
///
/// StackSets with service-managed permissions enter a member as a service-linked role of the management account, also
/// for a delegated administrator
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-activate-trusted-access.html>).
/// A role in that path can be made by the service alone.
///
/// # Errors
/// When the policy isn't JSON.
pub fn others_than_stack_sets(document: &str, management: &AccountId) -> Result<Vec<String>, NotJson> {
    let is_stack_sets = |one: &AdmittedPrincipal| match one.kind.as_str() {
        "Service" => STACK_SETS_SERVICES.contains(&one.name.as_str()),
        "AWS" => {
            let role = one.name.splitn(6, ':').nth(5).unwrap_or_default();
            is_of(&one.name, management) && role.starts_with(STACK_SETS_ROLES)
        }
        _ => false,
    };
    Ok(principals(document)?.into_iter().filter(|one| !is_stack_sets(one)).map(|one| one.name).collect())
}

/// The services by whose service-linked roles StackSets work in an organization.
const STACK_SETS_SERVICES: [&str; 2] =
    ["stacksets.cloudformation.amazonaws.com", "member.org.stacksets.cloudformation.amazonaws.com"];
/// Where the service-linked role of the management account is.
const STACK_SETS_ROLES: &str = "role/aws-service-role/stacksets.cloudformation.amazonaws.com/";

/// A principal that a trust policy admits.
struct AdmittedPrincipal {
    /// `AWS`, `Service`, `Federated` or `NotPrincipal`.
    kind: String,
    /// As the policy names it.
    name: String,
    /// The principals that the statement's condition narrows it to; none where it has no such condition.
    narrowed_to: Vec<String>,
}

fn principals(document: &str) -> Result<Vec<AdmittedPrincipal>, NotJson> {
    let document: Value = serde_json::from_str(document).map_err(|_| NotJson)?;
    let mut found = Vec::new();
    for statement in many(&document["Statement"]).iter().filter(|statement| statement["Effect"] == "Allow") {
        let principal = &statement["Principal"];
        let kinds = principal.as_object().into_iter().flatten();
        let named = kinds.flat_map(|(kind, names)| many(names).iter().map(move |name| (kind.as_str(), name)));
        let anybody = principal.as_str().map(|all| ("AWS", all)).into_iter();
        let all = anybody.chain(named.filter_map(|(kind, name)| Some((kind, name.as_str()?))));
        let excluding = ("NotPrincipal", "all but some (NotPrincipal)");
        let excluding = (!statement["NotPrincipal"].is_null()).then_some(excluding);
        found.extend(all.chain(excluding).map(|(kind, name)| AdmittedPrincipal {
            kind: kind.to_owned(),
            name: name.to_owned(),
            narrowed_to: admitted(&statement["Condition"]),
        }));
    }
    Ok(found)
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

    #[test]
    fn whoever_is_not_stack_sets_is_named() {
        let management: AccountId = "111111111111".parse().unwrap();
        let allow =
            |principal: &str| format!(r#"{{"Statement":{{"Effect":"Allow","Principal":{principal}}}}}"#);
        let of_the_service = |account: &str, path: &str| {
            format!(
                "arn:aws:iam::{account}:role/aws-service-role/{path}/AWSServiceRoleForCloudFormationStackSetsOrgAdmin"
            )
        };
        let stack_sets = "stacksets.cloudformation.amazonaws.com";
        let ours = of_the_service("111111111111", stack_sets);
        let of_another_organization = of_the_service("999999999999", stack_sets);
        let of_another_service = of_the_service("111111111111", "support.amazonaws.com");
        let in_another_path =
            format!("arn:aws:iam::111111111111:role/x/{}", ours.rsplit('/').next().unwrap());
        for (principal, expected) in [
            (format!(r#"{{"AWS":"{ours}"}}"#), vec![]),
            (format!(r#"{{"Service":["{stack_sets}","member.org.{stack_sets}"]}}"#), vec![]),
            (
                format!(r#"{{"AWS":["{ours}","{of_another_organization}"]}}"#),
                vec![of_another_organization.as_str()],
            ),
            (format!(r#"{{"AWS":"{of_another_service}"}}"#), vec![of_another_service.as_str()]),
            (format!(r#"{{"AWS":"{in_another_path}"}}"#), vec![in_another_path.as_str()]),
            (
                r#"{"AWS":"arn:aws:iam::111111111111:root"}"#.to_owned(),
                vec!["arn:aws:iam::111111111111:root"],
            ),
            (
                r#"{"Service":"cloudformation.amazonaws.com"}"#.to_owned(),
                vec!["cloudformation.amazonaws.com"],
            ),
            (format!(r#"{{"Federated":"{stack_sets}"}}"#), vec![stack_sets]),
            (r#""*""#.to_owned(), vec!["*"]),
        ] {
            assert_eq!(
                others_than_stack_sets(&allow(&principal), &management).unwrap(),
                expected,
                "{principal}"
            );
        }
        let excluding = format!(r#"{{"Statement":{{"Effect":"Allow","NotPrincipal":{{"AWS":"{ours}"}}}}}}"#);
        assert_eq!(others_than_stack_sets(&excluding, &management).unwrap(), ["all but some (NotPrincipal)"]);
        assert_eq!(others_than_stack_sets("nonsense", &management), Err(NotJson));
    }
}
