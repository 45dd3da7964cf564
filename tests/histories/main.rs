//! Random histories: what the keeper promises, held against what happens around it in any order.
//!
//! A history is a small organization, a baseline, and [`STEPS`] steps: the keeper runs, somebody
//! meddles, the baseline changes, calls go wrong, time passes, the keeper's process ends. After each
//! run the simulator's model and its log of calls are held against the invariants of `check.rs`. At
//! the end the faults stop, what was broken for good is restored, and everybody who should be guarded
//! has to be.
//!
//! That is the direct form, in which the jobs of a scope are done in this process, as `guardrailctl` does them where no
//! keeper is deployed. The deployed form, with
//! its queues between events and the work, is told by `queued.rs`, and judged by the same rules.
//!
//! Everything follows from a seed. `HISTORIES_SEEDS=N HISTORIES_FROM=S` tells N histories from seed S, and so
//! does `tests/histories/run --seeds N --from S`:
//!
//! ```text
//! HISTORIES_SEEDS=1 HISTORIES_FROM=42 cargo test --workspace --test histories random -- --nocapture
//! tests/histories/run --seeds 1 --from 42 queued
//! ```
//!
//! `HISTORIES_GO_ON=1` tells all of them whatever fails, a line for each failure, and says every minute how far it
//! has come: `tests/histories/run --many --seeds 5000 --from 77000000 queued`, in a faster build.
//!
//! `HISTORIES_TRIES=0` prints a failing history without looking for a shorter one, and `HISTORIES_TRACE=1` each
//! step and call of the deployed form as it happens. `HISTORIES_PLANT=TEXT` plants those bugs alone in the deployed form
//! that have this text in their names.

mod act;
mod figures;
mod many;
mod planted;
mod queued;
mod tale;
mod telling;

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use figures::{Figures, Least};
use planted::Plant;
use serde_json::{Value, json};
use tale::{Failed, tell};
use testkit::figures_line::say_figures;
use testkit::histories::check::{Invariant, Violation};
use testkit::histories::dice::Dice;
use testkit::histories::setting::Setting;
use testkit::histories::step::{Step, random_steps};

/// How many histories are told unless something else is asked for, and how many steps each has before its end.
const HISTORIES: u64 = 500;
/// How many besides that nobody has told before.
const FRESH: u64 = 20;
const STEPS: usize = 50;

/// What those histories must come to at least: about two thirds of what they do.
const LEAST: Least = Least {
    steps: 25_000,
    runs: 3_800,
    calls: 57_500,
    writes: 3_150,
    faults_of_each_kind: 180,
    errors: 1_600,
    meddlings: 7_000,
    edits: 2_500,
    restarts: 375,
    invalid_baselines: 82,
    enforced: 1_200,
    foreign_replaced: 30,
    released: 182,
    granted: 430,
    narrowed: 10,
    merged: 92,
    copies: 550,
    tidied: 57,
    guarded: 500,
};

/// How often a failing history is told again to find a shorter one, unless `HISTORIES_TRIES` says otherwise.
const SHRINKING_TRIES: u64 = 200;

/// Within how many seeds each planted bug must be found.
const SEEDS_PER_PLANT: u64 = 150;

/// One of the two forms that the keeper comes in.
trait Form {
    /// A part of its test's name.
    const TEST: &'static str;
    type Step: Clone + fmt::Debug + Send + Sync;
    type Plant: Copy;
    type Figures: Default + fmt::Display + Send;

    /// What a seed tells.
    fn history(seed: u64) -> (Setting, Vec<Self::Step>);

    async fn tell(
        setting: &Setting,
        steps: &[Self::Step],
        plant: Option<Self::Plant>,
    ) -> Result<Self::Figures, Box<Failed>>;

    fn add(all: &mut Self::Figures, figures: Self::Figures);

    /// The figures and what they are called in `docs/reliability.md`.
    fn figures(all: &Self::Figures, took: Duration) -> (&'static str, Value);
}

/// The jobs of a scope are done in this process, as far as possible without waiting.
struct Direct;

impl Form for Direct {
    const TEST: &'static str = "random_histories_break";
    type Step = Step;
    type Plant = Plant;
    type Figures = Figures;

    fn history(seed: u64) -> (Setting, Vec<Step>) {
        let mut dice = Dice::new(seed);
        let setting = Setting::random(seed, &mut dice);
        let steps = random_steps(&setting, &mut dice, STEPS);
        (setting, steps)
    }

