//! One write of a Bedrock policy, and what it makes of what is attached.

use std::fmt;

use super::build::OwnDocument;
use super::ids::{AttachPoint, PolicyKey, PolicyPart};
use super::predict::AttachedPolicies;

/// One step on the way from what is attached to what is wanted. Every policy that a step names is the keeper's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyStep {
    /// Create a policy. Attached to nothing, it affects nobody.
    Create {
        /// Which of ours: its name.
        part: PolicyPart,
        /// Its content.
        content: OwnDocument,
    },
    /// Change the content of a policy in place: its rank among those on one point stays.
    Update {
        /// Which.
        policy: PolicyKey,
        /// Its content from now on.
        content: OwnDocument,
    },
    /// Attach a policy to the one point that it is for.
    Attach {
        /// Which.
        policy: PolicyKey,
        /// Where.
        point: AttachPoint,
    },
    /// Write nothing, and go on only once the effective policies below this point are published as they are predicted.
    Check {
        /// Below which point; an account is below itself.
        point: AttachPoint,
    },
    /// Detach a policy.
    Detach {
        /// Which.
        policy: PolicyKey,
        /// From where.
        point: AttachPoint,
    },
    /// Delete a policy that is attached to nothing any more.
    Delete {
        /// Which.
        policy: PolicyKey,
    },
}

impl PolicyStep {
    /// The point whose accounts it may affect, where it names one. An update affects every point of its policy.
    pub(super) fn affects(&self, state: &AttachedPolicies, point: &AttachPoint) -> bool {
        match self {
            PolicyStep::Create { .. } | PolicyStep::Check { .. } | PolicyStep::Delete { .. } => false,
            PolicyStep::Update { policy, .. } => {
                state.attached.get(point).is_some_and(|them| them.contains(policy))
            }
            PolicyStep::Attach { point: at, .. } | PolicyStep::Detach { point: at, .. } => at == point,
        }
    }

    /// What is attached after it.
    pub fn apply(&self, state: &mut AttachedPolicies) {
        match self {
            PolicyStep::Create { part, content } => {
                state.contents.insert(PolicyKey::New(part.clone()), Ok(content.policy()));
            }
            PolicyStep::Update { policy, content } => {
                state.contents.insert(policy.clone(), Ok(content.policy()));
            }
            PolicyStep::Attach { policy, point } => {
                let attached = state.attached.entry(point.clone()).or_default();
                if !attached.contains(policy) {
                    attached.push(policy.clone());
                }
            }
            PolicyStep::Check { .. } => {}
            PolicyStep::Detach { policy, point } => {
                if let Some(attached) = state.attached.get_mut(point) {
                    attached.retain(|other| other != policy);
                }
            }
            PolicyStep::Delete { policy } => {
                state.contents.remove(policy);
            }
        }
    }
}

impl fmt::Display for PolicyStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write_regions = |f: &mut fmt::Formatter<'_>, content: &OwnDocument| {
            content
                .regions
                .iter()
                .try_for_each(|(region, enforcement)| write!(f, ", {region}: {enforcement}"))
        };
        match self {
            PolicyStep::Create { part, content } => {
                write!(f, "create {part}")?;
                write_regions(f, content)
            }
            PolicyStep::Update { policy, content } => {
                write!(f, "update {policy}")?;
                write_regions(f, content)
            }
            PolicyStep::Attach { policy, point } => write!(f, "attach {policy} to {point}"),
            PolicyStep::Check { point } => {
                write!(f, "check that every account below {point} has what is predicted")
            }
            PolicyStep::Detach { policy, point } => write!(f, "detach {policy} from {point}"),
            PolicyStep::Delete { policy } => write!(f, "delete {policy}"),
        }
    }
}
