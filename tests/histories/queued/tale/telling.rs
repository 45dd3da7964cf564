//! What `status` says, after each step.

use guardrail_keeper::baseline::Baseline;

use super::*;
use crate::telling::{Reading, Told};

impl Tale<'_> {
    /// A target that `status` calls good is as the baseline wants it that it follows, or somebody changed it since the
    /// last look in a way that no record tells: what is enforced there, or a guardrail.
    pub(super) fn check_status(&mut self) -> Result<(), Violation> {
        let Ok(present) = Baseline::parse(&self.wants.text(self.setting)) else { return Ok(()) };
        let judge = Arc::clone(&self.judge);
        let (baseline, wants) = lock(&judge).followed(&present, &self.wants);
        let judged = self.server.with(|model| {
            let judge = lock(&judge);
            let told = Told {
                setting: self.setting,
                wants: &wants,
                baseline: &baseline,
                book: &judge.book,
                reading: self.plant.map_or(Reading::Right, Plant::reading),
                now: self.clock.now(),
            };
            let accounts = self.setting.assignable();
            let good = accounts.iter().map(|account| {
                let record = judge.account_record(account);
                told.check(model, account, &record, |place, looked| judge.may_know_all(place, looked))
            });
            good.sum::<Result<usize, Violation>>()
        });
        self.figures.called_good += judged?;
        Ok(())
    }

    /// The baseline that accounts follow, by the keeper's ledger, is one that counts by the judge's own reckoning.
    pub(super) fn check_followed(&mut self) -> Result<(), Violation> {
        let Ok(present) = Baseline::parse(&self.wants.text(self.setting)) else { return Ok(()) };
        lock(&self.judge).check_followed(&present)
    }
}
