//! Figures of a suite, on a line of the test command's output from which `tools/reliability` takes them.

use std::io::{self, Write};

use serde_json::Value;

/// Says what a suite came to: `figures SUITE {…}`. Unlike what a passing test prints, it is always seen.
pub fn say_figures(suite: &str, figures: &Value) {
    // One write, so that lines of tests that run at the same time don't get into it.
    let line = format!("\nfigures {suite} {figures}\n");
    io::stdout().write_all(line.as_bytes()).expect("standard output takes a line");
}
