//! A line of a plan or report: its mark, and what it says.

use std::fmt;

use crate::ids::{AccountId, Target};
use crate::words::words;

words! {
    /// The first character of a line: what kind of decision it is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Mark {
        /// `+` something is enforced or granted.
        Add = "+",
        /// `~` something is replaced.
        Alter = "~",
        /// `=` a foreign enforcement is taken over or handed back: only the ledger is written.
        Claim = "=",
        /// `-` something is taken away.
        Remove = "-",
        /// `?` something would be done in another mode than `audit`.
        Would = "?",
        /// `!` nothing is done, and something should be.
        Hold = "!",
        /// `x` what is enforced can't be used.
        Broken = "x",
    }

    impl Display;
}

/// A part of a line. Each reader shows them in its own way: a terminal adds the account's name behind an id, and
/// brackets around a code; a log does neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Text(String),
    /// A target.
    Target(Target),
    /// An account.
    Account(AccountId),
    /// Why nothing is done, as metrics and events call it: it stands where it may be shown.
    Code(String),
}

/// One printed decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLine {
    /// Its kind.
    pub mark: Mark,
    /// What it says.
    pub parts: Vec<Part>,
}

impl PlanLine {
    pub(crate) fn new(mark: Mark) -> PlanLine {
        PlanLine { mark, parts: Vec::new() }
    }

    /// A line about one target.
    pub(crate) fn about(mark: Mark, target: &Target) -> PlanLine {
        PlanLine::new(mark).and(Part::Target(target.clone()))
    }

    /// With these words behind what it says already.
    pub(crate) fn text(self, text: impl fmt::Display) -> PlanLine {
        self.and(Part::Text(text.to_string()))
    }

    /// With an account behind what it says already.
    pub(crate) fn account(self, account: &AccountId) -> PlanLine {
        self.and(Part::Account(account.clone()))
    }

    /// With the reason's code behind what it says already.
    pub(crate) fn code(self, code: String) -> PlanLine {
        self.and(Part::Code(code))
    }

    /// With targets behind what it says already, and commas between them.
    pub(crate) fn targets(mut self, targets: &[Target]) -> PlanLine {
        for (position, target) in targets.iter().enumerate() {
            let line = if position > 0 { self.text(", ") } else { self };
            self = line.and(Part::Target(target.clone()));
        }
        self
    }

    /// The accounts that it is about.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.parts.iter().filter_map(|part| match part {
            Part::Target(target) => Some(&target.account),
            Part::Account(account) => Some(account),
            Part::Text(_) | Part::Code(_) => None,
        })
    }

    fn and(mut self, part: Part) -> PlanLine {
        self.parts.push(part);
        self
    }
}

impl fmt::Display for PlanLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlanLine { mark, parts } = self;
        write!(f, "{mark} ")?;
        parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Target(target) => target.fmt(f),
            Part::Account(account) => account.fmt(f),
            Part::Code(_) => Ok(()),
        })
    }
}
