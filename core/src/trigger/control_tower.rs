//! Events of AWS Control Tower: accounts it created or enrolled, sent from its home Region.

use super::Trigger;
use super::envelope::Envelope;
use super::names::event_names;
use super::organizations::{joined, succeeded};
use super::reason::{Ignored, Why};

event_names! {
    /// What Control Tower reports.
    "aws.controltower" {
        CreateManagedAccount = "CreateManagedAccount",
        UpdateManagedAccount = "UpdateManagedAccount",
    }
}

pub(super) fn decide(name: &str, event: &Envelope<'_>) -> Trigger {
    let (status, why) = match Name::of(name) {
        Some(Name::CreateManagedAccount) => ("createManagedAccountStatus", Why::AccountEnrolled),
        Some(Name::UpdateManagedAccount) => ("updateManagedAccountStatus", Why::AccountUpdated),
        None => return Trigger::Ignore(Ignored::UnknownEvent),
    };
    let state = ["serviceEventDetails", status, "state"];
    if !succeeded(event, &state) {
        return Trigger::Ignore(Ignored::NotEnrolled);
    }
    match event.account_at(&[&["serviceEventDetails", status, "account", "accountId"]]) {
        // Nothing in it says that an account was enrolled.
        Err(reason) if event.text(&state).is_none() => Trigger::Ignore(reason),
        account => joined(event, account, why),
    }
}
