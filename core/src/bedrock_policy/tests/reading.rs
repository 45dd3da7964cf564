//! What is read of a text, and everything that is wrong with it, with its place.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn problems(text: &str, expected: &Expect) {
    let error = BedrockPolicy::check(text).unwrap_err();
    expected.assert_eq(&error.to_string());
    assert_eq!(
        BedrockPolicy::parse(text).is_err(),
        error.problems().iter().any(|problem| problem.kind.stops_reading()),
        "{text}"
    );
}

/// The example of the Organizations user guide, with every operator.
const COMPLETE: &str = r#"{
  "bedrock": {
    "guardrail_inference": {
      "us-east-1": {
        "config_1": {
          "identifier": {
            "@@assign": "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2",
            "@@operators_allowed_for_child_policies": ["@@none"]
          },
          "selective_content_guarding": {
            "system": {"@@assign": "selective"},
            "messages": {"@@assign": "comprehensive"}
          },
          "model_enforcement": {
            "included_models": {"@@assign": ["ALL"], "@@append": ["amazon.nova-pro-v1:0"]},
            "excluded_models": {"@@assign": [], "@@remove": ["amazon.nova-pro-v1:0"]}
          }
        }
      }
    }
  }
}"#;

#[test]
fn what_the_user_guide_shows_is_good() {
    let policy = BedrockPolicy::check(COMPLETE).unwrap();
    assert!(policy.findings().is_empty());
    assert!(BedrockPolicy::check(r#"{"bedrock":{}}"#).is_ok());
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    problems(
        r#"{
  "bedrock": {
    "guardrail_inference": {
      "everywhere": {"config_1": {"identifier": {"@@assign": "corporate"}}},
      "us-east-1": {
        "Config_1": {
          "identifier": {"@@assign": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/abc123:2"},
          "input_tags": {"@@assign": "honor"},
          "selective_content_guarding": {"system": {"@@assign": "SELECTIVE"}},
          "model_enforcement": {"included_models": {"@@assign": ["ALL"]}},
          "new_setting": {"@@assign": 1}
        }
      },
      "eu-west-1": {"config_1": {"selective_content_guarding": {"messages": {"@@assign": "selective"}}}}
    }
  },
  "other": {"@@assign": "x"}
}"#,
        &expect![[r#"
            4:7: bedrock.guardrail_inference.everywhere: no Region; write its code, for example us-east-1: there is no form for all Regions
            4:62: bedrock.guardrail_inference.everywhere.config_1.identifier.@@assign: "corporate" is no guardrail's ARN with a numeric version, and every call would fail; write arn:aws:bedrock:REGION:ACCOUNT:guardrail/ID:VERSION
            6:9: bedrock.guardrail_inference.us-east-1.Config_1: AWS may publish the name in lower case; write it in lower case
            6:9: bedrock.guardrail_inference.us-east-1.Config_1: one of two lists of models, and AWS may require both; write both
            7:38: bedrock.guardrail_inference.us-east-1.Config_1.identifier.@@assign: the guardrail is of another Region, and every call would fail; write one of this Region
            8:11: bedrock.guardrail_inference.us-east-1.Config_1.input_tags: AWS's preview had this setting; write selective_content_guarding instead
            9:65: bedrock.guardrail_inference.us-east-1.Config_1.selective_content_guarding.system.@@assign: "SELECTIVE" is not known; write selective
            11:11: bedrock.guardrail_inference.us-east-1.Config_1.new_setting: AWS documents no such setting; remove it
            14:21: bedrock.guardrail_inference.eu-west-1.config_1: no identifier is assigned: unless a policy above does, accounts are frozen; write one
            17:3: other: AWS documents no such setting; remove it"#]],
    );
}

#[test]
fn what_aws_refuses_stops_reading() {
    problems("{}", &expect!["1:1: AWS refuses an empty policy; write {\"bedrock\":{}} at least"]);
    problems("[]", &expect!["1:1: no keys stand here; write an object"]);
    problems("{\"bedrock\":\n{\"a\" 1}}", &expect!["2:6: this is not JSON: expected `:`"]);
    problems(
        r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"c":{"identifier":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2"}}}}}"#,
        &expect![
            "1:67: bedrock.guardrail_inference.us-east-1.c.identifier: a value without an operator; write {\"@@assign\": …}"
        ],
    );
    problems(
        r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"c":{
            "identifier":{"@@append":["x"],"@@remove":["y"],"@@assign":["x"]},
            "model_enforcement":{"included_models":{"@@assign":"ALL","@@append":"x","@@replace":[]},
                                 "excluded_models":{"@@assign":[["x"]],"@@operators_allowed_for_child_policies":["@@none","@@all"]}},
            "selective_content_guarding":{"@@assign":"x","system":{"@@assign":null}},
            "selective_content_guarding":{"messages":{"@@assign":"selective","@@operators_allowed_for_child_policies":"@@none"}},
            "Identifier":{}
        }},"US-east-1":{}}}}"#,
        &expect![[r#"
            2:27: bedrock.guardrail_inference.us-east-1.c.identifier.@@append: the setting is no list; write @@assign
            2:44: bedrock.guardrail_inference.us-east-1.c.identifier.@@remove: the setting is no list; write @@assign
            2:72: bedrock.guardrail_inference.us-east-1.c.identifier.@@assign: a text belongs here; write one
            3:64: bedrock.guardrail_inference.us-east-1.c.model_enforcement.included_models.@@assign: a list of texts belongs here; write one
            3:81: bedrock.guardrail_inference.us-east-1.c.model_enforcement.included_models.@@append: a list of texts belongs here; write one
            3:85: bedrock.guardrail_inference.us-east-1.c.model_enforcement.included_models.@@replace: an unknown operator; known are @@assign, @@append, @@remove and @@operators_allowed_for_child_policies
            4:65: bedrock.guardrail_inference.us-east-1.c.model_enforcement.excluded_models.@@assign: a text belongs here; write one
            4:113: bedrock.guardrail_inference.us-east-1.c.model_enforcement.excluded_models.@@operators_allowed_for_child_policies: no list of operators; write ["@@all"], ["@@none"], or some of @@assign, @@append and @@remove
            5:43: bedrock.guardrail_inference.us-east-1.c.selective_content_guarding.@@assign: an operator stands beside keys; a setting has operators, and what holds settings has keys
            5:79: bedrock.guardrail_inference.us-east-1.c.selective_content_guarding.system.@@assign: a text belongs here; write one
            6:13: bedrock.guardrail_inference.us-east-1.c.selective_content_guarding: written twice; keep one
            6:119: bedrock.guardrail_inference.us-east-1.c.selective_content_guarding.messages.@@operators_allowed_for_child_policies: a list of texts belongs here; write one
            7:13: bedrock.guardrail_inference.us-east-1.c.Identifier: differs from "identifier" in letter case only; keep one
            8:12: bedrock.guardrail_inference.US-east-1: differs from "us-east-1" in letter case only; keep one"#]],
    );
}

/// What is nearly right is told with what is right.
#[test]
fn slips_are_told_with_what_was_meant() {
    problems(
        r#"{"bedrock":{"guardrail_inference":{
  "US-EAST-1": {"c": {"identifer": {"@@assign": "x"}, "identifier": {"@@assign": " arn:aws:bedrock:us-east-1:111111111111:guardrail/abc:1"}}},
  "eu-west-1a": {"c": {"identifier": {"@@assign": "arn:aws:bedrock:eu-west-1:111111111111:guardrail/abc:1"}}},
  "us-gov-west-1": {"c": {"identifier": {"@@assign": "arn:aws:bedrock:us-gov-west-1:111111111111:guardrail/abc:1"}}},
  "eu-west-1": {"c": {
    "identifier": {"@@assign": "arn:aws-us-gov:bedrock:us-east-1:111111111111:guardrail/abc:1"},
    "model_enforcment": {"included_models": {"@@assign": ["ALL"]}},
    "model_enforcement": {"include": {"@@assign": ["ALL"]}, "included-models": {"@@assign": ["ALL"]}},
    "selective_content_guarding": {"system": {"@@assign": "COMPREHENSIVE"}, "messages": {"@@assign": "all"}}
  }}
}}, "bedrok": {}}"#,
        &expect![[r#"
            2:3: bedrock.guardrail_inference.US-EAST-1: no Region; write us-east-1
            2:23: bedrock.guardrail_inference.US-EAST-1.c.identifer: AWS documents no such setting; write identifier in place of "identifer"
            2:82: bedrock.guardrail_inference.US-EAST-1.c.identifier.@@assign: " arn:aws:bedrock:us-east-1:111111111111:guardrail/abc:1" is no guardrail's ARN with a numeric version, and every call would fail; write arn:aws:bedrock:us-east-1:111111111111:guardrail/abc:1, without the white space around it
            3:3: bedrock.guardrail_inference.eu-west-1a: no Region; write eu-west-1
            4:54: bedrock.guardrail_inference.us-gov-west-1.c.identifier.@@assign: the ARN is of partition aws, and us-gov-west-1 is in aws-us-gov, so every call would fail; write arn:aws-us-gov:…
            6:32: bedrock.guardrail_inference.eu-west-1.c.identifier.@@assign: the guardrail is of another Region, and every call would fail; write one of this Region
            6:32: bedrock.guardrail_inference.eu-west-1.c.identifier.@@assign: the ARN is of partition aws-us-gov, and us-east-1 is in aws, so every call would fail; write arn:aws:…
            7:26: bedrock.guardrail_inference.eu-west-1.c.model_enforcment.included_models: AWS documents no such setting; write model_enforcement in place of "model_enforcment"
            8:27: bedrock.guardrail_inference.eu-west-1.c.model_enforcement.include: AWS documents no such setting; remove it
            8:61: bedrock.guardrail_inference.eu-west-1.c.model_enforcement.included-models: AWS documents no such setting; write included_models in place of "included-models"
            9:59: bedrock.guardrail_inference.eu-west-1.c.selective_content_guarding.system.@@assign: "COMPREHENSIVE" is not known; write comprehensive
            9:102: bedrock.guardrail_inference.eu-west-1.c.selective_content_guarding.messages.@@assign: "all" is not known; write selective or comprehensive
            11:5: bedrok: AWS documents no such setting; write bedrock in place of "bedrok""#]],
    );
    problems(
        r#"{"bedrock":{"guardrails":{}}}"#,
        &expect!["1:13: bedrock.guardrails: AWS documents no such setting; remove it"],
    );
    problems(r#"{"tags":{}}"#, &expect!["1:2: tags: AWS documents no such setting; remove it"]);
    problems(
        "\u{feff}{\"bedrock\":{}}",
        &expect!["1:1: it begins with a byte order mark, which is no JSON; save it as UTF-8 without one"],
    );
}

#[test]
fn the_length_counts_with_its_white_space() {
    let fitting = format!("{}{}", " ".repeat(MAX_POLICY_CHARACTERS - 14), r#"{"bedrock":{}}"#);
    assert!(BedrockPolicy::check(&fitting).is_ok());
    problems(
        &format!(" {fitting}"),
        &expect![
            "1:1: 10001 characters, and AWS takes 10000, white space included; write it without white space, or split it by Region"
        ],
    );
    // Characters, not bytes.
    let wide = r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"é":{}}}}}"#;
    let wide = format!("{}{wide}", " ".repeat(MAX_POLICY_CHARACTERS - wide.chars().count()));
    assert!(wide.len() > MAX_POLICY_CHARACTERS);
    assert!(BedrockPolicy::check(&wide).is_ok());
}

