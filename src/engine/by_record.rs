//! The same look by the record of the deployed keeper, for a terminal that may not look into members. It reads the
//! ledger, and makes no call in a member or in the owner account.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Keeper;
use super::asked::is_deployed;
use super::copies::Originals;
use super::guardrails::catalog_by_record;
use super::remembered::Remembered;
use super::swept::recorded;
use super::view::View;
use crate::baseline::{Baseline, Placement};
use crate::copy::{CopyVerdict, Published};
use crate::desired::{Desired, Wanted, desired, release_leaving};
use crate::failure::{Call, Category, Failure};
use crate::ids::Target;
use crate::observed::Observation;
use crate::organization::Organization;
use crate::record::{Record, State};
use crate::settings::{Purpose, Settings};
use crate::trigger::Regions;

/// How old the looks are that a survey by the record goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RecordAge {
    /// When the target was looked at whose look is the oldest.
    pub oldest: Option<Timestamp>,
    /// When a target was looked at last.
    pub newest: Option<Timestamp>,
    /// How many targets, of those that should be guarded, nobody has looked at yet.
    pub never: usize,
}

/// Whether a deployed keeper sees what this process may not: as the templates deploy it, the member role trusts the
/// function alone. The owner account is tried, which every look needs; where it is our own, a member.
pub(super) async fn only_the_keeper_sees(
    keeper: &Keeper,
    baseline: &Baseline,
    organization: &Organization,
) -> bool {
    let Settings { purpose, own_roles, member_role, .. } = &keeper.settings;
    // Somebody who names a role to read by wants to read, and to know where it can't.
    let names_a_role = !own_roles.members.contains(member_role);
    let asks = *purpose == Purpose::Terminal && is_deployed(keeper) && !names_a_role;
    if !asks || !keeper.ledger.is_durable() {
        return false;
    }
    let own = keeper.cloud.own_account();
    let members = organization.accounts.values().filter(|account| account.state.admits_work());
    let mut others = std::iter::once(&baseline.owner).chain(members.map(|account| &account.id));
    let Some(other) = others.find(|id| *id != own) else { return false };
    match keeper.cloud.session(other).await {
        Ok(_) => false,
        Err(failure) => failure.call() == Call::AssumeRole && failure.category == Category::Denied,
    }
}

/// What the record says of some accounts, and of the guardrails that they are to enforce.
pub(super) async fn view_by_record(
    keeper: &Keeper,
    baseline: &Baseline,
    organization: Organization,
    mut known: Remembered,
    regions: &Regions,
) -> (View, RecordAge) {
    let settled = known.placing.settled(baseline);
    let mut desired = desired(&settled, &organization, &known.records, regions, &BTreeSet::new());
    let (mut catalog, assumed) = catalog_by_record(keeper, &settled).await;
    drop(settled);
    release_leaving(&mut desired, &known.offboarding);
    let (mut observed, unknown) = recorded(&desired, &known.records);
    let unseen = || Observation::Unreadable(Failure::not_recorded("ListEnforcedGuardrailsConfiguration"));
    let age = age(&desired, &known, unknown.len());
    observed.extend(unknown.into_iter().map(|target| (target, unseen())));
    let (own_roles, now) = (&keeper.settings.own_roles, keeper.clock.now());
    known.placing.settle(baseline, &mut desired, &observed, &known.records, own_roles, now);
    catalog.copies = copies_by_record(baseline, &desired, &known);
    known.warnings.extend(assumed);
    let view = View { organization, known, desired, observed, catalog, originals: Originals::new() };
    (view, age)
}

fn age(desired: &Desired, known: &Remembered, never: usize) -> RecordAge {
    let looks = desired.keys().filter_map(|target| Some(known.records.get(target)?.checked.as_ref()?.at));
    let looks: BTreeSet<Timestamp> = looks.collect();
    RecordAge { oldest: looks.first().copied(), newest: looks.last().copied(), never }
}

/// What the last looks say of members' copies. A look that was made for this revision, and found the target as wanted,
/// found its copy as it should be; of any other copy only the keeper can tell.
fn copies_by_record(
    baseline: &Baseline,
    desired: &Desired,
    known: &Remembered,
) -> BTreeMap<Target, Result<CopyVerdict, Failure>> {
    let copied = desired.iter().filter(
        |(_, wanted)| matches!(wanted, Wanted::Guardrail(wanted) if wanted.placement == Placement::Copy),
    );
    let verdict = |record: Option<&Record>| {
        let good = record.and_then(|record| published(baseline, record));
        good.map(CopyVerdict::Ready).ok_or_else(|| Failure::not_recorded("GetGuardrail"))
    };
    copied.map(|(target, _)| (target.clone(), verdict(known.records.get(target)))).collect()
}

/// The copy that is enforced by the last look, if that was made for this revision and found all as wanted.
fn published(baseline: &Baseline, record: &Record) -> Option<Published> {
    let checked = record.checked.as_ref().filter(|checked| checked.revision == baseline.revision)?;
    if !matches!(checked.state, State::InSync | State::Enforced | State::Replaced) {
        return None;
    }
    let seen = record.seen.as_ref()?.enforcement.as_ref()?;
    Some(Published { guardrail: seen.guardrail.clone(), version: seen.version })
}
