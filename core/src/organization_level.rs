//! The organization's level of enforcement: what the baseline wants of Bedrock policies, what is known of it, and who has
//! proven what. Decides nothing itself: [`crate::bedrock_policy::decide`] does, with what this module gives it.
//!
//! ```text
//! baseline + owner's guardrails ──► ResolvedLevel        what each point is to enforce
//! ledger + AWS's list ──► OwnPolicies                    which policies are the keeper's
//! records of accounts ──► RecordedProofs                 who can apply what
//! somebody's policy ──► AdoptablePolicy                  whether it can become the keeper's, and as what
//! what came of it ──► OrganizationLevelReport            for the log, for people and for programs
//! ```

mod adoption;
mod begun;
mod inherited;
mod kept;
mod proofs;
mod report;
mod resolved_level;

pub use adoption::{AdoptablePolicy, AdoptionStart, FoundPolicy, NotAdoptable, adoptable};
pub use begun::{BegunLook, ListedSoFar, LookPart, Outdated, ReadPolicies, ReadSoFar};
pub use inherited::{inherited_desired, inherited_of, inherited_regions};
pub use kept::{OrganizationLevelRecord, OrganizationLook, RecordedHold, WantedDigest};
pub use proofs::{RecordedProofs, VersionAt};
pub use report::{OrganizationLevelReport, StoppedStep};
pub use resolved_level::{NotFoundGuardrail, ResolvedLevel};
