//! How far a run that writes has come, for a message in the middle of it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::output::Bar;
use guardrail_keeper::engine::Step;

/// Shows a progress bar, and takes note of every write.
#[derive(Debug, Default)]
pub(super) struct Watch {
    bar: Mutex<Option<Bar>>,
    writes: Mutex<RunWrites>,
}

/// The writes of a run, each in words.
#[derive(Clone, Debug, Default)]
pub(super) struct RunWrites {
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
            Step::Needless(change) => {
                writes.under_way.remove(&change.to_string());
            }
            Step::Looking { .. } | Step::Looked | Step::Writing { .. } | Step::Wrote => {}
        }
    }

    /// Takes the bar away, so that something can be printed.
    pub(super) fn pause(&self) {
        locked(&self.bar).take();
    }

    pub(super) fn writes(&self) -> RunWrites {
        locked(&self.writes).clone()
    }
}

impl RunWrites {
    /// What was written, in a sentence; `None` where nothing was tried. A write that failed counts: AWS may have
    /// made it, and only its answer was lost.
    pub(super) fn in_words(&self) -> Option<String> {
        let made = match self.made.len() {
            0 if self.failed == 0 => return None,
            0 => "no change is known to have been made".to_owned(),
            1 => "1 change was made".to_owned(),
            made => format!("{made} changes were made"),
        };
        Some(match self.failed {
            0 => made,
            failed => format!("{made}, {failed} failed"),
        })
    }

    /// A line for every write: those that were made, and those whose result isn't known.
    pub(super) fn lines(&self) -> Vec<String> {
        let made = self.made.iter().map(|change| format!("made: {change}"));
        let unknown =
            self.under_way.iter().map(|change| format!("begun, and its result is not known: {change}"));
        made.chain(unknown).collect()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_failed_is_never_told_as_nothing() {
        let words = |made: usize, failed| {
            RunWrites { made: vec!["a change".to_owned(); made], failed, ..RunWrites::default() }.in_words()
        };
        assert_eq!(words(0, 0), None);
        assert_eq!(words(1, 0).as_deref(), Some("1 change was made"));
        assert_eq!(words(0, 2).as_deref(), Some("no change is known to have been made, 2 failed"));
        assert_eq!(words(3, 1).as_deref(), Some("3 changes were made, 1 failed"));
    }
}
