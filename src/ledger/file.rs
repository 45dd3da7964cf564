//! Documents in one JSON file: for a terminal, and for the smallest deployments.
//!
//! Every change puts a new file in the place of the old one, under a lock that other processes respect. A crash
//! leaves either the old file or the new one. A change costs as much as the file is long, so those that come at
//! the same time are written together; and the file is read again only where somebody else wrote it. An
//! organization of thousands wants a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::LedgerError;
use super::store::{Item, Put};

/// The form of the file. A later program may change it, and must then read this one, too.
const FORMAT: u32 = 2;

/// So many bytes of a file hold its stamp.
const HEAD: u64 = 256;

/// Documents in a file.
#[derive(Debug)]
pub(super) struct FileStore {
    shared: Arc<Shared>,
    /// One of those who wait writes for all of them.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    waiting: Mutex<Vec<PendingPut>>,
    /// The file as it was read or written last.
    known: Mutex<Option<KnownFile>>,
    /// Locks of the operating system are held per process on some systems; this one is for our own threads.
    writing: Mutex<()>,
}

/// A document that is to be put, and who waits for that.
#[derive(Debug)]
struct PendingPut {
    key: String,
    document: String,
    expected: Option<u64>,
    expires: Option<i64>,
    answer: oneshot::Sender<Result<Put, LedgerError>>,
}

/// What a file held. It is told from another one by its stamp, and from one that was edited by hand by the rest.
#[derive(Clone, Debug)]
struct KnownFile {
    stamp: String,
    len: u64,
    modified: Option<SystemTime>,
    documents: Arc<StoredDocuments>,
}

type StoredDocuments = BTreeMap<String, Stored>;

/// A document, its text as it stands in the file: JSON within JSON, so that people can read it.
#[derive(Clone, Debug)]
struct Stored {
    version: u64,
    expires: Option<i64>,
    text: Arc<str>,
}

#[derive(Deserialize)]
struct Contents {
    format: u32,
    /// Each file that is written has another one.
    #[serde(default)]
    stamp: Option<String>,
    documents: BTreeMap<String, StoredText>,
}

#[derive(Deserialize)]
struct StoredText {
    version: u64,
    #[serde(default)]
    expires: Option<i64>,
    document: Box<RawValue>,
}

impl FileStore {
    pub(super) fn new(path: PathBuf) -> FileStore {
        let shared =
            Shared { path, waiting: Mutex::default(), known: Mutex::default(), writing: Mutex::default() };
        FileStore { shared: Arc::new(shared), turn: tokio::sync::Mutex::default() }
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Item>, LedgerError> {
        Ok(self.shared.read()?.get(key).map(Stored::item))
    }

    pub(super) fn get_many(&self, keys: &[String]) -> Result<BTreeMap<String, Item>, LedgerError> {
        let documents = self.shared.read()?;
        let found = |key: &String| documents.get(key).map(|stored| (key.clone(), stored.item()));
        Ok(keys.iter().filter_map(found).collect())
    }

    pub(super) fn scan(&self, prefix: &str) -> Result<Vec<(String, Item)>, LedgerError> {
        let documents = self.shared.read()?;
        let from = documents.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(from.map(|(key, stored)| (key.clone(), stored.item())).collect())
    }

    /// Puts a document. Answers once it is on the disk, with all that came at the same time.
    pub(super) async fn put(
        &self,
        key: &str,
        document: String,
        expected: Option<u64>,
        expires: Option<i64>,
    ) -> Result<Put, LedgerError> {
        let (answer, mut answered) = oneshot::channel();
        locked(&self.shared.waiting).push(PendingPut {
            key: key.to_owned(),
            document,
            expected,
            expires,
            answer,
        });
        let turn = self.turn.lock().await;
        if let Ok(put) = answered.try_recv() {
            return put;
        }
        let shared = self.shared.clone();
        let written = tokio::task::spawn_blocking(move || shared.put_those_waiting()).await;
        drop(turn);
        match (written, answered.await) {
            (_, Ok(put)) => put,
            (written, Err(_)) => {
                let source = written.err().map_or_else(|| io::Error::other("not written"), io::Error::other);
                Err(LedgerError::File { path: self.shared.path.clone(), source })
            }
        }
    }
}

impl Shared {
    /// Puts what waits by now, all of it in one file.
    fn put_those_waiting(&self) {
        let mut waiting = std::mem::take(&mut *locked(&self.waiting));
        // Whoever isn't there any more may have been told to stop.
        waiting.retain(|change| !change.answer.is_closed());
        match self.put_all(&waiting) {
            Ok(puts) => {
                for (change, put) in waiting.into_iter().zip(puts) {
                    drop(change.answer.send(Ok(put)));
                }
            }
            Err(error) => {
                for change in waiting {
                    drop(change.answer.send(Err(self.again(&error))));
                }
            }
        }
    }

