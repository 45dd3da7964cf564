//! Applies the limits to the release of unusable guardrails: before the first release, counts how many targets of the
//! organization lose their protection.

use std::collections::{BTreeMap, BTreeSet};

use tracing::error;

use super::Keeper;
use crate::baseline::Baseline;
use crate::ledger::LedgerError;
use crate::limits::{RELEASES_COUNTED_SECONDS, ReleaseVerdict, UnusableVersions, Version};
use crate::plan::{HoldReason, Plan};
use crate::record::AccountRecord;

/// Holds each release of an unusable guardrail, if more targets would then be released within a day than the limits
/// allow. The ledger keeps the counts for all runs.
pub(super) async fn admit_unusable(
    keeper: &Keeper,
    baseline: &Baseline,
    plan: Plan,
    warnings: &mut Vec<String>,
) -> Plan {
    let versions = plan.unusable_versions();
    if versions.is_empty() {
        return plan;
    }
    let known = counted_for_all(keeper, baseline, &versions).await;
    hold_unusable(keeper, baseline, plan, known, warnings)
}

/// As [`admit_unusable`], without recording anything.
pub(super) async fn foresee_unusable(
    keeper: &Keeper,
    baseline: &Baseline,
    plan: Plan,
    warnings: &mut Vec<String>,
) -> Plan {
    let versions = plan.unusable_versions();
    if versions.is_empty() {
        return plan;
    }
    let known = counted_here(keeper, &versions).await;
    hold_unusable(keeper, baseline, plan, known, warnings)
}

fn hold_unusable(
    keeper: &Keeper,
    baseline: &Baseline,
    plan: Plan,
    known: Result<UnusableVersions, LedgerError>,
    warnings: &mut Vec<String>,
) -> Plan {
    let known = match known {
        Ok(known) => known,
        Err(error) => {
            warnings.push(format!("failed to read how many targets can't use their guardrail: {error}"));
            return plan.hold_unusable(|_| Some(HoldReason::LedgerUnavailable));
        }
    };
    let now = keeper.clock.now();
    let revision = &baseline.revision;
    plan.hold_unusable(|version| match known.verdict(version, baseline.limits, now) {
        ReleaseVerdict::Within => None,
        ReleaseVerdict::NotCounted => Some(HoldReason::NotConfirmed),
        ReleaseVerdict::TooMany(releases) => {
            Some(HoldReason::TooManyUnusable { revision: revision.clone(), releases })
        }
    })
}

/// The counts of these versions. A version that is not counted yet is counted here, once for all runs.
async fn counted_for_all(
    keeper: &Keeper,
    baseline: &Baseline,
    versions: &BTreeSet<Version>,
) -> Result<UnusableVersions, LedgerError> {
    let now = keeper.clock.now();
    let mut claimed = BTreeSet::new();
    let mut known = UnusableVersions::default();
    let claim = |kept: &mut UnusableVersions| {
        claimed = kept.claim(versions, now);
        known = kept.clone();
    };
    keeper.ledger.change_unusable(claim).await?;
    if claimed.is_empty() {
        return Ok(known);
    }
    let counts = count_losing(keeper, &claimed).await?;
    let count = |kept: &mut UnusableVersions| {
        counts.iter().for_each(|(version, targets)| kept.count(version, *targets, now));
        known = kept.clone();
    };
    keeper.ledger.change_unusable(count).await?;
    for (version, targets) in &counts {
        log(baseline, version, *targets, known.verdict(version, baseline.limits, now));
    }
    Ok(known)
}

/// As [`counted_for_all`], without recording anything.
async fn counted_here(
    keeper: &Keeper,
    versions: &BTreeSet<Version>,
) -> Result<UnusableVersions, LedgerError> {
    let now = keeper.clock.now();
    let mut known = keeper.ledger.unusable().await?;
    let claimed = known.claim(versions, now);
    if !claimed.is_empty() {
        for (version, targets) in count_losing(keeper, &claimed).await? {
            known.count(&version, targets, now);
        }
    }
    Ok(known)
}

/// How many targets each version loses if it is released everywhere, by the record.
async fn count_losing(
    keeper: &Keeper,
    versions: &BTreeSet<Version>,
) -> Result<BTreeMap<Version, u32>, LedgerError> {
    let since = keeper.clock.now() - jiff::SignedDuration::from_secs(RELEASES_COUNTED_SECONDS);
    let mut counts: BTreeMap<Version, u32> = versions.iter().map(|version| (version.clone(), 0)).collect();
    let add = |_, account: Result<AccountRecord, LedgerError>| {
        for ((guardrail, version), count) in &mut counts {
            *count += match &account {
                Ok(AccountRecord { closed: Some(_), .. }) => 0,
                Ok(account) => {
                    let regions = account.regions.values();
                    regions.map(|record| u32::from(record.loses(guardrail, *version, since))).sum()
                }
                // Its record can't be parsed; the account may enforce the guardrail in the guardrail's Region.
                Err(_) => 1,
            };
        }
    };
    keeper.ledger.each_known_account(add).await?;
    Ok(counts)
}

/// Logs an unusable version once, when it is counted.
fn log(baseline: &Baseline, (guardrail, version): &Version, targets: u32, verdict: ReleaseVerdict) {
    let name = format!("{}:{version}", guardrail.id);
    match verdict {
        ReleaseVerdict::Within | ReleaseVerdict::NotCounted => error!(
            guardrail.arn = %guardrail, guardrail.version = %version, targets,
            "{name} can't be used: once a later look agrees, `on_unusable: release` leaves {targets} targets unguarded"
        ),
        ReleaseVerdict::TooMany(releases) => error!(
            error.kind = "LimitsExceeded",
            guardrail.arn = %guardrail, guardrail.version = %version, targets,
            "{name} can't be used, and is not released: `on_unusable: release` would leave {releases} targets unguarded, more than max_releases ({}). Restore the guardrail, or guardrailctl approve {}",
            baseline.limits.max_releases,
            baseline.revision
        ),
    }
}
