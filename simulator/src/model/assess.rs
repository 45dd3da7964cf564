//! What a guardrail finds in a text. Words, patterns and examples are looked for; nothing is understood.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::guardrail::Content;

/// Which way a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the model.
    Input,
    /// From the model.
    Output,
}

/// What is done about something found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The text is stopped.
    Blocked,
    /// What was found is masked, and the text goes on.
    Anonymized,
    /// It is only reported.
    None,
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it was found by.
    pub kind: FindingKind,
    /// The words that were found.
    pub matched: String,
    /// What is done about it.
    pub action: Action,
}

/// What something was found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// One of the customer's words.
    Word,
    /// One of AWS's list of profane words.
    Profanity,
    /// A denied topic, by its name.
    Topic(String),
    /// A kind of personal information, e.g. `EMAIL`.
    Pii(String),
    /// One of the customer's patterns: its name and the pattern.
    Pattern(String, String),
}

/// All that a guardrail found in one text.
#[derive(Clone, Debug, Default)]
pub struct Assessment {
    /// What was found.
    pub findings: Vec<Finding>,
    /// How many characters were looked at.
    pub characters: usize,
    /// The text with everything masked that is anonymized.
    pub masked: String,
}

impl Assessment {
    /// Whether the text is stopped.
    pub fn blocked(&self) -> bool {
        self.findings.iter().any(|finding| finding.action == Action::Blocked)
    }

    /// Whether the guardrail did anything to it.
    pub fn intervened(&self) -> bool {
        self.findings.iter().any(|finding| finding.action != Action::None)
    }
}

/// AWS's list is its own; these two stand for it and offend nobody.
const PROFANITY: [&str; 2] = ["darnation", "gadzooks"];

/// The kinds of personal information that are looked for here, compiled once.
static PII: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let compiled = |(kind, pattern)| Some((kind, Regex::new(pattern).ok()?));
    PII_PATTERNS.into_iter().filter_map(compiled).collect()
});

