//! What a client gets to see that sends something wrong.

use serde_json::{Value, json};

use crate::client::{Client, GUARDRAIL, MANAGEMENT, MEMBER, OWNER, encode, start};

#[tokio::test]
async fn inputs_are_held_to_the_service_models() {
    let simulator = start().await;
    let owner = Client::new(&simulator, OWNER);
    let missing =
        owner.rest("POST", "/guardrails", json!({ "name": "a b", "blockedInputMessaging": "x" })).await;
    assert_eq!((missing.status, missing.code().as_str()), (400, "ValidationException"));
    let message = missing.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.starts_with("2 validation errors detected"), "{message}");
    assert!(message.contains("Value null at 'blockedOutputsMessaging'"), "{message}");
    assert!(message.contains("Value 'a b' at 'name'"), "{message}");
    let model_ids = json!({ "guardrailInferenceConfig": {
        "guardrailIdentifier": GUARDRAIL, "guardrailVersion": "1",
        "modelEnforcement": { "includedModels": ["us.anthropic.claude-sonnet-4-20250514-v1:0"], "excludedModels": [] },
    } });
    let member = Client::new(&simulator, MEMBER);
    let refused = member.rest("PUT", "/enforcedGuardrailsConfiguration", model_ids).await;
    assert_eq!(refused.code(), "ValidationException", "an inference profile's id is not a model's");
    let hub = Client::new(&simulator, MANAGEMENT);
    let organizations = hub.organizations("DescribeAccount", json!({ "AccountId": "12" })).await;
    assert_eq!(organizations.json()["Reason"], "INVALID_PATTERN");
    let sts = hub.sts("Action=AssumeRole&RoleArn=arn:aws:iam::300000000001:role/R").await;
    assert_eq!((sts.status, sts.code().as_str()), (400, "ValidationError"));
    let wrong_type =
        owner.rest("POST", "/resource-policy", json!({ "resourceArn": 1, "resourcePolicy": "x" })).await;
    assert_eq!(wrong_type.code(), "SerializationException");
    simulator.stop().await;
}

#[tokio::test]
async fn what_is_not_modelled_is_refused_and_recorded() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    let rest = hub.rest("GET", "/custom-models", Value::Null).await;
    assert_eq!((rest.status, rest.code().as_str()), (404, "UnknownOperationException"));
    let json = hub.organizations("DeleteOrganizationalUnit", json!({})).await;
    assert_eq!((json.status, json.code().as_str()), (400, "UnknownOperationException"));
    assert_eq!(hub.sts("Action=GetSessionToken").await.code(), "InvalidAction");
    let other = hub.service("kinesis", "Kinesis_20131202.ListStreams").await;
    assert_eq!(other.code(), "UnknownOperationException", "a service that isn't modelled at all");
    assert!(simulator.calls().iter().all(|call| !call.write), "none of them could change anything");
    let calls: Vec<_> = simulator.calls().into_iter().map(|call| (call.service, call.operation)).collect();
    let seen = |service: &str, operation: &str| (service.to_owned(), operation.to_owned());
    assert_eq!(
        calls,
        [
            seen("bedrock", "GET /custom-models"),
            seen("organizations", "DeleteOrganizationalUnit"),
            seen("sts", "GetSessionToken"),
            seen("kinesis", "Kinesis_20131202.ListStreams"),
        ]
    );
    simulator.stop().await;
}

#[tokio::test]
async fn nothing_that_is_sent_takes_the_simulator_down() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"name\":{}}",
        "{\"guardrailInferenceConfig\":[]}",
        "\u{0}",
        &deep,
    ];
    let paths = [
        "/guardrails",
        "/guardrails/%00%ff%fe",
        "/guardrails/%",
        "/guardrails?maxResults=-1&nextToken=%20",
        "/guardrails?guardrailIdentifier=arn:aws:bedrock:::guardrail/",
        "/enforcedGuardrailsConfiguration",
        "/resource-policy",
        "/resource-policy/arn%3Aaws%3Abedrock",
        "/model/x/converse",
        "/model/%F0%9F%8C%B9/invoke",
        "/guardrail//version//apply",
        "//",
    ];
    for body in bodies {
        for path in paths {
            for method in ["GET", "PUT", "POST", "DELETE"] {
                let reply = member.raw(method, path, body).await;
                assert!((200..=404).contains(&reply.status), "{method} {path} {body}: {reply:?}");
            }
        }
        let hub = Client::new(&simulator, MANAGEMENT);
        assert!(hub.sts(body).await.status < 500);
    }
    assert_eq!(member.enforced().await.code(), "ResourceNotFoundException");
    simulator.stop().await;
}

