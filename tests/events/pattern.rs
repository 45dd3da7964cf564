//! EventBridge's event patterns, as far as a rule of ours may use them.
//!
//! What isn't known here is refused and not guessed at: a pattern that is taken for another than it
//! is would prove nothing.

use serde_json::Value;

use crate::policy::is_like;

/// An event pattern: every member must match.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern(Vec<(String, Member)>);

/// The name under which a pattern has several, of which one must match. AWS takes one alone for a member of the event.
const OR: &str = "$or";

#[derive(Clone, Debug, PartialEq)]
enum Member {
    /// What lies below matches.
    Below(Pattern),
    /// The value passes one of these.
    AnyOf(Vec<Test>),
    /// One of these matches what the member would be in.
    Or(Vec<Pattern>),
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Value>),
    /// Like none of these, in which `*` stands for anything.
    LikeNone(Vec<String>),
    Exists(bool),
}

impl Pattern {
    /// Reads a pattern.
    pub(crate) fn parse(pattern: &Value) -> Result<Pattern, String> {
        let members = pattern.as_object().ok_or_else(|| format!("{pattern} is not a pattern"))?;
        if members.is_empty() {
            return Err("an empty pattern".to_owned());
        }
        let members = members.iter().map(|(name, value)| {
            let member = match value {
                Value::Array(choices) if name == OR && choices.len() > 1 => {
                    Member::Or(choices.iter().map(Pattern::parse).collect::<Result<_, _>>()?)
                }
                _ if name.starts_with('$') => return Err(format!("{name} is not known here")),
                Value::Object(_) => Member::Below(Pattern::parse(value)?),
                Value::Array(tests) if !tests.is_empty() => {
                    Member::AnyOf(tests.iter().map(Test::parse).collect::<Result<_, _>>()?)
                }
                other => return Err(format!("{name}: {other} must be a list of values")),
            };
            Ok((name.clone(), member))
        });
        Ok(Pattern(members.collect::<Result<_, _>>()?))
    }

    /// Whether the event matches.
    pub(crate) fn matches(&self, event: &Value) -> bool {
        self.0.iter().all(|(name, member)| {
            let found = event.get(name);
            match member {
                Member::Below(pattern) => match found {
                    Some(Value::Array(items)) => items.iter().any(|item| pattern.matches(item)),
                    found => pattern.matches(found.unwrap_or(&Value::Null)),
                },
                Member::Or(choices) => choices.iter().any(|pattern| pattern.matches(event)),
                Member::AnyOf(tests) => tests.iter().any(|test| test.passes(found)),
            }
        })
    }
}

impl Test {
    fn parse(test: &Value) -> Result<Test, String> {
        let Value::Object(operator) = test else {
            return match test {
                Value::Array(_) => Err(format!("{test} is a list in a list")),
                value => Ok(Test::Equals(value.clone())),
            };
        };
        let mut members = operator.iter();
        let (Some((name, wanted)), None) = (members.next(), members.next()) else {
            return Err(format!("{test} is not one operator"));
        };
        match (name.as_str(), wanted) {
            ("exists", Value::Bool(wanted)) => Ok(Test::Exists(*wanted)),
            ("prefix", Value::String(text)) => Ok(Test::Prefix(text.clone())),
            ("suffix", Value::String(text)) => Ok(Test::Suffix(text.clone())),
            ("equals-ignore-case", Value::String(text)) => Ok(Test::EqualsIgnoreCase(text.clone())),
            ("anything-but", Value::Array(values)) if values.iter().all(|value| !value.is_object()) => {
                Ok(Test::AnythingBut(values.clone()))
            }
            ("anything-but", Value::Object(like)) if like.len() == 1 => {
                let texts = like.get("wildcard").and_then(Value::as_array);
                let texts = texts.map(|texts| texts.iter().map(|text| text.as_str().map(str::to_owned)));
                // AWS refuses two stars side by side.
                let known =
                    |texts: &Vec<String>| !texts.is_empty() && texts.iter().all(|text| !text.contains("**"));
                let texts = texts.and_then(Iterator::collect::<Option<Vec<_>>>).filter(known);
                texts.map(Test::LikeNone).ok_or_else(|| format!("{test} is not known here"))
            }
            ("anything-but", Value::String(_) | Value::Number(_)) => {
                Ok(Test::AnythingBut(vec![wanted.clone()]))
            }
            _ => Err(format!("{test} is not known here")),
        }
    }

