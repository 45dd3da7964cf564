//! What the keeper remembers: whose each enforcement is, what was there before, and how far a
//! baseline revision has come.
//!
//! One interface over several stores. Losing the ledger never makes the keeper reckless: what it
//! can't prove to be ours it leaves alone.

mod baselines;
mod departures;
mod error;
mod file;
mod floods;
mod memory;
mod organization_level;
mod placements;
mod publications;
mod store;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cloud::Cloud;
use crate::ids::{AccountId, Region, Target};
use crate::limits::UnusableVersions;
use crate::organization::AccountPlacement;
use crate::record::{AccountRecord, Arrival, Granted, Grants, Note, Sequence};
use crate::resolved::OwnerSnapshot;
use crate::resource_policy::Resource;
use crate::settings::LedgerSource;
use store::Store;

pub use baselines::LastGood;
pub use error::LedgerError;
pub use table::{Item, Put, Table};

/// What is known of the run that takes a note.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visit<'a> {
    /// Its place in the queue.
    pub sequence: Option<Sequence>,
    /// Where the account stands.
    pub placement: Option<&'a AccountPlacement>,
    /// When SQS handed out its message first, by SQS's clock, in milliseconds since 1970.
    pub received_ms: Option<u64>,
    /// When it came there, as far as that is known.
    pub arrival: Option<&'a Arrival>,
}

/// How often a change is tried again when others change the same document.
const MAX_CONFLICTS: usize = 16;

/// How many documents are remembered between reading and changing them.
const REMEMBERED: usize = 256;

/// The longest that a record of an account that is gone is kept, in seconds: the 90 days for which
/// AWS itself still lists a closed account, and a margin.
const CLOSED_KEPT_SECONDS: i64 = 120 * 24 * 3600;

const ACCOUNT: &str = "account#";
const OWNER_SNAPSHOTS: &str = "readiness#";
const GRANTS: &str = "grants";
const UNUSABLE: &str = "unusable";

/// Records of accounts, each of which may be one that can't be understood.
pub type AccountRecords = BTreeMap<AccountId, Result<AccountRecord, LedgerError>>;

/// A part of all records of accounts, and where the next part begins.
pub type KnownAccounts = (AccountRecords, Option<String>);

/// A place for records.
#[derive(Debug)]
pub struct Ledger {
    store: Store,
    /// Documents as they were read, so that a change doesn't read them once more. That somebody
    /// changed one meanwhile shows when it is put.
    read: Mutex<HashMap<String, Option<Item>>>,
}

impl Ledger {
    /// A ledger that forgets with the process.
    pub fn in_memory() -> Ledger {
        Ledger::over(Store::Memory(memory::MemoryStore::default()))
    }

    /// A ledger in a file. One that isn't there yet is empty.
    pub fn in_file(path: PathBuf) -> Ledger {
        Ledger::over(Store::File(file::FileStore::new(path)))
    }

    /// Opens the ledger that the settings name. A file that isn't there yet is an empty one.
    pub fn open(source: &LedgerSource, cloud: &Cloud) -> Ledger {
        match source {
            LedgerSource::Memory => Ledger::in_memory(),
            LedgerSource::File(path) => Ledger::in_file(path.clone()),
            LedgerSource::Table(name) => Ledger::over(Store::Table(cloud.table(name.clone()))),
        }
    }

    fn over(store: Store) -> Ledger {
        Ledger { store, read: Mutex::default() }
    }

    /// Whether what is recorded outlives this process.
    pub fn is_durable(&self) -> bool {
        self.store.is_durable()
    }

