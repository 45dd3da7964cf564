//! Where a scenario is told: a simulated organization, queues and event source mappings as the template makes
//! them, and a keeper in between. After each invocation everything that it wrote, recorded and told is judged, and
//! what `status` says of it.

// By their paths, as other suites take this file by its own.
mod callers;
mod figures;
mod going_on;
mod held;
pub mod planted;
mod recorded;
mod rendered;
mod rest;
pub mod rule;
mod said;
mod through;
mod told;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guardrail_keeper::control::Leaving;
use guardrail_keeper::engine::{self, Ask, Clock, Keeper};
use guardrail_keeper::handler::handle;
use guardrail_keeper::ids::AccountId;
use guardrail_keeper::record::{AccountRecord, CONFIRMED_AFTER_SECONDS, Records};
use guardrail_keeper::trigger::{Accounts, Regions};
use jiff::Timestamp;
use serde_json::json;
use simulator::{Call, Ended, EventRule, EventSourceMapping, Model, Server};
use tempfile::TempDir;

use crate::faults::kind::Kind;
use crate::faults::scenario::{Act, PARAMETER, Scenario, Scene};
use crate::faults::world::World;
use crate::histories::baseline::{Wanted, Wants};
use crate::histories::check::{Book, Run};
use crate::histories::model::Snapshot;
use crate::histories::setting::{LEDGER, Setting};
use crate::histories::step::{Wrong, WrongKind};
use crate::queues::{self, events_queue, tasks_queue};
pub use figures::Figures;
use planted::Plant;
use recorded::Watched;
use rule::{Rule, broken};
use told::{Told, deeds};

/// Longer than any call takes here, on any machine.
const LONG: Duration = Duration::from_secs(120);
/// How long a keeper waits whose call will not be answered. One that is answered later than that, on a
/// machine that is busy, only meets one fault more.
const SHORT: Duration = Duration::from_millis(500);
/// How long it takes at most, by the simulator's clock, until what happened is put right where nothing goes wrong.
/// `docs/deploy.md` promises seconds.
const LONGEST_UNDISTURBED: i64 = 30;
/// How old a process becomes, by the simulator's clock, in seconds: its sessions end by the machine's.
const OLD: i64 = 2700;
/// How often somebody lets an account go until it is taken down: one call fails, and the next try works. Where many
/// calls fail, it takes more.
const MOST_TRIES: usize = 2;
pub const MOST_TRIES_AMID_MANY: usize = 12;
/// More invocations than any scenario needs.
const TOO_MANY: usize = 400;

pub struct Stage {
    pub scenario: Scenario,
    pub world: World,
    pub setting: Setting,
    pub server: Server,
    /// The baseline's, where there is one.
    _folder: TempDir,
    pub variables: BTreeMap<String, String>,
    rule: EventRule,
    events: EventSourceMapping,
    tasks: EventSourceMapping,
    pub keeper: Keeper,
    /// Where the keeper finds AWS.
    pub endpoint: String,
    wants: Wants,
    book: Book,
    seen: Snapshot,
    sweeps: usize,
    /// Since the scenario began.
    pub calls: Vec<Call>,
    fault: Option<Planned>,
    /// Whether something else than the one fault goes wrong.
    pub disturbed: bool,
    /// Whether programs are run as well, which takes longer than all the rest.
    pub renders: bool,
    /// Whether somebody has put right what only somebody else can.
    over: bool,
    /// When it happened, and until when not everything was as wanted after that, by the simulator's clock.
    happened_at: Option<Timestamp>,
    late_until: Option<Timestamp>,
    /// How often the account had to be let go until that was taken down.
    tries: usize,
    /// Whether only a sweep put it right.
    needed_a_sweep: bool,
    /// The keeper's, which goes with the simulator's.
    clock: Clock,
    /// When its process began, by that clock, and how long it waits for an answer.
    born: Timestamp,
    patience: Duration,
    watched: Arc<Mutex<Watched>>,
    told: Told,
    /// When AWS first didn't find the version of each Region.
    not_found: BTreeMap<String, Timestamp>,
    plant: Option<Plant>,
    /// How often each group had its turn, since that was cleared last.
    turns: BTreeMap<String, usize>,
    pub figures: Figures,
    start: Start,
}

/// Where every telling starts from.
#[derive(Default)]
struct Start {
    wants: Option<Wants>,
    book: Book,
    sweeps: usize,
}

