//! How a plan reads: in the log, on the terminal, and in the tests.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::{
    BrokenGuardrail, Change, Decision, HoldReason, LeaveReason, Ownership, Plan, PolicyAction, PolicyChange,
    Purpose, broken_guardrails,
};
use crate::copy::{CopyStep, Leftover};
use crate::enforcement::Enforcement;
use crate::ids::Target;
use crate::observed::Observation;
use crate::resource_policy::Grant;

/// The first character of a line: what kind of decision it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// `+` something is enforced or granted.
    Add,
    /// `~` something is replaced.
    Alter,
    /// `-` something is taken away.
    Remove,
    /// `!` nothing is done, and something should be.
    Hold,
    /// `x` what is enforced can't be used.
    Broken,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mark::Add => "+",
            Mark::Alter => "~",
            Mark::Remove => "-",
            Mark::Hold => "!",
            Mark::Broken => "x",
        })
    }
}

/// One printed decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its kind.
    pub mark: Mark,
    /// The rest of it.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { mark, text } = self;
        write!(f, "{mark} {text}")
    }
}

impl Plan {
    /// One line for every target that is not as it should be, in order of the targets; but one for
    /// each broken guardrail, at the first of its targets.
    pub fn lines(&self) -> Vec<Line> {
        let broken = self.decisions.iter().filter_map(|(target, decision)| match decision {
            Decision::Broken(broken) => Some((target, broken)),
            _ => None,
        });
        let broken: BTreeMap<Target, BrokenGuardrail> = broken_guardrails(broken)
            .into_iter()
            .filter_map(|guardrail| Some((guardrail.targets.first()?.clone(), guardrail)))
            .collect();
        let policies = self.policies.iter().flat_map(|(resource, decision)| decision.lines(resource));
        policies
            .chain(self.decisions.iter().filter_map(|(target, decision)| {
                match decision {
                    Decision::Change(change) => Some(Line { mark: change.mark(), text: change.to_string() }),
                    Decision::Held(held) => {
                        Some(Line { mark: Mark::Hold, text: format!("{target} held: {}", held.reason) })
                    }
                    Decision::Broken(_) => broken
                        .get(target)
                        .map(|guardrail| Line { mark: Mark::Broken, text: guardrail.to_string() }),
                    Decision::InSync(_) | Decision::LeftAlone(_) => None,
                }
            }))
            .collect()
    }

    /// Names what the plan would change: two plans with one hash change the same in the same way.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for change in self.changes() {
            // `Debug` shows every member, so a difference nobody prints counts as well.
            hash.update(format!("{change:?}\n"));
        }
        for change in self.policy_changes() {
            hash.update(format!("{change:?}\n"));
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The plan as JSON: counts, then every target that isn't simply in sync.
    pub fn to_json(&self) -> serde_json::Value {
        let decisions: Vec<serde_json::Value> = self
            .decisions
            .iter()
            .filter_map(|(target, decision)| {
                let (word, reason) = match decision {
                    Decision::Change(change) => (change.verb(), None),
                    Decision::Held(held) => ("hold", Some(held.reason.to_string())),
                    Decision::Broken(broken) => ("broken", Some(broken.unusable.to_string())),
                    Decision::LeftAlone(left) => ("leave-alone", Some(left.reason.to_string())),
                    Decision::InSync(_) => return None,
                };
                let (from, to) = decision.sides();
                Some(serde_json::json!({
                    "account": target.account,
                    "region": target.region,
                    "decision": word,
                    "reason": reason,
                    "from": from,
                    "to": to,
                }))
            })
            .collect();
        serde_json::json!({
            "hash": self.hash(),
            "counts": self.counts(),
            "policies": self.policies.iter().map(|(resource, decision)| decision.to_json(resource)).collect::<Vec<_>>(),
            "decisions": decisions,
            "skipped": self.skipped,
        })
    }

    /// How many targets ended in which kind of decision.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { skipped: self.skipped.len(), ..Counts::default() };
        for policy in self.policies.values() {
            match &policy.action {
                PolicyAction::Change(_) => counts.to_change += 1,
                PolicyAction::Held(_) => counts.held += 1,
                PolicyAction::Granted => {}
            }
        }
        for decision in self.decisions.values() {
            match decision {
                Decision::Change(_) => counts.to_change += 1,
                Decision::Held(_) => counts.held += 1,
                Decision::Broken(_) => counts.broken += 1,
                Decision::InSync(_) => counts.in_sync += 1,
                Decision::LeftAlone(_) => counts.left_alone += 1,
            }
        }
        counts
    }
}

