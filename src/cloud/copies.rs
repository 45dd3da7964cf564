//! Writes copies of guardrails in one account and Region, step by step as `copy::judge` says.

use aws_sdk_bedrock::error::BuildError;
use aws_sdk_bedrock::types::Tag;

use super::content::Config;
use super::error::{failure, is_conflict, is_missing};
use super::{Reader, Session};
use crate::copy::{
    CopyHeld, CopyStep, CopyVerdict, Enforced, Leftover, Original, Published, SOURCE_TAG, SeenCopy, Status,
    Tags, VERSIONS_KEPT, prunable, to_write,
};
use crate::failure::Failure;
use crate::ids::{GuardrailArn, Region, Target};

const CREATE: &str = "CreateGuardrail";
const UPDATE: &str = "UpdateGuardrail";
const PUBLISH: &str = "CreateGuardrailVersion";
const DELETE: &str = "DeleteGuardrail";
const TAG: &str = "TagResource";

/// The most there is to do at once: write the draft, make room, publish; and one in reserve.
const STEPS_AT_MOST: usize = 4;

/// What came of ensuring a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensured {
    /// What there is now.
    pub state: CopyState,
    /// What was written, in order.
    pub wrote: Vec<CopyStep>,
    /// Old versions that could not be deleted. That harms nobody before the quota is reached.
    pub not_pruned: Vec<Failure>,
    /// Why the tags could not be written. That keeps no copy from being enforced.
    pub not_tagged: Option<Failure>,
}

/// Whether there is a copy to enforce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyState {
    /// This is it; it was read back equal.
    Ready(Published),
    /// AWS is still at it.
    NotReady(Status),
    /// There is none, for this reason.
    Held(CopyHeld),
}

/// Writes copies in one account and Region.
#[derive(Clone, Debug)]
pub struct CopyWriter {
    reader: Reader,
}

impl CopyWriter {
    /// A writer with the session's credentials.
    pub fn new(session: &Session, region: &Region) -> CopyWriter {
        CopyWriter { reader: Reader::new(session, region) }
    }

    /// Brings the target's copy as far as it gets without waiting, and prunes its old versions.
    ///
    /// Each step is decided on what was just read, and no step is done twice: where one had no
    /// effect, the next run finds out more than another attempt would.
    ///
    /// # Errors
    /// When something could not be read or written.
    pub async fn ensure(
        &self,
        target: &Target,
        original: &Original,
        enforced: &Enforced,
    ) -> Result<Ensured, Failure> {
        let mut wrote = Vec::new();
        let (mut not_tagged, mut conflict) = (None, None);
        loop {
            let (verdict, seen) = self.reader.look_at_copy(target, original, enforced).await?;
            let (state, not_pruned) = match verdict {
                CopyVerdict::Needs(CopyStep::UpdateDraft(guardrail))
                    if wrote.contains(&CopyStep::UpdateDraft(guardrail.clone())) =>
                {
                    (CopyState::Held(CopyHeld::ReadsBackDifferent { guardrail }), Vec::new())
                }
                CopyVerdict::Needs(step) if wrote.contains(&step) || wrote.len() == STEPS_AT_MOST => {
                    return Err(conflict.unwrap_or_else(|| without_effect(&step)));
                }
                CopyVerdict::Needs(step) => {
                    if let CopyStep::UpdateDraft(guardrail) = &step {
                        // First: our role may only update what has the tag of copies.
                        not_tagged = self.tag(guardrail, original).await.err();
                    }
                    conflict = self.perform(&step, original).await?;
                    wrote.push(step);
                    continue;
                }
                CopyVerdict::Ready(chosen) => {
                    let not_pruned = match &seen {
                        Some(seen) => self.prune(seen, enforced, &chosen, &mut wrote).await,
                        None => Vec::new(),
                    };
                    (CopyState::Ready(chosen), not_pruned)
                }
                CopyVerdict::NotReady(status) => (CopyState::NotReady(status), Vec::new()),
                CopyVerdict::Held(held) => (CopyState::Held(held), Vec::new()),
            };
            return Ok(Ensured { state, wrote, not_pruned, not_tagged });
        }
    }

    /// Makes one write. Answers why a copy could not be created, where one may be there already.
    ///
    /// # Errors
    /// When AWS refuses it.
    async fn perform(&self, step: &CopyStep, original: &Original) -> Result<Option<Failure>, Failure> {
        match step {
            CopyStep::Create => return self.create(original).await,
            CopyStep::UpdateDraft(guardrail) => self.update_draft(guardrail, original).await?,
            CopyStep::Publish(guardrail) => self.publish(guardrail, original).await?,
            CopyStep::DeleteVersion(version) => self.delete_version(version).await?,
        }
        Ok(None)
    }

