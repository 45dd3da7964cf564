//! `guardrailctl offboard`: releases what is ours in an account before it leaves, and keeps it so.

mod meant;
mod released;
mod seen;

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};

use super::asking::Asking;
use super::deployed::{self, Aim, Following, Until};
use super::ending::{self, Done};
use super::interrupts::Interrupts;
use super::names::{self, Named};
use super::output::{self, ADDED, paint};
use super::reading::ReadingRole;
use super::time::Length;
use super::watch::Watch;
use super::{OK, Output, UNFINISHED, USAGE, connect, durable_ledger, settings};
use guardrail_keeper::engine::{self, Ask, Controlled, Keeper, Reviewer, Step, Stopped, everything};
use guardrail_keeper::handler::{self, DoneHere};
use keeper_core::baseline::{Baseline, Mode};
use keeper_core::control::Leaving;
use keeper_core::ids::{AccountId, Region, Target};
use keeper_core::organization::Account;
use keeper_core::record::{AccountRecord, Origin, Record};
use keeper_core::report::TargetReport;
use keeper_core::settings::BaselineSource;
use keeper_core::status::{Stays, wanted_in};
use keeper_core::trigger::{Accounts, Regions, Scope};
use released::Released;
use seen::After;

const LONG_ABOUT: &str = "\
Release what is ours in an account before it leaves, and enforce nothing there again

Once an account has left the organization, it may not apply the guardrail any more, and its Bedrock calls fail where \
the guardrail is still enforced. The account is marked in the ledger: from then on nothing is wanted there, whatever \
the baseline says, until --cancel takes the mark away. Foreign enforcements are left alone; those that use a \
guardrail of another account are listed, because calls fail there too once the account has left.

Where a keeper is deployed, it makes the releases; --role then only reads what is there afterwards.";

/// Release what is ours in an account before it leaves, and enforce nothing there again
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    /// The account, by its id or its name
    account: Named<AccountId>,
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    /// Take the mark away: the account stays, and the baseline counts there again
    #[arg(long)]
    cancel: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// The account's id once more: needed with --yes for the guardrails' owner, the management account and the
    /// account that the keeper runs in
    #[arg(long, value_name = "ID")]
    confirm: Option<AccountId>,
    /// How long a deployed keeper is followed
    #[arg(long, value_name = "TIME", default_value = "15m")]
    wait: Length,
    #[command(flatten)]
    reading: ReadingRole,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { account, baseline, cancel, yes, output, .. } = arguments;
    let Some(asking) = Asking::new(*yes, *output, "offboard") else { return Ok(USAGE) };
    let settings = settings(baseline.clone())?;
    durable_ledger(&settings, "offboard")?;
    let keeper = connect(arguments.reading.settings(settings)).await?;
    arguments.reading.writes_nothing(engine::is_deployed(&keeper))?;
    let baseline = engine::baseline(&keeper).await?;
    let account = &names::account(&keeper, account).await?;
    let record = keeper.ledger().account(account).await.map_err(Stopped::Ledger)?;
    let interrupts = Interrupts::listen()?;
    let offboarding =
        Offboarding { keeper: &keeper, baseline: &baseline, account, arguments, record: &record, interrupts };
    if *cancel { offboarding.cancel(asking).await } else { offboarding.begin(asking).await }
}

struct Offboarding<'a> {
    keeper: &'a Keeper,
    baseline: &'a Baseline,
    account: &'a AccountId,
    arguments: &'a Arguments,
    record: &'a AccountRecord,
    interrupts: Interrupts,
}

