//! The enforced guardrail configuration of an account in a Region.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::caller::{Caller, refusal};
use super::error::ApiError;
use super::event::Trail;
use super::guardrail::GuardrailName;
use super::guardrail::Status;
use super::guardrails::{no_such_guardrail, no_such_version};
use super::resource_policy::Admission;
use super::{Model, clock};
use crate::switches::{
    Answer, Defaults, EmptyList, ListModels, OtherOwners, PutOverExisting, RefusalForm, UpdatedBy,
};

/// What is enforced in one account and Region, as List shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnforcedConfiguration {
    /// Made by AWS; Put names it to replace the configuration.
    pub config_id: String,
    /// The guardrail, in this account or another.
    pub guardrail_arn: String,
    /// The last part of the ARN.
    pub guardrail_id: String,
    /// A number: the draft can't be enforced.
    pub guardrail_version: String,
    /// Which parts of a request are guarded, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selective_content_guarding: Option<SelectiveContentGuarding>,
    /// Which models are guarded, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_enforcement: Option<ModelEnforcement>,
    /// When the first Put was.
    pub created_at: Timestamp,
    /// Whose the first Put was.
    pub created_by: String,
    /// When the last Put was.
    pub updated_at: Timestamp,
    /// Whose the last Put was.
    pub updated_by: String,
}

/// Which parts of a request are guarded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SelectiveContentGuarding {
    /// System prompts; comprehensive when left out (aws-facts §1.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Guarding>,
    /// Messages; comprehensive when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Guarding>,
}

/// Whether everything is guarded or what is tagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Guarding {
    /// What is tagged.
    Selective,
    /// Everything.
    Comprehensive,
}

/// Which models are guarded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ModelEnforcement {
    /// `ALL` or model ids.
    pub included_models: Vec<String>,
    /// Model ids; they win over the included ones (aws-facts §1.5).
    pub excluded_models: Vec<String>,
}

/// What Put asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Enforce {
    /// A guardrail of the caller's account by id, or any by ARN.
    pub guardrail_identifier: String,
    /// A number.
    pub guardrail_version: String,
    /// Which parts of a request are guarded.
    #[serde(default)]
    pub selective_content_guarding: Option<SelectiveContentGuarding>,
    /// Which models are guarded.
    #[serde(default)]
    pub model_enforcement: Option<ModelEnforcement>,
}

impl Enforce {
    /// Asks for a guardrail version, everything else left to AWS's defaults.
    pub fn new(guardrail_identifier: &str, guardrail_version: &str) -> Enforce {
        Enforce {
            guardrail_identifier: guardrail_identifier.to_owned(),
            guardrail_version: guardrail_version.to_owned(),
            selective_content_guarding: None,
            model_enforcement: None,
        }
    }
}

impl EnforcedConfiguration {
    /// The guardrail it names.
    pub fn guardrail(&self) -> Option<GuardrailName> {
        GuardrailName::from_arn(&self.guardrail_arn)
    }

    /// Whether calls of the model are guarded: exclusion wins over inclusion.
    pub fn guards(&self, model: &str) -> bool {
        let Some(models) = &self.model_enforcement else { return true };
        let named = |list: &[String]| list.iter().any(|entry| entry == "ALL" || entry == model);
        named(&models.included_models) && !named(&models.excluded_models)
    }

    /// How system prompts are guarded.
    pub fn system(&self) -> Guarding {
        let guarding = self.selective_content_guarding.as_ref().and_then(|guarding| guarding.system);
        guarding.unwrap_or(Guarding::Comprehensive)
    }

    /// How messages are guarded.
    pub fn messages(&self) -> Guarding {
        let guarding = self.selective_content_guarding.as_ref().and_then(|guarding| guarding.messages);
        guarding.unwrap_or(Guarding::Comprehensive)
    }
}

impl Model {
    /// What was put last in the account and Region, whether it has effect yet or not.
    pub fn enforcement(&self, account: &str, region: &str) -> Option<&EnforcedConfiguration> {
        self.region(account, region)?.enforcement.latest().as_ref()
    }

    /// What has effect in the account and Region now.
    pub fn effective_enforcement(&self, account: &str, region: &str) -> Option<&EnforcedConfiguration> {
        let enforcement = &self.region(account, region)?.enforcement;
        enforcement.effective(self.now(), self.settings.propagation_seconds).as_ref()
    }

