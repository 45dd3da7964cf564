//! Nothing is written where the record can't be read, or can't be told what is about to be done: from a
//! terminal, from an event, and through the queues (`queued_faults`).

use expect_test::expect;
use guardrail_keeper::engine::{Reviewer, everything};
use guardrail_keeper::handler::{DoneHere, do_here, handle};
use serde_json::{Value, json};

use testkit::program::{Guardrailctl, Ran};
use testkit::stack::Stack;
use testkit::world::{
    Document, EU, PAYMENTS, PUT, SANDBOX, SHIPPING, World, check, guardrail, schedule, version,
};

fn one_account() -> Document {
    Document { regions: EU, ..Document::only(PAYMENTS) }
}

fn two_accounts() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..Document::default()
    }
}

async fn ctl(world: &World, document: &Document, arguments: &[&str]) -> Ran {
    std::fs::write(world.folder().join("baseline.yaml"), document.text()).unwrap();
    let ctl = Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", "baseline.yaml")
        .variable("KEEPER_LEDGER", "file:ledger.json");
    ctl.run(arguments).await
}

/// Puts what can't be understood in the place of one document.
fn spoil(world: &World, document: &str) {
    let text = std::fs::read(world.ledger_file()).unwrap();
    let mut ledger: Value = serde_json::from_slice(&text).unwrap();
    assert!(ledger["documents"][document].is_object(), "{document} in {ledger:#}");
    ledger["documents"][document]["document"] = json!({ "regions": 5 });
    std::fs::write(world.ledger_file(), ledger.to_string()).unwrap();
}

/// A ledger that can be read and not written: its lock is a file, and a folder has that name.
fn forbid_writing(world: &World) {
    let lock = world.folder().join("ledger.json.lock");
    drop(std::fs::remove_file(&lock));
    std::fs::create_dir(&lock).unwrap();
}

#[tokio::test]
async fn a_terminal_writes_nothing_where_the_ledger_cannot_be_read() {
    let world = World::guarded(World::of(&two_accounts()).durable()).await;
    // One account is about to leave, in the other a version is to be replaced: only the ledger knows.
    let leaves = ctl(&world, &two_accounts(), &["offboard", PAYMENTS, "--yes"]).await;
    assert_eq!(leaves.code, 0, "{leaves}");
    let newer = Document { version: 1, ..two_accounts() };
    std::fs::write(world.ledger_file(), "{").unwrap();
    world.server.clear_calls();

    for arguments in [["apply", "--yes", "--output", "text"], ["apply", "--yes", "--direct", "--output=text"]]
    {
        let ran = ctl(&world, &newer, &arguments).await;
        assert_eq!((ran.code, world.writes()), (3, Vec::new()), "{ran}");
    }
    let ran = ctl(&world, &newer, &["apply", "--yes"]).await;
    check(
        &ran.without_hash(),
        expect![[r#"
            ! 300000000001/eu-west-1 (Workload/payments) held [ledger_unavailable], would enforce corporate:1: the ledger could not be read or written, and nothing is written without a record: see its error in the log; the next run tries again
            ! 300000000002/eu-west-1 (Workload/shipping) held [ledger_unavailable], would replace corporate:2 => corporate:1 (different): the ledger could not be read or written, and nothing is written without a record: see its error in the log; the next run tries again
            0 to change, 2 held, 0 in sync, 5 left alone, 1 account skipped
            plan HASH of baseline 5d74b4616e57cddb, mode sync
            stderr: warning: failed to read the ledger, so nothing is written: ledger.json is not a ledger of this program: EOF while parsing an object at line 1 column 1
            stderr: warning: failed to read the approval of the revision: ledger.json is not a ledger of this program: EOF while parsing an object at line 1 column 1
            stderr: warning: failed to read which grants are ours, so none is taken back: ledger.json is not a ledger of this program: EOF while parsing an object at line 1 column 1
            stderr: warning: failed to record what was seen: ledger.json is not a ledger of this program: EOF while parsing an object at line 1 column 1
            stderr: error: the ledger could not be used: ledger.json is not a ledger of this program: EOF while parsing an object at line 1 column 1
            exit 3
        "#]],
    );
    let told = ctl(&world, &newer, &["apply", "--yes", "--output", "json"]).await;
    let told: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["report"], Value::Null, "{told:#}");
    // Not even where everything looks as wanted.
    for (arguments, code) in
        [(["plan", "--account", SHIPPING], 1), (["apply", "--yes", "--account=300000000002"], 3)]
    {
        let ran = ctl(&world, &two_accounts(), &arguments).await;
        assert_eq!((ran.code, world.writes()), (code, Vec::new()), "{ran}");
    }
}

#[tokio::test]
async fn an_event_writes_nothing_where_the_ledger_cannot_be_read() {
    let world = World::guarded(World::of(&one_account()).durable()).await;
    let ledger = std::fs::read(world.ledger_file()).unwrap();
    std::fs::write(world.ledger_file(), "{").unwrap();
    // Whether somebody removed ours, or it was released because the account is about to leave, isn't known.
    world.administrator_releases(PAYMENTS, EU);
    world.server.clear_calls();
    let refused = world.deliver(&schedule()).await.unwrap_err();
    let path = world.ledger_file().display().to_string();
    check(
        &format!("{}: {refused}", refused.name()).replace(&path, "LEDGER"),
        expect![
            "NotQueued: not queued: the ledger could not be used: LEDGER is not a ledger of this program: EOF while parsing an object at line 1 column 1"
        ],
    );
    // Nor does a terminal begin anything.
    check(
        &world.refused().await.replace(&path, "LEDGER"),
        expect![
            "the ledger could not be used: LEDGER is not a ledger of this program: EOF while parsing an object at line 1 column 1"
        ],
    );
    // Nor is what bears our name released: the record may say that it was adopted from somebody.
    world.publish(&Document { assignments: vec![(PAYMENTS, "none")], ..one_account() });
    world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));
    let refused = world.refused().await;
    assert_eq!(world.writes(), [""; 0], "{refused}");

    world.publish(&one_account());
    world.administrator_releases(PAYMENTS, EU);
    std::fs::write(world.ledger_file(), ledger).unwrap();
    assert!(world.sweep().await.is_converged());
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}")]);
}

