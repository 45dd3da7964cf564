//! Events of AWS Organizations: who belongs, and where they stand.
//!
//! They all come from the management account (the partition's home Region of Organizations), so the
//! envelope's account is never the account that they are about.

use serde_json::Value;

use super::envelope::{Envelope, first_account};
use super::names::event_names;
use super::reason::{Departure, Ignored, Why};
use super::{Trigger, departed, reconcile};
use crate::ids::AccountId;
use crate::trigger::scope::{Accounts, Regions};

event_names! {
    /// What Organizations reports.
    "aws.organizations" {
        CreateAccount = "CreateAccount",
        CreateAccountResult = "CreateAccountResult",
        CreateGovCloudAccount = "CreateGovCloudAccount",
        AccountJoined = "AccountJoinedOrganization",
        AccountDeparted = "AccountDepartedOrganization",
        InviteAccount = "InviteAccountToOrganization",
        AcceptHandshake = "AcceptHandshake",
        MoveAccount = "MoveAccount",
        RemoveAccount = "RemoveAccountFromOrganization",
        LeaveOrganization = "LeaveOrganization",
        CloseAccount = "CloseAccount",
        CloseAccountResult = "CloseAccountResult",
        CreateOrganizationalUnit = "CreateOrganizationalUnit",
        UpdateOrganizationalUnit = "UpdateOrganizationalUnit",
        DeleteOrganizationalUnit = "DeleteOrganizationalUnit",
        TagResource = "TagResource",
        UntagResource = "UntagResource",
        CreatePolicy = "CreatePolicy",
        UpdatePolicy = "UpdatePolicy",
        DeletePolicy = "DeletePolicy",
        AttachPolicy = "AttachPolicy",
        DetachPolicy = "DetachPolicy",
        EnablePolicyType = "EnablePolicyType",
        DisablePolicyType = "DisablePolicyType",
        EffectivePolicyValidation = "EffectivePolicyValidation",
    }
}

/// Where joins and departures may name their account: their form is not documented, so each
/// container is searched, itself and one level down, before the next.
const CONTAINERS: [&str; 4] =
    ["serviceEventDetails", "requestParameters", "responseElements", "additionalEventData"];

/// The members that may hold it there, the ones that say most first.
const ACCOUNT_MEMBERS: [&str; 9] = [
    "memberAccountId",
    "joinedAccountId",
    "departedAccountId",
    "targetAccountId",
    "accountId",
    "accountID",
    "AccountId",
    "account",
    "memberAccount",
];

/// The members that may hold how an account departed.
const METHOD_MEMBERS: [&str; 4] = ["departureMethod", "departedMethod", "departMethod", "method"];

pub(super) fn decide(name: &str, event: &Envelope<'_>) -> Trigger {
    let Some(name) = Name::of(name) else {
        return Trigger::Ignore(Ignored::UnknownEvent);
    };
    match name {
        Name::CreateAccount => Trigger::Ignore(Ignored::ResultFollows),
        Name::CreateAccountResult => created(event),
        Name::CreateGovCloudAccount => Trigger::Ignore(Ignored::GovCloudAccount),
        Name::AccountJoined => joined(event, member_account(event), Why::AccountJoined),
        Name::AccountDeparted => left(event, member_account(event), departure(event)),
        Name::InviteAccount => Trigger::Ignore(Ignored::Invited),
        Name::AcceptHandshake => accepted(event),
        Name::MoveAccount => joined(event, requested_account(event), Why::AccountMoved),
        Name::RemoveAccount => left(event, requested_account(event), Departure::Removed),
        Name::LeaveOrganization => left(event, leaving_account(event), Departure::Left),
        Name::CloseAccount => left(event, requested_account(event), Departure::Closing),
        Name::CloseAccountResult => closed(event),
        Name::CreateOrganizationalUnit | Name::UpdateOrganizationalUnit | Name::DeleteOrganizationalUnit => {
            Trigger::Ignore(Ignored::OrganizationalUnit)
        }
        Name::TagResource | Name::UntagResource => Trigger::Ignore(Ignored::Tags),
        Name::CreatePolicy
        | Name::UpdatePolicy
        | Name::DeletePolicy
        | Name::AttachPolicy
        | Name::DetachPolicy
        | Name::EnablePolicyType
        | Name::DisablePolicyType => policies(event, Why::OrganizationPolicies),
        Name::EffectivePolicyValidation => policies(event, Why::EffectivePolicyValidated),
    }
}

/// Whether it reports what became of an account's effective policy. It says of itself that it only reads.
pub(super) fn is_validation(event: &Envelope<'_>) -> bool {
    event.text(&["eventName"]).is_some_and(|name| Name::of(&name) == Some(Name::EffectivePolicyValidation))
}

/// Where an event says which type of policy it is about. Attaching, detaching and deleting don't.
const TYPES: [&[&str]; 5] = [
    &["responseElements", "policy", "policySummary", "type"],
    &["requestParameters", "type"],
    &["requestParameters", "policyType"],
    &["serviceEventDetails", "policyType"],
    &["serviceEventDetails", "effectivePolicyType"],
];

/// A change of some policy. Where the event doesn't say of which type, it may be one for Bedrock.
fn policies(event: &Envelope<'_>, why: Why) -> Trigger {
    let named = TYPES.iter().find_map(|path| event.text(path));
    if named.is_some_and(|kind| !kind.eq_ignore_ascii_case("BEDROCK_POLICY")) {
        return Trigger::Ignore(Ignored::OrganizationPolicy);
    }
    Trigger::BedrockPolicies { why, event: event.id(), at: event.time() }
}

