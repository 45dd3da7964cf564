//! What people see: colour on terminals only, results on stdout, the rest on stderr.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use console::Term;
use indicatif::{ProgressBar, ProgressStyle};

use super::ending::Ended;
use super::names::Names;
use super::wrapping::wrapped;
use super::{OK, UNTOLD};
use guardrail_keeper::engine::Step;
use keeper_core::plan::{Mark, Part, PlanLine};

pub(super) const ADDED: Style = AnsiColor::Green.on_default();
pub(super) const ALTERED: Style = AnsiColor::Yellow.on_default();
pub(super) const REMOVED: Style = AnsiColor::Red.on_default();
pub(super) const HELD: Style = AnsiColor::Magenta.on_default();
pub(super) const BROKEN: Style = AnsiColor::Red.on_default().bold();
pub(super) const HEADING: Style = Style::new().bold();
pub(super) const QUIET: Style = Style::new().dimmed();

/// Text in a style. `anstream` removes the colour where it isn't wanted.
pub(super) fn paint(style: Style, text: impl fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Why standard output took no more, the first time that it didn't.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Text for people, on stdout: on a terminal, its lines are broken between words.
pub(super) fn print(text: impl fmt::Display) {
    print_exactly(fitted(&text.to_string(), &Term::stdout()));
}

/// As wide as the terminal, where there is one and its width is known.
pub(super) fn width() -> Option<usize> {
    Term::stdout().size_checked().map(|(_, columns)| usize::from(columns))
}

fn fitted(text: &str, terminal: &Term) -> String {
    match terminal.size_checked() {
        Some((_, columns)) => wrapped(text, usize::from(columns)),
        None => text.to_owned(),
    }
}

/// A result, on stdout. Where that takes nothing any more, as after `head`, the work goes on without it: what to do
/// about that is said at the end, or before the first write ([`shown`]).
pub(super) fn print_exactly(text: impl fmt::Display) {
    if FAILED.get().is_none()
        && let Err(error) = writeln!(anstream::stdout(), "{text}")
    {
        FAILED.get_or_init(|| error);
    }
}

/// What came of writes: on stdout, or where that takes nothing any more on stderr.
pub(super) fn print_done(text: impl fmt::Display) {
    print(&text);
    if FAILED.get().is_some() {
        note(text);
    }
}

/// As [`print_done`], for a program.
pub(super) fn print_done_json(value: &serde_json::Value) {
    print_exactly(format_args!("{value:#}"));
    if FAILED.get().is_some() {
        note(format_args!("{value:#}"));
    }
}

/// Whether everything printed so far reached standard output. The program doesn't act on what could not be printed.
pub(super) fn shown() -> anyhow::Result<()> {
    match FAILED.get() {
        None => Ok(()),
        Some(error) => Err(Ended::Unshown { why: error.to_string() }.into()),
    }
}

/// The code to end with, where stdout may have failed. That never turns a failure into a success: only a reader that
/// went away from a command that writes nothing has had enough.
pub(super) fn settled(code: u8, writes: bool) -> u8 {
    match FAILED.get() {
        None => code,
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe && !writes => code,
        Some(error) => {
            note(format_args!("{} standard output can't be written: {error}", paint(BROKEN, "error:")));
            if code == OK { UNTOLD } else { code }
        }
    }
}

/// A result for a program.
pub(super) fn print_json(value: &serde_json::Value) {
    print_exactly(format_args!("{value:#}"));
}

/// A message beside the results. If stderr takes nothing, it is dropped.
pub(super) fn note(text: impl fmt::Display) {
    drop(writeln!(anstream::stderr(), "{}", fitted(&text.to_string(), &Term::stderr())));
}

/// Something that is likely a mistake.
pub(super) fn warning(text: impl fmt::Display) {
    note(format_args!("{} {text}", paint(ALTERED, "warning:")));
}

/// Why the program ends, and what there is to say besides.
pub(super) fn error((text, rest): &(String, Vec<String>)) {
    note(format_args!("{} {text}", paint(BROKEN, "error:")));
    for line in rest {
        note(format_args!("  {line}"));
    }
}

/// A line of a plan, its mark coloured: with the names of the accounts that it is about, and with the
/// code of a reason, which is what runbook, metrics and events call it.
pub(super) fn line(line: &PlanLine, names: &Names) -> String {
    let PlanLine { mark, parts } = line;
    let told = parts.iter().map(|part| match part {
        Part::Text(text) => text.clone(),
        Part::Target(target) => format!("{target}{}", names.behind(&target.account)),
        Part::Account(account) => format!("{account}{}", names.behind(account)),
        Part::Code(code) => format!(" [{code}]"),
    });
    let style = match mark {
        Mark::Add => ADDED,
        Mark::Alter | Mark::Claim => ALTERED,
        Mark::Remove => REMOVED,
        Mark::Would | Mark::Hold => HELD,
        Mark::Broken => BROKEN,
    };
    format!("{} {}", paint(style, mark), told.collect::<String>())
}

/// A progress bar on stderr, where that is a terminal and the work takes more than a moment.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Bar {
        let bar =
            if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{msg:>9} {bar:30} {pos}/{len} {eta:>5}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Bar(bar)
    }

    pub(super) fn step(&self, step: Step<'_>) {
        match step {
            Step::Looking { accounts } => self.begin("accounts", accounts),
            Step::Writing { changes } => self.begin("changes", changes),
            Step::Looked | Step::Wrote => self.0.inc(1),
            Step::Begins(_) | Step::Needless(_) | Step::Ended(..) => {}
        }
    }

    /// Begins to count roles and users, of which more become known by [`Bar::expect`].
    pub(super) fn begin_principals(&self) {
        self.begin("roles", 0);
    }

    /// Counts one of these more that was read, of so many.
    pub(super) fn read_one(&self, what: &'static str, of: usize) {
        self.0.set_message(what);
        self.0.set_length(u64::try_from(of).unwrap_or(u64::MAX).max(self.0.position() + 1));
        self.0.inc(1);
    }

    /// Counts with so many more.
    pub(super) fn expect(&self, more: usize) {
        self.0.inc_length(u64::try_from(more).unwrap_or_default());
    }

    pub(super) fn done_one(&self) {
        self.0.inc(1);
    }

    /// Says what is counted.
    pub(super) fn say(&self, what: String) {
        self.0.set_message(what);
    }

    /// Prints above the bar what is known by now.
    pub(super) fn above(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    fn begin(&self, what: &'static str, count: usize) {
        self.0.set_message(what);
        self.0.set_position(0);
        self.0.set_length(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A count on stderr, where that is a terminal, of work whose length isn't known.
#[derive(Debug)]
pub(super) struct Spinner(ProgressBar);

impl Spinner {
    pub(super) fn new(what: &'static str) -> Spinner {
        let bar =
            if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} {msg}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(120));
        Spinner(bar)
    }

    pub(super) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A number with its noun, in the plural if need be.
pub(super) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
