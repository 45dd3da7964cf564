//! What was done and seen in the deployed form, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::step::{BREAK_MIX, BreakKind};
use crate::figures::Figures as Plain;

#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// What both forms count.
    pub(crate) plain: Plain,
    /// Histories of which everything was heard, and which were as wanted before any sweep.
    pub(crate) unswept: usize,
    pub(crate) invocations: usize,
    pub(crate) tasks: usize,
    /// Invocations that began while another one was under way.
    pub(crate) side_by_side: usize,
    /// Of those, while one of the other version was.
    pub(crate) both_versions: usize,
    pub(crate) failed: usize,
    /// Invocations that were ended: between two calls, at a call, with their process, by their time limit.
    pub(crate) killed: usize,
    pub(crate) crashed: usize,
    pub(crate) outlasted: usize,
    /// Events, and those that came twice, late or never.
    pub(crate) events: usize,
    pub(crate) twice: usize,
    pub(crate) late: usize,
    pub(crate) lost: usize,
    pub(crate) jumps: usize,
    pub(crate) lives: usize,
    pub(crate) breaks: BTreeMap<BreakKind, usize>,
    pub(crate) dead_letters: usize,
    pub(crate) hidden_ledgers: usize,
    /// Accounts that were marked as about to leave.
    pub(crate) offboarded: usize,
    /// Writes that were judged, and those that only meddling explains.
    pub(crate) judged: usize,
    pub(crate) excused: usize,
    /// Targets that `status` called good while the record knew all that matters.
    pub(crate) called_good: usize,
}

/// What the test command's histories must have had at least.
pub(crate) struct Least {
    pub(crate) steps: usize,
    pub(crate) invocations: usize,
    pub(crate) tasks: usize,
    pub(crate) side_by_side: usize,
    pub(crate) both_versions: usize,
    pub(crate) failed: usize,
    pub(crate) killed: usize,
    pub(crate) crashed: usize,
    pub(crate) events: usize,
    pub(crate) twice: usize,
    pub(crate) late: usize,
    pub(crate) lost: usize,
    pub(crate) jumps: usize,
    pub(crate) lives: usize,
    pub(crate) breaks_of_each_kind: usize,
    pub(crate) faults_of_each_kind: usize,
    pub(crate) hidden_ledgers: usize,
    pub(crate) offboarded: usize,
    pub(crate) unwritable_ledgers: usize,
    pub(crate) judged: usize,
    pub(crate) enforced: usize,
    pub(crate) released: usize,
    pub(crate) granted: usize,
    pub(crate) copies: usize,
    pub(crate) guarded: usize,
    pub(crate) unswept: usize,
    pub(crate) called_good: usize,
    /// At most so many of a hundred writes may be excused by meddling.
    pub(crate) most_excused_percent: usize,
}

impl Figures {
    /// For `docs/reliability.md`.
    pub(crate) fn to_json(&self, took: Duration) -> Value {
        json!({
            "histories": self.plain.histories,
            "steps": self.plain.steps,
            "calls": self.plain.calls,
            "invocations": self.invocations,
            "side_by_side": self.side_by_side,
            "both_versions": self.both_versions,
            "killed": self.killed + self.crashed + self.outlasted,
            "events": self.events,
            "twice": self.twice,
            "late": self.late,
            "lost": self.lost,
            "faults": self.plain.faults.values().sum::<usize>() + self.breaks.values().sum::<usize>(),
            "judged": self.judged,
            "seconds": took.as_secs(),
        })
    }

