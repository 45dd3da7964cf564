//! `guardrailctl apply`: show, ask, do; or have the deployed keeper do it.

mod planned_work;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use self::planned_work::PlannedWork;
use super::approve;
use super::asking::Asking;
use super::deployed::{self, Aim, Following, Until};
use super::ending::{self, Done};
use super::interrupts::Interrupts;
use super::level::{self, LevelPlan};
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
work at every target of the plan. --role then only reads what the plan shows.";

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
        let work = self.look().await?;
        if work.survey.by_record.is_some() {
            bail!(
                "--direct writes by the member role, which does not trust this terminal: leave --direct out, and \
                 the deployed keeper is asked"
            );
        }
        let shown = self.shown(&work).await;
        let (planned, is_met) = (planned_in_json(&shown, &work.level), shown.is_met());
        if output == Output::Text {
            shown.print();
            work.level.print();
        }
        output::shown()?;
        let told = shown.into_told();
        let (changes, question) = (work.changes(), work.question());
        let Some(work) = self.ask(work, question).await? else { return Ok(UNFINISHED) };
        let done = self.write(&work.survey, work.meanwhile.as_ref()).await;
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
        let work = self.look().await?;
        let shown = self.shown(&work).await;
        let (planned, is_met) = (planned_in_json(&shown, &work.level), shown.is_met());
        if *output == Output::Text {
            shown.print();
            work.level.print();
        }
        output::shown()?;
        let mut done = Done::default();
        let survey = &work.survey;
        let targets = deployed::of_survey(self.followed(&work).1);
        // What is held now, and for good, no look of the keeper's will change.
        let good = is_met && survey.is_known() && !deployed::leaves_held(survey.plan.plan(), &targets);
        let good = good && (work.level.is_free() || work.level.may_be_written());
        if work.changes() == 0 && targets.is_empty() && !work.level.may_be_written() {
            self.approve(&mut done).await?;
            if *output == Output::Json {
                output::print_done_json(
                    &json!({ "planned": [planned], "requested": null, "followed": null }),
                );
            }
            return Ok(if good { OK } else { UNFINISHED });
        }
        let question = work.question_for(&targets);
        let Some(work) = self.ask(work, question).await? else { return Ok(UNFINISHED) };
        let survey = &work.survey;
        let request = self.request(&work, targets.keys().map(|target| target.account.clone()).collect());
        let following = if *no_wait { None } else { Some(self.begin_following(&work, targets).await?) };
        self.approve(&mut done).await?;
        if !is_counted(survey) && self.scope.accounts != Accounts::All {
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

    /// Begins to follow what is to be done, before the keeper is asked for it.
    async fn begin_following<'s>(
        &'s self,
        work: &'s PlannedWork,
        targets: BTreeMap<ids::Target, Until>,
    ) -> anyhow::Result<Following<'s>> {
        let grants = work.survey.plan.plan().grant_changes();
        let owners = grants.map(|change| change.grant.resource.held_in()).collect();
        let (baseline, followed) = self.followed(work);
        let aim = Aim::of(baseline, followed);
        let begin = async {
            let following = Following::begin(self.keeper, aim, targets).await?.and_the_owners(owners).await?;
            if work.level.may_be_written() { following.and_the_level().await } else { Ok(following) }
        };
        self.interrupts.or(begin).await
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
    /// that was work at.
    fn request(&self, work: &PlannedWork, planned: BTreeSet<ids::AccountId>) -> Ask {
        let survey = &work.survey;
        // Only a look at everything counts a new revision, goes to the owner's side first and to the organization's level last.
        let is_narrow = is_counted(survey)
            && !work.level.may_be_written()
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

    async fn shown<'s>(&'s self, work: &'s PlannedWork) -> Shown<'s> {
        let shown = Shown::of(self.keeper, self.baseline, &work.survey, &self.chosen).await;
        shown.beside(work.meanwhile.as_ref())
    }

    /// The baseline that accounts follow, and what was planned for it.
    fn followed<'s>(&'s self, work: &'s PlannedWork) -> (&'s Baseline, &'s Survey) {
        let PlannedWork { survey, meanwhile, .. } = work;
        meanwhile.as_ref().map_or((self.baseline, survey), |it| (it.baseline(), it.survey()))
    }

    /// Looks, and plans this revision on both levels; while it waits, also what the baseline before it does in accounts.
    async fn look(&self) -> anyhow::Result<PlannedWork> {
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
        let surveyed = async {
            let (survey, meanwhile) = surveys.await?;
            let level = LevelPlan::read(self.keeper, self.baseline, &self.scope, approves).await;
            Ok::<_, Stopped>(PlannedWork { survey, meanwhile, level })
        };
        let work = self.interrupts.or(surveyed).await;
        self.watch.pause();
        self.done().or_say(work)
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
    async fn ask(&self, shown: PlannedWork, question: Option<String>) -> anyhow::Result<Option<PlannedWork>> {
        let question = match question {
            Some(question) if self.asking.asks() => question,
            Some(_) | None => return Ok(Some(shown)),
        };
        let done = self.done();
        if !self.asking.confirmed(&question, &done, &self.interrupts).await? {
            return Ok(None);
        }
        let work = self.look().await?;
        if work.is_same_as(&shown) {
            return Ok(Some(work));
        }
        self.shown(&work).await.print();
        work.level.print();
        output::note(format_args!("this is another plan than the one you read: {}", done.and_no_more()));
        output::note("run apply again");
        Ok(None)
    }
}

/// What was planned on both levels, for programs.
fn planned_in_json(shown: &Shown<'_>, level: &LevelPlan) -> Value {
    let mut planned = shown.to_json();
    planned["organization_level"] = level.to_json();
    planned
}

/// Whether the changes of the whole revision are counted, or the revision is approved.
fn is_counted(survey: &Survey) -> bool {
    survey.view.known.approval.approved || survey.view.known.approval.counted.is_some()
}
