//! `placement: auto` while a run looks and decides: what is known of AWS's answer, and who waits for it.
//! Reads only; [`super::trials`] finds the answer out.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Keeper;
use super::guardrails::{Needs, read_catalog};
use super::kept::placement_record;
use crate::baseline::{Baseline, GuardrailKey, Placement};
use crate::desired::{Desired, Wanted};
use crate::enforcement::Enforcement;
use crate::ids::{GuardrailArn, Target};
use crate::ledger::LedgerError;
use crate::observed::Observed;
use crate::own_roles::OwnRoles;
use crate::placement::{Answer, Permit, PlacementRecord, Stands, Tried, effective};
use crate::plan::{Change, HoldReason, Plan};
use crate::record::{Grants, Records};
use crate::resolved::Catalog;

/// What a run goes by where the baseline leaves the placement to AWS's answer.
#[derive(Clone, Debug, Default)]
pub struct Placing {
    /// The guardrails that say `auto`. Where there are none, nothing else here matters.
    auto: BTreeSet<GuardrailKey>,
    /// What is known, with what this run saw.
    pub record: PlacementRecord,
    /// Why the ledger could not tell what is known, in words.
    pub(super) trouble: Option<String>,
    /// Whether what is found out outlives this process.
    pub(super) remembered: bool,
    /// A member in which this run saw the owner's guardrail enforced, where the ledger knows of none.
    pub(super) found: Option<Target>,
    /// The grants that we made: what is refused shortly after one says nothing.
    pub(super) grants: Grants,
}

/// What is known of AWS's answer, with the grants that we made. Nothing is asked where the baseline has
/// no use for it. `earlier` is what the ledger could not tell before.
pub(super) async fn placing(
    keeper: &Keeper,
    baseline: &Baseline,
    grants: &Grants,
    earlier: Option<&String>,
) -> Placing {
    match placing_as_recorded(keeper, baseline).await {
        Ok(placing) if placing.is_asked() => {
            // How young a grant is has to be known as well.
            Placing { grants: grants.clone(), trouble: earlier.cloned(), ..placing }
        }
        Ok(placing) => placing,
        Err(error) => {
            let trouble = format!("whether members need copies of guardrails isn't known: {error}");
            Placing { auto: left_to_aws(baseline), trouble: Some(trouble), ..Placing::default() }
        }
    }
}

/// What is known of AWS's answer, for whoever tries nothing.
///
/// # Errors
/// When the ledger can't be read.
pub(super) async fn placing_as_recorded(
    keeper: &Keeper,
    baseline: &Baseline,
) -> Result<Placing, LedgerError> {
    let auto = left_to_aws(baseline);
    if auto.is_empty() {
        return Ok(Placing::default());
    }
    let record = placement_record(keeper).await?;
    Ok(Placing { auto, record, remembered: keeper.ledger.is_durable(), ..Placing::default() })
}

/// The guardrails whose placement the baseline leaves to AWS's answer.
fn left_to_aws(baseline: &Baseline) -> BTreeSet<GuardrailKey> {
    let auto = baseline.guardrails.iter().filter(|(_, guardrail)| guardrail.placement == Placement::Auto);
    auto.map(|(key, _)| key.clone()).collect()
}

/// Says of each target where its guardrail lives. Where a member was seen to enforce the owner's guardrail
/// though members get copies, its grant is looked up as well.
pub(super) async fn settle(
    keeper: &Keeper,
    placing: &mut Placing,
    baseline: &Baseline,
    (desired, needs): (&mut Desired, Needs<'_>),
    catalog: &mut Catalog,
    (observed, records): (&Observed, &Records),
) {
    let needed = placing.record.needs_grants();
    placing.settle(baseline, desired, observed, records, &keeper.settings.own_roles, keeper.clock.now());
    if placing.is_asked() && placing.record.needs_grants() != needed {
        *catalog = read_catalog(keeper, &placing.settled(baseline), desired, needs).await;
    }
}

impl Placing {
    /// Whether the baseline leaves any placement to AWS's answer.
    pub fn is_asked(&self) -> bool {
        !self.auto.is_empty()
    }

    /// The baseline as far as the owner's side goes by it: whether a guardrail has to be granted to the
    /// organization. Single targets are settled by [`Placing::settle`].
    pub(super) fn settled<'a>(&self, baseline: &'a Baseline) -> Cow<'a, Baseline> {
        if !self.is_asked() {
            return Cow::Borrowed(baseline);
        }
        let placement = if self.record.needs_grants() { Placement::Central } else { Placement::Copy };
        let mut settled = baseline.clone();
        for guardrail in settled.guardrails.values_mut().filter(|one| one.placement == Placement::Auto) {
            guardrail.placement = placement;
        }
        Cow::Owned(settled)
    }

    /// Says of each target where its guardrail lives, by what stands there now.
    pub(super) fn settle(
        &mut self,
        baseline: &Baseline,
        desired: &mut Desired,
        observed: &Observed,
        records: &Records,
        own_roles: &OwnRoles,
        now: Timestamp,
    ) {
        if !self.is_asked() {
            return;
        }
        let stands = |target: &Target| {
            Stands::of(target, observed.get(target), records.get(target), &baseline.owner, own_roles)
        };
        if self.record.works_in.is_none() && self.trouble.is_none() {
            self.found = desired.keys().find(|target| stands(target) == Stands::OwnersGuardrail).cloned();
            if let Some(target) = &self.found {
                self.record.accepted(Tried { target, at: now, revision: &baseline.revision });
            }
        }
        for (target, wanted) in desired.iter_mut() {
            if let Wanted::Guardrail(wanted) = wanted
                && self.leaves(&wanted.key)
            {
                wanted.placement = effective(Placement::Auto, stands(target), self.record.answer);
            }
        }
    }

    /// Holds what waits for the answer.
    pub(super) fn hold(&self, plan: Plan, now: Timestamp) -> Plan {
        if self.is_asked() { plan.hold_changes(|change| self.holds(change, now)) } else { plan }
    }

    fn holds(&self, change: &Change, now: Timestamp) -> Option<HoldReason> {
        if self.trouble.is_some() && change.key().is_some_and(|key| self.leaves(key)) {
            return Some(HoldReason::LedgerUnavailable);
        }
        let (target, _) = self.trial(change)?;
        match self.record.permits(target, now, self.remembered) {
            Permit::Try => None,
            Permit::Wait(wait) => Some(HoldReason::PlacementUndecided { wait }),
        }
    }

    /// The target and what is to be enforced there, where a change tries out whether AWS takes the
    /// owner's guardrail in a member.
    pub(super) fn trial<'a>(&self, change: &'a Change) -> Option<(&'a Target, &'a Enforcement)> {
        let (target, to) = change.enforces()?;
        let asks =
            self.record.answer == Answer::Undecided && change.key().is_some_and(|key| self.leaves(key));
        (asks && to.guardrail.account != target.account).then_some((target, to))
    }

    /// Whether the baseline leaves this guardrail's placement to AWS's answer.
    pub(super) fn leaves(&self, key: &GuardrailKey) -> bool {
        self.auto.contains(key)
    }

    /// When we granted a guardrail, or a profile that it may use, last.
    pub(super) fn granted(&self, guardrail: &GuardrailArn) -> Option<Timestamp> {
        let of_it = self.grants.iter().filter(|(resource, _)| {
            *resource.account() == guardrail.account && *resource.region() == guardrail.region
        });
        of_it.map(|(_, granted)| granted.at).max()
    }
}
