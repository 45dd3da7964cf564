//! `guardrailctl plan`: what would be done?

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::names::Names;
use super::output::{self, Bar, HEADING, QUIET, paint};
use super::reading::ReadingRole;
use super::time::Age;
use super::{CHANGES, Narrowed, OK, Output, TargetArguments, UNFINISHED, connect, settings};
use guardrail_keeper::engine::{self, Keeper, RecordAge, Survey};
use jiff::Timestamp;
use keeper_core::baseline::Baseline;
use keeper_core::ids::AccountId;
use keeper_core::plan::{Counts, Plan, PlanLine};
use keeper_core::report::Report;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    reading: ReadingRole,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// End with 4 where there is something to change, whatever else is held
    #[arg(long)]
    detailed_exit_code: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let settings = settings(arguments.target.baseline.clone())?;
    let keeper = connect(arguments.reading.settings(settings)).await?;
    let baseline = engine::baseline(&keeper).await?;
    let chosen = arguments.target.chosen(&keeper).await?;
    let bar = Bar::new();
    let survey = engine::survey(&keeper, &baseline, &chosen.scope(), &|step| bar.step(step)).await?;
    drop(bar);
    let shown = Shown::of(&keeper, &baseline, &survey, &chosen).await;
    match arguments.output {
        Output::Text => shown.print(),
        Output::Json => output::print_json(&shown.to_json()),
    }
    let Counts { to_change, held, broken, .. } = survey.plan.plan().counts();
    let is_known = shown.is_met() && survey.is_known();
    Ok(if to_change > 0 && arguments.detailed_exit_code {
        CHANGES
    } else if held + broken > 0 || !is_known {
        UNFINISHED
    } else {
        OK
    })
}

/// A plan as it is shown, with the names of accounts and OUs.
pub(super) struct Shown<'a> {
    baseline: &'a Baseline,
    survey: &'a Survey,
    names: Names,
    unmet: Vec<String>,
}

/// What is known of a plan once it was printed.
pub(super) struct PrintedPlan {
    names: Names,
    /// Its lines, which nobody has to read twice.
    lines: BTreeSet<String>,
    /// Its warnings.
    warnings: Vec<String>,
}

impl PrintedPlan {
    /// Prints the results: what was done, and what is news beside the lines of the plan.
    pub(super) fn print_done(&self, report: &Report) {
        let news = report.decided_lines().into_iter().filter(|line| !self.lines.contains(&line.to_string()));
        output::print_done(format_args!("\n{}", paint(HEADING, "Applied:")));
        for line in report.attempted_lines().into_iter().chain(news) {
            output::print_done(output::line(&line, &self.names));
        }
        for warning in report.warnings.iter().filter(|warning| !self.warnings.contains(warning)) {
            output::print_done(format_args!("! {warning}"));
        }
        report.placement_decided.iter().for_each(output::print_done);
        output::print_done(report.summary());
    }
}

/// What an approval would do besides, in one line.
fn for_approval(plan: &Plan) -> Option<String> {
    let held: Vec<String> =
        plan.for_approval().into_iter().map(|(verb, count)| format!("{count} {verb}")).collect();
    (!held.is_empty()).then(|| format!("held for approval: {}", held.join(", ")))
}

/// That a plan goes by what the deployed keeper saw, and when that was.
pub(super) fn by_record(age: &RecordAge) -> String {
    let now = Timestamp::now();
    let ago = |at: Option<Timestamp>| at.map(|at| Age::of(at, now).to_string());
    let seen = match (ago(age.newest), ago(age.oldest)) {
        (Some(newest), Some(oldest)) if newest == oldest => format!("its last looks were {oldest}"),
        (Some(newest), Some(oldest)) => format!("its last looks were between {newest} and {oldest}"),
        (_, _) => "it has not looked yet".to_owned(),
    };
    let unknown = match age.unknown {
        0 => String::new(),
        _ if age.newest.is_none() => String::new(),
        1 => "; it has no state of 1 target".to_owned(),
        unknown => format!("; it has no state of {unknown} targets"),
    };
    format!(
        "by the record of the deployed keeper, because this terminal may not assume the member role: \
         {seen}{unknown}; each enforcement is probed right before it is written; give --role NAME to look now"
    )
}

impl<'a> Shown<'a> {
    /// Looks up the names of what the plan says something about.
    pub(super) async fn of(
        keeper: &Keeper,
        baseline: &'a Baseline,
        survey: &'a Survey,
        chosen: &Narrowed,
    ) -> Shown<'a> {
        let lines = survey.plan.plan().lines();
        let named: BTreeSet<&AccountId> = lines.iter().flat_map(PlanLine::accounts).collect();
        let accounts = named.into_iter().filter_map(|id| survey.view.organization.accounts.get(id));
        let names = Names::read(keeper, accounts).await;
        Shown { baseline, survey, names, unmet: chosen.unmet(baseline, survey) }
    }

    /// Whether something can be said of all that was asked for.
    pub(super) fn is_met(&self) -> bool {
        self.unmet.is_empty() && self.survey.strangers.is_empty()
    }

    /// The plan for people.
    pub(super) fn print(&self) {
        let Shown { baseline, survey, names, unmet } = self;
        let plan = survey.plan.plan();
        for line in plan.lines() {
            output::print(output::line(&line, names));
        }
        for account in &survey.strangers {
            output::print(format_args!("! {account} is no member of this organization: not looked at"));
        }
        for unmet in unmet {
            output::print(format_args!("! {unmet}"));
        }
        for warning in &survey.view.known.warnings {
            output::warning(warning);
        }
        output::print(plan.counts());
        if let Some(held) = for_approval(plan) {
            output::print(held);
            let revision = &baseline.revision;
            output::print(format_args!("to include these: guardrailctl apply --approve {revision}"));
        }
        let identity =
            format!("plan {} of baseline {}, mode {}", plan.hash(), baseline.revision, baseline.mode);
        output::print(paint(QUIET, identity));
        if let Some(age) = &survey.by_record {
            output::print(paint(QUIET, by_record(age)));
        }
        if survey.view.known.placing.is_asked() {
            output::print(paint(QUIET, format_args!("placement auto: {}", survey.view.known.placing.record)));
        }
    }

    /// What a report is printed with, beside this plan.
    pub(super) fn into_told(self) -> PrintedPlan {
        let Shown { survey, names, .. } = self;
        let lines = survey.plan.plan().lines().iter().map(ToString::to_string).collect();
        PrintedPlan { names, lines, warnings: survey.view.known.warnings.clone() }
    }

    /// The plan for programs.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let Shown { baseline, survey, names, unmet } = self;
        json!({
            "revision": baseline.revision,
            "mode": baseline.mode,
            "plan": survey.plan.plan().to_json(),
            "names": names.to_json(),
            "strangers": survey.strangers,
            "unmet": unmet,
            "warnings": survey.view.known.warnings,
            "by_record": survey.by_record,
            "placement": super::placement::in_json(baseline, &survey.view.known.placing.record),
        })
    }
}
