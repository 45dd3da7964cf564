//! What others write, where it could do harm: into the log and onto the terminal, into endpoints, in sizes that
//! nobody needs, and in the name of accounts that are none of ours.

use std::time::{Duration, Instant};

use guardrail_keeper::baseline::Baseline;
use guardrail_keeper::ids::Region;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, SendMessage};

use testkit::lambda::{Answer, Function};
use testkit::program::Guardrailctl;
use testkit::queues::EMPTY;
use testkit::stack::{Stack, tasks_queue};
use testkit::world::{
    ABANDONED, Document, EU, HUB, LIST, PAYMENTS, REGIONS, SHIPPING, World, schedule, version,
};

/// Ends a line and forges another, recolours and clears a screen, turns text around, ends JSON.
const HOSTILE: &str = "x\n{\"level\":\"INFO\",\"forged\":true}\r\n\u{1b}[2J\u{1b}[31mforged\u{9b}1m\u{7}\u{202e}\",\"forged\":\"y";

fn document() -> Document {
    Document { regions: EU, ..Document::default() }
}

fn sample() -> Value {
    serde_json::from_str(include_str!("../../events/account-created.json")).unwrap()
}

/// Events with hostile text wherever an event has text.
fn hostile_events() -> Vec<Value> {
    let mut events = Vec::new();
    for place in [
        "/id",
        "/source",
        "/account",
        "/region",
        "/detail-type",
        "/detail/eventName",
        "/detail/awsRegion",
        "/detail/userIdentity/accountId",
        "/detail/serviceEventDetails/createAccountStatus/accountName",
        "/detail/serviceEventDetails/createAccountStatus/accountId",
        "/detail/serviceEventDetails/createAccountStatus/state",
    ] {
        let mut event = sample();
        *event.pointer_mut(place).unwrap() = HOSTILE.into();
        events.push(event);
    }
    events.push(json!({
        "id": HOSTILE, "source": "guardrail-keeper.request", "detail-type": "Reconcile Requested",
        "account": HUB, "region": "us-east-1", "time": "2026-11-02T10:00:00Z",
        "detail": { "accounts": [PAYMENTS], "regions": "all", "reason": HOSTILE, "plan": HOSTILE },
    }));
    events
}

/// A world in which AWS's own answers are hostile: an error's message, and who enforced something.
async fn hostile_world() -> World {
    let world = World::of(&document()).start().await;
    let denied = FaultKind::Denied { message: format!("You may not: {HOSTILE}") };
    world.server.fault(Fault::new(denied).operation(LIST).account(SHIPPING));
    let broken = FaultKind::Error { code: HOSTILE.to_owned(), message: HOSTILE.to_owned(), status: 400 };
    world.server.fault(Fault::new(broken).operation(LIST).account("300000000003"));
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    world.server.with(|model| {
        let now = model.clock.now();
        let state = model.region_mut(PAYMENTS, EU).unwrap();
        let mut enforced = state.enforcement.latest().clone().unwrap();
        enforced.updated_by = format!("arn:aws:sts::{PAYMENTS}:assumed-role/Admin/{HOSTILE}");
        state.enforcement.write(Some(enforced), now, 0);
    });
    world
}

/// Control characters of either kind, and those that turn text around.
fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || ('\u{202a}'..='\u{202e}').contains(&letter)
        || ('\u{2066}'..='\u{2069}').contains(&letter)
}

#[tokio::test]
async fn hostile_text_forges_no_line_of_the_log() {
    let world = hostile_world().await;
    for format in ["JSON", "Text"] {
        let settings = [("AWS_LAMBDA_LOG_LEVEL", "trace"), ("AWS_LAMBDA_LOG_FORMAT", format)];
        let mut function = Function::start(&world, &settings).await;
        for event in hostile_events() {
            function.invoke(&event.to_string()).await;
        }
        function.invoke(&schedule().to_string()).await;
        let ended = function.terminate().await;
        assert!(ended.log.len() > hostile_events().len(), "{format}: {:?}", ended.log);
        for line in &ended.log {
            assert!(!line.contains(is_harmful), "{format}: {line:?}");
            assert!(!line.starts_with("{\"level\":\"INFO\",\"forged\""), "{format}: {line}");
            if format == "JSON" {
                let line: Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                assert!(line.is_object() && line.get("forged").is_none(), "{line}");
            }
        }
        assert!(ended.log.iter().any(|line| line.contains("forged")), "{format}: nothing hostile was told");
    }
}

