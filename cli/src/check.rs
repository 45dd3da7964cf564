//! `guardrailctl check`: is this baseline right?

use clap::Args;
use serde_json::json;

use super::output::{self, ADDED, BROKEN, paint};
use super::reading::ReadingRole;
use super::{OK, Output, UNFINISHED, connect, settings};
use guardrail_keeper::engine::{self, Stopped};
use keeper_core::baseline::{Baseline, InvalidBaseline, Problem, Severity};
use keeper_core::settings::BaselineSource;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file of the baseline, as for push; or ssm:NAME [env: KEEPER_BASELINE]
    file: Option<BaselineSource>,
    /// The same as FILE
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    baseline: Option<BaselineSource>,
    /// Look into the organization too: are its OUs and accounts there?
    #[arg(long)]
    organization: bool,
    #[command(flatten)]
    reading: ReadingRole,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let settings = settings(arguments.file.clone().or_else(|| arguments.baseline.clone()))?;
    let origin = settings.baseline.clone();
    let needs_aws = arguments.organization || matches!(origin, BaselineSource::Parameter(_));
    let (parsed, problems) = if needs_aws {
        let keeper = connect(arguments.reading.settings(settings)).await?;
        match engine::baseline(&keeper).await {
            Ok(baseline) if arguments.organization => {
                let problems = baseline.check_organization(&engine::whole_organization(&keeper).await?);
                (Ok(baseline), problems)
            }
            Ok(baseline) => (Ok(baseline), Vec::new()),
            Err(Stopped::BaselineInvalid(invalid)) => (Err(invalid), Vec::new()),
            Err(stopped) => return Err(stopped.into()),
        }
    } else {
        match engine::baseline_file(&origin).await {
            Ok(baseline) => (Ok(baseline), Vec::new()),
            Err(Stopped::BaselineInvalid(invalid)) => (Err(invalid), Vec::new()),
            Err(stopped) => return Err(stopped.into()),
        }
    };
    Ok(report(&origin, parsed, problems, arguments.output))
}

fn report(
    origin: &BaselineSource,
    parsed: Result<Baseline, InvalidBaseline>,
    organization: Vec<Problem>,
    output: Output,
) -> u8 {
    let (revision, problems, whole) = match parsed {
        Ok(baseline) => {
            let problems: Vec<Problem> = organization.into_iter().chain(baseline.warnings()).collect();
            (Some(baseline.revision), problems, None)
        }
        Err(invalid) => (None, invalid.problems().to_vec(), Some(invalid)),
    };
    let valid = !problems.iter().any(|problem| problem.severity == Severity::Error) && whole.is_none();
    match output {
        Output::Json => output::print_json(&json!({
            "baseline": origin.to_string(),
            "valid": valid,
            "revision": revision,
            "problems": problems,
        })),
        Output::Text => {
            match &whole {
                Some(invalid) => output::print(invalid),
                None => problems.iter().for_each(|problem| output::print(format_args!("{origin}:{problem}"))),
            }
            match (revision, valid) {
                (Some(revision), true) => {
                    output::print(format_args!(
                        "{} {origin} is valid, revision {revision}",
                        paint(ADDED, "ok:")
                    ));
                }
                _ => output::note(format_args!("{} {origin} can't be used", paint(BROKEN, "error:"))),
            }
        }
    }
    if valid { OK } else { UNFINISHED }
}
