//! How a target stands: what is wanted of it now, held against what was last seen there.
//!
//! Pure. The record keeps a word for each look, such as `in_sync`. That word was true for what was
//! wanted at the time of the look. So it counts only while the account's path, its assignment and the
//! baseline's revision are the same as then, and only if what was seen is what is wanted now. `status`,
//! the end of a sweep, its metrics and a terminal that follows a deployed keeper all judge by this module.

mod judge;
mod leaving;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::baseline::{Baseline, Revision};
use crate::desired::{Desired, Wanted, desired, release_leaving};
use crate::ids::Target;
use crate::organization::{Account, AccountState, OrgPath, Organization};
use crate::record::{AccountRecord, Record};
use crate::trigger::Regions;

pub use judge::judge;
pub use leaving::Stays;
pub use standing::{Standing, UnknownStanding};

/// What judgements rest on besides the target itself.
#[derive(Clone, Copy, Debug)]
pub struct Criteria<'a> {
    /// The time of the judgement.
    pub now: Timestamp,
    /// A look from before this time is stale.
    pub oldest: Timestamp,
    /// The present baseline's revision: looks under another one are stale. `None` where the present
    /// baseline can't be read; then nothing as a whole may be called good.
    pub revision: Option<&'a Revision>,
}

/// One target, what is wanted of it now, and what is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The target.
    pub target: &'a Target,
    /// What is wanted there now; `None` where that isn't known.
    pub wanted: Option<&'a Wanted>,
    /// Where the account stands now; `None` where that isn't known.
    pub path: Option<&'a OrgPath>,
    /// What is recorded.
    pub record: &'a Record,
}

/// What a judgement came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// How the target stands.
    pub standing: Standing,
    /// Why, where the standing doesn't say it all.
    pub reason: Option<String>,
}

impl Judged {
    /// Whatever was seen: in an account whose state this version doesn't know, nothing is good.
    fn in_an_account_that_is(self, state: &AccountState) -> Judged {
        let Judged { standing, reason } = self;
        if !(state.is_unknown() && standing.is_good()) {
            return Judged { standing, reason };
        }
        let reason = Some(format!("{standing}, but the account is {state}"));
        Judged { standing: Standing::Unknown, reason }
    }
}

/// What is wanted now in an account that is worked on, in every Region that matters there: those of the baseline,
/// and those where the record knows something of ours.
pub fn wanted_in(baseline: &Baseline, account: &Account, record: &AccountRecord) -> Desired {
    let organization = Organization::part(
        baseline.organization.clone(),
        baseline.owner.clone(),
        BTreeMap::from([(account.id.clone(), account.clone())]),
    );
    let records = record.records(&account.id);
    let mut desired = desired(baseline, &organization, &records, &Regions::All, &BTreeSet::new());
    if record.is_leaving(account.joined) {
        release_leaving(&mut desired, &BTreeSet::from([account.id.clone()]));
    }
    desired
}

/// Judges every target of an account that is worked on.
pub fn judge_account(
    baseline: &Baseline,
    account: &Account,
    record: &AccountRecord,
    criteria: Criteria<'_>,
) -> Vec<(Target, Wanted, Judged)> {
    let nothing = Record::default();
    let judged = wanted_in(baseline, account, record).into_iter().map(|(target, wanted)| {
        let here = record.regions.get(&target.region).unwrap_or(&nothing);
        let subject =
            Subject { target: &target, wanted: Some(&wanted), path: Some(&account.path), record: here };
        let judged = judge(subject, criteria).where_it_may_leave(&account.id, record, here);
        let judged = judged.in_an_account_that_is(&account.state);
        (target, wanted, judged)
    });
    judged.collect()
}
