//! One history, from its first step to its end, with everything checked after each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;

use guardrail_keeper::baseline::{Baseline, Revision};
use guardrail_keeper::control::Leaving;
use guardrail_keeper::engine::{self, Clock, Keeper, Reviewer, Stopped, everything};
use guardrail_keeper::failure::Failure;
use guardrail_keeper::handler::{DoneHere, do_here};
use guardrail_keeper::ids::AccountId;
use guardrail_keeper::record::Records;
use guardrail_keeper::report::Report;
use guardrail_keeper::trigger::{Accounts, Scope};
use simulator::{Answer, Call, Server};
use tempfile::TempDir;

use crate::act::Stage;
use crate::figures::Figures;
use crate::planted::{Plant, Seen};
use testkit::histories::baseline::{Existing, Placement, Wanted, Wants};
use testkit::histories::check::{Book, Invariant, Rest, Run, Violation, broken};
use testkit::histories::model::{Place, Prompt, Snapshot, blocked_prompt};
use testkit::histories::setting::{Setting, baseline_file, folder, ledger_file};
use testkit::histories::step::{Meddling, Step, Wrong, account_of};

/// A failure, and how far the history had come.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) violation: Violation,
    /// What was done, a line each.
    pub(crate) log: Vec<String>,
}

/// Tells a history to its end.
pub(crate) async fn tell(
    setting: &Setting,
    steps: &[Step],
    plant: Option<Plant>,
) -> Result<Figures, Box<Failed>> {
    let mut tale = Tale::begin(setting, plant).await;
    let told = tale.all(steps).await;
    let Tale { server, log, figures, .. } = tale;
    server.stop().await;
    match told {
        Ok(()) => Ok(figures),
        Err(violation) => Err(Box::new(Failed { violation, log })),
    }
}

struct Tale<'a> {
    setting: &'a Setting,
    server: Server,
    /// The keeper's clock: it goes with the simulator's.
    clock: Clock,
    folder: TempDir,
    keeper: Keeper,
    wants: Wants,
    /// Every baseline that was there, by its revision.
    published: BTreeMap<String, Wants>,
    book: Book,
    /// The faults that are set.
    faults: Vec<Wrong>,
    made: u32,
    plant: Option<Plant>,
    /// Whether the ledger can be written.
    recordable: bool,
    /// What the last run wrote.
    written: Vec<Call>,
    figures: Figures,
    log: Vec<String>,
}

