//! What was done and seen in the deployed form, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::attack::KINDS;
use super::judge::{Excuse, Excused, Reckoned, Silence, Telling};
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
    pub(crate) excused: Excused,
    /// What was told on the bus.
    pub(crate) telling: Telling,
    /// How often each reason was given for what was held, had failed or was broken.
    pub(crate) holds: BTreeMap<String, usize>,
    pub(crate) slowest: Slowest,
    /// Targets that `status` called good while the record knew all that matters.
    pub(crate) called_good: usize,
    /// What adversaries did, by kind.
    pub(crate) attacks: BTreeMap<&'static str, usize>,
    /// Targets that were unguarded when a reckoning ended.
    pub(crate) unguarded: usize,
    /// What the ends of sweeps came to.
    pub(crate) reckoned: Reckoned,
}

/// The longest that anything took at the end of a history, by the simulator's clock, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slowest {
    /// Until the queues were empty, once nothing went wrong any more.
    pub(crate) after_faults: u64,
    /// The same where everything was heard of, and everything was right by then.
    pub(crate) by_events: u64,
    /// A sweep.
    pub(crate) sweep: u64,
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
    /// Writes that were told on the bus by the invocation that made them.
    pub(crate) told: usize,
    /// Reasons that were judged of what was held, had failed or was broken.
    pub(crate) holds: usize,
    pub(crate) attacks_of_each_kind: usize,
    /// Targets that were unguarded at the end of a sweep, and that people had read of.
    pub(crate) named: usize,
    /// What sweeps repaired without an event, and people read of it.
    pub(crate) repaired: usize,
    /// Targets that were released because nothing is wanted there, and people read of it.
    pub(crate) no_longer: usize,
    /// At most so many of a thousand may be excused for each reason there is.
    pub(crate) most_excused: &'static [(&'static str, usize)],
}

