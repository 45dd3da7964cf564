//! What somebody does against the keeper on purpose, as far as AWS lets them: a member's administrator, an author in the
//! owner's account, a baseline writer, and a delegated author of the organization's policies.
//!
//! What they do one by one is among the meddlings, edits and faults of every history. Here is what takes several steps
//! of theirs, or a name that isn't theirs.

use std::fmt;

use testkit::histories::dice::Dice;
use testkit::histories::step::{
    CopyEdit, DELETE, Edit, Enforced, GET, GuardrailEdit, LIST, Meddling, PUT, Wrong, WrongKind,
};

use super::step::Manner;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attack {
    /// A member's administrator, who let himself into the keeper's role there, removes or changes what is enforced in
    /// its name.
    InOurName { account: usize, region: usize, what: Option<Enforced> },
    /// A member's administrator enforces something and removes it again and again, and leaves something else there, or
    /// nothing.
    Flood { account: usize, region: usize, times: usize, leaves: Option<Enforced> },
    /// A member's administrator makes a guardrail with the name and the marks of the keeper's copy.
    Squat { account: usize, region: usize },
    /// A service control policy denies the keeper's role everything in an account, until the faults end.
    Shut { account: usize },
    /// An author deletes the guardrail and makes another one under its name.
    Recreate { region: usize },
    /// A baseline writer puts several revisions one after another.
    Revisions([Edit; 3]),
}

/// The kinds of attack, for the figures: each must come often enough.
pub(crate) const KINDS: [&str; 6] = ["in our name", "flood", "squat", "shut", "recreate", "revisions"];

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

impl Attack {
    pub(crate) fn random(manner: Manner, dice: &mut Dice) -> Attack {
        let (account, region) = (1 + dice.below(3), dice.below(2));
        let leaves = *dice.pick(&[None, None, Some(Enforced::Earlier), Some(Enforced::Weaker)]);
        let flood = Attack::Flood { account, region, times: 5 + dice.below(26), leaves };
        if manner.heard {
            return flood;
        }
        match dice.below(12) {
            0..3 => Attack::InOurName { account, region, what: leaves },
            3..5 => flood,
            5 => Attack::Squat { account, region },
            6..8 => Attack::Shut { account },
            8..10 => Attack::Recreate { region },
            _ => Attack::Revisions([(); 3].map(|()| Edit::random(dice))),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        KINDS[match self {
            Attack::InOurName { .. } => 0,
            Attack::Flood { .. } => 1,
            Attack::Squat { .. } => 2,
            Attack::Shut { .. } => 3,
            Attack::Recreate { .. } => 4,
            Attack::Revisions(_) => 5,
        }]
    }

    /// The same as something that every history knows, where it is one thing.
    pub(crate) fn as_meddling(&self) -> Option<Meddling> {
        match *self {
            Attack::Squat { account, region } => {
                Some(Meddling::Copy { account, region, to: CopyEdit::Squat { forged: true } })
            }
            Attack::Recreate { region } => Some(Meddling::Guardrail { region, to: GuardrailEdit::Recreate }),
            Attack::InOurName { .. } | Attack::Flood { .. } | Attack::Shut { .. } | Attack::Revisions(_) => {
                None
            }
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
            Attack::Flood { account, region, times, leaves } => {
                write!(
                    f,
                    "account {account} enforces and removes {times} times in Region {region}, and leaves {leaves:?}"
                )
            }
            Attack::Squat { account, region } => {
                write!(f, "account {account} makes what looks like the keeper's copy in Region {region}")
            }
            Attack::Shut { account } => write!(f, "account {account} is shut to the keeper's role"),
            Attack::Recreate { region } => write!(f, "the guardrail of Region {region} is made anew"),
            Attack::Revisions(edits) => write!(f, "baselines: {edits:?}"),
        }
    }
}
