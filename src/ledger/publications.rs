//! What was published for people lately, for the whole organization.

use super::{Ledger, LedgerError};
use crate::outcome::Publications;

const PUBLICATIONS: &str = "publications";

impl Ledger {
    /// What was published lately; before the first message, nothing.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn publications(&self) -> Result<Publications, LedgerError> {
        Ok(self.get(PUBLICATIONS).await?.unwrap_or_default())
    }

    /// Changes it. `change` may be called several times, each time with what is known then.
    ///
    /// # Errors
    /// When the store can't be read or written; then nothing is changed.
    pub async fn change_publications(
        &self,
        mut change: impl FnMut(&mut Publications),
    ) -> Result<(), LedgerError> {
        self.change_kept(PUBLICATIONS, |known| change(known)).await
    }
}
