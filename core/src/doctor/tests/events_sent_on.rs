//! The ways of an event to the hub: trails, rules and StackSets.

use super::*;

fn basic(management: bool, kind: &str) -> Selectors {
    Selectors::Basic(vec![Basic { management, kind: kind.to_owned(), excluded: BTreeSet::new() }])
}

fn field(name: &str, equals: &[&str], not_equals: &[&str]) -> Field {
    let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    Field { name: name.to_owned(), equals: set(equals), not_equals: set(not_equals), otherwise: false }
}

fn one_trail(selectors: Selectors) -> Trail {
    Trail {
        name: "all".to_owned(),
        home: Some("us-east-1".to_owned()),
        multi_region: true,
        logging: Ok(true),
        selectors: Ok(selectors),
    }
}

#[test]
fn trails_that_let_events_through_and_others() {
    let management = || field("eventCategory", &["Management"], &[]);
    let logs = "Ok: trail all logs management events";
    let silent = "Problem: trail all doesn't log management events that write";
    let narrowed = "Unknown: trail all logs some management events, chosen by more than source and readOnly";
    let all = || one_trail(basic(true, "All"));
    let advanced = |fields: Vec<Field>| one_trail(Selectors::Advanced(vec![fields]));
    let table = [
        (vec![], "Problem: no trail logs here"),
        (vec![all()], logs),
        (vec![one_trail(basic(true, "WriteOnly"))], logs),
        (vec![one_trail(basic(true, "ReadOnly"))], silent),
        (vec![one_trail(basic(false, "All"))], silent),
        (vec![one_trail(Selectors::Basic(vec![]))], silent),
        (vec![Trail { multi_region: false, ..all() }], "Problem: no trail logs here"),
        (vec![Trail { multi_region: false, home: Some("eu-west-1".to_owned()), ..all() }], logs),
        (vec![Trail { logging: Ok(false), ..all() }], "Problem: trail all is switched off"),
        (vec![Trail { logging: Ok(false), ..all() }, all()], logs),
        (
            vec![Trail { logging: Err(denied("GetTrailStatus")), ..all() }],
            "Unknown: it isn't known what trail all logs: GetTrailStatus was denied",
        ),
        (vec![Trail { selectors: Err(denied("GetEventSelectors")), ..all() }, all()], logs),
        (vec![advanced(vec![management()])], logs),
        (vec![advanced(vec![management(), field("readOnly", &["false"], &[])])], logs),
        (vec![advanced(vec![management(), field("readOnly", &["true"], &[])])], silent),
        (vec![advanced(vec![management(), field("eventSource", &[], &["kms.amazonaws.com"])])], logs),
        (
            vec![advanced(vec![management(), field("eventSource", &[], &["bedrock.amazonaws.com"])])],
            "Problem: trail all doesn't log management events of bedrock.amazonaws.com that write",
        ),
        (vec![advanced(vec![management(), field("eventSource", &["s3.amazonaws.com"], &[])])], silent),
        (vec![advanced(vec![management(), field("eventName", &["PutResourcePolicy"], &[])])], narrowed),
        (vec![advanced(vec![field("eventCategory", &["Data"], &[])])], silent),
    ];
    for (trails, expected) in table {
        let services = ["bedrock.amazonaws.com", "organizations.amazonaws.com"];
        let finding = trail(&hub(), &region(), &services, &Ok(trails.clone()));
        assert_eq!(told(std::slice::from_ref(&finding)), [expected], "{trails:?}");
        all_say_what_to_do(&[finding]);
    }
    let finding = trail(&hub(), &region(), &["bedrock.amazonaws.com"], &Err(denied("DescribeTrails")));
    assert_eq!(told(&[finding]), ["Unknown: it isn't known which trails log: DescribeTrails was denied"]);
}