    async fn tell(setting: &Setting, steps: &[Step], plant: Option<Plant>) -> Result<Figures, Box<Failed>> {
        tell(setting, steps, plant).await
    }

    fn add(all: &mut Figures, figures: Figures) {
        all.add(figures);
    }

    fn figures(all: &Figures, took: Duration) -> (&'static str, Value) {
        ("histories", all.to_json(took))
    }
}

/// A history that wasn't told yet.
struct History<F: Form> {
    setting: Setting,
    steps: Vec<F::Step>,
}

impl<F: Form> History<F> {
    fn of_seed(seed: u64) -> History<F> {
        let (setting, steps) = F::history(seed);
        History { setting, steps }
    }

    /// Tells it on this thread. A panic of the keeper's is a failure like others.
    fn tell(&self, plant: Option<F::Plant>) -> Result<F::Figures, Box<Failed>> {
        let told = catch_unwind(AssertUnwindSafe(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let told = Box::pin(F::tell(&self.setting, &self.steps, plant));
            runtime.expect("a runtime starts").block_on(told)
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
    fn shrunk(&self, failed: Box<Failed>) -> (usize, Box<Failed>) {
        let (mut shortest, mut failed) = (self.steps.clone(), failed);
        let (mut tries, most) = (0, number("HISTORIES_TRIES").unwrap_or(SHRINKING_TRIES));
        let mut length = shortest.len() / 2;
        while length > 0 {
            let mut from = 0;
            while from < shortest.len() && tries < most {
                let mut steps = shortest.clone();
                steps.drain(from..(from + length).min(steps.len()));
                let shorter = History::<F> { setting: self.setting.clone(), steps };
                tries += 1;
                match shorter.tell(None) {
                    Err(again) if again.violation.invariant == failed.violation.invariant => {
                        (shortest, failed) = (shorter.steps, again);
                    }
                    _ => from += length,
                }
            }
            length /= 2;
        }
        (shortest.len(), failed)
    }

    fn explain(&self, failed: Box<Failed>) -> String {
        let seed = self.setting.seed;
        let (left, failed) = self.shrunk(failed);
        let Failed { violation, log } = *failed;
        format!(
            "\n{violation}\n\n{}\n\n{left} of {} steps are left:\n{}\n\nagain: HISTORIES_SEEDS=1 HISTORIES_FROM={seed} cargo test --workspace --test histories {} -- --nocapture\n",
            self.setting,
            self.steps.len(),
            log.join("\n"),
            F::TEST,
        )
    }
}

/// The first of these seeds whose history notices a planted bug.
fn noticed<F: Form>(plant: F::Plant, mut seeds: impl Iterator<Item = u64>) -> Option<(u64, Violation)> {
    seeds.find_map(|seed| {
        let failed = History::<F>::of_seed(seed).tell(Some(plant)).err()?;
        Some((seed, failed.violation))
    })
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, not a number")))
}

#[test]
fn random_histories_break_no_promise() {
    if let Some(figures) = many::tell_as_asked::<Direct>(HISTORIES, FRESH) {
        let few = figures.too_few(&LEAST);
        assert!(few.is_empty(), "these histories are too harmless: {}", few.join("; "));
    }
}

#[test]
fn every_invariant_is_broken_by_a_planted_bug() {
    let direct = Plant::ALL.iter().map(|(_, expected)| *expected);
    let queued = queued::Plant::ALL.iter().flat_map(|(_, expected)| *expected).copied();
    let broken: BTreeSet<Invariant> = direct.chain(queued).collect();
    let never: Vec<&Invariant> = Invariant::ALL.iter().filter(|it| !broken.contains(it)).collect();
    assert!(never.is_empty(), "nobody has seen that these can fail: {never:?}");
}

#[test]
fn every_planted_bug_is_noticed() {
    let mut latest = 0;
    for (plant, expected) in Plant::ALL {
        let Some((seed, violation)) = noticed::<Direct>(plant, 0..SEEDS_PER_PLANT) else {
            panic!("{plant:?}: no history of {SEEDS_PER_PLANT} noticed it");
        };
        println!("{plant:?}: seed {seed}: {violation}");
        assert_eq!(violation.invariant, expected, "{plant:?}, seed {seed}");
        latest = latest.max(seed);
    }
    let found = json!({ "bugs": Plant::ALL.len(), "histories": latest + 1, "allowed": SEEDS_PER_PLANT });
    say_figures("planted", &found);
}
