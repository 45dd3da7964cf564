//! Events of AWS Control Tower: accounts it made or took in, told by its home Region.

use super::envelope::Envelope;
use super::names::event_names;
use super::organizations::succeeded;
use super::reason::{Ignored, Why};
use super::scope::{Accounts, Regions};
use super::{Trigger, reconcile};

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
    if !succeeded(event, &["serviceEventDetails", status, "state"]) {
        return Trigger::Ignore(Ignored::NotEnrolled);
    }
    match event.account_at(&[&["serviceEventDetails", status, "account", "accountId"]]) {
        Ok(account) => reconcile(event, Accounts::one(account), Regions::All, why),
        Err(reason) => Trigger::Ignore(reason),
    }
}
