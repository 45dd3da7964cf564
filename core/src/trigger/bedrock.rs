//! Events of Amazon Bedrock: guardrails, their resource policies, and enforcement.
//!
//! Bedrock reports them only through CloudTrail, in the calling account and the Region of the call.

use super::context::{Context, Known};
use super::envelope::Envelope;
use super::names::event_names;
use super::reason::{Ignored, Why};
use super::scope::{Accounts, ChangedGuardrail, Regions, Scope};
use super::{Trigger, reconcile, scope};
use crate::ids::{AccountId, GuardrailArn, GuardrailRef, Partition, Role};

event_names! {
    /// What Bedrock reports of guardrails.
    "aws.bedrock" {
        CreateGuardrail = "CreateGuardrail",
        UpdateGuardrail = "UpdateGuardrail",
        CreateGuardrailVersion = "CreateGuardrailVersion",
        DeleteGuardrail = "DeleteGuardrail",
        PutResourcePolicy = "PutResourcePolicy",
        DeleteResourcePolicy = "DeleteResourcePolicy",
        PutEnforcement = "PutEnforcedGuardrailConfiguration",
        DeleteEnforcement = "DeleteEnforcedGuardrailConfiguration",
    }
}

pub(super) fn decide(name: &str, event: &Envelope<'_>, context: &Context) -> Trigger {
    let Some(name) = Name::of(name) else {
        return Trigger::Ignore(Ignored::UnknownEvent);
    };
    let account = match event.home() {
        Ok(account) => Some(account),
        Err(Ignored::NoAccount) => None,
        Err(reason) => return Trigger::Ignore(reason),
    };
    if account.as_ref().is_some_and(|account| is_own_write(event, account, context)) {
        return Trigger::Ignore(Ignored::OwnWrite);
    }
    match name {
        Name::UpdateGuardrail => Trigger::Ignore(Ignored::DraftOnly),
        Name::CreateGuardrail => guardrail_changed(event, account, context, Why::GuardrailCreated),
        Name::CreateGuardrailVersion => guardrail_changed(event, account, context, Why::VersionCreated),
        Name::DeleteGuardrail => {
            let of_version = event.text(&["requestParameters", "guardrailVersion"]).is_some();
            let why = if of_version { Why::VersionDeleted } else { Why::GuardrailDeleted };
            guardrail_changed(event, account, context, why)
        }
        Name::PutResourcePolicy => policy_changed(event, account, context, Why::ResourcePolicyPut),
        Name::DeleteResourcePolicy => policy_changed(event, account, context, Why::ResourcePolicyDeleted),
        Name::PutEnforcement => enforcement_changed(event, account, Why::EnforcementPut),
        Name::DeleteEnforcement => enforcement_changed(event, account, Why::EnforcementDeleted),
    }
}

/// Whether the keeper made the call itself, by every description of the caller that is there.
///
/// Where descriptions disagree, the writer was another principal: waking for nothing costs one look, sleeping
/// through a tampering leaves an account unguarded.
fn is_own_write(event: &Envelope<'_>, account: &AccountId, context: &Context) -> bool {
    let mut callers = event.callers();
    if callers.is_empty() {
        let writer = event.text(&["responseElements", "updatedBy"]);
        callers.extend(writer.and_then(|writer| Role::of_principal(&writer)));
    }
    !callers.is_empty() && callers.iter().all(|caller| context.own_roles.is_ours(caller, account))
}

fn enforcement_changed(event: &Envelope<'_>, account: Option<AccountId>, why: Why) -> Trigger {
    match account {
        Some(account) => reconcile(event, Accounts::one(account), Regions::one_or_all(event.region()), why),
        None => Trigger::Ignore(Ignored::NoAccount),
    }
}

fn guardrail_changed(
    event: &Envelope<'_>,
    account: Option<AccountId>,
    context: &Context,
    why: Why,
) -> Trigger {
    let names = [
        ["responseElements", "guardrailArn"],
        ["requestParameters", "guardrailIdentifier"],
        ["responseElements", "guardrailId"],
    ];
    let named: Vec<GuardrailRef> = names.iter().filter_map(|path| event.text(path)?.parse().ok()).collect();
    let is_arn = |guardrail: &&GuardrailRef| matches!(guardrail, GuardrailRef::Arn(_));
    let named = named.iter().find(is_arn).or(named.first()).cloned();
    owner_side(event, account, context, named, why)
}

fn policy_changed(event: &Envelope<'_>, account: Option<AccountId>, context: &Context, why: Why) -> Trigger {
    let resource = event
        .text(&["requestParameters", "resourceArn"])
        .or_else(|| event.text(&["responseElements", "resourceArn"]));
    let named = match resource {
        // Which resource it was is hidden, so it may have been a guardrail.
        None => None,
        Some(resource) => match (resource.parse(), is_profile(&resource)) {
            (Ok(guardrail), _) => Some(GuardrailRef::Arn(guardrail)),
            // The profile carries its guardrails across Regions. It names none of them.
            (Err(_), true) => None,
            (Err(_), false) => return Trigger::Ignore(Ignored::NotAGuardrail),
        },
    };
    owner_side(event, account, context, named, why)
}

fn is_profile(resource: &str) -> bool {
    resource.splitn(6, ':').nth(5).is_some_and(|resource| resource.starts_with("guardrail-profile/"))
}

/// A change of a guardrail or of who may use it: it may concern every account that uses it.
fn owner_side(
    event: &Envelope<'_>,
    account: Option<AccountId>,
    context: &Context,
    named: Option<GuardrailRef>,
    why: Why,
) -> Trigger {
    let region = event.region();
    if let Some(GuardrailRef::Arn(arn)) = &named {
        let elsewhere = account.as_ref().is_some_and(|account| *account != arn.account)
            || region.as_ref().is_some_and(|region| *region != arn.region);
        if elsewhere {
            return Trigger::Ignore(Ignored::GuardrailElsewhere);
        }
    }
    if let (Some(Known { owners, copies, .. }), Some(account)) = (&context.baseline, &account) {
        match (owners.contains(account), copies) {
            (true, _) => {}
            (false, true) => {
                let accounts = Accounts::one(account.clone());
                return reconcile(event, accounts, Regions::one_or_all(region), Why::CopyChanged);
            }
            (false, false) => return Trigger::Ignore(Ignored::NotOwner),
        }
    }
    let arises = matches!(why, Why::GuardrailCreated | Why::VersionCreated);
    if let (true, Some(known), Some(named), Some(region)) = (arises, &context.baseline, &named, &region) {
        // Something new can only matter to who wants it. What is gone may still be enforced
        // somewhere, though the baseline has moved on.
        if !known.may_mean(account.as_ref(), named.id(), region) {
            return Trigger::Ignore(Ignored::NotInBaseline);
        }
    }
    let changed_in = account.clone();
    let guardrail = named.map(|named| {
        let arn = match (&named, account, &region) {
            (GuardrailRef::Arn(arn), _, _) => Some(arn.clone()),
            (GuardrailRef::Id(id), Some(account), Some(region)) => Some(GuardrailArn {
                partition: Partition::of(region),
                region: region.clone(),
                account,
                id: id.clone(),
            }),
            (GuardrailRef::Id(_), _, _) => None,
        };
        ChangedGuardrail { named, arn }
    });
    let scope = scope(event, Accounts::All, Regions::one_or_all(region), why);
    Trigger::Reconcile(Box::new(Scope { guardrail, changed_in, ..scope }))
}