const PII_PATTERNS: [(&str, &str); 4] = [
    ("EMAIL", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"),
    ("US_SOCIAL_SECURITY_NUMBER", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b"),
    ("AWS_ACCESS_KEY", r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("IP_ADDRESS", r"\b[0-9]{1,3}(\.[0-9]{1,3}){3}\b"),
];

/// Looks through a text with everything that the guardrail has.
pub(crate) fn assess(content: &Content, text: &str, direction: Direction) -> Assessment {
    let mut assessment =
        Assessment { findings: Vec::new(), characters: text.chars().count(), masked: text.to_owned() };
    let found = &mut assessment.findings;
    if let Some(policy) = &content.word_policy {
        for word in &policy.words {
            let (Some(wanted), Some(action)) = (text_of(word, "text"), action(word, direction, "BLOCK"))
            else {
                continue;
            };
            found.extend(occurrence(text, wanted).map(|matched| Finding {
                kind: FindingKind::Word,
                matched,
                action,
            }));
        }
        for list in &policy.managed_word_lists {
            let Some(action) = action(list, direction, "BLOCK") else { continue };
            let profane = PROFANITY.iter().filter_map(|word| occurrence(text, word));
            found.extend(profane.map(|matched| Finding { kind: FindingKind::Profanity, matched, action }));
        }
    }
    for topic in content.topic_policy.iter().flat_map(|policy| &policy.topics) {
        let (Some(name), Some(action)) = (text_of(topic, "name"), action(topic, direction, "BLOCK")) else {
            continue;
        };
        // A topic needs a language model to be recognised; here its own examples are, word for word.
        let examples = topic.get("examples").and_then(Value::as_array).into_iter().flatten();
        let example = examples.filter_map(Value::as_str).find_map(|example| occurrence(text, example));
        let kind = FindingKind::Topic(name.to_owned());
        found.extend(example.map(|matched| Finding { kind, matched, action }));
    }
    if let Some(policy) = &content.sensitive_information_policy {
        for entity in &policy.pii_entities {
            let Some(kind) = text_of(entity, "type") else { continue };
            let Some((_, regex)) = PII.iter().find(|(known, _)| *known == kind) else { continue };
            search(&mut assessment, entity, direction, regex, kind, &FindingKind::Pii(kind.to_owned()));
        }
        for item in &policy.regexes {
            let (Some(name), Some(pattern)) = (text_of(item, "name"), text_of(item, "pattern")) else {
                continue;
            };
            // CreateGuardrail refuses a pattern that doesn't compile; the world's file may still hold one.
            let Ok(regex) = compile(pattern) else { continue };
            let kind = FindingKind::Pattern(name.to_owned(), pattern.to_owned());
            search(&mut assessment, item, direction, &regex, name, &kind);
        }
    }
    assessment
}

/// Finds a pattern, and masks it in what goes on if that is what the guardrail wants.
fn search(
    assessment: &mut Assessment,
    item: &Map<String, Value>,
    direction: Direction,
    regex: &Regex,
    label: &str,
    kind: &FindingKind,
) {
    let default = text_of(item, "action").unwrap_or("BLOCK");
    let Some(action) = action(item, direction, default) else { return };
    for matched in regex.find_iter(&assessment.masked).map(|found| found.as_str().to_owned()) {
        assessment.findings.push(Finding { kind: kind.clone(), matched, action });
    }
    if action == Action::Anonymized {
        let mask = format!("{{{label}}}");
        assessment.masked = regex.replace_all(&assessment.masked, regex::NoExpand(&mask)).into_owned();
    }
}

/// Refuses patterns that are no regular expressions.
pub(crate) fn check_patterns(content: &Content) -> Result<(), ApiError> {
    let regexes = content.sensitive_information_policy.iter().flat_map(|policy| &policy.regexes);
    for pattern in regexes.filter_map(|regex| text_of(regex, "pattern")) {
        compile(pattern)
            .map_err(|_| ApiError::validation(format!("The regular expression {pattern} is invalid.")))?;
    }
    Ok(())
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    // A pattern comes from outside: it may not take more memory than a page of text needs.
    RegexBuilder::new(pattern).size_limit(1 << 18).build()
}

/// What is done about an item in a direction; nothing if it is disabled there.
fn action(item: &Map<String, Value>, direction: Direction, default: &str) -> Option<Action> {
    let (enabled, action) = match direction {
        Direction::Input => ("inputEnabled", "inputAction"),
        Direction::Output => ("outputEnabled", "outputAction"),
    };
    if item.get(enabled).and_then(Value::as_bool) == Some(false) {
        return None;
    }
    Some(match text_of(item, action).unwrap_or(default) {
        "BLOCK" => Action::Blocked,
        "ANONYMIZE" => Action::Anonymized,
        _ => Action::None,
    })
}

fn text_of<'a>(item: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    item.get(member).and_then(Value::as_str)
}

/// The first place where `wanted` stands as words of their own, whatever its case.
fn occurrence(text: &str, wanted: &str) -> Option<String> {
    let mut before = None;
    for (start, letter) in text.char_indices() {
        if !before.is_some_and(char::is_alphanumeric)
            && let Some(length) = length_of(&text[start..], wanted)
            && !text[start + length..].starts_with(char::is_alphanumeric)
        {
            return Some(text[start..start + length].to_owned());
        }
        before = Some(letter);
    }
    None
}

/// How many bytes of `text` are `wanted` in another case, if it begins with that.
fn length_of(text: &str, wanted: &str) -> Option<usize> {
    let mut seen = text.char_indices();
    for letter in wanted.chars() {
        let (_, other) = seen.next()?;
        if other != letter && !other.to_lowercase().eq(letter.to_lowercase()) {
            return None;
        }
    }
    Some(seen.next().map_or(text.len(), |(end, _)| end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(policies: &Value) -> Content {
        let mut all = json!({ "name": "n", "blockedInputMessaging": "i", "blockedOutputsMessaging": "o" });
        all.as_object_mut().expect("an object").extend(policies.as_object().expect("an object").clone());
        serde_json::from_value(all).expect("content")
    }

    #[test]
    fn words_are_found_whole_and_in_any_case() {
        let content =
            content(&json!({ "wordPolicyConfig": { "wordsConfig": [{ "text": "tungsten-rosebud" }] } }));
        assert!(assess(&content, "Say Tungsten-Rosebud!", Direction::Input).blocked());
        assert!(!assess(&content, "Say tungsten-rosebuds.", Direction::Input).blocked());
        assert!(
            assess(&content, "çtungsten-rosebud ätungsten-rosebud. TUNGSTEN-ROSEBUD", Direction::Input)
                .blocked()
        );
        assert!(!assess(&content, "tungsten-rosebu", Direction::Input).blocked());
    }

    #[test]
    fn every_kind_of_personal_information_compiles() {
        assert_eq!(PII.len(), PII_PATTERNS.len());
    }

    #[test]
    fn an_item_disabled_in_a_direction_finds_nothing_there() {
        let words = json!([{ "text": "rosebud", "inputEnabled": false, "outputAction": "NONE" }]);
        let content = content(&json!({ "wordPolicyConfig": { "wordsConfig": words } }));
        assert!(assess(&content, "rosebud", Direction::Input).findings.is_empty());
        assert!(!assess(&content, "rosebud", Direction::Output).intervened());
    }

    #[test]
    fn personal_information_is_masked() {
        let entities = json!([{ "type": "EMAIL", "action": "ANONYMIZE" }]);
        let content =
            content(&json!({ "sensitiveInformationPolicyConfig": { "piiEntitiesConfig": entities } }));
        let assessment = assess(&content, "write to a@example.com", Direction::Input);
        assert_eq!(assessment.masked, "write to {EMAIL}");
        assert!(assessment.intervened() && !assessment.blocked());
    }
}
