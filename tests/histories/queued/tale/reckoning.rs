//! Nothing unguarded stays unreported, whoever keeps it unguarded.

use super::*;

/// How long the events take to arrive at most, of which some come a quarter of an hour late, in seconds.
const SETTLED: i64 = 1000;
/// How long a sweep may take while something goes wrong for good, in seconds.
const SWEPT: i64 = 1800;
/// How long people wait for what may pass by itself, in seconds.
const PATIENCE: u64 = 3600;

impl Tale<'_> {
    /// The events arrive, what goes wrong by itself passes, and a sweep comes to its end; so does another one, more than an
    /// hour later. Whatever somebody did stays as it is, and nobody puts anything right. Each sweep is judged when it ends, as
    /// all are (`judge/unguarded.rs`): here nothing disturbs it.
    pub(super) async fn reckon(&mut self) -> Result<(), Violation> {
        // What another planted bug breaks is for its own invariant to notice.
        let is_planted = self.plant.is_some_and(|plant| !plant.is_about_people());
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
        for attack in [Attack::Shut { account: Some(account) }, Attack::random(self.manner, &mut dice)] {
            self.say(format!("     {attack}"));
            self.attack(&attack);
        }
        self.settle_for(SETTLED, &mut dice).await?;
        self.schedule();
        self.settle_for(SWEPT, &mut dice).await?;
        // What may pass by itself is given an hour.
        self.wait(PATIENCE);
        self.schedule();
        self.settle_for(SWEPT, &mut dice).await?;
        self.figures.unguarded += lock(&self.judge).unguarded_now();
        Ok(())
    }

    /// Works for so many seconds. What waits for somebody to put things right goes on waiting.
    async fn settle_for(&mut self, seconds: i64, dice: &mut Dice) -> Result<(), Violation> {
        let now = self.server.with(|model| model.clock.now());
        let latest = Timestamp::from_second(now.as_second() + seconds).expect("it is a time");
        self.settle_until(latest, dice).await.map(drop)
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
