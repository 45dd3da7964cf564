//! What came of a look at the organization's Bedrock policies: what was written, why something is held, who is frozen.

use serde::Serialize;
use serde_json::json;

use super::detail::{CauseDetail, Circumstances, ReasonDetail, cut};
use super::{Event, FORMAT, Kind};
use crate::baseline::Revision;
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
    let with = |code: &str, text: &str| BedrockPoliciesDetail {
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
    };
    let event = |kind, detail: BedrockPoliciesDetail<'_>| Event {
        kind,
        detail: json!(detail),
        time: circumstances.now,
    };
    let mut events = Vec::new();
    if !report.taken.is_empty() {
        let code = if report.is_repair { "repaired" } else { "changed" };
        let extent = report.extent;
        events.push(event(
            Kind::BedrockPoliciesChanged,
            BedrockPoliciesDetail {
                extent: Some(ExtentDetail {
                    accounts: extent.accounts,
                    added: extent.added,
                    replaced: extent.replaced,
                    released: extent.released,
                }),
                steps: Some(report.taken.iter().take(NAMED).map(|step| cut(step)).collect()),
                left: Some(report.left.len()),
                repair: Some(report.is_repair),
                ..with(code, &report.summary())
            },
        ));
    }
    if let Some(first) = report.holds.first()
        && report.holds != known.told_holds
    {
        let texts: Vec<&str> = report.holds.iter().map(|hold| hold.text.as_str()).collect();
        let holds =
            report.holds.iter().map(|hold| ReasonDetail::new(hold.code.clone(), &hold.text)).collect();
        let detail = BedrockPoliciesDetail { holds: Some(holds), ..with(&first.code, &texts.join("; ")) };
        events.push(event(Kind::BedrockPoliciesHeld, detail));
    }
    let is_new = |account: &&AccountId| !known.told_frozen.contains(*account);
    if report.frozen.keys().any(|account| is_new(&account)) {
        let accounts: Vec<&AccountId> = report.frozen.keys().filter(is_new).take(NAMED).collect();
        let why: Vec<String> = report
            .frozen
            .iter()
            .filter(|(_, why)| !why.is_empty())
            .map(|(account, why)| format!("{account}: {why}"))
            .collect();
        let text = format!(
            "no change of a Bedrock policy reaches them, because their merged policy is invalid: {}",
            why.join("; ")
        );
        events.push(event(
            Kind::AccountsFrozen,
            BedrockPoliciesDetail {
                accounts: Some(accounts),
                frozen: Some(report.frozen.len()),
                ..with("frozen", &text)
            },
        ));
    }
    events
}
