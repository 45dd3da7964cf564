//! Random histories: what the keeper promises, held against what happens around it in any order.
//!
//! A history is a small organization, a baseline, and [`STEPS`] steps: the keeper runs, somebody
//! meddles, the baseline changes, calls go wrong, time passes, the keeper's process ends. After each
//! run the simulator's model and its log of calls are held against the invariants of `check.rs`. At
//! the end the faults stop, what was broken for good is restored, and everybody who should be guarded
//! has to be.
//!
//! Everything follows from a seed. `HISTORIES_SEEDS=N HISTORIES_FROM=S` tells N histories from seed S:
//!
//! ```text
//! HISTORIES_SEEDS=1 HISTORIES_FROM=42 cargo test --test histories random -- --nocapture
//! ```

mod act;
mod baseline;
mod check;
mod dice;
mod figures;
#[path = "../it/support/figures_line.rs"]
mod figures_line;
mod model;
mod planted;
mod setting;
mod step;
mod tale;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use check::{Invariant, Violation};
use dice::Dice;
use figures::{Figures, Least};
use figures_line::say_figures;
use planted::Plant;
use serde_json::json;
use setting::Setting;
use step::{Step, random_steps};
use tale::{Failed, tell};

/// How many histories are told unless something else is asked for, and how many steps each has before its end.
const HISTORIES: u64 = 1000;
const STEPS: usize = 50;

/// What those histories must come to at least: about two thirds of what they do.
const LEAST: Least = Least {
    steps: 50_000,
    runs: 7_600,
    calls: 115_000,
    writes: 6_300,
    faults_of_each_kind: 420,
    errors: 3_200,
    meddlings: 14_000,
    edits: 5_000,
    restarts: 750,
    invalid_baselines: 165,
    enforced: 2_400,
    foreign_replaced: 65,
    released: 365,
    granted: 860,
    narrowed: 24,
    merged: 185,
    copies: 1_100,
    tidied: 115,
    guarded: 1_000,
};

/// How often a failing history is told again to find a shorter one.
const SHRINKING_TRIES: usize = 200;

/// Within how many seeds each planted bug must be found.
const SEEDS_PER_PLANT: u64 = 40;

/// A history that wasn't told yet.
#[derive(Clone, Debug)]
struct History {
    setting: Setting,
    steps: Vec<Step>,
}

impl History {
    fn of_seed(seed: u64) -> History {
        let mut dice = Dice::new(seed);
        let setting = Setting::random(seed, &mut dice);
        let steps = random_steps(&setting, &mut dice, STEPS);
        History { setting, steps }
    }

    /// Tells it on this thread. A panic of the keeper's is a failure like others.
    fn tell(&self, plant: Option<Plant>) -> Result<Figures, Box<Failed>> {
        let told = catch_unwind(AssertUnwindSafe(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(tell(&self.setting, &self.steps, plant))
        }));
        told.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let what = text.unwrap_or_default();
            let violation = Violation { invariant: Invariant::Panicked, what };
            Err(Box::new(Failed { violation, log: Vec::new() }))
        })
    }

    /// Leaves steps out as long as the same invariant is still broken.
    fn shrunk(&self, failed: Box<Failed>) -> (History, Box<Failed>) {
        let (mut shortest, mut failed) = (self.clone(), failed);
        let mut tries = 0;
        let mut length = shortest.steps.len() / 2;
        while length > 0 {
            let mut from = 0;
            while from < shortest.steps.len() && tries < SHRINKING_TRIES {
                let mut steps = shortest.steps.clone();
                steps.drain(from..(from + length).min(steps.len()));
                let shorter = History { steps, ..shortest.clone() };
                tries += 1;
                match shorter.tell(None) {
                    Err(again) if again.violation.invariant == failed.violation.invariant => {
                        (shortest, failed) = (shorter, again);
                    }
                    _ => from += length,
                }
            }
            length /= 2;
        }
        (shortest, failed)
    }

    fn explain(&self, failed: Box<Failed>) -> String {
        let seed = self.setting.seed;
        let (shortest, failed) = self.shrunk(failed);
        let Failed { violation, log } = *failed;
        format!(
            "\n{violation}\n\n{}\n\n{} of {} steps are left:\n{}\n\nagain: HISTORIES_SEEDS=1 HISTORIES_FROM={seed} cargo test --test histories random -- --nocapture\n",
            self.setting,
            shortest.steps.len(),
            self.steps.len(),
            log.join("\n"),
        )
    }
}

/// Tells many histories, on as many threads as there are processors, until one fails.
fn tell_all(from: u64, count: u64) -> Result<Figures, String> {
    let next = AtomicU64::new(from);
    let over = AtomicBool::new(false);
    let all: Mutex<(Figures, Vec<String>)> = Mutex::default();
    // Now and then a thread waits for the disk that the ledger is on.
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8) + 1;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        break;
                    }
                    let history = History::of_seed(seed);
                    match history.tell(None) {
                        Ok(figures) => all.lock().expect("no thread panics").0.add(figures),
                        Err(failed) => {
                            over.store(true, Ordering::Relaxed);
                            let text = history.explain(failed);
                            all.lock().expect("no thread panics").1.push(text);
                        }
                    }
                }
            });
        }
    });
    let (figures, failures) = all.into_inner().expect("no thread panics");
    if failures.is_empty() { Ok(figures) } else { Err(failures.concat()) }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, not a number")))
}

#[test]
fn random_histories_break_no_promise() {
    let began = Instant::now();
    let (seeds, from) = (number("HISTORIES_SEEDS"), number("HISTORIES_FROM").unwrap_or(0));
    let count = seeds.unwrap_or(HISTORIES);
    let figures = tell_all(from, count).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{figures}\nseeds {from} to {}, in {:.0?}", from + count - 1, began.elapsed());
    say_figures("histories", &figures.to_json(began.elapsed()));
    if seeds.is_none() {
        let few = figures.too_few(&LEAST);
        assert!(few.is_empty(), "these histories are too harmless: {}", few.join("; "));
    }
}

#[test]
fn every_planted_bug_is_noticed() {
    let mut latest = 0;
    for (plant, expected) in Plant::ALL {
        let found = (0..SEEDS_PER_PLANT).find_map(|seed| {
            let failed = History::of_seed(seed).tell(Some(plant)).err()?;
            Some((seed, failed.violation))
        });
        let Some((seed, violation)) = found else {
            panic!("{plant:?}: no history of {SEEDS_PER_PLANT} noticed it");
        };
        println!("{plant:?}: seed {seed}: {violation}");
        assert_eq!(violation.invariant, expected, "{plant:?}, seed {seed}");
        latest = latest.max(seed);
    }
    let found = json!({ "bugs": Plant::ALL.len(), "histories": latest + 1, "allowed": SEEDS_PER_PLANT });
    say_figures("planted", &found);
}
