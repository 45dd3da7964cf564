//! What can be done with guardrails and their versions.

use std::sync::Arc;

use serde_json::json;

use super::caller::{Caller, refusal};
use super::error::ApiError;
use super::event::Trail;
use super::guardrail::{Content, Edition, Guardrail, GuardrailName, Status};
use super::iam::Verdict;
use super::organization::Tags;
use super::resource_policy::Admission;
use super::{Model, assess, clock};
use crate::switches::GetGuardrail;

/// Guardrails per account and Region (aws-facts §5, low confidence).
const MAX_GUARDRAILS: usize = 100;
/// What CloudTrail shows in place of names and descriptions (aws-facts §4.4).
pub(crate) const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

impl Model {
    /// Finds the guardrail that a caller names; an id alone means the caller's own account.
    ///
    /// # Errors
    /// `ValidationException` for an ARN of another Region.
    pub fn name_guardrail(&self, caller: &Caller, identifier: &str) -> Result<GuardrailName, ApiError> {
        let Some(name) = GuardrailName::from_arn(identifier) else {
            let (account, region) = (caller.account().to_owned(), caller.region.clone());
            return Ok(GuardrailName { account, region, id: identifier.to_owned() });
        };
        if name.region == caller.region {
            Ok(name)
        } else {
            Err(ApiError::validation(format!(
                "The guardrail {identifier} is in another Region than the request, which was sent to {}.",
                caller.region
            )))
        }
    }

    /// A guardrail that exists, without asking who wants to know.
    pub fn guardrail(&self, name: &GuardrailName) -> Option<&Guardrail> {
        self.region(&name.account, &name.region)?.guardrails.get(&name.id)
    }

    pub(crate) fn require_guardrail(&self, name: &GuardrailName) -> Result<&Guardrail, ApiError> {
        self.guardrail(name).ok_or_else(|| no_such_guardrail(&name.id))
    }

    pub(crate) fn require_guardrail_mut(&mut self, name: &GuardrailName) -> Result<&mut Guardrail, ApiError> {
        let region = self.region_mut(&name.account, &name.region)?;
        region.guardrails.get_mut(&name.id).ok_or_else(|| no_such_guardrail(&name.id))
    }

    /// Whether the caller may get or apply the guardrail, wherever it is.
    ///
    /// Within an account the caller's own permissions or the resource policy are enough; across accounts it
    /// takes both (aws-facts §1.4, §1.6).
    ///
    /// # Errors
    /// `AccessDeniedException`, also for a guardrail of another account that doesn't exist: nobody is told.
    pub fn authorize_guardrail(
        &self,
        caller: &Caller,
        action: &str,
        name: &GuardrailName,
    ) -> Result<(), ApiError> {
        let arn = name.arn();
        let admission = self.resource_policy_admits(&arn, caller.account(), action);
        if name.account == caller.account() {
            let identity = self.identity_verdict(&caller.principal, action, &arn);
            if admission == Admission::Principal && identity == Verdict::NotAllowed {
                return self.deny_by_organization(caller, action, &arn);
            }
            return self.authorize(caller, action, &arn);
        }
        self.authorize(caller, action, &arn)?;
        if admission == Admission::None {
            let why = format!("because no resource-based policy allows the {action} action");
            return Err(refusal(caller, action, &arn, &why));
        }
        Ok(())
    }

