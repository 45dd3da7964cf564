//! Whether one member, where it stands, may apply the guardrail.

use super::*;
use crate::resource_policy::admits;

fn admitted(statements: &[&str], account: &str, path: &str) -> String {
    let document = policy(statements);
    let (account, path) = (account.parse().unwrap(), path.parse().unwrap());
    admits(Some(&document), &grant().resource, &account, &path).to_string()
}

const MEMBER: &str = "300000000001";
const WORKLOAD: &str = "o-exampleorgid/r-exam/ou-exam-workload/";
const NOT: &str = "not granted: no statement gives bedrock:ApplyGuardrail";

#[test]
fn an_organization_admits_its_members_wherever_they_stand() {
    for path in
        ["o-exampleorgid/r-exam/", WORKLOAD, "o-exampleorgid/r-exam/ou-exam-workload/ou-exam-deeperxx/"]
    {
        assert_eq!(admitted(&[ORGANIZATION_WIDE], MEMBER, path), "granted");
    }
    assert_eq!(admitted(&[ORGANIZATION_WIDE], MEMBER, "o-anotherorgid/r-exam/"), NOT);
}

#[test]
fn an_ou_admits_those_who_stand_under_it() {
    for (path, expected) in [
        (WORKLOAD, "granted"),
        ("o-exampleorgid/r-exam/ou-exam-workload/ou-exam-deeperxx/", "granted"),
        ("o-exampleorgid/r-exam/ou-exam-upperxxx/ou-exam-workload/", "granted"),
        ("o-exampleorgid/r-exam/", NOT),
        ("o-exampleorgid/r-exam/ou-exam-sandbox1/", NOT),
        ("o-exampleorgid/r-exam/ou-exam-workload2/", NOT),
        ("o-anotherorgid/r-exam/ou-exam-workload/", NOT),
    ] {
        assert_eq!(admitted(&[UNIT], MEMBER, path), expected, "{path}");
    }
    let root = UNIT.replace("ORG/*/ou-exam-workload/*", "ORG/r-exam/*");
    assert_eq!(admitted(&[&root], MEMBER, WORKLOAD), "granted");
}

#[test]
fn a_path_may_be_given_to_the_letter() {
    let pattern = r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["ORG/*/ou-exam-workload/*"]}"#;
    let exact = r#""ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"ORG/r-exam/ou-exam-workload/"}"#;
    let statement = UNIT.replace(pattern, exact);
    assert_ne!(statement, UNIT);
    for (path, expected) in [
        (WORKLOAD, "granted"),
        ("o-exampleorgid/r-exam/", NOT),
        ("o-exampleorgid/r-exam/ou-exam-workload/ou-exam-deeperxx/", NOT),
    ] {
        assert_eq!(admitted(&[&statement], MEMBER, path), expected, "{path}");
    }
    // No wildcard is one there.
    let literal = UNIT.replace("ForAnyValue:StringLike", "ForAnyValue:StringEquals");
    assert_eq!(admitted(&[&literal], MEMBER, WORKLOAD), NOT);
}

#[test]
fn an_account_may_be_admitted_by_its_number() {
    for (principal, expected) in [
        (r#"{"AWS":"300000000001"}"#, "granted"),
        (r#"{"AWS":["arn:aws:iam::300000000001:root"]}"#, "granted"),
        (r#"{"AWS":"arn:aws:iam::300000000002:root"}"#, NOT),
        (r#"{"AWS":"arn:aws:iam::300000000001:role/Caller"}"#, NOT),
        (r#"{"AWS":"arn:aws-us-gov:iam::300000000001:root"}"#, NOT),
        (
            r#"{"AWS":"arn:aws:iam::*:root"}"#,
            "unclear: statement 1 may or may not grant it, because of its Principal",
        ),
    ] {
        let statement = format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"bedrock:ApplyGuardrail","Resource":"ARN"}}"#
        );
        assert_eq!(admitted(&[&statement], MEMBER, WORKLOAD), expected, "{principal}");
    }
}

#[test]
fn a_deny_hits_only_those_whom_it_names() {
    let deny = |principal: &str| {
        format!(r#"{{"Effect":"Deny","Principal":{{"AWS":"{principal}"}},"Action":"*","Resource":"*"}}"#)
    };
    let denied = "not granted: statement 2 denies it";
    assert_eq!(admitted(&[ORGANIZATION_WIDE, &deny("300000000002")], MEMBER, WORKLOAD), "granted");
    assert_eq!(admitted(&[ORGANIZATION_WIDE, &deny("300000000001")], MEMBER, WORKLOAD), denied);
    // One role of the account is denied: some of its calls would fail.
    let role = deny("arn:aws:iam::300000000001:role/Caller");
    assert_eq!(admitted(&[ORGANIZATION_WIDE, &role], MEMBER, WORKLOAD), denied);
    // A wildcard in a principal's ARN names nobody whom IAM knows: what becomes of it, nobody says.
    let roles = deny("arn:aws:iam::300000000001:role/*");
    let unclear = "unclear: statement 2 may deny it, because of its Principal";
    assert_eq!(admitted(&[ORGANIZATION_WIDE, &roles], MEMBER, WORKLOAD), unclear);
}

#[test]
fn the_owner_needs_no_policy_and_is_denied_all_the_same() {
    let owner = grant().resource.account().clone();
    let path = WORKLOAD.parse().unwrap();
    assert!(admits(None, &grant().resource, &owner, &path).is_granted());
    assert!(!admits(None, &grant().resource, &MEMBER.parse().unwrap(), &path).is_granted());
    assert_eq!(admitted(&[], owner.as_str(), WORKLOAD), "granted");
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}"#;
    assert_eq!(admitted(&[deny], owner.as_str(), WORKLOAD), "not granted: statement 1 denies it");
}
