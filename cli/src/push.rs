//! `guardrailctl push`: puts a baseline where the deployed keeper finds it.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use super::advice::FailedCall;
use super::approve;
use super::asking::Asking;
use super::ending::{Done, Ended};
use super::interrupts::Interrupts;
use super::output::{self, ADDED, Bar, HEADING, Spinner, paint};
use super::plan::Shown;
use super::reading::ReadingRole;
use super::{Narrowed, OK, Output, UNFINISHED, USAGE, Unfit, connect, settings};
use guardrail_keeper::cloud::{Page, Parameter, STANDARD_BYTES};
use guardrail_keeper::engine::{self, Admission, Keeper, Stopped, Survey, everything};
use keeper_core::baseline::{Baseline, Limits, NamedIds, Problem, Revision, Severity};
use keeper_core::failure::Failure;
use keeper_core::limits::{Extent, RevisionApproval};
use keeper_core::settings::{BaselineSource, LedgerSource};

const LONG_ABOUT: &str = "\
Check a baseline, count its changes, ask, and put it where the deployed keeper reads it

The destination is the SSM parameter of KEEPER_BASELINE (or --baseline ssm:NAME). The deployed keeper gets an event \
of the change, counts what it would replace and release, and acts on it if that is within the limits, or once it is \
approved.

Pushing an earlier file does not release what a later one enforced. Where the earlier file has no \
assignment for an account, the account keeps what it has; `guardrail: none` releases it.";

/// Check a baseline, count its changes, ask, and put it where the deployed keeper reads it
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    /// The file of the new baseline
    file: PathBuf,
    /// The parameter: ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "PARAMETER")]
    baseline: Option<BaselineSource>,
    /// Don't look into the accounts: what would be replaced and released is counted from the record
    #[arg(long)]
    no_plan: bool,
    /// Show what would be pushed and what it would do, and push nothing
    #[arg(long = "dry-run", conflicts_with = "yes")]
    shows_only: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    reading: ReadingRole,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { file, baseline, no_plan, shows_only, yes, reading, output } = arguments;
    let Some(asking) = Asking::new(*yes || *shows_only, *output, "push") else { return Ok(USAGE) };
    let settings = settings(baseline.clone())?;
    let BaselineSource::Parameter(name) = settings.baseline.clone() else {
        let message =
            "push puts a baseline into a parameter, and KEEPER_BASELINE names a file: set it to ssm:NAME";
        return Err(Unfit(message.to_owned()).into());
    };
    let origin = BaselineSource::File(file.clone());
    let bytes = std::fs::read(file).with_context(|| format!("{origin} could not be read"))?;
    let (mut new, text) = match Baseline::text_of(bytes).and_then(|text| Ok((Baseline::parse(&text)?, text)))
    {
        Ok(new) => new,
        Err(invalid) => return Ok(refuse(&origin, invalid.problems(), *output)),
    };
    new.limits = new.limits.at_most(settings.ceilings);
    let remembers = settings.ledger != LedgerSource::Memory;
    let keeper = connect(reading.settings(settings)).await?;
    let present = find(&keeper, &name).await?;
    if present.as_ref().is_some_and(|present| present.text == text) {
        return Ok(same(&name, &new.revision, *output));
    }

    let against = AgainstOrganization::check(&keeper, &new).await?;
    let AgainstOrganization { problems, names_nobody, .. } = &against;
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Ok(refuse(&origin, problems, *output));
    }
    let survey = if *no_plan { None } else { Some(against.survey(&keeper, &new).await?) };
    let extent = match &survey {
        Some(survey) if !(engine::is_deployed(&keeper) && remembers) => surveyed(survey, &new.revision)?,
        // As the planner will count it.
        Some(_) | None => counted(&keeper, &new).await?,
    };
    let known =
        if remembers { keeper.ledger().revision_approval().await.map_err(Stopped::Ledger)? } else { None };
    let room = RevisionApproval::of(known, &new.revision).room(engine::allowance(&keeper, &new));
    let shown = match &survey {
        Some(survey) => Some(Shown::of(&keeper, &new, survey, &Narrowed::default()).await),
        None => None,
    };
    let push = Push {
        file: &origin,
        name: &name,
        new: &new,
        present: &present,
        text: &text,
        extent,
        room,
        names_nobody,
        problems,
        shown: shown.as_ref(),
        output: *output,
    };
    push.print();
    if *shows_only { Ok(push.leave()) } else { push.put(&keeper, asking).await }
}

/// A baseline, checked against the organization as it is.
struct AgainstOrganization {
    /// What the organization contradicts, in words.
    contradicted: Vec<String>,
    /// That, and the warnings about the baseline itself.
    problems: Vec<Problem>,
    names_nobody: NamedIds,
}