    /// Enforces a guardrail in the caller's account and Region.
    ///
    /// There is one configuration per account and Region; its `configId` is made here and stays
    /// (aws-facts §1.2, §1.3).
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn put_enforcement(
        &mut self,
        caller: &Caller,
        config_id: Option<&str>,
        wanted: Enforce,
    ) -> Result<EnforcedConfiguration, ApiError> {
        self.authorize(caller, "bedrock:PutEnforcedGuardrailConfiguration", "*")?;
        let existing = self.enforcement(caller.account(), &caller.region).cloned();
        match (config_id, &existing) {
            (Some(id), existing) if existing.as_ref().is_none_or(|existing| existing.config_id != id) => {
                return Err(ApiError::not_found("The configId specified in the request does not exist."));
            }
            (None, Some(_)) if self.switches.put_over_existing == PutOverExisting::Conflicts => {
                return Err(ApiError::conflict(
                    "An enforced guardrail configuration already exists for the account; specify its configId.",
                ));
            }
            _ => {}
        }
        let name = self.check_reference(caller, &wanted)?;
        let (now, by) = (self.now(), self.author(caller));
        let request = put_request(config_id, &wanted);
        let configuration = EnforcedConfiguration {
            config_id: existing
                .as_ref()
                .map_or_else(|| self.ids.lower(12), |existing| existing.config_id.clone()),
            guardrail_arn: name.arn(),
            guardrail_id: name.id,
            guardrail_version: wanted.guardrail_version,
            selective_content_guarding: wanted.selective_content_guarding,
            model_enforcement: wanted.model_enforcement,
            created_at: existing.as_ref().map_or(now, |existing| existing.created_at),
            created_by: existing.map_or_else(|| by.clone(), |existing| existing.created_by),
            updated_at: now,
            updated_by: by,
        };
        let delay = self.settings.propagation_seconds;
        let region = self.region_mut(caller.account(), &caller.region)?;
        region.enforcement.write(Some(configuration.clone()), now, delay);
        let response = json!({
            "configId": configuration.config_id,
            "updatedAt": clock::iso8601(now),
            "updatedBy": configuration.updated_by,
        });
        self.trail(caller, Trail::bedrock("PutEnforcedGuardrailConfiguration", request, response));
        Ok(configuration)
    }

    /// What List shows, each with its owner: the account's configuration in the form that the switches say, and
    /// what the organization enforces, if that is switched on.
    ///
    /// # Errors
    /// `ResourceNotFoundException` where nothing is enforced, unless that is switched to an empty list.
    pub fn list_enforcement(
        &self,
        caller: &Caller,
    ) -> Result<Vec<(&'static str, EnforcedConfiguration)>, ApiError> {
        self.authorize(caller, "bedrock:ListEnforcedGuardrailsConfiguration", "*")?;
        let mut listed = Vec::new();
        if self.switches.other_owners == OtherOwners::Organization {
            listed.extend(
                self.listed_of_the_organization(caller).into_iter().map(|shown| ("ORGANIZATION", shown)),
            );
        }
        let own = self.enforcement(caller.account(), &caller.region);
        listed.extend(own.map(|own| ("ACCOUNT", self.in_the_form_of_list(own.clone(), &caller.region))));
        if listed.is_empty() && self.switches.empty_list == EmptyList::NotFound {
            let message = "No default guardrail configuration is associated with the account.";
            return Err(ApiError::not_found(message));
        }
        Ok(listed)
    }

    /// What the organization enforces as List might show it. Where it enforces nothing, a client is shown one that was
    /// made up: for it nothing but the owner counts.
    fn listed_of_the_organization(&self, caller: &Caller) -> Vec<EnforcedConfiguration> {
        let made_up = self.enforced_by_the_organization(&caller.region);
        let configurations = self.organization_configurations(caller.account(), &caller.region);
        let shown = configurations.iter().filter_map(|configuration| {
            let (name, version) = self.guardrail_of(configuration).ok()?;
            Some(EnforcedConfiguration {
                guardrail_arn: name.arn(),
                guardrail_id: name.id,
                guardrail_version: version,
                ..made_up.clone()
            })
        });
        let shown: Vec<EnforcedConfiguration> = shown.collect();
        if shown.is_empty() { vec![made_up] } else { shown }
    }

    /// A configuration that no account made: an organization policy with a guardrail of the management account.
    fn enforced_by_the_organization(&self, region: &str) -> EnforcedConfiguration {
        let management = &self.organization.management_account;
        let at = Timestamp::UNIX_EPOCH;
        let by = "arn:aws:iam::aws:role/aws-service-role/bedrock.amazonaws.com/Organization".to_owned();
        EnforcedConfiguration {
            config_id: "orgwide00000".to_owned(),
            guardrail_arn: format!("arn:aws:bedrock:{region}:{management}:guardrail/orgwide1a2b3c"),
            guardrail_id: "orgwide1a2b3c".to_owned(),
            guardrail_version: "1".to_owned(),
            selective_content_guarding: None,
            model_enforcement: None,
            created_at: at,
            created_by: by.clone(),
            updated_at: at,
            updated_by: by,
        }
    }

    fn in_the_form_of_list(&self, mut shown: EnforcedConfiguration, region: &str) -> EnforcedConfiguration {
        if self.switches.list_defaults == Defaults::Echoed {
            let guarding = shown.selective_content_guarding.get_or_insert_default();
            guarding.system.get_or_insert(Guarding::Comprehensive);
            guarding.messages.get_or_insert(Guarding::Comprehensive);
            shown.model_enforcement.get_or_insert_with(|| ModelEnforcement {
                included_models: vec!["ALL".to_owned()],
                excluded_models: Vec::new(),
            });
        }
        if self.switches.list_models == ListModels::Arns
            && let Some(models) = &mut shown.model_enforcement
        {
            for model in models.included_models.iter_mut().chain(&mut models.excluded_models) {
                if model != "ALL" {
                    *model = format!("arn:aws:bedrock:{region}::foundation-model/{model}");
                }
            }
        }
        shown
    }

