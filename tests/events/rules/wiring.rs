//! What a rule needs besides its pattern.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::template;

fn resources<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = template["Resources"].as_object().unwrap().iter();
    let of_kind = resources.filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

#[test]
fn every_rule_of_the_hub_fills_the_queue_and_keeps_what_it_could_not_deliver() {
    let template = template::read("template.yaml");
    let rules = resources(&template, "AWS::Events::Rule");
    let arn = |name: &str| json!({ "Fn::GetAtt": format!("{name}.Arn") });
    // Each may send to both queues, and no other rule may.
    let policies = resources(&template, "AWS::SQS::QueuePolicy");
    let senders = |policy: &str| {
        let allows = &policies[policy]["PolicyDocument"]["Statement"][0];
        let senders = allows["Condition"]["ArnEquals"]["aws:SourceArn"].as_array().unwrap().iter();
        // A rule that not every stack has sends where there is one.
        senders.map(|sender| sender["Fn::If"].get(1).unwrap_or(sender).clone()).collect::<Vec<Value>>()
    };
    let filling: Vec<Value> =
        rules.keys().filter(|name| !ALARMING.contains(name)).map(|name| arn(name)).collect();
    for policy in ["EventsPolicy", "EventsDeadLettersPolicy"] {
        let senders = senders(policy);
        assert!(filling.iter().all(|rule| senders.contains(rule)), "{policy}: a rule may not send");
        assert_eq!(senders.len(), filling.len(), "{policy}: a sender that is gone");
    }
    let topics = resources(&template, "AWS::SNS::TopicPolicy");
    let tells = |topic: &str, statement: usize| {
        let allows = &topics[format!("{topic}Policy").as_str()]["PolicyDocument"]["Statement"][statement];
        (json!({ "Ref": topic }), allows["Condition"]["ArnEquals"]["aws:SourceArn"].as_array().unwrap())
    };
    let (counted, uncounted) = (tells("AlarmTopic", 1), tells("ChangesTopic", 0));
    assert_eq!(counted.1.len() + uncounted.1.len(), ALARMING.len());
    for (name, rule) in &rules {
        // One of its events says of itself that it only reads.
        let state = match *name {
            "PoliciesChanged" | "ForwardedPoliciesChanged" => {
                json!("ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
            }
            _ => Value::Null,
        };
        assert!(rule["State"] == state && rule["Name"].is_null(), "{name}");
        let [target] = rule["Targets"].as_array().unwrap().as_slice() else { panic!("{name}: one target") };
        if ALARMING.contains(name) {
            // What AWS itself reports nobody counts: it must not end the mails that alarms come by.
            let is_counted = rule["EventPattern"]["source"] == json!(["guardrail-keeper"]);
            let (topic, tells) = if is_counted { &counted } else { &uncounted };
            assert_eq!(target["Arn"], *topic, "{name}");
            assert!(tells.contains(&arn(name)), "{name} may not publish to the topic");
            continue;
        }
        assert!(target["Input"].is_null() && target["InputTransformer"].is_null(), "{name}");
        assert_eq!(target["Arn"], arn("Events"), "{name}");
        assert_eq!(target["DeadLetterConfig"]["Arn"], arn("EventsDeadLetters"), "{name}");
    }
    assert!(
        template["Resources"]["KeeperFunction"]["Properties"]["Events"].is_null(),
        "SAM's own rules aren't read here"
    );
}

/// SNS suspends an e-mail subscription that gets more than ten messages within a second. Those are in two of the alarm's
/// periods at most, so that one of the two has half of them.
#[test]
fn a_flood_of_changes_rings_before_sns_can_suspend_their_mails() {
    let template = template::read("template.yaml");
    let alarm = &resources(&template, "AWS::CloudWatch::Alarm")["ChangesFloodAlarm"];
    let topic = json!([{ "Name": "TopicName", "Value": { "Fn::GetAtt": "ChangesTopic.TopicName" } }]);
    assert_eq!((&alarm["MetricName"], &alarm["Dimensions"]), (&json!("NumberOfMessagesPublished"), &topic));
    assert_eq!(
        (&alarm["Statistic"], &alarm["ComparisonOperator"]),
        (&json!("Sum"), &json!("GreaterThanOrEqualToThreshold"))
    );
    assert!(alarm["Period"].as_i64().unwrap() >= 1 && alarm["EvaluationPeriods"] == 1, "{alarm:#}");
    let quiet = 2 * (alarm["Threshold"].as_i64().unwrap() - 1);
    assert!(quiet <= 10, "{quiet} messages within a second are no alarm");
    assert_eq!(alarm["AlarmActions"], json!([{ "Ref": "AlarmTopic" }]), "by the other topic");
    // Whoever confirmed one of the two is asked for the other.
    let mails = resources(&template, "AWS::SNS::Subscription");
    let mailed: Vec<&Value> = mails.values().map(|mail| &mail["TopicArn"]).collect();
    assert_eq!(mailed, [&json!({ "Ref": "AlarmTopic" }), &json!({ "Ref": "ChangesTopic" })]);
}

/// The rules that tell people, and wake nobody.
const ALARMING: [&str; 11] = [
    "BaselineChangeCounted",
    "ForwardedGrantChangedByNoAuthor",
    "ForwardedGuardrailChangedByNoAuthor",
    "ForwardedProtectionChanged",
    "GrantChangedByNoAuthor",
    "GuardrailChangedByNoAuthor",
    "NewsForPeople",
    "OutcomeNeedsAttention",
    "ParameterChanged",
    "ProtectionChanged",
    "SweepReported",
];

/// Each of them writes the one policy of the bus, so no two may be written at once; CloudFormation waits only for what
/// is there in every stack.
#[test]
fn the_statements_of_the_bus_are_written_one_after_another() {
    let template = template::read("template.yaml");
    let statements: BTreeMap<&String, &Value> = template["Resources"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, resource)| resource["Type"] == "AWS::Events::EventBusPolicy")
        .collect();
    assert!(statements.values().all(|statement| statement["Condition"].is_null()), "one may be missing");
    let after =
        |name: &str| statements.iter().find(|(_, one)| one["DependsOn"] == name).map(|(name, _)| *name);
    let first: Vec<&String> =
        statements.iter().filter(|(_, one)| one["DependsOn"].is_null()).map(|(name, _)| *name).collect();
    let [first] = first.as_slice() else { panic!("{first:?} wait for nothing") };
    let chain: Vec<&String> = std::iter::successors(Some(*first), |name| after(name)).collect();
    assert_eq!(chain.len(), statements.len(), "{chain:?}");
}

