//! The rounds of one run: what is put in place for others is looked at again, and told as one.

use super::MAX_ROUNDS;
use crate::report::Report;

/// How far the rounds of one run have come.
#[derive(Debug, Default)]
pub struct Rounds {
    done: usize,
    whole: Option<Report>,
}

impl Rounds {
    /// Whether the next look follows on what this very run wrote.
    pub fn again(&self) -> bool {
        self.done > 0
    }

    /// Takes in what a round came to. Answers whether another one is due: something was put in place
    /// that others are waiting for.
    pub fn add(&mut self, report: Report) -> bool {
        self.done += 1;
        let whole = match self.whole.take() {
            Some(mut whole) => {
                whole.absorb(report);
                whole
            }
            None => report,
        };
        let due = whole.calls_for_another_look() && !whole.is_converged();
        self.whole = Some(whole);
        due && self.done < MAX_ROUNDS
    }

    /// What all rounds came to; `None` before the first.
    pub fn report(self) -> Option<Report> {
        self.whole
    }
}
