//! Finds out, in a throw-away account of a real organization, what nobody outside AWS knows about enforced guardrails.
//!
//! Each unknown is an [`Experiment`](experiment::Experiment), named like the switch that the simulator has for it. What
//! an experiment makes is written into a [`Journal`] before it is made, and removed after it, the
//! last first. Effects are thin; what an answer means is judged by plain functions.

pub mod answered;
pub mod arguments;
pub mod calls;
pub mod clock;
pub mod cloud;
pub mod conduct;
pub mod consent;
pub mod experiment;
pub mod experiments;
pub mod journal;
pub mod lab;
pub mod policies;
mod policy_type;
pub mod preflight;
pub mod report;
pub mod session;
pub mod speaking;
pub mod stop;
pub mod undo;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use aws_config::SdkConfig;
use clap::Parser;

use arguments::{Arguments, CleanUpArguments, LearnCommand, ReportForm, RunArguments};
use calls::{Calling, Halt};
use clock::MachineClock;
use cloud::{Parties, loader};
use consent::{Consent, NoConsent};
use journal::Journal;
use lab::Means;
use session::{NotBegun, RunRequest};
use stop::{Stop, Teller};

/// Everything that was tried was found out, and nothing is left.
const OK: u8 = 0;
/// Something that was tried was not found out.
const INCOMPLETE: u8 = 1;
/// The arguments are wrong.
const WRONG: u8 = 2;
/// Nothing was made.
const NOTHING_MADE: u8 = 3;
/// Standard output can't be written; nothing is left.
const UNTOLD: u8 = 5;
/// Something is left.
const LEFT: u8 = 6;
/// It was interrupted, and nothing is left.
const INTERRUPTED: u8 = 130;

/// The program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            eprintln!("guardrail-learn: {why}");
            return NOTHING_MADE.into();
        }
    };
    runtime
        .block_on(async {
            match arguments.command {
                LearnCommand::List => {
                    if told(&described()) {
                        OK
                    } else {
                        UNTOLD
                    }
                }
                LearnCommand::Run(run) => run_command(&run).await,
                LearnCommand::CleanUp(clean_up) => clean_up_command(&clean_up).await,
            }
        })
        .into()
}

/// Every experiment, for people.
pub fn described() -> String {
    let mut text = String::new();
    for experiment in experiments::all() {
        let makes = if experiment.makes.is_empty() { "nothing" } else { experiment.makes };
        text += &format!(
            "{}: {}\n  makes: {makes}\n  how: {}\n  positions: {}\n\n",
            experiment.switch,
            experiment.question,
            experiment.method,
            experiment.positions.join(", ")
        );
    }
    text += "beyond reach:\n";
    for one in experiment::BEYOND_REACH {
        let switch = one.switch.map(|switch| format!("{switch}: ")).unwrap_or_default();
        text += &format!("  {switch}{}: {}\n", one.what, one.why);
    }
    text
}

async fn run_command(run: &RunArguments) -> u8 {
    let (teller, calls) = begin();
    let config = loader(run.region.clone()).load().await;
    let wanted = wanted(run);
    let mut consent = |announcement: &str| {
        eprint!("{announcement}");
        let consent = if let Some(consent) = &run.consent {
            Consent::given(&run.account, consent)?
        } else {
            eprint!("Type the account's id to agree: ");
            // A prompt that isn't seen is answered by nobody.
            drop(std::io::stderr().flush());
            Consent::typed(&run.account, &mut std::io::stdin().lock())?
        };
        // Until now nothing was made, and a signal ended the program.
        if hears_signals(&teller) { Ok(consent) } else { Err(NoConsent) }
    };
    let progress = |what: &str| eprintln!("{what}");
    let report = match session::run(&calls, config, &wanted, &mut consent, &progress).await {
        Ok(report) => report,
        Err(not_begun) => {
            eprintln!("guardrail-learn: {not_begun}");
            return match not_begun {
                NotBegun::Unknown(_) => WRONG,
                NotBegun::Halted(Halt::Interrupted) => INTERRUPTED,
                _ => NOTHING_MADE,
            };
        }
    };
    let text = match run.output {
        ReportForm::Text => report.text(),
        ReportForm::Json => format!("{:#}\n", report.json()),
    };
    let is_told = told(&text);
    if !report.conducted.left.is_empty() {
        eprintln!(
            "guardrail-learn: something is left; `clean-up --journal {}` tries again",
            run.journal.display()
        );
        return LEFT;
    }
    if !is_told {
        return UNTOLD;
    }
    match (calls.is_stopping(), report.is_complete()) {
        (true, _) => INTERRUPTED,
        (false, true) => OK,
        (false, false) => INCOMPLETE,
    }
}

async fn clean_up_command(arguments: &CleanUpArguments) -> u8 {
    let (teller, calls) = begin();
    if !hears_signals(&teller) {
        return NOTHING_MADE;
    }
    let Some(config) = config_of(&arguments.journal).await else { return NOTHING_MADE };
    match session::clean_up(&calls, config, &arguments.journal).await {
        Ok(cleaned) => {
            for stays in &cleaned.staying {
                eprintln!("stays as it is: {stays}");
            }
            for left in &cleaned.left {
                eprintln!("LEFT: {}: {}", left.what, left.why);
            }
            if cleaned.left.is_empty() { OK } else { LEFT }
        }
        Err(not_begun) => {
            eprintln!("guardrail-learn: {not_begun}");
            NOTHING_MADE
        }
    }
}

/// The configuration for the Region of a journal.
async fn config_of(journal: &Path) -> Option<SdkConfig> {
    match Journal::open(journal) {
        Ok(journal) => Some(loader(Some(journal.header().region.clone())).load().await),
        Err(why) => {
            eprintln!("guardrail-learn: {} can't be read: {why}", journal.display());
            None
        }
    }
}

/// How calls are made, and who ends that.
fn begin() -> (Teller, Calling) {
    let (teller, stop) = Stop::told();
    (teller, Calling::new(Rc::new(MachineClock::start()), stop))
}

/// Hears signals from now on; says whether it can.
fn hears_signals(teller: &Teller) -> bool {
    let heard = teller.listen();
    if let Err(why) = &heard {
        eprintln!("guardrail-learn: signals can't be heard, so it couldn't clean up after Ctrl-C: {why}");
    }
    heard.is_ok()
}

/// Whether standard output took a text. What was made is removed by then.
fn told(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    let told = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(why) = &told {
        eprintln!("guardrail-learn: standard output can't be written: {why}");
    }
    told.is_ok()
}

fn wanted(run: &RunArguments) -> RunRequest {
    RunRequest {
        parties: Parties { account: run.account.clone(), role: run.role.clone() },
        means: Means {
            model: run.model.clone(),
            openai_model: run.openai_model.clone(),
            messages_model: run.messages_model.clone(),
            mantle_model: run.mantle_model.clone(),
            unit: run.ou.clone(),
            key: run.key.clone(),
            touches_management: run.may_touch_management_account,
            enables_policy_type: run.may_enable_policy_type,
        },
        only: run.only.clone(),
        journal: run.journal.clone(),
        // Seconds in hexadecimal: short, and no two runs of one person have the same.
        run: format!("{:x}", jiff::Timestamp::now().as_second()),
    }
}
