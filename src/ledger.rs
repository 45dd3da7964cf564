//! What the keeper remembers: whose each enforcement is, what was there before, and how far a
//! baseline revision has come.
//!
//! One interface over several stores. Losing the ledger never makes the keeper reckless: what it
//! can't prove to be ours it leaves alone.

mod file;
mod memory;
mod table;

use std::path::PathBuf;

use crate::ids::{AccountId, Target};
use crate::limits::Rollout;
use crate::record::{Granted, Grants, Note, Records};
use crate::resource_policy::Resource;
use crate::settings::LedgerSource;

pub use table::{Item, Put, Table};

/// A ledger that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file can't be used.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else than a ledger. It is left as it is.
    #[error("{path} is not a ledger of this program: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// A place for records.
#[derive(Debug)]
pub enum Ledger {
    /// In this process.
    Memory(memory::MemoryLedger),
    /// In a file.
    File(file::FileLedger),
}

impl Ledger {
    /// A ledger that forgets with the process.
    pub fn in_memory() -> Ledger {
        Ledger::Memory(memory::MemoryLedger::default())
    }

    /// Opens the ledger that the settings name. A file that isn't there yet is an empty one.
    pub fn open(source: &LedgerSource) -> Ledger {
        match source {
            LedgerSource::Memory => Ledger::in_memory(),
            LedgerSource::File(path) => Ledger::File(file::FileLedger::new(path.clone())),
        }
    }

    /// Whether what is recorded outlives this process.
    pub fn is_durable(&self) -> bool {
        match self {
            Ledger::Memory(_) => false,
            Ledger::File(_) => true,
        }
    }

    /// The records of one account.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn account(&self, account: &AccountId) -> Result<Records, LedgerError> {
        match self {
            Ledger::Memory(ledger) => Ok(ledger.account(account)),
            Ledger::File(ledger) => ledger.account(account),
        }
    }

    /// Takes note of what happened, all of it as one step.
    ///
    /// # Errors
    /// When the store can't be read or written; then nothing is changed.
    pub async fn note(&self, notes: Vec<(Target, Note)>) -> Result<(), LedgerError> {
        if notes.is_empty() {
            return Ok(());
        }
        match self {
            Ledger::Memory(ledger) => {
                ledger.change(|contents| contents.note(notes));
                Ok(())
            }
            Ledger::File(ledger) => ledger.change(|contents| contents.note(notes)),
        }
    }

    /// The grants that we added to resource policies.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn grants(&self) -> Result<Grants, LedgerError> {
        match self {
            Ledger::Memory(ledger) => Ok(ledger.grants()),
            Ledger::File(ledger) => ledger.grants(),
        }
    }

    /// Records that a grant was added, or with `None` that it is no longer ours to take back.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn set_grant(&self, resource: Resource, granted: Option<Granted>) -> Result<(), LedgerError> {
        let change = |contents: &mut memory::Contents| match granted {
            Some(granted) => {
                contents.grants.insert(resource, granted);
            }
            None => {
                contents.grants.remove(&resource);
            }
        };
        match self {
            Ledger::Memory(ledger) => {
                ledger.change(change);
                Ok(())
            }
            Ledger::File(ledger) => ledger.change(change),
        }
    }

    /// How far the last revision has come that was acted on; `None` before the first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn rollout(&self) -> Result<Option<Rollout>, LedgerError> {
        match self {
            Ledger::Memory(ledger) => Ok(ledger.rollout()),
            Ledger::File(ledger) => ledger.rollout(),
        }
    }

    /// Records how far a revision has come.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn set_rollout(&self, rollout: Rollout) -> Result<(), LedgerError> {
        match self {
            Ledger::Memory(ledger) => {
                ledger.change(|contents| contents.rollout = Some(rollout));
                Ok(())
            }
            Ledger::File(ledger) => ledger.change(|contents| contents.rollout = Some(rollout)),
        }
    }
}
