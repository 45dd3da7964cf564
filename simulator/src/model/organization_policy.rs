//! Policies of the organization: what they are, and to what they are attached.
//!
//! Service control policies are shown as the world has them. Policies of type BEDROCK_POLICY can be written, and are
//! merged into one document for each account (`merge`), which is published after a while (`effective`) and which
//! Bedrock then enforces (`enforced`). `organization-policies §…` names a section of the facts about them.

mod document;
pub(crate) mod effective;
pub(crate) mod enforced;
mod grammar;
mod merge;
mod read;
mod types;
pub(crate) mod validity;
pub(crate) mod write;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) use types::require_writable;

use super::Model;
use super::error::ApiError;
use super::organization::{Organization, Tags};

/// The root, a unit or an account may have this many policies of the type (organization-policies §1.3).
const MAX_ATTACHED: usize = 10;
/// Policies of the type in an organization (organization-policies §1.3).
const MAX_POLICIES: usize = 1_000;
/// Characters of a document, white space counted (organization-policies §1.3).
const MAX_CHARACTERS: usize = 10_000;

/// A type of policy that is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PolicyKind {
    /// Says what may be done. It is shown; what it denies is [`ServiceControl`](super::organization::ServiceControl)'s.
    ServiceControlPolicy,
    /// Says which guardrails are enforced.
    BedrockPolicy,
}

/// A policy of the organization.
#[derive(Clone, Debug, Serialize)]
pub struct OrganizationPolicy {
    /// e.g. `p-examplepolicyid111`.
    pub id: String,
    /// What people call it; no other policy has the same name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its type, which never changes.
    pub kind: PolicyKind,
    /// Its text, as it was sent.
    pub content: String,
    /// Whether AWS made it, such as `FullAWSAccess`.
    pub of_aws: bool,
    /// Where it is attached.
    pub attachments: Vec<PolicyAttachment>,
    /// Its tags.
    pub tags: Tags,
}

/// That a policy is attached to something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyAttachment {
    /// The root, a unit or an account.
    pub target: String,
    /// Earlier attachments have smaller numbers. No call of AWS tells them (organization-policies §1.4).
    pub order: u64,
}

/// Whether a type of policy is switched on in the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PolicyTypeStatus {
    /// Policies of the type can be made, and have no effect.
    #[default]
    Off,
    /// It will be on.
    PendingEnable,
    /// Policies of the type can be attached.
    Enabled,
    /// It will be off; nothing is attached any more.
    PendingDisable,
}

/// A policy of type BEDROCK_POLICY in a world's file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BedrockPolicyEntry {
    /// e.g. `p-examplepolicyid111`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The document, legal or not.
    pub content: Value,
    /// The root, units or accounts it is attached to, after those of the entries before it.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

impl PolicyKind {
    /// As Organizations writes it.
    pub fn name(self) -> &'static str {
        match self {
            PolicyKind::ServiceControlPolicy => "SERVICE_CONTROL_POLICY",
            PolicyKind::BedrockPolicy => "BEDROCK_POLICY",
        }
    }

    /// As an ARN has it; for Bedrock's inferred from other types (organization-policies §1.5).
    fn segment(self) -> &'static str {
        match self {
            PolicyKind::ServiceControlPolicy => "service_control_policy",
            PolicyKind::BedrockPolicy => "bedrock_policy",
        }
    }

    /// The type of this name, if it is modelled.
    pub fn from_name(name: &str) -> Option<PolicyKind> {
        [PolicyKind::ServiceControlPolicy, PolicyKind::BedrockPolicy]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

impl PolicyTypeStatus {
    /// As `PolicyTypes` shows it; a type that is off isn't there.
    pub fn name(self) -> Option<&'static str> {
        match self {
            PolicyTypeStatus::Off => None,
            PolicyTypeStatus::PendingEnable => Some("PENDING_ENABLE"),
            PolicyTypeStatus::Enabled => Some("ENABLED"),
            PolicyTypeStatus::PendingDisable => Some("PENDING_DISABLE"),
        }
    }
}

impl OrganizationPolicy {
    /// Whether it is attached to `target` itself.
    pub fn is_attached_to(&self, target: &str) -> bool {
        self.attachments.iter().any(|one| one.target == target)
    }

