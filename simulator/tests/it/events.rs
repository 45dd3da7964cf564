//! What AWS would deliver, where, and in which form.

use serde_json::{Value, json};
use simulator::EmittedEvent;

use crate::client::{Client, GUARDRAIL, MANAGEMENT, MEMBER, OWNER, start};

fn names(events: &[EmittedEvent]) -> Vec<String> {
    let name = |event: &EmittedEvent| event.event["detail"]["eventName"].as_str().unwrap_or("-").to_owned();
    events.iter().map(name).collect()
}

#[tokio::test]
async fn a_created_account_is_told_to_the_management_account() {
    let simulator = start().await;
    let (account, events) = simulator.with(|model| {
        let account = model.create_account("newcomer", "ou-exam-workload").expect("a unit");
        model.finish_account_creation(&account);
        (account, model.events().to_vec())
    });
    assert_eq!(names(&events), ["CreateAccountResult", "AccountJoinedOrganization", "MoveAccount"]);
    assert!(events.iter().all(|event| event.account == MANAGEMENT && event.region == "us-east-1"));
    let created = &events[0].event;
    assert_eq!(created["source"], "aws.organizations");
    assert_eq!(created["detail-type"], "AWS Service Event via CloudTrail");
    assert_eq!(
        created["detail"]["serviceEventDetails"]["createAccountStatus"]["accountId"],
        account.as_str()
    );
    assert_eq!(created["detail"]["serviceEventDetails"]["createAccountStatus"]["state"], "SUCCEEDED");
    let moved = &events[2].event;
    assert_eq!(moved["detail-type"], "AWS API Call via CloudTrail");
    assert_eq!(
        moved["detail"]["requestParameters"],
        json!({ "accountId": account, "sourceParentId": "r-exam", "destinationParentId": "ou-exam-workload" })
    );
    assert_eq!(moved["detail"]["responseElements"], Value::Null);
    simulator.stop().await;
}

#[tokio::test]
async fn an_enforcement_is_told_on_the_bus_of_its_account_and_region() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    let role = hub.assume(&format!("arn:aws:iam::{MEMBER}:role/GuardrailKeeperMember")).await;
    role.region("us-east-1").enforce(GUARDRAIL, "2", None).await;
    let events = simulator.with(|model| model.events().to_vec());
    let [event] = events.as_slice() else { panic!("one event: {events:?}") };
    assert_eq!((event.account.as_str(), event.region.as_str()), (MEMBER, "us-east-1"));
    let detail = &event.event["detail"];
    assert_eq!(event.event["source"], "aws.bedrock");
    assert_eq!(detail["eventSource"], "bedrock.amazonaws.com");
    assert_eq!(detail["requestParameters"]["guardrailInferenceConfig"]["guardrailVersion"], "2");
    assert_eq!(
        detail["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"],
        format!("arn:aws:iam::{MEMBER}:role/GuardrailKeeperMember")
    );
    simulator.stop().await;
}

#[tokio::test]
async fn refused_writes_are_told_with_their_error_and_reads_are_not_told() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    member.enforced().await;
    member.enforce(GUARDRAIL, "9", None).await;
    let events = simulator.with(|model| model.events().to_vec());
    assert_eq!(names(&events), ["PutEnforcedGuardrailConfiguration"]);
    assert_eq!(events[0].event["detail"]["errorCode"], "ResourceNotFoundException");
    assert_eq!(events[0].event["detail"]["responseElements"], Value::Null);
    simulator.stop().await;
}

#[tokio::test]
async fn a_departure_and_a_closure_are_told() {
    let simulator = start().await;
    simulator.with(|model| {
        model.remove("300000000002").expect("it can be removed");
        model.leave("300000000003").expect("it can leave");
        model.close("300000000004").expect("it can be closed");
    });
    let events = simulator.with(|model| model.events().to_vec());
    assert_eq!(
        names(&events),
        [
            "RemoveAccountFromOrganization",
            "AccountDepartedOrganization",
            "LeaveOrganization",
            "AccountDepartedOrganization",
            "CloseAccount",
            "CloseAccountResult",
        ]
    );
    let method =
        |index: usize| events[index].event["detail"]["serviceEventDetails"]["departureMethod"].clone();
    assert_eq!((method(1), method(3)), ("REMOVED".into(), "LEFT".into()));
    assert_eq!(events[2].account, "300000000003", "a member's own call is on the member's bus");
    simulator.stop().await;
}

#[tokio::test]
async fn a_parameter_tells_eventbridge_itself() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    let put = |value: String, more: Value| {
        let hub = hub.clone();
        async move {
            let mut body = json!({ "Name": "/keeper/baseline", "Value": value, "Type": "String" });
            body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            hub.ssm("PutParameter", body).await
        }
    };
    assert_eq!(put("one".to_owned(), json!({})).await.json(), json!({ "Version": 1, "Tier": "Standard" }));
    assert_eq!(put("two".to_owned(), json!({})).await.code(), "ParameterAlreadyExists");
    let large = "x".repeat(5000);
    assert_eq!(put(large.clone(), json!({ "Overwrite": true })).await.code(), "ValidationException");
    let advanced = put(large, json!({ "Overwrite": true, "Tier": "Advanced" })).await;
    assert_eq!(advanced.json(), json!({ "Version": 2, "Tier": "Advanced" }));
    let first = hub.ssm("GetParameter", json!({ "Name": "/keeper/baseline:1" })).await.json();
    assert_eq!(
        (first["Parameter"]["Value"].clone(), first["Parameter"]["Selector"].clone()),
        ("one".into(), ":1".into())
    );
    let changes: Vec<Value> = simulator.with(|model| {
        let changes =
            model.events().iter().filter(|event| event.event["detail-type"] == "Parameter Store Change");
        changes.map(|event| event.event["detail"]["operation"].clone()).collect()
    });
    assert_eq!(changes, ["Create", "Update"]);
    simulator.stop().await;
}

#[tokio::test]
async fn the_same_world_and_seed_tell_the_same() {
    let told = || async {
        let simulator = start().await;
        Client::new(&simulator, MEMBER).enforce(GUARDRAIL, "1", None).await;
        let owner = Client::new(&simulator, OWNER);
        owner.rest("POST", "/guardrails/usbase1a2b3c", json!({})).await;
        let told = simulator.with(|model| format!("{:?}", model.events()));
        simulator.stop().await;
        told
    };
    assert_eq!(told().await, told().await);
}
