//! Elements of XML, for the services of the query protocol.

use super::answer::escape;

/// An element with text inside.
pub(crate) fn text(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// An element with elements inside.
pub(crate) fn element(name: &str, inside: &str) -> String {
    format!("<{name}>{inside}</{name}>")
}

/// A list: the query protocol calls its items `member`.
pub(crate) fn list(name: &str, items: impl IntoIterator<Item = String>) -> String {
    let items: String = items.into_iter().map(|item| element("member", &item)).collect();
    element(name, &items)
}

/// A map of texts.
pub(crate) fn map<'a>(name: &str, entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let entry = |(key, value): (&str, &str)| {
        element("entry", &format!("{}{}", text("key", key), text("value", value)))
    };
    element(name, &entries.into_iter().map(entry).collect::<String>())
}
