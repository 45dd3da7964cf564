//! AWS's errors, put into our categories. The only file that knows AWS's error codes.
//!
//! Told by code, never by HTTP status: Bedrock answers a conflict and a validation error with the
//! same 400 (Bedrock service model).

mod undelivered;

use aws_sdk_organizations::operation::enable_policy_type::EnablePolicyTypeError;
use aws_sdk_organizations::types::ConstraintViolationExceptionReason;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::failure::{Category, Code, Failure};
use crate::ids::GuardrailArn;
pub(super) use undelivered::{At, ENDPOINT};
use undelivered::{NO_CODE, TIMED_OUT, undelivered};

/// AWS's error codes: what each means for what happens next, and what it says. A code that isn't listed is
/// rejected, and says nothing more: an error that nobody foresaw isn't repeated blindly.
const CODES: &[(&str, Category, Code)] = {
    use Category::{Denied, Gone, NotReady, Rejected, Transient};
    &[
        // The same call may work later.
        ("ConcurrentModificationException", Transient, Code::Other),
        ("ConflictException", Transient, Code::Conflict),
        ("ExpiredToken", Transient, Code::ExpiredCredentials),
        ("ExpiredTokenException", Transient, Code::ExpiredCredentials),
        ("IDPCommunicationError", Transient, Code::Other),
        ("InternalError", Transient, Code::Other),
        ("InternalException", Transient, Code::Other),
        ("InternalFailure", Transient, Code::Other),
        ("InternalServerError", Transient, Code::Other),
        ("InternalServerException", Transient, Code::Other),
        ("KMS.ThrottlingException", Transient, Code::Throttled),
        ("KmsThrottled", Transient, Code::Throttled),
        ("PolicyChangesInProgressException", Transient, Code::Other),
        ("PriorRequestNotComplete", Transient, Code::Other),
        ("ProvisionedThroughputExceededException", Transient, Code::Throttled),
        ("ReplicatedWriteConflictException", Transient, Code::Other),
        ("RequestExpired", Transient, Code::WrongClock),
        ("RequestLimitExceeded", Transient, Code::Throttled),
        ("RequestThrottled", Transient, Code::Throttled),
        ("RequestTimeout", Transient, Code::Other),
        ("RequestTimeoutException", Transient, Code::Other),
        ("ServiceException", Transient, Code::Other),
        ("ServiceUnavailable", Transient, Code::Other),
        ("ServiceUnavailableException", Transient, Code::Other),
        ("SlowDown", Transient, Code::Throttled),
        ("Throttling", Transient, Code::Throttled),
        ("ThrottlingException", Transient, Code::Throttled),
        ("TooManyRequestsException", Transient, Code::Throttled),
        ("TooManyUpdates", Transient, Code::Other),
        // The account or the Region in it is still being set up. A Region that isn't enabled in the account
        // doesn't know its tokens.
        ("InvalidClientTokenId", NotReady, Code::UnknownCredentials),
        ("OptInRequired", NotReady, Code::Other),
        ("SubscriptionRequiredException", NotReady, Code::Other),
        ("UnrecognizedClientException", NotReady, Code::UnknownCredentials),
        // The caller may not.
        ("AccessDenied", Denied, Code::Denied),
        ("AccessDeniedException", Denied, Code::Denied),
        ("AuthorizationError", Denied, Code::Denied),
        ("AuthFailure", Denied, Code::UnknownCredentials),
        ("KMS.AccessDeniedException", Denied, Code::KeyDenied),
        ("KmsAccessDenied", Denied, Code::KeyDenied),
        ("NotAuthorized", Denied, Code::Denied),
        ("NotAuthorizedForDetailTypeException", Denied, Code::Denied),
        ("NotAuthorizedForSourceException", Denied, Code::Denied),
        ("UnauthorizedOperation", Denied, Code::Denied),
        // The account isn't there to be worked on.
        ("AWSOrganizationsNotInUseException", Gone, Code::NoOrganization),
        ("AccountNotFoundException", Gone, Code::UnknownAccount),
        // AWS refuses the request as such. There is no such thing:
        ("AWS.SimpleQueueService.NonExistentQueue", Rejected, Code::Missing),
        ("AccountNotRegisteredException", Rejected, Code::Missing),
        ("NoSuchEntity", Rejected, Code::Missing),
        ("NoSuchEntityException", Rejected, Code::Missing),
        ("NotFound", Rejected, Code::Missing),
        ("PolicyNotFoundException", Rejected, Code::Missing),
        ("ParameterNotFound", Rejected, Code::Missing),
        ("QueueDoesNotExist", Rejected, Code::Missing),
        ("ResourceNotFoundException", Rejected, Code::Missing),
        ("ResourcePolicyNotFoundException", Rejected, Code::Missing),
        ("StackSetNotFoundException", Rejected, Code::Missing),
        ("TargetNotFoundException", Rejected, Code::Missing),
        // What was asked for is so already:
        ("DuplicatePolicyAttachmentException", Rejected, Code::AlreadySo),
        ("DuplicatePolicyException", Rejected, Code::Conflict),
        ("PolicyNotAttachedException", Rejected, Code::AlreadySo),
        ("PolicyTypeAlreadyEnabledException", Rejected, Code::AlreadySo),
        // A type of policy isn't enabled in the organization:
        ("EffectivePolicyNotFoundException", Rejected, Code::NotSetUp),
        ("PolicyTypeNotEnabledException", Rejected, Code::NotSetUp),
        // The key, its secret or its token isn't one that AWS knows:
        ("IncompleteSignature", Rejected, Code::UnknownCredentials),
        ("IncompleteSignatureException", Rejected, Code::UnknownCredentials),
        ("InvalidAccessKeyId", Rejected, Code::UnknownCredentials),
        ("InvalidSignatureException", Rejected, Code::UnknownCredentials),
        ("MissingAuthenticationToken", Rejected, Code::UnknownCredentials),
        ("MissingAuthenticationTokenException", Rejected, Code::UnknownCredentials),
        ("SignatureDoesNotMatch", Rejected, Code::UnknownCredentials),
        // And the rest of what somebody asks for:
        ("ConditionalCheckFailedException", Rejected, Code::UnmetCondition),
        ("MalformedPolicyDocumentException", Rejected, Code::Invalid),
        ("RequestTimeTooSkewed", Rejected, Code::WrongClock),
        ("ValidationException", Rejected, Code::Invalid),
    ]
};

