//! A ledger in this process. Gone with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, Target};
use crate::limits::Rollout;
use crate::record::{Grants, Note, Record, Records};

/// Everything a ledger holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Contents {
    pub(super) targets: BTreeMap<Target, Record>,
    pub(super) rollout: Option<Rollout>,
    pub(super) grants: Grants,
}

impl Contents {
    pub(super) fn account(&self, account: &AccountId) -> Records {
        self.targets
            .iter()
            .filter(|(target, _)| target.account == *account)
            .map(|(target, record)| (target.clone(), record.clone()))
            .collect()
    }

    pub(super) fn note(&mut self, notes: Vec<(Target, Note)>) {
        for (target, note) in notes {
            self.targets.entry(target).or_default().note(note);
        }
    }
}

/// A ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    contents: Mutex<Contents>,
}

impl MemoryLedger {
    pub(super) fn account(&self, account: &AccountId) -> Records {
        self.contents().account(account)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Contents)) {
        change(&mut self.contents());
    }

    pub(super) fn grants(&self) -> Grants {
        self.contents().grants.clone()
    }

    pub(super) fn rollout(&self) -> Option<Rollout> {
        self.contents().rollout.clone()
    }

    /// No change is made in two steps, so what a panic left behind is whole.
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
