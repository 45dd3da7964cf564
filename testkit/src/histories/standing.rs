//! How a target stands, by the model alone: what `status` says of it is held against that. The histories and the
//! scenarios of `tests/faults` both judge by it.

use guardrail_keeper::organization::{Account, AccountState};
use guardrail_keeper::record::Record;
use simulator::{EnforcedConfiguration, GuardrailName, Model, ToldState};

use crate::histories::baseline::{Wanted, Wants};
use crate::histories::check::{Book, recorded_signature, signature};
use crate::histories::model::{ORGANIZATION, Place, ROOT};
use crate::histories::setting::Setting;

/// What decides whether a target is good.
#[derive(Clone, Copy)]
pub struct Truth<'a> {
    pub setting: &'a Setting,
    pub wants: &'a Wants,
    pub book: &'a Book,
}

impl Truth<'_> {
    /// Why a target isn't good. `is_ours` tells whether what is enforced in a place is the keeper's.
    pub fn is_wrong(
        &self,
        model: &Model,
        place: &Place,
        is_ours: fn(&Book, &Place, &EnforcedConfiguration) -> bool,
    ) -> Option<String> {
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
                let left = enforced.filter(|seen| is_ours(self.book, place, seen))?;
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
pub fn member(model: &Model, account: &str) -> Option<Account> {
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
pub fn is_as_seen(model: &Model, place: &Place, record: &Record) -> bool {
    let there = model.enforcement(&place.account, &place.region).map(signature);
    let seen = record.seen.as_ref().and_then(|seen| seen.enforcement.as_ref()).map(recorded_signature);
    there == seen
}

/// Whether calls can be made in an account, so that it can be as the baseline wants it.
pub fn is_reachable(model: &Model, account: &str) -> bool {
    model.member(account).is_some_and(|account| account.state == simulator::AccountState::Active)
}
