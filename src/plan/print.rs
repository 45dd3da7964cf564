//! How a plan reads: in the log, on the terminal, and in the tests.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::claim::maker;
use super::{
    Broken, BrokenGuardrail, Change, Decision, HoldReason, InSync, LeaveReason, Line, Mark, Ownership, Plan,
    PolicyAction, PolicyChange, Purpose, broken_guardrails,
};
use crate::baseline::GuardrailKey;
use crate::copy::{CopyStep, Leftover};
use crate::enforcement::Enforcement;
use crate::ids::{GuardrailVersion, Target};
use crate::observed::Observation;
use crate::resource_policy::Grant;

impl Plan {
    /// One line for every target that is not as it should be, in order of the targets; but one for
    /// each broken guardrail, at the first of its targets. What is handed back comes before them.
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
        let handed_back = self
            .handed_back
            .iter()
            .map(|(target, handed_back)| (target, format!("{target} {handed_back}")))
            .map(|(target, text)| Line::new(Mark::Claim, text).of([target.clone()]));
        policies
            .chain(handed_back)
            .chain(self.decisions.iter().filter_map(|(target, decision)| match decision {
                Decision::Change(change) => {
                    Some(Line::new(change.mark(), change.to_string()).of([target.clone()]))
                }
                Decision::Held(held) => Some(held.line(target)),
                Decision::Broken(Broken { unusable, .. }) => broken.get(target).map(|guardrail| {
                    let line = Line::new(Mark::Broken, guardrail.to_string());
                    line.of(guardrail.listed().iter().cloned()).because(unusable.code())
                }),
                Decision::InSync(InSync { kept: Some(kept), .. }) if kept.would_adopt => {
                    Some(Line::new(Mark::Claim, format!("{target} in sync: {kept}")).of([target.clone()]))
                }
                Decision::InSync(_) | Decision::LeftAlone(_) => None,
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
        for handed_back in &self.handed_back {
            hash.update(format!("{handed_back:?}\n"));
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// How many targets ended in which kind of decision.
    pub fn counts(&self) -> Counts {
        let (skipped, handed_back) = (self.skipped.len(), self.handed_back.len());
        let mut counts = Counts { skipped, handed_back, ..Counts::default() };
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
                Decision::Held(held) if held.only_audited().is_some() => counts.would_change += 1,
                Decision::Held(_) => counts.held += 1,
                Decision::Broken(_) => counts.broken += 1,
                Decision::InSync(_) => counts.in_sync += 1,
                Decision::LeftAlone(_) => counts.left_alone += 1,
            }
        }
        counts
    }
}

/// How many targets there are of each kind, and how many accounts were not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Targets and resource policies to be written.
    pub to_change: usize,
    /// Targets that would be changed, if the mode weren't `audit`.
    pub would_change: usize,
    /// Targets in which something should be done, and isn't.
    pub held: usize,
    /// Targets whose enforced guardrail can't be used.
    pub broken: usize,
    /// Targets as wanted.
    pub in_sync: usize,
    /// Targets in which what was adopted is somebody else's again.
    pub handed_back: usize,
    /// Targets that are none of our business.
    pub left_alone: usize,
    /// Accounts in which no call can work.
    pub skipped: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { to_change, would_change, held, broken, in_sync, handed_back, left_alone, skipped } =
            *self;
        write!(f, "{to_change} to change, {held} held, {in_sync} in sync")?;
        for (count, word) in [
            (would_change, "would change"),
            (broken, "broken"),
            (handed_back, "handed back"),
            (left_alone, "left alone"),
        ] {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
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
            Change::Adopt { .. } => Mark::Claim,
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
            Change::Adopt { .. } => "adopt",
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
            Change::Enforce { target, key, to, copied, repair } => {
                write!(f, "{target} enforce {}", Called { key, enforcement: to, copied: *copied })?;
                if *repair { f.write_str(" (it was removed)") } else { Ok(()) }
            }
            Change::Replace { target, key, from, to, copied, drift, ownership } => {
                write!(f, "{target} ")?;
                // The same guardrail is called by its key on both sides; another one by its id, and so is a
                // copy, whose earlier versions are of nobody knows which.
                if from.enforcement.guardrail == to.guardrail && copied.is_none() {
                    write!(f, "{key}:{}", Rest(&from.enforcement))?;
                } else {
                    write!(f, "{}", from.enforcement)?;
                }
                write!(f, " => {} ({drift}", Called { key, enforcement: to, copied: *copied })?;
                match (ownership, from.last_writer()) {
                    (Ownership::Ours, _) => f.write_str(")"),
                    (Ownership::Foreign, Some(by)) => write!(f, ", not ours: {by})"),
                    (Ownership::Foreign, None) => f.write_str(", not ours)"),
                }
            }
            Change::Adopt { target, key, seen } => {
                write!(f, "{target} adopt {key}:{} (made by {})", Rest(&seen.enforcement), maker(seen))
            }
            Change::Release { target, from, broken, adopted } => {
                write!(f, "{target} release {}", from.enforcement)?;
                if *adopted {
                    write!(f, " (adopted, made by {})", maker(from))?;
                }
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

/// An enforcement by what the baseline calls its guardrail: `corporate:2`. Where it is the account's
/// copy, by the version that the baseline asks for, and then by the copy's own.
struct Called<'a> {
    key: &'a GuardrailKey,
    enforcement: &'a Enforcement,
    copied: Option<GuardrailVersion>,
}

impl fmt::Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Called { key, enforcement, copied } = self;
        match copied {
            None => write!(f, "{key}:{}", Rest(enforcement)),
            Some(version) => write!(f, "{key}:{version} by the account's copy {enforcement}"),
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
                "the ledger could not be read or written, and nothing is written without a record: see its error; the next run tries again",
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
            HoldReason::ReleasesAdopted { revision, by } => write!(
                f,
                "made by {} and adopted by the keeper, so that its release always needs an approval: read the plan, then run guardrailctl approve {revision}",
                by.as_deref().unwrap_or("somebody else")
            ),
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
