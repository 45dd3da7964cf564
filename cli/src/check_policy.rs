//! `guardrailctl check-policy`: is this text a good Bedrock policy?

mod asked;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::output::{self, ADDED, ALTERED, BROKEN, paint};
use super::{OK, Output, PARTLY, UNFINISHED, read_policy};
use asked::{AskedAws, AwsAnswer, ask_aws};
use keeper_core::bedrock_policy::{
    BedrockPolicy, InvalidBedrockPolicy, MAX_POLICY_CHARACTERS, PolicyProblem,
};

/// Check a Bedrock policy of AWS Organizations: every problem at once, with its place and the cure
///
/// Reads a file, and without --ask-aws calls nothing. AWS refuses a malformed policy with one sentence that says nowhere
/// what is wrong; and it takes policies whose identifier fails every call of a model, or that freeze accounts. Both are
/// reported here, with line, column and what to write instead. Whether the guardrail exists, and whether members may apply
/// it, isn't looked at. A policy that is meant to change one above it may lack what is reported as missing here: judge such
/// a problem by what is above.
///
/// With --ask-aws, AWS judges the text as well: a policy of it is created under a name of its own, attached to nothing, and
/// deleted at once, also after Ctrl-C. A policy that is attached to nothing has no effect on anybody, so there is no
/// question before. It is said what AWS answered, and where that differs from what is reported here. It needs credentials
/// of the management account, or of an account to which Bedrock policies are delegated.
///
/// Exits with 0 if nothing was found, and AWS takes the text where it was asked; with 6 if the policy could not be deleted;
/// with 1 otherwise.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file with the policy's content, as JSON; - is standard input
    file: PathBuf,
    /// Have AWS judge it too, by a policy that is attached to nothing and deleted at once
    #[arg(long)]
    ask_aws: bool,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

impl Arguments {
    /// Whether something is written in AWS.
    pub(super) fn writes(&self) -> bool {
        self.ask_aws
    }
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { file, ask_aws: asks, output } = arguments;
    let (name, text) = read_policy(file)?;
    let checked = BedrockPolicy::check(&text);
    let characters = text.chars().count();
    let problems = checked.as_ref().err().map(InvalidBedrockPolicy::problems).unwrap_or_default();
    if *output == Output::Text {
        print(&name, characters, &checked);
    }
    let asked = if *asks { Some(ask_aws(&text, characters > MAX_POLICY_CHARACTERS).await?) } else { None };
    let refused = problems.iter().any(PolicyProblem::is_refused);
    match output {
        Output::Json => output::print_json(&json!({
            "file": name,
            "valid": checked.is_ok(),
            "characters": characters,
            "most_characters": MAX_POLICY_CHARACTERS,
            "configurations": checked.as_ref().ok().map(configurations),
            "problems": problems.iter().map(in_json).collect::<Value>(),
            "aws": asked.as_ref().map(AskedAws::to_json),
            "agrees": asked.as_ref().and_then(|asked| agrees(&asked.answer, refused)),
        })),
        Output::Text => asked.iter().for_each(|asked| print_asked(asked, refused)),
    }
    let left = asked.as_ref().and_then(|asked| asked.left.as_ref());
    if let Some(left) = left {
        output::note(format_args!("{} {left}", paint(BROKEN, "error:")));
        return Ok(PARTLY);
    }
    let is_taken = asked.as_ref().is_none_or(|asked| asked.answer == AwsAnswer::Takes);
    Ok(if checked.is_ok() && is_taken { OK } else { UNFINISHED })
}

/// Whether AWS judges the text as this program does; `None` where AWS judged nothing.
fn agrees(answer: &AwsAnswer, refused: bool) -> Option<bool> {
    match answer {
        AwsAnswer::Takes => Some(!refused),
        AwsAnswer::Refuses(_) => Some(refused),
        AwsAnswer::NotKnown(_) => None,
    }
}

fn print_asked(asked: &AskedAws, refused: bool) {
    let text = match &asked.answer {
        AwsAnswer::Takes => "AWS takes it".to_owned(),
        AwsAnswer::Refuses(said) => format!("AWS refuses it: {said}"),
        AwsAnswer::NotKnown(why) => format!("AWS did not judge it: {why}"),
    };
    output::print(&text);
    let differs = match (&asked.answer, refused) {
        (AwsAnswer::Takes, true) => {
            "AWS takes what is reported above as refused: guardrailctl knows less than AWS here, and what it cannot read it \
             cannot predict"
        }
        (AwsAnswer::Refuses(_), false) => {
            "AWS refuses a text in which guardrailctl finds nothing that AWS would refuse: go by AWS, and compare the text \
             with AWS's documents"
        }
        _ => return,
    };
    output::print(format_args!("{} {differs}", paint(ALTERED, "differs:")));
}

fn print(name: &str, characters: usize, checked: &Result<BedrockPolicy, InvalidBedrockPolicy>) {
    match checked {
        Ok(policy) => {
            let named: Vec<String> =
                policy.configurations().iter().map(|(region, name)| format!("{region} ({name})")).collect();
            let named = if named.is_empty() { "no Region".to_owned() } else { named.join(", ") };
            output::print(format_args!(
                "{} {name} is a Bedrock policy of {characters} characters ({MAX_POLICY_CHARACTERS} at most), for {named}",
                paint(ADDED, "ok:")
            ));
        }
        Err(invalid) => {
            let problems = invalid.problems();
            problems.iter().for_each(|problem| output::print(format_args!("{name}:{problem}")));
            let refused = problems.iter().any(PolicyProblem::is_refused);
            let what =
                if refused { "AWS refuses it" } else { "AWS takes it all the same, as far as is known" };
            output::note(format_args!("{} {name} has problems: {what}", paint(BROKEN, "error:")));
        }
    }
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
