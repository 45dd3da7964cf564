//! The keeper under measurement, in a process of its own: what `bootstrap` does with the payloads that Lambda
//! hands it, one after the other on one thread, with lines on standard input in place of the Runtime API.
//!
//! Two things differ from the function. The SDK's pauses are a hundredth and Organizations' pace isn't kept,
//! because an hour is told in minutes. And the ledger is in this process's memory, so that its documents can be
//! weighed.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use guardrail_keeper::cloud::{Access, Patience, Rates};
use guardrail_keeper::engine::{self, Keeper};
use guardrail_keeper::handler::{Deadline, handle_until};
use guardrail_keeper::ledger::LedgerError;
use guardrail_keeper::settings::{Purpose, Settings};
use serde::Serialize;
use serde_json::{Value, json};

use crate::figures::Weight;
use crate::options::Leak;
use crate::stage::OWNER;

/// The line that asks how many bytes are allocated.
pub(crate) const HEAP: &str = "heap";
/// The line that asks what the ledger weighs.
pub(crate) const WEIGH: &str = "weigh";

/// How much time an invocation has, as the template gives it.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What a planted leak holds on to.
#[derive(Default)]
struct Leaked {
    texts: Vec<String>,
    connections: Vec<TcpStream>,
}

/// Serves until its input ends.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn serve(leak: Option<Leak>) -> ExitCode {
    // As in the function: that something is logged at all has its price.
    lambda_runtime::tracing::subscriber::fmt()
        .with_target(false)
        .with_env_filter(lambda_runtime::tracing::subscriber::EnvFilter::new("info"))
        .with_writer(std::io::stderr)
        .json()
        .flatten_event(true)
        .init();
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let settings =
        Settings::read(&variables, Purpose::Function, None).unwrap_or_else(|invalid| panic!("{invalid}"));
    let patience =
        Patience { backoff: Duration::from_millis(3), rates: Rates::unlimited(), ..Patience::default() };
    let keeper = Keeper::connect(settings, Access::Environment, patience).await;
    let keeper = keeper.unwrap_or_else(|stopped| panic!("{stopped}"));
    let endpoint = variables["AWS_ENDPOINT_URL"].trim_start_matches("http://").to_owned();
    let mut leaked = Leaked::default();
    while let Some(line) = next_line().await {
        if line == HEAP {
            println!("{}", crate::ALLOCATOR.current_usage());
            continue;
        }
        if line == WEIGH {
            let weight = weigh(&keeper).await.unwrap_or_else(|error| panic!("{error}"));
            println!("{}", json!(weight));
            continue;
        }
        let answer = match handle_until(&keeper, &line, Deadline::after(TIMEOUT)).await {
            Ok(answer) => json!({ "answer": answer }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        // Who doesn't take them lets them pile up: `bootstrap` writes them into its log.
        drop(engine::metrics(&keeper));
        match leak {
            None => {}
            Some(Leak::Answers) => leaked.texts.push(format!("{line}{answer}")),
            Some(Leak::Connections) => {
                leaked.connections.push(TcpStream::connect(&endpoint).expect("the simulator listens"));
            }
        }
        println!("{answer}");
    }
    ExitCode::SUCCESS
}

/// Connections live on while the next line is waited for, as they do in the function.
async fn next_line() -> Option<String> {
    let read = || {
        let mut line = String::new();
        let count = std::io::stdin().read_line(&mut line).expect("standard input can be read");
        (count > 0).then(|| line.trim_end().to_owned())
    };
    tokio::task::spawn_blocking(read).await.expect("reading doesn't panic")
}

/// What every document of the ledger weighs.
async fn weigh(keeper: &Keeper) -> Result<Weight, LedgerError> {
    let ledger = keeper.ledger();
    let mut weight = Weight::default();
    let mut from = None;
    loop {
        let (accounts, next) = ledger.known_accounts(from).await?;
        for record in accounts.into_values() {
            let record = record?;
            let bytes = bytes_of(&record);
            let lines = record.regions.values().map(|region| region.history.len()).max();
            weight.accounts += 1;
            weight.bytes += bytes;
            weight.largest = weight.largest.max(bytes);
            weight.longest_history = weight.longest_history.max(lines.unwrap_or(0));
        }
        from = next;
        if from.is_none() {
            break;
        }
    }
    let grants: Vec<_> = ledger.grants().await?.into_iter().collect();
    weight.others += bytes_of(&grants);
    weight.others += bytes_of(&ledger.revision_approval().await?);
    weight.others += bytes_of(&ledger.last_good().await?) + bytes_of(&ledger.last_approved().await?);
    for region in crate::stage::REGIONS {
        let owner = format!("{OWNER}/{region}").parse().expect("it is a target");
        weight.others += bytes_of(&ledger.owner_snapshot(&owner).await?);
    }
    Ok(weight)
}

fn bytes_of(document: &impl Serialize) -> usize {
    serde_json::to_string(document).expect("it was stored as JSON").len()
}

/// What came back for one line.
pub(crate) fn ended(line: &str) -> simulator::Ended {
    let mut told: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    match told.get_mut("answer") {
        Some(answer) => simulator::Ended::Answered(answer.take()),
        None => simulator::Ended::Failed,
    }
}
