//! Writes one account's enforcement in one Region. Takes what was decided; decides nothing.

use aws_sdk_bedrock::error::BuildError;
use aws_sdk_bedrock::operation::put_enforced_guardrail_configuration::PutEnforcedGuardrailConfigurationOutput;
use aws_sdk_bedrock::primitives::DateTime;
use aws_sdk_bedrock::types as aws;
use tracing::debug;

use super::error::{failure, is_conflict, is_missing};
use super::reader::seen;
use super::{Reader, Session};
use crate::enforcement::{ContentGuarding, Drift, Enforcement, Guarding, Included, Models, ReadsBack};
use crate::failure::Failure;
use crate::ids::{ConfigId, ModelId, Region};
use crate::observed::{Observation, Seen};

const PUT: &str = "PutEnforcedGuardrailConfiguration";
const DELETE: &str = "DeleteEnforcedGuardrailConfiguration";

/// What became of a write that didn't fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// It was made. Where AWS shows it in another form than it was written in, both forms.
    Made(Option<ReadsBack>),
    /// Nothing was written: right before the write this was there.
    Found(Observation),
    /// AWS refused it, because what was wanted is there by now. Either somebody else was first, or it was our own
    /// first attempt, whose answer was lost.
    Conflicted(Seen),
}

/// Writes in one account and Region.
#[derive(Clone, Debug)]
pub struct Writer {
    reader: Reader,
}

impl Writer {
    /// A writer with the session's credentials.
    pub fn new(session: &Session, region: &Region) -> Writer {
        Writer { reader: Reader::new(session, region) }
    }

    /// Enforces where nothing was enforced.
    ///
    /// # Errors
    /// When AWS refuses, or when something else was enforced in the meantime: that is for the next
    /// run to look at, and is not overwritten.
    pub async fn enforce(&self, to: &Enforcement) -> Result<Wrote, Failure> {
        // Whether a Put without an id overwrites what is there or conflicts with it is not
        // documented. So look once more, as close to the write as it gets.
        match self.reader.enforcement().await {
            Observation::Absent => self.put(None, to).await,
            Observation::Enforced(seen) if is_wanted(&seen, to) => {
                Ok(Wrote::Found(Observation::Enforced(seen)))
            }
            Observation::Enforced(_) => Err(changed_meanwhile(PUT)),
            Observation::Unreadable(failure) => Err(failure),
        }
    }

    /// Enforces in place of `from`.
    ///
    /// # Errors
    /// As [`Writer::enforce`].
    pub async fn replace(&self, from: &Seen, to: &Enforcement) -> Result<Wrote, Failure> {
        match self.reader.enforcement().await {
            Observation::Enforced(seen) if seen == *from => self.put(seen.config_id.as_ref(), to).await,
            Observation::Enforced(seen) if is_wanted(&seen, to) => {
                Ok(Wrote::Found(Observation::Enforced(seen)))
            }
            Observation::Absent | Observation::Enforced(_) => Err(changed_meanwhile(PUT)),
            Observation::Unreadable(failure) => Err(failure),
        }
    }

