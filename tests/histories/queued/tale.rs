//! One history of the deployed form, from its first step to its end.
//!
//! One thread turns everything: an invocation goes on only while it is its turn, until a certain number of calls
//! were carried out; then it stands still, right after a call whose answer it hasn't read yet, and another one
//! goes on. So the same seed tells the same history, but for what a busy machine adds where a call hangs.

mod ending;
mod telling;

use std::collections::BTreeMap;
use std::fs;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use guardrail_keeper::handler::{Deadline, handle_until};
use guardrail_keeper::ids::AccountId;
use guardrail_keeper::reconcile::{Clock, Keeper, Stopped};
use guardrail_keeper::trigger::{REQUEST_DETAIL_TYPE, REQUEST_SOURCE};
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{Ended, EventSourceMapping, Fault, FaultKind, Next, QueueName, SendMessage, Server};
use tempfile::TempDir;

use super::figures::Figures;
use super::judge::Judge;
use super::planted::Plant;
use super::post::Post;
use super::step::{Manner, Step, absent, is_out_of_order};
use super::store::Store;
use super::world::{PARAMETER, live, publish};
use crate::act::Stage;
use crate::baseline::{Wanted, Wants};
use crate::check::{Invariant, Violation, broken};
use crate::dice::Dice;
use crate::model::{Place, Prompt, blocked_prompt};
use crate::queues::{events_queue, make_queues, tasks_queue};
use crate::setting::{LedgerKind, Setting, folder};
use crate::step::{self, Meddling, PUT, account_of};
use crate::tale::{CHANGED, Failed, UNASKED, excuse};
use crate::telling::is_reachable;

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