    /// A guardrail that the caller may read, and one edition of it.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn get_guardrail(
        &self,
        caller: &Caller,
        identifier: &str,
        version: Option<&str>,
    ) -> Result<(&Guardrail, &Edition), ApiError> {
        let name = self.name_guardrail(caller, identifier)?;
        self.authorize_guardrail(caller, "bedrock:GetGuardrail", &name)?;
        let guardrail = self.require_guardrail(&name)?;
        let is_number = version.is_some_and(|version| version != "DRAFT");
        if is_number && self.switches.get_guardrail == GetGuardrail::FindsNoVersion {
            return Err(no_such_version(&name.id, version));
        }
        let edition = guardrail.edition(version).ok_or_else(|| no_such_version(&name.id, version))?;
        Ok((guardrail, edition))
    }

    /// A guardrail of the caller's own account that it may change or list.
    pub(crate) fn own_guardrail(
        &self,
        caller: &Caller,
        action: &str,
        identifier: &str,
    ) -> Result<GuardrailName, ApiError> {
        let name = self.name_guardrail(caller, identifier)?;
        self.authorize(caller, &format!("bedrock:{action}"), &name.arn())?;
        if name.account != caller.account() {
            // A resource policy can share Get and Apply only (aws-facts §2.2).
            let why = format!("because no resource-based policy allows the bedrock:{action} action");
            return Err(refusal(caller, &format!("bedrock:{action}"), &name.arn(), &why));
        }
        self.require_guardrail(&name)?;
        Ok(name)
    }

    /// Makes a guardrail and gives it an id.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn create_guardrail(
        &mut self,
        caller: &Caller,
        content: Content,
        tags: Tags,
    ) -> Result<Guardrail, ApiError> {
        self.authorize(caller, "bedrock:CreateGuardrail", "*")?;
        check_content(&content)?;
        let (account, region) = (caller.account().to_owned(), caller.region.clone());
        let id = self.ids.lower(12);
        let guardrail = self.add_guardrail(&account, &region, &id, content, tags)?;
        self.trail(
            caller,
            Trail::bedrock(
                "CreateGuardrail",
                json!({ "name": HIDDEN, "blockedInputMessaging": HIDDEN, "blockedOutputsMessaging": HIDDEN }),
                json!({
                    "guardrailId": guardrail.id, "guardrailArn": guardrail.arn, "version": "DRAFT",
                    "createdAt": clock::iso8601(guardrail.draft.created_at),
                }),
            ),
        );
        Ok(guardrail)
    }

    /// Puts a guardrail into an account, as the world's file does.
    ///
    /// # Errors
    /// `ConflictException` for a name in use, `ServiceQuotaExceededException` for one too many.
    pub fn add_guardrail(
        &mut self,
        account: &str,
        region: &str,
        id: &str,
        content: Content,
        tags: Tags,
    ) -> Result<Guardrail, ApiError> {
        let now = self.now();
        let ready_at = clock::after(now, self.settings.guardrail_seconds);
        let guardrails = &mut self.region_mut(account, region)?.guardrails;
        if guardrails.values().any(|other| other.draft.content.name == content.name) {
            return Err(ApiError::conflict("Another guardrail in your account already has this name."));
        }
        if guardrails.len() >= MAX_GUARDRAILS {
            return Err(quota(&format!("{MAX_GUARDRAILS} guardrails in an account and Region")));
        }
        let name =
            GuardrailName { account: account.to_owned(), region: region.to_owned(), id: id.to_owned() };
        let draft = Edition {
            description: content.description.clone(),
            content: Arc::new(content),
            created_at: now,
            updated_at: now,
            ready_at,
            until_ready: Status::Creating,
            failure: None,
        };
        let guardrail = Guardrail {
            id: id.to_owned(),
            arn: name.arn(),
            draft,
            versions: std::collections::BTreeMap::new(),
            next_version: 1,
            tags,
        };
        guardrails.insert(id.to_owned(), guardrail.clone());
        Ok(guardrail)
    }

    /// Replaces the draft. Versions, and so what is enforced, stay as they are (aws-facts §1.5).
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn update_guardrail(
        &mut self,
        caller: &Caller,
        identifier: &str,
        content: Content,
    ) -> Result<Guardrail, ApiError> {
        let name = self.own_guardrail(caller, "UpdateGuardrail", identifier)?;
        check_content(&content)?;
        let now = self.now();
        let ready_at = clock::after(now, self.settings.guardrail_seconds);
        let siblings = &self.region_mut(&name.account, &name.region)?.guardrails;
        if siblings.values().any(|other| other.id != name.id && other.draft.content.name == content.name) {
            return Err(ApiError::conflict("Another guardrail in your account already has this name."));
        }
        let guardrail = self.require_guardrail_mut(&name)?;
        require_ready(&guardrail.draft, now)?;
        guardrail.draft = Edition {
            description: content.description.clone(),
            content: Arc::new(content),
            created_at: guardrail.draft.created_at,
            updated_at: now,
            ready_at,
            until_ready: Status::Updating,
            failure: None,
        };
        let updated = guardrail.clone();
        self.trail(
            caller,
            Trail::bedrock(
                "UpdateGuardrail",
                json!({
                    "guardrailIdentifier": identifier, "name": HIDDEN,
                    "blockedInputMessaging": HIDDEN, "blockedOutputsMessaging": HIDDEN,
                }),
                json!({
                    "guardrailId": updated.id, "guardrailArn": updated.arn, "version": "DRAFT",
                    "updatedAt": clock::iso8601(now),
                }),
            ),
        );
        Ok(updated)
    }

    /// The tags of a guardrail of the caller's account.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, `AccessDeniedException`.
    pub fn guardrail_tags(
        &mut self,
        caller: &Caller,
        action: &str,
        arn: &str,
    ) -> Result<&mut Tags, ApiError> {
        let Some(name) = GuardrailName::from_arn(arn) else {
            return Err(ApiError::not_found(format!("The resource {arn} doesn't exist.")));
        };
        let name = self.own_guardrail(caller, action, &name.arn())?;
        Ok(&mut self.require_guardrail_mut(&name)?.tags)
    }
}

/// A guardrail without any policy is refused, and so is a pattern that isn't one.
fn check_content(content: &Content) -> Result<(), ApiError> {
    let policies = [
        content.topic_policy.is_some(),
        content.content_policy.is_some(),
        content.word_policy.is_some(),
        content.sensitive_information_policy.is_some(),
        content.contextual_grounding_policy.is_some(),
        content.automated_reasoning_policy.is_some(),
    ];
    if policies.contains(&true) {
        assess::check_patterns(content)
    } else {
        Err(ApiError::validation("At least one policy must be configured in a guardrail."))
    }
}

pub(crate) fn require_ready(draft: &Edition, now: jiff::Timestamp) -> Result<(), ApiError> {
    match draft.status(now) {
        Status::Ready | Status::Failed => Ok(()),
        busy => {
            Err(ApiError::conflict(format!("The guardrail is in status {}; try again later.", busy.name())))
        }
    }
}

pub(crate) fn quota(what: &str) -> ApiError {
    ApiError::new("ServiceQuotaExceededException", format!("You have reached the limit of {what}."))
}

pub(crate) fn no_such_guardrail(id: &str) -> ApiError {
    ApiError::not_found(format!("The guardrail with id {id} doesn't exist."))
}

pub(crate) fn no_such_version(id: &str, version: Option<&str>) -> ApiError {
    let version = version.unwrap_or("DRAFT");
    ApiError::not_found(format!("Version {version} of the guardrail with id {id} doesn't exist."))
}
