//! What others hear of it: events on the bus, with queues and without, and figures in the log.

use expect_test::expect;
use guardrail_keeper::engine;
use guardrail_keeper::handler::handle;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, GuardrailName};

use testkit::lambda::Function;
use testkit::log::Log;
use testkit::stack::Stack;
use testkit::world::{
    DELETE, Document, EU, HUB, LIST, PAYMENTS, PUT, SHIPPING, Setup, US, WORKLOAD, World, check, guardrail,
    repository, schedule, version,
};

const BUS: &str = "outcomes";

/// Two accounts in one Region; others are unassigned.
fn document() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..Document::default()
    }
}

fn setup(document: &Document) -> Setup {
    World::of(document).durable().variable("KEEPER_BUS", BUS)
}

/// What was put on the bus since it was listened to last.
fn heard(world: &World) -> Vec<Value> {
    world.server.with(|model| {
        let events = model.put_events().iter().map(|put| {
            assert_eq!((put.bus.as_str(), put.account.as_str()), (BUS, HUB));
            put.event.clone()
        });
        let events = events.collect();
        model.clear_put_events();
        events
    })
}

/// A line for each event: what it is, where, why, and who else was at work. In order of the lines.
fn told(world: &World) -> String {
    let word = |value: &Value| value.as_str().map_or_else(String::new, |word| format!(" {word}"));
    let mut lines: Vec<String> = heard(world)
        .iter()
        .map(|event| {
            let detail = &event["detail"];
            let accounts = detail["accounts"].as_array().cloned().unwrap_or_default();
            format!(
                "{}{}{}{}{}{}\n",
                event["detail-type"].as_str().unwrap(),
                word(&detail["account"]),
                accounts.iter().map(word).collect::<String>(),
                word(&detail["region"]),
                word(&detail["reason"]["code"]),
                word(&detail["principal"]),
            )
        })
        .collect();
    lines.sort();
    lines.concat()
}

/// A world in which both accounts are guarded, and that was told.
async fn guarded() -> World {
    let world = setup(&document()).start().await;
    world.deliver(&schedule()).await.unwrap();
    heard(&world);
    world
}

/// Takes the enforced version away, which AWS only does where nobody enforces it as far as it knows, and
/// answers the event that would tell.
fn delete_version(world: &World) -> Value {
    let name = GuardrailName::from_arn(&guardrail(EU)).unwrap();
    world.server.with(|model| model.remove_guardrail(&name, Some("2"))).unwrap();
    let sample = std::fs::read_to_string(repository("events/guardrail-version-deleted.json")).unwrap();
    serde_json::from_str(&sample.replace(US, EU).replace("base1234abcd", &name.id)).unwrap()
}

#[tokio::test]
async fn an_account_that_joins_is_told_once() {
    let world = setup(&Document::default()).approved().start().await;
    let account = world.let_an_account_join("newcomer", WORKLOAD);
    let event = world.event("CreateAccountResult");
    world.deliver(&event).await.unwrap();
    let events = heard(&world);
    assert_eq!(events.len(), 3);
    for told in &events {
        assert_eq!(told["source"], "guardrail-keeper");
        assert_eq!(told["detail-type"], "Enforcement Applied");
        let detail = &told["detail"];
        assert_eq!(detail["account"], account.as_str());
        assert_eq!(detail["guardrail"]["version"], "2");
        assert_eq!(detail["cause"]["events"], json!([event["id"]]));
        assert!(detail["since_event_ms"].is_u64(), "{detail}");
    }
    world.deliver(&event).await.unwrap();
    assert_eq!(told(&world), "");
}

