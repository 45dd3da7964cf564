//! What people have to hear: of each target once, also while others are held, and in as few messages as possible.

use expect_test::expect;
use guardrail_keeper::engine;
use guardrail_keeper::outcome::BrokenVersions;
use guardrail_keeper::record::{Closed, News, NewsKind};
use guardrail_keeper::task::cause_of;
use serde_json::Value;
use simulator::{Fault, FaultKind};
use testkit::stack::Stack;
use testkit::world::{
    DELETE, Document, EU, LIST, MEMBER_ROLE, PAYMENTS, PUT, SANDBOX, SHIPPING, WORKLOAD, World, check,
    version,
};

const BUS: &str = "outcomes";

fn document() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..Document::default()
    }
}

/// Both accounts are guarded, for long; and that was heard, with the report of the day.
async fn guarded() -> Stack {
    let mut stack = at_the_beginning_of_a_day(&document()).await;
    stack.deliver(&stack.schedule()).await;
    heard(&stack);
    stack
}

/// Everybody is guarded, for long; and that was heard. A day of UTC has just begun, and its report is still to come: so no
/// test that waits for some hours hears of another day, whatever time it is.
async fn at_the_beginning_of_a_day(document: &Document) -> Stack {
    const DAY: i64 = 24 * 3600;
    let setup = World::of(document).durable().long_established().variable("KEEPER_BUS", BUS);
    let stack = Stack::guarded(setup).await;
    let of_the_day = stack.world.clock.now().as_second() % DAY;
    stack.world.wait(u32::try_from(DAY - of_the_day).expect("a day has no more"));
    heard(&stack);
    stack
}

/// What was put on the bus since it was listened to last, of the kinds that people are sent.
fn heard(stack: &Stack) -> Vec<Value> {
    stack.world.server.with(|model| {
        let events: Vec<Value> = model.put_events().iter().map(|put| put.event.clone()).collect();
        model.clear_put_events();
        let for_people = |event: &Value| {
            event["detail-type"] == "Attention Needed" || event["detail"]["report"].is_string()
        };
        events.into_iter().filter(for_people).collect()
    })
}

/// The messages in words.
fn told(stack: &Stack) -> String {
    let word = |event: &Value| {
        let detail = &event["detail"];
        let text = detail["report"].as_str().or(detail["reason"]["text"].as_str()).unwrap();
        let text: String = text.chars().take(240).collect();
        let summary = detail["summary"].as_str().unwrap_or("report");
        let sweep = if detail["whole_organization"] == true { "in a sweep" } else { "at once" };
        match detail["report"].is_string() {
            true => format!("report: {text}\n"),
            false => format!("{sweep}: {summary}: {text}\n"),
        }
    };
    heard(stack).iter().map(word).collect()
}

/// What people are told by a sweep.
async fn told_by_a_sweep(stack: &mut Stack) -> String {
    stack.deliver(&stack.schedule()).await;
    told(stack)
}

/// What a sweep says of one account that [`deny`] keeps from being read.
fn held_alone(account: &str) -> String {
    format!(
        "in a sweep: 1 target held, in 1 account: held (unreadable.denied): {account}/eu-west-1: could not be read: \
         ListEnforcedGuardrailsConfiguration: AccessDeniedException: No. (denied).\n"
    )
}

fn deny(stack: &Stack, account: &str) {
    let denied = FaultKind::Denied { message: "No.".to_owned() };
    stack.world.server.fault(Fault::new(denied).operation(LIST).account(account));
}

#[tokio::test]
async fn a_second_account_that_is_held_is_news_though_the_first_one_still_is() {
    let mut stack = guarded().await;
    deny(&stack, PAYMENTS);
    let mut all = Vec::new();
    for second in [false, false, true, false] {
        if second {
            deny(&stack, SHIPPING);
        }
        stack.world.wait(3600);
        all.push(told_by_a_sweep(&mut stack).await);
    }
    assert_eq!(all, [held_alone(PAYMENTS), String::new(), held_alone(SHIPPING), String::new()]);
}

