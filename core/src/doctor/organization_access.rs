//! Whether the function can write Bedrock policies: its setting, the type of the policies, and whose permission it is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::permissions::on_bedrock_policies;
use super::trust::admitting;
use super::{Check, CheckedPlace, Facts, Finding, Place, RequiredAction, Trusted};
use crate::failure::Failure;
use crate::ids::{AccountId, RoleName};
use crate::resource_policy::is_like;
use crate::settings::OrganizationAccess;
use crate::trust::many;

/// The setting of the function that says who writes Bedrock policies; the stack's parameter is `OrganizationLevel`.
const SETTING: &str = "KEEPER_ORGANIZATION_ROLE";

/// The condition key by which statements are narrowed to one type of policies, in lower case.
const POLICY_TYPE: &str = "organizations:policytype";
const BEDROCK_POLICY: &str = "BEDROCK_POLICY";

/// What the environment of the deployed function says of who writes Bedrock policies.
///
/// # Errors
/// The text, where it is neither of the two words nor a role's name.
pub fn access_of_function(environment: &BTreeMap<String, String>) -> Result<OrganizationAccess, String> {
    match environment.get(SETTING).map(String::as_str) {
        None | Some("" | "none") => Ok(OrganizationAccess::None),
        Some("own") => Ok(OrganizationAccess::Own),
        Some(text) => text.parse().map(OrganizationAccess::Role).map_err(|_| text.to_owned()),
    }
}

/// Judges who writes and the type of the policies. `who` is the function, or without one the terminal; `assigns` is whether
/// the baseline assigns on this level, `is_enabled` whether the type is enabled, as far as that is known.
pub fn organization_access(
    who: &str,
    assigns: bool,
    seen: &Result<OrganizationAccess, Failure>,
    is_enabled: Option<bool>,
) -> Vec<Finding> {
    let here = Check::OrganizationLevel.whole();
    let mut findings = vec![match seen {
        Err(failure) => here.unread("who writes Bedrock policies isn't known", failure),
        Ok(OrganizationAccess::None) if assigns => here.problem(
            format!(
                "the baseline assigns with `level: organization`, and {SETTING} of {who} is none: nobody writes Bedrock \
                 policies"
            ),
            "deploy the hub's stack again with the parameter OrganizationLevel: own where the hub is the management \
             account or policies are delegated to it, else the name of the role that deploy/management.yaml creates \
             (docs/deploy.md, Who writes Bedrock policies)",
        ),
        Ok(OrganizationAccess::None) => here.not_applicable(format!("{who} has nothing to do with Bedrock policies")),
        Ok(OrganizationAccess::Own) => here.ok(format!("{who} writes Bedrock policies with its own credentials")),
        Ok(OrganizationAccess::Role(role)) => {
            here.ok(format!("{who} writes Bedrock policies by {role} in the management account"))
        }
    }];
    if assigns && is_enabled == Some(false) {
        findings.push(here.problem(
            "the baseline assigns with `level: organization`, and the policy type BEDROCK_POLICY isn't enabled: no \
             Bedrock policy can be attached",
            "guardrailctl enable-policy-type, with credentials of the management account; the keeper enables no type \
             of policies by itself",
        ));
    }
    findings
}

/// Judges the trust policy of the role in the management account; `None` is no such role.
pub fn organization_role(
    management: &AccountId,
    name: &RoleName,
    seen: &Result<Option<String>, Failure>,
    trusted: Trusted<'_>,
) -> Finding {
    let here = role_at(management);
    let todo = format!("deploy deploy/management.yaml in its RolesRegion with OrganizationLevel={name}");
    admitting(
        &here,
        name.as_str(),
        seen,
        trusted,
        [&todo, &format!("{todo}, and the hub's account, function role and external id")],
    )
}

/// Where the role in the management account is judged.
pub fn role_at(management: &AccountId) -> CheckedPlace {
    Check::OrganizationLevel.at(Place::account(management))
}

