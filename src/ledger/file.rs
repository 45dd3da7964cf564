//! Documents in one JSON file: for a terminal, and for the smallest deployments.
//!
//! Every change reads the file, changes it and puts a new one in its place, under a lock that other
//! processes respect. A crash leaves either the old file or the new one. A change costs as much as
//! the file is long: an organization of thousands wants a table.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LedgerError;
use super::store::{Documents, Item, Put, put, those_of, with_prefix};

/// The form of the file. A later program may change it, and must then read this one, too.
const FORMAT: u32 = 2;

/// Documents in a file.
#[derive(Debug)]
pub(super) struct FileStore {
    path: PathBuf,
    /// Locks of the operating system are held per process on some systems; this one is for our own tasks.
    writing: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    format: u32,
    documents: BTreeMap<String, Stored>,
}

/// A document as JSON within JSON, so that people can read the file.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    document: Value,
}

impl FileStore {
    pub(super) fn new(path: PathBuf) -> FileStore {
        FileStore { path, writing: Mutex::new(()) }
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Item>, LedgerError> {
        Ok(self.read()?.remove(key))
    }

    pub(super) fn get_many(&self, keys: &[String]) -> Result<BTreeMap<String, Item>, LedgerError> {
        Ok(those_of(&self.read()?, keys))
    }

    pub(super) fn scan(&self, prefix: &str) -> Result<Vec<(String, Item)>, LedgerError> {
        Ok(with_prefix(&self.read()?, prefix))
    }

    pub(super) fn put(
        &self,
        key: &str,
        document: String,
        expected: Option<u64>,
        expires: Option<i64>,
    ) -> Result<Put, LedgerError> {
        let failed = |source| LedgerError::File { path: self.path.clone(), source };
        let _ours = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // The lock is on a file of its own, because the ledger itself is replaced each time.
        let lock = File::create(self.beside("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut documents = self.read()?;
        let done = put(&mut documents, key, document, expected, expires);
        if let Put::Stored(_) = done {
            let text = self.text_of(documents)?;
            let fresh = self.beside("new");
            let mut file = File::create(&fresh).map_err(failed)?;
            file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
            fs::rename(&fresh, &self.path).map_err(failed)?;
        }
        Ok(done)
    }

    fn read(&self) -> Result<Documents, LedgerError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Documents::default()),
            Err(source) => return Err(LedgerError::File { path: self.path.clone(), source }),
        };
        let Contents { format, documents } =
            serde_json::from_slice(&text).map_err(|source| self.unusable(source))?;
        if format != FORMAT {
            let message = format!("format {format}, expected {FORMAT}");
            return Err(self.unusable(serde::de::Error::custom(message)));
        }
        let item =
            |Stored { version, expires, document }| Item { version, document: document.to_string(), expires };
        Ok(documents.into_iter().map(|(key, stored)| (key, item(stored))).collect())
    }

    fn text_of(&self, documents: Documents) -> Result<Vec<u8>, LedgerError> {
        let stored = |Item { version, document, expires }| {
            Ok(Stored { version, expires, document: serde_json::from_str(&document)? })
        };
        let documents: Result<_, serde_json::Error> =
            documents.into_iter().map(|(key, item)| Ok((key, stored(item)?))).collect();
        documents
            .and_then(|documents| serde_json::to_vec_pretty(&Contents { format: FORMAT, documents }))
            .map_err(|source| self.unusable(source))
    }

    fn unusable(&self, source: serde_json::Error) -> LedgerError {
        LedgerError::Format { path: self.path.clone(), source }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".");
        name.push(suffix);
        PathBuf::from(name)
    }
}
