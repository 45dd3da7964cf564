//! Documents in this process. Gone with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::store::{Documents, Item, Put, put, those_of, with_prefix};

/// Documents in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryStore {
    documents: Mutex<Documents>,
}

impl MemoryStore {
    pub(super) fn get(&self, key: &str) -> Option<Item> {
        self.documents().get(key).cloned()
    }

    pub(super) fn get_many(&self, keys: &[String]) -> BTreeMap<String, Item> {
        those_of(&self.documents(), keys)
    }

    pub(super) fn put(
        &self,
        key: &str,
        document: String,
        expected: Option<u64>,
        expires: Option<i64>,
    ) -> Put {
        put(&mut self.documents(), key, document, expected, expires)
    }

    pub(super) fn scan(&self, prefix: &str) -> Vec<(String, Item)> {
        with_prefix(&self.documents(), prefix)
    }

    /// No change is made in two steps, so what a panic left behind is whole.
    fn documents(&self) -> MutexGuard<'_, Documents> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
