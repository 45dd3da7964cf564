//! The findings for people: check by check, the worst first, many places in one line.

use anstyle::Style;

use super::output::{self, paint};
use crate::cli::output::{ADDED, ALTERED, BROKEN, HEADING, QUIET};
use crate::doctor::{Group, Outcome, Place, Summary};

/// Lines are broken here.
const WIDTH: usize = 100;
/// Where what was found begins.
const INDENT: usize = 11;

pub(super) fn print(summary: &Summary, limit: usize) {
    for (check, groups) in &summary.checks {
        output::print(paint(HEADING, check.title()));
        for group in groups {
            one(group, limit);
        }
    }
    let count = |outcome| summary.counts.get(&outcome).copied().unwrap_or_default();
    let (problems, unknown) = (count(Outcome::Problem), count(Outcome::Unknown));
    output::print("");
    output::print(format_args!(
        "{problems} {}, {unknown} not known, {} ok, {} not applicable",
        if problems == 1 { "problem" } else { "problems" },
        count(Outcome::Ok),
        count(Outcome::NotApplicable),
    ));
}

fn one(group: &Group, limit: usize) {
    let Group { outcome, text, todo, places } = group;
    let (style, word) = spoken(*outcome);
    let mut lines = wrapped(text).into_iter();
    let first = lines.next().unwrap_or_default();
    output::print(format_args!("  {} {first}", paint(style, format_args!("{word:<8}"))));
    lines.for_each(rest);
    if let Some(told) = told(places, limit, *outcome) {
        wrapped(&told).into_iter().for_each(|line| rest(paint(QUIET, line)));
    }
    let detail = places.iter().find_map(|(_, detail)| detail.as_ref());
    if let Some(detail) = detail.filter(|_| *outcome != Outcome::Ok) {
        wrapped(detail).into_iter().for_each(|line| rest(paint(QUIET, line)));
    }
    if let Some(todo) = todo {
        wrapped(&format!("→ {todo}")).into_iter().for_each(rest);
    }
}

fn rest(line: impl std::fmt::Display) {
    output::print(format_args!("{:INDENT$}{line}", ""));
}

fn spoken(outcome: Outcome) -> (Style, &'static str) {
    match outcome {
        Outcome::Problem => (BROKEN, "problem"),
        Outcome::Unknown => (ALTERED, "unknown"),
        Outcome::NotApplicable => (QUIET, "n/a"),
        Outcome::Ok => (ADDED, "ok"),
    }
}

/// Where it is so: how many places, and the first of them; of what is well only how many.
fn told(places: &[(Place, Option<String>)], limit: usize, outcome: Outcome) -> Option<String> {
    let named: Vec<String> = places
        .iter()
        .map(|(place, _)| place)
        .filter(|place| **place != Place::WHOLE)
        .map(Place::to_string)
        .collect();
    match named.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        many if outcome == Outcome::Ok && many.len() > limit => Some(format!("{} places", many.len())),
        many => {
            let first = many.iter().take(limit.max(1)).cloned().collect::<Vec<_>>().join(", ");
            let more = many.len().saturating_sub(limit.max(1));
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(format!("{} places: {first}{more}", many.len()))
        }
    }
}

/// Breaks a text into lines that fit beside the indentation. A word that is too long stays whole.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one from the start");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= WIDTH - INDENT {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        let text = "word ".repeat(40);
        let lines = wrapped(&text);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() <= WIDTH - INDENT && !line.ends_with(' ')));
        assert_eq!(wrapped(&"x".repeat(200)).len(), 1);
    }
}