/// Judges whether the organization's resource policy delegates Bedrock policies to the hub, which is not the management
/// account; `None` is no such policy.
pub fn delegated(facts: &Facts, seen: &Result<Option<String>, Failure>) -> Finding {
    let here = Check::OrganizationLevel.whole();
    let hub = &facts.hub;
    let todo = "add the statements of docs/deploy.md (Who writes Bedrock policies) to the organization's resource policy, \
                or let a role in the management account write (OrganizationLevel)";
    let text = match seen {
        Err(failure) => {
            let what = format!("whether Bedrock policies are delegated to {hub} isn't known");
            return here.unread(what, failure);
        }
        Ok(None) => {
            let text = format!(
                "{hub} is not the management account, and the organization has no resource policy that delegates Bedrock \
                 policies to it"
            );
            return here.problem(text, todo);
        }
        Ok(Some(text)) => text,
    };
    let Ok(policy) = serde_json::from_str::<Value>(text) else {
        return here.unknown("the organization's resource policy isn't JSON", "read it in Organizations");
    };
    let (mut missing, mut unclear) = (BTreeSet::new(), BTreeSet::new());
    for need in on_bedrock_policies(facts) {
        match delegates(&policy, hub, &need) {
            Delegated::Yes => {}
            Delegated::No => drop(missing.insert(need.action)),
            Delegated::Unclear => drop(unclear.insert(need.action)),
        }
    }
    let listed = |actions: BTreeSet<&str>| actions.into_iter().collect::<Vec<_>>().join(", ");
    if !missing.is_empty() {
        let text = format!("the organization's resource policy doesn't delegate all that is needed to {hub}");
        return here.problem(text, todo).detailed(listed(missing));
    }
    if !unclear.is_empty() {
        let text = format!(
            "whether the organization's resource policy delegates all to {hub} depends on its conditions"
        );
        let finding = here
            .unknown(text, "compare it with the statements of docs/deploy.md (Who writes Bedrock policies)");
        return finding.detailed(listed(unclear));
    }
    here.ok(format!("the organization's resource policy delegates Bedrock policies to {hub}"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delegated {
    Yes,
    No,
    Unclear,
}

/// What the statements say of one action on one resource.
fn delegates(policy: &Value, hub: &AccountId, need: &RequiredAction) -> Delegated {
    let mut verdict = Delegated::No;
    for statement in many(&policy["Statement"]) {
        let speaks = names(&statement["Principal"], hub)
            && many(&statement["Action"]).iter().any(|one| is_action(one, need.action))
            && many(&statement["Resource"])
                .iter()
                .filter_map(Value::as_str)
                .any(|one| is_like(one, &need.resource));
        if !speaks {
            continue;
        }
        match (statement["Effect"].as_str(), holds(&statement["Condition"])) {
            (Some("Allow"), Some(true)) => verdict = Delegated::Yes,
            (Some("Allow"), None) if verdict == Delegated::No => verdict = Delegated::Unclear,
            (Some("Deny"), Some(true)) => return Delegated::No,
            (Some("Deny"), None) => return Delegated::Unclear,
            _ => {}
        }
    }
    verdict
}

fn is_action(written: &Value, action: &str) -> bool {
    let lower = action.to_ascii_lowercase();
    written.as_str().is_some_and(|written| is_like(&written.to_ascii_lowercase(), &lower))
}

fn names(principal: &Value, hub: &AccountId) -> bool {
    let root = format!(":iam::{hub}:root");
    let listed = if principal == "*" { vec![principal] } else { many(&principal["AWS"]).iter().collect() };
    let mut listed = listed.into_iter().filter_map(Value::as_str);
    listed.any(|one| one == "*" || one == hub.as_str() || one.ends_with(&root))
}

/// Whether a condition holds for Bedrock policies; `None` where it asks for something else.
fn holds(condition: &Value) -> Option<bool> {
    let mut all = Some(true);
    for (operator, keys) in condition.as_object().into_iter().flatten() {
        let operator = operator.trim_start_matches("ForAnyValue:").trim_end_matches("IfExists");
        for (key, wanted) in keys.as_object().into_iter().flatten() {
            let is_type = key.to_ascii_lowercase() == POLICY_TYPE;
            let mut wanted = many(wanted).iter().filter_map(Value::as_str);
            match operator {
                "StringEquals" if is_type && wanted.any(|one| one == BEDROCK_POLICY) => {}
                "StringLike" if is_type && wanted.any(|one| is_like(one, BEDROCK_POLICY)) => {}
                "StringEquals" | "StringLike" if is_type => return Some(false),
                _ => all = None,
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::failure::Category;

    fn told(findings: &[Finding]) -> Vec<String> {
        for one in findings {
            let is_bad =
                matches!(one.outcome, super::super::Outcome::Problem | super::super::Outcome::Unknown);
            assert_eq!(is_bad, one.todo.is_some(), "{one:?}");
        }
        findings
            .iter()
            .map(|one| format!("{:?} {}", one.outcome, one.text.split([':', ',']).next().unwrap()))
            .collect()
    }

    fn denied(operation: &str) -> Failure {
        Failure::new(Category::Denied, operation, "AccessDeniedException: no")
    }

    fn role() -> OrganizationAccess {
        OrganizationAccess::Role("GuardrailKeeperOrganization".parse().unwrap())
    }

    #[test]
    fn the_functions_setting_is_read_as_the_function_reads_it() {
        let of = |text: Option<&str>| {
            access_of_function(&text.map(|text| (SETTING.to_owned(), text.to_owned())).into_iter().collect())
        };
        assert_eq!(of(None), Ok(OrganizationAccess::None));
        assert_eq!(of(Some("none")), Ok(OrganizationAccess::None));
        assert_eq!(of(Some("own")), Ok(OrganizationAccess::Own));
        assert_eq!(of(Some("GuardrailKeeperOrganization")), Ok(role()));
        assert!(of(Some("arn:aws:iam::111111111111:role/x")).is_err());
    }

    #[test]
    fn nobody_writes_and_nothing_can_be_attached_are_problems_where_the_baseline_assigns() {
        let (none, own) = (Ok(OrganizationAccess::None), Ok(OrganizationAccess::Own));
        let nobody = "Problem the baseline assigns with `level";
        for (assigns, seen, is_enabled, expected) in [
            (
                false,
                &none,
                Some(false),
                vec!["NotApplicable the function has nothing to do with Bedrock policies"],
            ),
            (true, &none, Some(true), vec![nobody]),
            (true, &none, Some(false), vec![nobody, nobody]),
            (
                true,
                &own,
                Some(true),
                vec!["Ok the function writes Bedrock policies with its own credentials"],
            ),
            (
                true,
                &own,
                Some(false),
                vec!["Ok the function writes Bedrock policies with its own credentials", nobody],
            ),
            (true, &own, None, vec!["Ok the function writes Bedrock policies with its own credentials"]),
            (
                false,
                &own,
                Some(false),
                vec!["Ok the function writes Bedrock policies with its own credentials"],
            ),
            (
                true,
                &Ok(role()),
                Some(true),
                vec![
                    "Ok the function writes Bedrock policies by GuardrailKeeperOrganization in the management account",
                ],
            ),
            (
                true,
                &Err(denied("GetFunctionConfiguration")),
                Some(true),
                vec!["Unknown who writes Bedrock policies isn't known"],
            ),
        ] {
            assert_eq!(
                told(&organization_access("the function", assigns, seen, is_enabled)),
                expected,
                "{seen:?}"
            );
        }
    }

    fn facts() -> Facts {
        Facts {
            partition: "aws".parse().unwrap(),
            organization: "o-exampleorgid".parse().unwrap(),
            management: "111111111111".parse().unwrap(),
            hub: "300000000004".parse().unwrap(),
            owners: BTreeSet::from(["111111111111".parse().unwrap()]),
            member: "300000000001".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            member_role: "Member".parse().unwrap(),
            copies: false,
            parameter: None,
            approval: None,
            controls: None,
            queues: Vec::new(),
            table: None,
            bus: None,
            organization_access: OrganizationAccess::Own,
            repairs_policy_type: false,
        }
    }

    /// The statements of docs/deploy.md.
    fn documented() -> Vec<Value> {
        let document = include_str!("../../../docs/deploy.md");
        let start = document.find(r#"{ "Sid": "GuardrailKeeperReadsBedrockPolicies""#).expect("it is there");
        let end = start + document[start..].find("\n```").expect("it ends");
        let text = document[start..end]
            .replace("HUB_ACCOUNT_ID", "300000000004")
            .replace("MANAGEMENT_ACCOUNT_ID", "111111111111");
        let Value::Array(statements) = serde_json::from_str(&format!("[{text}]")).unwrap() else {
            panic!("{text}")
        };
        statements
    }

    fn judged(statements: &[Value]) -> String {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let finding = delegated(&facts(), &Ok(Some(policy)));
        let detail = finding.detail.clone().unwrap_or_default();
        format!("{:?} {detail}", finding.outcome)
    }

    #[test]
    fn the_documented_delegation_is_enough_and_each_statement_is_needed() {
        let all = documented();
        assert_eq!(judged(&all), "Ok ");
        assert_eq!(all.len(), 3);
        for left_out in 0..all.len() {
            let mut some = all.clone();
            some.remove(left_out);
            assert!(
                judged(&some).starts_with("Problem organizations:"),
                "without {left_out}: {}",
                judged(&some)
            );
        }
    }

    #[test]
    fn whom_for_what_and_on_what_condition_it_is_delegated_counts() {
        let everything = |principal: Value, condition: Value| {
            json!({ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "organizations:*", "Resource": "*",
                "Condition": condition })
        };
        let hub = json!("arn:aws:iam::300000000004:root");
        let of_type = |kind: &str| json!({ "StringEquals": { "organizations:PolicyType": kind } });
        let ours = everything(hub.clone(), of_type(BEDROCK_POLICY));
        let like =
            json!({ "StringLikeIfExists": { "Organizations:PolicyType": ["TAG_POLICY", "BEDROCK_*"] } });
        let asks = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
        let denies = json!({ "Effect": "Deny", "Principal": "*", "Action": "organizations:deletepolicy", "Resource": "*" });
        for (statements, expected) in [
            (vec![ours.clone()], "Ok "),
            (vec![everything(json!("300000000004"), json!({}))], "Ok "),
            (vec![everything(hub.clone(), like)], "Ok "),
            (vec![everything(json!("arn:aws:iam::300000000001:root"), json!({}))], "Problem"),
            (vec![everything(hub.clone(), of_type("TAG_POLICY"))], "Problem"),
            (vec![everything(hub, asks)], "Unknown"),
            (vec![ours, denies], "Problem organizations:DeletePolicy"),
            (Vec::new(), "Problem"),
        ] {
            assert!(judged(&statements).starts_with(expected), "{statements:?}: {}", judged(&statements));
        }
        let of = |seen| told(&[delegated(&facts(), &seen)]);
        assert_eq!(of(Ok(None)), ["Problem 300000000004 is not the management account"]);
        assert_eq!(of(Ok(Some("no".to_owned()))), ["Unknown the organization's resource policy isn't JSON"]);
        assert_eq!(
            of(Err(denied("DescribeResourcePolicy"))),
            ["Unknown whether Bedrock policies are delegated to 300000000004 isn't known"]
        );
    }

    #[test]
    fn the_role_in_the_management_account_has_to_be_there_and_to_trust_the_function() {
        let function = crate::ids::Role::parse_arn("arn:aws:iam::300000000004:role/GuardrailKeeper").unwrap();
        let trusted = Trusted { function: Some(&function), hub: &facts().hub, external_id: None };
        let name = "GuardrailKeeperOrganization".parse().unwrap();
        let of = |seen| told(&[organization_role(&facts().management, &name, &seen, trusted)]);
        assert_eq!(of(Ok(None)), ["Problem there is no role GuardrailKeeperOrganization"]);
        let trust = json!({ "Statement": { "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "AWS": "arn:aws:iam::300000000004:root" },
            "Condition": { "ArnEquals": { "aws:PrincipalArn": "arn:aws:iam::300000000004:role/GuardrailKeeper" } } } });
        assert_eq!(
            of(Ok(Some(trust.to_string()))),
            ["Ok GuardrailKeeperOrganization is there and trusts the function"]
        );
        let other = trust.to_string().replace("role/GuardrailKeeper", "role/Other");
        assert_eq!(of(Ok(Some(other))), ["Problem GuardrailKeeperOrganization doesn't trust the function"]);
        assert_eq!(
            of(Err(denied("GetRole"))),
            ["Unknown it isn't known whether GuardrailKeeperOrganization exists"]
        );
    }
}