/// An invocation that is under way, and stands still unless it is its turn.
struct Running {
    number: usize,
    is_task: bool,
    invocation: u64,
    /// What it works on, if that is a task.
    group: Option<String>,
    process: usize,
    messages: Vec<String>,
    began: Timestamp,
    /// Whether nothing was wrong when it began, and what had happened until then.
    calm: bool,
    happened: usize,
    future: Pin<Box<dyn Future<Output = Ended>>>,
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
    /// How often each message failed.
    failures: BTreeMap<String, usize>,
    schedules: usize,
    plant: Option<Plant>,
    /// Whether its end has begun.
    ending: bool,
    placements: BTreeMap<String, Value>,
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
        let mut other = variables.clone();
        let former = format!("arn:aws:iam::{hub}:role/GuardrailKeeperOfLastYear");
        other.insert("KEEPER_FORMER_ROLES".to_owned(), former);
        other.insert("KEEPER_CONCURRENCY".to_owned(), "2".to_owned());
        let variables = [variables, other];
        let wants = Wants::start(setting);
        let clock = Clock::default();
        let store = server.with(|model| Store::of(setting, folder.path(), model));
        let mut judge = Judge::new(setting, store, clock.clone());
        judge.plant = plant;
        judge.published(&wants, &wants.text(setting));
        server.with(|model| {
            model.settings.keep_events = 10_000;
            publish(model, setting, &wants);
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
            failures: BTreeMap::new(),
            schedules: 0,
            plant,
            ending: false,
            placements: BTreeMap::new(),
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
            self.figures.plain.steps += 1;
        }
        self.end().await?;
        self.figures.plain.histories += 1;
        let mut judge = lock(&self.judge);
        (self.figures.judged, self.figures.excused) = (judge.judged, judge.excused);
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
            Step::Jump { seconds } => self.jump(*seconds).await?,
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
            step::Step::Approve => drop(self.approve().await),
            step::Step::Offboard { account, leaves } => self.offboard(*account, *leaves).await,
            other => panic!("{other} is a step of the direct form"),
        }
        Ok(())
    }

    /// Somebody approves the baseline that is there.
    async fn approve(&mut self) -> Result<(), Stopped> {
        let baseline = self.keepers[0].baseline().await?;
        lock(&self.judge).book.approved.insert(self.wants.text(self.setting));
        self.keepers[0].approve(&baseline.revision).await
    }

    /// Somebody marks an account as about to leave, or as one that stays. Only the ledger knows it.
    async fn offboard(&mut self, account: usize, leaves: bool) {
        let account: AccountId = account_of(self.setting, account).parse().expect("an account id");
        let since = leaves.then(|| self.clock.now());
        drop(self.keepers[0].offboard(&account, since).await);
        self.figures.offboarded += usize::from(leaves);
        lock(&self.judge).note_leaving(account.as_str());
        self.note_leaving();
    }

    fn note_leaving(&mut self) {
        self.wants.leaving = lock(&self.judge).leaving();
    }

    fn say(&mut self, line: String) {
        if std::env::var_os("HISTORIES_TRACE").is_some() {
            eprintln!("{line}");
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

    fn publish(&mut self) {
        self.server.with(|model| publish(model, self.setting, &self.wants));
        lock(&self.judge).published(&self.wants, &self.wants.text(self.setting));
    }

    async fn end_faults(&mut self) -> Result<(), Violation> {
        self.server.clear_faults();
        self.faults = false;
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
        if self.setting.ledger == LedgerKind::Table {
            match (was, writable) {
                (true, false) => self.let_puts_fail(),
                // With the others that are set: they can't be told apart.
                (false, true) => {
                    self.server.clear_faults();
                    self.faults = false;
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

    async fn work(&mut self, turns: usize, dice: &mut Dice) -> Result<(), Violation> {
        for _ in 0..turns {
            if !self.turn(dice).await? {
                break;
            }
        }
        Ok(())
    }

    /// One turn: something begins, or goes on by a few calls or to its end. Says whether there was anything to do.
    async fn turn(&mut self, dice: &mut Dice) -> Result<bool, Violation> {
        self.post.deliver(&self.server, &mut self.figures);
        let waits = !self.running.is_empty();
        if (!waits || dice.chance(40)) && self.start(dice).await? {
            return Ok(true);
        }
        if !waits {
            return Ok(false);
        }
        let at = dice.below(self.running.len());
        let calls = if dice.chance(35) { u64::MAX } else { 1 + dice.below(6) as u64 };
        self.advance(at, calls).await?;
        Ok(true)
    }

    /// Takes a batch from one of the queues, if there is one.
    async fn start(&mut self, dice: &mut Dice) -> Result<bool, Violation> {
        if self.running.len() >= SIDE_BY_SIDE {
            return Ok(false);
        }
        let first = dice.chance(60);
        for is_task in [first, !first] {
            let mapping = if is_task { &mut self.tasks } else { &mut self.events };
            let next = mapping.next(&self.server).expect("the queue exists");
            let Next::Batch { invocation, event } = next else { continue };
            let free = |process: &usize| self.running.iter().all(|running| running.process != *process);
            let free: Vec<usize> = (0..SIDE_BY_SIDE).filter(free).collect();
            let process = *dice.pick(&free);
            let age =
                self.server.with(|model| model.clock.now()).as_second() - self.born[process].as_second();
            if age > OLD && !self.keeps_old {
                self.renew(process).await;
            }
            let hurried = !is_task && dice.chance(if self.manner.quiet { 50 } else { 15 });
            self.invoke(is_task, invocation, event, process, hurried)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn invoke(
        &mut self,
        is_task: bool,
        invocation: u64,
        mut event: Value,
        process: usize,
        hurried: bool,
    ) -> Result<(), Violation> {
        let records = event["Records"].as_array().expect("it is a batch");
        let messages = records.iter().filter_map(|record| record["messageId"].as_str());
        let messages: Vec<String> = messages.map(str::to_owned).collect();
        let group = records[0]["attributes"]["MessageGroupId"].as_str().map(str::to_owned);
        if self.plant == Some(Plant::NeverGuards) && group.as_ref().is_some_and(|it| it.starts_with('3')) {
            self.tasks
                .finish(&self.server, invocation, &Ended::Answered(Value::Null))
                .expect("the queue exists");
            return Ok(());
        }
        if let Some(plant) = self.plant {
            plant.hand_over(&mut event, &mut self.placements);
        }
        self.figures.invocations += 1;
        self.figures.tasks += usize::from(is_task);
        self.figures.side_by_side += usize::from(!self.running.is_empty());
        let version = version_of(process);
        let other = self.running.iter().any(|running| version_of(running.process) != version);
        self.figures.both_versions += usize::from(other);
        self.begun += 1;
        let number = self.begun;
        if let Some(group) = &group {
            let body = event["Records"][0]["body"].as_str().unwrap_or_default();
            let task: Value = serde_json::from_str(body).unwrap_or_default();
            let line = format!("       {number}: version {version} begins task {group}, {}", in_short(&task));
            self.say(line);
            lock(&self.judge).begin(group, &task)?;
            let twice = self.plant == Some(Plant::WorksTwiceAtOnce);
            if twice && lock(&self.judge).begin(group, &task).is_err() {
                return broken(Invariant::OutOfTurn, format!("two invocations work on {group} at once"));
            }
        } else {
            let bodies: Vec<String> = event["Records"].as_array().into_iter().flatten().map(what).collect();
            self.say(format!("       {number}: version {version} begins with {}", bodies.join(", ")));
        }
        let acknowledges = is_task && self.plant == Some(Plant::AcknowledgesFirst);
        if acknowledges {
            let done = Ended::Answered(Value::Null);
            self.tasks.finish(&self.server, invocation, &done).expect("the queue exists");
        }
        let keeper = Arc::clone(&self.keepers[process]);
        let payload = event.to_string();
        let future = Box::pin(async move {
            let left = Deadline::after(Duration::from_secs(1));
            let deadline = if hurried { left } else { Deadline::NONE };
            match Box::pin(handle_until(&keeper, &payload, deadline)).await {
                Ok(answer) => Ended::Answered(answer),
                Err(_) => Ended::Failed,
            }
        });
        self.running.push(Running {
            number,
            is_task,
            invocation,
            group,
            process,
            messages,
            began: self.server.with(|model| model.clock.now()),
            calm: self.is_calm(),
            happened: self.happened,
            future,
        });
        Ok(())
    }

    /// Lets one invocation go on until so many calls were carried out, or to its end.
    async fn advance(&mut self, at: usize, calls: u64) -> Result<(), Violation> {
        let until = self.server.call_count().saturating_add(calls);
        let (server, running) = (&self.server, &mut self.running[at]);
        lock(&self.judge).turn.clone_from(&running.group);
        let ended = {
            let mut crashed = pin!(server.crashed());
            poll_fn(|context| {
                if crashed.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Some(Ended::Crashed));
                }
                if server.call_count() >= until {
                    return Poll::Ready(None);
                }
                running.future.as_mut().poll(context).map(Some)
            })
            .await
        };
        self.judged()?;
        match ended {
            None => Ok(()),
            Some(Ended::Crashed) => {
                self.figures.crashed += 1;
                self.kill(at)
            }
            Some(ended) => {
                let running = self.running.swap_remove(at);
                self.finish(running, ended)
            }
        }
    }

    /// Ends an invocation where it is.
    fn kill(&mut self, at: usize) -> Result<(), Violation> {
        let running = self.running.swap_remove(at);
        self.finish(running, Ended::Crashed)
    }

    fn finish(&mut self, running: Running, mut ended: Ended) -> Result<(), Violation> {
        let Running { number, is_task, invocation, group, messages, calm, happened, future, .. } = running;
        drop(future);
        let mut failed: Vec<String> = match &ended {
            Ended::Answered(answer) => {
                let items = answer["batchItemFailures"].as_array().into_iter().flatten();
                items.filter_map(|item| item["itemIdentifier"].as_str().map(str::to_owned)).collect()
            }
            Ended::Failed | Ended::Crashed => messages.clone(),
        };
        let crashed = ended == Ended::Crashed;
        match self.plant {
            Some(Plant::FailsForNothing) if !crashed => failed = messages,
            Some(Plant::SweepsForEver) if self.ending && group.is_none() => self.schedule(),
            Some(Plant::NeverRests) if group.is_some() => self.written.push(PUT.to_owned()),
            _ => {}
        }
        if !failed.is_empty() || crashed {
            let what = if crashed { "is killed" } else { "fails" };
            self.say(format!("       {number} {what}"));
            self.figures.failed += usize::from(!crashed);
        }
        for message in &failed {
            *self.failures.entry(message.clone()).or_default() += 1;
        }
        if !failed.is_empty() && !crashed && calm && self.is_calm() && happened == self.happened {
            return broken(Invariant::FailedForNothing, format!("invocation {number} failed"));
        }
        if self.plant == Some(Plant::SwallowsFailures) && !crashed {
            ended = Ended::Answered(Value::Null);
        }
        let mapping = if is_task { &mut self.tasks } else { &mut self.events };
        mapping.finish(&self.server, invocation, &ended).expect("the queue exists");
        let Some(group) = group else { return Ok(()) };
        let fails = !failed.is_empty();
        let (plant, setting, wants) = (self.plant, self.setting, &self.wants);
        let judged = self.server.with(|model| {
            let mut judge = lock(&self.judge);
            if let Some(plant) = plant
                && !crashed
                && plant.act(setting, wants, &judge.book, model, &judge.faults, &group)
            {
                judge.judge_write(&group, None, model)?;
            }
            let judged = judge.end(&group, model, crashed);
            if crashed || fails {
                judge.failed(&group);
            }
            judged
        });
        self.note_leaving();
        judged
    }

    async fn finish_all(&mut self) -> Result<(), Violation> {
        while !self.running.is_empty() {
            self.advance(self.running.len() - 1, u64::MAX).await?;
        }
        Ok(())
    }

    /// Works until the queues are empty; the clock goes on where all there is waits.
    async fn settle(&mut self, dice: &mut Dice) -> Result<(), Violation> {
        for _ in 0..TOO_MANY {
            if self.turn(dice).await? {
                continue;
            }
            let next = |mapping: &mut EventSourceMapping, server: &Server| match mapping.next(server) {
                Ok(Next::Later(until)) => Some(until),
                Ok(Next::Idle | Next::Busy) => None,
                other => panic!("nothing was to be had, and then {other:?}"),
            };
            let waits = [next(&mut self.events, &self.server), next(&mut self.tasks, &self.server)];
            let Some(until) = waits.into_iter().flatten().min() else { return Ok(()) };
            let now = self.server.with(|model| model.clock.now());
            self.wait(u64::try_from(until.as_second() - now.as_second()).unwrap_or_default().max(1));
        }
        broken(Invariant::LeftInQueues, "it goes on for ever")
    }
}

/// A task in a few words.
fn in_short(task: &Value) -> String {
    let cause = &task["cause"];
    let reason = cause["reason"].as_str().unwrap_or_default();
    format!("try {}: {reason}", cause["attempt"])
}

/// What a message of the queue of events holds, in a few words.
fn what(record: &Value) -> String {
    let body: Value = serde_json::from_str(record["body"].as_str().unwrap_or_default()).unwrap_or_default();
    match body["guardrail-keeper"].as_object().and_then(|errand| errand.keys().next()) {
        Some(errand) => format!("errand {errand}"),
        None => {
            let name = body["detail"]["eventName"].as_str().or(body["detail-type"].as_str());
            name.unwrap_or("something").to_owned()
        }
    }
}
