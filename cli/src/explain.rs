//! `guardrailctl explain`: why is this target as it is?

mod inherited;
mod recorded;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use self::inherited::InheritedGuardrails;
use super::names::{self, Named, Names};
use super::output::{self, Bar, HEADING, QUIET, paint};
use super::plan::by_record;
use super::reading::ReadingRole;
use super::status::why_it_waits;
use super::time::Age;
use super::{OK, Output, UNFINISHED, connect, settings};
use guardrail_keeper::engine::{self, Admission, Stopped, Survey, everything};
use keeper_core::baseline::{AssignmentTarget, Baseline, Placement};
use keeper_core::ids::{AccountId, Region, Target};
use keeper_core::limits::EffectiveBaseline;
use keeper_core::observed::Observation;
use keeper_core::organization::{AccountState, OrgPath};
use keeper_core::plan::{CleanUp, Decision, Plan};
use keeper_core::record::{AccountRecord, Record};
use keeper_core::settings::BaselineSource;
use keeper_core::status::{Criteria, Judged, Standing, Subject, judge};
use keeper_core::trigger::{Accounts, Regions, Scope};

/// Say why one target is as it is: what is wanted there and why, seen, recorded and decided
///
/// Looks at the target as it is now, and writes nothing.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The account, by its id or its name
    account: Named<AccountId>,
    /// The Region
    region: Region,
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    #[command(flatten)]
    reading: ReadingRole,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { account, region, baseline, reading, output } = arguments;
    let settings = settings(baseline.clone())?;
    let keeper = connect(reading.settings(settings)).await?;
    let present = engine::baseline(&keeper).await?;
    let account = &names::account(&keeper, account).await?;
    let record = keeper.ledger().account(account).await.map_err(Stopped::Ledger);
    let record = record.context("the record can't be read")?;
    let EffectiveBaseline { baseline, candidate, .. } =
        engine::effective(&keeper, &present).await.map_err(Stopped::Ledger)?;
    let scope = Scope {
        accounts: Accounts::one(account.clone()),
        regions: Regions::one_or_all(Some(region.clone())),
        ..everything()
    };
    let bar = Bar::new();
    let admission = candidate.clone().map_or(Admission::WithinLimits, Admission::PutBack);
    let survey = engine::survey_as(&keeper, &baseline, &scope, &admission, &|step| bar.step(step)).await?;
    drop(bar);
    let target = Target { account: account.clone(), region: region.clone() };
    let plan = survey.plan.plan().clone();
    // A worker acts on a revision only once the whole of it was counted.
    let is_limited = engine::is_deployed(&keeper) && candidate.is_none();
    let plan = if is_limited {
        plan.limit_part(&survey.view.known.approval, &survey.view.known.records)
    } else {
        plan
    };
    let names = Names::read(&keeper, survey.view.organization.accounts.values()).await;
    let explained = Explained { baseline: &baseline, account: &record, target, survey: &survey, plan, names };
    match output {
        Output::Json => output::print_json(&explained.to_json()),
        Output::Text => explained.print(),
    }
    survey.view.known.warnings.iter().for_each(output::warning);
    if let Some(candidate) = &candidate {
        output::warning(why_it_waits(candidate, Some(&baseline.revision)));
    }
    Ok(match explained.decision() {
        Some(_) if explained.unknown_state().is_some() || candidate.is_some() => UNFINISHED,
        Some(Decision::InSync(_) | Decision::LeftAlone(_) | Decision::Change(_) | Decision::CleanUp(_)) => OK,
        Some(Decision::Held(_) | Decision::Broken(_)) | None => UNFINISHED,
    })
}

struct Explained<'a> {
    baseline: &'a Baseline,
    account: &'a AccountRecord,
    target: Target,
    survey: &'a Survey,
    plan: Plan,
    names: Names,
}