pub struct Planned {
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
    pub async fn set((scenario, world): (Scenario, World), setting: Setting) -> Result<Stage, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = setting.start().await;
        let hub = setting.hub();
        let of_queues = queues::make_queues(&server, &hub);
        let mut variables = setting.variables(folder.path());
        variables.insert("KEEPER_BASELINE".to_owned(), format!("ssm:{PARAMETER}"));
        variables.insert("KEEPER_BUS".to_owned(), "keeper".to_owned());
        if scenario.is_queued() {
            variables.extend(of_queues);
        }
        let mut wants = Wants::start(&setting);
        server.with(|model| {
            model.settings.keep_events = 1000;
            model.create_table(&hub, "us-east-1", LEDGER, "key").expect("the hub is there");
            if world != World::Plain {
                callers::come(&setting, model);
            }
            scenario.set_up(&mut Scene { world, setting: &setting, wants: &mut wants, model });
        });
        let endpoint = server.url().to_owned();
        let clock = Clock::default();
        let keeper = setting.connect(&endpoint, &variables, LONG).await.with_clock(clock.clone());
        let watched = recorded::watch(&server, &setting);
        let mut stage = Stage {
            rule: EventRule::to(&events_queue(&hub)).from_now(&server),
            events: mapping_of_events(scenario, &hub),
            tasks: EventSourceMapping::new(&tasks_queue(&hub)).batch_size(1),
            scenario,
            world,
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
            disturbed: false,
            renders: true,
            over: false,
            happened_at: None,
            late_until: None,
            tries: 0,
            needed_a_sweep: false,
            born: clock.now(),
            patience: LONG,
            clock,
            watched,
            told: Told::default(),
            not_found: BTreeMap::new(),
            plant: None,
            turns: BTreeMap::new(),
            figures: Figures::default(),
            start: Start::default(),
        };
        stage.look();
        stage.sweep().await?;
        stage.sweep().await?;
        if world == World::Auto {
            // The sweep before found out that members need copies.
            stage.sweep().await?;
        }
        stage.expect_converged()?;
        stage.server.snapshot("start");
        stage.start =
            Start { wants: Some(stage.wants.clone()), book: stage.book.clone(), sweeps: stage.sweeps };
        Ok(stage)
    }

    /// The scenario without any fault, and the calls it makes.
    pub async fn tell(&mut self) -> Result<Vec<Call>, String> {
        self.go_back(None).await;
        self.check_callers().await?;
        self.happen().await?;
        self.check_rendered().await?;
        self.go_on().await?;
        self.expect_converged()?;
        self.note_how_long("no fault", LONGEST_UNDISTURBED)?;
        self.check_rendered().await?;
        let calls = self.calls.clone();
        self.end().await?;
        self.check_rendered().await?;
        Ok(calls)
    }

    /// The scenario with the call of this number, from 1, gone wrong. Answers the call that was struck, and whether
    /// only a sweep put it right.
    pub async fn tell_with(
        &mut self,
        kind: Kind,
        number: usize,
        call: &Call,
    ) -> Result<(Call, bool), String> {
        self.go_back(Some(Planned { kind, number, struck: None })).await;
        self.server.fault(kind.fault(u32::try_from(number).expect("it is small"), call));
        let told = self.act_and_end(kind).await;
        self.server.clear_faults();
        let struck = self.fault.take().and_then(|fault| fault.struck);
        let name = format!("{}{}", self.scenario.name(), self.world.name());
        match (told, struck) {
            (Ok(()), Some(struck)) => Ok((struck, self.needed_a_sweep)),
            (Ok(()), None) => Err(format!("{name}: there is no call {number}: it isn't deterministic")),
            (Err(what), struck) => {
                let on = struck.map_or_else(|| "no call yet".to_owned(), |call| in_words(&call));
                let kind = kind.name();
                Err(format!("{name}, call {number} ({on}), {kind}: {what}\n{}", self.listed()))
            }
        }
    }

    async fn act_and_end(&mut self, kind: Kind) -> Result<(), String> {
        self.happen().await?;
        if kind.needs_no_sweep() {
            self.go_on().await?;
            self.expect_converged().map_err(|what| format!("before any sweep: {what}"))?;
            self.note_how_long(kind.name(), kind.longest_seconds())?;
        } else {
            self.go_on_until_a_sweep().await?;
            self.needed_a_sweep = self.expect_converged().is_err();
        }
        self.end().await
    }

    /// What happened was put right in time.
    fn note_how_long(&mut self, kind: &'static str, longest: i64) -> Result<(), String> {
        if !self.scenario.settles() {
            return Ok(());
        }
        let (took, longest) = (self.took_seconds(), longest.saturating_add(self.world.delay_seconds()));
        let known = self.figures.longest_seconds.entry(kind).or_default();
        *known = took.max(*known);
        match took <= longest {
            true => Ok(()),
            false => broken(Rule::TooLate, format!("it took {took} seconds, and may take {longest}")),
        }
    }

    /// After the faults: one sweep brings everything in order, and the next has nothing to do. A sweep that had
    /// nothing to do is the next one already.
    pub async fn end(&mut self) -> Result<(), String> {
        self.server.clear_faults();
        let (world, setting, wants) = (self.world, &self.setting, &mut self.wants);
        self.server.with(|model| self.scenario.ends(&mut Scene { world, setting, wants, model }));
        self.over = true;
        self.look();
        self.come_to_rest().await?;
        self.check_all_told()
    }

    /// Back to the start, with a keeper that knows no more than what is in the ledger.
    pub async fn go_back(&mut self, fault: Option<Planned>) {
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
        self.over = false;
        (self.happened_at, self.late_until, self.tries) = (None, None, 0);
        self.needed_a_sweep = false;
        self.not_found.clear();
        self.turns.clear();
        // A second ahead: what is in the ledger isn't of the future.
        self.clock = Clock::default();
        let now = self.server.with(|model| model.clock.now().as_second());
        self.clock.advance(now + 1 - self.clock.now().as_second());
        self.listen_from_now();
        Box::pin(self.begin_anew(longest)).await;
    }

    /// A keeper that knows no more than what is in the ledger, and waits so long for an answer.
    pub async fn begin_anew(&mut self, longest: Duration) {
        let keeper = self.setting.connect(&self.endpoint, &self.variables, longest).await;
        self.keeper = keeper.with_clock(self.clock.clone());
        (self.born, self.patience) = (self.clock.now(), longest);
    }

    pub async fn happen(&mut self) -> Result<(), String> {
        let (world, setting, wants) = (self.world, &self.setting, &mut self.wants);
        match self.scenario.act() {
            Act::Happens(act) if world != World::Deaf => {
                self.server.with(|model| act(&mut Scene { world, setting, wants, model }));
            }
            Act::Happens(act) | Act::Unheard(act) => {
                self.server.with(|model| act(&mut Scene { world, setting, wants, model }));
                self.rule = EventRule::to(&events_queue(&self.setting.hub())).from_now(&self.server);
                self.send_schedule();
            }
            Act::Offboards => {
                self.wants.leaving.insert(self.setting.member(0));
                let account: AccountId = self.setting.member(0).parse().expect("an account id");
                self.look();
                // Somebody sits there who does it again; while every service is throttled for long it takes a while.
                let most = if self.disturbed { MOST_TRIES_AMID_MANY } else { MOST_TRIES };
                loop {
                    self.tries += 1;
                    self.figures.most_tries = self.figures.most_tries.max(self.tries);
                    if matches!(self.invoke(&Work::Offboard(account.clone())).await?, Ended::Answered(_)) {
                        break;
                    }
                    if self.tries == most {
                        return Err(format!("the account could not be let go, tried {most} times"));
                    }
                }
            }
        }
        self.happened_at = Some(self.server.with(|model| model.clock.now()));
        self.look();
        self.check_status()
    }

    /// Invokes the keeper once, and judges what it did.
    async fn invoke(&mut self, work: &Work) -> Result<Ended, String> {
        self.server.clear_calls();
        self.keep_time();
        if self.clock.now().as_second() - self.born.as_second() > OLD {
            Box::pin(self.begin_anew(self.patience)).await;
        }
        let was_struck = self.was_struck();
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
            Box::pin(self.begin_anew(LONG)).await;
        }
        let struck = self.disturbed || (!was_struck && self.was_struck());
        self.calls.extend(calls.iter().cloned());
        if !calls.is_empty() {
            self.note_not_found(&calls);
            self.act_as_planted();
            self.record_as_planted();
            self.judge(calls, struck)?;
        }
        Ok(ended)
    }

    /// What the judge met since the stage was set.
    pub fn figures(&self) -> Figures {
        Figures { writes: self.watched.lock().expect("no judge panics").writes, ..self.figures.clone() }
    }

    pub fn was_struck(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault.struck.is_some())
    }

    fn has_read_what_was_old(&self) -> bool {
        self.was_struck() && self.fault.as_ref().is_some_and(|fault| fault.kind == Kind::StaleRead)
    }

    /// Since when AWS doesn't find what is enforced.
    fn note_not_found(&mut self, calls: &[Call]) {
        let now = self.server.with(|model| model.clock.now());
        let is_gone = |call: &&Call| {
            call.operation == "GetGuardrail" && call.error.as_deref() == Some("ResourceNotFoundException")
        };
        for call in calls.iter().filter(is_gone) {
            self.not_found.entry(call.region.clone()).or_insert(now);
        }
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

    fn judge(&mut self, calls: Vec<Call>, struck: bool) -> Result<(), String> {
        let before = self.seen.clone();
        self.look();
        let records = self.records();
        let faults: Vec<Wrong> = self.wrong().into_iter().collect();
        let run = Run {
            setting: &self.setting,
            wants: &self.wants,
            put_back: false,
            faults: &faults,
            before: before.clone(),
            middle: before,
            after: self.seen.clone(),
            recordable: true,
            meddled: false,
            waiting: BTreeSet::new(),
            proven: BTreeSet::new(),
            scope: None,
            calls,
            records,
            report: None,
        };
        let (server, book) = (&self.server, &mut self.book);
        let judged = server.with(|model| run.check_writes(model, book));
        judged.map_err(|violation| violation.to_string())?;
        let Run { before, after, calls, .. } = run;
        if let Some(what) = self.watched.lock().expect("no judge panics").unrecorded.take() {
            return Err(what);
        }
        self.check_given_up(&before, &after)?;
        self.check_told(deeds(&before, &after, &calls), &after, struck)?;
        // What was only read says nothing new.
        let writes = |call: &Call| call.write && ["bedrock", "dynamodb"].contains(&call.service.as_str());
        if calls.iter().any(writes) { self.check_status() } else { Ok(()) }
    }

    /// What is wanted was released only after two looks, some minutes apart, that found its guardrail gone.
    fn check_given_up(&self, before: &Snapshot, after: &Snapshot) -> Result<(), String> {
        let now = self.server.with(|model| model.clock.now());
        for place in before.enforced.keys().filter(|place| !after.enforced.contains_key(*place)) {
            let wanted = self.server.with(|model| self.wants.of(&self.setting, model, place));
            let since = self.not_found.get(&place.region).map(|first| now.as_second() - first.as_second());
            if wanted == Wanted::Guardrail && since.is_none_or(|since| since < CONFIRMED_AFTER_SECONDS) {
                let what = format!("{place} was released {since:?} seconds after it wasn't found first");
                return broken(Rule::GivenUpTooSoon, what);
            }
        }
        Ok(())
    }

    /// What the ledger knows, by what lies in its table.
    fn records(&self) -> Records {
        let accounts = self.setting.accounts();
        let of = |model: &Model, account: &String| {
            account_record(model, &self.setting, account).records(&account.parse().expect("an account id"))
        };
        self.server.with(|model| accounts.iter().flat_map(|account| of(model, account)).collect())
    }

    pub async fn close(self) {
        self.server.stop().await;
    }

    /// Whether the world was set: what happens in the scenario comes after that.
    fn has_begun(&self) -> bool {
        self.start.wants.is_some()
    }

    pub fn listed(&self) -> String {
        let lines =
            self.calls.iter().enumerate().map(|(at, call)| format!("  {:3} {}", at + 1, in_words(call)));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// What the ledger's table has of an account.
fn account_record(model: &Model, setting: &Setting, account: &str) -> AccountRecord {
    let document = document(model, setting, &format!("account#{account}"));
    document.map(|text| serde_json::from_str(&text).expect("the keeper wrote it")).unwrap_or_default()
}

/// A document of the ledger's table.
fn document(model: &Model, setting: &Setting, key: &str) -> Option<String> {
    let table = model.table(&setting.hub(), "us-east-1", LEDGER).expect("it was made");
    Some(table.items.get(key)?["document"]["S"].as_str()?.to_owned())
}

/// Whether a call is about the keeper's own queues, bus and ledger.
fn is_own(call: &Call) -> bool {
    ["sqs", "events", "dynamodb"].contains(&call.service.as_str())
}

pub fn in_words(call: &Call) -> String {
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
    engine::baseline(keeper).await.ok()?;
    engine::place(keeper, account).await.ok()??;
    engine::offboard(keeper, account, Leaving::Leaves).await.ok()?;
    let accounts = Accounts::one(account.clone());
    let reason = "it is about to leave the organization".to_owned();
    engine::ask(keeper, &Ask { accounts, regions: Regions::All, reason, plan: None }).await.ok()?;
    Some(())
}
