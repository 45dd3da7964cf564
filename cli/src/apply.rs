//! `guardrailctl apply`: show, ask, do; or have the deployed keeper do it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::approve;
use super::asking::Asking;
use super::deployed::{self, Aim, Following, Until};
use super::ending::{self, Done};
use super::interrupts::Interrupts;
use super::level;
use super::output::{self, HEADING, paint};
use super::plan::{self, Meanwhile, Shown};
use super::reading::ReadingRole;
use super::time::Length;
use super::watch::Watch;
use super::{Narrowed, OK, Output, TargetArguments, UNFINISHED, Unfit, connect, settings};
use guardrail_keeper::engine::{self, Admission, Ask, Keeper, Reviewer, Step, Stopped, Survey};
use guardrail_keeper::handler::{self, DoneHere};
use keeper_core::baseline::{Baseline, Revision};
use keeper_core::ids;
use keeper_core::trigger::{Accounts, Scope};

const LONG_ABOUT: &str = "\
Show what would be done, ask, and do it

Where a keeper is deployed (KEEPER_TASKS_QUEUE or KEEPER_BUS is set), that keeper does the work, because \
two writers would disturb each other: this command sends it a request and reads the ledger until the keeper has \
looked at every target of the plan. --role then only reads what the plan shows.";

/// The most accounts that a request names; more are asked for as all.
const MOST_NAMED: usize = 500;

/// Show what would be done, ask, and do it
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Let this revision of the baseline replace and release more than its limits allow
    #[arg(long, value_name = "REVISION")]
    approve: Option<Revision>,
    /// Write from here, though there is a bus; refused where there is a queue of tasks
    #[arg(long)]
    direct: bool,
    /// Don't follow what the deployed keeper does
    #[arg(long, conflicts_with = "direct")]
    no_wait: bool,
    /// How long the deployed keeper is followed
    #[arg(long, value_name = "TIME", default_value = "15m")]
    wait: Length,
    #[command(flatten)]
    reading: ReadingRole,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Some(asking) = Asking::new(arguments.yes, arguments.output, "apply") else {
        return Ok(super::USAGE);
    };
    let settings = settings(arguments.target.baseline.clone())?;
    if arguments.direct && settings.queues.is_some() {
        let message = "--direct would write beside the deployed keeper: KEEPER_TASKS_QUEUE names its queue, and only \
                       the program that reads that queue may write in an account";
        return Err(Unfit(message.to_owned()).into());
    }
    let keeper = connect(arguments.reading.settings(settings)).await?;
    arguments.reading.writes_nothing(!arguments.direct && engine::is_deployed(&keeper))?;
    let baseline = engine::baseline(&keeper).await?;
    if let Some(revision) = &arguments.approve
        && *revision != baseline.revision
    {
        bail!("the baseline's revision is {}, not {revision}: read its plan first", baseline.revision);
    }
    let chosen = arguments.target.chosen(&keeper).await?;
    let interrupts = Interrupts::listen()?;
    let session = Application {
        keeper: &keeper,
        baseline: &baseline,
        scope: chosen.scope(),
        chosen,
        asking,
        arguments,
        interrupts,
        watch: Watch::default(),
    };
    if engine::is_deployed(&keeper) && !arguments.direct {
        session.have_it_done().await
    } else {
        session.do_it().await
    }
}

/// One baseline applied to one scope.
struct Application<'a> {
    keeper: &'a Keeper,
    baseline: &'a Baseline,
    scope: Scope,
    chosen: Narrowed,
    asking: Asking,
    arguments: &'a Arguments,
    interrupts: Interrupts,
    watch: Watch,
}

