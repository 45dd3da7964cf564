//! How many targets a plan has of each kind.

use std::fmt;

use super::{Decision, GrantAction, Plan};

/// How many targets there are of each kind, and how many accounts were not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Changes of targets and resource policies, those included that follow others of the same plan.
    pub to_change: usize,
    /// Those of them that follow a grant or a copy of the same plan.
    pub following: usize,
    /// Targets that would be changed, if the mode weren't `audit`.
    pub would_change: usize,
    /// Targets in which something should be done, and isn't.
    pub held: usize,
    /// Targets whose enforced guardrail can't be used.
    pub broken: usize,
    /// Targets as wanted.
    pub in_sync: usize,
    /// Targets in which an adopted enforcement is handed back.
    pub handed_back: usize,
    /// Targets that are left alone.
    pub left_alone: usize,
    /// Accounts in which no call can work.
    pub skipped: usize,
}

impl Plan {
    /// How many targets ended in which kind of decision.
    pub fn counts(&self) -> Counts {
        let following = self.follow_ups().count();
        let (skipped, handed_back) = (self.skipped.len(), self.handed_back.len());
        let mut counts =
            Counts { to_change: following, following, skipped, handed_back, ..Counts::default() };
        for grant in self.grants.values() {
            match &grant.action {
                GrantAction::Change(_) => counts.to_change += 1,
                GrantAction::Held(_) => counts.held += 1,
                GrantAction::Granted => {}
            }
        }
        for decision in self.decisions.values() {
            match decision {
                Decision::Change(_) | Decision::CleanUp(_) => counts.to_change += 1,
                // Counted as what follows.
                Decision::Held(held) if self.follow_up(held).is_some() => {}
                Decision::Held(held) if held.only_audited().is_some() => counts.would_change += 1,
                Decision::Held(_) => counts.held += 1,
                Decision::Broken(_) => counts.broken += 1,
                Decision::InSync(_) => counts.in_sync += 1,
                Decision::LeftAlone(_) => counts.left_alone += 1,
            }
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            to_change,
            following,
            would_change,
            held,
            broken,
            in_sync,
            handed_back,
            left_alone,
            skipped,
        } = *self;
        write!(f, "{to_change} to change")?;
        if following > 0 {
            write!(f, " ({following} of them after a grant or a copy)")?;
        }
        write!(f, ", {held} held, {in_sync} in sync")?;
        for (count, word) in [
            (would_change, "would change"),
            (broken, "broken"),
            (handed_back, "handed back"),
            (left_alone, "left alone"),
        ] {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
        }
        if skipped > 0 {
            write!(f, ", {skipped} {} skipped", if skipped == 1 { "account" } else { "accounts" })?;
        }
        Ok(())
    }
}
