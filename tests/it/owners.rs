//! Guardrails of two owners: each is shared, watched and repaired by itself.

use std::collections::BTreeSet;

use expect_test::expect;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, SendMessage};

use crate::effective_policy::ROOT;
use crate::organization_level::{CORPORATE, given, policies, swept};
use testkit::program::{Guardrailctl, Ran};
use testkit::queues::EMPTY;
use testkit::stack::{Stack, tasks_queue};
use testkit::world::{
    Document, EU, HUB, OWNER, PAYMENTS, PLAYGROUND, SEARCH, SHIPPING, Setup, US, WORKLOAD, World, check,
};

/// The second owner: a member like others, whose guardrail is for the workload.
const SECOND: &str = SEARCH;
const STRICT: &str = "strict: { owner: \"300000000003\", name: strict, version: 1, regions: [eu-west-1] }";

/// Everybody gets the first owner's guardrail, and the workload the second one's.
fn document() -> Document {
    Document {
        regions: EU,
        more_guardrails: vec![STRICT],
        assignments: vec![(ROOT, "corporate"), (WORKLOAD, "strict")],
        rest: vec!["limits: { max_replacements: 100, max_releases: 100, max_abandonments: 100 }"],
        ..Document::default()
    }
}

fn strict_arn() -> String {
    format!("arn:aws:bedrock:{EU}:{SECOND}:guardrail/eustrict0001")
}

/// None of the guardrails is granted to the organization yet.
fn setup_of(document: &Document) -> Setup {
    World::of(document).durable().world(|world| {
        world.guardrails.iter_mut().for_each(|guardrail| guardrail.share_with_organization = false);
        let mut strict = world.guardrails[1].clone();
        (strict.account, strict.id, strict.versions) = (SECOND.to_owned(), "eustrict0001".to_owned(), 1);
        strict.content.name = "strict".to_owned();
        world.guardrails.push(strict);
    })
}

pub(crate) fn setup() -> Setup {
    setup_of(&document())
}

/// Somebody in its account takes the guardrail's resource policy away.
fn take_policy_away(world: &World, account: &str, arn: &str) {
    world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{account}:root"), EU).unwrap();
        model.delete_resource_policy(&owner, arn).unwrap();
    });
}

fn is_granted(world: &World, arn: &str) -> bool {
    world.server.with(|model| model.resource_policy(arn).is_some())
}

/// The owner accounts in which guardrails or their policies were read or written.
fn owners_called(world: &World) -> BTreeSet<String> {
    let of_owners = ["GetGuardrail", "GetResourcePolicy", "ListGuardrails", "PutResourcePolicy"];
    let calls = world.server.calls().into_iter();
    calls.filter(|call| of_owners.contains(&call.operation.as_str())).map(|call| call.account).collect()
}

