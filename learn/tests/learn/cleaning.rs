//! Whatever happens, what was made is removed, and nothing that is found out is wrong.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;

use aws_config::SdkConfig;
use guardrail_learn::experiments;
use guardrail_learn::session::NotBegun;
use simulator::{Fault, FaultKind};

use crate::stage::{self, Setting, Stage, nothing_is_wrong};

/// Two experiments that together make everything that can be made, and so every call of the clean-up.
const EVERY_CALL: [&str; 2] = ["put-over-existing", "delete-organization-version"];
/// Of the others only every so-manieth call is struck: they make the same things.
const STEP: usize = 9;

fn alone(switch: &str) -> Setting {
    Setting { only: vec![switch.to_owned()], ..Setting::default() }
}

/// Runs of one experiment each, with the numbers of the calls at which something is to happen.
async fn short_runs(client: &SdkConfig) -> Vec<(Setting, Vec<u32>)> {
    let mut runs = Vec::new();
    for (number, experiment) in experiments::all().filter(|one| !one.makes.is_empty()).enumerate() {
        let setting = alone(experiment.switch);
        let stage = stage_of(client, &setting).await;
        stage.run().await.expect("the account is empty");
        let calls = stage.server.calls();
        let last = u32::try_from(calls.len()).expect("some hundred");
        // Nothing is made before the first write.
        let first = calls.iter().position(|call| call.write).expect("it makes something");
        let first = u32::try_from(first).expect("some dozens");
        runs.push(if EVERY_CALL.contains(&experiment.switch) {
            (setting, (1..=last).collect())
        } else {
            (setting, (first + u32::try_from(number % STEP).expect("small")..=last).step_by(STEP).collect())
        });
    }
    runs
}

async fn number_of_calls(client: &SdkConfig, setting: &Setting) -> u32 {
    let stage = stage_of(client, setting).await;
    stage.run().await.expect("the account is empty");
    u32::try_from(stage.server.calls().len()).expect("some hundred")
}

async fn stage_of(client: &SdkConfig, setting: &Setting) -> Stage {
    let Setting { switches, only, .. } = setting;
    Stage::set(client, Setting { switches: switches.clone(), only: only.clone(), ..Setting::default() }).await
}

/// From the moment of the nth call on, the user has pressed Ctrl-C that many times.
fn press_at(stage: &Stage, nth: u32, times: u32) {
    let (teller, mut seen) = (Arc::clone(&stage.teller), 0);
    stage.server.watch(move |_, _| {
        seen += 1;
        if seen == nth {
            (0..times).for_each(|_| teller.tell());
        }
    });
}

#[tokio::test]
async fn ctrl_c_at_any_call_leaves_nothing() {
    let client = stage::client().await;
    let mut stopped = 0;
    for (setting, calls) in short_runs(&client).await {
        for nth in calls {
            let stage = stage_of(&client, &setting).await;
            let before = stage.holdings();
            press_at(&stage, nth, 1);
            let context = format!("{:?} at call {nth}", setting.only);
            match stage.run().await {
                Ok(report) => {
                    assert!(report.conducted.left.is_empty(), "{context}: {:?}", report.conducted.left);
                    nothing_is_wrong(&report, &setting.switches, &context);
                    stopped += 1;
                }
                Err(why) => assert!(matches!(why, NotBegun::Halted(_)), "{context}: {why}"),
            }
            assert_eq!(stage.holdings(), before, "{context}");
            assert!(!stage.journal().exists(), "{context}");
            stage.nobody_disabled_the_policy_type();
        }
    }
    assert!(stopped > 100, "only {stopped} runs were stopped after something was made");
}

/// A program that is killed removes nothing; whoever has its journal does.
#[tokio::test]
async fn a_program_that_dies_at_any_call_is_cleaned_up_after() {
    let client = stage::client().await;
    let mut cleaned = 0;
    for (setting, calls) in short_runs(&client).await {
        for nth in calls {
            let stage = stage_of(&client, &setting).await;
            let before = stage.holdings();
            let crash = Fault::new(FaultKind::Crash).nth(nth);
            stage.server.fault(if nth % 2 == 0 { crash } else { crash.after_carrying_out() });
            let crashed = stage.server.crashed();
            tokio::select! {
                biased;
                () = crashed => {}
                _ = stage.run() => {}
            }
            stage.server.clear_faults();
            let context = format!("{:?} at call {nth}", setting.only);
            if stage.journal().exists() {
                // The last line may be cut off.
                let mut journal = OpenOptions::new().append(true).open(stage.journal()).expect("a file");
                journal.write_all(b"{\"made\":{\"num").expect("a file");
                let done = stage.clean_up().await.unwrap_or_else(|why| panic!("{context}: {why}"));
                assert!(done.left.is_empty(), "{context}: {:?}", done.left);
                cleaned += 1;
            }
            assert_eq!(stage.holdings(), before, "{context}");
            assert!(!stage.journal().exists(), "{context}");
        }
    }
    assert!(cleaned > 100, "only {cleaned} were cleaned up after");
}

