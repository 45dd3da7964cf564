//! Calling a model, with the guardrails that apply.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Model;
use super::assess::{Assessment, Direction, assess};
use super::caller::{Caller, refusal};
use super::enforcement::Guarding;
use super::error::ApiError;
use super::guardrail::{Content, GuardrailName};
use super::keys::key_arn;
use super::resource_policy::Admission;
use crate::switches::{OnOff, WrongIdentifier};

/// A model that can be called. It says back what it is told.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FoundationModel {
    /// e.g. `amazon.nova-pro-v1:0`.
    pub id: String,
    /// What it does.
    #[serde(default)]
    pub kind: ModelKind,
}

/// What a model does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// Answers in text.
    #[default]
    Text,
    /// Makes vectors, and doesn't support guardrails (aws-facts §1.5).
    Embedding,
}

/// Why a guardrail applies to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The request names it.
    Request,
    /// The account enforces it.
    AccountEnforced,
    /// The organization enforces it.
    OrganizationEnforced,
}

/// The API that a call of a model comes through. Enforced guardrails don't act on every one (organization-policies
/// §4.2), and the guardrail that a request names doesn't either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surface {
    /// Converse, ConverseStream, InvokeModel and InvokeModelWithResponseStream: both act.
    #[default]
    Invoke,
    /// Chat Completions on the runtime's endpoint, where the guardrail of a header acts.
    ChatCompletions,
    /// Anthropic's Messages on the runtime's endpoint, where the guardrail of a header acts.
    Messages,
    /// Responses on the runtime's endpoint, where the guardrail of a request is ignored.
    Responses,
    /// The endpoint bedrock-mantle, where the guardrail of a request is ignored.
    Mantle,
    /// StartAsyncInvoke, whose input has no guardrail.
    AsyncInvoke,
}

impl Surface {
    /// Whether the guardrail that a request names acts.
    fn takes_requested(self) -> bool {
        matches!(self, Surface::Invoke | Surface::ChatCompletions | Surface::Messages)
    }
}

/// A guardrail that applies to a call.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Which.
    pub name: GuardrailName,
    /// Which version of it.
    pub version: String,
    /// Why; there may be more than one reason.
    pub origins: Vec<Origin>,
    /// Whether it belongs to another account than the caller.
    pub cross_account: bool,
    content: Arc<Content>,
    system: Guarding,
    messages: Guarding,
}

/// A piece of text in a request.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether the caller tagged it as content to guard.
    pub tagged: bool,
}

/// A call of a model, whatever API it came through.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// The model, by id, inference profile or ARN.
    pub model: String,
    /// The system prompt.
    pub system: Vec<Piece>,
    /// The messages.
    pub messages: Vec<Piece>,
    /// The guardrail that the request names, and its version.
    pub guardrail: Option<(String, String)>,
    /// The API.
    pub surface: Surface,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The answer, or a guardrail's words in its place.
    pub text: String,
    /// Whether a guardrail stopped the prompt or the answer.
    pub intervened: bool,
    /// Every guardrail that applied, with what it found in the prompt and in the answer.
    pub assessments: Vec<(Applied, Assessment, Option<Assessment>)>,
    /// The model that was called.
    pub model: FoundationModel,
}