impl Application<'_> {
    /// Does the work from here, by the same jobs as the deployed keeper.
    async fn do_it(&self) -> anyhow::Result<u8> {
        let output = self.arguments.output;
        let (survey, meanwhile) = self.survey().await?;
        if survey.by_record.is_some() {
            bail!(
                "--direct writes by the member role, which does not trust this terminal: leave --direct out, and \
                 the deployed keeper is asked"
            );
        }
        let shown = self.shown(&survey).await.beside(meanwhile.as_ref());
        let (planned, is_met) = (shown.to_json(), shown.is_met());
        if output == Output::Text {
            shown.print();
        }
        output::shown()?;
        let told = shown.into_told();
        let changes = to_change(&survey, meanwhile.as_ref());
        let Some((survey, meanwhile)) = self.ask((survey, meanwhile), in_words(changes)).await? else {
            return Ok(UNFINISHED);
        };
        let done = self.write(&survey, meanwhile.as_ref()).await;
        if output == Output::Json {
            let report = done.as_ref().ok().map(level::done_in_json);
            let unfinished = done.as_ref().ok().map(|done| &done.unfinished);
            let mut told = json!({ "planned": [planned], "report": report, "unfinished": unfinished });
            if let Err(stopped) = &done {
                told["stopped"] = json!(stopped.to_string());
            }
            output::print_done_json(&told);
        }
        let DoneHere { report, organization_level: level, unfinished } = done?;
        if output == Output::Text && (changes > 0 || report.attempts_anything()) {
            told.print_done(&report);
        }
        if output == Output::Text {
            level::print_done(level.as_ref());
        }
        if self.interrupts.heard() {
            return Err(self.interrupts.ended(self.done().and_no_more()));
        }
        unfinished.iter().for_each(output::warning);
        let followed = engine::effective(self.keeper, self.baseline).await.map_err(Stopped::Ledger)?;
        if !followed.is_present() {
            let (before, present) = (&followed.baseline.revision, &self.baseline.revision);
            output::warning(format_args!(
                "accounts follow baseline {before} until {present} is approved: guardrailctl approve {present}"
            ));
        }
        let followed = followed.is_present() && level.is_none_or(|level| level.is_finished());
        Ok(if report.is_converged() && unfinished.is_empty() && is_met && followed { OK } else { UNFINISHED })
    }

    /// What was written from here so far.
    fn done(&self) -> Done {
        let mut done = Done::default();
        self.watch.writes().in_words().into_iter().for_each(|words| done.add(words));
        done
    }

    /// Asks the deployed keeper, and follows what it does.
    async fn have_it_done(&self) -> anyhow::Result<u8> {
        let Arguments { output, no_wait, .. } = self.arguments;
        let (survey, meanwhile) = self.survey().await?;
        let shown = self.shown(&survey).await.beside(meanwhile.as_ref());
        let (planned, is_met) = (shown.to_json(), shown.is_met());
        if *output == Output::Text {
            shown.print();
        }
        output::shown()?;
        let mut done = Done::default();
        let to_change = to_change(&survey, meanwhile.as_ref());
        let targets = deployed::of_survey(self.followed(&survey, meanwhile.as_ref()).1);
        // What is held now, and for good, no look of the keeper's will change.
        let good = is_met && survey.is_known() && !deployed::leaves_held(survey.plan.plan(), &targets);
        if to_change == 0 && targets.is_empty() {
            self.approve(&mut done).await?;
            if *output == Output::Json {
                output::print_done_json(
                    &json!({ "planned": [planned], "requested": null, "followed": null }),
                );
            }
            return Ok(if good { OK } else { UNFINISHED });
        }
        let asked = self.ask((survey, meanwhile), question(to_change, &targets)).await?;
        let Some((survey, meanwhile)) = asked else { return Ok(UNFINISHED) };
        let request = self.request(&survey, targets.keys().map(|target| target.account.clone()).collect());
        let following = if *no_wait {
            None
        } else {
            let owner = survey.plan.plan().grant_changes();
            let owner = owner.map(|change| change.grant.resource.region().clone()).collect();
            let (baseline, followed) = self.followed(&survey, meanwhile.as_ref());
            let aim = Aim::of(baseline, followed);
            let following =
                async { Following::begin(self.keeper, aim, targets).await?.and_the_owner(owner).await };
            Some(self.interrupts.or(following).await?)
        };
        self.approve(&mut done).await?;
        if !is_counted(&survey) && self.scope.accounts != Accounts::All {
            output::warning(
                "the changes of the whole baseline are not counted yet, so they may be held: apply without --account \
                 counts them",
            );
        }
        let asked = done.or_say(deployed::ask(self.keeper, &request).await)?;
        done.add(format!("{}: it continues by itself", deployed::in_words(&asked)));
        output::note(deployed::in_words(&asked));
        let followed = match following {
            Some(following) => {
                Some(done.or_say(self.interrupts.or(following.wait(self.arguments.wait)).await)?)
            }
            None => None,
        };
        match (output, &followed) {
            (Output::Json, _) => output::print_done_json(&json!({
                "planned": [planned],
                "requested": deployed::in_json(&asked),
                "followed": followed.as_ref().map(deployed::Followed::to_json),
            })),
            (Output::Text, Some(followed)) => {
                output::print_done(format_args!("\n{}", paint(HEADING, "Done by the deployed keeper:")));
                followed.print();
            }
            (Output::Text, None) => output::note("stopped following: guardrailctl status shows the results"),
        }
        let good = good && followed.is_none_or(|followed| followed.is_good());
        Ok(if good { OK } else { UNFINISHED })
    }

    /// Gives the approval that was asked for, if one was.
    async fn approve(&self, done: &mut Done) -> anyhow::Result<()> {
        let Some(revision) = &self.arguments.approve else { return Ok(()) };
        let approving = engine::approve(self.keeper, revision).await;
        let approving = ending::recorded(approving, &format!("whether baseline {revision} was approved"))?;
        done.add(approve::in_words(revision, approving)?);
        Ok(())
    }

    /// What the deployed keeper is asked for: the accounts of the plan, or where more hangs on it all
    /// that was looked at.
    fn request(&self, survey: &Survey, planned: BTreeSet<ids::AccountId>) -> Ask {
        // Only a look at everything counts a new revision, and goes to the owner's side first.
        let is_narrow = is_counted(survey)
            && survey.plan.plan().grant_changes().next().is_none()
            && !planned.is_empty()
            && planned.len() <= MOST_NAMED;
        let accounts = match &self.scope.accounts {
            Accounts::All if is_narrow => Accounts::Only(planned),
            accounts => accounts.clone(),
        };
        let hash = survey.plan.plan().hash();
        Ask {
            accounts,
            regions: self.scope.regions.clone(),
            reason: format!("plan {hash} of baseline {} was reviewed", self.baseline.revision),
            plan: Some(hash),
        }
    }

    async fn shown<'s>(&'s self, survey: &'s Survey) -> Shown<'s> {
        Shown::of(self.keeper, self.baseline, survey, &self.chosen).await
    }

    /// The baseline that accounts follow, and what was planned for it.
    fn followed<'s>(
        &'s self,
        survey: &'s Survey,
        meanwhile: Option<&'s Meanwhile>,
    ) -> (&'s Baseline, &'s Survey) {
        meanwhile.map_or((self.baseline, survey), |it| (it.baseline(), it.survey()))
    }

    /// Looks, and plans this revision; while it waits, also what the baseline before it does.
    async fn survey(&self) -> anyhow::Result<(Survey, Option<Meanwhile>)> {
        // Recorded only once that was agreed to.
        let approves = self.arguments.approve.is_some();
        let step = |step: Step<'_>| self.watch.step(step);
        let surveys = async {
            if !approves {
                return plan::planned(self.keeper, self.baseline, &self.scope, &step).await;
            }
            let (scope, approved) = (&self.scope, Admission::Approved);
            Ok((engine::survey_as(self.keeper, self.baseline, scope, &approved, &step).await?, None))
        };
        let survey = self.interrupts.or(surveys).await;
        self.watch.pause();
        self.done().or_say(survey)
    }

    /// Records the approval, if one was given, and what was seen; then does the jobs.
    async fn write(&self, survey: &Survey, meanwhile: Option<&Meanwhile>) -> anyhow::Result<DoneHere> {
        self.approve(&mut Done::default()).await?;
        if let Err(error) = engine::record_looks(self.keeper, survey).await {
            output::warning(format_args!("failed to record what was seen: {error}"));
        }
        let mut reviewed = survey.plan.plan().reviewed(&self.baseline.revision);
        if let Some(meanwhile) = meanwhile {
            reviewed = reviewed.and(meanwhile.reviewed());
        }
        if let Some(revision) = &self.arguments.approve {
            reviewed = reviewed.approving(revision);
        }
        let step = |step: Step<'_>| self.watch.step(step);
        step(Step::Writing { changes: survey.plan.plan().writes() });
        let written =
            handler::do_here(self.keeper, &self.scope, Reviewer { progress: &step, plan: Some(&reviewed) });
        let written = self.interrupts.finish(written, || self.keeper.stop()).await;
        self.watch.pause();
        let left = || {
            self.watch.writes().lines().iter().for_each(output::note);
            let left = "stopped while writes were under way: the next run reads their results";
            let done = self.done();
            self.interrupts.ended(if done.is_nothing() { left.to_owned() } else { format!("{done}; {left}") })
        };
        let mut done = self.done().or_say(written.ok_or_else(left)?)?;
        survey.complete(&mut done.report);
        Ok(done)
    }

    /// Asks whether to apply what was shown. The plan was read for a while, so it is made again:
    /// what is applied must be what was read.
    async fn ask(
        &self,
        shown: (Survey, Option<Meanwhile>),
        question: Option<String>,
    ) -> anyhow::Result<Option<(Survey, Option<Meanwhile>)>> {
        let question = match question {
            Some(question) if self.asking.asks() => question,
            Some(_) | None => return Ok(Some(shown)),
        };
        let done = self.done();
        if !self.asking.confirmed(&question, &done, &self.interrupts).await? {
            return Ok(None);
        }
        let (survey, meanwhile) = self.survey().await?;
        let hashes = |survey: &Survey, meanwhile: &Option<Meanwhile>| {
            (survey.plan.plan().hash(), meanwhile.as_ref().map(Meanwhile::hash))
        };
        if hashes(&survey, &meanwhile) == hashes(&shown.0, &shown.1) {
            return Ok(Some((survey, meanwhile)));
        }
        self.shown(&survey).await.beside(meanwhile.as_ref()).print();
        output::note(format_args!("this is another plan than the one you read: {}", done.and_no_more()));
        output::note("run apply again");
        Ok(None)
    }
}