impl Decision {
    /// What is there and what will be, as far as the decision knows.
    fn sides(&self) -> (Option<&Enforcement>, Option<&Enforcement>) {
        match self {
            Decision::Change(change) | Decision::Held(super::Held { would: Some(change), .. }) => {
                match change {
                    Change::Enforce { to, .. } => (None, Some(to)),
                    Change::Replace { from, to, .. } => (Some(&from.enforcement), Some(to)),
                    Change::Release { from, .. } => (Some(&from.enforcement), None),
                    Change::Tidy { stands, .. } => (stands.enforced.as_ref(), stands.enforced.as_ref()),
                    Change::EnsureCopy { .. } | Change::Policy(_) => (None, None),
                }
            }
            Decision::Broken(broken) => (Some(&broken.seen.enforcement), None),
            Decision::LeftAlone(super::LeftAlone { seen: Observation::Enforced(seen), .. }) => {
                (Some(&seen.enforcement), None)
            }
            Decision::InSync(in_sync) => (in_sync.enforced.as_ref(), in_sync.enforced.as_ref()),
            Decision::LeftAlone(_) | Decision::Held(_) => (None, None),
        }
    }
}

/// How many targets there are of each kind, and how many accounts were not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Targets and resource policies to be written.
    pub to_change: usize,
    /// Targets in which something should be done, and isn't.
    pub held: usize,
    /// Targets whose enforced guardrail can't be used.
    pub broken: usize,
    /// Targets as wanted.
    pub in_sync: usize,
    /// Targets that are none of our business.
    pub left_alone: usize,
    /// Accounts in which no call can work.
    pub skipped: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { to_change, held, broken, in_sync, left_alone, skipped } = *self;
        write!(f, "{to_change} to change, {held} held, {in_sync} in sync")?;
        if broken > 0 {
            write!(f, ", {broken} broken")?;
        }
        if left_alone > 0 {
            write!(f, ", {left_alone} left alone")?;
        }
        if skipped > 0 {
            write!(f, ", {skipped} {} skipped", if skipped == 1 { "account" } else { "accounts" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.lines() {
            writeln!(f, "{line}")?;
        }
        write!(f, "{}", self.counts())
    }
}

impl Change {
    /// The mark of its line.
    pub fn mark(&self) -> Mark {
        match self {
            Change::Enforce { .. } => Mark::Add,
            Change::Policy(PolicyChange { from: None, purpose: Purpose::Grant, .. }) => Mark::Add,
            Change::EnsureCopy { work, .. } if work.step == CopyStep::Create => Mark::Add,
            Change::Tidy { leftover: Leftover::Unproven(..), .. } => Mark::Hold,
            Change::Release { .. }
            | Change::Tidy { .. }
            | Change::Policy(PolicyChange { purpose: Purpose::Withdraw, .. }) => Mark::Remove,
            Change::Replace { .. } | Change::Policy(_) | Change::EnsureCopy { .. } => Mark::Alter,
        }
    }

    /// The verb of what it does, as outcomes and logs name it.
    pub fn verb(&self) -> &'static str {
        match self {
            Change::Enforce { .. } => "enforce",
            Change::Replace { .. } => "replace",
            Change::Release { .. } => "release",
            Change::EnsureCopy { .. } => "ensure-copy",
            Change::Tidy { .. } => "tidy",
            Change::Policy(PolicyChange { to: Some(_), .. }) => "put-resource-policy",
            Change::Policy(PolicyChange { to: None, .. }) => "delete-resource-policy",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Enforce { target, key, to, repair } => {
                write!(f, "{target} enforce {key}:{}", Rest(to))?;
                if *repair { f.write_str(" (it was removed)") } else { Ok(()) }
            }
            Change::Replace { target, key, from, to, drift, ownership } => {
                write!(f, "{target} ")?;
                // The same guardrail is called by its key on both sides; another one by its id.
                if from.enforcement.guardrail == to.guardrail {
                    write!(f, "{key}:{}", Rest(&from.enforcement))?;
                } else {
                    write!(f, "{}", from.enforcement)?;
                }
                write!(f, " => {key}:{} ({drift}", Rest(to))?;
                match (ownership, from.last_writer()) {
                    (Ownership::Ours, _) => f.write_str(")"),
                    (Ownership::Foreign, Some(by)) => write!(f, ", not ours: {by})"),
                    (Ownership::Foreign, None) => f.write_str(", not ours)"),
                }
            }
            Change::Release { target, from, broken } => {
                write!(f, "{target} release {}", from.enforcement)?;
                broken.as_ref().map_or(Ok(()), |unusable| write!(f, " (broken: {unusable})"))
            }
            Change::Tidy { target, leftover, stands: _ } => write!(f, "{target} {leftover}"),
            Change::EnsureCopy { target, key, work, enforced: _ } => {
                write!(f, "{target} copy {key}:{} ({})", work.original.version, work.step)
            }
            Change::Policy(PolicyChange { grant: Grant { resource, organization }, purpose, from, to }) => {
                write!(f, "{resource} ")?;
                match (from, to) {
                    (_, Some(_)) if *purpose == Purpose::Withdraw => {
                        write!(f, "take {organization} out of its resource policy")
                    }
                    (None, Some(_)) => write!(f, "attach a resource policy that grants it to {organization}"),
                    (Some(_), Some(_)) => write!(f, "add {organization} to its resource policy"),
                    (_, None) => f.write_str("delete its resource policy"),
                }
            }
        }
    }
}

