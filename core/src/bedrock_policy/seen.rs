//! What was read of one account's Bedrock policies: what AWS publishes, and what is attached on its path.
//!
//! Reading is the terminal's business. What could not be read stays in it, as that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document::BedrockPolicy;
use super::effective::EffectivePolicy;
use super::ids::{AttachPoint, PolicyAt, PolicyId, PolicyKey};
use super::leaf::{LeafPath, LeafValue};
use super::predict::{AttachedPolicies, Forecast, forecast};
use super::problem::InvalidBedrockPolicy;
use crate::failure::{Category, Failure};
use crate::ids::AccountId;
use crate::organization::OrgPath;

/// What `DescribeEffectivePolicy` answers about an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishedPolicy {
    /// Bedrock policies are not enabled in the organization.
    NotSetUp,
    /// The account has this; nothing, where no policy reaches it.
    Effective(EffectivePolicy),
    /// The text has a form that this program doesn't know.
    Strange(InvalidBedrockPolicy),
}

impl PublishedPolicy {
    /// Reads AWS's answer; `None` is that the type is not enabled.
    pub fn read(content: Option<&str>) -> PublishedPolicy {
        match content.map(EffectivePolicy::parse) {
            None => PublishedPolicy::NotSetUp,
            Some(Ok(policy)) => PublishedPolicy::Effective(policy),
            Some(Err(invalid)) => PublishedPolicy::Strange(invalid),
        }
    }
}

/// One reason that AWS gives for an invalid effective policy (`ListEffectivePolicyValidationErrors`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedError {
    /// For example `ELEMENTS_TOO_MANY`.
    pub code: String,
    /// In AWS's words.
    pub message: String,
    /// Where, as AWS writes it.
    pub path: String,
    /// The ids of the policies that contribute to it.
    pub policies: Vec<String>,
}

/// A Bedrock policy by its id and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPolicy {
    /// Its id.
    pub id: PolicyId,
    /// What people call it.
    pub name: String,
}

/// Everything that was read of one account's Bedrock policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAccountPolicies {
    /// The account.
    pub account: AccountId,
    /// Where it stands.
    pub path: OrgPath,
    /// What AWS publishes to it.
    pub published: Result<PublishedPolicy, Failure>,
    /// Why its present merge is invalid, where it is.
    pub errors: Result<Vec<ReportedError>, Failure>,
    /// What is attached to the root, to each OU on its path and to itself, in AWS's order.
    pub attached: BTreeMap<AttachPoint, Result<Vec<NamedPolicy>, Failure>>,
    /// What each attached policy says.
    pub contents: BTreeMap<PolicyId, Result<String, Failure>>,
}

/// Something that is needed and could not be read, or not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadPart {
    /// What it is.
    pub what: String,
    /// The permission that is missing, where one is.
    pub permission: Option<String>,
    /// Why.
    pub why: String,
    /// What to do.
    pub todo: String,
}

impl UnreadPart {
    fn failed(what: String, failure: &Failure) -> UnreadPart {
        let Failure { category, operation, explicit_deny, .. } = failure;
        let permission = format!("organizations:{operation}");
        let (permission, todo) = match category {
            Category::Denied if *explicit_deny => {
                let todo =
                    format!("a policy denies {permission} to these credentials: change it, or use others");
                (Some(permission), todo)
            }
            Category::Denied => {
                let todo = format!(
                    "give {permission} to these credentials; where they are not the management account's, the \
                     organization's resource policy has to allow it too (docs/deploy.md, Who deploys to members)"
                );
                (Some(permission), todo)
            }
            Category::Transient | Category::NotReady => (None, "run it again".to_owned()),
            Category::Rejected | Category::Gone => (None, "read AWS's message".to_owned()),
        };
        UnreadPart { what, permission, why: failure.said(), todo }
    }

    fn strange(what: String, invalid: &InvalidBedrockPolicy) -> UnreadPart {
        let todo = "look for a newer version of guardrailctl: AWS took this text, and this version doesn't know its form";
        let why = invalid.to_string().replace('\n', "; ");
        UnreadPart { what, permission: None, why, todo: todo.to_owned() }
    }
}

impl SeenAccountPolicies {
    /// The points of its path: the root first, the account itself last.
    pub fn points(&self) -> impl Iterator<Item = AttachPoint> + use<> {
        AttachPoint::chain(&self.account, &self.path)
    }

