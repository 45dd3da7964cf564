//! A guardrail that its resource policy opens beyond the organization: published when that is first seen.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;

use super::detail::{CauseDetail, Circumstances, ReasonDetail};
use super::{Event, FORMAT, Kind};
use crate::baseline::Revision;
use crate::ids::{AccountId, Region};
use crate::report::Report;

#[derive(Serialize)]
struct OpenedDetail<'a> {
    version: u32,
    account: &'a AccountId,
    region: &'a Region,
    resource: String,
    reason: ReasonDetail,
    openings: &'a BTreeSet<String>,
    revision: &'a Revision,
    cause: CauseDetail<'a>,
}

/// An event for each guardrail, or profile, that a look found open in a new way.
pub(super) fn events(report: &Report, circumstances: Circumstances<'_>) -> Vec<Event> {
    let events = report.opened.iter().map(|(resource, openings)| {
        let words: Vec<&str> = openings.iter().map(String::as_str).collect();
        let detail = OpenedDetail {
            version: FORMAT,
            account: resource.account(),
            region: resource.region(),
            resource: resource.to_string(),
            reason: ReasonDetail::new(
                "open".to_owned(),
                &format!("its resource policy {}", words.join("; ")),
            ),
            openings,
            revision: &report.revision,
            cause: CauseDetail::of(circumstances.cause),
        };
        Event { kind: Kind::Opened, detail: json!(detail), time: circumstances.now }
    });
    events.collect()
}
