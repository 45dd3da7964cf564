//! Reads what guardrails do: originals in the owner account, copies in members.

mod body;
mod config;

use std::collections::BTreeMap;

use aws_sdk_bedrock::operation::get_guardrail::GetGuardrailOutput;
use aws_sdk_bedrock::types::GuardrailSummary;

use super::Reader;
use super::error::{failure, is_missing};
use crate::baseline::GuardrailName;
use crate::content::{CannotCopy, Content};
use crate::copy::{
    CopyVerdict, Edition, Enforced, Listed, Marker, NoOriginal, Original, Published, SOURCE_TAG, SeenCopy,
    Status, Tags, VERSIONS_KEPT, judge, prunable_among,
};
use crate::failure::Failure;
use crate::ids::{GuardrailArn, GuardrailVersion, InvalidId, Target};
use crate::resolved::DRAFT;
use body::Body;
pub(super) use config::Config;

const GET: &str = "GetGuardrail";
const LIST: &str = "ListGuardrails";

impl Reader {
    /// The version that is to be copied, read in the owner account.
    ///
    /// # Errors
    /// When it can't be read, used or copied.
    pub async fn original(
        &self,
        guardrail: &GuardrailArn,
        version: GuardrailVersion,
    ) -> Result<Original, NoOriginal> {
        let read = self.edition(guardrail, &version.to_string()).await.map_err(NoOriginal::Unreadable)?;
        let ReadEdition { answer, content } = read.ok_or(NoOriginal::Missing)?;
        match status(answer.status()) {
            Status::Ready => {}
            other => return Err(NoOriginal::NotReady(other)),
        }
        let content = content.map_err(NoOriginal::CannotCopy)?;
        let name = answer
            .name()
            .parse::<GuardrailName>()
            .map_err(|error| NoOriginal::Unreadable(Failure::rejected(GET, error.to_string())))?;
        let (guardrail, digest) = (guardrail.clone(), content.digest());
        let customer_key = answer.kms_key_arn().is_some();
        // What copies are to have besides is for the baseline to say.
        let (copy_key, tags) = (None, None);
        Ok(Original { guardrail, version, name, content, digest, customer_key, copy_key, tags })
    }

    /// Whether the target has a copy to enforce, and what to do if not. In a target that enforces
    /// what it should, this is one call; elsewhere the copy is looked up and read whole.
    ///
    /// # Errors
    /// When something could not be read. That is never taken for a difference.
    pub async fn copy_verdict(
        &self,
        target: &Target,
        original: &Original,
        enforced: &Enforced,
    ) -> Result<CopyVerdict, Failure> {
        self.look_at_copy(target, original, enforced).await.map(|(verdict, _)| verdict)
    }

    pub(super) async fn look_at_copy(
        &self,
        target: &Target,
        original: &Original,
        enforced: &Enforced,
    ) -> Result<(CopyVerdict, Option<SeenCopy>), Failure> {
        let Original { guardrail, version, .. } = original;
        let wanted = original.wanted();
        if guardrail.region != target.region {
            let message = format!("{guardrail} can't be copied into {target}, which is another Region");
            return Err(Failure::rejected("copy", message));
        }
        // The owner itself needs no copy.
        if guardrail.account == target.account {
            let original = Published { guardrail: guardrail.clone(), version: *version };
            return Ok((CopyVerdict::Ready(original), None));
        }
        // A version can't change, so what it does is all there is to ask of the enforced one: not
        // its name, which follows the original's and may have been another, nor who made it.
        if let Enforced::Own(own) = enforced
            && let Some(read) = self.edition(&own.guardrail, &own.version.to_string()).await?
            && let edition = read.seen()
            && edition.status == Status::Ready
            && wanted.is_met_by(&edition)
        {
            return Ok((CopyVerdict::Ready(own.clone()), None));
        }
        let seen = self.seen_copy(&original.copy_name()).await?;
        Ok((judge(&wanted, seen.as_ref(), enforced), seen))
    }

    /// The guardrail of this name with all its versions, if there is one.
    ///
    /// # Errors
    /// When any of it could not be read.
    pub async fn seen_copy(&self, name: &GuardrailName) -> Result<Option<SeenCopy>, Failure> {
        let mut named = self.summaries(None).await?;
        named.retain(|summary| summary.name() == name.as_str());
        let guardrail: GuardrailArn = match named.as_slice() {
            [] => return Ok(None),
            [summary] => summary
                .arn()
                .parse()
                .map_err(|error: InvalidId| Failure::rejected(LIST, error.to_string()))?,
            several => {
                return Err(Failure::rejected(
                    LIST,
                    format!("{} guardrails are named {name}", several.len()),
                ));
            }
        };

        self.seen_guardrail(&guardrail).await
    }

