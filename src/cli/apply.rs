//! `guardrailctl apply`: show, ask, do; or have the deployed keeper do it.

use std::collections::BTreeSet;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::asking::Asking;
use super::deployed::{self, Aim, Following, Until};
use super::output::{self, Bar, HEADING, paint};
use super::plan::Shown;
use super::time::Length;
use super::{Chosen, OK, Output, Target, UNFINISHED, Unfit, connect, settings};
use crate::baseline::{Baseline, Revision};
use crate::plan::Counts;
use crate::reconcile::{Ask, Keeper, Manner, Rounds, Stopped, Survey};
use crate::report::Report;
use crate::trigger::{Accounts, Scope};

const LONG_ABOUT: &str = "\
Show what would be done, ask, and do it

Where a keeper is deployed (KEEPER_TASKS_QUEUE or KEEPER_BUS is set), it is asked to do the work, and \
the ledger is followed until every target of the plan was looked at: two that write at once would get in \
each other's way.";

/// The most accounts that a request names; more are asked for as all.
const MOST_NAMED: usize = 500;

#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
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
        let message = "--direct would write beside the deployed keeper: there is a queue of tasks (KEEPER_TASKS_QUEUE), \
                       and whoever takes from it is the only one to write in an account";
        return Err(Unfit(message.to_owned()).into());
    }
    let keeper = connect(settings).await?;
    let baseline = keeper.baseline().await?;
    if let Some(revision) = &arguments.approve
        && *revision != baseline.revision
    {
        bail!("the baseline's revision is {}, not {revision}: read its plan first", baseline.revision);
    }
    let chosen = arguments.target.chosen(&keeper).await?;
    let session =
        Session { keeper: &keeper, baseline: &baseline, scope: chosen.scope(), chosen, asking, arguments };
    if keeper.is_deployed() && !arguments.direct {
        session.have_it_done().await
    } else {
        session.do_it().await
    }
}

/// One baseline applied to one scope.
struct Session<'a> {
    keeper: &'a Keeper,
    baseline: &'a Baseline,
    scope: Scope,
    chosen: Chosen,
    asking: Asking,
    arguments: &'a Arguments,
}