    fn put_all(&self, changes: &[PendingPut]) -> Result<Vec<Put>, LedgerError> {
        let failed = |source| self.failed(source);
        let _ours = locked(&self.writing);
        // The lock is on a file of its own, because the ledger itself is replaced each time.
        let lock = File::create(self.beside("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut documents = Arc::unwrap_or_clone(self.read()?);
        let mut puts = Vec::new();
        for change in changes {
            puts.push(put(&mut documents, change).map_err(|source| self.unusable(source))?);
        }
        if puts.iter().any(|put| matches!(put, Put::Stored(_))) {
            self.write(documents).map_err(failed)?;
        }
        Ok(puts)
    }

    fn write(&self, documents: StoredDocuments) -> io::Result<()> {
        let stamp = new_stamp();
        let text = text_of(&stamp, &documents);
        let fresh = self.beside("new");
        let mut file = File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let metadata = file.metadata()?;
        fs::rename(&fresh, &self.path)?;
        let (len, modified) = (metadata.len(), metadata.modified().ok());
        *locked(&self.known) = Some(KnownFile { stamp, len, modified, documents: Arc::new(documents) });
        Ok(())
    }

    /// What the file holds: as it is known, if nobody else wrote it since.
    fn read(&self) -> Result<Arc<StoredDocuments>, LedgerError> {
        let failed = |source| self.failed(source);
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Arc::default()),
            Err(source) => return Err(failed(source)),
        };
        let metadata = file.metadata().map_err(failed)?;
        let (len, modified) = (metadata.len(), metadata.modified().ok());
        let mut text = Vec::new();
        (&mut file).take(HEAD).read_to_end(&mut text).map_err(failed)?;
        if let Some(known) = &*locked(&self.known)
            && known.len == len
            && known.modified == modified
            && text.starts_with(head(&known.stamp).as_bytes())
        {
            return Ok(known.documents.clone());
        }
        file.read_to_end(&mut text).map_err(failed)?;
        let Contents { format, stamp, documents } =
            serde_json::from_slice(&text).map_err(|source| self.unusable(source))?;
        if format != FORMAT {
            let message = format!("format {format}, expected {FORMAT}");
            return Err(self.unusable(serde::de::Error::custom(message)));
        }
        let stored = |StoredText { version, expires, document }| Stored {
            version,
            expires,
            text: Arc::from(document.get()),
        };
        let documents: Arc<StoredDocuments> =
            Arc::new(documents.into_iter().map(|(key, document)| (key, stored(document))).collect());
        let known = stamp.map(|stamp| KnownFile { stamp, len, modified, documents: documents.clone() });
        *locked(&self.known) = known;
        Ok(documents)
    }

    /// The same error for another one who waits for the same file.
    fn again(&self, error: &LedgerError) -> LedgerError {
        match error {
            LedgerError::File { source, .. } => self.failed(match source.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(source.kind(), source.to_string()),
            }),
            error => self.unusable(serde::de::Error::custom(match error {
                LedgerError::Format { source, .. } => source.to_string(),
                error => error.to_string(),
            })),
        }
    }

    fn failed(&self, source: io::Error) -> LedgerError {
        LedgerError::File { path: self.path.clone(), source }
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

impl Stored {
    fn item(&self) -> Item {
        Item { version: self.version, document: self.text.to_string(), expires: self.expires }
    }
}

/// Compare-and-set.
fn put(documents: &mut StoredDocuments, change: &PendingPut) -> serde_json::Result<Put> {
    let version = documents.get(&change.key).map(|stored| stored.version);
    if version != change.expected {
        return Ok(Put::Conflict);
    }
    let version = version.unwrap_or(0) + 1;
    let value: Value = serde_json::from_str(&change.document)?;
    // As deep as it stands in the file. Within a text JSON has no line breaks.
    let text = serde_json::to_string_pretty(&value)?.replace('\n', "\n      ");
    let stored = Stored { version, expires: change.expires, text: Arc::from(text) };
    documents.insert(change.key.clone(), stored);
    Ok(Put::Stored(version))
}

fn text_of(stamp: &str, documents: &StoredDocuments) -> String {
    let length: usize = documents.values().map(|stored| stored.text.len() + 128).sum();
    let mut text = String::with_capacity(length + 128);
    text.push_str(&head(stamp));
    text.push_str("  \"documents\": {");
    for (index, (key, Stored { version, expires, text: document })) in documents.iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        let _ = write!(text, "    {}: {{\n      \"version\": {version},\n", Value::from(key.as_str()));
        if let Some(expires) = expires {
            let _ = writeln!(text, "      \"expires\": {expires},");
        }
        let _ = write!(text, "      \"document\": {document}\n    }}");
    }
    text.push_str(if documents.is_empty() { "}\n}\n" } else { "\n  }\n}\n" });
    text
}

/// How a file begins.
fn head(stamp: &str) -> String {
    format!("{{\n  \"format\": {FORMAT},\n  \"stamp\": \"{stamp}\",\n")
}

/// A text that no other file has: by this process, its clock and a number.
fn new_stamp() -> String {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{:x}-{number:x}", since.as_nanos(), std::process::id())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
