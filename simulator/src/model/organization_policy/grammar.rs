//! Which documents CreatePolicy and UpdatePolicy take (organization-policies §1.1, §1.2).
//!
//! The refusal says nothing of the place: AWS's doesn't either.

use super::document::{CONTROL, Tree, allowed};
use crate::model::error::ApiError;
use crate::switches::{Answer, Switches};

/// What may stand at a place.
enum Form {
    /// Members that this function knows.
    Members(fn(&str, Switches) -> Option<Form>),
    /// One text, which may have to be one of these.
    OneText(&'static [&'static str]),
    /// A list of texts.
    Texts,
}

/// Refuses a text that isn't a document of the type BEDROCK_POLICY.
///
/// # Errors
/// `MalformedPolicyDocumentException`.
pub(super) fn check(text: &str, switches: Switches) -> Result<(), ApiError> {
    let is_document = Tree::parse(text).is_some_and(|tree| match &tree {
        // `{}` is refused; the root key with nothing in it isn't (organization-policies §1.2).
        Tree::Object(members) => !members.is_empty() && fits(&tree, &Form::Members(root), switches),
        _ => false,
    });
    if is_document { Ok(()) } else { Err(malformed()) }
}

pub(super) fn malformed() -> ApiError {
    let message = "The provided policy document does not meet the requirements of the specified policy type.";
    ApiError::new("MalformedPolicyDocumentException", message)
}

fn fits(tree: &Tree, form: &Form, switches: Switches) -> bool {
    let Tree::Object(members) = tree else { return false };
    let mut names: Vec<String> = members.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    // Names that differ in the case of letters only are refused as the same.
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return false;
    }
    members.iter().all(|(name, value)| match (name.as_str(), form) {
        (CONTROL, _) => value.texts().is_some_and(|words| allowed(&words).is_some()),
        ("@@assign", Form::OneText(words)) => {
            matches!(value, Tree::Text(text) if words.is_empty() || words.contains(&text.as_str()))
        }
        ("@@assign" | "@@append" | "@@remove", Form::Texts) => value.texts().is_some(),
        (name, Form::Members(member)) if !name.starts_with("@@") => {
            member(name, switches).is_some_and(|form| fits(value, &form, switches))
        }
        _ => false,
    }) && (!members.is_empty() || matches!(form, Form::Members(_)))
}

fn root(name: &str, _: Switches) -> Option<Form> {
    (name == "bedrock").then_some(Form::Members(bedrock))
}

fn bedrock(name: &str, _: Switches) -> Option<Form> {
    (name == "guardrail_inference").then_some(Form::Members(regions))
}

/// Any name that has the form of a Region's: AWS documents no wildcard.
fn regions(name: &str, _: Switches) -> Option<Form> {
    let parts: Vec<&str> = name.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let [words @ .., number] = parts.as_slice() else { return None };
    let is_region = words.len() >= 2
        && words.iter().all(is_word)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit());
    is_region.then_some(Form::Members(configurations))
}

fn configurations(name: &str, _: Switches) -> Option<Form> {
    (!name.is_empty()).then_some(Form::Members(configuration))
}

fn configuration(name: &str, switches: Switches) -> Option<Form> {
    match name {
        "identifier" => Some(Form::OneText(&[])),
        "selective_content_guarding" => Some(Form::Members(guarding)),
        "model_enforcement" => Some(Form::Members(models)),
        "input_tags" if switches.input_tags == Answer::Accepted => Some(Form::OneText(&["honor", "ignore"])),
        _ => None,
    }
}

fn guarding(name: &str, _: Switches) -> Option<Form> {
    matches!(name, "system" | "messages").then_some(Form::OneText(&["selective", "comprehensive"]))
}

fn models(name: &str, _: Switches) -> Option<Form> {
    matches!(name, "included_models" | "excluded_models").then_some(Form::Texts)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const IDENTIFIER: &str = "arn:aws:bedrock:us-east-1:111111111111:guardrail/abc:1";

    fn is_taken(text: &str, switches: Switches) -> bool {
        check(text, switches).is_ok()
    }

    fn document(configuration: &Value) -> String {
        json!({ "bedrock": { "guardrail_inference": { "us-east-1": { "config_1": configuration } } } })
            .to_string()
    }

    #[test]
    fn the_documented_example_is_taken() {
        let full = document(&json!({
            "identifier": { "@@assign": IDENTIFIER, "@@operators_allowed_for_child_policies": ["@@none"] },
            "selective_content_guarding": {
                "system": { "@@assign": "selective" }, "messages": { "@@assign": "comprehensive" },
            },
            "model_enforcement": {
                "included_models": { "@@assign": ["ALL"] },
                "excluded_models": { "@@append": ["amazon.titan-embed-text-v2:0"], "@@assign": [] },
            },
        }));
        assert!(is_taken(&full, Switches::default()));
        assert!(is_taken(r#"{"bedrock":{}}"#, Switches::default()), "the root key alone");
        // A merge may bring the identifier.
        let part =
            document(&json!({ "selective_content_guarding": { "system": { "@@assign": "selective" } } }));
        assert!(is_taken(&part, Switches::default()));
    }

    #[test]
    fn everything_else_is_refused_without_a_place() {
        let refused = [
            "{}".to_owned(),
            "[]".to_owned(),
            "{".to_owned(),
            r#"{"tags":{}}"#.to_owned(),
            r#"{"bedrock":{"guardrails":{}}}"#.to_owned(),
            r#"{"bedrock":{"guardrail_inference":{"*":{}}}}"#.to_owned(),
            r#"{"bedrock":{},"bedrock":{}}"#.to_owned(),
            r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"a":{},"A":{}}}}}"#.to_owned(),
            document(&json!({ "identifier": IDENTIFIER })),
            document(&json!({ "identifier": {} })),
            document(&json!({ "identifier": { "@@append": [IDENTIFIER] } })),
            document(&json!({ "identifier": { "@@assign": [IDENTIFIER] } })),
            document(&json!({ "identifier": { "@@operators_allowed_for_child_policies": ["@@some"] } })),
            document(
                &json!({ "identifier": { "@@operators_allowed_for_child_policies": ["@@none", "@@assign"] } }),
            ),
            document(
                &json!({ "identifier": { "@@operators_allowed_for_child_policies": ["@@all", "@@all"] } }),
            ),
            document(&json!({ "selective_content_guarding": { "system": { "@@assign": "SELECTIVE" } } })),
            document(&json!({ "selective_content_guarding": { "tools": { "@@assign": "selective" } } })),
            document(&json!({ "model_enforcement": { "included_models": { "@@assign": "ALL" } } })),
            document(&json!({ "model_enforcement": { "included_models": ["ALL"] } })),
            document(&json!({ "guardrailIdentifier": { "@@assign": IDENTIFIER } })),
        ];
        for text in refused {
            let error = check(&text, Switches::default()).expect_err(&text);
            assert_eq!(error.code, "MalformedPolicyDocumentException");
            assert_eq!(error, malformed(), "the same words for every mistake");
        }
    }

    #[test]
    fn the_form_of_the_preview_is_taken_if_that_is_switched_on() {
        let preview = document(&json!({
            "identifier": { "@@assign": IDENTIFIER }, "input_tags": { "@@assign": "honor" },
        }));
        assert!(!is_taken(&preview, Switches::default()));
        assert!(is_taken(&preview, Switches { input_tags: Answer::Accepted, ..Switches::default() }));
    }
}
