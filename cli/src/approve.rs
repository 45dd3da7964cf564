//! `guardrailctl approve`: lets the present baseline change more than its limits allow.

use std::collections::BTreeMap;

use anyhow::bail;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::asking::Asking;
use super::ending::{self, Done};
use super::interrupts::Interrupts;
use super::output::{self, ADDED, paint};
use super::{OK, Output, UNFINISHED, USAGE, connect, deployed, durable_ledger, settings};
use guardrail_keeper::engine::{self, Approving, Ask, Asked, Keeper, Stopped};
use guardrail_keeper::ledger::LedgerError;
use keeper_core::baseline::{Limits, Revision};
use keeper_core::enforcement::Enforcement;
use keeper_core::ids::{AccountId, Target};
use keeper_core::limits::{Extent, RevisionApproval, UnusableVersion};
use keeper_core::record::AccountRecord;
use keeper_core::settings::BaselineSource;
use keeper_core::trigger::{Accounts, Regions};

/// Let the present baseline change more than its limits allow
///
/// Writes the revision into the approval's parameter, beside the baseline's. The deployed keeper takes it from there, with
/// who wrote the baseline and who approved it, and acts on it at once. The approval of a baseline in a file is in the
/// ledger. Moves of accounts that were held because there were too many within a day are let go as well, and so are the
/// release of what another principal made and the keeper adopted, and releases of guardrails that can't be used
/// (`on_unusable: release`), as far as they were found by now.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The revision: that of the present baseline
    revision: Revision,
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { revision, baseline, yes, output } = arguments;
    let Some(asking) = Asking::new(*yes, *output, "approve") else { return Ok(USAGE) };
    let settings = settings(baseline.clone())?;
    durable_ledger(&settings, "approve")?;
    let keeper = connect(settings).await?;
    let baseline = engine::baseline(&keeper).await?;
    if baseline.revision != *revision {
        bail!("the baseline's revision is {}, not {revision}: read its plan first", baseline.revision);
    }
    let known = keeper.ledger().revision_approval().await.map_err(Stopped::Ledger)?;
    let approval = RevisionApproval::of(known, revision);
    let adopted = awaited(&keeper, revision).await?;
    let unusable = keeper.ledger().unusable().await.map_err(Stopped::Ledger)?;
    let unusable: Vec<&UnusableVersion> = unusable.unapproved(Timestamp::now()).collect();
    if *output == Output::Text {
        print(&approval, baseline.limits);
        print_adopted(&adopted);
        unusable.iter().for_each(|version| output::print(format_args!("  {version}")));
    }
    output::shown()?;
    let interrupts = Interrupts::listen()?;
    let mut done = Done::default();
    if !asking.confirmed(&format!("Approve baseline {revision}?"), &done, &interrupts).await? {
        return Ok(UNFINISHED);
    }
    let written = interrupts.finish(write(&keeper, revision, &mut done), || ()).await;
    let (approving, asked) = written
        .unwrap_or_else(|| Err(interrupts.ended("stopped while the approval was under way".to_owned())))?;
    match output {
        Output::Json => output::print_done_json(&json!({
            "revision": revision,
            "was_approved": approval.approved,
            "counted": approval.counted,
            "names_nobody": approval.names_nobody,
            "done": approval.done,
            "limits": in_json(baseline.limits),
            "releases_adopted": adopted.keys().collect::<Vec<_>>(),
            "unusable": unusable,
            "requested": asked.as_ref().map(deployed::in_json),
            "parameter": match &approving {
                Approving::Put { parameter, version } => json!({ "name": parameter, "version": version }),
                Approving::Recorded | Approving::Refused(_) => Value::Null,
            },
            "refused": match &approving {
                Approving::Refused(given) => json!(given),
                Approving::Recorded | Approving::Put { .. } => Value::Null,
            },
        })),
        Output::Text => print_done(revision, &approving, asked.as_ref()),
    }
    Ok(if matches!(approving, Approving::Refused(_)) { UNFINISHED } else { OK })
}

/// What an approval led to, in words.
///
/// # Errors
/// When it doesn't count; then the error says why.
pub(super) fn in_words(revision: &Revision, approving: Approving) -> anyhow::Result<String> {
    match approving {
        Approving::Recorded => Ok(format!("baseline {revision} was approved")),
        Approving::Put { parameter, version } => {
            Ok(format!("{parameter} approves baseline {revision}, as version {version}"))
        }
        Approving::Refused(given) => bail!("baseline {revision} is not approved: {given}"),
    }
}

