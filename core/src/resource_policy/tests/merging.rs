//! What is put, what is taken away, and what is refused.

use expect_test::{Expect, expect};

use super::*;
use crate::resource_policy::{Ensure, GrantHold, MAX_CHARACTERS, Remove, ensure, remove};

#[track_caller]
fn put(ensure: Ensure) -> Document {
    match ensure {
        Ensure::Put(document) => document,
        Ensure::NotNeeded => panic!("not needed"),
        Ensure::Refused(hold) => panic!("{hold}"),
    }
}

#[track_caller]
fn refused(document: &Document, expected: &Expect) {
    match ensure(Some(document), &grant()) {
        Ensure::Refused(hold) => expected.assert_eq(&hold.to_string()),
        Ensure::Put(document) => panic!("put {}", document.text()),
        Ensure::NotNeeded => panic!("not needed"),
    }
}

#[test]
fn where_there_is_none_the_documented_form_is_put() {
    expect![[r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["bedrock:GetGuardrail","bedrock:ApplyGuardrail"],"Resource":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}}]}"#]].assert_eq(&put(ensure(None, &grant())).text());
    expect![[r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["bedrock:ApplyGuardrail"],"Resource":"arn:aws:bedrock:us-east-1:222222222222:guardrail-profile/us.guardrail.v1:0","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}}]}"#]].assert_eq(&put(ensure(None, &profile_grant())).text());
    assert_eq!(put(ensure(None, &grant())), policy(&[ORGANIZATION_WIDE]));
    assert_eq!(remove(Some(&policy(&[ORGANIZATION_WIDE])), &grant()), Remove::Delete);
    assert_eq!(remove(None, &grant()), Remove::NotNeeded);
}

#[test]
fn what_others_wrote_stays_to_the_letter() {
    let others = document(
        &r#"{ "Id" : "x", "Version":"2012-10-17",
             "Statement": {"Sid":"1","Resource":["ARN"],"Action":"bedrock:ApplyGuardrail",
                           "Principal":{"AWS":"222222222222"},"Effect":"Allow"} }"#
            .replace("ARN", GUARDRAIL),
    );
    let merged = put(ensure(Some(&others), &grant()));
    expect![[r#"{"Id":"x","Version":"2012-10-17","Statement":[{"Sid":"1","Resource":["arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123"],"Action":"bedrock:ApplyGuardrail","Principal":{"AWS":"222222222222"},"Effect":"Allow"},{"Effect":"Allow","Principal":"*","Action":["bedrock:GetGuardrail","bedrock:ApplyGuardrail"],"Resource":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}}]}"#]].assert_eq(&merged.text());
    assert_eq!(ensure(Some(&merged), &grant()), Ensure::NotNeeded);
    let Remove::Put(rest) = remove(Some(&merged), &grant()) else { panic!() };
    expect![[r#"{"Id":"x","Version":"2012-10-17","Statement":[{"Sid":"1","Resource":["arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123"],"Action":"bedrock:ApplyGuardrail","Principal":{"AWS":"222222222222"},"Effect":"Allow"}]}"#]].assert_eq(&rest.text());
}

#[test]
fn an_incomplete_one_of_ours_is_completed_in_its_place() {
    let incomplete = ORGANIZATION_WIDE.replace(r#""bedrock:GetGuardrail","#, "");
    let merged = put(ensure(Some(&policy(&[UNIT, &incomplete, OWN_ACCOUNT])), &grant()));
    assert_eq!(merged, policy(&[UNIT, ORGANIZATION_WIDE, OWN_ACCOUNT]));
    // One with a Sid is somebody's own.
    let named = incomplete.replacen('{', r#"{"Sid":"Mine","#, 1);
    let merged = put(ensure(Some(&policy(&[&named])), &grant()));
    assert_eq!(merged, policy(&[&named, ORGANIZATION_WIDE]));
}

#[test]
fn only_what_the_keeper_writes_is_taken_away() {
    let equal =
        ORGANIZATION_WIDE.replace(r#""*""#, r#"{"AWS":["*"]}"#).replace("PrincipalOrgID", "principalorgid");
    assert_eq!(remove(Some(&policy(&[&equal])), &grant()), Remove::Delete);
    for other in [
        UNIT.to_owned(),
        OWN_ACCOUNT.to_owned(),
        ORGANIZATION_WIDE.replace(r#""bedrock:GetGuardrail","#, ""),
        ORGANIZATION_WIDE.replacen('{', r#"{"Sid":"Mine","#, 1),
        ORGANIZATION_WIDE.replace("ORG", "o-anotherorgid"),
        ORGANIZATION_WIDE.replace(r#""ORG""#, r#"["ORG","o-anotherorgid"]"#),
        ORGANIZATION_WIDE.replace(r#""ARN""#, r#""*""#),
        ORGANIZATION_WIDE.replace("bedrock:GetGuardrail", "bedrock:*"),
        ORGANIZATION_WIDE.replace("Allow", "Deny"),
    ] {
        assert_eq!(remove(Some(&policy(&[&other])), &grant()), Remove::NotNeeded, "{other}");
    }
    let profile = ORGANIZATION_WIDE.replace("ARN", PROFILE).replace(r#""bedrock:GetGuardrail","#, "");
    assert_eq!(remove(Some(&policy(&[&profile])), &grant()), Remove::NotNeeded);
    assert_eq!(remove(Some(&policy(&[&profile])), &profile_grant()), Remove::Delete);
}

#[test]
fn what_is_there_already_is_not_written_again() {
    for text in [ORGANIZATION_WIDE.to_owned(), ORGANIZATION_WIDE.replacen('{', r#"{"Sid":"Mine","#, 1)] {
        assert_eq!(ensure(Some(&policy(&[&text])), &grant()), Ensure::NotNeeded);
    }
}

#[test]
fn what_could_do_harm_is_refused() {
    refused(
        &policy(&[OWN_ACCOUNT, r#"{"Effect":"Deny","Principal":"*","Action":"bedrock:*","Resource":"*"}"#]),
        &expect![
            "statement 2 denies it, whatever else is granted; remove that statement: the keeper never removes it"
        ],
    );
    refused(
        &policy(&[r#"{"Effect":"Deny","NotPrincipal":{"AWS":"1"},"Action":"bedrock:*","Resource":"*"}"#]),
        &expect![
            "statement 1 may deny it, because of its Principal; rewrite or remove that part: the keeper doesn't change what it can't read"
        ],
    );
    refused(
        &document(r#"{"Version":"2012-10-17","Statement":[],"Statement":[]}"#),
        &expect![[
            r#""/Statement" is given twice; rewrite or remove that part: the keeper doesn't change what it can't read"#
        ]],
    );
    refused(
        &document(r#"{"Version":"2012-10-17","Statement":[1]}"#),
        &expect![
            "statement 1 is no JSON object; rewrite or remove that part: the keeper doesn't change what it can't read"
        ],
    );
    refused(
        &document(r#"{"Version":"2025-01-01","Statement":[]}"#),
        &expect![[
            r#"the policy's Version "2025-01-01" is not known; rewrite or remove that part: the keeper doesn't change what it can't read"#
        ]],
    );
    refused(
        &document(r#"{"Comment":"x","Statement":[]}"#),
        &expect![[
            r#"the policy has the unknown element "Comment"; remove it; nothing is written while the policy holds what Bedrock doesn't support"#
        ]],
    );
    refused(
        &policy(&[WRONG_EXAMPLE]),
        &expect![[
            r#"statement 1 names "arn:aws:iam::*:root", which is no principal: IAM takes no wildcard there, and where it is taken it means every AWS account; write Principal "*" with StringEquals aws:PrincipalOrgID; statement 1 names the action "bedrock:InvokeGuardrail", which doesn't exist; write bedrock:ApplyGuardrail; statement 1 names the action "bedrock:GetGuardrailPolicy", which doesn't exist; bedrock:GetResourcePolicy is meant, and belongs in an identity policy of the role that calls it: remove it here; statement 1 is for "arn:aws:bedrock:us-east-1:222222222222:guardrail/my-guardrail/1", which is not the ARN that the policy is attached to; write that ARN, with the id instead of the name and without a version; nothing is written while the policy holds what Bedrock doesn't support"#
        ]],
    );
    let missing_action = ORGANIZATION_WIDE.replace(r#""bedrock:GetGuardrail","#, "");
    refused(
        &policy(&[
            &missing_action.replace(r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"ORG"}}"#, "")
        ]),
        &expect![
            "statement 1 opens the guardrail to every AWS account: Principal admits all, and no condition names the organization; add StringEquals aws:PrincipalOrgID; nothing is written while the policy holds what Bedrock doesn't support"
        ],
    );
}

/// One that is as wrong as its length allows makes no endless reason.
#[test]
fn a_refusal_names_some_of_many_findings_and_counts_the_others() {
    let actions: Vec<String> = (0..40).map(|number| format!(r#""bedrock:Wrong{number}""#)).collect();
    let list = format!("[{}]", actions.join(","));
    let wrong = OWN_ACCOUNT.replace(r#"["bedrock:ApplyGuardrail","bedrock:GetGuardrail"]"#, &list);
    let Ensure::Refused(hold) = ensure(Some(&policy(&[&wrong])), &grant()) else { panic!("not refused") };
    let reason = hold.to_string();
    assert_eq!(reason.matches("names the action").count(), 6, "{reason}");
    assert!(reason.contains("; 34 more of that kind; nothing is written"), "{reason}");
}

#[test]
fn removal_is_refused_by_the_same_rules() {
    let wrong = policy(&[WRONG_EXAMPLE, ORGANIZATION_WIDE]);
    assert!(matches!(remove(Some(&wrong), &grant()), Remove::Refused(GrantHold::Unsupported(_))));
    let text = policy(&[ORGANIZATION_WIDE]).text().replacen('{', r#"{"Version":"2012-10-17","#, 1);
    assert!(matches!(remove(Some(&document(&text)), &grant()), Remove::Refused(GrantHold::Unclear(_))));
}

#[test]
fn the_limit_counts_characters_to_the_last() {
    // Bedrock counts characters, not bytes: the padding takes two bytes each.
    let padded = |length: usize| {
        policy(&[&OWN_ACCOUNT.replacen('{', &format!(r#"{{"Sid":"{}","#, "é".repeat(length)), 1)])
    };
    let bare = put(ensure(Some(&padded(0)), &grant())).text().chars().count();
    let fits = put(ensure(Some(&padded(MAX_CHARACTERS - bare)), &grant()));
    assert_eq!(fits.text().chars().count(), MAX_CHARACTERS);
    assert!(fits.text().len() > MAX_CHARACTERS);
    refused(
        &padded(MAX_CHARACTERS - bare + 1),
        &expect![
            "the policy would have 20481 characters, more than the 20480 that Bedrock takes; shorten or remove other statements"
        ],
    );
}

#[test]
fn white_space_doesnt_count_against_the_limit() {
    let spaced = policy(&[OWN_ACCOUNT]).text().replacen(':', &format!(":{}", " ".repeat(MAX_CHARACTERS)), 1);
    let merged = put(ensure(Some(&document(&spaced)), &grant()));
    assert_eq!(merged, policy(&[OWN_ACCOUNT, ORGANIZATION_WIDE]));
}

#[test]
fn a_refusal_by_bedrock_says_what_the_reason_may_be() {
    let hold = |statements| GrantHold::RefusedByBedrock {
        statements,
        message: "Invalid policy\u{1b}[2J".to_owned(),
    };
    expect![[r#"Bedrock refused the policy: "Invalid policy\u{1b}[2J""#]].assert_eq(&hold(1).to_string());
    expect![[r#"Bedrock refused the policy: "Invalid policy\u{1b}[2J"; it has 2 statements, and Bedrock may take only one: remove the others if they are not needed: the keeper never overwrites them"#]].assert_eq(&hold(2).to_string());
}
