//! A look by the record of the deployed keeper, for a terminal that may not read members. Reads the ledger, and makes
//! no call in a member or in the owner account.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Keeper;
use super::asked::is_deployed;
use super::copies::Originals;
use super::guardrails::catalog_by_record;
use super::remembered::Remembered;
use super::view::View;
use crate::baseline::{Baseline, Placement};
use crate::copy::{CopyVerdict, Published};
use crate::desired::{Desired, Wanted, desired, release_leaving};
use crate::failure::{Call, Category, Failure};
use crate::ids::Target;
use crate::observed::{Observation, Observed};
use crate::organization::Organization;
use crate::record::{Record, State};
use crate::settings::{Purpose, Settings};
use crate::trigger::Regions;

/// The age of the looks that a survey by the record uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RecordAge {
    /// The time of the oldest look.
    pub oldest: Option<Timestamp>,
    /// The time of the newest look.
    pub newest: Option<Timestamp>,
    /// Of how many targets that should be guarded the last look says nothing: there was none, or it could not read.
    pub unknown: usize,
}

/// Whether only the deployed keeper may read members: as the templates deploy it, the member role trusts only the
/// function. Tries an owner account, which every look needs; if ours is the only one, a member.
pub(super) async fn only_the_keeper_sees(
    keeper: &Keeper,
    baseline: &Baseline,
    organization: &Organization,
) -> bool {
    let Settings { purpose, own_roles, member_role, .. } = &keeper.settings;
    // A terminal with `--role` reads members, and shows where it can't.
    let names_a_role = !own_roles.members.contains(member_role);
    let asks = *purpose == Purpose::Terminal && is_deployed(keeper) && !names_a_role;
    if !asks || !keeper.ledger.is_durable() {
        return false;
    }
    let own = keeper.cloud.own_account();
    let members = organization.accounts.values().filter(|account| account.state.admits_work());
    let owners = baseline.owners();
    let mut others = owners.iter().chain(members.map(|account| &account.id));
    let Some(other) = others.find(|id| *id != own) else { return false };
    match keeper.cloud.session(other).await {
        Ok(_) => false,
        Err(failure) => failure.call() == Call::AssumeRole && failure.category == Category::Denied,
    }
}

/// What the ledger says of some accounts, and of the guardrails that they should enforce.
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
    let observed: Observed =
        desired.keys().map(|target| (target.clone(), observation(known.records.get(target)))).collect();
    let age = age(&desired, &known, &observed);
    let (own_roles, now) = (&keeper.settings.own_roles, keeper.clock.now());
    known.placing.settle(baseline, &mut desired, &observed, &known.records, own_roles, now);
    catalog.copies = copies_by_record(baseline, &desired, &known);
    known.warnings.extend(assumed);
    let view = View { organization, known, desired, observed, catalog, originals: Originals::new() };
    (view, age)
}

/// What was there at the last look. A look that could not read it says nothing, whatever an earlier one saw. Neither
/// does one after which a write was begun and never confirmed.
fn observation(record: Option<&Record>) -> Observation {
    let unknown = || Observation::Unreadable(Failure::not_recorded("ListEnforcedGuardrailsConfiguration"));
    let Some(record) = record.filter(|record| record.intent.is_none()) else { return unknown() };
    let (Some(seen), Some(checked)) = (&record.seen, &record.checked) else { return unknown() };
    if seen.at < checked.at {
        return unknown();
    }
    Observation::recorded(seen.enforcement.clone(), seen.by.clone())
}

fn age(desired: &Desired, known: &Remembered, observed: &Observed) -> RecordAge {
    let seen = |target| known.records.get(target).and_then(|record| Some(record.seen.as_ref()?.at));
    let looks: BTreeSet<Timestamp> = desired.keys().filter_map(seen).collect();
    let unknown = observed.iter().filter(|(target, it)| {
        let is_wanted = matches!(desired.get(*target), Some(Wanted::Guardrail(_)));
        is_wanted && matches!(it, Observation::Unreadable(_))
    });
    RecordAge { oldest: looks.first().copied(), newest: looks.last().copied(), unknown: unknown.count() }
}

/// The state of members' copies, by the last looks. If a look was made for this revision and found the target as
/// wanted, its copy was right; only the keeper knows about the other copies.
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

/// The enforced copy, if the last look was made for this revision and found the target as wanted.
fn published(baseline: &Baseline, record: &Record) -> Option<Published> {
    let checked = record.checked.as_ref().filter(|checked| checked.revision == baseline.revision)?;
    if !matches!(checked.state, State::InSync | State::Enforced | State::Replaced) {
        return None;
    }
    let seen = record.seen.as_ref()?.enforcement.as_ref()?;
    Some(Published { guardrail: seen.guardrail.clone(), version: seen.version })
}
