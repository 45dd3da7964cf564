//! Resource policies: what is accepted, and whom they let in.

use serde_json::{Value, json};
use simulator::{Answer, Key, KeyState, ServiceControl};

use crate::client::{Client, GUARDRAIL, MEMBER, OWNER, encode, start};

fn policy(conditions: &Value) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["bedrock:GetGuardrail", "bedrock:ApplyGuardrail"],
            "Resource": GUARDRAIL,
            "Condition": conditions,
        }],
    })
    .to_string()
}

async fn put(owner: &Client, policy: &str) -> crate::client::Reply {
    let body = json!({ "resourceArn": GUARDRAIL, "resourcePolicy": policy });
    owner.rest("POST", "/resource-policy", body).await
}

#[tokio::test]
async fn the_life_of_a_policy() {
    let simulator = start().await;
    let owner = Client::new(&simulator, OWNER);
    let path = format!("/resource-policy/{}", encode(GUARDRAIL));
    assert_eq!(owner.rest("DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(owner.rest("GET", &path, Value::Null).await.code(), "ResourceNotFoundException");
    let text = policy(&json!({ "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" } }));
    let stored = put(&owner, &text).await;
    assert_eq!((stored.status, stored.json()["resourceArn"].clone()), (201, GUARDRAIL.into()));
    assert_eq!(owner.rest("GET", &path, Value::Null).await.json()["resourcePolicy"], text.as_str());
    assert_eq!(put(&owner, "{}").await.code(), "ValidationException");
    let member = Client::new(&simulator, MEMBER);
    assert_eq!(put(&member, &text).await.code(), "AccessDeniedException", "only the owner writes it");
    simulator.stop().await;
}

#[tokio::test]
async fn a_policy_for_units_follows_the_account_that_moves() {
    let simulator = start().await;
    let (owner, member) = (Client::new(&simulator, OWNER), Client::new(&simulator, MEMBER));
    let conditions = json!({
        "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" },
        "ForAnyValue:StringLike": { "aws:PrincipalOrgPaths": ["o-exampleorgid/*/ou-exam-workload/*"] },
    });
    assert_eq!(put(&owner, &policy(&conditions)).await.status, 201);
    assert_eq!(member.apply(GUARDRAIL, "1", "hello").await.status, 200);
    simulator.with(|model| model.move_account(MEMBER, "ou-exam-sandbox1")).expect("it can be moved");
    assert_eq!(member.apply(GUARDRAIL, "1", "hello").await.code(), "AccessDeniedException");
    simulator.stop().await;
}

#[tokio::test]
async fn an_account_that_left_is_cut_off() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    assert_eq!(member.enforce(GUARDRAIL, "1", None).await.status, 200);
    simulator.with(|model| model.remove(MEMBER)).expect("it can be removed");
    assert_eq!(member.enforced().await.status, 200, "what is enforced stays");
    assert_eq!(member.converse("amazon.nova-pro-v1:0", "hello").await.code(), "AccessDeniedException");
    simulator.stop().await;
}

#[tokio::test]
async fn a_member_reads_a_foreign_guardrail_only_if_it_is_shared() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    let path = format!("/guardrails/{}?guardrailVersion=2", encode(GUARDRAIL));
    assert_eq!(member.rest("GET", &path, Value::Null).await.json()["version"], "2");
    simulator.with(|model| model.set_resource_policy(GUARDRAIL, None)).expect("a guardrail");
    assert_eq!(member.rest("GET", &path, Value::Null).await.code(), "AccessDeniedException");
    assert_eq!(member.enforce(GUARDRAIL, "1", None).await.status, 200, "Put doesn't look");
    simulator.with(|model| model.switches.put_without_grant = Answer::Refused);
    let config_id = member.enforced().await.json()["guardrailsConfig"][0]["configId"].clone();
    let reply = member.enforce(GUARDRAIL, "1", config_id.as_str()).await;
    assert_eq!(reply.code(), "AccessDeniedException", "unless that is switched on");
    simulator.stop().await;
}