/// A move is in no revision, so `Baseline Changed` says nothing of what it releases or leaves alone.
#[tokio::test]
async fn what_a_move_releases_or_leaves_alone_is_news_once() {
    let assignments = vec![(WORKLOAD, "corporate"), (SANDBOX, "none")];
    let document = Document { regions: EU, assignments, ..Document::default() };
    let mut stack = at_the_beginning_of_a_day(&document).await;
    stack.deliver(&stack.schedule()).await;
    heard(&stack);
    let mut all = String::new();
    for (account, parent) in [(PAYMENTS, SANDBOX), (SHIPPING, "r-exam")] {
        stack.world.server.with(|model| model.move_account(account, parent)).unwrap();
        stack.deliver(&stack.world.event("MoveAccount")).await;
        all.push_str(&told(&stack));
    }
    check(
        &all,
        expect![[r#"
            at once: 1 target no longer guarded, as nothing is wanted there, in 1 account: no longer guarded, as nothing is wanted there (released): 300000000001/eu-west-1: release eubase1a2b3c:2.
            at once: 1 target no longer guarded, as nothing is wanted there, in 1 account: no longer guarded, as nothing is wanted there (unassigned): 300000000002/eu-west-1: eubase1a2b3c:2 stays there, and is no longer put back: no assignment covers the account.
        "#]],
    );
    stack.world.wait(3600);
    assert_eq!(told_by_a_sweep(&mut stack).await, "");
    assert!(stack.world.enforced_in(SHIPPING).contains("eubase1a2b3c:2"), "it is left alone");
}

#[tokio::test]
async fn what_is_missing_everywhere_is_one_message_of_a_sweep() {
    let mut stack = guarded().await;
    deny(&stack, PAYMENTS);
    deny(&stack, SHIPPING);
    check(
        &told_by_a_sweep(&mut stack).await,
        expect![[r#"
            in a sweep: 2 targets held, in 2 accounts: held (unreadable.denied): 300000000001/eu-west-1, 300000000002/eu-west-1: could not be read: ListEnforcedGuardrailsConfiguration: AccessDeniedException: No. (denied).
        "#]],
    );
    // It is over, and news again when it comes back.
    stack.world.server.clear_faults();
    assert_eq!(told_by_a_sweep(&mut stack).await, "");
    deny(&stack, PAYMENTS);
    assert_eq!(told_by_a_sweep(&mut stack).await, held_alone(PAYMENTS));
}

#[tokio::test]
async fn a_task_of_one_account_tells_at_once_and_the_sweep_does_not_repeat_it() {
    let mut stack = guarded().await;
    stack.world.administrator_releases(PAYMENTS, EU);
    let denied = FaultKind::Denied { message: "No.".to_owned() };
    stack.world.server.fault(Fault::new(denied).operation(PUT).account(PAYMENTS));
    stack.deliver(&stack.world.event(DELETE)).await;
    check(
        &told(&stack),
        expect![[r#"
            at once: 1 target failed, in 1 account: failed (failed.denied): 300000000001/eu-west-1: PutEnforcedGuardrailConfiguration: AccessDeniedException: No; the guardrail is account 222222222222's: if AWS refuses that, `placement: copy` gives this account its own (denied).
        "#]],
    );
    assert_eq!(told_by_a_sweep(&mut stack).await, "");
}

#[tokio::test]
async fn news_that_the_bus_refused_comes_with_the_next_sweep() {
    let mut stack = guarded().await;
    deny(&stack, PAYMENTS);
    let refused = FaultKind::Denied { message: "No.".to_owned() };
    stack.world.server.fault(Fault::new(refused).operation("PutEvents"));
    assert_eq!(told_by_a_sweep(&mut stack).await, "");
    stack.world.server.clear_faults();
    deny(&stack, PAYMENTS);
    assert_eq!(told_by_a_sweep(&mut stack).await, held_alone(PAYMENTS));
}

#[tokio::test]
async fn what_a_sweep_repairs_and_no_event_announced_is_news() {
    let mut stack = guarded().await;
    stack.world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    stack.world.administrator_releases(SHIPPING, EU);
    stack.world.wait(600);
    // The events never came.
    check(
        &told_by_a_sweep(&mut stack).await,
        expect![[r#"
            in a sweep: 2 targets repaired without an event, in 2 accounts: repaired without an event (unannounced): 300000000001/eu-west-1 (by arn:aws:iam::300000000001:user/administrator), 300000000002/eu-west-1: corporate:1 => corporate:2 (weaker).
        "#]],
    );
    assert_eq!(told_by_a_sweep(&mut stack).await, "");
    // Those that come are none.
    stack.world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    stack.deliver(&stack.world.event(PUT)).await;
    assert_eq!(told_by_a_sweep(&mut stack).await, "");
}

#[tokio::test]
async fn what_is_done_in_the_keepers_name_is_published_at_once() {
    let mut stack = guarded().await;
    stack.world.wait(3600);
    let member = format!("arn:aws:iam::{PAYMENTS}:role/{MEMBER_ROLE}");
    stack.world.server.with(|model| model.delete_enforcement_as(&member, PAYMENTS, EU)).unwrap();
    let event = stack.world.event(DELETE);
    stack.deliver(&event).await;
    let told = told(&stack);
    assert!(told.contains(event["id"].as_str().unwrap()), "the event is named: {told}");
    check(
        &told.replace(event["id"].as_str().unwrap(), "EVENT"),
        expect![[r#"
        at once: 1 target changed in the keeper's name and repaired, in 1 account: changed in the keeper's name and repaired (in_our_name): 300000000001/eu-west-1: enforce corporate:2 (it was removed); CloudTrail's event: EVENT.
    "#]],
    );
    // A sweep finds who wrote last, though no event came.
    stack.world.wait(3600);
    stack.world.server.with(|model| {
        let caller = model.caller(&format!("arn:aws:iam::{SHIPPING}:role/{MEMBER_ROLE}"), EU).unwrap();
        let config = model.enforcement(SHIPPING, EU).unwrap().config_id.clone();
        model.put_enforcement(&caller, Some(&config), version(EU, "1")).unwrap();
    });
    check(
        &told_by_a_sweep(&mut stack).await,
        expect![[r#"
        in a sweep: 1 target changed in the keeper's name and repaired, in 1 account: changed in the keeper's name and repaired (in_our_name): 300000000002/eu-west-1 (by arn:aws:iam::300000000002:role/GuardrailKeeperMember): corporate:1 => corporate:2 (weaker).
    "#]],
    );
}

/// News of a target count as published only where a message has them: not where the sweep's own events, which name what is
/// broken, leave the target out.
#[tokio::test]
async fn news_count_as_published_only_where_a_message_has_them() {
    let stack = guarded().await;
    let now = stack.world.keeper.clock().now();
    let found = [(PAYMENTS, NewsKind::Broken), (SHIPPING, NewsKind::InOurName), (SHIPPING, NewsKind::Held)];
    for (account, kind) in found {
        let id = account.parse().unwrap();
        let changed = stack.world.keeper.ledger().change_account(&id, |record| {
            let news = News::new(kind, "code".to_owned(), "why", now);
            record.regions.get_mut(&EU.parse().unwrap()).unwrap().news.push(news);
            if account == SHIPPING {
                record.closed = Some(Closed { at: now, reason: "it left".to_owned(), untold: false });
            }
            Ok(())
        });
        changed.await.unwrap();
    }
    let baseline = stack.world.baseline().await;
    // Nobody was looked at since: no event of the sweep has them.
    stack.world.wait(60);
    let since = stack.world.keeper.clock().now();
    let tally = engine::tally(&stack.world.keeper, &baseline, since).await.unwrap();
    assert!(tally.broken == BrokenVersions::default(), "{tally:?}");
    let cause = cause_of(&engine::everything(), None, "direct", since);
    let event = tally.news.event(&cause, true, since).unwrap();
    let kinds = event.detail["news"].as_array().unwrap().iter().map(|news| news["kind"].as_str().unwrap());
    assert_eq!(kinds.collect::<Vec<_>>(), ["in_our_name", "broken"], "{:#}", event.detail);
    // What is about a closed account's present state ends with the account.
    let ids: Vec<NewsKind> = tally.news.ids().values().flatten().map(|id| id.kind).collect();
    assert_eq!(ids, [NewsKind::Broken, NewsKind::InOurName]);
}

#[tokio::test]
async fn a_report_comes_once_a_day_whatever_it_says() {
    let mut stack = at_the_beginning_of_a_day(&document()).await;
    let mut all = String::new();
    for hours in [1, 1, 24, 24] {
        stack.world.wait(hours * 3600);
        if hours == 24 && !all.contains("not all is well") {
            deny(&stack, PAYMENTS);
        }
        all.push_str(&told_by_a_sweep(&mut stack).await);
        all.push_str("-\n");
    }
    check(
        &all,
        expect![[r#"
        report: all is well: 2 targets guarded in 7 accounts
        -
        -
        report: not all is well: 1 target guarded in 7 accounts; 1 held
        in a sweep: 1 target held, in 1 account: held (unreadable.denied): 300000000001/eu-west-1: could not be read: ListEnforcedGuardrailsConfiguration: AccessDeniedException: No. (denied).
        -
        report: not all is well: 1 target guarded in 7 accounts; 1 held
        -
    "#]],
    );
}
