//! What is committed beside the sources: documents, templates and workflows, held to the sources.

use std::collections::BTreeMap;
use std::fs;

use super::{ALL_RUST, Rule, committed_texts, read, root, sources};

#[test]
fn committed_texts_name_no_machine_and_no_mirror() {
    let mut rule = Rule::new("what is committed works on any machine: no absolute home, no package mirror");
    // Written in two halves so that this file isn't found itself.
    let machine =
        [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
    let mirror = [
        concat!("index", "-url"),
        concat!("pypi.org", "/simple"),
        concat!("files.python", "hosted"),
        concat!("index.crates", ".io"),
        concat!("replace", "-with"),
        concat!("registry.np", "mjs"),
    ];
    for (path, text) in committed_texts() {
        for (number, line) in text.lines().enumerate() {
            for place in machine.iter().filter(|place| absolute(line, place)) {
                rule.broken(&path, number + 1, format!("names the machine's path {place}"));
            }
            for place in mirror.iter().filter(|place| line.contains(**place)) {
                rule.broken(
                    &path,
                    number + 1,
                    format!("names a package source ({place}): that is the user's setting"),
                );
            }
            if path == "Cargo.lock"
                && let Some(source) = line.strip_prefix("source = ")
                && source != "\"registry+https://github.com/rust-lang/crates.io-index\""
            {
                rule.broken(
                    &path,
                    number + 1,
                    format!("a dependency from elsewhere than crates.io: {source}"),
                );
            }
        }
    }
    rule.hold();
}

#[test]
fn templates_listen_for_events_that_the_trigger_knows() {
    let mut rule = Rule::new(
        "one rule listens for the same events in every template, and the trigger knows each of them, or people hear of it",
    );
    let known: String = sources(&["core/src/trigger"]).into_iter().map(|source| source.raw).collect();
    let documented = read("docs/events.md");
    let people = documented.split("\n## ").find(|section| section.starts_with("What is sent to people"));
    let people = people.expect("docs/events.md says what is sent to people");
    let mut first: BTreeMap<String, (&str, Vec<String>)> = BTreeMap::new();
    for path in ["template.yaml", "deploy/member-rules.yaml", "deploy/management.yaml"] {
        for (line, resource, events) in events_listened_for(&read(path)) {
            // Before there is a trigger, there is nothing to compare with.
            let is_known = |event: &str| {
                known.contains(&format!("\"{event}\"")) || people.contains(&format!("`{event}`"))
            };
            for event in events.iter().filter(|event| !known.is_empty() && !is_known(event)) {
                rule.broken(
                    path,
                    line,
                    format!("{resource} listens for {event}, which core/src/trigger doesn't know"),
                );
            }
            let (other, expected) = first.entry(resource.clone()).or_insert((path, events.clone()));
            if events != *expected {
                rule.broken(path, line, format!("{resource} listens for other events than in {other}"));
            }
        }
    }
    rule.hold();
}

/// Documents that say which test holds what, in the last column of a table.
const HELD_BY: &[&str] = &["docs/ARCHITECTURE.md", "docs/threat-model.md", "docs/reliability.md"];

#[test]
fn tests_that_documents_name_exist() {
    let mut rule = Rule::new("a test that a document names by `its_name`, or by its beginning and …, exists");
    let mut functions = Vec::new();
    for source in sources(ALL_RUST) {
        let code = source.code().map(|(_, code)| code.to_owned()).collect::<Vec<_>>();
        functions.extend(code.iter().filter_map(|line| {
            let (_, rest) = line.split_once("fn ")?;
            rest.split(['(', '<']).next().map(str::to_owned)
        }));
    }
    // Those of the end-to-end tests, in Python.
    for (_, text) in committed_texts().into_iter().filter(|(path, _)| path.ends_with(".py")) {
        let names = text.lines().filter_map(|line| line.strip_prefix("def "));
        functions.extend(names.filter_map(|rest| rest.split('(').next()).map(str::to_owned));
    }
    let mut named = 0;
    for path in HELD_BY {
        let text = read(path);
        let mut in_table = false;
        for (number, line) in (1..).zip(text.lines()) {
            let Some(row) = line.strip_prefix('|') else {
                in_table = false;
                continue;
            };
            let last = row.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default();
            in_table |= last.trim() == "held by";
            for name in last.split('`').skip(1).step_by(2).filter(|_| in_table) {
                let name = name.rsplit("::").next().unwrap_or(name);
                // Types and files are named as well.
                if name.matches('_').count() < 2 {
                    continue;
                }
                named += 1;
                let found = match name.strip_suffix('…') {
                    Some(beginning) => functions.iter().any(|function| function.starts_with(beginning)),
                    None => functions.iter().any(|function| function == name),
                };
                if !found {
                    rule.broken(path, number, format!("there is no `{name}`"));
                }
            }
        }
    }
    assert!(named > 50, "only {named} names were found: has the form of the tables changed?");
    rule.hold();
}

/// The event names in each resource of a template, with the line of the list.
fn events_listened_for(template: &str) -> Vec<(usize, String, Vec<String>)> {
    let mut found = Vec::new();
    let mut resource = "";
    let mut lines = (1..).zip(template.lines()).peekable();
    while let Some((number, line)) = lines.next() {
        if line.starts_with("  ") && !line.starts_with("   ") {
            resource = line.trim().trim_end_matches(':');
        }
        let Some(inline) = line.trim().strip_prefix("eventName:") else { continue };
        let inline = inline.trim().trim_matches(['[', ']']);
        let mut events: Vec<_> = inline.split(',').map(|event| event.trim().to_owned()).collect();
        events.retain(|event| !event.is_empty());
        while let Some((_, item)) = lines.next_if(|(_, line)| line.trim().starts_with("- ")) {
            events.push(item.trim().trim_start_matches("- ").to_owned());
        }
        events.sort();
        found.push((number, resource.to_owned(), events));
    }
    found
}

/// Whether `line` holds `place` as the beginning of an absolute path.
fn absolute(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_ascii_alphanumeric() && !"-_./*~$}>".contains(before))
    })
}

