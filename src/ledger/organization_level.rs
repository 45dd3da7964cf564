//! What is kept of the organization's level: the keeper's Bedrock policies, and the last look.

use super::{Ledger, LedgerError};
use crate::organization_level::OrganizationLevelRecord;

const ORGANIZATION_LEVEL: &str = "organization-level";

impl Ledger {
    /// What is kept of the organization's level.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn organization_level(&self) -> Result<OrganizationLevelRecord, LedgerError> {
        Ok(self.get(ORGANIZATION_LEVEL).await?.unwrap_or_default())
    }

    /// Changes it. `change` may be called several times, each time with what is kept then.
    ///
    /// # Errors
    /// When the store can't be read or written; then nothing is changed.
    pub async fn change_organization_level(
        &self,
        mut change: impl FnMut(&mut OrganizationLevelRecord),
    ) -> Result<(), LedgerError> {
        self.change_kept(ORGANIZATION_LEVEL, |record| change(record)).await
    }
}
