//! The program as it is built: arguments, signals, exit codes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::stage::{self, ACCOUNT, MANAGEMENT, REGION, Setting, Stage};

fn program(stage: &Stage, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guardrail-learn"));
    command
        .env_clear()
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", stage.server.url())
        .env("AWS_ACCESS_KEY_ID", format!("SIM{MANAGEMENT}"))
        .env("AWS_SECRET_ACCESS_KEY", "simulator")
        .env("AWS_REGION", REGION)
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

fn run(stage: &Stage, folder: &Path) -> Command {
    let mut command = program(stage, folder);
    command.args(["run", "--account", ACCOUNT, "--role", "OrganizationAccountAccessRole"]);
    command.args(["--model", "amazon.nova-pro-v1:0", "--output", "json"]);
    command
}

/// Waits for a program without holding up the simulator, which is in this process.
async fn output(mut command: Command) -> Output {
    let waited = tokio::task::spawn_blocking(move || command.output());
    waited.await.expect("it is waited for").expect("it is started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_reports_on_standard_output_and_cleans_up() {
    let stage = Stage::set(&stage::client().await, Setting::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let before = stage.holdings();
    let mut command = run(&stage, folder.path());
    command.args(["--consent", ACCOUNT, "--only", "enforced-trace,updated-by,paths"]);
    let ended = output(command).await;
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let report: Value = serde_json::from_slice(&ended.stdout).expect("standard output is JSON");
    let switches: BTreeMap<String, String> =
        serde_json::from_value(report["switches"].clone()).expect("positions");
    let expected = [("enforced-trace", "absent"), ("paths", "present"), ("updated-by", "role")];
    assert!(switches.iter().map(|(one, other)| (one.as_str(), other.as_str())).eq(expected), "{switches:?}");
    let told = text(&ended.stderr);
    assert!(told.contains("3 experiments will be made") && told.contains("cleaning up"), "{told}");
    assert_eq!(stage.holdings(), before);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "the journal is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_the_consent() {
    let stage = Stage::set(&stage::client().await, Setting::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    for (typed, code) in [("yes\n", 3), ("", 3), ("300000000009\n", 0)] {
        let before = stage.server.calls().iter().filter(|call| call.write).count();
        let input = folder.path().join("input");
        std::fs::write(&input, typed).expect("a file");
        let mut command = run(&stage, folder.path());
        command.args(["--only", "updated-by"]).stdin(std::fs::File::open(&input).expect("a file"));
        let ended = output(command).await;
        assert_eq!(ended.status.code(), Some(code), "{typed:?}: {}", text(&ended.stderr));
        let after = stage.server.calls().iter().filter(|call| call.write).count();
        assert_eq!(after > before, code == 0, "{typed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_and_a_list_call_nothing() {
    let stage = Stage::set(&stage::client().await, Setting::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = run(&stage, folder.path());
    command.args(["--only", "everything"]);
    let ended = output(command).await;
    assert_eq!(ended.status.code(), Some(2), "{}", text(&ended.stderr));
    let mut command = program(&stage, folder.path());
    command.arg("list");
    let ended = output(command).await;
    assert!(text(&ended.stdout).contains("put-over-existing: "), "{}", text(&ended.stdout));
    let mut command = program(&stage, folder.path());
    command.arg("clean-up");
    let ended = output(command).await;
    assert_eq!(ended.status.code(), Some(3), "there is no journal");
    assert!(stage.server.calls().is_empty());
}

/// A real signal in the middle of an experiment.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_after_the_clean_up() {
    let client = stage::client().await;
    for signal in ["INT", "TERM"] {
        let stage = Stage::set(&client, Setting::default()).await;
        let folder = tempfile::tempdir().expect("a folder");
        let before = stage.holdings();
        let process = Arc::new(AtomicU32::new(0));
        let watched = Arc::clone(&process);
        stage.server.watch(move |call, _| {
            let id = watched.load(Ordering::SeqCst);
            if call.operation == "PutEnforcedGuardrailConfiguration" && id != 0 {
                let status = Command::new("kill").args([format!("-{signal}"), id.to_string()]).status();
                assert!(status.is_ok_and(|status| status.success()));
            }
        });
        let mut command = run(&stage, folder.path());
        command.args(["--consent", ACCOUNT, "--only", "list-models,enforced-trace"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it is started");
        process.store(child.id(), Ordering::SeqCst);
        let waited = tokio::task::spawn_blocking(move || child.wait_with_output());
        let ended = waited.await.expect("it is waited for").expect("it ends");
        assert_eq!(ended.status.code(), Some(130), "{signal}: {}", text(&ended.stderr));
        assert_eq!(stage.holdings(), before, "{signal}");
        let report: Value = serde_json::from_slice(&ended.stdout).expect("standard output is JSON");
        assert_eq!(report["left"], serde_json::json!([]), "{signal}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "{signal}");
    }
}
