//! Bedrock's runtime, in REST-JSON: ApplyGuardrail, Converse and InvokeModel, at once or streamed.

mod assessment;

use assessment::{action_reason, coverage, shown, usage};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::answer::Output;
use super::compatible;
use super::event_stream::{CONTENT_TYPE, frame};
use super::request::Input;
use crate::model::Model;
use crate::model::assess::Direction;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::inference::{Invocation, ModelKind, Piece, Reply};
use crate::switches::Presence;

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    model.require_bedrock(caller.account(), &caller.region)?;
    if operation.starts_with("Converse") || operation.starts_with("InvokeModel") {
        model.remember_call(caller, operation);
    }
    match operation {
        other if compatible::is_one(other) => compatible::carry_out(model, caller, operation, input),
        "ApplyGuardrail" => apply_guardrail(model, caller, input),
        "Converse" => converse(model, caller, input),
        "ConverseStream" => converse_stream(model, caller, input),
        "InvokeModel" => {
            let body = invoke_model(model, caller, input)?.to_string().into_bytes();
            Ok(Output::Raw { content_type: "application/json", header: None, body })
        }
        "InvokeModelWithResponseStream" => {
            let body = invoke_model(model, caller, input)?.to_string();
            let chunk = frame("chunk", &json!({ "bytes": STANDARD.encode(body) }));
            let header = Some(("x-amzn-bedrock-content-type", "application/json"));
            Ok(Output::Raw { content_type: CONTENT_TYPE, header, body: chunk })
        }
        other => Err(super::not_carried_out(other)),
    }
}

fn apply_guardrail(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let direction = if input.text("source") == "OUTPUT" { Direction::Output } else { Direction::Input };
    let texts: Vec<&str> =
        list(&input.members, "content").filter_map(|block| block["text"]["text"].as_str()).collect();
    let (identifier, version) = (input.text("guardrailIdentifier"), input.text("guardrailVersion"));
    let text = texts.join("\n");
    let (applied, assessment) = model.apply_guardrail(caller, identifier, version, &text, direction)?;
    let outputs = if assessment.blocked() {
        vec![json!({ "text": applied.blocked_message(direction) })]
    } else if assessment.intervened() {
        vec![json!({ "text": assessment.masked })]
    } else {
        Vec::new()
    };
    Ok(Output::Json(json!({
        "usage": usage(&assessment),
        "action": if assessment.intervened() { "GUARDRAIL_INTERVENED" } else { "NONE" },
        "actionReason": action_reason(&assessment),
        "outputs": outputs,
        "assessments": [shown(&applied, &assessment)],
        "guardrailCoverage": coverage(&assessment),
    })))
}

/// A conversation that took place: what was answered, and what it cost.
struct Conversation {
    reply: Reply,
    stop_reason: &'static str,
    usage: Value,
    trace: Option<Value>,
}

fn converse(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let Conversation { reply, stop_reason, usage, trace } = conversation(model, caller, input)?;
    let mut output = json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": reply.text }] } },
        "stopReason": stop_reason,
        "usage": usage,
        "metrics": { "latencyMs": 1 },
    });
    if let Some(trace) = trace {
        output["trace"] = trace;
    }
    Ok(Output::Json(output))
}

/// The same in events. A guardrail of this model looks at the whole answer before any of it is sent.
fn converse_stream(model: &Model, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let Conversation { reply, stop_reason, usage, trace } = conversation(model, caller, input)?;
    let mut metadata = json!({ "usage": usage, "metrics": { "latencyMs": 1 } });
    if let Some(trace) = trace {
        metadata["trace"] = trace;
    }
    let events = [
        ("messageStart", json!({ "role": "assistant" })),
        ("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": reply.text } })),
        ("contentBlockStop", json!({ "contentBlockIndex": 0 })),
        ("messageStop", json!({ "stopReason": stop_reason })),
        ("metadata", metadata),
    ];
    let body = events.iter().flat_map(|(kind, payload)| frame(kind, payload)).collect();
    Ok(Output::Raw { content_type: CONTENT_TYPE, header: None, body })
}

