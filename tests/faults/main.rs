//! A fault at every call: each scenario of `scenario.rs` is told once for each of its calls and each fault of
//! `kind.rs` that can strike that call.
//!
//! A telling is judged at every step and at its end. After each invocation of the keeper, whether it came to
//! its end or not, everything that it wrote is held against the invariants, by the judge of the random
//! histories (`testkit/src/histories/check.rs`): by the simulator's state and calls, and never by what the keeper
//! says of itself. What it says is held against that state too: `status`, after each write, and the outcome events
//! of each invocation. Each write to an enforcement was recorded before.
//! At the end the queues are empty and nothing is a dead letter; everything is as the baseline
//! wants it, in time and without a sweep's help wherever the fault lets the keeper know that something is left; after
//! one sweep it is in any case; `status` then calls good what is good, and nothing else; and another sweep writes
//! nothing, to AWS, into the ledger or onto the bus. Once per scenario `guardrailctl status` is run as it is built.
//!
//! The ledger is a table, as it is deployed: what it is asked and told are calls like others. The keeper's clock
//! goes with the simulator's.
//!
//! Each scenario is told in the plain world and in others (`world.rs`): two Regions, pages, delays, AWS's other
//! answers, copies because AWS refuses another account's guardrail, a rule that is switched off.
//!
//! `part.rs` says which combinations a run tells: another part each day, and every fault at every call with
//! `KEEPER_FAULTS=all`. A failure names the scenario, its world, the call, the operation, the fault and the part.
//! `FAULTS_ONLY=TEXT` tells only the scenarios with that in their names, of which the world is a part. Bugs on purpose (`stage/planted.rs`) show that each rule can fail.

mod part;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use part::Part;
use serde_json::json;
use testkit::faults::kind::Kind;
use testkit::faults::scenario::Scenario;
use testkit::faults::stage::planted::Plant;
use testkit::faults::stage::{self, Stage};
use testkit::faults::world::World;
use testkit::figures_line::say_figures;

/// What all scenarios must come to at least: a test that meets nothing finds nothing.
const LEAST_CALLS: usize = 450;
const LEAST_OF_EACH_KIND: usize = 15;
const LEAST_OF_EACH_WORLD: usize = 5;

/// The first seed of the planted bugs: their accounts are nobody else's.
const PLANTED_SEED: u64 = 9_000;

/// How many kinds share one stage of the plain world, where most is told.
const TOGETHER: usize = 4;

#[derive(Clone, Debug, Default)]
struct Figures {
    /// By scenario, the calls it makes without a fault.
    calls: BTreeMap<(Scenario, World), usize>,
    faults: BTreeMap<Kind, usize>,
    /// Runs with a fault, by world.
    worlds: BTreeMap<World, usize>,
    /// The operations that were struck.
    operations: BTreeMap<String, usize>,
    /// Runs that only a sweep put right.
    swept: BTreeMap<Kind, usize>,
    judged: stage::Figures,
}

/// Something that the judge doesn't hold against the keeper: how often it was so, of how many, and how many in a
/// hundred at most.
struct Excuse {
    what: &'static str,
    count: usize,
    of: usize,
    most_percent: usize,
}

/// What a scenario in its world is called.
fn name((scenario, world): (Scenario, World)) -> String {
    format!("{}{}", scenario.name(), world.name())
}

/// Tells one scenario with faults of some kinds at each of its calls.
async fn tell_all(tale: (Scenario, World), kinds: &[Kind], part: Part, seed: u64) -> (Figures, Vec<String>) {
    let (mut figures, mut failures) = (Figures::default(), Vec::new());
    let (scenario, world) = tale;
    let name = name(tale);
    let set = async {
        let mut stage = Stage::set(tale, world.setting(scenario, seed)).await?;
        // Once for each scenario and its world.
        stage.renders = kinds[0] == Kind::ALL[0];
        let calls = stage.tell().await?;
        Ok::<_, String>((stage, calls))
    };
    let (mut stage, calls) = match set.await {
        Ok(set) => set,
        Err(what) => {
            return (figures, vec![format!("{name}, without a fault: {what}")]);
        }
    };
    figures.calls.insert(tale, calls.len());
    for kind in kinds {
        for (number, call) in (1..).zip(&calls) {
            if !kind.can_strike(call) || !part.has(tale, *kind, number, call) {
                continue;
            }
            match stage.tell_with(*kind, number, call).await {
                Ok((struck, needed_a_sweep)) => {
                    *figures.faults.entry(*kind).or_default() += 1;
                    *figures.worlds.entry(world).or_default() += 1;
                    if needed_a_sweep {
                        *figures.swept.entry(*kind).or_default() += 1;
                    }
                    *figures.operations.entry(struck.operation).or_default() += 1;
                }
                Err(failure) => failures.push(failure),
            }
        }
    }
    figures.judged = stage.figures();
    (figures, failures)
}

