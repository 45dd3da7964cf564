//! Laws of the digest, over generated guardrails and over every member of a full one.

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::json;

use super::*;

fn content(answer: &Value) -> Result<Content, CannotCopy> {
    Content::of_answer(answer.to_string().as_bytes())
}

#[track_caller]
fn digest(answer: &Value) -> Digest {
    content(answer).unwrap_or_else(|why| panic!("{why}\n{answer:#}")).digest()
}

fn minimal() -> Value {
    json!({
        "name": "corporate", "guardrailId": "abc", "version": "3", "status": "READY",
        "guardrailArn": "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc",
        "createdAt": "2026-11-02T09:00:00Z", "updatedAt": "2026-11-02T09:00:00Z",
        "blockedInputMessaging": "no", "blockedOutputsMessaging": "not that",
    })
}

/// Everything that the service model has, with nothing at its default.
fn full() -> Value {
    let sides = json!({
        "inputAction": "NONE", "outputAction": "NONE", "inputEnabled": false, "outputEnabled": false,
    });
    let with = |own: Value| {
        let mut all = sides.clone();
        all.as_object_mut().unwrap().append(&mut own.as_object().unwrap().clone());
        all
    };
    let mut answer = minimal();
    answer.as_object_mut().unwrap().append(
        json!({
            "topicPolicy": {
                "topics": [
                    with(json!({ "name": "Law", "definition": "Legal advice.", "type": "DENY",
                        "examples": ["May I?", "Must I?"] })),
                    with(json!({ "name": "Money", "definition": "Investments.", "type": "DENY" })),
                ],
                "tier": { "tierName": "STANDARD" },
            },
            "contentPolicy": {
                "filters": [
                    with(json!({ "type": "HATE", "inputStrength": "HIGH", "outputStrength": "LOW",
                        "inputModalities": ["TEXT", "IMAGE"], "outputModalities": ["IMAGE"] })),
                    with(json!({ "type": "VIOLENCE", "inputStrength": "MEDIUM", "outputStrength": "NONE",
                        "inputModalities": ["IMAGE"], "outputModalities": ["IMAGE"] })),
                ],
                "tier": { "tierName": "STANDARD" },
            },
            "wordPolicy": {
                "words": [with(json!({ "text": "rosebud" })), with(json!({ "text": "tungsten" }))],
                "managedWordLists": [with(json!({ "type": "PROFANITY" }))],
            },
            "sensitiveInformationPolicy": {
                "piiEntities": [
                    with(json!({ "type": "EMAIL", "action": "ANONYMIZE" })),
                    with(json!({ "type": "US_PASSPORT_NUMBER", "action": "BLOCK" })),
                ],
                "regexes": [with(json!({ "name": "ticket", "description": "Of ours.",
                    "pattern": "T-[0-9]+", "action": "BLOCK" }))],
            },
            "contextualGroundingPolicy": {
                "filters": [
                    { "type": "GROUNDING", "threshold": 0.7, "action": "NONE", "enabled": false },
                    { "type": "RELEVANCE", "threshold": 0.55, "action": "NONE", "enabled": false },
                ],
                "tier": { "tierName": "STANDARD" },
            },
            "crossRegionDetails": {
                "guardrailProfileId": "us.guardrail.v1:0",
                "guardrailProfileArn":
                    "arn:aws:bedrock:us-east-1:222222222222:guardrail-profile/us.guardrail.v1:0",
            },
        })
        .as_object_mut()
        .unwrap(),
    );
    answer
}

/// The JSON pointers of every value inside, itself included.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                pointers(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn inside(answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    pointers(answer, "", &mut found);
    found.retain(|at| {
        let top = at.split('/').nth(1).unwrap_or_default();
        // The ARN repeats the id, in an account that doesn't matter.
        !at.is_empty() && !NOT_CONTENT.contains(&top) && !at.ends_with("guardrailProfileArn")
    });
    found
}

