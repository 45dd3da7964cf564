//! What the hub's stack, its StackSets and the management account's stack give one another: parameters, and the way
//! of an event from a member's rule to the hub's bus. An emulator without StackSets and roles doesn't show a slip in
//! them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::admitted::{BUS, ORGANIZATION, assumes, given, of_the_bus, sends, trust};
use crate::policy::{Caller, Request, Verdict, verdict};
use crate::template;

/// What is called otherwise where it comes from than where it goes.
const RENAMED: [(&str, &str); 3] = [
    ("HubAccountId", r#"{"Ref":"AWS::AccountId"}"#),
    ("HubBusArn", r#"{"Fn::GetAtt":"Bus.Arn"}"#),
    ("OwnerAccountId", r#"{"Fn::If":["Owns",{"Ref":"AWS::AccountId"},""]}"#),
];

/// Whoever removes the stack, or the table, by accident does not take the ledger with it.
#[test]
fn the_ledgers_table_refuses_to_be_deleted_and_can_be_restored() {
    let template = template::read("template.yaml");
    let ledger = &template["Resources"]["Ledger"];
    assert_eq!(ledger["Properties"]["DeletionProtectionEnabled"], json!({ "Ref": "ProtectLedger" }));
    assert_eq!(template["Parameters"]["ProtectLedger"]["Default"], "true");
    let recovery = &ledger["Properties"]["PointInTimeRecoverySpecification"];
    assert_eq!(recovery["PointInTimeRecoveryEnabled"], true);
    assert_eq!(
        (&ledger["DeletionPolicy"], &ledger["UpdateReplacePolicy"]),
        (&json!("Retain"), &json!("Retain"))
    );
}

/// The stacks that a template makes elsewhere: the body's path, and each parameter with what is given for it.
fn made_by(path: &str) -> Vec<(String, BTreeMap<String, Value>)> {
    let template = template::read(path);
    let resources = template["Resources"].as_object().unwrap().values();
    let stacks = resources.filter_map(|resource| {
        let Value::Object(properties) = &resource["Properties"] else { return None };
        let given = match resource["Type"].as_str()? {
            "AWS::CloudFormation::StackSet" => {
                let each = properties["Parameters"].as_array().unwrap().iter();
                let key = |one: &Value| one["ParameterKey"].as_str().unwrap().to_owned();
                each.map(|one| (key(one), one["ParameterValue"].clone())).collect()
            }
            "AWS::CloudFormation::Stack" => {
                let each = properties["Parameters"].as_object().unwrap().iter();
                each.map(|(key, value)| (key.clone(), value.clone())).collect()
            }
            _ => return None,
        };
        let body = properties["TemplateURL"].as_str().unwrap();
        Some((format!("deploy/{}", body.trim_start_matches("deploy/")), given))
    });
    stacks.collect()
}

fn parameters(path: &str) -> BTreeMap<String, Value> {
    let template = template::read(path);
    template["Parameters"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// What is wrong with what a template passes on.
fn slips(path: &str, made: &[(String, BTreeMap<String, Value>)]) -> Vec<String> {
    let own = parameters(path);
    let mut slips = Vec::new();
    for (body, given) in made {
        let taken = parameters(body);
        for (key, value) in given {
            if !taken.contains_key(key) {
                slips.push(format!("{body} doesn't take {key}"));
            }
            let told = value.to_string();
            let renamed = RENAMED.iter().any(|(to, from)| to == key && *from == told);
            if !renamed && !told.contains(&format!(r#"{{"Ref":"{key}"}}"#)) {
                slips.push(format!("{body} gets {value} for {key}"));
            }
        }
        for (key, parameter) in &taken {
            // What has the same name here, or another one, is somebody's decision, which has to reach there.
            let is_decided = own.contains_key(key) || RENAMED.iter().any(|(to, _)| to == key);
            if !given.contains_key(key) && (parameter["Default"].is_null() || is_decided) {
                slips.push(format!("{body} isn't given {key}"));
            }
        }
    }
    slips
}

#[test]
fn each_stack_is_given_what_its_template_takes() {
    let mut bodies = BTreeSet::new();
    for path in ["template.yaml", "deploy/management.yaml", "deploy/stack-sets.yaml"] {
        let made = made_by(path);
        assert_eq!(slips(path, &made), [""; 0], "{path}");
        bodies.extend(made.iter().map(|(body, _)| body.clone()));
        // Each parameter that is left out, misnamed or given another's value is noticed.
        for (stack, (body, given)) in made.iter().enumerate() {
            for key in given.keys() {
                let spoilt = |change: &dyn Fn(&mut BTreeMap<String, Value>)| {
                    let mut made = made.clone();
                    change(&mut made[stack].1);
                    slips(path, &made)
                };
                assert!(!spoilt(&|given| drop(given.remove(key))).is_empty(), "{path}: {body} without {key}");
                let other = json!({ "Ref": "SweepInterval" });
                assert!(!spoilt(&|given| drop(given.insert(key.clone(), other.clone()))).is_empty(), "{key}");
                assert!(!spoilt(&|given| drop(given.insert(format!("{key}s"), other.clone()))).is_empty());
            }
        }
    }
    let expected = ["deploy/member-role.yaml", "deploy/member-rules.yaml", "deploy/owner.yaml"];
    assert_eq!(bodies.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// The StackSets of a template, in which what differs on purpose is called alike.
fn stack_sets(path: &str, alike: &[(Value, Value)]) -> BTreeMap<String, Value> {
    fn replaced(value: &Value, alike: &[(Value, Value)]) -> Value {
        if let Some((_, by)) = alike.iter().find(|(what, _)| what == value) {
            return by.clone();
        }
        match value {
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), replaced(value, alike))).collect()
            }
            Value::Array(items) => items.iter().map(|item| replaced(item, alike)).collect(),
            Value::String(text) => {
                let text = text.replace("${AWS::StackName}", "${HubStackName}");
                let text = text.replace("${ManagementAccountId}", "${AWS::AccountId}");
                Value::from(text.trim_start_matches("deploy/"))
            }
            other => other.clone(),
        }
    }
    let template = template::read(path);
    let resources = template["Resources"].as_object().unwrap().iter();
    let sets = resources.filter(|(_, resource)| resource["Type"] == "AWS::CloudFormation::StackSet");
    sets.map(|(name, set)| {
        let mut set = set.as_object().unwrap().clone();
        // The hub's stack makes them on demand, and the other always.
        set.remove("Condition");
        (name.clone(), replaced(&Value::Object(set), alike))
    })
    .collect()
}

/// Whoever moves the StackSets to the management account gets the same ones, by the same names.
#[test]
fn the_stack_sets_of_the_management_account_are_those_of_the_hub() {
    let account = json!({ "Ref": "AWS::AccountId" });
    let parameter = |key: &str, value: Value| json!({ "ParameterKey": key, "ParameterValue": value });
    let of_the_hub = [
        (json!({ "Fn::If": ["HubIsManagement", "SELF", "DELEGATED_ADMIN"] }), json!("SELF")),
        (json!({ "Fn::GetAtt": "Bus.Arn" }), json!({ "Ref": "HubBusArn" })),
        (
            parameter("HubAccountId", account.clone()),
            parameter("HubAccountId", json!({ "Ref": "HubAccountId" })),
        ),
        (
            json!({ "Fn::If": ["HubOwnsGuardrails", account, { "Ref": "OwnerAccountId" }] }),
            json!({ "Ref": "OwnerAccountId" }),
        ),
    ];
    let hub = stack_sets("template.yaml", &of_the_hub);
    assert_eq!(hub, stack_sets("deploy/stack-sets.yaml", &[]));
    assert_eq!(hub.len(), 3);
}

/// The names that one template makes are those that the others refer to, where nobody changes them.
#[test]
fn defaults_of_the_same_name_are_the_same() {
    let mut defaults: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for path in [
        "template.yaml",
        "deploy/management.yaml",
        "deploy/stack-sets.yaml",
        "deploy/member-role.yaml",
        "deploy/member-rules.yaml",
        "deploy/owner.yaml",
        "deploy/reader-role.yaml",
    ] {
        for (key, parameter) in parameters(path) {
            if key.ends_with("RoleName") {
                defaults.entry(key).or_default().insert(path.to_owned(), parameter["Default"].clone());
            }
        }
    }
    for (key, by_path) in defaults {
        let values: BTreeSet<String> = by_path.values().map(ToString::to_string).collect();
        assert_eq!(values.len(), 1, "{key}: {by_path:?}");
    }
}

/// From a member's rule to the hub's bus: EventBridge becomes the forwarder for that rule, the forwarder may put on
/// that bus alone, and the bus takes it from the forwarder.
#[test]
fn a_members_rules_reach_the_bus_by_the_forwarder() {
    let member = "300000000001";
    let mut in_member = given();
    in_member.extend([
        ("AWS::AccountId", member),
        ("AWS::Region", "eu-west-1"),
        ("HubBusArn", BUS),
        ("ForwarderRoleName", "GuardrailKeeperForwarder"),
    ]);
    let role = template::read("deploy/member-role.yaml");
    let forwarder = template::resolved(&role["Resources"]["ForwarderRole"]["Properties"], &role, &in_member);
    let forwarder_arn = format!("arn:aws:iam::{member}:role/{}", forwarder["RoleName"].as_str().unwrap());
    let policies = forwarder["Policies"].as_array().unwrap().iter();
    let may: Vec<Value> = policies
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap().clone())
        .collect();
    let trusted = trust("deploy/member-role.yaml", "ForwarderRole", &in_member);
    let bus = of_the_bus(&given());

    let mut rules = 0;
    for (path, sources) in [
        ("deploy/member-rules.yaml", &["aws.bedrock", "aws.account"][..]),
        ("deploy/management.yaml", &["aws.organizations"]),
    ] {
        let template = template::read(path);
        let resources = template["Resources"].as_object().unwrap().iter();
        for (name, resource) in resources.filter(|(_, resource)| resource["Type"] == "AWS::Events::Rule") {
            let rule = template::resolved(&resource["Properties"], &template, &in_member);
            for target in rule["Targets"].as_array().unwrap() {
                rules += 1;
                assert_eq!(target["Arn"], BUS, "{path} {name}");
                assert_eq!(target["RoleArn"], forwarder_arn.as_str(), "{path} {name}");
            }
            let rule = format!("arn:aws:events:eu-west-1:{member}:rule/{}", rule["Name"].as_str().unwrap());
            let becomes = assumes(Caller::Service("events.amazonaws.com".to_owned()));
            let becomes = becomes.with("aws:SourceAccount", &[member]).with("aws:SourceArn", &[&rule]);
            assert_eq!(verdict(&trusted, &becomes), Verdict::Allowed, "{path} {name}: {rule}");
        }
        for source in sources {
            let account = if path.contains("management") { "111111111111" } else { member };
            assert_eq!(verdict(&bus, &sends(account, ORGANIZATION, source)), Verdict::Allowed, "{source}");
        }
    }
    assert!(rules >= 3, "{rules} targets");
    let puts = |resource: &str, action: &str| {
        let request = Request {
            caller: Caller::Principal(forwarder_arn.clone()),
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: BTreeMap::new(),
        };
        verdict(&may, &request) == Verdict::Allowed
    };
    assert!(puts(BUS, "events:PutEvents"));
    assert!(!puts(&format!("{BUS}-other"), "events:PutEvents"));
    assert!(!puts(BUS, "events:PutRule"));
}