impl Figures {
    /// For `docs/reliability.md`.
    pub(crate) fn to_json(&self, took: Duration, caps: &[(&str, usize)]) -> Value {
        let excuses: BTreeMap<&str, Value> = self
            .excuses()
            .into_iter()
            .map(|Share { what, number, of }| {
                let most = caps.iter().find(|(reason, _)| *reason == what).map(|(_, most)| *most);
                (what, json!({ "times": number, "of": of, "allowed of 1,000": most }))
            })
            .collect();
        let by_kind: BTreeMap<&str, Value> =
            self.attacks.iter().map(|(kind, times)| (*kind, json!({ "times": times }))).collect();
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
            "records": self.excused.records,
            "told": self.telling.at_once + self.telling.later,
            "holds": self.holds.values().sum::<usize>(),
            "reasons": self.holds.len(),
            "slowest": self.slowest.after_faults.max(self.slowest.sweep) / 60,
            "called_good": self.called_good,
            "attacks": self.attacks.values().sum::<usize>(),
            "attacks_by_kind": by_kind,
            "sweeps_judged": self.reckoned.sweeps,
            "unguarded": self.reckoned.unguarded,
            "named": self.reckoned.named,
            "repaired": self.reckoned.repaired,
            "released": self.reckoned.released,
            "excuses": excuses,
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
            ("told", self.telling.at_once, least.told),
            ("reasons", self.holds.values().sum(), least.holds),
            ("unguarded and read of", self.reckoned.named, least.named),
            ("repaired without an event and read of", self.reckoned.repaired, least.repaired),
            ("no longer guarded and read of", self.reckoned.released, least.no_longer),
        ];
        for kind in KINDS {
            let made = self.attacks.get(kind).copied().unwrap_or(0);
            figures.push((kind, made, least.attacks_of_each_kind));
        }
        for (_, kind) in BREAK_MIX {
            let set = self.breaks.get(&kind).copied().unwrap_or(0);
            figures.push((kind.name(), set, least.breaks_of_each_kind));
        }
        for (_, kind) in testkit::histories::step::FAULT_MIX {
            let set = self.plain.faults.get(&kind).copied().unwrap_or(0);
            figures.push((kind.name(), set, least.faults_of_each_kind));
        }
        let few = figures.into_iter().filter(|(_, number, least)| number < least);
        let mut few: Vec<String> =
            few.map(|(name, number, least)| format!("{name}: {number}, of {least} at least")).collect();
        for Share { what, number, of } in self.excuses() {
            match least.most_excused.iter().find(|(reason, _)| *reason == what) {
                None => few.push(format!("{what}: an excuse without a cap, {number} times of {of}")),
                Some((_, most)) if number * 1000 > of * most => {
                    few.push(format!("{what}: {number} of {of}, and at most {most} of a thousand may be"));
                }
                Some(_) => {}
            }
        }
        few
    }

    /// How often each excuse was needed, and of how many.
    fn excuses(&self) -> Vec<Share> {
        let Excused { writes, records: _ } = &self.excused;
        let told = self.telling.at_once + self.telling.later + self.telling.never;
        let telling = [
            ("told by a later look", self.telling.later),
            ("told again", self.telling.again),
            ("told though somebody else made it, after it went wrong", self.telling.made_by_others),
            ("never told", self.telling.never),
        ];
        let ends = self.plain.guarded + self.plain.excuses.values().sum::<usize>();
        let times = |of: &BTreeMap<Excuse, usize>, excuse| of.get(&excuse).copied().unwrap_or_default();
        let all = Excuse::ALL.into_iter();
        let of_writes = all.map(|it| (it.in_words(), times(writes, it), self.judged));
        let of_telling = telling.into_iter().map(|(what, number)| (what, number, told));
        let of_ends = self.plain.excuses.iter().map(|(what, number)| (*what, *number, ends));
        let silent = |it: Silence| self.reckoned.silences.get(&it).copied().unwrap_or_default();
        let Reckoned { unguarded, repaired, released, .. } = &self.reckoned;
        let asked = unguarded + repaired + released;
        let of_sweeps = Silence::ALL.into_iter().map(|it| (it.in_words(), silent(it), asked));
        let all = of_writes.chain(of_telling).chain(of_sweeps).chain(of_ends);
        all.map(|(what, number, of)| Share { what, number, of }).collect()
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
            telling,
            holds,
            slowest,
            called_good,
            attacks,
            unguarded,
            reckoned,
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
        self.excused.add(excused);
        self.telling.add(telling);
        for (code, count) in holds {
            *self.holds.entry(code).or_default() += count;
        }
        self.slowest.after_faults = self.slowest.after_faults.max(slowest.after_faults);
        self.slowest.by_events = self.slowest.by_events.max(slowest.by_events);
        self.slowest.sweep = self.slowest.sweep.max(slowest.sweep);
        self.called_good += called_good;
        self.unguarded += unguarded;
        self.reckoned.add(reckoned);
        for (kind, count) in attacks {
            *self.attacks.entry(kind).or_default() += count;
        }
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
            "{} writes and {} records judged; status called {} targets good that are; {:?}",
            self.judged, self.excused.records, self.called_good, self.plain.deeds
        )?;
        writeln!(
            f,
            "attacks: {:?}; {} targets unguarded when a reckoning ended; {:?}",
            self.attacks, self.unguarded, self.reckoned
        )?;
        writeln!(f, "told: {:?}; reasons: {:?}", self.telling, self.holds)?;
        writeln!(f, "the slowest, in seconds: {:?}", self.slowest)?;
        let excuses = self.excuses();
        let needed = excuses.iter().filter(|share| share.number > 0);
        let excuses: Vec<String> =
            needed.map(|Share { what, number, of }| format!("{what}: {number} of {of}")).collect();
        writeln!(f, "excused: {}", excuses.join("; "))?;
        write!(
            f,
            "at the end: {} targets guarded, {} histories right without any sweep; others: {:?}",
            self.plain.guarded, self.unswept, self.plain.excuses
        )
    }
}

/// How many of how many needed an excuse.
struct Share {
    what: &'static str,
    number: usize,
    of: usize,
}
