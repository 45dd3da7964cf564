//! Where a scenario is told: a simulated organization, queues and event source mappings as the template makes
//! them, and a keeper in between. After each invocation everything that it wrote is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use guardrail_keeper::handler::handle;
use guardrail_keeper::ids::AccountId;
use guardrail_keeper::reconcile::{Ask, Keeper};
use guardrail_keeper::record::{AccountRecord, Records};
use guardrail_keeper::trigger::{Accounts, Regions};
use jiff::Timestamp;
use serde_json::json;
use simulator::{Call, Ended, EventRule, EventSourceMapping, Next, SendMessage, Server};
use tempfile::TempDir;

use crate::baseline::{Given, Wanted, Wants};
use crate::check::{Book, Run};
use crate::kind::Kind;
use crate::model::{Place, Prompt, Snapshot, blocked_prompt};
use crate::queues::{self, EMPTY, events_queue, tasks_queue};
use crate::scenario::{Act, PARAMETER, Scenario, Scene};
use crate::setting::{LEDGER, Setting};
use crate::step::{Wrong, WrongKind};

/// Longer than any call takes here, on any machine.
const LONG: Duration = Duration::from_secs(120);
/// How long a keeper waits whose call will not be answered. One that is answered later than that, on a
/// machine that is busy, only meets one fault more.
const SHORT: Duration = Duration::from_millis(500);
/// How long a scenario goes on, by the simulator's clock, until the next sweep begins.
const UNTIL_A_SWEEP: Duration = Duration::from_secs(3600);
/// More invocations than any scenario needs.
const TOO_MANY: usize = 400;

pub(crate) struct Stage {
    pub(crate) scenario: Scenario,
    pub(crate) setting: Setting,
    pub(crate) server: Server,
    /// The baseline's, where there is one.
    _folder: TempDir,
    pub(crate) variables: BTreeMap<String, String>,
    rule: EventRule,
    events: EventSourceMapping,
    tasks: EventSourceMapping,
    pub(crate) keeper: Keeper,
    /// Where the keeper finds AWS.
    pub(crate) endpoint: String,
    wants: Wants,
    book: Book,
    seen: Snapshot,
    sweeps: usize,
    /// Since the scenario began.
    pub(crate) calls: Vec<Call>,
    fault: Option<Planned>,
    start: Start,
}

/// Where every telling starts from.
#[derive(Default)]
struct Start {
    wants: Option<Wants>,
    book: Book,
    sweeps: usize,
}

pub(crate) struct Planned {
    kind: Kind,
    /// From 1.
    number: usize,
    struck: Option<Call>,
}

/// What is invoked.
enum Work {
    Payload(String),
    /// `guardrailctl offboard`, without its questions.
    Offboard(AccountId),
}