#[test]
fn every_value_matters() {
    let full = full();
    let original = digest(&full);
    for at in inside(&full) {
        let mut changed = full.clone();
        let value = changed.pointer_mut(&at).unwrap();
        match value {
            Value::Bool(flag) => *flag = !*flag,
            Value::Number(_) => *value = json!(0.123),
            Value::String(text) if at.ends_with("guardrailProfileId") => *text = "eu.guardrail.v1:0".into(),
            Value::String(text) => text.push('X'),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        }
        assert_ne!(digest(&changed), original, "{at} doesn't matter");
    }
}

#[test]
fn every_member_matters_also_by_its_absence() {
    let full = full();
    let original = digest(&full);
    for at in inside(&full) {
        let (parent, last) = at.rsplit_once('/').unwrap();
        let mut changed = full.clone();
        match changed.pointer_mut(parent).unwrap() {
            Value::Array(values) => drop(values.remove(last.parse().unwrap())),
            Value::Object(members) => drop(members.remove(last)),
            other => panic!("{other} holds nothing"),
        }
        // There is only one type of topic, and the profile's ARN tells its id as well.
        let same = at.ends_with("/type") && at.contains("/topics/") || at.ends_with("guardrailProfileId");
        match content(&changed) {
            Ok(content) => assert_eq!(content.digest() == original, same, "{at}"),
            Err(CannotCopy::Unknown(_)) => {}
            Err(CannotCopy::AutomatedReasoning) => panic!("{at}"),
        }
    }
}

#[test]
fn what_is_about_the_guardrail_is_not_compared() {
    let original = digest(&full());
    for (name, value) in [
        ("name", json!("corporate-keeper")),
        ("description", json!("Guardrail Keeper copy of …")),
        ("guardrailId", json!("xyz")),
        ("version", json!("17")),
        ("status", json!("VERSIONING")),
        ("kmsKeyArn", json!("arn:aws:kms:us-east-1:222222222222:key/…")),
        ("statusReasons", json!(["it is late"])),
        ("updatedAt", json!("2027-01-01T00:00:00Z")),
        // AWS may add such a thing any day.
        ("lastUsedAt", json!("2027-01-01T00:00:00Z")),
    ] {
        let mut answer = full();
        answer[name] = value;
        assert_eq!(digest(&answer), original, "{name}");
    }
}

#[test]
fn the_profile_is_compared_by_its_id() {
    let mut copy = full();
    copy["crossRegionDetails"] = json!({
        "guardrailProfileArn": "arn:aws:bedrock:us-east-1:300000000001:guardrail-profile/us.guardrail.v1:0",
    });
    assert_eq!(digest(&copy), digest(&full()));
    assert_eq!(content(&copy).unwrap().profile.unwrap().as_str(), "us.guardrail.v1:0");
}

#[test]
fn the_profile_says_where_and_not_what() {
    let of = |profile: &str| {
        let mut answer = full();
        answer["crossRegionDetails"] = json!({ "guardrailProfileId": profile });
        content(&answer).unwrap()
    };
    let (us, eu) = (of("us.guardrail.v1:0"), of("eu.guardrail.v1:0"));
    assert_ne!(us.digest(), eu.digest());
    assert_eq!(us.digest_across_regions(), eu.digest_across_regions());
    let mut other = full();
    other["blockedInputMessaging"] = json!("another");
    assert_ne!(content(&other).unwrap().digest_across_regions(), us.digest_across_regions());
}