#[tokio::test]
async fn each_owner_shares_its_own_and_the_next_sweep_writes_nothing() {
    let mut stack = Stack::start(setup()).await;
    stack.deliver(&stack.schedule()).await;
    check(
        &stack.world.enforced(),
        expect![[r#"
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  -                eubase1a2b3c:2   -
        222222222222  -                eubase1a2b3c:2   -
        300000000001  -                eustrict0001:1   -
        300000000002  -                eustrict0001:1   -
        300000000003  -                eustrict0001:1   -
        300000000004  -                eustrict0001:1   -
        300000000005  -                eubase1a2b3c:2   -
    "#]],
    );
    let grants: Vec<String> =
        stack.world.writes().into_iter().filter(|write| write.contains("ResourcePolicy")).collect();
    assert_eq!(
        grants,
        [format!("PutResourcePolicy {OWNER}/{EU}"), format!("PutResourcePolicy {SECOND}/{EU}")]
    );
    assert_eq!(stack.left(), EMPTY);

    stack.world.server.clear_calls();
    stack.deliver(&stack.schedule()).await;
    assert_eq!(stack.world.writes(), [""; 0]);
    assert_eq!(owners_called(&stack.world), [OWNER.to_owned(), SECOND.to_owned()].into());
}

#[tokio::test]
async fn without_queues_it_is_the_same() {
    let world = World::guarded(setup()).await;
    assert!(is_granted(&world, &strict_arn()));
    assert!(world.enforced_in(PAYMENTS).contains("eustrict0001:1"));
    assert!(world.enforced_in(PLAYGROUND).contains("eubase1a2b3c:2"));
    world.quiet(&[PAYMENTS, PLAYGROUND, SECOND, OWNER]).await;
}

#[tokio::test]
async fn an_event_of_one_owner_has_only_that_owner_looked_at() {
    let mut stack = Stack::guarded(setup()).await;
    for (owner, arn, user, other) in [
        (SECOND, strict_arn(), PAYMENTS, PLAYGROUND),
        (OWNER, testkit::world::guardrail(EU), PLAYGROUND, PAYMENTS),
    ] {
        stack.world.server.clear_calls();
        take_policy_away(&stack.world, owner, &arn);
        stack.deliver(&stack.world.event("DeleteResourcePolicy")).await;
        let put = format!("PutResourcePolicy {owner}/{EU}");
        let writes = stack.world.writes();
        assert_eq!(
            writes.iter().filter(|write| write.contains("PutResourcePolicy")).collect::<Vec<_>>(),
            [&put]
        );
        assert_eq!(owners_called(&stack.world), [owner.to_owned()].into(), "{owner}");
        // Its users are looked at, and those of the other owner's are not.
        let listed = |account: &str| {
            let calls = stack.world.server.calls();
            calls.iter().any(|call| call.operation == testkit::world::LIST && call.account == account)
        };
        assert!(listed(user) && !listed(other), "{owner}");
        assert_eq!(stack.left(), EMPTY);
    }
}

#[tokio::test]
async fn what_ails_one_owner_holds_only_its_own_guardrail() {
    let mut stack = Stack::guarded(setup()).await;
    for operation in ["ListGuardrails", "GetGuardrail", "GetResourcePolicy"] {
        stack.world.server.fault(Fault::new(FaultKind::ServerError).operation(operation).account(SECOND));
    }
    // So that nothing is known from before.
    stack.world.wait(3600);
    stack.world.administrator_releases(PLAYGROUND, EU);
    stack.send(&stack.world.event("DeleteEnforcedGuardrailConfiguration"));
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.send(&stack.world.event("DeleteEnforcedGuardrailConfiguration"));
    stack.work().await;
    assert!(stack.world.enforced_in(PLAYGROUND).contains("eubase1a2b3c:2"));
    assert!(!stack.world.enforced_in(PAYMENTS).contains("eustrict0001"));
    // What waits is repaired once the owner can be read.
    stack.world.server.clear_faults();
    stack.settle().await;
    assert!(stack.world.enforced_in(PAYMENTS).contains("eustrict0001:1"));
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn a_guardrail_that_is_given_up_is_taken_back_from_the_owner_that_was() {
    let mut stack = Stack::guarded(setup()).await;
    stack.world.publish(&Document {
        more_guardrails: vec![],
        assignments: vec![(ROOT, "corporate")],
        ..document()
    });
    stack.deliver(&stack.world.event("Parameter Store Change")).await;
    for _ in 0..2 {
        stack.world.wait(3600);
        stack.deliver(&stack.schedule()).await;
    }
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"));
    assert!(!is_granted(&stack.world, &strict_arn()), "nobody uses it any more");
    assert!(is_granted(&stack.world, &testkit::world::guardrail(EU)));
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn a_grant_stays_while_an_account_uses_the_guardrail() {
    let mut stack = Stack::guarded(setup()).await;
    // The workload gets the other one, and one account can't be written.
    stack.world.server.fault(
        Fault::new(FaultKind::ServerError).operation("PutEnforcedGuardrailConfiguration").account(SHIPPING),
    );
    stack.world.publish(&Document {
        assignments: vec![(ROOT, "corporate")],
        more_guardrails: vec![],
        ..document()
    });
    stack.deliver(&stack.world.event("Parameter Store Change")).await;
    for _ in 0..2 {
        stack.world.wait(3600);
        stack.deliver(&stack.schedule()).await;
    }
    assert!(stack.world.enforced_in(SHIPPING).contains("eustrict0001:1"));
    assert!(is_granted(&stack.world, &strict_arn()));
}

/// The document of a ledger before there was a snapshot for each owner: the key of a Region, with what its one owner has.
fn as_before(ledger: &mut Value) -> Value {
    let documents = ledger["documents"].as_object_mut().unwrap();
    let mine = documents.remove(&format!("readiness#{OWNER}/{EU}")).expect("it was looked at");
    documents.remove(&format!("readiness#{SECOND}/{EU}"));
    documents.insert(format!("readiness#{EU}"), mine.clone());
    mine
}

#[tokio::test]
async fn a_ledger_and_messages_of_an_earlier_version_are_read() {
    let mut stack = Stack::guarded(setup()).await;
    let file = stack.world.ledger_file();
    let mut ledger: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let before = as_before(&mut ledger);
    std::fs::write(&file, ledger.to_string()).unwrap();
    stack.world.keeper = stack.world.another_keeper().await;
    let of = |owner: &str| format!("{owner}/{EU}").parse().unwrap();
    let seen =
        stack.world.keeper.ledger().owner_snapshot(&of(OWNER)).await.unwrap().expect("the earlier one");
    assert_eq!(serde_json::to_value(seen).unwrap()["at"], before["document"]["at"]);
    assert!(stack.world.keeper.ledger().owner_snapshot(&of(SECOND)).await.unwrap().is_none());
    // An account needs no look at the owner: the earlier version's counts.
    stack.world.server.clear_calls();
    stack.world.administrator_releases(PLAYGROUND, EU);
    stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
    assert!(stack.world.enforced_in(PLAYGROUND).contains("eubase1a2b3c:2"));
    assert_eq!(owners_called(&stack.world), BTreeSet::new());

    // A task of an earlier version lies in the queue, in the group that was the only owner's.
    take_policy_away(&stack.world, SECOND, &strict_arn());
    take_policy_away(&stack.world, OWNER, &testkit::world::guardrail(EU));
    let cause = json!({ "event": "before", "reason": "the schedule starts a sweep",
        "first_seen": "2026-11-02T09:00:00Z", "happened": null, "attempt": 0, "sweep": true, "revision": null,
        "arrival": null });
    let task =
        json!({ "kind": "owner", "region": EU, "then": "nothing", "swept_since": null, "cause": cause });
    let message = SendMessage {
        body: task.to_string(),
        group: Some(format!("owner.{EU}")),
        deduplication_id: Some("before".to_owned()),
        ..SendMessage::default()
    };
    stack.world.server.with(|model| model.send_message(&tasks_queue(), HUB, message)).unwrap();
    stack.world.server.clear_calls();
    // The task itself writes nothing: it becomes one for each owner.
    assert!(stack.step().await);
    assert_eq!(stack.world.writes(), [""; 0]);
    assert_eq!(owners_called(&stack.world), BTreeSet::new());
    stack.settle().await;
    assert_eq!(
        stack.world.writes(),
        [format!("PutResourcePolicy {OWNER}/{EU}"), format!("PutResourcePolicy {SECOND}/{EU}")]
    );
    let snapshot = stack.world.keeper.ledger().owner_snapshot(&of(SECOND)).await.unwrap();
    assert!(snapshot.is_some());
    assert_eq!(stack.left(), EMPTY);
}

/// The management account owns the floor of the organization's level, and the first owner what the workload gets besides.
fn both_levels() -> Setup {
    let corporate = vec!["owner: \"111111111111\"", "placement: central"];
    let strict = "strict: { name: strict, version: 2, regions: [eu-west-1], placement: central }";
    let document = Document {
        guardrail: corporate,
        more_guardrails: vec![strict],
        assignments: vec![(ROOT, CORPORATE), (WORKLOAD, "strict")],
        ..Document::default()
    };
    let setup = World::of(&document).durable().approved().variable("KEEPER_ORGANIZATION_ROLE", "own");
    setup.world(|world| {
        world.bedrock_policies_enabled = true;
        let mut strict = world.guardrails[1].clone();
        (strict.id, strict.share_with_organization) = ("eustrict0001".to_owned(), false);
        strict.content.name = "strict".to_owned();
        world.guardrails.iter_mut().for_each(|guardrail| guardrail.account = HUB.to_owned());
        world.guardrails.push(strict);
    })
}

#[tokio::test]
async fn the_management_account_owns_the_floor_and_another_account_the_rest() {
    let world = both_levels().start().await;
    let level = swept(&world).await;
    assert_eq!(level["holds"], json!([]), "{level}");
    assert_eq!(level["confirmed"], true, "{level}");
    assert_eq!(policies(&world), ["guardrail-keeper-r-exam-1 on r-exam"]);
    assert_eq!(given(&world, PLAYGROUND, US).as_deref(), Some("usbase1a2b3c:2"));
    assert!(world.enforced_in(PAYMENTS).contains("eustrict0001:2"));
    world.server.clear_calls();
    let level = swept(&world).await;
    assert_eq!(level["taken"], json!([]));
    assert_eq!(world.writes(), [""; 0]);
}

fn terminal(world: &World) -> Guardrailctl {
    std::fs::write(world.folder().join("baseline.yaml"), document().text()).unwrap();
    Guardrailctl::of(world).variable("KEEPER_LEDGER", &format!("file:{}", world.ledger_file().display()))
}

async fn run(world: &World, arguments: &[&str]) -> Ran {
    let all: Vec<&str> = arguments.iter().copied().chain(["--baseline", "baseline.yaml"]).collect();
    terminal(world).run(&all).await
}

#[tokio::test]
async fn a_terminal_shares_and_enforces_the_guardrails_of_both() {
    let world = setup().start().await;
    check(
        &run(&world, &["plan", "--account", PAYMENTS]).await,
        expect![[r#"
        + arn:aws:bedrock:eu-west-1:300000000003:guardrail/eustrict0001 attach a resource policy that grants it to o-exampleorgid
        + 300000000001/eu-west-1 (Workload/payments) enforce strict:1, after the grant
        2 to change (1 of them after a grant or a copy), 0 held, 0 in sync
        plan 189b7aeda52f5a84 of baseline 24272b09f9467881, mode sync
        exit 0
    "#]],
    );
    let applied = run(&world, &["apply", "--yes"]).await;
    assert_eq!(applied.code, 0, "{applied}");
    assert!(is_granted(&world, &strict_arn()) && is_granted(&world, &testkit::world::guardrail(EU)));
    let again = run(&world, &["plan", "--detailed-exit-code"]).await;
    assert_eq!(again.code, 0, "{again}");
}

#[tokio::test]
async fn a_terminal_asks_before_either_owner_is_offboarded() {
    let world = World::guarded(setup()).await;
    let ctl = terminal(&world);
    for (owner, says) in [(SECOND, "owns guardrails (strict)"), (OWNER, "owns guardrails (corporate)")] {
        let ran = ctl.run(&["offboard", owner, "--yes", "--baseline", "baseline.yaml"]).await;
        assert!(ran.err.contains(says), "{ran}");
        assert_ne!(ran.code, 0, "{ran}");
    }
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn the_organization_shows_which_owner_is_wrong() {
    let world = setup().start().await;
    let text = document().text().replace("guardrail: strict }", "guardrail: strict, level: organization }");
    std::fs::write(world.folder().join("wrong.yaml"), text).unwrap();
    let ran = Guardrailctl::of(&world).run(&["check", "wrong.yaml", "--organization"]).await;
    check(
        &ran,
        expect![[r#"
        wrong.yaml:10:20: guardrails.strict.owner: strict is assigned with level: organization, which takes guardrails of the management account only, and 300000000003 is another account; write owner: "111111111111" for strict, or assign it on the account's level
        stderr: error: wrong.yaml can't be used
        exit 1
    "#]],
    );
}
