//! The control API under `/_simulator/`: looking behind the scenes, and moving them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::forward::Destination;
use crate::model::error::ApiError;
use crate::model::event::EmittedEvent;
use crate::model::queue::Queue;
use crate::model::queues::QueueName;
use crate::model::{Model, Settings};
use crate::server::Inner;
use crate::switches::Switches;

type Simulator = Shared<Arc<Inner>>;

pub(crate) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/_simulator", get(index))
        .route("/_simulator/", get(index))
        .route("/_simulator/health", get(|| async { Json(json!({ "status": "ready" })) }))
        .route("/_simulator/state", get(state))
        .route("/_simulator/calls", get(calls).delete(clear_calls))
        .route("/_simulator/events", get(events).delete(clear_events))
        .route("/_simulator/put-events", get(put_events).delete(clear_put_events))
        .route("/_simulator/queues", get(queues))
        .route("/_simulator/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_simulator/latency", get(latency).put(set_latency).delete(clear_latency))
        .route("/_simulator/switches", get(switches).put(set_switches))
        .route("/_simulator/settings", get(settings).put(set_settings))
        .route("/_simulator/events/send", post(send_events))
        .route("/_simulator/clock", get(clock).post(move_clock))
        .route("/_simulator/snapshots/{name}", post(save).put(restore))
        .route("/_simulator/accounts", post(act))
        .route("/_simulator/reset", post(reset))
        .route("/_simulator/{*rest}", any(nothing_here))
}

