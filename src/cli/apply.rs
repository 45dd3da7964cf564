//! `guardrailctl apply`: show, ask, do.

use std::io::{self, BufRead, IsTerminal};

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::output::{self, Bar, HEADING, paint};
use super::plan::{print, to_json};
use super::{OK, Output, Target, UNFINISHED, settings};
use crate::baseline::Revision;
use crate::cloud::{Access, Patience};
use crate::reconcile::Keeper;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Let this revision of the baseline replace and release more than its limits allow
    #[arg(long, value_name = "REVISION")]
    approve: Option<Revision>,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let asks = !arguments.yes;
    if asks && (!io::stdin().is_terminal() || arguments.output == Output::Json) {
        output::note("nobody can be asked here: give --yes to apply without a question");
        return Ok(super::USAGE);
    }
    let keeper = Keeper::connect(
        settings(arguments.target.baseline.clone())?,
        Access::Environment,
        Patience::default(),
    )
    .await?;
    let baseline = keeper.baseline().await?;
    if let Some(revision) = &arguments.approve {
        if *revision != baseline.revision {
            bail!("the baseline's revision is {}, not {revision}: read its plan first", baseline.revision);
        }
        keeper.approve(revision).await?;
    }
    let scope = arguments.target.scope();
    let bar = Bar::new();
    let mut survey = keeper.survey(&baseline, &scope, &|step| bar.step(step)).await?;
    drop(bar);
    let planned = match arguments.output {
        Output::Text => {
            print(&baseline, &survey);
            None
        }
        Output::Json => Some(to_json(&baseline, &survey)),
    };
    let changes = survey.plan.plan().changes().count();
    if asks && changes > 0 {
        if !confirmed(changes)? {
            output::note("nothing was changed");
            return Ok(UNFINISHED);
        }
        // The plan was read for a while; what is applied must be what was read.
        let shown = survey.plan.plan().hash();
        let bar = Bar::new();
        survey = keeper.survey(&baseline, &scope, &|step| bar.step(step)).await?;
        drop(bar);
        if survey.plan.plan().hash() != shown {
            print(&baseline, &survey);
            output::note(
                "this is another plan than the one you read, so nothing was changed: run apply again",
            );
            return Ok(UNFINISHED);
        }
    }
    let strangers = survey.strangers.len();
    let bar = Bar::new();
    let report = keeper.apply(&baseline, survey, &|step| bar.step(step)).await;
    drop(bar);
    match planned {
        Some(planned) => output::print_json(&json!({ "planned": planned, "report": report.to_json() })),
        None if changes > 0 => output::print(format_args!("\n{}\n{report}", paint(HEADING, "Applied:"))),
        None => report.warnings.iter().for_each(output::warning),
    }
    Ok(if report.is_converged() && strangers == 0 { OK } else { UNFINISHED })
}

fn confirmed(changes: usize) -> io::Result<bool> {
    let what = if changes == 1 { "this change".to_owned() } else { format!("these {changes} changes") };
    anstream::eprint!("Apply {what}? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