impl Tale<'_> {
    async fn begin(setting: &Setting, plant: Option<Plant>) -> Tale<'_> {
        let folder = folder();
        let server = setting.start().await;
        let clock = Clock::default();
        let keeper = setting.keeper(&server, folder.path()).await.with_clock(clock.clone());
        let wants = Wants::start(setting);
        let mut tale = Tale {
            setting,
            server,
            clock,
            folder,
            keeper,
            wants,
            published: BTreeMap::new(),
            book: Book::default(),
            faults: Vec::new(),
            made: 0,
            plant,
            recordable: true,
            written: Vec::new(),
            figures: Figures::default(),
            log: Vec::new(),
        };
        tale.write_baseline();
        tale
    }

    async fn all(&mut self, steps: &[Step]) -> Result<(), Violation> {
        for (number, step) in steps.iter().enumerate() {
            self.log.push(format!("{number:3}  {step}"));
            self.step(step).await?;
            self.figures.steps += 1;
        }
        self.end().await?;
        self.figures.histories += 1;
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Violation> {
        match step {
            Step::Sweep => return self.run(None, None).await,
            Step::LookAt { account } => {
                return self.run(Some(account_of(self.setting, *account)), None).await;
            }
            Step::Interrupted { meddling } => {
                self.book.rest = Rest::No;
                self.figures.meddlings += 1;
                return self.run(None, Some(*meddling)).await;
            }
            Step::Restart { forgets } => {
                self.restart(*forgets).await;
                return Ok(());
            }
            Step::Approve => drop(self.approve().await),
            Step::Offboard { account, leaves } => self.offboard(*account, *leaves).await,
            Step::Meddle(meddling) => {
                self.meddle(*meddling);
                self.figures.meddlings += 1;
            }
            Step::Edit(edit) => {
                self.wants.edit(self.setting, *edit);
                self.write_baseline();
                self.figures.edits += 1;
            }
            Step::Fault(wrong) => {
                self.server.fault(wrong.fault(self.setting));
                self.faults.push(wrong.clone());
                *self.figures.faults.entry(wrong.kind).or_default() += 1;
            }
            Step::FaultsEnd => self.clear_faults(),
            Step::Wait { seconds } => self.wait(*seconds),
            Step::Ledger { writable } => {
                self.set_ledger(*writable);
                self.figures.unwritable_ledgers += usize::from(!writable && self.setting.is_durable());
            }
        }
        self.book.rest = Rest::No;
        Ok(())
    }

    /// Somebody approves the baseline that is there.
    async fn approve(&mut self) -> Result<(), Stopped> {
        let baseline = engine::baseline(&self.keeper).await?;
        self.book.approved.insert(self.wants.text(self.setting));
        drop(engine::approve(&self.keeper, &baseline.revision).await?);
        Ok(())
    }

    /// Somebody marks an account as about to leave, or as one that stays, in the ledger.
    async fn offboard(&mut self, account: usize, leaves: bool) {
        let account = account_of(self.setting, account);
        let id: AccountId = account.parse().expect("an account id");
        let leaving = if leaves { Leaving::Leaves } else { Leaving::Stays };
        if engine::offboard(&self.keeper, &id, leaving).await.is_ok() {
            match leaves {
                true => drop(self.wants.leaving.insert(account)),
                false => drop(self.wants.leaving.remove(&account)),
            }
        }
    }

    fn write_baseline(&mut self) {
        let text = self.wants.text(self.setting);
        self.published.insert(Revision::of(&text).to_string(), self.wants.clone());
        fs::write(baseline_file(self.folder.path()), text).expect("the folder is ours");
    }

    fn meddle(&mut self, meddling: Meddling) {
        let (setting, wants, made) = (self.setting, &self.wants, &mut self.made);
        self.server.with(|model| Stage { setting, wants, model, made }.meddle(meddling));
    }

    fn clear_faults(&mut self) {
        self.server.clear_faults();
        self.faults.clear();
    }

    fn wait(&mut self, seconds: u64) {
        self.server.with(|model| model.clock.advance(std::time::Duration::from_secs(seconds)));
        self.clock.advance(i64::try_from(seconds).unwrap_or_default());
    }

    /// Its lock is a file. Where a folder has that name, nothing can be written.
    fn set_ledger(&mut self, writable: bool) {
        self.recordable = writable || !self.setting.is_durable();
        let lock = self.folder.path().join("ledger.json.lock");
        if writable {
            drop(fs::remove_dir(&lock));
        } else {
            drop(fs::remove_file(&lock));
            drop(fs::create_dir(&lock));
        }
    }

    async fn restart(&mut self, forgets: bool) {
        self.figures.restarts += 1;
        if forgets {
            drop(fs::remove_file(ledger_file(self.folder.path())));
        }
        if forgets || !self.setting.is_durable() {
            self.book.forget();
            self.wants.leaving.clear();
        }
        let keeper = self.setting.keeper(&self.server, self.folder.path()).await;
        self.keeper = keeper.with_clock(self.clock.clone());
    }

    fn snapshot(&self) -> Snapshot {
        self.server.with(|model| Snapshot::of(model, self.setting))
    }

    /// One run of the keeper, and every check.
    async fn run(&mut self, scope: Option<String>, meddling: Option<Meddling>) -> Result<(), Violation> {
        self.server.clear_calls();
        self.figures.runs += 1;
        let present = match engine::baseline(&self.keeper).await {
            Ok(present) => present,
            Err(Stopped::BaselineInvalid(_)) if self.wants.invalid => {
                self.figures.invalid_baselines += 1;
                if let Some(meddling) = meddling {
                    self.meddle(meddling);
                }
                if self.plant == Some(Plant::ActsWithoutBaseline) {
                    let owner = self.setting.owner().parse().expect("an account id");
                    drop(engine::place(&self.keeper, &owner).await);
                }
                return self.expect_silence();
            }
            Err(stopped) => {
                panic!("the baseline should be valid: {stopped}\n{}", self.wants.text(self.setting))
            }
        };
        let asked = match &scope {
            None => everything(),
            Some(account) => {
                let account: AccountId = account.parse().expect("an account id");
                Scope { accounts: Accounts::Only([account].into()), ..everything() }
            }
        };
        let before = self.snapshot();
        let (mut middle, mut waiting) = (before.clone(), BTreeSet::new());
        let meddled = meddling.is_some();
        let told = match meddling {
            None => do_here(&self.keeper, &asked, Reviewer::NOBODY).await,
            Some(meddling) => {
                let (setting, wants, made) = (self.setting, &self.wants, Mutex::new(self.made));
                let (pending, between) = (Mutex::new(Some(meddling)), Mutex::new(None));
                // Right before the first write, or after everything where nothing is written.
                let meddles = || {
                    let Some(meddling) = pending.lock().expect("one thread").take() else { return };
                    let made = &mut *made.lock().expect("one thread");
                    let after = self.server.with(|model| {
                        Stage { setting, wants, model, made }.meddle(meddling);
                        Snapshot::of(model, setting)
                    });
                    *between.lock().expect("one thread") = Some(after);
                };
                let watched = |step: engine::Step<'_>| {
                    if matches!(step, engine::Step::Begins(_)) {
                        meddles();
                    }
                };
                let told = do_here(&self.keeper, &asked, Reviewer { progress: &watched, plan: None }).await;
                meddles();
                let made = *made.lock().expect("one thread");
                if let Some(after) = between.lock().expect("one thread").take() {
                    middle = after;
                }
                self.made = made;
                told
            }
        };
        let mut report = match told {
            Ok(DoneHere { mut report, unfinished, .. }) => {
                for why in unfinished {
                    match why.split(' ').next().filter(|first| first.parse::<AccountId>().is_ok()) {
                        Some(account) => drop(waiting.insert(account.to_owned())),
                        // A list that failed names nobody.
                        None => waiting.extend(self.setting.assignable()),
                    }
                    // As at the terminal: what is unfinished has not converged.
                    report.unplaced.insert(why.clone(), Failure::transient("run", why));
                }
                self.note_report(&report);
                Some(report)
            }
            Err(stopped) => {
                self.figures.stopped += 1;
                self.log.push(format!("       stopped: {stopped}"));
                None
            }
        };
        let followed = self.followed(&present).await;
        let put_back = followed.is_some();
        if put_back {
            // The report may speak of targets that the present baseline doesn't name.
            waiting.extend(self.setting.assignable());
        }
        let wants = followed.unwrap_or_else(|| self.wants.clone());
        let mut calls = self.server.calls();
        let mut records = self.records().await;
        if let Some(plant) = self.plant {
            let (setting, book, server) = (self.setting, &self.book, &self.server);
            let (faults, recordable) = (&self.faults, self.recordable);
            let (calls, records, report) = (&mut calls, &mut records, &mut report);
            let mut seen = Seen { calls, records, report, faults, recordable, meddled };
            server.with(|model| plant.act(setting, &wants, book, model, &mut seen));
        }
        self.figures.count_calls(&calls);
        self.written.clear();
        self.written.extend(calls.iter().filter(|call| call.write && call.error.is_none()).cloned());
        let after = self.snapshot();
        let run = Run {
            setting: self.setting,
            wants: &wants,
            put_back,
            faults: &self.faults,
            before,
            middle,
            recordable: self.recordable,
            meddled,
            waiting,
            proven: if meddled { Tale::proven(&calls, &after) } else { BTreeSet::new() },
            after,
            scope,
            calls,
            records,
            report,
        };
        let (server, book) = (&self.server, &mut self.book);
        let deeds = server.with(|model| run.check(model, book))?;
        self.figures.count_deeds(deeds);
        Ok(())
    }

    /// What the baseline before the present one wants, where the present one waits for its approval and accounts follow
    /// the one before.
    async fn followed(&self, present: &Baseline) -> Option<Wants> {
        let followed = engine::effective(&self.keeper, present).await.expect("the ledger can be read");
        if followed.is_present() {
            return None;
        }
        let before = self.published.get(followed.baseline.revision.as_str());
        let before = before.expect("accounts follow a baseline that was there once").clone();
        let Wants { stood, leaving, .. } = self.wants.clone();
        Some(Wants { stood, leaving, ..before })
    }

    /// What members were proven to be able to apply, in the version that is enforced now.
    fn proven(calls: &[Call], after: &Snapshot) -> BTreeSet<(Place, String, String)> {
        let proofs = calls.iter().filter(|call| call.operation == "ApplyGuardrail" && call.status == 200);
        let proven = proofs.filter_map(|call| {
            let place = Place { account: call.account.clone(), region: call.region.clone() };
            let version = after.enforced.get(&place)?.guardrail_version.clone();
            Some((place, call.target.clone()?, version))
        });
        proven.collect()
    }

    fn note_report(&mut self, report: &Report) {
        self.figures.converged += usize::from(report.is_converged());
        let lines = report.to_string();
        self.log.extend(lines.lines().map(|line| format!("       {line}")));
    }

    fn expect_silence(&self) -> Result<(), Violation> {
        match self.server.calls().first() {
            Some(call) => broken(Invariant::ActedWithoutBaseline, format!("it called {}", call.operation)),
            None => Ok(()),
        }
    }

    async fn records(&self) -> Records {
        let mut records = Records::new();
        for account in self.setting.accounts() {
            let account: AccountId = account.parse().expect("an account id");
            let known = self.keeper.ledger().account(&account).await.expect("the ledger can be read");
            records.extend(known.records(&account));
        }
        records
    }

    /// The faults stop, what was broken for good is put right, the revision is approved, and the
    /// keeper runs [`Setting::runs_to_settle`] times over everything. Then everybody who should be
    /// guarded is, and another run writes nothing.
    async fn end(&mut self) -> Result<(), Violation> {
        self.log.push("the end: no faults, everything restored, the baseline approved".to_owned());
        self.clear_faults();
        self.set_ledger(true);
        // Half of the histories end with what they have come to want, half with what they began with.
        if self.setting.seed.is_multiple_of(2) {
            self.wants = self.wants.begun_anew(self.setting);
        }
        self.wants.put_right();
        self.write_baseline();
        let (setting, wants, made) = (self.setting, &self.wants, &mut self.made);
        self.server.with(|model| Stage { setting, wants, model, made }.restore());
        self.book.rest = Rest::No;
        // What a moved account would lose of somebody else's is shown by a run, and approved before the next.
        let adopted: Vec<Place> = self.book.adopted().cloned().collect();
        let asks = self.server.with(|model| {
            adopted.iter().any(|place| self.wants.of(self.setting, model, place) == Wanted::Nothing)
        });
        // What somebody undid again and again is repaired every ten minutes at most (seed 65018483).
        self.wait(600);
        for _ in 0..self.setting.runs_to_settle() + usize::from(asks) {
            self.approve().await.unwrap_or_else(|stopped| panic!("{stopped}"));
            self.wait(60);
            self.log.push("     run over everything".to_owned());
            self.run(None, None).await?;
        }
        self.wait(60);
        let excused = self.check_guarded()?;
        self.log.push("     run over everything, for the last time".to_owned());
        let converged = self.figures.converged;
        self.run(None, None).await?;
        // What AWS refuses is tried again each time, where that is an excuse.
        if let Some(call) = self.written.first() {
            return broken(Invariant::Restless, format!("the last run called {}", call.operation));
        }
        if excused == 0 && self.figures.converged == converged {
            return broken(Invariant::Unguarded, "everybody is guarded, and the report doesn't say so");
        }
        Ok(())
    }

    fn check_guarded(&mut self) -> Result<usize, Violation> {
        let (setting, wants, book) = (self.setting, &self.wants, &self.book);
        let mut excused = 0;
        for account in setting.assignable() {
            for region in setting.regions() {
                let place = Place { account: account.clone(), region: (*region).to_owned() };
                let outcome = self.server.with(|model| {
                    let wanted = wants.of(setting, model, &place);
                    let enforced = model.enforcement(&place.account, &place.region).cloned();
                    if wanted != Wanted::Guardrail {
                        let left = enforced.filter(|_| wanted == Wanted::Nothing)?;
                        // Nothing of the keeper's may be left where it isn't wanted. In a Region that
                        // the baseline doesn't name, only the ledger knows of it.
                        let looked_at = wants.names(setting, &place.region) || book.has(&place);
                        let left_behind = looked_at && book.is_provably_applied(&place, &left);
                        return Some((false, (!left_behind).then_some(CHANGED)));
                    }
                    let foreign = enforced.as_ref().is_some_and(|seen| book.is_foreign(&place, seen));
                    let met = enforced.is_some_and(|seen| wants.is_met(setting, model, &place, &seen));
                    let guarded = met && blocked_prompt(model, &place) == Prompt::Stopped;
                    let excuse = excuse(setting, wants, &place, foreign);
                    Some((guarded, excuse))
                });
                match outcome {
                    None => {}
                    Some((true, _)) => self.figures.guarded += 1,
                    Some((false, Some(reason))) => {
                        excused += 1;
                        *self.figures.excuses.entry(reason).or_default() += 1;
                    }
                    Some((false, None)) => {
                        return broken(Invariant::Unguarded, format!("{place} isn't as wanted"));
                    }
                }
            }
        }
        Ok(excused)
    }
}