impl Offboarding<'_> {
    async fn begin(&self, asking: Asking) -> anyhow::Result<u8> {
        let account = self.account;
        let Some(member) = self.member().await? else { return Ok(self.too_late()) };
        if !self.is_meant(asking).await? {
            return Ok(USAGE);
        }
        self.warn_of_the_baseline();
        if self.arguments.output == Output::Text {
            self.print();
        }
        let question = format!("Release what is ours in {account}, and leave it unguarded until it is gone?");
        output::shown()?;
        let mut so_far = Done::default();
        if !asking.confirmed(&question, &so_far, &self.interrupts).await? {
            return Ok(UNFINISHED);
        }
        let regions = if engine::is_deployed(self.keeper) {
            self.mark_and_follow(&member, &mut so_far).await
        } else {
            match self.mark(Leaving::Leaves, &mut so_far).await? {
                None => self.release(&mut so_far).await,
                Some(_) => {
                    let regions = self.record.regions_of_ours();
                    return Ok(released::print_waiting(self.account, regions, self.arguments.output));
                }
            }
        };
        Ok(released::print(self.account, &so_far.or_say(regions)?, self.arguments.output))
    }

    /// The account, if calls work in it; else it is said why not.
    async fn member(&self) -> anyhow::Result<Option<Account>> {
        let account = self.account;
        let why = match self.interrupts.or(engine::place(self.keeper, account)).await? {
            Some(placement) if placement.account.state.admits_work() => return Ok(Some(placement.account)),
            Some(placement) => {
                let state = placement.account.state;
                format!("{account} is {state}: no call can work there, so nothing can be released")
            }
            None => format!("{account} is no member of this organization: nothing can be released there"),
        };
        output::note(why);
        Ok(None)
    }

    /// Warns where the baseline keeps anything from being released.
    fn warn_of_the_baseline(&self) {
        let Baseline { exclude, mode, .. } = self.baseline;
        if exclude.contains(self.account) {
            let account = self.account;
            output::warning(format_args!("{account} is excluded by the baseline: nothing is released there"));
        }
        if *mode != Mode::Sync {
            output::warning(format_args!("the baseline's mode is {mode}: nothing is released"));
        }
    }

    /// An account in which no call works any more: what may be left there is printed.
    fn too_late(&self) -> u8 {
        let account = self.account;
        let ours: Vec<&Region> = self.record.regions_of_ours().collect();
        let others = self.record.regions.iter().filter(|(region, _)| !ours.contains(region));
        for (region, record) in others {
            if let Some(stays @ Stays::Enforced(_)) = Stays::recorded(account, record) {
                output::warning(format_args!("{account}/{region}, by the record, and not ours: {stays}"));
            }
        }
        let left = ours;
        for region in &left {
            output::warning(format_args!(
                "{account}/{region} still enforces a guardrail of ours by the record: its own administrator has to remove it"
            ));
        }
        if self.arguments.output == Output::Json {
            let left: Vec<(Region, Released)> = left
                .into_iter()
                .map(|region| {
                    (region.clone(), Released { done: false, text: "no call works there".to_owned() })
                })
                .collect();
            let regions = released::in_json(&left.into_iter().collect());
            let told = json!({ "account": account, "leaving": false, "released": false, "regions": regions });
            output::print_json(&told);
        }
        UNFINISHED
    }

    fn print(&self) {
        let account = self.account;
        if let Some(since) = self.record.offboarding {
            output::print(format_args!("{account} is about to leave since {since}"));
        }
        for (region, record) in &self.record.regions {
            if let Some(ours) = &record.ours {
                let adopted = match ours.origin {
                    Origin::Applied => "",
                    Origin::Adopted => " (another principal made it, and it was adopted)",
                };
                output::print(format_args!("{account}/{region} release {}{adopted}", ours.enforcement));
            }
        }
        if self.record.regions_of_ours().next().is_none() {
            output::print(format_args!(
                "nothing in {account} is recorded as ours; what carries the keeper's name is released"
            ));
        }
    }

    /// What to look at: the account, in every Region that the baseline or the record knows.
    fn scope(&self) -> Scope {
        Scope { accounts: Accounts::one(self.account.clone()), ..everything() }
    }

    /// Marks the account as about to leave, or takes the mark away. Where a keeper is deployed, it is asked to look, unless
    /// it hears of the mark by itself. Returns what it was asked for, in words and as JSON.
    async fn mark(&self, leaving: Leaving, so_far: &mut Done) -> anyhow::Result<Option<(String, Value)>> {
        let account = self.account;
        let (words, reason) = match leaving {
            Leaving::Leaves => ("is marked as about to leave", "it is about to leave the organization"),
            Leaving::Stays => ("isn't marked as about to leave any more", "it stays in the organization"),
        };
        let marked = self.interrupts.finish(engine::offboard(self.keeper, account, leaving), || ()).await;
        let left = || self.interrupts.ended(format!("it is not known whether {account} {words}"));
        let marked = ending::recorded(marked.ok_or_else(left)?, &format!("whether {account} {words}"))?;
        if !matches!(marked, Controlled::Waits { .. }) {
            so_far.add(format!("{account} {words}"));
        }
        match marked {
            Controlled::Put { parameter, version } => {
                let words = format!(
                    "{parameter} says `{}`, as version {version}; the deployed keeper hears of it",
                    leaving.text()
                );
                Ok(Some((words, json!({ "parameter": parameter, "version": version }))))
            }
            Controlled::Recorded if engine::is_deployed(self.keeper) => {
                let Scope { accounts, .. } = self.scope();
                let ask = Ask { accounts, regions: Regions::All, reason: reason.to_owned(), plan: None };
                let asked = so_far.or_say(deployed::ask(self.keeper, &ask).await)?;
                Ok(Some((deployed::in_words(&asked), deployed::in_json(&asked))))
            }
            Controlled::Recorded => Ok(None),
            Controlled::Waits { parameter, most } => {
                let words = format!(
                    "{account} stays guarded for now: within 24 hours {most} accounts were marked as about to leave, as \
                     many as may be (KEEPER_MAX_DEPARTURES). {parameter} is taken over by a run after they are over; \
                     --cancel takes it back"
                );
                output::warning(&words);
                Ok(Some((words, json!({ "parameter": parameter, "most": most }))))
            }
        }
    }

    /// Releases, and looks again: it prints what is there afterwards.
    async fn release(&self, so_far: &mut Done) -> anyhow::Result<BTreeMap<Region, Released>> {
        let watch = Watch::default();
        let scope = self.scope();
        let step = |step: Step<'_>| watch.step(step);
        let released = handler::do_here(self.keeper, &scope, Reviewer { progress: &step, plan: None });
        let released = self.interrupts.finish(released, || self.keeper.stop()).await;
        watch.pause();
        watch.writes().in_words().into_iter().for_each(|words| so_far.add(words));
        let Some(report) = released else {
            watch.writes().lines().iter().for_each(output::note);
            return Err(self.interrupts.ended("stopped while writes were under way".to_owned()));
        };
        let DoneHere { report, unfinished, organization_level: _ } = report?;
        report.warnings.iter().chain(&unfinished).for_each(output::warning);
        let told = self.look_again().await?.into_iter().map(|(region, seen)| {
            let target = Target { account: self.account.clone(), region };
            let reported = report.targets.get(&target);
            let reason = reported.and_then(TargetReport::reason).map(|reason| format!(": {reason}"));
            let reason = reason.unwrap_or_default();
            let released = match seen {
                After::Nothing => Released { done: true, text: "nothing is enforced".to_owned() },
                After::NotOurs(what) => match Stays::of(self.account, &what) {
                    Some(stays) => {
                        Released { done: false, text: format!("left alone, because it isn't ours: {stays}") }
                    }
                    None => Released { done: true, text: format!("left alone: {what} isn't ours") },
                },
                After::Ours(what) => Released { done: false, text: format!("not released: {what}{reason}") },
                After::Unreadable(why) => {
                    Released { done: false, text: format!("not known to be released: {why}") }
                }
            };
            (target.region, released)
        });
        Ok(told.collect())
    }

    /// Has the deployed keeper release, and prints what it recorded; and what is there, where that may be read from here.
    async fn mark_and_follow(
        &self,
        member: &Account,
        so_far: &mut Done,
    ) -> anyhow::Result<BTreeMap<Region, Released>> {
        let account = self.account;
        let marked = AccountRecord { offboarding: Some(self.keeper.clock().now()), ..self.record.clone() };
        let desired = wanted_in(self.baseline, member, &marked);
        let targets = desired.keys().map(|target| (target.clone(), Until::Looked)).collect();
        let paths = BTreeMap::from([(account.clone(), member.path.clone())]);
        let aim = Aim { baseline: self.baseline, desired, paths };
        let following = Following::begin(self.keeper, aim, targets).await?;
        if let Some((asked, _)) = self.mark(Leaving::Leaves, so_far).await? {
            output::note(&asked);
            so_far.add(format!("{asked}: it continues by itself"));
        }
        let followed = self.interrupts.or(following.wait(self.arguments.wait)).await?;
        let now = self.keeper.ledger().account(account).await.map_err(Stopped::Ledger)?;
        if now.leaving_waits.is_some() {
            output::warning(format_args!(
                "{account} stays guarded for now: as many accounts were marked as about to leave within 24 hours as may be \
                 (MaxDepartures of the stack). The keeper takes the control over when they are over"
            ));
        }
        let mut told = BTreeMap::new();
        for (target, look) in followed.looks {
            let nothing = Record::default();
            let record = now.regions.get(&target.region).unwrap_or(&nothing);
            let stays = Stays::recorded(account, record);
            let done = look.judged.standing.is_good() && record.ours.is_none() && stays.is_none();
            let text = stays.map_or_else(|| look.text(), |stays| format!("{}: {stays}", look.text()));
            told.insert(target.region, Released { done, text });
        }
        // The record says what the keeper did. Where the account may be read from here, it is looked at too.
        match self.look_again().await {
            Ok(seen) => told.extend(seen.into_iter().filter_map(|(region, after)| match after {
                After::Ours(what) => {
                    let text = format!("not released: {what} is there still");
                    Some((region, Released { done: false, text }))
                }
                After::NotOurs(what) => {
                    let text = format!("left alone, because it isn't ours: {}", Stays::of(account, &what)?);
                    Some((region, Released { done: false, text }))
                }
                After::Nothing | After::Unreadable(_) => None,
            })),
            Err(stopped) => output::warning(format_args!("what is there can't be read from here: {stopped}")),
        }
        for target in followed.left {
            let text = "the keeper has not looked at it yet".to_owned();
            told.entry(target.region).or_insert(Released { done: false, text });
        }
        Ok(told)
    }

    async fn cancel(&self, asking: Asking) -> anyhow::Result<u8> {
        let account = self.account;
        // The record may not know yet what was said a moment ago.
        let is_said = self.interrupts.or(engine::is_said_to_leave(self.keeper, account)).await?;
        if self.record.offboarding.is_none() && !is_said {
            output::note(format_args!("{account} isn't marked as about to leave"));
            if self.arguments.output == Output::Json {
                output::print_json(&json!({ "account": account, "leaving": false, "requested": null }));
            }
            return Ok(OK);
        }
        let mut so_far = Done::default();
        let question = format!("Have {account} guarded again as the baseline says?");
        if !asking.confirmed(&question, &so_far, &self.interrupts).await? {
            return Ok(UNFINISHED);
        }
        let asked = self.mark(Leaving::Stays, &mut so_far).await?;
        match self.arguments.output {
            Output::Json => output::print_done_json(&json!({
                "account": account,
                "leaving": false,
                "requested": asked.map(|(_, asked)| asked),
            })),
            Output::Text => {
                output::print_done(format_args!(
                    "{} the baseline counts in {account} again",
                    paint(ADDED, "ok:")
                ));
                match &asked {
                    Some((asked, _)) => output::note(asked),
                    None => output::note(format_args!(
                        "it is guarded by the next sweep, or by guardrailctl apply --account {account}"
                    )),
                }
            }
        }
        Ok(OK)
    }
}
