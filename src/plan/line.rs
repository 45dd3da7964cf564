//! A line of a plan or report: its mark, and what it says.

use std::fmt;

use crate::ids::Target;

/// The first character of a line: what kind of decision it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// `+` something is enforced or granted.
    Add,
    /// `~` something is replaced.
    Alter,
    /// `=` what somebody else enforced is taken over or handed back: only the ledger is written.
    Claim,
    /// `-` something is taken away.
    Remove,
    /// `?` something would be done in another mode than `audit`.
    Would,
    /// `!` nothing is done, and something should be.
    Hold,
    /// `x` what is enforced can't be used.
    Broken,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mark::Add => "+",
            Mark::Alter => "~",
            Mark::Claim => "=",
            Mark::Remove => "-",
            Mark::Would => "?",
            Mark::Hold => "!",
            Mark::Broken => "x",
        })
    }
}

/// One printed decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its kind.
    pub mark: Mark,
    /// The rest of it. Where it is about targets, it begins with them.
    pub text: String,
    /// The targets that it names.
    pub targets: Vec<Target>,
    /// Why nothing is done, as metrics and events call it.
    pub code: Option<String>,
}

impl Line {
    pub(super) fn new(mark: Mark, text: impl Into<String>) -> Line {
        Line { mark, text: text.into(), targets: Vec::new(), code: None }
    }

    /// The line, about these targets.
    pub(super) fn of(mut self, targets: impl IntoIterator<Item = Target>) -> Line {
        self.targets.extend(targets);
        self
    }

    /// The line, with the reason's code.
    pub(super) fn because(self, code: String) -> Line {
        Line { code: Some(code), ..self }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { mark, text, targets: _, code: _ } = self;
        write!(f, "{mark} {text}")
    }
}
