//! An organization to act in: a simulator, a baseline in it, and a keeper that reaches it over HTTP
//! with the AWS SDK, as the Lambda function does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use expect_test::Expect;
use guardrail_keeper::baseline::{Baseline, Revision};
use guardrail_keeper::cloud::{Access, Patience, Rates};
use guardrail_keeper::engine::{self, Clock, Keeper, Reviewer, everything, unwatched};
use guardrail_keeper::handler::{DoneHere, HandlerError, do_here, handle};
use guardrail_keeper::limits::{Extent, RevisionApproval};
use guardrail_keeper::report::Report;
use guardrail_keeper::settings::{Purpose, Settings};
use guardrail_keeper::trigger::{Accounts, Scope};
use serde_json::{Value, json};
use simulator::{Enforce, Model, OnOff, Options, PutParameter, Server, Switches};
use tempfile::TempDir;

pub use crate::document::Document;
use crate::permissions::Recorder;
use crate::queues;

/// The management account, in which the keeper runs.
pub const HUB: &str = "111111111111";
/// The account that owns the guardrails.
pub const OWNER: &str = "222222222222";
/// Members in the workload OU.
pub const PAYMENTS: &str = "300000000001";
pub const SHIPPING: &str = "300000000002";
pub const SEARCH: &str = "300000000003";
/// A member in the sandbox OU, and a suspended one.
pub const PLAYGROUND: &str = "300000000005";
pub const ABANDONED: &str = "300000000006";

pub const WORKLOAD: &str = "ou-exam-workload";
pub const SANDBOX: &str = "ou-exam-sandbox1";
pub const MEMBER_ROLE: &str = "GuardrailKeeperMember";
/// The role of `deploy/reader-role.yaml`.
pub const READER: &str = "GuardrailKeeperReader";
/// The role of `deploy/management.yaml` that writes Bedrock policies.
pub const ORGANIZATION_ROLE: &str = "GuardrailKeeperOrganization";
pub const FUNCTION_ROLE: &str = "arn:aws:iam::111111111111:role/GuardrailKeeperFunction";
pub const PARAMETER: &str = "/guardrail-keeper/baseline";
/// Where a person approves a revision.
pub const APPROVAL: &str = "/guardrail-keeper/approval";
/// The path of the controls.
pub const CONTROLS: &str = "/guardrail-keeper/controls";
/// Who approves, where nothing depends on who that is: another principal than who puts baselines.
const APPROVER: &str = "assumed-role/Approver/somebody";
pub const REGIONS: [&str; 3] = ["ap-southeast-2", "eu-west-1", "us-east-1"];
pub const US: &str = "us-east-1";
pub const EU: &str = "eu-west-1";

pub const PUT: &str = "PutEnforcedGuardrailConfiguration";
pub const DELETE: &str = "DeleteEnforcedGuardrailConfiguration";
pub const LIST: &str = "ListEnforcedGuardrailsConfiguration";

/// Holds a text to what is written beside it; `UPDATE_EXPECT=1` writes it anew.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "an expectation is made where it is used")]
pub fn check(text: &(impl ToString + ?Sized), expected: Expect) {
    expected.assert_eq(&text.to_string());
}

/// A world that isn't there yet.
#[must_use]
pub struct Setup {
    baseline: String,
    world: simulator::World,
    switches: Switches,
    durable: bool,
    queued: bool,
    approved: bool,
    patience: Patience,
    variables: BTreeMap<String, String>,
    hub: &'static str,
}

impl Setup {
    /// With the published rates: AWS refuses what is faster, and the keeper keeps to them.
    pub fn at_published_rates(mut self) -> Setup {
        self.switches.throttling = OnOff::On;
        Setup { patience: Patience { rates: Rates::default(), ..self.patience }, ..self }
    }

    /// With a ledger in a file.
    pub fn durable(self) -> Setup {
        Setup { durable: true, ..self }
    }

    /// With the baseline approved, as it is in a deployment once it was counted.
    pub fn approved(self) -> Setup {
        Setup { approved: true, ..self }
    }