#[test]
fn absent_means_its_default_and_empty_means_absent() {
    let bare = json!({
        "topicPolicy": { "topics": [{ "name": "Law", "definition": "Legal advice." }] },
        "contentPolicy": { "filters": [{ "type": "HATE", "inputStrength": "HIGH", "outputStrength": "LOW" }] },
        "wordPolicy": { "words": [{ "text": "rosebud" }] },
        "sensitiveInformationPolicy": { "piiEntities": [{ "type": "EMAIL", "action": "ANONYMIZE" }] },
        "contextualGroundingPolicy": { "filters": [{ "type": "GROUNDING", "threshold": 1 }] },
    });
    let sides = |action: &str| json!({ "inputAction": action, "outputAction": action, "inputEnabled": true, "outputEnabled": true });
    let mut explicit = bare.clone();
    for (at, action, more) in [
        ("/topicPolicy/topics/0", "BLOCK", json!({ "type": "DENY", "examples": [] })),
        (
            "/contentPolicy/filters/0",
            "BLOCK",
            json!({ "inputModalities": ["TEXT"], "outputModalities": ["TEXT"] }),
        ),
        ("/wordPolicy/words/0", "BLOCK", json!({})),
        ("/sensitiveInformationPolicy/piiEntities/0", "ANONYMIZE", json!({})),
    ] {
        let part = explicit.pointer_mut(at).unwrap().as_object_mut().unwrap();
        part.append(sides(action).as_object_mut().unwrap());
        part.append(more.clone().as_object_mut().unwrap());
    }
    explicit["contextualGroundingPolicy"]["filters"][0] =
        json!({ "type": "GROUNDING", "threshold": 1.0, "action": "BLOCK", "enabled": true });
    for policy in ["topicPolicy", "contentPolicy", "contextualGroundingPolicy"] {
        explicit[policy]["tier"] = json!({ "tierName": "CLASSIC" });
    }
    explicit["wordPolicy"]["managedWordLists"] = json!([]);
    explicit["sensitiveInformationPolicy"]["regexes"] = Value::Null;
    explicit["crossRegionDetails"] = json!({});

    let whole = |parts: &Value| {
        let mut answer = minimal();
        answer.as_object_mut().unwrap().append(&mut parts.as_object().unwrap().clone());
        answer
    };
    assert_eq!(digest(&whole(&explicit)), digest(&whole(&bare)));

    let hollow = json!({
        "contentPolicy": { "filters": [], "tier": { "tierName": "STANDARD" } },
        "wordPolicy": { "words": [] },
    });
    assert_eq!(digest(&whole(&hollow)), digest(&minimal()));
}

#[test]
fn values_that_are_new_are_copied_as_they_stand() {
    let mut answer = full();
    answer["sensitiveInformationPolicy"]["piiEntities"][0]["type"] = json!("MARTIAN_PASSPORT_NUMBER");
    answer["contentPolicy"]["tier"]["tierName"] = json!("PREMIUM");
    assert_ne!(digest(&answer), digest(&full()));
}