/// An account came to where it stands. One that the event doesn't name may stand anywhere, unguarded, so that
/// every account is looked at.
pub(super) fn joined(event: &Envelope<'_>, account: Result<AccountId, Ignored>, why: Why) -> Trigger {
    match account {
        Ok(account) => reconcile(event, Accounts::one(account), Regions::All, why),
        Err(Ignored::NoAccount) => reconcile(event, Accounts::All, Regions::All, Why::AccountNotNamed),
        Err(reason) => Trigger::Ignore(reason),
    }
}

fn left(event: &Envelope<'_>, account: Result<AccountId, Ignored>, reason: Departure) -> Trigger {
    match account {
        Ok(account) => departed(event, account, reason),
        Err(reason) => Trigger::Ignore(reason),
    }
}

/// The result of a creation: a failed one names no account.
fn created(event: &Envelope<'_>) -> Trigger {
    let status = ["serviceEventDetails", "createAccountStatus"];
    let state = [status[0], status[1], "state"];
    if !succeeded(event, &state) {
        return Trigger::Ignore(Ignored::NotCreated);
    }
    match event.account_at(&[&[status[0], status[1], "accountId"]]) {
        // Nothing in it says that an account was created.
        Err(reason) if event.text(&state).is_none() => Trigger::Ignore(reason),
        account => joined(event, account, Why::AccountCreated),
    }
}

fn closed(event: &Envelope<'_>) -> Trigger {
    let status = ["serviceEventDetails", "closeAccountStatus"];
    if !succeeded(event, &[status[0], status[1], "state"]) {
        return Trigger::Ignore(Ignored::NotClosed);
    }
    left(event, event.account_at(&[&[status[0], status[1], "accountId"]]), Departure::Closed)
}

/// Whether the state at a path is success. One that isn't given is taken for it: what matters then
/// is whether there is an account, and whether that is so is read again anyway.
pub(super) fn succeeded(event: &Envelope<'_>, path: &[&str]) -> bool {
    event.text(path).is_none_or(|state| state.eq_ignore_ascii_case("SUCCEEDED"))
}

/// An accepted handshake is a join only if it was an invitation; the caller is then the new member.
fn accepted(event: &Envelope<'_>) -> Trigger {
    let action = event.text(&["responseElements", "handshake", "action"]);
    if action.is_some_and(|action| !action.eq_ignore_ascii_case("INVITE")) {
        return Trigger::Ignore(Ignored::NotAJoin);
    }
    let parties = event.value(&["responseElements", "handshake", "parties"]).and_then(Value::as_array);
    let invited = parties.into_iter().flatten().filter(|party| party.get("type") == Some(&"ACCOUNT".into()));
    let account = first_account(invited.filter_map(|party| party.get("id")))
        .or_else(|_| event.account_at(&[&["userIdentity", "accountId"]]));
    match account {
        Err(Ignored::NoAccount) => Trigger::Ignore(Ignored::JoinFollows),
        Ok(_) | Err(_) => joined(event, account, Why::InvitationAccepted),
    }
}

fn requested_account(event: &Envelope<'_>) -> Result<AccountId, Ignored> {
    event.account_at(&[&["requestParameters", "accountId"]])
}

/// Leaving is a member's own call: the caller is the one who leaves, wherever the event is seen.
fn leaving_account(event: &Envelope<'_>) -> Result<AccountId, Ignored> {
    event.account_at(&[&["userIdentity", "accountId"], &["recipientAccountId"]])
}

/// The account that a join or departure is about. The management account, which sends the event,
/// is taken only where no other is named: it joins when the organization is made.
fn member_account(event: &Envelope<'_>) -> Result<AccountId, Ignored> {
    let sender = event.sender().ok();
    let named = || members(event, &ACCOUNT_MEMBERS).chain(described_accounts(event));
    let others = named().filter(|value| first_account([*value]).is_ok_and(|id| Some(id) != sender));
    first_account(others).or_else(|_| first_account(named()))
}

fn departure(event: &Envelope<'_>) -> Departure {
    let method = members(event, &METHOD_MEMBERS).find_map(Value::as_str).unwrap_or_default();
    match method.to_ascii_uppercase().as_str() {
        "LEFT" => Departure::Left,
        "REMOVED" => Departure::Removed,
        "CLEANED" => Departure::Cleaned,
        _ => Departure::Departed,
    }
}

/// The members of these names in each container and one level down, in order of trust.
fn members<'a>(event: &'a Envelope<'_>, names: &'static [&'static str]) -> impl Iterator<Item = &'a Value> {
    let containers = CONTAINERS.iter().filter_map(|container| event.value(&[container])?.as_object());
    containers.flat_map(move |container| {
        let own = names.iter().filter_map(|name| container.get(*name));
        let nested = container.iter().filter(|(member, _)| !is_about_management(member));
        own.chain(nested.flat_map(move |(_, value)| names.iter().filter_map(|name| value.get(*name))))
    })
}

/// The ids of accounts that are described as objects, `{"account": {"id": …}}`.
fn described_accounts<'a>(event: &'a Envelope<'_>) -> impl Iterator<Item = &'a Value> {
    let containers = CONTAINERS.iter().filter_map(|container| event.value(&[container])?.as_object());
    containers.flat_map(|container| {
        let accounts = container.iter().filter(|(member, _)| {
            member.to_ascii_lowercase().contains("account") && !is_about_management(member)
        });
        accounts.filter_map(|(_, value)| value.get("id"))
    })
}

/// Whether a member describes the organization's management account, formerly called its master.
fn is_about_management(member: &str) -> bool {
    let member = member.to_ascii_lowercase();
    member.contains("management") || member.contains("master")
}
