//! Compares what is wanted of an account with its effective policy, Region by Region, by what it means.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::build::settings;
use super::effective::{EffectivePolicy, Meaning};
use super::ids::PolicyAt;
use super::leaf::{LeafPath, LeafValue, Setting, ValueOrigin};
use super::write::plain;
use crate::enforcement::{Drift, Enforcement};
use crate::ids::Region;

/// How one Region of an effective policy stands to what is wanted there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionComparison {
    /// It means what is wanted.
    Equal,
    /// Something is wanted, and nothing is there.
    Absent,
    /// Nothing is wanted, and something is there.
    NotWanted(BTreeSet<PolicyAt>),
    /// It means something else.
    Differs(PolicyDifference),
    /// There are several configurations. Which of them act isn't known, so it is never equal.
    Several {
        /// Their names.
        names: BTreeSet<String>,
        /// Whether one of them means what is wanted.
        has_wanted: bool,
        /// Where they come from.
        from: BTreeSet<PolicyAt>,
    },
    /// What is there can't be understood.
    Unclear {
        /// These places of it.
        places: BTreeSet<LeafPath>,
        /// Where they come from.
        from: BTreeSet<PolicyAt>,
    },
}

/// What differs in one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDifference {
    /// Whether less is guarded than is wanted.
    pub drift: Drift,
    /// The settings that differ, never none.
    pub settings: BTreeMap<Setting, SettingDifference>,
}

/// What differs in one setting. The values are JSON, as they stand in an effective policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingDifference {
    /// What is wanted.
    pub wanted: String,
    /// What is there, if anything.
    pub seen: Option<String>,
    /// Where that comes from; nowhere, if there is nothing or it isn't known.
    pub from: BTreeSet<PolicyAt>,
}

impl fmt::Display for PolicyDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyDifference { drift, settings } = self;
        write!(f, "{drift}:")?;
        for (position, (setting, difference)) in settings.iter().enumerate() {
            let SettingDifference { wanted, seen, from } = difference;
            let comma = if position > 0 { "," } else { "" };
            write!(f, "{comma} {setting} is {}, not {wanted}", seen.as_deref().unwrap_or("not there"))?;
            let from: Vec<String> = from.iter().map(ToString::to_string).collect();
            if !from.is_empty() {
                write!(f, " (from {})", from.join(" and "))?;
            }
        }
        Ok(())
    }
}

/// Compares, for every Region that is wanted or there.
///
/// `origins` says where the values come from: that of the prediction whose effective policy `seen` is, or of one that
/// says the same. What a published policy says otherwise has no known origin.
pub fn compare(
    wanted: &BTreeMap<Region, Enforcement>,
    seen: &EffectivePolicy,
    origins: &BTreeMap<LeafPath, ValueOrigin>,
) -> BTreeMap<Region, RegionComparison> {
    let found = seen.regions();
    let regions: BTreeSet<&Region> = wanted.keys().chain(found.keys()).collect();
    let result = |region: &Region| match (wanted.get(region), found.get(region)) {
        (Some(_), None) => RegionComparison::Absent,
        (Some(wanted), Some(named)) => compare_region(wanted, named, &RegionValues { region, seen, origins }),
        (None, Some(_) | None) => {
            RegionComparison::NotWanted(RegionValues { region, seen, origins }.origin(|_| true))
        }
    };
    regions.into_iter().map(|region| (region.clone(), result(region))).collect()
}

fn compare_region(
    wanted: &Enforcement,
    named: &BTreeMap<String, Meaning>,
    places: &RegionValues<'_>,
) -> RegionComparison {
    let means_it = |meaning: &Meaning| match meaning {
        Meaning::Enforcement(seen) => Drift::between(seen, wanted).is_none(),
        Meaning::Unclear(_) => false,
    };
    if named.len() > 1 {
        return RegionComparison::Several {
            names: named.keys().cloned().collect(),
            has_wanted: named.values().any(means_it),
            from: places.origin(|_| true),
        };
    }
    match named.values().next() {
        None => RegionComparison::Absent,
        Some(Meaning::Unclear(unclear)) => RegionComparison::Unclear {
            places: unclear.clone(),
            from: places.origin(|path| unclear.contains(path)),
        },
        Some(Meaning::Enforcement(seen)) => match Drift::between(seen, wanted) {
            None => RegionComparison::Equal,
            Some(drift) => RegionComparison::Differs(PolicyDifference {
                drift,
                settings: differing(wanted, seen, places),
            }),
        },
    }
}

/// The settings whose meaning differs, with the values that are really there.
fn differing(
    wanted: &Enforcement,
    seen: &Enforcement,
    places: &RegionValues<'_>,
) -> BTreeMap<Setting, SettingDifference> {
    let differs = settings(wanted).zip(settings(seen)).filter(|(wanted, seen)| wanted != seen);
    let difference = |((setting, wanted), _): ((Setting, LeafValue), _)| {
        let there = places.values().find(|(path, _)| path.setting() == Some(setting));
        let difference = SettingDifference {
            wanted: plain(&wanted),
            seen: there.map(|(_, value)| plain(value)),
            from: places.origin(|path| path.setting() == Some(setting)),
        };
        (setting, difference)
    };
    differs.map(difference).collect()
}

/// The values of one Region, and where they come from.
struct RegionValues<'a> {
    region: &'a Region,
    seen: &'a EffectivePolicy,
    origins: &'a BTreeMap<LeafPath, ValueOrigin>,
}

impl RegionValues<'_> {
    fn values(&self) -> impl Iterator<Item = (&LeafPath, &LeafValue)> {
        let is_here =
            |path: &LeafPath| path.configuration().is_some_and(|(key, _)| key == self.region.as_str());
        self.seen.leaves().iter().filter(move |(path, _)| is_here(path))
    }

    fn origin(&self, is_meant: impl Fn(&LeafPath) -> bool) -> BTreeSet<PolicyAt> {
        let origins = self.values().filter(|(path, _)| is_meant(path));
        let origins = origins.filter_map(|(path, _)| self.origins.get(path));
        origins.flat_map(|origin| origin.policies().cloned()).collect()
    }
}