/// Everything, on a few threads: those that wait for an answer that never comes leave the processors to others.
fn tell_everything(only: &str, part: Part) -> Result<Figures, String> {
    // To set a scenario takes as long as a few tellings, so that kinds share it.
    let mut chosen: Vec<((Scenario, World), &[Kind])> = Vec::new();
    for kinds in Kind::ALL.chunks(TOGETHER) {
        chosen.extend(Scenario::ALL.into_iter().map(|scenario| ((scenario, World::Plain), kinds)));
    }
    let elsewhere = part.elsewhere().into_iter().map(|tale| (tale, &Kind::ALL[..]));
    chosen.splice(0..0, elsewhere);
    chosen.retain(|(tale, _)| name(*tale).contains(only));
    let next = AtomicUsize::new(0);
    let all: Mutex<(Figures, Vec<String>)> = Mutex::default();
    let threads = 2 + std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((tale, kinds)) = chosen.get(number) else { break };
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    let told = tell_all(*tale, kinds, part, number as u64);
                    let (figures, failures) = runtime.expect("a runtime starts").block_on(Box::pin(told));
                    let mut all = all.lock().expect("no thread panics");
                    all.0.add(figures);
                    all.1.extend(failures);
                }
            });
        }
    });
    let (figures, failures) = all.into_inner().expect("no thread panics");
    let count = failures.len();
    if count == 0 { Ok(figures) } else { Err(format!("{}\n\n{count} failed", failures.join("\n\n"))) }
}

impl Figures {
    fn add(&mut self, other: Figures) {
        let Figures { calls, faults, worlds, operations, swept, judged } = other;
        for (world, count) in worlds {
            *self.worlds.entry(world).or_default() += count;
        }
        for (kind, count) in swept {
            *self.swept.entry(kind).or_default() += count;
        }
        self.calls.extend(calls);
        self.judged.add(judged);
        for (kind, count) in faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (operation, count) in operations {
            *self.operations.entry(operation).or_default() += count;
        }
    }

    /// How many scenarios there were, whatever their worlds.
    fn scenarios(&self) -> usize {
        self.calls.keys().map(|(scenario, _)| scenario).collect::<BTreeSet<_>>().len()
    }

    fn runs(&self) -> usize {
        self.faults.values().sum()
    }

    /// Every excuse, with its cap.
    fn excuses(&self) -> Vec<Excuse> {
        let stage::Figures { told, told_again, untold, .. } = &self.judged;
        let stage::Figures { departures_untold, departures_told_again, .. } = self.judged;
        let of = |kind| self.faults.get(&kind).copied().unwrap_or_default();
        let swept = |kind| self.swept.get(&kind).copied().unwrap_or_default();
        let told_of = |kinds: &[&str]| kinds.iter().filter_map(|kind| told.get(*kind)).sum::<usize>();
        let writes = told_of(&["Enforcement Applied", "Enforcement Repaired", "Enforcement Released"]);
        let departures = told_of(&["Account Departed"]) + departures_untold;
        let excuse = |what, count, of, most_percent| Excuse { what, count, of, most_percent };
        vec![
            excuse("a denial is put right by a sweep", swept(Kind::Denied), of(Kind::Denied), 25),
            excuse("an old answer is put right by a sweep", swept(Kind::StaleRead), of(Kind::StaleRead), 25),
            // It was undone before anybody looked; or there are no queues, and then it is told by a look that comes a
            // quarter of an hour later, which that scenario doesn't last.
            excuse("a write is told by nobody until the end", untold.values().sum(), writes, 3),
            excuse("a write is told twice, by the same id", *told_again, writes, 10),
            excuse("a departure is told by nobody", departures_untold, departures, 1),
            // Few calls are made then, so that a large part of the faults strikes one of the two that decide it.
            excuse("a departure is told twice", departures_told_again, departures, 30),
        ]
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((scenario, world), calls) in &self.calls {
            writeln!(f, "{:3} calls: {}{}", calls, scenario.name(), world.name())?;
        }
        writeln!(f, "struck: {:?}", self.operations)?;
        writeln!(f, "judged: {:?}", self.judged)?;
        for Excuse { what, count, of, most_percent } in self.excuses() {
            writeln!(f, "excused: {count} of {of} (at most {most_percent} in a hundred): {what}")?;
        }
        let kinds: Vec<String> =
            self.faults.iter().map(|(kind, count)| format!("{} {count}", kind.name())).collect();
        let calls: usize = self.calls.values().sum();
        writeln!(f, "runs by world: {:?}", self.worlds)?;
        let tales = self.calls.len();
        write!(f, "{} scenarios, ", self.scenarios())?;
        write!(f, "{tales} with their worlds, {calls} calls, {} runs: {}", self.runs(), kinds.join(", "))
    }
}

