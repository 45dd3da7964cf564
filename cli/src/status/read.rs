//! Puts the record and the organization side by side, a part of the ledger at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::Arguments;
use super::target::TargetRow;
use crate::level::InheritedCounts;
use crate::names::shown;
use crate::outside;
use guardrail_keeper::engine::{self, Keeper, Stopped};
use guardrail_keeper::ledger::LedgerError;
use keeper_core::baseline::Baseline;
use keeper_core::ids::{AccountId, ParentId, Region, Target};
use keeper_core::organization::{Account, Organization, Unplaced, not_looked_at};
use keeper_core::record::AccountRecord;
use keeper_core::status::{Criteria, Subject, judge, judge_account};

/// Reads what the arguments ask for.
pub(super) struct StatusReader<'a> {
    pub(super) keeper: &'a Keeper,
    pub(super) baseline: &'a Baseline,
    pub(super) arguments: &'a Arguments,
    /// The accounts that were named; none for all.
    pub(super) accounts: Vec<AccountId>,
    /// The OUs that were named; none for all.
    pub(super) units: Vec<ParentId>,
    pub(super) criteria: Criteria<'a>,
}

/// What became of a reading besides the targets.
#[derive(Debug, Default)]
pub(super) struct ReadResult {
    /// Accounts in which no call can work, by their state.
    pub(super) skipped: BTreeMap<String, usize>,
    /// Accounts whose state this version doesn't know, by that state.
    pub(super) unknown_states: BTreeMap<String, usize>,
    /// Accounts that are being prepared to leave.
    pub(super) leaving: BTreeSet<AccountId>,
    /// How accounts stand on the organization's level.
    pub(super) inherited: InheritedCounts,
    /// Why the whole can't be said to be good, whatever the targets are.
    pub(super) problems: Vec<String>,
    /// What a person should look at, and what makes no target worse.
    pub(super) warnings: Vec<String>,
}

/// Whether an account is in the organization, as far as is known.
enum Belonging {
    Member(Account),
    /// The organization was asked, and doesn't know it.
    Gone,
    /// The organization wasn't asked, and nothing was recorded of where the account stands.
    Unknown,
}

