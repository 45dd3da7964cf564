//! A write in the keeper's name is the keeper's only if its record knows it: whoever can use the member role's name
//! could tamper once after each sweep, and nobody would hear of it.

use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{DELETE, Document, EU, LIST, MEMBER_ROLE, PAYMENTS, PUT, SHIPPING, World, version};

async fn guarded() -> Stack {
    let document = Document { regions: EU, ..Document::default() };
    Stack::guarded(World::of(&document).durable().long_established()).await
}

fn member(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}")
}

#[tokio::test]
async fn a_removal_in_our_name_that_the_record_does_not_know_is_put_back() {
    let mut stack = guarded().await;
    stack.world.wait(60);
    stack.world.server.with(|model| model.delete_enforcement_as(&member(PAYMENTS), PAYMENTS, EU)).unwrap();
    stack.deliver(&stack.world.event(DELETE)).await;
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"), "{:?}", stack.world.writes());
    // Nobody else was looked at.
    assert!(stack.world.server.calls().iter().all(|call| call.account != SHIPPING));
}

#[tokio::test]
async fn a_weaker_version_in_our_name_is_replaced() {
    let mut stack = guarded().await;
    stack.world.wait(60);
    stack.world.server.with(|model| {
        let caller = model.caller(&member(PAYMENTS), EU).unwrap();
        let config = model.enforcement(PAYMENTS, EU).unwrap().config_id.clone();
        model.put_enforcement(&caller, Some(&config), version(EU, "1")).unwrap();
    });
    stack.deliver(&stack.world.event(PUT)).await;
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"), "{:?}", stack.world.writes());
}

/// The keeper's own writes come back to it as events, and cost one read of the ledger each.
#[tokio::test]
async fn what_the_keeper_wrote_itself_has_nobody_looked_at() {
    let mut stack = guarded().await;
    let ours = stack.world.server.with(|model| {
        let put = model.events().iter().filter(|it| it.event["detail"]["eventName"] == PUT);
        put.map(|it| it.event.clone()).collect::<Vec<_>>()
    });
    assert!(ours.len() >= 6, "{ours:?}");
    for event in ours {
        stack.deliver(&event).await;
    }
    assert_eq!(stack.world.count(LIST), 0, "{:?}", stack.world.server.calls());
    assert_eq!(stack.left(), EMPTY);
    // Where the ledger can't be read, a look is made: whether it was ours isn't known.
    std::fs::write(stack.world.ledger_file(), "{").unwrap();
    stack.world.keeper = stack.world.another_keeper().await;
    stack.send(&stack.world.event(PUT));
    stack.work().await;
    let calls = stack.world.server.calls();
    let queued =
        |call: &simulator::Call| call.target.as_deref().is_some_and(|to| to.ends_with("/tasks.fifo"));
    assert!(calls.iter().any(queued), "{calls:?}");
}
