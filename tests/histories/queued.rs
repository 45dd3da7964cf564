//! The deployed form under random histories: events come through the queues to the planner, tasks to workers.
//!
//! A history is a small organization, a baseline, and [`STEPS`] steps. Whatever the simulator's buses tell is
//! brought to the queue of events once, twice, late or never, and in another order. Event source mappings hand
//! out batches to two versions of the function, which share one ledger, a file or a table, and nothing else. Up to four
//! invocations run side by side and take turns by calls; each can be killed between any two of them, at a call,
//! with its process, or by its time limit when the clock jumps. Around them administrators meddle, accounts come
//! and go, the baseline changes, calls go wrong.
//!
//! Every write is judged in the moment when it was carried out (`queued/judge.rs`), and what was recorded when an
//! invocation ends, however it ends. A third of the histories is told so that everything is heard of in the end:
//! there everything has to come right without a sweep, and in half of those no sweep but the first one ever hides
//! what was forgotten. At the end of each the faults stop, and one sweep makes
//! everything as wanted; the next one only takes back what nobody needs, and the last one writes nothing.

mod attack;
mod figures;
mod judge;
mod planted;
mod post;
mod step;
mod store;
mod tale;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::Form;
use crate::tale::{CHANGED, FOREIGN_KEPT, Failed, NOBODYS, REFUSED, UNREACHABLE};
use figures::{Figures, Least};
pub(crate) use planted::Plant;
use step::{Step, random_steps};
use testkit::histories::check::Violation;
use testkit::histories::dice::Dice;
use testkit::histories::setting::Setting;

/// How many histories are told unless something else is asked for, and how many steps each has before its end.
const HISTORIES: u64 = 300;
/// How many besides that nobody has told before.
const FRESH: u64 = 5;
const STEPS: usize = 40;

/// What those histories must come to at least: about half to two thirds of what they do.
const LEAST: Least = Least {
    steps: 12_000,
    invocations: 18_000,
    tasks: 11_000,
    side_by_side: 7_000,
    both_versions: 5_500,
    failed: 220,
    killed: 200,
    crashed: 100,
    events: 3_500,
    twice: 450,
    late: 400,
    lost: 150,
    jumps: 550,
    lives: 450,
    breaks_of_each_kind: 15,
    faults_of_each_kind: 12,
    hidden_ledgers: 40,
    unwritable_ledgers: 50,
    offboarded: 100,
    judged: 1_600,
    enforced: 600,
    released: 70,
    granted: 150,
    copies: 400,
    guarded: 500,
    unswept: 65,
    called_good: 5_500,
    told: 500,
    holds: 500,
    attacks_of_each_kind: 15,
    named: 600,
    repaired: 60,
    no_longer: 50,
    most_excused: MOST_EXCUSED,
};

/// How many of a thousand may be excused for each reason there is.
const MOST_EXCUSED: &[(&str, usize)] = &[
    // Of writes.
    ("written when the owner's side had just changed", 5),
    ("written while somebody meddled", 5),
    // Of outcome events of writes.
    ("told by a later look", 30),
    ("told again", 20),
    ("told though somebody else made it, after it went wrong", 5),
    ("never told", 30),
    // Of targets that are unguarded at the end of a sweep, and of what sweeps repaired.
    ("not named: a revision waits, as people read", 10),
    ("not named: a baseline that wrote nothing left it to itself", 10),
    ("not named: the baseline is not counted yet", 10),
    ("not named: it may pass by itself, and lasts no hour", 10),
    ("not named: the ledger could not be used", 20),
    ("not named: the owner's side had just changed", 20),
    ("not named: an old answer told otherwise", 10),
    ("not named: done by a look that was disturbed", 20),
    // Of targets, at the end.
    (UNREACHABLE, 300),
    (NOBODYS, 300),
    (CHANGED, 80),
    (FOREIGN_KEPT, 40),
    (REFUSED, 60),
];

/// Within how many histories that suit it each planted bug must be found.
const HISTORIES_PER_PLANT: usize = 80;

/// The deployed form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queued;

impl Form for Queued {
    const TEST: &'static str = "random_histories_through";
    type Step = Step;
    type Plant = Plant;
    type Figures = Figures;

    fn history(seed: u64) -> (Setting, Vec<Step>) {
        let mut dice = Dice::new(seed);
        let setting = step::setting(seed, &mut dice);
        let steps = random_steps(&setting, &mut dice, STEPS);
        (setting, steps)
    }

    async fn tell(setting: &Setting, steps: &[Step], plant: Option<Plant>) -> Result<Figures, Box<Failed>> {
        tale::tell(setting, steps, plant).await
    }

    fn add(all: &mut Figures, figures: Figures) {
        all.add(figures);
    }

    fn figures(all: &Figures, took: Duration) -> (&'static str, Value) {
        ("queued", all.to_json(took, LEAST.most_excused))
    }
}

#[test]
fn random_histories_through_the_queues_break_no_promise() {
    if let Some(figures) = crate::many::tell_as_asked::<Queued>(HISTORIES, FRESH) {
        let few = figures.too_few(&LEAST);
        assert!(few.is_empty(), "these histories are too harmless: {}", few.join("; "));
    }
}

#[test]
fn every_bug_planted_in_the_queues_form_is_noticed() {
    let only = std::env::var("HISTORIES_PLANT").unwrap_or_default();
    let plants: Vec<_> =
        Plant::ALL.iter().filter(|(plant, _)| format!("{plant:?}").contains(&only)).collect();
    assert!(!plants.is_empty(), "no bug has {only} in its name");
    let next = AtomicUsize::new(0);
    let most = AtomicUsize::new(0);
    let failures: Mutex<Vec<String>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8) + 1;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((plant, expected)) = plants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failure = match notice(*plant) {
                        None => format!("{plant:?}: no history of {HISTORIES_PER_PLANT} noticed it"),
                        Some((told, seed, violation)) => {
                            most.fetch_max(told, Ordering::Relaxed);
                            let line = format!("{plant:?}: history {told}, seed {seed}: {violation}");
                            println!("{line}");
                            if expected.contains(&violation.invariant) {
                                continue;
                            }
                            line
                        }
                    };
                    failures.lock().expect("no thread panics").push(failure);
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no thread panics");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let found = json!({
        "bugs": plants.len(),
        "histories": most.into_inner(),
        "allowed": HISTORIES_PER_PLANT,
    });
    crate::say_figures("queued-planted", &found);
}

/// How many histories were told until one noticed a planted bug, the seed of that one, and what it noticed.
fn notice(plant: Plant) -> Option<(usize, u64, Violation)> {
    let mut told = 0;
    let suits = |seed: &u64| plant.suits(&crate::History::<Queued>::of_seed(*seed).setting);
    let seeds = (0..).filter(suits).take(HISTORIES_PER_PLANT).inspect(|_| told += 1);
    let (seed, violation) = crate::noticed::<Queued>(plant, seeds)?;
    Some((told, seed, violation))
}
