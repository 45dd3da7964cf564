//! Which accounts controls marked as about to leave lately.

use super::{Ledger, LedgerError};
use crate::control::RecentDepartures;

const DEPARTURES: &str = "departures";

impl Ledger {
    /// What is counted against the ceiling of departures.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn departures(&self) -> Result<RecentDepartures, LedgerError> {
        Ok(self.get(DEPARTURES).await?.unwrap_or_default())
    }

    /// Changes what is counted against the ceiling of departures. `change` may be called several times, each time with what is
    /// known then.
    ///
    /// # Errors
    /// When the store can't be read or written; then nothing is changed.
    pub async fn change_departures(
        &self,
        mut change: impl FnMut(&mut RecentDepartures),
    ) -> Result<(), LedgerError> {
        self.change_kept(DEPARTURES, |known| change(known)).await
    }
}
