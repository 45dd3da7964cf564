//! What is wrong with a baseline: where, why, and what to write instead.

use std::fmt;

use serde::Serialize;

/// A baseline that can't be acted on. Holds every problem of the document, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InvalidBaseline {
    source: String,
    problems: Vec<Problem>,
}

impl InvalidBaseline {
    /// What is wrong; never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The same, with the file or parameter that the text came from.
    pub fn named(self, source: impl Into<String>) -> InvalidBaseline {
        InvalidBaseline { source: source.into(), problems: self.problems }
    }
}

impl fmt::Display for InvalidBaseline {
    /// One line a problem, as compilers print them, then how many there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidBaseline { source, problems } = self;
        for problem in problems {
            writeln!(f, "{source}:{problem}")?;
        }
        match problems.len() {
            1 => write!(f, "1 problem in {source}"),
            count => write!(f, "{count} problems in {source}"),
        }
    }
}

impl std::error::Error for InvalidBaseline {}

/// One thing in a baseline that is wrong, or probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the baseline can be acted on all the same.
    pub severity: Severity,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The part of the document, for example `guardrails.corporate.version`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub instead: String,
}

/// Whether a problem makes the baseline unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing may be done by this baseline.
    Error,
    /// Worth a look; the baseline says something definite.
    Warning,
}

impl Problem {
    pub(super) fn error(
        place: &TextPlace,
        message: impl Into<String>,
        instead: impl Into<String>,
    ) -> Problem {
        Problem::new(Severity::Error, place, message.into(), instead.into())
    }

    pub(super) fn warning(
        place: &TextPlace,
        message: impl Into<String>,
        instead: impl Into<String>,
    ) -> Problem {
        Problem::new(Severity::Warning, place, message.into(), instead.into())
    }

    fn new(severity: Severity, place: &TextPlace, message: String, instead: String) -> Problem {
        let TextPlace { position: Position { line, column }, path } = place.clone();
        Problem { severity, line, column, path, message, instead }
    }
}

impl Problem {
    /// As it is printed, without its severity: the caller says that it is a warning.
    pub fn in_words(&self) -> String {
        format!("{}:{}: {}", self.line, self.column, self.rest())
    }

    fn rest(&self) -> String {
        let Problem { path, message, instead, .. } = self;
        let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
        format!("{path}{message}; {instead}")
    }
}

impl fmt::Display for Problem {
    /// `LINE:COLUMN: PATH: MESSAGE; INSTEAD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { severity, line, column, .. } = self;
        let warning = if *severity == Severity::Warning { "warning: " } else { "" };
        write!(f, "{line}:{column}: {warning}{}", self.rest())
    }
}

/// A point in the text, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    pub(super) const START: Position = Position { line: 1, column: 1 };
}

/// A part of the document: its point in the text and its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextPlace {
    pub(super) position: Position,
    pub(super) path: String,
}

/// The problems found so far. A check that fails reports here and goes on.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn report(
        &mut self,
        place: &TextPlace,
        message: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.0.push(Problem::error(place, message, instead));
    }

    pub(super) fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_invalid(self) -> InvalidBaseline {
        InvalidBaseline { source: "baseline".to_owned(), problems: sorted(self.0) }
    }
}

/// `on lines 3 and 7`, for what stands twice.
pub(super) fn lines(first: &TextPlace, second: &TextPlace) -> String {
    let (first, second) = (first.position.line, second.position.line);
    if first == second { format!("on line {first}") } else { format!("on lines {first} and {second}") }
}

/// In the order of the text.
pub(super) fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (a.line, a.column, &a.path).cmp(&(b.line, b.column, &b.path)));
    problems
}

/// Text from the document, fit to be shown: quoted, without control characters, kept short.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
