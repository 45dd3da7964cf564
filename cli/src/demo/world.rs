//! The demo's world: a simulator, a keeper connected to it, and what people do in it.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use aws_sdk_bedrockruntime::types as runtime;
use serde_json::{Value, json};
use simulator::{Options, PutParameter, Server};

use guardrail_keeper::cloud::{Access, Patience};
use guardrail_keeper::engine::{self, Keeper};
use keeper_core::baseline::Baseline;
use keeper_core::settings::{Purpose, Settings};

/// The OU that the new account is moved into.
pub(super) const PARENT: &str = "ou-exam-workload";

/// What the example's guardrail blocks.
pub(super) const BLOCKED_WORD: &str = "tungsten-rosebud";

const HUB: &str = "111111111111";
const PARAMETER: &str = "/guardrail-keeper/baseline";
const REGION: &str = "eu-west-1";
const MODEL: &str = "amazon.nova-pro-v1:0";
const BASELINE: &str = include_str!("../../../examples/baseline.yaml");

/// A simulated organization with a keeper in it.
pub(super) struct World {
    pub(super) keeper: Keeper,
    pub(super) baseline: Baseline,
    pub(super) server: Server,
    earlier_calls: std::sync::atomic::AtomicUsize,
}

/// What a guarded call answered.
pub(super) struct DemoAnswer {
    pub(super) intervened: bool,
    pub(super) text: String,
}

