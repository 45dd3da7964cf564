//! AWS's errors, put into our categories. The only file that knows AWS's error codes.
//!
//! Told by code, never by HTTP status: Bedrock answers a conflict and a validation error with the
//! same 400 (Bedrock service model).

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::failure::{Category, Failure};

/// The same call may work later.
const TRANSIENT: &[&str] = &[
    "ConflictException",
    "ConcurrentModificationException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IDPCommunicationError",
    "InternalError",
    "InternalException",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "KMS.ThrottlingException",
    "KmsThrottled",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestExpired",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TooManyUpdates",
];

/// The account or the Region in it is still being set up.
const NOT_READY: &[&str] = &[
    // A Region that isn't enabled in the account doesn't know its tokens.
    "InvalidClientTokenId",
    "OptInRequired",
    "SubscriptionRequiredException",
    "UnrecognizedClientException",
];

/// The caller may not.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "KMS.AccessDeniedException",
    "KmsAccessDenied",
    "NotAuthorized",
    "NotAuthorizedForDetailTypeException",
    "NotAuthorizedForSourceException",
    "UnauthorizedOperation",
];

/// The account isn't there to be worked on.
const GONE: &[&str] = &["AccountNotFoundException", "AWSOrganizationsNotInUseException"];

/// There is no such thing.
const MISSING: &[&str] = &["ParameterNotFound", "ResourceNotFoundException"];

/// Somebody else was writing at the same time, or a configuration was there already.
const CONFLICT: &[&str] = &["ConflictException"];

/// What an error of one operation means.
pub(crate) fn failure<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let (category, message) = match error {
        SdkError::TimeoutError(_) => (Category::Transient, "timed out".to_owned()),
        SdkError::DispatchFailure(dispatch) => {
            let detail = chain(error);
            if detail.contains("dns error") {
                let message = "no such endpoint: the service may not be offered in this Region".to_owned();
                (Category::Rejected, message)
            } else if dispatch.is_timeout() {
                (Category::Transient, "timed out".to_owned())
            } else if dispatch.is_user() {
                (Category::Rejected, detail)
            } else {
                (Category::Transient, format!("could not be reached: {detail}"))
            }
        }
        SdkError::ResponseError(_) => {
            (Category::Transient, "the answer was cut short or unreadable".to_owned())
        }
        SdkError::ServiceError(service) => match service.err().code() {
            Some(code) => {
                return entry_failure(operation, code, service.err().message());
            }
            // An answer without a code comes from something between AWS and us.
            None => {
                (Category::Transient, format!("an error without a code, HTTP {}", service.raw().status()))
            }
        },
        SdkError::ConstructionFailure(_) | _ => (Category::Rejected, chain(error)),
    };
    Failure { category, operation: operation.to_owned(), message }
}

/// What an error means that comes with one entry of a batch, in an answer that is none itself.
pub(super) fn entry_failure(operation: &'static str, code: &str, message: Option<&str>) -> Failure {
    // ParameterNotFound comes with an empty message, for one.
    let said = message.filter(|said| !said.is_empty()).unwrap_or("no message");
    Failure {
        category: category_of(code),
        operation: operation.to_owned(),
        message: format!("{code}: {}", shortened(said)),
    }
}

/// Whether AWS says that there is no such thing.
pub(super) fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    has_code(error, MISSING)
}

/// Whether AWS says that something else was there first.
pub(super) fn is_conflict<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    has_code(error, CONFLICT)
}

/// Whether DynamoDB says that an item isn't as the condition of a write asks for.
pub(crate) fn is_unmet_condition<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    has_code(error, &["ConditionalCheckFailedException"])
}

/// Whether AWS says that the account is unknown to the organization.
pub(super) fn is_unknown_account<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    has_code(error, &["AccountNotFoundException"])
}

fn has_code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, codes: &[&str]) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code).is_some_and(|code| codes.contains(&code))
}

fn category_of(code: &str) -> Category {
    for (codes, category) in [
        (TRANSIENT, Category::Transient),
        (NOT_READY, Category::NotReady),
        (DENIED, Category::Denied),
        (GONE, Category::Gone),
    ] {
        if codes.contains(&code) {
            return category;
        }
    }
    // An error nobody foresaw is not repeated blindly.
    Category::Rejected
}

/// What went wrong, and what that came from. The SDK's own form appends everything it knows as
/// `Debug`, which nobody reads in a report.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        if parts.last() != Some(&part) {
            parts.push(part);
        }
        next = error.source();
    }
    shortened(&parts.join(": "))
}

/// Messages are AWS's and may quote what was sent: they are kept to one short line.
fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_one_category_each() {
        let mut seen = std::collections::BTreeSet::new();
        for code in [TRANSIENT, NOT_READY, DENIED, GONE].concat() {
            assert!(seen.insert(code), "{code} is listed twice");
        }
    }

    #[test]
    fn an_unknown_code_is_not_retried() {
        assert_eq!(category_of("ThrottlingException"), Category::Transient);
        assert_eq!(category_of("ValidationException"), Category::Rejected);
        assert_eq!(category_of("SomethingNew"), Category::Rejected);
    }
}
