//! Looks at guardrails in the account that owns them.

use super::Reader;
use super::error::{failure, is_missing};
use crate::baseline::{GuardrailName, Selector, Source};
use crate::ids::{GuardrailArn, GuardrailVersion};
use crate::resolved::{CatalogEntry, Unusable};

impl Reader {
    /// Finds a guardrail and says whether the version asked for can be enforced.
    pub async fn catalog_entry(&self, source: &Source) -> CatalogEntry {
        let found = match &source.selector {
            Selector::Arn(arn) => Ok(arn.clone()),
            Selector::Name(name) => self.guardrail_named(name).await,
        };
        match found {
            Ok(arn) => {
                let unusable = self.why_unusable(&arn, source.version).await;
                CatalogEntry { arn: Some(arn), unusable }
            }
            Err(unusable) => CatalogEntry { arn: None, unusable: Some(unusable) },
        }
    }

    async fn guardrail_named(&self, name: &GuardrailName) -> Result<GuardrailArn, Unusable> {
        let mut found = Vec::new();
        let mut pages = self.bedrock.list_guardrails().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| Unusable::Unreadable { failure: failure("ListGuardrails", &error) })?;
            let named = page.guardrails().iter().filter(|guardrail| guardrail.name() == name.as_str());
            found.extend(named.map(|guardrail| guardrail.arn().to_owned()));
        }
        found.sort();
        found.dedup();
        match found.as_slice() {
            [] => Err(Unusable::NotFound { name: name.clone() }),
            [arn] => arn.parse().map_err(|error: crate::ids::InvalidId| Unusable::Unreadable {
                failure: crate::failure::Failure {
                    category: crate::failure::Category::Rejected,
                    operation: "ListGuardrails".to_owned(),
                    message: error.to_string(),
                },
            }),
            several => Err(Unusable::Ambiguous { name: name.clone(), count: several.len() }),
        }
    }

    /// Why a version can't be enforced, or `None` if it can, as far as its owner can tell.
    pub async fn why_unusable(
        &self,
        guardrail: &GuardrailArn,
        version: GuardrailVersion,
    ) -> Option<Unusable> {
        let answer = self
            .bedrock
            .get_guardrail()
            .guardrail_identifier(guardrail.to_string())
            .guardrail_version(version.to_string())
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status() != &aws_sdk_bedrock::types::GuardrailStatus::Ready => {
                Some(Unusable::NotReady { status: answer.status().as_str().to_owned() })
            }
            Ok(answer) if answer.automated_reasoning_policy().is_some() => Some(Unusable::AutomatedReasoning),
            Ok(_) => None,
            Err(error) if is_missing(&error) => {
                Some(Unusable::Missing { guardrail: guardrail.clone(), version })
            }
            Err(error) => Some(Unusable::Unreadable { failure: failure("GetGuardrail", &error) }),
        }
    }
}
