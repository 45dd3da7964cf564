//! What `status` says of every target, held against what is so: nothing is called good that isn't.

use guardrail_keeper::baseline::Baseline;
use guardrail_keeper::organization::{Account, AccountState};
use guardrail_keeper::record::{AccountRecord, Record};
use guardrail_keeper::status::{Criteria, Judged, Standing, Subject, judge, judge_account, wanted_in};
use jiff::Timestamp;
use simulator::{GuardrailName, Model, ToldState};

use crate::baseline::{Wanted, Wants};
use crate::check::{Book, Invariant, Violation, broken, recorded_signature, signature};
use crate::model::{ORGANIZATION, Place, ROOT};
use crate::setting::Setting;

/// How `status` is read: as it is, or as a planted bug would have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Right,
    /// By what the last look was called, whatever is wanted by now.
    ByTheWord,
    /// As if every account were active whose state nobody knows.
    UnknownAsActive,
    /// Without what stays in an account that is about to leave.
    WithoutWhatStays,
}

/// What a judgement rests on.
pub(crate) struct Told<'a> {
    pub(crate) setting: &'a Setting,
    pub(crate) wants: &'a Wants,
    /// What `wants` says, as it is read.
    pub(crate) baseline: &'a Baseline,
    pub(crate) book: &'a Book,
    pub(crate) reading: Reading,
    pub(crate) now: Timestamp,
}

impl Told<'_> {
    /// A target that `status` calls good is as the present baseline wants it, wherever `knows` says that the record
    /// knows all that matters. Says how many were called good.
    pub(crate) fn check(
        &self,
        model: &Model,
        account: &str,
        record: &AccountRecord,
        knows: impl Fn(&Place, Option<Timestamp>) -> bool,
    ) -> Result<usize, Violation> {
        let baseline = self.baseline;
        let Some(mut member) = member(model, account) else { return Ok(0) };
        let unknown = member.state.is_unknown();
        if self.reading == Reading::UnknownAsActive {
            member.state = AccountState::Active;
        }
        let criteria = Criteria {
            now: self.now,
            oldest: Timestamp::MIN,
            revision: Some(&baseline.revision),
            owner: &baseline.owner,
        };
        let mut good = 0;
        for (target, _, judged) in judge_account(baseline, &member, record, criteria) {
            let here = record.regions.get(&target.region).cloned().unwrap_or_default();
            let place = Place { account: account.to_owned(), region: target.region.to_string() };
            let standing = match self.reading {
                _ if unknown => judged.standing,
                Reading::Right | Reading::UnknownAsActive => judged.standing,
                Reading::ByTheWord => {
                    here.checked.as_ref().map_or(judged.standing, |it| Standing::of(it.state))
                }
                Reading::WithoutWhatStays => {
                    let wanted = wanted_in(baseline, &member, record);
                    let wanted = wanted.get(&target);
                    judge(
                        Subject { target: &target, wanted, path: Some(&member.path), record: &here },
                        criteria,
                    )
                    .standing
                }
            };
            if !standing.is_good() {
                continue;
            }
            if unknown {
                let what = format!("{place} is called {standing}, and nobody knows the account's state");
                return broken(Invariant::CalledGood, what);
            }
            let looked = here.checked.as_ref().map(|checked| checked.at);
            if !knows(&place, looked) || !is_as_seen(model, &place, &here) {
                continue;
            }
            good += 1;
            if let Some(wrong) = self.is_wrong(model, &place) {
                let Judged { reason, .. } = judged;
                let what = format!("{place} is called {standing} ({reason:?}), and {wrong}");
                return broken(Invariant::CalledGood, what);
            }
        }
        Ok(good)
    }

    /// Why a target isn't good.
    fn is_wrong(&self, model: &Model, place: &Place) -> Option<String> {
        let enforced = model.enforcement(&place.account, &place.region);
        if self.wants.leaving.contains(&place.account) {
            let of_others =
                |arn: &str| GuardrailName::from_arn(arn).is_some_and(|it| it.account != place.account);
            if let Some(stays) = enforced.filter(|seen| of_others(&seen.guardrail_arn)) {
                return Some(format!("the account is about to leave, and {} stays", stays.guardrail_arn));
            }
        }
        match self.wants.of(self.setting, model, place) {
            Wanted::HandsOff => None,
            Wanted::Nothing => {
                let left = enforced.filter(|seen| self.book.is_provably_applied(place, seen))?;
                Some(format!("nothing is wanted there, and {left:?} of the keeper's is"))
            }
            Wanted::Guardrail => {
                let met = enforced.is_some_and(|seen| self.wants.is_met(self.setting, model, place, seen));
                (!met).then(|| format!("the guardrail is wanted there, and {enforced:?} is"))
            }
        }
    }
}

/// An account as Organizations tells it, if calls can be made there.
fn member(model: &Model, account: &str) -> Option<Account> {
    if !is_reachable(model, account) {
        return None;
    }
    let parent = model.parent_of(account).ok()?;
    let path = match parent.as_str() {
        ROOT => format!("{ORGANIZATION}/{ROOT}/"),
        unit => format!("{ORGANIZATION}/{ROOT}/{unit}/"),
    };
    let state = match &model.account(account)?.told_state {
        None => AccountState::Active,
        Some(ToldState::Word(word)) => AccountState::Other(word.clone()),
        Some(ToldState::Nothing) => AccountState::not_told(),
    };
    Some(Account {
        id: account.parse().expect("an account id"),
        name: account.to_owned(),
        state,
        path: path.parse().expect("a path"),
        joined: None,
    })
}

/// Whether what the last look saw is there still.
fn is_as_seen(model: &Model, place: &Place, record: &Record) -> bool {
    let there = model.enforcement(&place.account, &place.region).map(signature);
    let seen = record.seen.as_ref().and_then(|seen| seen.enforcement.as_ref()).map(recorded_signature);
    there == seen
}

/// Whether calls can be made in an account, so that it can be as the baseline wants it.
pub(crate) fn is_reachable(model: &Model, account: &str) -> bool {
    model.member(account).is_some_and(|account| account.state == simulator::AccountState::Active)
}
