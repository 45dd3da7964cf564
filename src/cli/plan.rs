//! `guardrailctl plan`: what would be done?

use clap::Args;
use serde_json::json;

use super::output::{self, Bar, QUIET, paint};
use super::{CHANGES, OK, Output, Target, UNFINISHED, connect, settings};
use crate::baseline::Baseline;
use crate::plan::{Counts, Plan};
use crate::reconcile::Survey;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// End with 4 where there is something to change, whatever else is held
    #[arg(long)]
    detailed_exit_code: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let keeper = connect(settings(arguments.target.baseline.clone())?).await?;
    let baseline = keeper.baseline().await?;
    let bar = Bar::new();
    let survey = keeper.survey(&baseline, &arguments.target.scope(), &|step| bar.step(step)).await?;
    drop(bar);
    match arguments.output {
        Output::Text => print(&baseline, &survey),
        Output::Json => output::print_json(&to_json(&baseline, &survey)),
    }
    let Counts { to_change, held, broken, .. } = survey.plan.plan().counts();
    let is_known = survey.is_known();
    Ok(if to_change > 0 && arguments.detailed_exit_code {
        CHANGES
    } else if held + broken > 0 || !is_known {
        UNFINISHED
    } else {
        OK
    })
}

/// The plan for people.
pub(super) fn print(baseline: &Baseline, survey: &Survey) {
    let plan = survey.plan.plan();
    for line in plan.lines() {
        output::print(output::line(&line));
    }
    for account in &survey.strangers {
        output::print(format_args!("! {account} is no member of this organization: not looked at"));
    }
    for warning in &survey.warnings {
        output::warning(warning);
    }
    output::print(plan.counts());
    if let Some(held) = for_approval(plan) {
        output::print(held);
        let revision = &baseline.revision;
        output::print(format_args!("to have that done as well: guardrailctl apply --approve {revision}"));
    }
    let identity = format!("plan {} of baseline {}, mode {}", plan.hash(), baseline.revision, baseline.mode);
    output::print(paint(QUIET, identity));
    if survey.placing.is_asked() {
        output::print(paint(QUIET, format_args!("placement auto: {}", survey.placing.record)));
    }
}

/// What an approval would do besides, in one line.
fn for_approval(plan: &Plan) -> Option<String> {
    let held: Vec<String> =
        plan.for_approval().into_iter().map(|(verb, count)| format!("{count} {verb}")).collect();
    (!held.is_empty()).then(|| format!("held for approval: {}", held.join(", ")))
}

/// The plan for programs.
pub(super) fn to_json(baseline: &Baseline, survey: &Survey) -> serde_json::Value {
    json!({
        "revision": baseline.revision,
        "mode": baseline.mode,
        "plan": survey.plan.plan().to_json(),
        "strangers": survey.strangers,
        "warnings": survey.warnings,
        "placement": super::placement::in_json(baseline, &survey.placing.record),
    })
}
