//! Where the ledger of a history lies, what is in it, and how it is taken away for a while.
//!
//! In half of the histories it is a table, as it is deployed: then what it is asked and told are calls, between
//! which others come, and which go wrong as others do. In the other half it is a file, which fails as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use simulator::{Model, Table};

use testkit::histories::setting::{LEDGER, LedgerKind, Setting, ledger_file};

/// The Region of the hub's table.
const REGION: &str = "us-east-1";

/// The ledger, from outside.
pub(crate) enum Store {
    File {
        path: PathBuf,
        /// Its bytes while nobody can read it.
        hidden: Option<Vec<u8>>,
    },
    Table {
        hub: String,
        /// The table while there is none.
        hidden: Option<Table>,
        /// What was in it when it was written last.
        documents: BTreeMap<String, Value>,
    },
}

impl Store {
    /// The ledger of a setting. A table is made.
    pub(crate) fn of(setting: &Setting, folder: &Path, model: &mut Model) -> Store {
        match setting.ledger {
            LedgerKind::Table => {
                let hub = setting.hub();
                model.create_table(&hub, REGION, LEDGER, "key").expect("the hub is there");
                Store::Table { hub, hidden: None, documents: BTreeMap::new() }
            }
            LedgerKind::File | LedgerKind::Memory => Store::File { path: ledger_file(folder), hidden: None },
        }
    }

    pub(crate) fn is_hidden(&self) -> bool {
        match self {
            Store::File { hidden, .. } => hidden.is_some(),
            Store::Table { hidden, .. } => hidden.is_some(),
        }
    }

    /// Takes the ledger away, or gives it back.
    pub(crate) fn hide(&mut self, gone: bool, model: &mut Model) {
        match self {
            Store::File { path, hidden } => match (gone, hidden.take()) {
                (true, None) => {
                    *hidden = fs::read(&*path).ok();
                    if hidden.is_some() {
                        // What lies there instead is none.
                        fs::write(path, "{").expect("the folder is ours");
                    }
                }
                (false, Some(bytes)) => fs::write(path, bytes).expect("the folder is ours"),
                (_, kept) => *hidden = kept,
            },
            Store::Table { hub, hidden, .. } => match (gone, hidden.take()) {
                (true, None) => *hidden = model.take_table(hub, REGION, LEDGER),
                (false, Some(table)) => {
                    model.put_table(hub, REGION, LEDGER, table).expect("the hub is there");
                }
                (_, kept) => *hidden = kept,
            },
        }
    }

    /// Takes note of what was written.
    pub(crate) fn look(&mut self, model: &Model) {
        let Store::Table { hub, documents, .. } = self else { return };
        let Some(table) = model.table(hub, REGION, LEDGER) else { return };
        let document = |item: &simulator::Item| serde_json::from_str(item["document"]["S"].as_str()?).ok();
        let found = table.items.iter().filter_map(|(key, item)| Some((key.clone(), document(item)?)));
        *documents = found.collect();
    }

    /// A document, as it lies there.
    pub(crate) fn document(&self, key: &str) -> Option<Value> {
        let document = match self {
            Store::File { path, hidden } => {
                let bytes = match hidden {
                    Some(bytes) => bytes.clone(),
                    None => fs::read(path).ok()?,
                };
                let contents: Value = serde_json::from_slice(&bytes).ok()?;
                contents["documents"].get(key)?.get("document").cloned()
            }
            Store::Table { documents, .. } => documents.get(key).cloned(),
        };
        document.filter(|it| !it.is_null())
    }
}
