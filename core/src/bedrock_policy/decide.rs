//! Decides what to do on the organization level: nothing, these steps, or why not. Pure.
//!
//! | what is known | decision |
//! | --- | --- |
//! | every point has what it is to have | nothing to write, whatever the accounts have |
//! | the type isn't enabled, and something is to be written | held: `type_disabled` |
//! | a guardrail version that is to be written or attached can't be used | held: `unusable` |
//! | no order of writes is without a gap, or one freezes an account | held: `no_safe_order` |
//! | what an account has can't be said, and a step is about it | held: `before_not_known` |
//! | an account that changes would get something else than what is wanted, from policies of others | held: `overridden` |
//! | what an account that changes would get depends on an order that AWS doesn't show | held: `depends_on_order` |
//! | an account that is given something can't be shown to be able to apply it | held: `not_proven` |
//! | something would be taken away under `enforce-only`, or while a revision waits | held: `takes_away` |
//! | more than one account changes, or more than the limits allow, and nobody approved it | held: `not_approved` |
//! | mode `audit` | the steps, which nobody takes |
//! | otherwise | the steps |
//!
//! An account that AWS calls frozen counts as changed in every Region that its policies name, before or after, if a step
//! touches one of its policies.
//!
//! All reasons are named at once. Under `enforce-only`, and while the baseline that is followed stands in for another one,
//! nothing is detached and no Region dropped: what the keeper's policies have stays wanted.

use std::collections::BTreeSet;

use super::build::OwnDocument;
use super::change_extent::ChangeExtent;
use super::hold::OrganizationHold;
use super::ids::PolicyKey;
use super::level::{OrganizationLevel, OrganizationWants, Proofs};
use super::order::{WantedPolicies, ordered_steps, steps_that_take_nothing_back};
use super::step::PolicyStep;
use super::step_outcome::StepOutcome;
use crate::baseline::Mode;
use crate::ids::{AccountId, Region};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationDecision {
    /// Nothing: the keeper's policies are as they are to be. This says nothing of whether the accounts have what is
    /// wanted: a policy of somebody else's may override the keeper's, and accounts may be frozen.
    NothingToWrite,
    /// To take these steps.
    Write(SafeSteps),
    /// Nothing, because the mode is `audit`; otherwise these steps.
    WouldWrite(SafeSteps),
    /// Nothing, for every one of these reasons.
    Held(Vec<OrganizationHold>),
}

/// Steps that passed every check. Only [`decide`] makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeSteps {
    steps: Vec<PolicyStep>,
    extent: ChangeExtent,
    unreached: BTreeSet<AccountId>,
}

impl SafeSteps {
    /// The steps, in their order.
    pub fn steps(&self) -> &[PolicyStep] {
        &self.steps
    }

    /// What they change.
    pub fn extent(&self) -> ChangeExtent {
        self.extent
    }

    /// Accounts that are frozen and stay as they are, whatever is written.
    pub fn unreached(&self) -> &BTreeSet<AccountId> {
        &self.unreached
    }
}

/// Decides.
pub fn decide(
    level: OrganizationLevel<'_>,
    wants: OrganizationWants<'_>,
    proofs: &dyn Proofs,
) -> OrganizationDecision {
    let takes_nothing = wants.mode == Mode::EnforceOnly || wants.puts_back;
    let (policies, ordered) = match takes_nothing {
        true => {
            let kept = keeping(level, wants.policies);
            let steps = steps_that_take_nothing_back(level.present, level.own, &kept, level.accounts);
            (kept, steps)
        }
        false => {
            let steps = ordered_steps(level.present, level.own, wants.policies, level.accounts);
            (wants.policies.clone(), steps)
        }
    };
    let steps = match ordered {
        Ok(steps) if steps.is_empty() => return OrganizationDecision::NothingToWrite,
        Ok(steps) => steps,
        Err(why) => return OrganizationDecision::Held(vec![OrganizationHold::NoSafeOrder(Box::new(why))]),
    };
    let outcome = StepOutcome::of(level, &policies, &steps);
    let mut holds = Vec::new();
    if !level.is_enabled {
        holds.push(OrganizationHold::TypeDisabled);
    }
    holds.extend(unusable(level, &steps, proofs));
    holds.extend(outcome.before_not_known());
    holds.extend(outcome.overridden());
    holds.extend(outcome.depends_on_order());
    holds.extend(outcome.not_proven(proofs));
    let extent = outcome.extent();
    if takes_nothing && extent.released > 0 {
        holds.push(OrganizationHold::TakesAway(extent));
    }
    // Where nothing is written, nothing waits for an approval.
    if wants.mode != Mode::Audit && !wants.is_approved && !extent.is_within(wants.limits) {
        holds.push(OrganizationHold::NotApproved(extent));
    }
    if !holds.is_empty() {
        return OrganizationDecision::Held(holds);
    }
    let safe = SafeSteps { steps, extent, unreached: outcome.unreached };
    match wants.mode {
        Mode::Audit => OrganizationDecision::WouldWrite(safe),
        Mode::Sync | Mode::EnforceOnly => OrganizationDecision::Write(safe),
    }
}

/// What is wanted, and besides what the keeper's policies have where they are attached: so nothing is taken away.
fn keeping(level: OrganizationLevel<'_>, wanted: &WantedPolicies) -> WantedPolicies {
    let mut kept = wanted.clone();
    for (id, part) in level.own {
        let key = PolicyKey::Id(id.clone());
        let is_attached = level.present.attached.get(&part.point).is_some_and(|them| them.contains(&key));
        let Some(Ok(content)) = level.present.contents.get(&key).filter(|_| is_attached) else { continue };
        let regions = kept.entry(part.point.clone()).or_default();
        for (region, enforcement) in OwnDocument::of(content).regions {
            regions.entry(region).or_insert(enforcement);
        }
    }
    kept
}

/// Every guardrail version that a step writes, or that is in a policy when a step attaches it, and that can't be used.
fn unusable(
    level: OrganizationLevel<'_>,
    steps: &[PolicyStep],
    proofs: &dyn Proofs,
) -> Vec<OrganizationHold> {
    let mut judged: BTreeSet<(Region, String)> = BTreeSet::new();
    let mut holds = Vec::new();
    let mut state = level.present.clone();
    let mut contents: Vec<OwnDocument> = Vec::new();
    for step in steps {
        match step {
            PolicyStep::Create { content, .. } | PolicyStep::Update { content, .. } => {
                contents.push(content.clone());
            }
            PolicyStep::Attach { policy, .. } => {
                let attached = state.contents.get(policy).and_then(|content| content.as_ref().ok());
                contents.extend(attached.map(OwnDocument::of));
            }
            PolicyStep::Check { .. } | PolicyStep::Detach { .. } | PolicyStep::Delete { .. } => {}
        }
        step.apply(&mut state);
    }
    for (region, enforcement) in contents.iter().flat_map(|content| &content.regions) {
        let version = format!("{}:{}", enforcement.guardrail, enforcement.version);
        if judged.insert((region.clone(), version))
            && let Err(why) = proofs.guardrail(region, enforcement)
        {
            let enforcement = Box::new(enforcement.clone());
            holds.push(OrganizationHold::Unusable { region: region.clone(), enforcement, why });
        }
    }
    holds
}
