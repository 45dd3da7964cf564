//! `guardrailctl check-policy`: is this text a good Bedrock policy?

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::output::{self, ADDED, BROKEN, paint};
use super::{OK, Output, UNFINISHED, read_policy};
use keeper_core::bedrock_policy::{
    BedrockPolicy, InvalidBedrockPolicy, MAX_POLICY_CHARACTERS, PolicyProblem,
};

/// Check a Bedrock policy of AWS Organizations: every problem at once, with its place and the cure
///
/// Reads a file and calls nothing. AWS refuses a malformed policy with one sentence that says nowhere what is wrong; and
/// it takes policies whose identifier fails every call of a model, or that freeze accounts. Both are reported here,
/// with line, column and what to write instead. Whether the guardrail exists, and whether members may apply it, isn't
/// looked at. A policy that is meant to change one above it may lack what is reported as missing here: judge such a
/// problem by what is above.
///
/// Exits with 0 if nothing was found, with 1 otherwise.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file with the policy's content, as JSON; - is standard input
    file: PathBuf,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { file, output } = arguments;
    let (name, text) = read_policy(file)?;
    let checked = BedrockPolicy::check(&text);
    let characters = text.chars().count();
    let problems = checked.as_ref().err().map(InvalidBedrockPolicy::problems).unwrap_or_default();
    match output {
        Output::Json => output::print_json(&json!({
            "file": name,
            "valid": checked.is_ok(),
            "characters": characters,
            "most_characters": MAX_POLICY_CHARACTERS,
            "configurations": checked.as_ref().ok().map(configurations),
            "problems": problems.iter().map(in_json).collect::<Value>(),
        })),
        Output::Text => match &checked {
            Ok(policy) => {
                let named: Vec<String> = policy
                    .configurations()
                    .iter()
                    .map(|(region, name)| format!("{region} ({name})"))
                    .collect();
                let named = if named.is_empty() { "no Region".to_owned() } else { named.join(", ") };
                output::print(format_args!(
                    "{} {name} is a Bedrock policy of {characters} characters ({MAX_POLICY_CHARACTERS} at most), for \
                     {named}",
                    paint(ADDED, "ok:")
                ));
            }
            Err(_) => {
                problems.iter().for_each(|problem| output::print(format_args!("{name}:{problem}")));
                let refused = problems.iter().any(PolicyProblem::is_refused);
                let what =
                    if refused { "AWS refuses it" } else { "AWS takes it all the same, as far as is known" };
                output::note(format_args!("{} {name} has problems: {what}", paint(BROKEN, "error:")));
            }
        },
    }
    Ok(if checked.is_ok() { OK } else { UNFINISHED })
}

fn configurations(policy: &BedrockPolicy) -> Value {
    let named = policy.configurations().into_iter();
    named.map(|(region, name)| json!({ "region": region, "name": name })).collect()
}

fn in_json(problem: &PolicyProblem) -> Value {
    let PolicyProblem { line, column, path, kind } = problem;
    json!({
        "line": line,
        "column": column,
        "path": path.keys(),
        "text": kind.to_string(),
        "aws_refuses": problem.is_refused(),
    })
}
