//! Texts that somebody sent in order to do harm.

use expect_test::expect;

use super::*;
use crate::resource_policy::{Ensure, ensure, judge, remove};

#[test]
fn what_is_no_document_is_told_as_what_it_is() {
    let told: Vec<String> = [
        "",
        "not json",
        "[]",
        "\"text\"",
        "{\"Statement\":[}",
        &"[".repeat(100_000),
        &format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000)),
        &format!("{{\"Sid\":\"{}\"}}", "x".repeat(200_000)),
    ]
    .iter()
    .map(|text| text.parse::<Document>().unwrap_err().to_string())
    .collect();
    expect![[r#"
        the policy is not JSON: EOF while parsing a value at line 1 column 0
        the policy is not JSON: expected ident at line 1 column 2
        the policy is not a JSON object
        the policy is not a JSON object
        the policy is not JSON: expected value at line 1 column 15
        the policy is not read: it is nested more than 32 levels deep
        the policy is not read: it is nested more than 32 levels deep
        the policy is not read: it has 200010 bytes, more than 131072"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_huge_policy_is_judged_in_time() {
    let statement =
        r#"{"Effect":"Allow","Principal":{"AWS":"*a*a*a*b"},"Action":"*a*a*a*a*b","Resource":"*a*a*a*b"}"#;
    let many: Vec<&str> = std::iter::repeat_n(statement, 1_000).collect();
    let keys: Vec<String> = (0..4_000).map(|n| format!(r#""key{n}":"${{x}}""#)).collect();
    let wide = format!(
        r#"{{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{{"StringEquals":{{{}}}}}}}"#,
        keys.join(",")
    );
    let nothing = format!(r#"{{"Statement":[{}]}}"#, vec!["0"; 60_000].join(","));
    for document in [policy(&many), policy(&[&wide]), document(&nothing)] {
        assert!(!judge(Some(&document), &grant()).verdict.is_granted());
        assert!(matches!(ensure(Some(&document), &grant()), Ensure::Refused(_)));
        let _ = remove(Some(&document), &grant());
    }
}

#[test]
fn what_is_quoted_is_short_and_harmless() {
    let evil = format!(r#"{{"Effect":"Allow","\u001b[2J\u202e{}":1}}"#, "x".repeat(10_000));
    let judgement = judge(Some(&policy(&[&evil])), &grant());
    let text = judgement.to_string();
    assert!(text.lines().all(|line| line.chars().count() < 400), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    let shown = policy(&[r#"{"Sid":"\u202e\u001b"}"#]).to_string();
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
}
