//! Pages and their tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Model;
use crate::switches::OnOff;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it; may be empty although more follows (aws-facts §5).
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next_token: Option<String>,
}

/// A token that no answer ever carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

/// Marks the token that follows an empty first page.
const FROM_THE_START: &str = "\0";

impl Model {
    /// Cuts a page out of `items`, which come in the order of their keys.
    ///
    /// A token holds the last key of the page before, so that a list that changes between two pages neither
    /// repeats nor skips what stayed in it.
    ///
    /// # Errors
    /// [`InvalidToken`].
    pub fn page<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> &str,
        token: Option<&str>,
        size: usize,
    ) -> Result<Page<T>, InvalidToken> {
        let after = token.map(|token| read(token).ok_or(InvalidToken)).transpose()?;
        if after.is_none() && self.switches.empty_pages == OnOff::On {
            return Ok(Page { items: Vec::new(), next_token: Some(write(FROM_THE_START)) });
        }
        let begins =
            |item: &T| after.as_deref().is_none_or(|after| after == FROM_THE_START || key(item) > after);
        let mut rest = items.into_iter().filter(begins);
        let items: Vec<T> = rest.by_ref().take(size.min(self.settings.page_items).max(1)).collect();
        let more = rest.next().is_some();
        let next_token = items.last().filter(|_| more).map(|last| write(key(last)));
        Ok(Page { items, next_token })
    }
}

fn write(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("page:{key}"))
}

fn read(token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("page:").map(str::to_owned)
}
