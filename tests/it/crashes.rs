//! A run that breaks off: from some call on, nothing works any more. Wherever that is, the next
//! process with the same ledger ends where the run would have ended.

use guardrail_keeper::handler::handle;
use guardrail_keeper::reconcile::{Stopped, unwatched};
use guardrail_keeper::report::Report;
use simulator::{Fault, FaultKind};

use crate::support::{
    Document, EU, PAYMENTS, SANDBOX, SEARCH, SHIPPING, US, WORKLOAD, World, schedule, scope, version,
};

const FOREIGN: &str = "300000000004";
const CONCERNED: [&str; 3] = [SHIPPING, SEARCH, FOREIGN];

fn before() -> Document {
    Document { version: 1, regions: EU, ..Document::only(SHIPPING) }
}

/// One is released, one is enforced, and one that is foreign is replaced.
fn after() -> Document {
    let assignments =
        vec![(SHIPPING, "none"), (SEARCH, "corporate"), (FOREIGN, "corporate, existing: replace")];
    Document { version: 2, regions: EU, assignments, ..Document::default() }
}

/// A run in a process of its own.
async fn run(world: &World) -> Result<Report, Stopped> {
    let keeper = world.another_keeper().await;
    let baseline = keeper.baseline().await?;
    keeper.reconcile(&baseline, &scope(&CONCERNED), &unwatched).await
}

/// Breaks off a run at every one of its calls in turn, and checks what the next one makes of it.
async fn break_off_everywhere(fault: impl Fn() -> Fault) {
    let world = World::guarded(World::of(&before()).durable().once()).await;
    world.administrator_enforces(FOREIGN, EU, version(EU, "1"));
    world.publish(&after());
    world.server.snapshot("before");
    let ledger = std::fs::read(world.ledger_file()).unwrap();

    world.server.clear_calls();
    let whole = run(&world).await.unwrap();
    assert!(whole.is_converged() && whole.outcomes().count() == 3, "{whole}");
    let calls = u32::try_from(world.server.calls().len()).unwrap();
    let end = world.enforced();
    assert!(calls > 20, "{calls} calls");

    for call in 0..calls {
        assert!(world.server.restore("before"));
        std::fs::write(world.ledger_file(), &ledger).unwrap();
        world.server.fault(Fault { after: call, ..fault() });
        // Whatever it answers, nobody is there to hear it.
        drop(run(&world).await);
        world.server.clear_faults();

        let next = run(&world).await.unwrap();
        assert_eq!(world.enforced(), end, "after call {call}: {next}");
        let record = world.ledger_file();
        let record: serde_json::Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
        let previous =
            &record["documents"][format!("account#{FOREIGN}")]["document"]["regions"][EU]["previous"]["seen"];
        assert_eq!(previous["enforcement"]["version"], "1", "after call {call}: {record:#}");

        world.server.clear_calls();
        let again = run(&world).await.unwrap();
        assert_eq!(world.writes(), [""; 0], "after call {call}: {again}");
        assert!(again.is_converged(), "after call {call}: {again}");
    }
}

#[tokio::test]
async fn a_run_that_breaks_off_before_any_call_is_finished_by_the_next() {
    break_off_everywhere(|| Fault::new(FaultKind::ServerError)).await;
}

#[tokio::test]
async fn a_run_that_breaks_off_after_any_call_is_finished_by_the_next() {
    // The call is carried out, and its answer lost.
    break_off_everywhere(|| Fault::new(FaultKind::Reset).after_carrying_out()).await;
}

#[tokio::test]
async fn events_late_twice_and_in_any_order_end_in_the_same_state() {
    let world = World::guarded(World::of(&Document { regions: EU, ..Document::default() })).await;
    world.server.with(simulator::Model::clear_events);
    let account = world.let_an_account_join("research", WORKLOAD);
    world.server.with(|model| {
        model.move_account(&account, SANDBOX).unwrap();
        model.move_account(PAYMENTS, SANDBOX).unwrap();
        model.move_account(&account, WORKLOAD).unwrap();
    });
    world.administrator_releases(SHIPPING, EU);
    world.administrator_enforces(SEARCH, EU, version(EU, "1"));
    let events: Vec<_> =
        world.server.with(|model| model.events().iter().map(|event| event.event.clone()).collect());

    for event in events.iter().rev().chain(&events) {
        world.deliver(event).await.unwrap();
    }

    let wanted = [(account.as_str(), true), (PAYMENTS, false), (SHIPPING, true), (SEARCH, true)];
    for (account, guarded) in wanted {
        let enforced = world.enforced_in(account).contains("eubase1a2b3c:2");
        assert_eq!(enforced, guarded, "{account}: {}", world.enforced_in(account));
    }
    let run = world.converge(&schedule()).await;
    assert_eq!(run.writes, [""; 0], "{}", run.text());
}

#[tokio::test]
async fn two_keepers_at_once_end_with_one_configuration() {
    let world = World::of(&Document::only(PAYMENTS)).start().await;
    let other = world.another_keeper().await;
    let (schedule, payload) = (schedule(), schedule().to_string());
    // One of them may find that the other was first, and say that it should look again.
    let (ours, theirs) = tokio::join!(world.deliver(&schedule), handle(&other, &payload));
    for region in [EU, US] {
        let enforced = world.server.with(|model| model.enforcement(PAYMENTS, region).cloned());
        assert_eq!(enforced.unwrap().guardrail_version, "2", "{ours:?} {theirs:?}");
    }
    world.quiet(&[PAYMENTS]).await;
}
