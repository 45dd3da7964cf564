//! The control API, and worlds that can't be.

use serde_json::{Value, json};
use simulator::{Options, Server, World};

use crate::client::{Client, GUARDRAIL, MANAGEMENT, MEMBER, start};

#[tokio::test]
async fn everything_can_be_seen_and_moved_over_http() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    assert_eq!(member.control("GET", "health", Value::Null).await.json()["status"], "ready");
    member.enforce(GUARDRAIL, "1", None).await;
    let state = member.control("GET", "state", Value::Null).await.json();
    let enforced = &state["accounts"][MEMBER]["regions"]["us-east-1"]["enforcement"]["value"];
    assert_eq!(enforced["guardrail_version"], "1");
    let calls = member.control("GET", "calls?since=0", Value::Null).await.json();
    assert_eq!(calls["calls"][0]["operation"], "PutEnforcedGuardrailConfiguration");
    assert_eq!(calls["calls"][0]["target"], GUARDRAIL);
    assert_eq!(calls["calls"][0]["write"], true);
    let events = member.control("GET", "events", Value::Null).await.json();
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1));
    let before = member.control("GET", "clock", Value::Null).await.json()["now"].clone();
    assert_eq!(before, "2026-11-02T09:00:00Z");
    let after = member.control("POST", "clock", json!({ "advance_seconds": 60 })).await.json()["now"].clone();
    assert_eq!(after, "2026-11-02T09:01:00Z");
    assert_eq!(member.control("GET", "nothing", Value::Null).await.status, 404);
    member.control("PUT", "switches", json!({ "empty-list": "empty" })).await;
    member.control("POST", "reset", Value::Null).await;
    assert_eq!(
        member.enforced().await.code(),
        "ResourceNotFoundException",
        "the world and its switches are back"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn faults_settings_and_accounts_are_set_over_http() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    let fault = json!({ "kind": "throttle", "operation": "ListRoots", "times": 1 });
    assert_eq!(hub.control("POST", "faults", fault).await.status, 201);
    let custom = json!({ "kind": { "error": { "code": "X", "message": "x", "status": 499 } }, "operation": "ListParents" });
    assert_eq!(hub.control("POST", "faults", custom).await.status, 201);
    assert_eq!(hub.organizations("ListRoots", json!({})).await.code(), "TooManyRequestsException");
    assert_eq!(hub.organizations("ListRoots", json!({})).await.status, 200);
    assert_eq!(hub.organizations("ListParents", json!({ "ChildId": MEMBER })).await.status, 499);
    hub.control("DELETE", "faults", Value::Null).await;
    assert_eq!(hub.organizations("ListParents", json!({ "ChildId": MEMBER })).await.status, 200);
    let unknown = hub.control("PUT", "switches", json!({ "no-such-switch": "on" })).await;
    assert_eq!(unknown.status, 400, "{unknown:?}");
    let settings = hub.control("PUT", "settings", json!({ "propagation_seconds": 5 })).await.json();
    assert_eq!(settings["propagation_seconds"], 5);
    let made = hub
        .control("POST", "accounts", json!({ "do": "create", "name": "x", "parent": "r-exam" }))
        .await
        .json();
    let id = made["account"].as_str().expect("an id").to_owned();
    hub.control("POST", "accounts", json!({ "do": "suspend", "account": id })).await;
    let account = hub.organizations("DescribeAccount", json!({ "AccountId": id })).await.json();
    assert_eq!(account["Account"]["State"], "SUSPENDED");
    simulator.stop().await;
}

#[tokio::test]
async fn a_snapshot_brings_back_what_was() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    simulator.snapshot("before");
    member.enforce(GUARDRAIL, "1", None).await;
    assert!(simulator.restore("before"));
    assert_eq!(member.enforced().await.code(), "ResourceNotFoundException");
    assert!(!simulator.restore("never"));
    simulator.stop().await;
}

#[tokio::test]
async fn events_are_sent_on_to_a_url() {
    let (source, sink) = (start().await, start().await);
    let member = Client::new(&source, MEMBER);
    member.enforce(GUARDRAIL, "1", None).await;
    // Another simulator serves as the URL: it refuses what it is sent, but records it.
    let to = json!({ "url": format!("{}/events", sink.url()) });
    let sent = member.control("POST", "events/send", to).await;
    assert_eq!(sent.status, 502, "{sent:?}");
    assert!(sent.json()["error"].as_str().is_some_and(|why| why.contains("403")), "{sent:?}");
    assert_eq!(sink.calls()[0].operation, "POST /events");
    source.stop().await;
    sink.stop().await;
}

#[tokio::test]
async fn a_world_that_cannot_be_says_everything_that_is_wrong() {
    let text = World::EXAMPLE
        .replace("parent: ou-exam-workload }", "parent: ou-exam-nowhere }")
        .replace("id: apbase1a2b3c", "id: AP-base");
    let world = World::parse(&text).expect("it is YAML of the right form");
    let problems = match Server::start(world, Options::default()).await {
        Err(simulator::StartError::World(invalid)) => invalid.problems,
        other => panic!("{other:?}"),
    };
    assert_eq!(problems.len(), 5, "four accounts and a guardrail: {problems:#?}");
    let typo = World::EXAMPLE.replace("stack_set_roles:", "stackset_roles:");
    let message = World::parse(&typo).expect_err("an unknown key").to_string();
    assert!(message.contains("stackset_roles") && message.contains("line"), "{message}");
}
