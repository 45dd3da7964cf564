//! What was done and seen, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::Call;

use testkit::histories::check::Deeds;
use testkit::histories::step::WrongKind;

#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) histories: usize,
    pub(crate) steps: usize,
    pub(crate) runs: usize,
    pub(crate) converged: usize,
    pub(crate) stopped: usize,
    pub(crate) invalid_baselines: usize,
    pub(crate) meddlings: usize,
    pub(crate) edits: usize,
    pub(crate) restarts: usize,
    pub(crate) unwritable_ledgers: usize,
    pub(crate) calls: usize,
    pub(crate) writes: usize,
    /// Calls that were answered with an error, by its code or by what struck the connection.
    pub(crate) errors: BTreeMap<String, usize>,
    /// Faults that were set.
    pub(crate) faults: BTreeMap<WrongKind, usize>,
    pub(crate) deeds: Deeds,
    /// Targets that were guarded at the end, and those that may not have been.
    pub(crate) guarded: usize,
    pub(crate) excuses: BTreeMap<&'static str, usize>,
}

/// What the test command's histories must have had at least. A test that meets nothing finds nothing.
pub(crate) struct Least {
    pub(crate) steps: usize,
    pub(crate) runs: usize,
    pub(crate) calls: usize,
    pub(crate) writes: usize,
    /// Of each kind of fault, as often as this was set.
    pub(crate) faults_of_each_kind: usize,
    /// Calls that went wrong.
    pub(crate) errors: usize,
    pub(crate) meddlings: usize,
    pub(crate) edits: usize,
    pub(crate) restarts: usize,
    pub(crate) invalid_baselines: usize,
    pub(crate) enforced: usize,
    pub(crate) foreign_replaced: usize,
    pub(crate) released: usize,
    pub(crate) granted: usize,
    pub(crate) narrowed: usize,
    pub(crate) merged: usize,
    pub(crate) copies: usize,
    pub(crate) tidied: usize,
    /// Targets that were wanted guarded, and were at the end.
    pub(crate) guarded: usize,
}

impl Figures {
    /// Every figure that is too small.
    pub(crate) fn too_few(&self, least: &Least) -> Vec<String> {
        let deeds = &self.deeds;
        let mut figures = vec![
            ("steps", self.steps, least.steps),
            ("runs", self.runs, least.runs),
            ("calls", self.calls, least.calls),
            ("writes", self.writes, least.writes),
            ("errors", self.calls_gone_wrong(), least.errors),
            ("meddlings", self.meddlings, least.meddlings),
            ("edits", self.edits, least.edits),
            ("restarts", self.restarts, least.restarts),
            ("invalid baselines", self.invalid_baselines, least.invalid_baselines),
            ("enforced", deeds.enforced, least.enforced),
            ("foreign replaced", deeds.foreign_replaced, least.foreign_replaced),
            ("released", deeds.released, least.released),
            ("granted", deeds.granted, least.granted),
            ("narrowed", deeds.narrowed, least.narrowed),
            ("foreign statements kept", deeds.merged, least.merged),
            ("guardrails copied", deeds.copies, least.copies),
            ("copies deleted", deeds.tidied, least.tidied),
            ("guarded", self.guarded, least.guarded),
        ];
        for (_, kind) in testkit::histories::step::FAULT_MIX {
            let set = self.faults.get(&kind).copied().unwrap_or(0);
            figures.push((kind.name(), set, least.faults_of_each_kind));
        }
        let few = figures.into_iter().filter(|(_, number, least)| number < least);
        few.map(|(name, number, least)| format!("{name}: {number}, of {least} at least")).collect()
    }

    fn calls_gone_wrong(&self) -> usize {
        // That nothing is enforced is no error.
        let missing = self.errors.get("ResourceNotFoundException").copied().unwrap_or(0);
        self.errors.values().sum::<usize>() - missing
    }

    /// For `docs/reliability.md`.
    pub(crate) fn to_json(&self, took: Duration) -> Value {
        let deeds = &self.deeds;
        json!({
            "histories": self.histories,
            "steps": self.steps,
            "runs": self.runs,
            "calls": self.calls,
            "writes": self.writes,
            "faults": self.faults.values().sum::<usize>(),
            "kinds": self.faults.len(),
            "errors": self.calls_gone_wrong(),
            "meddlings": self.meddlings,
            "edits": self.edits,
            "restarts": self.restarts,
            "unwritable_ledgers": self.unwritable_ledgers,
            "invalid_baselines": self.invalid_baselines,
            "enforced": deeds.enforced,
            "foreign_replaced": deeds.foreign_replaced,
            "released": deeds.released,
            "granted": deeds.granted,
            "narrowed": deeds.narrowed,
            "merged": deeds.merged,
            "copies": deeds.copies,
            "tidied": deeds.tidied,
            "guarded": self.guarded,
            "seconds": took.as_secs(),
        })
    }

    pub(crate) fn count_calls(&mut self, calls: &[Call]) {
        self.calls += calls.len();
        self.writes += calls.iter().filter(|call| call.write).count();
        for error in calls.iter().filter_map(|call| call.error.clone()) {
            *self.errors.entry(error).or_default() += 1;
        }
    }

    pub(crate) fn count_deeds(&mut self, other: Deeds) {
        let Deeds { enforced, foreign_replaced, released, granted, narrowed, copies, merged, tidied } = other;
        self.deeds.enforced += enforced;
        self.deeds.foreign_replaced += foreign_replaced;
        self.deeds.released += released;
        self.deeds.granted += granted;
        self.deeds.narrowed += narrowed;
        self.deeds.copies += copies;
        self.deeds.merged += merged;
        self.deeds.tidied += tidied;
    }

    pub(crate) fn add(&mut self, other: Figures) {
        let Figures {
            histories,
            steps,
            runs,
            converged,
            stopped,
            invalid_baselines,
            meddlings,
            edits,
            restarts,
            unwritable_ledgers,
            calls,
            writes,
            errors,
            faults,
            deeds,
            guarded,
            excuses,
        } = other;
        self.histories += histories;
        self.steps += steps;
        self.runs += runs;
        self.converged += converged;
        self.stopped += stopped;
        self.invalid_baselines += invalid_baselines;
        self.meddlings += meddlings;
        self.edits += edits;
        self.restarts += restarts;
        self.unwritable_ledgers += unwritable_ledgers;
        self.calls += calls;
        self.writes += writes;
        self.guarded += guarded;
        self.count_deeds(deeds);
        for (error, count) in errors {
            *self.errors.entry(error).or_default() += count;
        }
        for (kind, count) in faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (reason, count) in excuses {
            *self.excuses.entry(reason).or_default() += count;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { histories, steps, runs, converged, stopped, calls, writes, .. } = self;
        writeln!(f, "{histories} histories, {steps} steps, {calls} calls, {writes} of them writes")?;
        writeln!(
            f,
            "{runs} runs of the keeper: {converged} converged, {stopped} stopped, {} without a valid baseline; {} restarts",
            self.invalid_baselines, self.restarts
        )?;
        writeln!(
            f,
            "{} meddlings, {} changes of the baseline, {} times a ledger that can't be written",
            self.meddlings, self.edits, self.unwritable_ledgers
        )?;
        writeln!(f, "faults set: {:?}", self.faults)?;
        writeln!(f, "errors answered: {:?}", self.errors)?;
        writeln!(f, "{:?}", self.deeds)?;
        write!(f, "at the end: {} targets guarded; others: {:?}", self.guarded, self.excuses)
    }
}