/// What a code means, and what it says.
fn known(code: &str) -> (Category, Code) {
    let row = CODES.iter().find(|(known, _, _)| *known == code);
    row.map_or((Category::Rejected, Code::Other), |(_, category, code)| (*category, *code))
}

/// Whether a refused enforcement of another account's guardrail may be refused because it is another
/// account's. No is said where AWS names another cause, or none. With which code and words AWS refuses isn't
/// documented.
pub(crate) fn refuses_reference(failure: &Failure, guardrail: &GuardrailArn) -> bool {
    if !matches!(failure.code, Code::Denied | Code::Missing | Code::Invalid) {
        return false;
    }
    // The words stand behind AWS's code.
    let Some((_, said)) = failure.message.split_once(": ") else { return false };
    let said = said.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match failure.category {
        // IAM names the policy that denies a call or would have to allow it, and the resource. A call that the
        // caller may not make at all says nothing of the guardrail.
        Category::Denied => {
            let names_it = says(&[guardrail.id.as_str()]);
            !failure.explicit_deny
                && !says(&["policy", "policies", "boundary"])
                && (names_it || !says(&["not authorized to perform"]))
        }
        // The rest of the request may be wrong as well.
        Category::Rejected => says(&["guardrail"]) && !says(&["model", "selective", "quota"]),
        // A denial that may be a matter of time is one of these.
        Category::Transient | Category::NotReady | Category::Gone => false,
    }
}

/// What an error of one operation means.
pub fn failure<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let (category, code, message) = match error {
        SdkError::TimeoutError(_) => (Category::Transient, Code::Unreached, TIMED_OUT.to_owned()),
        SdkError::DispatchFailure(dispatch) => undelivered(error, dispatch.is_timeout(), dispatch.is_user()),
        SdkError::ResponseError(response) => {
            let from = response.raw().headers().get(ENDPOINT);
            let from = from.map(|endpoint| format!(", from {endpoint}")).unwrap_or_default();
            (Category::Transient, Code::Other, format!("the answer was cut short or unreadable{from}"))
        }
        SdkError::ServiceError(service) => match service.err().code() {
            Some(code) => {
                return entry_failure(operation, code, service.err().message());
            }
            // An answer without a code comes from something between AWS and us.
            None => {
                let from = service.raw().headers().get(ENDPOINT);
                let from = from.map(|endpoint| format!(", from {endpoint}")).unwrap_or_default();
                let message = format!("{NO_CODE}, HTTP {}{from}", service.raw().status());
                (Category::Transient, Code::NotAws, message)
            }
        },
        SdkError::ConstructionFailure(_) | _ => (Category::Rejected, Code::Other, chain(error)),
    };
    Failure { code, ..Failure::new(category, operation, message) }
}

