//! JSON kept as it was written: order of members, members given twice, and the form of numbers.
//!
//! `serde_json::Value` sorts members, drops the first of two with one name and rewrites numbers,
//! so a statement that passed through it would not be the statement that its author wrote.

use std::fmt::{self, Write};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// More than Bedrock stores even when every character takes four bytes. A longer text is no resource policy.
const MAX_BYTES: usize = 128 * 1024;

/// A policy needs six levels. The limit keeps every later walk over the tree off the end of the stack.
const MAX_DEPTH: usize = 32;

/// A JSON value, losslessly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it was written: `1`, `1.0` and `1e0` are three texts.
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<JsonMember>),
}

pub(super) type JsonMember = (String, Json);

/// Why a text is not read as JSON at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidJson {
    #[error("{0}")]
    Syntax(String),
    #[error("it has {0} bytes, more than {MAX_BYTES}")]
    TooLarge(usize),
    #[error("it is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
}

impl Json {
    pub(super) fn parse(text: &str) -> Result<Json, InvalidJson> {
        if text.len() > MAX_BYTES {
            return Err(InvalidJson::TooLarge(text.len()));
        }
        if depth(text) > MAX_DEPTH {
            return Err(InvalidJson::TooDeep);
        }
        // The whole text is checked once, so that an error has its line and column in the text
        // and not in a part of it.
        let syntax = |error: serde_json::Error| InvalidJson::Syntax(error.to_string());
        serde_json::from_str::<serde_json::Value>(text).map_err(syntax)?;
        serde_json::from_str::<&RawValue>(text).and_then(read).map_err(syntax)
    }

    pub(super) fn string(text: impl Into<String>) -> Json {
        Json::String(text.into())
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
        }
    }

    pub(super) fn as_object(&self) -> Option<&[JsonMember]> {
        match self {
            Json::Object(members) => Some(members),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => None,
        }
    }

    /// The items of a list, or the value itself: IAM reads a scalar and a list of one as the same.
    pub(super) fn items(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
                std::slice::from_ref(self)
            }
        }
    }

    /// One string or several; `None` if anything else is among them, or nothing at all.
    pub(super) fn strings(&self) -> Option<Vec<&str>> {
        let strings: Option<Vec<&str>> = self.items().iter().map(Json::as_str).collect();
        strings.filter(|strings| !strings.is_empty())
    }

    /// Where a member is given twice, as a path such as `/Statement/0/Effect`.
    pub(super) fn duplicate(&self) -> Option<String> {
        match self {
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
            Json::Array(items) => items
                .iter()
                .enumerate()
                .find_map(|(position, item)| item.duplicate().map(|path| format!("/{position}{path}"))),
            Json::Object(members) => duplicate_name(members).map(|name| format!("/{name}")).or_else(|| {
                members
                    .iter()
                    .find_map(|(name, value)| value.duplicate().map(|path| format!("/{name}{path}")))
            }),
        }
    }
}

fn duplicate_name(members: &[JsonMember]) -> Option<&str> {
    let mut seen = std::collections::HashSet::new();
    members.iter().map(|(name, _)| name.as_str()).find(|name| !seen.insert(*name))
}

/// How deep the brackets go. The parser reports afterwards what is not JSON.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            // Outside of a string it is no JSON.
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn read(raw: &RawValue) -> Result<Json, serde_json::Error> {
    let text = raw.get().trim_ascii();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let JsonMembers(members) = serde_json::from_str(text)?;
            let members: Result<Vec<JsonMember>, serde_json::Error> =
                members.into_iter().map(|(name, value)| Ok((name, read(value)?))).collect();
            Json::Object(members?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            let items: Result<Vec<Json>, serde_json::Error> = items.into_iter().map(read).collect();
            Json::Array(items?)
        }
        Some(b'"') => Json::String(serde_json::from_str(text)?),
        Some(b't' | b'f') => Json::Bool(serde_json::from_str(text)?),
        Some(b'n') => Json::Null,
        // Only a number is left of what the parser let through.
        Some(_) | None => Json::Number(text.to_owned()),
    })
}

/// The members of an object in their order, those with one name included.
struct JsonMembers<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for JsonMembers<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<JsonMembers<'a>, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder).map(JsonMembers)
    }
}

impl fmt::Display for Json {
    /// Compact; `{:#}` is indented, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { write_pretty(self, 0, f) } else { write_compact(self, f) }
    }
}

fn write_compact(value: &Json, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Json::Null => f.write_str("null"),
        Json::Bool(value) => write!(f, "{value}"),
        Json::Number(text) => f.write_str(text),
        Json::String(text) => write_string(text, f),
        Json::Array(items) => {
            f.write_char('[')?;
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    f.write_char(',')?;
                }
                write_compact(item, f)?;
            }
            f.write_char(']')
        }
        Json::Object(members) => {
            f.write_char('{')?;
            for (position, (name, value)) in members.iter().enumerate() {
                if position > 0 {
                    f.write_char(',')?;
                }
                write_string(name, f)?;
                f.write_char(':')?;
                write_compact(value, f)?;
            }
            f.write_char('}')
        }
    }
}

