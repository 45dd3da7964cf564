//! Policies of AWS Organizations of type `BEDROCK_POLICY`: accounts that are frozen, and what two levels cost.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Finding, Place};
use crate::bedrock_policy::{NamedPolicy, PublishedPolicy, ReportedError};
use crate::failure::Failure;
use crate::ids::{AccountId, Region, Target};

/// The accounts that are frozen, each with AWS's reasons.
pub type FrozenAccounts = BTreeMap<AccountId, Result<Vec<ReportedError>, Failure>>;

/// Judges what was read of the organization's Bedrock policies. `frozen` is `None` where they are not enabled.
pub fn bedrock_policies(
    frozen: &Result<Option<FrozenAccounts>, Failure>,
    policies: &Result<Vec<NamedPolicy>, Failure>,
) -> Vec<Finding> {
    let here = Check::BedrockPolicies.whole();
    let frozen = match frozen {
        Err(failure) => return vec![here.unread("which accounts are frozen isn't known", failure)],
        Ok(None) => return vec![here.not_applicable("Bedrock policies are not enabled in the organization")],
        Ok(Some(frozen)) => frozen,
    };
    let mut findings: Vec<Finding> =
        frozen.iter().map(|(account, errors)| of_frozen(account, errors, policies)).collect();
    match policies {
        Err(failure) => findings.push(here.unread("which Bedrock policies there are isn't known", failure)),
        Ok(policies) if policies.is_empty() && frozen.is_empty() => {
            findings.push(here.not_applicable("Bedrock policies are enabled, and there are none"));
        }
        Ok(policies) if frozen.is_empty() => {
            let count = match policies.len() {
                1 => "1 Bedrock policy".to_owned(),
                count => format!("{count} Bedrock policies"),
            };
            findings.push(here.ok(format!("{count}, and no account is frozen")));
        }
        Ok(_) => {}
    }
    findings
}

fn of_frozen(
    account: &AccountId,
    errors: &Result<Vec<ReportedError>, Failure>,
    policies: &Result<Vec<NamedPolicy>, Failure>,
) -> Finding {
    const TEXT: &str = "frozen: the Bedrock policies on its path don't merge into a valid one, so the account keeps its \
                        last valid one, and no change of a Bedrock policy reaches it";
    const SHOW: &str = "guardrailctl effective-policy ACCOUNT shows where each value comes from";
    let here = Check::BedrockPolicies.at(Place::account(account));
    let named = |id: &String| {
        let known = policies.as_ref().ok().and_then(|all| all.iter().find(|policy| policy.id.as_str() == id));
        known.map_or_else(|| format!("{id:?}"), |policy| format!("{id} ({:?})", policy.name))
    };
    match errors {
        Err(failure) => {
            here.problem(TEXT, format!("AWS's reasons could not be read; {SHOW}")).detailed(failure.said())
        }
        Ok(errors) => {
            let contributing: BTreeSet<String> =
                errors.iter().flat_map(|error| &error.policies).map(named).collect();
            let todo = match contributing.len() {
                0 => format!("correct a policy on its path; {SHOW}"),
                _ => {
                    let listed = contributing.into_iter().collect::<Vec<_>>().join(" or ");
                    format!("correct {listed}; {SHOW}")
                }
            };
            let reasons: BTreeSet<String> = errors.iter().map(reason).collect();
            let reasons: Vec<String> = reasons.into_iter().collect();
            let told = if reasons.is_empty() { "AWS names no reason".to_owned() } else { reasons.join("; ") };
            here.problem(TEXT, todo).detailed(told)
        }
    }
}

/// AWS's words, in which a policy's author may have put anything.
fn reason(error: &ReportedError) -> String {
    let ReportedError { code, message, path, policies: _ } = error;
    let said = format!("{code} at {path}{}{message}", if message.is_empty() { "" } else { ": " });
    said.escape_debug().to_string()
}

