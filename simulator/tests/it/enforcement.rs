//! The life of an enforced configuration, and what it does to calls of models.

use serde_json::{Value, json};
use simulator::{Defaults, EmptyList, Enforce, OnOff, PutOverExisting, UpdatedBy};

use crate::client::{Client, GUARDRAIL, MANAGEMENT, MEMBER, OWNER, encode, start};

const MODEL: &str = "amazon.nova-pro-v1:0";

#[tokio::test]
async fn there_is_one_configuration_per_account_and_region() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    let put = member.enforce(GUARDRAIL, "1", None).await;
    assert_eq!(put.status, 200, "{put:?}");
    let config_id = put.json()["configId"].as_str().expect("a configId").to_owned();
    let replaced = member.enforce(GUARDRAIL, "2", Some(&config_id)).await;
    assert_eq!(replaced.json()["configId"], config_id.as_str(), "the configId stays");
    let listed = member.enforced().await.json();
    assert_eq!(listed["guardrailsConfig"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["guardrailsConfig"][0]["guardrailVersion"], "2");
    assert_eq!(listed["guardrailsConfig"][0]["owner"], "ACCOUNT");
    let elsewhere = member.clone().region("eu-west-1").enforced().await;
    assert_eq!((elsewhere.status, elsewhere.code().as_str()), (404, "ResourceNotFoundException"));
    let path = format!("/enforcedGuardrailsConfiguration/{config_id}");
    assert_eq!(member.rest("DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(member.rest("DELETE", &path, Value::Null).await.code(), "ResourceNotFoundException");
    simulator.stop().await;
}

#[tokio::test]
async fn put_refuses_what_cannot_be_enforced() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    for (guardrail, version, config_id, code) in [
        (GUARDRAIL, "DRAFT", None, "ValidationException"),
        (GUARDRAIL, "9", None, "ResourceNotFoundException"),
        ("nosuchid", "1", None, "ResourceNotFoundException"),
        ("arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c", "1", None, "ValidationException"),
        (GUARDRAIL, "1", Some("default"), "ResourceNotFoundException"),
    ] {
        let reply = member.enforce(guardrail, version, config_id).await;
        assert_eq!(reply.code(), code, "{guardrail} {version} {config_id:?}: {reply:?}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn the_unknowns_are_switched() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    simulator.with(|model| model.switches.empty_list = EmptyList::Empty);
    assert_eq!(member.enforced().await.json(), json!({ "guardrailsConfig": [] }));
    member.enforce(GUARDRAIL, "1", None).await;
    assert_eq!(member.enforce(GUARDRAIL, "2", None).await.code(), "ConflictException");
    simulator.with(|model| model.switches.put_over_existing = PutOverExisting::Overwrites);
    assert_eq!(member.enforce(GUARDRAIL, "2", None).await.status, 200);
    simulator.with(|model| {
        model.switches.list_defaults = Defaults::Echoed;
        model.switches.updated_by = UpdatedBy::AssumedRole;
    });
    let hub = Client::new(&simulator, MANAGEMENT);
    let role = hub.assume(&format!("arn:aws:iam::{MEMBER}:role/GuardrailKeeperMember")).await;
    let put = role.enforce(GUARDRAIL, "1", None).await.json();
    let session = "arn:aws:sts::300000000001:assumed-role/GuardrailKeeperMember/test";
    assert_eq!(put["updatedBy"], session);
    let shown = member.enforced().await.json()["guardrailsConfig"][0].clone();
    assert_eq!(
        shown["selectiveContentGuarding"],
        json!({ "system": "COMPREHENSIVE", "messages": "COMPREHENSIVE" })
    );
    assert_eq!(shown["modelEnforcement"], json!({ "includedModels": ["ALL"], "excludedModels": [] }));
    assert_eq!(shown["createdBy"], format!("arn:aws:iam::{MEMBER}:user/administrator"));
    simulator.with(|model| model.switches.cross_account_reference = simulator::Answer::Refused);
    assert_eq!(member.enforce(GUARDRAIL, "1", None).await.code(), "ValidationException");
    simulator.with(|model| model.switches.cross_account_refusal = simulator::RefusalForm::AccessDenied);
    assert_eq!(member.enforce(GUARDRAIL, "1", None).await.code(), "AccessDeniedException");
    simulator.stop().await;
}

#[tokio::test]
async fn list_shows_models_as_arns_and_other_owners_where_that_is_switched_on() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    let wanted = simulator::Enforce {
        model_enforcement: Some(simulator::ModelEnforcement {
            included_models: vec!["ALL".to_owned()],
            excluded_models: vec!["amazon.titan-embed-text-v2:0".to_owned()],
        }),
        ..simulator::Enforce::new(GUARDRAIL, "1")
    };
    simulator.with(|model| {
        model
            .put_enforcement_as(&format!("arn:aws:iam::{MEMBER}:root"), MEMBER, "us-east-1", wanted)
            .unwrap();
        model.switches.list_models = simulator::ListModels::Arns;
        model.switches.other_owners = simulator::OtherOwners::Organization;
    });
    let listed = member.enforced().await.json()["guardrailsConfig"].clone();
    let owners: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|it| it["owner"].as_str()).collect();
    assert_eq!(owners, ["ORGANIZATION", "ACCOUNT"]);
    assert_eq!(
        listed[1]["modelEnforcement"],
        json!({
            "includedModels": ["ALL"],
            "excludedModels": ["arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"],
        })
    );
    simulator.stop().await;
}

#[tokio::test]
async fn converse_shows_what_is_enforced() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    let free = member.converse(MODEL, "say tungsten-rosebud").await.json();
    assert_eq!(free["stopReason"], "end_turn");
    member.enforce(GUARDRAIL, "1", None).await;
    let blocked = member.converse(MODEL, "say tungsten-rosebud").await.json();
    assert_eq!(blocked["stopReason"], "guardrail_intervened");
    assert_eq!(blocked["output"]["message"]["content"][0]["text"], "This prompt is not allowed here.");
    let benign = member.converse(MODEL, "say hello").await.json();
    assert_eq!(benign["output"]["message"]["content"][0]["text"], "You said: say hello");
    let by_profile = member.converse(&format!("us.{MODEL}"), "say tungsten-rosebud").await.json();
    assert_eq!(by_profile["stopReason"], "guardrail_intervened", "an inference profile is its model");
    simulator.stop().await;
}