/// A call is denied once, its answer is lost, or AWS has an internal error.
#[tokio::test]
async fn a_fault_at_any_call_leaves_nothing_and_misleads_nobody() {
    let client = stage::client().await;
    let denied = FaultKind::Denied { message: "not now".to_owned() };
    for (number, (setting, calls)) in short_runs(&client).await.into_iter().enumerate() {
        for nth in calls {
            let stage = stage_of(&client, &setting).await;
            let before = stage.holdings();
            let fault = match (nth as usize + number) % 3 {
                0 => Fault::new(denied.clone()),
                1 => Fault::new(FaultKind::ServerError),
                _ => Fault::new(FaultKind::Reset).after_carrying_out(),
            };
            let context = format!("{:?}: {:?} at call {nth}", setting.only, fault.kind);
            stage.server.fault(fault.nth(nth));
            if let Ok(report) = stage.run().await {
                assert!(report.conducted.left.is_empty(), "{context}: {:?}", report.conducted.left);
                nothing_is_wrong(&report, &setting.switches, &context);
            }
            assert_eq!(stage.holdings(), before, "{context}");
            assert!(!stage.journal().exists(), "{context}");
        }
    }
}

/// A list may be one write behind, as AWS's are.
#[tokio::test]
async fn lists_that_lag_hide_nothing_from_the_clean_up() {
    let client = stage::client().await;
    let enforcing = ["put-over-existing", "list-models", "enforced-trace", "cross-account-reference"];
    let lagging = enforcing
        .map(|switch| ("ListEnforcedGuardrailsConfiguration", switch, "PutEnforcedGuardrailConfiguration"));
    let others = [
        ("ListGuardrails", "put-over-existing", "CreateGuardrail"),
        ("ListPolicies", "input-tags", "CreatePolicy"),
        ("ListPolicies", "other-owners", "AttachPolicy"),
    ];
    for (list, switch, made) in lagging.into_iter().chain(others) {
        let stage = stage_of(&client, &alone(switch)).await;
        let before = stage.holdings();
        stage.server.fault(Fault::new(FaultKind::LaggingRead).operation(list));
        let report = stage.run().await.expect("the account is empty");
        assert!(stage.writes().iter().any(|write| write == made), "{switch}");
        assert!(report.conducted.left.is_empty(), "{switch}: {:?}", report.conducted.left);
        nothing_is_wrong(&report, &BTreeMap::new(), switch);
        assert_eq!(stage.holdings(), before, "{switch}");
    }
}

/// A permission or a grant may be on its way: what AWS refuses once is no answer.
#[tokio::test]
async fn what_is_denied_once_is_no_answer() {
    let client = stage::client().await;
    let switches =
        ["cross-account-reference", "put-without-grant", "delete-enforced-elsewhere", "wrong-identifier"];
    for switch in switches {
        for operation in
            ["PutEnforcedGuardrailConfiguration", "DeleteGuardrail", "ApplyGuardrail", "Converse"]
        {
            for nth in 1..=3 {
                let stage = stage_of(&client, &alone(switch)).await;
                let denied = FaultKind::Denied { message: "not yet".to_owned() };
                stage.server.fault(Fault::new(denied).operation(operation).nth(nth));
                let report = stage.run().await.expect("the account is empty");
                let context = format!("{switch}: {operation} {nth}");
                nothing_is_wrong(&report, &BTreeMap::new(), &context);
                assert!(report.is_complete(), "{context}: {:#}", report.json());
            }
        }
    }
}

