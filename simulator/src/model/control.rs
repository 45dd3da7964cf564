//! Service control policies in a world's file, as Organizations shows them.

use serde::{Deserialize, Serialize};

use super::organization::Tags;
use super::organization_policy::{OrganizationPolicy, PolicyKind};

/// A service control policy as it is shown. What it denies is `ServiceControl`'s.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPolicy {
    /// e.g. `p-examplepolicyid111`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its text.
    pub content: String,
    /// The root, units or accounts it is attached to.
    pub targets: Vec<String>,
    /// Whether AWS made it, such as `FullAWSAccess`.
    #[serde(default)]
    pub of_aws: bool,
}

impl ControlPolicy {
    /// The policy that it describes.
    pub(crate) fn policy(&self) -> OrganizationPolicy {
        let mut policy = OrganizationPolicy {
            id: self.id.clone(),
            name: self.name.clone(),
            description: String::new(),
            kind: PolicyKind::ServiceControlPolicy,
            content: self.content.clone(),
            of_aws: self.of_aws,
            attachments: Vec::new(),
            tags: Tags::new(),
        };
        policy.set_targets(&self.targets);
        policy
    }
}
