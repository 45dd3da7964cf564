//! The resource policy of a guardrail: read, judged and merged. Decides; does no I/O.
//!
//! A guardrail that a member account may not apply, enforced there, stops every Bedrock call that
//! the account makes. So before anything is enforced, [`judge`] must answer [`AccessVerdict::Granted`],
//! and [`ensure`] makes the smallest change to the policy that gets there. What others wrote
//! survives every change, to the form of its numbers; what can't be understood is never taken for
//! a grant, and never overwritten.
//!
//! `docs/resource-policy.md` says which policies are legal, what is refused, and what isn't known.

mod destinations;
mod document;
mod finding;
mod json;
mod judgement;
mod key;
mod merge;
mod mistaken;
mod reach;
mod resource;
mod statement;
#[cfg(test)]
mod tests;
mod wildcard;

pub use document::{Document, InvalidDocument};
pub use finding::{OpenTo, ResourcePolicyFinding, ResourcePolicyProblem};
pub use judgement::{AccessDoubt, AccessVerdict, Judgement, MissingGrant, admits, judge};
pub use key::{key_admits, key_admits_organization};
pub use merge::{Ensure, GrantHold, MAX_CHARACTERS, Remove, ensure, remove};
pub use resource::{Action, Grant, ProfileArn, Resource};
pub(crate) use wildcard::matches as is_like;

/// What is quoted from a resource policy may have been written by anyone: it is kept short and harmless to a terminal.
fn quote(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut shown: String = text.chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("{shown:?}")
}
