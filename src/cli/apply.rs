//! `guardrailctl apply`: show, ask, do.

use std::io::{self, BufRead, IsTerminal};

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::output::{self, Bar, HEADING, paint};
use super::plan::{print, to_json};
use super::{OK, Output, Target, UNFINISHED, settings};
use crate::baseline::{Baseline, Revision};
use crate::cloud::{Access, Patience};
use crate::reconcile::{Keeper, MAX_ROUNDS, Manner, Stopped, Survey};
use crate::report::Report;
use crate::trigger::Scope;

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
    if let Some(revision) = &arguments.approve
        && *revision != baseline.revision
    {
        bail!("the baseline's revision is {}, not {revision}: read its plan first", baseline.revision);
    }
    let session = Session {
        keeper: &keeper,
        baseline: &baseline,
        scope: arguments.target.scope(),
        approved: arguments.approve.is_some(),
    };
    let mut planned = Vec::new();
    let mut rounds = 0;
    let mut whole: Option<Report> = None;
    loop {
        rounds += 1;
        let survey = session.survey(rounds > 1).await?;
        let strangers = survey.strangers.len();
        match arguments.output {
            Output::Text => print(&baseline, &survey),
            Output::Json => planned.push(to_json(&baseline, &survey)),
        }
        let changes = survey.plan.plan().counts().to_change;
        let survey = match asks && changes > 0 {
            true => match session.ask(survey, changes, rounds > 1).await? {
                Some(survey) => survey,
                None => return Ok(UNFINISHED),
            },
            false => survey,
        };
        let report = session.apply(survey).await;
        if arguments.output == Output::Text {
            if changes > 0 {
                output::print(format_args!("\n{}\n{report}", paint(HEADING, "Applied:")));
            } else {
                report.warnings.iter().for_each(output::warning);
            }
        }
        let goes_on = report.calls_for_another_look();
        let done = match whole.take() {
            Some(mut before) => {
                before.absorb(report);
                before
            }
            None => report,
        };
        if goes_on && rounds < MAX_ROUNDS {
            output::note("what others were waiting for was put in place, so they are looked at again");
            whole = Some(done);
            continue;
        }
        if arguments.output == Output::Json {
            output::print_json(&json!({ "planned": planned, "report": done.to_json() }));
        }
        return Ok(if done.is_converged() && strangers == 0 { OK } else { UNFINISHED });
    }
}

/// One baseline applied to one scope.
struct Session<'a> {
    keeper: &'a Keeper,
    baseline: &'a Baseline,
    scope: Scope,
    /// Whether the revision is approved by what is applied: recorded only once that was agreed to.
    approved: bool,
}

impl Session<'_> {
    async fn survey(&self, again: bool) -> Result<Survey, Stopped> {
        let bar = Bar::new();
        let manner = Manner { approved: self.approved, again, ..Manner::default() };
        self.keeper.survey_as(self.baseline, &self.scope, &manner, &|step| bar.step(step)).await
    }

    async fn apply(&self, survey: Survey) -> Report {
        let bar = Bar::new();
        self.keeper.apply(self.baseline, survey, &|step| bar.step(step)).await
    }

    /// Asks whether to apply what was shown. The plan was read for a while, so it is made again:
    /// what is applied must be what was read.
    async fn ask(&self, shown: Survey, changes: usize, again: bool) -> anyhow::Result<Option<Survey>> {
        if !confirmed(changes)? {
            output::note("nothing was changed");
            return Ok(None);
        }
        let survey = self.survey(again).await?;
        if survey.plan.plan().hash() == shown.plan.plan().hash() {
            return Ok(Some(survey));
        }
        print(self.baseline, &survey);
        output::note("this is another plan than the one you read, so nothing was changed: run apply again");
        Ok(None)
    }
}

fn confirmed(changes: usize) -> io::Result<bool> {
    let what = if changes == 1 { "this change".to_owned() } else { format!("these {changes} changes") };
    anstream::eprint!("Apply {what}? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
