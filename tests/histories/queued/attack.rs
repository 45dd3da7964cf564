//! What somebody does against the keeper on purpose, as far as AWS lets them: a member's administrator, an author in the
//! owner's account, a baseline writer, and a delegated author of the organization's policies.
//!
//! What they do one by one is among the meddlings, edits and faults of every history. Here is what takes several steps
//! of theirs, or a name that isn't theirs.

use std::fmt;

use testkit::histories::baseline::Given;
use testkit::histories::dice::Dice;
use testkit::histories::step::{
    CopyEdit, DELETE, Edit, Enforced, GET, GuardrailEdit, LIST, Meddling, PUT, PolicyEdit, Wrong, WrongKind,
};

use super::step::Manner;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attack {
    /// A member's administrator, who let himself into the keeper's role there, removes or changes what is enforced in
    /// its name.
    InOurName { account: usize, region: usize, what: Option<Enforced> },
    /// A member's administrator enforces something and removes it again and again, and leaves something else there, or
    /// nothing.
    Flood { account: usize, region: usize, times: usize, leaves: Option<Enforced>, how: Flooding },
    /// A member's administrator makes a guardrail with the name and the marks of the keeper's copy.
    Squat { account: usize, region: usize },
    /// A service control policy denies the keeper's role everything in an account, or in all of them, until the faults
    /// end.
    Shut { account: Option<usize> },
    /// The service control policy that keeps a member's administrator from enforcements is detached, and he uses that.
    Detach { account: usize, region: usize },
    /// An author deletes the guardrail and makes another one under its name.
    Recreate { region: usize },
    /// An author deletes the version that is enforced.
    DeleteVersion { region: usize },
    /// An author narrows the guardrail's resource policy, or detaches it.
    Narrow { region: usize, to: PolicyEdit },
    /// An author makes the guardrail's DRAFT say less, and publishes nothing.
    EditDraft { region: usize },
    /// A baseline writer puts several revisions one after another.
    Revisions([Edit; 3]),
    /// A baseline writer stops everything with mode `audit`, under which nobody is put back, and then takes accounts out.
    AuditThenExclude { then: Edit },
    /// A baseline writer takes accounts out at once, in a revision that allows itself little. `approves` says that he
    /// approves it himself.
    Harm { what: Edit, approves: bool },
}

/// Which way a member's administrator floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flooding {
    /// In his own name.
    Openly,
    /// In the name of the keeper's role.
    InOurName,
    /// In another Region, where there is one, after he has removed what he is after.
    BehindARemoval,
}

/// The kinds of attack, for the figures: each must come often enough.
pub(crate) const KINDS: [&str; 16] = [
    "in our name",
    "flood",
    "flood in our name",
    "flood behind a removal",
    "squat",
    "shut",
    "all shut",
    "detached",
    "recreate",
    "version deleted",
    "grant narrowed",
    "draft edited",
    "revisions",
    "audit, then out",
    "harmful revision",
    "approved by its author",
];

/// All that the keeper's role calls in a member.
const IN_A_MEMBER: [&str; 9] = [
    PUT,
    DELETE,
    LIST,
    GET,
    "ApplyGuardrail",
    "ListGuardrails",
    "CreateGuardrail",
    "CreateGuardrailVersion",
    "UpdateGuardrail",
];

/// What takes accounts out of a baseline.
const TAKES_OUT: [Edit; 4] = [
    Edit::Exclude,
    Edit::Workload(Given::None),
    Edit::Workload(Given::Unsaid),
    Edit::FirstMember(Given::None),
];

/// What an author does to a guardrail's resource policy.
const NARROWS: [PolicyEdit; 4] =
    [PolicyEdit::Delete, PolicyEdit::Partial, PolicyEdit::Units, PolicyEdit::AddDeny];

