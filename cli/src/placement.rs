//! `guardrailctl placement`: what is known of AWS's answer to `placement: auto`, and a person's word on it.

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::asking::Asking;
use super::ending::{self, Done};
use super::interrupts::Interrupts;
use super::output::{self, ADDED, HEADING, paint};
use super::{OK, Output, UNFINISHED, USAGE, connect, deployed, durable_ledger, settings};
use guardrail_keeper::engine::{self, Ask, Asked, Controlled, Keeper, Stopped};
use keeper_core::baseline::{Baseline, Placement};
use keeper_core::placement::{Answer, PlacementRecord};
use keeper_core::settings::BaselineSource;
use keeper_core::trigger::{Accounts, Regions};

const LONG_ABOUT: &str = "\
Show or change the answer to `placement: auto`

Guardrails with `placement: auto` are enforced by the owner's guardrail where AWS takes it in members, \
and by copies where AWS refuses it. The keeper finds out which once for the whole organization, and \
records the answer with its evidence. Without a subcommand the answer is shown.

A change of the answer moves no target that is guarded: `placement: central` and `placement: copy` in \
the baseline do that.";

/// Show or change the answer to `placement: auto`
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: Option<PlacementCommand>,
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE", global = true)]
    baseline: Option<BaselineSource>,
    /// Don't ask
    #[arg(long, global = true)]
    yes: bool,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text, global = true)]
    output: Output,
}

impl Arguments {
    /// Whether it changes what is recorded.
    pub(super) fn writes(&self) -> bool {
        match self.what {
            None | Some(PlacementCommand::Show) => false,
            Some(PlacementCommand::Set { .. } | PlacementCommand::Reset) => true,
        }
    }
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum PlacementCommand {
    /// Show the answer and its evidence
    Show,
    /// Record an answer that you know, instead of having it found out
    Set {
        /// The answer
        answer: Said,
    },
    /// Forget the answer and its evidence, so that the next enforcement finds it out anew
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Said {
    /// AWS takes the owner's guardrail in members
    Central,
    /// AWS refuses it, so members get copies
    Copies,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { what, baseline, yes, output } = arguments;
    let answer = match what {
        None | Some(PlacementCommand::Show) => None,
        Some(PlacementCommand::Set { answer: Said::Central }) => Some(Answer::Central),
        Some(PlacementCommand::Set { answer: Said::Copies }) => Some(Answer::Copies),
        Some(PlacementCommand::Reset) => Some(Answer::Undecided),
    };
    let asking = match answer {
        None => None,
        Some(_) => match Asking::new(*yes, *output, "change it") {
            Some(asking) => Some(asking),
            None => return Ok(USAGE),
        },
    };
    let settings = settings(baseline.clone())?;
    durable_ledger(&settings, "placement")?;
    let keeper = connect(settings).await?;
    let baseline = engine::baseline(&keeper).await?;
    let record = keeper.ledger().placement().await.map_err(Stopped::Ledger)?;
    match (answer, asking) {
        (Some(answer), Some(asking)) => {
            let change = AnswerChange { keeper: &keeper, baseline: &baseline, record: &record, answer };
            change.make(asking, *output).await
        }
        _ => {
            show(&baseline, &record, *output);
            let waits = record.answer == Answer::Undecided && !record.refusals.is_empty();
            Ok(if waits && baseline.has_auto() { UNFINISHED } else { OK })
        }
    }
}

/// What is known, as JSON.
pub(super) fn in_json(baseline: &Baseline, record: &PlacementRecord) -> Value {
    let auto = baseline.guardrails.iter().filter(|(_, guardrail)| guardrail.placement == Placement::Auto);
    json!({ "guardrails": auto.map(|(key, _)| key).collect::<Vec<_>>(), "auto": record, "text": record.to_string() })
}

fn show(baseline: &Baseline, record: &PlacementRecord, output: Output) {
    match output {
        Output::Json => output::print_json(&in_json(baseline, record)),
        Output::Text => {
            let mut lines = record.lines().into_iter();
            let first = lines.next().unwrap_or_default();
            output::print(format_args!("{} {first}", paint(HEADING, "placement auto:")));
            lines.for_each(output::print);
            if !baseline.has_auto() {
                output::note("no guardrail of this baseline says `placement: auto`, so this has no effect");
            }
        }
    }
}

/// A person's word on the answer.
struct AnswerChange<'a> {
    keeper: &'a Keeper,
    baseline: &'a Baseline,
    record: &'a PlacementRecord,
    answer: Answer,
}

impl AnswerChange<'_> {
    async fn make(&self, asking: Asking, output: Output) -> anyhow::Result<u8> {
        let AnswerChange { baseline, record, answer, .. } = self;
        if let (Answer::Copies, Some(works)) = (answer, &record.works_in) {
            bail!(
                "{} enforces the owner's guardrail, so members need no copies; to give them copies all the same, \
                 write `placement: copy` in the baseline",
                works.target
            );
        }
        if output == Output::Text {
            show(baseline, record, output);
        }
        let question = match answer {
            Answer::Undecided => "Forget the answer, and let the keeper decide again?".to_owned(),
            Answer::Central | Answer::Copies => format!("Record {answer} as the answer?"),
        };
        output::shown()?;
        let interrupts = Interrupts::listen()?;
        let mut done = Done::default();
        if !asking.confirmed(&question, &done, &interrupts).await? {
            return Ok(UNFINISHED);
        }
        let written = interrupts.finish(self.write(&mut done), || ()).await;
        let left = || Err(interrupts.ended("stopped while the answer was being recorded".to_owned()));
        let given = written.unwrap_or_else(left)?;
        match output {
            Output::Json => output::print_done_json(&self.given_in_json(&given)),
            Output::Text => self.print_given(&given),
        }
        Ok(OK)
    }