fn print_done(revision: &Revision, approving: &Approving, asked: Option<&Asked>) {
    match approving {
        Approving::Put { parameter, version } => {
            output::print_done(format_args!(
                "{} {parameter} approves baseline {revision}, as version {version}",
                paint(ADDED, "ok:")
            ));
            output::note(
                "the deployed keeper hears of it by itself; guardrailctl status says what came of it",
            );
        }
        Approving::Refused(given) => output::print_done(format_args!("baseline {revision}: {given}")),
        Approving::Recorded => {
            output::print_done(format_args!("{} baseline {revision} is approved", paint(ADDED, "ok:")));
            match asked {
                Some(asked) => output::note(deployed::in_words(asked)),
                None => output::note("the next sweep acts on it, or guardrailctl apply now"),
            }
        }
    }
}

/// How many releases are listed.
const LISTED: usize = 20;

/// What was adopted and waits for this approval to be released, by the record.
async fn awaited(keeper: &Keeper, revision: &Revision) -> Result<BTreeMap<Target, Enforcement>, Stopped> {
    let mut found = BTreeMap::new();
    let add = |account: AccountId, record: Result<AccountRecord, LedgerError>| {
        if let Err(error) = &record {
            output::warning(format_args!(
                "failed to read the record of {account}, so the approval may release something there that \
                 was adopted: {error}"
            ));
        }
        for (region, record) in record.into_iter().flat_map(|record| record.regions) {
            if record.awaited.is_some_and(|awaited| awaited.revision == *revision)
                && let Some(ours) = record.ours
            {
                found.insert(Target { account: account.clone(), region }, ours.enforcement);
            }
        }
    };
    keeper.ledger().each_known_account(add).await?;
    Ok(found)
}

fn print_adopted(adopted: &BTreeMap<Target, Enforcement>) {
    if adopted.is_empty() {
        return;
    }
    output::print(format_args!(
        "  made by another principal, adopted, and to be released: {}",
        adopted.len()
    ));
    for (target, enforcement) in adopted.iter().take(LISTED) {
        output::print(format_args!("    {target} {enforcement}"));
    }
    if adopted.len() > LISTED {
        output::print(format_args!("    and {} more", adopted.len() - LISTED));
    }
}

/// Gives the approval. A deployed keeper hears of one in a parameter; of one in the ledger it is told here.
async fn write(
    keeper: &Keeper,
    revision: &Revision,
    done: &mut Done,
) -> anyhow::Result<(Approving, Option<Asked>)> {
    let approving = ending::recorded(
        engine::approve(keeper, revision).await,
        &format!("whether baseline {revision} was approved"),
    )?;
    if approving != Approving::Recorded || !engine::is_deployed(keeper) {
        return Ok((approving, None));
    }
    done.add(format!("baseline {revision} is approved"));
    let ask = Ask {
        accounts: Accounts::All,
        regions: Regions::All,
        reason: format!("baseline {revision} was approved"),
        plan: None,
    };
    let asked = done.or_say(deployed::ask(keeper, &ask).await)?;
    Ok((approving, Some(asked)))
}

fn print(approval: &RevisionApproval, limits: Limits) {
    let RevisionApproval { revision, approved, done, counted, moved, names_nobody, earlier, .. } = approval;
    let counted = counted.map_or_else(
        || "its changes are not counted yet".to_owned(),
        |counted| format!("all of it: {counted}"),
    );
    output::print(format_args!("baseline {revision}"));
    output::print(format_args!("  {counted}"));
    if !names_nobody.is_empty() {
        output::print(format_args!("  it names {names_nobody}"));
    }
    output::print(format_args!("  done without approval: {done}"));
    if *earlier != Extent::default() {
        output::print(format_args!(
            "  done by earlier revisions within a day, without a person's approval: {earlier}"
        ));
    }
    if *moved != keeper_core::limits::Moved::default() {
        output::print(format_args!("  for accounts that were moved lately: {}", moved.extent));
    }
    output::print(format_args!("  its limits: {}", limits_in_words(limits)));
    if *approved {
        output::print("  it is approved already");
    } else if let Some(refused) = approval.refused() {
        output::print(format_args!("  {refused}"));
    }
}

/// Limits as people read them.
pub(super) fn limits_in_words(limits: Limits) -> String {
    let Limits { max_replacements, max_releases, max_abandonments } = limits;
    format!("{max_replacements} replaced, {max_releases} released, {max_abandonments} abandoned")
}

/// Limits as the baseline writes them.
pub(super) fn in_json(limits: Limits) -> serde_json::Value {
    let Limits { max_replacements, max_releases, max_abandonments } = limits;
    json!({
        "max_replacements": max_replacements,
        "max_releases": max_releases,
        "max_abandonments": max_abandonments,
    })
}