fn conversation(model: &Model, caller: &Caller, input: &Input) -> Result<Conversation, ApiError> {
    let requested = input.members.get("guardrailConfig");
    let named =
        |member: &str| requested.and_then(|config| config[member].as_str()).unwrap_or_default().to_owned();
    let messages = list(&input.members, "messages").flat_map(|message| list_in(message, "content"));
    let invocation = Invocation {
        model: input.text("modelId").to_owned(),
        system: list(&input.members, "system").filter_map(piece).collect(),
        messages: messages.filter_map(piece).collect(),
        guardrail: requested.map(|_| (named("guardrailIdentifier"), named("guardrailVersion"))),
        ..Invocation::default()
    };
    if invocation.messages.is_empty() {
        return Err(ApiError::validation("A conversation must have at least one message with text."));
    }
    let reply = model.invoke(caller, &invocation)?;
    if reply.model.kind == ModelKind::Embedding {
        let message = "This action doesn't support the model that you provided. Try again with a supported text or chat model.";
        return Err(ApiError::validation(message));
    }
    let (prompt, answer) = tokens(&invocation, &reply);
    let asked_for = matches!(named("trace").as_str(), "enabled" | "enabled_full");
    let unasked = requested.is_none() && model.switches.enforced_trace == Presence::Present;
    let traced = !reply.assessments.is_empty() && (asked_for || unasked);
    Ok(Conversation {
        stop_reason: if reply.intervened { "guardrail_intervened" } else { "end_turn" },
        usage: json!({ "inputTokens": prompt, "outputTokens": answer, "totalTokens": prompt + answer }),
        trace: traced.then(|| json!({ "guardrail": trace(&reply) })),
        reply,
    })
}

fn trace(reply: &Reply) -> Value {
    let mut inputs = Map::new();
    let mut outputs = Map::new();
    for (applied, input, output) in &reply.assessments {
        inputs.insert(applied.name.id.clone(), shown(applied, input));
        if let Some(output) = output {
            outputs.insert(applied.name.id.clone(), json!([shown(applied, output)]));
        }
    }
    let mut trace = json!({ "inputAssessment": inputs });
    if !outputs.is_empty() {
        trace["outputAssessments"] = outputs.into();
    }
    trace
}

/// InvokeModel: body and answer are the model's own, so both are read and written as its maker does.
fn invoke_model(model: &Model, caller: &Caller, input: &Input) -> Result<Value, ApiError> {
    let body: Value = serde_json::from_slice(&input.payload)
        .map_err(|_| ApiError::validation("The body of the request is not valid JSON."))?;
    let guardrail = input.optional("guardrailIdentifier").filter(|identifier| !identifier.is_empty());
    let version = input.optional("guardrailVersion").unwrap_or_default();
    let invocation = Invocation {
        model: input.text("modelId").to_owned(),
        system: prompt_pieces(&body["system"]),
        messages: ["messages", "prompt", "inputText"]
            .iter()
            .flat_map(|member| prompt_pieces(&body[*member]))
            .collect(),
        guardrail: guardrail.map(|identifier| (identifier.to_owned(), version.to_owned())),
        ..Invocation::default()
    };
    let reply = model.invoke(caller, &invocation)?;
    let (prompt, answer) = tokens(&invocation, &reply);
    let id = reply.model.id.as_str();
    let mut body = if reply.model.kind == ModelKind::Embedding {
        json!({ "embedding": [0.25, 0.5, 0.75], "inputTextTokenCount": prompt })
    } else if id.starts_with("anthropic.") {
        json!({
            "type": "message", "role": "assistant", "model": id,
            "content": [{ "type": "text", "text": reply.text }],
            "stop_reason": "end_turn",
            "usage": { "input_tokens": prompt, "output_tokens": answer },
        })
    } else if id.starts_with("amazon.nova") {
        json!({
            "output": { "message": { "role": "assistant", "content": [{ "text": reply.text }] } },
            "stopReason": "end_turn",
            "usage": { "inputTokens": prompt, "outputTokens": answer },
        })
    } else {
        json!({
            "inputTextTokenCount": prompt,
            "results": [{ "tokenCount": answer, "outputText": reply.text, "completionReason": "FINISH" }],
        })
    };
    if !reply.assessments.is_empty() {
        let action = if reply.intervened { "INTERVENED" } else { "NONE" };
        body["amazon-bedrock-guardrailAction"] = action.into();
    }
    Ok(body)
}

/// The text of a content block of Converse; images, documents and tools have none that is looked at.
fn piece(block: &Value) -> Option<Piece> {
    if let Some(text) = block["text"].as_str() {
        return Some(Piece { text: text.to_owned(), tagged: false });
    }
    let guarded = block["guardContent"]["text"]["text"].as_str()?;
    Some(Piece { text: guarded.to_owned(), tagged: true })
}

/// Every text in a prompt, however its maker nests it.
pub(super) fn prompt_pieces(value: &Value) -> Vec<Piece> {
    match value {
        Value::String(text) => vec![Piece { text: text.clone(), tagged: false }],
        Value::Array(items) => items.iter().flat_map(prompt_pieces).collect(),
        Value::Object(members) => ["content", "text"]
            .iter()
            .filter_map(|member| members.get(*member))
            .flat_map(prompt_pieces)
            .collect(),
        _ => Vec::new(),
    }
}

/// A token for a word: near enough for a pretend model.
pub(super) fn tokens(invocation: &Invocation, reply: &Reply) -> (usize, usize) {
    let words = |text: &str| text.split_whitespace().count();
    let prompt = invocation.system.iter().chain(&invocation.messages).map(|piece| words(&piece.text)).sum();
    (prompt, words(&reply.text))
}

fn list<'a>(members: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    members.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn list_in<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}