#[tokio::test]
async fn every_planted_bug_is_noticed() {
    assert_eq!(Plant::untried(), [], "rules that nothing shows to be able to fail");
    for (number, (plant, scenario, rule)) in (0..).zip(Plant::ALL) {
        let tale = (scenario, plant.world());
        let setting = plant.world().setting(scenario, PLANTED_SEED + number);
        let mut stage = Box::pin(Stage::set(tale, setting)).await.unwrap_or_else(|what| panic!("{what}"));
        stage.plant(plant);
        let told = Box::pin(stage.tell()).await;
        let noticed = told.as_ref().is_err_and(|what| what.starts_with(&format!("{rule}: ")));
        assert!(
            noticed,
            "{plant:?} in {scenario:?} has to break {rule}: {:?}",
            told.map(|calls| calls.len())
        );
        stage.close().await;
    }
    say_figures("faults-planted", &json!({ "bugs": Plant::ALL.len() }));
}

#[test]
fn a_fault_at_any_call_is_survived() {
    let began = Instant::now();
    let only = std::env::var("FAULTS_ONLY").unwrap_or_default();
    let part = Part::of_the_environment();
    println!("{part}");
    let figures = tell_everything(&only, part).unwrap_or_else(|failures| panic!("\n{failures}\n{part}\n"));
    assert!(figures.runs() > 0, "no scenario has {only:?} in its name, or no fault could strike it");
    println!("{figures}; {:.0} seconds", began.elapsed().as_secs_f64());
    let told = json!({
        "scenarios": figures.scenarios(),
        "tales": figures.calls.len(),
        "worlds": figures.worlds.len(),
        "runs_by_world": figures.worlds.iter().map(|(world, runs)| (format!("{world:?}"), *runs)).collect::<BTreeMap<_, _>>(),
        "calls": figures.calls.values().sum::<usize>(),
        "operations": figures.operations.len(),
        "kinds": figures.faults.len(),
        "runs": figures.runs(),
        "called_good": figures.judged.called_good,
        "events": figures.judged.told.values().sum::<usize>(),
        "writes": figures.judged.writes,
        "programs": figures.judged.rendered,
        "callers": figures.judged.callers,
        "excused": figures.excuses().into_iter().map(|excuse| (excuse.what, excuse.count)).collect::<BTreeMap<_, _>>(),
        "longest_seconds": figures.judged.longest_seconds,
        "seconds": began.elapsed().as_secs(),
    });
    say_figures("faults", &told);
    if only.is_empty() {
        let calls: usize = figures.calls.values().sum();
        assert!(calls >= LEAST_CALLS, "only {calls} calls");
        for kind in Kind::ALL {
            let count = figures.faults.get(&kind).copied().unwrap_or_default();
            assert!(count >= LEAST_OF_EACH_KIND, "only {count} times {}", kind.name());
        }
        for world in World::ALL {
            let count = figures.worlds.get(&world).copied().unwrap_or_default();
            assert!(count >= LEAST_OF_EACH_WORLD, "only {count} in the world {world:?}");
        }
        for Excuse { what, count, of, most_percent } in figures.excuses() {
            assert!(count * 100 <= of * most_percent, "{count} of {of} are excused: {what}");
        }
    }
}
