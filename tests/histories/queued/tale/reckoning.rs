//! Nothing unguarded stays unreported, whoever keeps it unguarded.

use super::*;

/// How long the events take to arrive at most, of which some come a quarter of an hour late, in seconds.
const SETTLED: i64 = 1000;
/// How long it takes until no event announces any more what a sweep repairs, and more, in seconds.
const FORGOTTEN: u64 = 1000;
/// How long AWS may go on showing what was there before, and more, in seconds.
const SEEN: u64 = 60;
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
        if self.manner.heard || self.setting.seed % 3 != 1 || is_planted {
            return Ok(());
        }
        self.say("     the reckoning: a sweep, and what it finds unguarded".to_owned());
        self.happened += 1;
        let shut = std::mem::take(&mut self.shut);
        self.end_faults().await?;
        self.set_ledger(true);
        self.hide_ledger(false);
        self.finish_all().await?;
        self.post.loses_nothing_any_more();
        // Whatever a baseline writer did, two people put a baseline that guards.
        self.wants = self.wants.begun_anew(self.setting);
        self.publish();
        self.approve();
        let mut dice = Dice::new(self.setting.seed);
        // In half of them the keeper is at its best when it is struck, in half it is under attack.
        let at_its_best = self.setting.seed.is_multiple_of(2);
        if !at_its_best {
            shut.into_iter().for_each(|account| self.deny_all(account));
            self.attack_openly(&mut dice);
        }
        self.settle_for(SETTLED, &mut dice).await?;
        self.wait(FORGOTTEN);
        self.strike_silently(dice.below(2), at_its_best);
        self.wait(SEEN);
        self.schedule();
        self.settle_for(SWEPT, &mut dice).await?;
        // What may pass by itself is given an hour.
        self.wait(PATIENCE);
        self.schedule();
        self.settle_for(SWEPT, &mut dice).await?;
        self.figures.unguarded += lock(&self.judge).unguarded_now();
        Ok(())
    }

    /// An enforcement is removed where the keeper's role can do nothing about it, and something else is done.
    fn attack_openly(&mut self, dice: &mut Dice) {
        let (account, region) = (1 + dice.below(3), dice.below(2));
        self.meddle(Meddling::Remove { account, region });
        for attack in [Attack::Shut { account: Some(account) }, Attack::random(self.manner, dice)] {
            self.say(format!("     {attack}"));
            self.attack(&attack);
        }
    }

    /// What members enforce is removed, and no event tells of it. `shuts` says that the keeper's role is shut out of them.
    fn strike_silently(&mut self, region: usize, shuts: bool) {
        self.say(format!(
            "     what members enforce is removed, and nobody tells of it; they are shut: {shuts}"
        ));
        for account in 1..self.setting.assignable().len() {
            self.meddle(Meddling::Remove { account, region });
            if shuts {
                self.deny_all(account);
            }
        }
        self.post.lose_what_happened(&self.server);
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
