//! Which flooding accounts were named on the bus, and when.

use super::{Ledger, LedgerError};
use crate::task::NamedFloods;

const FLOODS: &str = "floods";

impl Ledger {
    /// The accounts that were named lately.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn floods(&self) -> Result<NamedFloods, LedgerError> {
        Ok(self.get(FLOODS).await?.unwrap_or_default())
    }

    /// Changes which accounts were named. `change` may be called several times, each time with what is known then.
    ///
    /// # Errors
    /// When the store can't be read or written; then nothing is changed.
    pub async fn change_floods(&self, mut change: impl FnMut(&mut NamedFloods)) -> Result<(), LedgerError> {
        self.change_kept(FLOODS, |floods| change(floods)).await
    }
}
