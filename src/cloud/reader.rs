//! Reads one account's enforcement in one Region, and tries the guardrail as that account.

use aws_sdk_bedrock::types as aws;
use aws_sdk_bedrock::types::AccountEnforcedGuardrailOutputConfiguration as Configuration;
use aws_sdk_bedrockruntime::operation::apply_guardrail::ApplyGuardrailOutput;
use aws_sdk_bedrockruntime::types as runtime;
use tracing::debug;

use super::Session;
use super::error::{failure, is_missing, shortened};
use crate::enforcement::{ContentGuarding, Enforcement, Guarding, Included, Models};
use crate::failure::Failure;
use crate::ids::{ModelId, Region};
use crate::observed::{Observation, PROBE_TEXT, ProbeAnswer, Seen};

const LIST: &str = "ListEnforcedGuardrailsConfiguration";

/// Reads in one account and Region. Has no way to write.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) bedrock: aws_sdk_bedrock::Client,
    session: Session,
    region: Region,
}

impl Reader {
    /// A reader with the session's credentials.
    pub fn new(session: &Session, region: &Region) -> Reader {
        let Session { sdk, retries } = session;
        let bedrock = aws_sdk_bedrock::config::Builder::from(sdk)
            .region(aws_sdk_bedrock::config::Region::new(region.to_string()))
            .retry_partition(retries.clone());
        Reader {
            bedrock: aws_sdk_bedrock::Client::from_conf(bedrock.build()),
            session: session.clone(),
            region: region.clone(),
        }
    }

    /// Made where it is needed: to make a client costs about as much as to call with it, and what is in
    /// sync is never probed.
    fn runtime(&self) -> aws_sdk_bedrockruntime::Client {
        let Session { sdk, retries } = &self.session;
        let runtime = aws_sdk_bedrockruntime::config::Builder::from(sdk)
            .region(aws_sdk_bedrockruntime::config::Region::new(self.region.to_string()))
            .retry_partition(retries.clone());
        aws_sdk_bedrockruntime::Client::from_conf(runtime.build())
    }

    /// KMS in a key's Region. Made only where a guardrail has a key of its owner's.
    pub(super) fn kms(&self, region: &Region) -> aws_sdk_kms::Client {
        let Session { sdk, retries } = &self.session;
        let kms = aws_sdk_kms::config::Builder::from(sdk)
            .region(aws_sdk_kms::config::Region::new(region.to_string()))
            .retry_partition(retries.clone());
        aws_sdk_kms::Client::from_conf(kms.build())
    }

    /// What the account itself enforces. Whatever can't be told is [`Observation::Unreadable`], never absent.
    pub async fn enforcement(&self) -> Observation {
        match self.configuration().await {
            Ok(None) => Observation::Absent,
            Ok(Some(configuration)) => match seen(&configuration) {
                Ok(seen) => Observation::Enforced(seen),
                Err(problem) => Observation::Unreadable(Failure::rejected(LIST, problem)),
            },
            Err(failure) => Observation::Unreadable(failure),
        }
    }

    /// The account's own configuration, as AWS shows it. What others enforce on the account is left out: it is
    /// never read as the account's, so that nothing replaces or releases it.
    pub(super) async fn configuration(&self) -> Result<Option<Configuration>, Failure> {
        let mut found = None;
        let mut pages = self.bedrock.list_enforced_guardrails_configuration().into_paginator().send();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => {
                    for configuration in page.guardrails_config() {
                        if let Some(owner) = other_owner(configuration) {
                            debug!(
                                "{owner} enforces {}:{} in {} too: not the account's own, left alone",
                                configuration.guardrail_arn().unwrap_or("a guardrail"),
                                configuration.guardrail_version().unwrap_or("?"),
                                self.region
                            );
                        } else if found.replace(configuration.clone()).is_some() {
                            return Err(Failure::rejected(
                                LIST,
                                "several configurations where AWS documents one at most",
                            ));
                        }
                    }
                }
                // Bedrock answers so, rather than with an empty list, where nothing is configured.
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) => return Err(failure(LIST, &error)),
            }
        }
        Ok(found)
    }

    /// Tries to apply the guardrail as this account: exactly what every guarded call will have to do. Answers what
    /// the guardrail did about a harmless text.
    ///
    /// # Errors
    /// When the call doesn't answer 200.
    pub async fn probe(&self, enforcement: &Enforcement) -> Result<ProbeAnswer, Failure> {
        const OPERATION: &str = "ApplyGuardrail";
        let text = runtime::GuardrailTextBlock::builder()
            .text(PROBE_TEXT)
            .build()
            .map_err(|error| Failure::rejected(OPERATION, error.to_string()))?;
        self.runtime()
            .apply_guardrail()
            .guardrail_identifier(enforcement.guardrail.to_string())
            .guardrail_version(enforcement.version.to_string())
            .source(runtime::GuardrailContentSource::Input)
            .content(runtime::GuardrailContentBlock::Text(text))
            .send()
            .await
            .map(|answer| probe_answer(&answer))
            .map_err(|error| failure(OPERATION, &error))
    }
}

