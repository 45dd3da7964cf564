//! What came of a look at the organization's Bedrock policies: what was written, why something is held, who is frozen.

use serde::Serialize;
use serde_json::json;

use super::detail::{CauseDetail, Circumstances, ReasonDetail, cut};
use super::{Event, FORMAT, Kind};
use crate::baseline::Revision;
use crate::bedrock_policy::ChangeExtent;
use crate::ids::AccountId;
use crate::organization_level::{OrganizationLevelRecord, OrganizationLevelReport};

/// How many steps and accounts an event names: it has to stay far below the bus's 256 KB.
const NAMED: usize = 100;

#[derive(Serialize)]
struct BedrockPoliciesDetail<'a> {
    version: u32,
    revision: &'a Revision,
    #[serde(skip_serializing_if = "Option::is_none")]
    extent: Option<ExtentDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<Vec<ReasonDetail>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<&'a AccountId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen: Option<usize>,
    reason: ReasonDetail,
    cause: CauseDetail<'a>,
}

#[derive(Serialize)]
struct ExtentDetail {
    accounts: usize,
    added: usize,
    replaced: usize,
    released: usize,
}

/// The events of one look. A hold is published when its reasons are others than those that were published last, and
/// frozen accounts when there is one that was not named before.
pub(super) fn events(
    report: &OrganizationLevelReport,
    known: &OrganizationLevelRecord,
    circumstances: Circumstances<'_>,
) -> Vec<Event> {
    let event = |kind, detail: BedrockPoliciesDetail<'_>| Event {
        kind,
        detail: json!(detail),
        time: circumstances.now,
    };
    let blank = |code: &str, text: &str| BedrockPoliciesDetail::of(report, circumstances, code, text);
    let changed = changed(report, blank).map(|detail| event(Kind::BedrockPoliciesChanged, detail));
    let held = held(report, known, blank).map(|detail| event(Kind::BedrockPoliciesHeld, detail));
    let frozen = frozen(report, known, blank).map(|detail| event(Kind::AccountsFrozen, detail));
    changed.into_iter().chain(held).chain(frozen).collect()
}

impl<'a> BedrockPoliciesDetail<'a> {
    /// With a reason, and nothing else yet.
    fn of(
        report: &'a OrganizationLevelReport,
        circumstances: Circumstances<'a>,
        code: &str,
        text: &str,
    ) -> BedrockPoliciesDetail<'a> {
        BedrockPoliciesDetail {
            version: FORMAT,
            revision: &report.revision,
            extent: None,
            steps: None,
            left: None,
            repair: None,
            holds: None,
            accounts: None,
            frozen: None,
            reason: ReasonDetail::new(code.to_owned(), text),
            cause: CauseDetail::of(circumstances.cause),
        }
    }
}

fn changed<'a>(
    report: &OrganizationLevelReport,
    blank: impl Fn(&str, &str) -> BedrockPoliciesDetail<'a>,
) -> Option<BedrockPoliciesDetail<'a>> {
    if report.taken.is_empty() {
        return None;
    }
    let ChangeExtent { accounts, added, replaced, released } = report.extent;
    let code = if report.is_repair { "repaired" } else { "changed" };
    Some(BedrockPoliciesDetail {
        extent: Some(ExtentDetail { accounts, added, replaced, released }),
        steps: Some(report.taken.iter().take(NAMED).map(|step| cut(step)).collect()),
        left: Some(report.left.len()),
        repair: Some(report.is_repair),
        ..blank(code, &report.summary())
    })
}

fn held<'a>(
    report: &OrganizationLevelReport,
    known: &OrganizationLevelRecord,
    blank: impl Fn(&str, &str) -> BedrockPoliciesDetail<'a>,
) -> Option<BedrockPoliciesDetail<'a>> {
    let first = report.holds.first().filter(|_| report.holds != known.told_holds)?;
    let texts: Vec<&str> = report.holds.iter().map(|hold| hold.text.as_str()).collect();
    let holds = report
        .holds
        .iter()
        .take(NAMED)
        .map(|hold| ReasonDetail::new(hold.code.clone(), &hold.text))
        .collect();
    Some(BedrockPoliciesDetail { holds: Some(holds), ..blank(&first.code, &texts.join("; ")) })
}

fn frozen<'a>(
    report: &'a OrganizationLevelReport,
    known: &OrganizationLevelRecord,
    blank: impl Fn(&str, &str) -> BedrockPoliciesDetail<'a>,
) -> Option<BedrockPoliciesDetail<'a>> {
    let new: Vec<&AccountId> =
        report.frozen.keys().filter(|account| !known.told_frozen.contains(*account)).take(NAMED).collect();
    if new.is_empty() {
        return None;
    }
    let named = report.frozen.iter().filter(|(_, why)| !why.is_empty());
    let why: Vec<String> = named.map(|(account, why)| format!("{account}: {why}")).collect();
    let text = format!(
        "no change of a Bedrock policy reaches them, because their merged policy is invalid: {}",
        why.join("; ")
    );
    let count = Some(report.frozen.len());
    Some(BedrockPoliciesDetail { accounts: Some(new), frozen: count, ..blank("frozen", &text) })
}
