//! What all targets come to: counts, the oldest look, and the worst of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::read::ReadResult;
use super::target::{TargetRow, spoils};
use super::{Arguments, By, StateCounts};
use crate::names::Names;
use crate::output::{self, ADDED, ALTERED, BROKEN, HEADING, HELD, QUIET, paint};
use crate::time::Age;
use keeper_core::baseline::Baseline;
use keeper_core::enforcement::ReadsBack;
use keeper_core::ids::{ParentId, Target};
use keeper_core::limits::RevisionApproval;
use keeper_core::organization::OrgPath;
use keeper_core::status::{Criteria, Standing};

/// The summary so far. Of the targets, only so many of the worst are held as are listed.
pub(super) struct Summary {
    limit: usize,
    by: Option<By>,
    counts: StateCounts,
    groups: BTreeMap<String, StateCounts>,
    oldest: Option<(Timestamp, Target)>,
    /// The best of them on top, to be dropped first.
    listed: BinaryHeap<ListedTarget>,
    selected: usize,
    unlisted: usize,
    accounts: BTreeMap<String, usize>,
    unknown_states: BTreeMap<String, usize>,
    leaving: usize,
    /// How many good targets AWS shows in another form than they were written in.
    reading_back_different: usize,
    /// The OUs that accounts stand in.
    pub(super) units: BTreeSet<ParentId>,
}

type ListedTarget = (Standing, Target, Reverse<Option<Timestamp>>, Option<String>, Particulars);

/// What is printed of a listed target besides.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Particulars {
    name: Option<String>,
    path: Option<OrgPath>,
    code: Option<String>,
}