    /// Whether every list was read, and no policy is attached.
    pub fn has_no_policy(&self) -> bool {
        self.attached.values().all(|listed| listed.as_ref().is_ok_and(Vec::is_empty))
    }

    /// The name of a policy that is attached on the path.
    pub fn name(&self, id: &str) -> Option<&str> {
        let listed = self.attached.values().flatten().flatten();
        listed.into_iter().find(|policy| policy.id.as_str() == id).map(|policy| policy.name.as_str())
    }

    /// The effective policy, where there is one that could be read.
    pub(super) fn effective(&self) -> Option<&EffectivePolicy> {
        match &self.published {
            Ok(PublishedPolicy::Effective(policy)) => Some(policy),
            Ok(PublishedPolicy::NotSetUp | PublishedPolicy::Strange(_)) | Err(_) => None,
        }
    }

    /// What the attached policies come to; `None` where a list of them could not be read.
    pub(super) fn forecast(&self) -> Option<Arc<Forecast>> {
        let mut policies = AttachedPolicies::default();
        for (point, listed) in &self.attached {
            let keys = listed.as_ref().ok()?.iter().map(|policy| PolicyKey::Id(policy.id.clone()));
            policies.attached.insert(point.clone(), keys.collect());
        }
        // A policy whose text could not be read is left out, which makes the prediction unreadable.
        let read = self.contents.iter().filter_map(|(id, text)| Some((id, text.as_ref().ok()?)));
        policies.contents =
            read.map(|(id, text)| (PolicyKey::Id(id.clone()), BedrockPolicy::parse(text))).collect();
        let accounts = [(self.account.clone(), self.path.clone())].into();
        forecast(&policies, &accounts).remove(&self.account)
    }

    /// The policies of a point that assign this value there.
    pub(super) fn assigning(
        &self,
        point: &AttachPoint,
        path: &LeafPath,
        value: &LeafValue,
    ) -> BTreeSet<PolicyAt> {
        let listed = self.attached.get(point).and_then(|listed| listed.as_ref().ok());
        let keys = listed.into_iter().flatten().map(|policy| PolicyKey::Id(policy.id.clone()));
        let assigning = keys.filter(|key| self.assigned_by(key, path).as_ref() == Some(value));
        assigning.map(|policy| PolicyAt { policy, point: point.clone() }).collect()
    }

    /// What a policy assigns, whatever the letter case of keys.
    pub(super) fn assigned_by(&self, policy: &PolicyKey, path: &LeafPath) -> Option<LeafValue> {
        let PolicyKey::Id(id) = policy else { return None };
        let policy = BedrockPolicy::parse(self.contents.get(id)?.as_ref().ok()?).ok()?;
        let key = path.in_lower_case();
        policy.leaves.into_iter().find(|(path, _)| path.in_lower_case() == key)?.1.assign
    }

    /// Everything that could not be read, or not be understood, each with what to do.
    pub fn unread(&self) -> Vec<UnreadPart> {
        let account = &self.account;
        let mut unread = Vec::new();
        match &self.published {
            Ok(PublishedPolicy::Effective(_) | PublishedPolicy::NotSetUp) => {}
            Ok(PublishedPolicy::Strange(invalid)) => {
                unread.push(UnreadPart::strange(format!("the effective policy of {account}"), invalid));
            }
            Err(failure) => {
                unread.push(UnreadPart::failed(format!("the effective policy of {account}"), failure));
            }
        }
        if let Err(failure) = &self.errors {
            unread.push(UnreadPart::failed(format!("whether {account} is frozen"), failure));
        }
        for point in self.points() {
            if let Some(Err(failure)) = self.attached.get(&point) {
                unread.push(UnreadPart::failed(format!("what is attached to {point}"), failure));
            }
        }
        for (id, text) in &self.contents {
            let what = || match self.name(id.as_str()) {
                Some(name) => format!("the content of {id} ({name:?})"),
                None => format!("the content of {id}"),
            };
            match text.as_ref().map(|text| BedrockPolicy::parse(text)) {
                Err(failure) => unread.push(UnreadPart::failed(what(), failure)),
                Ok(Err(invalid)) => unread.push(UnreadPart::strange(what(), &invalid)),
                Ok(Ok(_)) => {}
            }
        }
        unread
    }
}
