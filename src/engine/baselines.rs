//! The baseline to go by: the present one, or the last good one while that is broken; and which one accounts follow.

use jiff::{SignedDuration, Timestamp};
use tracing::{error, warn};

use super::{Keeper, Stopped, parse, text_of, unread};
use crate::baseline::{Baseline, Mode, Revision};
use crate::failure::Category;
use crate::ledger::{LastGood, LedgerError};
use crate::limits::EffectiveBaseline;
use crate::settings::BaselineSource;

/// How long a baseline that was read is believed to be the present one, where many runs of one
/// process follow each other: SSM answers 40 reads a second for a whole account and Region.
const KEPT: SignedDuration = SignedDuration::from_secs(15);

/// The baseline to go by.
#[derive(Clone, Debug)]
pub struct PresentBaseline {
    /// The baseline. Where it stands in for a broken one, nothing is released by it.
    pub baseline: Baseline,
    /// What is wrong with the present one, where this is the last good one in its place.
    pub instead_of: Option<String>,
    /// Whether the present one could only not be read: that may pass, and says nothing about it.
    pub unread: bool,
    /// Whether AWS refuses to show the present one. It may be a good one, or a change of permissions
    /// under way.
    pub refused: bool,
}

impl Keeper {
    /// Reads the baseline, and falls back on the last one that was valid: then repair goes on, and
    /// nothing is released.
    ///
    /// # Errors
    /// When neither can be had.
    pub async fn present(&self) -> Result<PresentBaseline, Stopped> {
        let origin = &self.settings.baseline;
        match self.baseline_text().await.and_then(|text| Ok((parse(origin, &text)?, text))) {
            Ok((baseline, text)) => {
                self.keep_good(&text).await;
                Ok(PresentBaseline { baseline, instead_of: None, unread: false, refused: false })
            }
            Err(stopped) => self.last_good(stopped).await,
        }
    }

    /// As [`Keeper::present`], without reading the same baseline again and again. One that was read
    /// before the work was asked for counts only if it is the revision that whoever asked went by.
    ///
    /// # Errors
    /// As [`Keeper::present`].
    pub async fn present_for(
        &self,
        expected: Option<&Revision>,
        asked_at: Timestamp,
    ) -> Result<PresentBaseline, Stopped> {
        if let Some((read_at, text)) = self.kept.baseline(KEPT, &self.clock)
            && (read_at >= asked_at || expected.is_some_and(|expected| *expected == Revision::of(&text)))
            && let Ok(baseline) = Baseline::parse(&text)
        {
            return Ok(PresentBaseline { baseline, instead_of: None, unread: false, refused: false });
        }
        self.present().await
    }

    /// Which baseline accounts follow. Only reads.
    ///
    /// # Errors
    /// When the ledger can't be read: then it isn't known.
    pub async fn effective(&self, present: &Baseline) -> Result<EffectiveBaseline, LedgerError> {
        if self.kept.is_approved(&present.revision) {
            return Ok(EffectiveBaseline::approved(present));
        }
        let known = self.ledger.revision_approval().await?;
        let before = self.ledger.last_approved().await?;
        Ok(EffectiveBaseline::of(present, known, before.as_ref().map(|before| before.text.as_str())))
    }

    /// As [`Keeper::effective`]. A present baseline that is approved is kept for the time when the next one waits.
    ///
    /// # Errors
    /// As [`Keeper::effective`].
    pub async fn followed(&self, present: &Baseline) -> Result<EffectiveBaseline, LedgerError> {
        let effective = self.effective(present).await?;
        if effective.approved && effective.is_present() && !self.kept.is_approved(&present.revision) {
            self.keep_approved(&present.revision).await;
        }
        Ok(effective)
    }

    /// Keeps the present baseline as the last approved one, if it is the one that was read.
    pub async fn keep_approved(&self, revision: &Revision) {
        let Some((at, text)) = self.kept.baseline(SignedDuration::MAX, &self.clock) else { return };
        if Revision::of(&text) != *revision {
            return;
        }
        match self.ledger.keep_approved(LastGood { text, at }).await {
            Ok(()) => self.kept.keep_approved(revision),
            Err(failed) => warn!("the approved baseline could not be kept: {failed}"),
        }
    }

    pub(super) async fn baseline_text(&self) -> Result<String, Stopped> {
        match &self.settings.baseline {
            origin @ BaselineSource::File(path) => text_of(origin, path).await,
            origin @ BaselineSource::Parameter(name) => {
                self.cloud.parameter(name).await.map_err(|failure| unread(origin, failure))
            }
        }
    }

    async fn keep_good(&self, text: &str) {
        // Another process may have kept another one since: the ledger knows.
        let at = self.clock.now();
        self.kept.keep_baseline(text, at, &self.clock);
        let good = LastGood { text: text.to_owned(), at };
        if let Err(failed) = self.ledger.keep_baseline(good).await {
            warn!("the baseline could not be kept for the time when it is broken: {failed}");
        }
    }

    async fn last_good(&self, stopped: Stopped) -> Result<PresentBaseline, Stopped> {
        let good = match self.ledger.last_good().await {
            Ok(Some(good)) => good,
            Ok(None) => return Err(stopped),
            Err(failed) => {
                warn!("whether there was a good baseline before isn't known: {failed}");
                return Err(stopped);
            }
        };
        let Ok(mut baseline) = Baseline::parse(&good.text) else {
            return Err(stopped);
        };
        baseline.mode = match baseline.mode {
            Mode::Sync | Mode::EnforceOnly => Mode::EnforceOnly,
            Mode::Audit => Mode::Audit,
        };
        let instead_of = format!(
            "{stopped}\nrepairs go on by the last good baseline, revision {} of {}; nothing is released",
            baseline.revision, good.at
        );
        error!(error.kind = stopped.name(), baseline.revision = %baseline.revision, "{instead_of}");
        let failed = |means: fn(Category) -> bool| matches!(&stopped, Stopped::BaselineUnreadable { category, .. } if means(*category));
        let unread = failed(Category::is_worth_waiting);
        let refused = failed(|category| category == Category::Denied);
        Ok(PresentBaseline { baseline, instead_of: Some(instead_of), unread, refused })
    }
}
