//! Where documents are kept: texts under keys, each with a version, changed by compare-and-set.
//!
//! What a document says is not known here. Every store does the same four things, so that what is
//! tested over one holds for the others.

use std::collections::BTreeMap;

use super::LedgerError;
use super::file::FileStore;
use super::memory::MemoryStore;
use super::table::Table;
pub(super) use super::table::{Item, Put};

/// A part of all documents, and where the next part begins.
pub(super) type DocumentPage = (Vec<(String, Item)>, Option<String>);

/// A place for documents.
#[derive(Debug)]
pub(super) enum Store {
    Memory(MemoryStore),
    File(FileStore),
    Table(Table),
}

/// How many items a part of a table holds at most: with a megabyte DynamoDB ends it anyway.
const PART: u32 = 500;

impl Store {
    pub(super) fn is_durable(&self) -> bool {
        match self {
            Store::Memory(_) => false,
            Store::File(_) | Store::Table(_) => true,
        }
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Item>, LedgerError> {
        match self {
            Store::Memory(store) => Ok(store.get(key)),
            Store::File(store) => store.get(key),
            Store::Table(table) => table.get(key).await.map_err(LedgerError::Table),
        }
    }

    /// Those of the documents that there are.
    pub(super) async fn get_many(&self, keys: &[String]) -> Result<BTreeMap<String, Item>, LedgerError> {
        match self {
            Store::Memory(store) => Ok(store.get_many(keys)),
            Store::File(store) => store.get_many(keys),
            Store::Table(table) => table.get_many(keys).await.map_err(LedgerError::Table),
        }
    }

    /// Stores a document if it still has the version that is expected; `None` if there must be none.
    pub(super) async fn put(
        &self,
        key: &str,
        document: String,
        expected: Option<u64>,
        expires: Option<i64>,
    ) -> Result<Put, LedgerError> {
        match self {
            Store::Memory(store) => Ok(store.put(key, document, expected, expires)),
            Store::File(store) => store.put(key, document, expected, expires).await,
            Store::Table(table) => {
                table.put(key, &document, expected, expires).await.map_err(LedgerError::Table)
            }
        }
    }

    /// The documents whose keys begin like this, a part at a time.
    pub(super) async fn scan(&self, prefix: &str, from: Option<String>) -> Result<DocumentPage, LedgerError> {
        match self {
            Store::Memory(store) => Ok((store.scan(prefix), None)),
            Store::File(store) => Ok((store.scan(prefix)?, None)),
            Store::Table(table) => table.scan(prefix, from, PART).await.map_err(LedgerError::Table),
        }
    }
}
