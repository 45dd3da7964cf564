//! Regions: their codes, each once, all of one partition.

use super::super::problem::{Problems, TextPlace, quoted};
use crate::ids::{Partition, Region};

/// Reads a Region's code.
pub(super) fn region(text: &str, place: &TextPlace, problems: &mut Problems) -> Option<Region> {
    if let Ok(region) = text.parse() {
        return Some(region);
    }
    let message = format!("{} is not a Region", quoted(text));
    let instead = match Region::meant_by(text) {
        Some(region) => format!("write {region}"),
        None => "write each Region by its code, for example us-east-1".to_owned(),
    };
    problems.report(place, message, instead);
    None
}

/// The Regions of all guardrails, those that could not be used included.
#[derive(Debug, Default)]
pub(super) struct SeenRegions(Vec<(Region, TextPlace)>);

impl SeenRegions {
    pub(super) fn add(&mut self, region: Region, place: TextPlace) {
        self.0.push((region, place));
    }

    /// How many there are so far.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Those that came after the first `count`.
    pub(super) fn since(&self, count: usize) -> Vec<&Region> {
        self.0.iter().skip(count).map(|(region, _)| region).collect()
    }

    /// Credentials end at a partition's border, so one keeper can't serve two.
    pub(super) fn refuse_two_partitions(&self, problems: &mut Problems) {
        let Some((first, first_place)) = self.0.first() else { return };
        let partition = Partition::of(first);
        for (region, place) in &self.0 {
            let other = Partition::of(region);
            if other != partition {
                let line = first_place.position.line;
                problems.report(
                    place,
                    format!("{region} is in partition {other}, and {first} on line {line} is in {partition}"),
                    "write one baseline for each partition",
                );
            }
        }
    }
}
