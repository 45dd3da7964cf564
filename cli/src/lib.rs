//! `guardrailctl`: from a terminal, what the function does from an event.
//!
//! Results go to stdout, everything else to stderr. Colour and progress bars appear on terminals only.

mod adopt_policy;
mod advice;
mod apply;
mod approve;
mod asking;
mod callers;
mod check;
mod check_policy;
mod demo;
mod deployed;
mod doctor;
mod effective_policy;
mod enable_policy_type;
mod ending;
mod explain;
mod holes;
pub mod inspector;
mod interrupts;
mod level;
mod names;
mod offboard;
mod output;
mod placement;
mod plan;
mod policy_session;
mod preview_policy;
mod push;
mod reading;
mod status;
mod time;
mod trigger;
mod watch;
mod wrapping;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};

use guardrail_keeper::cloud::{Access, Patience};
use guardrail_keeper::engine::{Keeper, Stopped, Survey, everything};
use keeper_core::baseline::Baseline;
use keeper_core::ids::{AccountId, Region};
use keeper_core::organization::Account;
use keeper_core::settings::{BaselineSource, InvalidSettings, LedgerSource, Purpose, Settings};
use keeper_core::trigger::{Accounts, Regions, Scope};
use names::Named;

/// Everything was done, and everything is as wanted.
const OK: u8 = 0;
/// Done, but something is held, broken, failed, rejected or not valid.
const UNFINISHED: u8 = 1;
/// Wrong arguments or settings; nothing was done. The same code that clap uses.
const USAGE: u8 = 2;
/// Stopped before anything was written: no baseline, no organization, no credentials.
const STOPPED: u8 = 3;
/// `plan --detailed-exit-code`: there is something to change, whatever else is held.
const CHANGES: u8 = 4;
/// Standard output took nothing any more: results are missing there, and stderr has what was written.
const UNTOLD: u8 = 5;
/// Stopped after something was written, or may have been.
const PARTLY: u8 = 6;
/// The process was ended by Ctrl-C or SIGTERM: the codes that shells use for these two signals.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

const EXIT_CODES: &str = "\
Exit codes:
  0  everything was done, and is as wanted
  1  something is held, broken, failed, rejected or not valid; doctor: a problem, or not known;
     callers: a principal would lose access, or it isn't known; effective-policy: AWS publishes
     something else than the attached policies come to, the account is frozen, or not known;
     preview-policy: an account would be frozen, guarded less, or it isn't known; holes: an account
     could not be asked for its Regions
  2  wrong arguments or settings; nothing was done
  3  stopped before anything was written
  4  plan --detailed-exit-code: there is something to change, whatever else is held
  5  standard output took nothing any more: stderr says what was written
  6  stopped after something was written, or may have been: stderr says what
  130, 143  ended by Ctrl-C or SIGTERM: stderr says what was written

Credentials, Region and endpoints come from the standard AWS environment and profiles.";

/// Keeps Amazon Bedrock guardrails enforced across an AWS Organization.
#[derive(Debug, Parser)]
#[command(name = "guardrailctl", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

// A comment here would hide what the arguments of a command say of it at length.
#[derive(Debug, Subcommand)]
enum Command {
    /// See the main job done, start to end, against a simulated AWS in this process
    Demo(demo::Arguments),
    /// Check a baseline: every problem at once, with its line and what to write instead
    Check(check::Arguments),
    /// Show what would be done, and why not; writes nothing
    Plan(plan::Arguments),
    Apply(apply::Arguments),
    Push(push::Arguments),
    Approve(approve::Arguments),
    Placement(placement::Arguments),
    Status(status::Arguments),
    Explain(explain::Arguments),
    EffectivePolicy(effective_policy::Arguments),
    CheckPolicy(check_policy::Arguments),
    PreviewPolicy(preview_policy::Arguments),
    EnablePolicyType(enable_policy_type::Arguments),
    AdoptPolicy(adopt_policy::Arguments),
    Doctor(doctor::Arguments),
    Callers(callers::Arguments),
    Holes(holes::Arguments),
    Offboard(offboard::Arguments),
    /// Say what an event would make the keeper look at, and why
    Trigger(trigger::Arguments),
}

