//! What is kept of the organization's level: the keeper's Bedrock policies, the last look, and a look that is under way.

use super::store::Put;
use super::{Ledger, LedgerError, MAX_CONFLICTS, parsed};
use crate::organization_level::{LookPart, OrganizationLevelRecord};

const ORGANIZATION_LEVEL: &str = "organization-level";

const LOOK_PARTS: &str = "organization-look#";

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

    /// What the parts of a look hold together; `None` where one of them is gone.
    ///
    /// # Errors
    /// When the store can't be read, or a part can't be understood.
    pub async fn look_parts(&self, look: u64, parts: u32) -> Result<Option<LookPart>, LedgerError> {
        let keys: Vec<String> = (0..parts).map(|number| part_key(look, number)).collect();
        let mut items = self.store.get_many(&keys).await?;
        let mut whole = LookPart::default();
        for key in keys {
            let Some(item) = items.remove(&key) else { return Ok(None) };
            whole.add(parsed(&key, &item)?);
        }
        Ok(Some(whole))
    }

    /// Keeps a part of a look, instead of one that an earlier try kept, until `expires`, in seconds since 1970.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn keep_look_part(
        &self,
        look: u64,
        number: u32,
        part: &LookPart,
        expires: i64,
    ) -> Result<(), LedgerError> {
        let key = part_key(look, number);
        let document = serde_json::to_string(part)
            .map_err(|source| LedgerError::Document { key: key.clone(), source })?;
        let mut expected = None;
        for _ in 0..MAX_CONFLICTS {
            match self.store.put(&key, document.clone(), expected, Some(expires)).await? {
                Put::Stored(_) => return Ok(()),
                Put::Conflict => expected = self.store.get(&key).await?.map(|item| item.version),
            }
        }
        Err(LedgerError::Busy { key })
    }
}

fn part_key(look: u64, number: u32) -> String {
    format!("{LOOK_PARTS}{look}#{number}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test]
    async fn a_look_is_put_together_from_its_parts_and_from_no_others() {
        let ledger = Ledger::in_memory();
        let part = |odd: &str| LookPart { unplaced: BTreeSet::from([odd.to_owned()]), ..LookPart::default() };
        ledger.keep_look_part(1, 0, &part("a"), 0).await.unwrap();
        ledger.keep_look_part(1, 1, &part("b"), 0).await.unwrap();
        // Another try kept something else.
        ledger.keep_look_part(1, 1, &part("c"), 0).await.unwrap();
        ledger.keep_look_part(2, 0, &part("d"), 0).await.unwrap();
        let whole = ledger.look_parts(1, 2).await.unwrap().unwrap();
        assert_eq!(whole.unplaced, BTreeSet::from(["a".to_owned(), "c".to_owned()]));
        assert_eq!(ledger.look_parts(1, 3).await.unwrap(), None);
        assert_eq!(ledger.look_parts(3, 0).await.unwrap(), Some(LookPart::default()));
    }
}
