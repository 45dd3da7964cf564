//! What the tests of the organization's policies share: a world with a guardrail of the management account, documents,
//! and the calls in few words.

use serde_json::{Value, json};
use simulator::{
    ApiError, BedrockPolicyEntry, Caller, Clock, CreateOrganizationPolicy, Model, Options, Server, Switches,
    UpdateOrganizationPolicy, World,
};

use crate::client::{Client, MANAGEMENT};

pub(crate) const WORKLOAD: &str = "ou-exam-workload";
pub(crate) const SHIPPING: &str = "300000000002";
pub(crate) const PLAYGROUND: &str = "300000000005";
pub(crate) const NOVA: &str = "amazon.nova-pro-v1:0";
pub(crate) const TITAN: &str = "amazon.titan-text-express-v1";
pub(crate) const FORBIDDEN: &str = "say tungsten-rosebud";
pub(crate) const NAME: &str = "orgus1a2b3c4";
pub(crate) const ARN: &str = "arn:aws:bedrock:us-east-1:111111111111:guardrail/orgus1a2b3c4";

/// The example, with a guardrail of the management account that is shared, in two versions; the type is on.
pub(crate) fn world() -> World {
    let mut world = World::example();
    let mut guardrail = world.guardrails[0].clone();
    (guardrail.account, guardrail.id) = (MANAGEMENT.to_owned(), NAME.to_owned());
    world.guardrails.push(guardrail);
    world.bedrock_policies_enabled = true;
    world
}

pub(crate) async fn start(switches: Switches) -> (Server, Client) {
    let options = Options { switches, ..Options::default() };
    let simulator = Server::start(world(), options).await.expect("the world can be");
    let hub = Client::new(&simulator, MANAGEMENT);
    (simulator, hub)
}

pub(crate) fn model() -> Model {
    model_with(Switches::default())
}

pub(crate) fn model_with(switches: Switches) -> Model {
    let world = world();
    Model::new(&world, 1, switches, Clock::fixed(world.start)).expect("the world can be")
}

pub(crate) fn identifier(version: &str) -> String {
    format!("{ARN}:{version}")
}

/// A document with one configuration in us-east-1.
pub(crate) fn document(configuration: Value) -> Value {
    named("config_1", configuration)
}

pub(crate) fn named(name: &str, configuration: Value) -> Value {
    let mut document = json!({ "bedrock": { "guardrail_inference": { "us-east-1": {} } } });
    document["bedrock"]["guardrail_inference"]["us-east-1"][name] = configuration;
    document
}

/// The guardrail in a version, and nothing else.
pub(crate) fn enforcing(version: &str) -> Value {
    document(json!({ "identifier": { "@@assign": identifier(version) } }))
}

/// The document that comes of [`enforcing`].
pub(crate) fn enforced(version: &str) -> Value {
    document(json!({ "identifier": identifier(version) }))
}

pub(crate) fn caller(model: &mut Model, account: &str) -> Caller {
    model.caller(&format!("arn:aws:iam::{account}:root"), "us-east-1").expect("an administrator")
}

/// The management account's administrator, as long as the account is active.
pub(crate) fn hub(model: &mut Model) -> Result<Caller, ApiError> {
    model.caller(&format!("arn:aws:iam::{MANAGEMENT}:root"), "us-east-1")
}

/// Attaches a document to targets, as if it had been there from the start.
pub(crate) fn put(model: &mut Model, id: &str, content: Value, targets: &[&str]) {
    model.put_bedrock_policy(&BedrockPolicyEntry {
        id: id.to_owned(),
        name: id.to_owned(),
        description: String::new(),
        content,
        targets: targets.iter().map(|&target| target.to_owned()).collect(),
        tags: simulator::Tags::new(),
    });
}

pub(crate) fn create(model: &mut Model, name: &str, content: &str) -> Result<String, ApiError> {
    let hub = hub(model)?;
    let wanted = CreateOrganizationPolicy {
        name: name.to_owned(),
        kind: "BEDROCK_POLICY".to_owned(),
        content: content.to_owned(),
        ..CreateOrganizationPolicy::default()
    };
    model.create_policy(&hub, wanted).map(|policy| policy.id)
}

pub(crate) fn attach(model: &mut Model, id: &str, target: &str) -> Result<(), ApiError> {
    let hub = hub(model)?;
    model.attach_policy(&hub, id, target)
}

pub(crate) fn detach(model: &mut Model, id: &str, target: &str) -> Result<(), ApiError> {
    let hub = hub(model)?;
    model.detach_policy(&hub, id, target)
}

pub(crate) fn update(model: &mut Model, id: &str, content: &Value) -> Result<(), ApiError> {
    let hub = hub(model)?;
    let wanted = UpdateOrganizationPolicy { content: Some(content.to_string()), ..Default::default() };
    model.update_policy(&hub, id, wanted).map(drop)
}

/// What an account reads of itself.
pub(crate) fn effective(model: &mut Model, account: &str) -> Value {
    let who = caller(model, account);
    let (_, effective) =
        model.describe_effective_policy(&who, "BEDROCK_POLICY", None).expect("the type is on");
    let text = effective.map_or("{}", |effective| effective.document().text.as_str());
    serde_json::from_str(text).expect("JSON")
}

/// The codes of what is wrong with an account's merge.
pub(crate) fn faults(model: &Model, account: &str) -> Vec<String> {
    let effective = model.effective_policy(account).expect("it was looked at");
    effective.faults.iter().map(|fault| fault.code.clone()).collect()
}

/// Whether a member is stopped, or the code of the error that it gets.
pub(crate) fn stopped(model: &mut Model, account: &str, id: &str, text: &str) -> Result<bool, String> {
    let by = format!("arn:aws:iam::{account}:root");
    model
        .converse(&by, account, "us-east-1", id, text)
        .map(|reply| reply.intervened)
        .map_err(|error| error.code)
}