impl Stage {
    /// The organization as it is right before the scenario: everything as wanted, the queues empty.
    pub(crate) async fn set(scenario: Scenario, setting: Setting) -> Result<Stage, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = setting.start().await;
        let hub = setting.hub();
        let of_queues = queues::make_queues(&server, &hub);
        let mut variables = setting.variables(folder.path());
        variables.insert("KEEPER_BASELINE".to_owned(), format!("ssm:{PARAMETER}"));
        if scenario.is_queued() {
            variables.insert("KEEPER_BUS".to_owned(), "keeper".to_owned());
            variables.extend(of_queues);
        }
        let mut wants = Wants::start(&setting);
        server.with(|model| {
            model.settings.keep_events = 1000;
            model.create_table(&hub, "us-east-1", LEDGER, "key").expect("the hub is there");
            scenario.set_up(&mut Scene { setting: &setting, wants: &mut wants, model });
        });
        let endpoint = server.url().to_owned();
        let keeper = setting.connect(&endpoint, &variables, LONG).await;
        let mut stage = Stage {
            rule: EventRule::to(&events_queue(&hub)).from_now(&server),
            events: mapping_of_events(scenario, &hub),
            tasks: EventSourceMapping::new(&tasks_queue(&hub)).batch_size(1),
            scenario,
            setting,
            server,
            _folder: folder,
            variables,
            keeper,
            endpoint,
            wants,
            book: Book::default(),
            seen: Snapshot::default(),
            sweeps: 0,
            calls: Vec::new(),
            fault: None,
            start: Start::default(),
        };
        stage.look();
        stage.sweep().await?;
        stage.sweep().await?;
        stage.expect_converged()?;
        stage.server.snapshot("start");
        stage.start =
            Start { wants: Some(stage.wants.clone()), book: stage.book.clone(), sweeps: stage.sweeps };
        Ok(stage)
    }

    /// The scenario without any fault, and the calls it makes.
    pub(crate) async fn tell(&mut self) -> Result<Vec<Call>, String> {
        self.go_back(None).await;
        self.act().await?;
        self.expect_converged()?;
        let calls = self.calls.clone();
        self.end().await?;
        Ok(calls)
    }

    /// The scenario with the call of this number, from 1, gone wrong. Answers the call that was struck.
    pub(crate) async fn tell_with(&mut self, kind: Kind, number: usize, call: &Call) -> Result<Call, String> {
        self.go_back(Some(Planned { kind, number, struck: None })).await;
        self.server.fault(kind.fault(u32::try_from(number).expect("it is small"), call));
        let told = self.act_and_end(kind).await;
        self.server.clear_faults();
        let struck = self.fault.take().and_then(|fault| fault.struck);
        let name = self.scenario.name();
        match (told, struck) {
            (Ok(()), Some(struck)) => Ok(struck),
            (Ok(()), None) => Err(format!("{name}: there is no call {number}: it isn't deterministic")),
            (Err(what), struck) => {
                let on = struck.map_or_else(|| "no call yet".to_owned(), |call| in_words(&call));
                let kind = kind.name();
                Err(format!("{name}, call {number} ({on}), {kind}: {what}\n{}", self.listed()))
            }
        }
    }

    async fn act_and_end(&mut self, kind: Kind) -> Result<(), String> {
        if !kind.needs_no_sweep() {
            self.act_until_a_sweep().await?;
        } else {
            self.act().await?;
            self.expect_converged().map_err(|what| format!("before any sweep: {what}"))?;
        }
        self.end().await
    }

    /// After the faults: one sweep brings everything in order, and the next has nothing to do. A sweep that had
    /// nothing to do is the next one already.
    pub(crate) async fn end(&mut self) -> Result<(), String> {
        self.server.clear_faults();
        let mut wrote = self.sweep_and_tell().await?;
        self.expect_converged().map_err(|what| format!("after a sweep: {what}"))?;
        for _ in 0..=self.scenario.sweeps_to_tidy_up() {
            if wrote.is_some() {
                wrote = self.sweep_and_tell().await?;
            }
        }
        match wrote {
            Some(call) => Err(format!("a second sweep wrote again: {}", in_words(&call))),
            None => Ok(()),
        }
    }

    /// A sweep, and what it wrote first.
    async fn sweep_and_tell(&mut self) -> Result<Option<Call>, String> {
        let before = self.calls.len();
        self.sweep().await?;
        let first = self.calls[before..].iter().find(|it| it.write && !is_own(it));
        Ok(first.cloned())
    }

    /// Back to the start, with a keeper that knows no more than what is in the ledger.
    pub(crate) async fn go_back(&mut self, fault: Option<Planned>) {
        assert!(self.server.restore("start"), "it was kept");
        let hub = self.setting.hub();
        self.wants = self.start.wants.clone().expect("it was kept");
        self.book = self.start.book.clone();
        self.sweeps = self.start.sweeps;
        self.events = mapping_of_events(self.scenario, &hub);
        self.tasks = EventSourceMapping::new(&tasks_queue(&hub)).batch_size(1);
        self.rule = EventRule::to(&events_queue(&hub)).from_now(&self.server);
        self.server.clear_calls();
        self.calls.clear();
        let longest = if fault.as_ref().is_some_and(|fault| fault.kind.outwaits()) { SHORT } else { LONG };
        self.fault = fault;
        self.keeper = self.setting.connect(&self.endpoint, &self.variables, longest).await;
    }

    /// What happens, and all that follows from it by itself.
    async fn act(&mut self) -> Result<(), String> {
        self.happen().await?;
        self.settle().await
    }

    /// As well, but what waits for longer than that waits for the sweep.
    pub(crate) async fn act_until_a_sweep(&mut self) -> Result<(), String> {
        self.happen().await?;
        let end = self.server.with(|model| model.clock.now()) + UNTIL_A_SWEEP;
        self.work_until(end).await
    }

    async fn happen(&mut self) -> Result<(), String> {
        let (setting, wants) = (&self.setting, &mut self.wants);
        match self.scenario.act() {
            Act::Happens(act) => self.server.with(|model| act(&mut Scene { setting, wants, model })),
            Act::Unheard(act) => {
                self.server.with(|model| act(&mut Scene { setting, wants, model }));
                self.rule = EventRule::to(&events_queue(&self.setting.hub())).from_now(&self.server);
                self.send_schedule();
            }
            Act::Offboards => {
                self.wants.first_member = Given::None;
                let account: AccountId = self.setting.member(0).parse().expect("an account id");
                self.look();
                // Somebody sits there who does it again; while every service is throttled for long it takes a while.
                let mut tries = 0;
                while !matches!(self.invoke(&Work::Offboard(account.clone())).await?, Ended::Answered(_)) {
                    tries += 1;
                    if tries == 20 {
                        return Err("nobody could let the account go".to_owned());
                    }
                }
            }
        }
        self.look();
        Ok(())
    }

    async fn sweep(&mut self) -> Result<(), String> {
        self.send_schedule();
        self.settle().await
    }

    fn send_schedule(&mut self) {
        self.sweeps += 1;
        let hub = self.setting.hub();
        let event = json!({
            "version": "0",
            "id": format!("00000000-0000-4000-8000-{:012}", self.sweeps),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": hub,
            "time": "2026-11-02T10:00:00Z",
            "region": self.setting.regions()[0],
            "resources": [format!("arn:aws:events:us-east-1:{hub}:rule/guardrail-keeper-sweep")],
            "detail": {},
        });
        let message = SendMessage { body: event.to_string(), ..SendMessage::default() };
        self.server.with(|model| {
            model.send_message(&events_queue(&hub), &hub, message).expect("the queue takes it");
        });
    }

    /// Works until the queues are empty; the clock goes on where all there is waits.
    async fn settle(&mut self) -> Result<(), String> {
        self.work_until(Timestamp::MAX).await?;
        let left = queues::left(&self.server, &self.setting.hub());
        if left == EMPTY { Ok(()) } else { Err(format!("left in the queues: {left}")) }
    }

    async fn work_until(&mut self, end: Timestamp) -> Result<(), String> {
        for _ in 0..TOO_MANY {
            if self.server.with(|model| model.clock.now()) > end {
                return Ok(());
            }
            if !self.step().await? && !queues::wait(&self.server, [&mut self.events, &mut self.tasks]) {
                return Ok(());
            }
        }
        Err("it goes on for ever".to_owned())
    }

    async fn step(&mut self) -> Result<bool, String> {
        self.rule.deliver(&self.server).expect("the queue exists");
        for is_task in [true, false] {
            let mapping = if is_task { &mut self.tasks } else { &mut self.events };
            let Next::Batch { invocation, event } = mapping.next(&self.server).expect("the queue exists")
            else {
                continue;
            };
            // Without queues Lambda hands over the event itself, and tries again by itself.
            let payload = match self.scenario.is_queued() {
                true => event.to_string(),
                false => event["Records"][0]["body"].as_str().unwrap_or_default().to_owned(),
            };
            let ended = self.invoke(&Work::Payload(payload)).await?;
            let mapping = if is_task { &mut self.tasks } else { &mut self.events };
            mapping.finish(&self.server, invocation, &ended).expect("the queue exists");
            return Ok(true);
        }
        Ok(false)
    }

    /// Invokes the keeper once, and judges what it did.
    async fn invoke(&mut self, work: &Work) -> Result<Ended, String> {
        self.server.clear_calls();
        let ended = tokio::select! {
            biased;
            () = self.server.crashed() => Ended::Crashed,
            ended = carry_out(&self.keeper, work) => ended,
        };
        let calls = self.server.calls();
        self.note_strike(&calls);
        if self.fault.as_ref().is_some_and(|fault| fault.struck.is_some() && fault.kind == Kind::Outage) {
            self.server.clear_faults();
        }
        let over = self.fault.as_ref().is_some_and(|fault| fault.struck.is_some() && fault.kind.outwaits());
        if over || ended == Ended::Crashed {
            self.keeper = self.setting.connect(&self.endpoint, &self.variables, LONG).await;
        }
        self.calls.extend(calls.iter().cloned());
        if !calls.is_empty() {
            self.judge(calls).await?;
        }
        Ok(ended)
    }

    fn note_strike(&mut self, calls: &[Call]) {
        let so_far = self.calls.len();
        let Some(fault) = &mut self.fault else { return };
        if fault.struck.is_none() && fault.number > so_far {
            fault.struck = calls.get(fault.number - so_far - 1).cloned();
        }
    }

    /// What the judge has to know of answers that were old.
    fn wrong(&self) -> Option<Wrong> {
        let fault = self.fault.as_ref().filter(|fault| fault.kind == Kind::StaleRead)?;
        let call = fault.struck.as_ref()?;
        let known =
            ["ListEnforcedGuardrailsConfiguration", "ListGuardrails", "GetGuardrail", "GetResourcePolicy"];
        let operation = known.into_iter().find(|name| *name == call.operation)?;
        let account = self.setting.assignable().iter().position(|account| *account == call.account);
        Some(Wrong { kind: WrongKind::StaleRead, operation, account, after: 0, times: Some(1) })
    }

    fn look(&mut self) {
        self.seen = self.server.with(|model| Snapshot::of(model, &self.setting));
    }

    async fn judge(&mut self, calls: Vec<Call>) -> Result<(), String> {
        let before = self.seen.clone();
        self.look();
        let records = self.records();
        let faults: Vec<Wrong> = self.wrong().into_iter().collect();
        let run = Run {
            setting: &self.setting,
            wants: &self.wants,
            faults: &faults,
            before: before.clone(),
            middle: before,
            after: self.seen.clone(),
            meddled: false,
            proven: BTreeSet::new(),
            scope: None,
            calls,
            records,
            report: None,
        };
        let (server, book) = (&self.server, &mut self.book);
        let judged = server.with(|model| run.check_writes(model, book));
        judged.map(drop).map_err(|violation| violation.to_string())
    }

    /// What the ledger knows, by what lies in its table.
    fn records(&self) -> Records {
        let accounts = self.setting.accounts();
        self.server.with(|model| {
            let table = model.table(&self.setting.hub(), "us-east-1", LEDGER).expect("it was made");
            let records = accounts.iter().filter_map(|account| {
                let document = table.items.get(&format!("account#{account}"))?["document"]["S"].as_str()?;
                let record: AccountRecord = serde_json::from_str(document).expect("the keeper wrote it");
                Some(record.records(&account.parse().expect("an account id")))
            });
            records.flatten().collect()
        })
    }

    /// Everything is as the baseline wants it, by the model's state alone.
    pub(crate) fn expect_converged(&self) -> Result<(), String> {
        for account in self.setting.assignable() {
            for region in self.setting.regions() {
                let place = Place { account: account.clone(), region: (*region).to_owned() };
                self.server.with(|model| {
                    let enforced = model.enforcement(&place.account, &place.region).cloned();
                    match self.wants.of(&self.setting, model, &place) {
                        Wanted::HandsOff => Ok(()),
                        Wanted::Nothing if enforced.is_none() => Ok(()),
                        Wanted::Nothing => Err(format!("{place} enforces something still")),
                        Wanted::Guardrail => {
                            let met = enforced
                                .is_some_and(|seen| self.wants.is_met(&self.setting, model, &place, &seen));
                            let prompt = blocked_prompt(model, &place);
                            match met && prompt == Prompt::Stopped {
                                true => Ok(()),
                                false => {
                                    Err(format!("{place}: as wanted: {met}; a blocked prompt: {prompt:?}"))
                                }
                            }
                        }
                    }
                })?;
            }
        }
        Ok(())
    }

    pub(crate) fn listed(&self) -> String {
        let lines =
            self.calls.iter().enumerate().map(|(at, call)| format!("  {:3} {}", at + 1, in_words(call)));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Whether a call is about the keeper's own queues, bus and ledger.
fn is_own(call: &Call) -> bool {
    ["sqs", "events", "dynamodb"].contains(&call.service.as_str())
}

pub(crate) fn in_words(call: &Call) -> String {
    let Call { service, operation, account, target, error, .. } = call;
    let target = target.as_deref().unwrap_or_default();
    let error = error.as_deref().map_or_else(String::new, |error| format!(" {error}"));
    format!("{service} {operation} by {account} {target}{error}")
}

fn mapping_of_events(scenario: Scenario, hub: &str) -> EventSourceMapping {
    let mapping = EventSourceMapping::new(&events_queue(hub));
    if scenario.is_queued() { mapping } else { mapping.batch_size(1) }
}

async fn carry_out(keeper: &Keeper, work: &Work) -> Ended {
    match work {
        // On the heap, as everything that the keeper's run holds is too much for a thread's stack.
        Work::Payload(payload) => match Box::pin(handle(keeper, payload)).await {
            Ok(answer) => Ended::Answered(answer),
            Err(_) => Ended::Failed,
        },
        Work::Offboard(account) => match Box::pin(offboard(keeper, account)).await {
            Some(()) => Ended::Answered(json!(null)),
            None => Ended::Failed,
        },
    }
}

/// What the command does once it may: it looks whether the account is a member, marks it, and asks.
async fn offboard(keeper: &Keeper, account: &AccountId) -> Option<()> {
    keeper.baseline().await.ok()?;
    keeper.placement(account).await.ok()??;
    keeper.offboard(account, Some(Timestamp::now())).await.ok()?;
    let accounts = Accounts::one(account.clone());
    let reason = "it is about to leave the organization".to_owned();
    keeper.ask(&Ask { accounts, regions: Regions::All, reason, plan: None }).await.ok()?;
    Some(())
}
