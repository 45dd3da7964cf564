//! Somebody else writes between our look and our write. There is no compare-and-set, so what was
//! seen is looked at again as late as possible, and what changed is not overwritten.

use std::time::Duration;

use expect_test::expect;
use guardrail_keeper::engine;
use guardrail_keeper::handler::Deadline;
use guardrail_keeper::report::Report;
use simulator::{Enforce, EventSourceMapping, Next, PutOverExisting};

use testkit::stack::{Stack, answer, tasks_queue};
use testkit::world::{DELETE, Document, EU, LIST, PAYMENTS, PUT, SEARCH, WORKLOAD, World, check, version};

/// How long an answer is held back while somebody else writes.
const WINDOW: Duration = Duration::from_millis(400);

fn one_account() -> Document {
    Document { regions: EU, ..Document::only(PAYMENTS) }
}

/// One run, and what somebody does while the answer to our look number `look` is on its way.
async fn meanwhile(world: &World, look: usize, somebody: impl FnOnce(&World)) -> Report {
    world.server.clear_calls();
    world.server.latency("bedrock:ListEnforcedGuardrailsConfiguration", WINDOW);
    let run = world.jobs(&[PAYMENTS]);
    let other = async {
        while world.count(LIST) < look {
            tokio::task::yield_now().await;
        }
        somebody(world);
    };
    let (report, ()) = tokio::join!(run, other);
    world.server.latency("bedrock:ListEnforcedGuardrailsConfiguration", Duration::ZERO);
    report
}

fn theirs() -> Enforce {
    version(EU, "1")
}