    /// With queues between events and the work.
    pub fn queued(self) -> Setup {
        Setup { queued: true, ..self }
    }

    /// With a keeper that waits a moment only: for calls that will never be answered.
    pub fn hurried(self) -> Setup {
        let patience = Patience {
            connect: Duration::from_millis(500),
            attempt: Duration::from_millis(700),
            operation: Duration::from_millis(2500),
            ..self.patience
        };
        Setup { patience, ..self }
    }

    /// With a setting as Lambda would have it in its environment.
    pub fn variable(mut self, name: &str, value: &str) -> Setup {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With all accounts so old that none may lack its role.
    pub fn long_established(self) -> Setup {
        self.variable("KEEPER_GRACE_MINUTES", "0")
    }

    /// With another answer to what nobody knows of AWS.
    pub fn switches(mut self, change: impl FnOnce(&mut Switches)) -> Setup {
        change(&mut self.switches);
        self
    }

    /// With something else at the start.
    pub fn world(mut self, change: impl FnOnce(&mut simulator::World)) -> Setup {
        change(&mut self.world);
        self
    }

    /// With the keeper in another account than the management account.
    pub fn hub(self, account: &'static str) -> Setup {
        let role = format!("arn:aws:iam::{account}:role/GuardrailKeeperFunction");
        Setup { hub: account, ..self.variable("KEEPER_FUNCTION_ROLE", &role) }
    }

    pub async fn start(self) -> World {
        let Setup { baseline, world, switches, durable, queued, approved, patience, mut variables, hub } =
            self;
        let options = Options { real_time: true, switches, ..Options::default() };
        let server = Server::start(world, options).await.expect("the simulator starts");
        server.with(|model| {
            let function =
                model.functions.iter().find(|one| one.account == hub).map(simulator::Function::arn);
            model.put_role(hub, function_role(hub, function));
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        if durable {
            let path = folder.path().join("ledger.json");
            variables.insert("KEEPER_LEDGER".to_owned(), format!("file:{}", path.display()));
        }
        if queued {
            variables.extend(queues::make_queues(&server, hub));
        }
        put_parameter(&server, &format!("arn:aws:iam::{hub}:root"), PARAMETER, &baseline);
        let clock = Clock::default();
        let keeper = connect(&server, hub, &variables, patience, &clock).await;
        if approved {
            let baseline = engine::baseline(&keeper).await.unwrap();
            let approver = format!("arn:aws:sts::{hub}:{APPROVER}");
            put_parameter(&server, &approver, APPROVAL, &baseline.revision.to_string());
            assert!(engine::take_over_approval(&keeper, &baseline.revision).await);
            let counted = |known: &mut Option<RevisionApproval>| {
                let known = known.as_mut().expect("it was approved");
                (known.counted, known.told) = (Some(Extent::default()), true);
            };
            keeper.ledger().change_revision_approval(counted).await.unwrap();
            server.clear_calls();
        }
        let organization = variables.get("KEEPER_ORGANIZATION_ROLE").map(String::as_str);
        let repairs_type = variables.get("KEEPER_REPAIR_POLICY_TYPE").is_some_and(|word| word == "yes");
        let recorder = Recorder::new(hub, (organization, repairs_type), &baseline);
        World { server, keeper, clock, folder, variables, patience, hub, recorder }
    }
}

/// A simulated organization with a keeper in it.
pub struct World {
    pub server: Server,
    pub keeper: Keeper,
    /// The keeper's clock, as far as it goes by one that isn't the machine's.
    pub clock: Clock,
    folder: TempDir,
    variables: BTreeMap<String, String>,
    patience: Patience,
    hub: &'static str,
    recorder: Recorder,
}

impl Drop for World {
    fn drop(&mut self) {
        self.recorder.record(&self.server);
    }
}

/// What an event led to.
pub struct Run {
    pub answer: Value,
    pub writes: Vec<String>,
}

impl World {
    /// The example organization with this baseline.
    pub fn of(baseline: &Document) -> Setup {
        let patience = Patience {
            connect: Duration::from_secs(20),
            attempt: Duration::from_secs(20),
            operation: Duration::from_secs(60),
            attempts: 3,
            backoff: Duration::from_millis(10),
            rates: Rates::unlimited(),
        };
        let variables = [
            ("KEEPER_BASELINE", format!("ssm:{PARAMETER}")),
            ("KEEPER_MEMBER_ROLE", MEMBER_ROLE.to_owned()),
            ("KEEPER_FUNCTION_ROLE", FUNCTION_ROLE.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        Setup {
            baseline: baseline.text(),
            world: simulator::World::example(),
            switches: Switches::default(),
            durable: false,
            queued: false,
            approved: false,
            patience,
            variables: variables.into(),
            hub: HUB,
        }
    }

    /// The example organization, everybody guarded as the baseline says and the calls forgotten.
    pub async fn guarded(setup: Setup) -> World {
        let world = setup.start().await;
        let report = world.sweep().await;
        assert!(report.is_converged(), "{report}");
        world.server.clear_calls();
        world
    }

    /// A keeper as a new process would have it: with this world's settings, and no memory of its own.
    pub async fn another_keeper(&self) -> Keeper {
        connect(&self.server, self.hub, &self.variables, self.patience, &self.clock).await
    }

    /// Lets time pass, for AWS and for the keeper.
    pub fn wait(&self, seconds: u32) {
        self.server.with(|model| model.clock.advance(Duration::from_secs(seconds.into())));
        self.clock.advance(seconds.into());
    }

    /// The folder of this world, gone with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A setting that this world's keepers have besides those that all have.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    pub fn ledger_file(&self) -> PathBuf {
        self.folder().join("ledger.json")
    }

    /// Puts another baseline in the place of the present one, as `PutParameter` does.
    pub fn publish(&self, baseline: &Document) {
        self.publish_text(&baseline.text());
    }

    pub fn publish_text(&self, text: &str) {
        self.publish_as("root", text);
    }

    /// As [`World::publish_text`], by this principal of the hub: `user/alice`, or the session of a role.
    pub fn publish_as(&self, who: &str, text: &str) {
        self.recorder.published(text);
        put_parameter(&self.server, &self.principal(who), PARAMETER, text);
    }

    /// Approves the baseline that is there, as a person does: writes its revision into the approval's parameter.
    pub async fn approve(&self) {
        let text = self.server.with(|model| {
            let caller = model.caller(&self.principal("root"), US)?;
            let (_, present) = model.get_parameter(&caller, "GetParameter", PARAMETER)?;
            Ok::<String, simulator::ApiError>(present.value.clone())
        });
        let text = text.unwrap_or_else(|error| panic!("{error:?}"));
        self.approve_as(APPROVER, Revision::of(&text).as_str());
    }

    /// Writes a text into the approval's parameter, by this principal of the hub.
    pub fn approve_as(&self, who: &str, text: &str) {
        put_parameter(&self.server, &self.principal(who), APPROVAL, text);
    }

    /// Writes a text into a parameter of the hub, by this principal.
    pub fn put_as(&self, who: &str, name: &str, text: &str) {
        put_parameter(&self.server, &self.principal(who), name, text);
    }

    /// A principal of the hub by the end of its ARN.
    fn principal(&self, who: &str) -> String {
        let service = if who.starts_with("assumed-role/") { "sts" } else { "iam" };
        format!("arn:aws:{service}::{}:{who}", self.hub)
    }

    /// Deletes the baseline, as somebody in the hub would.
    pub fn delete_baseline(&self) {
        self.server
            .with(|model| {
                let caller = model.caller(&format!("arn:aws:iam::{}:root", self.hub), US)?;
                model.delete_parameter(&caller, PARAMETER)
            })
            .unwrap_or_else(|error| panic!("{error:?}"));
    }

    pub async fn baseline(&self) -> Baseline {
        engine::baseline(&self.keeper).await.unwrap_or_else(|stopped| panic!("{stopped}"))
    }

    /// Hands an event to the handler, as Lambda does.
    pub async fn deliver(&self, event: &Value) -> Result<Value, HandlerError> {
        handle(&self.keeper, &event.to_string()).await
    }

    /// Delivers an event twice and insists that the second time writes nothing.
    #[track_caller]
    pub fn converge(&self, event: &Value) -> impl Future<Output = Run> {
        let place = std::panic::Location::caller();
        async move {
            self.server.clear_calls();
            let answer = match self.deliver(event).await {
                Ok(answer) => answer,
                Err(error) => panic!("{place}: {}: {error}", error.name()),
            };
            let writes = self.writes();
            self.server.clear_calls();
            let again = self.deliver(event).await;
            assert_eq!(self.writes(), [""; 0], "{place}: the second run wrote: {again:?}");
            Run { answer, writes }
        }
    }

    /// One whole run over everything, and its report.
    pub async fn sweep(&self) -> Report {
        self.reconcile(&everything()).await.unwrap_or_else(|stopped| panic!("{stopped}"))
    }

    /// One run over some accounts, and its report.
    pub async fn look_at(&self, accounts: &[&str]) -> Report {
        self.reconcile(&scope(accounts)).await.unwrap_or_else(|stopped| panic!("{stopped}"))
    }

    /// The jobs of some accounts, without a look before them.
    pub async fn jobs(&self, accounts: &[&str]) -> Report {
        let done = do_here(&self.keeper, &scope(accounts), Reviewer::NOBODY).await;
        done.unwrap_or_else(|problem| panic!("{problem}")).report
    }

    /// One whole run that can't begin, and why.
    pub async fn refused(&self) -> String {
        match self.reconcile(&everything()).await {
            Ok(report) => panic!("it began: {report}"),
            Err(problem) => problem.to_string(),
        }
    }

    /// As `guardrailctl apply` without a deployed keeper: a look, which is recorded, and then the jobs.
    pub async fn reconcile(&self, scope: &Scope) -> Result<Report, HandlerError> {
        Box::pin(apply_here(&self.keeper, scope)).await
    }

    /// Looks at some accounts again and insists that nothing is left to be written.
    #[track_caller]
    pub fn quiet(&self, accounts: &[&str]) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            self.server.clear_calls();
            let report = self.look_at(accounts).await;
            assert_eq!(self.writes(), [""; 0], "{place}: another run wrote:\n{report}");
        }
    }

    /// The writes since the calls were last forgotten, sorted, each with its error if it had one.
    pub fn writes(&self) -> Vec<String> {
        // What the keeper sends to itself is no change of anything.
        let of_its_own = ["SendMessageBatch", "PutEvents"];
        let calls = self.server.calls().into_iter();
        let calls = calls.filter(|call| call.write && !of_its_own.contains(&call.operation.as_str()));
        let mut writes: Vec<String> = calls
            .map(|call| {
                let error = call.error.map_or_else(String::new, |error| format!(" {error}"));
                format!("{} {}/{}{error}", call.operation, call.account, call.region)
            })
            .collect();
        writes.sort();
        writes
    }

    /// How often an operation was called since the calls were last forgotten.
    pub fn count(&self, operation: &str) -> usize {
        self.server.calls().iter().filter(|call| call.operation == operation).count()
    }

    /// The accounts in which, or about which, a call was made.
    pub fn accounts_called(&self) -> BTreeSet<String> {
        let twelve_digits = |text: &&str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        let calls = self.server.calls();
        calls
            .iter()
            .flat_map(|call| {
                call.target.as_deref().unwrap_or_default().split(':').chain([call.account.as_str()])
            })
            .filter(twelve_digits)
            .map(str::to_owned)
            .collect()
    }

    /// What is enforced where, a line for each active account of the organization.
    pub fn enforced(&self) -> String {
        self.server.with(|model| {
            let active = model.members().filter(|account| account.state == simulator::AccountState::Active);
            let accounts: Vec<String> = active.map(|account| account.id.clone()).collect();
            let mut table = format!("{:14}{:17}{:17}{}\n", "", REGIONS[0], REGIONS[1], REGIONS[2]);
            for account in accounts {
                let _ = writeln!(table, "{account}  {}", row(model, &account));
            }
            table
        })
    }

    /// What is enforced in one account: Asia, Europe, America.
    pub fn enforced_in(&self, account: &str) -> String {
        self.server.with(|model| row(model, account))
    }

    /// Enforces something as the account's own administrator would.
    #[track_caller]
    pub fn administrator_enforces(&self, account: &str, region: &str, wanted: Enforce) {
        let administrator = format!("arn:aws:iam::{account}:root");
        self.server
            .with(|model| model.put_enforcement_as(&administrator, account, region, wanted))
            .unwrap_or_else(|error| panic!("{error:?}"));
    }

    /// Removes what is enforced as the account's own administrator would.
    #[track_caller]
    pub fn administrator_releases(&self, account: &str, region: &str) {
        let administrator = format!("arn:aws:iam::{account}:root");
        self.server
            .with(|model| model.delete_enforcement_as(&administrator, account, region))
            .unwrap_or_else(|error| panic!("{error:?}"));
    }

    /// Creates an account in an OU, as Organizations does.
    pub fn let_an_account_join(&self, name: &str, parent: &str) -> String {
        self.server.with(|model| {
            let account = model.create_account(name, parent).unwrap_or_else(|error| panic!("{error:?}"));
            model.finish_account_creation(&account);
            account
        })
    }

    /// The latest event of that name that the simulator emitted.
    #[track_caller]
    pub fn event(&self, name: &str) -> Value {
        let latest = self.server.with(|model| {
            let named = |event: &&Value| event["detail"]["eventName"] == name || event["detail-type"] == name;
            model.events().iter().rev().map(|emitted| &emitted.event).find(named).cloned()
        });
        latest.unwrap_or_else(|| panic!("the simulator emitted no {name}"))
    }
}

impl Run {
    /// Why we woke, every target that wasn't simply in sync, and how much was written.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.answer["reason"].as_str().unwrap_or_default());
        text.push_str(&targets(&self.answer));
        let writes = self.writes.len();
        text.push_str(&format!("{writes} {}\n", if writes == 1 { "write" } else { "writes" }));
        text
    }
}

/// Every target of an answer that wasn't simply in sync, a line each; those that are left alone only
/// where something is enforced.
pub fn targets(answer: &Value) -> String {
    let targets = answer["report"]["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let targets =
        targets.iter().filter(|target| target["state"] != "left_alone" || !target["enforced"].is_null());
    let word = |value: &Value| value.as_str().map_or_else(String::new, |word| format!(" {word}"));
    let lines = targets.map(|target| {
        let account = target["account"].as_str().unwrap_or_default();
        let region = target["region"].as_str().unwrap_or_default();
        let (state, enforced) = (word(&target["state"]), word(&target["enforced"]));
        let state = if target["change"] == "adopt" { format!("{state}, adopted:") } else { state };
        let reason = target["reason"].as_str().map_or_else(String::new, |reason| format!(": {reason}"));
        format!("{account}/{region}{state}{enforced}{reason}\n")
    });
    lines.collect()
}

/// Some accounts in all Regions.
pub fn scope(accounts: &[&str]) -> Scope {
    let accounts = accounts.iter().map(|account| account.parse().expect("an account id")).collect();
    Scope { accounts: Accounts::Only(accounts), ..everything() }
}

/// A look at a scope, which is recorded, and then its jobs in this process.
pub async fn apply_here(keeper: &Keeper, scope: &Scope) -> Result<Report, HandlerError> {
    let baseline = engine::baseline(keeper).await?;
    let survey = Box::pin(engine::survey(keeper, &baseline, scope, &unwatched)).await?;
    if let Err(error) = engine::record_looks(keeper, &survey).await {
        tracing::debug!("the looks are not recorded: {error}");
    }
    let DoneHere { mut report, unfinished, .. } = do_here(keeper, scope, Reviewer::NOBODY).await?;
    survey.complete(&mut report);
    if report.targets.is_empty() {
        report.warnings.extend(unfinished);
    }
    Ok(report)
}

/// The access key of the function in a hub: it works as its role, not as an administrator.
pub fn function_key(hub: &str) -> String {
    let (_, role) = FUNCTION_ROLE.rsplit_once('/').expect("a role's ARN has a name");
    format!("SIM{hub}_{role}")
}

/// What the schedule sends.
pub fn schedule() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": HUB,
        "time": "2026-11-02T10:00:00Z",
        "region": US,
        "resources": ["arn:aws:events:us-east-1:111111111111:rule/guardrail-keeper-sweep"],
        "detail": {},
    })
}

