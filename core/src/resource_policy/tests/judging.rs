//! What a policy grants, told by its effect and not by its form.

use super::*;
use crate::resource_policy::{AccessVerdict, judge};

/// The organization's pattern with one element written otherwise.
pub(super) fn with(element: &str, value: &str) -> String {
    let mut members = vec![
        ("Effect", r#""Allow""#),
        ("Principal", r#""*""#),
        ("Action", r#"["bedrock:GetGuardrail","bedrock:ApplyGuardrail"]"#),
        ("Resource", r#""ARN""#),
        ("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"}}"#),
    ];
    members.retain(|(name, _)| *name != element);
    if !value.is_empty() {
        members.push((element, value));
    }
    let members: Vec<String> = members.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
    format!("{{{}}}", members.join(","))
}

fn verdict(statements: &[&str]) -> AccessVerdict {
    judge(Some(&policy(statements)), &grant()).verdict
}

#[track_caller]
fn all_are(expected: &str, cases: &[(&str, &str)]) {
    for (element, value) in cases {
        let verdict = verdict(&[&with(element, value)]).to_string();
        let word = verdict.split(':').next().unwrap();
        assert_eq!(word, expected, "{element}: {value} → {verdict}");
    }
}

#[test]
fn what_means_the_same_is_granted() {
    all_are(
        "granted",
        &[
            ("Sid", r#""AllowOrganizationAccess""#),
            ("Principal", r#"{"AWS":"*"}"#),
            ("Principal", r#"{"AWS":["*"]}"#),
            ("Principal", r#"{"AWS":["222222222222","*"]}"#),
            ("Action", r#"["bedrock:ApplyGuardrail","bedrock:GetGuardrail"]"#),
            ("Action", r#"["BEDROCK:applyguardrail","Bedrock:GETGUARDRAIL","bedrock:Other"]"#),
            ("Action", r#""bedrock:*""#),
            ("Action", r#""*""#),
            ("Action", r#"["bedrock:*Guardrail"]"#),
            ("Action", r#""bedrock:???*Guardrail""#),
            ("Resource", r#"["ARN"]"#),
            ("Resource", r#""*""#),
            ("Resource", r#""arn:aws:bedrock:*:222222222222:guardrail/*""#),
            ("Resource", r#"["arn:aws:s3:::x","arn:*:bedrock:us-east-?:*:guardrail/abc12?"]"#),
            ("Condition", r#"{"StringEquals":{"AWS:principalorgid":["ORG"]}}"#),
            ("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":["o-anotherorgid","ORG"]}}"#),
            ("Condition", r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"ORG"}}"#),
            ("Condition", r#"{"StringLike":{"aws:PrincipalOrgID":"o-example*"}}"#),
            ("Condition", r#"{"StringEqualsIgnoreCase":{"aws:PrincipalOrgID":"O-ExampleOrgId"}}"#),
            ("Condition", r#"{"StringNotEqualsIgnoreCase":{"aws:PrincipalOrgID":"O-AnotherOrgId"}}"#),
            ("Condition", r#"{"StringNotLike":{"aws:PrincipalOrgID":"o-another*"}}"#),
            ("Condition", r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}"#),
            ("Condition", r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/*"}}"#),
            ("Condition", r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["x","*"]}}"#),
            ("Condition", "{}"),
            ("Condition", ""),
        ],
    );
}

#[test]
fn what_misses_somebody_or_something_is_not_granted() {
    all_are(
        "not granted",
        &[
            ("Principal", r#"{"AWS":"222222222222"}"#),
            ("Principal", r#"{"AWS":["arn:aws:iam::300000000001:root","arn:aws:iam::300000000002:root"]}"#),
            ("Principal", r#"{"AWS":"arn:aws:iam::300000000001:role/Caller"}"#),
            ("Principal", r#"{"Service":"bedrock.amazonaws.com"}"#),
            ("Principal", r#""arn:aws:iam::300000000001:root""#),
            ("Action", r#""bedrock:ApplyGuardrail""#),
            ("Action", r#""bedrock:Get*""#),
            ("Action", r#"["bedrock:InvokeGuardrail"]"#),
            ("Action", r#"["ApplyGuardrail","GetGuardrail"]"#),
            ("Resource", r#""arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123/1""#),
            ("Resource", r#""arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1""#),
            ("Resource", r#""arn:aws:bedrock:us-east-1:222222222222:guardrail/ABC123""#),
            ("Resource", r#""arn:aws:bedrock:eu-west-1:222222222222:guardrail/abc123""#),
            ("Resource", r#""arn:aws:bedrock:us-east-1:222222222222:guardrail-profile/*""#),
            ("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}"#),
            ("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":"O-ExampleOrgId"}}"#),
            ("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":"o-*"}}"#),
            ("Condition", r#"{"StringNotEquals":{"aws:PrincipalOrgID":"ORG"}}"#),
            ("Condition", r#"{"StringEqualsIgnoreCase":{"aws:PrincipalOrgID":"O-AnotherOrgId"}}"#),
            ("Condition", r#"{"StringNotEqualsIgnoreCase":{"aws:PrincipalOrgID":"O-ExampleOrgId"}}"#),
            ("Condition", r#"{"StringNotLike":{"aws:PrincipalOrgID":"o-example*"}}"#),
            ("Principal", r#"{"AWS":"arn:aws:iam::nobody:root"}"#),
            (
                "Condition",
                r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/*/ou-exam-workload/*"}}"#,
            ),
            ("Condition", r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-anotherorgid/*"}}"#),
            ("Condition", r#"{"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"ORG/r-exam/"}}"#),
            // Without a star at the end it is one path, and without a wildcard's operator a star is a letter.
            ("Condition", r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/"}}"#),
            ("Condition", r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/r-exam/"}}"#),
            ("Condition", r#"{"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"ORG/*"}}"#),
        ],
    );
}

#[test]
fn what_is_not_understood_is_unclear() {
    all_are(
        "unclear",
        &[
            ("Effect", r#""allow""#),
            ("Effect", ""),
            ("Principal", ""),
            ("Principal", r#"["*"]"#),
            ("Principal", r#"{"AWS":"arn:aws:iam::*:root"}"#),
            ("Principal", r#"{"AWS":["*",1]}"#),
            ("NotPrincipal", r#"{"AWS":"300000000001"}"#),
            ("NotAction", r#""bedrock:Other""#),
            ("NotResource", r#""arn:aws:s3:::x""#),
            ("Action", ""),
            ("Action", "[]"),
            ("Action", r#""*Guardrail""#),
            ("Resource", ""),
            ("Resource", r#""arn:aws:bedrock:*""#),
            ("Resource", r#""arn:aws:bedrock:us-east-1:222222222222:guardrail/${aws:username}""#),
            ("Condition", "null"),
            ("Condition", r#"{"StringEquals":{}}"#),
            ("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":[]}}"#),
            ("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG","AWS:PrincipalOrgId":"ORG"}}"#),
            ("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":"${aws:PrincipalOrgID}"}}"#),
            ("Condition", r#"{"stringequals":{"aws:PrincipalOrgID":"ORG"}}"#),
            (
                "Condition",
                r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"},"Bool":{"aws:SecureTransport":true}}"#,
            ),
            ("Condition", r#"{"Bool":{"aws:SecureTransport":"true"}}"#),
            ("Condition", r#"{"StringLike":{"aws:PrincipalOrgPaths":"ORG/*"}}"#),
            // Everybody if that is the root, nobody if it isn't.
            ("Condition", r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/r-exam/*"}}"#),
            ("Comment", r#""hello""#),
            ("effect", r#""Deny""#),
        ],
    );
}

#[test]
fn a_deny_takes_the_grant_away() {
    let deny = |element: &str, value: &str| {
        let statement = with(element, value).replace(r#""Allow""#, r#""Deny""#);
        verdict(&[ORGANIZATION_WIDE, &statement]).to_string()
    };
    assert_eq!(deny("Condition", ""), "not granted: statement 2 denies it");
    assert_eq!(deny("Action", r#""bedrock:*""#), "not granted: statement 2 denies it");
    assert_eq!(
        deny("Principal", r#"{"AWS":"300000000001"}"#),
        "unclear: statement 2 may deny it, because of its Principal"
    );
    assert_eq!(
        deny("Condition", r#"{"Bool":{"aws:SecureTransport":"false"}}"#),
        "unclear: statement 2 may deny it, because of its Condition"
    );
    assert_eq!(
        deny(
            "Condition",
            r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/*/ou-exam-workload/*"}}"#
        ),
        "unclear: statement 2 may deny it, because of its Condition"
    );
    // These deny nobody in the organization, or nothing that matters here.
    assert_eq!(deny("Condition", r#"{"StringNotEquals":{"aws:PrincipalOrgID":"ORG"}}"#), "granted");
    assert_eq!(deny("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}"#), "granted");
    assert_eq!(deny("Action", r#""bedrock:DeleteGuardrail""#), "granted");
    assert_eq!(deny("Resource", r#""arn:aws:bedrock:us-east-1:222222222222:guardrail/other""#), "granted");
    let twice = with("Effect", r#""Deny""#);
    assert_eq!(verdict(&[&twice, ORGANIZATION_WIDE]).to_string(), "not granted: statement 1 denies it");
}

#[test]
fn actions_may_come_from_several_statements() {
    let get = with("Action", r#""bedrock:GetGuardrail""#);
    let apply = with("Action", r#""bedrock:ApplyGuardrail""#);
    assert_eq!(verdict(&[&get]).to_string(), "not granted: no statement gives bedrock:ApplyGuardrail");
    assert_eq!(verdict(&[&get, OWN_ACCOUNT, &apply]), AccessVerdict::Granted);
    assert_eq!(verdict(&[&apply, &get]), AccessVerdict::Granted);
}

#[test]
fn the_document_itself_may_be_odd() {
    let verdict = |text: &str| {
        let text =
            text.replace("OURS", ORGANIZATION_WIDE).replace("ARN", GUARDRAIL).replace("ORG", ORGANIZATION);
        judge(Some(&document(&text)), &grant()).verdict.to_string()
    };
    assert_eq!(verdict(r#"{"Statement":OURS}"#), "granted");
    assert_eq!(verdict(r#"{"Version":"2008-10-17","Id":"x","Statement":[OURS]}"#), "granted");
    let none = "not granted: no statement gives bedrock:GetGuardrail and bedrock:ApplyGuardrail";
    assert_eq!(verdict("{}"), none);
    assert_eq!(verdict(r#"{"Statement":[]}"#), none);
    assert_eq!(judge(None, &grant()).verdict.to_string(), none);
    assert_eq!(verdict(r#"{"statement":[OURS]}"#), none);
    assert_eq!(verdict(r#"{"Statement":"x"}"#), "unclear: statement 1 is no JSON object");
    assert_eq!(verdict(r#"{"Statement":[OURS,[]]}"#), "unclear: statement 2 is no JSON object");
    assert_eq!(verdict(r#"{"Statement":[OURS],"Statement":[]}"#), r#"unclear: "/Statement" is given twice"#);
    assert_eq!(
        verdict(r#"{"Version":"2013-10-17","Statement":[OURS]}"#),
        r#"unclear: the policy's Version "2013-10-17" is not known"#
    );
}
