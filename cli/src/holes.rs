//! `guardrailctl holes`: what no enforcement reaches, and what closes it.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::output::{self, ALTERED, Bar, HEADING, QUIET, paint};
use super::reading::ReadingRole;
use super::{OK, Output, UNFINISHED, Unfit, connect, settings};
use crate::inspector::Inspector;
use guardrail_keeper::engine::{self, Keeper, Stopped};
use keeper_core::baseline::{Baseline, GuardrailKey};
use keeper_core::failure::Failure;
use keeper_core::holes::{
    EnabledRegions, EnforcementHole, GuardrailHoles, HoleClosing, MAX_CONTROL_POLICY_CHARACTERS,
};
use keeper_core::ids::{AccountId, Region};
use keeper_core::organization::{Account, Organization};
use keeper_core::settings::BaselineSource;

/// Say what no enforcement of the baseline reaches, and print the service control policy that closes what can be closed
///
/// For each guardrail that the baseline assigns: models that it leaves out, Regions that its accounts have enabled and it
/// doesn't name, content that it guards only where it is tagged, and the APIs of Bedrock on which enforced guardrails don't
/// act, or aren't known to. Each is told once, with what closes it: a service control policy, another baseline, or nothing.
///
/// Which Regions are enabled is asked of each account: by the management account for all, or by --role. --no-accounts leaves
/// that out and calls nothing but what reads the baseline. Whether anybody makes such calls isn't looked at.
///
/// Exits with 0, or with 1 if accounts could not be asked for their Regions.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    /// Only this guardrail, by its key in the baseline
    #[arg(long, value_name = "KEY")]
    guardrail: Option<GuardrailKey>,
    /// Print the service control policy of one guardrail, as JSON, and nothing else; attach it to what the guardrail is
    /// assigned to. It doesn't bind the management account
    #[arg(long)]
    service_control_policy: bool,
    /// Ask no account which Regions it has enabled
    #[arg(long, conflicts_with = "role")]
    no_accounts: bool,
    #[command(flatten)]
    reading: ReadingRole,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let settings = settings(arguments.baseline.clone())?;
    let keeper = connect(arguments.reading.settings(settings)).await?;
    let baseline = engine::baseline(&keeper).await?;
    // The policy denies in every Region that isn't named: who has enabled what makes no difference to it.
    let asks = !arguments.no_accounts && !arguments.service_control_policy;
    let enabled = if asks { enabled(&keeper, &baseline, arguments).await? } else { BTreeMap::new() };
    let mut all = GuardrailHoles::of(&baseline, &enabled);
    if let Some(key) = &arguments.guardrail {
        all.retain(|holes| holes.guardrail == *key);
        if all.is_empty() {
            return Err(Unfit(format!("the baseline assigns no guardrail {key}")).into());
        }
    }
    if arguments.service_control_policy {
        return print_policy(&all);
    }
    match arguments.output {
        Output::Json => output::print_json(&all.iter().map(in_json).collect()),
        Output::Text => print(&all),
    }
    let is_known = enabled.values().all(|regions| regions.unread == 0);
    Ok(if is_known { OK } else { UNFINISHED })
}

/// The Regions that the accounts of each guardrail have enabled.
async fn enabled(
    keeper: &Keeper,
    baseline: &Baseline,
    arguments: &Arguments,
) -> anyhow::Result<BTreeMap<GuardrailKey, EnabledRegions>> {
    let organization = engine::whole_organization(keeper).await?;
    let own = Inspector::own(keeper.cloud(), None).await.map_err(Stopped::NoIdentity)?;
    let covered: Vec<(&Account, BTreeSet<&GuardrailKey>)> = organization
        .accounts
        .values()
        .filter(|account| account.state.admits_work())
        .map(|account| (account, covering(baseline, account)))
        .filter(|(_, keys)| !keys.is_empty())
        .collect();
    let bar = Bar::new();
    let count = covered.len();
    let looks = covered.iter().map(|(account, keys)| {
        let (own, bar, organization) = (&own, &bar, &organization);
        let by_role = arguments.reading.role.is_some();
        async move {
            let regions = regions_of(keeper, organization, own, by_role, &account.id).await;
            bar.read_one("accounts", count);
            (keys, regions)
        }
    });
    let concurrency = keeper.settings().concurrency;
    let seen: Vec<_> = stream::iter(looks).buffer_unordered(concurrency).collect().await;
    let mut enabled: BTreeMap<GuardrailKey, EnabledRegions> = BTreeMap::new();
    for (keys, regions) in seen {
        for key in keys {
            let of_key = enabled.entry((*key).clone()).or_default();
            match &regions {
                Some(regions) => {
                    for region in regions {
                        *of_key.accounts.entry(region.clone()).or_default() += 1;
                    }
                }
                None => of_key.unread += 1,
            }
        }
    }
    Ok(enabled)
}

