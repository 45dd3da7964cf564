//! What every account of an organization gets.

use std::sync::Arc;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::oracle::any_chain;
use super::*;

/// Policies by name, with the points that they are attached to.
pub(super) fn attached(policies: &[(&str, &[&str], BedrockPolicy)]) -> AttachedPolicies {
    let mut attached = AttachedPolicies::default();
    for (name, points, document) in policies {
        attached.contents.insert(policy(name), Ok(document.clone()));
        for at in *points {
            attached.attached.entry(point(at)).or_default().push(policy(name));
        }
    }
    attached
}

fn shown(prediction: &Prediction) -> String {
    match prediction {
        Prediction::Effective(merged) => merged
            .effective
            .regions()
            .iter()
            .map(|(region, named)| {
                let named = named.values().map(|meaning| match meaning {
                    Meaning::Enforcement(enforcement) => enforcement.to_string(),
                    Meaning::Unclear(_) => "unclear".to_owned(),
                });
                format!("{region} {}", named.collect::<Vec<_>>().join(" and "))
            })
            .collect::<Vec<_>>()
            .join(", "),
        Prediction::Frozen(_) | Prediction::Unreadable(_) => prediction.to_string(),
    }
}

#[track_caller]
fn predicts(policies: &AttachedPolicies, expected: &Expect) {
    let predictions = predict(policies, &accounts(), MergeRules::default());
    let lines: Vec<String> =
        predictions.iter().map(|(account, prediction)| format!("{account}: {}", shown(prediction))).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn everybody_below_inherits() {
    let mut policies = attached(&[
        ("root", &[ROOT], own(&[("us-east-1", 1), ("eu-west-1", 1)]).policy()),
        ("ou", &[WORKLOAD], own(&[("us-east-1", 2)]).policy()),
        ("account", &["300000000004", "300000000005"], own(&[("us-west-2", 3)]).policy()),
        ("unattached", &[], own(&[("us-east-1", 9)]).policy()),
    ]);
    predicts(
        &policies,
        &expect![[r#"
            300000000001: eu-west-1 abc123:1, us-east-1 abc123:1
            300000000002: eu-west-1 abc123:1, us-east-1 abc123:2
            300000000003: eu-west-1 abc123:1, us-east-1 abc123:2
            300000000004: eu-west-1 abc123:1, us-east-1 abc123:2, us-west-2 abc123:3
            300000000005: eu-west-1 abc123:1, us-east-1 abc123:1, us-west-2 abc123:3"#]],
    );
    // One result is kept for accounts with the same policies on their paths.
    let predictions = predict(&policies, &accounts(), MergeRules::default());
    let of = |account: &str| &predictions[&account.parse().unwrap()];
    assert!(Arc::ptr_eq(of("300000000002"), of("300000000003")));
    assert!(!Arc::ptr_eq(of("300000000002"), of("300000000004")));
    // Below what is attached, another point has it too.
    policies.attached.insert(point(PAYMENT), vec![policy("account")]);
    predicts(
        &policies,
        &expect![[r#"
            300000000001: eu-west-1 abc123:1, us-east-1 abc123:1
            300000000002: eu-west-1 abc123:1, us-east-1 abc123:2
            300000000003: eu-west-1 abc123:1, us-east-1 abc123:2, us-west-2 abc123:3
            300000000004: eu-west-1 abc123:1, us-east-1 abc123:2, us-west-2 abc123:3
            300000000005: eu-west-1 abc123:1, us-east-1 abc123:1, us-west-2 abc123:3"#]],
    );
}

#[test]
fn who_is_frozen_or_not_known_is_said_with_the_policies_that_do_it() {
    let mut policies = attached(&[
        ("root", &[ROOT], own(&[("us-east-1", 1)]).policy()),
        (
            "child",
            &[PAYMENT],
            foreign(&[r#"us-east-1/c/selective_content_guarding/system={"@@assign":"selective"}"#]),
        ),
        ("broken", &[SANDBOX], BedrockPolicy::default()),
    ]);
    policies.contents.insert(policy("broken"), BedrockPolicy::parse(r#"{"bedrock":{"@@new":[]}}"#));
    predicts(
        &policies,
        &expect![[r#"
            300000000001: us-east-1 abc123:1
            300000000002: us-east-1 abc123:1
            300000000003: frozen: bedrock.guardrail_inference.us-east-1.c.identifier: KEY_REQUIRED (p-000child on ou-exam-payments1); no change of a Bedrock policy reaches the account before that is corrected
            300000000004: frozen: bedrock.guardrail_inference.us-east-1.c.identifier: KEY_REQUIRED (p-000child on ou-exam-payments1); no change of a Bedrock policy reaches the account before that is corrected
            300000000005: not known, because these can't be read: p-00broken on ou-exam-sandbox1"#]],
    );
    // What is attached and wasn't read at all is no better.
    policies.contents.remove(&policy("broken"));
    let predictions = predict(&policies, &accounts(), MergeRules::default());
    let expected = PolicyAt { policy: policy("broken"), point: point(SANDBOX) };
    assert_eq!(*predictions[&"300000000005".parse().unwrap()], Prediction::Unreadable([expected].into()));
}

#[test]
fn what_nobody_knows_is_several_predictions() {
    let policies = attached(&[
        ("root", &[ROOT], own(&[("us-east-1", 1)]).policy()),
        ("second", &[WORKLOAD], foreign(&[V3_UNDER_ANOTHER_NAME])),
        ("one", &[SANDBOX], own(&[("us-east-1", 2)]).policy()),
        ("two", &[SANDBOX], own(&[("us-east-1", 3)]).policy()),
    ]);
    let forecasts = forecast(&policies, &accounts());
    let of = |account: &str| &forecasts[&account.parse().unwrap()];
    assert!(of("300000000001").certain().is_some());
    let shown: Vec<String> = of("300000000002").predictions.iter().map(|(_, it)| shown(it)).collect();
    expect![[r#"
        us-east-1 abc123:3 and abc123:1
        frozen: bedrock.guardrail_inference.us-east-1: ELEMENTS_TOO_MANY (p-0000root on r-exam, p-00second on ou-exam-workload); no change of a Bedrock policy reaches the account before that is corrected"#]]
    .assert_eq(&shown.join("\n"));
    assert!(of("300000000002").certain().is_none() && !of("300000000002").depends_on_order());
    // The order of two peers isn't known.
    assert!(of("300000000005").certain().is_none() && of("300000000005").depends_on_order());
}

const V3_UNDER_ANOTHER_NAME: &str =
    r#"us-east-1/config/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:3"}"#;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(50) })]

    #[test]
    fn a_prediction_is_the_merge_of_the_path(chain in any_chain()) {
        let points = [ROOT, WORKLOAD, PAYMENT];
        let mut policies = AttachedPolicies::default();
        for (at, texts) in points.iter().zip(&chain) {
            for (number, text) in texts.iter().enumerate() {
                let key = policy(&format!("{}{number}", at.len()));
                policies.contents.insert(key.clone(), BedrockPolicy::parse(text));
                policies.attached.entry(point(at)).or_default().push(key);
            }
        }
        let forecasts = forecast(&policies, &accounts());
        for rules in MergeRules::every() {
            let predictions = predict(&policies, &accounts(), rules);
            for (account, length) in [("300000000001", 1), ("300000000002", 2), ("300000000003", 3)] {
                let prediction = &predictions[&account.parse().unwrap()];
                let expected = super::oracle::effective(&chain[..length.min(chain.len())].to_vec(), rules);
                let expected = expected.map(|value| super::oracle::in_one_form(&value));
                let value = match &**prediction {
                    Prediction::Effective(merged) => Some(serde_json::from_str(&merged.effective.text()).unwrap()),
                    Prediction::Frozen(_) => None,
                    Prediction::Unreadable(_) => panic!("{prediction}"),
                };
                prop_assert_eq!(value.map(|value| super::oracle::in_one_form(&value)), expected);
                let forecast = &forecasts[&account.parse().unwrap()];
                let is_same = |other: &Prediction| match (other, &**prediction) {
                    (Prediction::Effective(one), Prediction::Effective(other)) => one.effective == other.effective,
                    (Prediction::Frozen(_), Prediction::Frozen(_)) => true,
                    _ => false,
                };
                prop_assert!(forecast.predictions.iter().any(|(_, it)| is_same(it)));
            }
        }
    }
}

#[test]
fn who_is_reached_by_the_same_points_is_put_together() {
    let alike = |points: &[&str]| -> Vec<Vec<String>> {
        let points = points.iter().map(|text| point(text)).collect();
        let alike = reached_alike(&points, &accounts()).into_values();
        alike
            .map(|accounts| accounts.iter().map(|account| account.to_string()[11..].to_owned()).collect())
            .collect()
    };
    assert_eq!(alike(&[]), [[""; 0]; 0]);
    assert_eq!(alike(&[ROOT]), [["1", "2", "3", "4", "5"]]);
    let some: [&[&str]; 2] = [&["2"], &["3", "4"]];
    assert_eq!(alike(&[WORKLOAD, PAYMENT]), some);
    let some: [&[&str]; 3] = [&["1", "5"], &["2", "3"], &["4"]];
    assert_eq!(alike(&[ROOT, WORKLOAD, "300000000004"]), some);
}
