//! Decides. No I/O, no clock, and it cannot fail: what can't be decided is held, with its reason.
//!
//! | wanted ↓ / seen → | absent | equal, ours | equal, foreign | differs, ours | differs, foreign | unreadable |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | a guardrail, `existing: keep` | enforce | in sync | in sync, kept | replace | held | held |
//! | a guardrail, `existing: adopt` | enforce | in sync | adopt | replace | held | held |
//! | a guardrail, `existing: replace` | enforce | in sync | adopt | replace | replace | held |
//! | nothing | in sync | – | – | release what we last applied, else held | left alone | held if ours |
//! | unassigned, excluded | left alone | left alone | left alone | left alone | left alone | left alone |
//!
//! What was adopted is ours, but under `existing: keep`, where it is handed back first. To release it
//! takes an approval, see [`crate::limits`]. A guardrail that is enforced and equal but can't be used is
//! *broken*, never in sync. Where the baseline says so it is released, once a second look some minutes later
//! agrees.

mod audit;
mod broken;
mod change;
mod claim;
mod clean_up;
mod counts;
mod decide;
mod following;
mod found;
mod grants;
mod hold;
mod json;
mod leave;
mod line;
mod print;
mod restrict;
mod reviewed;
mod safe;
mod spare;
mod unread;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::enforcement::{Enforcement, ReadsBack};
use crate::failure::Failure;
use crate::ids::{AccountId, Target};
use crate::observed::{Observation, Observed, Seen};
use crate::organization::{AccountState, Unplaced};
use crate::own_roles::OwnRoles;
use crate::record::{Record, Records};
use crate::resolved::{Resolved, Unusable};
use crate::resource_policy::Resource;
use claim::Case;

pub use broken::{BrokenGuardrail, broken_guardrails};
pub use change::{Change, GrantChange, GrantPurpose, Ownership};
pub use claim::{HandedBack, Kept};
pub use clean_up::CleanUp;
pub use counts::Counts;
pub use decide::decide;
pub use following::FollowUp;
pub use grants::{
    GrantAction, GrantDecision, Sighting, Use, UseDoubt, decide_grant, decide_withdrawal, use_of,
};
pub use hold::HoldReason;
pub(crate) use json::in_words;
pub use leave::LeaveReason;
pub use line::{Mark, Part, PlanLine};
pub(crate) use restrict::held_back;
pub use reviewed::ReviewedPlan;
pub use safe::{Proof, SafePlan};

/// What is to be done in every target that was looked at, and why nothing is done in the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a plan that nobody prints or applies did nothing"]
pub struct Plan {
    /// One decision per resource policy of the owner's that the targets depend on.
    pub grants: BTreeMap<Resource, GrantDecision>,
    /// One decision per target.
    pub decisions: BTreeMap<Target, Decision>,
    /// What was adopted and is handed back, whatever else is decided about the target.
    pub handed_back: BTreeMap<Target, HandedBack>,
    /// Accounts that were not looked at because no call can work there.
    pub skipped: BTreeMap<AccountId, AccountState>,
    /// Accounts that were looked at though this version doesn't know what their state means. Nothing is taken away
    /// there, and nothing there counts as good.
    pub unknown_states: BTreeMap<AccountId, AccountState>,
    /// Accounts that were not looked at because it isn't known where they stand.
    pub unplaced: Unplaced,
}

/// The decision about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is as the baseline wants it.
    InSync(InSync),
    /// The baseline does not want it touched, or has no say in it.
    LeftAlone(LeftAlone),
    /// This is to be written.
    Change(Change),
    /// It is as wanted, and what earlier copies left behind is to be cleaned up.
    CleanUp(CleanUp),
    /// Something should be done, and isn't.
    Held(Held),
    /// What is wanted is enforced, but its guardrail can't be used: guarded calls may be failing.
    Broken(Broken),
}

impl Decision {
    /// What is held, and why.
    pub fn held(&self) -> Option<&Held> {
        if let Decision::Held(held) = self { Some(held) } else { None }
    }

    /// What is enforced and can't be used.
    pub fn broken(&self) -> Option<&Broken> {
        if let Decision::Broken(broken) = self { Some(broken) } else { None }
    }

