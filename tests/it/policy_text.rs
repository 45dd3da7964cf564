//! What `check-policy` says of a text, and what the simulator's CreatePolicy answers: two readings of one grammar.

use simulator::CreateOrganizationPolicy;

use keeper_core::bedrock_policy::{BedrockPolicy, InvalidBedrockPolicy, PolicyProblem};
use testkit::world::{Document, HUB, US, World};

const IDENTIFIER: &str = "arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:1";

fn in_region(region: &str, settings: &str) -> String {
    format!(r#"{{"bedrock":{{"guardrail_inference":{{"{region}":{{"main":{{{settings}}}}}}}}}}}"#)
}

fn with(settings: &str) -> String {
    in_region(US, &format!(r#""identifier":{{"@@assign":"{IDENTIFIER}"}}{settings}"#))
}

#[tokio::test]
async fn a_text_is_called_refused_where_the_simulator_refuses_it() {
    let identifier = format!(r#""identifier":{{"@@assign":"{IDENTIFIER}"}}"#);
    let control = |words: &str| {
        with(&format!(r#","model_enforcement":{{"@@operators_allowed_for_child_policies":{words}}}"#))
    };
    let taken = [
        with(""),
        r#"{"bedrock":{}}"#.to_owned(),
        r#"{"bedrock":{"guardrail_inference":{"us-east-1":{}}}}"#.to_owned(),
        in_region("xx-somewhere-9", &identifier),
        in_region("eu-west-1", &identifier),
        with(r#","selective_content_guarding":{"system":{"@@assign":"selective"}}"#),
        with(
            r#","model_enforcement":{"included_models":{"@@assign":["ALL"],"@@append":["x"],"@@remove":["y"]}}"#,
        ),
        in_region(US, r#""identifier":{"@@assign":" corporate"}"#),
        control(r#"["@@none"]"#),
        control(r#"["@@all"]"#),
        control(r#"["@@assign","@@remove"]"#),
    ];
    let refused = [
        "{}".to_owned(),
        "[]".to_owned(),
        format!("\u{feff}{}", with("")),
        r#"{"bedrok":{}}"#.to_owned(),
        r#"{"bedrock":{"guardrails":{}}}"#.to_owned(),
        r#"{"bedrock":{"@@assign":"x"}}"#.to_owned(),
        in_region("US-EAST-1", &identifier),
        in_region("us-east", &identifier),
        in_region("*", &identifier),
        in_region(US, r#""identifier":"bare""#),
        in_region(US, r#""identifier":{"@@append":["x"]}"#),
        in_region(US, r#""Identifier":{"@@assign":"x"}"#),
        with(r#","IDENTIFIER":{"@@assign":"x"}"#),
        with(r#","new":{"@@assign":"x"}"#),
        with(r#","selective_content_guarding":{"system":{"@@assign":"COMPREHENSIVE"}}"#),
        with(r#","selective_content_guarding":{"tools":{"@@assign":"selective"}}"#),
        with(r#","model_enforcement":{"included_models":{"@@assign":"ALL"}}"#),
        control(r#"["@@none","@@assign"]"#),
        control(r#"["@@all","@@none"]"#),
        control("[]"),
        control(r#"["assign"]"#),
        control(r#""@@none""#),
    ];
    let world = World::of(&Document::default()).start().await;
    let create = |text: &str, number: usize| {
        world.server.with(|model| {
            let caller = model.caller(&format!("arn:aws:iam::{HUB}:root"), US).unwrap();
            model.create_policy(
                &caller,
                CreateOrganizationPolicy {
                    name: format!("policy-{number}"),
                    kind: "BEDROCK_POLICY".to_owned(),
                    content: text.to_owned(),
                    ..CreateOrganizationPolicy::default()
                },
            )
        })
    };
    let all = taken.iter().map(|text| (text, false)).chain(refused.iter().map(|text| (text, true)));
    for (number, (text, is_refused)) in all.enumerate() {
        let problems = BedrockPolicy::check(text).err();
        let said = problems.iter().flat_map(InvalidBedrockPolicy::problems).any(PolicyProblem::is_refused);
        let answered = create(text, number).err().map(|error| error.code);
        assert_eq!(
            (said, answered.is_some()),
            (is_refused, is_refused),
            "{text}: {answered:?}, {problems:?}"
        );
    }
}
