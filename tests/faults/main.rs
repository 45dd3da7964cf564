//! A fault at every call: each scenario of `scenario.rs` is told once for each of its calls and each fault of
//! `kind.rs` that can strike that call.
//!
//! A telling is judged at every step and at its end. After each invocation of the keeper, whether it came to
//! its end or not, everything that it wrote is held against the invariants, by the judge of the random
//! histories (`tests/histories/check.rs`): by the simulator's state and calls, and never by what the keeper
//! says of itself. At the end the queues are empty and nothing is a dead letter; everything is as the baseline
//! wants it, without a sweep's help wherever the fault lets the keeper know that something is left; after one
//! sweep it is in any case; and another sweep writes nothing.
//!
//! The ledger is a table, as it is deployed: what it is asked and told are calls like others.
//!
//! Every call meets every fault that can strike it, but for what `Kind::is_due` leaves to `KEEPER_FAULTS=all`.
//!
//! A failure names the scenario, the call, the operation and the fault. `FAULTS_ONLY=TEXT` tells only the
//! scenarios with that in their names.

#[path = "../histories/baseline.rs"]
#[expect(dead_code, reason = "random histories want more of it")]
mod baseline;
#[path = "../histories/check.rs"]
#[expect(dead_code, reason = "random histories want more of it")]
mod check;
#[path = "../histories/dice.rs"]
#[expect(dead_code, reason = "random histories want more of it")]
mod dice;
#[path = "../it/support/figures_line.rs"]
mod figures_line;
mod kind;
#[path = "../histories/model.rs"]
mod model;
#[path = "../it/support/queues.rs"]
mod queues;
mod scenario;
#[path = "../histories/setting.rs"]
#[expect(dead_code, reason = "random histories want more of it")]
mod setting;
mod stage;
#[path = "../histories/step.rs"]
#[expect(dead_code, reason = "random histories want more of it")]
mod step;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use figures_line::say_figures;
use kind::Kind;
use scenario::Scenario;
use serde_json::json;
use stage::Stage;

/// What all scenarios must come to at least: a test that meets nothing finds nothing.
const LEAST_CALLS: usize = 450;
const LEAST_OF_EACH_KIND: usize = 15;

/// The kinds that are told one after the other; those that wait come first.
const KINDS: [&[Kind]; 3] = [
    &[Kind::Timeout, Kind::Conflict],
    &[Kind::Hang, Kind::Throttle, Kind::ServerError, Kind::CrashBefore],
    &[Kind::CrashAfter, Kind::Denied, Kind::StaleRead, Kind::Outage],
];

#[derive(Clone, Debug, Default)]
struct Figures {
    /// By scenario, the calls it makes without a fault.
    calls: BTreeMap<Scenario, usize>,
    faults: BTreeMap<Kind, usize>,
    /// The operations that were struck.
    operations: BTreeMap<String, usize>,
}

/// Tells one scenario with faults of some kinds at each of its calls.
async fn tell_all(scenario: Scenario, kinds: &[Kind], whole: bool, seed: u64) -> (Figures, Vec<String>) {
    let (mut figures, mut failures) = (Figures::default(), Vec::new());
    let set = async {
        let mut stage = Stage::set(scenario, scenario.setting(seed)).await?;
        let calls = stage.tell().await?;
        Ok::<_, String>((stage, calls))
    };
    let (mut stage, calls) = match set.await {
        Ok(set) => set,
        Err(what) => return (figures, vec![format!("{}, without a fault: {what}", scenario.name())]),
    };
    figures.calls.insert(scenario, calls.len());
    for kind in kinds {
        for (number, call) in (1..).zip(&calls) {
            if !kind.can_strike(call) || !(whole || kind.is_due(scenario, number, call)) {
                continue;
            }
            match stage.tell_with(*kind, number, call).await {
                Ok(struck) => {
                    *figures.faults.entry(*kind).or_default() += 1;
                    *figures.operations.entry(struck.operation).or_default() += 1;
                }
                Err(failure) => failures.push(failure),
            }
        }
    }
    (figures, failures)
}

/// Everything, on a few threads: those that wait for an answer that never comes leave the processors to others.
fn tell_everything(only: &str, whole: bool) -> Result<Figures, String> {
    // To set a scenario takes as long as a few tellings, so that kinds share it.
    let chosen = KINDS.into_iter().flat_map(|kinds| {
        let scenarios = Scenario::ALL.into_iter().filter(|scenario| scenario.name().contains(only));
        scenarios.map(move |scenario| (scenario, kinds))
    });
    let chosen: Vec<(Scenario, &[Kind])> = chosen.collect();
    let next = AtomicUsize::new(0);
    let all: Mutex<(Figures, Vec<String>)> = Mutex::default();
    let threads = 2 + std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((scenario, kinds)) = chosen.get(number) else { break };
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    let told = tell_all(*scenario, kinds, whole, number as u64);
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
        let Figures { calls, faults, operations } = other;
        self.calls.extend(calls);
        for (kind, count) in faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (operation, count) in operations {
            *self.operations.entry(operation).or_default() += count;
        }
    }

    fn runs(&self) -> usize {
        self.faults.values().sum()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (scenario, calls) in &self.calls {
            writeln!(f, "{:3} calls: {}", calls, scenario.name())?;
        }
        writeln!(f, "struck: {:?}", self.operations)?;
        let kinds: Vec<String> =
            self.faults.iter().map(|(kind, count)| format!("{} {count}", kind.name())).collect();
        let calls: usize = self.calls.values().sum();
        write!(f, "{} scenarios, {calls} calls, {} runs: {}", self.calls.len(), self.runs(), kinds.join(", "))
    }
}

#[test]
fn a_fault_at_any_call_is_survived() {
    let began = Instant::now();
    let only = std::env::var("FAULTS_ONLY").unwrap_or_default();
    let whole = std::env::var("KEEPER_FAULTS").is_ok_and(|text| text == "all");
    let figures = tell_everything(&only, whole).unwrap_or_else(|failures| panic!("\n{failures}\n"));
    assert!(figures.runs() > 0, "no scenario has {only:?} in its name, or no fault could strike it");
    println!("{figures}; {:.0} seconds", began.elapsed().as_secs_f64());
    let told = json!({
        "scenarios": figures.calls.len(),
        "calls": figures.calls.values().sum::<usize>(),
        "operations": figures.operations.len(),
        "kinds": figures.faults.len(),
        "runs": figures.runs(),
        "seconds": began.elapsed().as_secs(),
    });
    say_figures("faults", &told);
    if only.is_empty() {
        let calls: usize = figures.calls.values().sum();
        assert!(calls >= LEAST_CALLS, "only {calls} calls");
        for kind in KINDS.concat() {
            let count = figures.faults.get(&kind).copied().unwrap_or_default();
            assert!(count >= LEAST_OF_EACH_KIND, "only {count} times {}", kind.name());
        }
    }
}
