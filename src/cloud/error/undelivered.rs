//! Calls that no service answered: credentials, Region or endpoint were wrong, or the way to it.

use super::{chain, shortened};
use crate::failure::{Category, Code};

/// The header under which an answer carries the endpoint that it came from, once it is here.
pub(crate) const ENDPOINT: &str = "x-guardrail-keeper-endpoint";

/// An error of the way to AWS, and where that leads.
#[derive(Debug, thiserror::Error)]
#[error("{endpoint}")]
pub(crate) struct At {
    /// `https://host:port`.
    pub(crate) endpoint: String,
    /// What went wrong.
    pub(crate) source: aws_smithy_runtime_api::box_error::BoxError,
}

// How messages begin that aren't AWS's own.
pub(super) const TIMED_OUT: &str = "timed out";
const UNREACHED: &str = "could not be reached";
const NO_ENDPOINT: &str = "no such endpoint";
const ODD_ENDPOINT: &str = "the endpoint that is set is not a URL";
pub(super) const NO_CODE: &str = "an error without a code";
const NO_REGION: &str = "no Region is set";
const NO_CREDENTIALS: &str = "no credentials were found";
const BAD_CREDENTIALS: &str = "the credentials could not be loaded";

/// What it means that a call got no answer, or could not be made.
pub(super) fn undelivered(
    error: &(dyn std::error::Error + 'static),
    is_timeout: bool,
    is_user: bool,
) -> (Category, Code, String) {
    let detail = chain(error);
    let causes = || std::iter::successors(Some(error), |error| error.source());
    let endpoint = causes().find_map(|cause| cause.downcast_ref::<At>()).map(|at| at.endpoint.as_str());
    let at = |word: &str| endpoint.map(|endpoint| format!(" {word}{endpoint}")).unwrap_or_default();
    if detail.contains("dns error") {
        (
            Category::Rejected,
            Code::NoEndpoint,
            format!("{NO_ENDPOINT}{}: the service may not be offered in this Region", at("")),
        )
    } else if is_timeout {
        (Category::Transient, Code::Unreached, format!("{TIMED_OUT}{}", at("at ")))
    } else if endpoint.is_some() && !is_user {
        // What is deepest says it best: "Connection refused", "invalid peer certificate".
        let cause = causes().last().map(ToString::to_string).unwrap_or_default();
        (Category::Transient, Code::Unreached, format!("{UNREACHED}{}: {}", at("at "), shortened(&cause)))
    } else if detail.contains("missing signing region") || detail.contains("Missing Region") {
        (Category::Rejected, Code::NoRegion, NO_REGION.to_owned())
    } else if let Some((_, rest)) = detail.split_once("failed to apply endpoint `") {
        let endpoint = rest.split('`').next().unwrap_or_default();
        let message = format!("{ODD_ENDPOINT}: `{endpoint}`, and not http://… or https://…");
        (Category::Rejected, Code::OddEndpoint, message)
    } else if detail.contains("no credentials found") || detail.contains("IMDS") {
        (Category::Transient, Code::NoCredentials, NO_CREDENTIALS.to_owned())
    } else if let Some((_, why)) = detail.split_once("while loading credentials: ") {
        (Category::Transient, Code::BadCredentials, format!("{BAD_CREDENTIALS}: {why}"))
    } else if is_user {
        (Category::Rejected, Code::Other, detail)
    } else {
        (Category::Transient, Code::Unreached, format!("{UNREACHED}: {detail}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct BrokenConnector(&'static str);

    #[test]
    fn what_kept_a_call_from_an_answer_is_told_by_a_code() {
        for (detail, is_timeout, is_user, code, words) in [
            ("no credentials found", false, true, Code::NoCredentials, NO_CREDENTIALS),
            (
                "an error occurred while loading credentials: no SSO token",
                false,
                true,
                Code::BadCredentials,
                "the credentials could not be loaded: no SSO token",
            ),
            ("Invalid Configuration: Missing Region", false, true, Code::NoRegion, NO_REGION),
            ("dns error: failed to lookup address", false, false, Code::NoEndpoint, NO_ENDPOINT),
            ("failed to apply endpoint `x y` to the request", false, true, Code::OddEndpoint, ODD_ENDPOINT),
            ("the connection took too long", true, false, Code::Unreached, TIMED_OUT),
            ("connection closed", false, false, Code::Unreached, UNREACHED),
            ("invalid header", false, true, Code::Other, "invalid header"),
        ] {
            let (_, found, message) = undelivered(&BrokenConnector(detail), is_timeout, is_user);
            assert_eq!(found, code, "{detail}");
            assert!(message.starts_with(words), "{detail}: {message}");
        }
        let at = At {
            endpoint: "http://127.0.0.1:1".to_owned(),
            source: Box::new(BrokenConnector("Connection refused")),
        };
        let (_, found, message) = undelivered(&at, false, false);
        assert_eq!(found, Code::Unreached);
        assert_eq!(message, "could not be reached at http://127.0.0.1:1: Connection refused");
    }
}
