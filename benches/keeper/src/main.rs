//! The keeper's side of the benchmark. Settings and endpoints come from the environment, as they do
//! for the function; what was done is told on standard output, a line of JSON each.
//!
//! ```text
//! keeper-bench direct              one run over everything
//! keeper-bench queued [TOGETHER]   a sweep as workers do it: a page of accounts, a task each
//! keeper-bench events              hands each line of standard input to the handler, as Lambda would
//! ```

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::stream::{self, TryStreamExt};
use guardrail_keeper::baseline::Baseline;
use guardrail_keeper::cloud::{Access, Page, Patience, Rates};
use guardrail_keeper::engine::{self, Keeper, OwnerWork, Reviewer, Worked, everything};
use guardrail_keeper::handler::{Deadline, do_here, handle_until};
use guardrail_keeper::limits::EffectiveBaseline;
use guardrail_keeper::organization::{Account, AccountPlacement};
use guardrail_keeper::report::Report;
use guardrail_keeper::settings::{Purpose, Settings};
use guardrail_keeper::task::{AccountTask, Cause, Handout};
use guardrail_keeper::trigger::Regions;
use jiff::Timestamp;
use lambda_runtime::tracing::subscriber;
use serde_json::{Value, json};

/// How many tasks are worked on at a time where nothing else is said: as many workers as there are
/// cores, each with one more to go on with while it waits.
const TOGETHER: usize = 4;

/// What goes wrong here ends the measurement.
type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

// One thread, as the function has.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // As the function has it: that something is logged at all has its price.
    subscriber::fmt()
        .with_target(false)
        .with_env_filter(subscriber::EnvFilter::new("info"))
        .with_writer(std::io::stderr)
        .json()
        .flatten_event(true)
        .init();
    match measured().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("keeper-bench: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn measured() -> Done<()> {
    let mut arguments = std::env::args().skip(1);
    let form = arguments.next().unwrap_or_default();
    let together = arguments.next().map_or(Ok(TOGETHER), |text| text.parse())?;
    match form.as_str() {
        "direct" => direct(&keeper(Rates::unlimited()).await?).await,
        "queued" => queued(&keeper(Rates::unlimited()).await?, together).await,
        "events" => events(&keeper(Rates::default()).await?).await,
        other => Err(format!("{other:?} is none of direct, queued, events").into()),
    }
}

/// A keeper with the environment's settings. Sweeps are measured without the pace that spares
/// Organizations: how long that takes is known without measuring.
async fn keeper(rates: Rates) -> Done<Keeper> {
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let settings = Settings::read(&variables, Purpose::Function, None)?;
    Ok(Keeper::connect(settings, Access::Environment, Patience { rates, ..Patience::default() }).await?)
}

async fn direct(keeper: &Keeper) -> Done<()> {
    let began = Instant::now();
    let baseline = engine::baseline(keeper).await?;
    engine::approve(keeper, &baseline.revision).await?;
    let report = do_here(keeper, &everything(), Reviewer::NOBODY).await?.report;
    say(&json!({
        "seconds": began.elapsed().as_secs_f64(),
        "targets": report.targets.len(),
        "written": report.outcomes().count(),
        "converged": report.is_converged(),
    }))
}

