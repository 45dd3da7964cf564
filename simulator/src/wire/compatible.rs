//! APIs of other makers in front of the same models: Chat Completions, Responses and Messages, on the runtime's
//! endpoint and on bedrock-mantle.
//!
//! No service model of AWS has them, so their inputs are held to nothing, and errors have the runtime's form. A
//! guardrail is named by the headers that InvokeModel has; whether it acts is the surface's.

use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Map, Value, json};

use super::answer::Output;
use super::bedrock_runtime::{prompt_pieces, tokens};
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::inference::{Invocation, Piece, Reply, Surface};

/// An operation, as the log calls it, and its path on both endpoints.
const OPERATIONS: [(&str, &str, &str); 3] = [
    ("ChatCompletions", "/openai/v1/chat/completions", "/v1/chat/completions"),
    ("Responses", "/openai/v1/responses", "/v1/responses"),
    ("Messages", "/anthropic/v1/messages", "/anthropic/v1/messages"),
];
/// What the names of operations of the other endpoint begin with.
const MANTLE: &str = "Mantle";

/// The operation that a request means, if it is one of these, and its input.
pub(crate) fn read(
    scope: &str,
    (method, uri, headers, body): (&Method, &Uri, &HeaderMap, &[u8]),
) -> Option<(String, Result<Input, ApiError>)> {
    let on_mantle = scope == "bedrock-mantle";
    let meant =
        |(_, runtime, mantle): &&(&str, &str, &str)| uri.path() == if on_mantle { *mantle } else { *runtime };
    let (operation, ..) = OPERATIONS.iter().filter(|_| *method == Method::POST).find(meant)?;
    let name = if on_mantle { format!("{MANTLE}{operation}") } else { (*operation).to_owned() };
    Some((name, input(headers, body)))
}

/// The members of the body, and the guardrail that the headers name.
fn input(headers: &HeaderMap, body: &[u8]) -> Result<Input, ApiError> {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(body) else {
        return Err(ApiError::validation("The body of the request is not a JSON object."));
    };
    let named = [
        ("guardrailIdentifier", "x-amzn-bedrock-guardrailidentifier"),
        ("guardrailVersion", "x-amzn-bedrock-guardrailversion"),
    ];
    for (member, header) in named {
        // What the body says of a guardrail is ignored (organization-policies §4.2).
        members.remove(member);
        if let Some(value) = headers.get(header).and_then(|value| value.to_str().ok()) {
            members.insert(member.to_owned(), value.into());
        }
    }
    // The log and faults know a model by the name that Bedrock's own APIs have for it.
    if let Some(model) = members.get("model").cloned() {
        members.insert("modelId".to_owned(), model);
    }
    Ok(Input { members, ..Input::default() })
}

/// Whether an operation is one of these.
pub(crate) fn is_one(operation: &str) -> bool {
    let own = operation.strip_prefix(MANTLE).unwrap_or(operation);
    OPERATIONS.iter().any(|(name, ..)| *name == own)
}

pub(crate) fn carry_out(
    model: &Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    let (own, on_mantle) = match operation.strip_prefix(MANTLE) {
        Some(own) => (own, true),
        None => (operation, false),
    };
    let surface = match own {
        _ if on_mantle => Surface::Mantle,
        "ChatCompletions" => Surface::ChatCompletions,
        "Responses" => Surface::Responses,
        _ => Surface::Messages,
    };
    let (system, messages) = prompt(&input.members);
    if messages.is_empty() {
        return Err(ApiError::validation("A request must have at least one message with text."));
    }
    let version = input.text("guardrailVersion");
    let guardrail = input.optional("guardrailIdentifier").map(|id| (id.to_owned(), version.to_owned()));
    let invocation =
        Invocation { model: input.text("model").to_owned(), system, messages, guardrail, surface };
    let reply = model.invoke(caller, &invocation)?;
    let mut body = answer(own, &invocation, &reply);
    if !reply.assessments.is_empty() {
        body["amazon-bedrock-guardrailAction"] = if reply.intervened { "INTERVENED" } else { "NONE" }.into();
    }
    Ok(Output::Json(body))
}

/// The system prompt and the messages, wherever the API has them.
fn prompt(members: &Map<String, Value>) -> (Vec<Piece>, Vec<Piece>) {
    let of = |name: &str| members.get(name).unwrap_or(&Value::Null);
    let mut system: Vec<Piece> =
        ["system", "instructions"].iter().flat_map(|name| prompt_pieces(of(name))).collect();
    let mut messages = Vec::new();
    for name in ["messages", "input"] {
        let items = match of(name) {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items {
            let is_system = matches!(item["role"].as_str(), Some("system" | "developer"));
            let into = if is_system { &mut system } else { &mut messages };
            into.extend(prompt_pieces(item));
        }
    }
    (system, messages)
}

fn answer(operation: &str, invocation: &Invocation, reply: &Reply) -> Value {
    let (prompt, answer) = tokens(invocation, reply);
    let (id, text) = (reply.model.id.as_str(), reply.text.as_str());
    match operation {
        "ChatCompletions" => json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": id,
            "choices": [{
                "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": text },
            }],
            "usage": { "prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer },
        }),
        "Responses" => json!({
            "id": "resp_1", "object": "response", "created_at": 0, "status": "completed", "model": id,
            "output": [{
                "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
                "content": [{ "type": "output_text", "text": text, "annotations": [] }],
            }],
            "usage": { "input_tokens": prompt, "output_tokens": answer, "total_tokens": prompt + answer },
        }),
        _ => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": id,
            "content": [{ "type": "text", "text": text }],
            "stop_reason": "end_turn",
            "usage": { "input_tokens": prompt, "output_tokens": answer },
        }),
    }
}