impl Summary {
    pub(super) fn new(limit: usize, by: Option<By>) -> Summary {
        Summary {
            limit,
            by,
            counts: StateCounts::new(),
            groups: BTreeMap::new(),
            oldest: None,
            listed: BinaryHeap::new(),
            selected: 0,
            unlisted: 0,
            accounts: BTreeMap::new(),
            unknown_states: BTreeMap::new(),
            leaving: 0,
            reading_back_different: 0,
            units: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, told: TargetRow, listed: bool) {
        *self.counts.entry(told.standing).or_default() += 1;
        let group = self.by.map(|by| match by {
            By::Account => told.target.account.to_string(),
            By::Ou => {
                let parent = told.path.as_ref().and_then(|path| path.parents().last());
                parent.map_or_else(|| "unknown".to_owned(), ToString::to_string)
            }
            By::Region => told.target.region.to_string(),
        });
        if let Some(group) = group {
            *self.groups.entry(group).or_default().entry(told.standing).or_default() += 1;
        }
        self.units.extend(unit_of(told.path.as_ref()).cloned());
        let differs = told.standing.is_good() && told.code().as_deref() == Some(ReadsBack::CODE);
        self.reading_back_different += usize::from(differs);
        let checked = told.checked_at();
        if let Some(at) = checked
            && told.standing != Standing::LeftBehind
            && self.oldest.as_ref().is_none_or(|(oldest, _)| at < *oldest)
        {
            self.oldest = Some((at, told.target.clone()));
        }
        if listed {
            self.selected += 1;
            let code = told.code();
            let particulars = Particulars { name: told.name, path: told.path, code };
            self.listed.push((told.standing, told.target, Reverse(checked), told.reason, particulars));
            if self.listed.len() > self.limit {
                self.listed.pop();
                self.unlisted += 1;
            }
        }
    }

    /// Adds what concerns whole accounts.
    pub(super) fn end(mut self, read: &ReadResult) -> Summary {
        self.accounts.clone_from(&read.skipped);
        self.unknown_states.clone_from(&read.unknown_states);
        self.leaving = read.leaving.len();
        self
    }

    /// The names of the accounts that are listed.
    pub(super) fn listed_names(&self) -> Names {
        let mut names = Names::default();
        for (_, target, _, _, Particulars { name, path, .. }) in &self.listed {
            if let Some(name) = name {
                names.add(&target.account, name, path.as_ref());
            }
        }
        names
    }

    /// The OUs that are printed: those of listed accounts, or all where targets are counted by them.
    pub(super) fn listed_units(&self) -> BTreeSet<ParentId> {
        match self.by {
            Some(By::Ou) => self.units.clone(),
            Some(By::Account | By::Region) | None => {
                let paths = self.listed.iter().map(|(.., particulars)| particulars.path.as_ref());
                paths.filter_map(unit_of).cloned().collect()
            }
        }
    }

    /// Whether there are targets, and each of them is known, good and fresh.
    pub(super) fn is_good(&self) -> bool {
        !self.counts.is_empty() && !self.counts.keys().any(|standing| spoils(*standing))
    }

    pub(super) fn print(self, now: Timestamp, baseline: &Baseline, arguments: &Arguments, names: &Names) {
        self.print_counts(now);
        self.print_groups(names);
        self.print_listed(now, arguments.asks_for_particulars(), names);
        let identity = format!("baseline {}, mode {}", baseline.revision, baseline.mode);
        output::print(paint(QUIET, identity));
    }

    fn print_counts(&self, now: Timestamp) {
        let total: usize = self.counts.values().sum();
        output::print(paint(HEADING, plural(total, "target")));
        for (standing, count) in &self.counts {
            output::print(format_args!("{count:>7} {}", painted(*standing, standing)));
        }
        if let Some((at, target)) = &self.oldest {
            output::print(format_args!("oldest look: {}, {target}", Age::of(*at, now)));
        }
        for (state, count) in &self.accounts {
            output::print(format_args!("{} not looked at: {state}", plural(*count, "account")));
        }
        for (state, count) in &self.unknown_states {
            output::print(format_args!("{} {state}", plural(*count, "account")));
        }
        if self.leaving > 0 {
            output::print(format_args!(
                "{} about to leave: nothing is wanted there",
                plural(self.leaving, "account")
            ));
        }
        match self.reading_back_different {
            0 => {}
            count => output::print(format_args!(
                "{count} of these read back different from what was written: see {} in docs/runbook.md",
                ReadsBack::CODE
            )),
        }
    }

    fn print_groups(&self, names: &Names) {
        if !self.groups.is_empty() {
            output::print("");
        }
        for (group, counts) in &self.groups {
            let counts: Vec<String> = counts
                .iter()
                .map(|(standing, count)| painted(*standing, &format!("{count} {standing}")))
                .collect();
            let group = group.parse().map_or_else(|_| group.clone(), |unit| names.unit(&unit));
            output::print(format_args!("{group}  {}", counts.join(", ")));
        }
    }

    /// Prints the targets, worst first; those that are good only if particular ones are asked for.
    fn print_listed(self, now: Timestamp, particular: bool, names: &Names) {
        let mut good = 0;
        let mut first = true;
        for (standing, target, Reverse(checked), reason, particulars) in self.listed.into_sorted_vec() {
            if standing.is_good() && !particular {
                good += 1;
                continue;
            }
            if first {
                output::print("");
                first = false;
            }
            let age = checked.map(|at| format!("{}: ", Age::of(at, now))).unwrap_or_default();
            let reason = reason.unwrap_or_default();
            let rest = format!("{age}{reason}");
            let rest = rest.trim_end_matches(": ");
            let name = names.behind(&target.account);
            let code = particulars.code.map(|code| format!("[{code}] ")).unwrap_or_default();
            let standing = painted(standing, &format!("{standing:<11}"));
            output::print(format_args!("{standing} {target}{name}  {code}{rest}"));
        }
        // What was dropped is no worse than what is listed.
        let unlisted = if particular {
            self.unlisted
        } else {
            let bad: usize = self.counts.iter().filter(|(it, _)| !it.is_good()).map(|(_, count)| count).sum();
            bad.saturating_sub(self.selected - self.unlisted - good)
        };
        if unlisted > 0 {
            output::print(format_args!("and {unlisted} more: --limit lists more of them"));
        }
    }

    pub(super) fn to_json(
        &self,
        criteria: Criteria<'_>,
        baseline: &Baseline,
        approval: Option<&RevisionApproval>,
        read: &ReadResult,
        good: bool,
        names: &Names,
    ) -> Value {
        let in_json = |counts: &StateCounts| -> Value {
            counts.iter().map(|(standing, count)| (standing.code().to_owned(), json!(count))).collect()
        };
        json!({
            "at": criteria.now,
            "good": good,
            "targets": self.counts.values().sum::<usize>(),
            "states": in_json(&self.counts),
            "groups": self.groups.iter().map(|(group, counts)| (group.clone(), in_json(counts))).collect::<Value>(),
            "oldest": self.oldest.as_ref().map(|(at, target)| json!({
                "account": target.account,
                "region": target.region,
                "checked_at": at,
                "checked_age_seconds": Age::of(*at, criteria.now).seconds(),
            })),
            "skipped_accounts": read.skipped,
            "accounts_of_unknown_state": read.unknown_states,
            "leaving_accounts": read.leaving,
            "read_back_different": self.reading_back_different,
            "baseline": baseline.revision,
            "baseline_is_present": criteria.revision.is_some(),
            "mode": baseline.mode,
            "approval": approval,
            "problems": read.problems,
            "warnings": read.warnings,
            "ous": names.units_in_json(),
        })
    }
}

/// The OU, or the root, that an account stands in.
fn unit_of(path: Option<&OrgPath>) -> Option<&ParentId> {
    path.and_then(|path| path.parents().last())
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn painted(standing: Standing, text: &(impl std::fmt::Display + ?Sized)) -> String {
    let style = match standing {
        Standing::Broken | Standing::Unguarded | Standing::Failed | Standing::Unknown => BROKEN,
        Standing::Held | Standing::Contested => HELD,
        Standing::WouldReplace
        | Standing::WouldEnforce
        | Standing::WouldRelease
        | Standing::WouldAbandon
        | Standing::Stale
        | Standing::Copied
        | Standing::LeftBehind => ALTERED,
        Standing::LeftAlone => QUIET,
        Standing::Enforced | Standing::Replaced | Standing::Released | Standing::InSync => ADDED,
    };
    paint(style, text)
}