#[tokio::test]
async fn answers_carry_the_headers_of_their_protocol() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    let error = member.enforced().await;
    assert_eq!(error.header("content-type"), Some("application/json"));
    assert!(error.header("x-amzn-requestid").is_some());
    assert!(
        error.header("x-amzn-errortype").is_some_and(|code| code.starts_with("ResourceNotFoundException:"))
    );
    let hub = Client::new(&simulator, MANAGEMENT);
    let organization = hub.organizations("DescribeOrganization", json!({})).await;
    assert_eq!(organization.header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(hub.sts("Action=GetCallerIdentity").await.header("content-type"), Some("text/xml"));
    simulator.stop().await;
}

#[tokio::test]
async fn the_life_of_a_guardrail() {
    let simulator = start().await;
    let owner = Client::new(&simulator, OWNER);
    let content = json!({
        "name": "second", "blockedInputMessaging": "no", "blockedOutputsMessaging": "no",
        "wordPolicyConfig": { "wordsConfig": [{ "text": "rosebud" }] },
        "tags": [{ "key": "team", "value": "security" }],
    });
    let made = owner.rest("POST", "/guardrails", content.clone()).await;
    assert_eq!((made.status, made.json()["version"].clone()), (202, "DRAFT".into()));
    assert_eq!(
        owner.rest("POST", "/guardrails", content.clone()).await.code(),
        "ConflictException",
        "names are unique"
    );
    let arn = made.json()["guardrailArn"].as_str().expect("an ARN").to_owned();
    let path = format!("/guardrails/{}", encode(&arn));
    let version = owner.rest("POST", &path, json!({ "description": "first" })).await;
    assert_eq!((version.status, version.json()["version"].clone()), (202, "1".into()));
    let mut changed = content;
    changed["wordPolicyConfig"]["wordsConfig"][0]["text"] = "daffodil".into();
    assert_eq!(owner.rest("PUT", &path, changed).await.status, 202);
    let word = |shown: Value| shown["wordPolicy"]["words"][0]["text"].clone();
    assert_eq!(word(owner.rest("GET", &path, Value::Null).await.json()), "daffodil");
    let first = owner.rest("GET", &format!("{path}?guardrailVersion=1"), Value::Null).await.json();
    assert_eq!((word(first.clone()), first["description"].clone()), ("rosebud".into(), "first".into()));
    let all = owner
        .rest("GET", &format!("/guardrails?guardrailIdentifier={}", encode(&arn)), Value::Null)
        .await
        .json();
    assert_eq!(all["guardrails"].as_array().map(Vec::len), Some(2), "the draft and a version");
    let tags = owner.rest("POST", "/listTagsForResource", json!({ "resourceARN": arn })).await.json();
    assert_eq!(tags["tags"], json!([{ "key": "team", "value": "security" }]));
    assert_eq!(owner.rest("DELETE", &path, Value::Null).await.status, 202);
    assert_eq!(owner.rest("GET", &path, Value::Null).await.code(), "ResourceNotFoundException");
    simulator.stop().await;
}

#[tokio::test]
async fn a_version_takes_its_time_and_can_fail() {
    let simulator = start().await;
    simulator.with(|model| model.settings.version_seconds = 30);
    let owner = Client::new(&simulator, OWNER);
    owner.rest("POST", "/guardrails/usbase1a2b3c", json!({})).await;
    let status = || async {
        let path = "/guardrails/usbase1a2b3c?guardrailVersion=3";
        owner.rest("GET", path, Value::Null).await.json()["status"].clone()
    };
    assert_eq!(status().await, "CREATING");
    assert_eq!(owner.enforce("usbase1a2b3c", "3", None).await.code(), "ValidationException");
    simulator.with(|model| model.clock.advance(std::time::Duration::from_secs(30)));
    assert_eq!(status().await, "READY");
    let name = simulator::GuardrailName::from_arn(GUARDRAIL).expect("an ARN");
    simulator.with(|model| model.fail_guardrail(&name, Some(3), "out of luck")).expect("it exists");
    assert_eq!(status().await, "FAILED");
    simulator.stop().await;
}

#[tokio::test]
async fn an_automated_reasoning_policy_breaks_calls_once_enforced() {
    let simulator = start().await;
    let owner = Client::new(&simulator, OWNER);
    let content = json!({
        "name": "reasoning", "blockedInputMessaging": "no", "blockedOutputsMessaging": "no",
        "automatedReasoningPolicyConfig": {
            "policies": ["arn:aws:bedrock:us-east-1:222222222222:automated-reasoning-policy/abcdefghijkl"],
        },
    });
    let made = owner.rest("POST", "/guardrails", content).await;
    let id = made.json()["guardrailId"].as_str().expect("an id").to_owned();
    owner.rest("POST", &format!("/guardrails/{id}"), json!({})).await;
    assert_eq!(owner.enforce(&id, "1", None).await.status, 200, "Put doesn't mind");
    assert_eq!(owner.converse("amazon.nova-pro-v1:0", "hello").await.code(), "ValidationException");
    simulator.stop().await;
}
