//! Questions before something is written.

use std::io::{self, BufRead, IsTerminal};

use super::{Output, output};

/// Whether somebody is asked before something is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    asks: bool,
}

impl Asking {
    /// `None` where somebody would have to be asked and nobody is there; that is told.
    pub(super) fn new(yes: bool, output: Output, verb: &str) -> Option<Asking> {
        if !yes && (!io::stdin().is_terminal() || output == Output::Json) {
            output::note(format_args!("nobody can be asked here: give --yes to {verb} without a question"));
            return None;
        }
        Some(Asking { asks: !yes })
    }

    /// Whether there is a question at all.
    pub(super) fn asks(self) -> bool {
        self.asks
    }

    /// Whether it may be done. Says so where it mayn't.
    pub(super) fn confirmed(self, question: &str) -> io::Result<bool> {
        if !self.asks {
            return Ok(true);
        }
        anstream::eprint!("{question} [y/N] ");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        let yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
        if !yes {
            output::note("nothing was changed");
        }
        Ok(yes)
    }
}
