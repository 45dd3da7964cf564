//! A simulated organization with a throw-away account, and a run in it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_bedrock::config::Credentials;
use guardrail_learn::calls::Calling;
use guardrail_learn::clock::PollClock;
use guardrail_learn::cloud::{Parties, loader};
use guardrail_learn::consent::{Consent, NoConsent};
use guardrail_learn::experiment::{Conclusion, Learned};
use guardrail_learn::lab::Means;
use guardrail_learn::report::LearnReport;
use guardrail_learn::session::{self, CleanedUp, NotBegun, RunRequest};
use guardrail_learn::stop::{Stop, Teller};
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{AccountEntry, Key, KeyState, Model, Options, Server, Switches, Unit, World};

pub(crate) const MANAGEMENT: &str = "111111111111";
pub(crate) const ACCOUNT: &str = "300000000009";
pub(crate) const UNIT: &str = "ou-exam-learning";
pub(crate) const REGION: &str = "us-east-1";
const KEY: &str = "11111111-2222-4333-8444-555555555555";
const MODEL: &str = "amazon.nova-pro-v1:0";

/// The example's organization with one more account, alone in its unit, and a key that everybody may use.
pub(crate) fn world() -> World {
    let mut world = World::example();
    let root = world.organization.root.clone();
    world.organizational_units.push(Unit { id: UNIT.to_owned(), name: "Learning".to_owned(), parent: root });
    world.accounts.push(AccountEntry {
        id: ACCOUNT.to_owned(),
        name: "throw-away".to_owned(),
        parent: Some(UNIT.to_owned()),
        ..AccountEntry::default()
    });
    let anybody = json!({ "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*" });
    world.keys.push(Key {
        account: MANAGEMENT.to_owned(),
        region: REGION.to_owned(),
        id: KEY.to_owned(),
        state: KeyState::Enabled,
        policy: Some(json!({ "Version": "2012-10-17", "Statement": [anybody] })),
    });
    world
}

/// The switches, with some of them set.
pub(crate) fn switches(set: &BTreeMap<String, String>) -> Switches {
    serde_json::from_value(json!(set)).expect("these are positions of switches")
}

/// Time that passes only by waiting.
pub(crate) struct Waited {
    server: Rc<Server>,
    elapsed: RefCell<Duration>,
    moves_the_world: bool,
}

impl PollClock for Waited {
    fn elapsed(&self) -> Duration {
        *self.elapsed.borrow()
    }

    fn now(&self) -> Timestamp {
        self.server.with(|model| model.clock.now())
    }

    fn wait(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        *self.elapsed.borrow_mut() += duration;
        if self.moves_the_world {
            self.server.with(|model| model.clock.advance(duration));
        }
        Box::pin(tokio::task::yield_now())
    }
}

/// A simulator and the user in front of it.
pub(crate) struct Stage {
    pub(crate) server: Rc<Server>,
    pub(crate) teller: Arc<Teller>,
    _folder: tempfile::TempDir,
    pub(crate) wanted: RunRequest,
    pub(crate) consent: Option<&'static str>,
    calls: Calling,
    config: SdkConfig,
}

/// What a test wants else than usual.
#[derive(Default)]
pub(crate) struct Setting {
    pub(crate) world: Option<World>,
    pub(crate) switches: BTreeMap<String, String>,
    pub(crate) only: Vec<String>,
    /// Whether waiting moves the simulator's clock too.
    pub(crate) moves_the_world: bool,
}

/// The configuration of clients, without an endpoint. Whoever makes many stages makes it once: it has the connections.
pub(crate) async fn client() -> SdkConfig {
    let keys = Credentials::new(format!("SIM{MANAGEMENT}"), "simulator", None, None, "simulator");
    let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let loader = loader(Some(REGION.to_owned())).credentials_provider(keys).retry_config(retries);
    loader.endpoint_url("http://127.0.0.1:1").load().await
}

impl Stage {
    pub(crate) async fn set(client: &SdkConfig, setting: Setting) -> Stage {
        let Setting { world: made, switches: set, only, moves_the_world } = setting;
        let options = Options { switches: switches(&set), ..Options::default() };
        let server = Server::start(made.unwrap_or_else(world), options).await.expect("the world starts");
        let server = Rc::new(server);
        let config = client.to_builder().endpoint_url(server.url()).build();
        let (teller, stop) = Stop::told();
        let clock = Waited { server: Rc::clone(&server), elapsed: RefCell::default(), moves_the_world };
        let calls = Calling::new(Rc::new(clock), stop);
        let folder = tempfile::tempdir().expect("a folder");
        let wanted = RunRequest {
            parties: Parties {
                account: ACCOUNT.to_owned(),
                role: Some("OrganizationAccountAccessRole".to_owned()),
            },
            means: means(),
            only,
            journal: folder.path().join("journal"),
            run: "test".to_owned(),
        };
        let teller = Arc::new(teller);
        Stage { server, teller, _folder: folder, wanted, consent: Some(ACCOUNT), calls, config }
    }

