//! Whatever else can arrive: arbitrary and mutated JSON, deep nesting, a quarter of a megabyte.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use guardrail_keeper::trigger::{Delivery, Rejected, Trigger, decide};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use crate::harness::{check, settings};
use crate::samples;

/// The largest message that SQS took for most of its life.
const LARGE: usize = 256 * 1024;

/// Far above what any of these takes, far below what anybody would wait for.
const BOUND: Duration = Duration::from_secs(2);

/// Values that are likelier than most to be mistaken for something.
fn leaf() -> impl Strategy<Value = Value> {
    let words = [
        "",
        "all",
        "true",
        "ENABLED",
        "SUCCEEDED",
        "FAILED",
        "300000000001",
        "3000",
        "us-east-1",
        "mars",
        "HIDDEN_DUE_TO_SECURITY_REASONS",
        "****",
        "aws.bedrock",
        "aws.organizations",
        "{}",
        "{\"eventName\":1}",
        "bedrock.amazonaws.com",
        "PutEnforcedGuardrailConfiguration",
        "MoveAccount",
        "Reconcile Requested",
        "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc",
        "arn:aws:iam::300000000001:role/A",
        "2026-09-01",
        "9999-12-31T23:59:60Z",
        "-009999-01-01T00:00:00Z",
        "\u{0}",
        "\u{1F600}",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(300000000001u64)),
        Just(json!({ "omitted": true })),
        any::<Index>().prop_map(move |index| Value::from(words[index.index(words.len())])),
        ".{0,12}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let names = [
        "source",
        "detail",
        "detail-type",
        "account",
        "accounts",
        "region",
        "regions",
        "time",
        "id",
        "Records",
        "body",
        "messageId",
        "eventSource",
        "eventName",
        "eventTime",
        "userIdentity",
        "requestParameters",
        "responseElements",
        "serviceEventDetails",
        "createAccountStatus",
        "accountId",
        "state",
        "errorCode",
        "readOnly",
        "guardrailIdentifier",
        "resourceArn",
        "status",
        "regionName",
        "plan",
        "reason",
    ];
    let name = any::<Index>().prop_map(move |index| names[index.index(names.len())].to_owned());
    leaf().prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The places of a value, itself included.
fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, places: &mut Vec<String>) {
        places.push(at.to_owned());
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    walk(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), places);
                }
            }
            Value::Array(items) => {
                for (position, item) in items.iter().enumerate() {
                    walk(item, &format!("{at}/{position}"), places);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// The samples, read once.
static SAMPLES: LazyLock<Vec<String>> =
    LazyLock::new(|| samples().into_iter().map(|(_, text)| text).collect());

/// Those that are JSON.
static VALUES: LazyLock<Vec<Value>> =
    LazyLock::new(|| SAMPLES.iter().filter_map(|text| serde_json::from_str(text).ok()).collect());

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_decided(value in value()) {
        check(value.to_string().as_bytes());
    }

    #[test]
    fn any_bytes_are_decided(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn a_sample_with_other_values_is_decided(
        sample in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), value()), 1..4),
    ) {
        let mut event = VALUES[sample.index(VALUES.len())].clone();
        for (place, value) in changes {
            let places = places(&event);
            *event.pointer_mut(&places[place.index(places.len())]).unwrap() = value;
        }
        check(event.to_string().as_bytes());
    }

    #[test]
    fn a_sample_with_other_bytes_is_decided(
        sample in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), 0usize..20, prop::collection::vec(any::<u8>(), 0..8)), 1..4),
    ) {
        let mut bytes = SAMPLES[sample.index(SAMPLES.len())].clone().into_bytes();
        for (at, removed, inserted) in changes {
            let start = at.index(bytes.len() + 1);
            let end = (start + removed).min(bytes.len());
            bytes.splice(start..end, inserted);
        }
        check(&bytes);
    }
}

#[test]
fn large_messages_take_no_longer_than_they_must() {
    let fill = |unit: &str| unit.repeat(LARGE / unit.len());
    let numbered = |unit: &str| -> String {
        (0..LARGE / (unit.len() + 10)).map(|number| unit.replace("{}", &format!("{number:012}"))).collect()
    };
    let joined = |members: &str| {
        let detail = format!(r#"{{"eventName":"AccountJoinedOrganization",{members}}}"#);
        format!(r#"{{"source":"aws.organizations","detail":{detail}}}"#)
    };
    let requested = |accounts: &str| {
        let detail = format!(r#"{{"accounts":[{accounts}"300000000001"]}}"#);
        format!(r#"{{"source":"x","detail-type":"Reconcile Requested","detail":{detail}}}"#)
    };
    for text in [
        fill("["),
        fill(r#"{"a":"#),
        fill("\""),
        fill("\\"),
        fill("1"),
        fill("\u{1F600}"),
        format!("[{}1]", fill("1,")),
        format!(r#"{{"Records":[{}1]}}"#, fill("1,")),
        format!(r#"{{"Records":[{}1]}}"#, fill(r#"{"body":"[[["},"#)),
        joined(&format!(r#""serviceEventDetails":{{{}"z":1}}"#, fill(r#""a":{"accountId":"x"},"#))),
        joined(&format!(r#""requestParameters":{{{}"z":1}}"#, numbered(r#""m{}":{"accountId":"3"},"#))),
        format!(r#"{{"source":"aws.bedrock","detail":{:?}}}"#, fill("[")),
        format!(
            r#"{{"source":"aws.bedrock","detail":{:?}}}"#,
            joined(fill(r#""a":1,"#).trim_end_matches(','))
        ),
        requested(&fill(r#""300000000001","#)),
        requested(&fill(r#""3000","#)),
        requested(&numbered(r#""{}","#)),
    ] {
        let start = Instant::now();
        let delivery = Delivery::parse(&text);
        let answers = delivery.decide(&settings());
        let took = start.elapsed();
        assert!(took < BOUND, "{took:?} for {} answers to {:.60}", answers.len(), text);
        assert!(answers.iter().all(|(_, trigger)| trigger.to_string().len() <= 2 * LARGE));
    }
}

#[test]
fn deep_nesting_is_refused_by_name() {
    for depth in [128, 129, 1_000, 100_000] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(decide(&text, &settings()), Trigger::Reject(Rejected::TooDeep), "{depth}");
            let unclosed = open.repeat(depth);
            assert_eq!(decide(&unclosed, &settings()), Trigger::Reject(Rejected::TooDeep), "{depth}");
        }
    }
}

#[test]
fn a_refusal_quotes_little_of_what_was_sent() {
    let long = "9".repeat(LARGE);
    let request = json!({
        "source": "guardrail-keeper.request",
        "detail-type": "Reconcile Requested",
        "detail": { "accounts": vec![long; 1], "reason": "x".repeat(LARGE) },
    });
    let text = decide(request.to_string(), &settings()).to_string();
    assert!(text.starts_with("reject: ") && text.len() < 300, "{text}");
}