#[tokio::test]
async fn a_guardrail_that_crosses_regions_needs_a_policy_on_its_profile() {
    let simulator = start().await;
    let (owner, member) = (Client::new(&simulator, OWNER), Client::new(&simulator, MEMBER));
    let content = json!({
        "name": "crossing", "blockedInputMessaging": "no", "blockedOutputsMessaging": "no",
        "wordPolicyConfig": { "wordsConfig": [{ "text": "rosebud" }] },
        "crossRegionConfig": { "guardrailProfileIdentifier": "us.guardrail.v1:0" },
    });
    let made = owner.rest("POST", "/guardrails", content).await.json();
    let arn = made["guardrailArn"].as_str().expect("an ARN");
    let share = |resource: &str| {
        let text = policy(&json!({ "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" } }));
        text.replace(GUARDRAIL, resource)
    };
    simulator.with(|model| model.set_resource_policy(arn, Some(&share(arn)))).expect("a guardrail");
    assert_eq!(owner.apply(arn, "DRAFT", "hello").await.status, 200, "the owner needs none");
    let denied = member.apply(arn, "DRAFT", "hello").await;
    assert!(denied.text.contains(":guardrail-profile/us.guardrail.v1:0"), "{denied:?}");
    let profile = "arn:aws:bedrock:us-east-1:222222222222:guardrail-profile/us.guardrail.v1:0";
    simulator.with(|model| model.set_resource_policy(profile, Some(&share(profile)))).expect("a profile");
    assert_eq!(member.apply(arn, "DRAFT", "hello").await.status, 200);
    simulator.stop().await;
}

#[tokio::test]
async fn a_guardrail_with_a_customer_managed_key_needs_the_key_too() {
    const ID: &str = "11111111-2222-4333-8444-555555555555";
    let simulator = start().await;
    let (owner, member) = (Client::new(&simulator, OWNER), Client::new(&simulator, MEMBER));
    let content = json!({
        "name": "encrypted", "blockedInputMessaging": "no", "blockedOutputsMessaging": "no",
        "wordPolicyConfig": { "wordsConfig": [{ "text": "rosebud" }] }, "kmsKeyId": ID,
    });
    let made = owner.rest("POST", "/guardrails", content).await.json();
    let arn = made["guardrailArn"].as_str().expect("an ARN");
    let share = policy(&json!({ "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" } }));
    let share = share.replace(GUARDRAIL, arn);
    simulator.with(|model| model.set_resource_policy(arn, Some(&share))).expect("a guardrail");
    assert_eq!(member.apply(arn, "DRAFT", "hello").await.status, 200, "a key that nobody knows");

    let key = |state, policy| Key {
        account: OWNER.to_owned(),
        region: "us-east-1".to_owned(),
        id: ID.to_owned(),
        state,
        policy,
    };
    simulator.with(|model| model.put_key(key(KeyState::Enabled, None)));
    assert_eq!(owner.apply(arn, "DRAFT", "hello").await.status, 200, "its own account's IAM decides");
    let denied = member.apply(arn, "DRAFT", "hello").await;
    assert_eq!(denied.code(), "AccessDeniedException");
    assert!(denied.text.contains("kms:Decrypt"), "{denied:?}");

    let admits = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{OWNER}:root") }, "Action": "kms:*",
          "Resource": "*" },
        { "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
          "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" } } },
    ]});
    simulator.with(|model| model.put_key(key(KeyState::Enabled, Some(admits.clone()))));
    assert_eq!(member.apply(arn, "DRAFT", "hello").await.status, 200);
    simulator.with(|model| model.switches.customer_key_across_accounts = Answer::Refused);
    assert_eq!(member.apply(arn, "DRAFT", "hello").await.code(), "AccessDeniedException");
    assert_eq!(owner.apply(arn, "DRAFT", "hello").await.status, 200, "within one account nothing changes");
    simulator.with(|model| model.switches.customer_key_across_accounts = Answer::Accepted);
    simulator.with(|model| model.put_key(key(KeyState::Disabled, Some(admits))));
    assert_eq!(member.apply(arn, "DRAFT", "hello").await.code(), "ValidationException");
    simulator.stop().await;
}

#[tokio::test]
async fn a_service_control_policy_binds_everybody_it_doesnt_spare() {
    let simulator = start().await;
    simulator.with(|model| {
        model.organization.service_control.push(ServiceControl {
            targets: vec!["ou-exam-workload".to_owned()],
            deny: vec!["bedrock:PutEnforcedGuardrailConfiguration".to_owned()],
            except: vec!["arn:aws:iam::*:role/GuardrailKeeperMember".to_owned()],
            regions: Vec::new(),
        });
    });
    let denied = Client::new(&simulator, MEMBER).enforce(GUARDRAIL, "1", None).await;
    assert_eq!(denied.code(), "AccessDeniedException");
    assert!(denied.text.contains("explicit deny in a service control policy"), "{denied:?}");
    let hub = Client::new(&simulator, crate::client::MANAGEMENT);
    let keeper = hub.assume(&format!("arn:aws:iam::{MEMBER}:role/GuardrailKeeperMember")).await;
    assert_eq!(keeper.enforce(GUARDRAIL, "1", None).await.status, 200);
    simulator.stop().await;
}
