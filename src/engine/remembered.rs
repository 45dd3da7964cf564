//! What the ledger knew before a look, and what it could not say.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Keeper;
use super::placing::{Placing, placing};
use super::revision::revision_approval;
use crate::baseline::Baseline;
use crate::ids::AccountId;
use crate::ledger::LedgerError;
use crate::limits::RevisionApproval;
use crate::organization::{Account, Organization};
use crate::record::{AccountRecord, Arrival, Arrivals, Grants, Records};

/// What the ledger knew.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The record of each target.
    pub records: Records,
    /// How far the revision is approved.
    pub approval: RevisionApproval,
    /// The answer to `placement: auto`.
    pub placing: Placing,
    /// Warnings for the report.
    pub warnings: Vec<String>,
    /// The first part of the ledger that could not be read, in words: nothing is written where its record is missing.
    pub trouble: Option<String>,
    /// Accounts that are being prepared to leave.
    pub(super) offboarding: BTreeSet<AccountId>,
    /// When each account arrived at its place.
    pub(super) arrivals: Arrivals,
    /// Accounts whose record could not be read.
    pub(super) unread: BTreeSet<AccountId>,
    pub(super) approval_is_known: bool,
    /// Our grants.
    pub(super) grants: Grants,
    pub(super) grants_are_known: bool,
}

/// Reads what the ledger knows of these accounts, of the revision and of our grants. Warnings name what could not be
/// read; nothing is written there.
pub(super) async fn remembered(
    keeper: &Keeper,
    baseline: &Baseline,
    organization: &Organization,
    told: Option<&Arrival>,
) -> Remembered {
    let ReadRecords { records, offboarding, arrivals, unread, trouble } =
        accounts(keeper, organization, told).await;
    let (approval, no_approval) = revision_approval(keeper, baseline).await;
    let (grants, no_grants) = read_grants(keeper).await;
    let mut warnings: Vec<String> = trouble.iter().chain(&no_approval).chain(&no_grants).cloned().collect();
    let (approval_is_known, grants_are_known) = (no_approval.is_none(), no_grants.is_none());
    let mut trouble = trouble.or(no_approval).or(no_grants);
    let placing = placing(keeper, baseline, &grants, trouble.as_ref()).await;
    if trouble.is_none() {
        warnings.extend(placing.trouble.clone());
        trouble.clone_from(&placing.trouble);
    }
    Remembered {
        records,
        approval,
        placing,
        warnings,
        trouble,
        offboarding,
        arrivals,
        unread,
        approval_is_known,
        grants,
        grants_are_known,
    }
}

/// Our grants, and why they are not known, if so.
pub(super) async fn read_grants(keeper: &Keeper) -> (Grants, Option<String>) {
    match keeper.ledger.grants().await {
        Ok(grants) => (grants, None),
        Err(error) => {
            let why = format!("failed to read which grants are ours, so none is taken back: {error}");
            (Grants::new(), Some(why))
        }
    }
}

/// The records of accounts.
#[derive(Default)]
struct ReadRecords {
    records: Records,
    offboarding: BTreeSet<AccountId>,
    arrivals: Arrivals,
    unread: BTreeSet<AccountId>,
    trouble: Option<String>,
}

async fn accounts(keeper: &Keeper, organization: &Organization, told: Option<&Arrival>) -> ReadRecords {
    let now = keeper.clock.now();
    let accounts = &organization.accounts;
    let mut remembered = ReadRecords::default();
    let mut known = match keeper.ledger.accounts_each(accounts.keys()).await {
        Ok(known) => known,
        Err(error) => {
            let trouble = format!("failed to read the ledger, so nothing is written: {error}");
            remembered.trouble = Some(trouble);
            remembered.unread = accounts.keys().cloned().collect();
            Default::default()
        }
    };
    for account in accounts.values() {
        let seen = match known.remove(&account.id) {
            Some(Ok(record)) => remembered.add(account, &record, now),
            Some(Err(error)) => remembered.add_unread(&account.id, &error),
            None => Arrival::default(),
        };
        let arrival = told.into_iter().fold(seen, Arrival::and);
        if !arrival.is_none() {
            remembered.arrivals.insert(account.id.clone(), arrival);
        }
    }
    remembered
}

impl ReadRecords {
    fn add(&mut self, account: &Account, record: &AccountRecord, now: Timestamp) -> Arrival {
        self.records.extend(record.records(&account.id));
        if record.is_leaving(account.joined) {
            self.offboarding.insert(account.id.clone());
        }
        record.arrival_at(&account.path, now)
    }

    fn add_unread(&mut self, account: &AccountId, error: &LedgerError) -> Arrival {
        let trouble = format!("failed to read the record of {account}, so nothing is written there: {error}");
        self.trouble.get_or_insert(trouble);
        self.unread.insert(account.clone());
        Arrival::default()
    }
}
