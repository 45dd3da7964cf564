//! Looks, from an account itself, at what it has of the organization's level, and tries to apply what the baseline gives it
//! there. The organization's own task relies on these tries: it changes nothing for an account that can't apply it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tracing::warn;

use super::Keeper;
use super::guardrails::{CatalogScope, read_catalog};
use crate::baseline::Baseline;
use crate::cloud::{Reader, Session};
use crate::enforcement::Enforcement;
use crate::failure::{Call, Category, Code, Failure};
use crate::ids::{AccountId, Region};
use crate::ledger::LedgerError;
use crate::observed::ProbeAnswer;
use crate::organization::Account;
use crate::organization_level::{inherited_desired, inherited_regions};
use crate::record::{
    AccountRecord, InheritedLevel, InheritedProbe, InheritedProbeResult, InheritedRegion, InheritedStanding,
};
use crate::resolved::{Resolved, ResolvedTarget, resolve};
use crate::settings::OrganizationAccess;
use crate::task::AccountTask;

/// Looks at what an account has of the organization's level, and records it. Where neither the baseline has that level nor
/// the record anything of it, no call is made.
///
/// Never fails: what could not be read is recorded as that, and the next look tries again.
pub(super) async fn look_at_inherited(
    keeper: &Keeper,
    baseline: &Baseline,
    task: &AccountTask,
    account: &Account,
) {
    if keeper.settings.organization_access == OrganizationAccess::None {
        // This deployment has nothing to do with that level, nor permission to ask.
        return;
    }
    let known = match keeper.ledger.account(&account.id).await {
        Ok(record) => record.inherited,
        Err(error) => {
            warn!(account.id = %account.id, "failed to read what the account has of the organization's level: {error}");
            return;
        }
    };
    if !baseline.has_organization_level() && known.is_none() {
        return;
    }
    let desired = inherited_desired(baseline, account);
    let needs = CatalogScope::WantedAsRecorded { since: task.owner_since.or(Some(task.cause.first_seen)) };
    let catalog = read_catalog(keeper, baseline, &desired, needs).await;
    let resolved = resolve(desired, &catalog, &baseline.organization);
    let session = keeper.cloud.session(&account.id).await;
    let published = match &session {
        Ok(session) => {
            let is_ours = account.id == *keeper.cloud.own_account();
            keeper.cloud.bedrock_policies(session).own_effective(is_ours).await
        }
        Err(failure) => Err(failure.clone()),
    };
    let mut regions = inherited_regions(&resolved, &published);
    let before = known.map(|known| known.regions).unwrap_or_default();
    prove(keeper, baseline, &session, (&resolved, &before), &mut regions).await;
    let (at, revision) = (keeper.clock.now(), baseline.revision.clone());
    let level = (!regions.is_empty()).then_some(InheritedLevel { at, revision, regions });
    let noted = keeper.ledger.change_account(&account.id, |record| {
        record.inherited.clone_from(&level);
        Ok(())
    });
    if let Err(error) = noted.await {
        warn!(account.id = %account.id, "failed to record what the account has of the organization's level: {error}");
    }
}

/// Tries to apply what the baseline gives, in each Region where the last try counts no more, and where something else is
/// published: that is about to change, and what it would break has to be known now.
async fn prove(
    keeper: &Keeper,
    baseline: &Baseline,
    session: &Result<Session, Failure>,
    (resolved, before): (&Resolved, &BTreeMap<Region, InheritedRegion>),
    regions: &mut BTreeMap<Region, InheritedRegion>,
) {
    let now = keeper.clock.now();
    let meant: BTreeMap<&Region, bool> = resolved
        .iter()
        .filter_map(|(target, one)| match one {
            ResolvedTarget::Enforce(enforce) => Some((&target.region, baseline.means_to_block(&enforce.key))),
            ResolvedTarget::Nothing { .. } | ResolvedTarget::Unassigned | ResolvedTarget::Excluded => None,
        })
        .collect();
    let probes = regions.iter_mut().filter_map(|(region, one)| Some((region, one.wanted.clone()?, one)));
    let probes = probes.map(|(region, wanted, one)| {
        let last = before.get(region).and_then(|before| before.probe.clone());
        let is_meant = meant.get(region).copied().unwrap_or_default();
        async move {
            let is_as_wanted = one.standing == InheritedStanding::AsWanted;
            one.probe = match last.filter(|last| is_as_wanted && !last.is_due_again(&wanted, now)) {
                Some(last) => Some(last),
                None => Some(InheritedProbe {
                    guardrail: wanted.guardrail.clone(),
                    version: wanted.version,
                    at: now,
                    result: probed(session, region, &wanted, is_meant).await,
                }),
            };
        }
    });
    join_all(probes).await;
    for (region, one) in regions.iter_mut().filter(|(_, one)| one.wanted.is_none()) {
        // What the guardrail is isn't known now: the last try still counts for what it was of.
        one.probe = before.get(region).and_then(|before| before.probe.clone());
    }
    only_where_others_are(regions);
}

/// A Region counts as not enabled only where Bedrock in another one knew the same credentials: else nothing is known.
fn only_where_others_are(regions: &mut BTreeMap<Region, InheritedRegion>) {
    let mut probes: Vec<&mut InheritedProbe> =
        regions.values_mut().filter_map(|one| one.probe.as_mut()).collect();
    if probes.iter().all(|probe| probe.result == InheritedProbeResult::NotEnabled) {
        for probe in &mut probes {
            let why = "Bedrock doesn't know the account's credentials in any Region".to_owned();
            probe.result = InheritedProbeResult::Failed(why);
        }
    }
}

async fn probed(
    session: &Result<Session, Failure>,
    region: &Region,
    wanted: &Enforcement,
    is_meant: bool,
) -> InheritedProbeResult {
    let answer = match session {
        Ok(session) => Reader::new(session, region).probe(wanted).await,
        Err(failure) => Err(failure.clone()),
    };
    match answer {
        Ok(ProbeAnswer::Passed) => InheritedProbeResult::Applied,
        Ok(ProbeAnswer::Blocked { .. }) if is_meant => InheritedProbeResult::Applied,
        Ok(ProbeAnswer::Blocked { by }) => InheritedProbeResult::Failed(format!(
            "the guardrail stops even a harmless text (by {}): if it is meant to, write on_blocked_probe: enforce",
            by.join(", ")
        )),
        Err(failure) if is_not_enabled(&failure) => InheritedProbeResult::NotEnabled,
        Err(failure) => InheritedProbeResult::Failed(failure.to_string()),
    }
}

/// Whether Bedrock in the Region doesn't know the account's credentials, though other Regions do: the Region isn't enabled
/// in the account, so that nobody can use it there.
fn is_not_enabled(failure: &Failure) -> bool {
    failure.call() == Call::Probe
        && failure.category == Category::NotReady
        && failure.code == Code::UnknownCredentials
}

/// The accounts whose look at the organization's level is recorded, with it.
///
/// # Errors
/// When the ledger can't be read.
pub(super) async fn inherited_by_record(
    keeper: &Keeper,
) -> Result<BTreeMap<AccountId, InheritedLevel>, LedgerError> {
    let mut levels = BTreeMap::new();
    let add = |account, record: Result<AccountRecord, LedgerError>| {
        if let Ok(Some(level)) = record.map(|record| record.inherited) {
            levels.insert(account, level);
        }
    };
    keeper.ledger.each_known_account(add).await?;
    Ok(levels)
}
