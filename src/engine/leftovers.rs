//! Looks for what earlier copies left in members: old versions, and copies that nothing uses.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use tracing::warn;

use super::Keeper;
use crate::baseline::Baseline;
use crate::cloud::Reader;
use crate::copy::{Leftover, Published};
use crate::failure::Failure;
use crate::ids::{GuardrailArn, Target};
use crate::plan::{Decision, Plan};
use crate::record::Records;
use crate::resolved::Catalog;

/// Where something may be left over.
enum Suspect {
    /// The enforced copy may have versions that nothing uses.
    Versions(Published),
    /// A guardrail that the ledger remembers may be a copy that nothing uses.
    Copy(GuardrailArn),
}

/// What is left over in targets that are in sync. Other targets come first: nothing is cleaned up where a change is
/// still to be made.
pub(super) async fn leftovers(
    keeper: &Keeper,
    baseline: &Baseline,
    plan: &Plan,
    catalog: &Catalog,
    records: &Records,
) -> BTreeMap<Target, Leftover> {
    let suspects = plan.decisions.iter().filter_map(|(target, decision)| {
        let Decision::InSync(in_sync) = decision else { return None };
        let enforced = in_sync.enforced.as_ref();
        // An owner's guardrails are originals.
        if in_sync.correction.is_some() || baseline.is_owner(&target.account) {
            return None;
        }
        let suspect = match (enforced, catalog.copies.contains_key(target)) {
            (Some(enforced), true) => Suspect::Versions(Published {
                guardrail: enforced.guardrail.clone(),
                version: enforced.version,
            }),
            (None, true) => return None,
            (_, false) => {
                let former = records.get(target)?.former_here(target)?;
                let is_enforced = enforced.is_some_and(|enforced| enforced.guardrail == *former);
                Suspect::Copy(Some(former).filter(|_| !is_enforced)?.clone())
            }
        };
        Some((target, suspect))
    });
    let looks: Vec<Option<(Target, Leftover)>> = stream::iter(suspects)
        .map(|(target, suspect)| async move {
            match look_for_leftovers(keeper, target, suspect).await {
                Ok(found) => found.map(|found| (target.clone(), found)),
                // This does no harm; the next look tries again.
                Err(failure) => {
                    warn!("failed to read what earlier copies left in {target}: {failure}");
                    None
                }
            }
        })
        .buffer_unordered(keeper.settings.concurrency)
        .collect()
        .await;
    looks.into_iter().flatten().collect()
}

async fn look_for_leftovers(
    keeper: &Keeper,
    target: &Target,
    suspect: Suspect,
) -> Result<Option<Leftover>, Failure> {
    let reader = Reader::new(&keeper.cloud.session(&target.account).await?, &target.region);
    match suspect {
        Suspect::Versions(enforced) => {
            let old = reader.old_versions(&enforced).await?;
            Ok((!old.is_empty()).then_some(Leftover::Versions(old)))
        }
        Suspect::Copy(guardrail) => {
            let seen = reader.seen_guardrail(&guardrail).await?;
            Ok(Leftover::of(&guardrail, seen.as_ref()))
        }
    }
}
