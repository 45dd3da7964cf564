//! How far a revision of the baseline is approved, and what was changed lately without a person's approval.

use serde::{Deserialize, Serialize};

use super::{Ceilings, Extent, GivenApproval, Unreviewed};
use crate::baseline::{Limits, NamedIds, Revision};
use crate::plan::HoldReason;

/// How far a revision is approved: what was counted of it, what was done under it, and who let it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionApproval {
    /// The revision.
    pub revision: Revision,
    /// Whether it may change as much as it wants: a person approved it, or the whole of it was within its limits.
    pub approved: bool,
    /// What was replaced and released under it before it was approved.
    pub done: Extent,
    /// What the whole of it would replace and release, counted from the record before anything was
    /// queued. `None` where it isn't counted yet.
    #[serde(default)]
    pub counted: Option<Extent>,
    /// What accounts that moved in the tree had replaced and released under it, once it was approved.
    #[serde(default)]
    pub moved: Moved,
    /// The ids that it names and for which no account was found when it was counted.
    #[serde(default)]
    pub names_nobody: NamedIds,
    /// How often a person approved it. A revision within its limits is approved without one.
    #[serde(default)]
    pub approvals: u32,
    /// Whether its count was published.
    #[serde(default)]
    pub told: bool,
    /// What revisions changed lately that no person approved. It counts against the ceilings of the next ones.
    #[serde(default)]
    pub unreviewed: Unreviewed,
    /// The approval that a person gave last, and whether it counts. `None` where none was given, or it was recorded
    /// without a parameter: by an earlier version, or for a baseline in a file.
    #[serde(default)]
    pub given: Option<GivenApproval>,
    /// What other revisions, which no person approved, had changed within a day when this one was counted, where it would
    /// have been within its limits but for them.
    #[serde(default)]
    pub earlier: Extent,
    /// How many accounts counted with every Region, because Organizations didn't say where they stand. As long as it waits
    /// with such accounts, each sweep counts it again.
    #[serde(default)]
    pub unplaced: u32,
}

/// What a revision may change without a person's approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The limits that the baseline gives.
    pub limits: Limits,
    /// What the deployment allows all revisions of a day together.
    pub ceilings: Ceilings,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// How much moves of accounts have changed lately. A mistake in the tree is limited like one in the
/// baseline: both take the guardrail away from many accounts at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moved {
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// How much.
    pub extent: Extent,
}

/// How long moves are counted together, in seconds: a day.
const MOVES_COUNTED_SECONDS: u64 = 24 * 3600;

impl RevisionApproval {
    /// A revision that was never seen before, in a ledger that knows of none.
    pub fn new(revision: Revision) -> RevisionApproval {
        RevisionApproval {
            revision,
            approved: false,
            done: Extent::default(),
            counted: None,
            moved: Moved::default(),
            names_nobody: NamedIds::default(),
            approvals: 0,
            told: false,
            unreviewed: Unreviewed::default(),
            given: None,
            earlier: Extent::default(),
            unplaced: 0,
        }
    }

    /// How far this revision is approved by what the ledger knows. Where that is of another revision, nothing of it
    /// counts but what is counted over a day: a new revision doesn't begin a new day.
    #[must_use]
    pub fn of(known: Option<RevisionApproval>, revision: &Revision) -> RevisionApproval {
        let new = RevisionApproval::new(revision.clone());
        match known {
            Some(known) if known.revision == *revision => known,
            Some(RevisionApproval { moved, unreviewed, .. }) => RevisionApproval { moved, unreviewed, ..new },
            None => new,
        }
    }

    /// What it may change without a person's approval: its limits, and no more than others left of the day's ceilings.
    pub fn room(&self, Allowance { limits, ceilings, now }: Allowance) -> Limits {
        limits.at_most(ceilings.less(self.unreviewed.of_others(&self.revision, now)))
    }

    /// Takes note of what the whole revision would change, and of the ids in it that name no account. Within what it may
    /// change without a person, and with an account for each id, it is approved by that.
    #[must_use]
    pub fn count(mut self, extent: Extent, allowance: Allowance, names_nobody: NamedIds) -> RevisionApproval {
        let is_within = extent.is_within(self.room(allowance));
        let would_be = extent.is_within(allowance.limits.at_most(allowance.ceilings));
        let earlier = match (is_within, would_be) {
            (false, true) => self.unreviewed.of_others(&self.revision, allowance.now),
            _ => Extent::default(),
        };
        if !self.approved && is_within && names_nobody.is_empty() {
            self.approved = true;
            // That it waits was published: people read that it doesn't any more.
            self.told = false;
            self.unreviewed.add(&self.revision, extent, allowance.now);
        }
        RevisionApproval { counted: Some(extent), names_nobody, earlier, ..self }
    }

    /// Whether it has to be counted: it never was, or it waits, perhaps only because of accounts that couldn't be placed.
    pub fn is_to_be_counted(&self) -> bool {
        self.counted.is_none() || !self.approved && self.unplaced > 0
    }

    /// Why nothing but repairs is done under it, as long as it isn't approved.
    pub fn not_approved(&self) -> HoldReason {
        HoldReason::NotApproved { revision: self.revision.clone(), names_nobody: self.names_nobody.clone() }
    }

    /// Sets aside what moved accounts are about to have changed. `false` where that, with what other
    /// moves of the same day changed, is more than the limits allow; then nothing is set aside.
    pub fn admit_moves(&mut self, extent: Extent, limits: Limits, now: i64) -> bool {
        if extent == Extent::default() {
            return true;
        }
        // A clock that was far ahead of ours must not hold moves until then.
        if now.abs_diff(self.moved.since) >= MOVES_COUNTED_SECONDS {
            self.moved = Moved { since: now, extent: Extent::default() };
        }
        let sum = self.moved.extent.plus(extent);
        let admitted = sum.is_within(limits);
        if admitted {
            self.moved.extent = sum;
        }
        admitted
    }

    /// A person lets the revision change as much as it wants, and moves begin to count anew.
    #[must_use]
    pub fn approve(self) -> RevisionApproval {
        let approvals = self.approvals.saturating_add(1);
        RevisionApproval { approved: true, moved: Moved::default(), approvals, ..self }
    }

    /// Takes over a person's approval that was judged. One that was taken over before, or was given before the last one,
    /// changes nothing; and one that doesn't count takes nothing back: of a revision that a person approved, it stays known who did.
    #[must_use]
    pub fn take_over(self, given: &GivenApproval) -> RevisionApproval {
        let is_over = |known: &GivenApproval| {
            known == given
                || known.is_later_than(given)
                || (known.counts() && !(given.counts() && given.is_later_than(known)))
        };
        if self.given.as_ref().is_some_and(is_over) {
            return self;
        }
        // What becomes of a revision that waited is told.
        let told = self.told && self.approved;
        let next = if given.counts() { self.approve() } else { self };
        RevisionApproval { given: Some(given.clone()), told, ..next }
    }

    /// The person's approval that doesn't count, where the revision waits in spite of it.
    pub fn refused(&self) -> Option<&GivenApproval> {
        self.given.as_ref().filter(|given| !self.approved && !given.counts())
    }
}
