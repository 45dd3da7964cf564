//! A baseline that is another one than before: told once its changes are counted, before any of them is made.

use serde::Serialize;
use serde_json::json;

use super::detail::{CauseDetail, Circumstances, ReasonDetail};
use super::{Event, FORMAT, Kind};
use crate::baseline::{Baseline, Limits, Mode, Revision};
use crate::limits::{Extent, RevisionApproval};

#[derive(Serialize)]
struct ChangedDetail<'a> {
    version: u32,
    revision: &'a Revision,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<&'a Revision>,
    mode: Mode,
    begins: bool,
    counted: Extent,
    limits: LimitsDetail,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<ApprovalDetail<'a>>,
    reason: ReasonDetail,
    cause: CauseDetail<'a>,
}

#[derive(Serialize)]
struct LimitsDetail {
    replacements: u32,
    releases: u32,
    abandonments: u32,
}

/// The approval that a person gave.
#[derive(Serialize)]
struct ApprovalDetail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    approver: Option<&'a str>,
    authors: &'a [String],
    counts: bool,
}

/// What is told of a revision that was counted. `previous` is the one that the ledger knew before.
pub(super) fn event(
    baseline: &Baseline,
    approval: &RevisionApproval,
    previous: Option<&Revision>,
    circumstances: Circumstances<'_>,
) -> Event {
    let Limits { max_replacements, max_releases, max_abandonments } = baseline.limits;
    let counted = approval.counted.unwrap_or_default();
    let (code, text) = reason(baseline, approval, counted);
    let detail = ChangedDetail {
        version: FORMAT,
        revision: &baseline.revision,
        previous,
        mode: baseline.mode,
        begins: approval.approved,
        counted,
        limits: LimitsDetail {
            replacements: max_replacements,
            releases: max_releases,
            abandonments: max_abandonments,
        },
        approval: approval.given.as_ref().map(|given| ApprovalDetail {
            approver: given.approver.as_deref(),
            authors: &given.authors,
            counts: given.counts(),
        }),
        reason: ReasonDetail::new(code.to_owned(), &text),
        cause: CauseDetail::of(circumstances.cause),
    };
    Event { kind: Kind::BaselineChanged, detail: json!(detail), time: circumstances.now }
}

/// Why it begins or waits.
fn reason(baseline: &Baseline, approval: &RevisionApproval, counted: Extent) -> (&'static str, String) {
    let Extent { replacements, releases, abandonments } = counted;
    let enforcements = if replacements == 1 { "enforcement" } else { "enforcements" };
    let changes =
        format!("it replaces {replacements} {enforcements}, releases {releases} and abandons {abandonments}");
    match approval {
        _ if baseline.mode == Mode::Audit => {
            ("audit", "its mode is audit: nothing is written any more, and nothing is repaired".to_owned())
        }
        RevisionApproval { approved: false, given: Some(given), .. } if !given.counts() => {
            (given.verdict.code(), format!("{changes}, and waits: {given}"))
        }
        RevisionApproval { approved: true, approvals: 0, .. } => {
            ("within_limits", format!("{changes}: that is within the limits, and begins now"))
        }
        RevisionApproval { approved: true, given: Some(given), .. } if given.counts() => {
            ("approved", format!("{changes}: {given}, and it begins now"))
        }
        RevisionApproval { approved: true, .. } => {
            ("approved", format!("{changes}: somebody approved it, and it begins now"))
        }
        RevisionApproval { names_nobody, .. } if !names_nobody.is_empty() => {
            ("names_nobody", format!("{changes}, and it names {names_nobody}: it waits for an approval"))
        }
        RevisionApproval { earlier, .. } if *earlier != Extent::default() => (
            "over_limits",
            format!(
                "{changes}: other revisions within a day, which nobody approved, come to {earlier}, and together that \
                 is more than the limits allow, so it waits for an approval"
            ),
        ),
        _ => (
            "over_limits",
            format!("{changes}: that is more than the limits allow, so it waits for an approval"),
        ),
    }
}
