//! Whom the member role admits: compared about once a day by sweeps, and news for people where it isn't the function alone.

use serde_json::Value;
use simulator::{Fault, FaultKind, Role};
use testkit::stack::Stack;
use testkit::world::{Document, EU, HUB, MEMBER_ROLE, PAYMENTS, World};

const BUS: &str = "outcomes";
const READ: &str = "GetRole";
const HOUR: u32 = 3600;

/// Everybody is guarded and was compared; nothing is left to say.
async fn guarded() -> Stack {
    let document = Document { regions: EU, ..Document::default() };
    let setup = World::of(&document).durable().long_established().approved();
    let mut stack = Stack::guarded(setup.variable("KEEPER_BUS", BUS)).await;
    swept(&mut stack).await;
    stack.world.server.clear_calls();
    stack
}

/// What people are told by a sweep of the member roles: of which code, and in which words.
async fn swept(stack: &mut Stack) -> Vec<(String, String)> {
    let event = stack.schedule();
    Box::pin(stack.deliver(&event)).await;
    let put: Vec<Value> = stack.world.server.with(|model| {
        let put = model.put_events().iter().map(|put| put.event["detail"].clone()).collect();
        model.clear_put_events();
        put
    });
    let news = put.iter().filter_map(|detail| detail["news"].as_array()).flatten();
    let news = news.filter(|news| news["kind"] == "member_role").map(|news| {
        let said = |field: &str| news["reason"][field].as_str().unwrap().to_owned();
        (said("code"), format!("{}: {}", news["targets"][0]["account"].as_str().unwrap(), said("text")))
    });
    news.collect()
}

fn change_role(stack: &Stack, change: impl FnOnce(&mut Role)) {
    stack.world.server.with(|model| {
        let mut role = model.role(PAYMENTS, MEMBER_ROLE).unwrap().as_ref().clone();
        change(&mut role);
        assert!(model.revoke_role(PAYMENTS, MEMBER_ROLE));
        model.put_role(PAYMENTS, role);
    });
}

/// The first step of whoever wants to act in the keeper's name.
#[tokio::test]
async fn who_may_assume_the_member_role_besides_the_hub_is_news_once() {
    let mut stack = guarded().await;
    let admin = format!("arn:aws:iam::{PAYMENTS}:user/Admin");
    let expected = vec![(
        "trusts_others".to_owned(),
        format!("{PAYMENTS}: the member role admits others besides the hub: {admin}"),
    )];
    for _ in 0..2 {
        change_role(&stack, |role| role.trust.principals.push(admin.clone()));
        // Compared once a day: nothing is asked before.
        stack.world.wait(HOUR);
        assert_eq!(swept(&mut stack).await, []);
        assert_eq!(stack.world.count(READ), 0);
        stack.world.wait(23 * HOUR);
        assert_eq!(swept(&mut stack).await, expected);
        // It is asked again until it is mended, and said once.
        stack.world.server.clear_calls();
        stack.world.wait(HOUR);
        assert_eq!(swept(&mut stack).await, []);
        assert_eq!(stack.world.count(READ), 1);
        change_role(&stack, |role| role.trust.principals.retain(|one| *one != admin));
        stack.world.wait(HOUR);
        assert_eq!(swept(&mut stack).await, []);
        stack.world.server.clear_calls();
    }
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"));
}

#[tokio::test]
async fn every_member_role_is_compared_once_a_day_and_the_hub_has_none() {
    let mut stack = guarded().await;
    for _ in 0..3 {
        stack.world.wait(8 * HOUR);
        swept(&mut stack).await;
    }
    let calls = stack.world.server.calls();
    let asked: Vec<_> = calls.iter().filter(|call| call.operation == READ).collect();
    assert!(asked.len() >= 5 && asked.iter().all(|call| call.account != HUB), "{asked:?}");
    let mut accounts: Vec<_> = asked.iter().map(|call| &call.account).collect();
    accounts.sort();
    accounts.dedup();
    assert_eq!(accounts.len(), asked.len(), "each once");
}

/// Whoever takes the permission away can't hide behind that, and nothing else is kept from its work by it.
#[tokio::test]
async fn a_trust_that_may_not_be_read_is_news_and_keeps_nothing_from_being_guarded() {
    let mut stack = guarded().await;
    let denied = FaultKind::Denied { message: "No.".to_owned() };
    stack.world.server.fault(Fault::new(denied).operation(READ).account(PAYMENTS).times(u32::MAX));
    stack.world.wait(24 * HOUR);
    stack.world.administrator_releases(PAYMENTS, EU);
    let news = swept(&mut stack).await;
    let [(code, text)] = &news[..] else { panic!("{news:?}") };
    assert_eq!(code, "trust_unread");
    assert!(
        text.starts_with(&format!("{PAYMENTS}: whom the member role admits is not known: GetRole")),
        "{text}"
    );
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"));
    stack.world.wait(HOUR);
    assert_eq!(swept(&mut stack).await, []);
}

/// An hour without IAM is no news; a day is.
#[tokio::test]
async fn a_trust_that_cannot_be_read_for_a_day_is_news() {
    let mut stack = guarded().await;
    let throttled = Fault::new(FaultKind::Throttle).operation(READ).account(PAYMENTS);
    stack.world.server.fault(throttled.times(u32::MAX));
    let mut news = Vec::new();
    for _ in 0..5 {
        stack.world.wait(12 * HOUR);
        news.push(swept(&mut stack).await.len());
    }
    assert_eq!(news, [0, 0, 0, 1, 0]);
}
