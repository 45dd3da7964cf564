//! A guardrail: a draft that can be edited, and numbered versions that can't.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::organization::Tags;

/// One guardrail of one account in one Region.
#[derive(Clone, Debug, Serialize)]
pub struct Guardrail {
    /// e.g. `usbase1a2b3c`.
    pub id: String,
    /// Ends at the id: versions have no ARN (aws-facts §2.3).
    pub arn: String,
    /// What UpdateGuardrail changes. It can't be enforced.
    pub draft: Edition,
    /// What CreateGuardrailVersion made of the draft, by number.
    pub versions: BTreeMap<u32, Edition>,
    /// The number that the next version gets; numbers are never used again.
    pub next_version: u32,
    /// Its tags.
    pub tags: Tags,
}

/// The draft or one version.
#[derive(Clone, Debug, Serialize)]
pub struct Edition {
    /// What it filters. Shared with the draft it was made from.
    pub content: Arc<Content>,
    /// What its author wrote about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it can be used.
    pub ready_at: Timestamp,
    /// What AWS is busy with until then.
    pub until_ready: Status,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The status of a draft or version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Being made.
    Creating,
    /// Being changed.
    Updating,
    /// Usable.
    Ready,
    /// Not usable, and never will be.
    Failed,
}

impl Status {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Status::Creating => "CREATING",
            Status::Updating => "UPDATING",
            Status::Ready => "READY",
            Status::Failed => "FAILED",
        }
    }
}

impl Edition {
    /// Its status at a time.
    pub fn status(&self, now: Timestamp) -> Status {
        if self.failure.is_some() {
            Status::Failed
        } else if self.ready_at > now {
            self.until_ready
        } else {
            Status::Ready
        }
    }
}

impl Guardrail {
    /// The draft for `DRAFT` or nothing, a version for its number.
    pub fn edition(&self, version: Option<&str>) -> Option<&Edition> {
        match version {
            None | Some("" | "DRAFT") => Some(&self.draft),
            Some(number) => self.versions.get(&number.parse().ok()?),
        }
    }
}

// Requests and answers name the same things differently (`wordsConfig`, `words`), so every struct below reads
// the one and writes the other.

/// What a guardrail filters, as CreateGuardrail and UpdateGuardrail send it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Its name, unique in the account and Region.
    pub name: String,
    /// What its author wrote about it.
    #[serde(default, skip_serializing)]
    pub description: Option<String>,
    /// Denied topics.
    #[serde(rename(deserialize = "topicPolicyConfig"), default, skip_serializing_if = "Option::is_none")]
    pub topic_policy: Option<TopicPolicy>,
    /// Content filters.
    #[serde(rename(deserialize = "contentPolicyConfig"), default, skip_serializing_if = "Option::is_none")]
    pub content_policy: Option<ContentPolicy>,
    /// Words.
    #[serde(rename(deserialize = "wordPolicyConfig"), default, skip_serializing_if = "Option::is_none")]
    pub word_policy: Option<WordPolicy>,
    /// Personal information and regular expressions.
    #[serde(
        rename(deserialize = "sensitiveInformationPolicyConfig"),
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub sensitive_information_policy: Option<SensitiveInformationPolicy>,
    /// Grounding.
    #[serde(
        rename(deserialize = "contextualGroundingPolicyConfig"),
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub contextual_grounding_policy: Option<ContextualGroundingPolicy>,
    /// Automated reasoning, which must not be enforced (aws-facts §1.5).
    #[serde(
        rename(deserialize = "automatedReasoningPolicyConfig"),
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub automated_reasoning_policy: Option<Map<String, Value>>,
    /// The guardrail profile for cross-Region inference.
    #[serde(default, skip_serializing)]
    pub cross_region_config: Option<CrossRegion>,
    /// What is answered in place of a blocked prompt.
    pub blocked_input_messaging: String,
    /// What is answered in place of a blocked answer.
    pub blocked_outputs_messaging: String,
    /// The customer's key.
    #[serde(default, skip_serializing)]
    pub kms_key_id: Option<String>,
}

/// Denied topics.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TopicPolicy {
    /// Each with a name, a definition and examples.
    #[serde(rename(deserialize = "topicsConfig"))]
    pub topics: Vec<Map<String, Value>>,
    /// CLASSIC or STANDARD.
    #[serde(rename(deserialize = "tierConfig"), default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Map<String, Value>>,
}

/// Content filters. They are kept and shown; what they would find isn't modelled.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ContentPolicy {
    /// Each with a type and two strengths.
    #[serde(rename(deserialize = "filtersConfig"))]
    pub filters: Vec<Map<String, Value>>,
    /// CLASSIC or STANDARD.
    #[serde(rename(deserialize = "tierConfig"), default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Map<String, Value>>,
}

/// Words that are blocked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WordPolicy {
    /// The customer's own words.
    #[serde(rename(deserialize = "wordsConfig"), default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Map<String, Value>>,
    /// AWS's lists of words.
    #[serde(rename(deserialize = "managedWordListsConfig"), default, skip_serializing_if = "Vec::is_empty")]
    pub managed_word_lists: Vec<Map<String, Value>>,
}

/// Personal information and regular expressions.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SensitiveInformationPolicy {
    /// Kinds of personal information, e.g. `EMAIL`.
    #[serde(rename(deserialize = "piiEntitiesConfig"), default, skip_serializing_if = "Vec::is_empty")]
    pub pii_entities: Vec<Map<String, Value>>,
    /// The customer's own patterns.
    #[serde(rename(deserialize = "regexesConfig"), default, skip_serializing_if = "Vec::is_empty")]
    pub regexes: Vec<Map<String, Value>>,
}

/// Grounding. It is kept and shown; what it would find isn't modelled.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ContextualGroundingPolicy {
    /// Each with a type and a threshold.
    #[serde(rename(deserialize = "filtersConfig"))]
    pub filters: Vec<Map<String, Value>>,
    /// CLASSIC or STANDARD.
    #[serde(rename(deserialize = "tierConfig"), default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Map<String, Value>>,
}

/// The guardrail profile for cross-Region inference.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CrossRegion {
    /// Its id or ARN, e.g. `us.guardrail.v1:0`.
    pub guardrail_profile_identifier: String,
}

impl CrossRegion {
    /// The id, also where the ARN was given.
    pub fn profile_id(&self) -> &str {
        let identifier = &self.guardrail_profile_identifier;
        identifier.rsplit_once('/').map_or(identifier.as_str(), |(_, id)| id)
    }

    /// The ARN, in the account and Region of the guardrail.
    pub fn profile_arn(&self, account: &str, region: &str) -> String {
        format!("arn:aws:bedrock:{region}:{account}:guardrail-profile/{}", self.profile_id())
    }
}

/// A guardrail that a call names, by id or ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardrailName {
    /// The account that owns it.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Its id.
    pub id: String,
}

impl GuardrailName {
    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:bedrock:{}:{}:guardrail/{}", self.region, self.account, self.id)
    }

    /// Reads an ARN.
    pub fn from_arn(arn: &str) -> Option<GuardrailName> {
        let mut parts = arn.splitn(6, ':');
        let (scheme, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let id = resource.strip_prefix("guardrail/")?;
        (scheme == "arn" && service == "bedrock").then(|| GuardrailName {
            account: account.to_owned(),
            region: region.to_owned(),
            id: id.to_owned(),
        })
    }
}