async fn nothing_here() -> Response {
    let body = json!({ "error": "there is nothing here; GET /_simulator/ lists what there is" });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

async fn index() -> Json<Value> {
    Json(json!({
        "GET /_simulator/health": "answers when the simulator is ready",
        "GET /_simulator/state": "everything there is",
        "GET|DELETE /_simulator/calls?since=N": "the calls that were seen",
        "GET|DELETE /_simulator/events?since=N": "the events that AWS would deliver",
        "GET|DELETE /_simulator/put-events?since=N": "the events that programs put on buses",
        "GET /_simulator/queues": "every queue, with its attributes and messages",
        "GET|POST|DELETE /_simulator/faults": "what goes wrong on purpose",
        "GET|PUT|DELETE /_simulator/latency": "milliseconds by \"service:operation\", \"service\" or \"*\"",
        "POST /_simulator/events/send": "sends events to {\"url\": ...} or {\"queue_url\": ...}",
        "GET|PUT /_simulator/switches": "what is unknown about AWS, and how it is answered",
        "GET|PUT /_simulator/settings": "how long things take",
        "GET|POST /_simulator/clock": "the time; {\"advance_seconds\": N} or {\"set\": \"2026-11-02T09:00:00Z\"}",
        "POST|PUT /_simulator/snapshots/NAME": "POST keeps the model as it is, PUT goes back to it",
        "POST /_simulator/accounts": "{\"do\": \"create|join|move|suspend|reinstate|close|remove|leave|revoke-role\", ...}",
        "POST /_simulator/reset": "back to the world of the start",
    }))
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn state(Shared(shared): Simulator) -> Json<Value> {
    let mut state = shared.state();
    state.model.settle();
    Json(shown(&state.model))
}

fn shown(model: &Model) -> Value {
    json!({
        "now": model.now(),
        "organization": model.organization,
        "accounts": model.accounts,
        "regions": model.regions,
        "models": model.models,
        "keys": model.keys,
        "switches": model.switches,
        "settings": model.settings,
        "creations": model.creations,
        "handshakes": model.handshakes,
    })
}

async fn calls(Shared(shared): Simulator, Query(Since { since }): Query<Since>) -> Json<Value> {
    let state = shared.state();
    let calls: Vec<_> = state.calls().iter().filter(|call| call.sequence > since).collect();
    Json(json!({ "calls": calls }))
}

async fn clear_calls(Shared(shared): Simulator) {
    shared.state().clear_calls();
}

async fn events(Shared(shared): Simulator, Query(Since { since }): Query<Since>) -> Json<Value> {
    let mut state = shared.state();
    state.model.settle();
    let events: Vec<_> = state.model.events().iter().filter(|event| event.sequence > since).collect();
    Json(json!({ "events": events }))
}

async fn clear_events(Shared(shared): Simulator) {
    shared.state().model.clear_events();
}

async fn put_events(Shared(shared): Simulator, Query(Since { since }): Query<Since>) -> Json<Value> {
    let state = shared.state();
    let events: Vec<_> = state.model.put_events().iter().filter(|event| event.sequence > since).collect();
    Json(json!({ "events": events }))
}

async fn clear_put_events(Shared(shared): Simulator) {
    shared.state().model.clear_put_events();
}

async fn queues(Shared(shared): Simulator) -> Json<Value> {
    let mut state = shared.state();
    let names = state.model.queue_names();
    let shown = |name: &QueueName, queue: &Queue| {
        let messages = queue.messages().map(|(message, state)| json!({ "message": message, "state": state }));
        json!({
            "queue": name,
            "attributes": super::sqs::attributes(queue, name),
            "messages": messages.collect::<Vec<_>>(),
        })
    };
    let queues = names.iter().filter_map(|name| state.model.queue(name).map(|queue| shown(name, queue)));
    Json(json!({ "queues": queues.collect::<Vec<_>>() }))
}

async fn faults(Shared(shared): Simulator) -> Json<Value> {
    let state = shared.state();
    Json(json!({ "faults": state.faults().collect::<Vec<_>>() }))
}

async fn add_fault(Shared(shared): Simulator, Json(fault): Json<Fault>) -> StatusCode {
    shared.state().add_fault(fault);
    StatusCode::CREATED
}

async fn clear_faults(Shared(shared): Simulator) {
    shared.state().clear_faults();
}

async fn latency(Shared(shared): Simulator) -> Json<Value> {
    Json(json!(shared.state().latencies))
}

async fn set_latency(Shared(shared): Simulator, Json(set): Json<BTreeMap<String, u64>>) {
    shared.state().latencies.extend(set);
}

async fn clear_latency(Shared(shared): Simulator) {
    shared.state().latencies.clear();
}

async fn switches(Shared(shared): Simulator) -> Json<Switches> {
    Json(shared.state().model.switches)
}

/// Changes the switches that are named and leaves the others.
async fn set_switches(Shared(shared): Simulator, Json(change): Json<Value>) -> Response {
    let mut state = shared.state();
    let answer = changed(&mut state.model.switches, &change);
    // What policies come to may be something else now.
    let root = state.model.organization.root.clone();
    state.model.publish_below(&root);
    answer
}

async fn settings(Shared(shared): Simulator) -> Json<Settings> {
    Json(shared.state().model.settings)
}

/// Changes the settings that are named and leaves the others.
async fn set_settings(Shared(shared): Simulator, Json(change): Json<Value>) -> Response {
    let mut state = shared.state();
    changed(&mut state.model.settings, &change)
}

fn changed<T: Serialize + DeserializeOwned>(current: &mut T, change: &Value) -> Response {
    let mut all = json!(current);
    let (Some(members), Some(changes)) = (all.as_object_mut(), change.as_object()) else {
        return refuse("the body is not a JSON object");
    };
    members.extend(changes.clone());
    match serde_json::from_value::<T>(all) {
        Ok(next) => {
            *current = next;
            Json(json!(current)).into_response()
        }
        Err(error) => refuse(&error.to_string()),
    }
}

/// Sends events on, in order; stops at the first that can't be sent, and says how far it came.
async fn send_events(
    Shared(shared): Simulator,
    Query(Since { since }): Query<Since>,
    Json(destination): Json<Destination>,
) -> Response {
    let events: Vec<EmittedEvent> = {
        let state = shared.state();
        state.model.events().iter().filter(|event| event.sequence > since).cloned().collect()
    };
    let (mut sent, mut last) = (0_usize, since);
    for event in events.iter().filter(|event| destination.wants(event)) {
        if let Err(why) = destination.send(event).await {
            let body = json!({ "sent": sent, "last": last, "error": why });
            return (StatusCode::BAD_GATEWAY, Json(body)).into_response();
        }
        (sent, last) = (sent + 1, event.sequence);
    }
    Json(json!({ "sent": sent, "last": last })).into_response()
}

async fn clock(Shared(shared): Simulator) -> Json<Value> {
    Json(json!({ "now": shared.state().model.now() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveClock {
    #[serde(default)]
    advance_seconds: u64,
    #[serde(default)]
    set: Option<Timestamp>,
}

async fn move_clock(Shared(shared): Simulator, Json(change): Json<MoveClock>) -> Json<Value> {
    let mut state = shared.state();
    if let Some(set) = change.set {
        state.model.clock.set(set);
    }
    state.model.clock.advance(Duration::from_secs(change.advance_seconds));
    state.model.settle();
    Json(json!({ "now": state.model.now() }))
}

async fn save(Shared(shared): Simulator, Path(name): Path<String>) -> StatusCode {
    let mut state = shared.state();
    let model = Arc::new(state.model.clone());
    state.snapshots.insert(name, model);
    StatusCode::CREATED
}

async fn restore(Shared(shared): Simulator, Path(name): Path<String>) -> Response {
    let mut state = shared.state();
    let Some(model) = state.snapshots.get(&name).map(|model| Model::clone(model)) else {
        return refuse(&format!("there is no snapshot {name}"));
    };
    state.model = model;
    StatusCode::OK.into_response()
}

async fn reset(Shared(shared): Simulator) {
    shared.reset();
}

/// What happens to an account without any AWS call.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Act {
    Create { name: String, parent: String },
    Join { account: String, parent: String },
    Move { account: String, parent: String },
    Suspend { account: String },
    Reinstate { account: String },
    Close { account: String },
    Remove { account: String },
    Leave { account: String },
    RevokeRole { account: String, role: String },
}

async fn act(Shared(shared): Simulator, Json(act): Json<Act>) -> Response {
    let mut state = shared.state();
    let model = &mut state.model;
    let done: Result<String, ApiError> = match act {
        Act::Create { name, parent } => model.create_account(&name, &parent).inspect(|account| {
            model.finish_account_creation(account);
        }),
        Act::Join { account, parent } => model.join(&account, &parent).map(|()| account),
        Act::Move { account, parent } => model.move_account(&account, &parent).map(|()| account),
        Act::Suspend { account } => {
            known(model, &account).map(|()| model.suspend(&account)).map(|()| account)
        }
        Act::Reinstate { account } => {
            known(model, &account).map(|()| model.reinstate(&account)).map(|()| account)
        }
        Act::Close { account } => model.close(&account).map(|()| account),
        Act::Remove { account } => model.remove(&account).map(|()| account),
        Act::Leave { account } => model.leave(&account).map(|()| account),
        Act::RevokeRole { account, role } => {
            if model.revoke_role(&account, &role) {
                Ok(account)
            } else {
                Err(ApiError::not_found(format!("account {account} has no role {role}")))
            }
        }
    };
    match done {
        Ok(account) => Json(json!({ "account": account })).into_response(),
        Err(error) => refuse(&error.to_string()),
    }
}

fn known(model: &Model, account: &str) -> Result<(), ApiError> {
    model
        .account(account)
        .map(drop)
        .ok_or_else(|| ApiError::not_found(format!("there is no account {account}")))
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response()
}
