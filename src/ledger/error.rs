//! Why the ledger could not be read or written.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::record::Superseded;

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
    /// One document of it can't be understood. It is left as it is.
    #[error("failed to parse the ledger's document {key}: {source}")]
    Document {
        /// Its key.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The table could not be reached, or refused.
    #[error("{0}")]
    Table(Failure),
    /// Others changed the same document again and again.
    #[error("other writers changed the ledger's document {key} during every attempt")]
    Busy {
        /// Its key.
        key: String,
    },
    /// A later run over the same account wrote before. This one is to write nothing any more.
    #[error(transparent)]
    Superseded(#[from] Superseded),
}

impl LedgerError {
    /// Whether the ledger itself is in order, and this run came too late.
    pub fn is_superseded(&self) -> bool {
        matches!(self, LedgerError::Superseded(_))
    }
}
