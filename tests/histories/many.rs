//! Many histories at once: on a few threads, with a line of progress now and then, to the first failure or
//! through all of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::{Form, History, number, say_figures};

/// How often a long run says how far it has come.
const PROGRESS: Duration = Duration::from_secs(60);

/// What a failing history is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterAFailure {
    /// Nothing more is told, and a shorter history that fails as well is looked for.
    Stop,
    /// The others are told all the same, and each failure is a line.
    GoOn,
}

/// What many histories came to.
struct Many<F: Form> {
    began: Instant,
    asked: u64,
    after: AfterAFailure,
    all: Mutex<All<F::Figures>>,
}

struct All<T> {
    figures: T,
    /// Told to their end, well or not.
    told: u64,
    failures: Vec<String>,
    said: Instant,
}

impl<F: Form> Many<F> {
    fn of(asked: u64, after: AfterAFailure) -> Many<F> {
        let began = Instant::now();
        let figures = F::Figures::default();
        let all = Mutex::new(All { figures, told: 0, failures: Vec::new(), said: began });
        Many { began, asked, after, all }
    }

    fn lock(&self) -> MutexGuard<'_, All<F::Figures>> {
        self.all.lock().expect("no thread panics")
    }

    /// Tells them, on as many threads as there are processors.
    fn tell(&self, from: u64) {
        let next = AtomicU64::new(from);
        let over = AtomicBool::new(false);
        // Now and then a thread waits: for a call that hangs, or for the disk where a ledger is on one.
        let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8) + 1;
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= from + self.asked {
                            break;
                        }
                        let failed = self.tell_one(seed);
                        over.fetch_or(failed && self.after == AfterAFailure::Stop, Ordering::Relaxed);
                    }
                });
            }
        });
    }

    /// Says whether it failed.
    fn tell_one(&self, seed: u64) -> bool {
        let history = History::<F>::of_seed(seed);
        let failure = match history.tell(None) {
            Ok(figures) => {
                F::add(&mut self.lock().figures, figures);
                None
            }
            Err(failed) if self.after == AfterAFailure::GoOn => {
                let line = format!("seed {seed}: {}", failed.violation);
                eprintln!("{line}");
                Some(line)
            }
            Err(failed) => Some(history.explain(failed)),
        };
        let failed = failure.is_some();
        let mut all = self.lock();
        all.told += 1;
        all.failures.extend(failure);
        if all.said.elapsed() >= PROGRESS {
            all.said = Instant::now();
            eprintln!("{}", self.progress(&all));
        }
        failed
    }

    fn progress(&self, all: &All<F::Figures>) -> String {
        let (told, seconds) = (all.told, self.began.elapsed().as_secs_f64());
        let rate = told as f64 / seconds.max(0.001);
        let left = (self.asked - told.min(self.asked)) as f64 / rate.max(0.001);
        format!(
            "{told} of {} histories, {rate:.1} a second, about {:.0} minutes left, {} failed",
            self.asked,
            left / 60.0,
            all.failures.len()
        )
    }
}

/// Tells as many histories as the environment asks for, and prints what they came to. Answers the figures of
/// those that the test command tells: the usual ones, which are the same each time, and besides a few that nobody
/// has told before.
pub(crate) fn tell_as_asked<F: Form>(usual: u64, fresh: u64) -> Option<F::Figures> {
    let (seeds, from) = (number("HISTORIES_SEEDS"), number("HISTORIES_FROM").unwrap_or(0));
    let count = seeds.unwrap_or(usual);
    assert!(count > 0, "no history was asked for: a test of nothing would pass");
    let goes_on = std::env::var_os("HISTORIES_GO_ON").is_some();
    let after = if goes_on { AfterAFailure::GoOn } else { AfterAFailure::Stop };
    let (figures, took) = tell_from::<F>(from, count, after);
    let (suite, line) = F::figures(&figures, took);
    say_figures(suite, &line);
    if seeds.is_some() {
        return None;
    }
    println!("fresh ones, by the time of this run:");
    let seconds = Timestamp::now().as_second().unsigned_abs();
    drop(tell_from::<F>(seconds * fresh.next_power_of_two(), fresh, after));
    Some(figures)
}

/// Tells so many histories from a seed on, prints what they came to, and ends the test where one failed.
fn tell_from<F: Form>(from: u64, count: u64, after: AfterAFailure) -> (F::Figures, Duration) {
    let many = Many::<F>::of(count, after);
    many.tell(from);
    let took = many.began.elapsed();
    let All { figures, told, failures, said: _ } = many.all.into_inner().expect("no thread panics");
    let last = from + count - 1;
    println!("{figures}\nseeds {from} to {last}, in {took:.0?}");
    if !failures.is_empty() {
        let how_many = failures.len();
        panic!("{}\n{how_many} of {told} histories failed", failures.join("\n"));
    }
    (figures, took)
}
