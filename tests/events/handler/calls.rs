//! What an event costs: no call to AWS that it doesn't need.

use std::collections::BTreeMap;

use simulator::{Fault, FaultKind};
use testkit::log::Log;

use super::{BASELINE, PARAMETER, Scene, batch, failures, record, sample};
use crate::harness::central_settings;
use crate::samples;
use guardrail_keeper::handler::handle;
use guardrail_keeper::trigger::{Context, Trigger, decide};

#[tokio::test]
async fn a_departure_makes_no_call_in_the_account() {
    let scene = Scene::start().await;
    scene.server.with(|model| model.leave("300000000001")).unwrap();
    scene.server.clear_calls();
    for (name, why) in [
        ("account-removed", "the account was removed from the organization"),
        ("account-departed-left", "the account left the organization"),
        ("account-closed", "the account was closed"),
    ] {
        let (answer, log) = Log::of(handle(&scene.keeper, &sample(name))).await;
        let answer = answer.unwrap();
        assert_eq!(answer["outcome"], "departed");
        assert_eq!(answer["reason"], why);
        assert_eq!(log[0]["message"], format!("queued a look at accounts that may be gone: {why}"));
        let (answer, log) = Log::of(scene.handle(&batch([record("m", &sample(name))]))).await;
        assert_eq!(failures(&answer.unwrap()), Vec::<&str>::new());
        assert_eq!(log[0]["record"], "m");
        assert_eq!(log[0]["message"], format!("queued a look at accounts that may be gone: {why}"));
    }
    // Organizations is asked whether it is gone, because an event is only a hint.
    let calls: std::collections::BTreeSet<String> = scene.operations().into_iter().collect();
    assert_eq!(calls, ["DescribeAccount", "DescribeOrganization", "GetParameter"].map(str::to_owned).into());
}

/// What is ignored or rejected needs the baseline only where the baseline is why it is ignored.
#[tokio::test]
async fn what_needs_no_look_makes_no_call() {
    let scene = Scene::start().await;
    // Of the baselines, the one that narrows the most.
    scene.put_baseline(&BASELINE.replacen("version: 2\n", "version: 1\n", 1));
    scene.server.clear_calls();
    let settings = central_settings;
    let mut by_the_baseline = 0;
    for (file, text) in samples().into_iter().filter(|(file, _)| !file.starts_with("events/batches/")) {
        if matches!(decide(&text, &settings()), Trigger::Reconcile(_) | Trigger::Departed { .. }) {
            continue;
        }
        let narrowed =
            matches!(decide(&text, &Context { baseline: None, ..settings() }), Trigger::Reconcile(_));
        let expected = if narrowed { vec!["GetParameter"] } else { vec![] };
        by_the_baseline += usize::from(narrowed);
        scene.handle(&batch([record("m", &text)])).await.unwrap();
        assert_eq!(scene.operations(), expected, "{file} in a batch");
        let _ = handle(&scene.keeper, &text).await;
        assert_eq!(scene.operations(), expected, "{file}");
    }
    assert!(by_the_baseline > 0);
}

#[tokio::test]
async fn several_events_of_one_account_are_one_piece_of_work() {
    let count = |scene: &Scene| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for call in scene.calls() {
            let target = call.target.unwrap_or_default();
            *counts
                .entry(format!("{} {} {} {target}", call.operation, call.account, call.region))
                .or_default() += 1;
        }
        counts
    };
    let names = ["account-created", "account-joined-created", "account-joined-invited", "account-enrolled"];

    let once = Scene::start().await;
    once.handle(&batch([record("m", &sample(names[0]))])).await.unwrap();
    let expected = count(&once);
    assert!(expected.keys().any(|call| call.starts_with("PutEnforcedGuardrailConfiguration 300000000007")));

    let all = Scene::start().await;
    let records = names.iter().map(|name| record(name, &sample(name)));
    let (answer, log) = Log::of(all.handle(&batch(records))).await;
    assert_eq!(failures(&answer.unwrap()), Vec::<&str>::new());
    assert_eq!(count(&all), expected, "the same calls as for one of them");
    let work: Vec<&str> = log.iter().filter_map(|line| line["records"].as_str()).collect();
    assert_eq!(work, [names.join(" ")]);
}

/// No call is made about an account that no record asked for.
#[tokio::test]
async fn only_the_accounts_that_are_named_are_entered() {
    let scene = Scene::start().await;
    scene.server.with(|model| model.leave("300000000002")).unwrap();
    scene.server.clear_calls();
    let payload = batch([
        record("moved", &sample("account-moved")),
        record("created", &sample("account-created")),
        record("left", &sample("account-departed-left").replace("300000000001", "300000000002")),
    ]);
    scene.handle(&payload).await.unwrap();
    let calls = scene.calls();
    let entered: std::collections::BTreeSet<&str> = calls
        .iter()
        .filter(|call| call.operation == "PutEnforcedGuardrailConfiguration")
        .map(|call| call.account.as_str())
        .collect();
    assert_eq!(entered, ["300000000001", "300000000007"].into());
    // Of the account that left, only Organizations is asked.
    let about = |account: &str| {
        calls.iter().filter(|call| call.operation != "DescribeAccount").any(|call| {
            call.account == account || call.target.as_deref().is_some_and(|it| it.contains(account))
        })
    };
    assert!(about("300000000001") && about("300000000007"));
    assert!(!about("300000000002") && !about("300000000003"));
}

#[tokio::test]
async fn without_a_baseline_only_the_records_that_need_it_fail() {
    let scene = Scene::start().await;
    let payload = batch([
        record("moved", &sample("account-moved")),
        record("version", &sample("guardrail-version-created")),
        record("sweep", &sample("schedule-rule")),
        record("removed", &sample("account-removed")),
        record("ours", &sample("enforcement-put-by-us")),
        record("listed", &sample("enforcement-listed")),
    ]);
    let unreadable =
        Fault::new(FaultKind::Denied { message: "no such permission".to_owned() }).operation("GetParameter");
    scene.server.fault(unreadable);
    let (answer, log) = Log::of(scene.handle(&payload)).await;
    // Whether an account is really gone is looked up by the account's own work, which begins with the baseline.
    assert_eq!(failures(&answer.unwrap()), ["moved", "removed", "sweep", "version"]);
    let errors: Vec<_> =
        log.iter().filter(|line| line["level"] == "ERROR" && line["records"] != "removed").collect();
    let [error] = errors.as_slice() else { panic!("told once: {errors:?}") };
    assert_eq!(error["error.kind"], "NoBaseline");
    assert_eq!(error["records"], "moved version sweep");
    assert!(error["message"].as_str().unwrap().contains(PARAMETER), "{error}");
    assert_eq!(scene.operations(), ["GetParameter", "GetParameter"], "nothing is done without it");

    scene.server.clear_faults();
    scene.put_baseline("version: 1\nnonsense: true\n");
    let (answer, log) = Log::of(scene.handle(&payload)).await;
    assert_eq!(failures(&answer.unwrap()), ["moved", "removed", "sweep", "version"]);
    assert!(log.iter().any(|line| line["error.kind"] == "NoBaseline"), "{log:?}");
    assert!(scene.calls().iter().all(|call| !call.write || call.operation == "PutParameter"));

    let alone = handle(&scene.keeper, &sample("account-moved")).await.unwrap_err();
    assert_eq!(alone.name(), "NoBaseline");
}
