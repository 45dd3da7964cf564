//! `guardrailctl plan`: what would be done?

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::level::LevelPlan;
use super::names::Names;
use super::output::{self, Bar, HEADING, QUIET, paint};
use super::reading::ReadingRole;
use super::time::Age;
use super::{CHANGES, Narrowed, OK, Output, TargetArguments, UNFINISHED, connect, settings};
use guardrail_keeper::engine::{self, Admission, Keeper, Progress, RecordAge, Step, Stopped, Survey};
use jiff::Timestamp;
use keeper_core::baseline::Baseline;
use keeper_core::ids::AccountId;
use keeper_core::limits::EffectiveBaseline;
use keeper_core::plan::{Counts, Plan, PlanLine, ReviewedPlan};
use keeper_core::report::Report;
use keeper_core::trigger::Scope;

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
    let (scope, progress) = (chosen.scope(), |step: Step<'_>| bar.step(step));
    let (survey, meanwhile) = planned(&keeper, &baseline, &scope, &progress).await?;
    drop(bar);
    let shown = Shown::of(&keeper, &baseline, &survey, &chosen).await.beside(meanwhile.as_ref());
    let level = LevelPlan::read(&keeper, &baseline, &scope, false).await;
    match arguments.output {
        Output::Text => {
            shown.print();
            level.print();
        }
        Output::Json => {
            let mut told = shown.to_json();
            told["organization_level"] = level.to_json();
            output::print_json(&told);
        }
    }
    let Counts { to_change, held, broken, .. } = survey.plan.plan().counts();
    let to_change = to_change + meanwhile.as_ref().map_or(0, Meanwhile::changes) + level.steps();
    let is_known = shown.is_met() && survey.is_known() && level.is_free();
    Ok(if to_change > 0 && arguments.detailed_exit_code {
        CHANGES
    } else if held + broken > 0 || !is_known {
        UNFINISHED
    } else {
        OK
    })
}

/// What is done while a revision waits for its approval: accounts follow the baseline that was approved before it.
pub(super) struct Meanwhile {
    baseline: Baseline,
    survey: Survey,
}

/// Looks, and plans a revision. Where it waits for its approval, also plans what the baseline before it does meanwhile. One
/// that isn't counted yet may not have to wait.
pub(super) async fn planned(
    keeper: &Keeper,
    present: &Baseline,
    scope: &Scope,
    progress: Progress<'_>,
) -> Result<(Survey, Option<Meanwhile>), Stopped> {
    // Where the ledger can't be read, the plan itself says so.
    let followed = engine::effective(keeper, present).await.ok();
    let waiting = followed.and_then(|EffectiveBaseline { baseline, candidate, .. }| {
        Some((baseline, candidate.filter(|candidate| candidate.counted.is_some())?))
    });
    let Some((baseline, candidate)) = waiting else {
        return Ok((engine::survey(keeper, present, scope, progress).await?, None));
    };
    let waits = Admission::Waits(candidate.clone());
    let held = engine::survey_as(keeper, present, scope, &waits, progress).await?;
    let puts_back = Admission::PutBack(candidate);
    let survey = engine::survey_as(keeper, &baseline, scope, &puts_back, progress).await?;
    Ok((held, Some(Meanwhile { baseline, survey })))
}

impl Meanwhile {
    /// The baseline that accounts follow.
    pub(super) fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// What was read and planned for it.
    pub(super) fn survey(&self) -> &Survey {
        &self.survey
    }

    fn plan(&self) -> &Plan {
        self.survey.plan.plan()
    }

    /// How many changes are made.
    pub(super) fn changes(&self) -> usize {
        self.plan().counts().to_change
    }

    /// What a person knows of it who read it.
    pub(super) fn reviewed(&self) -> ReviewedPlan {
        self.plan().reviewed(&self.baseline.revision)
    }

    /// Names what it would change.
    pub(super) fn hash(&self) -> String {
        self.plan().hash()
    }

    fn print(&self, present: &Baseline, names: &Names) {
        let lines = self.plan().change_lines();
        if lines.is_empty() {
            return;
        }
        let (before, present) = (&self.baseline.revision, &present.revision);
        output::print(format_args!("until {present} is approved, accounts follow baseline {before}:"));
        for line in lines {
            output::print(output::line(&line, names));
        }
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "revision": self.baseline.revision,
            "mode": self.baseline.mode,
            "plan": self.plan().to_json(),
        })
    }
}

/// A plan as it is shown, with the names of accounts and OUs.
pub(super) struct Shown<'a> {
    baseline: &'a Baseline,
    survey: &'a Survey,
    meanwhile: Option<&'a Meanwhile>,
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
        Shown { baseline, survey, meanwhile: None, names, unmet: chosen.unmet(baseline, survey) }
    }

    /// Also shows what is done while this revision waits.
    pub(super) fn beside(self, meanwhile: Option<&'a Meanwhile>) -> Shown<'a> {
        Shown { meanwhile, ..self }
    }

    /// Whether something can be said of all that was asked for.
    pub(super) fn is_met(&self) -> bool {
        self.unmet.is_empty() && self.survey.strangers.is_empty()
    }

    /// The plan for people.
    pub(super) fn print(&self) {
        let Shown { baseline, survey, meanwhile, names, unmet } = self;
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
        if let Some(meanwhile) = meanwhile {
            meanwhile.print(baseline, names);
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
        let Shown { survey, meanwhile, names, .. } = self;
        let meanwhile = meanwhile.map(|it| it.plan().change_lines()).unwrap_or_default();
        let lines = survey.plan.plan().lines().iter().chain(&meanwhile).map(ToString::to_string).collect();
        PrintedPlan { names, lines, warnings: survey.view.known.warnings.clone() }
    }

    /// The plan for programs.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let Shown { baseline, survey, meanwhile, names, unmet } = self;
        json!({
            "revision": baseline.revision,
            "mode": baseline.mode,
            "plan": survey.plan.plan().to_json(),
            "meanwhile": meanwhile.map(Meanwhile::to_json),
            "names": names.to_json(),
            "strangers": survey.strangers,
            "unmet": unmet,
            "warnings": survey.view.known.warnings,
            "by_record": survey.by_record,
            "placement": super::placement::in_json(baseline, &survey.view.known.placing.record),
        })
    }
}
