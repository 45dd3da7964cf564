//! What people are sent: each rule that tells the topic makes a text of the event, worked out here for samples.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::pattern::Pattern;
use crate::template;

/// The value at a path such as `$.detail.reason.text`, as it stands in a text.
fn at(event: &Value, path: &str) -> Option<String> {
    let mut members = path.strip_prefix("$.").expect("a path begins at the event").split('.');
    let found = members.try_fold(event, |value, member| value.get(member))?;
    Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
}

/// What a transformer makes of an event, line by line.
fn transformed(transformer: &Value, event: &Value) -> Vec<String> {
    let paths = transformer["InputPathsMap"].as_object().unwrap();
    let given = BTreeMap::from([
        ("AWS::StackName", "guardrail-keeper"),
        ("BaselineParameterName", "/baseline"),
        ("ReportHours", "24"),
    ]);
    let text = template::resolved(&transformer["InputTemplate"], &json!({}), &given);
    let text = text.as_str().unwrap();
    assert!(text.len() <= 8192, "longer than EventBridge takes");
    for (name, path) in paths {
        assert!(text.contains(&format!("<{name}>")), "{name} ({path}) is used nowhere");
    }
    text.lines()
        .map(|line| {
            let inner = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
            let mut inner = inner.unwrap_or_else(|| panic!("no text between quotes: {line}")).to_owned();
            for (name, path) in paths {
                let value = at(event, path.as_str().unwrap()).unwrap_or_default();
                inner = inner.replace(&format!("<{name}>"), &value);
            }
            assert!(!inner.contains('<'), "a name without a path: {inner}");
            inner
        })
        .collect()
}

/// The transformers of the rules that tell the topic, each with the kinds of events that it takes.
fn transformers(template: &Value) -> Vec<(Vec<String>, Value)> {
    let resources = template["Resources"].as_object().unwrap().values();
    let rules = resources.filter(|one| one["Type"] == "AWS::Events::Rule").map(|rule| &rule["Properties"]);
    let topics = ["AlarmTopic", "ChangesTopic"].map(|topic| json!({ "Ref": topic }));
    let telling = rules.filter(|rule| topics.contains(&rule["Targets"][0]["Arn"]));
    telling
        .map(|rule| {
            let transformer = rule["Targets"][0]["InputTransformer"].clone();
            let kinds = match rule["EventPattern"]["detail-type"].as_array() {
                Some(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap().to_owned()).collect(),
                // An event of AWS's: the message has a title of its own.
                None => {
                    let text = transformer["InputTemplate"]["Fn::Sub"].as_str().unwrap();
                    let title = text.lines().next().unwrap().trim_matches('"').split_once("): ").unwrap().1;
                    vec![title.to_owned()]
                }
            };
            (kinds, transformer)
        })
        .collect()
}

