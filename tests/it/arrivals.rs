//! Accounts that have just come to where they stand: they joined, were moved, or may use another Region, and
//! what the keeper needs there comes later.

use jiff::Timestamp;
use serde_json::Value;
use simulator::{Fault, FaultKind, Model};

use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{Document, EU, LIST, MEMBER_ROLE, PAYMENTS, PLAYGROUND, PUT, Setup, WORKLOAD, World};

const ONE_WAITS: &str = "1 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo";

fn setup() -> Setup {
    World::of(&Document { regions: EU, ..Document::default() }).durable()
}

/// Everybody has been a member for years.
fn long_ago(model: &mut Model) {
    joined(model, "2020-01-01T00:00:00Z".parse().unwrap());
}

fn joined(model: &mut Model, at: Timestamp) {
    for membership in model.accounts.values_mut().filter_map(|account| account.membership.as_mut()) {
        membership.at = at;
    }
}

/// A stack in which everybody has been guarded for years.
async fn established() -> Stack {
    let stack = Stack::guarded(setup()).await;
    stack.world.server.with(long_ago);
    stack
}

fn take_role(stack: &Stack, account: &str) -> simulator::Role {
    stack.world.server.with(|model| {
        let role = model.role(account, MEMBER_ROLE).unwrap().as_ref().clone();
        assert!(model.revoke_role(account, MEMBER_ROLE));
        role
    })
}

/// What the last look at an account came to, and why.
async fn last_look(stack: &Stack, account: &str) -> String {
    let record = stack.world.keeper.ledger().account(&account.parse().unwrap()).await.unwrap();
    let checked = record.regions[&EU.parse().unwrap()].checked.clone().unwrap();
    format!("{} {}", checked.state.code(), checked.code.unwrap_or_default())
}

fn guarded(stack: &Stack, account: &str) -> bool {
    stack.world.enforced_in(account).contains("eubase1a2b3c:2")
}

fn denied() -> FaultKind {
    FaultKind::Denied { message: "User is not authorized to perform this.".to_owned() }
}

#[tokio::test]
async fn a_moved_account_whose_role_comes_later_is_guarded_without_a_sweep() {
    let mut stack = established().await;
    let role = take_role(&stack, PLAYGROUND);
    stack.world.server.with(|model| model.move_account(PLAYGROUND, WORKLOAD)).unwrap();
    stack.send(&stack.world.event("MoveAccount"));
    stack.work().await;
    assert_eq!(last_look(&stack, PLAYGROUND).await, "held unreadable.not_ready");
    assert_eq!(stack.left(), ONE_WAITS);
    // It comes within the hour.
    for _ in 0..5 {
        assert!(stack.wait());
        stack.work().await;
    }
    assert!(!guarded(&stack, PLAYGROUND) && stack.left() == ONE_WAITS);
    stack.world.server.with(|model| model.put_role(PLAYGROUND, role));
    stack.settle().await;
    assert!(guarded(&stack, PLAYGROUND));
    assert_eq!(stack.left(), EMPTY);
}

