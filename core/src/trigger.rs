//! From an event to why we woke, and how much to look at. Decides; does no I/O.
//!
//! An event never says what to do: it only narrows what is looked at, and state is always read
//! again. So whatever is unclear in it widens the look or ends as a named no-op; it never fails.
//!
//! Events are recognized by their source and name. `detail-type` is left open, because it differs between
//! documents and partitions; it counts only for events that have no other name.

mod account;
mod bedrock;
mod context;
mod control_tower;
mod delivery;
mod envelope;
mod line;
mod merge;
mod names;
mod organizations;
mod parameter;
mod reason;
mod request;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use crate::ids::AccountId;
use crate::words::write_list;
use envelope::Envelope;

pub use context::{Context, Guardrails, Known};
pub use delivery::{BatchRecord, Delivery, Message};
pub use line::{TriggerLine, line};
pub use merge::{Merged, merge};
pub use reason::{Departure, Ignored, Rejected, Why};
pub use request::{PlanHash, REQUEST_DETAIL_TYPE, REQUEST_SOURCE, Request, RequestProblem};
pub use scope::{Accounts, ChangedGuardrail, Regions, Scope};

/// The `source` of the keeper's own outcome events.
pub const OUTCOME_SOURCE: &str = "guardrail-keeper";

/// The `source` of the constant that a schedule sends, where it sends no event of its own.
pub const SCHEDULE_SOURCE: &str = "guardrail-keeper.schedule";

const SCHEDULED_EVENT: &str = "Scheduled Event";

/// What an event is for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Look at this.
    Reconcile(Box<Scope>),
    /// These accounts get no more calls.
    Departed {
        /// The accounts.
        accounts: BTreeSet<AccountId>,
        /// Why.
        reason: Departure,
        /// The event's id, where it has one.
        event: Option<String>,
        /// When it happened, in seconds since 1970 (UTC), where it says so.
        at: Option<i64>,
    },
    /// Look at the organization's Bedrock policies, all of them.
    BedrockPolicies {
        /// Why.
        why: Why,
        /// The event's id, where it has one.
        event: Option<String>,
        /// When it happened, in seconds since 1970 (UTC), where it says so.
        at: Option<i64>,
    },
    /// Nothing to do, and nothing wrong.
    Ignore(Ignored),
    /// Not understood: for the dead-letter queue.
    Reject(Rejected),
}

/// Decides what an event is for us. Always decides.
pub fn decide(event: impl AsRef<[u8]>, context: &Context) -> Trigger {
    Message::parse(event).decide(context)
}

/// As [`decide`], of an event that is parsed already.
pub fn decide_value(event: &Value, context: &Context) -> Trigger {
    let Value::Object(root) = event else {
        return Trigger::Reject(Rejected::NotAnObject);
    };
    let event = Envelope::new(root);
    let source = event.outer("source");
    let event_source = event.event_source();
    match (source.as_deref(), event_source.as_deref()) {
        (None, None) => Trigger::Reject(wrapped(root).unwrap_or(Rejected::NoSource)),
        (Some(OUTCOME_SOURCE), _) if !is_request(&event) => Trigger::Ignore(Ignored::OwnOutcome),
        (Some(SCHEDULE_SOURCE), _) => scheduled(&event, context),
        (Some("aws.events" | "aws.scheduler"), None) => match event.outer("detail-type") {
            Some(name) if !name.eq_ignore_ascii_case(SCHEDULED_EVENT) => {
                Trigger::Ignore(Ignored::UnknownEvent)
            }
            Some(_) | None => scheduled(&event, context),
        },
        (Some(source), event_source) => match (source.strip_prefix("aws."), event_source) {
            (Some(service), None) => of_service(service, &event, context),
            (Some(service), Some(event_source)) if service == event_source => {
                of_service(service, &event, context)
            }
            (Some(_), Some(_)) => Trigger::Ignore(Ignored::SourcesDisagree),
            (None, _) if is_request(&event) => requested(&event, context),
            (None, _) => Trigger::Ignore(Ignored::OtherSource),
        },
        (None, Some(service)) => of_service(service, &event, context),
    }
}

/// What an object without a source is, where it is known to hold an event inside. It isn't unpacked:
/// a delivery in such a form bypasses the rules, and a person should see that.
fn wrapped(root: &Map<String, Value>) -> Option<Rejected> {
    let has = |member: &str| root.contains_key(member);
    if has("TopicArn") && has("Message") {
        Some(Rejected::SnsNotification)
    } else if has("requestPayload") && has("requestContext") {
        Some(Rejected::FailedInvocation)
    } else if root.get("Records").is_some_and(Value::is_array) {
        Some(Rejected::NestedBatch)
    } else {
        None
    }
}

/// Every event that the keeper knows, as its source and name, in the order of the documentation.
pub fn known_events() -> Vec<(&'static str, &'static str)> {
    let services = [
        (organizations::Name::SOURCE, organizations::Name::TEXTS),
        (control_tower::Name::SOURCE, control_tower::Name::TEXTS),
        (account::Name::SOURCE, account::Name::TEXTS),
        (bedrock::Name::SOURCE, bedrock::Name::TEXTS),
        (parameter::Name::SOURCE, parameter::Name::TEXTS),
    ];
    let mut events: Vec<_> =
        services.iter().flat_map(|(source, names)| names.iter().map(|name| (*source, *name))).collect();
    events.extend([
        ("aws.events", SCHEDULED_EVENT),
        ("aws.scheduler", SCHEDULED_EVENT),
        (SCHEDULE_SOURCE, "any"),
        (REQUEST_SOURCE, REQUEST_DETAIL_TYPE),
        (OUTCOME_SOURCE, "any"),
    ]);
    events
}