    /// A guardrail with all its versions, if it is there.
    ///
    /// # Errors
    /// When any of it could not be read.
    pub async fn seen_guardrail(&self, guardrail: &GuardrailArn) -> Result<Option<SeenCopy>, Failure> {
        let mut draft = None;
        let mut versions = BTreeMap::new();
        for summary in self.summaries(Some(guardrail)).await? {
            let Some(read) = self.edition(guardrail, summary.version()).await? else {
                return Err(disagree(guardrail, summary.version()));
            };
            let edition = read.seen();
            if summary.version() == DRAFT {
                draft = Some(edition);
            } else {
                let version: GuardrailVersion = summary
                    .version()
                    .parse()
                    .map_err(|error: InvalidId| Failure::rejected(LIST, error.to_string()))?;
                versions.insert(version, edition);
            }
        }
        let Some(draft) = draft else { return Ok(None) };
        let mut seen = SeenCopy { guardrail: guardrail.clone(), draft, versions, tagged: false };
        if !seen.is_ours() {
            seen.tagged = self.tags(&seen.guardrail).await?.contains_key(SOURCE_TAG);
        }
        Ok(Some(seen))
    }

    /// All guardrails by their drafts, or all editions of one.
    pub(super) async fn summaries(
        &self,
        of: Option<&GuardrailArn>,
    ) -> Result<Vec<GuardrailSummary>, Failure> {
        let list = self.bedrock.list_guardrails().set_guardrail_identifier(of.map(ToString::to_string));
        match list.into_paginator().items().send().try_collect().await {
            Ok(found) => Ok(found),
            Err(error) if of.is_some() && is_missing(&error) => Ok(Vec::new()),
            Err(error) => Err(failure(LIST, &error)),
        }
    }

    pub(super) async fn edition(
        &self,
        guardrail: &GuardrailArn,
        version: &str,
    ) -> Result<Option<ReadEdition>, Failure> {
        let body = Body::default();
        let answer = self
            .bedrock
            .get_guardrail()
            .guardrail_identifier(guardrail.to_string())
            .guardrail_version(version)
            .customize()
            .interceptor(body.clone())
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(ReadEdition { content: Content::of_answer(&body.take()), answer })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failure(GET, &error)),
        }
    }

    /// The tags of a guardrail; none where it is gone.
    ///
    /// # Errors
    /// When they could not be read.
    pub async fn tags(&self, guardrail: &GuardrailArn) -> Result<Tags, Failure> {
        let answer = self.bedrock.list_tags_for_resource().resource_arn(guardrail.to_string()).send().await;
        match answer {
            Ok(answer) => {
                Ok(answer.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
            }
            Err(error) if is_missing(&error) => Ok(Tags::new()),
            Err(error) => Err(failure("ListTagsForResource", &error)),
        }
    }

    /// The versions of a guardrail that is enforced here and that may be deleted: one call, and none
    /// where it has had no more versions than are kept in any case.
    ///
    /// # Errors
    /// When they could not be listed.
    pub async fn old_versions(&self, enforced: &Published) -> Result<Vec<Published>, Failure> {
        let Published { guardrail, version } = enforced;
        if version.number() as usize <= VERSIONS_KEPT {
            return Ok(Vec::new());
        }
        let mut versions = BTreeMap::new();
        for summary in self.summaries(Some(guardrail)).await? {
            let is_marked = summary.description().is_some_and(|text| text.parse::<Marker>().is_ok());
            if let Ok(version) = summary.version().parse() {
                versions.insert(version, Listed { status: status(summary.status()), is_marked });
            }
        }
        let in_use = Enforced::Own(enforced.clone());
        let old = prunable_among(guardrail, &versions, &in_use, None, VERSIONS_KEPT).into_iter();
        Ok(old.map(|version| Published { guardrail: guardrail.clone(), version }).collect())
    }
}

/// One edition of a guardrail.
pub(super) struct ReadEdition {
    pub(super) answer: GetGuardrailOutput,
    pub(super) content: Result<Content, CannotCopy>,
}

impl ReadEdition {
    fn seen(self) -> Edition {
        let ReadEdition { answer, content } = self;
        Edition {
            status: status(answer.status()),
            content: content.map(|content| content.digest()),
            key: answer.kms_key_arn().map(str::to_owned),
            marker: answer.description().and_then(|description| description.parse().ok()),
        }
    }
}

fn status(status: &aws_sdk_bedrock::types::GuardrailStatus) -> Status {
    Status::from(status.as_str().to_owned())
}

/// One answer shows an edition and the next doesn't find it. It may have been deleted in between; then the
/// next look agrees. Until then it is not taken for gone: a copy would be published anew for that, or
/// deleted together with a version that somebody else published.
fn disagree(guardrail: &GuardrailArn, version: &str) -> Failure {
    let message = format!("doesn't find {} {version}, which ListGuardrails has just shown", guardrail.id);
    Failure::transient(GET, message)
}
