//! What `status` says of every target, held against what is so: nothing is called good that isn't.

use guardrail_keeper::baseline::Baseline;
use guardrail_keeper::organization::AccountState;
use guardrail_keeper::record::AccountRecord;
use guardrail_keeper::status::{Criteria, Judged, Standing, Subject, judge, judge_account, wanted_in};
use jiff::Timestamp;
use simulator::Model;

use testkit::histories::baseline::Wants;
use testkit::histories::check::{Book, Invariant, Violation, broken};
use testkit::histories::model::Place;
use testkit::histories::setting::Setting;
use testkit::histories::standing::{Truth, is_as_seen, member};

pub(crate) use testkit::histories::standing::is_reachable;

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
        let criteria = Criteria { now: self.now, oldest: Timestamp::MIN, revision: Some(&baseline.revision) };
        let truth = Truth { setting: self.setting, wants: self.wants, book: self.book };
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
            if let Some(wrong) = truth.is_wrong(model, &place, Book::is_provably_applied) {
                let Judged { reason, .. } = judged;
                let what = format!("{place} is called {standing} ({reason:?}), and {wrong}");
                return broken(Invariant::CalledGood, what);
            }
        }
        Ok(good)
    }
}
