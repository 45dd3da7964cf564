//! What is wanted against what is there.

use expect_test::{Expect, expect};

use super::predicting::attached;
use super::*;

/// Compares what the account below the root and the workload's OU gets.
#[track_caller]
fn compares(wanted: &[(&str, u32)], policies: &[(&str, &[&str], BedrockPolicy)], expected: &Expect) {
    let predictions = predict(&attached(policies), &accounts(), MergeRules::default());
    let prediction = &predictions[&"300000000002".parse().unwrap()];
    let Prediction::Effective(merged) = &**prediction else { panic!("{prediction}") };
    let compared = compare(&regions(wanted), &merged.effective, &merged.origins);
    let shown = |comparison: &RegionComparison| match comparison {
        RegionComparison::Differs(difference) => difference.to_string(),
        RegionComparison::NotWanted(from) => format!("not wanted: {}", list(from)),
        RegionComparison::Several { names, has_wanted, from } => {
            format!("several: {names:?}, wanted among them: {has_wanted}, {}", list(from))
        }
        RegionComparison::Unclear { places, from } => format!("unclear: {places:?}, {}", list(from)),
        RegionComparison::Equal | RegionComparison::Absent => format!("{comparison:?}"),
    };
    let lines: Vec<String> =
        compared.iter().map(|(region, comparison)| format!("{region}: {}", shown(comparison))).collect();
    expected.assert_eq(&lines.join("\n"));
}

fn list(from: &std::collections::BTreeSet<PolicyAt>) -> String {
    from.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[test]
fn each_region_is_compared_by_what_it_means() {
    compares(
        &[("us-east-1", 1), ("us-west-2", 1)],
        &[("root", &[ROOT], own(&[("us-east-1", 1), ("eu-west-1", 1)]).policy())],
        &expect![[r#"
            eu-west-1: not wanted: p-0000root on r-exam
            us-east-1: Equal
            us-west-2: Absent"#]],
    );
    // Another name and the defaults unsaid mean the same.
    compares(
        &[("us-east-1", 1)],
        &[(
            "other",
            &[WORKLOAD],
            foreign(&[
                r#"us-east-1/config/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1"}"#,
            ]),
        )],
        &expect!["us-east-1: Equal"],
    );
}

#[test]
fn a_difference_says_in_what_and_from_which_policy() {
    let root = || ("root", &[ROOT][..], own(&[("us-east-1", 2)]).policy());
    let with = |leaf: &str| [root(), ("foreign", &[WORKLOAD][..], foreign(&[leaf]))];
    compares(
        &[("us-east-1", 2)],
        &with(r#"us-east-1/keeper/selective_content_guarding/messages={"@@assign":"selective"}"#),
        &expect![[
            r#"us-east-1: weaker: selective_content_guarding.messages is "selective", not "comprehensive" (from p-0foreign on ou-exam-workload)"#
        ]],
    );
    compares(
        &[("us-east-1", 2)],
        &with(r#"us-east-1/keeper/model_enforcement/excluded_models={"@@append":["x.y"]}"#),
        &expect![[
            r#"us-east-1: weaker: model_enforcement.excluded_models is ["x.y"], not [] (from p-0000root on r-exam and p-0foreign on ou-exam-workload)"#
        ]],
    );
    compares(
        &[("us-east-1", 2)],
        &with(
            r#"us-east-1/keeper/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1"}"#,
        ),
        &expect![[
            r#"us-east-1: weaker: identifier is "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1", not "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2" (from p-0foreign on ou-exam-workload)"#
        ]],
    );
    compares(
        &[("us-east-1", 2)],
        &with(
            r#"us-east-1/keeper/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/other:2"}"#,
        ),
        &expect![[
            r#"us-east-1: different: identifier is "arn:aws:bedrock:us-east-1:222222222222:guardrail/other:2", not "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2" (from p-0foreign on ou-exam-workload)"#
        ]],
    );
    // Removing our own assignment of a list leaves less or more than is wanted.
    compares(
        &[("us-east-1", 2)],
        &with(r#"us-east-1/keeper/model_enforcement/included_models={"@@assign":["x.y"]}"#),
        &expect![[
            r#"us-east-1: weaker: model_enforcement.included_models is ["x.y"], not ["ALL"] (from p-0foreign on ou-exam-workload)"#
        ]],
    );
}

#[test]
fn two_configurations_are_never_equal_and_what_is_unknown_is_unclear() {
    let root = || ("root", &[ROOT][..], own(&[("us-east-1", 2)]).policy());
    let second = foreign(&[
        r#"us-east-1/config/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1"}"#,
    ]);
    for (wanted, expected) in [
        (
            2,
            expect![[
                r#"us-east-1: several: {"config", "keeper"}, wanted among them: true, p-0000root on r-exam, p-00second on ou-exam-workload"#
            ]],
        ),
        (
            3,
            expect![[
                r#"us-east-1: several: {"config", "keeper"}, wanted among them: false, p-0000root on r-exam, p-00second on ou-exam-workload"#
            ]],
        ),
    ] {
        compares(&[("us-east-1", wanted)], &[root(), ("second", &[WORKLOAD], second.clone())], &expected);
    }
    compares(
        &[("us-east-1", 2)],
        &[root(), ("new", &[WORKLOAD], foreign(&[r#"us-east-1/keeper/threshold={"@@assign":"low"}"#]))],
        &expect![[
            r#"us-east-1: unclear: {LeafPath(["bedrock", "guardrail_inference", "us-east-1", "keeper", "threshold"])}, p-00000new on ou-exam-workload"#
        ]],
    );
}

#[test]
fn what_was_published_otherwise_has_no_known_origin() {
    let seen = EffectivePolicy::parse(&own_effective()).unwrap();
    let compared = compare(&regions(&[("us-east-1", 2)]), &seen, &BTreeMap::new());
    let RegionComparison::Differs(difference) = &compared[&region("us-east-1")] else {
        panic!("{compared:?}")
    };
    assert!(difference.settings[&Setting::Identifier].from.is_empty());
    expect![[r#"weaker: identifier is "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1", not "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2""#]]
        .assert_eq(&difference.to_string());
}

fn own_effective() -> String {
    let (key, at, policy) = (policy("own"), point(ROOT), own(&[("us-east-1", 1)]).policy());
    let levels = [MergeLevel { point: &at, policies: vec![(&key, &policy)] }];
    merge(&levels, MergeRules::default()).unwrap().effective.text()
}