#[test]
fn what_is_foreign_is_kept_and_named() {
    let policy = foreign(&[
        r#"us-east-1/config_1/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2"}"#,
        r#"us-east-1/config_1/thresholds/low={"@@assign":["a","b"],"@@append":["c"]}"#,
        r#"us-east-1/config_1/count={"@@assign":3}"#,
    ]);
    let unknown: Vec<String> = policy.findings().iter().map(|finding| finding.path.to_string()).collect();
    assert_eq!(
        unknown,
        [
            "bedrock.guardrail_inference.us-east-1.config_1.count",
            "bedrock.guardrail_inference.us-east-1.config_1.thresholds.low",
        ]
    );
    let (key, at) = (policy_key(), point(ROOT));
    let merged = merge(&[MergeLevel { point: &at, policies: vec![(&key, &policy)] }], MergeRules::default());
    expect![[r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"config_1":{"count":"3","identifier":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2","thresholds":{"low":["a","b","c"]}}}}}}"#]]
        .assert_eq(&merged.unwrap().effective.text());
}

fn policy_key() -> PolicyKey {
    policy("foreign")
}

#[test]
fn the_preview_s_form_is_read() {
    let policy = foreign(&[
        r#"us-east-1/config_1/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2"}"#,
        r#"us-east-1/config_1/input_tags={"@@assign":"honor"}"#,
    ]);
    assert_eq!(policy.findings().len(), 1);
    assert_eq!(policy.findings()[0].kind, PolicyProblemKind::InputTags);
    let seen = EffectivePolicy::parse(
        r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"config_1":{"input_tags":"honor","identifier":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2"}}}}}"#,
    );
    let seen = seen.unwrap().regions();
    let meaning = &seen[&region("us-east-1")]["config_1"];
    let Meaning::Unclear(places) = meaning else { panic!("{meaning:?}") };
    let places: Vec<String> = places.iter().map(ToString::to_string).collect();
    assert_eq!(places, ["bedrock.guardrail_inference.us-east-1.config_1.input_tags"]);
}

#[test]
fn an_effective_policy_has_plain_values() {
    let text = r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"config_1":{"identifier":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2","model_enforcement":{"excluded_models":["b","a"],"included_models":[]},"selective_content_guarding":{"system":"selective"}}}}}}"#;
    let policy = EffectivePolicy::parse(text).unwrap();
    let expected = Enforcement {
        models: Models { include: Included::All, exclude: models(&["a", "b"]) },
        guarding: Guarding { system: ContentGuarding::Selective, messages: ContentGuarding::Comprehensive },
        ..enforcement("us-east-1", 2)
    };
    let meaning = &policy.regions()[&region("us-east-1")]["config_1"];
    assert_eq!(*meaning, Meaning::Enforcement(Box::new(expected)));
    assert_eq!(EffectivePolicy::parse(&policy.text()), Ok(policy));
    assert!(EffectivePolicy::parse("{}").unwrap().leaves().is_empty());

    for (text, expected) in [
        ("[]", "1:1: no keys stand here; write an object"),
        ("", "1:1: this is not JSON: EOF while parsing a value"),
        (r#"{"bedrock":null}"#, "1:12: bedrock: a text belongs here; write one"),
        (r#"{"bedrock":{"a":1,"a":2}}"#, "1:19: bedrock.a: written twice; keep one"),
        (
            r#"{"bedrock":{"@@assign":"x"}}"#,
            "1:13: bedrock.@@assign: an effective policy has no operators; give the policy as AWS published it",
        ),
    ] {
        assert_eq!(EffectivePolicy::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn what_means_nothing_known_is_unclear() {
    let good = "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2";
    for (settings, unclear) in [
        (format!(r#""identifier":"{good}""#), None),
        (
            r#""selective_content_guarding":{"system":"selective"}"#.to_owned(),
            Some("selective_content_guarding.system"),
        ),
        (format!(r#""identifier":"{}""#, good.replace(":2", ":DRAFT")), Some("identifier")),
        (format!(r#""identifier":"{}""#, good.trim_end_matches(":2")), Some("identifier")),
        (format!(r#""identifier":["{good}"]"#), Some("identifier")),
        (
            format!(r#""identifier":"{good}","selective_content_guarding":{{"system":"honor"}}"#),
            Some("selective_content_guarding.system"),
        ),
        (
            format!(r#""identifier":"{good}","model_enforcement":{{"included_models":"ALL"}}"#),
            Some("model_enforcement.included_models"),
        ),
        (format!(r#""identifier":"{good}","new":"x""#), Some("new")),
    ] {
        let text =
            format!(r#"{{"bedrock":{{"guardrail_inference":{{"us-east-1":{{"c":{{{settings}}}}}}}}}}}"#);
        let regions = EffectivePolicy::parse(&text).unwrap().regions();
        let places = match &regions[&region("us-east-1")]["c"] {
            Meaning::Enforcement(_) => None,
            Meaning::Unclear(places) => Some(places.iter().map(ToString::to_string).collect::<String>()),
        };
        let expected = unclear.map(|path| format!("bedrock.guardrail_inference.us-east-1.c.{path}"));
        assert_eq!(places, expected, "{text}");
    }
    let elsewhere = EffectivePolicy::parse(
        r#"{"bedrock":{"new":"x","guardrail_inference":{"everywhere":{"c":{"identifier":"x"}}}}}"#,
    );
    let elsewhere = elsewhere.unwrap();
    let unknown: Vec<String> = elsewhere.unknown().map(ToString::to_string).collect();
    assert_eq!(unknown, ["bedrock.guardrail_inference.everywhere.c.identifier", "bedrock.new"]);
    assert!(elsewhere.regions().is_empty());
}

#[test]
fn a_lock_alone_is_one_of_a_container_or_of_both() {
    let lock = r#"{"@@operators_allowed_for_child_policies":["@@none"]}"#;
    for (place, is_leaf, is_container) in [
        ("", false, true),
        ("us-east-1", false, true),
        ("us-east-1/c", false, true),
        ("us-east-1/c/model_enforcement", false, true),
        ("us-east-1/c/model_enforcement/included_models", true, false),
        ("us-east-1/c/identifier", true, false),
        ("us-east-1/c/input_tags", true, false),
        // Nobody knows what is below these.
        ("us-east-1/c/new", true, true),
        ("us-east-1/c/identifier/new", true, true),
    ] {
        let policy = foreign(&[&format!("{place}={lock}")]);
        assert_eq!(
            (!policy.leaves.is_empty(), !policy.containers.is_empty()),
            (is_leaf, is_container),
            "{place}"
        );
        let unknown = policy
            .findings()
            .iter()
            .any(|finding| matches!(finding.kind, PolicyProblemKind::UnknownKey { .. }));
        assert_eq!(unknown, is_leaf && is_container, "{place}");
    }
}

#[test]
fn two_forms_of_one_policy_say_the_same() {
    let one = r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"Config":{"identifier":"x","model_enforcement":{"included_models":["a","b"],"excluded_models":[]}}}}}}"#;
    let same = r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"config":{"model_enforcement":{"included_models":["b","a"]},"identifier":"x"}}}}}"#;
    let parse = |text: &str| EffectivePolicy::parse(text).unwrap();
    assert!(parse(one).says_the_same(&parse(same)));
    for other in [
        one.replace('x', "y"),
        one.replace(r#""b""#, r#""c""#),
        one.replace(r#""excluded_models":[]"#, r#""excluded_models":["a"]"#),
        one.replace("us-east-1", "us-east-2"),
        "{}".to_owned(),
    ] {
        assert!(!parse(one).says_the_same(&parse(&other)), "{other}");
        assert!(!parse(&other).says_the_same(&parse(one)), "{other}");
    }

    let changed = |before: &str, after: &str| -> Vec<String> {
        parse(before).changed_regions(&parse(after)).iter().map(ToString::to_string).collect()
    };
    let second = same.replace("us-east-1", "eu-west-1");
    assert_eq!(changed(one, same), Vec::<String>::new());
    assert_eq!(changed(one, &second), ["eu-west-1", "us-east-1"]);
    assert_eq!(changed("{}", &second), ["eu-west-1"]);
    assert_eq!(changed(&second, "{}"), ["eu-west-1"]);
    assert_eq!(changed(one, &one.replace('x', "y")), ["us-east-1"]);
}
