//! What was measured, as a table, and what it must not come to.

use std::collections::BTreeMap;
use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::measured::Process;

/// What the ledger's documents weigh, as the JSON that they are stored as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Weight {
    /// Documents of accounts.
    pub(crate) accounts: usize,
    /// All of these together, in bytes.
    pub(crate) bytes: usize,
    /// The largest of these, in bytes.
    pub(crate) largest: usize,
    /// The most lines of history that any target has.
    pub(crate) longest_history: usize,
    /// Documents of anything else, in bytes.
    pub(crate) others: usize,
}

/// What is in both queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) visible: usize,
    pub(crate) in_flight: usize,
    pub(crate) delayed: usize,
}

impl Depth {
    pub(crate) fn all(self) -> usize {
        self.visible + self.in_flight + self.delayed
    }
}

/// One simulated minute.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// How many minutes are over.
    pub(crate) minute: usize,
    /// Bytes that the process has allocated and not freed, at the end of the minute.
    pub(crate) heap: usize,
    /// `None` where the system doesn't tell.
    pub(crate) process: Option<Process>,
    /// At the end of the minute.
    pub(crate) depth: Depth,
    /// The most messages that were in the queues at once during the minute.
    pub(crate) deepest: usize,
    /// Of the oldest message, at the end of the minute.
    pub(crate) oldest: SignedDuration,
    pub(crate) dead: usize,
    pub(crate) weight: Weight,
    /// Within the minute: calls that the keeper made, those that were struck by a fault, and invocations.
    pub(crate) calls: usize,
    pub(crate) struck: usize,
    pub(crate) invocations: usize,
}

/// What happened in all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    pub(crate) happened: BTreeMap<&'static str, usize>,
    /// Faults that were met, by kind.
    pub(crate) faults: BTreeMap<String, usize>,
    pub(crate) failed_invocations: usize,
}

/// How it was at the very end.
pub(crate) struct End {
    /// What is left in the queues.
    pub(crate) left: String,
    pub(crate) members: usize,
    /// Targets that aren't as the baseline wants them.
    pub(crate) not_as_wanted: Vec<String>,
    pub(crate) targets: usize,
}

pub(crate) const HEAD: &str = "\
minute  heap KB  RSS MB  peak MB  files  sockets  deepest  left: visible  flight  delayed  oldest s  dead  \
documents  ledger KB  largest B  lines  others B    calls  struck  invocations";

/// Files of any kind that the process may have open: its three streams, what the runtime polls with, and
/// connections: two Regions side by side, with one call each, and as many again that wait to be used.
pub(crate) const MOST_FILES: usize = 32;
/// The largest document of an account in two Regions. DynamoDB takes 400 KB; with 17 Regions this is 140.
pub(crate) const LARGEST_DOCUMENT: usize = 16 * 1024;
/// Lines of a target's history.
pub(crate) const LONGEST_HISTORY: usize = 12;
/// Documents that belong to no account: the baseline in two forms, grants, the owner's side by Region.
pub(crate) const LARGEST_OTHERS: usize = 32 * 1024;
/// How much more may be allocated in the last quarter than in the second, in percent and in KB: a
/// connection's buffer grows to 400 KB, and some accounts' credentials more or less are no leak.
pub(crate) const HEAP_GROWTH_PERCENT: usize = 5;
pub(crate) const HEAP_GROWTH_KB: usize = 1024;
/// What the template gives the function.
pub(crate) const MOST_MEMORY_MB: u64 = 256;
/// How many messages there may be for each account at once: a sweep's task, a look at a guardrail's users, the
/// event that its own write leads to, for each Region.
pub(crate) const MESSAGES_PER_ACCOUNT: usize = 6;

/// Some samples as one line: the last of what stands, the most of what varies, the sum of what was done.
pub(crate) fn row(samples: &[Sample]) -> String {
    let Some(last) = samples.last() else { return String::new() };
    let process =
        samples.iter().filter_map(|sample| sample.process).fold(Process::default(), |most, it| Process {
            resident_kb: most.resident_kb.max(it.resident_kb),
            peak_kb: most.peak_kb.max(it.peak_kb),
            files: most.files.max(it.files),
            sockets: most.sockets.max(it.sockets),
        });
    let deepest = samples.iter().map(|sample| sample.deepest).max().unwrap_or(0);
    let heap = samples.iter().map(|sample| sample.heap).max().unwrap_or(0) / 1024;
    let sum = |of: fn(&Sample) -> usize| samples.iter().map(of).sum::<usize>();
    let megabytes = |kilobytes: u64| kilobytes as f64 / 1024.0;
    let Sample { minute, depth, oldest, dead, weight, .. } = last;
    format!(
        "{minute:6}  {heap:7}  {:6.1}  {:7.1}  {:5}  {:7}  {deepest:7}  {:13}  {:6}  {:7}  {:8}  {dead:4}  {:9}  {:9}  {:9}  {:5}  {:8}  {:7}  {:6}  {:11}",
        megabytes(process.resident_kb),
        megabytes(process.peak_kb),
        process.files,
        process.sockets,
        depth.visible,
        depth.in_flight,
        depth.delayed,
        oldest.as_secs(),
        weight.accounts,
        weight.bytes / 1024,
        weight.largest,
        weight.longest_history,
        weight.others,
        sum(|sample| sample.calls),
        sum(|sample| sample.struck),
        sum(|sample| sample.invocations),
    )
}

