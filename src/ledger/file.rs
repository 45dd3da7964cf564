//! A ledger in a JSON file: for a terminal, and for the smallest deployments.
//!
//! Every change reads the file, changes it and puts a new one in its place, under a lock that other
//! processes respect. A crash leaves either the old file or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::LedgerError;
use super::memory::Contents;
use crate::ids::AccountId;
use crate::limits::Rollout;
use crate::record::{Grants, Records};

/// The form of the file. A later program may change it, and must then read this one, too.
const FORMAT: u32 = 1;

/// A ledger in a file.
#[derive(Debug)]
pub struct FileLedger {
    path: PathBuf,
    /// Locks of the operating system are held per process on some systems; this one is for our own tasks.
    writing: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    contents: Contents,
}

impl FileLedger {
    pub(super) fn new(path: PathBuf) -> FileLedger {
        FileLedger { path, writing: Mutex::new(()) }
    }

    pub(super) fn account(&self, account: &AccountId) -> Result<Records, LedgerError> {
        Ok(self.read()?.account(account))
    }

    pub(super) fn grants(&self) -> Result<Grants, LedgerError> {
        Ok(self.read()?.grants)
    }

    pub(super) fn rollout(&self) -> Result<Option<Rollout>, LedgerError> {
        Ok(self.read()?.rollout)
    }

    fn read(&self) -> Result<Contents, LedgerError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Contents::default()),
            Err(source) => return Err(LedgerError::File { path: self.path.clone(), source }),
        };
        let format = |source| LedgerError::Format { path: self.path.clone(), source };
        let document: Document = serde_json::from_slice(&text).map_err(format)?;
        if document.format != FORMAT {
            let found = document.format;
            return Err(format(serde::de::Error::custom(format!("format {found}, expected {FORMAT}"))));
        }
        Ok(document.contents)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Contents)) -> Result<(), LedgerError> {
        let failed = |source| LedgerError::File { path: self.path.clone(), source };
        let _ours = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // The lock is on a file of its own, because the ledger itself is replaced each time.
        let lock = File::create(self.beside("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut contents = self.read()?;
        change(&mut contents);
        let document = Document { format: FORMAT, contents };
        let text = serde_json::to_vec_pretty(&document)
            .map_err(|source| LedgerError::Format { path: self.path.clone(), source })?;
        let fresh = self.beside("new");
        let mut file = File::create(&fresh).map_err(failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&fresh, &self.path).map_err(failed)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".");
        name.push(suffix);
        PathBuf::from(name)
    }
}