    /// What is known about one account; of an unknown one, nothing.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn account(&self, account: &AccountId) -> Result<AccountRecord, LedgerError> {
        Ok(self.get(&account_key(account)).await?.unwrap_or_default())
    }

    /// What is known about several accounts.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn accounts(
        &self,
        accounts: impl IntoIterator<Item = &AccountId>,
    ) -> Result<BTreeMap<AccountId, AccountRecord>, LedgerError> {
        self.accounts_each(accounts)
            .await?
            .into_iter()
            .map(|(account, record)| Ok((account, record?)))
            .collect()
    }

    /// As [`Ledger::accounts`], where a document that can't be understood is a matter of its own account alone.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn accounts_each(
        &self,
        accounts: impl IntoIterator<Item = &AccountId>,
    ) -> Result<AccountRecords, LedgerError> {
        let keys: BTreeMap<String, AccountId> =
            accounts.into_iter().map(|account| (account_key(account), account.clone())).collect();
        let wanted: Vec<String> = keys.keys().cloned().collect();
        let mut items = self.store.get_many(&wanted).await?;
        let mut records = BTreeMap::new();
        for (key, account) in keys {
            let item = items.remove(&key);
            let record = item.as_ref().map(|item| parsed(&key, item)).transpose();
            self.remember(&key, item);
            records.insert(account, record.map(Option::unwrap_or_default));
        }
        Ok(records)
    }

    /// A part of all accounts that are known, and where the next part begins. A document that can't be understood
    /// is a matter of its own account alone.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn known_accounts(&self, from: Option<String>) -> Result<KnownAccounts, LedgerError> {
        let (items, next) = self.store.scan(ACCOUNT, from).await?;
        let mut records = BTreeMap::new();
        for (key, item) in items {
            if let Ok(account) = key[ACCOUNT.len()..].parse() {
                records.insert(account, parsed(&key, &item));
            }
        }
        Ok((records, next))
    }

    /// Shows every account that is known to `look`, in no order. A document that can't be understood is a matter of its
    /// own account alone.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn each_known_account(
        &self,
        mut look: impl FnMut(AccountId, Result<AccountRecord, LedgerError>),
    ) -> Result<(), LedgerError> {
        let mut from = None;
        loop {
            let (accounts, next) = self.known_accounts(from).await?;
            accounts.into_iter().for_each(|(account, record)| look(account, record));
            from = next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    /// Takes note of what a run did in one account, all of it as one step.
    ///
    /// # Errors
    /// When the store can't be read or written, or a later run wrote before; then nothing is changed.
    pub async fn note(
        &self,
        account: &AccountId,
        visit: Visit<'_>,
        notes: Vec<(Region, Note)>,
    ) -> Result<(), LedgerError> {
        let Visit { sequence, placement, received_ms, arrival } = visit;
        self.change_account(account, |record| {
            record.note(sequence, received_ms, notes.clone())?;
            if let Some(arrival) = arrival {
                record.arrival = std::mem::take(&mut record.arrival).and(arrival);
            }
            if let Some(placement) = placement {
                record.place(placement.clone());
                // It is a member, and calls were made there.
                record.closed = None;
            }
            Ok(())
        })
        .await
    }

    /// Changes what is known about one account. `change` may be called several times, each time
    /// with the record as it is then.
    ///
    /// # Errors
    /// Those of `change`, and when the store can't be read or written; then nothing is changed.
    pub async fn change_account(
        &self,
        account: &AccountId,
        mut change: impl FnMut(&mut AccountRecord) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let expires = |record: &AccountRecord| {
            record.closed.as_ref().map(|closed| closed.at.as_second() + CLOSED_KEPT_SECONDS)
        };
        self.change(&account_key(account), expires, |record| change(record)).await
    }

    /// The grants that we added to resource policies.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn grants(&self) -> Result<Grants, LedgerError> {
        // A list of pairs: JSON has only texts for keys.
        let grants: Option<Vec<(Resource, Granted)>> = self.get(GRANTS).await?;
        Ok(grants.unwrap_or_default().into_iter().collect())
    }

    /// Records that a grant was added, or with `None` that it is no longer ours to take back.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn set_grant(&self, resource: Resource, granted: Option<Granted>) -> Result<(), LedgerError> {
        self.change_kept(GRANTS, |grants: &mut Vec<(Resource, Granted)>| {
            grants.retain(|(known, _)| *known != resource);
            grants.extend(granted.clone().map(|granted| (resource.clone(), granted)));
            grants.sort_by(|(one, _), (other, _)| one.cmp(other));
        })
        .await
    }

    /// The guardrail versions that can't be used and are to be released.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn unusable(&self) -> Result<UnusableVersions, LedgerError> {
        Ok(self.get(UNUSABLE).await?.unwrap_or_default())
    }

    /// Changes what is known of the guardrail versions that can't be used. `change` may be called several
    /// times, each time with what is known then.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn change_unusable(
        &self,
        mut change: impl FnMut(&mut UnusableVersions),
    ) -> Result<(), LedgerError> {
        self.change_kept(UNUSABLE, |versions| change(versions)).await
    }

    /// What an owner account was last seen to hold in one Region. Earlier versions had one owner, and one document for
    /// each Region; what is there of this owner counts until a look of this version is recorded.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn owner_snapshot(&self, owner: &Target) -> Result<Option<OwnerSnapshot>, LedgerError> {
        if let Some(snapshot) = self.get(&format!("{OWNER_SNAPSHOTS}{owner}")).await? {
            return Ok(Some(snapshot));
        }
        let earlier: Option<OwnerSnapshot> = self.get(&format!("{OWNER_SNAPSHOTS}{}", owner.region)).await?;
        Ok(earlier.and_then(|earlier| earlier.of_owner(&owner.account)))
    }

    /// Records what an owner account was seen to hold in one Region, unless a later look is recorded.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn set_owner_snapshot(
        &self,
        owner: &Target,
        snapshot: OwnerSnapshot,
    ) -> Result<(), LedgerError> {
        self.change_kept(&format!("{OWNER_SNAPSHOTS}{owner}"), |known: &mut Option<OwnerSnapshot>| {
            if known.as_ref().is_none_or(|known| known.at <= snapshot.at) {
                *known = Some(snapshot.clone());
            }
        })
        .await
    }

    async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, LedgerError> {
        let item = self.store.get(key).await?;
        let value = item.as_ref().map(|item| parsed(key, item)).transpose()?;
        self.remember(key, item);
        Ok(value)
    }

    /// Changes a document that is kept for ever.
    async fn change_kept<T: Clone + Default + PartialEq + Serialize + DeserializeOwned>(
        &self,
        key: &str,
        mut change: impl FnMut(&mut T),
    ) -> Result<(), LedgerError> {
        let change = |value: &mut T| {
            change(value);
            Ok(())
        };
        self.change(key, |_| None, change).await
    }

    /// Reads, changes, and puts if nobody else did meanwhile; otherwise once more. What a change
    /// leaves as it was isn't written.
    async fn change<T: Clone + Default + PartialEq + Serialize + DeserializeOwned>(
        &self,
        key: &str,
        expires: impl Fn(&T) -> Option<i64>,
        mut change: impl FnMut(&mut T) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        for _ in 0..MAX_CONFLICTS {
            let recalled = self.recall(key);
            let was_recalled = recalled.is_some();
            let item = match recalled {
                Some(item) => item,
                None => self.store.get(key).await?,
            };
            let mut value: T = match &item {
                Some(item) => parsed(key, item)?,
                None => T::default(),
            };
            let before = value.clone();
            change(&mut value)?;
            if value == before {
                if was_recalled {
                    // Nothing is put, so nothing would show that somebody changed it meanwhile.
                    continue;
                }
                self.remember(key, item);
                return Ok(());
            }
            let document = serde_json::to_string(&value)
                .map_err(|source| LedgerError::Document { key: key.to_owned(), source })?;
            let (expected, expires) = (item.map(|item| item.version), expires(&value));
            match self.store.put(key, document.clone(), expected, expires).await? {
                Put::Stored(version) => {
                    self.remember(key, Some(Item { version, document, expires }));
                    return Ok(());
                }
                Put::Conflict => {}
            }
        }
        Err(LedgerError::Busy { key: key.to_owned() })
    }

    fn remember(&self, key: &str, item: Option<Item>) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= REMEMBERED {
            read.clear();
        }
        read.insert(key.to_owned(), item);
    }

    /// What was read last, once: after a conflict it is read afresh.
    fn recall(&self, key: &str) -> Option<Option<Item>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }
}

fn account_key(account: &AccountId) -> String {
    format!("{ACCOUNT}{account}")
}

fn parsed<T: DeserializeOwned>(key: &str, item: &Item) -> Result<T, LedgerError> {
    serde_json::from_str(&item.document)
        .map_err(|source| LedgerError::Document { key: key.to_owned(), source })
}