    /// Removes the configuration of the caller's account and Region.
    ///
    /// # Errors
    /// `ResourceNotFoundException` for any other id.
    pub fn delete_enforcement(&mut self, caller: &Caller, config_id: &str) -> Result<(), ApiError> {
        self.authorize(caller, "bedrock:DeleteEnforcedGuardrailConfiguration", "*")?;
        let existing = self.enforcement(caller.account(), &caller.region);
        if existing.is_none_or(|existing| existing.config_id != config_id) {
            return Err(ApiError::not_found("The configId specified in the request does not exist."));
        }
        let (now, delay) = (self.now(), self.settings.propagation_seconds);
        self.region_mut(caller.account(), &caller.region)?.enforcement.write(None, now, delay);
        let request = json!({ "configId": config_id });
        self.trail(
            caller,
            Trail::bedrock("DeleteEnforcedGuardrailConfiguration", request, serde_json::Value::Null),
        );
        Ok(())
    }

    /// Whether the caller may enforce this guardrail version here.
    fn check_reference(&self, caller: &Caller, wanted: &Enforce) -> Result<GuardrailName, ApiError> {
        // Over HTTP the service model's pattern says so already; callers from Rust are held to it too.
        let number = wanted.guardrail_version.parse::<u32>();
        if !number.is_ok_and(|number| (1..=99_999_999).contains(&number)) {
            return Err(ApiError::validation(format!(
                "The guardrail version {} can't be enforced: it must be a number.",
                wanted.guardrail_version
            )));
        }
        // Put refusing an ARN of another Region is inferred (aws-facts §1.5), and done by `name_guardrail`.
        let name = self.name_guardrail(caller, &wanted.guardrail_identifier)?;
        if name.account != caller.account() {
            if self.switches.cross_account_reference == Answer::Refused {
                return Err(self.foreign(caller, &wanted.guardrail_identifier));
            }
            if self.resource_policy_admits(&name.arn(), caller.account(), "bedrock:ApplyGuardrail")
                == Admission::None
            {
                if self.switches.put_without_grant == Answer::Accepted {
                    return Ok(name);
                }
                let action = "bedrock:ApplyGuardrail";
                let why = format!("because no resource-based policy allows the {action} action");
                return Err(refusal(caller, action, &name.arn(), &why));
            }
        }
        let guardrail = self.guardrail(&name).ok_or_else(|| no_such_guardrail(&name.id))?;
        let version = Some(wanted.guardrail_version.as_str());
        let edition = guardrail.edition(version).ok_or_else(|| no_such_version(&name.id, version))?;
        match edition.status(self.now()) {
            Status::Ready => Ok(name),
            status => Err(ApiError::validation(format!(
                "Version {} of the guardrail {} is in status {}.",
                wanted.guardrail_version,
                name.id,
                status.name()
            ))),
        }
    }

    /// The refusal of another account's guardrail, in the form that is switched.
    fn foreign(&self, caller: &Caller, identifier: &str) -> ApiError {
        let account = caller.account();
        match self.switches.cross_account_refusal {
            RefusalForm::Validation => ApiError::validation(format!(
                "The guardrail {identifier} doesn't belong to account {account}."
            )),
            RefusalForm::AccessDenied => {
                ApiError::denied(format!("The resource {identifier} is from a different account."))
            }
        }
    }

    /// The accounts that enforce a guardrail, or one version of it.
    pub fn enforcers<'a>(
        &'a self,
        name: &'a GuardrailName,
        version: Option<&'a str>,
    ) -> impl Iterator<Item = &'a str> {
        let arn = name.arn();
        self.accounts.values().filter_map(move |account| {
            let enforced = account.regions.get(&name.region)?.enforcement.latest().as_ref()?;
            let same_version = version.is_none_or(|version| version == enforced.guardrail_version);
            (enforced.guardrail_arn == arn && same_version).then_some(account.id.as_str())
        })
    }

    /// What `createdBy` and `updatedBy` say of a caller.
    fn author(&self, caller: &Caller) -> String {
        match self.switches.updated_by {
            UpdatedBy::Role => caller.principal.role_arn(),
            UpdatedBy::AssumedRole => caller.principal.arn(),
        }
    }
}

fn put_request(config_id: Option<&str>, wanted: &Enforce) -> serde_json::Value {
    let mut inner = json!({
        "guardrailIdentifier": wanted.guardrail_identifier,
        "guardrailVersion": wanted.guardrail_version,
    });
    if let Some(guarding) = &wanted.selective_content_guarding {
        inner["selectiveContentGuarding"] = json!(guarding);
    }
    if let Some(models) = &wanted.model_enforcement {
        inner["modelEnforcement"] = json!(models);
    }
    let mut request = json!({ "guardrailInferenceConfig": inner });
    if let Some(config_id) = config_id {
        request["configId"] = config_id.into();
    }
    request
}
