//! `guardrailctl status`: what does the record say, and how old is that?
//!
//! Asks the ledger, and Organizations for who there is; no member account.

mod deployment;
mod read;
mod summary;
mod target;

use std::collections::BTreeMap;

use anyhow::bail;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::level::LevelStatus;
use super::names::{self, Named, Names};
use super::output::{self, Spinner};
use super::reading::ReadingRole;
use super::time::{Length, Moment};
use super::{OK, UNFINISHED, connect, durable_ledger, settings};
use deployment::DeploymentDocuments;
use guardrail_keeper::engine::{self, Keeper, Stopped};
use keeper_core::baseline::{Baseline, Revision};
use keeper_core::ids::{AccountId, ParentId, Region};
use keeper_core::limits::RevisionApproval;
use keeper_core::settings::BaselineSource;
use keeper_core::status::{Criteria, Standing};
use read::StatusReader;
use summary::Summary;
use target::TargetRow;

const LONG_ABOUT: &str = "\
Show the recorded state of every target, and its age

A target is good only if what was last seen there is what is wanted there now. A look counts only for \
what it was made for: one that is older than --stale-after, or was made under another baseline or \
assignment or while the account stood elsewhere, leaves its target `stale`. A target that the record \
doesn't know is `unknown`; one that should be guarded and isn't is `unguarded`. Ends with 0 only where \
every target is good. What was left behind in accounts that are gone is listed, and doesn't count.

Accounts, OUs and Regions narrow what is judged; states and times only what is listed. The ledger \
is read part by part: besides one part, the list of the organization's accounts is held, and of \
what isn't good as much as is listed. \
No member is called, so --role has no effect: the ledger is read with your credentials, which have to be the hub's \
if it is a table.";

/// Show the recorded state of every target, and its age
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    /// Only this account, by its id or its name; may be given several times
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<Named<AccountId>>,
    /// Only accounts under this OU or root, by its id or its name; may be given several times
    #[arg(long, value_name = "OU")]
    ou: Vec<Named<ParentId>>,
    /// Only this Region; may be given several times
    #[arg(long, value_name = "CODE")]
    region: Vec<Region>,
    /// List only targets in this state; may be given several times
    #[arg(long, value_name = "STATE", value_parser = target::standing_parser())]
    state: Vec<Standing>,
    /// List only what was looked at since: 15m, 2h, 3d, or a time
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// List only what was looked at before: 15m, 2h, 3d, or a time; or never
    #[arg(long, value_name = "WHEN")]
    older_than: Option<Moment>,
    /// How old a look may be: two sweeps of an hour
    #[arg(long, value_name = "TIME", default_value = "2h")]
    stale_after: Length,
    /// Count by account, OU or Region as well
    #[arg(long, value_enum, value_name = "WHAT")]
    by: Option<By>,
    /// Go by what was recorded of the organization, without asking it: who was never looked at isn't missed
    #[arg(long)]
    recorded: bool,
    /// How many targets the text lists, worst first
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Form::Text)]
    output: Form,
    #[command(flatten)]
    reading: ReadingRole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people: counts, then what isn't good
    Text,
    /// For programs: every target, a line each within one document
    Json,
    /// For spreadsheets: every target
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Account,
    Ou,
    Region,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let settings = settings(arguments.baseline.clone())?;
    durable_ledger(&settings, "status")?;
    let keeper = connect(arguments.reading.settings(settings)).await?;
    let (present, is_present) = baseline(&keeper).await?;
    let effective = engine::effective(&keeper, &present).await.map_err(Stopped::Ledger)?;
    let baseline = &effective.baseline;
    let now = Timestamp::now();
    let oldest = now.as_second().saturating_sub(arguments.stale_after.seconds);
    let criteria = Criteria {
        now,
        oldest: Timestamp::from_second(oldest).unwrap_or(Timestamp::MIN),
        revision: is_present.then_some(&baseline.revision),
    };
    let limits = match arguments.output {
        Form::Text => arguments.limit,
        Form::Json | Form::Csv => 0,
    };
    let mut summary = Summary::new(limits, arguments.by);
    let mut lines = Lines::begin(arguments.output);
    let spinner = Spinner::new("accounts");
    let reading = StatusReader {
        keeper: &keeper,
        baseline,
        arguments,
        accounts: names::accounts(&keeper, &arguments.account).await?,
        units: names::units(&keeper, &arguments.ou).await?,
        criteria,
    };
    let mut visit = |told: TargetRow| {
        let listed = arguments.lists(&told, now);
        if listed {
            lines.add(&told, now);
        }
        summary.add(told, listed);
    };
    let mut read = reading.read(&mut visit, &|| spinner.step()).await?;
    drop(spinner);
    let deployment =
        DeploymentDocuments::read(&keeper, &present.revision, &effective, &mut read.problems).await?;
    let done = summary.end(&read);
    let level = LevelStatus::read(&keeper, baseline, std::mem::take(&mut read.inherited)).await?;
    let is_known = is_present && read.problems.is_empty();
    let good = is_known && done.is_good() && deployment.waiting().is_none() && level.is_good(now);
    match arguments.output {
        Form::Text => {
            let names = done.listed_names().and_units(&keeper, done.listed_units()).await;
            done.print(now, baseline, arguments, &names);
            level.print(now);
            deployment.print();
        }
        Form::Json => {
            let names = Names::default().and_units(&keeper, done.units.clone()).await;
            let approval = deployment.approval.as_ref();
            let mut summary = done.to_json(criteria, baseline, approval, &read, good, &names);
            deployment.add_to(&mut summary);
            summary["organization_level"] = level.to_json(now);
            lines.end(&summary);
        }
        Form::Csv => {}
    }
    read.problems.iter().for_each(output::warning);
    deployment.warn_of_openings();
    read.warnings.iter().for_each(output::warning);
    deployment.warn_of_waiting(baseline);
    Ok(if good { OK } else { UNFINISHED })
}

