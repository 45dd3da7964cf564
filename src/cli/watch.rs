//! What a run that writes has come to, for whoever has to tell in the middle of it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::output::Bar;
use crate::reconcile::Step;

/// Shows a progress bar, and takes note of every write.
#[derive(Debug, Default)]
pub(super) struct Watch {
    bar: Mutex<Option<Bar>>,
    writes: Mutex<Writes>,
}

/// The writes of a run, each in words.
#[derive(Clone, Debug, Default)]
pub(super) struct Writes {
    made: Vec<String>,
    failed: usize,
    under_way: BTreeSet<String>,
}

impl Watch {
    pub(super) fn step(&self, step: Step<'_>) {
        locked(&self.bar).get_or_insert_with(Bar::new).step(step);
        let mut writes = locked(&self.writes);
        match step {
            Step::Begins(change) => {
                writes.under_way.insert(change.to_string());
            }
            Step::Ended(change, result) => {
                let change = change.to_string();
                writes.under_way.remove(&change);
                match result {
                    Ok(()) => writes.made.push(change),
                    Err(_) => writes.failed += 1,
                }
            }
            Step::Looking { .. } | Step::Looked | Step::Writing { .. } | Step::Wrote => {}
        }
    }

    /// Takes the bar away, so that something can be printed.
    pub(super) fn pause(&self) {
        locked(&self.bar).take();
    }

    pub(super) fn writes(&self) -> Writes {
        locked(&self.writes).clone()
    }
}

impl Writes {
    /// What was written, in a sentence; `None` where nothing was.
    pub(super) fn in_words(&self) -> Option<String> {
        match self.made.len() {
            0 => None,
            1 => Some("1 change was made".to_owned()),
            made => Some(format!("{made} changes were made")),
        }
    }

    /// A line for every write: those that were made, and those of which nobody knows.
    pub(super) fn lines(&self) -> Vec<String> {
        let made = self.made.iter().map(|change| format!("made: {change}"));
        let unknown =
            self.under_way.iter().map(|change| format!("begun, and not known whether it was made: {change}"));
        made.chain(unknown).collect()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
