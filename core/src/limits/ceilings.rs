//! What a deployment allows the limits of any baseline to be at most.

use super::Extent;
use crate::baseline::Limits;

/// What a deployment allows the limits of any baseline to be at most. `None` where it sets no ceiling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceilings {
    /// Of [`Limits::max_replacements`].
    pub max_replacements: Option<u32>,
    /// Of [`Limits::max_releases`].
    pub max_releases: Option<u32>,
    /// Of [`Limits::max_abandonments`].
    pub max_abandonments: Option<u32>,
}

impl Ceilings {
    /// What is left of them once this much was changed.
    #[must_use]
    pub fn less(self, extent: Extent) -> Ceilings {
        let left = |ceiling: Option<u32>, changed| ceiling.map(|most: u32| most.saturating_sub(changed));
        Ceilings {
            max_replacements: left(self.max_replacements, extent.replacements),
            max_releases: left(self.max_releases, extent.releases),
            max_abandonments: left(self.max_abandonments, extent.abandonments),
        }
    }
}

impl Limits {
    /// The lesser of both, each by itself: what a deployment allows at most, a baseline can only lower.
    #[must_use]
    pub fn at_most(self, ceilings: Ceilings) -> Limits {
        let lower = |limit: u32, ceiling: Option<u32>| ceiling.map_or(limit, |ceiling| limit.min(ceiling));
        Limits {
            max_replacements: lower(self.max_replacements, ceilings.max_replacements),
            max_releases: lower(self.max_releases, ceilings.max_releases),
            max_abandonments: lower(self.max_abandonments, ceilings.max_abandonments),
        }
    }
}