/// Only `NONE` says that the text passed. What another answer means isn't known, so it is no proof.
fn probe_answer(answer: &ApplyGuardrailOutput) -> ProbeAnswer {
    if answer.action() == &runtime::GuardrailAction::None {
        return ProbeAnswer::Passed;
    }
    let mut by = Vec::new();
    for assessment in answer.assessments() {
        let policies = [
            (assessment.topic_policy().is_some(), "denied topics"),
            (assessment.content_policy().is_some(), "content filters"),
            (assessment.word_policy().is_some(), "word filters"),
            (assessment.sensitive_information_policy().is_some(), "sensitive information filters"),
            (assessment.contextual_grounding_policy().is_some(), "contextual grounding"),
        ];
        for (is_there, policy) in policies {
            if is_there && !by.contains(&policy) {
                by.push(policy);
            }
        }
    }
    ProbeAnswer::Blocked { by }
}

/// Who else than the account has made it, by the answer. Left out, it is the account's: the operation is about
/// the account's own configuration.
fn other_owner(configuration: &Configuration) -> Option<&str> {
    configuration
        .owner()
        .filter(|owner| **owner != aws::ConfigurationOwner::Account)
        .map(aws::ConfigurationOwner::as_str)
}

/// Every member of the answer is optional in the service model. Those that say what is enforced
/// must be there; the others have documented defaults.
pub(super) fn seen(configuration: &Configuration) -> Result<Seen, String> {
    let required = |member: &'static str, value: Option<&str>| {
        value.map(str::to_owned).ok_or_else(|| format!("the answer leaves out {member}"))
    };
    let invalid = |error: crate::ids::InvalidId| error.to_string();
    let enforcement = Enforcement {
        guardrail: required("guardrailArn", configuration.guardrail_arn())?.parse().map_err(invalid)?,
        version: required("guardrailVersion", configuration.guardrail_version())?.parse().map_err(invalid)?,
        models: models(configuration.model_enforcement()),
        guarding: guarding(configuration.selective_content_guarding())?,
    };
    Ok(Seen {
        config_id: Some(required("configId", configuration.config_id())?.parse().map_err(invalid)?),
        enforcement,
        // Whoever may assume a role chooses the name of the session.
        created_by: configuration.created_by().map(shortened),
        updated_by: configuration.updated_by().map(shortened),
    })
}

fn models(enforcement: Option<&aws::ModelEnforcement>) -> Models {
    let Some(enforcement) = enforcement else {
        return Models::default();
    };
    let ids = |names: &[String]| names.iter().map(|name| ModelId::as_reported(name)).collect();
    let included = enforcement.included_models();
    Models {
        include: if included.iter().any(|name| name == "ALL") {
            Included::All
        } else {
            Included::Only(ids(included))
        },
        exclude: ids(enforcement.excluded_models()),
    }
}

fn guarding(selective: Option<&aws::SelectiveContentGuarding>) -> Result<Guarding, String> {
    let mode = |mode: Option<&aws::SelectiveGuardingMode>| match mode {
        None | Some(aws::SelectiveGuardingMode::Comprehensive) => Ok(ContentGuarding::Comprehensive),
        Some(aws::SelectiveGuardingMode::Selective) => Ok(ContentGuarding::Selective),
        // A mode that AWS added since: what it guards isn't known, so nothing is claimed.
        Some(other) => Err(format!("unknown selectiveContentGuarding {other}")),
    };
    Ok(Guarding {
        system: mode(selective.and_then(aws::SelectiveContentGuarding::system))?,
        messages: mode(selective.and_then(aws::SelectiveContentGuarding::messages))?,
    })
}