/// Everything that grew, was lost or was left. `samples` are the minutes under load.
pub(crate) fn wrong(samples: &[Sample], load: &Load, end: &End) -> Vec<String> {
    let mut wrong = Vec::new();
    let quarter = samples.len() / 4;
    let (second, last) = (&samples[quarter..quarter * 2], &samples[samples.len() - quarter..]);
    // The ledger's documents, which are in this memory, have bounds of their own.
    let besides_documents =
        |sample: &Sample| sample.heap.saturating_sub(sample.weight.bytes + sample.weight.others) / 1024;
    let heap = |samples: &[Sample]| samples.iter().map(besides_documents).max().unwrap_or(0);
    let (before, after) = (heap(second), heap(last));
    let most = before * (100 + HEAP_GROWTH_PERCENT) / 100 + HEAP_GROWTH_KB;
    if after > most {
        wrong.push(format!(
            "memory grows: {before} KB besides the documents in the second quarter, {after} KB in the last, {most} KB at most"
        ));
    }
    let peak = samples.iter().filter_map(|sample| Some(sample.process?.peak_kb)).max().unwrap_or(0) / 1024;
    if peak > MOST_MEMORY_MB {
        wrong.push(format!("the process had {peak} MB, {MOST_MEMORY_MB} MB at most"));
    }
    let files = samples.iter().filter_map(|sample| Some(sample.process?.files)).max().unwrap_or(0);
    if files > MOST_FILES {
        wrong.push(format!("open files grow: {files}, {MOST_FILES} at most"));
    }
    let deepest = |samples: &[Sample]| samples.iter().map(|sample| sample.deepest).max().unwrap_or(0);
    let most = end.members * MESSAGES_PER_ACCOUNT;
    if deepest(samples) > most {
        wrong.push(format!("queues grow: {} messages at once, {most} at most", deepest(samples)));
    }
    let most = end.members / 10;
    for (number, quarter) in (1..).zip(samples.chunks(quarter)) {
        let least = quarter.iter().map(|sample| sample.depth.all()).min().unwrap_or(0);
        if least > most {
            wrong.push(format!(
                "queues don't come to rest: {least} messages at the least in quarter {number}, {most} at most"
            ));
        }
    }
    for (name, of, most) in [
        ("the largest document grows", (|weight| weight.largest) as fn(&Weight) -> usize, LARGEST_DOCUMENT),
        ("a target's history grows", |weight| weight.longest_history, LONGEST_HISTORY),
        ("other documents grow", |weight| weight.others, LARGEST_OTHERS),
        ("documents grow in number", |weight| weight.accounts, end.members),
    ] {
        let bytes = samples.iter().map(|sample| of(&sample.weight)).max().unwrap_or(0);
        if bytes > most {
            wrong.push(format!("{name}: {bytes}, {most} at most"));
        }
    }
    let dead = samples.iter().map(|sample| sample.dead).max().unwrap_or(0);
    if dead > 0 {
        wrong.push(format!("{dead} dead letters"));
    }
    if end.left != testkit::queues::EMPTY {
        wrong.push(format!("left after the last sweep: {}", end.left));
    }
    if let [first, ..] = end.not_as_wanted.as_slice() {
        wrong.push(format!("{} targets are not as wanted: {first}, …", end.not_as_wanted.len()));
    }
    wrong.extend(load.too_little(samples));
    wrong
}

impl Load {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// A soak without a load finds nothing.
    fn too_little(&self, samples: &[Sample]) -> Vec<String> {
        let minutes = samples.len();
        let mut few = Vec::new();
        for (what, least) in crate::load::least(minutes) {
            let count = self.happened.get(what).copied().unwrap_or(0);
            if count < least {
                few.push(format!("too little load: {what} {count}, of {least} at least"));
            }
        }
        let (calls, struck) = totals(samples);
        if struck * 100 < calls {
            few.push(format!(
                "too little load: of {calls} calls {struck} were struck, less than a hundredth"
            ));
        }
        few
    }
}

fn totals(samples: &[Sample]) -> (usize, usize) {
    samples.iter().fold((0, 0), |(calls, struck), it| (calls + it.calls, struck + it.struck))
}

/// The last line.
pub(crate) struct Summary<'a> {
    pub(crate) samples: &'a [Sample],
    pub(crate) load: &'a Load,
    pub(crate) end: &'a End,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { samples, load, end } = self;
        let (calls, struck) = totals(samples);
        let invocations: usize = samples.iter().map(|sample| sample.invocations).sum();
        writeln!(f, "happened: {:?}", load.happened)?;
        writeln!(f, "faults met: {:?}; {} invocations failed", load.faults, load.failed_invocations)?;
        writeln!(f, "left: {}", end.left)?;
        write!(
            f,
            "{calls} calls ({struck} struck), {invocations} invocations, {} of {} targets as wanted",
            end.targets - end.not_as_wanted.len(),
            end.targets
        )
    }
}
