//! Bedrock policies: the policies of AWS Organizations of type `BEDROCK_POLICY`, which enforce guardrails on
//! everything below a root, an OU or an account. Decides; does no I/O. Nothing writes them yet.
//!
//! AWS checks neither the guardrail that such a policy names nor what a merge leaves of it. A wrong identifier fails
//! every call below the point where the policy is attached; an invalid merge *freezes* an account: it keeps its last
//! valid effective policy, and no later change reaches it. So the result is predicted before anything is written.
//!
//! ```text
//! text ──► BedrockPolicy            what one policy says, foreign or ours
//! Region → guardrail ──► parts ──► OwnDocument ──► text            what the keeper would write
//! BedrockPolicy… on an account's path ──► merge ──► MergedPolicy, or why the account is frozen
//! all policies + all accounts ──► predict ──► a prediction for each account
//! wanted + an effective policy ──► compare                         for each Region
//! what AWS publishes + what is attached ──► ExplainedPolicy        how an account stands, where its values come from
//! what is attached + what is wanted ──► ordered steps              no gap at any moment
//! a change + what AWS publishes + what is attached ──► preview     what becomes of each account
//! all of that + proofs, limits, mode ──► a decision: nothing, the steps, or every reason why not
//! ```

mod build;
mod change_extent;
mod compare;
mod consequence;
mod decide;
mod document;
mod effective;
mod hold;
mod ids;
mod json;
mod leaf;
mod level;
mod merge;
mod no_safe_order;
mod order;
mod own_form;
mod peers;
mod policy_change;
mod predict;
mod preview;
mod problem;
mod read;
mod rules;
mod safety;
mod seen;
mod split;
mod state;
mod step;
mod step_outcome;
#[cfg(test)]
mod tests;
mod write;

pub use build::{MAX_POLICY_CHARACTERS, OwnDocument};
pub use change_extent::ChangeExtent;
pub use compare::{PolicyDifference, RegionComparison, SettingDifference, compare};
pub use consequence::{ConfigurationContent, Consequence, RegionChange, RegionContent};
pub use decide::{OrganizationDecision, SafeSteps, decide};
pub use document::BedrockPolicy;
pub use effective::{EffectivePolicy, Meaning};
pub use hold::OrganizationHold;
pub use ids::{AttachPoint, PolicyAt, PolicyId, PolicyKey, PolicyPart};
pub use leaf::{AllowedOperators, LeafOperators, LeafPath, LeafValue, Setting, ValueOperator, ValueOrigin};
pub use level::{AccountProof, OrganizationLevel, OrganizationWants, Proofs};
pub use merge::{Forbidden, MergeError, MergeErrorCode, MergeLevel, MergedPolicy, merge};
pub use no_safe_order::NoSafeOrder;
pub use order::{MAX_ATTACHED, OwnPolicies, WantedPolicies, ordered_steps};
pub use own_form::{OwnForm, OwnFormObstacle};
pub use policy_change::{ImpossibleChange, PolicyChange};
pub use predict::{AccountPaths, AttachedPolicies, Forecast, Prediction, forecast, predict, reached_alike};
pub use preview::{AccountNow, ChangePreview, PolicyChain, PreviewGroup, concerned, preview};
pub use problem::{InvalidBedrockPolicy, PolicyProblem, PolicyProblemKind};
pub use rules::{ContainerLocks, ForbiddenOperator, LetterCase, MergeRules, ModelLists, TwoNames};
pub use seen::{NamedPolicy, PublishedPolicy, ReportedError, SeenAccountPolicies, UnreadPart};
pub use split::{DoesNotFit, MAX_PARTS, PolicyParts, split};
pub use state::{AccountPolicyState, ExplainedPolicy, ExplainedValue};
pub use step::PolicyStep;
