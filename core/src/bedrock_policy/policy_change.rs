//! One change of one Bedrock policy, and what is attached once it is made.

use super::document::BedrockPolicy;
use super::ids::{AttachPoint, PolicyId, PolicyKey};
use super::order::MAX_ATTACHED;
use super::predict::AttachedPolicies;

/// One change of one Bedrock policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChange {
    /// A new policy is created and attached.
    Attach {
        /// What it says.
        content: BedrockPolicy,
        /// Where.
        point: AttachPoint,
    },
    /// A policy says something else, wherever it is attached.
    Update {
        /// Which.
        policy: PolicyId,
        /// What it says from then on.
        content: BedrockPolicy,
    },
    /// A policy that is there is attached somewhere, besides.
    AttachToo {
        /// Which.
        policy: PolicyId,
        /// Where.
        point: AttachPoint,
    },
    /// A policy is detached.
    Detach {
        /// Which.
        policy: PolicyId,
        /// From where.
        point: AttachPoint,
    },
}

/// Why a change can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImpossibleChange {
    /// There is no such policy.
    #[error("there is no Bedrock policy {0}: give the id of one that is there")]
    NoSuchPolicy(PolicyId),
    /// It is attached there already.
    #[error("{0} is attached to {1} already")]
    AttachedAlready(PolicyId, AttachPoint),
    /// It isn't attached there.
    #[error("{0} isn't attached to {1}")]
    NotAttached(PolicyId, AttachPoint),
    /// A point has as many policies as AWS allows.
    #[error("{0} has {MAX_ATTACHED} Bedrock policies, and AWS allows no more: detach one first")]
    TooManyAttached(AttachPoint),
}

impl PolicyChange {
    /// The root, OU or account that it names.
    pub fn point(&self) -> Option<&AttachPoint> {
        match self {
            PolicyChange::Attach { point, .. }
            | PolicyChange::AttachToo { point, .. }
            | PolicyChange::Detach { point, .. } => Some(point),
            PolicyChange::Update { .. } => None,
        }
    }

    /// What it attaches, and where: that comes last of its point.
    pub(super) fn attaches(&self) -> Option<(PolicyKey, &AttachPoint)> {
        match self {
            PolicyChange::Attach { point, content: _ } => Some((PolicyKey::Proposed, point)),
            PolicyChange::AttachToo { policy, point } => Some((PolicyKey::Id(policy.clone()), point)),
            PolicyChange::Update { .. } | PolicyChange::Detach { .. } => None,
        }
    }

    /// What is attached once it is made.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn applied(&self, present: &AttachedPolicies) -> Result<AttachedPolicies, ImpossibleChange> {
        let mut after = present.clone();
        match self {
            PolicyChange::Attach { content, point } => {
                after.contents.insert(PolicyKey::Proposed, Ok(content.clone()));
                attach(&mut after, PolicyKey::Proposed, point)?;
            }
            PolicyChange::Update { policy, content } => {
                let known = after.contents.get_mut(&PolicyKey::Id(policy.clone()));
                *known.ok_or_else(|| ImpossibleChange::NoSuchPolicy(policy.clone()))? = Ok(content.clone());
            }
            PolicyChange::AttachToo { policy, point } => {
                let key = PolicyKey::Id(policy.clone());
                if !after.contents.contains_key(&key) {
                    return Err(ImpossibleChange::NoSuchPolicy(policy.clone()));
                }
                if after.attached.get(point).is_some_and(|them| them.contains(&key)) {
                    return Err(ImpossibleChange::AttachedAlready(policy.clone(), point.clone()));
                }
                attach(&mut after, key, point)?;
            }
            PolicyChange::Detach { policy, point } => {
                let key = PolicyKey::Id(policy.clone());
                if !after.contents.contains_key(&key) {
                    return Err(ImpossibleChange::NoSuchPolicy(policy.clone()));
                }
                let attached = after.attached.get_mut(point).filter(|them| them.contains(&key));
                attached
                    .ok_or_else(|| ImpossibleChange::NotAttached(policy.clone(), point.clone()))?
                    .retain(|other| *other != key);
            }
        }
        Ok(after)
    }
}

fn attach(
    policies: &mut AttachedPolicies,
    key: PolicyKey,
    point: &AttachPoint,
) -> Result<(), ImpossibleChange> {
    let attached = policies.attached.entry(point.clone()).or_default();
    if attached.len() >= MAX_ATTACHED {
        return Err(ImpossibleChange::TooManyAttached(point.clone()));
    }
    attached.push(key);
    Ok(())
}
