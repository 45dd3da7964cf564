//! Events of AWS Account Management: Regions that an account may use.
//!
//! The status change goes to the account that asked for it, so the envelope's account may be another.

use super::envelope::Envelope;
use super::names::event_names;
use super::reason::{Ignored, Why};
use super::scope::{Accounts, Regions};
use super::{Trigger, reconcile};

event_names! {
    /// What Account Management reports.
    "aws.account" {
        RegionOptInStatusChange = "Region Opt-In Status Change",
        EnableRegion = "EnableRegion",
        DisableRegion = "DisableRegion",
    }
}

/// The name of an event of EventBridge's own, which carries no `eventName`.
pub(super) fn name_by_shape(event: &Envelope<'_>) -> Option<&'static str> {
    let is_status_change = event.text(&["status"]).is_some() && event.text(&["regionName"]).is_some();
    is_status_change.then_some("Region Opt-In Status Change")
}

pub(super) fn decide(name: &str, event: &Envelope<'_>) -> Trigger {
    match Name::of(name) {
        Some(Name::RegionOptInStatusChange) => status_changed(event),
        Some(Name::EnableRegion) => Trigger::Ignore(Ignored::RegionEnabling),
        Some(Name::DisableRegion) => Trigger::Ignore(Ignored::RegionNotEnabled),
        None => Trigger::Ignore(Ignored::UnknownEvent),
    }
}

fn status_changed(event: &Envelope<'_>) -> Trigger {
    let status = event.text(&["status"]).unwrap_or_default().to_ascii_uppercase();
    match status.as_str() {
        "ENABLED" | "ENABLED_BY_DEFAULT" => {}
        "ENABLING" => return Trigger::Ignore(Ignored::RegionEnabling),
        _ => return Trigger::Ignore(Ignored::RegionNotEnabled),
    }
    let region = event.text(&["regionName"]).and_then(|region| region.parse().ok());
    match event.account_at(&[&["accountId"]]) {
        Ok(account) => {
            reconcile(event, Accounts::one(account), Regions::one_or_all(region), Why::RegionEnabled)
        }
        Err(reason) => Trigger::Ignore(reason),
    }
}
