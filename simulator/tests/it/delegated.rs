//! Who may read and write policies of the organization: the management account, and whom its delegation policy admits.

use serde_json::{Value, json};
use simulator::{Permissions, Role, Statement, Switches};

use crate::client::{Client, MANAGEMENT, MEMBER, OWNER};
use crate::organized::{PLAYGROUND, WORKLOAD, enforcing, put, start};

const KIND: &str = "BEDROCK_POLICY";

fn delegation(actions: &[&str], condition: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Bedrock", "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{OWNER}:root") },
        "Action": actions, "Resource": "*", "Condition": condition,
    }] })
    .to_string()
}

fn only(kind: &str) -> Value {
    json!({ "StringEquals": { "organizations:PolicyType": kind } })
}

fn create(name: &str) -> Value {
    json!({ "Name": name, "Description": "", "Type": KIND, "Content": enforcing("1").to_string() })
}

#[tokio::test]
async fn a_member_needs_the_delegation_policy() {
    let (simulator, hub) = start(Switches::default()).await;
    simulator.with(|model| put(model, "p-there1234", enforcing("1"), &[]));
    let delegate = Client::new(&simulator, OWNER);
    let about = json!({ "PolicyId": "p-there1234", "TargetId": WORKLOAD });
    for (operation, input) in [
        ("CreatePolicy", create("one")),
        ("AttachPolicy", about.clone()),
        ("DescribePolicy", json!({ "PolicyId": "p-there1234" })),
        ("ListPolicies", json!({ "Filter": KIND })),
        ("ListTargetsForPolicy", json!({ "PolicyId": "p-there1234" })),
        ("ListAccountsWithInvalidEffectivePolicy", json!({ "PolicyType": KIND })),
        ("DescribeResourcePolicy", json!({})),
        ("PutResourcePolicy", json!({ "Content": "{}" })),
        ("EnablePolicyType", json!({ "RootId": "r-exam", "PolicyType": KIND })),
    ] {
        let refused = delegate.organizations(operation, input).await;
        assert_eq!(refused.code(), "AccessDeniedException", "{operation}");
    }
    let actions = ["organizations:*"];
    let another = delegation(&actions, &only("TAG_POLICY"));
    assert_eq!(hub.organizations("PutResourcePolicy", json!({ "Content": another })).await.status, 200);
    assert_eq!(delegate.organizations("CreatePolicy", create("one")).await.code(), "AccessDeniedException");
    let content = delegation(&actions, &only(KIND));
    let put = hub.organizations("PutResourcePolicy", json!({ "Content": content })).await.json();
    let summary = &put["ResourcePolicy"]["ResourcePolicySummary"];
    let id = summary["Id"].as_str().expect("an id").to_owned();
    assert_eq!(
        summary["Arn"],
        format!("arn:aws:organizations::111111111111:resourcepolicy/o-exampleorgid/{id}")
    );
    assert_eq!(delegate.organizations("CreatePolicy", create("one")).await.status, 200);
    assert_eq!(delegate.organizations("AttachPolicy", about).await.status, 200, "also one that others made");
    let tag = json!({ "ResourceId": "p-there1234", "Tags": [{ "Key": "a", "Value": "b" }] });
    assert_eq!(delegate.organizations("TagResource", tag).await.status, 200);
    let other = json!({ "PolicyType": KIND, "TargetId": MEMBER });
    assert_eq!(delegate.organizations("DescribeEffectivePolicy", other.clone()).await.status, 200);
    let third = Client::new(&simulator, PLAYGROUND);
    assert_eq!(third.organizations("DescribeEffectivePolicy", other).await.code(), "AccessDeniedException");
    let roots = delegate.organizations("ListRoots", json!({})).await;
    assert_eq!(roots.code(), "AccessDeniedException", "a root has no type of policy");
    let if_exists = json!({ "StringLikeIfExists": { "organizations:PolicyType": "BEDROCK_*" } });
    let content = delegation(&actions, &if_exists);
    let replaced = hub.organizations("PutResourcePolicy", json!({ "Content": content })).await.json();
    assert_eq!(
        replaced["ResourcePolicy"]["ResourcePolicySummary"]["Id"],
        id.as_str(),
        "it stays the same policy"
    );
    assert_eq!(delegate.organizations("ListRoots", json!({})).await.status, 200);
    assert_eq!(hub.organizations("DeleteResourcePolicy", json!({})).await.status, 200);
    assert_eq!(delegate.organizations("CreatePolicy", create("two")).await.code(), "AccessDeniedException");
    let gone = hub.organizations("DescribeResourcePolicy", json!({})).await;
    assert_eq!(gone.code(), "ResourcePolicyNotFoundException");
    simulator.stop().await;
}

