//! How often AWS refused the owner's guardrail in one account, as far as that counts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{APART_SECONDS, COUNTS_SECONDS, OVERDUE_SECONDS, later, seconds};
use crate::ids::Region;

/// How AWS refused the owner's guardrail in one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceRefused {
    /// The Region in which it is tried.
    pub region: Region,
    /// The first refusal that counts; `None` where none did so far.
    pub first: Option<Timestamp>,
    /// The second one, ten minutes later or more.
    pub second: Option<Timestamp>,
    /// When it is tried again.
    pub again_at: Timestamp,
    /// What AWS said last.
    pub said: String,
}

impl ReferenceRefused {
    /// How often it was refused, as far as that counts.
    pub fn times(&self) -> u8 {
        u8::from(self.first.is_some()) + u8::from(self.second.is_some())
    }

    /// What is known after one more refusal. `uncounted_until` is there where it doesn't count.
    pub(super) fn next(
        known: Option<ReferenceRefused>,
        region: &Region,
        at: Timestamp,
        uncounted_until: Option<Timestamp>,
    ) -> ReferenceRefused {
        let (first, second) = known.map_or((None, None), |known| (known.first, known.second));
        let first = first.filter(|first| seconds(*first, at) < COUNTS_SECONDS);
        let second = second.filter(|_| first.is_some());
        let (first, second) = match (first, uncounted_until) {
            (first, Some(_)) => (first, second),
            (None, None) => (Some(at), None),
            (Some(first), None) => {
                (Some(first), second.or_else(|| (seconds(first, at) >= APART_SECONDS).then_some(at)))
            }
        };
        let again_at = uncounted_until.unwrap_or_else(|| match (first, second) {
            (Some(first), None) => later(first, APART_SECONDS),
            (_, _) => later(at, APART_SECONDS),
        });
        ReferenceRefused { region: region.clone(), first, second, again_at, said: String::new() }
    }

    /// Whether the next try didn't come: the account may not be reachable any more.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        seconds(self.again_at, now) > OVERDUE_SECONDS
    }
}