#[tokio::test]
async fn hostile_text_reaches_no_terminal_as_it_is() {
    let world = hostile_world().await;
    let file = world.folder().join("baseline.yaml");
    std::fs::write(&file, document().text()).unwrap();
    let file = file.display().to_string();
    let mut told = false;
    for arguments in [
        vec!["plan", "--baseline", &file],
        vec!["apply", "--yes", "--baseline", &file],
        vec!["explain", PAYMENTS, EU, "--baseline", &file],
        vec!["trigger", "-"],
    ] {
        let ran = Guardrailctl::of(&world)
            .variable("KEEPER_MEMBER_ROLE", "GuardrailKeeperMember")
            .input(&hostile_events()[5].to_string())
            .run(&arguments)
            .await;
        for line in ran.out.lines().chain(ran.err.lines()) {
            assert!(!line.contains(is_harmful), "{arguments:?}: {line:?}");
            assert!(!line.starts_with("{\"level\":\"INFO\",\"forged\""), "{arguments:?}: {line}");
        }
        told |= ran.to_string().contains("forged");
    }
    assert!(told, "nothing hostile was printed at all");
}

#[tokio::test]
async fn no_region_of_anybodys_leads_elsewhere() {
    let elsewhere = [
        "us-east-1.evil.com",
        "us-east-1.evil.com#",
        "us-east-1#",
        "evil.com/us-east-1",
        "us-east-1@evil.com",
        "us-east-1:443",
        "us-east-1?x=",
        "us-east-1/..",
        "us-east-1\n",
        "US-EAST-1",
        "us-east-1%2eevil",
        "us‑east‑1",
        "",
    ];
    let world = World::of(&document()).start().await;
    for region in elsewhere {
        assert!(region.parse::<Region>().is_err(), "{region:?} is taken for a Region");
        let text = document().text().replace("[eu-west-1]", &format!("[{region:?}]"));
        assert!(Baseline::parse(&text).is_err(), "{region:?} is taken for a Region of a baseline");
        for place in ["/region", "/detail/awsRegion"] {
            let mut event = sample();
            *event.pointer_mut(place).unwrap() = region.into();
            drop(world.deliver(&event).await);
        }
        let request = json!({
            "id": "1", "source": "guardrail-keeper.request", "detail-type": "Reconcile Requested",
            "account": HUB, "region": region, "time": "2026-11-02T10:00:00Z",
            "detail": { "accounts": [PAYMENTS], "regions": [region], "reason": "x" },
        });
        drop(world.deliver(&request).await);
    }
    let calls = world.server.calls();
    let other = calls.iter().find(|call| !REGIONS.contains(&call.region.as_str()));
    assert!(!calls.is_empty() && other.is_none(), "{other:?}");
}