/// The owner's guardrail in a Region.
pub fn guardrail(region: &str) -> String {
    let id = format!("{}base1a2b3c", &region[..2]);
    format!("arn:aws:bedrock:{region}:{OWNER}:guardrail/{id}")
}

/// What somebody else might enforce: an earlier version.
pub fn version(region: &str, version: &str) -> Enforce {
    Enforce::new(&guardrail(region), version)
}

/// A folder's or file's path from the root of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in the repository").join(path)
}

fn row(model: &Model, account: &str) -> String {
    let cells = REGIONS.map(|region| match model.enforcement(account, region) {
        Some(enforced) => format!("{}:{}", enforced.guardrail_id, enforced.guardrail_version),
        None => "-".to_owned(),
    });
    format!("{:17}{:17}{}", cells[0], cells[1], cells[2])
}

async fn connect(
    server: &Server,
    hub: &str,
    variables: &BTreeMap<String, String>,
    patience: Patience,
    clock: &Clock,
) -> Keeper {
    let settings =
        Settings::read(variables, Purpose::Function, None).unwrap_or_else(|invalid| panic!("{invalid}"));
    let access = Access::Explicit {
        endpoint: server.url().to_owned(),
        elsewhere: BTreeMap::new(),
        region: US.parse().expect("a Region"),
        access_key_id: function_key(hub),
        secret_access_key: "simulator".to_owned(),
    };
    let keeper = Keeper::connect(settings, access, patience).await;
    keeper.unwrap_or_else(|stopped| panic!("{stopped}")).with_clock(clock.clone())
}

