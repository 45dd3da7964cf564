//! Nothing unguarded stays unreported, whoever keeps it unguarded.

use std::collections::BTreeSet;

use guardrail_keeper::baseline::Baseline;
use guardrail_keeper::status::{Criteria, judge_account};
use testkit::histories::standing::member;

use super::*;

/// How long the events take to arrive at most, of which some come a quarter of an hour late, in seconds.
const SETTLED: i64 = 1000;
/// How long a sweep may take while something goes wrong for good, in seconds.
const SWEPT: i64 = 1800;

impl Tale<'_> {
    /// The events arrive, what goes wrong by itself passes, and a sweep comes to its end. Whatever somebody did stays as it
    /// is, and nobody puts anything right. Then each target that the baseline wants guarded, and that isn't, is named by
    /// the keeper: by `status`, and with its account and Region on the bus.
    pub(super) async fn reckon(&mut self) -> Result<(), Violation> {
        // What another planted bug breaks is for its own invariant to notice.
        let is_planted = self.plant.is_some_and(|plant| plant != Plant::KeepsQuiet);
        if self.manner.heard || self.setting.seed % 3 != 1 || self.wants.invalid || is_planted {
            return Ok(());
        }
        self.say("     the reckoning: a sweep, and what it finds unguarded".to_owned());
        self.happened += 1;
        let shut = std::mem::take(&mut self.shut);
        self.end_faults().await?;
        self.set_ledger(true);
        self.hide_ledger(false);
        self.finish_all().await?;
        shut.into_iter().for_each(|account| self.deny_all(account));
        self.post.loses_nothing_any_more();
        let mut dice = Dice::new(self.setting.seed);
        // Somebody sees to it that there is something to be reported: an enforcement is removed where the keeper's role
        // can do nothing about it.
        let (account, region) = (1 + dice.below(3), dice.below(2));
        self.meddle(Meddling::Remove { account, region });
        for attack in [Attack::Shut { account }, Attack::random(self.manner, &mut dice)] {
            self.say(format!("     {attack}"));
            self.attack(&attack);
        }
        self.settle_for(SETTLED, &mut dice).await?;
        lock(&self.judge).forget_sweeps();
        self.schedule();
        self.settle_for(SWEPT, &mut dice).await?;
        self.check_reported()
    }

    /// Works for so many seconds. What waits for somebody to put things right goes on waiting.
    async fn settle_for(&mut self, seconds: i64, dice: &mut Dice) -> Result<(), Violation> {
        let now = self.server.with(|model| model.clock.now());
        let latest = Timestamp::from_second(now.as_second() + seconds).expect("it is a time");
        self.settle_until(latest, dice).await.map(drop)
    }

    fn check_reported(&mut self) -> Result<(), Violation> {
        let Ok(present) = Baseline::parse(&self.wants.text(self.setting)) else { return Ok(()) };
        let judge = Arc::clone(&self.judge);
        let (baseline, wants) = lock(&judge).followed(&present, &self.wants);
        let setting = self.setting;
        let unguarded = self.server.with(|model| {
            let places = setting.assignable().into_iter().flat_map(|account| {
                setting
                    .regions()
                    .iter()
                    .map(move |region| Place { account: account.clone(), region: (*region).to_owned() })
            });
            let mut is_unguarded = |place: &Place| {
                let wanted = is_reachable(model, &place.account)
                    && wants.of(setting, model, place) == Wanted::Guardrail;
                let seen = model.enforcement(&place.account, &place.region).cloned();
                let met = seen.is_some_and(|seen| wants.is_met(setting, model, place, &seen));
                wanted && !(met && blocked_prompt(model, place) == Prompt::Stopped)
            };
            places.filter(|place| is_unguarded(place)).collect::<Vec<Place>>()
        });
        let judge = lock(&judge);
        for place in unguarded {
            self.figures.unguarded += 1;
            if self.server.with(|model| is_called_good(&judge, &baseline, model, &place, self.clock.now())) {
                return broken(
                    Invariant::Unreported,
                    format!("{place} is unguarded, and status calls it good"),
                );
            }
            if !judge.names_at_the_end_of_the_sweep(&place) {
                return broken(
                    Invariant::Unreported,
                    format!("{place} is unguarded, and the end of the sweep doesn't name it"),
                );
            }
            self.figures.named += usize::from(judge.was_named(&place));
        }
        Ok(())
    }

    /// The keeper's role is shut out of an account.
    pub(super) fn deny_all(&mut self, account: usize) {
        self.shut.insert(account);
        self.faults = true;
        for wrong in shut_out(account) {
            self.server.fault(wrong.fault(self.setting));
            lock(&self.judge).faults.push(wrong);
        }
    }
}

/// What `status` says of a place.
fn is_called_good(
    judge: &Judge,
    baseline: &Baseline,
    model: &simulator::Model,
    place: &Place,
    now: Timestamp,
) -> bool {
    let Some(member) = member(model, &place.account) else { return false };
    let record = judge.account_record(&place.account);
    let criteria =
        Criteria { now, oldest: Timestamp::MIN, revision: Some(&baseline.revision), owner: &baseline.owner };
    let good: BTreeSet<String> = judge_account(baseline, &member, &record, criteria)
        .into_iter()
        .filter(|(_, _, judged)| judged.standing.is_good())
        .map(|(target, _, _)| target.to_string())
        .collect();
    good.contains(&place.to_string())
}