impl AgainstOrganization {
    async fn check(keeper: &Keeper, new: &Baseline) -> Result<AgainstOrganization, Stopped> {
        let organization = engine::whole_organization(keeper).await?;
        let mut problems = new.check_organization(&organization);
        let contradicted = problems.iter().map(Problem::in_words).collect();
        problems.extend(new.warnings());
        let names_nobody = NamedIds::missing_in(new, &organization);
        Ok(AgainstOrganization { contradicted, problems, names_nobody })
    }

    /// What would be done under the new baseline, its limits left aside: they are judged apart. Its warnings leave out
    /// what is printed of the organization, with the file's name.
    async fn survey(&self, keeper: &Keeper, new: &Baseline) -> Result<Survey, Stopped> {
        let bar = Bar::new();
        let scope = everything();
        let mut survey =
            engine::survey_as(keeper, new, &scope, &Admission::Approved, &|step| bar.step(step)).await?;
        let is_printed = |warning: &String| self.contradicted.iter().any(|told| warning.ends_with(told));
        survey.view.known.warnings.retain(|warning| !is_printed(warning));
        Ok(survey)
    }
}

/// What the survey's plan would replace and release.
fn surveyed(survey: &Survey, revision: &Revision) -> anyhow::Result<Extent> {
    if let Some(trouble) = &survey.view.known.trouble {
        bail!("what it would replace and release can't be counted: {trouble}");
    }
    let (plan, records) = (survey.plan.plan(), &survey.view.known.records);
    Ok(Extent::of(plan, records, revision).plus(Extent::following(plan, records, revision)))
}

async fn find(keeper: &Keeper, name: &str) -> anyhow::Result<Option<Parameter>> {
    let found = engine::parameter(keeper, name).await;
    Ok(found.map_err(|failure| FailedCall::new(format!("{name} could not be read"), failure))?)
}

/// What the new baseline would replace and release by the record.
async fn counted(keeper: &Keeper, new: &Baseline) -> Result<Extent, Stopped> {
    let spinner = Spinner::new("accounts counted");
    let catalog = engine::catalog_for_counting(keeper, new).await;
    let mut extent = Extent::default();
    let mut from = None;
    loop {
        let Page { accounts, unplaced, next } = engine::page_of_accounts(keeper, from).await?;
        accounts.iter().for_each(|_| spinner.step());
        extent = extent.plus(engine::count(keeper, new, &catalog, accounts, &unplaced).await?);
        from = next;
        if from.is_none() {
            return Ok(extent);
        }
    }
}

/// Puts the text in the place of what was read. SSM has no compare-and-set: what is there is read
/// again right before, and the number that SSM gives shows whether another write came between.
async fn put(keeper: &Keeper, name: &str, text: &str, read: Option<&Parameter>) -> anyhow::Result<i64> {
    let now = find(keeper, name).await?;
    if now.as_ref() != read {
        let now = now
            .map_or_else(|| "it is gone".to_owned(), |now| format!("it is at version {} now", now.version));
        bail!(
            "{name} was changed since it was read, and is left as it is: {now}; push again to see the changes \
             against it"
        );
    }
    let put = engine::parameter_writer(keeper).put(name, text, read.is_none()).await;
    let version = match put {
        Ok(version) => version,
        Err(failure) => was_it_put(keeper, name, text, &failure).await?,
    };
    let expected = read.map_or(1, |read| read.version + 1);
    if version != expected {
        output::warning(format_args!(
            "another caller put {name} at the same moment: version {} of it is hidden by this one, {version}; \
             compare the two",
            version - 1
        ));
    }
    Ok(version)
}

/// A put that failed, or of which only the answer was lost.
async fn was_it_put(keeper: &Keeper, name: &str, text: &str, failure: &Failure) -> anyhow::Result<i64> {
    match find(keeper, name).await {
        Ok(Some(now)) if now.text == text => Ok(now.version),
        Ok(_) => Err(FailedCall::new(format!("{name} could not be put"), failure.clone()).into()),
        Err(unread) => Err(Ended::After {
            done: format!("it is not known whether {name} was put: {unread}"),
            why: format!("{name} could not be put: {failure}"),
        }
        .into()),
    }
}

fn refuse(origin: &BaselineSource, problems: &[Problem], output: Output) -> u8 {
    match output {
        Output::Json => output::print_json(&json!({
            "file": origin.to_string(),
            "pushed": false,
            "problems": problems,
        })),
        Output::Text => {
            problems.iter().for_each(|problem| output::print(format_args!("{origin}:{problem}")));
            output::note(format_args!("{origin} can't be used: nothing was changed"));
        }
    }
    UNFINISHED
}

