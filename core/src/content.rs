//! What a guardrail does, apart from where it is and what it is called: what a copy must have in
//! common with its original.
//!
//! Read from the text of GetGuardrail's answer rather than from the SDK's types, because those drop
//! whatever AWS added since they were generated. A copy that silently lacks a policy would be worse
//! than none, so a member of a policy that isn't known here is an error that names it. Values are
//! another matter: a new kind of personal information or a new action is text like any other, is
//! copied as it stands, and needs no release of this program.

mod canonical;
mod parts;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{ProfileId, text_id};
use parts::CrossRegionDetails;
pub use parts::{
    ContentFilter, ContentPolicy, GroundingFilter, GroundingPolicy, ManagedWords, PiiEntity, Regex,
    SensitiveInformationPolicy, Tier, Topic, TopicPolicy, Word, WordPolicy,
};

pub use canonical::Digest;

text_id!(
    /// One of AWS's own words, such as `BLOCK` or `US_PASSPORT_NUMBER`: any, known today or not.
    Term,
    "one of AWS's terms",
    "capital letters, digits and underscores",
    |text| {
        !text.is_empty()
            && text.len() <= 100
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    }
);

/// What one edition of a guardrail does.
///
/// Members are kept as AWS showed them, and written so; compared are meanings, through
/// [`Content::digest`]. Not part of it: name, description and tags, which say nothing about what is
/// blocked, and the KMS key, which is the owner account's and of no use in a member.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Denied topics.
    pub topic_policy: Option<TopicPolicy>,
    /// Filters for harmful content.
    pub content_policy: Option<ContentPolicy>,
    /// Denied words.
    pub word_policy: Option<WordPolicy>,
    /// Sensitive information.
    pub sensitive_information_policy: Option<SensitiveInformationPolicy>,
    /// Grounding in a source, and relevance.
    pub contextual_grounding_policy: Option<GroundingPolicy>,
    /// By id: the profile's ARN names the owner account, a copy must use its own account's.
    pub profile: Option<ProfileId>,
    /// What a caller reads whose prompt is blocked.
    pub blocked_input_messaging: String,
    /// What a caller reads in place of a blocked answer.
    pub blocked_outputs_messaging: String,
}

/// Why a guardrail can't be copied. Displays as what is wrong and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "what")]
pub enum CannotCopy {
    /// It carries an Automated Reasoning policy, which can't be enforced, copied or not.
    AutomatedReasoning,
    /// It holds something that this program doesn't know, so a copy would lack it.
    Unknown(String),
}

impl fmt::Display for CannotCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CannotCopy::AutomatedReasoning => f.write_str(
                "it carries an Automated Reasoning policy, which fails every call when enforced: publish a version without one",
            ),
            CannotCopy::Unknown(what) => write!(
                f,
                "it can't be copied completely, because this version of the keeper doesn't know all of it ({what}): update the keeper, or use placement: central",
            ),
        }
    }
}

/// Members of the answer that are about the guardrail and not of it.
const NOT_CONTENT: &[&str] = &[
    "createdAt",
    "description",
    "failureRecommendations",
    "guardrailArn",
    "guardrailId",
    "kmsKeyArn",
    "name",
    "status",
    "statusReasons",
    "updatedAt",
    "version",
];

impl Content {
    /// Reads the body of GetGuardrail's answer.
    ///
    /// # Errors
    /// When not everything in it can be copied.
    pub fn of_answer(body: &[u8]) -> Result<Content, CannotCopy> {
        let answer = serde_json::from_slice(body)
            .map_err(|_| CannotCopy::Unknown("an answer that is not JSON".to_owned()))?;
        let Some(Value::Object(mut answer)) = telling(answer) else {
            return Err(CannotCopy::Unknown("an answer that says nothing".to_owned()));
        };
        if answer.remove("automatedReasoningPolicy").is_some() {
            return Err(CannotCopy::AutomatedReasoning);
        }
        let content = Content {
            topic_policy: part(&mut answer, "topicPolicy")?,
            content_policy: part(&mut answer, "contentPolicy")?,
            word_policy: part(&mut answer, "wordPolicy")?,
            sensitive_information_policy: part(&mut answer, "sensitiveInformationPolicy")?,
            contextual_grounding_policy: part(&mut answer, "contextualGroundingPolicy")?,
            profile: part::<CrossRegionDetails>(&mut answer, "crossRegionDetails")?
                .map(profile)
                .transpose()?,
            blocked_input_messaging: required(&mut answer, "blockedInputMessaging")?,
            blocked_outputs_messaging: required(&mut answer, "blockedOutputsMessaging")?,
        };
        // Every policy there ever was is an object. A new text or date beside them is about the
        // guardrail; to refuse it would stop every copy in the world on the day that AWS adds one.
        let policy = |(name, value): &(&String, &Value)| {
            !NOT_CONTENT.contains(&name.as_str()) && (value.is_object() || value.is_array())
        };
        match answer.iter().find(policy) {
            Some((name, _)) => Err(CannotCopy::Unknown(name.clone())),
            None => Ok(content),
        }
    }
}

/// The value without what says nothing: nulls, empty lists and empty objects.
fn telling(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(values) => {
            let values: Vec<Value> = values.into_iter().filter_map(telling).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        }
        Value::Object(members) => {
            let members: Map<String, Value> =
                members.into_iter().filter_map(|(name, value)| Some((name, telling(value)?))).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        told @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => Some(told),
    }
}

fn part<T: DeserializeOwned>(answer: &mut Map<String, Value>, name: &str) -> Result<Option<T>, CannotCopy> {
    let Some(value) = answer.remove(name) else { return Ok(None) };
    serde_json::from_value(value).map(Some).map_err(|error| unknown(name, &error))
}

fn required(answer: &mut Map<String, Value>, name: &str) -> Result<String, CannotCopy> {
    part(answer, name)?.ok_or_else(|| CannotCopy::Unknown(format!("an answer without {name}")))
}

fn profile(details: CrossRegionDetails) -> Result<ProfileId, CannotCopy> {
    let CrossRegionDetails { guardrail_profile_id, guardrail_profile_arn } = details;
    let id = guardrail_profile_id.or_else(|| {
        let arn = guardrail_profile_arn?;
        arn.split_once(":guardrail-profile/").map(|(_, id)| id.to_owned())
    });
    let id = id.ok_or_else(|| CannotCopy::Unknown("crossRegionDetails without a profile".to_owned()))?;
    id.parse().map_err(|error| unknown("crossRegionDetails", &error))
}

/// The serde error says which member it is, and lists those that would have been known. One about a
/// value quotes the value, which may be a denied topic or a word: that is nothing for a log.
fn unknown(part: &str, error: &dyn fmt::Display) -> CannotCopy {
    let error = error.to_string();
    let names_members_only = error.starts_with("unknown field") || error.starts_with("missing field");
    let what = if names_members_only { error.as_str() } else { "a value of another kind than documented" };
    CannotCopy::Unknown(format!("{part}: {what}").chars().take(200).collect())
}

#[cfg(test)]
mod tests;