#[tokio::test]
async fn what_somebody_enforces_after_our_first_look_is_not_overwritten() {
    let world = World::of(&one_account()).approved().start().await;
    let report = meanwhile(&world, 1, |world| world.administrator_enforces(PAYMENTS, EU, theirs())).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 failed to enforce: PutEnforcedGuardrailConfiguration: another caller changed the configuration meanwhile; nothing was overwritten (transient)
        0 changed, 0 held, 0 in sync, 1 failed"#]],
    );
    assert_eq!(world.count(PUT), 0);
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
            ! 300000000001/eu-west-1 held, would replace corporate:1 => corporate:2 (weaker, not ours: arn:aws:iam::300000000001:user/administrator): another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`
            0 changed, 1 held, 0 in sync"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn what_somebody_enforces_after_our_last_look_is_kept_where_put_conflicts() {
    let world = World::of(&one_account()).approved().start().await;
    let report = meanwhile(&world, 2, |world| world.administrator_enforces(PAYMENTS, EU, theirs())).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 failed to enforce: PutEnforcedGuardrailConfiguration: another caller changed the configuration meanwhile; nothing was overwritten (transient)
        0 changed, 0 held, 0 in sync, 1 failed"#]],
    );
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU} ConflictException")]);
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
            ! 300000000001/eu-west-1 held, would replace corporate:1 => corporate:2 (weaker, not ours: arn:aws:iam::300000000001:user/administrator): another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`
            0 changed, 1 held, 0 in sync"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn what_somebody_enforces_after_our_last_look_is_lost_only_where_put_overwrites() {
    let setup = World::of(&one_account())
        .switches(|switches| switches.put_over_existing = PutOverExisting::Overwrites);
    let world = setup.start().await;
    let report = meanwhile(&world, 2, |world| world.administrator_enforces(PAYMENTS, EU, theirs())).await;
    check(
        &report,
        expect![[r#"
        + 300000000001/eu-west-1 enforce corporate:2
        1 changed, 0 held, 0 in sync"#]],
    );
    check(&world.enforced_in(PAYMENTS), expect!["-                eubase1a2b3c:2   -"]);
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn the_same_enforced_by_somebody_else_meanwhile_is_not_taken_for_ours() {
    let world = World::of(&one_account()).approved().start().await;
    let same = version(EU, "2");
    let report = meanwhile(&world, 2, |world| world.administrator_enforces(PAYMENTS, EU, same)).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 failed to enforce: PutEnforcedGuardrailConfiguration: another caller changed the configuration meanwhile; nothing was overwritten (transient)
        0 changed, 0 held, 0 in sync, 1 failed"#]],
    );
    // The next look adopts it, with its maker's name.
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn ours_is_not_replaced_while_somebody_edits_it() {
    let world = World::guarded(World::of(&one_account())).await;
    world.publish(&Document { version: 1, ..one_account() });
    let edit = Enforce { model_enforcement: None, ..version(EU, "2") };
    let report = meanwhile(&world, 1, |world| world.administrator_enforces(PAYMENTS, EU, edit)).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 failed to replace: PutEnforcedGuardrailConfiguration: another caller changed the configuration meanwhile; nothing was overwritten (transient)
        0 changed, 0 held, 0 in sync, 1 failed"#]],
    );
    assert_eq!(world.count(PUT), 0);
    // The next run sees the edit and decides about that.
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        ~ 300000000001/eu-west-1 corporate:2 => corporate:1 (different)
        1 changed, 0 held, 0 in sync"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn what_somebody_removes_before_we_replace_it_is_put_back_by_the_next_run() {
    let world = World::guarded(World::of(&one_account())).await;
    world.publish(&Document { version: 1, ..one_account() });
    let report = meanwhile(&world, 2, |world| world.administrator_releases(PAYMENTS, EU)).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 failed to replace: PutEnforcedGuardrailConfiguration: another caller changed the configuration meanwhile; nothing was overwritten (transient)
        0 changed, 0 held, 0 in sync, 1 failed"#]],
    );
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU} ResourceNotFoundException")]);
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        + 300000000001/eu-west-1 enforce corporate:1 (it was removed)
        1 changed, 0 held, 0 in sync"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn ours_is_not_released_while_somebody_changes_it() {
    let world = World::guarded(World::of(&one_account())).await;
    world.publish(&Document { assignments: vec![(PAYMENTS, "none")], ..one_account() });
    let report = meanwhile(&world, 1, |world| world.administrator_enforces(PAYMENTS, EU, theirs())).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 failed to release: DeleteEnforcedGuardrailConfiguration: another caller changed the configuration meanwhile; nothing was overwritten (transient)
        0 changed, 0 held, 0 in sync, 1 failed"#]],
    );
    assert_eq!(world.count(DELETE), 0);
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
            ! 300000000001/eu-west-1 held, would release eubase1a2b3c:1: to be released, but changed since by arn:aws:iam::300000000001:user/administrator: release it by hand, or put it back first
            0 changed, 1 held, 0 in sync"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn what_somebody_removes_before_we_release_it_is_released() {
    let world = World::guarded(World::of(&one_account())).await;
    world.publish(&Document { assignments: vec![(PAYMENTS, "none")], ..one_account() });
    let report = meanwhile(&world, 2, |world| world.administrator_releases(PAYMENTS, EU)).await;
    check(
        &report,
        expect![[r#"
        - 300000000001/eu-west-1 release eubase1a2b3c:2
        1 changed, 0 held, 0 in sync"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

/// A task puts back what was approved last, and the revision that waited is approved between its look and its
/// write. The write is one of the moment before; the task is put back, and goes on by the revision that counts now.
#[tokio::test]
async fn what_is_approved_while_the_former_is_put_back_has_the_last_word() {
    let document = || Document { regions: EU, ..Document::default() };
    let mut stack = Stack::guarded(World::of(&document()).durable()).await;
    let assignments = vec![("r-exam", "corporate"), ("ou-exam-sandbox1", "none"), (WORKLOAD, "none")];
    let waiting = Document { assignments, rest: vec!["limits: { max_releases: 1 }"], ..document() };
    stack.world.publish(&waiting);
    stack.deliver(&stack.world.event("Parameter Store Change")).await;
    stack.world.administrator_releases(SEARCH, EU);
    stack.send(&stack.world.event("DeleteEnforcedGuardrailConfiguration"));
    assert!(stack.step().await, "it becomes a task");
    stack.world.server.clear_calls();

    let world = &stack.world;
    let Next::Batch { invocation, event } = stack.tasks.next(&world.server).unwrap() else {
        panic!("there is a task")
    };
    let somebody = world.another_keeper().await;
    let revision = world.baseline().await.revision;
    world.server.latency("bedrock:ListEnforcedGuardrailsConfiguration", WINDOW);
    let approving = async {
        while world.count(LIST) == 0 {
            tokio::task::yield_now().await;
        }
        world.approve().await;
        assert!(engine::take_over_approval(&somebody, &revision).await, "another process heard of it");
    };
    let (ended, ()) = tokio::join!(answer(&world.keeper, &event, Deadline::NONE), approving);
    world.server.latency("bedrock:ListEnforcedGuardrailsConfiguration", Duration::ZERO);
    stack.tasks.finish(&stack.world.server, invocation, &ended).unwrap();
    stack.settle().await;

    let written = [format!("{DELETE} {SEARCH}/{EU}"), format!("{PUT} {SEARCH}/{EU}")];
    assert_eq!(stack.world.writes(), written);
    assert_eq!(stack.world.enforced_in(SEARCH).matches("base").count(), 0);
}

/// An account's task reads which grants are recorded, and the owner's task makes one right after that. The probe is
/// denied, since the grant has no effect yet: that passes, and isn't left to the next sweep.
#[tokio::test]
async fn a_grant_that_is_made_after_the_look_began_is_waited_for() {
    let document = Document { regions: EU, ..Document::only(PAYMENTS) };
    let not_granted = World::of(&document).durable().long_established().world(|world| {
        world.settings.propagation_seconds = 120;
        world.guardrails.iter_mut().for_each(|guardrail| guardrail.share_with_organization = false);
    });
    let mut stack = Stack::start(not_granted).await;
    stack.send(&stack.schedule());
    assert!(stack.step().await, "it becomes tasks");
    stack.tasks = EventSourceMapping::new(&tasks_queue()).batch_size(1).maximum_concurrency(2);
    let (mut account, mut owner) = (None, None);
    while account.is_none() || owner.is_none() {
        let next = stack.tasks.next(&stack.world.server).unwrap();
        let Next::Batch { invocation, event } = next else { panic!("{next:?} and no task of them") };
        match event["Records"][0]["attributes"]["MessageGroupId"].as_str().unwrap() {
            PAYMENTS => account = Some((invocation, event)),
            group if group.starts_with("owner.") => owner = Some((invocation, event)),
            _ => {
                let ended = answer(&stack.world.keeper, &event, Deadline::NONE).await;
                stack.tasks.finish(&stack.world.server, invocation, &ended).unwrap();
            }
        }
    }
    let (account, owner) = (account.expect("the account's task"), owner.expect("the owner's task"));
    stack.world.server.clear_calls();

    // Another process looks at the account: it has no session of the owner's account yet, and waits for one.
    let world = &stack.world;
    let another = world.another_keeper().await;
    world.server.latency("sts:AssumeRole", WINDOW);
    let granting = async {
        while world.count("AssumeRole") == 0 {
            tokio::task::yield_now().await;
        }
        answer(&world.keeper, &owner.1, Deadline::NONE).await
    };
    let (looked, granted) = tokio::join!(answer(&another, &account.1, Deadline::NONE), granting);
    world.server.latency("sts:AssumeRole", Duration::ZERO);
    let probed =
        world.server.calls().iter().any(|call| call.operation == "ApplyGuardrail" && call.error.is_some());
    assert!(probed, "the guardrail was granted in time for the probe, and too late for the record");
    assert_eq!((world.count(PUT), world.count("PutResourcePolicy")), (0, 1));
    stack.tasks.finish(&stack.world.server, account.0, &looked).unwrap();
    stack.tasks.finish(&stack.world.server, owner.0, &granted).unwrap();
    stack.settle().await;
    assert_eq!(stack.world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
}
