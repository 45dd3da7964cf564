//! What is known of AWS's answer to `placement: auto`, for the whole organization.

use super::{Ledger, LedgerError};
use crate::placement::PlacementRecord;

const PLACEMENT: &str = "placement";

impl Ledger {
    /// The answer and its evidence; before the first try, nothing.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn placement(&self) -> Result<PlacementRecord, LedgerError> {
        Ok(self.get(PLACEMENT).await?.unwrap_or_default())
    }

    /// Changes the answer or its evidence. `change` may be called several times, each time with what is
    /// known then. Answers what is known afterwards.
    ///
    /// # Errors
    /// When the store can't be read or written; then nothing is changed.
    pub async fn change_placement(
        &self,
        mut change: impl FnMut(&mut PlacementRecord),
    ) -> Result<PlacementRecord, LedgerError> {
        let mut after = PlacementRecord::default();
        self.change_kept(PLACEMENT, |record| {
            change(record);
            after.clone_from(record);
        })
        .await?;
        Ok(after)
    }
}
