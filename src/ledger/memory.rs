//! Documents in this process. Gone with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::store::{Item, Put};

/// Documents in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryStore {
    documents: Mutex<BTreeMap<String, Item>>,
}

impl MemoryStore {
    pub(super) fn get(&self, key: &str) -> Option<Item> {
        self.documents().get(key).cloned()
    }

    pub(super) fn get_many(&self, keys: &[String]) -> BTreeMap<String, Item> {
        let documents = self.documents();
        let found = |key: &String| documents.get(key).map(|item| (key.clone(), item.clone()));
        keys.iter().filter_map(found).collect()
    }

    /// Compare-and-set.
    pub(super) fn put(
        &self,
        key: &str,
        document: String,
        expected: Option<u64>,
        expires: Option<i64>,
    ) -> Put {
        let mut documents = self.documents();
        let version = documents.get(key).map(|item| item.version);
        if version != expected {
            return Put::Conflict;
        }
        let version = version.unwrap_or(0) + 1;
        documents.insert(key.to_owned(), Item { version, document, expires });
        Put::Stored(version)
    }

    pub(super) fn scan(&self, prefix: &str) -> Vec<(String, Item)> {
        let documents = self.documents();
        let from = documents.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        from.map(|(key, item)| (key.clone(), item.clone())).collect()
    }

    /// No change is made in two steps, so what a panic left behind is whole.
    fn documents(&self) -> MutexGuard<'_, BTreeMap<String, Item>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
