//! Questions to the simulator's model, answered by the model alone and never by the keeper.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use simulator::{Content, Direction, EnforcedConfiguration, GuardrailName, Model, Status};

use crate::histories::setting::{MEMBER_ROLE, Setting};

pub const ROOT: &str = "r-exam";
pub const WORKLOAD: &str = "ou-exam-workload";
pub const SANDBOX: &str = "ou-exam-sandbox1";
pub const ORGANIZATION: &str = "o-exampleorgid";

const MODEL: &str = "amazon.nova-pro-v1:0";
const BLOCKED: &str = "Tell me about the tungsten-rosebud.";

/// One account in one Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub account: String,
    pub region: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

pub fn administrator(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// Whether a principal is the keeper's role in an account.
pub fn is_the_keeper(account: &str, principal: &str) -> bool {
    principal == format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}")
        || principal.starts_with(&format!("arn:aws:sts::{account}:assumed-role/{MEMBER_ROLE}/"))
}

/// What a guardrail version does, without what it is called: `None` where there is no such version.
pub fn behaviour(model: &Model, arn: &str, version: &str) -> Option<Value> {
    let name = GuardrailName::from_arn(arn)?;
    let content = &model.guardrail(&name)?.edition(Some(version))?.content;
    let mut value = serde_json::to_value(&**content).expect("a content is JSON");
    value.as_object_mut()?.remove("name");
    Some(value)
}

/// Whether a version is there, ready, and free of what fails when it is enforced.
pub fn is_sound(model: &Model, arn: &str, version: &str) -> bool {
    let edition =
        GuardrailName::from_arn(arn).and_then(|name| model.guardrail(&name)?.edition(Some(version)).cloned());
    edition.is_some_and(|edition| {
        edition.status(model.clock.now()) == Status::Ready
            && edition.content.automated_reasoning_policy.is_none()
    })
}

/// Whether the keeper's role in the account could apply the guardrail at this moment, with the
/// policies that have effect, and nothing about the version speaks against enforcing it.
pub fn can_apply(model: &mut Model, setting: &Setting, place: &Place, arn: &str, version: &str) -> bool {
    is_sound(model, arn, version) && is_admitted(model, setting, place, arn, version)
}

/// Whether the keeper's role in the account could apply the guardrail at this moment.
pub fn is_admitted(model: &mut Model, setting: &Setting, place: &Place, arn: &str, version: &str) -> bool {
    let Place { account, region } = place;
    let who = if *account == setting.hub() {
        administrator(account)
    } else {
        format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}")
    };
    applies(model, &who, region, arn, version)
}

fn applies(model: &mut Model, who: &str, region: &str, arn: &str, version: &str) -> bool {
    let Ok(caller) = model.caller(who, region) else { return false };
    model.apply_guardrail(&caller, arn, version, "Hello.", Direction::Input).is_ok()
}

/// Whether the account's own administrator could apply it, once every change has had its effect.
pub fn is_usable(model: &mut Model, place: &Place, arn: &str, version: &str) -> bool {
    let Place { account, region } = place;
    if !is_sound(model, arn, version) {
        return false;
    }
    settled(model, |model| applies(model, &administrator(account), region, arn, version))
}

/// What comes of a prompt that the guardrail blocks, once every change has had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    Stopped,
    LetThrough,
    /// Every guarded call of the account fails.
    Fails,
}

pub fn blocked_prompt(model: &mut Model, place: &Place) -> Prompt {
    let Place { account, region } = place;
    let reply =
        settled(model, |model| model.converse(&administrator(account), account, region, MODEL, BLOCKED));
    match reply {
        Ok(reply) if reply.intervened => Prompt::Stopped,
        Ok(_) => Prompt::LetThrough,
        Err(_) => Prompt::Fails,
    }
}

/// Looks at the model as it will be when nothing is on its way any more.
fn settled<T>(model: &mut Model, look: impl FnOnce(&mut Model) -> T) -> T {
    let delay = std::mem::take(&mut model.settings.propagation_seconds);
    let seen = look(model);
    model.settings.propagation_seconds = delay;
    seen
}

/// Everything that the keeper could write, as it is at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub enforced: BTreeMap<Place, EnforcedConfiguration>,
    pub guardrails: BTreeMap<String, SeenGuardrail>,
    pub policies: BTreeMap<String, Value>,
    /// Which accounts each of the owner's guardrails is granted to, once the policies have effect.
    pub admitted: BTreeMap<String, Vec<String>>,
    /// Accounts of which Organizations tells no state that anybody knows.
    pub unknown_states: BTreeSet<String>,
}

