//! Several events of one batch as fewer pieces of work.

use std::collections::{BTreeMap, BTreeSet};

use super::Request;
use super::scope::{Accounts, ChangedGuardrail, Regions, Scope};
use crate::ids::AccountId;

/// What makes two scopes one piece of work.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    /// One account.
    Account(AccountId),
    /// One change of a guardrail, which a guardrail's own task may follow.
    Guardrail(ChangedGuardrail, Accounts),
    /// What one request asked for: its plan counts for all of it and for nothing else.
    Request(Request, Accounts, Regions, Option<ChangedGuardrail>),
    /// Everything.
    Organization,
}

/// One piece of work, and what asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// What to look at.
    pub scope: Scope,
    /// The positions, among the scopes that were merged, of those that this one serves. A scope of
    /// several accounts is served by several pieces of work.
    pub from: BTreeSet<usize>,
}

/// Merges the scopes of one batch: one for each account, one for each guardrail that changed, one
/// for each request, one for the whole organization, sorted.
///
/// Every target of every scope is in the result. Accounts are not merged into the organization's
/// scope though it covers them: what an event names shall not wait for a sweep.
///
/// Keeps which scopes each piece of work serves, so that its failure fails those only.
pub fn merge(scopes: impl IntoIterator<Item = Scope>) -> Vec<Merged> {
    let mut merged: BTreeMap<Work, Merged> = BTreeMap::new();
    for (position, scope) in scopes.into_iter().enumerate() {
        for (work, scope) in split(scope) {
            match merged.get_mut(&work) {
                Some(known) => {
                    known.scope.absorb(scope);
                    known.from.insert(position);
                }
                None => {
                    merged.insert(work, Merged { scope, from: BTreeSet::from([position]) });
                }
            }
        }
    }
    merged.into_values().collect()
}

fn split(scope: Scope) -> Vec<(Work, Scope)> {
    if let Some(request) = scope.request.clone() {
        let (accounts, regions) = (scope.accounts.clone(), scope.regions.clone());
        let work = Work::Request(request, accounts, regions, scope.guardrail.clone());
        return vec![(work, scope)];
    }
    if let Some(guardrail) = &scope.guardrail {
        let work = Work::Guardrail(guardrail.clone(), scope.accounts.clone());
        return vec![(work, scope)];
    }
    match &scope.accounts {
        Accounts::All => vec![(Work::Organization, scope)],
        Accounts::Only(accounts) => accounts
            .iter()
            .map(|account| {
                let accounts = Accounts::one(account.clone());
                (Work::Account(account.clone()), Scope { accounts, ..scope.clone() })
            })
            .collect(),
    }
}

impl Scope {
    /// Adds what another scope of the same accounts has: its Regions, and what it goes back to.
    pub fn absorb(&mut self, scope: Scope) {
        let Scope { accounts: _, regions, guardrail: _, changed_in, request: _, reasons, events, since } =
            scope;
        self.regions = match (std::mem::replace(&mut self.regions, Regions::All), regions) {
            (Regions::Only(mut ours), Regions::Only(theirs)) => {
                ours.extend(theirs);
                Regions::Only(ours)
            }
            (Regions::All, _) | (_, Regions::All) => Regions::All,
        };
        if self.changed_in != changed_in {
            // It wasn't one account alone.
            self.changed_in = None;
        }
        self.reasons.extend(reasons);
        self.events.extend(events);
        self.since = match (self.since, since) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
    }
}