#[tokio::test]
async fn a_caller_who_may_not_apply_the_enforced_guardrail_loses_every_call() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    member.enforce(GUARDRAIL, "1", None).await;
    simulator.with(|model| {
        model.put_role(
            MEMBER,
            simulator::Role {
                name: "Application".to_owned(),
                trust: simulator::Trust {
                    principals: vec![format!("arn:aws:iam::{MEMBER}:root")],
                    ..simulator::Trust::default()
                },
                permissions: simulator::Permissions {
                    allow: vec![simulator::Statement {
                        actions: vec!["bedrock:InvokeModel".to_owned()],
                        ..simulator::Statement::default()
                    }],
                    deny: Vec::new(),
                },
                ..simulator::Role::default()
            },
        );
    });
    let application = member.assume(&format!("arn:aws:iam::{MEMBER}:role/Application")).await;
    let denied = application.converse(MODEL, "hello").await;
    assert_eq!((denied.status, denied.code().as_str()), (403, "AccessDeniedException"));
    assert!(denied.text.contains("bedrock:ApplyGuardrail"), "{denied:?}");
    // The resource policy counts as much as the caller's own permissions.
    simulator.with(|model| model.set_resource_policy(GUARDRAIL, None)).expect("a guardrail");
    assert_eq!(member.converse(MODEL, "hello").await.code(), "AccessDeniedException");
    simulator.stop().await;
}

