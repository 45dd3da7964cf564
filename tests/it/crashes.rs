//! Events in any order, and two keepers at once. A run that breaks off at any call is what `tests/faults` is
//! about.

use guardrail_keeper::engine::{self, Gone};
use guardrail_keeper::handler::handle;
use simulator::{Fault, FaultKind};

use testkit::world::{
    DELETE, Document, EU, PAYMENTS, PUT, SANDBOX, SEARCH, SHIPPING, US, WORKLOAD, World, schedule, version,
};

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

/// That a write is ours whose answer was lost is known by its intent alone. The release that is begun next has an intent
/// of its own, and is denied. When the account leaves, it still has to be told what is left behind in it.
#[tokio::test]
async fn what_a_lost_answer_left_stays_ours_when_its_release_is_denied() {
    let document = Document { regions: EU, ..Document::only(PAYMENTS) };
    let world = World::of(&document).durable().hurried().start().await;
    let once = async |fault: Fault| {
        world.server.fault(fault);
        let report = world.look_at(&[PAYMENTS]).await;
        world.server.clear_faults();
        assert!(report.to_string().contains("1 failed"), "{report}");
        assert_eq!(world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
    };
    once(Fault::new(FaultKind::Hang).operation(PUT).after_carrying_out()).await;
    world.publish(&Document { assignments: vec![(PAYMENTS, "none")], ..document });
    let denied = FaultKind::denied_by_service_control_policy(&format!("bedrock:{DELETE}"));
    once(Fault::new(denied).operation(DELETE)).await;

    let departed = engine::close(&world.keeper, &PAYMENTS.parse().unwrap(), &Gone::Left, None).await.unwrap();
    let left_behind: Vec<String> = departed.left_behind.iter().map(ToString::to_string).collect();
    assert_eq!(left_behind, [EU]);
}