impl Attack {
    pub(crate) fn random(manner: Manner, dice: &mut Dice) -> Attack {
        let (account, region) = (1 + dice.below(3), dice.below(2));
        let leaves = *dice.pick(&[None, None, Some(Enforced::Earlier), Some(Enforced::Weaker)]);
        let flood = |how, times| Attack::Flood { account, region, times, leaves, how };
        let times = 5 + dice.below(26);
        if manner.heard {
            return flood(Flooding::Openly, times);
        }
        let (narrows, takes_out) = (*dice.pick(&NARROWS), *dice.pick(&TAKES_OUT));
        match dice.below(21) {
            0..2 => Attack::InOurName { account, region, what: leaves },
            2 => flood(Flooding::Openly, times),
            3 => flood(Flooding::InOurName, times),
            4 => flood(Flooding::BehindARemoval, times),
            5 => Attack::Squat { account, region },
            6 => Attack::Shut { account: Some(account) },
            7 => Attack::Shut { account: None },
            8 => Attack::Detach { account, region },
            9 => Attack::Recreate { region },
            10 => Attack::DeleteVersion { region },
            11 => Attack::Narrow { region, to: narrows },
            12 => Attack::EditDraft { region },
            13..15 => Attack::Revisions([(); 3].map(|()| Edit::random(dice))),
            15..17 => Attack::AuditThenExclude { then: takes_out },
            17..19 => Attack::Harm { what: takes_out, approves: false },
            _ => Attack::Harm { what: takes_out, approves: true },
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        KINDS[match self {
            Attack::InOurName { .. } => 0,
            Attack::Flood { how: Flooding::Openly, .. } => 1,
            Attack::Flood { how: Flooding::InOurName, .. } => 2,
            Attack::Flood { how: Flooding::BehindARemoval, .. } => 3,
            Attack::Squat { .. } => 4,
            Attack::Shut { account: Some(_) } => 5,
            Attack::Shut { account: None } => 6,
            Attack::Detach { .. } => 7,
            Attack::Recreate { .. } => 8,
            Attack::DeleteVersion { .. } => 9,
            Attack::Narrow { .. } => 10,
            Attack::EditDraft { .. } => 11,
            Attack::Revisions(_) => 12,
            Attack::AuditThenExclude { .. } => 13,
            Attack::Harm { approves: false, .. } => 14,
            Attack::Harm { approves: true, .. } => 15,
        }]
    }

    /// The same as something that every history knows, where it is one thing.
    pub(crate) fn as_meddling(&self) -> Option<Meddling> {
        match *self {
            Attack::Squat { account, region } => {
                Some(Meddling::Copy { account, region, to: CopyEdit::Squat { forged: true } })
            }
            Attack::Recreate { region } => Some(Meddling::Guardrail { region, to: GuardrailEdit::Recreate }),
            Attack::DeleteVersion { region } => {
                Some(Meddling::Guardrail { region, to: GuardrailEdit::DeleteVersion })
            }
            Attack::Narrow { region, to } => Some(Meddling::Policy { region, to }),
            Attack::InOurName { .. }
            | Attack::Flood { .. }
            | Attack::Shut { .. }
            | Attack::Detach { .. }
            | Attack::EditDraft { .. }
            | Attack::Revisions(_)
            | Attack::AuditThenExclude { .. }
            | Attack::Harm { .. } => None,
        }
    }
}

/// What goes wrong in an account that the keeper's role is shut out of.
pub(crate) fn shut_out(account: usize) -> impl Iterator<Item = Wrong> {
    IN_A_MEMBER.into_iter().map(move |operation| Wrong {
        kind: WrongKind::Denied,
        operation,
        account: Some(account),
        after: 0,
        times: None,
    })
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attack::InOurName { account, region, what } => {
                write!(f, "in the keeper's name, account {account} gets {what:?} in Region {region}")
            }
            Attack::Flood { account, region, times, leaves, how } => {
                write!(
                    f,
                    "account {account} enforces and removes {times} times in Region {region}, and leaves {leaves:?} ({how:?})"
                )
            }
            Attack::Squat { account, region } => {
                write!(f, "account {account} makes what looks like the keeper's copy in Region {region}")
            }
            Attack::Shut { account: Some(account) } => {
                write!(f, "account {account} is shut to the keeper's role")
            }
            Attack::Shut { account: None } => f.write_str("every account is shut to the keeper's role"),
            Attack::Detach { account, region } => {
                write!(
                    f,
                    "the policy that protects account {account} is detached, and Region {region} unguarded"
                )
            }
            Attack::Recreate { region } => write!(f, "the guardrail of Region {region} is made anew"),
            Attack::DeleteVersion { region } => {
                write!(f, "the version that is wanted in Region {region} is deleted")
            }
            Attack::Narrow { region, to } => write!(f, "the guardrail's policy in Region {region}: {to:?}"),
            Attack::EditDraft { region } => write!(f, "the DRAFT of Region {region} says less"),
            Attack::Revisions(edits) => write!(f, "baselines: {edits:?}"),
            Attack::AuditThenExclude { then } => write!(f, "baselines: mode audit, and then {then:?}"),
            Attack::Harm { what, approves: false } => write!(f, "a harmful baseline: {what:?}"),
            Attack::Harm { what, approves: true } => {
                write!(f, "a harmful baseline, approved by its author: {what:?}")
            }
        }
    }
}