    pub(crate) async fn run(&self) -> Result<LearnReport, NotBegun> {
        let mut consent = |_: &str| Consent::given(ACCOUNT, self.consent.ok_or(NoConsent)?);
        session::run(&self.calls, self.config.clone(), &self.wanted, &mut consent, &|_| {}).await
    }

    /// As another process would, that knows only the journal.
    pub(crate) async fn clean_up(&self) -> Result<CleanedUp, NotBegun> {
        let clock =
            Waited { server: Rc::clone(&self.server), elapsed: RefCell::default(), moves_the_world: false };
        let (_teller, stop) = Stop::told();
        let calls = Calling::new(Rc::new(clock), stop);
        session::clean_up(&calls, self.config.clone(), &self.journal()).await
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.wanted.journal.clone()
    }

    /// What AWS holds, as text.
    pub(crate) fn holdings(&self) -> String {
        self.server.with(|model| holdings(model))
    }

    /// The writes that were carried out or refused, by operation.
    pub(crate) fn writes(&self) -> Vec<String> {
        let writes = self.server.calls().into_iter().filter(|call| call.write);
        // AssumeRole is a write nowhere; it isn't counted as one.
        writes.map(|call| call.operation).collect()
    }

    pub(crate) fn nobody_disabled_the_policy_type(&self) {
        let calls = self.server.calls();
        assert!(calls.iter().all(|call| call.operation != "DisablePolicyType"));
    }
}

fn means() -> Means {
    Means {
        model: MODEL.to_owned(),
        openai_model: MODEL.to_owned(),
        messages_model: MODEL.to_owned(),
        mantle_model: MODEL.to_owned(),
        unit: Some(UNIT.to_owned()),
        key: Some(format!("arn:aws:kms:{REGION}:{MANAGEMENT}:key/{KEY}")),
        touches_management: true,
        enables_policy_type: true,
    }
}

/// Guardrails, enforcements, resource policies and the organization's policies. Whether the policy type is enabled is
/// left out: that stays.
fn holdings(model: &Model) -> String {
    let mut text = String::new();
    for (id, account) in &model.accounts {
        for (region, held) in &account.regions {
            for guardrail in held.guardrails.values() {
                writeln!(text, "{id} {region} {guardrail:?}").expect("a text");
            }
            if let Some(enforced) = held.enforcement.latest() {
                writeln!(text, "{id} {region} {enforced:?}").expect("a text");
            }
            for (arn, policy) in &held.resource_policies {
                if let Some(policy) = policy.latest() {
                    writeln!(text, "{arn} {policy}").expect("a text");
                }
            }
        }
    }
    for policy in &model.organization.policies {
        writeln!(text, "{policy:?}").expect("a text");
    }
    text
}

/// The answer to one question.
pub(crate) fn answer<'a>(report: &'a LearnReport, switch: &str) -> &'a Learned {
    let finding = report.conducted.findings.iter().find(|finding| finding.switch == switch);
    &finding.unwrap_or_else(|| panic!("no finding about {switch}")).verdict.answer
}

/// Every finding that names a position names the right one.
#[track_caller]
pub(crate) fn nothing_is_wrong(report: &LearnReport, set: &BTreeMap<String, String>, context: &str) {
    let truth = serde_json::to_value(switches(set)).expect("switches are JSON");
    for Conclusion { switch, verdict, .. } in &report.conducted.findings {
        match &verdict.answer {
            Learned::Position(position) => {
                assert_eq!(truth[switch], *position, "{context}: {switch}: {verdict:?}");
            }
            Learned::Otherwise(what) => panic!("{context}: {switch}: {what}"),
            Learned::NotFoundOut(_) | Learned::NotTried(_) => {}
        }
    }
}

/// Every switch and its positions, as the simulator itself tells them.
pub(crate) fn every_switch() -> BTreeMap<String, Vec<String>> {
    let all = serde_json::to_value(Switches::default()).expect("switches are JSON");
    let all = all.as_object().expect("switches have names");
    all.keys().map(|switch| (switch.clone(), positions(switch))).collect()
}

fn positions(switch: &str) -> Vec<String> {
    let wrong: Value = json!({ switch: "no-position-has-this-name" });
    let error = serde_json::from_value::<Switches>(wrong).expect_err("there is no such position").to_string();
    let (_, expected) = error.split_once("expected").expect("the error names what is expected");
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