/// The guardrails that the baseline gives an account, on either level.
fn covering<'a>(baseline: &'a Baseline, account: &Account) -> BTreeSet<&'a GuardrailKey> {
    let own =
        baseline.assignment(&account.id, &account.path).filter(|_| !baseline.exclude.contains(&account.id));
    let own = own.and_then(|assignment| assignment.guardrail.as_ref());
    let inherited = baseline.covering_by_organization(&account.id, &account.path);
    own.into_iter().chain(inherited.map(|(_, assignment)| &assignment.guardrail)).collect()
}

/// The Regions that an account has enabled; `None` where it can't be asked.
async fn regions_of(
    keeper: &Keeper,
    organization: &Organization,
    own: &Inspector,
    by_role: bool,
    account: &AccountId,
) -> Option<BTreeSet<Region>> {
    let own_account = keeper.cloud().own_account();
    let seen: Result<BTreeMap<String, String>, Failure> = if account == own_account {
        own.regions(None).await
    } else if by_role {
        match keeper.cloud().session(account).await {
            Ok(session) => Inspector::new(&session, own.region()).regions(None).await,
            Err(failure) => Err(failure),
        }
    } else if *own_account == organization.management {
        own.regions(Some(account)).await
    } else {
        return None;
    };
    match seen {
        Ok(regions) => {
            let on = regions.into_iter().filter(|(_, status)| status.starts_with("ENABL"));
            Some(on.filter_map(|(region, _)| region.parse().ok()).collect())
        }
        Err(failure) => {
            output::warning(format_args!("the Regions of {account} are not known: {}", failure.said()));
            None
        }
    }
}

fn print(all: &[GuardrailHoles]) {
    if all.is_empty() {
        output::print("the baseline assigns no guardrail, so everything is unguarded");
        return;
    }
    for (position, GuardrailHoles { guardrail, targets, regions, holes }) in all.iter().enumerate() {
        if position > 0 {
            output::print("");
        }
        output::print(paint(HEADING, format_args!("{guardrail}: what its enforcement doesn't reach")));
        output::print(format_args!("assigned to {}, enforced in {}", listed(targets), listed(regions)));
        for hole in holes {
            let mark = match hole.closing() {
                HoleClosing::ControlPolicy | HoleClosing::Baseline(_) => paint(ALTERED, "~"),
                HoleClosing::Nothing(_) => paint(QUIET, "-"),
            };
            output::print(format_args!("{mark} {hole} [{}]", hole.code()));
            output::print(format_args!("    {}", hole.closing()));
        }
    }
    output::print("");
    output::print(
        "guardrailctl holes --service-control-policy prints the policy; it doesn't bind the management account",
    );
}

fn listed<T: std::fmt::Display>(items: &BTreeSet<T>) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Prints the policy of the one guardrail that is meant.
fn print_policy(all: &[GuardrailHoles]) -> anyhow::Result<u8> {
    let holes = match all {
        [holes] => holes,
        [] => return Err(Unfit("the baseline assigns no guardrail".to_owned()).into()),
        several => {
            let keys: Vec<&str> = several.iter().map(|holes| holes.guardrail.as_str()).collect();
            let text = format!(
                "the baseline assigns several guardrails: name one by --guardrail ({})",
                keys.join(", ")
            );
            return Err(Unfit(text).into());
        }
    };
    let policy = holes.control_policy();
    let characters = policy.to_string().chars().count();
    output::print_json(&policy);
    output::note(format_args!(
        "attach it to {}; it binds everything below, also accounts there that get another guardrail, and not the management \
         account",
        listed(&holes.targets)
    ));
    if characters > MAX_CONTROL_POLICY_CHARACTERS {
        output::warning(format_args!(
            "it has {characters} characters without white space, and AWS takes {MAX_CONTROL_POLICY_CHARACTERS}: attach its \
             statements as several policies"
        ));
    }
    Ok(OK)
}

fn in_json(holes: &GuardrailHoles) -> Value {
    let GuardrailHoles { guardrail, targets, regions, holes: all } = holes;
    let one = |hole: &EnforcementHole| {
        let mut told = json!({
            "code": hole.code(),
            "text": hole.to_string(),
            "closed_by": hole.closing().code(),
            "todo": hole.closing().to_string(),
        });
        match hole {
            EnforcementHole::ExcludedModels(models) | EnforcementHole::OnlyTheseModels(models) => {
                told["models"] = json!(models);
            }
            EnforcementHole::OtherRegions(Some(EnabledRegions { accounts, unread })) => {
                told["regions"] = json!(accounts);
                told["accounts_not_asked"] = json!(unread);
            }
            EnforcementHole::OtherRegions(None)
            | EnforcementHole::Untagged(_)
            | EnforcementHole::Surface(_) => {}
        }
        told
    };
    json!({
        "guardrail": guardrail,
        "targets": targets.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "regions": regions,
        "holes": all.iter().map(one).collect::<Vec<_>>(),
        "service_control_policy": holes.control_policy(),
    })
}
