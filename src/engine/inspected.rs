//! What a terminal shows beside a plan: the owner's side, and the permissions that callers in an account need.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use super::accounts::head;
use super::guardrails::{CatalogScope, read_catalog};
use super::owner::decided_grants;
use super::placing::placing_as_recorded;
use super::swept::recorded;
use super::{Keeper, Stopped};
use crate::baseline::{Baseline, GuardrailKey, Placement};
use crate::desired::{Desired, Wanted, WantedGuardrail, desired, release_leaving};
use crate::failure::Failure;
use crate::ids::{AccountId, GuardrailVersion, KmsKeyArn, ParentId, Region, Target};
use crate::ledger::LedgerError;
use crate::organization::{Account, Organization};
use crate::plan::GrantDecision;
use crate::record::{Record, Records};
use crate::resolved::{Catalog, Unusable};
use crate::resource_policy::Resource;
use crate::trigger::Regions;

/// How many OUs are read at a time.
const UNITS_AT_A_TIME: usize = 4;

/// What callers in one account and Region must be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The guardrail's key in the baseline.
    pub guardrail: GuardrailKey,
    /// The version.
    pub version: GuardrailVersion,
    /// The ARNs of the guardrail and its profile, or why they are not known.
    pub resources: Result<Vec<String>, Unusable>,
    /// The customer managed key that callers must decrypt with, if there is one.
    pub key: Option<KmsKeyArn>,
    /// Whether the ARN stands for every guardrail of the account: it will get a copy, whose id isn't known before.
    pub any_copy: bool,
}

/// The names of OUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitNames {
    /// The names that could be read.
    pub known: BTreeMap<ParentId, String>,
    /// The OUs whose names could not be read, with the reason.
    pub unread: BTreeMap<ParentId, Failure>,
}

/// Reads the names of OUs, one call for each. A name that can't be read doesn't stop the others.
pub async fn unit_names(keeper: &Keeper, units: BTreeSet<ParentId>) -> UnitNames {
    let organizations = keeper.cloud.organizations();
    let asked = units.into_iter().filter(|unit| !unit.is_root()).map(|unit| {
        let organizations = organizations.clone();
        async move {
            let name = organizations.unit_name(&unit).await;
            (unit, name)
        }
    });
    let mut answers = stream::iter(asked).buffered(UNITS_AT_A_TIME);
    let mut names = UnitNames::default();
    while let Some((unit, name)) = answers.next().await {
        match name {
            Ok(name) => drop(names.known.insert(unit, name)),
            Err(failure) => drop(names.unread.insert(unit, failure)),
        }
    }
    names
}

/// Looks up every guardrail of the baseline, and what its resource policy needs. If it isn't known whether members
/// need copies, assumes that they don't.
pub async fn guardrails(
    keeper: &Keeper,
    baseline: &Baseline,
) -> (Catalog, BTreeMap<Resource, GrantDecision>) {
    let placing = placing_as_recorded(keeper, baseline).await.unwrap_or_default();
    let settled = placing.settled(baseline);
    let catalog = read_catalog(keeper, &settled, &Desired::new(), CatalogScope::AllOf(&Regions::All)).await;
    let grants = decided_grants(baseline, &catalog);
    (catalog, grants)
}

/// What the baseline requires callers in these accounts to apply, by Region. Leaves out Regions in which nothing is
/// wanted, and accounts that are about to leave. A record that can't be parsed fails only its own account.
///
/// # Errors
/// When the organization or the ledger can't be read.
pub async fn applied_in(
    keeper: &Keeper,
    baseline: &Baseline,
    accounts: Vec<Account>,
    regions: &Regions,
) -> Result<BTreeMap<AccountId, Result<BTreeMap<Region, Applied>, LedgerError>>, Stopped> {
    let head = head(keeper).await?;
    let known = keeper.ledger.accounts_each(accounts.iter().map(|account| &account.id)).await?;
    let (mut records, mut leaving) = (Records::new(), BTreeSet::new());
    let mut applied = BTreeMap::new();
    for (account, record) in known {
        let nothing_yet = record.map(|record| {
            records.extend(record.records(&account));
            if record.offboarding.is_some() {
                leaving.insert(account.clone());
            }
            BTreeMap::new()
        });
        applied.insert(account, nothing_yet);
    }
    let readable = |account: &Account| matches!(applied.get(&account.id), Some(Ok(_)));
    let accounts = accounts.into_iter().filter(readable);
    let organization = Organization::part(
        head.id,
        head.management,
        accounts.map(|account| (account.id.clone(), account)).collect(),
    );
    let mut placing = placing_as_recorded(keeper, baseline).await?;
    let mut desired = desired(baseline, &organization, &records, regions, &BTreeSet::new());
    release_leaving(&mut desired, &leaving);
    let (observed, _) = recorded(&desired, &records);
    let (own_roles, now) = (&keeper.settings.own_roles, keeper.clock.now());
    placing.settle(baseline, &mut desired, &observed, &records, own_roles, now);
    let catalog = read_catalog(keeper, baseline, &desired, CatalogScope::Wanted).await;
    for (target, wanted) in desired {
        if let (Wanted::Guardrail(wanted), Some(Ok(regions))) = (wanted, applied.get_mut(&target.account)) {
            let record = records.get(&target);
            let one = applied_at(baseline, &target, *wanted, record, &catalog);
            regions.insert(target.region, one);
        }
    }
    Ok(applied)
}

/// What callers in one target must be allowed.
fn applied_at(
    baseline: &Baseline,
    target: &Target,
    wanted: WantedGuardrail,
    record: Option<&Record>,
    catalog: &Catalog,
) -> Applied {
    let entry = catalog.entries.get(&(wanted.key.clone(), target.region.clone()));
    let ours = record.and_then(|record| record.ours.as_ref());
    let (resources, any_copy) = match (wanted.placement, ours) {
        (Placement::Copy, Some(ours)) => (Ok(vec![ours.enforcement.guardrail.to_string()]), false),
        (Placement::Copy, None) => (Ok(vec![any_guardrail(target)]), true),
        (Placement::Central | Placement::Auto, _) => {
            let known = entry.map(|entry| entry.resources().map(|one| one.to_string()).collect());
            let known = known.filter(|resources: &Vec<String>| !resources.is_empty());
            let why = entry.and_then(|entry| entry.unusable.clone());
            let why =
                why.unwrap_or_else(|| Unusable::Unreadable { failure: Failure::not_looked_up(&wanted.key) });
            (known.ok_or(why), false)
        }
    };
    // A copy has the key that the baseline gives for it, whatever the original's is.
    let key = match wanted.placement {
        Placement::Central | Placement::Auto => {
            entry.and_then(|entry| entry.customer_key.as_ref()).map(|key| key.arn.clone())
        }
        Placement::Copy => {
            let guardrail = baseline.guardrails.get(&wanted.key);
            guardrail.and_then(|guardrail| guardrail.copy_keys.get(&target.region).cloned())
        }
    };
    Applied { guardrail: wanted.key, version: wanted.source.version, resources, key, any_copy }
}

fn any_guardrail(target: &Target) -> String {
    let partition = crate::ids::Partition::of(&target.region);
    format!("arn:{partition}:bedrock:{}:{}:guardrail/*", target.region, target.account)
}
