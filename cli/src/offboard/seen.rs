//! What is there after a release.

use std::collections::BTreeMap;

use super::Offboarding;
use crate::output::Bar;
use guardrail_keeper::engine::{self, Step};
use keeper_core::enforcement::Enforcement;
use keeper_core::failure::Failure;
use keeper_core::ids::Region;
use keeper_core::observed::Observation;

/// What is there after a release.
pub(super) enum After {
    Nothing,
    NotOurs(Enforcement),
    Ours(Enforcement),
    Unreadable(Failure),
}

impl Offboarding<'_> {
    /// What is there afterwards.
    pub(super) async fn look_again(&self) -> anyhow::Result<BTreeMap<Region, After>> {
        let bar = Bar::new();
        let scope = self.scope();
        let step = |step: Step<'_>| bar.step(step);
        let survey = self.interrupts.or(engine::survey(self.keeper, self.baseline, &scope, &step)).await?;
        let own_roles = &self.keeper.settings().own_roles;
        let account = self.account;
        let records = survey.view.known.records;
        let told = survey.view.observed.into_iter().map(|(target, seen)| {
            // What was adopted may have been handed back meanwhile.
            let is_ours = records.get(&target).is_some_and(|record| record.ours.is_some());
            let region = target.region;
            let after = match seen {
                Observation::Absent => After::Nothing,
                Observation::Enforced(seen) if is_ours || seen.bears_our_name(own_roles, account) => {
                    After::Ours(seen.enforcement)
                }
                Observation::Enforced(seen) => After::NotOurs(seen.enforcement),
                Observation::Unreadable(failure) => After::Unreadable(failure),
            };
            (region, after)
        });
        Ok(told.collect())
    }
}
