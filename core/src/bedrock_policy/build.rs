//! The keeper's own documents: Region → guardrail, in one fixed form.
//!
//! Minified, sorted, lower case, one name for all configurations, both lists of models, explicit guarding and no
//! locks. Every setting is assigned in every document: so a document on an OU replaces all of what the root's says for
//! a Region, and no mixture of the two can arise.

use std::collections::{BTreeMap, BTreeSet};

use super::document::BedrockPolicy;
use super::effective::{EffectivePolicy, Meaning};
use super::leaf::{LeafOperators, LeafPath, LeafValue, Setting};
use super::write::{assigning, text_of};
use crate::enforcement::{ContentGuarding, Enforcement, Included};
use crate::ids::{GuardrailArn, GuardrailVersion, Region};

/// The longest document that AWS takes, in characters, white space included (Organizations user guide, quotas).
pub const MAX_POLICY_CHARACTERS: usize = 10_000;

/// The name of every configuration that the keeper writes. It is the same in all of its documents, so that the one
/// further down replaces the one further up.
pub(super) const OWN_NAME: &str = "keeper";

/// The model that stands for every model.
pub(super) const ALL_MODELS: &str = "ALL";

/// The content of one of the keeper's own Bedrock policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnDocument {
    /// What each Region enforces.
    pub regions: BTreeMap<Region, Enforcement>,
}

impl OwnDocument {
    /// The text to send. Two documents that say the same have one text.
    pub fn text(&self) -> String {
        text_of(self.leaves().map(|(path, value)| (path, assigning(&value))))
    }

    /// How long the text is, in characters, as AWS counts them.
    pub fn characters(&self) -> usize {
        self.text().chars().count()
    }

    /// The same as a document among others.
    pub fn policy(&self) -> BedrockPolicy {
        let leaves = self.leaves().map(|(path, value)| (path, LeafOperators::assigning(value))).collect();
        BedrockPolicy { leaves, ..BedrockPolicy::default() }
    }

    fn leaves(&self) -> impl Iterator<Item = (LeafPath, LeafValue)> {
        self.regions.iter().flat_map(|(region, enforcement)| {
            settings(enforcement)
                .map(move |(setting, value)| (LeafPath::of(region.as_str(), OWN_NAME, setting), value))
        })
    }

    /// What a document has in the keeper's own form. Regions that it has in another form, because someone edited it,
    /// are left out.
    pub fn of(policy: &BedrockPolicy) -> OwnDocument {
        let of_region = |region: &str| {
            let in_region = policy
                .leaves
                .iter()
                .filter(|(path, _)| path.configuration().is_some_and(|(key, _)| key == region));
            let leaves: BTreeMap<&LeafPath, &LeafOperators> = in_region.collect();
            let assigned =
                leaves.iter().filter_map(|(path, leaf)| Some(((*path).clone(), leaf.assign.clone()?)));
            let alone = EffectivePolicy::of(assigned);
            let (region, named) = alone.regions().pop_first()?;
            let Meaning::Enforcement(enforcement) = named.get(OWN_NAME)? else { return None };
            let own = OwnDocument { regions: [(region, (**enforcement).clone())].into() };
            own.policy().leaves.iter().eq(leaves).then_some(own.regions)
        };
        let regions: BTreeSet<&str> = policy.configurations().into_iter().map(|(region, _)| region).collect();
        OwnDocument { regions: regions.into_iter().filter_map(of_region).flatten().collect() }
    }
}

/// Every setting of an enforcement, with the value as it is written.
pub(super) fn settings(enforcement: &Enforcement) -> impl Iterator<Item = (Setting, LeafValue)> + use<> {
    let Enforcement { guardrail, version, models, guarding } = enforcement;
    let word = |guarding: ContentGuarding| LeafValue::Text(guarding.to_string());
    let included = match &models.include {
        Included::All => [ALL_MODELS.to_owned()].into(),
        Included::Only(models) => models.iter().map(ToString::to_string).collect(),
    };
    [
        (Setting::Identifier, LeafValue::Text(format!("{guardrail}:{version}"))),
        (Setting::System, word(guarding.system)),
        (Setting::Messages, word(guarding.messages)),
        (Setting::IncludedModels, LeafValue::List(included)),
        (Setting::ExcludedModels, LeafValue::List(models.exclude.iter().map(ToString::to_string).collect())),
    ]
    .into_iter()
}

/// A guardrail's ARN and its version, from the text that a Bedrock policy names both with.
pub(super) fn identifier(text: &str) -> Option<(GuardrailArn, GuardrailVersion)> {
    let (arn, version) = text.rsplit_once(':')?;
    Some((arn.parse().ok()?, version.parse().ok()?))
}
