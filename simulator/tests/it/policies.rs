//! Policies of the organization: written, attached, listed and refused as AWS does.

use serde_json::{Value, json};
use simulator::{OnOff, Switches};

use crate::client::{Client, MANAGEMENT, MEMBER};
use crate::organized::{
    ARN, PLAYGROUND, SHIPPING, WORKLOAD, attach, caller, create, detach, enforced, enforcing, model, put,
    start, update,
};

const KIND: &str = "BEDROCK_POLICY";

#[tokio::test]
async fn a_policy_is_made_changed_attached_and_deleted() {
    let (simulator, hub) = start(Switches::default()).await;
    let text = enforcing("1").to_string();
    let wanted = json!({
        "Name": "baseline", "Description": "d", "Type": KIND, "Content": text, "Tags": [{ "Key": "a", "Value": "b" }],
    });
    let made = hub.organizations("CreatePolicy", wanted.clone()).await.json();
    let summary = &made["Policy"]["PolicySummary"];
    let id = summary["Id"].as_str().expect("an id").to_owned();
    assert_eq!(
        summary["Arn"],
        format!("arn:aws:organizations::111111111111:policy/o-exampleorgid/bedrock_policy/{id}")
    );
    assert_eq!(made["Policy"]["Content"], text, "as it was sent");
    assert_eq!(hub.organizations("CreatePolicy", wanted).await.code(), "DuplicatePolicyException");
    let tags = hub.organizations("ListTagsForResource", json!({ "ResourceId": id })).await.json();
    assert_eq!(tags["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    let about = |target: &str| json!({ "PolicyId": id, "TargetId": target });
    assert_eq!(hub.organizations("AttachPolicy", about(WORKLOAD)).await.status, 200);
    let again = hub.organizations("AttachPolicy", about(WORKLOAD)).await;
    assert_eq!((again.status, again.code().as_str()), (400, "DuplicatePolicyAttachmentException"));
    assert_eq!(
        hub.organizations("DeletePolicy", json!({ "PolicyId": id })).await.code(),
        "PolicyInUseException"
    );
    let targets = hub.organizations("ListTargetsForPolicy", json!({ "PolicyId": id })).await.json();
    assert_eq!(targets["Targets"][0]["Name"], "Workload");
    assert_eq!(targets["Targets"][0]["Type"], "ORGANIZATIONAL_UNIT");
    let listed =
        hub.organizations("ListPoliciesForTarget", json!({ "TargetId": WORKLOAD, "Filter": KIND })).await;
    assert_eq!(listed.json()["Policies"][0]["Id"], id.as_str());
    let changed = json!({ "PolicyId": id, "Content": enforcing("2").to_string() });
    let changed = hub.organizations("UpdatePolicy", changed).await.json();
    assert_eq!(changed["Policy"]["PolicySummary"]["Name"], "baseline", "what isn't sent stays");
    let member = Client::new(&simulator, MEMBER);
    let own = member.organizations("DescribeEffectivePolicy", json!({ "PolicyType": KIND })).await.json();
    let content = own["EffectivePolicy"]["PolicyContent"].as_str().expect("a text");
    assert_eq!(serde_json::from_str::<Value>(content).expect("JSON"), enforced("2"));
    assert_eq!(hub.organizations("DetachPolicy", about(WORKLOAD)).await.status, 200);
    assert_eq!(hub.organizations("DetachPolicy", about(WORKLOAD)).await.code(), "PolicyNotAttachedException");
    assert_eq!(hub.organizations("DeletePolicy", json!({ "PolicyId": id })).await.status, 200);
    assert_eq!(
        hub.organizations("DescribePolicy", json!({ "PolicyId": id })).await.code(),
        "PolicyNotFoundException"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_code_and_reason() {
    let (simulator, hub) = start(Switches::default()).await;
    simulator.with(|model| put(model, "p-there1234", enforcing("1"), &[]));
    let text = enforcing("1").to_string();
    let create = |name: &str, kind: &str, content: &str| {
        let input = json!({ "Name": name, "Description": "", "Type": kind, "Content": content });
        hub.organizations("CreatePolicy", input)
    };
    let long = format!("{text}{}", " ".repeat(10_001 - text.chars().count()));
    let refused = create("a", KIND, &long).await;
    assert_eq!(refused.code(), "ConstraintViolationException");
    assert_eq!(refused.json()["Reason"], "POLICY_CONTENT_LIMIT_EXCEEDED");
    assert_eq!(create("a", KIND, &long[..10_000]).await.status, 200, "white space is counted");
    let malformed = create("b", KIND, "{\"bedrock\":{\"guardrails\":{}}}").await;
    assert_eq!(malformed.code(), "MalformedPolicyDocumentException");
    assert!(
        !malformed.json()["Message"].as_str().unwrap_or_default().contains("guardrails"),
        "it names no place"
    );
    assert_eq!(create("b", "A_POLICY", &text).await.json()["Reason"], "INVALID_ENUM_POLICY_TYPE");
    assert_eq!(create("<script>", KIND, &text).await.json()["Reason"], "INVALID_PATTERN");
    assert_eq!(create("b", "TAG_POLICY", &text).await.code(), "UnknownOperationException", "not modelled");
    let about = |id: &str, target: &str| json!({ "PolicyId": id, "TargetId": target });
    for (operation, input, code) in [
        ("AttachPolicy", about("p-nowhere12", "r-exam"), "PolicyNotFoundException"),
        ("AttachPolicy", about("p-there1234", "999999999999"), "TargetNotFoundException"),
        ("DetachPolicy", about("p-there1234", "r-exam"), "PolicyNotAttachedException"),
        ("UpdatePolicy", json!({ "PolicyId": "p-nowhere12" }), "PolicyNotFoundException"),
        ("ListTargetsForPolicy", json!({ "PolicyId": "p-nowhere12" }), "PolicyNotFoundException"),
        ("EnablePolicyType", json!({ "RootId": "r-other", "PolicyType": KIND }), "RootNotFoundException"),
        (
            "EnablePolicyType",
            json!({ "RootId": "r-exam", "PolicyType": KIND }),
            "PolicyTypeAlreadyEnabledException",
        ),
        (
            "DescribeEffectivePolicy",
            json!({ "PolicyType": "SERVICE_CONTROL_POLICY" }),
            "InvalidInputException",
        ),
    ] {
        assert_eq!(hub.organizations(operation, input).await.code(), code, "{operation}");
    }
    simulator.stop().await;
}

#[test]
fn a_refused_update_leaves_everything_as_it_was() {
    let mut model = model();
    put(&mut model, "p-there1234", enforcing("1"), &["r-exam"]);
    update(&mut model, "p-there1234", &json!({})).expect_err("no document");
    let policy = model.organization.policy("p-there1234").expect("it is there");
    assert_eq!(policy.content, enforcing("1").to_string());
}

#[test]
fn quotas_are_kept() {
    let mut model = model();
    let text = enforcing("1").to_string();
    for number in 0..1_000 {
        create(&mut model, &format!("policy {number}"), &text).expect("there is room");
    }
    let full = create(&mut model, "one more", &text).expect_err("a thousand are enough");
    assert_eq!(full.members["Reason"], "POLICY_NUMBER_LIMIT_EXCEEDED");
    let ids: Vec<String> = model.organization.policies.iter().take(11).map(|one| one.id.clone()).collect();
    for id in &ids[..10] {
        attach(&mut model, id, WORKLOAD).expect("there is room");
    }
    let full = attach(&mut model, &ids[10], WORKLOAD).expect_err("ten are enough");
    assert_eq!(full.members["Reason"], "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED");
    attach(&mut model, &ids[10], SHIPPING).expect("another target has room");
    detach(&mut model, &ids[0], WORKLOAD).expect("it is attached");
    attach(&mut model, &ids[10], WORKLOAD).expect("there is room again");
}

#[tokio::test]
async fn a_type_is_switched_on_before_anything_can_be_attached() {
    let (simulator, hub) = start(Switches::default()).await;
    let of_type = json!({ "RootId": "r-exam", "PolicyType": KIND });
    let id = simulator.with(|model| create(model, "one", &enforcing("1").to_string())).expect("a policy");
    simulator.with(|model| attach(model, &id, "r-exam")).expect("the type is on");
    let root = hub.organizations("DisablePolicyType", of_type.clone()).await.json();
    assert_eq!(
        root["Root"]["PolicyTypes"][1],
        json!({ "Type": KIND, "Status": "ENABLED" }),
        "as it was recorded"
    );
    let root = hub.organizations("ListRoots", json!({})).await.json();
    assert_eq!(root["Roots"][0]["PolicyTypes"].as_array().map(Vec::len), Some(1), "{root}");
    let about = json!({ "PolicyId": id, "TargetId": "r-exam" });
    for (operation, input, code) in [
        ("AttachPolicy", about.clone(), "PolicyTypeNotEnabledException"),
        ("ListPolicies", json!({ "Filter": KIND }), "PolicyTypeNotEnabledException"),
        ("DescribeEffectivePolicy", json!({ "PolicyType": KIND }), "EffectivePolicyNotFoundException"),
        (
            "ListAccountsWithInvalidEffectivePolicy",
            json!({ "PolicyType": KIND }),
            "EffectivePolicyNotFoundException",
        ),
        ("DisablePolicyType", of_type.clone(), "PolicyTypeNotEnabledException"),
    ] {
        assert_eq!(hub.organizations(operation, input).await.code(), code, "{operation}");
    }
    let alone =
        json!({ "Name": "two", "Description": "", "Type": KIND, "Content": enforcing("1").to_string() });
    assert_eq!(hub.organizations("CreatePolicy", alone).await.status, 200, "a check that affects nobody");
    assert_eq!(hub.organizations("EnablePolicyType", of_type).await.status, 200);
    let listed = hub.organizations("ListTargetsForPolicy", json!({ "PolicyId": id })).await.json();
    assert_eq!(listed["Targets"], json!([]), "switching it off detached everything");
    let own = hub.organizations("DescribeEffectivePolicy", json!({ "PolicyType": KIND })).await.json();
    assert_eq!(own["EffectivePolicy"]["PolicyContent"], "{}");
    simulator.stop().await;
}

#[test]
fn trusted_access_is_needed_only_if_that_is_switched_on() {
    let mut model = model();
    let id = create(&mut model, "one", &enforcing("1").to_string()).expect("a policy");
    model.switches.trusted_access_needed = OnOff::On;
    let refused = attach(&mut model, &id, "r-exam").expect_err("nobody trusts Bedrock");
    assert_eq!(refused.members["Reason"], "SERVICE_ACCESS_NOT_ENABLED");
    let hub = caller(&mut model, MANAGEMENT);
    model.enable_service_access(&hub, "bedrock.amazonaws.com").expect("the management account may");
    attach(&mut model, &id, "r-exam").expect("now it is trusted");
}

#[tokio::test]
async fn changes_may_be_in_progress() {
    let (simulator, hub) = start(Switches::default()).await;
    simulator.with(|model| {
        model.settings.policy_changes_seconds = 5;
        model.settings.policy_type_seconds = 60;
        put(model, "p-there1234", enforcing("1"), &[]);
    });
    let about = |target: &str| json!({ "PolicyId": "p-there1234", "TargetId": target });
    assert_eq!(hub.organizations("AttachPolicy", about("r-exam")).await.status, 200);
    let busy = hub.organizations("AttachPolicy", about(WORKLOAD)).await;
    assert_eq!(busy.code(), "PolicyChangesInProgressException");
    simulator.with(|model| model.clock.advance(std::time::Duration::from_secs(5)));
    let of_type = json!({ "RootId": "r-exam", "PolicyType": KIND });
    let root = hub.organizations("DisablePolicyType", of_type.clone()).await.json();
    assert_eq!(root["Root"]["PolicyTypes"][1]["Status"], "PENDING_DISABLE");
    simulator.with(|model| model.clock.advance(std::time::Duration::from_secs(60)));
    let root = hub.organizations("EnablePolicyType", of_type).await.json();
    assert_eq!(root["Root"]["PolicyTypes"][1]["Status"], "PENDING_ENABLE");
    simulator.with(|model| model.clock.advance(std::time::Duration::from_secs(5)));
    assert_eq!(
        hub.organizations("AttachPolicy", about("r-exam")).await.code(),
        "PolicyChangesInProgressException"
    );
    simulator.with(|model| model.clock.advance(std::time::Duration::from_secs(60)));
    assert_eq!(hub.organizations("AttachPolicy", about("r-exam")).await.status, 200);
    simulator.stop().await;
}

#[tokio::test]
async fn service_control_policies_are_shown_and_not_written() {
    let mut world = crate::organized::world();
    world.control_policies = vec![
        simulator::ControlPolicy {
            id: "p-FullAWSAccess".to_owned(),
            name: "FullAWSAccess".to_owned(),
            content: "{}".to_owned(),
            targets: vec!["r-exam".to_owned()],
            of_aws: true,
        },
        simulator::ControlPolicy {
            id: "p-control12".to_owned(),
            name: "control".to_owned(),
            content: "{}".to_owned(),
            targets: vec!["r-exam".to_owned()],
            of_aws: false,
        },
    ];
    let simulator = simulator::Server::start(world, simulator::Options::default()).await.expect("a world");
    let hub = Client::new(&simulator, MANAGEMENT);
    let of_root = |kind: &str| json!({ "TargetId": "r-exam", "Filter": kind });
    let listed = hub.organizations("ListPoliciesForTarget", of_root("SERVICE_CONTROL_POLICY")).await.json();
    assert_eq!(listed["Policies"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        listed["Policies"][0]["Arn"],
        "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
    );
    assert_eq!(hub.organizations("ListPoliciesForTarget", of_root(KIND)).await.json()["Policies"], json!([]));
    let of_aws = hub.organizations("DeletePolicy", json!({ "PolicyId": "p-FullAWSAccess" })).await;
    assert_eq!(of_aws.json()["Reason"], "IMMUTABLE_POLICY");
    let other = json!({ "PolicyId": "p-control12", "TargetId": PLAYGROUND });
    assert_eq!(hub.organizations("AttachPolicy", other).await.code(), "UnknownOperationException");
    simulator.stop().await;
}

#[test]
fn a_guardrail_that_the_organization_enforces_stays() {
    let mut model = model();
    put(&mut model, "p-there1234", enforcing("1"), &["r-exam"]);
    let hub = caller(&mut model, MANAGEMENT);
    let in_use = |error: simulator::ApiError| assert_eq!(error.code, "ResourceInUseException");
    in_use(model.delete_guardrail_as(&hub, ARN, None).expect_err("it is enforced"));
    model.switches.delete_organization_version = simulator::Answer::Refused;
    in_use(model.delete_guardrail_as(&hub, ARN, Some("1")).expect_err("so is the version"));
    model.delete_guardrail_as(&hub, ARN, Some("2")).expect("nobody enforces this one");
    model.switches.delete_organization_version = simulator::Answer::Accepted;
    model.delete_guardrail_as(&hub, ARN, Some("1")).expect("nobody looks");
}