/// What members send on is filtered again, by the same patterns as the hub's own events.
#[test]
fn both_buses_of_the_hub_match_alike() {
    let template = template::read("template.yaml");
    let rules = resources(&template, "AWS::Events::Rule");
    let mut pairs = 0;
    for (name, rule) in &rules {
        if let Some(own) = name.strip_prefix("Forwarded") {
            assert_eq!(rule["EventPattern"], rules[own]["EventPattern"], "{name}");
            assert_eq!(rule["Targets"], rules[own]["Targets"], "{name}");
            assert!(rules[own]["EventBusName"].is_null() && !rule["EventBusName"].is_null(), "{name}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 8);
}

/// One account is never worked on twice at a time, and nothing is lost between the queues and the
/// function.
#[test]
fn the_queues_hand_out_their_messages_as_the_function_needs() {
    let template = template::read("template.yaml");
    let queues = resources(&template, "AWS::SQS::Queue");
    let mappings = resources(&template, "AWS::Lambda::EventSourceMapping");
    let function = &template["Resources"]["KeeperFunction"]["Properties"];
    for (mapping, queue, size) in [("EventsMapping", "Events", 10), ("TasksMapping", "Tasks", 1)] {
        let mapping = mappings[mapping];
        assert_eq!(mapping["EventSourceArn"], json!({ "Fn::GetAtt": format!("{queue}.Arn") }));
        assert_eq!(mapping["BatchSize"], size, "{queue}");
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{queue}");
        let visible_again = queues[queue]["VisibilityTimeout"].as_i64().unwrap();
        assert_eq!(visible_again, 6 * function["Timeout"].as_i64().unwrap(), "{queue}");
        let dead = format!("{queue}DeadLetters");
        let redrive = &queues[queue]["RedrivePolicy"];
        assert_eq!(redrive["deadLetterTargetArn"], json!({ "Fn::GetAtt": format!("{dead}.Arn") }));
        assert!(
            redrive["maxReceiveCount"].as_i64().unwrap() >= 5,
            "{queue}: what was throttled isn't broken"
        );
        let kept = |name: &str| queues[name]["MessageRetentionPeriod"].as_i64().unwrap();
        assert!(kept(&dead) > kept(queue), "{queue}: a dead letter has the age of its message");
        // Either both of a pair are FIFO, by their names too, or none is.
        let named = |name: &str| queues[name]["QueueName"]["Fn::Sub"].as_str().unwrap().to_owned();
        for name in [queue, dead.as_str()] {
            assert_eq!(queues[name]["FifoQueue"] == true, queue == "Tasks", "{name}");
            assert_eq!(named(name).ends_with(".fifo"), queue == "Tasks", "{name}");
        }
        let allowed = &queues[dead.as_str()]["RedriveAllowPolicy"]["sourceQueueArns"];
        let [Value::Object(source)] = allowed.as_array().unwrap().as_slice() else { panic!("{dead}") };
        assert!(source["Fn::Sub"].as_str().unwrap().ends_with(&format!(":{}", named(queue))), "{dead}");
    }
    assert_eq!((queues.len(), mappings.len()), (4, 2));
}

/// What has to wait is put back into a queue that the same function takes from. Lambda stops such a chain after
/// 16 runs unless the function's settings say that it is meant.
#[test]
fn the_function_that_fills_its_own_queues_is_not_stopped_as_a_loop() {
    let template = template::read("template.yaml");
    let takes: Vec<&Value> = resources(&template, "AWS::Lambda::EventSourceMapping")
        .into_values()
        .filter(|mapping| mapping["FunctionName"] == json!({ "Ref": "KeeperFunction" }))
        .map(|mapping| &mapping["EventSourceArn"])
        .collect();
    let policies = template["Resources"]["FunctionRole"]["Properties"]["Policies"].as_array().unwrap();
    let statements =
        policies.iter().flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    let sending = statements.filter(|statement| statement["Action"] == "sqs:SendMessage");
    let sends: Vec<&Value> =
        sending.flat_map(|statement| statement["Resource"].as_array().unwrap()).collect();
    assert!(takes.len() == 2 && takes.iter().all(|queue| sends.contains(queue)), "{takes:?} {sends:?}");
    let function = &template["Resources"]["KeeperFunction"]["Properties"];
    assert_eq!(function["RecursiveLoop"], "Allow");
}

/// What the template sets is what the program reads, and nothing that it would complain about.
#[test]
fn the_settings_are_settings() {
    use guardrail_keeper::settings::{LedgerSource, Purpose, Settings};

    let template = template::read("template.yaml");
    let variables = template["Resources"]["KeeperFunction"]["Properties"]["Environment"]["Variables"].clone();
    let mut variables = variables.as_object().unwrap().clone();
    // A text with names of its own: what it comes to.
    variables.insert("KEEPER_LEDGER".to_owned(), "table:Ledger".into());
    let given = BTreeMap::from([
        ("FunctionRole.Arn", "arn:aws:iam::222222222222:role/GuardrailKeeper"),
        ("Tasks", "https://sqs.us-east-1.amazonaws.com/222222222222/guardrail-keeper-tasks.fifo"),
        ("Events", "https://sqs.us-east-1.amazonaws.com/222222222222/guardrail-keeper-events"),
        ("Bus", "guardrail-keeper"),
        ("AWS::StackId", "arn:aws:cloudformation:us-east-1:222222222222:stack/guardrail-keeper/0a1b2c3d"),
        ("AWS::StackName", "guardrail-keeper"),
    ]);
    let resolved = template::resolved(&Value::Object(variables), &template, &given);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let resolved = resolved.as_object().unwrap().iter();
    let variables: BTreeMap<String, String> =
        resolved.map(|(name, value)| (name.clone(), text(value))).collect();
    assert_eq!(Settings::unknown(&variables), Vec::<String>::new());
    let settings = Settings::read(&variables, Purpose::Function, None).unwrap();
    assert!(settings.queues.is_some() && settings.bus.as_deref() == Some("guardrail-keeper"));
    assert_eq!(variables["KEEPER_DEPLOYMENT"], "0a1b2c3d");
    assert_eq!(settings.stack.as_deref(), Some("guardrail-keeper"));
    assert_eq!(settings.ledger, LedgerSource::Table("Ledger".to_owned()));
    // The template's defaults are the program's.
    let mut bare = variables.clone();
    bare.retain(|name, _| !["KEEPER_GRACE_MINUTES", "KEEPER_MAX_WAIT_HOURS"].contains(&name.as_str()));
    assert_eq!(Settings::read(&bare, Purpose::Function, None).unwrap(), settings);
}

/// Both templates may be deployed in one account and Region, and the forwarder's trust and the
/// service control policy go by the rules' names.
#[test]
fn every_rule_elsewhere_sends_to_the_hub_under_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for path in ["deploy/management.yaml", "deploy/member-rules.yaml"] {
        let template = template::read(path);
        for (logical, rule) in resources(&template, "AWS::Events::Rule") {
            let name = rule["Name"].as_str().unwrap_or_else(|| panic!("{path}: {logical} has no name"));
            assert!(name.starts_with("guardrail-keeper-") && name.len() <= 64, "{path}: {name}");
            assert!(names.insert(name.to_owned()), "{path}: {name} is there twice");
            // One of its events says of itself that it only reads.
            let state = match logical {
                "PoliciesAttached" => "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
                _ => "ENABLED",
            };
            assert_eq!(rule["State"], state, "{path}: {logical}");
            assert!(rule["EventBusName"].is_null(), "{path}: {logical}");
            let [target] = rule["Targets"].as_array().unwrap().as_slice() else {
                panic!("{logical}: one target")
            };
            assert_eq!(target["Arn"], json!({ "Ref": "HubBusArn" }), "{path}: {logical}");
            let role = match &target["RoleArn"]["Fn::Sub"] {
                Value::Array(parts) => {
                    assert_eq!(parts[1]["Forwarder"]["Fn::If"][2], json!({ "Ref": "ForwarderRoleName" }));
                    parts[0].as_str()
                }
                text => text.as_str(),
            };
            let role = role.unwrap().rsplit_once('/').unwrap().1;
            assert!(["${ForwarderRoleName}", "${Forwarder}"].contains(&role), "{path}: {logical}: {role}");
            assert!(target["Input"].is_null() && target["InputTransformer"].is_null(), "{path}: {logical}");
        }
    }
}
