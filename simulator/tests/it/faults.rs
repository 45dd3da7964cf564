//! Faults of every kind, as a client sees them.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::{Fault, FaultKind};

use crate::client::{Client, GUARDRAIL, MANAGEMENT, MEMBER, start};

const PUT: &str = "PutEnforcedGuardrailConfiguration";

#[tokio::test]
async fn each_service_throttles_fails_and_denies_in_its_own_words() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    for (kind, bedrock, organizations, sts) in [
        (
            FaultKind::Throttle,
            (429, "ThrottlingException"),
            (400, "TooManyRequestsException"),
            (400, "Throttling"),
        ),
        (
            FaultKind::ServerError,
            (500, "InternalServerException"),
            (500, "ServiceException"),
            (500, "InternalFailure"),
        ),
        (
            FaultKind::denied_by_service_control_policy("x"),
            (403, "AccessDeniedException"),
            (400, "AccessDeniedException"),
            (403, "AccessDenied"),
        ),
        (
            FaultKind::Error {
                code: "Teapot".to_owned(),
                message: "short and stout".to_owned(),
                status: 418,
            },
            (418, "Teapot"),
            (418, "Teapot"),
            (418, "Teapot"),
        ),
    ] {
        simulator.fault(Fault::new(kind));
        let seen = |reply: crate::client::Reply| (reply.status, reply.code());
        let owned = |(status, code): (u16, &str)| (status, code.to_owned());
        assert_eq!(seen(hub.enforced().await), owned(bedrock));
        assert_eq!(seen(hub.organizations("ListRoots", serde_json::json!({})).await), owned(organizations));
        assert_eq!(seen(hub.sts("Action=GetCallerIdentity").await), owned(sts));
        simulator.clear_faults();
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_fault_strikes_where_and_when_it_should() {
    let simulator = start().await;
    simulator
        .fault(Fault::new(FaultKind::Throttle).operation(PUT).account(MEMBER).region("eu-west-1").nth(2));
    let eu = "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c";
    let member = Client::new(&simulator, MEMBER);
    let there = member.clone().region("eu-west-1");
    assert_eq!(member.enforce(GUARDRAIL, "1", None).await.status, 200, "another Region");
    let first = there.enforce(eu, "1", None).await;
    assert_eq!(first.status, 200, "the first");
    let config_id = first.json()["configId"].as_str().map(str::to_owned);
    assert_eq!(there.enforce(eu, "2", config_id.as_deref()).await.status, 429, "the second");
    assert_eq!(there.enforce(eu, "2", config_id.as_deref()).await.status, 200, "the third");
    simulator.stop().await;
}

#[tokio::test]
async fn a_hang_is_a_hang_and_doesnt_keep_the_server_from_stopping() {
    let simulator = start().await;
    simulator.fault(Fault::new(FaultKind::Hang).operation(PUT));
    let member = Client::new(&simulator, MEMBER).patience(Duration::from_millis(200));
    let put = member.try_rest("PUT", "/enforcedGuardrailsConfiguration", put_body()).await;
    let error = put.expect_err("no answer comes");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error:?}");
    let call = simulator.calls().pop().expect("the call was seen");
    assert_eq!((call.status, call.error.as_deref(), call.write), (0, Some("hang"), true));
    assert!(
        simulator.with(|model| model.enforcement(MEMBER, "us-east-1").is_none()),
        "it wasn't carried out"
    );
    let begun = Instant::now();
    simulator.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_reset_closes_the_connection_before_or_after_the_call() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    simulator.fault(Fault::new(FaultKind::Reset).operation(PUT).times(1));
    let lost = member.try_rest("PUT", "/enforcedGuardrailsConfiguration", put_body()).await;
    lost.expect_err("the connection is closed");
    assert!(simulator.with(|model| model.enforcement(MEMBER, "us-east-1").is_none()));
    simulator.fault(Fault::new(FaultKind::Reset).operation(PUT).times(1).after_carrying_out());
    let lost = member.try_rest("PUT", "/enforcedGuardrailsConfiguration", put_body()).await;
    lost.expect_err("the connection is closed again");
    assert!(
        simulator.with(|model| model.enforcement(MEMBER, "us-east-1").is_some()),
        "only the answer was lost"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn a_watcher_sees_each_call_with_what_it_changed_whether_or_not_the_answer_arrives() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let notes = std::sync::Arc::clone(&seen);
    simulator.watch(move |call, model| {
        let enforced = model.enforcement(MEMBER, "us-east-1").is_some();
        notes.lock().unwrap().push((call.operation.clone(), call.status, enforced));
    });
    let before = simulator.call_count();
    simulator.fault(Fault::new(FaultKind::Reset).operation(PUT).nth(1));
    simulator.fault(Fault::new(FaultKind::Reset).operation(PUT).nth(2).after_carrying_out());
    for _ in 0..2 {
        let lost = member.try_rest("PUT", "/enforcedGuardrailsConfiguration", put_body()).await;
        lost.expect_err("the connection is closed");
    }
    assert_eq!(*seen.lock().unwrap(), [(PUT.to_owned(), 0, false), (PUT.to_owned(), 0, true)]);
    assert_eq!(simulator.call_count(), before + 2);
    simulator.stop().await;
}

#[tokio::test]
async fn a_create_that_is_sent_again_makes_nothing_twice() {
    let simulator = start().await;
    let owner = Client::new(&simulator, crate::client::OWNER);
    let request = serde_json::json!({ "clientRequestToken": "token-1", "description": "once" });
    let path = "/guardrails/usbase1a2b3c";
    simulator.fault(
        Fault::new(FaultKind::Reset).operation("CreateGuardrailVersion").times(1).after_carrying_out(),
    );
    owner.try_rest("POST", path, request.clone()).await.expect_err("the answer is lost");
    assert_eq!(owner.rest("POST", path, request).await.json()["version"], "3");
    let other = serde_json::json!({ "clientRequestToken": "token-1", "description": "another" });
    assert_eq!(owner.rest("POST", path, other).await.code(), "ConflictException");
    assert_eq!(owner.rest("POST", path, serde_json::json!({})).await.json()["version"], "4");
    simulator.stop().await;
}

#[tokio::test]
async fn a_stalled_body_begins_and_never_ends() {
    let simulator = start().await;
    simulator.fault(Fault::new(FaultKind::StallBody).operation("GetGuardrail"));
    let owner = Client::new(&simulator, crate::client::OWNER).patience(Duration::from_millis(200));
    let get = owner.try_rest("GET", "/guardrails/usbase1a2b3c", Value::Null).await;
    assert!(matches!(get.expect_err("half an answer").kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    simulator.stop().await;
}

#[tokio::test]
async fn a_stale_read_shows_what_was_there_when_the_fault_was_set() {
    let simulator = start().await;
    let member = Client::new(&simulator, MEMBER);
    simulator.fault(Fault::new(FaultKind::StaleRead).times(2));
    assert_eq!(member.enforce(GUARDRAIL, "1", None).await.status, 200, "writes are carried out");
    assert_eq!(member.enforced().await.code(), "ResourceNotFoundException", "the read is stale");
    assert_eq!(member.enforced().await.status, 200, "the next one isn't");
    simulator.stop().await;
}

#[tokio::test]
async fn an_answer_can_be_late() {
    let simulator = start().await;
    simulator.latency("*", Duration::from_millis(1));
    simulator.latency("bedrock:ListEnforcedGuardrailsConfiguration", Duration::from_millis(150));
    let member = Client::new(&simulator, MEMBER);
    let begun = Instant::now();
    member.enforced().await;
    assert!(begun.elapsed() >= Duration::from_millis(150));
    simulator.stop().await;
}

#[tokio::test]
async fn published_rates_are_kept_when_switched_on() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    simulator.with(|model| model.switches.throttling = simulator::OnOff::On);
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(hub.organizations("ListRoots", serde_json::json!({})).await.code());
    }
    assert!(codes.contains(&"TooManyRequestsException".to_owned()), "{codes:?}");
    simulator.stop().await;
}

fn put_body() -> Value {
    serde_json::json!({ "guardrailInferenceConfig": { "guardrailIdentifier": GUARDRAIL, "guardrailVersion": "1" } })
}
