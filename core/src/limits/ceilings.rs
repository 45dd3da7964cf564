//! What a deployment allows the limits of any baseline to be at most.

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