/// How many changes there are, of this revision and of the baseline that is followed meanwhile.
fn to_change(survey: &Survey, meanwhile: Option<&Meanwhile>) -> usize {
    survey.plan.plan().counts().to_change + meanwhile.map_or(0, Meanwhile::changes)
}

/// The question before the deployed keeper is asked, which may see more than can be seen from here.
fn question(to_change: usize, targets: &BTreeMap<ids::Target, Until>) -> Option<String> {
    match targets.values().filter(|until| **until == Until::Seen).count() {
        0 => in_words(to_change),
        unseen => {
            output::note(format_args!(
                "this terminal can't read {unseen}, usually because the member role trusts only the function; the \
                 deployed keeper looks there and does what the baseline says"
            ));
            Some(format!("Apply the baseline to {}?", counted(to_change + unseen, "target")))
        }
    }
}

/// The question before so many changes are made; none before none.
fn in_words(changes: usize) -> Option<String> {
    match changes {
        0 => None,
        1 => Some("Apply this change?".to_owned()),
        changes => Some(format!("Apply these {changes} changes?")),
    }
}

fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Whether the changes of the whole revision are counted, or the revision is approved.
fn is_counted(survey: &Survey) -> bool {
    survey.view.known.approval.approved || survey.view.known.approval.counted.is_some()
}
