//! Reads members' copies of guardrails, and brings them up to date.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use super::Keeper;
use crate::baseline::{Baseline, GuardrailKey, Placement};
use crate::cloud::{CopyState, CopyWriter, Reader, Session};
use crate::copy::{CopyHeld, CopyVerdict, Enforced, NoOriginal, Original, Tags, carried, of_a_copy};
use crate::desired::{Desired, Wanted};
use crate::failure::Failure;
use crate::ids::{Region, Target};
use crate::observed::{Observation, Observed};
use crate::resolved::{Catalog, Unusable};

/// The guardrail versions to copy, by their names in the baseline: two of these may be one guardrail of the owner,
/// with different keys for their copies.
pub(super) type Originals = BTreeMap<(GuardrailKey, Region), Original>;

/// Reads the guardrails to copy, in full. The catalog says why one can't be copied.
pub(super) async fn originals(
    keeper: &Keeper,
    baseline: &Baseline,
    desired: &Desired,
    catalog: &mut Catalog,
) -> Originals {
    let mut originals = Originals::new();
    for (key, region) in copied(desired) {
        let guardrail = baseline.guardrails.get(&key);
        let source = guardrail.and_then(|guardrail| guardrail.regions.get(&region));
        let entry = catalog.entries.get(&(key.clone(), region.clone()));
        let entry = entry.filter(|entry| entry.unusable.is_none());
        let (Some(source), Some(arn)) = (source, entry.and_then(|entry| entry.arn.as_ref())) else {
            continue;
        };
        let copy_key = guardrail.and_then(|guardrail| guardrail.copy_keys.get(&region)).cloned();
        let original = match keeper.cloud.session(&arn.account).await {
            Ok(session) => Reader::new(&session, &region).original(arn, source.version).await,
            Err(failure) => Err(NoOriginal::Unreadable(failure)),
        };
        match original {
            Ok(original) => {
                if original.customer_key && copy_key.is_none() {
                    tracing::warn!(guardrail.arn = %arn, "{arn} is encrypted with a customer managed key; its copies \
                                                          are encrypted with a key of AWS");
                }
                originals.insert((key, region), Original { copy_key, ..original });
            }
            Err(reason) => {
                let unusable = match reason {
                    // The owner task found the original usable: two answers that disagree prove nothing, and may soon
                    // agree.
                    NoOriginal::Missing => {
                        Unusable::AnswersDisagree { guardrail: arn.clone(), version: source.version }
                    }
                    reason => reason.into(),
                };
                catalog.uncopied.insert((key, region), unusable);
            }
        }
    }
    originals
}

/// Reads the copy of every target that should have one and could be read.
pub(super) async fn look_at_copies(
    keeper: &Keeper,
    baseline: &Baseline,
    desired: &Desired,
    originals: &mut Originals,
    observed: &Observed,
) -> BTreeMap<Target, Result<CopyVerdict, Failure>> {
    let looks = verdicts(keeper, baseline, desired, originals, observed).await;
    // Tags are asked for only where a copy is about to be written.
    for ((key, region), original) in originals.iter_mut() {
        let is_written = looks.iter().any(|(target, looked, verdict)| {
            let written = CopyVerdict::is_written;
            target.region == *region && looked == key && verdict.as_ref().is_ok_and(written)
        });
        if is_written {
            original.tags = tags_to_carry(keeper, original).await;
        }
    }
    looks.into_iter().map(|(target, _, verdict)| (target, verdict)).collect()
}

/// The original's tags for its copies. If they can't be read, copies are made without tags.
async fn tags_to_carry(keeper: &Keeper, original: &Original) -> Option<Tags> {
    let guardrail = &original.guardrail;
    let tags = match keeper.cloud.session(&guardrail.account).await {
        Ok(session) => Reader::new(&session, &guardrail.region).tags(guardrail).await,
        Err(failure) => Err(failure),
    };
    match tags {
        Ok(tags) => Some(carried(tags)),
        Err(failure) => {
            tracing::warn!(guardrail.arn = %guardrail, "failed to read the tags of {guardrail}, so copies don't get \
                                                        them: {failure}");
            None
        }
    }
}

async fn verdicts(
    keeper: &Keeper,
    baseline: &Baseline,
    desired: &Desired,
    originals: &Originals,
    observed: &Observed,
) -> Vec<(Target, GuardrailKey, Result<CopyVerdict, Failure>)> {
    let targets = desired.iter().filter_map(|(target, wanted)| {
        let Wanted::Guardrail(wanted) = wanted else { return None };
        if wanted.placement != Placement::Copy {
            return None;
        }
        let original = originals.get(&(wanted.key.clone(), target.region.clone()))?;
        match observed.get(target)? {
            Observation::Unreadable(_) => None,
            seen @ (Observation::Absent | Observation::Enforced(_)) => {
                Some((target, &wanted.key, original, seen))
            }
        }
    });
    stream::iter(targets)
        .map(|(target, key, original, seen)| async move {
            let is_the_owner = original.guardrail.account == target.account;
            let verdict = match keeper.cloud.session(&target.account).await {
                _ if !is_the_owner && baseline.is_owner(&target.account) => {
                    Ok(CopyVerdict::Held(CopyHeld::OwnsGuardrails))
                }
                Ok(session) => {
                    let reader = Reader::new(&session, &target.region);
                    let verdict = reader.copy_verdict(target, original, &Enforced::of(seen, target)).await;
                    verdict.map_err(of_a_copy)
                }
                Err(failure) => Err(failure),
            };
            (target.clone(), key.clone(), verdict)
        })
        .buffer_unordered(keeper.settings.concurrency)
        .collect()
        .await
}

/// The guardrails of which some target should have a copy.
fn copied(desired: &Desired) -> BTreeSet<(GuardrailKey, Region)> {
    let copied = desired.iter().filter_map(|(target, wanted)| match wanted {
        Wanted::Guardrail(wanted) if wanted.placement == Placement::Copy => {
            Some((wanted.key.clone(), target.region.clone()))
        }
        Wanted::Guardrail(_) | Wanted::Nothing { .. } | Wanted::Unassigned | Wanted::Excluded => None,
    });
    copied.collect()
}

/// Takes one target's copy as far as possible without waiting. A copy that AWS is still making is not a failure: the
/// next look waits for it.
pub(super) async fn ensure_copy(
    session: &Session,
    target: &Target,
    key: &GuardrailKey,
    enforced: &Enforced,
    originals: &Originals,
) -> Result<(), Failure> {
    let rejected = |message: String| Failure::rejected("copy", message);
    let original = originals
        .get(&(key.clone(), target.region.clone()))
        .ok_or_else(|| rejected("the original was not read in this run".to_owned()))?;
    let ensured = CopyWriter::new(session, &target.region).ensure(target, original, enforced).await;
    let ensured = ensured.map_err(of_a_copy)?;
    for failure in &ensured.not_pruned {
        tracing::warn!("failed to delete an old version of the copy in {target}: {failure}");
    }
    if let Some(failure) = &ensured.not_tagged {
        tracing::warn!("failed to give the copy in {target} the tags of its original: {failure}");
    }
    match ensured.state {
        CopyState::Ready(_) | CopyState::NotReady(_) => Ok(()),
        CopyState::Held(held) => Err(rejected(held.to_string())),
    }
}