    /// The SDK adds a `clientRequestToken`, one per call, so that its own retries don't create
    /// twice. It isn't ours to choose: AWS ignores a request whose token it knows, also after what
    /// it made was deleted, and a copy that an administrator deleted would never come back. Across
    /// runs the name does that: AWS has one guardrail of a name.
    async fn create(&self, original: &Original) -> Result<Option<Failure>, Failure> {
        let config =
            Config::of(&original.content).map_err(|error| Failure::rejected(CREATE, error.to_string()))?;
        let source = Tags::from([(SOURCE_TAG.to_owned(), original.guardrail.to_string())]);
        let carried = original.tags.as_ref().map(|tags| to_write(tags, &source)).unwrap_or_default();
        let answer = self
            .reader
            .bedrock
            .create_guardrail()
            .name(original.copy_name().as_str())
            .description(original.marker().to_string())
            .set_topic_policy_config(config.topics)
            .set_content_policy_config(config.filters)
            .set_word_policy_config(config.words)
            .set_sensitive_information_policy_config(config.sensitive)
            .set_contextual_grounding_policy_config(config.grounding)
            .set_cross_region_config(config.profile)
            .blocked_input_messaging(config.blocked_input)
            .blocked_outputs_messaging(config.blocked_outputs)
            .set_kms_key_id(original.copy_key.as_ref().map(ToString::to_string))
            .set_tags(Some(tags(source.into_iter().chain(carried), CREATE)?))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(None),
            // The name is in use by now: by us, if the first attempt's answer was lost, or by
            // somebody else. The next look tells.
            Err(error) if is_conflict(&error) => Ok(Some(failure(CREATE, &error))),
            Err(error) => Err(failure(CREATE, &error)),
        }
    }

    async fn update_draft(&self, guardrail: &GuardrailArn, original: &Original) -> Result<(), Failure> {
        let config =
            Config::of(&original.content).map_err(|error| Failure::rejected(UPDATE, error.to_string()))?;
        self.reader
            .bedrock
            .update_guardrail()
            .guardrail_identifier(guardrail.to_string())
            .name(original.copy_name().as_str())
            .description(original.marker().to_string())
            .set_topic_policy_config(config.topics)
            .set_content_policy_config(config.filters)
            .set_word_policy_config(config.words)
            .set_sensitive_information_policy_config(config.sensitive)
            .set_contextual_grounding_policy_config(config.grounding)
            .set_cross_region_config(config.profile)
            .blocked_input_messaging(config.blocked_input)
            .blocked_outputs_messaging(config.blocked_outputs)
            .set_kms_key_id(original.copy_key.as_ref().map(ToString::to_string))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failure(UPDATE, &error))
    }

    /// Gives a copy the tag of copies and the original's tags, as far as it lacks them.
    async fn tag(&self, guardrail: &GuardrailArn, original: &Original) -> Result<(), Failure> {
        let present = self.reader.tags(guardrail).await?;
        let mut lacking = original.tags.as_ref().map(|tags| to_write(tags, &present)).unwrap_or_default();
        if !present.contains_key(SOURCE_TAG) {
            lacking.insert(SOURCE_TAG.to_owned(), original.guardrail.to_string());
        }
        if lacking.is_empty() {
            return Ok(());
        }
        self.reader
            .bedrock
            .tag_resource()
            .resource_arn(guardrail.to_string())
            .set_tags(Some(tags(lacking, TAG)?))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failure(TAG, &error))
    }

    async fn publish(&self, guardrail: &GuardrailArn, original: &Original) -> Result<(), Failure> {
        self.reader
            .bedrock
            .create_guardrail_version()
            .guardrail_identifier(guardrail.to_string())
            .description(original.marker().to_string())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failure(PUBLISH, &error))
    }

    /// Always with a version: without one, the call would delete the whole guardrail.
    async fn delete_version(&self, Published { guardrail, version }: &Published) -> Result<(), Failure> {
        self.delete(guardrail, Some(version.to_string())).await
    }

    /// Deletes what is left over of earlier copies, after a last look at what is enforced.
    ///
    /// # Errors
    /// When it is in use after all, or AWS refuses.
    pub async fn tidy(&self, target: &Target, leftover: &Leftover) -> Result<(), Failure> {
        if matches!(leftover, Leftover::Gone(_) | Leftover::Unproven(..)) {
            return Ok(());
        }
        let enforced = Enforced::of(&self.reader.enforcement().await, target);
        let is_in_use = match (leftover, &enforced) {
            (_, Enforced::Unknown) => true,
            (Leftover::Copy(guardrail), Enforced::Own(own)) => own.guardrail == *guardrail,
            (Leftover::Versions(old), Enforced::Own(own)) => old.contains(own),
            (Leftover::Gone(_) | Leftover::Unproven(..), _)
            | (_, Enforced::Nothing | Enforced::OfAnother) => false,
        };
        if is_in_use {
            return Err(Failure::transient(DELETE, "it may be enforced by now, so it was not deleted"));
        }
        match leftover {
            Leftover::Versions(old) => {
                for version in old {
                    self.delete_version(version).await?;
                }
                Ok(())
            }
            // All of it. AWS refuses that while an enforcement refers to it.
            Leftover::Copy(guardrail) => self.delete(guardrail, None).await,
            Leftover::Gone(_) | Leftover::Unproven(..) => Ok(()),
        }
    }

    async fn delete(&self, guardrail: &GuardrailArn, version: Option<String>) -> Result<(), Failure> {
        let request = self.reader.bedrock.delete_guardrail().guardrail_identifier(guardrail.to_string());
        match request.set_guardrail_version(version).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(failure(DELETE, &error)),
        }
    }

    async fn prune(
        &self,
        seen: &SeenCopy,
        enforced: &Enforced,
        chosen: &Published,
        wrote: &mut Vec<CopyStep>,
    ) -> Vec<Failure> {
        let mut not_pruned = Vec::new();
        for version in prunable(seen, enforced, Some(chosen.version), VERSIONS_KEPT) {
            let old = Published { guardrail: seen.guardrail.clone(), version };
            match self.delete_version(&old).await {
                Ok(()) => wrote.push(CopyStep::DeleteVersion(old)),
                Err(failure) => not_pruned.push(failure),
            }
        }
        not_pruned
    }
}

fn tags(tags: impl IntoIterator<Item = (String, String)>, operation: &str) -> Result<Vec<Tag>, Failure> {
    let built = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    built
        .collect::<Result<_, _>>()
        .map_err(|error: BuildError| Failure::rejected(operation, error.to_string()))
}

/// AWS's lists may lag behind its writes, or another principal undid the step meanwhile.
fn without_effect(step: &CopyStep) -> Failure {
    Failure::transient("copy", format!("AWS accepted the call to {step}, and doesn't show its effect yet"))
}
