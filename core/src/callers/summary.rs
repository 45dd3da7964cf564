//! What a look into one account, and into many, comes to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::CallerVerdict;

/// How an account stands before an enforcement, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountAccess {
    /// Some principals would lose access to models.
    Breaks,
    /// It isn't known whether some would.
    Unknown,
    /// None would.
    Fine,
    /// Nothing is to be enforced there.
    NothingWanted,
    /// No call can work there: it is suspended, for example.
    Off,
}

/// Principals, each by the worst that holds for it in any Region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Principals {
    /// Who would lose access to models.
    pub breaks: usize,
    /// Principals of which that isn't known.
    pub unknown: usize,
    /// Who invokes models and may go on.
    pub fine: usize,
    /// Who invokes none.
    pub no_caller: usize,
    /// Roles of AWS's services, which are not asked about.
    pub of_services: usize,
}

impl Principals {
    /// Counts a principal by its verdicts in all Regions.
    pub fn count<'a>(&mut self, verdicts: impl IntoIterator<Item = &'a CallerVerdict>) {
        let worst = verdicts.into_iter().map(|verdict| match verdict {
            CallerVerdict::Breaks { .. } => 3,
            CallerVerdict::Unknown { .. } => 2,
            CallerVerdict::Fine => 1,
            CallerVerdict::NoCaller => 0,
        });
        match worst.max() {
            Some(3) => self.breaks += 1,
            Some(2) => self.unknown += 1,
            Some(1) => self.fine += 1,
            Some(_) | None => self.no_caller += 1,
        }
    }

    /// How many were asked about.
    pub fn asked(&self) -> usize {
        let Principals { breaks, unknown, fine, no_caller, of_services: _ } = self;
        breaks + unknown + fine + no_caller
    }

    /// How their account stands. `complete` is whether all could be read that the verdicts rest on.
    pub fn standing(&self, complete: bool) -> AccountAccess {
        if self.breaks > 0 {
            AccountAccess::Breaks
        } else if self.unknown > 0 || !complete {
            AccountAccess::Unknown
        } else {
            AccountAccess::Fine
        }
    }
}

/// Accounts by how they stand, with all their principals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CallersSummary {
    /// How many accounts stand like that.
    pub accounts: BTreeMap<AccountAccess, usize>,
    /// The principals of all of them.
    pub principals: Principals,
}

impl CallersSummary {
    /// Counts an account.
    pub fn add(&mut self, standing: AccountAccess, principals: Principals) {
        *self.accounts.entry(standing).or_default() += 1;
        let Principals { breaks, unknown, fine, no_caller, of_services } = principals;
        self.principals.breaks += breaks;
        self.principals.unknown += unknown;
        self.principals.fine += fine;
        self.principals.no_caller += no_caller;
        self.principals.of_services += of_services;
    }

    /// How many accounts stand like that.
    pub fn count(&self, standing: AccountAccess) -> usize {
        self.accounts.get(&standing).copied().unwrap_or_default()
    }

    /// How many accounts were counted.
    pub fn all(&self) -> usize {
        self.accounts.values().sum()
    }

    /// Whether it is known of every account that no principal would lose access; `false` for no accounts at all.
    pub fn is_good(&self) -> bool {
        self.all() > 0 && self.count(AccountAccess::Breaks) == 0 && self.count(AccountAccess::Unknown) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts() -> [CallerVerdict; 4] {
        let unknown = CallerVerdict::Unknown { why: "denied".to_owned() };
        [CallerVerdict::NoCaller, CallerVerdict::Fine, unknown, CallerVerdict::Breaks { lacks: Vec::new() }]
    }

    #[test]
    fn a_principal_counts_by_the_worst_of_its_regions() {
        let all = verdicts();
        for (rank, worst) in all.iter().enumerate() {
            for other in &all[..=rank] {
                let mut counted = Principals::default();
                counted.count([other, worst]);
                let Principals { breaks, unknown, fine, no_caller, .. } = counted;
                let mut expected = [0; 4];
                expected[rank] = 1;
                assert_eq!([no_caller, fine, unknown, breaks], expected, "{other:?} {worst:?}");
                assert_eq!(counted.asked(), 1);
            }
        }
    }

    #[test]
    fn an_account_is_fine_only_where_all_of_it_is_known() {
        for complete in [true, false] {
            for verdict in &verdicts() {
                let mut principals = Principals::default();
                principals.count([verdict]);
                let fine = complete && matches!(verdict, CallerVerdict::NoCaller | CallerVerdict::Fine);
                let standing = principals.standing(complete);
                assert_eq!(standing == AccountAccess::Fine, fine, "{verdict:?} {complete}");
                let breaks = matches!(verdict, CallerVerdict::Breaks { .. });
                assert_eq!(standing == AccountAccess::Breaks, breaks, "{verdict:?} {complete}");
            }
        }
    }

    #[test]
    fn the_whole_is_good_only_where_every_account_is() {
        let all = [
            AccountAccess::Breaks,
            AccountAccess::Unknown,
            AccountAccess::Fine,
            AccountAccess::NothingWanted,
            AccountAccess::Off,
        ];
        assert!(!CallersSummary::default().is_good(), "nothing is known of nobody");
        for one in all {
            for other in all {
                let mut summary = CallersSummary::default();
                summary.add(one, Principals::default());
                summary.add(other, Principals::default());
                let bad = |standing| matches!(standing, AccountAccess::Breaks | AccountAccess::Unknown);
                assert_eq!(summary.is_good(), !bad(one) && !bad(other), "{one:?} {other:?}");
                assert_eq!(summary.all(), 2);
            }
        }
    }
}
