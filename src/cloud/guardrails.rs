//! Looks at guardrails in the account that owns them.

use aws_sdk_bedrock::types::GuardrailStatus;

use super::Reader;
use super::content::ReadEdition;
use super::error::{failure, is_missing};
use crate::baseline::{GuardrailName, Selector, Source};
use crate::content::Digest;
use crate::copy::Status;
use crate::ids::{GuardrailArn, GuardrailVersion, KmsKeyArn};
use crate::observed::ResourcePolicySeen;
use crate::resolved::{CatalogEntry, Unusable};
use crate::resource_policy::{ProfileArn, Resource};

impl Reader {
    /// Finds a guardrail and says whether the version asked for can be enforced.
    pub async fn catalog_entry(&self, source: &Source) -> CatalogEntry {
        let found = match &source.selector {
            Selector::Arn(arn) => Ok(arn.clone()),
            Selector::Name(name) => self.guardrail_named(name).await,
        };
        match found {
            Ok(arn) => {
                let Condition { unusable, profile, content, key } =
                    self.condition(&arn, source.version).await;
                let customer_key = match key {
                    Some(key) => Some(self.customer_key(key).await),
                    None => None,
                };
                CatalogEntry { arn: Some(arn), unusable, profile, content, customer_key }
            }
            Err(unusable) => CatalogEntry::unusable(unusable),
        }
    }

    async fn guardrail_named(&self, name: &GuardrailName) -> Result<GuardrailArn, Unusable> {
        let all = self.summaries(None).await.map_err(|failure| Unusable::Unreadable { failure })?;
        let named = all.iter().filter(|guardrail| guardrail.name() == name.as_str());
        let mut found: Vec<String> = named.map(|guardrail| guardrail.arn().to_owned()).collect();
        found.sort();
        found.dedup();
        match found.as_slice() {
            [] => Err(Unusable::NotFound { name: name.clone() }),
            [arn] => arn.parse().map_err(|error: crate::ids::InvalidId| Unusable::Unreadable {
                failure: crate::failure::Failure::rejected("ListGuardrails", error.to_string()),
            }),
            several => Err(Unusable::Ambiguous { name: name.clone(), count: several.len() }),
        }
    }

    /// Whether a version can be enforced, as far as its owner can tell.
    pub async fn condition(&self, guardrail: &GuardrailArn, version: GuardrailVersion) -> Condition {
        let ReadEdition { answer, content } = match self.edition(guardrail, &version.to_string()).await {
            Ok(Some(read)) => read,
            Ok(None) => return Condition::unusable(self.without(guardrail, version).await),
            Err(failure) => return Condition::unusable(Unusable::Unreadable { failure }),
        };
        let unusable = if answer.status() != &GuardrailStatus::Ready {
            Some(Unusable::NotReady { status: Status::from(answer.status().as_str().to_owned()) })
        } else if answer.automated_reasoning_policy().is_some() {
            Some(Unusable::AutomatedReasoning)
        } else {
            None
        };
        let profile =
            answer.cross_region_details().and_then(|details| details.guardrail_profile_arn()?.parse().ok());
        let content = content.ok().map(|content| content.digest_across_regions());
        // An ARN that can't be read is no key that anybody could look at; the probe tells whether it works.
        let key = answer.kms_key_arn().and_then(|arn| arn.parse().ok());
        Condition { unusable, profile, content, key }
    }

    /// Why GetGuardrail doesn't find a version: one more call, made only then. One negative answer is not
    /// believed alone: where ListGuardrails can't be read, nothing is known.
    async fn without(&self, guardrail: &GuardrailArn, version: GuardrailVersion) -> Unusable {
        match self.summaries(Some(guardrail)).await {
            Ok(editions) => {
                let editions: Vec<String> = editions.iter().map(|it| it.version().to_owned()).collect();
                Unusable::without(guardrail, version, &editions)
            }
            Err(failure) => Unusable::Unreadable { failure },
        }
    }

    /// The resource policy of a guardrail or guardrail profile.
    pub async fn resource_policy(&self, resource: &Resource) -> ResourcePolicySeen {
        let answer = self.bedrock.get_resource_policy().resource_arn(resource.to_string()).send().await;
        match answer {
            Ok(answer) => match answer.resource_policy() {
                Some(text) => match text.parse() {
                    Ok(document) => ResourcePolicySeen::Attached(document),
                    Err(invalid) => ResourcePolicySeen::Invalid(invalid),
                },
                None => ResourcePolicySeen::Absent,
            },
            Err(error) if is_missing(&error) => ResourcePolicySeen::Absent,
            Err(error) => ResourcePolicySeen::Unreadable(failure("GetResourcePolicy", &error)),
        }
    }
}

/// What GetGuardrail tells of one version.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Why it can't be enforced; `None` if it can.
    pub unusable: Option<Unusable>,
    /// The guardrail profile that it uses for inference in other Regions.
    pub profile: Option<ProfileArn>,
    /// What it does, comparable between Regions.
    pub content: Option<Digest>,
    /// The customer managed key that it is encrypted with.
    pub key: Option<KmsKeyArn>,
}

impl Condition {
    fn unusable(unusable: Unusable) -> Condition {
        Condition { unusable: Some(unusable), profile: None, content: None, key: None }
    }
}
