//! Splits what one point wants into parts that AWS takes: by Region, each part a policy of its own.
//!
//! A Region stays in the part where it is. One that moved would for a moment be in two parts or in none, for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::build::{MAX_POLICY_CHARACTERS, OwnDocument};
use super::ids::AttachPoint;
use crate::enforcement::Enforcement;
use crate::ids::Region;

/// How many policies of the keeper's may be attached to one point. AWS allows ten; the others find room.
pub const MAX_PARTS: usize = 5;

/// The parts of one point, by number, from 1.
pub type PolicyParts = BTreeMap<usize, OwnDocument>;

/// Why what is wanted of one point doesn't fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DoesNotFit {
    /// One Region alone is too long.
    Region {
        /// Where.
        point: AttachPoint,
        /// Which.
        region: Region,
        /// The length of a document with this Region alone.
        characters: usize,
    },
    /// It takes more parts than may be attached.
    Parts {
        /// Where.
        point: AttachPoint,
        /// The Regions that found no room.
        left: BTreeSet<Region>,
    },
}

impl fmt::Display for DoesNotFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DoesNotFit::Region { point, region, characters } => write!(
                f,
                "the Bedrock policy for {point} would have {characters} characters for {region} alone, and AWS takes \
                 {MAX_POLICY_CHARACTERS}; list fewer models, or exclude models instead of including them"
            ),
            DoesNotFit::Parts { point, left } => {
                let left: Vec<&str> = left.iter().map(Region::as_str).collect();
                write!(
                    f,
                    "the Bedrock policies for {point} have no room for {}: {MAX_PARTS} policies of \
                     {MAX_POLICY_CHARACTERS} characters are full; list fewer models, or fewer Regions",
                    left.join(", ")
                )
            }
        }
    }
}

/// Splits `wanted` into parts. `present` is what the parts hold now.
///
/// A Region that is there and isn't wanted any more takes its room as long as it is there: a part is filled first
/// and emptied later, so that it must hold both for a moment.
///
/// # Errors
/// Where it doesn't fit.
pub fn split(
    point: &AttachPoint,
    wanted: &BTreeMap<Region, Enforcement>,
    present: &PolicyParts,
) -> Result<PolicyParts, DoesNotFit> {
    for (region, enforcement) in wanted {
        let characters = size_of(region, enforcement) + EMPTY;
        if characters > MAX_POLICY_CHARACTERS {
            return Err(DoesNotFit::Region { point: point.clone(), region: region.clone(), characters });
        }
    }
    let mut parts: BTreeMap<usize, PartRoom> = BTreeMap::new();
    let mut homeless: BTreeMap<&Region, &Enforcement> = wanted.iter().collect();
    for (number, document) in present {
        let part = parts.entry(*number).or_default();
        for (region, enforcement) in
            document.regions.iter().filter(|(region, _)| !wanted.contains_key(*region))
        {
            part.characters += size_of(region, enforcement) + 1;
        }
        for region in document.regions.keys() {
            // Of two parts with one Region, the first keeps it.
            let Some((region, enforcement)) = homeless.remove_entry(region) else { continue };
            if part.has_room_for(region, enforcement) {
                part.add(region, enforcement);
            } else {
                part.is_full = true;
                homeless.insert(region, enforcement);
            }
        }
    }
    // A part that lost a Region for lack of room takes none: it is changed after those that take what it loses.
    let mut left = BTreeSet::new();
    for (region, enforcement) in homeless {
        let fitting = (1..=MAX_PARTS).find(|number| {
            parts.get(number).is_none_or(|part| !part.is_full && part.has_room_for(region, enforcement))
        });
        match fitting {
            Some(number) => parts.entry(number).or_default().add(region, enforcement),
            None => drop(left.insert(region.clone())),
        }
    }
    if !left.is_empty() {
        return Err(DoesNotFit::Parts { point: point.clone(), left });
    }
    let documents = parts.into_iter().map(|(number, part)| (number, OwnDocument { regions: part.regions }));
    Ok(documents.filter(|(_, document)| !document.regions.is_empty()).collect())
}

/// `{"bedrock":{"guardrail_inference":{}}}`.
const EMPTY: usize = 38;

/// What one Region adds to a document, without its comma.
fn size_of(region: &Region, enforcement: &Enforcement) -> usize {
    let alone = OwnDocument { regions: [(region.clone(), enforcement.clone())].into() };
    alone.characters().saturating_sub(EMPTY)
}

/// A part while it is filled.
#[derive(Default)]
struct PartRoom {
    regions: BTreeMap<Region, Enforcement>,
    /// Its Regions with a comma each, those that are still to be dropped included.
    characters: usize,
    is_full: bool,
}

impl PartRoom {
    fn has_room_for(&self, region: &Region, enforcement: &Enforcement) -> bool {
        EMPTY + self.characters + size_of(region, enforcement) <= MAX_POLICY_CHARACTERS
    }

    fn add(&mut self, region: &Region, enforcement: &Enforcement) {
        self.characters += size_of(region, enforcement) + 1;
        self.regions.insert(region.clone(), enforcement.clone());
    }
}
