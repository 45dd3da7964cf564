//! One history of the deployed form, from its first step to its end.
//!
//! One thread turns everything: an invocation goes on only while it is its turn, until a certain number of calls
//! were carried out; then it stands still, right after a call whose answer it hasn't read yet, and another one
//! goes on. So the same seed tells the same history, but for what a busy machine adds where a call hangs.

mod attacking;
mod ending;
mod reckoning;
mod running;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use guardrail_keeper::baseline::Revision;
use guardrail_keeper::control::Leaving;
use guardrail_keeper::engine::{self, Clock, Keeper};
use guardrail_keeper::handler::{Deadline, handle_until};
use guardrail_keeper::ids::AccountId;
use guardrail_keeper::trigger::{REQUEST_DETAIL_TYPE, REQUEST_SOURCE};
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{Ended, EventSourceMapping, Fault, FaultKind, Next, QueueName, Role, SendMessage, Server};
use tempfile::TempDir;

use super::attack::{Attack, shut_out};
use super::figures::Figures;
use super::judge::Judge;
use super::planted::Plant;
use super::post::Post;
use super::step::{Manner, Step, absent, is_out_of_order};
use super::store::Store;
use super::world::{PARAMETER, approve, approver, author, hire, live, publish};
use crate::act::Stage;
use crate::tale::{CHANGED, Failed, NOBODYS, UNASKED, UNREACHABLE, excuse};
use crate::telling::is_reachable;
use running::Running;
use testkit::histories::baseline::{Mode, Wanted, Wants};
use testkit::histories::check::{Invariant, Violation, broken};
use testkit::histories::dice::Dice;
use testkit::histories::model::{Place, Prompt, SANDBOX, WORKLOAD, blocked_prompt};
use testkit::histories::setting::{LedgerKind, MEMBER_ROLE, Setting, folder};
use testkit::histories::step::{self, Enforced, Meddling, PUT, account_of};
use testkit::queues::{events_queue, make_queues, tasks_queue};

/// Longer than any call takes here, on any machine.
const LONG: Duration = Duration::from_secs(120);
/// How long a keeper waits whose call will not be answered. One that is answered later than that, on a busy
/// machine, only meets one fault more.
const SHORT: Duration = Duration::from_millis(500);
/// How long an invocation lasts at most, by the simulator's clock, in seconds.
const LONGEST: i64 = 110;
/// How old a process becomes that isn't kept for long, by the simulator's clock, in seconds.
const OLD: i64 = 2700;
/// How many invocations run side by side at most.
const SIDE_BY_SIDE: usize = 4;
/// How long it takes at most, by the simulator's clock and in seconds, until everything that can be put right is, once
/// nothing goes wrong any more: an event may come a quarter of an hour late here, and `docs/deploy.md` promises that
/// what failed on the way is tried again within another one.
const LONGEST_AFTER_FAULTS: u64 = 1800;
/// The same for a sweep that nothing disturbs.
const LONGEST_SWEEP: u64 = 900;
/// More turns than any end needs.
const TOO_MANY: usize = 3000;

/// Tells a history to its end.
pub(crate) async fn tell(
    setting: &Setting,
    steps: &[Step],
    plant: Option<Plant>,
) -> Result<Figures, Box<Failed>> {
    let mut tale = Tale::begin(setting, plant).await;
    let told = tale.all(steps).await;
    let Tale { server, log, figures, running, keepers, .. } = tale;
    drop((running, keepers));
    server.stop().await;
    match told {
        Ok(()) => Ok(figures),
        Err(violation) => Err(Box::new(Failed { violation, log })),
    }
}

struct Tale<'a> {
    setting: &'a Setting,
    manner: Manner,
    server: Server,
    /// The keepers' clock: it goes with the simulator's.
    clock: Clock,
    folder: TempDir,
    variables: [BTreeMap<String, String>; 2],
    /// The processes, of either version in turn. Lambda gives each no more than one invocation at a time.
    keepers: Vec<Arc<Keeper>>,
    /// When each began, by the simulator's clock.
    born: Vec<Timestamp>,
    /// Whether processes are kept until their sessions have expired by AWS's clock alone. Theirs is the
    /// machine's, which hardly moves.
    keeps_old: bool,
    /// How long keepers wait that are made from now on.
    patience: Duration,
    wants: Wants,
    made: u32,
    judge: Arc<Mutex<Judge>>,
    post: Post,
    events: EventSourceMapping,
    tasks: EventSourceMapping,
    running: Vec<Running>,
    begun: usize,
    /// Whether faults are set, the ledger can be read, and can be written.
    faults: bool,
    ledger: [bool; 2],
    /// How many things happened around the functions so far.
    happened: usize,
    /// The accounts that the keeper's role is shut out of.
    shut: BTreeSet<usize>,
    /// The role of an account that moved, which comes later.
    late_role: Option<(String, Arc<Role>)>,
    /// How often each message failed.
    failures: BTreeMap<String, usize>,
    schedules: usize,
    plant: Option<Plant>,
    /// Whether its end has begun.
    ending: bool,
    placements: BTreeMap<String, Value>,
    /// What was said last of each account's departure, and when.
    said: BTreeMap<AccountId, (Timestamp, bool)>,
    /// What was written in members and at the owner's since it was cleared last.
    written: Vec<String>,
    figures: Figures,
    log: Vec<String>,
}