/// Why a target isn't looked at.
pub(crate) const UNREACHABLE: &str = "no member that can be reached";
pub(crate) const NOBODYS: &str = "nobody's business";

/// Why something may still be enforced where nothing is wanted.
pub(crate) const CHANGED: &str = "nothing is wanted, and what is there isn't what the keeper put there";

/// Why something else may be enforced than what is wanted.
pub(crate) const FOREIGN_KEPT: &str = "somebody else's, and the baseline keeps those";
pub(crate) const REFUSED: &str = "AWS refuses another account's guardrail, and the baseline wants no copies";

/// Why something may still be enforced where nothing is wanted, and nobody was asked.
pub(crate) const UNASKED: &str = "nothing is wanted, and somebody else made what was adopted there";

/// Why a target may be left unguarded, or guarded by something else, when everything that can be
/// restored is. There are no other reasons.
pub(crate) fn excuse(setting: &Setting, wants: &Wants, place: &Place, foreign: bool) -> Option<&'static str> {
    let refused = setting.switches.cross_account_reference == Answer::Refused;
    if foreign && wants.existing != Existing::Replace {
        Some(FOREIGN_KEPT)
    } else if foreign && !setting.is_durable() {
        Some("somebody else's, and the ledger doesn't last")
    } else if refused && wants.placement == Placement::Central && place.account != setting.owner() {
        Some(REFUSED)
    } else {
        None
    }
}
