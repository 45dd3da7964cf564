//! What a person read is what is done: jobs that follow look again, and hold what the plan didn't have. What they leave
//! is named.

use std::sync::atomic::{AtomicBool, Ordering};

use guardrail_keeper::engine::{self, Reviewer, Step};
use guardrail_keeper::handler::do_here;
use guardrail_keeper::plan::ReviewedPlan;
use guardrail_keeper::report::TargetReport;
use simulator::{Enforce, Fault, FaultKind, ModelEnforcement};
use testkit::world::{Document, EU, PAYMENTS, PUT, SHIPPING, World, guardrail, version};

fn two_accounts() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..Document::default()
    }
}

async fn read(world: &World) -> ReviewedPlan {
    let baseline = world.baseline().await;
    let read = engine::survey(&world.keeper, &baseline, &engine::everything(), &engine::unwatched).await;
    read.unwrap().plan.plan().reviewed(&baseline.revision)
}

#[tokio::test]
async fn a_grant_that_nobody_read_of_is_not_made() {
    let world = World::of(&two_accounts()).durable().approved().start().await;
    let reviewed = read(&world).await;
    world.server.with(|model| model.set_resource_policy(&guardrail(EU), None)).unwrap();
    world.server.clear_calls();
    let reviewer = Reviewer { progress: &engine::unwatched, plan: Some(&reviewed) };
    let report = do_here(&world.keeper, &engine::everything(), reviewer).await.unwrap().report;
    assert!(report.to_string().contains("this change is not in the plan that was read"), "{report}");
    assert_eq!(world.writes(), [""; 0], "{report}");
    assert!(!report.is_converged());
    // It is in the next plan.
    let reviewed = read(&world).await;
    let reviewer = Reviewer { progress: &engine::unwatched, plan: Some(&reviewed) };
    let report = do_here(&world.keeper, &engine::everything(), reviewer).await.unwrap().report;
    assert!(report.is_converged() && world.writes().len() == 3, "{report} {:?}", world.writes());
}

/// What was there when the plan was read is part of it.
#[tokio::test]
async fn what_replaces_something_else_than_the_plan_showed_is_not_made() {
    let assignments =
        vec![(PAYMENTS, "corporate, existing: replace"), (SHIPPING, "corporate, existing: replace")];
    let world = World::of(&Document { assignments, ..two_accounts() }).durable().approved().start().await;
    for account in [PAYMENTS, SHIPPING] {
        world.administrator_enforces(account, EU, version(EU, "1"));
    }
    let reviewed = read(&world).await;
    let none = Some(ModelEnforcement {
        included_models: vec!["ALL".to_owned()],
        excluded_models: vec!["amazon.nova-pro-v1:0".to_owned()],
    });
    world.administrator_enforces(PAYMENTS, EU, Enforce { model_enforcement: none, ..version(EU, "1") });
    world.server.clear_calls();
    let reviewer = Reviewer { progress: &engine::unwatched, plan: Some(&reviewed) };
    let report = do_here(&world.keeper, &engine::everything(), reviewer).await.unwrap().report;
    let codes: Vec<(String, Option<String>)> =
        report.targets.iter().map(|(target, report)| (target.account.to_string(), report.code())).collect();
    assert!(codes.contains(&(PAYMENTS.to_owned(), Some("not_reviewed".to_owned()))), "{report}");
    assert!(world.enforced_in(SHIPPING).contains("eubase1a2b3c:2"), "{report}");
    assert!(world.enforced_in(PAYMENTS).contains("eubase1a2b3c:1"), "{report}");
}

#[tokio::test]
async fn of_a_baseline_that_was_put_after_the_plan_was_read_nothing_is_done() {
    let world = World::of(&two_accounts()).durable().approved().start().await;
    let reviewed = read(&world).await;
    world.publish(&Document { version: 1, ..two_accounts() });
    world.server.clear_calls();
    let reviewer = Reviewer { progress: &engine::unwatched, plan: Some(&reviewed) };
    let report = do_here(&world.keeper, &engine::everything(), reviewer).await.unwrap().report;
    let codes: Vec<String> = report.targets.values().filter_map(TargetReport::code).collect();
    assert!(codes.iter().any(|code| code == "not_reviewed"), "{report}");
    assert_eq!(world.writes(), [""; 0], "{report}");
}

#[tokio::test]
async fn a_task_that_has_waited_long_enough_is_named_as_unfinished() {
    let world = World::of(&two_accounts()).durable().approved().start().await;
    world.server.fault(Fault::new(FaultKind::ServerError).operation(PUT).account(PAYMENTS));
    let is_first = AtomicBool::new(true);
    // Two hours pass while it writes; a task of a sweep waits for one.
    let slow = |step: Step<'_>| {
        if matches!(step, Step::Begins(_)) && is_first.swap(false, Ordering::Relaxed) {
            world.wait(7200);
        }
    };
    let reviewer = Reviewer { progress: &slow, plan: None };
    let done = do_here(&world.keeper, &engine::everything(), reviewer).await.unwrap();
    let named = |why: &String| why.contains(PAYMENTS) && why.contains("waited too long");
    assert!(done.unfinished.iter().any(named), "{:?}", done.unfinished);
}

#[tokio::test]
async fn a_list_that_aws_refuses_to_continue_is_named_as_unfinished() {
    let setup = World::of(&two_accounts()).durable().approved();
    let world = setup.world(|world| world.settings.page_items = 2).start().await;
    let refused = FaultKind::Error {
        code: "InvalidInputException".to_owned(),
        message: "You specified an invalid value for nextToken.".to_owned(),
        status: 400,
    };
    // The first page of each list is answered.
    let lists = world.count("ListAccounts");
    for number in [2, 3, 4] {
        let fault = Fault::new(refused.clone()).operation("ListAccounts").nth(number);
        world.server.fault(fault);
    }
    let done = do_here(&world.keeper, &engine::everything(), Reviewer::NOBODY).await.unwrap();
    let named = |why: &String| why.contains("not every account was listed");
    assert!(done.unfinished.iter().any(named), "{lists} {:?} {:?}", done.unfinished, world.server.calls());
}
