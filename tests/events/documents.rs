//! The documents say what the code does: `docs/events.md` the same events and reasons, `docs/runbook.md` every alarm
//! and all that is held, `docs/glossary.md` types that exist, and the pages on the code files that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use testkit::world::repository;

use guardrail_keeper::plan::HoldReason;
use guardrail_keeper::resolved::Unusable;
use guardrail_keeper::trigger::{Departure, Ignored, Why, known_events};

use crate::{rules, template};

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

const RUNBOOK: &str = include_str!("../../docs/runbook.md");

#[test]
fn every_alarm_is_in_the_runbook() {
    let template = template::read("template.yaml");
    let resources = template["Resources"].as_object().unwrap().iter();
    let alarms = resources.filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm");
    let mut known = BTreeSet::new();
    for (name, alarm) in alarms {
        known.insert(name.as_str());
        let alarm = &alarm["Properties"];
        assert!(alarm["AlarmDescription"].as_str().unwrap().contains("docs/runbook.md"), "{name}");
        let topic = serde_json::json!([{ "Ref": "AlarmTopic" }]);
        assert!(alarm["AlarmActions"] == topic && alarm["OKActions"] == topic, "{name} tells nobody");
        let dashboard = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str();
        assert!(dashboard.unwrap().contains(&format!("${{{name}.Arn}}")), "{name} is not on the dashboard");
    }
    let headings = RUNBOOK.lines().filter_map(|line| line.strip_prefix("### "));
    let described: BTreeSet<&str> = headings.filter(|heading| heading.ends_with("Alarm")).collect();
    assert_eq!(described, known);
}

#[test]
fn every_reason_for_which_something_is_held_is_in_the_runbook() {
    // What can't be used is told by its own reason.
    let held = HoldReason::CODES.iter().filter(|code| **code != "unusable");
    let known: BTreeSet<&str> = held.chain(Unusable::CODES).copied().collect();
    assert!(known.len() > 30, "{known:?}");
    let section =
        RUNBOOK.split("\n## ").find(|section| section.starts_with("Why something is held")).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let codes = rows.map(|row| row.split('`').nth(1).unwrap().trim_end_matches(".…"));
    assert_eq!(codes.collect::<BTreeSet<&str>>(), known);
}

/// At most forty words, each with one meaning: none is a word that the page says not to use.
#[test]
fn the_glossary_is_short_and_names_types_that_exist() {
    let page = fs::read_to_string(repository("docs/glossary.md")).unwrap();
    let lines = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = lines.map(|line| line.split(" | ").collect::<Vec<_>>());
    let rows: Vec<Vec<&str>> = rows.filter(|row| row[0] != "term" && row[0] != "---").collect();
    assert!(rows.len() > 30 && rows.len() <= 40, "{} terms", rows.len());
    let terms: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(terms.len(), rows.len(), "a term is there twice");
    for row in &rows {
        let [term, _, types, not_used] = row.as_slice() else { panic!("{row:?}") };
        let used: Vec<&str> = not_used.split(", ").filter(|word| terms.contains(word)).collect();
        assert!(used.is_empty(), "{term}: not to be used, and used: {used:?}");
        for path in types.split('`').filter(|word| word.contains("::")) {
            let (module, name) = path.split_once("::").unwrap();
            assert!(is_defined(module, name), "{term}: there is no {path}");
        }
    }
}

/// Whether a module of the core or of the function defines a type of this name; by a macro (`text_id!`, `reasons!`) it
/// does so on a line of its own.
fn is_defined(module: &str, name: &str) -> bool {
    let mut texts = Vec::new();
    for source in ["core/src", "src"] {
        texts.extend(fs::read_to_string(repository(&format!("{source}/{module}.rs"))));
        read_all(&repository(&format!("{source}/{module}")), &mut texts);
    }
    let definitions = ["struct", "enum", "type", "trait"].map(|kind| format!("pub {kind} {name}"));
    let ends = |rest: &str| !rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let by_a_macro = format!("    {name},");
    let is_one = |line: &str| {
        // Within a macro's table a definition is indented.
        let line = if line.starts_with("    pub enum ") { line.trim_start() } else { line };
        line == by_a_macro || definitions.iter().any(|it| line.strip_prefix(it.as_str()).is_some_and(ends))
    };
    texts.iter().flat_map(|text| text.lines()).any(is_one)
}

fn read_all(folder: &Path, texts: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read_all(&path, texts);
        } else {
            texts.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// A path stands in them from the repository's root; NAME and SERVICE stand for any.
#[test]
fn the_files_that_the_pages_on_the_code_name_are_there() {
    let mut named = 0;
    for page in ["docs/ARCHITECTURE.md", "docs/decisions.md", "docs/jobs.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(repository(page)).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            let Some((folder, _)) = word.split_once('/') else { continue };
            let is_path = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
            let is_ours =
                ["core", "src", "cli", "testkit", "tests", "docs", "deploy", "tools"].contains(&folder);
            if is_path && is_ours && !word.contains("NAME") && !word.contains("SERVICE") {
                named += 1;
                assert!(repository(word).exists(), "{page}: there is no {word}");
            }
        }
    }
    assert!(named > 50, "only {named} paths were found: has their form changed?");
}

/// What the Serverless Application Repository asks of an application's metadata.
#[test]
fn the_metadata_are_what_the_repository_takes() {
    let template = template::read("template.yaml");
    let metadata = &template["Metadata"]["AWS::ServerlessRepo::Application"];
    let text = |name: &str| metadata[name].as_str().unwrap_or_else(|| panic!("{name} is no text"));
    let plain = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    assert!(plain(text("Name")) && text("Name").len() <= 140);
    let author = text("Author");
    assert!(plain(author) && !author.starts_with('-') && !author.ends_with('-') && !author.contains("--"));
    assert!((1..=256).contains(&text("Description").len()));
    assert_eq!(text("SemanticVersion"), env!("CARGO_PKG_VERSION"));
    assert_eq!(text("SpdxLicenseId"), env!("CARGO_PKG_LICENSE"));
    for file in ["LicenseUrl", "ReadmeUrl"] {
        assert!(repository(text(file)).is_file(), "{file}");
    }
    let labels = metadata["Labels"].as_array().unwrap();
    assert!(labels.len() <= 10 && labels.iter().all(|label| plain(label.as_str().unwrap())));
}
