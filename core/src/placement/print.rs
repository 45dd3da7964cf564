//! How the answer reads, and what a target waits for.

use std::fmt::{self, Display, Write as _};

use jiff::Timestamp;

use super::{OwnerRefused, PlacementRecord, PlacementWait, ReferenceRefused};
use crate::ids::AccountId;

/// A time of day, for what happens within the hour.
fn clock(at: Timestamp) -> impl Display {
    at.strftime("%H:%M UTC")
}

fn day(at: Timestamp) -> impl Display {
    at.strftime("%Y-%m-%d %H:%M UTC")
}

fn listed(accounts: &[AccountId]) -> String {
    accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join(" and ")
}

impl Display for PlacementWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlacementWait::Refused { said, times, again_at, remembered } => {
                let again = clock(*again_at);
                match times {
                    0 => write!(
                        f,
                        "AWS refused the owner's guardrail in this account ({said}); the grant is too new for this \
                         to count, so the keeper tries again after {again}"
                    ),
                    1 => write!(
                        f,
                        "AWS refused the owner's guardrail in this account once ({said}); the keeper tries again \
                         after {again}, and if AWS refuses it again, here and in another account, members get copies"
                    ),
                    _ => write!(
                        f,
                        "AWS refused the owner's guardrail in this account twice ({said}); members get copies once another account was refused twice as well (`guardrailctl placement` shows where it is tried)"
                    ),
                }?;
                if !remembered {
                    f.write_str(
                        "; the ledger ends with this process (KEEPER_LEDGER), so the next process starts again",
                    )?;
                }
                Ok(())
            }
            PlacementWait::OwnerRefusedToo { said, again_at } => write!(
                f,
                "AWS refused the owner's guardrail in this account ({said}), and in the owner's own account too, so \
                 the owner isn't the cause: correct the baseline; the keeper tries again after {}",
                clock(*again_at)
            ),
            PlacementWait::Elsewhere { accounts, again_at } => write!(
                f,
                "AWS refused the owner's guardrail in {}: the keeper tries there again after {}, and then this \
                 account gets the guardrail or a copy",
                listed(accounts),
                clock(*again_at)
            ),
            PlacementWait::CopyComes => f.write_str(
                "AWS refuses the owner's guardrail in members, so this account gets a copy, which the next look \
                 creates",
            ),
        }
    }
}

impl Display for ReferenceRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReferenceRefused { region: _, first, second, again_at, said } = self;
        match (first, second) {
            (None, _) => write!(f, "refused, not counted; tried again after {}", clock(*again_at)),
            (Some(first), None) => {
                write!(f, "refused once, at {}; tried again after {}", day(*first), clock(*again_at))
            }
            (Some(first), Some(second)) => {
                write!(f, "refused twice, at {} and {}", day(*first), day(*second))
            }
        }?;
        write!(f, ": {said}")
    }
}

/// One line, behind the word `auto`.
impl Display for PlacementRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.decided {
            Some(decided) => {
                write!(f, "{} since {}: {}", self.answer, day(decided.at), decided.why)?;
                if decided.by != super::KEEPER { write!(f, " ({})", decided.by) } else { Ok(()) }
            }
            None if self.refusals.is_empty() => f.write_str(
                "undecided: the first enforcement in a member shows whether AWS takes the owner's guardrail there",
            ),
            None => {
                let mut places = String::new();
                for (account, refused) in &self.refusals {
                    let times = refused.times();
                    let separator = if places.is_empty() { "" } else { ", " };
                    let _ = write!(places, "{separator}{account} ({times} of 2 times)");
                }
                let again = self.refusals.values().map(|refused| refused.again_at).max();
                let again = again.unwrap_or(Timestamp::UNIX_EPOCH);
                write!(f, "undecided: AWS refused the owner's guardrail in {places}; tried again after {}", clock(again))
            }
        }
    }
}

impl PlacementRecord {
    /// Everything that is known, a line each, the answer first.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.to_string()];
        if let Some(decided) = &self.decided {
            let by = &decided.by;
            let under = decided.revision.as_ref().map(|revision| format!(", under baseline {revision}"));
            lines.push(format!("  decided by {by}{}", under.unwrap_or_default()));
        }
        if let Some(works) = &self.works_in {
            lines.push(format!("  {} enforces the owner's guardrail, seen {}", works.target, day(works.at)));
        }
        for (account, refused) in &self.refusals {
            lines.push(format!("  {account}/{} {refused}", refused.region));
        }
        if let Some(OwnerRefused { at, said }) = &self.owner_refused {
            lines.push(format!(
                "  refused in the owner's own account too, at {}, so the refusals above don't count: {said}",
                day(*at)
            ));
        }
        for entry in self.history.iter().rev() {
            lines.push(format!("  {}  {}, by {}", day(entry.at), entry.text, entry.by));
        }
        lines
    }
}