/// Escapes what JSON must escape and nothing else: every escape counts against the size limit.
fn write_string(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

fn write_pretty(value: &Json, indent: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let inner = indent + 2;
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => write_compact(value, f),
        Json::String(text) => write_visible(text, f),
        Json::Array(items) if items.is_empty() => f.write_str("[]"),
        Json::Array(items) => {
            f.write_char('[')?;
            for (position, item) in items.iter().enumerate() {
                let separator = if position > 0 { "," } else { "" };
                write!(f, "{separator}\n{:inner$}", "")?;
                write_pretty(item, inner, f)?;
            }
            write!(f, "\n{:indent$}]", "")
        }
        Json::Object(members) if members.is_empty() => f.write_str("{}"),
        Json::Object(members) => {
            f.write_char('{')?;
            for (position, (name, value)) in members.iter().enumerate() {
                let separator = if position > 0 { "," } else { "" };
                write!(f, "{separator}\n{:inner$}", "")?;
                write_visible(name, f)?;
                f.write_str(": ")?;
                write_pretty(value, inner, f)?;
            }
            write!(f, "\n{:indent$}}}", "")
        }
    }
}

/// A terminal obeys control and direction characters; a person must see them instead.
fn write_visible(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
    for character in quoted.chars() {
        match character {
            '\u{7f}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => write!(f, "\\u{:04x}", u32::from(character))?,
            _ => f.write_char(character)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_back() {
        for text in [
            r#"{"b":1,"a":[1.0,1e2,-0,12345678901234567890123,null,true,false],"b":{"":"\"\\é"}}"#,
            "[]",
            "{}",
            r#""""#,
            "1.50",
        ] {
            assert_eq!(Json::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Json::parse(" { \"a\" :\n[ 1 , \"\\u00e9\\/\" ] } ").unwrap().to_string(),
            r#"{"a":[1,"é/"]}"#
        );
    }

    #[test]
    fn members_given_twice_are_found_wherever_they_are() {
        let duplicate = |text| Json::parse(text).unwrap().duplicate();
        assert_eq!(duplicate(r#"{"a":{"b":1},"c":{"b":1}}"#), None);
        assert_eq!(duplicate(r#"{"a":1,"a":1}"#).as_deref(), Some("/a"));
        assert_eq!(duplicate(r#"{"a":[0,{"b":{"c":1,"c":2}}]}"#).as_deref(), Some("/a/1/b/c"));
        // Two spellings of one name are one name.
        assert_eq!(duplicate(r#"{"a":1,"\u0061":2}"#).as_deref(), Some("/a"));
    }

    #[test]
    fn hostile_texts_are_refused_and_never_overflow() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(Json::parse(&nested(MAX_DEPTH + 1)), Err(InvalidJson::TooDeep));
        assert_eq!(Json::parse(&nested(MAX_BYTES / 2)), Err(InvalidJson::TooDeep));
        assert_eq!(Json::parse(&" ".repeat(MAX_BYTES + 1)), Err(InvalidJson::TooLarge(MAX_BYTES + 1)));
        let longest = format!("{}[]", " ".repeat(MAX_BYTES - 2));
        assert_eq!(Json::parse(&longest), Ok(Json::Array(Vec::new())));
        for text in ["", "{", "nul", "1e999", r#""\ud800""#, "{} {}", "{\"a\":1,}", "[\"]", "\u{feff}{}"] {
            assert!(matches!(Json::parse(text), Err(InvalidJson::Syntax(_))), "{text:?}");
        }
        // Brackets inside of strings are no levels.
        assert!(Json::parse(&format!("\"\\\"{}\"", "[".repeat(100))).is_ok());
        let closed_in_a_string = format!("[\"{}\",{}]", "]".repeat(100), nested(MAX_DEPTH));
        assert_eq!(Json::parse(&closed_in_a_string), Err(InvalidJson::TooDeep));
        // Lists side by side are one level.
        assert!(Json::parse(&format!("[{}[]]", "[],".repeat(100))).is_ok());
    }

    #[test]
    fn the_form_for_people_hides_nothing() {
        let value = Json::parse(r#"{"a":[],"b":["x\u202ey\u001b",{"c":1}],"d":{}}"#).unwrap();
        expect_test::expect![[r#"
            {
              "a": [],
              "b": [
                "x\u202ey\u001b",
                {
                  "c": 1
                }
              ],
              "d": {}
            }"#]]
        .assert_eq(&format!("{value:#}"));
        assert_eq!(Json::parse(&format!("{value:#}")), Ok(value));
    }
}