    /// Every figure that is too small.
    pub(crate) fn too_few(&self, least: &Least) -> Vec<String> {
        let deeds = &self.plain.deeds;
        let mut figures = vec![
            ("steps", self.plain.steps, least.steps),
            ("invocations", self.invocations, least.invocations),
            ("tasks", self.tasks, least.tasks),
            ("side by side", self.side_by_side, least.side_by_side),
            ("of two versions", self.both_versions, least.both_versions),
            ("failed", self.failed, least.failed),
            ("killed", self.killed, least.killed),
            ("crashed", self.crashed, least.crashed),
            ("events", self.events, least.events),
            ("twice", self.twice, least.twice),
            ("late", self.late, least.late),
            ("lost", self.lost, least.lost),
            ("jumps of the clock", self.jumps, least.jumps),
            ("accounts come or gone", self.lives, least.lives),
            ("ledgers gone", self.hidden_ledgers, least.hidden_ledgers),
            ("accounts about to leave", self.offboarded, least.offboarded),
            ("ledgers that can't be written", self.plain.unwritable_ledgers, least.unwritable_ledgers),
            ("judged", self.judged, least.judged),
            ("enforced", deeds.enforced, least.enforced),
            ("released", deeds.released, least.released),
            ("granted", deeds.granted, least.granted),
            ("copies", deeds.copies, least.copies),
            ("guarded", self.plain.guarded, least.guarded),
            ("right without a sweep", self.unswept, least.unswept),
            ("called good by status", self.called_good, least.called_good),
        ];
        for (_, kind) in BREAK_MIX {
            let set = self.breaks.get(&kind).copied().unwrap_or(0);
            figures.push((kind.name(), set, least.breaks_of_each_kind));
        }
        for (_, kind) in crate::step::FAULT_MIX {
            let set = self.plain.faults.get(&kind).copied().unwrap_or(0);
            figures.push((kind.name(), set, least.faults_of_each_kind));
        }
        let few = figures.into_iter().filter(|(_, number, least)| number < least);
        let mut few: Vec<String> =
            few.map(|(name, number, least)| format!("{name}: {number}, of {least} at least")).collect();
        if self.excused * 100 > self.judged * least.most_excused_percent {
            few.push(format!("{} of {} writes are excused by meddling", self.excused, self.judged));
        }
        few
    }

    pub(crate) fn add(&mut self, other: Figures) {
        let Figures {
            plain,
            unswept,
            invocations,
            tasks,
            side_by_side,
            both_versions,
            failed,
            killed,
            crashed,
            outlasted,
            events,
            twice,
            late,
            lost,
            jumps,
            lives,
            breaks,
            dead_letters,
            hidden_ledgers,
            offboarded,
            judged,
            excused,
            called_good,
        } = other;
        self.plain.add(plain);
        self.unswept += unswept;
        self.invocations += invocations;
        self.tasks += tasks;
        self.side_by_side += side_by_side;
        self.both_versions += both_versions;
        self.failed += failed;
        self.killed += killed;
        self.crashed += crashed;
        self.outlasted += outlasted;
        self.events += events;
        self.twice += twice;
        self.late += late;
        self.lost += lost;
        self.jumps += jumps;
        self.lives += lives;
        self.dead_letters += dead_letters;
        self.hidden_ledgers += hidden_ledgers;
        self.offboarded += offboarded;
        self.judged += judged;
        self.excused += excused;
        self.called_good += called_good;
        for (kind, count) in breaks {
            *self.breaks.entry(kind).or_default() += count;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plain { histories, steps, calls, writes, meddlings, edits, restarts, .. } = &self.plain;
        writeln!(f, "{histories} histories, {steps} steps, {calls} calls, {writes} of them writes")?;
        writeln!(
            f,
            "{} invocations, {} of them tasks, {} begun beside another, {} beside one of the other version",
            self.invocations, self.tasks, self.side_by_side, self.both_versions
        )?;
        writeln!(
            f,
            "{} failed, {} killed between two calls, {} died at a call, {} ended by their time; {restarts} restarts",
            self.failed, self.killed, self.crashed, self.outlasted
        )?;
        writeln!(
            f,
            "{} events: {} came twice, {} late, {} never; {} dead letters",
            self.events, self.twice, self.late, self.lost, self.dead_letters
        )?;
        writeln!(
            f,
            "{meddlings} meddlings, {edits} changes of the baseline, {} accounts come or gone, {} jumps of the clock, {} times a ledger that can't be written, {} times none at all",
            self.lives, self.jumps, self.plain.unwritable_ledgers, self.hidden_ledgers
        )?;
        let breaks: Vec<String> =
            self.breaks.iter().map(|(kind, count)| format!("{} {count}", kind.name())).collect();
        writeln!(f, "faults set: {:?}; {}", self.plain.faults, breaks.join(", "))?;
        writeln!(f, "errors answered: {:?}", self.plain.errors)?;
        writeln!(
            f,
            "{} writes judged, {} of them by what was so before somebody meddled; status called {} targets good that are; {:?}",
            self.judged, self.excused, self.called_good, self.plain.deeds
        )?;
        write!(
            f,
            "at the end: {} targets guarded, {} histories right without any sweep; others: {:?}",
            self.plain.guarded, self.unswept, self.plain.excuses
        )
    }
}