    /// Attaches it to these and to nothing else, as if each were the first that was attached there. Nothing is checked
    /// and no event is made.
    pub fn set_targets<T: AsRef<str>>(&mut self, targets: &[T]) {
        let attached = |target: &T| PolicyAttachment { target: target.as_ref().to_owned(), order: 0 };
        self.attachments = targets.iter().map(attached).collect();
    }
}

impl Organization {
    /// A policy by its id.
    pub fn policy(&self, id: &str) -> Option<&OrganizationPolicy> {
        self.policies.iter().find(|policy| policy.id == id)
    }

    /// The policies of a type that are attached to `target` itself, in the order in which they were attached.
    pub fn policies_on(&self, target: &str, kind: PolicyKind) -> Vec<(u64, &OrganizationPolicy)> {
        let attached = |policy: &&OrganizationPolicy| policy.kind == kind;
        let mut found: Vec<(u64, &OrganizationPolicy)> = self
            .policies
            .iter()
            .filter(attached)
            .filter_map(|policy| {
                let attachment = policy.attachments.iter().find(|one| one.target == target)?;
                Some((attachment.order, policy))
            })
            .collect();
        found.sort_by_key(|(order, _)| *order);
        found
    }

    /// The ARN of a policy.
    pub fn policy_arn(&self, policy: &OrganizationPolicy) -> String {
        let kind = policy.kind.segment();
        if policy.of_aws {
            return format!("arn:aws:organizations::aws:policy/{kind}/{}", policy.id);
        }
        let OrganizationPolicy { id, .. } = policy;
        format!("arn:aws:organizations::{}:policy/{}/{kind}/{id}", self.management_account, self.id)
    }

    /// The ARN of the root, a unit or an account.
    pub(crate) fn target_arn(&self, target: &str) -> String {
        let kind = match target.split_once('-') {
            Some(("r", _)) => "root",
            Some(("ou", _)) => "ou",
            _ => "account",
        };
        self.arn(kind, target)
    }

    /// The root as Organizations shows it, with the status of each type that is on or about to change.
    pub(crate) fn shown_root(&self) -> Value {
        let type_of = |kind: PolicyKind, status: &str| json!({ "Type": kind.name(), "Status": status });
        let mut types = vec![type_of(PolicyKind::ServiceControlPolicy, "ENABLED")];
        types.extend(self.bedrock_policies.name().map(|status| type_of(PolicyKind::BedrockPolicy, status)));
        json!({ "Id": self.root, "Arn": self.arn("root", &self.root), "Name": "Root", "PolicyTypes": types })
    }
}

impl Model {
    /// The root, a unit or an account of the organization.
    ///
    /// # Errors
    /// `TargetNotFoundException`.
    pub(crate) fn require_target(&self, id: &str) -> Result<(), ApiError> {
        if self.organization.is_parent(id) || self.member(id).is_some() {
            return Ok(());
        }
        Err(ApiError::new("TargetNotFoundException", "You specified a target that doesn't exist."))
    }

    /// A policy.
    ///
    /// # Errors
    /// `PolicyNotFoundException`.
    pub(crate) fn require_policy(&self, id: &str) -> Result<&OrganizationPolicy, ApiError> {
        self.organization.policy(id).ok_or_else(|| {
            ApiError::new("PolicyNotFoundException", "You specified a policy that doesn't exist.")
        })
    }

    /// Puts a policy of type BEDROCK_POLICY there, in the place of one with the same id, and lets it be published.
    /// Nothing is checked and no event tells of it.
    pub fn put_bedrock_policy(&mut self, entry: &BedrockPolicyEntry) {
        let before = self.organization.policies.iter().position(|policy| policy.id == entry.id);
        let mut touched: Vec<String> = entry.targets.clone();
        if let Some(index) = before {
            let removed = self.organization.policies.remove(index);
            touched.extend(removed.attachments.into_iter().map(|one| one.target));
        }
        let mut policy = OrganizationPolicy {
            id: entry.id.clone(),
            name: entry.name.clone(),
            description: entry.description.clone(),
            kind: PolicyKind::BedrockPolicy,
            content: entry.content.to_string(),
            of_aws: false,
            attachments: Vec::new(),
            tags: entry.tags.clone(),
        };
        for target in &entry.targets {
            policy
                .attachments
                .push(PolicyAttachment { target: target.clone(), order: self.next_attachment() });
        }
        self.organization.policies.push(policy);
        for target in touched {
            self.policies_changed(&target);
        }
    }

    fn next_attachment(&mut self) -> u64 {
        self.organization.attached += 1;
        self.organization.attached
    }
}