/// Which of the two versions a process is of.
fn version_of(process: usize) -> usize {
    process % 2
}

fn lock(judge: &Mutex<Judge>) -> MutexGuard<'_, Judge> {
    judge.lock().expect("no judge panics")
}

impl Tale<'_> {
    async fn begin(setting: &Setting, plant: Option<Plant>) -> Tale<'_> {
        let folder = folder();
        let manner = Manner::of(setting);
        let server = setting.start_without(&absent(setting)).await;
        let hub = setting.hub();
        let mut variables = setting.variables(folder.path());
        variables.extend(make_queues(&server, &hub));
        variables.insert("KEEPER_BASELINE".to_owned(), format!("ssm:{PARAMETER}"));
        variables.insert("KEEPER_BUS".to_owned(), "keeper".to_owned());
        variables.extend(manner.variables());
        let mut other = variables.clone();
        let former = format!("arn:aws:iam::{hub}:role/GuardrailKeeperOfLastYear");
        other.insert("KEEPER_FORMER_ROLES".to_owned(), former);
        other.insert("KEEPER_CONCURRENCY".to_owned(), "2".to_owned());
        let variables = [variables, other];
        let wants = Wants::start(setting);
        let clock = Clock::default();
        let store = server.with(|model| Store::of(setting, folder.path(), model));
        let mut judge = Judge::new(setting, store, clock.clone());
        let long_ago: Timestamp = "2020-01-01T00:00:00Z".parse().expect("a time");
        judge.plant = plant;
        server.with(|model| {
            hire(model, setting);
            judge.published(&wants, &wants.text(setting), model);
            model.settings.keep_events = 10_000;
            // Else whoever moves has just joined as well, and nothing shows that a move is an arrival, too.
            for membership in model.accounts.values_mut().filter_map(|account| account.membership.as_mut()) {
                membership.at = long_ago;
            }
            publish(model, setting, &wants);
            if manner.ceilings {
                // Else it would wait: it guards more targets than a revision may replace without a person.
                let text = wants.text(setting);
                approve(model, setting, &approver(setting), &Revision::of(&text).to_string());
                judge.approved(&text, model);
            }
            judge.look(model);
        });
        let judge = Arc::new(Mutex::new(judge));
        let watching = Arc::clone(&judge);
        server.watch(move |call, model| lock(&watching).see(call, model));
        let mut keepers = Vec::new();
        for process in 0..SIDE_BY_SIDE {
            let keeper = setting.connect(server.url(), &variables[version_of(process)], LONG).await;
            keepers.push(Arc::new(keeper.with_clock(clock.clone())));
        }
        let seed = setting.seed;
        Tale {
            setting,
            manner,
            born: vec![server.with(|model| model.clock.now()); SIDE_BY_SIDE],
            post: Post::to(&events_queue(&hub), seed, !manner.heard, &server),
            events: EventSourceMapping::new(&events_queue(&hub))
                .shuffled(seed)
                .duplicating(6)
                .maximum_concurrency(2),
            tasks: EventSourceMapping::new(&tasks_queue(&hub))
                .batch_size(1)
                .shuffled(seed)
                .maximum_concurrency(SIDE_BY_SIDE),
            server,
            clock,
            folder,
            variables,
            keepers,
            keeps_old: seed.is_multiple_of(7),
            patience: LONG,
            wants,
            made: 0,
            judge,
            running: Vec::new(),
            begun: 0,
            faults: false,
            ledger: [true; 2],
            happened: 0,
            shut: BTreeSet::new(),
            late_role: None,
            failures: BTreeMap::new(),
            schedules: 0,
            plant,
            ending: false,
            placements: BTreeMap::new(),
            said: BTreeMap::new(),
            written: Vec::new(),
            figures: Figures::default(),
            log: Vec::new(),
        }
    }

    async fn all(&mut self, steps: &[Step]) -> Result<(), Violation> {
        if self.manner.quiet {
            // Without it nobody was ever looked at: that is nothing a shorter history may leave out.
            self.say("     the only sweep before the end".to_owned());
            self.schedule();
        }
        for (number, step) in steps.iter().enumerate() {
            self.say(format!("{number:3}  {step}"));
            self.step(step).await?;
            self.check_status()?;
            self.check_followed()?;
            self.figures.plain.steps += 1;
        }
        self.end().await?;
        self.figures.plain.histories += 1;
        let mut judge = lock(&self.judge);
        self.figures.judged = judge.judged;
        self.figures.excused = std::mem::take(&mut judge.excused);
        self.figures.telling = judge.telling();
        self.figures.holds = std::mem::take(&mut judge.holds);
        self.figures.reckoned = judge.reckoned();
        for deeds in std::mem::take(&mut judge.deeds) {
            self.figures.plain.count_deeds(deeds);
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Violation> {
        self.happened += usize::from(!matches!(step, Step::Work { .. } | Step::Schedule | Step::Ask { .. }));
        match step {
            Step::Schedule => self.schedule(),
            Step::Ask { account } => self.ask(&account_of(self.setting, *account)),
            Step::Work { turns, dice } => self.work(*turns, &mut Dice::new(*dice)).await?,
            Step::Finish => self.finish_all().await?,
            Step::Kill { which } => {
                let mut dice = Dice::new(*which as u64);
                if self.running.is_empty() {
                    self.post.deliver(&self.server, &mut self.figures);
                    if self.start(&mut dice).await? && !self.running.is_empty() {
                        self.advance(0, 1 + dice.below(8) as u64).await?;
                    }
                }
                if !self.running.is_empty() {
                    self.figures.killed += 1;
                    self.kill(which % self.running.len())?;
                }
            }
            Step::Restart { process } => self.restart(*process).await?,
            Step::Break(wrong) => {
                *self.figures.breaks.entry(wrong.kind).or_default() += 1;
                if wrong.kind.outwaits() {
                    // Whoever waits for hours by our clock must not be the one whose call hangs.
                    self.finish_all().await?;
                    self.be_patient(SHORT).await;
                }
                self.server.fault(wrong.fault());
                self.faults = true;
            }
            Step::Life { member, to } => {
                self.figures.lives += 1;
                self.server.with(|model| {
                    live(model, self.setting, *member, *to);
                    lock(&self.judge).meddled(model, false);
                });
            }
            Step::MoveWithoutRole { account } => self.move_without_role(*account),
            Step::RoleComes => self.let_role_come(),
            Step::Jump { seconds } => self.jump(*seconds).await?,
            Step::Attack(attack) => self.attack(attack),
            Step::LedgerGone { gone } => {
                self.figures.hidden_ledgers += usize::from(*gone);
                self.hide_ledger(*gone);
            }
            Step::Plain(step) => self.plain(step).await?,
        }
        self.judged()
    }

    async fn plain(&mut self, step: &step::Step) -> Result<(), Violation> {
        match step {
            step::Step::Meddle(meddling) => {
                self.figures.plain.meddlings += 1;
                self.meddle(*meddling);
            }
            step::Step::Edit(edit) => {
                self.figures.plain.edits += 1;
                self.wants.edit(self.setting, *edit);
                if self.manner.heard {
                    // Nobody publishes the next one there.
                    self.wants.version = self.wants.version.min(2);
                }
                self.publish();
            }
            step::Step::Fault(wrong) => {
                self.server.fault(wrong.fault(self.setting));
                lock(&self.judge).faults.push(wrong.clone());
                self.faults = true;
                *self.figures.plain.faults.entry(wrong.kind).or_default() += 1;
            }
            step::Step::FaultsEnd => self.end_faults().await?,
            step::Step::Ledger { writable } => {
                self.figures.plain.unwritable_ledgers += usize::from(!writable);
                self.set_ledger(*writable);
            }
            step::Step::Approve => self.approve(),
            step::Step::Offboard { account, leaves } => self.offboard(*account, *leaves).await,
            other => panic!("{other} is a step of the direct form"),
        }
        Ok(())
    }

    /// Somebody approves the baseline that is there. Its event comes like any other; a sweep or a count finds it, too.
    fn approve(&mut self) {
        let text = self.wants.text(self.setting);
        let revision = Revision::of(&text).to_string();
        self.server.with(|model| {
            approve(model, self.setting, &approver(self.setting), &revision);
            lock(&self.judge).approved(&text, model);
        });
    }

    /// Whoever wrote the baseline that is there approves it. Where the deployment takes that for none, it is none.
    fn approve_as_author(&mut self) {
        if self.manner.self_approval {
            self.approve();
            return;
        }
        let revision = Revision::of(&self.wants.text(self.setting)).to_string();
        self.server.with(|model| approve(model, self.setting, &author(self.setting), &revision));
    }

    /// As [`Tale::approve`], and one of the functions hears of it.
    async fn approve_and_hear(&mut self) {
        self.approve();
        let revision = Revision::of(&self.wants.text(self.setting));
        assert!(engine::take_over_approval(&self.keepers[0], &revision).await, "no faults are left");
    }

    /// Somebody marks an account as about to leave, or as one that stays, in a control. Its event comes like any other;
    /// a sweep finds it, too.
    async fn offboard(&mut self, account: usize, leaves: bool) {
        let account: AccountId = account_of(self.setting, account).parse().expect("an account id");
        let leaving = if leaves { Leaving::Leaves } else { Leaving::Stays };
        if engine::offboard(&self.keepers[0], &account, leaving).await.is_ok() {
            self.said.insert(account.clone(), (self.server.with(|model| model.clock.now()), leaves));
        }
        self.figures.offboarded += usize::from(leaves);
        lock(&self.judge).note_leaving(account.as_str());
        self.note_leaving();
    }

    fn note_leaving(&mut self) {
        self.wants.leaving = lock(&self.judge).leaving();
    }

    fn say(&mut self, line: String) {
        if std::env::var_os("HISTORIES_TRACE").is_some() {
            eprintln!("{} {line}", self.clock.now().strftime("%T"));
        }
        self.log.push(line);
    }

    fn meddle(&mut self, meddling: Meddling) {
        let owner = matches!(meddling, Meddling::Guardrail { .. } | Meddling::Policy { .. });
        let (setting, wants, made) = (self.setting, &self.wants, &mut self.made);
        self.server.with(|model| {
            Stage { setting, wants, model, made }.meddle(meddling);
            let mut judge = lock(&self.judge);
            match meddling {
                Meddling::Move { .. } => judge.moved(model, owner),
                _ => judge.meddled(model, owner),
            }
        });
    }

    /// As where StackSets give the role to those in one part of the organization alone.
    fn move_without_role(&mut self, account: usize) {
        let account = account_of(self.setting, account);
        self.server.with(|model| {
            let Some(role) = model.role(&account, MEMBER_ROLE).cloned() else { return };
            if model.parent_of(&account).is_ok_and(|parent| parent != SANDBOX) {
                drop(model.move_account(&account, SANDBOX));
                lock(&self.judge).moved(model, false);
            }
            model.revoke_role(&account, MEMBER_ROLE);
            self.late_role = Some((account.clone(), role));
            drop(model.move_account(&account, WORKLOAD));
            lock(&self.judge).moved(model, false);
        });
    }

    fn let_role_come(&mut self) {
        if let Some((account, role)) = self.late_role.take() {
            self.server.with(|model| model.put_role(&account, (*role).clone()));
        }
    }

    fn publish(&mut self) {
        self.server.with(|model| {
            publish(model, self.setting, &self.wants);
            lock(&self.judge).published(&self.wants, &self.wants.text(self.setting), model);
        });
    }

    async fn end_faults(&mut self) -> Result<(), Violation> {
        self.server.clear_faults();
        self.faults = false;
        self.shut.clear();
        if self.setting.ledger == LedgerKind::Table && !self.ledger[1] {
            self.let_puts_fail();
        }
        if self.patience == SHORT {
            self.finish_all().await?;
            self.be_patient(LONG).await;
        }
        Ok(())
    }

    /// Both processes begin anew, and wait so long for an answer from now on.
    async fn be_patient(&mut self, longest: Duration) {
        self.patience = longest;
        lock(&self.judge).impatient = longest == SHORT;
        for process in 0..SIDE_BY_SIDE {
            self.renew(process).await;
        }
    }

    async fn renew(&mut self, process: usize) {
        let variables = &self.variables[version_of(process)];
        let keeper = self.setting.connect(self.server.url(), variables, self.patience).await;
        self.keepers[process] = Arc::new(keeper.with_clock(self.clock.clone()));
        self.born[process] = self.server.with(|model| model.clock.now());
    }

    async fn restart(&mut self, process: usize) -> Result<(), Violation> {
        self.figures.plain.restarts += 1;
        while let Some(at) = self.running.iter().position(|running| running.process == process) {
            self.figures.killed += 1;
            self.kill(at)?;
        }
        self.renew(process).await;
        Ok(())
    }

    /// The ledger's lock is a file: where a folder has that name, nothing can be written. A table is written by calls.
    fn set_ledger(&mut self, writable: bool) {
        let was = std::mem::replace(&mut self.ledger[1], writable);
        lock(&self.judge).ledger_ails(self.ledger.contains(&false));
        if self.setting.ledger == LedgerKind::Table {
            match (was, writable) {
                (true, false) => self.let_puts_fail(),
                // With the others that are set: they can't be told apart.
                (false, true) => {
                    self.server.clear_faults();
                    self.faults = false;
                    self.shut.clear();
                }
                (true, true) | (false, false) => {}
            }
            return;
        }
        let lock = self.folder.path().join("ledger.json.lock");
        if writable {
            drop(fs::remove_dir(&lock));
        } else {
            drop(fs::remove_file(&lock));
            drop(fs::create_dir(&lock));
        }
    }

    fn let_puts_fail(&self) {
        self.server.fault(Fault::new(FaultKind::ServerError).operation("PutItem"));
    }

    fn hide_ledger(&mut self, gone: bool) {
        let judge = Arc::clone(&self.judge);
        self.ledger[0] = self.server.with(|model| {
            let mut judge = lock(&judge);
            judge.store.hide(gone, model);
            !judge.store.is_hidden()
        });
        lock(&self.judge).ledger_ails(self.ledger.contains(&false));
    }

    /// Lambda ends whatever lasts longer than a function may.
    async fn jump(&mut self, seconds: u64) -> Result<(), Violation> {
        self.figures.jumps += 1;
        let ahead = i64::try_from(seconds).unwrap_or(i64::MAX);
        let now = self.server.with(|model| model.clock.now());
        let lasts = |running: &Running| now.as_second() + ahead - running.began.as_second() > LONGEST;
        while let Some(at) = self.running.iter().position(lasts) {
            self.figures.outlasted += 1;
            self.kill(at)?;
        }
        self.wait(seconds);
        Ok(())
    }

    /// Time passes, for AWS and for the keepers.
    fn wait(&self, seconds: u64) {
        self.server.with(|model| model.clock.advance(Duration::from_secs(seconds)));
        self.clock.advance(i64::try_from(seconds).unwrap_or_default());
    }

    fn send(&mut self, event: &Value) {
        let hub = self.setting.hub();
        let message = SendMessage::new(event.to_string());
        self.server.with(|model| {
            model.send_message(&events_queue(&hub), &hub, message).expect("the queue takes it");
        });
    }

    fn schedule(&mut self) {
        self.schedules += 1;
        let hub = self.setting.hub();
        self.send(&json!({
            "version": "0",
            "id": format!("00000000-0000-4000-8000-{:012}", self.schedules),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": hub,
            "time": "2026-11-02T10:00:00Z",
            "region": self.setting.regions()[0],
            "resources": [format!("arn:aws:events:us-east-1:{hub}:rule/guardrail-keeper-sweep")],
            "detail": {},
        }));
    }

    fn ask(&mut self, account: &str) {
        self.schedules += 1;
        self.send(&json!({
            "version": "0",
            "id": format!("00000000-0000-4000-9000-{:012}", self.schedules),
            "detail-type": REQUEST_DETAIL_TYPE,
            "source": REQUEST_SOURCE,
            "account": self.setting.hub(),
            "time": "2026-11-02T10:00:00Z",
            "region": self.setting.regions()[0],
            "detail": { "accounts": [account], "regions": "all", "reason": "somebody wants to know" },
        }));
    }

    /// What the judge has found while calls were made.
    fn judged(&mut self) -> Result<(), Violation> {
        let mut judge = lock(&self.judge);
        let calls = std::mem::take(&mut judge.calls);
        if std::env::var_os("HISTORIES_TRACE").is_some() {
            for call in &calls {
                let (operation, target) = (&call.operation, call.target.as_deref().unwrap_or_default());
                eprintln!(
                    "           {operation} by {} in {} {target} {:?}",
                    call.account, call.region, call.error
                );
            }
        }
        self.figures.plain.count_calls(&calls);
        let written = calls.iter().filter(|call| call.write && call.service == "bedrock");
        self.written.extend(written.filter(|call| call.error.is_none()).map(|call| call.operation.clone()));
        judge.violation.take().map_or(Ok(()), Err)
    }

    fn is_calm(&self) -> bool {
        !self.faults && self.ledger == [true; 2] && !self.wants.invalid
    }
}
