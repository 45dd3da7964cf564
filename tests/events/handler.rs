//! The handler that Lambda runs, with a keeper connected to a simulated AWS.

mod batches;
mod calls;
mod partitions;

use std::collections::{BTreeMap, BTreeSet};

use guardrail_keeper::cloud::{Access, Patience};
use guardrail_keeper::engine::{self, Keeper};
use guardrail_keeper::handler::{HandlerError, handle};
use guardrail_keeper::settings::{Purpose, Settings};
use serde_json::{Value, json};
use simulator::{Call, Options, PutParameter, Server, World};

use crate::samples;

const HUB: &str = "111111111111";
const PARAMETER: &str = "/guardrail-keeper/baseline";
const BASELINE: &str = include_str!("../../examples/baseline.yaml");

/// The simulator's example organization, where account 300000000007 of the samples has joined.
struct Scene {
    server: Server,
    keeper: Keeper,
}

impl Scene {
    async fn start() -> Scene {
        Scene::start_as("arn:aws:iam::111111111111:role/GuardrailKeeperFunction").await
    }

    async fn start_as(function_role: &str) -> Scene {
        // The keeper judges ages by the machine's clock.
        let options = Options { real_time: true, ..Options::default() };
        let server = Server::start(World::example(), options).await.unwrap();
        server.with(|model| model.join("300000000007", "ou-exam-workload")).unwrap();
        let variables: BTreeMap<String, String> = [
            ("KEEPER_BASELINE", format!("ssm:{PARAMETER}").as_str()),
            ("KEEPER_MEMBER_ROLE", "GuardrailKeeperMember"),
            ("KEEPER_FUNCTION_ROLE", function_role),
            ("KEEPER_FORMER_ROLES", "FormerKeeper"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let settings = Settings::read(&variables, Purpose::Function, None).unwrap();
        let access = Access::Explicit {
            endpoint: server.url().to_owned(),
            elsewhere: BTreeMap::new(),
            region: "us-east-1".parse().unwrap(),
            access_key_id: format!("SIM{HUB}"),
            secret_access_key: "simulator".to_owned(),
        };
        let patience = Patience { attempts: 1, ..Patience::default() };
        let keeper = Keeper::connect(settings, access, patience).await.unwrap();
        let scene = Scene { server, keeper };
        scene.put_baseline(BASELINE);
        scene.approve().await;
        scene.server.clear_calls();
        scene
    }

    /// Approves the present baseline: so it is in a deployment once it was counted.
    async fn approve(&self) {
        let baseline = engine::baseline(&self.keeper).await.unwrap();
        self.put("/guardrail-keeper/approval", &baseline.revision.to_string());
        assert!(engine::take_over_approval(&self.keeper, &baseline.revision).await);
    }

    fn put_baseline(&self, text: &str) {
        self.put(PARAMETER, text);
    }

    fn put(&self, name: &str, text: &str) {
        let parameter = PutParameter {
            name: name.to_owned(),
            value: text.to_owned(),
            kind: Some("String".to_owned()),
            overwrite: true,
            ..PutParameter::default()
        };
        let put = self.server.with(|model| {
            let caller = model.caller(&format!("arn:aws:iam::{HUB}:root"), "us-east-1")?;
            model.put_parameter(&caller, parameter)
        });
        put.unwrap();
    }

    async fn handle(&self, payload: &Value) -> Result<Value, HandlerError> {
        handle(&self.keeper, &payload.to_string()).await
    }

    /// The calls since the last look, and forgets them.
    fn calls(&self) -> Vec<Call> {
        let calls = self.server.calls();
        self.server.clear_calls();
        calls
    }

    /// The same, by their names alone.
    fn operations(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.operation).collect()
    }

    fn is_enforced(&self, account: &str, region: &str) -> bool {
        self.server.with(|model| model.enforcement(account, region).is_some())
    }
}

fn record(id: &str, body: &str) -> Value {
    received(id, body, 1)
}

/// A record that SQS hands out for the so-manieth time.
fn received(id: &str, body: &str, count: u32) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": "AQEBexample",
        "body": body,
        "attributes": { "ApproximateReceiveCount": count.to_string() },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "awsRegion": "us-east-1",
    })
}

fn batch(records: impl IntoIterator<Item = Value>) -> Value {
    json!({ "Records": records.into_iter().collect::<Vec<Value>>() })
}

/// The ids in the answer to a batch, which says nothing else.
#[track_caller]
fn failures(answer: &Value) -> Vec<&str> {
    let members: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(members, ["batchItemFailures"]);
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    let ids = failures.map(|failure| {
        assert_eq!(failure.as_object().unwrap().len(), 1, "{failure}");
        failure["itemIdentifier"].as_str().unwrap()
    });
    let ids: Vec<&str> = ids.collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each once");
    ids
}

fn sample(name: &str) -> String {
    let file = format!("events/{name}.json");
    samples().into_iter().find(|(path, _)| *path == file).unwrap_or_else(|| panic!("no {file}")).1
}
