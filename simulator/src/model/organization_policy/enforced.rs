//! What the organization's published documents make Bedrock do (organization-policies §1.1, §1.6).

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::effective::PublishedDocument;
use crate::model::Model;
use crate::model::enforcement::Guarding;
use crate::model::guardrail::GuardrailName;
use crate::switches::TwoConfigurations;

/// One configuration of a published document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrganizationConfiguration {
    /// The Region that it is for.
    pub region: String,
    /// Its name.
    pub name: String,
    /// An ARN with a version, if it is one: nobody looked.
    pub identifier: String,
    /// How system prompts are guarded.
    pub system: Guarding,
    /// How messages are guarded.
    pub messages: Guarding,
    /// The models that are guarded; every one when it is empty or has `ALL`.
    pub included_models: Vec<String>,
    /// The models that aren't; they win.
    pub excluded_models: Vec<String>,
}

/// An identifier, and the Region under whose key it stands.
pub(super) struct IdentifierOf<'a> {
    pub(super) identifier: &'a str,
    pub(super) region: &'a str,
}

impl IdentifierOf<'_> {
    /// The guardrail and the version: an ARN, a colon and a number.
    pub(super) fn read(&self) -> Result<(GuardrailName, String), String> {
        let no_identifier = || format!("{} is not a guardrail's ARN with a version.", self.identifier);
        let (arn, version) = self.identifier.rsplit_once(':').ok_or_else(no_identifier)?;
        let name = GuardrailName::from_arn(arn).ok_or_else(no_identifier)?;
        if !version.parse::<u32>().is_ok_and(|number| number > 0 && number.to_string() == version) {
            return Err(no_identifier());
        }
        if name.region != self.region {
            return Err(format!("The guardrail {arn} is not in the Region {}.", self.region));
        }
        Ok((name, version.to_owned()))
    }
}

impl OrganizationConfiguration {
    /// Whether calls of the model are guarded.
    pub fn guards(&self, model: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|entry| entry == model);
        let all = self.included_models.is_empty() || self.included_models.iter().any(|entry| entry == "ALL");
        (all || named(&self.included_models)) && !named(&self.excluded_models)
    }

    /// The configurations of a document, by Region and name.
    pub(super) fn of(document: &Value) -> Vec<OrganizationConfiguration> {
        let regions = document["bedrock"]["guardrail_inference"].as_object().into_iter().flatten();
        let configurations = regions.flat_map(|(region, names)| {
            let names = names.as_object().into_iter().flatten();
            names.map(|(name, settings)| OrganizationConfiguration::read(region, name, settings))
        });
        configurations.collect()
    }

    fn read(region: &str, name: &str, settings: &Value) -> OrganizationConfiguration {
        let selective = |value: &Value| match value.as_str() {
            Some("selective") => Guarding::Selective,
            _ => Guarding::Comprehensive,
        };
        let texts = |value: &Value| {
            let items = value.as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let guarding = &settings["selective_content_guarding"];
        // The form of the preview: what callers tagged is honored, or everything is looked at.
        let honors = settings["input_tags"] == "honor" && guarding.is_null();
        let messages = if honors { Guarding::Selective } else { selective(&guarding["messages"]) };
        OrganizationConfiguration {
            region: region.to_owned(),
            name: name.to_owned(),
            identifier: settings["identifier"].as_str().unwrap_or_default().to_owned(),
            system: selective(&guarding["system"]),
            messages,
            included_models: texts(&settings["model_enforcement"]["included_models"]),
            excluded_models: texts(&settings["model_enforcement"]["excluded_models"]),
        }
    }
}

impl Model {
    /// What the organization enforces in an account and Region now.
    pub fn organization_configurations(&self, account: &str, region: &str) -> Vec<OrganizationConfiguration> {
        let Some(document) = self.enforced_document(account) else { return Vec::new() };
        let here = document.configurations.iter().filter(|one| one.region == region).cloned();
        match self.switches.two_configurations {
            TwoConfigurations::First => here.take(1).collect(),
            TwoConfigurations::Both | TwoConfigurations::Refused => here.collect(),
        }
    }

    /// The guardrail version that a configuration names, and that can be enforced.
    pub(crate) fn guardrail_of(
        &self,
        configuration: &OrganizationConfiguration,
    ) -> Result<(GuardrailName, String), String> {
        let wanted = IdentifierOf { identifier: &configuration.identifier, region: &configuration.region };
        self.look_for(&wanted)?;
        wanted.read()
    }

    /// The accounts in which the organization enforces a guardrail, or one version of it, once what is published has
    /// effect.
    pub fn organization_enforcers(&self, name: &GuardrailName, version: Option<&str>) -> Vec<&str> {
        let names_it = |document: &Arc<PublishedDocument>| {
            document.configurations.iter().any(|one| {
                let wanted = IdentifierOf { identifier: &one.identifier, region: &one.region };
                wanted.read().is_ok_and(|(named, number)| {
                    named == *name && version.is_none_or(|version| version == number)
                })
            })
        };
        let effective = self.organization.effective.iter();
        effective.filter(|(_, one)| names_it(one.document())).map(|(account, _)| account.as_str()).collect()
    }
}