/// CloudTrail lets KMS's events be left out of a trail, in either form; another trail may have them.
#[test]
fn a_trail_that_leaves_out_keys_is_found_where_keys_matter() {
    let kms = "kms.amazonaws.com";
    let without = |basic: bool| {
        let excluded = BTreeSet::from([kms.to_owned()]);
        let management = field("eventCategory", &["Management"], &[]);
        one_trail(if basic {
            Selectors::Basic(vec![Basic { management: true, kind: "All".to_owned(), excluded }])
        } else {
            Selectors::Advanced(vec![vec![management, field("eventSource", &[], &[kms])]])
        })
    };
    let keys_alone = one_trail(Selectors::Advanced(vec![vec![
        field("eventCategory", &["Management"], &[]),
        field("eventSource", &[kms], &[]),
    ]]));
    for basic in [true, false] {
        let of =
            |services: &[&str], trails: Vec<Trail>| told(&[trail(&hub(), &region(), services, &Ok(trails))]);
        let bedrock = "bedrock.amazonaws.com";
        assert_eq!(of(&[bedrock], vec![without(basic)]), ["Ok: trail all logs management events"]);
        assert_eq!(
            of(&[bedrock, kms], vec![without(basic)]),
            ["Problem: trail all doesn't log management events of kms.amazonaws.com that write"]
        );
        let both = vec![without(basic), keys_alone.clone()];
        assert_eq!(of(&[bedrock, kms], both), ["Ok: trail all logs management events"]);
    }
}

const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:events";

fn rule(pattern: &str, enabled: bool, targets: &[&str]) -> Rule {
    let targets = Ok(targets.iter().map(|one| (*one).to_owned()).collect());
    Rule {
        name: "listening".to_owned(),
        enabled,
        shows_reads: false,
        pattern: Some(pattern.to_owned()),
        targets,
    }
}

