//! The present baseline, or the last good one while the present one is broken; and which baseline accounts follow.

use jiff::{SignedDuration, Timestamp};
use tracing::{error, warn};

use super::{Keeper, Stopped};
use crate::baseline::{Baseline, Mode, Revision};
use crate::failure::{Category, Failure};
use crate::ledger::{LastGood, LedgerError};
use crate::limits::{Allowance, EffectiveBaseline};
use crate::settings::BaselineSource;

/// How long a baseline that was read counts as the present one. Many runs of one process follow each other, and SSM
/// answers 40 reads a second for a whole account and Region.
const KEPT: SignedDuration = SignedDuration::from_secs(15);

/// How old it may be whatever happened since, where only the nature of an event is asked.
const LATELY: SignedDuration = SignedDuration::from_secs(5);

/// The baseline of this run.
#[derive(Clone, Debug)]
pub struct PresentBaseline {
    /// The baseline. If it stands in for a broken one, its mode releases nothing.
    pub baseline: Baseline,
    /// Why the present baseline is unusable, if this is the last good one.
    pub instead_of: Option<String>,
    /// Whether the present baseline could not be read for a reason that may pass. It may be valid.
    pub unread: bool,
    /// Whether AWS denied reading the present baseline. It may be valid; permissions may be changing.
    pub refused: bool,
}

/// Reads the baseline.
///
/// # Errors
/// When it can't be read, or has problems.
pub async fn baseline(keeper: &Keeper) -> Result<Baseline, Stopped> {
    let baseline = parse(&keeper.settings.baseline, &baseline_text(keeper).await?)?;
    Ok(under_its_ceilings(keeper, baseline))
}

/// Applies the ceilings of the deployment: the lesser of the document's limits and the ceilings counts.
fn under_its_ceilings(keeper: &Keeper, mut baseline: Baseline) -> Baseline {
    baseline.limits = baseline.limits.at_most(keeper.settings.ceilings);
    baseline
}

/// What a baseline may change without a person's approval.
pub fn allowance(keeper: &Keeper, baseline: &Baseline) -> Allowance {
    let (limits, ceilings) = (baseline.limits, keeper.settings.ceilings);
    Allowance { limits, ceilings, now: keeper.clock.now().as_second() }
}

/// Reads a baseline from a file, without a connection to AWS.
///
/// # Errors
/// When there is no file, it can't be read, or it has problems.
pub async fn baseline_file(origin: &BaselineSource) -> Result<Baseline, Stopped> {
    match origin {
        BaselineSource::File(path) => parse(origin, &text_of(origin, path).await?),
        BaselineSource::Parameter(_) => Err(unreadable(origin, &"it is not a file", Category::Rejected)),
    }
}

/// Reads the baseline, or falls back to the last good one: then repair continues, and nothing is released.
///
/// # Errors
/// When neither can be read.
pub async fn present(keeper: &Keeper) -> Result<PresentBaseline, Stopped> {
    let origin = &keeper.settings.baseline;
    match baseline_text(keeper).await.and_then(|text| Ok((parse(origin, &text)?, text))) {
        Ok((baseline, text)) => {
            if let Some(stopped) = of_another_text(keeper, &baseline.revision, &text).await {
                return last_good(keeper, stopped).await;
            }
            keep_good(keeper, &text).await;
            let baseline = under_its_ceilings(keeper, baseline);
            Ok(PresentBaseline { baseline, instead_of: None, unread: false, refused: false })
        }
        Err(stopped) => last_good(keeper, stopped).await,
    }
}

/// As [`present`], from memory where possible. A baseline that was read before the job was queued counts only if it is
/// the revision that the job was queued for.
///
/// # Errors
/// As [`present`].
pub(super) async fn present_for(
    keeper: &Keeper,
    expected: Option<&Revision>,
    asked_at: Timestamp,
) -> Result<PresentBaseline, Stopped> {
    if let Some((read_at, text)) = keeper.kept.baseline(KEPT, &keeper.clock)
        && (read_at >= asked_at || expected.is_some_and(|expected| *expected == Revision::of(&text)))
        && let Ok(baseline) = Baseline::parse(&text)
    {
        let baseline = under_its_ceilings(keeper, baseline);
        return Ok(PresentBaseline { baseline, instead_of: None, unread: false, refused: false });
    }
    present(keeper).await
}

/// As [`present_for`] an event of this time, and never more often than every few seconds, however many events come: for
/// what an event in the keeper's own name or a flood is about. A baseline that was put since has a sweep of its own.
///
/// # Errors
/// As [`present`].
pub(super) async fn present_lately(keeper: &Keeper, happened: Timestamp) -> Result<PresentBaseline, Stopped> {
    let now = keeper.clock.now();
    present_for(keeper, None, happened.min(now.checked_sub(LATELY).unwrap_or(now))).await
}

/// The baseline that accounts follow. Only reads.
///
/// # Errors
/// When the ledger can't be read.
pub async fn effective(keeper: &Keeper, present: &Baseline) -> Result<EffectiveBaseline, LedgerError> {
    if keeper.kept.is_approved(&present.revision) {
        return Ok(EffectiveBaseline::approved(present));
    }
    let known = keeper.ledger.revision_approval().await?;
    let before = keeper.ledger.last_approved().await?;
    let followed = EffectiveBaseline::of(present, known, before.as_ref().map(|before| before.text.as_str()));
    Ok(EffectiveBaseline { baseline: under_its_ceilings(keeper, followed.baseline), ..followed })
}

