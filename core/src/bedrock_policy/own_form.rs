//! Whether somebody's policy says just what one of the keeper's own documents could, and what stands in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::build::{OWN_NAME, OwnDocument};
use super::document::BedrockPolicy;
use super::effective::{EffectivePolicy, Meaning};
use super::leaf::{LeafOperators, LeafPath, Setting};
use crate::ids::Region;

/// What stands in the way of taking a policy for one of the keeper's own documents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnFormObstacle {
    /// It says nothing.
    Nothing,
    /// A key that is no Region's code, or a setting that isn't known.
    Unknown(LeafPath),
    /// A configuration with another name than the keeper's.
    Named {
        /// Its Region.
        region: String,
        /// Its name.
        name: String,
    },
    /// More than one configuration in a Region.
    Several(String),
    /// A setting that the keeper always writes, and that is missing.
    Missing {
        /// The Region.
        region: String,
        /// The setting.
        setting: Setting,
    },
    /// A setting that appends or removes.
    NotAssigned(LeafPath),
    /// Something on what policies below may change.
    Locked(LeafPath),
    /// A value that is not what the keeper writes for what it means.
    Value(LeafPath),
}

/// How a policy stands to the keeper's own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnForm {
    /// It is just what the keeper would write for this.
    Is(OwnDocument),
    /// It isn't.
    IsNot {
        /// What stands in the way, all of it.
        obstacles: BTreeSet<OwnFormObstacle>,
        /// The keeper's document that enforces the same, where there is one.
        alike: Option<OwnDocument>,
    },
}

impl BedrockPolicy {
    /// Whether it says just what one of the keeper's documents could.
    pub fn own_form(&self) -> OwnForm {
        let own = OwnDocument::of(self);
        if !own.regions.is_empty() && self.says(&own) {
            return OwnForm::Is(own);
        }
        let mut obstacles = self.obstacles();
        let alike = self.alike();
        // Whatever isn't named above is a value in another form, such as the same model twice.
        if obstacles.is_empty() {
            let differs = self.leaves.keys().filter(|path| {
                let region = path.configuration().and_then(|(region, _)| region.parse::<Region>().ok());
                region.is_none_or(|region| !own.regions.contains_key(&region))
            });
            obstacles.extend(differs.cloned().map(OwnFormObstacle::Value));
        }
        if obstacles.is_empty() {
            obstacles.insert(OwnFormObstacle::Nothing);
        }
        OwnForm::IsNot { obstacles, alike }
    }

    fn obstacles(&self) -> BTreeSet<OwnFormObstacle> {
        let mut found = BTreeSet::new();
        found.extend(self.containers.keys().cloned().map(OwnFormObstacle::Locked));
        let mut regions: BTreeMap<&str, BTreeMap<&str, BTreeSet<Setting>>> = BTreeMap::new();
        for (path, leaf) in &self.leaves {
            found.extend(of_leaf(path, leaf));
            match (path.configuration(), path.setting()) {
                (Some((region, name)), Some(setting)) if region.parse::<Region>().is_ok() => {
                    regions.entry(region).or_default().entry(name).or_default().insert(setting);
                }
                _ => drop(found.insert(OwnFormObstacle::Unknown(path.clone()))),
            }
        }
        for (region, named) in regions {
            if named.len() > 1 {
                found.insert(OwnFormObstacle::Several(region.to_owned()));
            }
            for (name, settings) in named {
                if name != OWN_NAME {
                    found.insert(OwnFormObstacle::Named { region: region.to_owned(), name: name.to_owned() });
                }
                let always = Setting::ALL.into_iter().filter(|setting| *setting != Setting::InputTags);
                let missing = always.filter(|setting| !settings.contains(setting));
                found.extend(
                    missing.map(|setting| OwnFormObstacle::Missing { region: region.to_owned(), setting }),
                );
                if settings.contains(&Setting::InputTags) {
                    found.insert(OwnFormObstacle::Unknown(LeafPath::of(region, name, Setting::InputTags)));
                }
            }
        }
        found
    }

    /// The keeper's document that enforces the same, where every Region has one configuration that is understood, and
    /// nothing is appended, removed or locked.
    fn alike(&self) -> Option<OwnDocument> {
        let is_plain = |leaf: &LeafOperators| {
            leaf.append.is_empty() && leaf.remove.is_empty() && leaf.allowed.is_all() && leaf.assign.is_some()
        };
        if self.has_locks() || !self.leaves.values().all(is_plain) {
            return None;
        }
        let assigned =
            self.leaves.iter().filter_map(|(path, leaf)| Some((path.clone(), leaf.assign.clone()?)));
        let alone = EffectivePolicy::of(assigned);
        if alone.unknown().next().is_some() {
            return None;
        }
        let mut own = OwnDocument::default();
        for (region, named) in alone.regions() {
            let mut meanings = named.into_values();
            match (meanings.next()?, meanings.next()) {
                (Meaning::Enforcement(enforcement), None) => own.regions.insert(region, *enforcement),
                _ => return None,
            };
        }
        (!own.regions.is_empty()).then_some(own)
    }
}

fn of_leaf(path: &LeafPath, leaf: &LeafOperators) -> Vec<OwnFormObstacle> {
    let mut found = Vec::new();
    if !leaf.append.is_empty() || !leaf.remove.is_empty() {
        found.push(OwnFormObstacle::NotAssigned(path.clone()));
    }
    if !leaf.allowed.is_all() {
        found.push(OwnFormObstacle::Locked(path.clone()));
    }
    found
}

impl fmt::Display for OwnFormObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnFormObstacle::Nothing => f.write_str("it enforces nothing"),
            OwnFormObstacle::Unknown(path) => write!(f, "{path} is nothing that the keeper writes"),
            OwnFormObstacle::Named { region, name } => {
                write!(f, "the configuration {name:?} of {region} is not named {OWN_NAME:?}")
            }
            OwnFormObstacle::Several(region) => write!(f, "{region} has more than one configuration"),
            OwnFormObstacle::Missing { region, setting } => write!(f, "{region} leaves out {setting}"),
            OwnFormObstacle::NotAssigned(path) => write!(f, "{path} appends or removes"),
            OwnFormObstacle::Locked(path) => {
                write!(f, "{path} says what policies below may change")
            }
            OwnFormObstacle::Value(path) => {
                write!(f, "{path} has a value that the keeper writes in another form")
            }
        }
    }
}
