//! The trigger, held against the samples in `events/`, the table in `docs/events.md`, and whatever
//! else can arrive.

#[path = "../../fuzz/harness.rs"]
mod harness;

mod admitted;
mod batches;
mod documents;
mod envelopes;
mod figures;
mod granted;
mod handler;
mod mail;
mod narrowed;
mod pattern;
mod policy;
mod printed;
mod protection;
mod rules;
mod samples;
mod stacks;
mod strange;
mod template;
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};

use testkit::world::repository;

/// The files under `events/` that hold samples, by their path from the repository's root, sorted.
///
/// First those that lie there directly, then folder by folder, as `events/*.json events/*/*.json`
/// lists them.
fn samples() -> Vec<(String, String)> {
    let root = &repository("");
    let mut paths = json_files(&root.join("events"));
    for folder in ["batches", "odd", "rejected"] {
        paths.extend(json_files(&root.join("events").join(folder)));
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        (name, text)
    };
    paths.into_iter().map(read).collect()
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    files
}
