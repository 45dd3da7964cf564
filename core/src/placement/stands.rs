//! Where the guardrail of one target lives: in the owner account, or as a copy in its own.

use super::Answer;
use crate::baseline::Placement;
use crate::ids::{AccountId, Target};
use crate::observed::Observation;
use crate::own_roles::OwnRoles;
use crate::record::Record;

/// What is enforced in a target now, as far as that shows where its guardrail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It enforces a guardrail of the owner account, which isn't its own.
    OwnersGuardrail,
    /// It enforces a guardrail of its own account, by our doing.
    OurCopy,
    /// Nothing, a foreign guardrail, or not known.
    NothingOfOurs,
}

impl Stands {
    /// What an observation and the record say. `is_owner` says of an account whether it owns guardrails of the baseline.
    pub fn of(
        target: &Target,
        seen: Option<&Observation>,
        record: Option<&Record>,
        is_owner: impl Fn(&AccountId) -> bool,
        own_roles: &OwnRoles,
    ) -> Stands {
        let Some(Observation::Enforced(seen)) = seen else { return Stands::NothingOfOurs };
        let guardrail = &seen.enforcement.guardrail;
        if guardrail.account != target.account && is_owner(&guardrail.account) {
            return Stands::OwnersGuardrail;
        }
        // What an owner enforces of its own is an original.
        if is_owner(&target.account) {
            return Stands::NothingOfOurs;
        }
        let ours = record.and_then(|record| record.ours.as_ref());
        let recorded = ours.is_some_and(|ours| ours.enforcement.guardrail == *guardrail);
        let is_ours = recorded || seen.bears_our_name(own_roles, &target.account);
        if guardrail.account == target.account && is_ours { Stands::OurCopy } else { Stands::NothingOfOurs }
    }
}

/// Where the guardrail of a target lives, by what the baseline says, what stands there and AWS's answer.
///
/// | the baseline says | enforced there now | AWS's answer | then it is |
/// | --- | --- | --- | --- |
/// | `central`, `copy` | anything | any | as the baseline says |
/// | `auto` | the owner's guardrail | any | central |
/// | `auto` | our copy | any | a copy |
/// | `auto` | anything else | undecided, central | central |
/// | `auto` | anything else | copies | a copy |
///
/// So `auto` never moves a target that is guarded: only `central` and `copy` in the baseline do.
pub fn effective(placement: Placement, stands: Stands, answer: Answer) -> Placement {
    match (placement, stands, answer) {
        (Placement::Central | Placement::Copy, _, _) => placement,
        (Placement::Auto, Stands::OwnersGuardrail, _) => Placement::Central,
        (Placement::Auto, Stands::OurCopy, _) => Placement::Copy,
        (Placement::Auto, Stands::NothingOfOurs, Answer::Undecided | Answer::Central) => Placement::Central,
        (Placement::Auto, Stands::NothingOfOurs, Answer::Copies) => Placement::Copy,
    }
}