#[tokio::test]
async fn tampering_is_told_with_who_it_was() {
    let world = guarded().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    let changed = world.event(PUT);
    world.administrator_releases(SHIPPING, EU);
    world.deliver(&changed).await.unwrap();
    world.deliver(&world.event(DELETE)).await.unwrap();
    check(
        &told(&world),
        expect![[r#"
        Enforcement Repaired 300000000001 eu-west-1 changed.weaker arn:aws:iam::300000000001:user/administrator
        Enforcement Repaired 300000000002 eu-west-1 removed
    "#]],
    );
    world.deliver(&changed).await.unwrap();
    assert_eq!(told(&world), "");
}

#[tokio::test]
async fn what_a_sweep_finds_again_is_told_once() {
    let world = setup(&document()).start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    let mut all = String::new();
    for _ in 0..3 {
        world.deliver(&schedule()).await.unwrap();
        all.push_str(&told(&world));
        all.push('\n');
    }
    check(
        &all,
        expect![[r#"
            Attention Needed not_ours
            Baseline Changed within_limits
            Enforcement Applied 300000000002 eu-west-1 absent
            Enforcement Held 300000000001 eu-west-1 not_ours arn:aws:iam::300000000001:user/administrator
            Sweep Completed

            Sweep Completed

            Sweep Completed

        "#]],
    );
}

#[tokio::test]
async fn what_is_replaced_can_be_put_back_from_what_is_told() {
    let world = setup(&document()).start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    world.publish(&Document { assignments: vec![(PAYMENTS, "corporate, existing: replace")], ..document() });
    world.deliver(&schedule()).await.unwrap();
    let events = heard(&world);
    let applied = events.iter().find(|event| event["detail-type"] == "Enforcement Applied").unwrap();
    assert_eq!(applied["detail"]["reason"]["code"], "another");
    check(
        &format!("{:#}", applied["detail"]["previous"]),
        expect![[r#"
        {
          "by": "arn:aws:iam::300000000001:user/administrator",
          "guarding": {
            "messages": "comprehensive",
            "system": "comprehensive"
          },
          "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c",
          "models": {
            "exclude": [],
            "include": "all"
          },
          "version": "1"
        }"#]],
    );
}

#[tokio::test]
async fn a_release_is_told() {
    let world = guarded().await;
    world.publish(&Document { assignments: vec![(PAYMENTS, "none"), (SHIPPING, "corporate")], ..document() });
    world.deliver(&schedule()).await.unwrap();
    check(
        &told(&world),
        expect![[r#"
            Attention Needed released
            Baseline Changed within_limits
            Enforcement Released 300000000001 eu-west-1 not_wanted
            Sweep Completed
        "#]],
    );
}

#[tokio::test]
async fn what_is_broken_is_told_with_all_accounts() {
    let world = guarded().await;
    let deleted = delete_version(&world);
    let mut all = String::new();
    for event in [&deleted, &deleted, &schedule(), &schedule()] {
        world.deliver(event).await.unwrap();
        all.push_str(&told(&world));
        all.push('\n');
    }
    check(
        &all,
        expect![[r#"
            Attention Needed missing
            Attention Needed missing
            Enforcement Broken 300000000001 eu-west-1 missing
            Enforcement Broken 300000000002 eu-west-1 missing


            Enforcement Broken 300000000001 300000000002 eu-west-1 missing
            Sweep Completed

            Enforcement Broken 300000000001 300000000002 eu-west-1 missing
            Sweep Completed

        "#]],
    );
}

/// People get the first of these events alone: a guardrail is another one in each Region.
#[tokio::test]
async fn what_is_broken_in_several_regions_is_one_message_of_a_sweep() {
    let document = Document { regions: "us-east-1, eu-west-1", ..document() };
    let world = setup(&document).start().await;
    world.deliver(&schedule()).await.unwrap();
    for region in [EU, US] {
        let name = GuardrailName::from_arn(&guardrail(region)).unwrap();
        world.server.with(|model| model.remove_guardrail(&name, Some("2"))).unwrap();
    }
    heard(&world);
    world.deliver(&schedule()).await.unwrap();
    let events = heard(&world);
    let broken: Vec<&Value> =
        events.iter().filter(|event| event["detail-type"] == "Enforcement Broken").collect();
    let [first, second] = broken[..] else { panic!("{events:#?}") };
    let text = first["detail"]["reason"]["text"].as_str().unwrap();
    assert!(text.ends_with("; and 1 more guardrail version with so many accounts: us-east-1 (2)"), "{text}");
    assert_eq!((&first["detail"]["region"], &first["detail"]["named_with"]), (&json!(EU), &Value::Null));
    assert_eq!((&second["detail"]["region"], &second["detail"]["named_with"]), (&json!(US), &json!(EU)));
    assert_eq!(second["detail"]["accounts"], json!([PAYMENTS, SHIPPING]));
}

#[tokio::test]
async fn a_departure_is_told_where_something_is_left_behind() {
    let world = guarded().await;
    let text = std::fs::read_to_string(repository("events/account-left.json")).unwrap();
    world.server.with(|model| model.leave(PAYMENTS)).unwrap();
    world.deliver(&serde_json::from_str(&text).unwrap()).await.unwrap();
    let events = heard(&world);
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event["detail-type"], "Account Departed");
    assert_eq!(event["detail"]["left_behind"], json!([EU]));

    // Nobody knows this one.
    let stranger = text.replace(PAYMENTS, "300000000042");
    world.deliver(&serde_json::from_str(&stranger).unwrap()).await.unwrap();
    assert_eq!(told(&world), "");
}

#[tokio::test]
async fn our_own_events_wake_nobody() {
    let world = setup(&document()).start().await;
    world.deliver(&schedule()).await.unwrap();
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    delete_version(&world);
    world.deliver(&schedule()).await.unwrap();
    let events = heard(&world);
    assert!(events.len() > 3, "{events:?}");
    world.server.clear_calls();
    for event in &events {
        let answer = world.deliver(event).await.unwrap();
        assert_eq!(answer["outcome"], "ignore", "{event}");
    }
    assert_eq!(world.server.calls(), []);
    assert_eq!(heard(&world), [Value::Null; 0]);
}

#[tokio::test]
async fn a_bus_that_refuses_fails_nothing_and_repeats_nothing() {
    let world = setup(&document()).start().await;
    world.server.fault(Fault::new(FaultKind::Denied { message: "No.".to_owned() }).operation("PutEvents"));
    let (answer, log) = Log::of(handle(&world.keeper, &schedule().to_string())).await;
    assert_eq!(answer.unwrap()["report"]["counts"]["enforced"], 2);
    let warnings: Vec<&Value> = log.iter().filter(|line| line["level"] == "WARN").collect();
    // The baseline's change when it is counted and at the sweep's end, two accounts, and that end.
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    for warning in warnings {
        check(
            warning["message"].as_str().unwrap(),
            expect![
                "failed to send outcome events to outcomes: PutEvents: 1 of 1 were not sent: AccessDeniedException: No. (denied)"
            ],
        );
    }
    let lines = engine::metrics(&world.keeper).concat();
    assert!(lines.contains(r#""OutcomeEventsNotSent":5"#), "{lines}");

    world.server.clear_faults();
    world.server.clear_calls();
    world.deliver(&schedule()).await.unwrap();
    assert_eq!(world.writes(), [""; 0]);
    check(
        &told(&world),
        expect![[r#"
            Baseline Changed within_limits
            Sweep Completed
        "#]],
    );
}

#[tokio::test]
async fn without_a_bus_nothing_is_sent() {
    let world = World::of(&document()).start().await;
    world.deliver(&schedule()).await.unwrap();
    assert_eq!(world.count("PutEvents"), 0);
}

#[tokio::test]
async fn through_queues_the_same_is_told() {
    let mut stack = Stack::guarded(setup(&document())).await;
    let first = told(&stack.world);
    stack.deliver(&stack.schedule()).await;
    let second = told(&stack.world);
    stack.world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    let event = stack.world.event(PUT);
    stack.deliver(&event).await;
    let tampered = told(&stack.world);
    let event = delete_version(&stack.world);
    stack.deliver(&event).await;
    let deleted = told(&stack.world);
    stack.deliver(&stack.schedule()).await;
    let swept = told(&stack.world);
    check(
        &[first, second, tampered, deleted, swept].join("\n"),
        expect![[r#"
            Baseline Changed within_limits
            Enforcement Applied 300000000001 eu-west-1 absent
            Enforcement Applied 300000000002 eu-west-1 absent
            Sweep Completed

            Sweep Completed

            Enforcement Repaired 300000000001 eu-west-1 changed.weaker arn:aws:iam::300000000001:user/administrator

            Attention Needed missing
            Attention Needed missing
            Enforcement Broken 300000000001 eu-west-1 missing
            Enforcement Broken 300000000002 eu-west-1 missing

            Enforcement Broken 300000000001 300000000002 eu-west-1 missing
            Sweep Completed
        "#]],
    );
}

#[tokio::test]
async fn a_member_that_is_gone_is_told_once() {
    let mut stack = Stack::guarded(setup(&document())).await;
    heard(&stack.world);
    stack.world.server.with(|model| model.suspend(PAYMENTS));
    for _ in 0..2 {
        stack.deliver(&stack.schedule()).await;
    }
    check(
        &told(&stack.world),
        expect![[r#"
        Account Departed 300000000001 departed
        Sweep Completed
        Sweep Completed
    "#]],
    );
}

#[tokio::test]
async fn the_function_writes_its_figures_into_its_log() {
    let world = setup(&Document { regions: US, ..Document::only(PAYMENTS) }).start().await;
    let mut function = Function::start(&world, &[("KEEPER_BUS", BUS)]).await;
    world.server.fault(Fault::new(FaultKind::Throttle).operation(LIST).times(1));
    function.answer(&schedule()).await;
    let ended = function.terminate().await;
    let log: Vec<Value> = ended.log.iter().map(|line| serde_json::from_str(line).unwrap()).collect();

    let made = world.server.calls().len();
    let figures: Vec<&Value> = log.iter().filter(|line| line["_aws"].is_object()).collect();
    let calls = figures.iter().find(|line| line["AwsCalls"].is_u64()).unwrap();
    assert_eq!((&calls["AwsCalls"], &calls["AwsCallsThrottled"]), (&json!(made), &json!(1)));
    let targets: Vec<(&str, u64)> = figures
        .iter()
        .filter_map(|line| Some((line["State"].as_str()?, line["Targets"].as_u64()?)))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(targets, [("enforced", 1), ("left_alone", 6)]);

    let tasks: Vec<&Value> = log.iter().filter(|line| line["duration_ms"].is_u64()).collect();
    assert_eq!(tasks.len(), 8, "the owner's Region and seven accounts, each a line: {tasks:#?}");
    assert!(tasks.iter().all(|line| line["aws_calls"].is_u64()), "{tasks:#?}");
    assert!(tasks.iter().any(|line| line["aws_throttles"] == 1), "{tasks:#?}");
}

#[tokio::test]
async fn a_policy_that_opens_a_guardrail_is_told_once_for_each_opening() {
    let mut stack = Stack::guarded(setup(&document())).await;
    drop(heard(&stack.world));
    let open_to = |principal: &str| {
        let resource = guardrail(EU);
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":["bedrock:GetGuardrail","bedrock:ApplyGuardrail"],"Resource":"{resource}","Condition":{{"StringEquals":{{"aws:PrincipalOrgID":"o-exampleorgid"}}}}}},{{"Effect":"Allow","Principal":{principal},"Action":"bedrock:ApplyGuardrail","Resource":"{resource}"}}]}}"#
        )
    };
    let mut opened = Vec::new();
    for policy in [open_to("\"*\""), open_to("\"*\""), open_to(r#"{"AWS":"arn:aws:iam::999999999999:root"}"#)]
    {
        stack.world.server.with(|model| model.set_resource_policy(&guardrail(EU), Some(&policy))).unwrap();
        stack.deliver(&stack.schedule()).await;
        let events =
            heard(&stack.world).into_iter().filter(|event| event["detail-type"] == "Guardrail Opened");
        opened.push(events.map(|event| event["detail"]["openings"][0].clone()).collect::<Vec<_>>());
    }
    assert_eq!(opened.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1], "{opened:#?}");
    assert!(opened[0][0].as_str().unwrap().contains("every AWS account"), "{opened:#?}");
    assert!(opened[2][0].as_str().unwrap().contains("999999999999"), "{opened:#?}");

    let status = testkit::program::Guardrailctl::of(&stack.world)
        .variable("KEEPER_LEDGER", &format!("file:{}", stack.world.ledger_file().display()))
        .variable("KEEPER_BASELINE", &format!("ssm:{}", testkit::world::PARAMETER))
        .run(&["status"])
        .await;
    assert!(
        status.err.contains("is open beyond the organization: its policy admits account 999999999999"),
        "{status}"
    );
}
