//! What `status` says of every target, held against what is so: nothing is called good that isn't.

use guardrail_keeper::baseline::Baseline;
use guardrail_keeper::organization::{Account, AccountState};
use guardrail_keeper::record::Record;
use guardrail_keeper::status::{Criteria, Judged, Standing, judge_account};
use simulator::Model;

use super::*;
use crate::check::{recorded_signature, signature};
use crate::model::{ORGANIZATION, ROOT};
use crate::step::WrongKind;

impl Tale<'_> {
    /// A target that `status` calls good is as the present baseline wants it, or somebody changed it since the last
    /// look in a way that no record tells: what is enforced there, or a guardrail.
    pub(super) fn check_status(&mut self) -> Result<(), Violation> {
        let Ok(baseline) = Baseline::parse(&self.wants.text(self.setting)) else { return Ok(()) };
        let (now, oldest) = (Timestamp::now(), Timestamp::MIN);
        let criteria = Criteria { now, oldest, revision: Some(&baseline.revision), owner: &baseline.owner };
        let judge = Arc::clone(&self.judge);
        let mut called_good = 0;
        let judged = self.server.with(|model| {
            let judge = lock(&judge);
            if judge.faults.iter().any(|wrong| wrong.kind == WrongKind::StaleRead) {
                return Ok(());
            }
            for account in self.setting.assignable() {
                let Some(member) = member(model, &account) else { continue };
                let record = judge.account_record(&account);
                for (target, _, judged) in judge_account(&baseline, &member, &record, criteria) {
                    let here = record.regions.get(&target.region).cloned().unwrap_or_default();
                    let standing = self.standing(&judged, &here);
                    let place = Place { account: account.clone(), region: target.region.to_string() };
                    if !standing.is_good() || !is_as_seen(model, &judge, &place, &here) {
                        continue;
                    }
                    called_good += 1;
                    if let Some(wrong) = self.is_wrong(model, &judge, &place) {
                        let what = format!("{place} is called {standing}, and {wrong}");
                        return broken(Invariant::CalledGood, what);
                    }
                }
            }
            Ok(())
        });
        self.figures.called_good += called_good;
        judged
    }

    /// How it stands; by a planted bug, as the last look called it, whatever is wanted by now.
    fn standing(&self, judged: &Judged, record: &Record) -> Standing {
        let word = record.checked.as_ref().map(|checked| Standing::of(checked.state));
        match (self.plant, word) {
            (Some(Plant::GoesByTheWord), Some(word)) => word,
            _ => judged.standing,
        }
    }

    /// Why a target isn't good.
    fn is_wrong(&self, model: &Model, judge: &Judge, place: &Place) -> Option<String> {
        let enforced = model.enforcement(&place.account, &place.region);
        match self.wants.of(self.setting, model, place) {
            Wanted::HandsOff => None,
            Wanted::Nothing => {
                let left = enforced.filter(|seen| judge.book.is_as_applied(place, seen))?;
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
    Some(Account {
        id: account.parse().expect("an account id"),
        name: account.to_owned(),
        state: AccountState::Active,
        path: path.parse().expect("a path"),
        joined: None,
    })
}

/// Whether the record knows all that matters: nobody changed a guardrail since the last look, and what it saw is there.
fn is_as_seen(model: &Model, judge: &Judge, place: &Place, record: &Record) -> bool {
    let there = model.enforcement(&place.account, &place.region).map(signature);
    let seen = record.seen.as_ref().and_then(|seen| seen.enforcement.as_ref()).map(recorded_signature);
    judge.may_know_all(place) && there == seen
}