impl World {
    pub(super) async fn start() -> anyhow::Result<World> {
        let options = Options { real_time: true, ..Options::default() };
        let server = Server::start(simulator::World::example(), options)
            .await
            .map_err(|error| anyhow!("the simulator didn't start: {error}"))?;
        put_baseline(&server)?;
        let variables: BTreeMap<String, String> = [
            ("KEEPER_BASELINE", format!("ssm:{PARAMETER}")),
            ("KEEPER_MEMBER_ROLE", "GuardrailKeeperMember".to_owned()),
            ("KEEPER_FUNCTION_ROLE", format!("arn:aws:iam::{HUB}:role/GuardrailKeeperFunction")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let settings = Settings::read(&variables, Purpose::Function, None)?;
        let keeper =
            Keeper::connect(settings, access(&server, HUB, "us-east-1")?, Patience::default()).await?;
        let baseline = engine::baseline(&keeper).await?;
        // As after `guardrailctl push`, with its plan read.
        engine::approve(&keeper, &baseline.revision).await?;
        Ok(World { keeper, baseline, server, earlier_calls: 0.into() })
    }

    pub(super) fn url(&self) -> &str {
        self.server.url()
    }

    /// Creates an account, as an administrator would, and answers its id.
    pub(super) fn let_an_account_join(&self, name: &str) -> anyhow::Result<String> {
        self.server.with(|model| {
            let account = model.create_account(name, PARENT).map_err(|error| anyhow!("{error:?}"))?;
            model.finish_account_creation(&account);
            Ok(account)
        })
    }

    /// Removes the enforcement in one Region, as the account's own administrator would.
    pub(super) fn tamper(&self, account: &str) -> anyhow::Result<String> {
        let administrator = format!("arn:aws:iam::{account}:root");
        self.server
            .with(|model| model.delete_enforcement_as(&administrator, account, REGION))
            .map_err(|error| anyhow!("{error:?}"))?;
        Ok(administrator)
    }

    /// The latest event of that name that the simulator emitted.
    pub(super) fn event(&self, name: &str) -> anyhow::Result<Value> {
        self.server
            .with(|model| {
                let events = model.events().iter().rev();
                events
                    .map(|emitted| &emitted.event)
                    .find(|event| event["detail"]["eventName"] == name)
                    .cloned()
            })
            .with_context(|| format!("the simulator emitted no {name}"))
    }

    pub(super) fn forget_calls(&self) {
        let seen = self.server.calls().len();
        self.earlier_calls.fetch_add(seen, std::sync::atomic::Ordering::Relaxed);
        self.server.clear_calls();
    }

    pub(super) fn recent_calls(&self) -> usize {
        self.server.calls().len()
    }

    pub(super) fn calls(&self) -> usize {
        self.earlier_calls.load(std::sync::atomic::Ordering::Relaxed) + self.recent_calls()
    }

    /// How many writes there were since the calls were last forgotten.
    pub(super) fn writes(&self) -> usize {
        self.server.calls().iter().filter(|call| call.write).count()
    }

    /// Calls a model as an account's administrator, with nothing said about guardrails.
    pub(super) async fn converse(&self, account: &str, text: &str) -> anyhow::Result<DemoAnswer> {
        let message = runtime::Message::builder()
            .role(runtime::ConversationRole::User)
            .content(runtime::ContentBlock::Text(text.to_owned()))
            .build()?;
        let client = self.runtime(account)?;
        let answer = client.converse().model_id(MODEL).messages(message).send().await?;
        let content = match &answer.output {
            Some(runtime::ConverseOutput::Message(message)) => message.content.as_slice(),
            _ => &[],
        };
        let text = content.iter().filter_map(|block| block.as_text().ok().cloned()).collect();
        Ok(DemoAnswer { intervened: answer.stop_reason == runtime::StopReason::GuardrailIntervened, text })
    }

    /// Applies the enforced guardrail as an account's administrator.
    pub(super) async fn apply_guardrail(&self, account: &str, text: &str) -> anyhow::Result<DemoAnswer> {
        let enforced = self
            .server
            .with(|model| model.enforcement(account, REGION).cloned())
            .context("nothing is enforced there")?;
        let version = enforced.guardrail_version.clone();
        let content =
            runtime::GuardrailContentBlock::Text(runtime::GuardrailTextBlock::builder().text(text).build()?);
        let client = self.runtime(account)?;
        let answer = client
            .apply_guardrail()
            .guardrail_identifier(enforced.guardrail_arn.clone())
            .guardrail_version(&version)
            .source(runtime::GuardrailContentSource::Input)
            .content(content)
            .send()
            .await?;
        let intervened = answer.action() == &runtime::GuardrailAction::GuardrailIntervened;
        Ok(DemoAnswer { intervened, text: version })
    }

    pub(super) async fn stop(self) {
        self.server.stop().await;
    }

    fn runtime(&self, account: &str) -> anyhow::Result<aws_sdk_bedrockruntime::Client> {
        let credentials = aws_sdk_bedrockruntime::config::Credentials::new(
            format!("SIM{account}"),
            "simulator",
            None,
            None,
            "demo",
        );
        let config = aws_sdk_bedrockruntime::Config::builder()
            .behavior_version(aws_sdk_bedrockruntime::config::BehaviorVersion::latest())
            .endpoint_url(self.server.url())
            .region(aws_sdk_bedrockruntime::config::Region::from_static(REGION))
            .credentials_provider(credentials)
            .build();
        Ok(aws_sdk_bedrockruntime::Client::from_conf(config))
    }
}

/// The administrator of an account of the simulator.
fn access(server: &Server, account: &str, region: &str) -> anyhow::Result<Access> {
    Ok(Access::Explicit {
        endpoint: server.url().to_owned(),
        elsewhere: BTreeMap::new(),
        region: region.parse()?,
        access_key_id: format!("SIM{account}"),
        secret_access_key: "simulator".to_owned(),
    })
}

fn put_baseline(server: &Server) -> anyhow::Result<()> {
    let parameter = PutParameter {
        name: PARAMETER.to_owned(),
        value: BASELINE.to_owned(),
        kind: Some("String".to_owned()),
        tier: Some("Advanced".to_owned()),
        description: None,
        overwrite: false,
    };
    server
        .with(|model| {
            let caller = model.caller(&format!("arn:aws:iam::{HUB}:root"), "us-east-1")?;
            model.put_parameter(&caller, parameter)
        })
        .map_err(|error| anyhow!("the baseline could not be put into the simulator: {error:?}"))?;
    Ok(())
}

/// What the schedule sends.
pub(super) fn schedule() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": HUB,
        "time": "2026-11-02T10:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:111111111111:rule/guardrail-keeper-sweep"],
        "detail": {},
    })
}