#[tokio::test]
async fn what_is_too_large_is_refused_quickly_and_in_little_memory() {
    let world = World::of(&document()).start().await;
    let mut function = Function::start(&world, &[]).await;
    let large = "x".repeat(1 << 20);
    let mut event = sample();
    *event.pointer_mut("/detail/serviceEventDetails/createAccountStatus/accountId").unwrap() =
        large.clone().into();
    let record = |number: usize| {
        json!({
            "messageId": format!("m{number}"), "body": "{}", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:111111111111:events",
        })
    };
    let records: Vec<Value> = (0..10_000).map(record).collect();
    let began = Instant::now();
    let refused = function.invoke(&event.to_string()).await;
    let Answer::Response(refused) = refused else { panic!("{refused:?}") };
    assert!(refused["outcome"] == "ignore" && refused.to_string().len() < 1000, "{refused:.1000}");
    let Answer::Response(answer) = function.invoke(&json!({ "Records": records }).to_string()).await else {
        panic!("a batch is answered");
    };
    assert_eq!(answer["batchItemFailures"].as_array().map(Vec::len), Some(10_000), "{answer:.300}");

    for text in [format!("# {large}\n{}", document().text()), large] {
        let began = Instant::now();
        let invalid = Baseline::parse(&text).unwrap_err().to_string();
        assert!(began.elapsed() < Duration::from_secs(1) && invalid.len() < 1000, "{invalid:.1000}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // Only Linux tells.
    if let Some(peak) = function.peak_kilobytes() {
        assert!(peak < 200_000, "{peak} kB");
    }
    function.terminate().await;
}

/// A task as it really is, for another account; with its placement, or as events make it.
async fn tasks_for(stack: &mut Stack, account: &str) -> Vec<Value> {
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.send(&stack.world.event("DeleteEnforcedGuardrailConfiguration"));
    let mut tasks = Vec::new();
    while tasks.is_empty() {
        assert!(stack.step().await, "a task comes of it");
        tasks = stack.world.server.with(|model| {
            let queue = model.queue(&tasks_queue()).expect("it exists");
            queue.messages().map(|(message, _)| serde_json::from_str(&message.body).unwrap()).collect()
        });
    }
    stack.settle().await;
    tasks
        .into_iter()
        .map(|task: Value| serde_json::from_str(&task.to_string().replace(PAYMENTS, account)).unwrap())
        .collect()
}

#[tokio::test]
async fn no_task_leads_into_an_account_that_is_none_of_ours() {
    let mut stack = Stack::guarded(World::of(&document())).await;
    // It has the role, which trusts the hub, and is no member.
    let stranger = "400000000001";
    let role =
        stack.world.server.with(|model| model.role(PAYMENTS, "GuardrailKeeperMember").cloned()).unwrap();
    stack.world.server.with(|model| model.put_role(stranger, role));
    for account in [stranger, ABANDONED, "999999999999"] {
        let tasks = tasks_for(&mut stack, account).await;
        stack.world.server.clear_calls();
        for (number, task) in tasks.iter().enumerate() {
            let message = SendMessage {
                body: task.to_string(),
                group: Some(account.to_owned()),
                deduplication_id: Some(format!("{account}-{number}")),
                ..SendMessage::default()
            };
            stack.world.server.with(|model| model.send_message(&tasks_queue(), HUB, message)).unwrap();
        }
        stack.settle().await;
        let called = stack.world.server.calls();
        assert!(called.iter().any(|call| call.operation == "DescribeAccount"), "{account}: {called:?}");
        let into = called.iter().find(|call| {
            call.account == account
                || (call.operation == "AssumeRole"
                    && call.target.as_ref().is_some_and(|it| it.contains(account)))
        });
        assert!(into.is_none(), "{account}: {into:?}");
    }
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn no_task_is_done_for_another_organization() {
    let mut stack = Stack::guarded(World::of(&document())).await;
    let tasks = tasks_for(&mut stack, SHIPPING).await;
    stack.world.publish(&Document { organization: "o-anotherorgid", ..document() });
    stack.world.keeper = stack.world.another_keeper().await;
    stack.world.administrator_releases(SHIPPING, EU);
    stack.world.server.clear_calls();
    let message = SendMessage {
        body: tasks[0].to_string(),
        group: Some(SHIPPING.to_owned()),
        deduplication_id: Some("another".to_owned()),
        ..SendMessage::default()
    };
    stack.world.server.with(|model| model.send_message(&tasks_queue(), HUB, message)).unwrap();
    stack.settle().await;
    assert_eq!(stack.world.count("AssumeRole"), 0);
    assert_eq!(stack.world.writes(), [""; 0]);
    // It is told and not lost.
    assert!(stack.left().ends_with("1 dead-tasks.fifo"), "{}", stack.left());
}
