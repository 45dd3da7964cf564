//! What EventBridge delivers of the organization's policies (organization-policies §1.9).

use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Model, Switches};

use crate::client::{Client, MANAGEMENT, MEMBER, OWNER};
use crate::organized::{
    PLAYGROUND, attach, create, detach, document, enforcing, model, named, put, start, update,
};

const KIND: &str = "BEDROCK_POLICY";
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// The latest event, which must be of this name; forgets all.
#[track_caller]
fn last(model: &mut Model, name: &str) -> Value {
    let event = model.events().last().expect("an event").clone();
    model.clear_events();
    assert_eq!((event.account.as_str(), event.region.as_str()), (MANAGEMENT, "us-east-1"));
    assert_eq!(event.event["source"], "aws.organizations");
    assert_eq!(event.event["detail"]["eventName"], name);
    event.event["detail"].clone()
}

#[test]
fn writes_are_told_in_the_captured_shapes() {
    let mut model = model();
    let text = enforcing("1").to_string();
    let id = create(&mut model, "baseline", &text).expect("a policy");
    let told = last(&mut model, "CreatePolicy");
    let request = json!({ "name": "baseline", "description": "", "type": KIND, "content": text });
    assert_eq!(told["requestParameters"], request, "the content is readable");
    assert_eq!(told["responseElements"]["policy"]["policySummary"]["type"], KIND);
    assert_eq!(told["responseElements"]["policy"]["content"], text);
    assert_eq!(told["readOnly"], false);
    update(&mut model, &id, &enforcing("2")).expect("a document");
    let told = last(&mut model, "UpdatePolicy");
    assert_eq!(told["requestParameters"], json!({ "policyId": id, "content": enforcing("2").to_string() }));
    assert_eq!(
        told["responseElements"]["policy"]["policySummary"]["type"], KIND,
        "only the answer has the type"
    );
    attach(&mut model, &id, "r-exam").expect("there is room");
    let told = last(&mut model, "AttachPolicy");
    assert_eq!(told["requestParameters"], json!({ "policyId": id, "targetId": "r-exam" }));
    assert_eq!(told["responseElements"], Value::Null, "no type anywhere");
    detach(&mut model, &id, "r-exam").expect("it is attached");
    let told = last(&mut model, "DetachPolicy");
    assert_eq!(
        (&told["requestParameters"]["policyId"], &told["responseElements"]),
        (&json!(id), &Value::Null)
    );
    let hub = crate::organized::caller(&mut model, MANAGEMENT);
    model.delete_policy(&hub, &id).expect("it is attached to nothing");
    assert_eq!(last(&mut model, "DeletePolicy")["requestParameters"], json!({ "policyId": id }));
    model.disable_policy_type(&hub, "r-exam", KIND).expect("it is on");
    let told = last(&mut model, "DisablePolicyType");
    assert_eq!(told["requestParameters"], json!({ "rootId": "r-exam", "policyType": KIND }));
    let types = &told["responseElements"]["root"]["policyTypes"];
    assert_eq!(types[1], json!({ "type": KIND, "status": "ENABLED" }), "as it was recorded");
    model.enable_policy_type(&hub, "r-exam", KIND).expect("it is off");
    assert_eq!(last(&mut model, "EnablePolicyType")["requestParameters"]["policyType"], KIND);
}

#[tokio::test]
async fn the_delegation_policy_is_masked_and_a_delegates_writes_are_on_its_own_bus() {
    let (simulator, hub) = start(Switches::default()).await;
    let content = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": OWNER }, "Action": "organizations:*", "Resource": "*",
    }] });
    hub.organizations("PutResourcePolicy", json!({ "Content": content.to_string() })).await;
    let told = simulator.with(|model| last(model, "PutResourcePolicy"));
    assert_eq!(told["requestParameters"], json!({ "content": HIDDEN }));
    assert_eq!(told["responseElements"]["resourcePolicy"]["content"], HIDDEN);
    let delegate = Client::new(&simulator, OWNER);
    let text = enforcing("1").to_string();
    let wanted = json!({ "Name": "one", "Description": "", "Type": KIND, "Content": text });
    assert_eq!(delegate.organizations("CreatePolicy", wanted).await.status, 200);
    let account = simulator.with(|model| model.events().last().expect("an event").account.clone());
    assert_eq!(account, OWNER);
    simulator.stop().await;
}