#[tokio::test]
async fn an_excluded_model_is_untouched_and_an_embedding_model_must_be_excluded() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    let embedding = "amazon.titan-embed-text-v2:0";
    let body = json!({ "guardrailInferenceConfig": {
        "guardrailIdentifier": GUARDRAIL, "guardrailVersion": "1",
        "modelEnforcement": { "includedModels": ["ALL"], "excludedModels": [MODEL] },
    } });
    let put = member.rest("PUT", "/enforcedGuardrailsConfiguration", body).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(member.converse(MODEL, "tungsten-rosebud").await.json()["stopReason"], "end_turn");
    let embed = || async {
        let path = format!("/model/{}/invoke", encode(embedding));
        member.rest("POST", &path, json!({ "inputText": "hello" })).await
    };
    assert_eq!(embed().await.code(), "ValidationException", "embedding models don't support guardrails");
    let config_id = put.json()["configId"].clone();
    let body = json!({ "configId": config_id, "guardrailInferenceConfig": {
        "guardrailIdentifier": GUARDRAIL, "guardrailVersion": "1",
        "modelEnforcement": { "includedModels": ["ALL"], "excludedModels": [embedding] },
    } });
    assert_eq!(member.rest("PUT", "/enforcedGuardrailsConfiguration", body).await.status, 200);
    assert_eq!(embed().await.status, 200);
    simulator.stop().await;
}

#[tokio::test]
async fn an_enforced_guardrail_cannot_be_deleted_by_its_own_account() {
    let simulator = start().await;
    let owner = Client::new(&simulator, OWNER);
    let put = owner.enforce("usbase1a2b3c", "2", None).await;
    assert_eq!(put.status, 200, "{put:?}");
    for path in ["/guardrails/usbase1a2b3c", "/guardrails/usbase1a2b3c?guardrailVersion=2"] {
        assert_eq!(owner.rest("DELETE", path, Value::Null).await.code(), "ResourceInUseException", "{path}");
    }
    let unused = owner.rest("DELETE", "/guardrails/usbase1a2b3c?guardrailVersion=1", Value::Null).await;
    assert_eq!(unused.status, 202, "{unused:?}");
    simulator.stop().await;
}

#[tokio::test]
async fn enforcement_has_effect_after_the_propagation_delay() {
    let simulator = start().await;
    simulator.with(|model| {
        model.settings.propagation_seconds = 60;
        let administrator = format!("arn:aws:iam::{MEMBER}:root");
        let put = model.put_enforcement_as(&administrator, MEMBER, "us-east-1", Enforce::new(GUARDRAIL, "1"));
        put.expect("it can be enforced");
        assert!(model.enforcement(MEMBER, "us-east-1").is_some(), "it is read back at once");
        let mut say = || model.converse(&administrator, MEMBER, "us-east-1", MODEL, "tungsten-rosebud");
        assert!(!say().expect("an answer").intervened);
        model.clock.advance(std::time::Duration::from_secs(60));
        let mut say = || model.converse(&administrator, MEMBER, "us-east-1", MODEL, "tungsten-rosebud");
        assert!(say().expect("an answer").intervened);
    });
    simulator.stop().await;
}

#[tokio::test]
async fn lists_may_begin_with_an_empty_page() {
    let simulator = start().await;
    simulator.with(|model| model.switches.empty_pages = OnOff::On);
    let hub = Client::new(&simulator, MANAGEMENT);
    let (mut token, mut pages) = (Value::Null, Vec::new());
    loop {
        let request = if token.is_null() {
            json!({ "MaxResults": 3 })
        } else {
            json!({ "MaxResults": 3, "NextToken": token })
        };
        let page = hub.organizations("ListAccounts", request).await.json();
        pages.push(page["Accounts"].as_array().map_or(0, Vec::len));
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(pages, [0, 3, 3, 2]);
    let wrong = hub.organizations("ListAccounts", json!({ "NextToken": "x" })).await;
    assert_eq!(
        (wrong.code(), wrong.json()["Reason"].clone()),
        ("InvalidInputException".into(), "INVALID_NEXT_TOKEN".into())
    );
    simulator.stop().await;
}

#[tokio::test]
async fn a_version_can_be_made_to_intervene_on_any_text() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    let name = simulator::GuardrailName::from_arn(GUARDRAIL).expect("an ARN");
    simulator.with(|model| model.block_everything(&name, Some("2"))).expect("a version");
    for (version, reason) in [("1", "end_turn"), ("2", "guardrail_intervened")] {
        let configured = member.enforced().await.json();
        let config_id = configured["guardrailsConfig"][0]["configId"].as_str().map(str::to_owned);
        member.enforce(GUARDRAIL, version, config_id.as_deref()).await;
        assert_eq!(member.converse(MODEL, "Hello.").await.json()["stopReason"], reason, "{version}");
    }
    simulator.stop().await;
}
