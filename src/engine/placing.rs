//! `placement: auto` while a run looks and decides: the answer so far, and which changes wait for it. Reads only;
//! [`super::trials`] finds the answer out.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Keeper;
use super::guardrails::{CatalogScope, read_catalog};
use super::kept::placement_record;
use crate::baseline::{Baseline, GuardrailKey, Placement};
use crate::desired::{Desired, Wanted};
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, GuardrailArn, Target};
use crate::ledger::LedgerError;
use crate::observed::Observed;
use crate::own_roles::OwnRoles;
use crate::placement::{Answer, Permit, PlacementRecord, Stands, Tried, effective};
use crate::plan::{Change, HoldReason, Plan};
use crate::record::{Grants, Records};
use crate::resolved::Catalog;

/// What a run knows of the answer, for guardrails that say `auto`.
#[derive(Clone, Debug, Default)]
pub struct Placing {
    /// The guardrails that say `auto`. If there are none, the other members don't matter.
    auto: BTreeSet<GuardrailKey>,
    /// The recorded answer, with what this run saw.
    pub record: PlacementRecord,
    /// Why the ledger could not be read, in words.
    pub(super) trouble: Option<String>,
    /// Whether the ledger is durable: then an answer outlives this process.
    pub(super) remembered: bool,
    /// A member in which this run saw the owner's guardrail enforced, if the ledger knows of none.
    pub(super) found: Option<Target>,
    /// Our grants: a refusal shortly after a grant proves nothing.
    pub(super) grants: Grants,
}

/// The recorded answer, with our grants. Reads nothing if no guardrail says `auto`. `earlier` is why the ledger could
/// not be read before.
pub(super) async fn placing(
    keeper: &Keeper,
    baseline: &Baseline,
    grants: &Grants,
    earlier: Option<&String>,
) -> Placing {
    match placing_as_recorded(keeper, baseline).await {
        Ok(placing) if placing.is_asked() => {
            // The age of a grant has to be known as well.
            Placing { grants: grants.clone(), trouble: earlier.cloned(), ..placing }
        }
        Ok(placing) => placing,
        Err(error) => {
            let trouble = format!("failed to read whether members need copies of guardrails: {error}");
            Placing { auto: left_to_aws(baseline), trouble: Some(trouble), ..Placing::default() }
        }
    }
}

/// The recorded answer, for callers that try nothing.
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

/// The guardrails that say `auto`.
fn left_to_aws(baseline: &Baseline) -> BTreeSet<GuardrailKey> {
    let auto = baseline.guardrails.iter().filter(|(_, guardrail)| guardrail.placement == Placement::Auto);
    auto.map(|(key, _)| key.clone()).collect()
}

/// Decides for each target which guardrail it refers to. If members get copies and one was seen to enforce the owner's
/// guardrail, the grant of that guardrail is looked up as well.
pub(super) async fn settle(
    keeper: &Keeper,
    placing: &mut Placing,
    baseline: &Baseline,
    (desired, needs): (&mut Desired, CatalogScope<'_>),
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
    /// Whether any guardrail says `auto`.
    pub fn is_asked(&self) -> bool {
        !self.auto.is_empty()
    }

    /// The baseline with `auto` replaced, as the owner's side needs it: whether a guardrail has to be granted to the
    /// organization. [`Placing::settle`] decides single targets.
    pub(super) fn settled<'a>(&self, baseline: &'a Baseline) -> Cow<'a, Baseline> {
        if !self.is_asked() {
            return Cow::Borrowed(baseline);
        }
        let placement = if self.record.needs_grants() { Placement::Central } else { Placement::Copy };
        Cow::Owned(Placing::put(baseline, placement))
    }

    /// Whether members get copies of guardrails that say `auto`.
    pub(super) fn gives_copies(&self) -> bool {
        self.is_asked() && !self.record.needs_grants()
    }

    /// The baseline with the owner's guardrail in the place of `auto`.
    pub(super) fn central(&self, baseline: &Baseline) -> Baseline {
        Placing::put(baseline, Placement::Central)
    }

    fn put(baseline: &Baseline, placement: Placement) -> Baseline {
        let mut settled = baseline.clone();
        for guardrail in settled.guardrails.values_mut().filter(|one| one.placement == Placement::Auto) {
            guardrail.placement = placement;
        }
        settled
    }

    /// Decides for each target which guardrail it refers to, by what is enforced there now.
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
            let is_owner = |account: &AccountId| baseline.is_owner(account);
            Stands::of(target, observed.get(target), records.get(target), is_owner, own_roles)
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

    /// Holds the changes that wait for the answer.
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

    /// The target and the enforcement of a change that tries whether AWS accepts the owner's guardrail in a member.
    pub(super) fn trial<'a>(&self, change: &'a Change) -> Option<(&'a Target, &'a Enforcement)> {
        let (target, to) = change.enforces()?;
        let asks =
            self.record.answer == Answer::Undecided && change.key().is_some_and(|key| self.leaves(key));
        (asks && to.guardrail.account != target.account).then_some((target, to))
    }

    /// Whether this guardrail says `auto`.
    pub(super) fn leaves(&self, key: &GuardrailKey) -> bool {
        self.auto.contains(key)
    }

    /// When we last granted a guardrail, or a profile that it may use.
    pub(super) fn granted(&self, guardrail: &GuardrailArn) -> Option<Timestamp> {
        let of_it = self.grants.iter().filter(|(resource, _)| {
            *resource.account() == guardrail.account && *resource.region() == guardrail.region
        });
        of_it.map(|(_, granted)| granted.at).max()
    }
}
