//! What a run did: every target's state afterwards, and why.

mod absorb;
mod again;
mod judged;
mod owed;
mod print;
mod target;
mod trouble;
mod waits;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::baseline::Revision;
use crate::enforcement::ReadsBack;
use crate::failure::Failure;
use crate::ids::{AccountId, Target};
use crate::organization::{AccountState, Unplaced};
use crate::plan::{
    BrokenGuardrail, Change, CleanUp, Decision, GrantAction, GrantChange, GrantDecision, HandedBack, Plan,
    broken_guardrails,
};
use crate::record::{Intent, Records};
use crate::resource_policy::Resource;

pub use crate::record::State;
pub use waits::Waits;

/// The result of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an unread report is not actionable"]
pub struct Report {
    /// The baseline that was followed.
    pub revision: Revision,
    /// The result for every resource policy, in order.
    pub grants: BTreeMap<Resource, GrantReport>,
    /// Every target's result, in order.
    pub targets: BTreeMap<Target, TargetReport>,
    /// What had been adopted and is handed back.
    pub handed_back: BTreeMap<Target, HandedBack>,
    /// What opens a guardrail beyond the organization since this look, in words.
    pub opened: BTreeMap<Resource, BTreeSet<String>>,
    /// Accounts that were not looked at because no call can work there.
    pub skipped: BTreeMap<AccountId, AccountState>,
    /// Accounts that were looked at though this version doesn't know what their state means.
    pub unknown_states: BTreeMap<AccountId, AccountState>,
    /// Accounts that were not looked at because it isn't known where they stand.
    pub unplaced: Unplaced,
    /// Accounts that an event named and that are no members of the organization.
    pub strangers: Vec<AccountId>,
    /// What went wrong besides: for example a ledger that could not be written.
    pub warnings: Vec<String>,
    /// Why the ledger could not be read or written, if so: what was decided without it may have
    /// to be decided otherwise. It is among the warnings as well, unless nothing was done.
    pub ledger_trouble: Option<String>,
    /// What was found out for `placement: auto`, in words: what waited for it can go on.
    pub placement_decided: Option<String>,
    /// What the ledger knew of the targets before the run: it shows what is new.
    pub before: Records,
    /// Writes that earlier runs made and could not publish.
    pub owed: BTreeMap<Target, Vec<Intent>>,
}

/// One target's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetReport {
    /// A change was attempted.
    Attempted(ChangeResult),
    /// What was left over was to be cleaned up. What is enforced is as wanted, whatever came of it.
    CleanedUp {
        /// What was left over.
        clean_up: CleanUp,
        /// Whether it worked.
        result: Result<(), Failure>,
    },
    /// Nothing was attempted, because of this decision.
    Decided(Decision),
}

/// What became of one grant: of the resource policy of a guardrail or profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantReport {
    /// A change was attempted.
    Attempted {
        /// The change.
        change: GrantChange,
        /// Whether it worked.
        result: Result<(), Failure>,
    },
    /// Nothing was attempted, because of this decision.
    Decided(GrantDecision),
}

impl GrantReport {
    /// Whether the resource policy was written.
    fn is_written(&self) -> bool {
        matches!(self, GrantReport::Attempted { result: Ok(()), .. })
    }

    /// Why it is not as wanted; `None` if it is.
    fn trouble(&self) -> Option<String> {
        match self {
            GrantReport::Attempted { result, .. } => result.as_ref().err().map(ToString::to_string),
            GrantReport::Decided(GrantDecision { action: GrantAction::Held(reason), .. }) => {
                Some(reason.to_string())
            }
            GrantReport::Decided(_) => None,
        }
    }

    fn is_worth_waiting(&self) -> bool {
        match self {
            GrantReport::Attempted { result, .. } => {
                result.as_ref().is_err_and(|failure| failure.category.is_worth_waiting())
            }
            GrantReport::Decided(GrantDecision { action: GrantAction::Held(reason), .. }) => {
                reason.is_worth_waiting()
            }
            GrantReport::Decided(_) => false,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            GrantReport::Attempted { result: Err(_), .. } => "failed",
            GrantReport::Attempted { result: Ok(()), .. } => "written",
            GrantReport::Decided(GrantDecision { action, .. }) => match action {
                GrantAction::Granted => "granted",
                GrantAction::Held(_) | GrantAction::Change(_) => "held",
            },
        }
    }
}

/// A change and what became of it. One attempt; the next run tries again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeResult {
    /// The change.
    pub change: Change,
    /// Whether it worked.
    pub result: Result<(), Failure>,
    /// Where it was written: how AWS shows it, if that differs.
    pub reads_back: Option<Box<ReadsBack>>,
    /// When it was begun, by the record, where it is to be published.
    pub begun: Option<Timestamp>,
}

impl ChangeResult {
    /// A change that was attempted, with nothing to remark.
    pub fn of(change: Change, result: Result<(), Failure>) -> ChangeResult {
        ChangeResult { change, result, reads_back: None, begun: None }
    }
}

impl Report {
    /// A report of a plan of which nothing was attempted yet.
    pub fn of(revision: Revision, plan: Plan) -> Report {
        let Plan { grants, decisions, handed_back, skipped, unknown_states, unplaced } = plan;
        let targets = decisions
            .into_iter()
            .map(|(target, decision)| (target, TargetReport::Decided(decision)))
            .collect();
        let grants = grants
            .into_iter()
            .map(|(resource, decision)| (resource, GrantReport::Decided(decision)))
            .collect();
        Report {
            revision,
            grants,
            targets,
            handed_back,
            opened: BTreeMap::new(),
            skipped,
            unknown_states,
            unplaced,
            strangers: Vec::new(),
            warnings: Vec::new(),
            ledger_trouble: None,
            placement_decided: None,
            before: Records::new(),
            owed: BTreeMap::new(),
        }
    }

    /// The guardrails that are enforced somewhere and can't be used, each once.
    pub fn broken(&self) -> Vec<BrokenGuardrail> {
        let broken = self.targets.iter().filter_map(|(target, report)| Some((target, report.broken()?)));
        broken_guardrails(broken)
    }

    /// How many targets ended in which state.
    pub fn counts(&self) -> BTreeMap<State, usize> {
        let mut counts = BTreeMap::new();
        for target in self.targets.values() {
            *counts.entry(target.state()).or_default() += 1;
        }
        counts
    }

    /// The changes that were attempted.
    pub fn outcomes(&self) -> impl Iterator<Item = &ChangeResult> {
        self.targets.values().filter_map(TargetReport::outcome)
    }

    /// Whether anything was attempted in a target.
    pub fn attempts_anything(&self) -> bool {
        self.targets.values().any(TargetReport::is_an_attempt)
    }

    /// What is worth another look soon, each with its reason.
    pub fn unfinished(&self) -> Vec<String> {
        let grants = self.grants.iter().filter(|(_, report)| report.is_worth_waiting());
        let grants =
            grants.map(|(resource, report)| format!("{resource}: {}", report.trouble().unwrap_or_default()));
        let targets = self.targets.iter().filter(|(_, report)| report.is_worth_waiting());
        let targets =
            targets.map(|(target, report)| format!("{target}: {}", report.reason().unwrap_or_default()));
        let unplaced = self.unplaced.iter().filter(|(_, failure)| failure.category.is_worth_waiting());
        let unplaced = unplaced.map(|(account, failure)| format!("{account}: {failure}"));
        grants.chain(targets).chain(unplaced).collect()
    }
}
