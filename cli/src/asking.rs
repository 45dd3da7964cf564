//! Questions before something is written.

use std::io::{self, BufRead, IsTerminal, Write};

use super::ending::Done;
use super::interrupts::Interrupts;
use super::{Output, output};

/// Whether a person is asked before something is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    asks: bool,
}

impl Asking {
    /// `None` where a person would have to be asked and there is no terminal; that is printed.
    pub(super) fn new(yes: bool, output: Output, verb: &str) -> Option<Asking> {
        if !yes && (!io::stdin().is_terminal() || output == Output::Json) {
            output::note(format_args!(
                "there is no terminal for a question: give --yes to {verb} without one"
            ));
            return None;
        }
        Some(Asking { asks: !yes })
    }

    /// Whether there is a question at all.
    pub(super) fn asks(self) -> bool {
        self.asks
    }

    /// Whether it may be done. Says what was done before where it mayn't.
    pub(super) async fn confirmed(
        self,
        question: &str,
        done: &Done,
        interrupts: &Interrupts,
    ) -> anyhow::Result<bool> {
        if !self.asks {
            return Ok(true);
        }
        // A question that could not be printed is not answered.
        let mut stderr = anstream::stderr();
        write!(stderr, "{question} [y/N] ")?;
        stderr.flush()?;
        let answer = done.or_say(interrupts.or(async { tokio::task::spawn_blocking(line).await? }).await)?;
        let yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
        if !yes {
            output::note(done.and_no_more());
        }
        Ok(yes)
    }
}

/// Whether the person at the terminal types this text, which shows that they have read the question.
pub(super) async fn typed(text: &str, interrupts: &Interrupts) -> anyhow::Result<bool> {
    let mut stderr = anstream::stderr();
    write!(stderr, "Type {text} to continue: ")?;
    stderr.flush()?;
    let answer = interrupts.or(async { tokio::task::spawn_blocking(line).await? }).await?;
    Ok(answer.trim() == text)
}

fn line() -> anyhow::Result<String> {
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer)
}
