//! Calls that no service answered: credentials, Region or endpoint were wrong, or the way to it.

use super::{chain, shortened};
use crate::failure::Category;

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

// How messages begin that aren't AWS's own. `trouble` tells them apart by that.
pub(super) const TIMED_OUT: &str = "timed out";
pub(super) const UNREACHED: &str = "could not be reached";
pub(super) const NO_ENDPOINT: &str = "no such endpoint";
pub(super) const ODD_ENDPOINT: &str = "the endpoint that is set is no address";
pub(super) const NO_CODE: &str = "an error without a code";
pub(super) const NO_REGION: &str = "no Region is set";
pub(super) const NO_CREDENTIALS: &str = "no credentials were found";
pub(super) const BAD_CREDENTIALS: &str = "the credentials could not be loaded";

/// What it means that a call got no answer, or could not be made.
pub(super) fn undelivered(
    error: &(dyn std::error::Error + 'static),
    is_timeout: bool,
    is_user: bool,
) -> (Category, String) {
    let detail = chain(error);
    let causes = || std::iter::successors(Some(error), |error| error.source());
    let endpoint = causes().find_map(|cause| cause.downcast_ref::<At>()).map(|at| at.endpoint.as_str());
    let at = |word: &str| endpoint.map(|endpoint| format!(" {word}{endpoint}")).unwrap_or_default();
    if detail.contains("dns error") {
        (
            Category::Rejected,
            format!("{NO_ENDPOINT}{}: the service may not be offered in this Region", at("")),
        )
    } else if is_timeout {
        (Category::Transient, format!("{TIMED_OUT}{}", at("at ")))
    } else if endpoint.is_some() && !is_user {
        // What is deepest says it best: "Connection refused", "invalid peer certificate".
        let cause = causes().last().map(ToString::to_string).unwrap_or_default();
        (Category::Transient, format!("{UNREACHED}{}: {}", at("at "), shortened(&cause)))
    } else if detail.contains("missing signing region") || detail.contains("Missing Region") {
        (Category::Rejected, NO_REGION.to_owned())
    } else if let Some((_, rest)) = detail.split_once("failed to apply endpoint `") {
        let endpoint = rest.split('`').next().unwrap_or_default();
        (Category::Rejected, format!("{ODD_ENDPOINT}: `{endpoint}`, and not http://… or https://…"))
    } else if detail.contains("no credentials found") || detail.contains("IMDS") {
        (Category::Transient, NO_CREDENTIALS.to_owned())
    } else if let Some((_, why)) = detail.split_once("while loading credentials: ") {
        (Category::Transient, format!("{BAD_CREDENTIALS}: {why}"))
    } else if is_user {
        (Category::Rejected, detail)
    } else {
        (Category::Transient, format!("{UNREACHED}: {detail}"))
    }
}
