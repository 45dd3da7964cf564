//! APIs of other makers: which guardrails act on them.

use serde_json::{Value, json};
use simulator::{OnOff, ServiceControl, Switches};

use crate::client::{Client, MEMBER};
use crate::organized::{ARN, FORBIDDEN, NOVA, enforcing, put, start};

/// The endpoint, the path, and whether the guardrail that a header names acts.
const APIS: [(&str, &str, bool); 6] = [
    ("bedrock", "/openai/v1/chat/completions", true),
    ("bedrock", "/anthropic/v1/messages", true),
    ("bedrock", "/openai/v1/responses", false),
    ("bedrock-mantle", "/v1/chat/completions", false),
    ("bedrock-mantle", "/v1/responses", false),
    ("bedrock-mantle", "/anthropic/v1/messages", false),
];

fn body(path: &str, text: &str) -> Value {
    if path.ends_with("responses") {
        json!({ "model": NOVA, "input": text, "instructions": "be kind" })
    } else {
        json!({ "model": NOVA, "max_tokens": 9, "messages": [
            { "role": "system", "content": "be kind" },
            { "role": "user", "content": [{ "type": "text", "text": text }] },
        ] })
    }
}

/// Whether an answer is a guardrail's.
#[track_caller]
fn stopped(reply: &crate::client::Reply) -> bool {
    assert_eq!(reply.status, 200, "{reply:?}");
    !reply.text.contains("You said")
}

#[tokio::test]
async fn enforcement_acts_where_it_is_switched_on_and_requests_where_it_is_known() {
    let on = OnOff::On;
    let all = Switches {
        enforced_on_chat_completions: on,
        enforced_on_messages: on,
        enforced_on_responses: on,
        enforced_on_mantle: on,
        ..Switches::default()
    };
    let (simulator, _) = start(Switches::default()).await;
    let member = Client::new(&simulator, MEMBER);
    for (service, path, takes_requested) in APIS {
        let requested = member.compatible(service, path, Some(ARN), body(path, FORBIDDEN)).await;
        assert_eq!(stopped(&requested), takes_requested, "{path}");
        let harmless = member.compatible(service, path, None, body(path, "hello")).await;
        assert!(harmless.text.contains("You said: hello"), "{harmless:?}");
    }
    simulator.with(|model| put(model, "p-root1234", enforcing("1"), &["r-exam"]));
    for (service, path, _) in APIS {
        let open = member.compatible(service, path, None, body(path, FORBIDDEN)).await;
        assert!(!stopped(&open), "by default no enforcement reaches it: {path}");
    }
    simulator.with(|model| model.switches = all);
    for (service, path, _) in APIS {
        let guarded = member.compatible(service, path, None, body(path, FORBIDDEN)).await;
        assert!(stopped(&guarded), "{path}");
        assert_eq!(guarded.json()["amazon-bedrock-guardrailAction"], "INTERVENED");
    }
    let calls = simulator.calls();
    assert!(calls.iter().all(|call| !call.write), "{calls:?}");
    let about: Vec<_> =
        calls.iter().rev().take(APIS.len()).filter_map(|call| call.target.as_deref()).collect();
    assert_eq!(about, [NOVA; APIS.len()], "the log knows the model");
    assert!(calls.iter().any(|call| call.service == "bedrock-mantle" && call.operation == "MantleResponses"));
    simulator.stop().await;
}

/// What closes the hole that enforcement leaves (organization-policies §4.3).
#[tokio::test]
async fn a_service_control_policy_closes_mantle_and_nothing_else() {
    let (simulator, _) = start(Switches::default()).await;
    simulator.with(|model| {
        model.organization.service_control.push(ServiceControl {
            targets: vec!["r-exam".to_owned()],
            deny: vec!["bedrock-mantle:CreateInference".to_owned()],
            except: Vec::new(),
            regions: Vec::new(),
        });
    });
    let member = Client::new(&simulator, MEMBER);
    for (service, path, _) in APIS {
        let reply = member.compatible(service, path, None, body(path, "hello")).await;
        let expected = if service == "bedrock" { "" } else { "AccessDeniedException" };
        assert_eq!(reply.code(), expected, "{path}: {reply:?}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let (simulator, _) = start(Switches::default()).await;
    let member = Client::new(&simulator, MEMBER);
    let path = "/openai/v1/responses";
    for body in [json!([]), json!({}), json!({ "model": NOVA }), json!({ "model": "none", "input": "x" })] {
        let refused = member.compatible("bedrock", path, None, body.clone()).await;
        assert_eq!(refused.code(), "ValidationException", "{body}");
    }
    let unknown = member.compatible("bedrock-mantle", path, None, json!({})).await;
    assert_eq!(unknown.code(), "UnknownOperationException", "the other endpoint's path");
    simulator.stop().await;
}
