//! What is told about a policy, and what is to be written instead.

use expect_test::{Expect, expect};

use super::judging::with;
use super::*;
use crate::resource_policy::{OpenTo, ResourcePolicyProblem, judge};

/// The verdict and the findings.
#[track_caller]
fn check(grant: &Grant, document: &Document, expected: &Expect) {
    let judgement = judge(Some(document), grant);
    let findings = judgement.findings.iter().map(ToString::to_string);
    let lines: Vec<String> = std::iter::once(judgement.verdict.to_string()).chain(findings).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn the_documented_patterns() {
    check(
        &grant(),
        &policy(&[OWN_ACCOUNT]),
        &expect!["not granted: no statement gives bedrock:GetGuardrail and bedrock:ApplyGuardrail"],
    );
    check(&grant(), &policy(&[ORGANIZATION_WIDE]), &expect!["granted"]);
    check(
        &grant(),
        &policy(&[UNIT]),
        &expect![[r#"
            not granted: no statement gives bedrock:GetGuardrail and bedrock:ApplyGuardrail
            statement 1 admits only a part of the organization: an account that moves out of it is cut off at once; admit the whole organization"#]],
    );

    let profile = |pattern: &str, action: &str| {
        let pattern = pattern
            .replace(r#"["bedrock:ApplyGuardrail","bedrock:GetGuardrail"]"#, action)
            .replace(r#"["bedrock:GetGuardrail","bedrock:ApplyGuardrail"]"#, action)
            .replace("ARN", PROFILE);
        policy(&[&pattern])
    };
    let apply = r#""bedrock:ApplyGuardrail""#;
    check(&profile_grant(), &profile(ORGANIZATION_WIDE, apply), &expect!["granted"]);
    check(
        &profile_grant(),
        &profile(OWN_ACCOUNT, apply),
        &expect!["not granted: no statement gives bedrock:ApplyGuardrail"],
    );
    check(
        &profile_grant(),
        &profile(UNIT, apply),
        &expect![[r#"
            not granted: no statement gives bedrock:ApplyGuardrail
            statement 1 admits only a part of the organization: an account that moves out of it is cut off at once; admit the whole organization"#]],
    );
    check(
        &profile_grant(),
        &profile(ORGANIZATION_WIDE, r#"["bedrock:GetGuardrail","bedrock:ApplyGuardrail"]"#),
        &expect![[r#"
            granted
            statement 1 names the action "bedrock:GetGuardrail", which a policy on this resource can't give; only bedrock:ApplyGuardrail and, on a guardrail, bedrock:GetGuardrail exist there"#]],
    );
}

#[test]
fn the_wrong_example_is_told_with_the_right_policy_beside_it() {
    let judgement = judge(Some(&policy(&[WRONG_EXAMPLE])), &grant());
    expect![[r#"
            not granted: no statement gives bedrock:GetGuardrail and bedrock:ApplyGuardrail
            statement 1 names "arn:aws:iam::*:root", which is no principal: IAM takes no wildcard there, and where it is taken it means every AWS account; write Principal "*" with StringEquals aws:PrincipalOrgID
            statement 1 names the action "bedrock:InvokeGuardrail", which doesn't exist; write bedrock:ApplyGuardrail
            statement 1 names the action "bedrock:GetGuardrailPolicy", which doesn't exist; bedrock:GetResourcePolicy is meant, and belongs in an identity policy of the role that calls it: remove it here
            statement 1 is for "arn:aws:bedrock:us-east-1:222222222222:guardrail/my-guardrail/1", which is not the ARN that the policy is attached to; write that ARN, with the id instead of the name and without a version
            the right policy:
            {
              "Version": "2012-10-17",
              "Statement": [
                {
                  "Effect": "Allow",
                  "Principal": "*",
                  "Action": [
                    "bedrock:GetGuardrail",
                    "bedrock:ApplyGuardrail"
                  ],
                  "Resource": "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123",
                  "Condition": {
                    "StringEquals": {
                      "aws:PrincipalOrgID": "o-exampleorgid"
                    }
                  }
                }
              ]
            }"#]]
        .assert_eq(&judgement.to_string());
}

/// What published guides name in place of the organization, and actions that exist and belong in other policies.
#[test]
fn an_organization_as_principal_and_actions_of_other_policies_are_told_with_what_to_write() {
    check(
        &grant(),
        &policy(&[
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:organizations::111111111111:root/ORG/r-exam"},"Action":["bedrock:ApplyGuardrail","bedrock:PutResourcePolicy"],"Resource":"ARN"}"#,
        ]),
        &expect![[r#"
            not granted: no statement gives bedrock:GetGuardrail and bedrock:ApplyGuardrail
            statement 1 names "arn:aws:organizations::111111111111:root/o-exampleorgid/r-exam" as principal, and an organization, a root or an OU is none; write Principal "*" with StringEquals aws:PrincipalOrgID
            statement 1 names the action "bedrock:PutResourcePolicy", which a policy on this resource can't give; only bedrock:ApplyGuardrail and, on a guardrail, bedrock:GetGuardrail exist there"#]],
    );
}

#[test]
fn what_opens_the_guardrail_is_found() {
    for (element, value) in [
        ("Condition", ""),
        ("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}"#),
        ("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":["ORG","o-anotherorgid"]}}"#),
        ("Condition", r#"{"StringLike":{"aws:PrincipalOrgID":"o-*"}}"#),
        ("Condition", r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"ORG"}}"#),
        ("Condition", r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}"#),
        ("Condition", r#"{"ForAllValues:StringLike":{"aws:PrincipalOrgPaths":"ORG/*"}}"#),
        ("Condition", r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["ORG/*","*"]}}"#),
        ("Condition", r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#),
    ] {
        let judgement = judge(Some(&policy(&[&with(element, value)])), &grant());
        assert!(judgement.openings().next().is_some(), "{element}: {value}\n{judgement}");
    }
    for statement in [ORGANIZATION_WIDE, OWN_ACCOUNT, UNIT] {
        assert_eq!(judge(Some(&policy(&[statement])), &grant()).openings().next(), None);
    }
}

#[test]
fn every_finding_says_what_to_do() {
    check(
        &grant(),
        &policy(&[
            &with("Condition", ""),
            &with("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":["ORG","o-anotherorgid"]}}"#),
            r#"{"Effect":"Allow","Principal":{"AWS":["999999999999","arn:aws:iam::222222222222:role/x"],"Service":"x.amazonaws.com"},"Action":["bedrock:*","bedrock:PutGuardrailPolicy"],"Resource":["ARN","*"],"Condition":{"Bool":{"aws:SecureTransport":"true"}}}"#,
            r#"{"Effect":"Deny","Principal":"*","NotAction":"bedrock:ApplyGuardrail","Resource":"ARN"}"#,
            r#"{"Effect":"Allow","NotPrincipal":{"AWS":"999999999999"},"NotAction":"s3:*","NotResource":"x","Comment":1}"#,
            r#"{"Effect":"permit"}"#,
            "7",
        ]),
        &expect![[r#"
            unclear: statement 4 may deny it, because of its Action
            statement 1 opens the guardrail to every AWS account: Principal admits all, and no condition names the organization; add StringEquals aws:PrincipalOrgID
            statement 2 opens the guardrail to another organization, "o-anotherorgid"; name only your own in aws:PrincipalOrgID
            statement 3 admits account 999999999999 by its number, whether or not it is in the organization; drop it unless it is meant to have access from outside
            statement 3 names "x.amazonaws.com" as principal; only an account or "*" can be admitted
            statement 3 has a condition that Bedrock doesn't take, "Bool aws:SecureTransport"; only StringEquals aws:PrincipalOrgID and, beside it, ForAnyValue:StringLike aws:PrincipalOrgPaths are taken
            statement 3 gives actions by the wildcard "bedrock:*"; name each action
            statement 3 names the action "bedrock:PutGuardrailPolicy", which doesn't exist; bedrock:PutResourcePolicy is meant, and belongs in an identity policy of the role that calls it: remove it here
            statement 3 is for "*", which is not the ARN that the policy is attached to; write that ARN, with the id instead of the name and without a version
            statement 4 denies; Bedrock documents no Deny in a guardrail's policy: remove it, and deny in a service control policy instead
            statement 5 has the unknown element "Comment"; remove it
            statement 5 opens the guardrail to every AWS account: Principal admits all, and no condition names the organization; add StringEquals aws:PrincipalOrgID
            statement 5 has NotPrincipal; say what is admitted, not what is not
            statement 5 has NotAction; say what is admitted, not what is not
            statement 5 has NotResource; say what is admitted, not what is not
            statement 6 has no Effect that can be read; write it as shown in the AWS documentation
            statement 6 has no Principal that can be read; write it as shown in the AWS documentation
            statement 6 has no Action that can be read; write it as shown in the AWS documentation
            statement 6 has no Resource that can be read; write it as shown in the AWS documentation
            statement 7 is no JSON object; remove it"#]],
    );
}

/// Each finding by its first word, of statements that differ in one element from the organization's pattern.
#[track_caller]
fn check_each(element: &str, values: &[&str], expected: &Expect) {
    let mut table = String::new();
    for value in values {
        let judgement = judge(Some(&policy(&[&with(element, value)])), &grant());
        let problems: Vec<String> =
            judgement.findings.iter().map(|finding| format!("{:?}", finding.problem)).collect();
        let told = if problems.is_empty() { "-".to_owned() } else { problems.join(", ") };
        table += &format!("{value}\n    {told}\n");
    }
    expected.assert_eq(&table);
}

#[test]
fn each_condition_is_told_as_what_it_is() {
    check_each(
        "Condition",
        &[
            r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":["ORG","o-anotherorgid"]}}"#,
            r#"{"StringLike":{"aws:PrincipalOrgID":"ORG"}}"#,
            r#"{"StringLike":{"aws:PrincipalOrgID":"o-anotherorgid"}}"#,
            r#"{"StringEqualsIgnoreCase":{"aws:PrincipalOrgID":"ORG"}}"#,
            r#"{"StringNotEquals":{"aws:PrincipalOrgID":"ORG"}}"#,
            r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}"#,
            r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"ORG"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgPaths":"ORG/*"}}"#,
            r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/*"}}"#,
            r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-anotherorgid/*"}}"#,
            r#"{"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"ORG/r-exam/"}}"#,
            r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgID":"ORG"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/*"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-anotherorgid/*"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-anotherorgid"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/*"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"},"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"ORG/r-exam/"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"},"StringNotEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"},"Bool":{"aws:SecureTransport":"true"}}"#,
            r#"{"Bool":{"aws:SecureTransport":"true"}}"#,
            r#"{"StringEquals":{"aws:PrincipalAccount":"300000000001"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":[]}}"#,
            "7",
        ],
        &expect![[r#"
            {"StringEquals":{"aws:PrincipalOrgID":"ORG"}}
                -
            {"StringEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}
                Opens(Organization("o-anotherorgid"))
            {"StringEquals":{"aws:PrincipalOrgID":["ORG","o-anotherorgid"]}}
                Opens(Organization("o-anotherorgid"))
            {"StringLike":{"aws:PrincipalOrgID":"ORG"}}
                OtherCondition("StringLike aws:PrincipalOrgID"), OtherCondition("no StringEquals aws:PrincipalOrgID")
            {"StringLike":{"aws:PrincipalOrgID":"o-anotherorgid"}}
                Opens(Organization("o-anotherorgid")), OtherCondition("StringLike aws:PrincipalOrgID")
            {"StringEqualsIgnoreCase":{"aws:PrincipalOrgID":"ORG"}}
                OtherCondition("StringEqualsIgnoreCase aws:PrincipalOrgID"), OtherCondition("no StringEquals aws:PrincipalOrgID")
            {"StringNotEquals":{"aws:PrincipalOrgID":"ORG"}}
                Opens(EveryAccount), OtherCondition("StringNotEquals aws:PrincipalOrgID")
            {"StringNotEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}
                Opens(EveryAccount), OtherCondition("StringNotEquals aws:PrincipalOrgID")
            {"StringEqualsIfExists":{"aws:PrincipalOrgID":"ORG"}}
                Opens(EveryAccount), OtherCondition("StringEqualsIfExists aws:PrincipalOrgID")
            {"StringEquals":{"aws:PrincipalOrgPaths":"ORG/*"}}
                Opens(EveryAccount), OtherCondition("StringEquals aws:PrincipalOrgPaths")
            {"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/*"}}
                OtherCondition("no StringEquals aws:PrincipalOrgID"), PartOfOrganization
            {"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-anotherorgid/*"}}
                Opens(EveryAccount), OtherCondition("ForAnyValue:StringLike aws:PrincipalOrgPaths")
            {"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"ORG/r-exam/"}}
                OtherCondition("ForAnyValue:StringEquals aws:PrincipalOrgPaths"), OtherCondition("no StringEquals aws:PrincipalOrgID")
            {"ForAnyValue:StringLike":{"aws:PrincipalOrgID":"ORG"}}
                Opens(EveryAccount), OtherCondition("ForAnyValue:StringLike aws:PrincipalOrgID")
            {"StringEquals":{"aws:PrincipalOrgID":"ORG"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/*"}}
                PartOfOrganization
            {"StringEquals":{"aws:PrincipalOrgID":"ORG"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-anotherorgid/*"}}
                OtherCondition("ForAnyValue:StringLike aws:PrincipalOrgPaths"), PartOfOrganization
            {"StringEquals":{"aws:PrincipalOrgID":"o-anotherorgid"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/*"}}
                OtherCondition("StringEquals aws:PrincipalOrgID"), PartOfOrganization
            {"StringEquals":{"aws:PrincipalOrgID":"ORG"},"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"ORG/r-exam/"}}
                OtherCondition("ForAnyValue:StringEquals aws:PrincipalOrgPaths")
            {"StringEquals":{"aws:PrincipalOrgID":"ORG"},"StringNotEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}
                OtherCondition("StringNotEquals aws:PrincipalOrgID")
            {"StringEquals":{"aws:PrincipalOrgID":"ORG"},"Bool":{"aws:SecureTransport":"true"}}
                OtherCondition("Bool aws:SecureTransport")
            {"Bool":{"aws:SecureTransport":"true"}}
                Opens(EveryAccount), OtherCondition("Bool aws:SecureTransport")
            {"StringEquals":{"aws:PrincipalAccount":"300000000001"}}
                Opens(EveryAccount), OtherCondition("StringEquals aws:PrincipalAccount")
            {"StringEquals":{"aws:PrincipalOrgID":[]}}
                Malformed("Condition"), Opens(EveryAccount)
            7
                Malformed("Condition"), Opens(EveryAccount)
        "#]],
    );
}

#[test]
fn each_principal_is_told_as_what_it_is() {
    let principals = [
        r#""*""#,
        r#""nobody""#,
        r#"{"AWS":["*","222222222222"]}"#,
        r#"{"AWS":"222222222222"}"#,
        r#"{"AWS":"300000000001"}"#,
        r#"{"AWS":"arn:aws:iam::300000000001:role/Caller"}"#,
        r#"{"AWS":"arn:aws:iam::300000000001:role/*"}"#,
        r#"{"AWS":"arn:aws:sts::300000000001:assumed-role/Caller/session"}"#,
        r#"{"AWS":"arn:aws:iam::*:root"}"#,
        r#"{"AWS":"arn:aws:iam::nobody:root"}"#,
        r#"{"AWS":"arn:aws:s3::300000000001:root"}"#,
        r#"{"Service":"bedrock.amazonaws.com"}"#,
        "{}",
        "7",
    ];
    check_each(
        "Principal",
        &principals,
        &expect![[r#"
            "*"
                -
            "nobody"
                OtherPrincipal("nobody"), OtherCondition("StringEquals aws:PrincipalOrgID")
            {"AWS":["*","222222222222"]}
                -
            {"AWS":"222222222222"}
                OtherCondition("StringEquals aws:PrincipalOrgID")
            {"AWS":"300000000001"}
                OtherCondition("StringEquals aws:PrincipalOrgID")
            {"AWS":"arn:aws:iam::300000000001:role/Caller"}
                OtherCondition("StringEquals aws:PrincipalOrgID")
            {"AWS":"arn:aws:iam::300000000001:role/*"}
                OtherPrincipal("arn:aws:iam::300000000001:role/*"), OtherCondition("StringEquals aws:PrincipalOrgID")
            {"AWS":"arn:aws:sts::300000000001:assumed-role/Caller/session"}
                OtherCondition("StringEquals aws:PrincipalOrgID")
            {"AWS":"arn:aws:iam::*:root"}
                Opens(AnyAccountRoot("arn:aws:iam::*:root")), OtherCondition("StringEquals aws:PrincipalOrgID")
            {"AWS":"arn:aws:iam::nobody:root"}
                OtherPrincipal("arn:aws:iam::nobody:root"), OtherCondition("StringEquals aws:PrincipalOrgID")
            {"AWS":"arn:aws:s3::300000000001:root"}
                OtherPrincipal("arn:aws:s3::300000000001:root"), OtherCondition("StringEquals aws:PrincipalOrgID")
            {"Service":"bedrock.amazonaws.com"}
                OtherPrincipal("bedrock.amazonaws.com"), OtherCondition("StringEquals aws:PrincipalOrgID")
            {}
                Malformed("Principal")
            7
                Malformed("Principal")
        "#]],
    );
}

#[test]
fn a_policy_for_single_accounts_takes_no_condition() {
    let statement = |condition: &str| {
        let account = with("Principal", r#"{"AWS":"300000000001"}"#);
        account.replace(r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"}}"#, condition)
    };
    let told = |condition: &str| {
        let judgement = judge(Some(&policy(&[&statement(condition)])), &grant());
        judgement.findings.into_iter().map(|finding| finding.problem).collect::<Vec<_>>()
    };
    let account = ResourcePolicyProblem::Opens(OpenTo::Account("300000000001".parse().unwrap()));
    let other = |name: &str| ResourcePolicyProblem::OtherCondition(name.to_owned());
    // In the organization it stays where the condition says so.
    assert_eq!(
        told(r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"}}"#),
        [other("StringEquals aws:PrincipalOrgID")]
    );
    assert_eq!(
        told(r#"{"Bool":{"aws:SecureTransport":"true"}}"#),
        [account.clone(), other("Bool aws:SecureTransport")]
    );
    assert_eq!(told("{}"), [account]);
}
