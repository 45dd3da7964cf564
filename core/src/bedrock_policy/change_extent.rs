//! How much a change of Bedrock policies changes.

use std::fmt;

use crate::baseline::Limits;

/// The most accounts that one decision may change without an approval. Until a change reaches accounts in waves, whoever
/// wrote it can't see first what it does to a few.
const ACCOUNTS_WITHOUT_APPROVAL: usize = 1;

/// In how many places the predicted effective policy changes: accounts × Regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeExtent {
    /// In how many accounts anything changes.
    pub accounts: usize,
    /// Where something is enforced that wasn't.
    pub added: usize,
    /// Where something else is enforced than before.
    pub replaced: usize,
    /// Where nothing is enforced any more.
    pub released: usize,
}

impl ChangeExtent {
    /// Whether it may happen without an approval.
    pub(super) fn is_within(self, limits: Limits) -> bool {
        let within = |count: usize, most: u32| u32::try_from(count).is_ok_and(|count| count <= most);
        self.accounts <= ACCOUNTS_WITHOUT_APPROVAL
            && within(self.replaced, limits.max_replacements)
            && within(self.released, limits.max_releases)
    }
}

impl fmt::Display for ChangeExtent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChangeExtent { accounts, added, replaced, released } = self;
        let noun = if *accounts == 1 { "account" } else { "accounts" };
        write!(f, "{accounts} {noun}; {added} added, {replaced} replaced, {released} released")
    }
}