/// Where the baseline is, and whose accounts are looked at.
#[derive(Debug, Args)]
struct TargetArguments {
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    /// Only this account, by its id or its name; may be given several times
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<Named<AccountId>>,
    /// Only this Region; may be given several times
    #[arg(long, value_name = "CODE")]
    region: Vec<Region>,
}

impl TargetArguments {
    /// What the arguments name. Names are looked up in the organization.
    async fn chosen(&self, keeper: &Keeper) -> anyhow::Result<Narrowed> {
        Ok(Narrowed { accounts: names::accounts(keeper, &self.account).await?, regions: self.region.clone() })
    }
}

/// The accounts and Regions that the arguments name; empty for all.
#[derive(Clone, Debug, Default)]
struct Narrowed {
    accounts: Vec<AccountId>,
    regions: Vec<Region>,
}

impl Narrowed {
    fn scope(&self) -> Scope {
        let mut scope = everything();
        if !self.accounts.is_empty() {
            scope.accounts = Accounts::Only(self.accounts.iter().cloned().collect());
        }
        if !self.regions.is_empty() {
            scope.regions = Regions::Only(self.regions.iter().cloned().collect());
        }
        scope
    }

    /// What was asked for by name, and where nothing can be done or said.
    fn unmet(&self, baseline: &Baseline, survey: &Survey) -> Vec<String> {
        let decisions = &survey.plan.plan().decisions;
        let unknown = self.regions.iter().filter(|region| {
            let known = baseline.regions().contains(region);
            !known && !decisions.keys().any(|target| target.region == **region)
        });
        let unknown = unknown.map(|region| outside(baseline, region));
        let off = self.accounts.iter().filter_map(|id| survey.view.organization.accounts.get(id));
        let off = off.filter(|account| !account.state.admits_work()).map(|account| {
            let Account { id, name, state, .. } = account;
            format!(
                "{id} ({}) is {state}: no call can work there, so it is not looked at",
                names::shown(name)
            )
        });
        unknown.chain(off).collect()
    }
}

/// That a Region was asked for which the baseline doesn't name.
fn outside(baseline: &Baseline, region: &Region) -> String {
    let named: Vec<String> = baseline.regions().iter().map(ToString::to_string).collect();
    format!("{region} is not in the baseline, which names {}: nothing is wanted there", named.join(", "))
}

/// The form of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Command {
    /// Whether it may change something that outlives it.
    fn writes(&self) -> bool {
        match self {
            Command::Apply(_) | Command::Push(_) | Command::Approve(_) | Command::Offboard(_) => true,
            Command::EnablePolicyType(_) | Command::AdoptPolicy(_) => true,
            Command::Placement(arguments) => arguments.writes(),
            Command::CheckPolicy(arguments) => arguments.writes(),
            Command::Demo(_)
            | Command::Check(_)
            | Command::Plan(_)
            | Command::Status(_)
            | Command::Explain(_)
            | Command::EffectivePolicy(_)
            | Command::PreviewPolicy(_)
            | Command::Doctor(_)
            | Command::Callers(_)
            | Command::Holes(_)
            | Command::Trigger(_) => false,
        }
    }
}