/// A guardrail, as far as it can be written.
#[derive(Clone, Debug)]
pub struct SeenGuardrail {
    pub draft: Arc<Content>,
    pub versions: BTreeMap<u32, Arc<Content>>,
    pub tagged: bool,
    pub described: bool,
    /// Whether all of its versions say so: nobody else published one.
    pub wholly_described: bool,
}

impl SeenGuardrail {
    /// Whether it says of itself that it is a copy of the keeper's.
    pub fn is_marked(&self) -> bool {
        self.tagged || self.described
    }

    /// Whether it is one, and nobody else's as well.
    pub fn is_copy(&self) -> bool {
        self.is_marked() && self.wholly_described
    }
}

impl PartialEq for SeenGuardrail {
    fn eq(&self, other: &SeenGuardrail) -> bool {
        let same = |(one, other): (&Arc<Content>, &Arc<Content>)| Arc::ptr_eq(one, other);
        same((&self.draft, &other.draft))
            && self.versions.keys().eq(other.versions.keys())
            && self.versions.values().zip(other.versions.values()).all(same)
            && self.tagged == other.tagged
    }
}

const MARK: &str = "Guardrail Keeper copy of ";
pub const TAG: &str = "guardrail-keeper:source";

impl Snapshot {
    pub fn of(model: &mut Model, setting: &Setting) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let accounts = setting.accounts();
        for account in &accounts {
            if model.account(account).is_some_and(|it| it.told_state.is_some()) {
                snapshot.unknown_states.insert(account.clone());
            }
            for region in setting.regions() {
                let Some(state) = model.region(account, region) else { continue };
                if let Some(enforced) = state.enforcement.latest() {
                    let place = Place { account: account.clone(), region: (*region).to_owned() };
                    snapshot.enforced.insert(place, enforced.clone());
                }
                for (arn, policy) in &state.resource_policies {
                    if let Some(text) = policy.latest() {
                        let policy = serde_json::from_str(text).expect("every policy here is JSON");
                        snapshot.policies.insert(arn.clone(), policy);
                    }
                }
                for guardrail in state.guardrails.values() {
                    let marked =
                        |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(MARK));
                    let editions = guardrail.versions.iter();
                    let seen = SeenGuardrail {
                        draft: Arc::clone(&guardrail.draft.content),
                        versions: editions.map(|(number, it)| (*number, Arc::clone(&it.content))).collect(),
                        tagged: guardrail.tags.contains_key(TAG),
                        described: marked(&guardrail.draft.description)
                            || guardrail.versions.values().any(|edition| marked(&edition.description)),
                        wholly_described: guardrail
                            .versions
                            .values()
                            .all(|edition| marked(&edition.description)),
                    };
                    snapshot.guardrails.insert(guardrail.arn.clone(), seen);
                }
            }
        }
        settled(model, |model| {
            for arn in snapshot.policies.keys() {
                let admits = |account: &&String| {
                    let action = "bedrock:ApplyGuardrail";
                    model.resource_policy_admits(arn, account, action) != simulator::Admission::None
                };
                let admitted = accounts.iter().filter(admits).cloned().collect();
                snapshot.admitted.insert(arn.clone(), admitted);
            }
        });
        snapshot
    }
}

/// The statements of a policy, one or many.
pub fn statements(policy: &Value) -> Vec<Value> {
    match &policy["Statement"] {
        Value::Array(many) => many.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// Whether a statement says what the keeper's says: its organization, this guardrail, and nothing else.
pub fn is_keepers(statement: &Value, arn: &str) -> bool {
    let strings = |value: &Value| -> Vec<String> {
        match value {
            Value::Array(many) => many.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            one => one.as_str().map(str::to_owned).into_iter().collect(),
        }
    };
    let known = |action: &String| {
        ["bedrock:applyguardrail", "bedrock:getguardrail"].contains(&action.to_lowercase().as_str())
    };
    let actions = strings(&statement["Action"]);
    let everybody = statement["Principal"] == "*" || strings(&statement["Principal"]["AWS"]) == ["*"];
    let keys: Vec<&String> = statement.as_object().map(|it| it.keys().collect()).unwrap_or_default();
    keys.iter().all(|key| ["Effect", "Principal", "Action", "Resource", "Condition"].contains(&key.as_str()))
        && statement["Effect"] == "Allow"
        && everybody
        && !actions.is_empty()
        && actions.iter().all(known)
        && strings(&statement["Resource"]) == [arn]
        && statement["Condition"].as_object().is_some_and(|operators| operators.len() == 1)
        && statement["Condition"]["StringEquals"].as_object().is_some_and(|tests| tests.len() == 1)
        && strings(&statement["Condition"]["StringEquals"]["aws:PrincipalOrgID"]) == [ORGANIZATION]
}
