//! AWS's errors, put into our categories. The only file that knows AWS's error codes.
//!
//! Told by code, never by HTTP status: Bedrock answers a conflict and a validation error with the
//! same 400 (Bedrock service model).

mod undelivered;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::failure::{Category, Failure};
use crate::ids::GuardrailArn;
pub(super) use undelivered::{At, ENDPOINT};
#[cfg(feature = "cli")]
use undelivered::{BAD_CREDENTIALS, NO_CREDENTIALS, NO_ENDPOINT, NO_REGION, ODD_ENDPOINT, UNREACHED};
use undelivered::{NO_CODE, TIMED_OUT, undelivered};

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

/// Too many calls: among those that may work later, the ones that say that we are too fast.
const THROTTLED: &[&str] = &[
    "KMS.ThrottlingException",
    "KmsThrottled",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// There is no such thing.
const MISSING: &[&str] = &[
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchEntity",
    "NoSuchEntityException",
    "ParameterNotFound",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "StackSetNotFoundException",
];

/// Somebody else was writing at the same time, or a configuration was there already.
const CONFLICT: &[&str] = &["ConflictException"];

/// Where AWS refuses that an account enforces another account's guardrail, it answers with one of these.
/// Which, and with what words, isn't documented.
const REFUSES_A_REFERENCE: &[&str] =
    &["AccessDenied", "AccessDeniedException", "ResourceNotFoundException", "ValidationException"];

/// Whether a refused enforcement of another account's guardrail may be refused because it is another
/// account's. No is said where AWS names another cause, or none.
pub(crate) fn refuses_reference(failure: &Failure, guardrail: &GuardrailArn) -> bool {
    let Some((code, said)) = failure.message.split_once(": ") else { return false };
    if !REFUSES_A_REFERENCE.contains(&code) {
        return false;
    }
    let said = said.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match failure.category {
        // IAM names the policy that denies a call or would have to allow it, and the resource. A call that the
        // caller may not make at all says nothing of the guardrail.
        Category::Denied => {
            let names_it = says(&[guardrail.id.as_str()]);
            !says(&["policy", "policies", "boundary", "explicit deny"])
                && (names_it || !says(&["not authorized to perform"]))
        }
        // The rest of the request may be wrong as well.
        Category::Rejected => says(&["guardrail"]) && !says(&["model", "selective", "quota"]),
        // A denial that may be a matter of time is one of these.
        Category::Transient | Category::NotReady | Category::Gone => false,
    }
}

/// What an error of one operation means.
pub(crate) fn failure<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let (category, message) = match error {
        SdkError::TimeoutError(_) => (Category::Transient, TIMED_OUT.to_owned()),
        SdkError::DispatchFailure(dispatch) => undelivered(error, dispatch.is_timeout(), dispatch.is_user()),
        SdkError::ResponseError(response) => {
            let from = response.raw().headers().get(ENDPOINT);
            let from = from.map(|endpoint| format!(", from {endpoint}")).unwrap_or_default();
            (Category::Transient, format!("the answer was cut short or unreadable{from}"))
        }
        SdkError::ServiceError(service) => match service.err().code() {
            Some(code) => {
                return entry_failure(operation, code, service.err().message());
            }
            // An answer without a code comes from something between AWS and us.
            None => {
                let from = service.raw().headers().get(ENDPOINT);
                let from = from.map(|endpoint| format!(", from {endpoint}")).unwrap_or_default();
                (Category::Transient, format!("{NO_CODE}, HTTP {}{from}", service.raw().status()))
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
        message: format!("{}: {}", shortened(code), shortened(said)),
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

/// Whether an answer that is an error refuses the call as one of too many. Services tell the code in a
/// header, or in a body of JSON or XML.
pub(super) fn says_throttled(answer: &HttpResponse, body: &[u8]) -> bool {
    const TOO_MANY_REQUESTS: u16 = 429;
    if answer.status().as_u16() == TOO_MANY_REQUESTS {
        return true;
    }
    let of_header = answer.headers().get("x-amzn-errortype").map(str::to_owned);
    let Some(code) = of_header.or_else(|| code_in(body)) else { return false };
    // `com.amazonaws.organizations#TooManyRequestsException`, or `ThrottlingException:http://…`.
    let code = code.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    THROTTLED.contains(&code)
}

fn code_in(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        let code = ["__type", "code"].iter().find_map(|member| value.get(member)?.as_str());
        return code.map(str::to_owned);
    }
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code.to_owned())
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

/// The key, its secret or its token isn't one that AWS knows.
#[cfg(feature = "cli")]
const UNKNOWN_KEYS: &[&str] = &[
    "AuthFailure",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// What stands between a person's terminal and AWS, where that person can put it right.
#[cfg(feature = "cli")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// There are no credentials.
    NoCredentials,
    /// There are some, and what should give them doesn't.
    BadCredentials,
    /// They have expired.
    ExpiredCredentials,
    /// AWS doesn't know them.
    UnknownCredentials,
    /// The clocks of this machine and of AWS differ by minutes.
    WrongClock,
    /// No Region is set.
    NoRegion,
    /// No host has the name of the endpoint.
    NoEndpoint,
    /// The endpoint that is set isn't an address.
    OddEndpoint,
    /// Nothing answers.
    Unreached,
    /// Something answers that isn't AWS.
    NotAws,
    /// The account is in no organization.
    NoOrganization,
    /// The caller may not.
    Denied,
    /// There is no such thing.
    Missing,
}

/// What a failure is for somebody whose credentials, Region or endpoint may be wrong; `None` where it is
/// none of that.
#[cfg(feature = "cli")]
pub fn trouble(failure: &Failure) -> Option<Trouble> {
    let message = failure.message.as_str();
    let ours = [
        (NO_CREDENTIALS, Trouble::NoCredentials),
        (BAD_CREDENTIALS, Trouble::BadCredentials),
        (NO_REGION, Trouble::NoRegion),
        (NO_ENDPOINT, Trouble::NoEndpoint),
        (ODD_ENDPOINT, Trouble::OddEndpoint),
        (UNREACHED, Trouble::Unreached),
        (TIMED_OUT, Trouble::Unreached),
        (NO_CODE, Trouble::NotAws),
    ];
    if let Some((_, trouble)) = ours.iter().find(|(begin, _)| message.starts_with(begin)) {
        return Some(*trouble);
    }
    let (code, said) = message.split_once(':').unwrap_or((message, ""));
    let is = |codes: &[&str]| codes.contains(&code);
    let is_late = said.contains("Signature expired") || said.contains("Signature not yet current");
    if is(&["RequestExpired", "RequestTimeTooSkewed"]) || is_late {
        Some(Trouble::WrongClock)
    } else if is(&["ExpiredToken", "ExpiredTokenException"]) {
        Some(Trouble::ExpiredCredentials)
    } else if is(UNKNOWN_KEYS) {
        Some(Trouble::UnknownCredentials)
    } else if is(&["AWSOrganizationsNotInUseException"]) {
        Some(Trouble::NoOrganization)
    } else if is(DENIED) {
        Some(Trouble::Denied)
    } else if is(MISSING) {
        Some(Trouble::Missing)
    } else {
        None
    }
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

/// What AWS says may be somebody else's words, and is printed and logged: it is kept to one short line, in
/// which nothing ends the line, commands a terminal or turns the text around.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    const END: usize = 120;
    let harmless = |c: char| match c {
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let length = text.chars().count();
    if length <= LONGEST {
        return text.chars().map(harmless).collect();
    }
    // The end stays as well: there IAM says which policy denies a call.
    let begin = text.chars().take(LONGEST - END - 1);
    begin.chain(['…']).chain(text.chars().skip(length - END)).map(harmless).collect()
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

    #[cfg(feature = "cli")]
    #[test]
    fn what_a_person_can_put_right_is_told_by_the_code() {
        let told = |message: &str| trouble(&Failure::transient("GetCallerIdentity", message));
        for (message, expected) in [
            ("no credentials were found", Some(Trouble::NoCredentials)),
            ("the credentials could not be loaded: no SSO token", Some(Trouble::BadCredentials)),
            (
                "ExpiredToken: The security token included in the request is expired",
                Some(Trouble::ExpiredCredentials),
            ),
            ("InvalidClientTokenId: The security token is invalid.", Some(Trouble::UnknownCredentials)),
            ("SignatureDoesNotMatch: The request signature we calculated", Some(Trouble::UnknownCredentials)),
            (
                "SignatureDoesNotMatch: Signature expired: 20261129T010000Z is now earlier",
                Some(Trouble::WrongClock),
            ),
            ("InvalidSignatureException: Signature not yet current", Some(Trouble::WrongClock)),
            ("no Region is set", Some(Trouble::NoRegion)),
            ("no such endpoint https://x: the service", Some(Trouble::NoEndpoint)),
            ("could not be reached at http://x: Connection refused", Some(Trouble::Unreached)),
            ("timed out", Some(Trouble::Unreached)),
            ("an error without a code, HTTP 404, from http://x", Some(Trouble::NotAws)),
            ("AWSOrganizationsNotInUseException: not a member", Some(Trouble::NoOrganization)),
            ("AccessDenied: User: x is not authorized", Some(Trouble::Denied)),
            ("ParameterNotFound: no message", Some(Trouble::Missing)),
            ("ThrottlingException: Rate exceeded", None),
            ("ValidationException: ExpiredToken: quoted only", None),
        ] {
            assert_eq!(told(message), expected, "{message}");
        }
    }

    #[test]
    fn what_is_throttled_may_work_later() {
        assert!(THROTTLED.iter().all(|code| TRANSIENT.contains(code)));
    }

    #[test]
    fn a_throttle_is_told_in_a_status_a_header_or_a_body() {
        let check = |status: u16, header: Option<&'static str>, body: &str| {
            let mut answer =
                HttpResponse::new(status.try_into().unwrap(), aws_smithy_types::body::SdkBody::empty());
            if let Some(header) = header {
                answer.headers_mut().insert("x-amzn-errortype", header);
            }
            says_throttled(&answer, body.as_bytes())
        };
        assert!(check(429, None, ""));
        assert!(check(400, Some("ThrottlingException:http://internal.amazon.com/x"), "{}"));
        assert!(check(400, None, r#"{"__type":"com.amazonaws.organizations#TooManyRequestsException"}"#));
        assert!(check(400, None, r#"{"code":"RequestThrottled"}"#));
        assert!(check(400, None, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"));
        assert!(!check(400, None, r#"{"__type":"ValidationException","message":"Throttling"}"#));
        assert!(!check(500, None, "\u{0}not text"));
        assert!(!check(503, Some("ServiceUnavailableException"), "Throttling"));
    }

    #[test]
    fn only_what_may_be_about_the_guardrail_refuses_it() {
        let arn = "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base1234abcd";
        let caller = "User: arn:aws:sts::300000000001:assumed-role/Member/guardrail-keeper is not authorized to perform: bedrock:PutEnforcedGuardrailConfiguration on resource";
        let long = "x".repeat(400);
        for (code, said, refuses) in [
            (
                "ValidationException",
                format!("The guardrail {arn} doesn't belong to account 300000000001."),
                true,
            ),
            (
                "ValidationException",
                "guardrailIdentifier: must be a guardrail of this account".to_owned(),
                true,
            ),
            ("ResourceNotFoundException", "Guardrail base1234abcd does not exist.".to_owned(), true),
            ("AccessDeniedException", format!("{caller}: {arn}"), true),
            ("AccessDeniedException", "You don't have access to this guardrail.".to_owned(), true),
            // A policy forbids the call, or doesn't allow it.
            (
                "AccessDeniedException",
                format!("{caller}: {arn} with an explicit deny in a service control policy"),
                false,
            ),
            (
                "AccessDeniedException",
                format!("{caller}: * with an explicit deny in an identity-based policy"),
                false,
            ),
            (
                "AccessDeniedException",
                format!("{caller}: {arn} because no identity-based policy allows it"),
                false,
            ),
            (
                "AccessDeniedException",
                format!(
                    "{caller}: {arn} because no resource-based policy allows the bedrock:ApplyGuardrail action"
                ),
                false,
            ),
            (
                "AccessDeniedException",
                format!("{caller}: {arn} because no permissions boundary allows it"),
                false,
            ),
            ("AccessDeniedException", format!("{caller}: *"), false),
            (
                "AccessDeniedException",
                format!("{caller}: {long} with an explicit deny in a service control policy"),
                false,
            ),
            // Something else is wrong, or for now.
            ("ValidationException", "Provided model identifier is invalid.".to_owned(), false),
            (
                "ValidationException",
                "guardrailInferenceConfig.modelEnforcement: unknown model".to_owned(),
                false,
            ),
            ("ValidationException", "Malformed request.".to_owned(), false),
            ("ServiceQuotaExceededException", "Too many guardrail configurations.".to_owned(), false),
            ("ThrottlingException", "Too many guardrail calls.".to_owned(), false),
            ("InternalServerException", "The guardrail could not be read.".to_owned(), false),
            ("ConflictException", "The guardrail configuration was changed.".to_owned(), false),
            ("SomethingNew", "The guardrail isn't yours.".to_owned(), false),
        ] {
            let failure = entry_failure("PutEnforcedGuardrailConfiguration", code, Some(&said));
            assert_eq!(refuses_reference(&failure, &arn.parse().unwrap()), refuses, "{failure}");
        }
    }

    #[test]
    fn what_is_shortened_keeps_its_end() {
        let text = format!("{} because of a service control policy", "long ".repeat(100));
        let short = shortened(&text);
        assert_eq!(short.chars().count(), 300);
        assert!(short.starts_with("long long") && short.ends_with("because of a service control policy"));
        assert_eq!(shortened(&"y".repeat(300)), "y".repeat(300));
    }

    #[test]
    fn an_unknown_code_is_not_retried() {
        assert_eq!(category_of("ThrottlingException"), Category::Transient);
        assert_eq!(category_of("ValidationException"), Category::Rejected);
        assert_eq!(category_of("SomethingNew"), Category::Rejected);
    }
}