#[test]
fn workflows_pin_their_actions_and_run_what_is_there() {
    let mut rule = Rule::new(
        "a workflow uses actions by their commits, may do nothing but what its jobs ask for, and runs commands of this \
         repository that are there",
    );
    let folder = root().join(".github/workflows");
    let mut run = BTreeMap::new();
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = format!(".github/workflows/{}", file.file_name().unwrap().to_string_lossy());
        let text = fs::read_to_string(&file).unwrap();
        if !text.contains("\npermissions: {}\n") {
            rule.broken(&name, 0, "no `permissions: {}` for the whole workflow");
        }
        for (number, line) in text.lines().enumerate() {
            let line = line.trim().trim_start_matches("- ");
            if let Some(action) = line.strip_prefix("uses: ") {
                let commit =
                    action.split_once('@').and_then(|(_, rest)| rest.split_once(" # v")).map(|it| it.0);
                if !commit.is_some_and(|it| it.len() == 40 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
                {
                    rule.broken(&name, number + 1, format!("{action}: write its commit, then ` # vX.Y.Z`"));
                }
            }
            let command = line.strip_prefix("run: ").unwrap_or(line).split(' ').next().unwrap_or_default();
            if [".ci/", "tools/", "tests/"].iter().any(|it| command.starts_with(it)) {
                run.insert(command.to_owned(), name.clone());
                if !root().join(command).exists() {
                    rule.broken(&name, number + 1, format!("{command} is not there"));
                }
            }
        }
    }
    for needed in [".ci/run", "tools/nightly", "tools/release"] {
        if !run.contains_key(needed) {
            rule.broken(".github/workflows", 0, format!("no workflow runs {needed}"));
        }
    }
    rule.hold();
}