/// Names the targets that both levels guard: what the baseline wants guarded on the account level, beside what AWS
/// publishes to these accounts. `published` has an account only where a policy reaches it.
pub fn both_levels(
    guarded: &BTreeMap<AccountId, BTreeSet<Region>>,
    published: &Result<BTreeMap<AccountId, Result<PublishedPolicy, Failure>>, Failure>,
) -> Vec<Finding> {
    const UNKNOWN: &str = "whether the organization enforces a guardrail as well isn't known";
    const TEXT: &str = "the organization enforces a guardrail there, and the baseline guards it on the account level as \
                        well: each call is evaluated on both levels, and AWS bills both";
    let published = match published {
        Ok(published) => published,
        Err(failure) => return vec![Check::BedrockPolicies.whole().unread(UNKNOWN, failure)],
    };
    let mut findings = Vec::new();
    for (account, seen) in published {
        let here = Check::BedrockPolicies.at(Place::account(account));
        match seen {
            Err(failure) => findings.push(here.unread(UNKNOWN, failure)),
            Ok(PublishedPolicy::Strange(invalid)) => {
                let text = "its effective Bedrock policy has a form that this version doesn't know";
                let finding = here.unknown(text, "look for a newer version of guardrailctl");
                findings.push(finding.detailed(invalid.to_string()));
            }
            Ok(PublishedPolicy::NotSetUp) => {}
            Ok(PublishedPolicy::Effective(policy)) => {
                let regions = guarded.get(account).into_iter().flatten();
                let enforced = policy.regions();
                let both = regions.filter(|region| enforced.contains_key(*region));
                findings.extend(both.map(|region| {
                    let target = Target { account: account.clone(), region: region.clone() };
                    Check::BedrockPolicies.at(&target).not_applicable(TEXT)
                }));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::failure::Category;

    #[expect(clippy::needless_pass_by_value, reason = "an expectation is made where it is used")]
    #[track_caller]
    fn check(findings: &[Finding], expected: Expect) {
        let line = |one: &Finding| {
            let Finding { outcome, place, text, detail, todo, .. } = one;
            let more = [detail, todo].map(|more| more.as_deref().unwrap_or("-")).join("\n  ");
            format!("{outcome:?} {place} {text}\n  {more}\n")
        };
        expected.assert_eq(&findings.iter().map(line).collect::<String>());
    }

    fn account(number: u32) -> AccountId {
        format!("3000000000{number:02}").parse().unwrap()
    }

    fn named(id: &str, name: &str) -> NamedPolicy {
        NamedPolicy { id: id.parse().unwrap(), name: name.to_owned() }
    }

    fn error(policies: &[&str]) -> ReportedError {
        ReportedError {
            code: "KEY_REQUIRED".to_owned(),
            message: "The key is required.".to_owned(),
            path: "bedrock/guardrail_inference/us-east-1/\u{1b}[2J/identifier".to_owned(),
            policies: policies.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    fn denied(operation: &str) -> Failure {
        Failure::new(Category::Denied, operation, "AccessDeniedException: no")
    }

    #[test]
    fn without_policies_there_is_nothing_to_look_at() {
        check(
            &bedrock_policies(&Ok(None), &Ok(Vec::new())),
            expect![[r#"
            NotApplicable - Bedrock policies are not enabled in the organization
              -
              -
        "#]],
        );
        check(
            &bedrock_policies(&Ok(Some(FrozenAccounts::new())), &Ok(Vec::new())),
            expect![[r#"
            NotApplicable - Bedrock policies are enabled, and there are none
              -
              -
        "#]],
        );
        let policies = Ok(vec![named("p-corporate1", "corporate")]);
        check(
            &bedrock_policies(&Ok(Some(FrozenAccounts::new())), &policies),
            expect![[r#"
            Ok - 1 Bedrock policy, and no account is frozen
              -
              -
        "#]],
        );
    }

    #[test]
    fn each_frozen_account_is_a_problem_with_the_policies_to_correct() {
        let frozen = FrozenAccounts::from([
            (account(1), Ok(vec![error(&["p-corporate1", "p-unknown123"]), error(&["p-corporate1"])])),
            (account(2), Ok(vec![error(&["p-corporate1"])])),
            (account(3), Err(denied("ListEffectivePolicyValidationErrors"))),
            (account(4), Ok(Vec::new())),
        ]);
        let policies = Ok(vec![named("p-corporate1", "corporate \u{1b}[2J")]);
        check(
            &bedrock_policies(&Ok(Some(frozen)), &policies),
            expect![[r#"
                Problem 300000000001 frozen: the Bedrock policies on its path don't merge into a valid one, so the account keeps its last valid one, and no change of a Bedrock policy reaches it
                  KEY_REQUIRED at bedrock/guardrail_inference/us-east-1/\u{1b}[2J/identifier: The key is required.
                  correct "p-unknown123" or p-corporate1 ("corporate \u{1b}[2J"); guardrailctl effective-policy ACCOUNT shows where each value comes from
                Problem 300000000002 frozen: the Bedrock policies on its path don't merge into a valid one, so the account keeps its last valid one, and no change of a Bedrock policy reaches it
                  KEY_REQUIRED at bedrock/guardrail_inference/us-east-1/\u{1b}[2J/identifier: The key is required.
                  correct p-corporate1 ("corporate \u{1b}[2J"); guardrailctl effective-policy ACCOUNT shows where each value comes from
                Problem 300000000003 frozen: the Bedrock policies on its path don't merge into a valid one, so the account keeps its last valid one, and no change of a Bedrock policy reaches it
                  ListEffectivePolicyValidationErrors: AccessDeniedException: no
                  AWS's reasons could not be read; guardrailctl effective-policy ACCOUNT shows where each value comes from
                Problem 300000000004 frozen: the Bedrock policies on its path don't merge into a valid one, so the account keeps its last valid one, and no change of a Bedrock policy reaches it
                  AWS names no reason
                  correct a policy on its path; guardrailctl effective-policy ACCOUNT shows where each value comes from
            "#]],
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        let frozen = Err(denied("ListAccountsWithInvalidEffectivePolicy"));
        check(
            &bedrock_policies(&frozen, &Ok(Vec::new())),
            expect![[r#"
            Unknown - which accounts are frozen isn't known: ListAccountsWithInvalidEffectivePolicy was denied
              AccessDeniedException: no
              use credentials that have this permission, or add it to yours
        "#]],
        );
        let policies = Err(denied("ListPolicies"));
        let one = FrozenAccounts::from([(account(1), Ok(vec![error(&["p-corporate1"])]))]);
        check(
            &bedrock_policies(&Ok(Some(one)), &policies),
            expect![[r#"
            Problem 300000000001 frozen: the Bedrock policies on its path don't merge into a valid one, so the account keeps its last valid one, and no change of a Bedrock policy reaches it
              KEY_REQUIRED at bedrock/guardrail_inference/us-east-1/\u{1b}[2J/identifier: The key is required.
              correct "p-corporate1"; guardrailctl effective-policy ACCOUNT shows where each value comes from
            Unknown - which Bedrock policies there are isn't known: ListPolicies was denied
              AccessDeniedException: no
              use credentials that have this permission, or add it to yours
        "#]],
        );
    }

    #[test]
    fn what_both_levels_guard_is_named() {
        let text = r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"c":{"identifier":"x"}},"eu-west-2":{"c":{"identifier":"x"}}}}}"#;
        let guarded = [1, 2, 3, 4, 5].map(|number| {
            (account(number), ["us-east-1", "eu-west-1"].map(|region| region.parse().unwrap()).into())
        });
        let published = BTreeMap::from([
            (account(1), Ok(PublishedPolicy::read(Some(text)))),
            (account(2), Ok(PublishedPolicy::read(Some("{}")))),
            (account(3), Ok(PublishedPolicy::read(None))),
            (account(4), Ok(PublishedPolicy::read(Some("nonsense")))),
            (account(5), Err(denied("DescribeEffectivePolicy"))),
            // The baseline doesn't guard it.
            (account(6), Ok(PublishedPolicy::read(Some(text)))),
        ]);
        check(
            &both_levels(&guarded.clone().into(), &Ok(published)),
            expect![[r#"
            NotApplicable 300000000001/us-east-1 the organization enforces a guardrail there, and the baseline guards it on the account level as well: each call is evaluated on both levels, and AWS bills both
              -
              -
            Unknown 300000000004 its effective Bedrock policy has a form that this version doesn't know
              1:2: this is not JSON: expected ident
              look for a newer version of guardrailctl
            Unknown 300000000005 whether the organization enforces a guardrail as well isn't known: DescribeEffectivePolicy was denied
              AccessDeniedException: no
              use credentials that have this permission, or add it to yours
        "#]],
        );
        check(
            &both_levels(&guarded.into(), &Err(denied("ListTargetsForPolicy"))),
            expect![[r#"
            Unknown - whether the organization enforces a guardrail as well isn't known: ListTargetsForPolicy was denied
              AccessDeniedException: no
              use credentials that have this permission, or add it to yours
        "#]],
        );
    }
}
