//! What a rule needs besides its pattern.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::template;

fn resources<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = template["Resources"].as_object().unwrap().iter();
    let of_kind = resources.filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

#[test]
fn every_rule_of_the_hub_may_invoke_the_function_and_keep_what_it_could_not() {
    let template = template::read("template.yaml");
    let rules = resources(&template, "AWS::Events::Rule");
    assert!(rules.len() > 5, "{rules:?}");
    let arn = |name: &&str| json!({ "Fn::GetAtt": format!("{name}.Arn") });
    let permissions = resources(&template, "AWS::Lambda::Permission");
    let queue = &resources(&template, "AWS::SQS::QueuePolicy")["DeadLettersPolicy"]["PolicyDocument"];
    let may_send = queue["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"].as_array().unwrap();
    for (name, rule) in &rules {
        assert!(rule["State"].is_null() && rule["EventBusName"].is_null(), "{name}");
        let [target] = rule["Targets"].as_array().unwrap().as_slice() else { panic!("{name}: one target") };
        assert_eq!(target["Arn"], json!({ "Fn::GetAtt": "KeeperFunction.Arn" }), "{name}");
        assert_eq!(target["DeadLetterConfig"]["Arn"], json!({ "Fn::GetAtt": "DeadLetters.Arn" }), "{name}");
        assert!(target["Input"].is_null() && target["InputTransformer"].is_null(), "{name}");
        assert!(
            permissions.values().any(|permission| permission["SourceArn"] == arn(name)),
            "{name} may not"
        );
        assert!(may_send.contains(&arn(name)), "{name}");
    }
    assert_eq!(permissions.len(), rules.len(), "a permission for a rule that is gone");
    assert_eq!(may_send.len(), rules.len(), "a sender that is gone");
    assert!(
        template["Resources"]["KeeperFunction"]["Properties"]["Events"].is_null(),
        "SAM's own rules aren't read here"
    );
}

/// Both templates may be deployed in one account and Region, and the forwarder's trust and the
/// service control policy go by the rules' names.
#[test]
fn every_rule_elsewhere_sends_to_the_hub_under_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for path in ["deploy/management.yaml", "deploy/member-rules.yaml"] {
        let template = template::read(path);
        for (logical, rule) in resources(&template, "AWS::Events::Rule") {
            let name = rule["Name"].as_str().unwrap_or_else(|| panic!("{path}: {logical} has no name"));
            assert!(name.starts_with("guardrail-keeper-") && name.len() <= 64, "{path}: {name}");
            assert!(names.insert(name.to_owned()), "{path}: {name} is there twice");
            assert_eq!(rule["State"], "ENABLED", "{path}: {logical}");
            assert!(rule["EventBusName"].is_null(), "{path}: {logical}");
            let [target] = rule["Targets"].as_array().unwrap().as_slice() else {
                panic!("{logical}: one target")
            };
            assert_eq!(target["Arn"], json!({ "Ref": "HubBusArn" }), "{path}: {logical}");
            assert!(target["RoleArn"]["Fn::Sub"].as_str().unwrap().ends_with("role/${ForwarderRoleName}"));
            assert!(target["Input"].is_null() && target["InputTransformer"].is_null(), "{path}: {logical}");
        }
    }
}