#[track_caller]
fn cannot_copy(at: &str, value: Value, expected: &str) {
    let mut answer = full();
    let (parent, last) = at.rsplit_once('/').unwrap();
    answer.pointer_mut(parent).unwrap()[last] = value;
    match content(&answer) {
        Err(CannotCopy::Unknown(what)) => assert!(what.contains(expected), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_isnt_known_is_never_left_out() {
    cannot_copy("/promptLeakagePolicy", json!({ "enabled": true }), "promptLeakagePolicy");
    cannot_copy("/extraPolicies", json!([1]), "extraPolicies");
    cannot_copy("/contentPolicy/mode", json!("STRICT"), "contentPolicy: unknown field `mode`");
    cannot_copy("/contentPolicy/tier/size", json!(1), "contentPolicy: unknown field `size`");
    cannot_copy("/crossRegionDetails/kind", json!("X"), "crossRegionDetails");
    cannot_copy("/crossRegionDetails", json!({ "guardrailProfileId": "My Profile" }), "crossRegionDetails");
    for policy in ["/topicPolicy/topics", "/contentPolicy/filters", "/wordPolicy/words"] {
        let mut answer = full();
        answer.pointer_mut(&format!("{policy}/0")).unwrap()["surprise"] = json!(true);
        assert!(matches!(content(&answer), Err(CannotCopy::Unknown(_))), "{policy}");
    }
    // The very same members, saying nothing, are no reason to refuse.
    let mut answer = full();
    answer["promptLeakagePolicy"] = json!({});
    answer["contentPolicy"]["mode"] = Value::Null;
    assert_eq!(digest(&answer), digest(&full()));
}

#[test]
fn automated_reasoning_is_not_copied() {
    let mut answer = full();
    answer["automatedReasoningPolicy"] = json!({ "policies": ["arn:aws:bedrock:…"] });
    assert_eq!(content(&answer).unwrap_err(), CannotCopy::AutomatedReasoning);
    answer["automatedReasoningPolicy"] = json!({ "policies": [] });
    assert_eq!(digest(&answer), digest(&full()));
}

#[test]
fn what_is_no_answer_is_no_guardrail() {
    for body in ["", "{}", "null", "[]", "{\"name\":", "<html>", "{\"blockedInputMessaging\":\"no\"}"] {
        assert!(matches!(Content::of_answer(body.as_bytes()), Err(CannotCopy::Unknown(_))), "{body}");
    }
}

/// Any part of a guardrail's policies, with some optional members left out.
fn answers() -> impl Strategy<Value = Value> {
    let names = ["topicPolicy", "contentPolicy", "wordPolicy", "sensitiveInformationPolicy"];
    let policies =
        subsequence([&names[..], &["contextualGroundingPolicy", "crossRegionDetails"]].concat(), 1..=6);
    let thinned = prop::collection::vec(any::<Index>(), 0..12);
    let words = prop::collection::vec("[a-zA-Z \"\\\\{}\\[\\],:é]{1,12}", 0..6);
    (policies, thinned, words, select(vec!["no", "NO", ""])).prop_map(
        |(policies, thinned, words, message)| {
            let full = full();
            let mut answer = minimal();
            for policy in policies {
                answer[policy] = full[policy].clone();
            }
            answer["blockedInputMessaging"] = json!(message);
            if let Some(list) = answer.pointer_mut("/wordPolicy/words") {
                *list = words.iter().map(|text| json!({ "text": text })).collect();
            }
            for index in thinned {
                let all = inside(&answer);
                if all.is_empty() {
                    break;
                }
                let (parent, last) = index.get(&all).rsplit_once('/').unwrap();
                let mut thinner = answer.clone();
                match thinner.pointer_mut(parent).unwrap() {
                    Value::Array(values) => drop(values.remove(last.parse().unwrap())),
                    Value::Object(members) => drop(members.remove(last)),
                    _ => {}
                }
                if content(&thinner).is_ok() {
                    answer = thinner;
                }
            }
            answer
        },
    )
}

/// Turns every list by some places, and over if it says so.
fn turned(value: &Value, by: usize) -> Value {
    match value {
        Value::Array(values) => {
            let mut values: Vec<Value> = values.iter().map(|value| turned(value, by)).collect();
            let places = by % values.len().max(1);
            values.rotate_left(places);
            if by % 2 == 1 {
                values.reverse();
            }
            Value::Array(values)
        }
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), turned(value, by))).collect())
        }
        other => other.clone(),
    }
}

/// What is compared, written in another way: as a set of paths and values, with defaults in place.
fn meaning(answer: &Value) -> std::collections::BTreeSet<String> {
    fn facts(value: &Value) -> String {
        match value {
            Value::Array(values) => {
                let set: std::collections::BTreeSet<String> = values.iter().map(facts).collect();
                format!("{set:?}")
            }
            Value::Object(members) => {
                let map: std::collections::BTreeMap<&String, String> =
                    members.iter().map(|(name, value)| (name, facts(value))).collect();
                format!("{map:?}")
            }
            other => other.to_string(),
        }
    }
    let filled = content(answer).expect("it can be copied");
    let value = serde_json::to_value(filled.filled()).expect("JSON");
    let told = telling(value).expect("there are messages");
    told.as_object().unwrap().iter().map(|(name, value)| format!("{name} {}", facts(value))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn law_the_order_of_lists_says_nothing(answer in answers(), by in 0..50_usize) {
        prop_assert_eq!(digest(&turned(&answer, by)), digest(&answer));
    }

    #[test]
    fn law_digests_are_equal_exactly_when_meanings_are(one in answers(), other in answers()) {
        prop_assert_eq!(digest(&one) == digest(&other), meaning(&one) == meaning(&other));
    }

    #[test]
    fn law_hostile_answers_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(Content::of_answer(&body));
    }
}
