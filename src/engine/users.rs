//! Who has to be looked at after an owner's guardrail changed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tracing::warn;

use super::Keeper;
use super::guardrails::owned;
use super::kept::owner_snapshot;
use super::swept::users_by_record;
use crate::baseline::{Baseline, GuardrailKey};
use crate::ids::{AccountId, GuardrailArn, Target};
use crate::resolved::CatalogEntry;
use crate::task::OtherGuardrails;

/// Who may use a guardrail that changed.
#[derive(Debug)]
pub(super) enum Users {
    /// Whoever the baseline assigns one of these to.
    Assigned(BTreeSet<GuardrailKey>),
    /// These accounts: the baseline means another guardrail in that Region, and their records name this one.
    Recorded(BTreeSet<AccountId>),
    /// Anybody: it isn't known what the baseline means there.
    Anybody,
}

/// Who may use a guardrail, by what was recorded of its Region since the task began, and of accounts.
pub(super) async fn users_of(
    keeper: &Keeper,
    baseline: &Baseline,
    (owner, is_addition): (&Target, bool),
    guardrail: &GuardrailArn,
    since: Timestamp,
) -> Users {
    // One that could not be found, or of which there are two, may have been this one, or will be.
    let may_be = |entry: &CatalogEntry| entry.arn.as_ref().is_none_or(|arn| arn == guardrail);
    // One that could not be read may be this one.
    let Some(keys) = keys_recorded(keeper, baseline, owner, may_be, since).await else {
        return Users::Anybody;
    };
    if !keys.is_empty() {
        return Users::Assigned(keys);
    }
    if is_addition {
        return Users::Recorded(BTreeSet::new());
    }
    match users_by_record(keeper, &owner.region, |named| named == guardrail).await {
        Ok(accounts) => Users::Recorded(accounts),
        Err(error) => {
            warn!("failed to read which accounts use {guardrail}, so every account is looked at: {error}");
            Users::Anybody
        }
    }
}

/// Who may use any of these guardrails, likewise.
pub(super) async fn users_of_others(
    keeper: &Keeper,
    baseline: &Baseline,
    owner: &Target,
    others: &OtherGuardrails,
    since: Timestamp,
) -> Users {
    let may_be = |entry: &CatalogEntry| entry.arn.as_ref().is_none_or(|arn| !others.but.contains(arn));
    let Some(keys) = keys_recorded(keeper, baseline, owner, may_be, since).await else {
        return Users::Anybody;
    };
    match users_by_record(keeper, &owner.region, |named| others.contain(named)).await {
        Ok(accounts) if keys.is_empty() => Users::Recorded(accounts),
        Ok(accounts) if accounts.is_empty() => Users::Assigned(keys),
        Ok(_) => Users::Anybody,
        Err(error) => {
            warn!("failed to read who uses a guardrail of {owner}, so every account is looked at: {error}");
            Users::Anybody
        }
    }
}

/// What the baseline calls those guardrails of an owner of which this holds, by what was recorded since then; `None`
/// where that isn't known of one of them.
async fn keys_recorded(
    keeper: &Keeper,
    baseline: &Baseline,
    owner: &Target,
    holds: impl Fn(&CatalogEntry) -> bool,
    since: Timestamp,
) -> Option<BTreeSet<GuardrailKey>> {
    let owned = owned(baseline, owner);
    if owned.is_empty() {
        // It owns nothing there, so nothing is recorded of it.
        return Some(BTreeSet::new());
    }
    let snapshot = owner_snapshot(keeper, owner, Some(since)).await?;
    let mut keys = BTreeSet::new();
    for ((key, _), source) in owned {
        let (entry, _) = snapshot.look_up(&key, &source, false)?;
        if holds(&entry) {
            keys.insert(key);
        }
    }
    Some(keys)
}