impl Model {
    /// Applies one guardrail to some text, as ApplyGuardrail does.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn apply_guardrail(
        &self,
        caller: &Caller,
        identifier: &str,
        version: &str,
        text: &str,
        direction: Direction,
    ) -> Result<(Applied, Assessment), ApiError> {
        let name = self.name_guardrail(caller, identifier)?;
        self.authorize_guardrail(caller, "bedrock:ApplyGuardrail", &name)?;
        let applied = self.applied(caller, name, version, Origin::Request)?;
        let assessment = assess(&applied.content, text, direction);
        Ok((applied, assessment))
    }

    /// Calls a model.
    ///
    /// # Errors
    /// `AccessDeniedException` for a caller who may not apply the enforced guardrail (aws-facts §1.6), and
    /// whatever else stands in the way.
    pub fn invoke(&self, caller: &Caller, invocation: &Invocation) -> Result<Reply, ApiError> {
        let model = self.foundation_model(&invocation.model)?;
        self.authorize_call(caller, &model, invocation.surface)?;
        let guardrails = self.applying(caller, &model, invocation)?;
        let mut prompt: Vec<String> = invocation.messages.iter().map(|piece| piece.text.clone()).collect();
        let mut reply = Reply { text: String::new(), intervened: false, assessments: Vec::new(), model };
        let mut stopped: Option<String> = None;
        for applied in guardrails {
            let found = applied.assess_prompt(invocation);
            if found.blocked() && stopped.is_none() {
                stopped = Some(applied.content.blocked_input_messaging.clone());
            } else if found.intervened() {
                prompt = vec![found.masked.clone()];
            }
            reply.assessments.push((applied, found, None));
        }
        reply.text = stopped.clone().unwrap_or_else(|| format!("You said: {}", prompt.join(" ")));
        if stopped.is_none() {
            let answer = reply.text.clone();
            for (applied, _, output) in &mut reply.assessments {
                let found = assess(&applied.content, &answer, Direction::Output);
                if found.blocked() && stopped.is_none() {
                    stopped = Some(applied.content.blocked_outputs_messaging.clone());
                } else if found.intervened() {
                    reply.text.clone_from(&found.masked);
                }
                *output = Some(found);
            }
            if let Some(text) = &stopped {
                reply.text.clone_from(text);
            }
        }
        reply.intervened = stopped.is_some();
        Ok(reply)
    }

    /// The endpoint bedrock-mantle has an action of its own; all others have one (organization-policies §4.3).
    fn authorize_call(
        &self,
        caller: &Caller,
        model: &FoundationModel,
        surface: Surface,
    ) -> Result<(), ApiError> {
        let (region, account) = (&caller.region, caller.account());
        if surface == Surface::Mantle {
            let project = format!("arn:aws:bedrock-mantle:{region}:{account}:project/default");
            return self.authorize(caller, "bedrock-mantle:CreateInference", &project);
        }
        let arn = format!("arn:aws:bedrock:{region}::foundation-model/{}", model.id);
        self.authorize(caller, "bedrock:InvokeModel", &arn)
    }

    /// Every guardrail that applies to a call: the organization's, the account's and the request's, all of them
    /// (aws-facts §1.5, organization-policies §1.4).
    fn applying(
        &self,
        caller: &Caller,
        model: &FoundationModel,
        invocation: &Invocation,
    ) -> Result<Vec<Applied>, ApiError> {
        let mut applying: Vec<Applied> = Vec::new();
        if self.enforces_on(invocation.surface) {
            self.enforced_by_organization(caller, model, &mut applying)?;
            let enforced = self.effective_enforcement(caller.account(), &caller.region);
            if let Some(enforced) = enforced.filter(|enforced| enforced.guards(&model.id)) {
                let name = self.name_guardrail(caller, &enforced.guardrail_arn)?;
                let version = &enforced.guardrail_version;
                let mut applied = self.permitted(caller, name, version, Origin::AccountEnforced)?;
                (applied.system, applied.messages) = (enforced.system(), enforced.messages());
                add(&mut applying, applied);
            }
        }
        let requested = invocation.guardrail.as_ref().filter(|_| invocation.surface.takes_requested());
        if let Some((identifier, version)) = requested {
            let name = self.name_guardrail(caller, identifier)?;
            add(&mut applying, self.permitted(caller, name, version, Origin::Request)?);
        }
        if !applying.is_empty() && model.kind == ModelKind::Embedding {
            return Err(ApiError::validation(format!("The model {} doesn't support guardrails.", model.id)));
        }
        Ok(applying)
    }

    /// What the organization enforces. An identifier that names no version breaks every call of a model in the Region,
    /// also of a model that isn't guarded (organization-policies §1.6).
    fn enforced_by_organization(
        &self,
        caller: &Caller,
        model: &FoundationModel,
        applying: &mut Vec<Applied>,
    ) -> Result<(), ApiError> {
        for enforced in self.organization_configurations(caller.account(), &caller.region) {
            let (name, version) = match self.guardrail_of(&enforced) {
                Ok(named) => named,
                Err(_) if self.switches.wrong_identifier == WrongIdentifier::NotEnforced => continue,
                Err(why) => return Err(ApiError::validation(why)),
            };
            if enforced.guards(&model.id) {
                let mut applied = self.permitted(caller, name, &version, Origin::OrganizationEnforced)?;
                (applied.system, applied.messages) = (enforced.system, enforced.messages);
                add(applying, applied);
            }
        }
        Ok(())
    }

    /// Whether enforced guardrails act on an API.
    fn enforces_on(&self, surface: Surface) -> bool {
        let switch = match surface {
            Surface::Invoke => OnOff::On,
            Surface::ChatCompletions => self.switches.enforced_on_chat_completions,
            Surface::Messages => self.switches.enforced_on_messages,
            Surface::Responses => self.switches.enforced_on_responses,
            Surface::Mantle => self.switches.enforced_on_mantle,
            Surface::AsyncInvoke => self.switches.enforced_on_async_invoke,
        };
        switch == OnOff::On
    }

    /// A guardrail that the caller may apply.
    fn permitted(
        &self,
        caller: &Caller,
        name: GuardrailName,
        version: &str,
        origin: Origin,
    ) -> Result<Applied, ApiError> {
        self.authorize_guardrail(caller, "bedrock:ApplyGuardrail", &name)?;
        self.applied(caller, name, version, origin)
    }

    fn applied(
        &self,
        caller: &Caller,
        name: GuardrailName,
        version: &str,
        origin: Origin,
    ) -> Result<Applied, ApiError> {
        let edition = self.guardrail(&name).and_then(|guardrail| guardrail.edition(Some(version)));
        let edition = edition.ok_or_else(|| {
            let message = "The guardrail identifier or version provided in the request does not exist.";
            match origin {
                Origin::Request => ApiError::not_found(message),
                Origin::AccountEnforced | Origin::OrganizationEnforced => ApiError::validation(message),
            }
        })?;
        if let Some(profile) = &edition.content.cross_region_config {
            self.authorize_profile(caller, &profile.profile_arn(&name.account, &name.region), &name.account)?;
        }
        if let Some(key) = &edition.content.kms_key_id {
            self.authorize_decryption(caller, &key_arn(&name, key))?;
        }
        let enforced = origin != Origin::Request;
        if enforced && edition.content.automated_reasoning_policy.is_some() {
            // AWS says that this "will cause runtime failures" (aws-facts §1.5).
            return Err(ApiError::validation(format!(
                "The enforced guardrail {} has an Automated Reasoning policy, which can't be enforced.",
                name.id
            )));
        }
        Ok(Applied {
            version: if version.is_empty() { "DRAFT".to_owned() } else { version.to_owned() },
            origins: vec![origin],
            cross_account: name.account != caller.account(),
            content: Arc::clone(&edition.content),
            // A guardrail named in the request sees everything unless something is tagged.
            system: Guarding::Comprehensive,
            messages: if enforced { Guarding::Comprehensive } else { Guarding::Selective },
            name,
        })
    }

    /// A guardrail with cross-Region inference needs ApplyGuardrail on its profile too, which has a resource
    /// policy of its own (aws-facts §1.6). AWS wants that in every destination Region; which those are is not in
    /// any service model, so here the guardrail's own Region stands for all.
    fn authorize_profile(&self, caller: &Caller, arn: &str, owner: &str) -> Result<(), ApiError> {
        let action = "bedrock:ApplyGuardrail";
        self.authorize(caller, action, arn)?;
        let shared = self.resource_policy_admits(arn, caller.account(), action) != Admission::None;
        if shared || caller.account() == owner {
            return Ok(());
        }
        let why = format!("because no resource-based policy allows the {action} action");
        Err(refusal(caller, action, arn, &why))
    }

    /// The model behind an id, an inference profile (`us.<id>`) or an ARN of either.
    fn foundation_model(&self, identifier: &str) -> Result<FoundationModel, ApiError> {
        let id = identifier.rsplit('/').next().unwrap_or(identifier);
        let without_place = id.split_once('.').map_or(id, |(_, rest)| rest);
        let known = |wanted: &str| self.models.iter().find(|model| model.id == wanted);
        let found = known(id).or_else(|| known(without_place)).cloned();
        found.ok_or_else(|| ApiError::validation("The provided model identifier is invalid."))
    }
}