    fn passes(&self, found: Option<&Value>) -> bool {
        // A list matches by any of its items; only leaves exist.
        let leaves: Vec<&Value> = match found {
            None | Some(Value::Object(_)) => Vec::new(),
            Some(Value::Array(items)) => items.iter().collect(),
            Some(value) => vec![value],
        };
        let text = |test: &dyn Fn(&str) -> bool| leaves.iter().any(|leaf| leaf.as_str().is_some_and(test));
        match self {
            Test::Equals(wanted) => leaves.contains(&wanted),
            Test::EqualsIgnoreCase(wanted) => text(&|leaf| leaf.eq_ignore_ascii_case(wanted)),
            Test::Prefix(wanted) => text(&|leaf| leaf.starts_with(wanted.as_str())),
            Test::Suffix(wanted) => text(&|leaf| leaf.ends_with(wanted.as_str())),
            Test::AnythingBut(unwanted) => leaves.iter().any(|leaf| !unwanted.contains(leaf)),
            Test::LikeNone(patterns) => text(&|leaf| !patterns.iter().any(|pattern| is_like(pattern, leaf))),
            Test::Exists(wanted) => *wanted != leaves.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(pattern: &Value, event: &Value, matches: bool) {
        let pattern = Pattern::parse(pattern).unwrap();
        assert_eq!(pattern.matches(event), matches, "{pattern:?} on {event}");
    }

    #[test]
    fn every_member_must_match_and_any_value_of_it() {
        let pattern = json!({ "source": ["a", "b"], "detail": { "name": ["x"], "count": [1, null] } });
        check(&pattern, &json!({ "source": "b", "detail": { "name": "x", "count": 1 } }), true);
        check(&pattern, &json!({ "source": "b", "detail": { "name": "x", "count": null } }), true);
        check(&pattern, &json!({ "source": "b", "detail": { "name": "x" } }), false);
        check(&pattern, &json!({ "source": "b", "detail": { "name": "X", "count": 1 } }), false);
        check(&pattern, &json!({ "source": "c", "detail": { "name": "x", "count": 1 } }), false);
        check(&pattern, &json!({ "source": "b", "detail": { "name": "x", "count": "1" } }), false);
        check(&pattern, &json!({ "source": "b", "detail": "x" }), false);
        check(&pattern, &json!({ "source": ["c", "b"], "detail": [{}, { "name": "x", "count": 1 }] }), true);
    }

    #[test]
    fn operators() {
        let one = |test: Value| json!({ "m": [test] });
        check(&one(json!({ "prefix": "ab" })), &json!({ "m": "abc" }), true);
        check(&one(json!({ "prefix": "b" })), &json!({ "m": "abc" }), false);
        check(&one(json!({ "suffix": "bc" })), &json!({ "m": "abc" }), true);
        check(&one(json!({ "equals-ignore-case": "ABC" })), &json!({ "m": "abc" }), true);
        check(&one(json!({ "anything-but": ["a", "b"] })), &json!({ "m": "c" }), true);
        check(&one(json!({ "anything-but": "a" })), &json!({ "m": "a" }), false);
        check(&one(json!({ "anything-but": "a" })), &json!({}), false);
        let like_none = json!({ "anything-but": { "wildcard": ["a*c", "b"] } });
        check(&one(like_none.clone()), &json!({ "m": "abc" }), false);
        check(&one(like_none.clone()), &json!({ "m": "abcd" }), true);
        check(&one(like_none.clone()), &json!({ "m": "b" }), false);
        check(&one(like_none.clone()), &json!({}), false);
        check(&json!({ "m": [like_none, { "exists": false }] }), &json!({}), true);
        let either = json!({ "s": ["x"], "$or": [{ "m": ["a"] }, { "n": { "o": ["b"] } }] });
        check(&either, &json!({ "s": "x", "m": "a" }), true);
        check(&either, &json!({ "s": "x", "n": { "o": "b" } }), true);
        check(&either, &json!({ "s": "x", "m": "b" }), false);
        check(&either, &json!({ "s": "y", "m": "a" }), false);
        check(&one(json!({ "exists": true })), &json!({ "m": null }), true);
        check(&one(json!({ "exists": true })), &json!({ "m": { "n": 1 } }), false);
        check(&one(json!({ "exists": false })), &json!({}), true);
        check(&one(json!({ "exists": false })), &json!({ "m": "" }), false);
        check(&json!({ "d": { "m": [{ "exists": false }] } }), &json!({}), true);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for pattern in [
            json!({}),
            json!([]),
            json!({ "source": "a" }),
            json!({ "source": [] }),
            json!({ "source": [["a"]] }),
            json!({ "$or": [] }),
            json!({ "$or": ["a", "b"] }),
            json!({ "$or": [{ "source": ["a"] }] }),
            json!({ "$and": [{ "source": ["a"] }] }),
            json!({ "m": [{ "anything-but": { "wildcard": "a*" } }] }),
            json!({ "m": [{ "anything-but": { "wildcard": ["a**"] } }] }),
            json!({ "m": [{ "anything-but": { "wildcard": [] } }] }),
            json!({ "m": [{ "numeric": [">", 1] }] }),
            json!({ "m": [{ "wildcard": "a*" }] }),
            json!({ "m": [{ "anything-but": { "prefix": "a" } }] }),
            json!({ "m": [{ "prefix": "a", "suffix": "b" }] }),
            json!({ "detail": { "m": { "Ref": "Name" } } }),
        ] {
            assert!(Pattern::parse(&pattern).is_err(), "{pattern}");
        }
    }
}
