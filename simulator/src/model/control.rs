//! Service control policies as Organizations shows them.

use serde::{Deserialize, Serialize};

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