/// A copy takes seconds to be made, however long its account's role was waited for: nobody waits for a quarter of an
/// hour once more.
#[tokio::test]
async fn a_copy_follows_soon_after_a_role_that_was_long_waited_for() {
    let document = Document { regions: EU, guardrail: vec!["placement: copy"], ..Document::default() };
    let mut stack = Stack::guarded(World::of(&document).durable()).await;
    stack.world.server.with(|model| {
        long_ago(model);
        (model.settings.guardrail_seconds, model.settings.version_seconds) = (10, 10);
    });
    let role = take_role(&stack, PLAYGROUND);
    stack.world.server.with(|model| model.move_account(PLAYGROUND, WORKLOAD)).unwrap();
    stack.send(&stack.world.event("MoveAccount"));
    stack.work().await;
    for _ in 0..6 {
        assert!(stack.wait());
        stack.work().await;
    }
    assert_eq!(last_look(&stack, PLAYGROUND).await, "held unreadable.not_ready");
    stack.world.server.with(|model| model.put_role(PLAYGROUND, role));
    // The next try comes after the longest pause there is.
    assert!(stack.wait());
    let began = stack.world.clock.now();
    stack.settle().await;
    assert!(stack.world.enforced_in(PLAYGROUND).contains(":1"), "{}", stack.world.enforced_in(PLAYGROUND));
    let took = stack.world.clock.now().duration_since(began).as_secs();
    assert!(took <= 60, "{took} s after the role was there");
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn a_move_that_no_event_told_is_noticed_by_the_path() {
    let mut stack = established().await;
    let [moved, stayed] = [PLAYGROUND, PAYMENTS];
    take_role(&stack, moved);
    take_role(&stack, stayed);
    stack.world.server.with(|model| model.move_account(moved, WORKLOAD)).unwrap();
    for _ in 0..2 {
        stack.deliver(&stack.schedule()).await;
        assert_eq!(last_look(&stack, moved).await, "held unreadable.not_ready");
        assert_eq!(last_look(&stack, stayed).await, "held unreadable.denied");
    }
}

#[tokio::test]
async fn an_account_that_left_and_came_back_may_lack_its_role_again() {
    let mut stack = established().await;
    stack.world.server.with(|model| model.leave(PAYMENTS)).unwrap();
    stack.deliver(&stack.world.event("AccountDepartedOrganization")).await;
    stack.world.server.with(|model| model.join(PAYMENTS, WORKLOAD)).unwrap();
    // By an older date than the one on which it came back, as far as Organizations says one at all.
    stack.world.server.with(long_ago);
    let role = take_role(&stack, PAYMENTS);
    stack.send(&stack.world.event("AccountJoinedOrganization"));
    stack.work().await;
    assert_eq!(last_look(&stack, PAYMENTS).await, "held unreadable.not_ready");
    stack.world.server.with(|model| model.put_role(PAYMENTS, role));
    stack.settle().await;
    assert!(guarded(&stack, PAYMENTS));
}

#[tokio::test]
async fn an_accepted_invitation_is_an_arrival_whenever_the_account_is_said_to_have_joined() {
    let mut stack = established().await;
    stack.world.administrator_releases(PAYMENTS, EU);
    let role = take_role(&stack, PAYMENTS);
    let sample = include_str!("../../events/invitation-accepted.json").replace("300000000007", PAYMENTS);
    let mut event: Value = serde_json::from_str(&sample).unwrap();
    for time in [&["time"] as &[&str], &["detail", "eventTime"]] {
        let place = time.iter().fold(&mut event, |value, name| &mut value[*name]);
        *place = Timestamp::now().to_string().into();
    }
    stack.send(&event);
    stack.work().await;
    assert_eq!(last_look(&stack, PAYMENTS).await, "held unreadable.not_ready");
    assert_eq!(stack.left(), ONE_WAITS);
    stack.world.server.with(|model| model.put_role(PAYMENTS, role));
    stack.settle().await;
    assert!(guarded(&stack, PAYMENTS));
}

#[tokio::test]
async fn a_region_that_was_enabled_may_lack_permissions_for_a_while() {
    let mut stack = established().await;
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.world.server.fault(Fault::new(denied()).operation(LIST).account(PAYMENTS));
    let mut event: Value = serde_json::from_str(include_str!("../../events/region-enabled.json")).unwrap();
    event["time"] = Timestamp::now().to_string().into();
    event["detail"]["regionName"] = EU.into();
    stack.send(&event);
    stack.work().await;
    assert_eq!(last_look(&stack, PAYMENTS).await, "held unreadable.not_ready");
    assert_eq!(stack.left(), ONE_WAITS);
    stack.world.server.clear_faults();
    stack.settle().await;
    assert!(guarded(&stack, PAYMENTS));
}

#[tokio::test]
async fn a_write_that_is_denied_shortly_after_joining_is_tried_again() {
    let mut stack = established().await;
    let account = stack.world.let_an_account_join("newcomer", WORKLOAD);
    stack.world.server.fault(Fault::new(denied()).operation(PUT).account(&account));
    stack.send(&stack.world.event("CreateAccountResult"));
    stack.work().await;
    assert_eq!(last_look(&stack, &account).await, "failed failed.not_ready");
    assert_eq!(stack.left(), ONE_WAITS);
    stack.world.server.clear_faults();
    stack.settle().await;
    assert!(guarded(&stack, &account));
}

#[tokio::test]
async fn after_the_grace_a_missing_role_is_told_and_still_waited_for() {
    let mut stack = Stack::guarded(setup().variable("KEEPER_GRACE_MINUTES", "0")).await;
    stack.world.server.with(|model| model.settings.stack_set_seconds = None);
    let account = stack.world.let_an_account_join("newcomer", WORKLOAD);
    stack.send(&stack.world.event("CreateAccountResult"));
    stack.work().await;
    for _ in 0..20 {
        assert_eq!(last_look(&stack, &account).await, "held unreadable.denied");
        assert_eq!(stack.left(), ONE_WAITS);
        assert!(stack.wait());
        stack.work().await;
    }
    let role = stack.world.server.with(|model| model.role(PAYMENTS, MEMBER_ROLE).unwrap().as_ref().clone());
    stack.world.server.with(|model| model.put_role(&account, role));
    stack.settle().await;
    assert!(guarded(&stack, &account));
    // Whoever hasn't just arrived isn't waited for: it lost its role, and nothing brings it back by itself.
    take_role(&stack, PAYMENTS);
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.deliver(&stack.world.event("DeleteEnforcedGuardrailConfiguration")).await;
    assert_eq!(last_look(&stack, PAYMENTS).await, "held unreadable.denied");
    assert_eq!(stack.left(), EMPTY);
}

#[tokio::test]
async fn a_date_far_ahead_excuses_nothing() {
    let mut stack = Stack::guarded(setup()).await;
    stack.world.server.with(|model| joined(model, "2120-01-01T00:00:00Z".parse().unwrap()));
    take_role(&stack, PAYMENTS);
    stack.deliver(&stack.schedule()).await;
    assert_eq!(last_look(&stack, PAYMENTS).await, "held unreadable.denied");
    // A clock that is a minute ahead of ours does.
    let soon = Timestamp::now() + jiff::SignedDuration::from_secs(60);
    stack.world.server.with(|model| joined(model, soon));
    stack.deliver(&stack.schedule()).await;
    assert_eq!(last_look(&stack, PAYMENTS).await, "held unreadable.not_ready");
}