/// As [`effective`]; `None` where the ledger can't be read.
pub(super) async fn followed_if_known(keeper: &Keeper, present: &Baseline) -> Option<EffectiveBaseline> {
    match effective(keeper, present).await {
        Ok(followed) => Some(followed),
        Err(error) => {
            // Each task asks again; nothing is left out meanwhile.
            warn!("failed to read which baseline accounts follow: {error}");
            None
        }
    }
}

/// As [`effective`]. Also keeps an approved present baseline, for the time when the next one waits.
///
/// # Errors
/// As [`effective`].
pub(super) async fn followed(keeper: &Keeper, present: &Baseline) -> Result<EffectiveBaseline, LedgerError> {
    let effective = effective(keeper, present).await?;
    if effective.approved && effective.is_present() && !keeper.kept.is_approved(&present.revision) {
        keep_approved(keeper, &present.revision).await;
    }
    Ok(effective)
}

/// Keeps the present baseline as the last approved one, if the text in memory is of this revision.
pub(super) async fn keep_approved(keeper: &Keeper, revision: &Revision) {
    let Some((at, text)) = keeper.kept.baseline(SignedDuration::MAX, &keeper.clock) else { return };
    if Revision::of(&text) != *revision {
        return;
    }
    // A brake guards nobody, so it is nothing to go back to: while a later revision waits, accounts follow what was
    // approved before the brake.
    if Baseline::parse(&text).is_ok_and(|baseline| baseline.mode == Mode::Audit) {
        keeper.kept.keep_approved(revision);
        return;
    }
    match keeper.ledger.keep_approved(LastGood { text, at }).await {
        Ok(()) => keeper.kept.keep_approved(revision),
        Err(failed) => warn!("failed to record the approved baseline: {failed}"),
    }
}

pub(super) async fn baseline_text(keeper: &Keeper) -> Result<String, Stopped> {
    match &keeper.settings.baseline {
        origin @ BaselineSource::File(path) => text_of(origin, path).await,
        origin @ BaselineSource::Parameter(name) => {
            keeper.cloud.parameter(name).await.map_err(|failure| unread(origin, failure))
        }
    }
}

/// That the ledger knows another text of this revision. A revision is a short hash, and whoever has ten minutes of two cores can compute
/// two texts of one revision: then what was counted or approved for the one would count for the other.
async fn of_another_text(keeper: &Keeper, revision: &Revision, text: &str) -> Option<Stopped> {
    let kept = keeper.kept.baseline(SignedDuration::MAX, &keeper.clock);
    if kept.is_some_and(|(_, kept)| kept == text) {
        return None;
    }
    // Where the ledger can't be read, nothing is written anyway.
    let known = [keeper.ledger.last_good().await, keeper.ledger.last_approved().await];
    let is_another = |known: &LastGood| known.text != text && Revision::of(&known.text) == *revision;
    let is_taken = known.into_iter().filter_map(Result::ok).flatten().any(|known| is_another(&known));
    is_taken.then(|| Stopped::RevisionTaken { revision: revision.clone() })
}

async fn keep_good(keeper: &Keeper, text: &str) {
    // Another process may have kept another baseline since; the ledger knows.
    let at = keeper.clock.now();
    keeper.kept.keep_baseline(text, at, &keeper.clock);
    let good = LastGood { text: text.to_owned(), at };
    if let Err(failed) = keeper.ledger.keep_baseline(good).await {
        warn!("failed to record the last good baseline: {failed}");
    }
}

async fn last_good(keeper: &Keeper, stopped: Stopped) -> Result<PresentBaseline, Stopped> {
    let good = match keeper.ledger.last_good().await {
        Ok(Some(good)) => good,
        Ok(None) => return Err(stopped),
        Err(failed) => {
            warn!("failed to read the last good baseline: {failed}");
            return Err(stopped);
        }
    };
    let Ok(baseline) = Baseline::parse(&good.text) else {
        return Err(stopped);
    };
    let mut baseline = under_its_ceilings(keeper, baseline);
    baseline.mode = match baseline.mode {
        Mode::Sync | Mode::EnforceOnly => Mode::EnforceOnly,
        Mode::Audit => Mode::Audit,
    };
    let instead_of = format!(
        "{stopped}\nrepairs continue with the last good baseline, revision {} of {}; nothing is released",
        baseline.revision, good.at
    );
    error!(error.kind = stopped.name(), baseline.revision = %baseline.revision, "{instead_of}");
    let failed = |means: fn(Category) -> bool| matches!(&stopped, Stopped::BaselineUnreadable { category, .. } if means(*category));
    let unread = failed(Category::is_worth_waiting);
    let refused = failed(|category| category == Category::Denied);
    Ok(PresentBaseline { baseline, instead_of: Some(instead_of), unread, refused })
}

fn parse(origin: &BaselineSource, text: &str) -> Result<Baseline, Stopped> {
    Baseline::parse(text).map_err(|invalid| Stopped::BaselineInvalid(invalid.named(origin.to_string())))
}

/// The text of a file.
async fn text_of(origin: &BaselineSource, path: &std::path::Path) -> Result<String, Stopped> {
    let bytes =
        tokio::fs::read(path).await.map_err(|error| unreadable(origin, &error, Category::Rejected))?;
    Baseline::text_of(bytes).map_err(|invalid| Stopped::BaselineInvalid(invalid.named(origin.to_string())))
}

fn unreadable(origin: &BaselineSource, reason: &dyn std::fmt::Display, category: Category) -> Stopped {
    Stopped::BaselineUnreadable {
        origin: origin.clone(),
        reason: reason.to_string(),
        category,
        failure: None,
    }
}

fn unread(origin: &BaselineSource, failure: Failure) -> Stopped {
    Stopped::BaselineUnreadable {
        origin: origin.clone(),
        reason: failure.to_string(),
        category: failure.category,
        failure: Some(Box::new(failure)),
    }
}
