//! How a plan reads: in the log, on the terminal, and in the tests.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::claim::maker;
use super::{
    Broken, BrokenGuardrail, Change, CleanUp, Decision, FollowUp, GrantAction, GrantChange, GrantPurpose,
    Held, InSync, Mark, Ownership, Plan, PlanLine, broken_guardrails,
};
use crate::baseline::GuardrailKey;
use crate::copy::CopyStep;
use crate::enforcement::Enforcement;
use crate::ids::{GuardrailVersion, Target};
use crate::observed::Observation;
use crate::organization::not_looked_at;
use crate::resolved::CopyWork;
use crate::resource_policy::Grant;

impl Plan {
    /// One line for every target that is not as it should be, in order of the targets; but one for
    /// each broken guardrail, at the first of its targets. What is handed back comes before them.
    pub fn lines(&self) -> Vec<PlanLine> {
        let broken = self.decisions.iter().filter_map(|(target, decision)| match decision {
            Decision::Broken(broken) => Some((target, broken)),
            _ => None,
        });
        let broken: BTreeMap<Target, BrokenGuardrail> = broken_guardrails(broken)
            .into_iter()
            .filter_map(|guardrail| Some((guardrail.targets.first()?.clone(), guardrail)))
            .collect();
        let grants = self.grants.iter().flat_map(|(resource, decision)| decision.lines(resource));
        let handed_back = self.handed_back.iter().map(|(target, handed_back)| {
            PlanLine::about(Mark::Claim, target).text(format_args!(" {handed_back}"))
        });
        let unknown = self.unknown_states.iter().map(|(account, state)| {
            let told = format!(" is {state}: it is guarded as usual, and nothing is taken away there");
            PlanLine::new(Mark::Hold).account(account).text(told)
        });
        let unplaced = self.unplaced.iter();
        let unplaced = unplaced
            .map(|(account, failure)| PlanLine::new(Mark::Hold).text(not_looked_at(account, failure)));
        unknown
            .chain(unplaced)
            .chain(grants)
            .chain(handed_back)
            .chain(self.decisions.iter().filter_map(|(target, decision)| match decision {
                Decision::Change(change) => Some(change.line()),
                Decision::CleanUp(clean_up) => Some(clean_up.line()),
                Decision::Held(held) => Some(self.held_line(target, held)),
                Decision::Broken(Broken { unusable, .. }) => {
                    broken.get(target).map(|guardrail| guardrail.line(unusable.code()))
                }
                Decision::InSync(InSync { kept: Some(kept), .. }) if kept.would_adopt => {
                    Some(PlanLine::about(Mark::Claim, target).text(format_args!(" in sync: {kept}")))
                }
                Decision::LeftAlone(left) => left.line(target),
                Decision::InSync(_) => None,
            }))
            .collect()
    }

    /// The lines of what is changed: of grants, and of targets with what follows in this plan.
    pub fn change_lines(&self) -> Vec<PlanLine> {
        let grants =
            self.grants.iter().filter(|(_, decision)| matches!(decision.action, GrantAction::Change(_)));
        let grants = grants.flat_map(|(resource, decision)| decision.lines(resource));
        let targets = self.decisions.iter().filter_map(|(target, decision)| match decision {
            Decision::Change(change) => Some(change.line()),
            Decision::CleanUp(clean_up) => Some(clean_up.line()),
            Decision::Held(held) => self.follow_up(held).map(|_| self.held_line(target, held)),
            Decision::Broken(_) | Decision::InSync(_) | Decision::LeftAlone(_) => None,
        });
        grants.chain(targets).collect()
    }

    /// A target that waits for what the same plan makes is one that is changed. Of the others, what would be done.
    fn held_line(&self, target: &Target, held: &Held) -> PlanLine {
        match self.follow_up(held) {
            Some(FollowUp::Granted { change, .. }) => change.line().text(", after the grant"),
            _ => held.line(target),
        }
    }

