//! The findings for people: check by check, the worst first, many places in one line.

use std::collections::BTreeSet;

use anstyle::Style;

use super::output::{self, paint};
use crate::output::{ADDED, ALTERED, BROKEN, HEADING, QUIET};
use keeper_core::doctor::{DoctorSummary, Group, Outcome, Place, Places};

/// Lines are broken here, or where the terminal ends.
const WIDTH: usize = 100;
/// No line is shorter, however narrow the terminal is.
const NARROWEST: usize = 40;
/// Where what was found begins.
const INDENT: usize = 11;

pub(super) fn print(summary: &DoctorSummary, limit: usize) {
    for (check, groups) in &summary.checks {
        output::print(paint(HEADING, check.title()));
        for (index, group) in groups.iter().enumerate() {
            // What is to be done about several in a row is said once, after the last.
            let again = groups.get(index + 1).is_some_and(|next| next.todo == group.todo);
            match group.outcome {
                Outcome::Problem | Outcome::Unknown => bad(group, limit, again),
                Outcome::NotApplicable | Outcome::Ok => good(group),
            }
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

/// What is well takes a line, whatever the number of places.
fn good(group: &Group) {
    let Group { outcome, text, places, .. } = group;
    let places: BTreeSet<&Place> = named(places).collect();
    let at = match places.len() {
        0 => String::new(),
        1 => places.first().map(|place| format!(" ({place})")).unwrap_or_default(),
        count => format!(" ({count} places)"),
    };
    first(*outcome, &format!("{text}{at}"));
}

fn bad(group: &Group, limit: usize, again: bool) {
    let Group { outcome, text, todo, places } = group;
    first(*outcome, text);
    let limit = limit.max(1);
    let at: BTreeSet<&Place> = named(places).collect();
    let details: BTreeSet<&str> = places.iter().filter_map(|(_, detail)| detail.as_deref()).collect();
    let listed = at.iter().take(limit).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let more = match at.len().saturating_sub(limit) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let listed = match at.len() {
        0 | 1 => listed,
        count => format!("{count} places: {listed}{more}"),
    };
    for told in std::iter::once(listed.as_str()).chain(details.into_iter().take(limit)) {
        wrapped(told).into_iter().filter(|line| !line.is_empty()).for_each(|line| rest(paint(QUIET, line)));
    }
    if let Some(todo) = todo.as_ref().filter(|_| !again) {
        wrapped(&format!("→ {todo}")).into_iter().for_each(rest);
    }
}

fn named(places: &Places) -> impl Iterator<Item = &Place> {
    places.iter().map(|(place, _)| place).filter(|place| **place != Place::WHOLE)
}

fn first(outcome: Outcome, text: &str) {
    let (style, word) = spoken(outcome);
    let mut lines = wrapped(text).into_iter();
    let first = lines.next().unwrap_or_default();
    output::print(format_args!("  {} {first}", paint(style, format_args!("{word:<8}"))));
    lines.for_each(rest);
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

/// Breaks a text into lines that fit beside the indentation. A word that is too long stays whole.
fn wrapped(text: &str) -> Vec<String> {
    wrapped_at(text, output::width().map_or(WIDTH, |width| width.clamp(NARROWEST, WIDTH)))
}

fn wrapped_at(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one from the start");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width - INDENT {
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
        let lines = wrapped_at(&text, WIDTH);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() <= WIDTH - INDENT && !line.ends_with(' ')));
        assert!(wrapped_at(&text, 80).iter().all(|line| line.len() <= 80 - INDENT));
        assert_eq!(wrapped_at(&"x".repeat(200), WIDTH).len(), 1);
    }
}
