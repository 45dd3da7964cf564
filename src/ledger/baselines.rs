//! The baselines that are kept for the time when the present one can't be gone by, who counts a revision, and how far one
//! has come.

use serde::Serialize;

use super::{Ledger, LedgerError};
use crate::baseline::Revision;
use crate::limits::RevisionApproval;

const BASELINE: &str = "baseline";
const APPROVED: &str = "approved";
const COUNTING: &str = "counting";
/// The name is the one that earlier versions gave it.
const REVISION_APPROVAL: &str = "rollout";

/// The baseline that was valid last, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct LastGood {
    /// The baseline's text.
    pub text: String,
    /// When it was first read.
    pub at: jiff::Timestamp,
}

/// Who counts what a revision changes: since when somebody is at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
struct Claim {
    revision: Revision,
    at: jiff::Timestamp,
}

impl Ledger {
    /// The baseline that was valid last.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn last_good(&self) -> Result<Option<LastGood>, LedgerError> {
        Ok(self.get::<Option<LastGood>>(BASELINE).await?.flatten())
    }

    /// Keeps a valid baseline, for the time when there is none.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn keep_baseline(&self, baseline: LastGood) -> Result<(), LedgerError> {
        self.keep(BASELINE, baseline).await
    }

    /// The baseline that was approved last, by somebody or by staying within its limits.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn last_approved(&self) -> Result<Option<LastGood>, LedgerError> {
        Ok(self.get::<Option<LastGood>>(APPROVED).await?.flatten())
    }

    /// Keeps an approved baseline, for the time when the next one waits for its approval.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn keep_approved(&self, baseline: LastGood) -> Result<(), LedgerError> {
        self.keep(APPROVED, baseline).await
    }

    async fn keep(&self, key: &str, baseline: LastGood) -> Result<(), LedgerError> {
        self.change_kept(key, |known: &mut Option<LastGood>| {
            if known.as_ref().is_none_or(|known| known.text != baseline.text) {
                *known = Some(baseline.clone());
            }
        })
        .await
    }

    /// How far the last revision has come that was acted on; `None` before the first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn revision_approval(&self) -> Result<Option<RevisionApproval>, LedgerError> {
        Ok(self.get::<Option<RevisionApproval>>(REVISION_APPROVAL).await?.flatten())
    }

    /// Changes how far a revision has come. `change` may be called several times, each time with
    /// what is known then.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn change_revision_approval(
        &self,
        mut change: impl FnMut(&mut Option<RevisionApproval>),
    ) -> Result<(), LedgerError> {
        self.change_kept(REVISION_APPROVAL, |approval| change(approval)).await
    }

    /// Claims the work of counting what a revision changes, unless somebody claimed it less than so many
    /// seconds ago: one is enough.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn claim_count(
        &self,
        revision: &Revision,
        now: jiff::Timestamp,
        lasts_seconds: u64,
    ) -> Result<bool, LedgerError> {
        let mut claimed = false;
        self.change_kept(COUNTING, |known: &mut Option<Claim>| {
            let lasts = |claim: &Claim| now.as_second().abs_diff(claim.at.as_second()) < lasts_seconds;
            claimed = !known.as_ref().is_some_and(|claim| claim.revision == *revision && lasts(claim));
            if claimed {
                *known = Some(Claim { revision: revision.clone(), at: now });
            }
        })
        .await?;
        Ok(claimed)
    }
}