fn same(name: &str, revision: &Revision, output: Output) -> u8 {
    match output {
        Output::Json => output::print_json(&json!({ "revision": revision, "pushed": false, "problems": [] })),
        Output::Text => {
            output::print(format_args!("{name} holds baseline {revision} already: nothing was changed"));
        }
    }
    OK
}

struct Push<'a> {
    file: &'a BaselineSource,
    name: &'a str,
    new: &'a Baseline,
    present: &'a Option<Parameter>,
    text: &'a str,
    extent: Extent,
    /// What it may change without a person's approval: its limits, and what earlier revisions left of the day's ceilings.
    room: Limits,
    names_nobody: &'a NamedIds,
    problems: &'a [Problem],
    shown: Option<&'a Shown<'a>>,
    output: Output,
}

impl Push<'_> {
    fn is_within(&self) -> bool {
        self.extent.is_within(self.room)
    }

    /// Whether the deployed keeper acts on it without an approval.
    fn needs_no_approval(&self) -> bool {
        self.is_within() && self.names_nobody.is_empty()
    }

    fn code(&self) -> u8 {
        if self.needs_no_approval() { OK } else { UNFINISHED }
    }

    /// What a dry run ends with.
    fn leave(&self) -> u8 {
        match self.output {
            Output::Json => output::print_json(&self.to_json(None)),
            Output::Text => output::note("a dry run: nothing was pushed"),
        }
        self.code()
    }

    async fn put(&self, keeper: &Keeper, asking: Asking) -> anyhow::Result<u8> {
        let Push { name, new, .. } = self;
        output::shown()?;
        let interrupts = Interrupts::listen()?;
        if !asking.confirmed(&format!("Put it into {name}?"), &Done::default(), &interrupts).await? {
            return Ok(UNFINISHED);
        }
        let put = interrupts.finish(put(keeper, name, self.text, self.present.as_ref()), || ()).await;
        let left = || interrupts.ended(format!("stopped while {name} was being put: check its value"));
        let version = put.unwrap_or_else(|| Err(left()))?;
        match self.output {
            Output::Json => output::print_done_json(&self.to_json(Some(version))),
            Output::Text => {
                let revision = &new.revision;
                output::print_done(format_args!(
                    "{} {name} holds baseline {revision}, as version {version}",
                    paint(ADDED, "ok:")
                ));
                if !self.needs_no_approval() {
                    output::note(format_args!(
                        "the keeper acts on it once it is approved: guardrailctl approve {revision}"
                    ));
                }
            }
        }
        Ok(self.code())
    }

    fn print(&self) {
        if self.output == Output::Json {
            return;
        }
        let Push { file, name, new, present, text, extent, room, names_nobody, problems, shown, output: _ } =
            self;
        problems.iter().for_each(|problem| output::note(format_args!("{file}:{problem}")));
        let instead = match present {
            Some(Parameter { text, version, at: _ }) => {
                format!("in the place of baseline {}, version {version}", Revision::of(text))
            }
            None => "which doesn't exist yet".to_owned(),
        };
        let heading = format!("Baseline {} of {file}, for {name}, {instead}:", new.revision);
        output::print(paint(HEADING, heading));
        if let Some(shown) = shown {
            shown.print();
        }
        let bytes = text.len();
        let tier = if bytes > STANDARD_BYTES { "advanced" } else { "standard" };
        output::print(format_args!("{bytes} bytes: a parameter of the {tier} tier holds it"));
        let verdict = if self.is_within() { "within its limits" } else { "more than its limits allow" };
        output::print(format_args!("{extent}: {verdict} ({})", approve::limits_in_words(*room)));
        if *room != new.limits {
            output::print("that is what other revisions within a day left of the deployment's ceilings");
        }
        if !names_nobody.is_empty() {
            output::print(format_args!("it names {names_nobody}, so it needs an approval"));
        }
    }

    fn to_json(&self, version: Option<i64>) -> Value {
        json!({
            "file": self.file.to_string(),
            "parameter": self.name,
            "pushed": version.is_some(),
            "revision": self.new.revision,
            "version": version,
            "instead_of": self.present.as_ref().map(|present| json!({
                "revision": Revision::of(&present.text),
                "version": present.version,
            })),
            "bytes": self.text.len(),
            "extent": self.extent,
            "limits": approve::in_json(self.room),
            "within_limits": self.is_within(),
            "names_nobody": self.names_nobody,
            "planned": self.shown.map(Shown::to_json),
            "problems": self.problems,
        })
    }
}