impl Explained<'_> {
    fn decision(&self) -> Option<&Decision> {
        self.plan.decisions.get(&self.target)
    }

    fn record(&self) -> Record {
        self.account.regions.get(&self.target.region).cloned().unwrap_or_default()
    }

    /// The account's state, where this version doesn't know it.
    fn unknown_state(&self) -> Option<&AccountState> {
        let account = self.survey.view.organization.accounts.get(&self.target.account)?;
        Some(&account.state).filter(|state| state.is_unknown())
    }

    /// How the target stands by the record alone, as `status` would show it after a fresh look.
    fn standing(&self) -> Judged {
        let record = self.record();
        let wanted = self.survey.view.desired.get(&self.target);
        let subject = Subject { target: &self.target, wanted, path: self.path(), record: &record };
        let Baseline { revision, .. } = self.baseline;
        let (now, oldest) = (Timestamp::now(), Timestamp::MIN);
        let judged = judge(subject, Criteria { now, oldest, revision: Some(revision) });
        judged.where_it_may_leave(&self.target.account, self.account, &record)
    }

    fn path(&self) -> Option<&OrgPath> {
        self.survey.view.organization.accounts.get(&self.target.account).map(|account| &account.path)
    }

    /// What is wanted, and which assignment says so.
    fn wanted(&self) -> String {
        let Target { account, region } = &self.target;
        let Some(path) = self.path() else {
            return "nothing is known: it is no member of this organization".to_owned();
        };
        let named: Vec<String> = self.baseline.regions().iter().map(ToString::to_string).collect();
        let why = match self.baseline.covering(account, path).next() {
            None => {
                let level =
                    if self.baseline.has_organization_level() { " of the account's level" } else { "" };
                format!("nothing: no assignment{level} covers the account, so what is there stays")
            }
            Some((by, assignment)) => {
                let by = self.place(&by);
                let guardrail = assignment.guardrail.as_ref();
                match guardrail.and_then(|key| Some((key, self.baseline.guardrail(key)?))) {
                    None => format!("nothing, on purpose, by {by}"),
                    Some((key, guardrail)) => match guardrail.regions.get(region) {
                        Some(source) => format!("{key}:{}, by {by}", source.version),
                        None => format!(
                            "nothing: {key}, by {by}, is not enforced in {region}; the baseline names {}",
                            named.join(", ")
                        ),
                    },
                }
            }
        };
        if let Some(since) = self.account.offboarding {
            return format!("nothing: the account is about to leave, since {since}; else {why}");
        }
        if self.baseline.exclude.contains(account) {
            return format!("nothing is written: the account is excluded; else {why}");
        }
        why
    }

    fn place(&self, by: &AssignmentTarget) -> String {
        match self.baseline.line_of(by) {
            Some(line) => format!("the assignment of {by} (line {line})"),
            None => format!("the assignment of {by}"),
        }
    }

    /// The assignments that would count if the one that does weren't there.
    fn overruled(&self) -> Vec<String> {
        let Some(path) = self.path() else { return Vec::new() };
        let covering = self.baseline.covering(&self.target.account, path).skip(1);
        covering
            .map(|(by, assignment)| {
                let guardrail = assignment.guardrail.as_ref().map_or("none", |key| key.as_str());
                format!("{guardrail}, by {}", self.place(&by))
            })
            .collect()
    }

    /// What the organization's level gives by the baseline, beside the account's own.
    fn organization_level(&self) -> Option<InheritedGuardrails<'_>> {
        InheritedGuardrails::of(self.baseline, &self.target, self.path())
    }

    /// What is known of AWS's answer, where the target's guardrail is placed by it.
    fn placement(&self) -> Option<String> {
        let path = self.path()?;
        let assignment = self.baseline.assignment(&self.target.account, path)?;
        let guardrail = self.baseline.guardrail(assignment.guardrail.as_ref()?)?;
        (guardrail.placement == Placement::Auto)
            .then(|| format!("auto: {}", self.survey.view.known.placing.record))
    }

    fn seen(&self) -> String {
        match self.survey.view.observed.get(&self.target) {
            None => "not looked at".to_owned(),
            Some(Observation::Enforced(seen)) => {
                let account = &seen.enforcement.guardrail.account;
                let own = *account == self.target.account && !self.baseline.is_owner(account);
                let own = if own {
                    " (a guardrail of the account's own, with version numbers of its own)"
                } else {
                    ""
                };
                let by = seen.last_writer().map(|by| format!(", written last by {by}"));
                format!("{}{own}{}", seen.enforcement, by.unwrap_or_default())
            }
            Some(observation @ (Observation::Absent | Observation::Unreadable(_))) => observation.to_string(),
        }
    }

    /// The decision that a run would come to now: a word, and what it says.
    fn decided(&self) -> (&'static str, String) {
        match self.decision() {
            Some(Decision::Change(change)) => (change.verb(), format!("{} {change}", change.mark())),
            Some(Decision::CleanUp(clean_up)) => (CleanUp::VERB, clean_up.line().to_string()),
            Some(Decision::Held(held)) => {
                let would = held.would.as_ref().map(|change| format!(" (it would be: {change})"));
                (
                    "hold",
                    format!("held [{}]: {}{}", held.reason.code(), held.reason, would.unwrap_or_default()),
                )
            }
            Some(Decision::Broken(broken)) => {
                ("broken", format!("broken [{}]: {}", broken.unusable.code(), broken.unusable))
            }
            Some(Decision::InSync(in_sync)) => match (&in_sync.enforced, &in_sync.kept) {
                (Some(_), Some(kept)) => ("in-sync", format!("in sync: {kept}")),
                (Some(_), None) => ("in-sync", "in sync".to_owned()),
                (None, _) => ("in-sync", "in sync: nothing is wanted, and nothing is there".to_owned()),
            },
            Some(Decision::LeftAlone(left)) if left.would_abandon => {
                (left.verb(), format!("would be abandoned: {}", left.reason))
            }
            Some(Decision::LeftAlone(left)) => (left.verb(), format!("left alone: {}", left.reason)),
            None => match self.survey.view.organization.accounts.get(&self.target.account) {
                Some(account) if !account.state.admits_work() => {
                    ("none", format!("no calls are made: the account is {}", account.state))
                }
                Some(_) => ("none", "none: neither the baseline nor the record knows this Region".to_owned()),
                None => ("none", "no calls are made: it is no member of this organization".to_owned()),
            },
        }
    }

    fn print(&self) {
        let now = Timestamp::now();
        let Target { account, region } = &self.target;
        let name = self.names.of(account).map(|name| format!("  {name}")).unwrap_or_default();
        let place = self.path().map(|path| format!(", {path}")).unwrap_or_default();
        output::print(format_args!("{}{name}{place}", paint(HEADING, format_args!("{account}/{region}"))));
        if let Some(state) = self.unknown_state() {
            row("account", &format!("{state}: it is guarded as usual, and nothing is taken away there"));
        }
        row("wanted", &self.wanted());
        for overruled in self.overruled() {
            row("", &format!("instead of {overruled}"));
        }
        if let Some(level) = self.organization_level() {
            row("inherits", &level.given());
            for overruled in level.overruled() {
                row("", &format!("instead of {overruled}"));
            }
        }
        row("seen", &self.seen());
        if let Some(age) = &self.survey.by_record {
            row("", &by_record(age));
        }
        for (name, text) in recorded::lines(&self.record(), self.account, now) {
            row(name, &text);
        }
        let record = self.record();
        let Judged { standing, reason } = self.standing();
        // Where the last look still counts, its own line says it all.
        if record.checked.as_ref().is_some_and(|checked| Standing::of(checked.state) != standing) {
            row("status", &format!("{standing}: {}", reason.unwrap_or_default()));
        }
        if let Some(placement) = self.placement() {
            row("placement", &placement);
        }
        row("decision", &self.decided().1);
        for (index, entry) in record.history.iter().rev().enumerate() {
            let event = entry.event.as_ref().map(|event| format!(", by event {event}")).unwrap_or_default();
            let text = format!("{}: {}{event}", Age::of(entry.at, now), entry.text);
            row(if index == 0 { "history" } else { "" }, &text);
        }
        let Baseline { revision, mode, .. } = self.baseline;
        output::print(paint(QUIET, format_args!("baseline {revision}, mode {mode}")));
    }

    fn to_json(&self) -> Value {
        let Target { account, region } = &self.target;
        let (decision, text) = self.decided();
        let Judged { standing, reason } = self.standing();
        let covering = self.path().and_then(|path| self.baseline.covering(account, path).next());
        let seen = match self.survey.view.observed.get(&self.target) {
            None => Value::Null,
            Some(Observation::Absent) => json!({ "enforced": null }),
            Some(Observation::Enforced(seen)) => json!({ "enforced": seen }),
            Some(Observation::Unreadable(failure)) => json!({ "unreadable": failure }),
        };
        json!({
            "account": account,
            "region": region,
            "path": self.path(),
            "names": self.names.to_json(),
            "baseline": self.baseline.revision,
            "mode": self.baseline.mode,
            "wanted": {
                "text": self.wanted(),
                "assignment": covering.as_ref().map(|(by, _)| json!({
                    "target": by.to_string(),
                    "line": self.baseline.line_of(by),
                    "guardrail": covering.as_ref().and_then(|(_, it)| it.guardrail.as_ref()),
                })),
                "instead_of": self.overruled(),
            },
            "organization_level": self.organization_level().map(|level| level.to_json()),
            "placement": self.placement(),
            "seen": seen,
            "by_record": self.survey.by_record,
            "record": self.record(),
            "status": { "state": standing, "reason": reason },
            "closed": self.account.closed,
            "leaving_since": self.account.offboarding,
            "decision": {
                "kind": decision,
                "code": self.decision().and_then(Decision::code),
                "text": text,
            },
        })
    }
}

fn row(name: &str, text: &str) {
    output::print(format_args!("{name:<9} {text}"));
}