#[test]
fn rules_that_send_events_on_and_others() {
    let pattern =
        r#"{"source":["aws.bedrock"],"detail":{"eventName":["CreateGuardrail","DeleteGuardrail"]}}"#;
    let half = r#"{"source":["aws.bedrock"],"detail":{"eventName":["CreateGuardrail"]}}"#;
    let other_half = r#"{"source":["aws.bedrock"],"detail":{"eventName":[{"prefix":"Delete"}]}}"#;
    let odd = r#"{"source":["aws.bedrock"],"detail":{"eventName":[{"newer":"Delete"}]}}"#;
    let good = "Ok: a rule forwards events of aws.bedrock on default";
    let none = "Problem: no rule sends events of aws.bedrock on default to events";
    let table = [
        (vec![], none),
        (vec![rule(pattern, true, &[QUEUE])], good),
        (vec![rule(r#"{"source":[{"prefix":"aws."}]}"#, true, &[QUEUE])], good),
        (vec![rule(pattern, true, &["arn:aws:sqs:us-east-1:111111111111:other", QUEUE])], good),
        (
            vec![rule(half, true, &[QUEUE])],
            "Problem: no rule sends events of aws.bedrock on default to events: DeleteGuardrail",
        ),
        (vec![rule(half, true, &[QUEUE]), rule(other_half, true, &[QUEUE])], good),
        (
            vec![rule(half, true, &[QUEUE]), rule(other_half, false, &[QUEUE])],
            "Problem: rule listening for events of aws.bedrock on default is disabled: DeleteGuardrail",
        ),
        (
            vec![rule(odd, true, &[QUEUE])],
            "Unknown: it isn't known whether rule listening takes events of aws.bedrock on default",
        ),
        (vec![rule(odd, true, &[QUEUE]), rule(pattern, true, &[QUEUE])], good),
        (
            vec![rule(pattern, false, &[QUEUE])],
            "Problem: rule listening for events of aws.bedrock on default is disabled",
        ),
        (vec![rule(pattern, false, &[QUEUE]), rule(pattern, true, &[QUEUE])], good),
        (vec![rule(pattern, true, &["arn:aws:sqs:us-east-1:111111111111:other"])], none),
        (vec![rule(r#"{"source":["aws.s3"]}"#, true, &[QUEUE])], none),
        (vec![rule("nonsense", true, &[QUEUE])], none),
        (vec![Rule { pattern: None, ..rule("", true, &[QUEUE]) }], none),
        (
            vec![Rule { targets: Err(denied("ListTargetsByRule")), ..rule(pattern, true, &[]) }],
            "Unknown: it isn't known where the rule for events of aws.bedrock on default sends them: ListTargetsByRule was denied",
        ),
    ];
    let judge = |seen: &Result<Vec<Rule>, Failure>| {
        let call = |name: &'static str| {
            (name, serde_json::json!({ "source": "aws.bedrock", "detail": { "eventName": name } }))
        };
        let needs = [Listens {
            what: "events of aws.bedrock".to_owned(),
            samples: vec![call("CreateGuardrail"), call("DeleteGuardrail")],
        }];
        let findings = rules(&Check::Hub.whole(), "default", &needs, seen, QUEUE, "deploy it");
        all_say_what_to_do(&findings);
        told(&findings)
    };
    for (seen, expected) in table {
        assert_eq!(judge(&Ok(seen.clone())), [expected], "{seen:?}");
    }
    assert_eq!(
        judge(&Err(denied("ListRules"))),
        ["Unknown: the rules on default can't be read: ListRules was denied"]
    );
}

#[test]
fn stack_sets_and_their_stacks() {
    let instance = |status: &str, detailed: &str| Instance {
        account: "300000000001".to_owned(),
        region: "eu-west-1".to_owned(),
        status: status.to_owned(),
        detailed: (!detailed.is_empty()).then(|| detailed.to_owned()),
        reason: None,
    };
    for (status, detailed, expected) in [
        ("CURRENT", "SUCCEEDED", "Ok: the stack of roles is current"),
        ("CURRENT", "", "Ok: the stack of roles is current"),
        ("OUTDATED", "RUNNING", "Unknown: the stack of roles is being deployed"),
        ("OUTDATED", "FAILED", "Problem: the stack of roles is outdated, last FAILED"),
        ("OUTDATED", "", "Problem: the stack of roles is outdated"),
        ("CURRENT", "FAILED", "Problem: the stack of roles is current, last FAILED"),
        ("INOPERABLE", "INOPERABLE", "Problem: the stack of roles is inoperable"),
    ] {
        let seen = StackSet { status: "ACTIVE".to_owned(), auto_deployment: Some(true) };
        let findings = stack_set("roles", &seen, &Ok(vec![instance(status, detailed)]), &BTreeSet::new());
        all_say_what_to_do(&findings);
        assert_eq!(told(&findings)[1], expected);
    }
    let target: Target = "300000000002/eu-west-1".parse().unwrap();
    let seen = StackSet { status: "DELETED".to_owned(), auto_deployment: Some(false) };
    let findings = stack_set("roles", &seen, &Ok(vec![instance("CURRENT", "")]), &BTreeSet::from([target]));
    assert_eq!(
        told(&findings),
        [
            "Problem: roles is DELETED",
            "Ok: the stack of roles is current",
            "Problem: roles has no stack here, and the baseline guards the account"
        ]
    );
    let seen = StackSet { status: "ACTIVE".to_owned(), auto_deployment: None };
    let findings = stack_set("roles", &seen, &Err(denied("ListStackInstances")), &BTreeSet::new());
    assert_eq!(
        told(&findings),
        [
            "Problem: roles doesn't deploy to accounts that join",
            "Unknown: the stacks of roles aren't known: ListStackInstances was denied"
        ]
    );
}

/// EventBridge shows calls that only read to rules of one state, and on an account's default bus alone.
#[test]
fn a_rule_has_to_be_shown_what_only_reads_where_that_is_told() {
    let pattern = r#"{"source":["aws.organizations"]}"#;
    let event =
        |reads: bool| serde_json::json!({ "source": "aws.organizations", "detail": { "readOnly": reads } });
    let good = "Ok: a rule forwards events of policies on ";
    let unshown =
        "Problem: rule listening for events of policies on default isn't shown calls that only read";
    for (bus, shows_reads, reads, expected) in [
        ("default", true, true, format!("{good}default")),
        ("default", false, true, unshown.to_owned()),
        ("default", false, false, format!("{good}default")),
        ("keeper", false, true, format!("{good}keeper")),
    ] {
        let needs =
            [Listens { what: "events of policies".to_owned(), samples: vec![("Validated", event(reads))] }];
        let seen = Ok(vec![Rule { shows_reads, ..rule(pattern, true, &[QUEUE]) }]);
        let findings = rules(&Check::Hub.whole(), bus, &needs, &seen, QUEUE, "deploy it");
        all_say_what_to_do(&findings);
        assert_eq!(told(&findings), [expected]);
    }
}