    fn given_in_json(&self, given: &Given) -> Value {
        let (record, asked, parameter) = match given {
            Given::Recorded { record, asked } => (record.as_ref(), asked.as_ref(), Value::Null),
            Given::Put { parameter, version } => {
                (self.record, None, json!({ "name": parameter, "version": version }))
            }
        };
        let mut shown = in_json(self.baseline, record);
        shown["requested"] = json!(asked.map(deployed::in_json));
        shown["parameter"] = parameter;
        shown
    }

    fn print_given(&self, given: &Given) {
        match given {
            Given::Recorded { record, asked } => {
                output::print_done(format_args!("{} placement auto: {record}", paint(ADDED, "ok:")));
                match asked {
                    Some(asked) => output::note(deployed::in_words(asked)),
                    None => output::note("the next run follows it"),
                }
            }
            Given::Put { parameter, version } => {
                output::print_done(format_args!(
                    "{} {parameter} says {}, as version {version}",
                    paint(ADDED, "ok:"),
                    self.answer
                ));
                output::note(
                    "the deployed keeper hears of it by itself; guardrailctl placement shows the answer",
                );
            }
        }
    }

    /// Gives the answer. A deployed keeper hears of a control; of an answer in the ledger it is told here.
    async fn write(&self, done: &mut Done) -> anyhow::Result<Given> {
        let AnswerChange { keeper, baseline, record: _, answer } = self;
        let given = engine::set_placement(keeper, *answer, &baseline.revision).await;
        let controlled = ending::recorded(given, &format!("whether {answer} was recorded"))?;
        if let Controlled::Put { parameter, version } = controlled {
            done.add(format!("{parameter} says {answer}, as version {version}"));
            return Ok(Given::Put { parameter, version });
        }
        done.add(format!("{answer} is recorded"));
        let record = keeper.ledger().placement().await.map_err(Stopped::Ledger)?;
        if !(engine::is_deployed(keeper) && baseline.has_auto()) {
            return Ok(Given::Recorded { record: Box::new(record), asked: None });
        }
        let reason = format!("placement auto was set to {answer}");
        let ask = Ask { accounts: Accounts::All, regions: Regions::All, reason, plan: None };
        let asked = Some(done.or_say(deployed::ask(keeper, &ask).await)?);
        Ok(Given::Recorded { record: Box::new(record), asked })
    }
}

/// What became of the answer.
enum Given {
    /// It is recorded, and the deployed keeper, where there is one, was asked to act on it.
    Recorded { record: Box<PlacementRecord>, asked: Option<Asked> },
    /// It is in its parameter, of which the deployed keeper hears.
    Put { parameter: String, version: i64 },
}
