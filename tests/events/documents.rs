//! `docs/events.md` says what the code does: the same events, the same reasons.

use std::collections::BTreeSet;

use guardrail_keeper::trigger::{Departure, Ignored, Why, known_events};

use crate::rules;

const TEXT: &str = include_str!("../../docs/events.md");

/// The rows of the tables under a heading, as their cells without code marks.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let section = TEXT.split("\n## ").find(|section| section.starts_with(heading)).expect(heading);
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim_matches(['|', ' ']).replace('`', "")).collect()
        })
        .collect()
}

#[test]
fn the_table_of_events_is_complete() {
    let rows = rows("Every event");
    let documented: Vec<(&str, &str)> = rows.iter().map(|row| (row[1].as_str(), row[0].as_str())).collect();
    assert_eq!(documented, known_events());
    for row in &rows {
        assert_eq!(row.len(), 7, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn the_rules_are_those_of_the_templates() {
    for row in rows("Every event") {
        let [name, source, _, _, _, rule, sent_on_by] = row.as_slice() else { panic!("{row:?}") };
        let (hub, deploy) = rules::of_event(source, name);
        let listed = |names: BTreeSet<String>, none: &str| {
            if names.is_empty() { none.to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
        };
        // What comes by a schedule has no pattern.
        let scheduled = rule.contains("schedule");
        assert_eq!(*rule, if scheduled { rule.clone() } else { listed(hub, "none") }, "{name} of {source}");
        assert_eq!(*sent_on_by, listed(deploy, "–"), "{name} of {source}");
        assert!(!scheduled || source.contains("schedule") || name == "Scheduled Event", "{name} of {source}");
    }
}

#[test]
fn the_tables_of_reasons_are_complete() {
    let documented: BTreeSet<(String, String)> =
        rows("Every reason").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let why = Why::ALL.iter().map(|reason| (reason.code().to_owned(), reason.to_string()));
    let departure = Departure::ALL.iter().map(|reason| (reason.code().to_owned(), reason.to_string()));
    let ignored = Ignored::ALL.iter().map(|reason| (reason.code().to_owned(), reason.to_string()));
    let known: BTreeSet<(String, String)> = why.chain(departure).chain(ignored).collect();
    let missing: Vec<_> = known.difference(&documented).collect();
    let surplus: Vec<_> = documented.difference(&known).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}, surplus: {surplus:#?}");
}
