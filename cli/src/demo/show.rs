//! How the demo's world looks on a terminal.

use std::fmt::Write as _;

use simulator::Model;

use super::super::output::{ADDED, HEADING, QUIET, paint};
use super::world::World;
use crate::output::REMOVED;
use keeper_core::baseline::Baseline;

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

/// The tree of OUs and accounts, with what each enforces in each Region.
pub(super) fn organization(world: &World) -> String {
    world.server.with(|model| {
        let mut text = format!("{:38}", format!("{} ({})", model.organization.id, model.organization.root));
        for region in REGIONS {
            let _ = write!(text, "{region:<16}");
        }
        let mut text = paint(HEADING, text.trim_end());
        let root = model.organization.root.clone();
        branch(model, &root, 1, &mut text);
        text
    })
}

fn branch(model: &Model, parent: &str, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for account in model.members().filter(|account| account.parent() == Some(parent)) {
        let _ = write!(text, "\n{:38}", format!("{indent}{} {}", account.id, account.name));
        if account.state == simulator::AccountState::Active {
            text.push_str(&cells(model, &account.id));
        } else {
            text.push_str(&paint(QUIET, format!("{:?}", account.state).to_lowercase()));
        }
    }
    for unit in model.organization.units.values().filter(|unit| unit.parent == parent) {
        let _ = write!(text, "\n{indent}{}", paint(QUIET, format_args!("{} {}", unit.id, unit.name)));
        branch(model, &unit.id, depth + 1, text);
    }
}

/// One account's line.
pub(super) fn account(world: &World, account: &str) -> String {
    world.server.with(|model| format!("{:38}{}", format!("  {account}"), cells(model, account)))
}

fn cells(model: &Model, account: &str) -> String {
    let mut cells = String::new();
    for (position, region) in REGIONS.iter().enumerate() {
        let (style, cell) = match model.enforcement(account, region) {
            Some(enforced) => (ADDED, format!("{}:{}", enforced.guardrail_id, enforced.guardrail_version)),
            None => (QUIET, "-".to_owned()),
        };
        // Nothing follows the last one, so nothing is padded there.
        let width = if position + 1 < REGIONS.len() { 16_usize.saturating_sub(cell.len()) } else { 0 };
        let _ = write!(cells, "{}{:width$}", paint(style, cell), "");
    }
    cells
}

/// The baseline, in a line for each assignment.
pub(super) fn baseline(baseline: &Baseline) -> String {
    let mut text = format!("The baseline (examples/baseline.yaml, revision {}) says:", baseline.revision);
    for assignment in &baseline.assignments {
        let targets: Vec<String> = assignment.targets.iter().map(ToString::to_string).collect();
        let _ = match &assignment.guardrail {
            Some(key) => write!(text, "\n  {:<20} {}", targets.join(", "), paint(ADDED, key)),
            None => write!(text, "\n  {:<20} {}", targets.join(", "), paint(REMOVED, "none, on purpose")),
        };
    }
    text
}

/// What matters of an event.
pub(super) fn event(event: &serde_json::Value) -> String {
    let text =
        |pointer: &str| event.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or("-").to_owned();
    paint(
        QUIET,
        format_args!(
            "  source {}, {}, account {}, Region {}",
            text("/source"),
            text("/detail/eventName"),
            text("/account"),
            text("/region")
        ),
    )
}