#[tokio::test]
async fn a_statement_that_denies_wins() {
    let (simulator, hub) = start(Switches::default()).await;
    let mut document: Value =
        serde_json::from_str(&delegation(&["organizations:*"], &only(KIND))).expect("JSON");
    let mut denial = document["Statement"][0].clone();
    denial["Effect"] = "Deny".into();
    denial["Action"] = "organizations:CreatePolicy".into();
    document["Statement"].as_array_mut().expect("a list").insert(0, denial);
    hub.organizations("PutResourcePolicy", json!({ "Content": document.to_string() })).await;
    let delegate = Client::new(&simulator, OWNER);
    assert_eq!(delegate.organizations("CreatePolicy", create("one")).await.code(), "AccessDeniedException");
    assert_eq!(delegate.organizations("ListPolicies", json!({ "Filter": KIND })).await.status, 200);
    simulator.stop().await;
}

/// Attaching is about the policy and about what it is attached to; creating is about nothing that there is.
#[tokio::test]
async fn a_delegation_may_be_limited_to_resources() {
    let (simulator, hub) = start(Switches::default()).await;
    simulator.with(|model| put(model, "p-there1234", enforcing("1"), &[]));
    let mut document: Value =
        serde_json::from_str(&delegation(&["organizations:*"], &only(KIND))).expect("JSON");
    let policies = "arn:aws:organizations::111111111111:policy/o-exampleorgid/bedrock_policy/*";
    document["Statement"][0]["Resource"] = json!([policies]);
    hub.organizations("PutResourcePolicy", json!({ "Content": document.to_string() })).await;
    let delegate = Client::new(&simulator, OWNER);
    let rename = json!({ "PolicyId": "p-there1234", "Name": "another" });
    assert_eq!(delegate.organizations("UpdatePolicy", rename).await.status, 200);
    let about = |target: &str| json!({ "PolicyId": "p-there1234", "TargetId": target });
    assert_eq!(delegate.organizations("AttachPolicy", about(WORKLOAD)).await.code(), "AccessDeniedException");
    assert_eq!(delegate.organizations("CreatePolicy", create("one")).await.code(), "AccessDeniedException");
    let unit = "arn:aws:organizations::111111111111:ou/o-exampleorgid/ou-exam-workload";
    document["Statement"][0]["Resource"] = json!([policies, unit]);
    hub.organizations("PutResourcePolicy", json!({ "Content": document.to_string() })).await;
    assert_eq!(delegate.organizations("AttachPolicy", about(WORKLOAD)).await.status, 200);
    assert_eq!(delegate.organizations("AttachPolicy", about("r-exam")).await.code(), "AccessDeniedException");
    simulator.stop().await;
}

#[tokio::test]
async fn what_is_no_delegation_policy_is_refused() {
    let (simulator, hub) = start(Switches::default()).await;
    let good: Value =
        serde_json::from_str(&delegation(&["organizations:ListPolicies"], &only(KIND))).expect("JSON");
    let changed = |change: fn(&mut Value)| {
        let mut document = good.clone();
        change(&mut document["Statement"][0]);
        document.to_string()
    };
    for (content, reason) in [
        ("{".to_owned(), "INVALID_RESOURCE_POLICY_JSON"),
        ("{}".to_owned(), "INVALID_RESOURCE_POLICY_JSON"),
        (changed(|statement| statement["Effect"] = "Maybe".into()), "INVALID_RESOURCE_POLICY_JSON"),
        (
            changed(|statement| {
                statement.as_object_mut().expect("an object").remove("Action");
                statement["NotAction"] = "organizations:ListRoots".into();
            }),
            "INVALID_RESOURCE_POLICY_JSON",
        ),
        (
            changed(|statement| statement["Action"] = "iam:GetRole".into()),
            "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY",
        ),
        (changed(|statement| statement["Principal"] = json!({ "AWS": "999999999999" })), "INVALID_PRINCIPAL"),
        ("x".repeat(40_001), "MAX_LENGTH_EXCEEDED"),
    ] {
        let refused = hub.organizations("PutResourcePolicy", json!({ "Content": content })).await;
        assert_eq!(refused.json()["Reason"], reason, "{refused:?}");
    }
    simulator.stop().await;
}

