//! What AWS answered: something, or a refusal with its code. The codes that experiments tell apart are AWS's own.

use std::error::Error;
use std::fmt;

use aws_sdk_bedrock::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::Value;

/// What came of one call.
pub type Answered<T> = Result<T, AwsRefusal>;

/// Why a call gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsRefusal {
    /// The operation, as AWS calls it.
    pub operation: &'static str,
    /// AWS's code, or [`NO_ANSWER`].
    pub code: String,
    /// The reason that Organizations gives besides, e.g. `SERVICE_ACCESS_NOT_ENABLED`.
    pub reason: Option<String>,
    /// What AWS says.
    pub message: String,
}

/// The code of a call that AWS didn't answer.
pub const NO_ANSWER: &str = "no answer";

/// The same call may work later.
const TRANSIENT: &[&str] = &[
    NO_ANSWER,
    "ConcurrentModificationException",
    "InternalServerException",
    "PolicyChangesInProgressException",
    "ServiceException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "TooManyRequestsException",
];

impl AwsRefusal {
    /// What an error of the SDK means.
    pub fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> AwsRefusal
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let SdkError::ServiceError(service) = error else {
            return AwsRefusal {
                operation,
                code: NO_ANSWER.to_owned(),
                reason: None,
                message: causes(error),
            };
        };
        let status = service.raw().status();
        let code = service.err().code().map_or_else(|| format!("HTTP {status}"), str::to_owned);
        let message = service.err().message().unwrap_or("no message").to_owned();
        let body: Option<Value> =
            service.raw().body().bytes().and_then(|body| serde_json::from_slice(body).ok());
        let reason = body.as_ref().and_then(|body| body["Reason"].as_str()).map(str::to_owned);
        AwsRefusal { operation, code, reason, message }
    }

    /// Whether the same call may work later.
    pub fn is_transient(&self) -> bool {
        TRANSIENT.contains(&self.code.as_str()) || self.code.starts_with("HTTP 5")
    }

    /// Whether calls came too fast.
    pub fn is_throttled(&self) -> bool {
        ["ThrottlingException", "TooManyRequestsException"].contains(&self.code.as_str())
    }

    /// Whether there is no such thing.
    pub fn is_missing(&self) -> bool {
        self.code == "ResourceNotFoundException"
    }

    /// Whether the caller may not.
    pub fn is_denied(&self) -> bool {
        ["AccessDenied", "AccessDeniedException"].contains(&self.code.as_str())
    }

    /// Whether AWS finds the request wrong as such.
    pub fn is_invalid(&self) -> bool {
        self.code == "ValidationException"
    }

    /// Whether AWS says that something is in use.
    pub fn is_in_use(&self) -> bool {
        ["ConflictException", "ResourceInUseException"].contains(&self.code.as_str())
    }

    /// Whether Organizations wants trusted access first.
    pub fn wants_trusted_access(&self) -> bool {
        self.reason.as_deref() == Some("SERVICE_ACCESS_NOT_ENABLED")
    }
}

impl fmt::Display for AwsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AwsRefusal { operation, code, reason, message } = self;
        let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        write!(f, "{operation} was refused with {code}{reason}: {message}")
    }
}

/// An error with its causes, in one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
