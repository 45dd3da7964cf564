//! The schema that editors use knows the keys and words that the checker knows, no more and no fewer.

use serde_json::Value;

use super::*;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../../docs/baseline.schema.json")).unwrap()
}

/// The keys of the mapping that a JSON pointer leads to; each must be described.
#[track_caller]
fn check_keys(pointer: &str, known: &[&str], required: &[&str]) {
    let schema = schema();
    let mapping = schema.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer:?}"));
    assert_eq!(mapping["additionalProperties"], false, "{pointer}");
    let properties = mapping["properties"].as_object().unwrap();
    let mut keys: Vec<&str> = properties.keys().map(String::as_str).collect();
    let mut known = known.to_vec();
    keys.sort_unstable();
    known.sort_unstable();
    assert_eq!(keys, known, "{pointer}");
    for (key, property) in properties {
        assert!(property["description"].is_string(), "{pointer}/{key} has no description");
    }
    let demanded = mapping.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    assert_eq!(demanded, required, "{pointer}");
}

#[track_caller]
fn check_words<T>(pointer: &str, choices: &keys::Choices<T>, default: &str) {
    let schema = schema();
    let property = schema.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer:?}"));
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    assert_eq!(property["enum"].as_array().unwrap(), &words, "{pointer}");
    assert_eq!(property["default"], default, "{pointer}");
}

#[test]
fn the_schema_has_the_same_keys() {
    check_keys("", keys::BASELINE, &["version", "organization", "owner", "guardrails", "assignments"]);
    check_keys("/$defs/guardrail", keys::GUARDRAIL, &["regions"]);
    check_keys("/$defs/region", keys::REGION, &[]);
    check_keys("/$defs/models", keys::MODELS, &[]);
    check_keys("/$defs/guarding", keys::GUARDING, &[]);
    check_keys("/$defs/copy", keys::COPY, &[]);
    check_keys("/$defs/assignment", keys::ASSIGNMENT, &["targets", "guardrail"]);
    check_keys("/$defs/limits", keys::LIMITS, &[]);
}

#[test]
fn the_schema_has_the_same_words() {
    check_words("/properties/mode", keys::MODES, "sync");
    check_words("/$defs/guarding/properties/system", keys::GUARDINGS, "comprehensive");
    check_words("/$defs/guarding/properties/messages", keys::GUARDINGS, "comprehensive");
    check_words("/$defs/guardrail/properties/placement", keys::PLACEMENTS, "auto");
    check_words("/$defs/guardrail/properties/on_unusable", keys::ON_UNUSABLE, "keep");
    check_words("/$defs/guardrail/properties/on_blocked_probe", keys::ON_BLOCKED_PROBE, "hold");
    check_words("/$defs/assignment/properties/existing", keys::EXISTING, "adopt");
    check_words("/$defs/assignment/properties/level", keys::LEVELS, "account");
}

#[test]
fn the_reference_tells_every_key_and_word() {
    let reference = include_str!("../../../../docs/baseline.md");
    for known in [
        keys::BASELINE,
        keys::GUARDRAIL,
        keys::REGION,
        keys::MODELS,
        keys::GUARDING,
        keys::COPY,
        keys::ASSIGNMENT,
        keys::LIMITS,
    ] {
        for key in known {
            assert!(reference.contains(&format!("`{key}`")), "docs/baseline.md says nothing of {key}");
        }
    }
    let words = keys::MODES.iter().map(|(word, _)| word);
    let words = words.chain(keys::GUARDINGS.iter().map(|(word, _)| word));
    let words = words.chain(keys::PLACEMENTS.iter().map(|(word, _)| word));
    let words = words.chain(keys::ON_UNUSABLE.iter().map(|(word, _)| word));
    let words = words.chain(keys::ON_BLOCKED_PROBE.iter().map(|(word, _)| word));
    let words = words.chain(keys::LEVELS.iter().map(|(word, _)| word));
    let words = words.chain(keys::EXISTING.iter().map(|(word, _)| word)).chain([&keys::NONE, &keys::ALL]);
    for word in words {
        assert!(reference.contains(&format!("`{word}`")), "docs/baseline.md says nothing of {word}");
    }
}

#[test]
fn the_reference_shows_the_full_example() {
    assert!(
        include_str!("../../../../docs/baseline.md").contains(FULL),
        "docs/baseline.md shows another text"
    );
}
