//! Looks at members' copies of guardrails, and brings them up to date.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};

use super::Keeper;
use crate::baseline::{Baseline, Placement};
use crate::cloud::{CopyState, CopyWriter, Reader, Session};
use crate::copy::{CopyVerdict, Enforced, Original, Published};
use crate::desired::{Desired, Wanted};
use crate::failure::{Category, Failure};
use crate::ids::Target;
use crate::observed::{Observation, Observed};
use crate::resolved::{Catalog, CopyWork};

/// The guardrail versions that members get copies of, by what they are.
pub(super) type Originals = BTreeMap<Published, Original>;

impl Keeper {
    /// Reads the guardrails that are to be copied, whole. What can't be copied is told in the catalog.
    pub(super) async fn originals(&self, baseline: &Baseline, catalog: &mut Catalog) -> Originals {
        let mut originals = Originals::new();
        for ((key, region), entry) in &mut catalog.entries {
            let guardrail = baseline.guardrails.get(key).filter(|one| one.placement == Placement::Copy);
            let source = guardrail.and_then(|guardrail| guardrail.regions.get(region));
            let (Some(source), Some(arn), None) = (source, &entry.arn, &entry.unusable) else {
                continue;
            };
            let original = match self.cloud.session(&baseline.owner).await {
                Ok(session) => Reader::new(&session, region).original(arn, source.version).await,
                Err(failure) => Err(crate::copy::NoOriginal::Unreadable(failure)),
            };
            match original {
                Ok(original) => {
                    if original.customer_key {
                        tracing::warn!(guardrail.arn = %arn, "{arn} is encrypted with a key of its owner's; its copies are encrypted with AWS's");
                    }
                    let published = Published { guardrail: arn.clone(), version: source.version };
                    originals.insert(published, original);
                }
                Err(reason) => entry.unusable = Some(reason.into()),
            }
        }
        originals
    }

    /// Looks at the copy of every target that should have one and could be read.
    pub(super) async fn look_at_copies(
        &self,
        desired: &Desired,
        catalog: &Catalog,
        originals: &Originals,
        observed: &Observed,
    ) -> BTreeMap<Target, Result<CopyVerdict, Failure>> {
        let targets = desired.iter().filter_map(|(target, wanted)| {
            let Wanted::Guardrail(wanted) = wanted else { return None };
            let entry = catalog.entries.get(&(wanted.key.clone(), target.region.clone()))?;
            let guardrail = entry.arn.clone().filter(|_| wanted.placement == Placement::Copy)?;
            let original = originals.get(&Published { guardrail, version: wanted.source.version })?;
            match observed.get(target)? {
                Observation::Unreadable(_) => None,
                seen @ (Observation::Absent | Observation::Enforced(_)) => Some((target, original, seen)),
            }
        });
        let looks: Vec<(Target, Result<CopyVerdict, Failure>)> = stream::iter(targets)
            .map(|(target, original, seen)| async move {
                let verdict = match self.cloud.session(&target.account).await {
                    Ok(session) => {
                        let reader = Reader::new(&session, &target.region);
                        reader.copy_verdict(target, original, &Enforced::of(seen, target)).await
                    }
                    Err(failure) => Err(failure),
                };
                (target.clone(), verdict)
            })
            .buffer_unordered(self.settings.concurrency)
            .collect()
            .await;
        looks.into_iter().collect()
    }
}

/// Brings one target's copy as far as it gets without waiting. That AWS is still at it is no failure:
/// the next look waits for it.
pub(super) async fn ensure_copy(
    session: &Session,
    target: &Target,
    work: &CopyWork,
    enforced: &Enforced,
    originals: &Originals,
) -> Result<(), Failure> {
    let rejected =
        |message: String| Failure { category: Category::Rejected, operation: "copy".to_owned(), message };
    let original = originals
        .get(&work.original)
        .ok_or_else(|| rejected("the original was not read in this run".to_owned()))?;
    let ensured = CopyWriter::new(session, &target.region).ensure(target, original, enforced).await?;
    for failure in &ensured.not_pruned {
        tracing::warn!("an old version of the copy in {target} could not be deleted: {failure}");
    }
    match ensured.state {
        CopyState::Ready(_) | CopyState::NotReady(_) => Ok(()),
        CopyState::Held(held) => Err(rejected(held.to_string())),
    }
}