#[tokio::test]
async fn a_record_that_cannot_be_understood_is_a_matter_of_its_own_account() {
    let world = World::guarded(World::of(&two_accounts()).durable()).await;
    spoil(&world, &format!("account#{PAYMENTS}"));
    for account in [PAYMENTS, SHIPPING] {
        world.administrator_releases(account, EU);
    }
    let DoneHere { report, unfinished, .. } =
        do_here(&world.keeper, &everything(), Reviewer::NOBODY).await.unwrap();
    assert_eq!(world.writes(), [format!("{PUT} {SHIPPING}/{EU}")]);
    assert_eq!(unfinished.len(), 1, "{unfinished:?}");
    assert!(unfinished[0].starts_with(&format!("{PAYMENTS} waits: ")), "{unfinished:?}");
    check(
        &report,
        expect![[r#"
            + 300000000002/eu-west-1 enforce corporate:2 (it was removed)
            1 changed, 0 held, 0 in sync, 5 left alone"#]],
    );
    world.quiet(&[PAYMENTS, SHIPPING]).await;
}

#[tokio::test]
async fn nothing_is_begun_of_which_there_would_be_no_trace() {
    for newer in [1, 2] {
        // A first enforcement, a repair, and a release.
        let document = Document {
            version: newer,
            assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate"), (SANDBOX, "corporate")],
            ..two_accounts()
        };
        let world = World::guarded(World::of(&document).durable()).await;
        world.administrator_releases(PAYMENTS, EU);
        forbid_writing(&world);
        world.publish(&Document {
            version: 2,
            assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "none"), ("r-exam", "corporate")],
            ..document
        });
        let refused = world.refused().await;
        assert_eq!(world.writes(), [""; 0], "{refused}");
        assert!(refused.contains("the ledger could not be used"), "{refused}");
    }
}

