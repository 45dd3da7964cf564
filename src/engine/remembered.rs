//! What the ledger knew of the accounts of a run, and of which it could not tell.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Keeper;
use crate::ids::AccountId;
use crate::ledger::LedgerError;
use crate::organization::{Account, Organization};
use crate::record::{AccountRecord, Arrival, Arrivals, Records};

/// What the ledger knew.
#[derive(Default)]
pub(super) struct Remembered {
    pub(super) records: Records,
    /// Accounts that are being prepared to leave.
    pub(super) offboarding: BTreeSet<AccountId>,
    pub(super) arrivals: Arrivals,
    /// Accounts whose record could not be read.
    pub(super) unread: BTreeSet<AccountId>,
    /// Why that isn't known, in words.
    pub(super) trouble: Option<String>,
}

impl Keeper {
    /// What the ledger knows of every account, and of which it can't tell: nothing is written there.
    pub(super) async fn remembered(&self, organization: &Organization, told: Option<&Arrival>) -> Remembered {
        let now = self.clock.now();
        let accounts = &organization.accounts;
        let mut remembered = Remembered::default();
        let mut known = match self.ledger.accounts_each(accounts.keys()).await {
            Ok(known) => known,
            Err(error) => {
                let trouble = format!("the ledger could not be read, so nothing is written: {error}");
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
}

impl Remembered {
    fn add(&mut self, account: &Account, record: &AccountRecord, now: Timestamp) -> Arrival {
        self.records.extend(record.records(&account.id));
        if record.offboarding.is_some() {
            self.offboarding.insert(account.id.clone());
        }
        record.arrival_at(&account.path, now)
    }

    fn add_unread(&mut self, account: &AccountId, error: &LedgerError) -> Arrival {
        let trouble =
            format!("the record of {account} could not be read, so nothing is written there: {error}");
        self.trouble.get_or_insert(trouble);
        self.unread.insert(account.clone());
        Arrival::default()
    }
}
