//! `guardrailctl demo`: the main job, start to end, against a simulated AWS in this process.
//!
//! Nothing is staged: the events are those that the simulator emits, the handler is the one that
//! Lambda runs, and it reaches the simulator over HTTP with the AWS SDK.

mod show;
mod world;

use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Args;
use jiff::Timestamp;

use super::OK;
use super::names::Names;
use super::output::{self, ADDED, HEADING, QUIET, REMOVED, paint};
use guardrail_keeper::engine::{self, unwatched};
use guardrail_keeper::handler::handle;
use keeper_core::trigger::Trigger;
use world::{BLOCKED_WORD, PARENT, World};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write the keeper's log to stderr as well
    #[arg(long)]
    log: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if arguments.log {
        lambda_runtime::tracing::init_default_subscriber_with_writer(std::io::stderr);
    }
    let started = Instant::now();
    let world = World::start().await?;
    output::print(paint(QUIET, format_args!("A simulated AWS runs at {}, in this process.", world.url())));

    heading("1", "The organization, with nothing enforced anywhere");
    output::print(show::organization(&world));
    output::print(show::baseline(&world.baseline));

    heading("2", "An account joins");
    let account = world.let_an_account_join("research")?;
    let event = world.event("CreateAccountResult")?;
    output::print(format_args!(
        "Account {account} is created and moved into {PARENT}. EventBridge delivers:"
    ));
    output::print(show::event(&event));
    plan(&world, &event).await?;

    heading("3", "The event reaches the function");
    deliver(&world, &event).await?;
    output::print(show::account(&world, &account));

    heading("4", "Proof, as the new account");
    prove(&world, &account).await?;

    heading("5", "Somebody tampers with it, and it is repaired");
    let by = world.tamper(&account)?;
    output::print(format_args!("{by} removes the enforcement in eu-west-1:"));
    output::print(show::account(&world, &account));
    let event = world.event("DeleteEnforcedGuardrailConfiguration")?;
    deliver(&world, &event).await?;
    output::print(show::account(&world, &account));

    heading("6", "The schedule looks at everything");
    let schedule = world::schedule();
    deliver(&world, &schedule).await?;
    output::print(show::organization(&world));

    heading("7", "And once more: nothing to do, so nothing is written");
    deliver(&world, &schedule).await?;
    let writes = world.writes();
    ensure!(writes == 0, "the second run wrote {writes} times");

    let took = started.elapsed();
    output::print(format_args!(
        "\n{} {} calls to AWS in {:.2} s, start to end.",
        paint(ADDED, "Done."),
        world.calls(),
        took.as_secs_f64()
    ));
    output::print(paint(
        QUIET,
        "Next: cargo run -p simulator -- serve, and guardrailctl plan against it (README, \"Try it yourself\").",
    ));
    world.stop().await;
    Ok(OK)
}

fn heading(number: &str, text: &str) {
    output::print(format_args!("\n{}", paint(HEADING, format_args!("{number}  {text}"))));
}

/// Shows what an event would lead to.
async fn plan(world: &World, event: &serde_json::Value) -> anyhow::Result<()> {
    let context = engine::context(&world.keeper, Some(&world.baseline), Timestamp::now());
    let Trigger::Reconcile(scope) = keeper_core::trigger::decide_value(event, &context) else {
        anyhow::bail!("the event should have woken the keeper");
    };
    let survey = engine::survey(&world.keeper, &world.baseline, &scope, &unwatched).await?;
    output::print(format_args!("The plan for {scope}:"));
    for line in survey.plan.plan().lines() {
        output::print(format_args!("  {}", output::line(&line, &Names::default())));
    }
    output::print(format_args!("  {}", survey.plan.plan().counts()));
    Ok(())
}

/// Hands an event to the handler, as Lambda does, and shows what it answered.
async fn deliver(world: &World, event: &serde_json::Value) -> anyhow::Result<()> {
    world.forget_calls();
    let began = Instant::now();
    let answer = handle(&world.keeper, &event.to_string()).await?;
    let took = began.elapsed();
    let counts = answer["report"]["counts"].as_object().context("the answer holds no counts")?;
    let counts: Vec<String> =
        counts.iter().map(|(state, count)| format!("{count} {}", state.replace('_', " "))).collect();
    let writes = world.writes();
    output::print(format_args!(
        "{}: {} {}",
        paint(HEADING, answer["reason"].as_str().unwrap_or("reconciled")),
        counts.join(", "),
        paint(
            QUIET,
            format_args!(
                "({} calls, {writes} of them writes, {} ms)",
                world.recent_calls(),
                took.as_millis()
            )
        ),
    ));
    Ok(())
}

async fn prove(world: &World, account: &str) -> anyhow::Result<()> {
    for text in ["What is the capital of France?", &format!("Tell me about the {BLOCKED_WORD}.")] {
        let answer = world.converse(account, text).await?;
        let verdict = if answer.intervened { paint(REMOVED, "blocked") } else { paint(ADDED, "passed ") };
        output::print(format_args!(
            "  Converse       {verdict}  {text:?}\n  {:14} {:7}  {:?}",
            "", "", answer.text
        ));
    }
    let applied = world.apply_guardrail(account, &format!("the {BLOCKED_WORD} again")).await?;
    ensure!(applied.intervened, "the guardrail let the blocked word pass");
    output::print(format_args!("  ApplyGuardrail {}  version {}", paint(REMOVED, "blocked"), applied.text));
    Ok(())
}