/// A role of the management account, limited as the one that a template makes.
#[tokio::test]
async fn a_roles_permissions_may_be_limited_to_a_type() {
    let mut world = crate::organized::world();
    let limited = |policy_type: &str| Role {
        name: policy_type.to_owned(),
        permissions: Permissions {
            allow: vec![Statement {
                actions: vec!["organizations:*Policy".to_owned(), "organizations:ListPolicies".to_owned()],
                policy_type: Some(policy_type.to_owned()),
                ..Statement::default()
            }],
            ..Permissions::default()
        },
        ..Role::default()
    };
    world.accounts[0].roles.extend([limited(KIND), limited("TAG_POLICY")]);
    let simulator = simulator::Server::start(world, simulator::Options::default()).await.expect("a world");
    let of_role =
        |role: &str| Client::new(&simulator, MANAGEMENT).key(&format!("SIM{MANAGEMENT}_{role}"), None);
    let (ours, other) = (of_role(KIND), of_role("TAG_POLICY"));
    let made = ours.organizations("CreatePolicy", create("one")).await.json();
    let id = &made["Policy"]["PolicySummary"]["Id"];
    let about = json!({ "PolicyId": id, "TargetId": WORKLOAD });
    assert_eq!(other.organizations("AttachPolicy", about.clone()).await.code(), "AccessDeniedException");
    assert_eq!(ours.organizations("AttachPolicy", about).await.status, 200);
    let effective = json!({ "PolicyType": KIND, "TargetId": MEMBER });
    assert_eq!(
        other.organizations("DescribeEffectivePolicy", effective.clone()).await.code(),
        "AccessDeniedException"
    );
    assert_eq!(ours.organizations("DescribeEffectivePolicy", effective).await.status, 200);
    assert_eq!(ours.organizations("ListRoots", json!({})).await.code(), "AccessDeniedException");
    simulator.stop().await;
}

/// As the keeper's role in the management account: what somebody else made is not its to change.
#[tokio::test]
async fn a_roles_permissions_may_be_limited_to_policies_with_a_tag() {
    let mut world = crate::organized::world();
    let on = |resource: &str, tagged: Option<&str>| Statement {
        actions: vec!["organizations:AttachPolicy".to_owned()],
        resources: vec![format!("arn:aws:organizations::*:{resource}/*")],
        tagged: tagged.map(str::to_owned),
        ..Statement::default()
    };
    let role = Role {
        name: "Writer".to_owned(),
        permissions: Permissions {
            allow: vec![on("policy", Some("ours")), on("ou", None)],
            ..Permissions::default()
        },
        ..Role::default()
    };
    world.accounts[0].roles.push(role);
    let simulator = simulator::Server::start(world, simulator::Options::default()).await.expect("a world");
    let administrator = Client::new(&simulator, MANAGEMENT);
    let writer = Client::new(&simulator, MANAGEMENT).key(&format!("SIM{MANAGEMENT}_Writer"), None);
    for (key, status) in [("ours", 200), ("theirs", 400)] {
        let mut one = create(key);
        one["Tags"] = json!([{ "Key": key, "Value": "" }]);
        let made = administrator.organizations("CreatePolicy", one).await.json();
        let id = &made["Policy"]["PolicySummary"]["Id"];
        let about = json!({ "PolicyId": id, "TargetId": WORKLOAD });
        let answer = writer.organizations("AttachPolicy", about).await;
        assert_eq!(answer.status, status, "{key}: {answer:?}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_world_may_begin_with_policies_and_a_delegation() {
    let mut world = crate::organized::world();
    world.bedrock_policies_enabled = false;
    let entry = json!({
        "id": "p-example1234", "name": "one", "content": enforcing("1"), "targets": [WORKLOAD], "tags": { "a": "b" },
    });
    world.bedrock_policies = vec![serde_json::from_value(entry.clone()).expect("an entry")];
    world.delegation_policy =
        Some(serde_json::from_str(&delegation(&["organizations:ListPolicies"], &only(KIND))).expect("JSON"));
    let simulator =
        simulator::Server::start(world.clone(), simulator::Options::default()).await.expect("a world");
    let delegate = Client::new(&simulator, OWNER);
    let listed = delegate.organizations("ListPolicies", json!({ "Filter": KIND })).await.json();
    assert_eq!(listed["Policies"][0]["Id"], "p-example1234", "where there are policies the type is on");
    assert_eq!(
        simulator.with(|model| crate::organized::effective(model, MEMBER)),
        crate::organized::enforced("1")
    );
    assert!(simulator.with(|model| model.events().is_empty()), "what is there from the start isn't told");
    simulator.stop().await;
    let mut nowhere = entry;
    nowhere["targets"] = json!(["ou-exam-nowhere1"]);
    world.bedrock_policies = vec![serde_json::from_value(nowhere).expect("an entry")];
    let refused =
        simulator::Server::start(world, simulator::Options::default()).await.expect_err("no such target");
    assert!(
        refused.to_string().contains("policy p-example1234: there is no target ou-exam-nowhere1"),
        "{refused}"
    );
}