/// The owner's tasks first, so that what accounts may rely on is recorded; then each account's.
async fn queued(keeper: &Keeper, together: usize) -> Done<()> {
    let began = Instant::now();
    let baseline = engine::present(keeper).await?.baseline;
    let followed = &EffectiveBaseline::approved(&baseline);
    // A worker acts on no revision before what it changes was counted.
    engine::approve(keeper, &baseline.revision).await?;
    // As in a sweep: what the owner's side records after it began is what accounts may rely on.
    let cause = cause(&baseline);
    for owner in baseline.owner_targets() {
        let work = OwnerWork { owner, swept_since: None };
        let report = engine::work_for_owner(keeper, &baseline, &work, Reviewer::NOBODY).await?;
        if !report.is_converged() {
            return Err(format!("the owner's side: {report}").into());
        }
    }
    let prepared = began.elapsed();
    let pages = stream::try_unfold(Some(None), |from: Option<Option<String>>| async move {
        let Some(from) = from else { return Done::Ok(None) };
        let placed_at = Timestamp::now();
        let Page { accounts, next, .. } = engine::page_of_accounts(keeper, from).await?;
        let placed = move |account| AccountPlacement { account, placed_at };
        Ok(Some((stream::iter(accounts.into_iter().map(placed).map(Ok)), next.map(Some))))
    });
    let tally = pages
        .try_flatten()
        .map_ok(|placement| work(keeper, followed, &cause, placement))
        .try_buffer_unordered(together)
        .try_fold(Tally::default(), |tally, task| async move { Ok(tally.plus(task)) })
        .await?;
    let Tally { mut tasks, targets, written, converged } = tally;
    tasks.sort_unstable();
    say(&json!({
        "seconds": began.elapsed().as_secs_f64(),
        "prepared_seconds": prepared.as_secs_f64(),
        "targets": targets,
        "written": written,
        "converged": converged,
        "tasks": tasks.len(),
        "task_milliseconds_median": tasks.get(tasks.len() / 2).map(Duration::as_secs_f64).map(|s| s * 1e3),
    }))
}

async fn work(
    keeper: &Keeper,
    followed: &EffectiveBaseline,
    cause: &Cause,
    placement: AccountPlacement,
) -> Done<Tally> {
    let began = Instant::now();
    let Account { id, .. } = &placement.account;
    let task = AccountTask {
        account: id.clone(),
        regions: Regions::All,
        owner_since: None,
        cause: cause.clone(),
        placement: Some(placement),
    };
    match engine::work_on_account(keeper, followed, &task, Handout::default(), Reviewer::NOBODY).await? {
        Worked::Done(report) => Ok(Tally::of(&report, began.elapsed())),
        other @ (Worked::Departed(_) | Worked::Pending(_)) => {
            Err(format!("{}: {other:?}", task.account).into())
        }
    }
}

/// What came of some tasks.
struct Tally {
    tasks: Vec<Duration>,
    targets: usize,
    written: usize,
    converged: bool,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { tasks: Vec::new(), targets: 0, written: 0, converged: true }
    }
}

impl Tally {
    fn of(report: &Report, took: Duration) -> Tally {
        Tally {
            tasks: vec![took],
            targets: report.targets.len(),
            written: report.outcomes().count(),
            converged: report.is_converged(),
        }
    }

    fn plus(mut self, other: Tally) -> Tally {
        let Tally { tasks, targets, written, converged } = other;
        self.tasks.extend(tasks);
        self.targets += targets;
        self.written += written;
        self.converged &= converged;
        self
    }
}

fn cause(baseline: &Baseline) -> Cause {
    Cause {
        event: "00000000-0000-4000-8000-000000000000".to_owned(),
        reason: "scheduled".to_owned(),
        first_seen: Timestamp::now(),
        happened: None,
        attempt: 0,
        sweep: true,
        revision: Some(baseline.revision.clone()),
        arrival: None,
        in_our_name: false,
        hops: 0,
        pauses: guardrail_keeper::task::Pauses::default(),
    }
}

/// Each line is one invocation. The answer comes before the next line is read.
async fn events(keeper: &Keeper) -> Done<()> {
    say(&json!({ "ready": true }))?;
    for line in std::io::stdin().lock().lines() {
        let payload = line?;
        let began = Instant::now();
        let answer = handle_until(keeper, &payload, Deadline::NONE).await;
        let seconds = began.elapsed().as_secs_f64();
        match answer {
            Ok(answer) => say(&json!({ "seconds": seconds, "answer": answer }))?,
            Err(error) => say(&json!({ "seconds": seconds, "error": error.to_string() }))?,
        }
    }
    Ok(())
}

fn say(what: &Value) -> Done<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    Ok(out.flush()?)
}