    /// Removes `from`.
    ///
    /// # Errors
    /// When AWS refuses, or when something else is enforced by now: there is no compare-and-delete,
    /// so what is there is read again first.
    pub async fn release(&self, from: &Seen) -> Result<Wrote, Failure> {
        match self.reader.enforcement().await {
            Observation::Absent => return Ok(Wrote::Found(Observation::Absent)),
            Observation::Enforced(seen) if seen == *from => {}
            Observation::Enforced(_) => return Err(changed_meanwhile(DELETE)),
            Observation::Unreadable(failure) => return Err(failure),
        }
        let answer = self
            .reader
            .bedrock
            .delete_enforced_guardrail_configuration()
            .set_config_id(from.config_id.as_ref().map(ToString::to_string))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Wrote::Made(None)),
            // It was there a moment ago: a first attempt whose answer was lost.
            Err(error) if is_missing(&error) => Ok(Wrote::Made(None)),
            Err(error) => Err(failure(DELETE, &error)),
        }
    }

    async fn put(&self, config_id: Option<&ConfigId>, to: &Enforcement) -> Result<Wrote, Failure> {
        let configuration = configuration(to).map_err(|error| Failure::rejected(PUT, error.to_string()))?;
        let answer = self
            .reader
            .bedrock
            .put_enforced_guardrail_configuration()
            .set_config_id(config_id.map(ToString::to_string))
            .guardrail_inference_config(configuration)
            .send()
            .await;
        match answer {
            Ok(written) => Ok(Wrote::Made(self.read_back(&written, to).await)),
            // Something was configured, or removed, between our look and our write. It may have been
            // us: a first attempt whose answer was lost.
            Err(error) if is_conflict(&error) || (config_id.is_some() && is_missing(&error)) => {
                match self.reader.enforcement().await {
                    Observation::Enforced(seen) if is_wanted(&seen, to) => Ok(Wrote::Conflicted(seen)),
                    // Nothing changed, so it was not somebody else: AWS means the guardrail.
                    Observation::Enforced(seen) if seen.config_id.as_ref() == config_id => {
                        Err(failure(PUT, &error))
                    }
                    Observation::Absent | Observation::Enforced(_) => Err(changed_meanwhile(PUT)),
                    Observation::Unreadable(failure) => Err(failure),
                }
            }
            Err(error) => Err(failure(PUT, &error)),
        }
    }

    /// Lists once more, to learn in which form AWS shows what was just written. What can't be told now is left to
    /// the next look.
    async fn read_back(
        &self,
        written: &PutEnforcedGuardrailConfigurationOutput,
        to: &Enforcement,
    ) -> Option<ReadsBack> {
        let shown = match self.reader.configuration().await {
            Ok(shown) => shown?,
            Err(failure) => {
                debug!("what was written could not be read back: {failure}");
                return None;
            }
        };
        let is_this_write = shown.config_id() == written.config_id()
            && shown.updated_by() == written.updated_by()
            && is_same_time(shown.updated_at()?, written.updated_at()?);
        if !is_this_write {
            return None;
        }
        ReadsBack::of(to, &seen(&shown).ok()?.enforcement)
    }
}

fn is_wanted(seen: &Seen, to: &Enforcement) -> bool {
    Drift::between(&seen.enforcement, to).is_none()
}

/// What was to be enforced is there, and isn't ours.
pub(crate) fn put_by_somebody_else() -> Failure {
    changed_meanwhile(PUT)
}

/// Somebody wrote between our look and our write. Looking again is what helps.
fn changed_meanwhile(operation: &'static str) -> Failure {
    Failure::transient(
        operation,
        "another caller changed the configuration meanwhile; nothing was overwritten",
    )
}

/// Whether two answers name one time. One of them may leave out fractions of a second.
fn is_same_time(one: &DateTime, other: &DateTime) -> bool {
    let milliseconds = |time: &DateTime| time.subsec_nanos() / 1_000_000;
    let (one_has, other_has) = (milliseconds(one), milliseconds(other));
    one.secs() == other.secs() && (one_has == other_has || one_has == 0 || other_has == 0)
}

/// What is the default is left out, so that what AWS stores doesn't depend on what its default
/// becomes; `modelEnforcement` needs both of its lists where it is sent at all.
fn configuration(
    to: &Enforcement,
) -> Result<aws::AccountEnforcedGuardrailInferenceInputConfiguration, BuildError> {
    let Enforcement { guardrail, version, models, guarding } = to;
    let mut configuration = aws::AccountEnforcedGuardrailInferenceInputConfiguration::builder()
        .guardrail_identifier(guardrail.to_string())
        .guardrail_version(version.to_string());
    if *models != Models::default() {
        configuration = configuration.model_enforcement(model_enforcement(models)?);
    }
    if *guarding != Guarding::default() {
        let Guarding { system, messages } = *guarding;
        configuration = configuration.selective_content_guarding(
            aws::SelectiveContentGuarding::builder().system(mode(system)).messages(mode(messages)).build(),
        );
    }
    configuration.build()
}

fn model_enforcement(models: &Models) -> Result<aws::ModelEnforcement, BuildError> {
    let Models { include, exclude } = models;
    let included = match include {
        Included::All => vec!["ALL".to_owned()],
        Included::Only(models) => models.iter().map(ModelId::to_string).collect(),
    };
    aws::ModelEnforcement::builder()
        .set_included_models(Some(included))
        .set_excluded_models(Some(exclude.iter().map(ModelId::to_string).collect()))
        .build()
}

fn mode(guarding: ContentGuarding) -> aws::SelectiveGuardingMode {
    match guarding {
        ContentGuarding::Selective => aws::SelectiveGuardingMode::Selective,
        ContentGuarding::Comprehensive => aws::SelectiveGuardingMode::Comprehensive,
    }
}