/// Adds a guardrail. One that applies already has one more reason to, and guards as much as both together.
fn add(applying: &mut Vec<Applied>, applied: Applied) {
    let is_same = |other: &&mut Applied| other.name == applied.name && other.version == applied.version;
    let Some(there) = applying.iter_mut().find(is_same) else { return applying.push(applied) };
    if !applied.origins.contains(&Origin::Request) {
        there.system = wider(there.system, applied.system);
        there.messages = wider(there.messages, applied.messages);
    }
    there.origins.extend(applied.origins);
}

fn wider(one: Guarding, other: Guarding) -> Guarding {
    if one == Guarding::Comprehensive { one } else { other }
}

impl Applied {
    /// What is said when it stops a text going in a direction.
    pub fn blocked_message(&self, direction: Direction) -> &str {
        match direction {
            Direction::Input => &self.content.blocked_input_messaging,
            Direction::Output => &self.content.blocked_outputs_messaging,
        }
    }

    /// Looks through the guarded parts of a prompt.
    ///
    /// Selective and without tags, system prompts are not looked at and messages are, whole (aws-facts §1.5).
    fn assess_prompt(&self, invocation: &Invocation) -> Assessment {
        let tagged = |pieces: &[Piece]| pieces.iter().any(|piece| piece.tagged);
        let mut texts: Vec<&str> = Vec::new();
        for piece in &invocation.system {
            if self.system == Guarding::Comprehensive || piece.tagged {
                texts.push(&piece.text);
            }
        }
        let only_tagged = self.messages == Guarding::Selective && tagged(&invocation.messages);
        for piece in &invocation.messages {
            if !only_tagged || piece.tagged {
                texts.push(&piece.text);
            }
        }
        assess(&self.content, &texts.join("\n"), Direction::Input)
    }
}