/// The same at calls of a whole run, so that every clean-up between experiments is met as well.
#[tokio::test]
async fn a_whole_run_survives_the_same() {
    let client = stage::client().await;
    let whole = Setting::default();
    let calls = number_of_calls(&client, &whole).await;
    assert!(calls > 400, "only {calls} calls");
    for nth in (1..=calls).step_by(97) {
        for kind in 0..3 {
            let stage = stage_of(&client, &whole).await;
            let before = stage.holdings();
            match kind {
                0 => press_at(&stage, nth, 1),
                1 => stage.server.fault(Fault::new(FaultKind::Denied { message: "no".to_owned() }).nth(nth)),
                _ => stage.server.fault(Fault::new(FaultKind::Reset).after_carrying_out().nth(nth)),
            }
            let context = format!("{kind} at call {nth} of {calls}");
            if let Ok(report) = stage.run().await {
                assert!(report.conducted.left.is_empty(), "{context}: {:?}", report.conducted.left);
                nothing_is_wrong(&report, &BTreeMap::new(), &context);
            }
            assert_eq!(stage.holdings(), before, "{context}");
            assert!(!stage.journal().exists(), "{context}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_removed_is_named_and_can_be_removed_later() {
    let client = stage::client().await;
    // A resource policy goes with its guardrail, so it is left only with that.
    for operation in
        ["DeleteGuardrail", "DeleteEnforcedGuardrailConfiguration", "DetachPolicy", "DeletePolicy"]
    {
        let only = vec!["put-over-existing".to_owned(), "other-owners".to_owned(), "sid".to_owned()];
        let stage = Stage::set(&client, Setting { only, ..Setting::default() }).await;
        let before = stage.holdings();
        let never = FaultKind::Denied { message: "never".to_owned() };
        stage.server.fault(Fault::new(never).operation(operation));
        let report = stage.run().await.expect("the account is empty");
        let left = &report.conducted.left;
        assert!(left.iter().any(|left| left.why.contains(operation)), "{operation}: {left:?}");
        assert!(report.text().contains("LEFT: "));
        assert!(stage.journal().exists());
        assert!(matches!(stage.run().await, Err(NotBegun::Left(_))), "another run would only add to it");
        stage.server.clear_faults();
        let done = stage.clean_up().await.expect("the journal can be read");
        assert!(done.left.is_empty(), "{:?}", done.left);
        assert_eq!(stage.holdings(), before);
        assert!(!stage.journal().exists());
    }
}

/// The second Ctrl-C ends the clean-up, too, and what is left is named.
#[tokio::test]
async fn a_second_ctrl_c_leaves_what_it_names() {
    let client = stage::client().await;
    let setting = alone("other-owners");
    let calls = number_of_calls(&client, &setting).await;
    let mut left_something = 0;
    for nth in 1..=calls {
        let stage = stage_of(&client, &setting).await;
        let before = stage.holdings();
        press_at(&stage, nth, 2);
        if let Ok(report) = stage.run().await {
            let is_left = stage.holdings() != before;
            assert!(
                !is_left || !report.conducted.left.is_empty(),
                "call {nth}: something is left without a word"
            );
            assert_eq!(stage.journal().exists(), !report.conducted.left.is_empty());
            left_something += u32::from(is_left);
        }
        if stage.journal().exists() {
            stage.clean_up().await.expect("the journal can be read");
        }
        assert_eq!(stage.holdings(), before, "call {nth}");
    }
    assert!(left_something > 10);
}

/// Nothing is made that isn't written down first.
#[tokio::test]
async fn without_a_journal_nothing_is_made() {
    let client = stage::client().await;
    let mut stage = Stage::set(&client, Setting::default()).await;
    stage.wanted.journal = stage.wanted.journal.join("not/there");
    let why = stage.run().await.expect_err("it must not begin");
    assert!(matches!(why, NotBegun::Journal(_)), "{why}");
    assert_eq!(stage.writes(), [""; 0]);
}

/// A journal tells nobody else's account or Region.
#[tokio::test]
async fn a_journal_is_for_its_own_account_and_region() {
    let client = stage::client().await;
    let stage = Stage::set(&client, Setting::default()).await;
    let header = r#"{"run":{"run":"x","account":"300000000009","role":"OrganizationAccountAccessRole","region":"eu-west-1"}}"#;
    std::fs::write(stage.journal(), format!("{header}\n")).expect("a file");
    let why = stage.clean_up().await.expect_err("another Region").to_string();
    assert!(why.contains("eu-west-1"), "{why}");
    std::fs::write(stage.journal(), "hello\n").expect("a file");
    assert!(matches!(stage.clean_up().await, Err(NotBegun::Journal(_))));
    assert_eq!(stage.writes(), [""; 0]);
}