/// That a revision waits, why, and what accounts follow meanwhile.
pub(super) fn why_it_waits(waiting: &RevisionApproval, followed: Option<&Revision>) -> String {
    let RevisionApproval { revision, names_nobody, counted, earlier, .. } = waiting;
    let meanwhile = followed.map(|it| format!("; accounts follow {it} until then")).unwrap_or_default();
    if counted.is_none() {
        return format!(
            "baseline {revision} is not acted on yet: what it changes is being counted{meanwhile}"
        );
    }
    if let Some(refused) = waiting.refused() {
        return format!("baseline {revision} is not acted on: {refused}{meanwhile}");
    }
    let why = if names_nobody.is_empty() {
        format!("it changes more than its limits allow{}: read its plan", earlier.after_it())
    } else {
        format!("it names {names_nobody}: correct the id, or read its plan")
    };
    format!(
        "baseline {revision} is not acted on, because {why}, then guardrailctl approve {revision}{meanwhile}"
    )
}

impl Arguments {
    /// Whether a target is listed, or only counted.
    fn lists(&self, told: &TargetRow, now: Timestamp) -> bool {
        let checked = told.checked_at().map(Timestamp::as_second);
        (self.state.is_empty() || self.state.contains(&told.standing))
            && self.since.is_none_or(|since| checked.is_some_and(|checked| checked >= since.second(now)))
            && self.older_than.is_none_or(|before| checked.is_none_or(|checked| checked < before.second(now)))
    }

    /// Whether what is good is listed as well, because the arguments name particular targets.
    fn asks_for_particulars(&self) -> bool {
        !self.state.is_empty() || self.since.is_some() || self.older_than.is_some()
    }
}

/// The present baseline; or the last good one, with which nothing can be said to be as it should be.
async fn baseline(keeper: &Keeper) -> anyhow::Result<(Baseline, bool)> {
    let stopped = match engine::baseline(keeper).await {
        Ok(baseline) => return Ok((baseline, true)),
        Err(stopped) => stopped,
    };
    let good = keeper.ledger().last_good().await.map_err(Stopped::Ledger)?;
    match good.map(|good| Baseline::parse(&good.text)) {
        Some(Ok(baseline)) => {
            output::warning(format_args!(
                "{stopped}\njudged by the last good baseline, {}",
                baseline.revision
            ));
            Ok((baseline, false))
        }
        Some(Err(_)) | None => bail!(stopped),
    }
}

/// Targets as they are written out, one by one.
struct Lines {
    form: Form,
    first: bool,
}

impl Lines {
    fn begin(form: Form) -> Lines {
        match form {
            Form::Text => {}
            Form::Json => output::print_exactly("{\"targets\": ["),
            Form::Csv => output::print_exactly(TargetRow::CSV_HEAD),
        }
        Lines { form, first: true }
    }

    fn add(&mut self, told: &TargetRow, now: Timestamp) {
        match self.form {
            Form::Text => {}
            Form::Json => {
                // Where reading stops half way, the document stays open, so it can't be taken for complete.
                output::print_exactly(format_args!(
                    "{}{}",
                    if self.first { "" } else { "," },
                    told.to_json(now)
                ));
            }
            Form::Csv => output::print_exactly(told.to_csv(now)),
        }
        self.first = false;
    }

    fn end(&self, summary: &serde_json::Value) {
        output::print_exactly(format_args!("], \"summary\": {summary:#}}}"));
    }
}

/// Counts of targets by their state.
type StateCounts = BTreeMap<Standing, usize>;