fn of_service(service: &str, event: &Envelope<'_>, context: &Context) -> Trigger {
    type Decide = fn(&str, &Envelope<'_>, &Context) -> Trigger;
    let (decide, by_shape): (Decide, Option<&str>) = match service {
        "organizations" => (|name, event, _| organizations::decide(name, event), None),
        "controltower" => (|name, event, _| control_tower::decide(name, event), None),
        "account" => (|name, event, _| account::decide(name, event), account::name_by_shape(event)),
        "bedrock" => (bedrock::decide, None),
        "ssm" => (parameter::decide, parameter::name_by_shape(event)),
        _ => return Trigger::Ignore(Ignored::OtherSource),
    };
    if event.detail().is_none() {
        return Trigger::Reject(Rejected::NoDetail);
    }
    if event.failed() {
        return Trigger::Ignore(Ignored::FailedCall);
    }
    // AWS says of one event that it only reads, though it reports a change.
    if event.read_only() && !(service == "organizations" && organizations::is_validation(event)) {
        return Trigger::Ignore(Ignored::ReadOnly);
    }
    if is_too_old(event, context) {
        return Trigger::Ignore(Ignored::TooOld);
    }
    let name = event.text(&["eventName"]).or(by_shape.map(Into::into)).or_else(|| event.outer("detail-type"));
    match name {
        Some(name) => decide(&name, event, context),
        None => Trigger::Ignore(Ignored::UnknownEvent),
    }
}

fn scheduled(event: &Envelope<'_>, context: &Context) -> Trigger {
    if !from_hub(event, context) {
        return Trigger::Ignore(Ignored::NotFromHub);
    }
    if is_too_old(event, context) {
        return Trigger::Ignore(Ignored::TooOld);
    }
    reconcile(event, Accounts::All, Regions::All, Why::Schedule)
}

/// A request is recognized by its `detail-type`: any tool in the hub may send one, under its own source.
fn is_request(event: &Envelope<'_>) -> bool {
    event.outer("detail-type").is_some_and(|name| name.eq_ignore_ascii_case(REQUEST_DETAIL_TYPE))
}

fn requested(event: &Envelope<'_>, context: &Context) -> Trigger {
    if !from_hub(event, context) {
        return Trigger::Ignore(Ignored::NotFromHub);
    }
    if is_too_old(event, context) {
        return Trigger::Ignore(Ignored::TooOld);
    }
    let Some(detail) = event.detail() else {
        return Trigger::Reject(Rejected::NoDetail);
    };
    match request::parse(detail) {
        Ok((accounts, regions, request)) => {
            let scope = scope(event, accounts, regions, Why::Request);
            Trigger::Reconcile(Box::new(Scope { request: Some(request), ..scope }))
        }
        Err(problems) => Trigger::Reject(Rejected::Request(problems)),
    }
}

/// Whether an event came from the account the keeper runs in.
///
/// One without an account did not come over a bus: who can send it may use the hub's function
/// or queue, and that is the hub.
fn from_hub(event: &Envelope<'_>, context: &Context) -> bool {
    match (&context.hub, event.sender()) {
        (Some(hub), Ok(sender)) => sender == *hub,
        (Some(_), Err(Ignored::NoAccount)) | (None, _) => true,
        (Some(_), Err(_)) => false,
    }
}

fn is_too_old(event: &Envelope<'_>, context: &Context) -> bool {
    match (event.time(), context.now, context.max_age_seconds) {
        (Some(at), Some(now), Some(limit)) => now.saturating_sub(at) > i64::from(limit),
        (_, _, _) => false,
    }
}

fn reconcile(event: &Envelope<'_>, accounts: Accounts, regions: Regions, why: Why) -> Trigger {
    Trigger::Reconcile(Box::new(scope(event, accounts, regions, why)))
}

fn scope(event: &Envelope<'_>, accounts: Accounts, regions: Regions, why: Why) -> Scope {
    Scope {
        accounts,
        regions,
        guardrail: None,
        changed_in: None,
        request: None,
        reasons: BTreeSet::from([why]),
        events: event.id().into_iter().collect(),
        since: event.time(),
    }
}

fn departed(event: &Envelope<'_>, account: AccountId, reason: Departure) -> Trigger {
    Trigger::Departed { accounts: BTreeSet::from([account]), reason, event: event.id(), at: event.time() }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trigger::Reconcile(scope) => write!(f, "reconcile {scope}: {}", scope.reason()),
            Trigger::Departed { accounts, reason, event: _, at: _ } => {
                f.write_str("departed ")?;
                write_list(f, accounts, ", ")?;
                write!(f, ": {reason}")
            }
            Trigger::BedrockPolicies { why, event: _, at: _ } => write!(f, "Bedrock policies: {why}"),
            Trigger::Ignore(reason) => write!(f, "ignore: {reason}"),
            Trigger::Reject(reason) => write!(f, "reject: {reason}"),
        }
    }
}
