//! What a write is excused by that isn't right by what is so now: each excuse is counted, and has a cap.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::answers::old_answer;
use super::{Context, Judge};
use testkit::histories::step::Wrong;

/// Why the judge lets a write pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excuse {
    /// Somebody changed the owner's guardrails, and no task of the owner's Region has looked at them since.
    OwnerChanged,
    /// Somebody meddled while it was under way.
    Meddled,
}

impl Excuse {
    pub(crate) const ALL: [Excuse; 2] = [Excuse::OwnerChanged, Excuse::Meddled];

    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Excuse::OwnerChanged => "written when the owner's side had just changed",
            Excuse::Meddled => "written while somebody meddled",
        }
    }
}

/// How often each was needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Excused {
    pub(crate) writes: BTreeMap<Excuse, usize>,
    /// Records that were judged. None is excused.
    pub(crate) records: usize,
}

impl Excused {
    pub(crate) fn add(&mut self, other: Excused) {
        let Excused { writes, records } = other;
        writes.into_iter().for_each(|(excuse, number)| *self.writes.entry(excuse).or_default() += number);
        self.records += records;
    }

    pub(super) fn note_write(&mut self, excuse: Option<Excuse>) {
        excuse.into_iter().for_each(|excuse| *self.writes.entry(excuse).or_default() += 1);
    }
}

impl Judge {
    /// What may excuse a write in a Region, the strictest first: none, and then each together with those before it.
    pub(super) fn excuses(
        &self,
        group: &str,
        region: Option<&str>,
        context: &Context,
        meddled: bool,
    ) -> Vec<(Option<Excuse>, Vec<Wrong>)> {
        let mut excuses = vec![(None, Vec::new())];
        let mut faults = Vec::new();
        if !group.starts_with("owner.") && self.owner_may_be_old(region, self.worlds[context.began].0) {
            faults.push(old_answer(&self.setting, &self.setting.owner(), "GetGuardrail"));
            excuses.push((Some(Excuse::OwnerChanged), faults.clone()));
        }
        if meddled {
            excuses.push((Some(Excuse::Meddled), faults));
        }
        excuses
    }

    /// Whether what an invocation that began at a certain time knows of the owner's side of a Region, or of any, may
    /// be older than what somebody changed there.
    fn owner_may_be_old(&self, region: Option<&str>, began: Timestamp) -> bool {
        let Some(changed) = self.owner.changed else { return false };
        let is_old = |region: &str| self.owner.known_since(region, began) < changed;
        match region {
            Some(region) => is_old(region),
            None => self.setting.regions().iter().any(|region| is_old(region)),
        }
    }
}
