//! A Bedrock policy as it is written and attached: with operators.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{OwnDocument, identifier};
use super::leaf::{AllowedOperators, LeafOperators, LeafPath, LeafValue};
use super::problem::{InvalidBedrockPolicy, PolicyProblem};
use super::read;
use crate::ids::GuardrailArn;

/// The content of a Bedrock policy that is attached or could be, foreign or ours.
///
/// What this program doesn't know is in it too: it is merged like everything else, and named in
/// [`BedrockPolicy::findings`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BedrockPolicy {
    pub(super) leaves: BTreeMap<LeafPath, LeafOperators>,
    /// What stands beside keys. Measured of other types of policy: it doesn't lock the leaves below.
    pub(super) containers: BTreeMap<LeafPath, AllowedOperators>,
    pub(super) findings: Vec<PolicyProblem>,
}

impl BedrockPolicy {
    /// Reads what AWS holds. What AWS takes and is probably not what was meant is a finding, not an error.
    ///
    /// # Errors
    /// Every problem of the text at once, where it can't be said what the policy does.
    pub fn parse(text: &str) -> Result<BedrockPolicy, InvalidBedrockPolicy> {
        read::attached(text)
    }

    /// Checks a text that is to be written.
    ///
    /// # Errors
    /// Every problem of the text at once, findings included.
    pub fn check(text: &str) -> Result<BedrockPolicy, InvalidBedrockPolicy> {
        let policy = BedrockPolicy::parse(text)?;
        if policy.findings.is_empty() { Ok(policy) } else { Err(InvalidBedrockPolicy::new(policy.findings)) }
    }

    /// What is probably not what its author meant, and what isn't known, in the order of the text.
    pub fn findings(&self) -> &[PolicyProblem] {
        &self.findings
    }

    /// Whether it says what one of ours would say: to write that again would change nothing.
    pub fn says(&self, own: &OwnDocument) -> bool {
        let own = own.policy();
        self.leaves == own.leaves && self.containers.is_empty()
    }

    /// Whether it keeps the policies below it from changing anything.
    pub(super) fn has_locks(&self) -> bool {
        self.containers.values().chain(self.leaves.values().map(|leaf| &leaf.allowed)).any(|it| !it.is_all())
    }

    /// Every guardrail that it names.
    pub fn guardrails(&self) -> impl Iterator<Item = GuardrailArn> {
        self.leaves.values().filter_map(|leaf| match &leaf.assign {
            Some(LeafValue::Text(text)) => identifier(text).map(|(guardrail, _)| guardrail),
            Some(LeafValue::List(_)) | None => None,
        })
    }

    /// The Region keys and names of its configurations.
    pub fn configurations(&self) -> BTreeSet<(&str, &str)> {
        self.leaves.keys().filter_map(LeafPath::configuration).collect()
    }
}