#[tokio::test]
async fn refused_calls_are_told_with_their_error() {
    let (simulator, hub) = start(Switches::default()).await;
    let about = json!({ "PolicyId": "p-nowhere12", "TargetId": "r-exam" });
    hub.organizations("AttachPolicy", about).await;
    let told = simulator.with(|model| last(model, "AttachPolicy"));
    assert_eq!(told["errorCode"], "PolicyNotFoundException");
    assert_eq!(told["requestParameters"], json!({ "policyId": "p-nowhere12", "targetId": "r-exam" }));
    let wanted = json!({ "Name": "one", "Description": "d", "Type": KIND, "Content": "{}" });
    hub.organizations("CreatePolicy", wanted).await;
    let told = simulator.with(|model| last(model, "CreatePolicy"));
    assert_eq!(told["errorCode"], "MalformedPolicyDocumentException");
    assert_eq!(told["requestParameters"]["name"], "one", "nothing is masked");
    hub.organizations("PutResourcePolicy", json!({ "Content": "secret" })).await;
    let told = simulator.with(|model| last(model, "PutResourcePolicy"));
    assert_eq!(told["requestParameters"], json!({ "content": HIDDEN }));
    simulator.stop().await;
}

#[test]
fn a_frozen_account_is_told_once_and_so_is_its_thaw() {
    let mut model = model();
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    put(&mut model, "p-own12345", named("config_2", json!({ "identifier": { "@@assign": "x" } })), &[]);
    assert!(model.events().is_empty(), "a valid document is not told");
    attach(&mut model, "p-own12345", PLAYGROUND).expect("there is room");
    let told = last(&mut model, "EffectivePolicyValidation");
    assert_eq!(told["eventType"], "AwsServiceEvent");
    assert_eq!(told["readOnly"], true);
    let details = &told["serviceEventDetails"];
    assert_eq!((&details["accountId"], &details["state"]), (&json!(PLAYGROUND), &json!("INVALID")));
    let error = &details["validationErrors"][0];
    assert_eq!(error["errorCode"], "ELEMENTS_TOO_MANY");
    assert_eq!(error["contributingPolicies"], json!(["p-own12345", "p-root1234"]));
    assert_eq!(error["accountPath"], format!("o-exampleorgid/r-exam/ou-exam-sandbox1/{PLAYGROUND}/"));
    update(&mut model, "p-root1234", &enforcing("2")).expect("a document");
    last(&mut model, "UpdatePolicy");
    update(&mut model, "p-own12345", &document(json!({ "identifier": { "@@assign": "x" } })))
        .expect("a document");
    let told = last(&mut model, "EffectivePolicyValidation");
    assert_eq!(told["serviceEventDetails"]["state"], "VALID");
}

#[tokio::test]
async fn two_writers_at_once_are_a_fault() {
    let (simulator, hub) = start(Switches::default()).await;
    simulator.with(|model| put(model, "p-root1234", enforcing("1"), &["r-exam"]));
    let call = json!({ "PolicyId": "p-root1234", "Name": "another" });
    for kind in [FaultKind::concurrent_modification(), FaultKind::policy_changes_in_progress()] {
        let FaultKind::Error { code, .. } = &kind else { panic!("an error: {kind:?}") };
        let code = code.clone();
        simulator.fault(Fault::new(kind).operation("UpdatePolicy").times(1));
        let refused = hub.organizations("UpdatePolicy", call.clone()).await;
        assert_eq!((refused.status, refused.code()), (400, code));
    }
    assert_eq!(hub.organizations("UpdatePolicy", call).await.status, 200);
    let about = Fault::new(FaultKind::Throttle).about("p-root1234").times(1);
    simulator.fault(about);
    let throttled = hub.organizations("DescribePolicy", json!({ "PolicyId": "p-root1234" })).await;
    assert_eq!(throttled.code(), "TooManyRequestsException");
    let member = Client::new(&simulator, MEMBER);
    assert_eq!(
        member.organizations("DescribeEffectivePolicy", json!({ "PolicyType": KIND })).await.status,
        200
    );
    simulator.stop().await;
}