/// An enforcement without the guardrail's id, for use behind its key.
struct Rest<'a>(&'a Enforcement);

impl fmt::Display for Rest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.to_string();
        f.write_str(whole.split_once(':').map_or(whole.as_str(), |(_, rest)| rest))
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HoldReason::NotOurs { by: Some(by) } => {
                write!(
                    f,
                    "another configuration is there, made by {by}: `existing: replace` would replace it"
                )
            }
            HoldReason::NotOurs { by: None } => f.write_str(
                "another configuration is there, and it isn't ours: `existing: replace` would replace it",
            ),
            HoldReason::NoDurableLedger => f.write_str(
                "`existing: replace` needs a ledger that lasts, to keep what was there: set KEEPER_LEDGER",
            ),
            HoldReason::LedgerUnavailable => f.write_str(
                "the ledger can't be used at the moment, and this is done only where it is kept: it is tried again",
            ),
            HoldReason::Unreadable { failure } => write!(f, "could not be read: {failure}"),
            HoldReason::Unusable { unusable } => unusable.fmt(f),
            HoldReason::ChangedBySomeoneElse { by: Some(by) } => {
                write!(
                    f,
                    "to be released, but changed since by {by}: release it by hand, or put it back first"
                )
            }
            HoldReason::ChangedBySomeoneElse { by: None } => f.write_str(
                "to be released, but changed by someone else since: release it by hand, or put it back first",
            ),
            HoldReason::Mode { mode } => write!(f, "mode {mode} doesn't write this"),
            HoldReason::ProbeFailed { failure } => {
                write!(
                    f,
                    "the account can't apply the guardrail, so enforcing it would break its calls: {failure}"
                )
            }
            HoldReason::MayBeEnforced { target } => write!(
                f,
                "the grant is no longer needed, but {target} can't be read and may still enforce the guardrail"
            ),
            HoldReason::Policy { why } => write!(f, "its resource policy is left as it is: {why}"),
            HoldReason::NotProven => {
                f.write_str("nobody has proven that the account can apply the guardrail")
            }
            HoldReason::NotCounted { revision } => {
                write!(f, "how much baseline {revision} replaces and releases is still being counted")
            }
            HoldReason::TooManyMoves { revision } => write!(
                f,
                "more accounts were moved within a day than the limits let lose or change their guardrail: look at the tree, then approve {revision}"
            ),
            HoldReason::PlacementUndecided { wait } => wait.fmt(f),
            HoldReason::Contested { by: Some(by) } => {
                write!(f, "{by} undoes each repair: stop it, or change the baseline; the next repair waits")
            }
            HoldReason::Contested { by: None } => {
                f.write_str("somebody undoes each repair: find out who in CloudTrail; the next repair waits")
            }
            HoldReason::NotApproved { revision } => write!(
                f,
                "baseline {revision} replaces or releases more than its limits allow: read the plan, then approve it"
            ),
        }
    }
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeaveReason::Unassigned => "no assignment covers the account",
            LeaveReason::Excluded => "the account is excluded",
            LeaveReason::Unreadable => {
                "nothing is wanted here, nothing here is known to be ours, and it could not be read"
            }
            LeaveReason::Foreign => "nothing is wanted here, and what is there isn't ours",
        })
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Observation::Absent => f.write_str("nothing enforced"),
            Observation::Enforced(seen) => seen.enforcement.fmt(f),
            Observation::Unreadable(failure) => write!(f, "could not be read: {failure}"),
        }
    }
}