/// Runs `guardrailctl` with the arguments and the environment of the process.
pub fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(failed) => {
            output::error(&(failed.to_string(), Vec::new()));
            return ExitCode::from(STOPPED);
        }
    };
    let code = runtime.block_on(run(command));
    // A thread may still wait for an answer that isn't needed any more.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn run(command: Command) -> u8 {
    let writes = command.writes();
    let result = match command {
        Command::Demo(arguments) => demo::run(&arguments).await,
        Command::Check(arguments) => check::run(&arguments).await,
        Command::Plan(arguments) => plan::run(&arguments).await,
        Command::Apply(arguments) => apply::run(&arguments).await,
        Command::Push(arguments) => push::run(&arguments).await,
        Command::Approve(arguments) => approve::run(&arguments).await,
        Command::Placement(arguments) => placement::run(&arguments).await,
        Command::Status(arguments) => status::run(&arguments).await,
        Command::Explain(arguments) => explain::run(&arguments).await,
        Command::EffectivePolicy(arguments) => effective_policy::run(&arguments).await,
        Command::PreviewPolicy(arguments) => preview_policy::run(&arguments).await,
        Command::CheckPolicy(arguments) => check_policy::run(&arguments).await,
        Command::AdoptPolicy(arguments) => adopt_policy::run(&arguments).await,
        Command::EnablePolicyType(arguments) => enable_policy_type::run(&arguments).await,
        Command::Doctor(arguments) => doctor::run(&arguments).await,
        Command::Callers(arguments) => callers::run(&arguments).await,
        Command::Holes(arguments) => holes::run(&arguments).await,
        Command::Offboard(arguments) => offboard::run(&arguments).await,
        Command::Trigger(arguments) => trigger::run(&arguments).await,
    };
    let code = result.unwrap_or_else(|error| {
        output::error(&advice::told(&error, &std::env::vars().collect()));
        match error.downcast_ref::<ending::Ended>() {
            Some(ended) => ended.code(),
            None if error.is::<InvalidSettings>() || error.is::<Unfit>() => USAGE,
            None => STOPPED,
        }
    });
    output::settled(code, writes)
}

/// The settings of the environment, with the baseline that an argument names.
fn settings(baseline: Option<BaselineSource>) -> Result<Settings, InvalidSettings> {
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let settings = Settings::read(&variables, Purpose::Terminal, baseline)?;
    for unknown in Settings::unknown(&variables) {
        output::warning(&unknown);
    }
    Ok(settings)
}

/// Connects to AWS as the environment says.
async fn connect(settings: Settings) -> Result<Keeper, Stopped> {
    connect_with(settings, Patience::default()).await
}

async fn connect_with(settings: Settings, patience: Patience) -> Result<Keeper, Stopped> {
    let keeper = Keeper::connect(settings, Access::Environment, patience).await?;
    advice::remember(&keeper);
    Ok(keeper)
}

/// Settings that are right in themselves, and not for this command.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unfit(String);

/// Holds a command that reads or changes what others recorded to a ledger in which they do.
fn durable_ledger(settings: &Settings, command: &str) -> anyhow::Result<()> {
    match &settings.ledger {
        LedgerSource::Memory => Err(Unfit(format!(
            "{command} reads the record, and KEEPER_LEDGER names no ledger that lasts: set it to file:PATH or \
             table:NAME"
        ))
        .into()),
        LedgerSource::File(path) if !path.exists() => {
            anyhow::bail!("{}: there is no such ledger: nothing was recorded yet", path.display())
        }
        LedgerSource::File(_) | LedgerSource::Table(_) => Ok(()),
    }
}

fn files(paths: &[PathBuf]) -> impl Iterator<Item = (String, &PathBuf)> {
    paths.iter().map(|path| (path.display().to_string(), path))
}

/// What a file holds, or standard input for `-`, without the mark that some editors and shells put before it.
fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let payload = read_as_it_is(path)?;
    Ok(payload.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(payload))
}

/// The text of a Bedrock policy in a file or in standard input, as it would be sent to AWS, and what to call the file.
fn read_policy(path: &Path) -> anyhow::Result<(String, String)> {
    let name = input_name(path);
    let unread = || format!("{name} could not be read");
    let text = read_as_it_is(path).with_context(unread)?;
    let text = String::from_utf8(text).context("it is not UTF-8: save it as UTF-8").with_context(unread)?;
    Ok((name, text))
}

/// What messages call a file that is read.
fn input_name(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

fn read_as_it_is(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut payload = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut payload)?;
    } else {
        payload = std::fs::read(path)?;
    }
    if payload.starts_with(&[0xff, 0xfe]) || payload.starts_with(&[0xfe, 0xff]) {
        anyhow::bail!("it is UTF-16: save it as UTF-8");
    }
    Ok(payload)
}
