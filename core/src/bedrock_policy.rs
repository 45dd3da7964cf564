//! Bedrock policies: the policies of AWS Organizations of type `BEDROCK_POLICY`, which enforce guardrails on
//! everything below a root, an OU or an account. Decides; does no I/O. Nothing writes them yet.
//!
//! AWS checks neither the guardrail that such a policy names nor what a merge leaves of it. A wrong identifier fails
//! every call below the point where the policy is attached; an invalid merge *freezes* an account: it keeps its last
//! valid effective policy, and no later change reaches it. So the result is predicted before anything is written.
//!
//! ```text
//! text ──► BedrockPolicy            what one policy says, foreign or ours
//! Region → guardrail ──► OwnDocument ──► text                      what the keeper would write
//! BedrockPolicy… on an account's path ──► merge ──► MergedPolicy, or why the account is frozen
//! all policies + all accounts ──► predict ──► a prediction for each account
//! wanted + an effective policy ──► compare                         for each Region
//! ```

mod build;
mod compare;
mod document;
mod effective;
mod ids;
mod json;
mod leaf;
mod merge;
mod predict;
mod problem;
mod read;
mod rules;
#[cfg(test)]
mod tests;
mod write;

pub use build::{MAX_POLICY_CHARACTERS, OwnDocument};
pub use compare::{PolicyDifference, RegionComparison, SettingDifference, compare};
pub use document::BedrockPolicy;
pub use effective::{EffectivePolicy, Meaning};
pub use ids::{AttachPoint, PolicyAt, PolicyId, PolicyKey, PolicyPart};
pub use leaf::{AllowedOperators, LeafOperators, LeafPath, LeafValue, Setting, ValueOperator, ValueOrigin};
pub use merge::{Forbidden, MergeError, MergeErrorCode, MergeLevel, MergedPolicy, merge};
pub use predict::{AccountPaths, AttachedPolicies, Forecast, Prediction, forecast, predict};
pub use problem::{InvalidBedrockPolicy, PolicyProblem, PolicyProblemKind};
pub use rules::{ContainerLocks, ForbiddenOperator, LetterCase, MergeRules, ModelLists, TwoNames};