/// The function's role may do everything here: what it does is held against the templates at the end. Where there is
/// a function, nothing else may use it.
fn function_role(hub: &str, function: Option<String>) -> simulator::Role {
    let (_, name) = FUNCTION_ROLE.rsplit_once('/').expect("a role's ARN has a name");
    let principals = vec![format!("arn:aws:iam::{hub}:root"), "lambda.amazonaws.com".to_owned()];
    let trust = simulator::Trust { principals, ..simulator::Trust::default() };
    let mut permissions = simulator::Permissions::administrator();
    permissions.deny.extend(function.map(|function| {
        let actions =
            ["bedrock:*", "dynamodb:*", "events:*", "organizations:*", "sqs:SendMessage", "ssm:*", "sts:*"];
        let (actions, function) = (actions.map(str::to_owned).into(), Some(function));
        simulator::Statement { actions, function, ..simulator::Statement::default() }
    }));
    simulator::Role { name: name.to_owned(), trust, permissions, ..simulator::Role::default() }
}

/// The account and the role of a session.
fn role_of(session: &str) -> Option<(&str, &str)> {
    let (_, role) = session.split_once(":assumed-role/")?;
    Some((session.split(':').nth(4)?, role.split('/').next()?))
}

/// Puts a text into a parameter, by this principal.
fn put_parameter(server: &Server, who: &str, name: &str, text: &str) {
    let parameter = PutParameter {
        name: name.to_owned(),
        value: text.to_owned(),
        kind: Some("String".to_owned()),
        tier: Some("Advanced".to_owned()),
        overwrite: true,
        ..PutParameter::default()
    };
    let put = server.with(|model| {
        if let Some((account, role)) = role_of(who) {
            let role = simulator::Role { name: role.to_owned(), ..function_role(account, None) };
            model.put_role(account, role);
        }
        let caller = model.caller(who, US)?;
        model.put_parameter(&caller, parameter)
    });
    put.unwrap_or_else(|error| panic!("{error:?}"));
}
