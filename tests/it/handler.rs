//! The handler: every form of payload, every form of answer, and no loop of our own making.

use expect_test::expect;
use guardrail_keeper::handler::handle;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, UpdatedBy};

use testkit::world::{
    DELETE, Document, EU, HUB, LIST, MEMBER_ROLE, OWNER, PAYMENTS, PUT, SEARCH, SHIPPING, US, WORKLOAD,
    World, check, repository, schedule, version,
};

fn sample(name: &str) -> Value {
    let text = std::fs::read_to_string(repository(&format!("events/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn record(id: &str, event: &Value) -> Value {
    json!({ "messageId": id, "eventSource": "aws:sqs", "body": event.to_string() })
}

fn batch(records: &[Value]) -> Value {
    json!({ "Records": records })
}

/// The calls that were seen, as service and operation.
fn operations(world: &World) -> Vec<String> {
    world.server.calls().into_iter().map(|call| call.operation).collect()
}

/// An event as EventBridge delivers it when an administrator removes an account's enforcement.
fn removed(world: &World, account: &str) -> Value {
    world.administrator_releases(account, EU);
    world.event(DELETE)
}

#[tokio::test]
async fn an_event_that_is_ignored_costs_no_call_at_all() {
    let world = World::of(&Document::default()).start().await;
    for name in ["guardrail-draft-updated", "account-tagged", "enforcement-put-by-us", "odd/custom-source"] {
        world.server.clear_calls();
        let answer = world.deliver(&sample(name)).await.unwrap();
        assert_eq!(answer["outcome"], "ignore", "{name}: {answer}");
        assert_eq!(operations(&world), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn a_bare_event_is_answered_with_the_report() {
    let setup = World::of(&Document { regions: EU, ..Document::only(PAYMENTS) }).approved();
    let world = setup.start().await;
    let event = sample("account-moved");
    let answer = world.deliver(&event).await.unwrap();
    let revision = world.baseline().await.revision.to_string();
    check(
        &format!("{answer:#}").replace(&revision, "REVISION"),
        expect![[r#"
            {
              "outcome": "reconcile",
              "reason": "the account moved in the organization",
              "report": {
                "converged": true,
                "counts": {
                  "enforced": 1
                },
                "handed_back": [],
                "placement_decided": null,
                "policies": [],
                "revision": "REVISION",
                "skipped": {},
                "strangers": [],
                "targets": [
                  {
                    "account": "300000000001",
                    "change": "enforce",
                    "code": null,
                    "enforced": "eubase1a2b3c:2",
                    "reason": null,
                    "region": "eu-west-1",
                    "state": "enforced",
                    "worth_waiting": false
                  }
                ],
                "unknown_states": {},
                "unplaced": {},
                "warnings": []
              }
            }"#]],
    );
}

#[tokio::test]
async fn what_is_no_event_is_an_error_with_a_name() {
    let world = World::of(&Document::default()).start().await;
    let deep = "[".repeat(100_000);
    let mut ends = String::new();
    for payload in
        ["", "null", "[]", "{}", "not json", "\"text\"", &deep, r#"{"source":"aws.organizations"}"#]
    {
        let error = handle(&world.keeper, payload).await.unwrap_err();
        ends.push_str(&format!("{}: {error}\n", error.name()));
    }
    check(
        &ends,
        expect![[r#"
        EventRejected: not an event: the message is not JSON
        EventRejected: not an event: the message is not a JSON object
        EventRejected: not an event: the message is not a JSON object
        EventRejected: not an event: the message has no source, so it is no event
        EventRejected: not an event: the message is not JSON
        EventRejected: not an event: the message is not a JSON object
        EventRejected: not an event: the message is nested deeper than any event
        EventRejected: not an event: the event has no detail
    "#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_batch_names_exactly_the_records_that_failed() {
    let world = World::guarded(World::of(&Document { regions: EU, ..Document::default() })).await;
    let good = removed(&world, PAYMENTS);
    let stuck = removed(&world, SHIPPING);
    world.server.fault(Fault::new(FaultKind::ServerError).account(SHIPPING).operation(LIST));
    let records = [
        record("good", &good),
        json!({ "messageId": "garbage", "eventSource": "aws:sqs", "body": "{" }),
        record("ignored", &sample("guardrail-draft-updated")),
        record("stuck", &stuck),
        record("departed", &sample("account-closed")),
        json!({ "messageId": "no-body", "eventSource": "aws:sqs" }),
        json!({ "messageId": "other-source", "eventSource": "aws:sns", "body": good.to_string() }),
        record("good-again", &good),
    ];

    let answer = world.deliver(&batch(&records)).await.unwrap();

    check(
        &answer,
        expect![[
            r#"{"batchItemFailures":[{"itemIdentifier":"garbage"},{"itemIdentifier":"no-body"},{"itemIdentifier":"other-source"},{"itemIdentifier":"stuck"}]}"#
        ]],
    );
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}")]);

    // What failed is delivered again once AWS is well.
    world.server.clear_faults();
    let answer = world.deliver(&batch(&records[3..4])).await.unwrap();
    check(&answer, expect![[r#"{"batchItemFailures":[]}"#]]);
    world.quiet(&[PAYMENTS, SHIPPING]).await;
}

#[tokio::test]
async fn a_sweep_that_is_left_with_one_account_fails_alone() {
    let world = World::guarded(World::of(&Document { regions: EU, ..Document::default() })).await;
    let payments = removed(&world, PAYMENTS);
    world.server.fault(Fault::new(FaultKind::ServerError).account(SEARCH).operation(LIST));
    let records = [record("payments", &payments), record("sweep", &schedule())];
    let answer = world.deliver(&batch(&records)).await.unwrap();
    check(&answer, expect![[r#"{"batchItemFailures":[{"itemIdentifier":"sweep"}]}"#]]);
}

#[tokio::test]
async fn several_events_of_one_account_in_a_batch_are_one_look() {
    let world = World::of(&Document::default()).approved().start().await;
    let account = world.let_an_account_join("research", WORKLOAD);
    let records = ["CreateAccountResult", "AccountJoinedOrganization", "MoveAccount"]
        .map(|name| record(name, &world.event(name)));
    let answer = world.deliver(&batch(&records)).await.unwrap();
    check(&answer, expect![[r#"{"batchItemFailures":[]}"#]]);
    assert_eq!(world.count("DescribeAccount"), 1);
    assert_eq!(world.writes().len(), 3);
    world.quiet(&[&account]).await;
}

#[tokio::test]
async fn a_denial_for_good_is_not_delivered_again() {
    let world =
        World::guarded(World::of(&Document { regions: EU, ..Document::default() }).long_established()).await;
    let event = removed(&world, PAYMENTS);
    world.server.with(|model| model.revoke_role(PAYMENTS, MEMBER_ROLE));
    let fresh = world.another_keeper().await;
    let payload = batch(&[record("denied", &event)]).to_string();
    check(&handle(&fresh, &payload).await.unwrap(), expect![[r#"{"batchItemFailures":[]}"#]]);
}

#[tokio::test]
async fn a_record_without_an_id_fails_the_whole_batch_only_when_it_fails() {
    let world = World::of(&Document::default()).start().await;
    let nameless = |body: &str| batch(&[json!({ "eventSource": "aws:sqs", "body": body })]);
    let error = world.deliver(&nameless("{")).await.unwrap_err();
    check(
        &format!("{}: {error}", error.name()),
        expect!["NamelessRecord: a record without a messageId failed, so the whole batch counts as failed"],
    );
    let ignored = sample("guardrail-draft-updated").to_string();
    check(&world.deliver(&nameless(&ignored)).await.unwrap(), expect![[r#"{"batchItemFailures":[]}"#]]);
    check(&world.deliver(&batch(&[])).await.unwrap(), expect![[r#"{"batchItemFailures":[]}"#]]);
}

#[tokio::test]
async fn a_baseline_that_cannot_be_used_is_an_error_and_releases_nothing() {
    let setup = World::of(&Document {
        regions: EU,
        assignments: vec![("r-exam", "corporate")],
        ..Document::default()
    });
    let mut world = World::guarded(setup).await;
    // One that knows no earlier baseline.
    world.keeper = world.another_keeper().await;
    let before = world.enforced();
    let event = removed(&world, PAYMENTS);
    world.administrator_enforces(PAYMENTS, EU, version(EU, "2"));

    let broken = [
        "version: 1",
        "",
        "guardrails: {}\nassignments: []\n",
        "version: 1\norganization: o-exampleorgid\nowner: \"222222222222\"\nguardrails: {}\nassignments: [{ targets: [r-exam], guardrail: corporate }]\n",
    ];
    let mut ends = String::new();
    for text in broken {
        world.publish_text(text);
        for payload in [schedule(), event.clone()] {
            let error = world.deliver(&payload).await.unwrap_err();
            ends.push_str(&format!("{}: {error}\n", error.name()));
        }
        let records = [record("sweep", &schedule()), record("ignored", &sample("account-tagged"))];
        ends.push_str(&format!("{}\n\n", world.deliver(&batch(&records)).await.unwrap()));
    }
    check(
        &ends,
        expect![[r#"
            NoBaseline: ssm:/guardrail-keeper/baseline:1:1: assignments: missing; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
            ssm:/guardrail-keeper/baseline:1:1: guardrails: missing; write each guardrail under a name of your choice, or {} for none
            ssm:/guardrail-keeper/baseline:1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            ssm:/guardrail-keeper/baseline:1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            4 problems in ssm:/guardrail-keeper/baseline
            NoBaseline: ssm:/guardrail-keeper/baseline:1:1: assignments: missing; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
            ssm:/guardrail-keeper/baseline:1:1: guardrails: missing; write each guardrail under a name of your choice, or {} for none
            ssm:/guardrail-keeper/baseline:1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            ssm:/guardrail-keeper/baseline:1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            4 problems in ssm:/guardrail-keeper/baseline
            {"batchItemFailures":[{"itemIdentifier":"sweep"}]}

            NoBaseline: ssm:/guardrail-keeper/baseline:1:1: the baseline is empty; write at least version, organization, owner, guardrails and assignments
            1 problem in ssm:/guardrail-keeper/baseline
            NoBaseline: ssm:/guardrail-keeper/baseline:1:1: the baseline is empty; write at least version, organization, owner, guardrails and assignments
            1 problem in ssm:/guardrail-keeper/baseline
            {"batchItemFailures":[{"itemIdentifier":"sweep"}]}

            NoBaseline: ssm:/guardrail-keeper/baseline:1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            ssm:/guardrail-keeper/baseline:1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            ssm:/guardrail-keeper/baseline:1:1: version: missing; write version: 2
            3 problems in ssm:/guardrail-keeper/baseline
            NoBaseline: ssm:/guardrail-keeper/baseline:1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            ssm:/guardrail-keeper/baseline:1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            ssm:/guardrail-keeper/baseline:1:1: version: missing; write version: 2
            3 problems in ssm:/guardrail-keeper/baseline
            {"batchItemFailures":[{"itemIdentifier":"sweep"}]}

            NoBaseline: ssm:/guardrail-keeper/baseline:5:47: assignments[0].guardrail: no guardrail of this document is called "corporate"; add it to guardrails
            1 problem in ssm:/guardrail-keeper/baseline
            NoBaseline: ssm:/guardrail-keeper/baseline:5:47: assignments[0].guardrail: no guardrail of this document is called "corporate"; add it to guardrails
            1 problem in ssm:/guardrail-keeper/baseline
            {"batchItemFailures":[{"itemIdentifier":"sweep"}]}

        "#]],
    );

    world.server.fault(Fault::new(FaultKind::Denied { message: "No.".to_owned() }).operation("GetParameter"));
    let error = world.deliver(&schedule()).await.unwrap_err();
    check(
        &format!("{}: {error}", error.name()),
        expect![
            "NoBaseline: the baseline ssm:/guardrail-keeper/baseline could not be read: GetParameter: AccessDeniedException: No. (denied)"
        ],
    );
    let ignored = world.deliver(&sample("guardrail-draft-updated")).await.unwrap();
    assert_eq!(ignored["outcome"], "ignore");

    world.server.clear_faults();
    world
        .server
        .with(|model| {
            let caller = model.caller("arn:aws:iam::111111111111:root", US)?;
            model.delete_parameter(&caller, testkit::world::PARAMETER)
        })
        .unwrap();
    let error = world.deliver(&schedule()).await.unwrap_err();
    check(
        &format!("{}: {error}", error.name()),
        expect![
            "NoBaseline: the baseline ssm:/guardrail-keeper/baseline could not be read: GetParameter: ParameterNotFound: no message (rejected)"
        ],
    );

    assert_eq!(world.enforced(), before);
    assert_eq!(world.writes(), [""; 0]);
}

/// Delivers everything that was emitted, and what that makes emitted, to the end.
async fn deliver_all(world: &World) -> usize {
    let mut seen = 0;
    let mut delivered = 0;
    loop {
        let new = world.server.with(|model| {
            let new = model.events().iter().filter(|event| event.sequence > seen);
            new.map(|event| (event.sequence, event.event.clone())).collect::<Vec<_>>()
        });
        if new.is_empty() {
            return delivered;
        }
        for (sequence, event) in new {
            seen = sequence;
            delivered += 1;
            assert!(delivered < 200, "our own writes keep waking us: {event:#}");
            world.deliver(&event).await.unwrap();
        }
    }
}

#[tokio::test]
async fn our_own_writes_do_not_wake_us_again() {
    for form in [UpdatedBy::Role, UpdatedBy::AssumedRole] {
        let setup =
            World::of(&Document::default()).approved().switches(|switches| switches.updated_by = form);
        let world = setup.start().await;
        world.server.with(simulator::Model::clear_events);
        let account = world.let_an_account_join("research", WORKLOAD);

        let delivered = deliver_all(&world).await;

        let ours = world.event(PUT);
        assert_eq!(ours["account"], account.as_str());
        world.server.clear_calls();
        let answer = world.deliver(&ours).await.unwrap();
        assert_eq!(answer["outcome"], "ignore", "{form:?}: {answer}");
        assert_eq!(operations(&world), [""; 0]);
        // Three of the account that joined, and our own three.
        assert_eq!(delivered, 6, "{form:?}");
    }
}

#[tokio::test]
async fn a_fight_with_somebody_ends_with_our_repair() {
    let world = World::guarded(World::of(&Document::default())).await;
    world.server.with(simulator::Model::clear_events);
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    world.administrator_releases(SHIPPING, US);

    deliver_all(&world).await;

    check(&world.enforced_in(PAYMENTS), expect!["apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2"]);
    check(&world.enforced_in(SHIPPING), expect!["apbase1a2b3c:2   eubase1a2b3c:2   usbase1a2b3c:2"]);
    let repairs = world.writes();
    assert_eq!(repairs, [format!("{PUT} {PAYMENTS}/{EU}"), format!("{PUT} {SHIPPING}/{US}")]);
}

#[tokio::test]
async fn a_call_that_was_refused_wakes_nobody() {
    let world = World::guarded(World::of(&Document::only(PAYMENTS))).await;
    world.server.with(|model| {
        model.delete_enforcement_as(&format!("arn:aws:iam::{PAYMENTS}:root"), PAYMENTS, EU).unwrap();
        let caller = model.caller(&format!("arn:aws:iam::{PAYMENTS}:root"), EU).unwrap();
        model.delete_enforcement(&caller, "nosuchconfig").unwrap_err();
    });
    let answer = world.deliver(&sample("enforcement-put-denied")).await.unwrap();
    assert_eq!(answer["outcome"], "ignore", "{answer}");
}

#[tokio::test]
async fn a_version_that_the_owner_publishes_sweeps_its_region() {
    let world = World::of(&Document { version: 3, ..Document::only(PAYMENTS) }).approved().start().await;
    let waiting = world.sweep().await;
    assert!(!waiting.is_converged(), "{waiting}");
    world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        model.create_guardrail_version(&owner, "eubase1a2b3c", None).unwrap();
    });
    let run = world.converge(&world.event("CreateGuardrailVersion")).await;
    check(
        &run.text(),
        expect![[r#"
        a guardrail version was created, which may be one that was missing
        300000000001/eu-west-1 enforced eubase1a2b3c:3
        1 write
    "#]],
    );
}

#[tokio::test]
async fn an_event_that_is_too_old_is_left_to_the_sweep() {
    let setup = World::of(&Document::default()).variable("KEEPER_MAX_EVENT_AGE_HOURS", "24");
    let world = setup.start().await;
    let mut event = schedule();
    event["time"] = "2020-01-01T00:00:00Z".into();
    let answer = world.deliver(&event).await.unwrap();
    assert_eq!(answer["outcome"], "ignore", "{answer}");
    assert_eq!(operations(&world), [""; 0]);
}

#[tokio::test]
async fn only_the_hub_may_ask() {
    let world = World::of(&Document { regions: EU, ..Document::default() }).approved().start().await;
    let mut asked = sample("request-accounts");
    let answer = world.deliver(&asked).await.unwrap();
    assert_eq!(answer["outcome"], "reconcile");
    assert_eq!(world.writes(), [PAYMENTS, SHIPPING].map(|account| format!("{PUT} {account}/{EU}")));
    assert_eq!(asked["account"], HUB);
    asked["account"] = SEARCH.into();
    world.server.clear_calls();
    let answer = world.deliver(&asked).await.unwrap();
    assert_eq!(answer["outcome"], "ignore", "{answer}");
    assert_eq!(operations(&world), [""; 0]);
}