/// What an error means that comes with one entry of a batch, in an answer that is none itself.
pub(super) fn entry_failure(operation: &'static str, code: &str, message: Option<&str>) -> Failure {
    // ParameterNotFound comes with an empty message, for one.
    let said = message.filter(|said| !said.is_empty()).unwrap_or("no message");
    let (category, known) = known(code);
    let is_late = said.contains("Signature expired") || said.contains("Signature not yet current");
    Failure {
        code: if is_late { Code::WrongClock } else { known },
        // So IAM ends its message, and names the kind of policy behind it.
        explicit_deny: said.contains("explicit deny"),
        ..Failure::new(category, operation, format!("{}: {}", shortened(code), shortened(said)))
    }
}

/// Whether AWS says that there is no such thing.
pub fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    code_of(error) == Some(Code::Missing)
}

/// Whether AWS says that something else was there first.
pub(super) fn is_conflict<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    code_of(error) == Some(Code::Conflict)
}

/// Whether AWS says that a service has to be trusted in the organization before a type of its policies can be enabled.
pub(super) fn needs_service_access(error: &SdkError<EnablePolicyTypeError, HttpResponse>) -> bool {
    match error.as_service_error() {
        Some(EnablePolicyTypeError::ConstraintViolationException(violated)) => {
            violated.reason() == Some(&ConstraintViolationExceptionReason::ServiceAccessNotEnabled)
        }
        _ => false,
    }
}

/// Whether AWS says that what was asked for is so already.
pub(super) fn is_so_already<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    code_of(error) == Some(Code::AlreadySo)
}

/// Whether DynamoDB says that an item isn't as the condition of a write asks for.
pub(crate) fn is_unmet_condition<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    code_of(error) == Some(Code::UnmetCondition)
}

/// Whether AWS says that the account is unknown to the organization.
pub(super) fn is_unknown_account<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    code_of(error) == Some(Code::UnknownAccount)
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
    known(code).1 == Code::Throttled
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

fn code_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Code> {
    error.as_service_error().and_then(ProvideErrorMetadata::code).map(|code| known(code).1)
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
    fn each_code_has_one_row_and_what_is_throttled_may_work_later() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, category, says) in CODES {
            assert!(seen.insert(code), "{code} is listed twice");
            assert!(*says != Code::Throttled || *category == Category::Transient, "{code}");
        }
    }

    #[test]
    fn what_a_person_can_put_right_is_told_by_the_code() {
        for (code, said, expected) in [
            (
                "ExpiredToken",
                "The security token included in the request is expired",
                Code::ExpiredCredentials,
            ),
            ("InvalidClientTokenId", "The security token is invalid.", Code::UnknownCredentials),
            ("SignatureDoesNotMatch", "The request signature we calculated", Code::UnknownCredentials),
            ("SignatureDoesNotMatch", "Signature expired: 20261129T010000Z is now earlier", Code::WrongClock),
            ("InvalidSignatureException", "Signature not yet current", Code::WrongClock),
            ("AWSOrganizationsNotInUseException", "not a member", Code::NoOrganization),
            ("AccessDenied", "User: x is not authorized", Code::Denied),
            ("ParameterNotFound", "", Code::Missing),
            ("ThrottlingException", "Rate exceeded", Code::Throttled),
            ("ValidationException", "ExpiredToken: quoted only", Code::Invalid),
            ("SomethingNew", "AccessDenied: quoted only", Code::Other),
        ] {
            let failure = entry_failure("GetCallerIdentity", code, Some(said));
            assert_eq!(failure.code, expected, "{failure}");
            assert!(!failure.explicit_deny, "{failure}");
        }
        let end = " with an explicit deny in a service control policy";
        let failure = entry_failure("AssumeRole", "AccessDenied", Some(&("x".repeat(400) + end)));
        assert_eq!((failure.code, failure.explicit_deny), (Code::Denied, true));
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
        assert_eq!(known("ThrottlingException").0, Category::Transient);
        assert_eq!(known("ValidationException").0, Category::Rejected);
        assert_eq!(known("SomethingNew").0, Category::Rejected);
    }
}
