//! What revisions changed within a day that no person approved: many small revisions add up to a large one.

use serde::{Deserialize, Serialize};

use super::Extent;
use crate::baseline::Revision;

/// How long what a revision changed counts against the ceilings of the next ones, in seconds: a day.
const COUNTED_SECONDS: u64 = 24 * 3600;

/// How many revisions are kept apart. Beyond that the oldest ones count together, for as long as the younger of them.
const KEPT_APART: usize = 100;

/// What revisions changed that stayed within their limits, and that no person approved, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unreviewed(Vec<UnreviewedRevision>);

/// What one such revision changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UnreviewedRevision {
    revision: Revision,
    /// When it was counted last, in seconds since 1970.
    at: i64,
    extent: Extent,
}

impl UnreviewedRevision {
    /// A clock that was far ahead of ours must not keep anything waiting until then.
    fn is_recent(&self, now: i64) -> bool {
        now.abs_diff(self.at) < COUNTED_SECONDS
    }
}

impl Unreviewed {
    /// Takes note of what a revision is about to change.
    pub fn add(&mut self, revision: &Revision, extent: Extent, now: i64) {
        self.0.retain(|known| known.is_recent(now));
        if extent == Extent::default() {
            return;
        }
        let before = self.0.iter().position(|known| known.revision == *revision);
        let before = before.map(|known| self.0.remove(known).extent).unwrap_or_default();
        self.0.push(UnreviewedRevision { revision: revision.clone(), at: now, extent: before.plus(extent) });
        if self.0.len() > KEPT_APART {
            let oldest = self.0.remove(0);
            self.0[0].extent = self.0[0].extent.plus(oldest.extent);
        }
    }

    /// What other revisions than this one changed within the last day.
    pub fn of_others(&self, revision: &Revision, now: i64) -> Extent {
        let others = self.0.iter().filter(|known| known.revision != *revision && known.is_recent(now));
        others.fold(Extent::default(), |sum, known| sum.plus(known.extent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const NOW: i64 = 1_790_000_000;

    fn revision(number: usize) -> Revision {
        format!("{number:016x}").parse().unwrap()
    }

    fn releases(releases: u32) -> Extent {
        Extent { releases, ..Extent::default() }
    }

    #[test]
    fn what_others_changed_counts_for_a_day_and_no_longer() {
        let mut day = Unreviewed::default();
        day.add(&revision(1), releases(2), NOW);
        day.add(&revision(2), releases(3), NOW + 100);
        // Of another revision, when, and what counts against it.
        for (number, at, counts) in [
            (3, NOW + 100, 5),
            (1, NOW + 100, 3),
            (2, NOW + 100, 2),
            (3, NOW + DAY - 1, 5),
            (3, NOW + DAY, 3),
            (3, NOW + DAY + 99, 3),
            (3, NOW + DAY + 100, 0),
            // By a clock that was days ahead of ours.
            (3, NOW - 2 * DAY, 0),
        ] {
            assert_eq!(day.of_others(&revision(number), at), releases(counts), "{number} at {at}");
        }
        // What is no more counted is forgotten, and what changes nothing isn't kept.
        day.add(&revision(4), Extent::default(), NOW + DAY);
        assert_eq!(day.0.len(), 1);
        // The same revision once more, for another part of the organization.
        day.add(&revision(2), releases(4), NOW + DAY);
        assert_eq!((day.0.len(), day.of_others(&revision(3), NOW + DAY)), (1, releases(7)));
    }

    #[test]
    fn however_many_there_are_none_is_forgotten_within_the_day() {
        let mut day = Unreviewed::default();
        for (number, at) in (0..300).zip(NOW..) {
            day.add(&revision(number), releases(1), at);
        }
        assert_eq!(day.0.len(), KEPT_APART);
        assert_eq!(day.of_others(&revision(1000), NOW + 300), releases(300));
        let text = serde_json::to_string(&day).unwrap();
        assert_eq!(serde_json::from_str::<Unreviewed>(&text).unwrap(), day, "{text}");
    }
}
