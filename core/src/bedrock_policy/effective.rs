//! The effective policy of one account: what AWS publishes to it, in plain values.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{ALL_MODELS, identifier};
use super::leaf::{LeafPath, LeafValue, Setting};
use super::problem::InvalidBedrockPolicy;
use super::read;
use super::write::{plain, text_of};
use crate::enforcement::{ContentGuarding, Enforcement, Guarding, Included, Models};
use crate::ids::{ModelId, Region};

/// An effective Bedrock policy, predicted or read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EffectivePolicy {
    leaves: BTreeMap<LeafPath, LeafValue>,
}

/// The values of one configuration.
type Configured<'a> = Vec<(&'a LeafPath, &'a LeafValue)>;

/// What one configuration of one Region means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It enforces this.
    Enforcement(Box<Enforcement>),
    /// It holds something that this program doesn't know, or what no guardrail can have, at these places.
    Unclear(BTreeSet<LeafPath>),
}

impl EffectivePolicy {
    /// A policy of these values.
    pub(super) fn of(leaves: impl IntoIterator<Item = (LeafPath, LeafValue)>) -> EffectivePolicy {
        EffectivePolicy { leaves: leaves.into_iter().collect() }
    }

    /// Reads what `DescribeEffectivePolicy` answers.
    ///
    /// # Errors
    /// Every problem at once, where it is no JSON or has another form than AWS documents.
    pub fn parse(text: &str) -> Result<EffectivePolicy, InvalidBedrockPolicy> {
        read::effective(text).map(|leaves| EffectivePolicy { leaves })
    }

    /// As AWS would publish it, but for the order of keys.
    pub fn text(&self) -> String {
        text_of(self.leaves.iter().map(|(path, value)| (path.clone(), plain(value))))
    }

    /// Every value, by its path.
    pub fn leaves(&self) -> &BTreeMap<LeafPath, LeafValue> {
        &self.leaves
    }

    /// What each Region enforces, by the name of the configuration.
    pub fn regions(&self) -> BTreeMap<Region, BTreeMap<String, Meaning>> {
        let mut regions: BTreeMap<Region, BTreeMap<String, Configured<'_>>> = BTreeMap::new();
        for (path, value) in &self.leaves {
            if let Some((region, name)) = path.configuration()
                && let Ok(region) = region.parse()
            {
                let named = regions.entry(region).or_default();
                named.entry(name.to_owned()).or_default().push((path, value));
            }
        }
        let meanings = |named: BTreeMap<String, Configured<'_>>| {
            named.into_iter().map(|(name, leaves)| (name, meaning(&leaves))).collect()
        };
        regions.into_iter().map(|(region, named)| (region, meanings(named))).collect()
    }

    /// What belongs to no Region's configuration: what that means isn't known.
    pub fn unknown(&self) -> impl Iterator<Item = &LeafPath> {
        self.leaves
            .keys()
            .filter(|path| path.configuration().is_none_or(|(region, _)| region.parse::<Region>().is_err()))
    }

    /// Whether both say the same, whatever AWS makes of the letter case of keys and of lists without items.
    ///
    /// This is how a published policy is compared with the predicted one: its time stamp moves without a change.
    pub fn says_the_same(&self, other: &EffectivePolicy) -> bool {
        self.in_one_form() == other.in_one_form()
    }

    /// The Regions in which the other one says something else, as [`EffectivePolicy::says_the_same`] has it.
    pub fn changed_regions(&self, other: &EffectivePolicy) -> BTreeSet<Region> {
        let (one, other) = (self.in_one_form(), other.in_one_form());
        let changed = one.iter().filter(|(path, value)| other.get(*path) != Some(*value));
        let added = other.iter().filter(|(path, _)| !one.contains_key(*path));
        let region = |path: &LeafPath| path.configuration().and_then(|(region, _)| region.parse().ok());
        changed.chain(added).filter_map(|(path, _)| region(path)).collect()
    }

    /// Two configurations whose names differ in letter case only keep both of their values.
    fn in_one_form(&self) -> BTreeMap<LeafPath, BTreeSet<&LeafValue>> {
        let mut values: BTreeMap<LeafPath, BTreeSet<&LeafValue>> = BTreeMap::new();
        for (path, value) in &self.leaves {
            if !matches!(value, LeafValue::List(items) if items.is_empty()) {
                values.entry(path.in_lower_case()).or_default().insert(value);
            }
        }
        values
    }
}

/// What the settings of one configuration come to.
fn meaning(leaves: &[(&LeafPath, &LeafValue)]) -> Meaning {
    let mut guardrail = None;
    let (mut models, mut guarding) = (Models::default(), Guarding::default());
    let mut unclear = BTreeSet::new();
    for (path, value) in leaves.iter().copied() {
        let is_clear = match (path.setting(), value) {
            (Some(Setting::Identifier), LeafValue::Text(text)) => {
                guardrail = identifier(text);
                guardrail.is_some()
            }
            (Some(Setting::System), LeafValue::Text(text)) => set(&mut guarding.system, text),
            (Some(Setting::Messages), LeafValue::Text(text)) => set(&mut guarding.messages, text),
            (Some(Setting::IncludedModels), LeafValue::List(list)) => {
                if !list.is_empty() && !list.contains(ALL_MODELS) {
                    models.include = Included::Only(reported(list));
                }
                true
            }
            (Some(Setting::ExcludedModels), LeafValue::List(list)) => {
                models.exclude = reported(list);
                true
            }
            (Some(_) | None, LeafValue::Text(_) | LeafValue::List(_)) => false,
        };
        if !is_clear {
            unclear.insert(path.clone());
        }
    }
    match guardrail {
        Some((guardrail, version)) if unclear.is_empty() => {
            Meaning::Enforcement(Box::new(Enforcement { guardrail, version, models, guarding }))
        }
        Some(_) | None => {
            // Without an identifier, all of it says nothing.
            if unclear.is_empty() {
                unclear.extend(leaves.iter().map(|(path, _)| (*path).clone()));
            }
            Meaning::Unclear(unclear)
        }
    }
}

fn set(guarding: &mut ContentGuarding, text: &str) -> bool {
    let meant = read::guarding(text);
    *guarding = meant.unwrap_or(*guarding);
    meant.is_some()
}

fn reported(list: &BTreeSet<String>) -> BTreeSet<ModelId> {
    list.iter().map(|model| ModelId::as_reported(model)).collect()
}