    /// The change that is to be made.
    pub fn change(&self) -> Option<&Change> {
        if let Decision::Change(change) = self { Some(change) } else { None }
    }
}

/// A target that is as wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InSync {
    /// What is enforced there; `None` where nothing is, on purpose.
    pub enforced: Option<Enforcement>,
    /// Where the record says otherwise, what to record.
    pub correction: Option<Correction>,
    /// Where it is foreign and stays foreign: what is there.
    pub kept: Option<Kept>,
    /// Where AWS shows it in another form than we wrote it in: both forms.
    pub reads_back: Option<Box<ReadsBack>>,
}

/// What to record of a target that is as wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// What is there is ours, by AWS's word or an earlier record, and the record doesn't say just that.
    Remember,
    /// What was ours is gone, or never arrived, and nothing is wanted: what comes there next isn't ours.
    Forget,
}

/// A target that is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// Why.
    pub reason: LeaveReason,
    /// What was seen there.
    pub seen: Observation,
    /// Whether something of ours is there that a baseline in mode `audit`, or one that isn't approved, leaves to
    /// itself: it is not abandoned by that, and counts when it is.
    pub would_abandon: bool,
}

/// A target in which something should be done, and isn't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Why.
    pub reason: HoldReason,
    /// What would be done otherwise, where that is known.
    pub would: Option<Change>,
}

impl Held {
    /// Whether what was enforced was released though it is wanted, and nothing guards the account since.
    pub fn leaves_unguarded(&self) -> bool {
        matches!(self.reason, HoldReason::Unguarded { .. })
    }
}

/// An enforcement of what is wanted, whose guardrail can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What is enforced.
    pub seen: Seen,
    /// Why it can't be used.
    pub unusable: Unusable,
    /// Why it isn't released, where the baseline says `on_unusable: release`; `None` where it stays in
    /// any case.
    pub stays: Option<HoldReason>,
}

/// What can be expected of the ledger. Where it could not be read, see [`Plan::hold_unread`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerState {
    /// It outlives this process.
    Durable,
    /// It ends with this process.
    Volatile,
}

/// What a decision may rest on besides what is wanted and seen.
#[derive(Clone, Copy, Debug)]
pub struct DecisionContext<'a> {
    /// The roles whose writes are ours.
    pub own_roles: &'a OwnRoles,
    /// What the ledger is good for: a foreign configuration is replaced only where it is kept for good.
    pub ledger: LedgerState,
    /// What time it is: repairs that another principal undoes again and again are paced.
    pub now: Timestamp,
}

/// Decides about every target of `resolved`.
///
/// A target that wasn't observed is held: not having looked is not the same as absent.
pub fn plan(
    resolved: &Resolved,
    observed: &Observed,
    records: &Records,
    context: DecisionContext<'_>,
) -> Plan {
    let unknown = Record::default();
    let unseen = Observation::Unreadable(Failure::not_observed());
    let mut plan = Plan::default();
    for (target, desired) in resolved {
        let seen = observed.get(target).unwrap_or(&unseen);
        let record = records.get(target).unwrap_or(&unknown);
        let case = Case { target, record, context };
        if let Some(handed_back) = case.handed_back(desired, seen) {
            plan.handed_back.insert(target.clone(), handed_back);
        }
        let decision = decide(target, desired, seen, record, context);
        plan.decisions.insert(target.clone(), case.paced(decision, seen));
    }
    plan
}

impl Plan {
    /// The changes of targets, in their order.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.decisions.values().filter_map(Decision::change)
    }

    /// The changes of grants. They come before those of targets, which depend on them.
    pub fn grant_changes(&self) -> impl Iterator<Item = &GrantChange> {
        self.grants.values().filter_map(|decision| match &decision.action {
            GrantAction::Change(change) => Some(change),
            GrantAction::Granted | GrantAction::Held(_) => None,
        })
    }

    /// How many writes it holds.
    pub fn writes(&self) -> usize {
        self.grant_changes().count() + self.changes().count() + self.clean_ups().count()
    }
}

#[cfg(test)]
mod tests;
