//! An account whose events come faster than they are worked on: published once an hour while it lasts.

use serde::Serialize;
use serde_json::json;

use super::detail::{CauseDetail, Circumstances, ReasonDetail};
use super::{Event, FORMAT, Kind};
use crate::ids::AccountId;
use crate::task::Sender;

#[derive(Serialize)]
struct FloodingDetail<'a> {
    version: u32,
    account: &'a AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    reason: ReasonDetail,
    cause: CauseDetail<'a>,
}

/// The event that names an account and, if it is the owner's, the guardrail that changes all the time.
pub(super) fn event(account: &AccountId, sender: &Sender, circumstances: Circumstances<'_>) -> Event {
    let resource = match sender {
        Sender::Guardrail(_, guardrail) => Some(guardrail.to_string()),
        Sender::Account(_) | Sender::OtherGuardrails(..) | Sender::Unnamed(..) => None,
    };
    let seconds = sender.pace().pause_seconds;
    let what = match sender {
        Sender::Account(_) => "it is looked at".to_owned(),
        Sender::Guardrail(..) => "whoever uses the guardrail is looked at".to_owned(),
        Sender::OtherGuardrails(region, _) => {
            format!("whoever may use one of the guardrails that it changes in {region} is looked at")
        }
        Sender::Unnamed(region, _) => {
            format!("it changes guardrail profiles in {region}, and every account is looked at there")
        }
    };
    let text = format!(
        "its events come faster than each can have a look of its own: {what} within {seconds} s of each event, and nobody else waits for that"
    );
    let detail = FloodingDetail {
        version: FORMAT,
        account,
        resource,
        reason: ReasonDetail::new("flooding".to_owned(), &text),
        cause: CauseDetail::of(circumstances.cause),
    };
    Event { kind: Kind::Flooding, detail: json!(detail), time: circumstances.now }
}
