//! The Lambda function as it is built, under a Runtime API of our own: from the environment and an
//! event on the wire to the state of the organization, the answer and the log.

use std::os::unix::process::ExitStatusExt;

use expect_test::expect;
use serde_json::Value;
use simulator::AssumeRole;

use guardrail_keeper::trigger::Ignored;
use testkit::lambda::{Answer, Function, SECRET};
use testkit::world::{
    Document, EU, FUNCTION_ROLE, HUB, PAYMENTS, PUT, US, WORKLOAD, World, check, function_key, repository,
    schedule, version,
};

fn sample(name: &str) -> String {
    std::fs::read_to_string(repository(&format!("events/{name}.json"))).unwrap()
}

/// The account that the samples let join.
const NEWCOMER: &str = "300000000007";

async fn world() -> World {
    let world = World::of(&Document { regions: "us-east-1, eu-west-1", ..Document::default() })
        .durable()
        .approved()
        .start()
        .await;
    world.server.with(|model| model.join(NEWCOMER, WORKLOAD)).unwrap();
    world
}

/// Whether a line is one of CloudWatch's embedded metric format.
fn is_a_figure(line: &Value) -> bool {
    line["_aws"]["CloudWatchMetrics"].is_array()
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
}

#[tokio::test]
async fn the_function_guards_an_account_that_joined_and_keeps_it_guarded() {
    let world = world().await;
    let mut function = Function::start(&world, &[]).await;

    let answer = function.answer(&json(&sample("account-created"))).await;
    check(
        &testkit::world::targets(&answer),
        expect![[r#"
        300000000007/eu-west-1 enforced eubase1a2b3c:2
        300000000007/us-east-1 enforced usbase1a2b3c:2
    "#]],
    );
    check(
        &world.enforced(),
        expect![[r#"
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  -                -                -
        222222222222  -                -                -
        300000000001  -                -                -
        300000000002  -                -                -
        300000000003  -                -                -
        300000000004  -                -                -
        300000000005  -                -                -
        300000000007  -                eubase1a2b3c:2   usbase1a2b3c:2
    "#]],
    );

    world.administrator_releases(NEWCOMER, EU);
    world.server.clear_calls();
    let deleted = world.event("DeleteEnforcedGuardrailConfiguration");
    check(
        &testkit::world::targets(&function.answer(&deleted).await),
        expect![[r#"
        300000000007/eu-west-1 enforced eubase1a2b3c:2
    "#]],
    );
    assert_eq!(world.writes(), [format!("{PUT} {NEWCOMER}/{EU}")]);
    assert_eq!(world.count("AssumeRole"), 0, "clients and sessions are kept from one invocation to the next");

    world.server.clear_calls();
    let answer = function.answer(&deleted).await;
    assert_eq!(answer["report"]["counts"], serde_json::json!({ "in_sync": 1 }));
    assert_eq!(world.writes(), [""; 0]);
}

/// The records that an answer to a batch names, sorted.
fn failed(answer: &Value) -> Vec<&str> {
    let items = answer["batchItemFailures"].as_array().expect("an answer to a batch");
    items.iter().map(|item| item["itemIdentifier"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_sample_is_answered_as_written_beside_it() {
    // As the example baseline has it: any account may have a copy.
    let (regions, guardrail) = ("us-east-1, eu-west-1", vec!["placement: auto"]);
    let world =
        World::of(&Document { regions, guardrail, ..Document::default() }).durable().approved().start().await;
    world.server.with(|model| model.join(NEWCOMER, WORKLOAD)).unwrap();
    let mut function = Function::start(&world, &[]).await;
    let expected = std::fs::read_to_string(repository("events/expected.jsonl")).unwrap();
    let expected: Vec<Value> = expected.lines().map(json).collect();
    let mut files: Vec<&str> = expected.iter().map(|line| line["file"].as_str().unwrap()).collect();
    files.dedup();
    for file in files {
        let lines: Vec<&Value> = expected.iter().filter(|line| line["file"] == file).collect();
        let payload = std::fs::read_to_string(repository(file)).unwrap();
        let answer = function.invoke(&payload).await;
        if file.contains("/batches/") && lines.len() > 1 {
            let rejected: Vec<&str> = lines
                .iter()
                .filter(|line| line["outcome"] == "reject")
                .map(|line| line["record"].as_str().unwrap_or_default())
                .collect();
            match answer {
                Answer::Response(answer) => assert_eq!(failed(&answer), rejected, "{file}"),
                // One of them has no id to name it by, so all of them are to come again.
                Answer::Error(kind, _) => {
                    assert!(kind == "NamelessRecord" && rejected.contains(&""), "{file}: {kind}");
                }
            }
            continue;
        }
        match (lines[0]["outcome"].as_str().unwrap(), &answer) {
            ("reject", Answer::Error(..)) => {}
            // An event is only a hint: an account that is still a member is looked at.
            ("departed", Answer::Response(answer)) => {
                assert!(["departed", "reconcile"].contains(&answer["outcome"].as_str().unwrap()), "{file}");
                assert_eq!(answer["reason"], lines[0]["reason"], "{file}");
            }
            // This function may neither read nor write Bedrock policies.
            ("bedrock_policies", Answer::Response(answer)) => {
                assert_eq!(answer["outcome"], "ignore", "{file}: {answer}");
                assert_eq!(answer["reason"], Ignored::NoOrganizationLevel.to_string(), "{file}");
            }
            // By the event alone it is the keeper's; the record knows of no such write.
            ("ignore", Answer::Response(answer)) if lines[0]["reason"] == "the keeper wrote this itself" => {
                assert!(
                    ["ignore", "reconcile"].contains(&answer["outcome"].as_str().unwrap()),
                    "{file}: {answer}"
                );
            }
            (outcome, Answer::Response(answer)) => {
                assert_eq!(answer["outcome"], outcome, "{file}: {answer}");
                assert_eq!(answer["reason"], lines[0]["reason"], "{file}");
            }
            (outcome, Answer::Error(..)) => panic!("{file} is to end as {outcome}: {answer:?}"),
        }
    }
    // Whatever was asked for, in whatever order, this is where it ends.
    check(
        &world.enforced(),
        expect![[r#"
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  -                eubase1a2b3c:2   usbase1a2b3c:2
        222222222222  -                eubase1a2b3c:2   usbase1a2b3c:2
        300000000001  -                eubase1a2b3c:2   usbase1a2b3c:2
        300000000002  -                eubase1a2b3c:2   usbase1a2b3c:2
        300000000003  -                eubase1a2b3c:2   usbase1a2b3c:2
        300000000004  -                eubase1a2b3c:2   usbase1a2b3c:2
        300000000005  -                -                -
        300000000007  -                eubase1a2b3c:2   usbase1a2b3c:2
    "#]],
    );
    let ended = function.terminate().await;
    assert!(ended.log.iter().all(|line| json(line).is_object()));
}

#[tokio::test]
async fn the_functions_own_role_may_do_all_of_it() {
    let world = world().await;
    world.administrator_enforces(PAYMENTS, US, version(US, "2"));
    let session = world.server.with(|model| {
        let lambda = model.caller(&format!("arn:aws:iam::{HUB}:root"), US).unwrap();
        let wanted = AssumeRole {
            role_arn: FUNCTION_ROLE.to_owned(),
            session_name: "guardrail-keeper".to_owned(),
            ..AssumeRole::default()
        };
        model.assume_role(&lambda, &wanted).unwrap()
    });
    let mut function = Function::start(
        &world,
        &[("AWS_ACCESS_KEY_ID", &session.access_key), ("AWS_SESSION_TOKEN", &session.token)],
    )
    .await;

    let answer = function.answer(&schedule()).await;

    assert_eq!(answer["report"]["converged"], true, "{answer:#}");
    let denied: Vec<_> = world.server.calls().into_iter().filter(|call| call.status == 403).collect();
    assert_eq!(denied, []);
    // What it wrote in its own account it knows again as its own.
    let own = world.server.with(|model| model.enforcement(HUB, EU).cloned()).unwrap();
    assert_eq!(own.updated_by, FUNCTION_ROLE);
    world.server.clear_calls();
    let again = function.answer(&schedule()).await;
    assert_eq!(again["report"]["counts"]["in_sync"], 16, "{again:#}");
    assert_eq!(world.writes(), [""; 0]);
    let ended = function.terminate().await;
    let log = ended.log.join("\n");
    assert!(!log.contains(&session.token) && !log.contains(&session.access_key), "{log}");
}

/// A line of the log: its level, what it says, its own fields, and the scope of the run around it.
fn shown(line: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let own = ["account.id", "region", "change", "error.category", "error.kind", "record", "reason"];
    let own: String = own
        .iter()
        .filter(|name| !line[**name].is_null())
        .map(|name| format!(" {name}={}", text(&line[*name])))
        .collect();
    let scope = line["span"].get("scope").map_or_else(String::new, |scope| format!(" scope={}", text(scope)));
    format!("{} {:?}{own}{scope}\n", text(&line["level"]), text(&line["message"]))
}

#[tokio::test]
async fn the_log_says_what_was_done_where_and_why() {
    let world = world().await;
    world.administrator_enforces(NEWCOMER, EU, version(EU, "1"));
    let mut function = Function::start(&world, &[]).await;
    function.answer(&json(&sample("account-created"))).await;
    function.answer(&json(&sample("account-tagged"))).await;
    function.answer(&json(&sample("account-closed"))).await;
    function.invoke(&sample("rejected/no-source")).await;
    let log = function.terminate().await.log;
    let lines = log.iter().map(|line| json(line)).filter(|line| !is_a_figure(line));
    let shown: String = lines.map(|line| shown(&line)).collect();
    check(
        &shown,
        expect![[r#"
            INFO "planned 300000000007 in all Regions: the account was created"
            INFO "working on 300000000007: the account was created"
            WARN "held 300000000007/eu-west-1: another configuration is enforced there, made by arn:aws:iam::300000000007:user/administrator: to replace it, write `existing: replace`" account.id=300000000007 region=eu-west-1
            INFO "300000000007/us-east-1 enforce corporate:2" account.id=300000000007 region=us-east-1 change=enforce
            INFO "1 changed, 1 held, 0 in sync"
            INFO "ignored: the baseline doesn't depend on tags" record=without an id reason=tags
            INFO "queued a look at accounts that may be gone: the account was closed" record=without an id reason=closed
            INFO "working on 300000000001: the account was closed"
            INFO "300000000001/eu-west-1 enforce corporate:2" account.id=300000000001 region=eu-west-1 change=enforce
            INFO "300000000001/us-east-1 enforce corporate:2" account.id=300000000001 region=us-east-1 change=enforce
            INFO "2 changed, 0 held, 0 in sync"
            ERROR "Diagnostic { error_type: \"EventRejected\", error_message: \"not an event: the message has no source, so it is no event\" }"
        "#]],
    );
}

#[tokio::test]
async fn the_log_is_json_at_any_level_and_holds_no_secret_and_no_body() {
    let world = world().await;
    for level in ["ERROR", "info", "DEBUG", "trace"] {
        let mut function = Function::start(&world, &[("AWS_LAMBDA_LOG_LEVEL", level)]).await;
        function.answer(&json(&sample("account-created"))).await;
        world.administrator_releases(NEWCOMER, EU);
        function.answer(&schedule()).await;
        function.invoke(&sample("rejected/no-source")).await;
        let ended = function.terminate().await;
        assert_eq!(ended.errors, [""; 0], "{level}");

        // Figures have a form of their own, and no level switches them off.
        let (figures, lines): (Vec<Value>, Vec<Value>) =
            ended.log.iter().map(|line| json(line)).partition(is_a_figure);
        assert!(!figures.is_empty(), "{level}");
        for line in lines {
            assert!(line["message"].is_string() && line["timestamp"].is_string(), "{level}: {line}");
            assert!(line["level"].is_string(), "{level}: {line}");
        }
        let whole = ended.log.join("\n");
        let account_key = function_key(HUB);
        let secrets = [SECRET, "ASIM", &account_key, "SecretAccessKey", "Credential="];
        let bodies = ["aws:PrincipalOrgID", "not allowed here", "targets: [", "<AssumeRole"];
        for hidden in secrets.iter().chain(&bodies) {
            assert!(!whole.contains(hidden), "{level}: the log holds {hidden:?}:\n{whole}");
        }
        let finest = ended.log.iter().any(|line| line.contains("\"level\":\"DEBUG\""));
        assert_eq!(finest, matches!(level, "DEBUG" | "trace"), "{level}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_used_end_the_function_and_are_named_all_at_once() {
    let world = world().await;
    let function = Function::start(
        &world,
        &[
            ("KEEPER_BASELINE", ""),
            ("KEEPER_MEMBER_ROLE", "arn:aws:iam::111111111111:role/GuardrailKeeperMember"),
            ("KEEPER_FUNCTION_ROLE", "GuardrailKeeperFunction"),
            ("KEEPER_LEDGER", "disk"),
            ("KEEPER_CONCURRENCY", "many"),
            ("KEEPER_BASLINE", "ssm:/guardrail-keeper/baseline"),
        ],
    )
    .await;

    let ended = function.ended().await;

    assert!(!ended.status.success(), "{ended:?}");
    assert_eq!((ended.log.len(), ended.errors.len()), (1, 0), "{ended:?}");
    check(
        &json(&ended.log[0])["message"].as_str().unwrap(),
        expect![[r#"
            the settings can't be used:
              KEEPER_BASELINE: is not set; give the baseline: a file's path, or ssm:NAME for a parameter
              KEEPER_MEMBER_ROLE: is an ARN; give the role's name alone, it is the same in every account
              KEEPER_FUNCTION_ROLE: "GuardrailKeeperFunction" is not a role ARN: expected arn:aws:iam::ACCOUNT:role/NAME
              KEEPER_LEDGER: "disk" is not a ledger: expected memory, file:PATH or table:NAME
              KEEPER_CONCURRENCY: "many" is not a number from 1 to 256
              KEEPER_BASLINE: no such setting; the settings are KEEPER_BASELINE, KEEPER_APPROVAL, KEEPER_SELF_APPROVAL, KEEPER_CONTROLS, KEEPER_MEMBER_ROLE, KEEPER_FUNCTION_ROLE, KEEPER_FORMER_ROLES, KEEPER_EXTERNAL_ID, KEEPER_ORGANIZATION_ROLE, KEEPER_REPAIR_POLICY_TYPE, KEEPER_LEDGER, KEEPER_TASKS_QUEUE, KEEPER_EVENTS_QUEUE, KEEPER_DEPLOYMENT, KEEPER_BUS, KEEPER_REPORT_HOURS, KEEPER_STACK, KEEPER_MAX_WAIT_HOURS, KEEPER_GRACE_MINUTES, KEEPER_MAX_EVENT_AGE_HOURS, KEEPER_CONCURRENCY, KEEPER_MAX_REPLACEMENTS, KEEPER_MAX_RELEASES, KEEPER_MAX_ABANDONMENTS, KEEPER_MAX_DEPARTURES"#]],
    );
    assert_eq!(world.server.calls(), []);
}

#[tokio::test]
async fn no_payload_ends_the_function() {
    let world = world().await;
    let mut function = Function::start(&world, &[]).await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(50_000), close.repeat(50_000));
    let mut ends = String::new();
    for (name, payload) in [
        ("nothing", String::new()),
        ("garbage", "\u{0}\u{1}garbage".to_owned()),
        ("half an event", r#"{"source":"aws.organizations","detail":{"#.to_owned()),
        ("a number", "17".to_owned()),
        ("null", "null".to_owned()),
        ("a list", "[1, 2, 3]".to_owned()),
        ("deep lists", deep("[", "]")),
        ("deep objects", deep("{\"a\":", "}").replace(":}", ":1}")),
        ("a deep detail", format!(r#"{{"source":"aws.organizations","detail":{{"a":{}}}}}"#, deep("[", "]"))),
        ("a batch of nonsense", r#"{"Records":[1,null,{"messageId":"m","body":"{"}]}"#.to_owned()),
        ("a large event", format!(r#"{{"source":"aws.s3","detail":{{"a":"{}"}}}}"#, "x".repeat(2_000_000))),
    ] {
        ends.push_str(&match function.invoke(&payload).await {
            Answer::Response(answer) => format!("{name}: {answer}\n"),
            Answer::Error(kind, message) => format!("{name}: {kind}: {message}\n"),
        });
    }
    check(
        &ends,
        expect![[r#"
        nothing: &lambda_runtime::deserializer::DeserializeError: failed to deserialize the incoming data into the function's payload type: EOF while parsing a value at line 1 column 0

        garbage: &lambda_runtime::deserializer::DeserializeError: failed to deserialize the incoming data into the function's payload type: expected value at line 1 column 1

        half an event: &lambda_runtime::deserializer::DeserializeError: failed to deserialize the incoming data into the function's payload type: EOF while parsing an object at line 1 column 40

        a number: EventRejected: not an event: the message is not a JSON object
        null: EventRejected: not an event: the message is not a JSON object
        a list: EventRejected: not an event: the message is not a JSON object
        deep lists: EventRejected: not an event: the message is nested deeper than any event
        deep objects: EventRejected: not an event: the message is nested deeper than any event
        a deep detail: EventRejected: not an event: the message is nested deeper than any event
        a batch of nonsense: NamelessRecord: a record without a messageId failed, so the whole batch counts as failed
        a large event: {"outcome":"ignore","reason":"the event comes from a source that the keeper doesn't listen to"}
    "#]],
    );

    let answer = function.answer(&json(&sample("account-created"))).await;
    assert_eq!(answer["report"]["counts"]["enforced"], 2);
}

#[tokio::test]
async fn the_function_fails_loudly_where_the_baseline_is_gone_and_recovers_with_it() {
    let world = world().await;
    let mut function = Function::start(&world, &[]).await;
    world.publish_text("version: 1\n");
    let Answer::Error(kind, message) = function.invoke(&schedule().to_string()).await else {
        panic!("an error")
    };
    assert_eq!(kind, "NoBaseline", "{message}");
    assert!(message.contains("organization: missing"), "{message}");
    assert_eq!(world.writes(), [""; 0]);

    world.publish(&Document { regions: EU, ..Document::default() });
    let answer = function.answer(&schedule()).await;
    assert_eq!(answer["report"]["counts"]["enforced"], 7);
}

#[tokio::test]
async fn the_ledger_file_serves_the_next_function() {
    let world = world().await;
    let ledger = format!("file:{}", world.ledger_file().display());
    let variables = [("KEEPER_LEDGER", ledger.as_str())];
    let mut first = Function::start(&world, &variables).await;
    first.answer(&schedule()).await;
    first.terminate().await;
    // Somebody with the member role's name writes, so that only the ledger tells what was ours.
    world.administrator_releases(PAYMENTS, EU);
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));

    let mut second = Function::start(&world, &variables).await;
    let answer = second.answer(&schedule()).await;
    check(
        &testkit::world::targets(&answer),
        expect![[r#"
        300000000001/eu-west-1 replaced eubase1a2b3c:2
    "#]],
    );
}

#[tokio::test]
async fn the_function_ends_when_lambda_tells_it_to() {
    let world = world().await;
    let mut function = Function::start(&world, &[]).await;
    function.answer(&json(&sample("account-tagged"))).await;
    let ended = function.terminate().await;
    assert!(ended.status.success() || ended.status.signal() == Some(15), "{ended:?}");
}

#[tokio::test]
async fn text_is_logged_where_lambda_asks_for_it() {
    let world = world().await;
    let mut function = Function::start(&world, &[("AWS_LAMBDA_LOG_FORMAT", "Text")]).await;
    function.answer(&json(&sample("account-tagged"))).await;
    let ended = function.terminate().await;
    let log = ended.log.join("\n");
    assert!(log.contains("ignored: "), "{log}");
    assert!(!log.contains('\u{1b}'), "no colours: {log}");
}
