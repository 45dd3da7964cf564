//! The Lambda function: environment → clients → run. Nothing else belongs here.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use guardrail_keeper::cloud::{Access, Patience};
use guardrail_keeper::engine::{self, Keeper};
use guardrail_keeper::handler::{Deadline, HandlerError, handle_until};
use guardrail_keeper::settings::{Purpose, Settings};
use lambda_runtime::tracing::{self, subscriber};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;

// At the function's memory it has a fraction of a core: several threads would mostly wake each other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    start_log();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        // Said once, and as a line of the log: what is returned from `main` would go to standard
        // error in the form of a program's value.
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let settings = Settings::read(&variables, Purpose::Function, None)?;
    for unknown in Settings::unknown(&variables) {
        tracing::warn!("{unknown}");
    }
    let keeper = Keeper::connect(settings, Access::Environment, Patience::default()).await?;
    let keeper = &keeper;
    // The payload is taken as raw text: no form of it may fail before the handler has seen it.
    run(service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let answer = answer(keeper, &event.payload, Deadline::after(left)).await;
        write_metrics(&engine::metrics(keeper));
        answer
    }))
    .await
}

/// Into the log, where CloudWatch finds them by their form. In one piece: no other line gets between.
fn write_metrics(lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if let Err(error) = std::io::stdout().lock().write_all(text.as_bytes()) {
        tracing::warn!("metrics could not be written: {error}");
    }
}

async fn answer(keeper: &Keeper, payload: &RawValue, deadline: Deadline) -> Result<Value, Diagnostic> {
    handle_until(keeper, payload.get(), deadline).await.map_err(|error: HandlerError| Diagnostic {
        error_type: error.name().to_owned(),
        error_message: error.to_string(),
    })
}

/// JSON on stdout, unless Lambda's own setting asks for text.
fn start_log() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").or_else(|_| std::env::var("RUST_LOG"));
    let filter = subscriber::EnvFilter::new(directives(&level.unwrap_or_else(|_| "info".to_owned())));
    let log = subscriber::fmt().with_target(false).with_env_filter(filter);
    let as_text =
        std::env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("text"));
    if as_text {
        log.with_ansi(false).init();
    } else {
        log.json().flatten_event(true).init();
    }
}

/// A level is ours; others' lines come no finer than `info`. The finest ones of the SDK show requests
/// and answers whole, the credentials of every member among them.
fn directives(level: &str) -> String {
    match level.to_ascii_lowercase().as_str() {
        fine @ ("debug" | "trace") => format!("info,guardrail_keeper={fine},bootstrap={fine}"),
        // Lambda has a level more than Rust.
        "fatal" => "error".to_owned(),
        _ => level.to_owned(),
    }
}
