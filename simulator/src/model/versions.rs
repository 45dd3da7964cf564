//! Making versions of guardrails, and deleting versions and whole guardrails.

use std::sync::Arc;

use serde_json::json;

use super::caller::Caller;
use super::error::ApiError;
use super::event::Trail;
use super::guardrail::{Edition, GuardrailName, Status};
use super::guardrails::{HIDDEN, no_such_guardrail, no_such_version, quota, require_ready};
use super::{Model, clock};
use crate::switches::Answer;

/// Versions per guardrail (aws-facts §5, low confidence).
const MAX_VERSIONS: usize = 20;

impl Model {
    /// Makes a numbered, immutable version of the draft. What is enforced doesn't move to it (aws-facts §1.5).
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn create_guardrail_version(
        &mut self,
        caller: &Caller,
        identifier: &str,
        description: Option<String>,
    ) -> Result<u32, ApiError> {
        let name = self.own_guardrail(caller, "CreateGuardrailVersion", identifier)?;
        let mut request = json!({ "guardrailIdentifier": identifier });
        if description.is_some() {
            request["description"] = HIDDEN.into();
        }
        let version = self.add_guardrail_version(&name, description)?;
        let response = json!({ "guardrailId": name.id, "version": version.to_string() });
        self.trail(caller, Trail::bedrock("CreateGuardrailVersion", request, response));
        Ok(version)
    }

    /// Makes a version, as the world's file does.
    ///
    /// # Errors
    /// `ConflictException` while the draft isn't ready, `ServiceQuotaExceededException` for one too many.
    pub fn add_guardrail_version(
        &mut self,
        name: &GuardrailName,
        description: Option<String>,
    ) -> Result<u32, ApiError> {
        let now = self.now();
        let ready_at = clock::after(now, self.settings.version_seconds);
        let guardrail = self.require_guardrail_mut(name)?;
        require_ready(&guardrail.draft, now)?;
        if guardrail.versions.len() >= MAX_VERSIONS {
            return Err(quota(&format!("{MAX_VERSIONS} versions of a guardrail")));
        }
        let number = guardrail.next_version;
        guardrail.next_version += 1;
        guardrail.versions.insert(
            number,
            Edition {
                content: Arc::clone(&guardrail.draft.content),
                description,
                created_at: now,
                updated_at: now,
                ready_at,
                until_ready: Status::Creating,
                failure: None,
            },
        );
        Ok(number)
    }

    /// Deletes a guardrail with all its versions, or one version.
    ///
    /// # Errors
    /// `ResourceInUseException` for one that is enforced (aws-facts §1.5), or whatever else stands in the way.
    pub fn delete_guardrail_as(
        &mut self,
        caller: &Caller,
        identifier: &str,
        version: Option<&str>,
    ) -> Result<(), ApiError> {
        let name = self.own_guardrail(caller, "DeleteGuardrail", identifier)?;
        if let Some(user) = self.who_prevents_deletion(&name, version) {
            return Err(ApiError::new(
                "ResourceInUseException",
                format!(
                    "The guardrail {} is associated with the enforced configuration of account {user}.",
                    name.id
                ),
            ));
        }
        let mut request = json!({ "guardrailIdentifier": identifier });
        if let Some(version) = version {
            request["guardrailVersion"] = version.into();
        }
        self.remove_guardrail(&name, version)?;
        self.trail(caller, Trail::bedrock("DeleteGuardrail", request, serde_json::Value::Null));
        Ok(())
    }

    /// The account whose enforcement keeps a guardrail, or one version of it, from being deleted.
    fn who_prevents_deletion(&self, name: &GuardrailName, version: Option<&str>) -> Option<String> {
        let elsewhere_counts = self.switches.delete_enforced_elsewhere == Answer::Refused;
        let by_account =
            self.enforcers(name, version).find(|account| elsewhere_counts || *account == name.account);
        // Documents speak of guardrails that the organization enforces; of versions it is not known.
        let looks = version.is_none() || self.switches.delete_organization_version == Answer::Refused;
        let by_organization =
            || self.organization_enforcers(name, version).first().copied().filter(|_| looks);
        by_account.or_else(by_organization).map(str::to_owned)
    }

    /// Removes a guardrail or a version, enforced or not.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn remove_guardrail(&mut self, name: &GuardrailName, version: Option<&str>) -> Result<(), ApiError> {
        let Some(version) = version else {
            let arn = name.arn();
            let region = self.region_mut(&name.account, &name.region)?;
            region.resource_policies.remove(&arn);
            let removed = region.guardrails.remove(&name.id);
            return removed.map(drop).ok_or_else(|| no_such_guardrail(&name.id));
        };
        let guardrail = self.require_guardrail_mut(name)?;
        let number = version.parse().map_err(|_| no_such_version(&name.id, Some(version)))?;
        let removed = guardrail.versions.remove(&number);
        removed.map(drop).ok_or_else(|| no_such_version(&name.id, Some(version)))
    }

    /// Makes an edition fail for good, which AWS does when something inside it goes wrong.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn fail_guardrail(
        &mut self,
        name: &GuardrailName,
        version: Option<u32>,
        reason: &str,
    ) -> Result<(), ApiError> {
        let guardrail = self.require_guardrail_mut(name)?;
        let edition = match version {
            None => Some(&mut guardrail.draft),
            Some(number) => guardrail.versions.get_mut(&number),
        };
        let edition = edition.ok_or_else(|| no_such_guardrail(&name.id))?;
        edition.failure = Some(reason.to_owned());
        Ok(())
    }

    /// Makes an edition intervene on any text, as a pattern that is too wide does. AWS changes no version once it is
    /// made; here one can be spoiled without making another.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn block_everything(&mut self, name: &GuardrailName, version: Option<&str>) -> Result<(), ApiError> {
        let guardrail = self.require_guardrail_mut(name)?;
        let edition = match version {
            None => Some(&mut guardrail.draft),
            Some(number) => number.parse().ok().and_then(|number: u32| guardrail.versions.get_mut(&number)),
        };
        let edition = edition.ok_or_else(|| no_such_version(&name.id, version))?;
        let anything = [("name", "anything"), ("pattern", "."), ("action", "BLOCK")];
        let policy = Arc::make_mut(&mut edition.content).sensitive_information_policy.get_or_insert_default();
        policy
            .regexes
            .push(anything.map(|(member, value)| (member.to_owned(), value.into())).into_iter().collect());
        Ok(())
    }
}
