//! What is published of a run's writes, and of those that earlier runs could not publish.

use jiff::Timestamp;

use super::{ChangeResult, Report};
use crate::failure::{Call, Category, Code};
use crate::ids::Target;
use crate::record::Intent;

impl ChangeResult {
    /// Whether AWS may have carried the change out, whatever its answer was. A release surely wasn't made where
    /// another call failed before it, or where AWS denied it: should another principal remove the enforcement later,
    /// that isn't the keeper's write. Of other changes AWS shows who wrote last.
    pub fn may_have_been_made(&self) -> bool {
        match &self.result {
            Err(failure) if self.change.is_release() => {
                failure.call() == Call::Release
                    && failure.code != Code::Denied
                    && failure.category != Category::Denied
            }
            Ok(()) | Err(_) => true,
        }
    }
}

impl Report {
    /// The writes that earlier runs made and could not publish. Writes of this run are published as its own.
    pub fn told_late(&self) -> impl Iterator<Item = (&Target, &Intent)> {
        let all =
            self.owed.iter().flat_map(|(target, writes)| writes.iter().map(move |write| (target, write)));
        all.filter(|(target, write)| self.begun(target) != Some(write.at))
    }

    /// Each write of this run that is published, by when it was begun.
    pub fn told(&self) -> impl Iterator<Item = (&Target, Timestamp)> {
        let made = self.targets.keys().filter_map(|target| Some((target, self.begun(target)?)));
        made.chain(self.told_late().map(|(target, write)| (target, write.at)))
    }

    /// When the write of this run in a target was begun, where one is published.
    fn begun(&self, target: &Target) -> Option<Timestamp> {
        let outcome = self.targets.get(target)?.outcome()?;
        outcome.begun.filter(|_| outcome.result.is_ok())
    }
}