#[tokio::test]
async fn no_grant_is_made_that_nobody_would_take_back() {
    let attach = |world: &World, policy: Option<&str>| {
        world.server.with(|model| model.set_resource_policy(&guardrail(EU), policy)).unwrap();
    };
    // It can't be recorded.
    let world = World::of(&one_account()).durable().start().await;
    attach(&world, None);
    forbid_writing(&world);
    let refused = world.refused().await;
    assert_eq!(world.writes(), [""; 0], "{refused}");

    // Which ones are ours can't be read.
    let world = World::of(&one_account()).durable().start().await;
    attach(&world, None);
    assert!(world.sweep().await.is_converged());
    spoil(&world, "grants");
    attach(&world, None);
    world.server.clear_calls();
    let report = world.sweep().await;
    assert_eq!(world.writes(), [""; 0], "{report}");
    check(
        &report.to_string().replace(&world.ledger_file().display().to_string(), "LEDGER"),
        expect![[r#"
            ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c held: the ledger could not be read or written, and nothing is written without a record: see its error in the log; the next run tries again
            ! failed to read which grants are ours, so none is taken back: failed to parse the ledger's document grants: invalid type: map, expected a sequence at line 1 column 0
            ! failed to read which grants are ours, so none is taken back: failed to parse the ledger's document grants: invalid type: map, expected a sequence at line 1 column 0
            ! 111111111111 waits: failed to read which grants are ours, so none is taken back: failed to parse the ledger's document grants: invalid type: map, expected a sequence at line 1 column 0
            ! 222222222222 waits: failed to read which grants are ours, so none is taken back: failed to parse the ledger's document grants: invalid type: map, expected a sequence at line 1 column 0
            ! 300000000001 waits: failed to read which grants are ours, so none is taken back: failed to parse the ledger's document grants: invalid type: map, expected a sequence at line 1 column 0
            ! 300000000002 waits: failed to read which grants are ours, so none is taken back: failed to parse the ledger's document grants: invalid type: map, expected a sequence at line 1 column 0
            ! 300000000003 waits: failed to read which grants are ours, so none is taken back: failed to parse the ledger's document grants: invalid type: map, expected a sequence at line 1 column 0
            ! 300000000004 waits: failed to read which grants are ours, so none is taken back: failed to parse the ledger's document grants: invalid type: map, expected a sequence at line 1 column 0
            ! 300000000005 waits: failed to read which grants are ours, so none is taken back: failed to parse the ledger's document grants: invalid type: map, expected a sequence at line 1 column 0
            ! owner.222222222222.eu-west-1 waits: arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c: the ledger could not be read or written, and nothing is written without a record: see its error in the log; the next run tries again
            ! owner.222222222222.eu-west-1 waits: arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c: the ledger could not be read or written, and nothing is written without a record: see its error in the log; the next run tries again
            ! the ledger could not be used: failed to parse the ledger's document grants: invalid type: map, expected a sequence at line 1 column 0
            0 changed, 1 held, 0 in sync, 1 account skipped"#]],
    );

    // How far the revision has come can't be read, so that nobody knows which baseline accounts follow.
    let world = World::guarded(World::of(&one_account()).durable()).await;
    spoil(&world, "rollout");
    world.administrator_releases(PAYMENTS, EU);
    world.publish(&Document { version: 2, ..two_accounts() });
    let refused = world.refused().await;
    assert_eq!(world.writes(), [""; 0], "{refused}");
}

#[tokio::test]
async fn no_copy_is_made_where_the_record_cannot_be_read() {
    let copied = Document { guardrail: vec!["placement: copy"], ..one_account() };
    let world = World::of(&copied).durable().start().await;
    std::fs::write(world.ledger_file(), "{").unwrap();
    let refused = world.refused().await;
    assert_eq!(world.writes(), [""; 0], "{refused}");
    // Nor where it can't be told.
    std::fs::remove_file(world.ledger_file()).unwrap();
    forbid_writing(&world);
    let refused = world.refused().await;
    assert_eq!(world.writes(), [""; 0], "{refused}");
}

#[tokio::test]
async fn a_ledger_that_only_forgets_is_read_well() {
    let world = World::of(&one_account()).start().await;
    let report = world.sweep().await;
    assert!(report.is_converged() && report.ledger_trouble.is_none(), "{report}");
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}")]);
}

#[tokio::test]
async fn the_queues_write_nothing_for_one_record_that_cannot_be_understood() {
    let mut stack = Stack::guarded(World::of(&two_accounts()).durable()).await;
    let ledger = std::fs::read(stack.world.ledger_file()).unwrap();
    spoil(&stack.world, &format!("account#{PAYMENTS}"));
    stack.world.keeper = stack.world.another_keeper().await;
    for account in [PAYMENTS, SHIPPING] {
        stack.world.administrator_releases(account, EU);
        stack.send(&stack.world.event("DeleteEnforcedGuardrailConfiguration"));
    }
    stack.work().await;
    assert_eq!(stack.world.writes(), [format!("{PUT} {SHIPPING}/{EU}")]);
    assert!(stack.left().starts_with("1 events"), "{}", stack.left());
    std::fs::write(stack.world.ledger_file(), ledger).unwrap();
    stack.settle().await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
}

#[tokio::test]
async fn a_batch_of_events_fails_where_the_ledger_cannot_be_read() {
    let world = World::guarded(World::of(&one_account()).durable()).await;
    std::fs::write(world.ledger_file(), "{").unwrap();
    world.administrator_releases(PAYMENTS, EU);
    world.server.clear_calls();
    let event = world.event("DeleteEnforcedGuardrailConfiguration").to_string();
    let batch = json!({ "Records": [{ "messageId": "one", "eventSource": "aws:sqs", "body": event }] });
    let answer = handle(&world.keeper, &batch.to_string()).await.unwrap();
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], "one", "{answer}");
    assert_eq!(world.writes(), [""; 0]);
}
