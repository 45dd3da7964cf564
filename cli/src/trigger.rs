//! `guardrailctl trigger`: what would this event make the keeper look at?

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::output::{self, ADDED, ALTERED, BROKEN, QUIET, paint};
use super::{OK, Output, UNFINISHED, files, read_file};
use guardrail_keeper::engine;
use keeper_core::settings::{BaselineSource, Purpose, Settings};
use keeper_core::trigger::{Context, Delivery, Known, TriggerLine, line};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files of one EventBridge event or one SQS batch each; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The baseline that narrows what is looked at [env: KEEPER_BASELINE, where that is a file]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let context = context(arguments.baseline.clone()).await?;
    let mut code = OK;
    for (name, path) in files(&arguments.files) {
        let payload = read_file(path).with_context(|| format!("{name} could not be read"))?;
        for (record, trigger) in Delivery::parse(&payload).decide(&context) {
            let line = line(&name, record, &trigger);
            if line.outcome == "reject" {
                code = UNFINISHED;
            }
            match arguments.output {
                Output::Json => output::print(serde_json::to_string(&line)?),
                Output::Text => output::print(in_words(&line)),
            }
        }
    }
    Ok(code)
}

/// What events are judged against: the function's settings, as far as they are given, and no clock,
/// so that an old sample is judged like a fresh event.
async fn context(document: Option<BaselineSource>) -> anyhow::Result<Context> {
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let is_set = variables.get("KEEPER_BASELINE").is_some_and(|text| !text.trim().is_empty());
    // Without a baseline nothing is narrowed, which is an answer as well.
    let stand_in = (!is_set).then(|| BaselineSource::File(PathBuf::new()));
    let settings = Settings::read(&variables, Purpose::Terminal, stand_in)?;
    let baseline = match (&document, &settings.baseline) {
        (Some(origin), _) => Some(engine::baseline_file(origin).await?),
        (None, origin @ BaselineSource::File(_)) if is_set => match engine::baseline_file(origin).await {
            Ok(baseline) => Some(baseline),
            Err(stopped) => {
                output::warning(format_args!("the baseline does not narrow the scopes: {stopped}"));
                None
            }
        },
        (None, BaselineSource::File(_)) => None,
        (None, BaselineSource::Parameter(name)) => {
            output::note(format_args!(
                "this command does not read {name}; give --baseline FILE to narrow the scopes \
                                       by its text"
            ));
            None
        }
    };
    Ok(Context {
        hub: settings.own_roles.function.as_ref().map(|role| role.account.clone()),
        own_roles: settings.own_roles,
        approval_parameter: settings.approval,
        controls_path: settings.controls,
        baseline_parameter: settings.baseline.parameter().cloned(),
        baseline: baseline.as_ref().map(Known::of),
        now: None,
        max_age_seconds: None,
    })
}

fn in_words(line: &TriggerLine) -> String {
    let style = match line.outcome {
        "reconcile" => ADDED,
        "departed" => ALTERED,
        "reject" => BROKEN,
        _ => QUIET,
    };
    // The outcome follows the file's name and the record's id, which may hold anything.
    let text = line.to_string();
    let end = line.file.len() + line.record.as_ref().map_or(0, |record| record.len() + 1);
    let (head, rest) = text.split_at(end);
    format!("{head}{}", rest.replacen(line.outcome, &paint(style, line.outcome), 1))
}
