//! What others are told of a run's writes, and of those that earlier runs could not tell.

use jiff::Timestamp;

use super::{Outcome, Report, TargetReport};
use crate::ids::Target;
use crate::record::Intent;

impl Report {
    /// The writes that earlier runs made and could not tell. What a round of this very run recorded is told as its own.
    pub fn told_late(&self) -> impl Iterator<Item = (&Target, &Intent)> {
        let all =
            self.owed.iter().flat_map(|(target, writes)| writes.iter().map(move |write| (target, write)));
        all.filter(|(target, write)| self.begun(target) != Some(write.at))
    }

    /// Each write that is told of this run, by when it was begun.
    pub fn told(&self) -> impl Iterator<Item = (&Target, Timestamp)> {
        let made = self.targets.keys().filter_map(|target| Some((target, self.begun(target)?)));
        made.chain(self.told_late().map(|(target, write)| (target, write.at)))
    }

    /// When the write of this run in a target was begun, where one is told.
    fn begun(&self, target: &Target) -> Option<Timestamp> {
        match self.targets.get(target)? {
            TargetReport::Attempted(Outcome { result: Ok(()), begun, .. }) => *begun,
            TargetReport::Attempted(_) | TargetReport::Decided(_) => None,
        }
    }
}
