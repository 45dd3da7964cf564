//! What the keeper would write.

use expect_test::expect;
use proptest::prelude::*;

use super::generators::own_document;
use super::*;

#[test]
fn a_document_is_minified_sorted_and_says_everything() {
    let mut document = own(&[("us-east-1", 3), ("eu-west-1", 2)]);
    expect![[r#"{"bedrock":{"guardrail_inference":{"eu-west-1":{"keeper":{"identifier":{"@@assign":"arn:aws:bedrock:eu-west-1:222222222222:guardrail/abc123:2"},"model_enforcement":{"excluded_models":{"@@assign":[]},"included_models":{"@@assign":["ALL"]}},"selective_content_guarding":{"messages":{"@@assign":"comprehensive"},"system":{"@@assign":"comprehensive"}}}},"us-east-1":{"keeper":{"identifier":{"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:3"},"model_enforcement":{"excluded_models":{"@@assign":[]},"included_models":{"@@assign":["ALL"]}},"selective_content_guarding":{"messages":{"@@assign":"comprehensive"},"system":{"@@assign":"comprehensive"}}}}}}}"#]]
        .assert_eq(&document.text());
    document.regions = [(
        region("us-east-1"),
        Enforcement {
            models: Models {
                include: Included::Only(models(&["amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0"])),
                exclude: models(&["amazon.titan-text-lite-v1:0:4k"]),
            },
            guarding: Guarding {
                system: ContentGuarding::Selective,
                messages: ContentGuarding::Comprehensive,
            },
            ..enforcement("us-east-1", 1)
        },
    )]
    .into();
    expect![[r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"keeper":{"identifier":{"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1"},"model_enforcement":{"excluded_models":{"@@assign":["amazon.titan-text-lite-v1:0:4k"]},"included_models":{"@@assign":["amazon.nova-lite-v1:0","amazon.nova-pro-v1:0"]}},"selective_content_guarding":{"messages":{"@@assign":"comprehensive"},"system":{"@@assign":"selective"}}}}}}}"#]]
        .assert_eq(&document.text());
    // Nothing at all isn't written; if it were, AWS would take it for no configuration.
    assert_eq!(OwnDocument::default().text(), "{}");
}

#[test]
fn what_was_edited_is_no_longer_in_our_form() {
    let document = own(&[("us-east-1", 3), ("eu-west-1", 2)]);
    let text = document.text();
    for (from, to) in [
        (
            r#""@@assign":"comprehensive""#,
            r#""@@assign":"selective","@@operators_allowed_for_child_policies":["@@none"]"#,
        ),
        (r#""excluded_models":{"@@assign":[]},"#, ""),
        (r#""excluded_models":{"@@assign":[]}"#, r#""excluded_models":{"@@append":["x"]}"#),
        ("keeper", "other_name"),
        (r#""@@assign":"arn"#, r#""@@assign":"brn"#),
        (r#""identifier":"#, r#""input_tags":{"@@assign":"honor"},"identifier":"#),
    ] {
        // Only the first of the two Regions.
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        let edited = BedrockPolicy::parse(&edited).unwrap();
        assert!(!edited.says(&document), "{from}");
        assert_eq!(OwnDocument::of(&edited), own(&[("us-east-1", 3)]), "{from}");
    }
    // A lock beside keys is no part of our form, and no reason to call the Regions other ones.
    let locked = text.replacen(
        r#""us-east-1":{"#,
        r#""us-east-1":{"@@operators_allowed_for_child_policies":["@@none"],"#,
        1,
    );
    let locked = BedrockPolicy::parse(&locked).unwrap();
    assert!(!locked.says(&document));
    // Another version is in our form, and something else.
    let edited = BedrockPolicy::parse(&text.replacen("abc123:2", "abc123:9", 1)).unwrap();
    assert!(!edited.says(&document));
    assert_eq!(OwnDocument::of(&edited), own(&[("us-east-1", 3), ("eu-west-1", 9)]));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn what_is_built_is_read_back(document in own_document()) {
        prop_assume!(!document.regions.is_empty());
        let text = document.text();
        let policy = BedrockPolicy::check(&text).unwrap();
        prop_assert!(policy.says(&document));
        prop_assert_eq!(&policy, &document.policy());
        prop_assert_eq!(OwnDocument::of(&policy), document.clone());
        // Minified, sorted, and in lower case but for `ALL`.
        let sorted: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(text.len(), sorted.to_string().len());
        prop_assert_eq!(text.replace("\"ALL\"", "").to_lowercase(), text.replace("\"ALL\"", ""));
    }

    #[test]
    fn it_acts_alone_as_it_is_meant(document in own_document()) {
        let (key, at, policy) = (policy("own"), point(ROOT), document.policy());
        for rules in MergeRules::every() {
            let merged = merge(&[MergeLevel { point: &at, policies: vec![(&key, &policy)] }], rules).unwrap();
            let published = EffectivePolicy::parse(&merged.effective.text()).unwrap();
            let compared = compare(&document.regions, &published, &merged.origins);
            prop_assert!(compared.values().all(|it| *it == RegionComparison::Equal));
            prop_assert_eq!(compared.len(), document.regions.len());
            prop_assert!(merged.contested.is_empty() && merged.forbidden.is_empty());
        }
    }
}