    /// Names what the plan would change: two plans with one hash change the same in the same way.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        // `Debug` shows every member, so a difference that isn't printed counts as well. What has another name now
        // than in the first version is hashed by that one: a new word makes no other plan.
        for decision in self.decisions.values() {
            match decision {
                Decision::Change(change) => hash.update(format!("{change:?}\n")),
                Decision::CleanUp(CleanUp { target, leftover, stands }) => hash.update(format!(
                    "Tidy {{ target: {target:?}, leftover: {leftover:?}, stands: {stands:?} }}\n"
                )),
                Decision::InSync(_) | Decision::LeftAlone(_) | Decision::Held(_) | Decision::Broken(_) => {}
            }
        }
        for GrantChange { grant, purpose, from, to } in self.grant_changes() {
            hash.update(format!(
                "PolicyChange {{ grant: {grant:?}, purpose: {purpose:?}, from: {from:?}, to: {to:?} }}\n"
            ));
        }
        for handed_back in &self.handed_back {
            hash.update(format!("{handed_back:?}\n"));
        }
        for follow_up in self.follow_ups() {
            // What a copy leads to is a member of its change already.
            if let FollowUp::Granted { change, .. } = follow_up {
                hash.update(format!("then {change:?}\n"));
            }
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
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
            Change::EnsureCopy { work, .. } if work.step == CopyStep::Create => Mark::Add,
            Change::Adopt { .. } => Mark::Claim,
            Change::Release { .. } => Mark::Remove,
            Change::Replace { .. } | Change::EnsureCopy { .. } => Mark::Alter,
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
        }
    }
}

impl Change {
    /// Its line.
    pub(crate) fn line(&self) -> PlanLine {
        self.line_of(self.what())
    }

    /// Its line once it is done: a copy that was written is still to be enforced.
    pub(crate) fn line_once_done(&self) -> PlanLine {
        match self {
            Change::EnsureCopy { key, work, .. } => {
                self.line_of(format_args!("{}: {}", copied(key, work), work.step))
            }
            _ => self.line(),
        }
    }

    fn line_of(&self, what: impl fmt::Display) -> PlanLine {
        PlanLine::about(self.mark(), self.target()).text(format_args!(" {what}"))
    }

    /// What it changes, without where.
    pub fn what(&self) -> impl fmt::Display {
        ChangeWords(self)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.target(), ChangeWords(self))
    }
}

impl GrantChange {
    /// The mark of its line.
    pub fn mark(&self) -> Mark {
        match (self.purpose, &self.from) {
            (GrantPurpose::Withdraw, _) => Mark::Remove,
            (GrantPurpose::Grant, None) => Mark::Add,
            (GrantPurpose::Grant, Some(_)) => Mark::Alter,
        }
    }

    /// The verb of what it does, as outcomes and logs name it.
    pub fn verb(&self) -> &'static str {
        if self.to.is_some() { "put-resource-policy" } else { "delete-resource-policy" }
    }

    /// Its line.
    pub(crate) fn line(&self) -> PlanLine {
        PlanLine::new(self.mark()).text(self)
    }
}

impl fmt::Display for GrantChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GrantChange { grant: Grant { resource, organization }, purpose, from, to } = self;
        write!(f, "{resource} ")?;
        match (from, to) {
            (_, Some(_)) if *purpose == GrantPurpose::Withdraw => {
                write!(f, "take {organization} out of its resource policy")
            }
            (None, Some(_)) => write!(f, "attach a resource policy that grants it to {organization}"),
            (Some(_), Some(_)) => write!(f, "add {organization} to its resource policy"),
            (_, None) => f.write_str("delete its resource policy"),
        }
    }
}

/// A version of a guardrail that an account gets a copy of.
fn copied(key: &GuardrailKey, work: &CopyWork) -> String {
    format!("copy {key}:{}", work.original.version)
}

/// What a change does.
struct ChangeWords<'a>(&'a Change);

impl fmt::Display for ChangeWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Change::Enforce { target: _, key, to, copied, repair } => {
                write!(f, "enforce {}", Called { key, enforcement: to, copied: *copied })?;
                if *repair { f.write_str(" (it was removed)") } else { Ok(()) }
            }
            Change::Replace { target: _, key, from, to, copied, drift, ownership } => {
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
            Change::Adopt { target: _, key, seen } => {
                write!(f, "adopt {key}:{} (made by {})", Rest(&seen.enforcement), maker(seen))
            }
            Change::Release { target: _, from, broken, adopted } => {
                write!(f, "release {}", from.enforcement)?;
                if *adopted {
                    write!(f, " (adopted, made by {})", maker(from))?;
                }
                broken.as_ref().map_or(Ok(()), |unusable| write!(f, " (broken: {unusable})"))
            }
            Change::EnsureCopy { target: _, key, work, enforced: _, from } => {
                write!(f, "{} ({}), then ", copied(key, work), work.step)?;
                match from {
                    Some(from) => write!(f, "replace {from} by it"),
                    None => f.write_str("enforce it"),
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

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Observation::Absent => f.write_str("nothing enforced"),
            Observation::Enforced(seen) => seen.enforcement.fmt(f),
            Observation::Unreadable(failure) => write!(f, "could not be read: {failure}"),
        }
    }
}
