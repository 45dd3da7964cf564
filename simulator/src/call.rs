//! The log of the calls that were seen.

use serde::Serialize;

/// One call that a client made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Its number, from 1 without gaps.
    pub sequence: u64,
    /// e.g. `bedrock`, `bedrock-runtime`, `organizations`, `sts`, `ssm`, `account`.
    pub service: String,
    /// e.g. `PutEnforcedGuardrailConfiguration`; for what isn't modelled, the method and the path.
    pub operation: String,
    /// The account of the caller; empty where the caller is nobody.
    pub account: String,
    /// The Region of the credential scope.
    pub region: String,
    /// The ARN of the caller; empty where the caller is nobody.
    pub caller: String,
    /// The account or resource that the call is about, as far as its input names one.
    pub target: Option<String>,
    /// Whether the operation changes anything when it succeeds.
    pub write: bool,
    /// The HTTP status that was answered; 0 where nothing was.
    pub status: u16,
    /// The error code that was answered, or the fault that struck.
    pub error: Option<String>,
    /// The fault that struck the call, by its name, e.g. `stale-read`: an answer may look like any other and be old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}
