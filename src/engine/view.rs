//! Reads some accounts and plans; and, after the limits, proves the plan. Reads only.
//!
//! ```text
//! ledger ─► desired ─► observe, and look up guardrails ─► resolve ─► plan ─► restrict to the mode
//! ```

use std::collections::BTreeSet;

use super::copies::{Originals, look_at_copies, originals};
use super::guardrails::{CatalogScope, look_at_the_present, read_catalog};
use super::leftovers::leftovers;
use super::members::{in_grace, observe, prove};
use super::placing::settle;
use super::remembered::Remembered;
use super::{Keeper, Progress};
use crate::baseline::{Baseline, GuardrailKey, Mode};
use crate::desired::{Desired, desired, release_leaving};
use crate::ids::{Region, Target};
use crate::observed::Observed;
use crate::organization::{AccountState, OrgPath, Organization};
use crate::plan::{DecisionContext, LedgerState, Plan, SafePlan, plan};
use crate::resolved::{Catalog, Resolved, resolve};
use crate::trigger::Regions;

/// What was read of some accounts, and of the guardrails that they should enforce.
#[derive(Clone, Debug)]
pub struct View {
    /// The accounts that were looked at.
    pub organization: Organization,
    /// What the ledger knew.
    pub known: Remembered,
    /// What is wanted of each target.
    pub desired: Desired,
    /// What was seen in each target.
    pub observed: Observed,
    /// The owner's guardrails, and members' copies of them.
    pub(super) catalog: Catalog,
    /// The guardrails to copy.
    pub(super) originals: Originals,
}

/// How much of some accounts is read.
#[derive(Clone, Copy)]
pub(super) struct ReadDepth<'a> {
    pub(super) regions: &'a Regions,
    /// More Regions in which enforcements of ours are looked for.
    pub(super) also: &'a BTreeSet<Region>,
    pub(super) needs: CatalogScope<'a>,
}

/// Reads what is in some accounts, and the guardrails that they should enforce.
pub(super) async fn view(
    keeper: &Keeper,
    baseline: &Baseline,
    organization: Organization,
    mut known: Remembered,
    ReadDepth { regions, also, needs }: ReadDepth<'_>,
    progress: Progress<'_>,
) -> View {
    let settled = known.placing.settled(baseline);
    let mut desired = desired(&settled, &organization, &known.records, regions, also);
    release_leaving(&mut desired, &known.offboarding);
    let (observed, mut catalog) = futures_util::join!(
        observe(keeper, &organization, &desired, &known.arrivals, progress),
        read_catalog(keeper, &settled, &desired, needs)
    );
    let seen = (&observed, &known.records);
    settle(keeper, &mut known.placing, baseline, (&mut desired, needs), &mut catalog, seen).await;
    let mut originals = originals(keeper, baseline, &desired, &mut catalog).await;
    catalog.copies = look_at_copies(keeper, baseline, &desired, &mut originals, &observed).await;
    for (target, verdict) in &mut catalog.copies {
        if let Err(failure) = verdict {
            *failure = in_grace(keeper, &organization, &known.arrivals, target, failure.clone());
        }
    }
    View { organization, known, desired, observed, catalog, originals }
}

impl View {
    /// Whether the account gets another assignment at its present place than at the earlier one.
    pub(super) fn has_moved(&self, baseline: &Baseline, stood: &OrgPath, target: &Target) -> bool {
        let Some(account) = self.organization.accounts.get(&target.account) else { return false };
        baseline.assignment(&account.id, stood) != baseline.assignment(&account.id, &account.path)
    }
}

/// The plan for the accounts of a view, before anything is held.
pub(super) async fn planned(keeper: &Keeper, baseline: &Baseline, view: &View) -> Plan {
    let mut resolved = resolve(view.desired.clone(), &view.catalog, &baseline.organization);
    look_at_the_present(keeper, baseline, &mut resolved, &view.observed).await;
    plan_of(keeper, view, &resolved)
}

/// The plan for the accounts of a view, with these resolved enforcements.
pub(super) fn plan_of(keeper: &Keeper, view: &View, resolved: &Resolved) -> Plan {
    let ledger = if keeper.ledger.is_durable() { LedgerState::Durable } else { LedgerState::Volatile };
    let context = DecisionContext { own_roles: &keeper.settings.own_roles, ledger, now: keeper.clock.now() };
    plan(resolved, &view.observed, &view.known.records, context)
}

/// Adds clean-ups of what earlier copies left, in targets without another change.
pub(super) async fn with_clean_ups(keeper: &Keeper, baseline: &Baseline, plan: Plan, view: &View) -> Plan {
    let leftovers = leftovers(keeper, baseline, &plan, &view.catalog, &view.known.records).await;
    plan.clean_up(leftovers)
}

/// Holds what can't be decided without the ledger and what the mode doesn't allow, and takes nothing away in accounts
/// whose state is unknown.
pub(super) fn restricted(baseline: &Baseline, plan: Plan, view: &View) -> Plan {
    let mut plan = plan.hold_unread(&view.known.unread);
    if !view.known.grants_are_known {
        plan = plan.hold_unread_grants();
    }
    let plan = plan.spare(view.organization.states(AccountState::is_unknown)).restrict(baseline.mode);
    // What a baseline in mode `audit` leaves to itself was not counted, and is not abandoned.
    if baseline.mode == Mode::Audit { plan.abandon_nothing(&view.known.records) } else { plan }
}

/// Holds what waits for the answer to `placement: auto`, and what the member can't apply.
pub(super) async fn proven(keeper: &Keeper, baseline: &Baseline, plan: Plan, view: &mut View) -> SafePlan {
    let View { organization, known, catalog, .. } = view;
    let plan = known.placing.hold(plan, keeper.clock.now());
    let proofs = prove(keeper, &plan, organization, &known.arrivals, &known.grants, catalog).await;
    let is_meant = |key: &GuardrailKey| baseline.means_to_block(key);
    known.warnings.extend(plan.blocked_in_force(&proofs, is_meant));
    plan.prove(&proofs, is_meant)
}
