//! The organization's accounts, listed a page at a time.

use jiff::Timestamp;
use tracing::{error, info};

use super::accounts::page_of_accounts;
use super::{Keeper, Stopped};
use crate::cloud::Page;
use crate::failure::Category;
use crate::task::Cause;

/// How much time one more page of accounts needs, in seconds: one call to Organizations with all its attempts, and the
/// messages for its accounts.
pub const PAGE_SECONDS: u64 = 40;

/// How long a list that can't be read to its end is started again, in seconds.
const LISTING_SECONDS: i64 = 3 * 3600;

/// What is said where a list is given up.
pub(super) const NOT_LISTED: &str =
    "the accounts could not be listed to the end: AWS refused to continue the list";

/// A page of accounts, or the answer that the page token is not valid any more.
pub(super) enum ListedPage {
    Page(Page),
    TokenRefused,
}

pub(super) async fn page(keeper: &Keeper, from: Option<String>) -> Result<ListedPage, Stopped> {
    let goes_on = from.is_some();
    match page_of_accounts(keeper, from).await {
        Ok(page) => Ok(ListedPage::Page(page)),
        // How long a token lasts is not documented. Nothing is lost by beginning again.
        Err(Stopped::OrganizationUnreadable(failure))
            if goes_on && failure.category == Category::Rejected =>
        {
            info!("the list of accounts starts again from its first page: {failure}");
            Ok(ListedPage::TokenRefused)
        }
        Err(stopped) => Err(stopped),
    }
}

/// Whether a list of accounts was started again for long enough.
pub(super) fn is_too_old(cause: &Cause, now: Timestamp) -> bool {
    let old = cause.age_seconds(now) > LISTING_SECONDS;
    if old {
        error!(
            error.kind = "GivenUp",
            "the list of accounts could not be completed, so the next sweep does the rest: {}", cause.reason
        );
    }
    old
}