fn sample(kind: &str) -> Value {
    let of_one = json!({
        "account": "300000000001",
        "region": "eu-west-1",
        "guardrail": { "arn": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base", "version": "2" },
        "reason": { "code": "contested", "text": "4 repairs within an hour: another principal undoes each" },
        "principal": "arn:aws:iam::300000000001:role/Pipeline",
    });
    let of_several = json!({
        "accounts": ["300000000001", "300000000002"],
        "accounts_in_all": 2,
        "region": "eu-west-1",
        "guardrail": { "arn": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base", "version": "2" },
        "reason": { "code": "missing", "text": "the version is not there: publish it" },
    });
    let opened = json!({
        "account": "300000000001",
        "region": "eu-west-1",
        "resource": "arn:aws:bedrock:eu-west-1:300000000001:guardrail/base",
        "reason": { "code": "open", "text": "its resource policy opens the guardrail to every AWS account" },
    });
    let flooding = json!({
        "account": "300000000001",
        "reason": { "code": "flooding", "text": "its events come faster than each can have a look of its own" },
    });
    let policies_held = json!({
        "revision": "0123456789abcdef",
        "holds": [{ "code": "type_disabled", "text": "the type BEDROCK_POLICY is not enabled" }],
        "reason": { "code": "type_disabled", "text": "the type BEDROCK_POLICY is not enabled" },
    });
    let frozen = json!({
        "revision": "0123456789abcdef",
        "accounts": ["300000000001"],
        "frozen": 1,
        "reason": { "code": "frozen", "text": "the policies of 1 account contradict each other" },
    });
    let changed = json!({
        "revision": "0123456789abcdef",
        "previous": "fedcba9876543210",
        "mode": "sync",
        "reason": { "code": "within_limits", "text": "it replaces 1 enforcements, releases 0 and leaves 2 to themselves" },
    });
    let news = json!({
        "summary": "2 targets held, in 2 accounts",
        "reason": {
            "code": "unreadable.denied",
            "text": "held (unreadable.denied): 300000000001/eu-west-1, 300000000002/eu-west-1: could not be read",
        },
        "cause": { "text": "the schedule looks at everything" },
    });
    let swept = json!({
        "report": "all is well: 9 targets guarded in 4 accounts",
        "revision": "0123456789abcdef",
    });
    let by_alice = |name: &str, parameters: Value| {
        json!({ "eventName": name, "requestParameters": parameters,
            "userIdentity": { "arn": "arn:aws:sts::111111111111:assumed-role/Administrator/alice" } })
    };
    let detail = match kind {
        "Attention Needed" => news,
        "Sweep Completed" => swept,
        "Protection Changed" => {
            by_alice("DetachPolicy", json!({ "policyId": "p-examplepolicy111", "targetId": "r-exam" }))
        }
        "Grant Changed By No Author" => {
            let arn = "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base1234abcd";
            by_alice("PutResourcePolicy", json!({ "resourceArn": arn }))
        }
        "Parameter Changed" => {
            json!({ "operation": "Update", "name": "/guardrail-keeper/baseline", "type": "String" })
        }
        "Guardrail Changed By No Author" => {
            by_alice("DeleteGuardrail", json!({ "guardrailIdentifier": "base1234abcd" }))
        }
        "Baseline Changed" => changed,
        "Enforcement Contested" => of_one,
        "Guardrail Opened" => opened,
        "Account Flooding" => flooding,
        "Bedrock Policies Held" => policies_held,
        "Accounts Frozen" => frozen,
        _ => of_several,
    };
    json!({
        "source": "guardrail-keeper",
        "detail-type": kind,
        "time": "2026-11-02T10:00:00Z",
        "account": "111111111111",
        "region": "us-east-1",
        "detail": detail,
    })
}

#[test]
fn mail_says_where_what_why_and_what_to_do() {
    let template = template::read("template.yaml");
    let transformers = transformers(&template);
    assert!(!transformers.is_empty());
    for (kinds, transformer) in transformers {
        for kind in kinds {
            let event = sample(&kind);
            let mail = transformed(&transformer, &event).join("\n");
            let about: &[&str] = match kind.as_str() {
                "Baseline Changed" => &["0123456789abcdef", "fedcba9876543210", "mode sync"],
                // It is no matter of a Region or a guardrail.
                "Account Flooding" | "Accounts Frozen" => &["300000000001"],
                // Of no account: of the whole organization.
                "Bedrock Policies Held" => &["the type BEDROCK_POLICY is not enabled"],
                "Attention Needed" => &["2 targets held, in 2 accounts", "300000000002/eu-west-1"],
                "Sweep Completed" => &["all is well: 9 targets guarded", "every 24 hours"],
                "Protection Changed" => {
                    &["assumed-role/Administrator/alice", "What: DetachPolicy p-examplepolicy111 r-exam"]
                }
                "Parameter Changed" => {
                    &["What: Update /guardrail-keeper/baseline", "When: 2026-11-02T10:00:00Z"]
                }
                "Grant Changed By No Author" => &[
                    "assumed-role/Administrator/alice",
                    "What: PutResourcePolicy arn:aws:bedrock:eu-west-1:2222",
                ],
                "Guardrail Changed By No Author" => &[
                    "assumed-role/Administrator/alice",
                    "What: DeleteGuardrail base1234abcd",
                    "Account: 111111111111",
                    "Region: us-east-1",
                ],
                _ => &["300000000001", "eu-west-1", "guardrail/base version"],
            };
            for needed in
                about.iter().copied().chain([&kind, "guardrailctl status", "stack guardrail-keeper"])
            {
                assert!(mail.contains(needed), "{kind}: no {needed} in\n{mail}");
            }
            if let Some(why) = event["detail"]["reason"]["text"].as_str() {
                assert!(mail.contains(why), "{mail}");
            }
            assert!(mail.contains("What to do: ") && mail.contains("docs/runbook.md"), "{mail}");
            assert!(
                mail.contains(&format!("- {kind} (")),
                "{kind}: the mail doesn't say where to read on\n{mail}"
            );
        }
    }
}

#[test]
fn a_mail_whole() {
    let template = template::read("template.yaml");
    let of_kind =
        |(kinds, _): &(Vec<String>, Value)| kinds.iter().any(|kind| kind == "Enforcement Contested");
    let (_, transformer) = transformers(&template).into_iter().find(of_kind).unwrap();
    let mail = transformed(&transformer, &sample("Enforcement Contested"));
    assert_eq!(
        mail[..7],
        [
            "Guardrail Keeper (stack guardrail-keeper): Enforcement Contested",
            "When: 2026-11-02T10:00:00Z",
            "Account: 300000000001",
            "Region: eu-west-1",
            "Guardrail: arn:aws:bedrock:eu-west-1:222222222222:guardrail/base version 2",
            "Why: 4 repairs within an hour: another principal undoes each",
            "Changed by: arn:aws:iam::300000000001:role/Pipeline",
        ]
    );
}

/// The events that some rule takes to the topic, by the rules' own patterns.
fn is_mailed(event: &Value) -> usize {
    let template = template::read("template.yaml");
    let resources = template["Resources"].as_object().unwrap().values();
    let rules = resources.filter(|one| one["Type"] == "AWS::Events::Rule").map(|rule| &rule["Properties"]);
    // Not those that hear of other services' events.
    let ours = rules.filter(|rule| rule["EventPattern"]["source"] == json!(["guardrail-keeper"]));
    let telling = ours.filter(|rule| rule["Targets"][0]["Arn"] == json!({ "Ref": "AlarmTopic" }));
    let given = BTreeMap::from([("AWS::AccountId", "111111111111")]);
    let matches = |rule: &&Value| {
        let pattern = template::resolved(&rule["EventPattern"], &template, &given);
        Pattern::parse(&pattern).unwrap().matches(event)
    };
    telling.filter(matches).count()
}

/// What concerns one account is news, and comes with the others of its kind; what a sweep says of the whole organization
/// comes by itself. Nothing comes twice.
#[test]
fn each_thing_is_mailed_once() {
    let event = |kind: &str, detail: Value| json!({ "source": "guardrail-keeper", "account": "111111111111", "detail-type": kind, "detail": detail });
    for (kind, detail, mails) in [
        ("Attention Needed", json!({ "whole_organization": false }), 1),
        ("Attention Needed", json!({ "whole_organization": true }), 1),
        ("Enforcement Broken", json!({ "whole_organization": true }), 1),
        ("Enforcement Broken", json!({ "whole_organization": false }), 0),
        ("Accounts Unguarded", json!({ "whole_organization": true }), 1),
        ("Accounts Unguarded", json!({ "whole_organization": false }), 0),
        ("Enforcement Contested", json!({ "account": "300000000001" }), 1),
        ("Enforcement Contested", json!({ "account": "300000000001", "named_with": "eu-west-1" }), 0),
        ("Enforcement Broken", json!({ "whole_organization": true, "named_with": "eu-west-1" }), 0),
        ("Accounts Unguarded", json!({ "whole_organization": true, "named_with": "eu-west-1" }), 0),
        ("Guardrail Opened", json!({ "account": "300000000001" }), 1),
        ("Guardrail Opened", json!({ "account": "300000000001", "named_with": "eu-west-1" }), 0),
        ("Account Flooding", json!({ "account": "300000000001" }), 1),
        ("Bedrock Policies Held", json!({ "revision": "0123456789abcdef" }), 1),
        ("Accounts Frozen", json!({ "accounts": ["300000000001"] }), 1),
        ("Bedrock Policies Changed", json!({ "revision": "0123456789abcdef" }), 0),
        ("Baseline Changed", json!({ "mode": "sync" }), 1),
        ("Enforcement Held", json!({ "account": "300000000001" }), 0),
        ("Sweep Completed", json!({ "guarded": 9 }), 0),
        ("Sweep Completed", json!({ "guarded": 9, "report": "all is well" }), 1),
    ] {
        assert_eq!(is_mailed(&event(kind, detail.clone())), mails, "{kind} {detail}");
    }
}
