//! Whether somebody's policy says what one of the keeper's own could.

use serde_json::{Value, json};

use super::*;

fn settings() -> Value {
    json!({
        "identifier": { "@@assign": "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1" },
        "selective_content_guarding": {
            "system": { "@@assign": "comprehensive" }, "messages": { "@@assign": "comprehensive" }
        },
        "model_enforcement": { "included_models": { "@@assign": ["ALL"] }, "excluded_models": { "@@assign": [] } },
    })
}

fn form(inference: &Value) -> OwnForm {
    let text = json!({ "bedrock": { "guardrail_inference": inference } }).to_string();
    BedrockPolicy::parse(&text).unwrap_or_else(|error| panic!("{error} in {text}")).own_form()
}

/// What stands in the way, and whether the keeper could say the same.
fn obstacles(inference: &Value) -> (Vec<String>, bool) {
    match form(inference) {
        OwnForm::Is(own) => panic!("{}", own.text()),
        OwnForm::IsNot { obstacles, alike } => {
            (obstacles.iter().map(ToString::to_string).collect(), alike.is_some())
        }
    }
}

#[test]
fn what_the_keeper_would_write_is_its_own_form() {
    let ours = json!({ "us-east-1": { "keeper": settings() } });
    let OwnForm::Is(own) = form(&ours) else { panic!("{:?}", form(&ours)) };
    assert_eq!(own.regions, [(region("us-east-1"), enforcement("us-east-1", 1))].into());
    assert_eq!(BedrockPolicy::parse(&own.text()).unwrap().own_form(), OwnForm::Is(own));
}

#[test]
fn every_setting_that_stands_in_the_way_is_named_at_once() {
    let changed = |change: fn(&mut Value)| {
        let mut settings = settings();
        change(&mut settings);
        json!({ "us-east-1": { "keeper": settings } })
    };
    let at = "bedrock.guardrail_inference.us-east-1";
    for (inference, expected, is_alike) in [
        (
            json!({ "us-east-1": { "main": settings() } }),
            vec![r#"the configuration "main" of us-east-1 is not named "keeper""#.to_owned()],
            true,
        ),
        (
            changed(|settings| drop(settings.as_object_mut().unwrap().remove("selective_content_guarding"))),
            vec![
                "us-east-1 leaves out selective_content_guarding.system".to_owned(),
                "us-east-1 leaves out selective_content_guarding.messages".to_owned(),
            ],
            true,
        ),
        (
            changed(|settings| {
                settings["model_enforcement"]["excluded_models"] = json!({ "@@append": ["amazon.titan-v2"] });
            }),
            vec![format!("{at}.keeper.model_enforcement.excluded_models appends or removes")],
            false,
        ),
        (
            changed(|settings| {
                settings["identifier"]["@@operators_allowed_for_child_policies"] = json!(["@@none"]);
            }),
            vec![format!("{at}.keeper.identifier says what policies below may change")],
            false,
        ),
        (
            changed(|settings| {
                settings["model_enforcement"]["@@operators_allowed_for_child_policies"] = json!(["@@none"]);
            }),
            vec![format!("{at}.keeper.model_enforcement says what policies below may change")],
            false,
        ),
        (
            json!({ "us-east-1": { "keeper": settings(), "other": settings() } }),
            vec![
                r#"the configuration "other" of us-east-1 is not named "keeper""#.to_owned(),
                "us-east-1 has more than one configuration".to_owned(),
            ],
            false,
        ),
        (
            changed(|settings| settings["model_enforcement"]["included_models"] = json!({ "@@assign": [] })),
            vec![format!("{at}.keeper.identifier has a value that the keeper writes in another form")],
            true,
        ),
        (json!({}), vec!["it enforces nothing".to_owned()], false),
    ] {
        let (found, alike) = obstacles(&inference);
        // A value in another form is named with the rest of its Region.
        let found: Vec<String> = if found.iter().all(|one| one.contains("in another form")) {
            found.into_iter().filter(|one| one.contains("identifier")).collect()
        } else {
            found
        };
        assert_eq!((found, alike), (expected, is_alike), "{inference}");
    }
}

#[test]
fn the_keepers_document_that_enforces_the_same_is_given_where_there_is_one() {
    let mut settings = settings();
    settings.as_object_mut().unwrap().remove("model_enforcement");
    let OwnForm::IsNot { alike: Some(alike), .. } = form(&json!({ "us-east-1": { "main": settings } }))
    else {
        panic!("the keeper can say the same")
    };
    assert_eq!(alike.regions, [(region("us-east-1"), enforcement("us-east-1", 1))].into());
    // What isn't known is nothing that the keeper could say.
    let unknown = json!({ "us-east-1": { "main": { "new": { "@@assign": "x" } } } });
    let (found, is_alike) = obstacles(&unknown);
    assert!(
        !is_alike && found.iter().any(|one| one.ends_with("is nothing that the keeper writes")),
        "{found:?}"
    );
}
