//! The laws of merging, over generated policies.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::resource_policy::finding::own_actions;
use crate::resource_policy::json::Json;
use crate::resource_policy::{
    AccessVerdict, Ensure, MAX_CHARACTERS, MissingGrant, Remove, admits, ensure, judge, remove,
};

/// One value of each element, as text; the first few of each are those that Bedrock takes.
const PRINCIPALS: &[&str] = &[
    r#"{"AWS":"arn:aws:iam::222222222222:root"}"#,
    r#""*""#,
    r#"{"AWS":["*"]}"#,
    r#"{"AWS":"300000000001"}"#,
    r#"{"AWS":["arn:aws:iam::300000000002:role/x","222222222222"]}"#,
    r#"{"AWS":"arn:aws:iam::*:root"}"#,
    r#"{"Service":"bedrock.amazonaws.com"}"#,
    r#""nobody""#,
];
const ACTIONS: &[&str] = &[
    r#"["bedrock:ApplyGuardrail","bedrock:GetGuardrail"]"#,
    r#""bedrock:ApplyGuardrail""#,
    r#"["BEDROCK:getguardrail"]"#,
    r#""bedrock:*""#,
    r#"["bedrock:InvokeGuardrail"]"#,
    "[]",
];
const RESOURCES: &[&str] = &[
    r#""ARN""#,
    r#"["ARN"]"#,
    r#"["ARN","ARN"]"#,
    r#""*""#,
    r#""arn:aws:bedrock:us-east-1:222222222222:guardrail/my-guardrail/1""#,
];
const CONDITIONS: &[&str] = &[
    r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"}}"#,
    r#"{"StringEquals":{"aws:principalorgid":["ORG"]}}"#,
    r#"{"StringEquals":{"aws:PrincipalOrgID":"ORG"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["ORG/*/ou-exam-workload/*"]}}"#,
    r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"ORG/*"},"StringEquals":{"aws:PrincipalOrgID":["ORG"]}}"#,
    r#"{"StringEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}"#,
    r#"{"StringNotEquals":{"aws:PrincipalOrgID":"ORG"}}"#,
    r#"{"NumericLessThan":{"aws:MultiFactorAuthAge":[3600.0,1e2,123456789012345678901234567890]}}"#,
    r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"ORG"}}"#,
    "{}",
];
const SIDS: &[&str] = &[r#""AllowOrganizationAccess""#, r#""é\u0000""#];
const EXTRAS: &[&str] = &["1.0", r#"{"b":1,"a":-0}"#, "[null,[]]", "1e2"];

/// A member of a statement: from the legal values, now and then from all.
fn element(name: &'static str, values: &'static [&'static str], legal: usize) -> BoxedStrategy<String> {
    prop_oneof![9 => select(&values[..legal]), 1 => select(values)]
        .prop_map(move |value| format!(r#""{name}":{value}"#))
        .boxed()
}

fn optional(weight: f64, element: BoxedStrategy<String>) -> BoxedStrategy<Vec<String>> {
    prop::option::weighted(weight, element).prop_map(|element| element.into_iter().collect()).boxed()
}

fn object(members: BoxedStrategy<Vec<String>>) -> BoxedStrategy<String> {
    members.prop_shuffle().prop_map(|members| format!("{{{}}}", members.join(","))).boxed()
}

/// A statement for one account, or for the organization and its parts, its members in any order.
fn statement() -> BoxedStrategy<String> {
    let rest = || {
        (
            prop_oneof![30 => Just(r#""Effect":"Allow""#), 1 => Just(r#""Effect":"Deny""#), 1 => Just(r#""Effect":7"#)],
            element("Action", ACTIONS, 3),
            element("Resource", RESOURCES, 3),
            optional(0.5, element("Sid", SIDS, 2)),
            optional(0.03, element("Unknown", EXTRAS, EXTRAS.len())),
            optional(0.02, element("NotAction", ACTIONS, 3)),
        )
            .prop_map(|(effect, action, resource, sid, unknown, not)| {
                [vec![effect.to_owned(), action, resource], sid, unknown, not].concat()
            })
    };
    let account =
        (element("Principal", PRINCIPALS, 1), rest()).prop_map(|(who, rest)| [vec![who], rest].concat());
    let organization =
        (element("Principal", &PRINCIPALS[1..], 2), element("Condition", CONDITIONS, 4), rest())
            .prop_map(|(who, condition, rest)| [vec![who, condition], rest].concat());
    prop_oneof![
        20 => object(account.boxed()),
        20 => object(organization.boxed()),
        1 => select(EXTRAS).prop_map(str::to_owned),
    ]
    .boxed()
}

fn document_text() -> impl Strategy<Value = String> {
    let statements = prop_oneof![
        1 => Just(Vec::new()),
        2 => statement().prop_map(|one| vec![format!(r#""Statement":{one}"#)]),
        9 => prop::collection::vec(statement(), 0..4).prop_map(|list| vec![format!(r#""Statement":[{}]"#, list.join(","))]),
    ];
    let version = prop_oneof![
        20 => Just(vec![r#""Version":"2012-10-17""#.to_owned()]),
        2 => Just(vec![r#""Version":"2008-10-17""#.to_owned()]),
        1 => Just(vec![r#""Version":2"#.to_owned()]),
        1 => Just(Vec::new()),
    ];
    let other = prop_oneof![
        20 => Just(Vec::new()),
        5 => Just(vec![r#""Id":"x""#.to_owned()]),
        1 => select(EXTRAS).prop_map(|value| vec![format!(r#""Comment":{value}"#)]),
        1 => Just(vec![r#""Id":"x""#.to_owned(), r#""Id":"y""#.to_owned()]),
    ];
    let members = (version, statements, other)
        .prop_map(|(version, statements, other)| [version, statements, other].concat());
    object(members.boxed()).prop_map(|text| text.replace("ARN", GUARDRAIL).replace("ORG", ORGANIZATION))
}

prop_compose! {
    pub(super) fn any_document()(text in document_text()) -> Document {
        document(&text)
    }
}

/// The members beside the statements, as they are written.
fn others(document: &Document) -> Vec<(String, Json)> {
    document.others().cloned().collect()
}

/// What a verdict says without the places that it names.
fn kind(verdict: &AccessVerdict) -> String {
    match verdict {
        AccessVerdict::Granted => "granted".to_owned(),
        AccessVerdict::NotGranted(MissingGrant::Missing(actions)) => format!("missing {actions:?}"),
        AccessVerdict::NotGranted(MissingGrant::Denied(_)) => "denied".to_owned(),
        AccessVerdict::Unclear(_) => "unclear".to_owned(),
    }
}

fn verdict(document: &Document) -> AccessVerdict {
    judge(Some(document), &grant()).verdict
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_written_back(document in any_document()) {
        prop_assert_eq!(document.text().parse::<Document>(), Ok(document.clone()));
        prop_assert_eq!(document.to_string().parse::<Document>(), Ok(document));
    }

    #[test]
    fn what_is_put_grants_is_legal_and_fits(before in any_document()) {
        if let Ensure::Put(after) = ensure(Some(&before), &grant()) {
            let read_back = document(&after.text());
            let judgement = judge(Some(&read_back), &grant());
            prop_assert_eq!(&judgement.verdict, &AccessVerdict::Granted);
            prop_assert!(!judgement.findings.iter().any(|finding| finding.problem.is_refused_by_bedrock()));
            prop_assert!(after.text().chars().count() <= MAX_CHARACTERS);
            prop_assert_eq!(ensure(Some(&read_back), &grant()), Ensure::NotNeeded);
        }
    }

    #[test]
    fn what_is_granted_already_is_never_written(before in any_document()) {
        prop_assert_eq!(
            verdict(&before).is_granted(),
            ensure(Some(&before), &grant()) == Ensure::NotNeeded
        );
    }

    #[test]
    fn every_foreign_statement_survives_a_grant(before in any_document()) {
        if let Ensure::Put(after) = ensure(Some(&before), &grant()) {
            prop_assert_eq!(others(&before), others(&after));
            let kept: Vec<&Json> = before.statements().iter().filter(|json| own_actions(json, &grant()).is_none()).collect();
            let still: Vec<&Json> = after.statements().iter().filter(|json| own_actions(json, &grant()).is_none()).collect();
            prop_assert_eq!(kept, still);
            let changed = before.statements().iter().zip(after.statements()).filter(|(old, new)| old != new).count();
            let added = after.statement_count() - before.statement_count();
            prop_assert_eq!(changed + added, 1);
        }
    }

    #[test]
    fn removal_restores(before in any_document()) {
        let had_one = before.statements().iter().any(|json| own_actions(json, &grant()).is_some());
        if let (Ensure::Put(after), false) = (ensure(Some(&before), &grant()), had_one) {
            match remove(Some(&document(&after.text())), &grant()) {
                Remove::Put(rest) => {
                    prop_assert_eq!(rest.statements(), before.statements());
                    prop_assert_eq!(others(&rest), others(&before));
                    prop_assert_eq!(verdict(&rest), verdict(&before));
                    prop_assert_eq!(remove(Some(&rest), &grant()), Remove::NotNeeded);
                }
                Remove::Delete => prop_assert_eq!(before.statement_count(), 0),
                other @ (Remove::NotNeeded | Remove::Refused(_)) => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn removal_takes_only_what_the_keeper_writes(before in any_document()) {
        let complete = |json: &Json| own_actions(json, &grant()).is_some_and(|actions| actions.len() == 2);
        let kept: Vec<&Json> = before.statements().iter().filter(|json| !complete(json)).collect();
        match remove(Some(&before), &grant()) {
            Remove::Put(rest) => {
                prop_assert_eq!(rest.statements().iter().collect::<Vec<_>>(), kept);
                prop_assert_eq!(others(&rest), others(&before));
            }
            Remove::Delete => prop_assert!(kept.is_empty() && before.statement_count() > 0),
            Remove::NotNeeded => prop_assert_eq!(kept.len(), before.statement_count()),
            Remove::Refused(_) => {}
        }
    }

    #[test]
    fn the_order_of_statements_says_nothing((before, shuffled) in any_document().prop_flat_map(|before| {
        let shuffled = Just(before.statements().to_vec()).prop_shuffle();
        (Just(before), shuffled)
    })) {
        let shuffled = before.with_statements(shuffled);
        prop_assert_eq!(kind(&verdict(&before)), kind(&verdict(&shuffled)));
        let put = |document| matches!(ensure(Some(document), &grant()), Ensure::Put(_));
        prop_assert_eq!(put(&before), put(&shuffled));
    }

    #[test]
    fn an_organization_that_is_granted_admits_every_member(
        document in any_document(),
        account in "[0-9]{12}",
        path in select(&["o-exampleorgid/r-exam/", "o-exampleorgid/r-exam/ou-exam-workload/"][..]),
    ) {
        let (account, path) = (account.parse().unwrap(), path.parse().unwrap());
        let admitted = admits(Some(&document), &grant().resource, &account, &path);
        if verdict(&document).is_granted() {
            prop_assert_eq!(&admitted, &AccessVerdict::Granted);
        }
    }

    #[test]
    fn no_text_is_too_odd(text in r#"[\[\]{}",:a0\\ ]{0,60}"#) {
        if let Ok(document) = text.parse::<Document>() {
            let _ = (judge(Some(&document), &grant()).to_string(), ensure(Some(&document), &grant()));
        }
    }
}

/// The laws above would hold of nothing if the generator made nothing but one kind.
#[test]
fn the_generator_reaches_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let (mut put, mut completed, mut not_needed, mut refused, mut unclear) = (0, 0, 0, 0, 0);
    for _ in 0..2_000 {
        let before = any_document().new_tree(&mut runner).unwrap().current();
        unclear += usize::from(matches!(verdict(&before), AccessVerdict::Unclear(_)));
        match ensure(Some(&before), &grant()) {
            Ensure::Put(after) if after.statement_count() == before.statement_count() => completed += 1,
            Ensure::Put(_) => put += 1,
            Ensure::NotNeeded => not_needed += 1,
            Ensure::Refused(_) => refused += 1,
        }
    }
    let counts = [put, completed, not_needed, refused, unclear];
    assert!(counts.iter().all(|count| *count >= 50), "{counts:?}");
}
