//! What earlier copies leave behind in a member, and when it may be deleted.

use std::fmt;

use super::{Published, SeenCopy, Status};
use crate::ids::GuardrailArn;
use crate::words::words;

/// What is left over in a member, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// Old versions of the copy that is enforced; they are deleted.
    Versions(Vec<Published>),
    /// A copy that isn't used any more; it is deleted.
    Copy(GuardrailArn),
    /// Such a copy that another principal deleted; it is forgotten.
    Gone(GuardrailArn),
    /// A guardrail that we once enforced and that isn't provably our copy; it is left, reported, and
    /// forgotten.
    Unproven(GuardrailArn, LeftoverDoubt),
}

words! {
    /// Why a guardrail isn't provably a copy of ours that only the keeper uses. Displays as that.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum LeftoverDoubt {
        /// Neither its tag nor its descriptions say so.
        NoMark = "neither its tag nor its descriptions say so",
        /// It has a version without our mark: the principal that published it may be using it.
        ForeignVersion = "another principal published a version of it",
    }

    impl Display;
}

impl Leftover {
    /// What becomes of a guardrail that the ledger says we enforced here, and that is neither wanted
    /// nor enforced any more. `None` while AWS is still at it.
    ///
    /// The ledger alone is no proof, since what is found equal is adopted; nor is a mark, which the
    /// account's administrator can write. Both together are, where all of its versions bear the mark.
    /// An application that names the copy in requests of its own is not seen from here.
    pub fn of(guardrail: &GuardrailArn, seen: Option<&SeenCopy>) -> Option<Leftover> {
        let guardrail = guardrail.clone();
        let Some(seen) = seen else { return Some(Leftover::Gone(guardrail)) };
        let is_settled = |status: &Status| matches!(status, Status::Ready | Status::Failed);
        let settled = |edition: &super::Edition| is_settled(&edition.status);
        if !seen.is_ours() {
            Some(Leftover::Unproven(guardrail, LeftoverDoubt::NoMark))
        } else if seen.versions.values().any(|edition| edition.marker.is_none()) {
            Some(Leftover::Unproven(guardrail, LeftoverDoubt::ForeignVersion))
        } else if settled(&seen.draft) && seen.versions.values().all(settled) {
            Some(Leftover::Copy(guardrail))
        } else {
            None
        }
    }

    /// Whether it settles what the ledger remembers of an earlier copy.
    pub fn settles_the_past(&self) -> bool {
        match self {
            Leftover::Copy(_) | Leftover::Gone(_) | Leftover::Unproven(..) => true,
            Leftover::Versions(_) => false,
        }
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leftover::Versions(versions) => {
                let numbers: Vec<String> = versions.iter().map(|old| old.version.to_string()).collect();
                let copy = versions.first().map_or("", |old| old.guardrail.id.as_str());
                write!(f, "delete old versions of the copy {copy}: {}", numbers.join(", "))
            }
            Leftover::Copy(guardrail) => {
                write!(f, "delete the copy {}, which isn't used any more", guardrail.id)
            }
            Leftover::Gone(guardrail) => write!(f, "forget the copy {}, which is gone", guardrail.id),
            Leftover::Unproven(guardrail, doubt) => write!(
                f,
                "leave the guardrail {}, which the keeper enforced once: it may not be the keeper's copy ({doubt}); \
                 delete it by hand if it isn't in use",
                guardrail.id
            ),
        }
    }
}