impl StatusReader<'_> {
    /// Calls the visitor with every target that the arguments select, and `step` for every account.
    pub(super) async fn read(
        &self,
        tell: &mut dyn FnMut(TargetRow),
        step: &dyn Fn(),
    ) -> Result<ReadResult, Stopped> {
        let mut read = ReadResult::default();
        let mut told = 0_usize;
        let mut regions = BTreeSet::new();
        let mut counting = |one: TargetRow| {
            told += 1;
            regions.insert(one.target.region.clone());
            tell(one);
        };
        if self.accounts.is_empty() {
            self.everybody(&mut read, &mut counting, step).await?;
        } else {
            self.named(&mut read, &mut counting).await?;
        }
        let named = self.baseline.regions();
        let unknown = self.arguments.region.iter();
        let unknown = unknown.filter(|region| !named.contains(region) && !regions.contains(region));
        read.problems.extend(unknown.map(|region| outside(self.baseline, region)));
        if told == 0 && read.problems.is_empty() {
            read.problems.push("there is no such target".to_owned());
        }
        Ok(read)
    }

    async fn named(&self, read: &mut ReadResult, tell: &mut dyn FnMut(TargetRow)) -> Result<(), Stopped> {
        let known = self.keeper.ledger().accounts_each(&self.accounts).await?;
        let nothing = AccountRecord::default();
        for (id, record) in &known {
            let record = record.as_ref().unwrap_or_else(|error| {
                read.problems.push(unread(id, error));
                &nothing
            });
            let membership = match self.arguments.recorded {
                true => recorded(id, record),
                false => match engine::place(self.keeper, id).await {
                    Ok(Some(placement)) => Belonging::Member(placement.account),
                    Ok(None) => Belonging::Gone,
                    Err(stopped) => {
                        read.problems.push(stopped.to_string());
                        recorded(id, record)
                    }
                },
            };
            let is_known = !record.regions.is_empty();
            match membership {
                Belonging::Gone if !is_known => {
                    read.problems
                        .push(format!("{id} is no member of this organization, and not in the record"));
                }
                Belonging::Unknown if !is_known => {
                    read.problems.push(format!("{id} is not in the record"));
                }
                membership => self.account(id, &membership, record, read, tell),
            }
        }
        Ok(())
    }

    async fn everybody(
        &self,
        read: &mut ReadResult,
        tell: &mut dyn FnMut(TargetRow),
        step: &dyn Fn(),
    ) -> Result<(), Stopped> {
        let mut members = None;
        let mut unplaced = Unplaced::new();
        if !self.arguments.recorded {
            match engine::whole_organization(self.keeper).await {
                Ok(organization) => {
                    self.look_for_ous(&organization, read);
                    let origin = &self.keeper.settings().baseline;
                    let problems = self.baseline.check_organization(&organization);
                    read.warnings
                        .extend(problems.iter().map(|problem| format!("{origin}:{}", problem.in_words())));
                    for (account, failure) in &organization.unplaced {
                        read.problems.push(not_looked_at(account, failure));
                    }
                    unplaced = organization.unplaced;
                    members = Some(organization.accounts);
                }
                Err(stopped) => {
                    let message = format!("{stopped}: accounts that were never looked at are missing here");
                    read.problems.push(message);
                }
            }
        }
        let look = |id: AccountId, record: Result<AccountRecord, LedgerError>| {
            let record = match &record {
                Ok(record) => record,
                // A member follows below, as one of which nothing is known.
                Err(error) => return read.problems.push(unread(&id, error)),
            };
            let membership = match &mut members {
                Some(_) if unplaced.contains_key(id.as_str()) => recorded(&id, record),
                Some(members) => members.remove(&id).map_or(Belonging::Gone, Belonging::Member),
                None => recorded(&id, record),
            };
            self.account(&id, &membership, record, read, tell);
            step();
        };
        self.keeper.ledger().each_known_account(look).await?;
        let nothing = AccountRecord::default();
        for (id, account) in members.unwrap_or_default() {
            self.account(&id, &Belonging::Member(account), &nothing, read, tell);
            step();
        }
        Ok(())
    }

    fn look_for_ous(&self, organization: &Organization, read: &mut ReadResult) {
        let parents: BTreeSet<_> =
            organization.accounts.values().flat_map(|account| account.path.parents()).collect();
        for ou in self.units.iter().filter(|ou| !parents.contains(ou)) {
            read.problems.push(format!("no account stands under {ou}"));
        }
    }

    fn account(
        &self,
        id: &AccountId,
        membership: &Belonging,
        record: &AccountRecord,
        read: &mut ReadResult,
        tell: &mut dyn FnMut(TargetRow),
    ) {
        let path = match membership {
            Belonging::Member(account) => Some(account.path.clone()),
            Belonging::Gone | Belonging::Unknown => record.path().cloned(),
        };
        let under = |ou| path.as_ref().is_some_and(|path| path.parents().contains(ou));
        if !self.units.is_empty() && !self.units.iter().any(under) {
            return;
        }
        read.inherited(id, membership, record);
        if record.offboarding.is_some() {
            read.leaving.insert(id.clone());
        }
        let mut tell = |mut told: TargetRow| {
            if let Belonging::Member(account) = membership {
                told.name = Some(account.name.clone());
            }
            told.path.clone_from(&path);
            tell(told);
        };
        let selects =
            |region: &&Region| self.arguments.region.is_empty() || self.arguments.region.contains(region);
        let target = |region: &Region| Target { account: id.clone(), region: region.clone() };
        let behind = |why: &str, tell: &mut dyn FnMut(TargetRow)| {
            for region in record.regions_of_ours().filter(selects) {
                tell(TargetRow::left_behind(target(region), record, why));
            }
        };
        match membership {
            Belonging::Gone => {
                let closed = record.closed.as_ref().map(|closed| closed.reason.as_str());
                behind(closed.unwrap_or("it is no member of the organization any more"), &mut tell);
            }
            Belonging::Unknown => match &record.closed {
                Some(closed) => behind(&closed.reason, &mut tell),
                None => {
                    for (region, known) in record.regions.iter().filter(|(region, _)| selects(region)) {
                        let target = target(region);
                        let subject = Subject { target: &target, wanted: None, path: None, record: known };
                        let judged = judge(subject, self.criteria);
                        tell(TargetRow::judged(target, None, judged, record));
                    }
                }
            },
            Belonging::Member(account) if account.state.admits_work() => {
                if account.state.is_unknown() {
                    *read.unknown_states.entry(account.state.to_string()).or_default() += 1;
                }
                let judged = judge_account(self.baseline, account, record, self.criteria).into_iter();
                for (target, wanted, judged) in judged.filter(|(target, ..)| selects(&&target.region)) {
                    tell(TargetRow::judged(target, Some(&wanted), judged, record));
                }
            }
            Belonging::Member(account) => {
                if self.accounts.contains(id) {
                    let Account { name, state, .. } = account;
                    read.problems.push(format!("{id} ({}) is {state}: no call can work there", shown(name)));
                }
                *read.skipped.entry(account.state.to_string()).or_default() += 1;
                behind(&format!("the account is {}", account.state), &mut tell);
            }
        }
    }
}

impl ReadResult {
    /// Counts how a member stands on the organization's level.
    fn inherited(&mut self, id: &AccountId, membership: &Belonging, record: &AccountRecord) {
        let is_member = !matches!(membership, Belonging::Gone) && record.closed.is_none();
        if let Some(level) = record.inherited.as_ref().filter(|_| is_member) {
            self.inherited.add(id, level);
        }
    }
}

/// What is said of a record that can't be understood.
fn unread(id: &AccountId, error: &LedgerError) -> String {
    format!("the record of {id} can't be read, so it isn't known what is enforced there: {error}")
}

/// Who an account is by the record alone.
fn recorded(id: &AccountId, record: &AccountRecord) -> Belonging {
    if record.closed.is_some() {
        return Belonging::Gone;
    }
    record.last_known(id).map_or(Belonging::Unknown, Belonging::Member)
}
