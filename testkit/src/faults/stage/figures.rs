//! What the judge of the scenarios met, in figures.

use std::collections::BTreeMap;

/// What the judge of one stage, or of many, met.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Targets that `status` called good, and bad.
    pub called_good: usize,
    pub called_bad: usize,
    /// Runs of the program.
    pub rendered: usize,
    /// Targets in which callers whose calls fail were named.
    pub callers: usize,
    /// Writes that were held against what was recorded before.
    pub writes: usize,
    /// Outcome events, by what they tell.
    pub told: BTreeMap<String, usize>,
    /// Writes of struck invocations that a later one told, those that nobody told, by what had struck, and
    /// departures that nobody told.
    pub told_late: usize,
    pub untold: BTreeMap<String, usize>,
    pub departures_untold: usize,
    /// How long it took to put things right at most, in seconds, by the kind of what went wrong.
    pub longest_seconds: BTreeMap<&'static str, i64>,
    /// How often somebody had to let an account go, at most.
    pub most_tries: usize,
    /// Sweeps that had something to do still, after all had settled.
    pub sweeps_to_rest: usize,
    /// Writes that were told twice, by the same id: that they had been told could not be recorded.
    pub told_again: usize,
    /// Departures that were told twice, for the same reason or after AWS had told an old state.
    pub departures_told_again: usize,
}

impl Figures {
    pub fn add(&mut self, other: Figures) {
        let Figures { called_good, called_bad, rendered, writes, told, told_late, untold, .. } = other;
        let Figures { departures_untold, departures_told_again, told_again, longest_seconds, .. } = other;
        for (kind, seconds) in longest_seconds {
            let known = self.longest_seconds.entry(kind).or_default();
            *known = seconds.max(*known);
        }
        self.most_tries = self.most_tries.max(other.most_tries);
        self.sweeps_to_rest += other.sweeps_to_rest;
        self.departures_told_again += departures_told_again;
        self.told_again += told_again;
        self.called_good += called_good;
        self.called_bad += called_bad;
        self.rendered += rendered;
        self.callers += other.callers;
        self.writes += writes;
        self.told_late += told_late;
        for (by, count) in untold {
            *self.untold.entry(by).or_default() += count;
        }
        self.departures_untold += departures_untold;
        for (kind, count) in told {
            *self.told.entry(kind).or_default() += count;
        }
    }
}