impl Session<'_> {
    /// Writes from here.
    async fn do_it(&self) -> anyhow::Result<u8> {
        let output = self.arguments.output;
        let mut planned = Vec::new();
        let mut rounds = Rounds::default();
        let mut is_met;
        loop {
            let again = rounds.again();
            let survey = self.survey(again).await?;
            is_met = survey.strangers.is_empty() && self.chosen.unmet(self.baseline, &survey).is_empty();
            match output {
                Output::Text => self.shown(&survey).await.print(),
                Output::Json => planned.push(self.shown(&survey).await.to_json()),
            }
            let changes = survey.plan.plan().counts().to_change;
            let Some(survey) = self.ask(survey, in_words(changes), again).await? else {
                return Ok(UNFINISHED);
            };
            let report = self.apply(survey).await;
            if output == Output::Text {
                if changes > 0 {
                    output::print(format_args!("\n{}\n{report}", paint(HEADING, "Applied:")));
                } else {
                    report.warnings.iter().for_each(output::warning);
                }
            }
            if !rounds.add(report) {
                break;
            }
            output::note("what others were waiting for was put in place, so they are looked at again");
        }
        let done = rounds.report().expect("there was at least one round");
        if output == Output::Json {
            output::print_json(&json!({ "planned": planned, "report": done.to_json() }));
        }
        Ok(if done.is_converged() && is_met { OK } else { UNFINISHED })
    }

    /// Asks the deployed keeper, and follows what it does.
    async fn have_it_done(&self) -> anyhow::Result<u8> {
        let Arguments { output, approve, no_wait, wait, .. } = self.arguments;
        let survey = self.survey(false).await?;
        let shown = self.shown(&survey).await;
        let (planned, is_met) = (shown.to_json(), shown.is_met());
        if *output == Output::Text {
            shown.print();
        }
        let Counts { to_change, held, broken, .. } = survey.plan.plan().counts();
        let targets = deployed::of_plan(survey.plan.plan());
        let is_known = is_met && survey.ledger_trouble().is_none();
        let good = held + broken == 0 && is_known;
        if to_change == 0 && targets.is_empty() {
            if let Some(revision) = approve {
                self.keeper.approve(revision).await?;
            }
            if *output == Output::Json {
                output::print_json(&json!({ "planned": [planned], "requested": null, "followed": null }));
            }
            return Ok(if good { OK } else { UNFINISHED });
        }
        let unseen = targets.values().filter(|until| **until == Until::Seen).count();
        let question = match unseen {
            0 => in_words(to_change),
            unseen => {
                output::note(format_args!(
                    "not to be looked into from here: {unseen}, as a rule because the member role trusts the \
                     function alone; the keeper is asked to look, and does there what the baseline says"
                ));
                Some(format!("Apply the baseline to {}?", counted(to_change + unseen, "target")))
            }
        };
        let Some(survey) = self.ask(survey, question, false).await? else { return Ok(UNFINISHED) };
        // What is held now, and for good, no look of the keeper's will change.
        let waiting = targets.values().filter(|until| **until != Until::Looked).count();
        let good = good || (held + broken <= waiting && is_known);
        if let Some(revision) = approve {
            self.keeper.approve(revision).await?;
        }
        if !is_counted(&survey) && self.scope.accounts != Accounts::All {
            output::warning(
                "nobody has counted yet what the whole of this baseline changes, so it may be held: \
                 apply without --account counts it",
            );
        }
        let request = self.request(&survey, targets.keys().map(|target| target.account.clone()).collect());
        let following = match no_wait {
            true => None,
            false => {
                let owner = survey.plan.plan().policy_changes();
                let owner = owner.map(|change| change.grant.resource.region().clone()).collect();
                let aim = Aim::of(self.baseline, &survey);
                Some(Following::begin(self.keeper, aim, targets).await?.and_the_owner(owner).await?)
            }
        };
        let asked = deployed::ask(self.keeper, &request).await?;
        output::note(deployed::in_words(&asked));
        let followed = match following {
            Some(following) => Some(following.wait(*wait).await?),
            None => None,
        };
        match (output, &followed) {
            (Output::Json, _) => output::print_json(&json!({
                "planned": [planned],
                "requested": deployed::in_json(&asked),
                "followed": followed.as_ref().map(deployed::Followed::to_json),
            })),
            (Output::Text, Some(followed)) => {
                output::print(format_args!("\n{}", paint(HEADING, "Done by the deployed keeper:")));
                followed.print();
            }
            (Output::Text, None) => output::note("not followed: guardrailctl status tells what came of it"),
        }
        let good = good && followed.is_none_or(|followed| followed.is_good());
        Ok(if good { OK } else { UNFINISHED })
    }

    /// What the deployed keeper is asked for: the accounts of the plan, or where more hangs on it all
    /// that was looked at.
    fn request(&self, survey: &Survey, planned: BTreeSet<crate::ids::AccountId>) -> Ask {
        // Only a look at everything counts a new revision, and goes to the owner's side first.
        let is_narrow = is_counted(survey)
            && survey.plan.plan().policy_changes().next().is_none()
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

    async fn survey(&self, again: bool) -> Result<Survey, Stopped> {
        let bar = Bar::new();
        // Recorded only once that was agreed to.
        let approved = self.arguments.approve.is_some();
        let manner = Manner { approved, again, ..Manner::default() };
        self.keeper.survey_as(self.baseline, &self.scope, &manner, &|step| bar.step(step)).await
    }

    async fn apply(&self, survey: Survey) -> Report {
        let bar = Bar::new();
        self.keeper.apply(self.baseline, survey, &|step| bar.step(step)).await
    }

    /// Asks whether to apply what was shown. The plan was read for a while, so it is made again:
    /// what is applied must be what was read.
    async fn ask(
        &self,
        shown: Survey,
        question: Option<String>,
        again: bool,
    ) -> anyhow::Result<Option<Survey>> {
        let question = match question {
            Some(question) if self.asking.asks() => question,
            Some(_) | None => return Ok(Some(shown)),
        };
        if !self.asking.confirmed(&question)? {
            return Ok(None);
        }
        let survey = self.survey(again).await?;
        if survey.plan.plan().hash() == shown.plan.plan().hash() {
            return Ok(Some(survey));
        }
        self.shown(&survey).await.print();
        output::note("this is another plan than the one you read, so nothing was changed: run apply again");
        Ok(None)
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

/// Whether somebody has counted what the whole revision changes, or approved it.
fn is_counted(survey: &Survey) -> bool {
    survey.rollout.approved || survey.rollout.counted.is_some()
}
