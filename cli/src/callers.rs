//! `guardrailctl callers`: who in an account invokes models, and would lose that by an enforcement?

mod chosen;
mod look;
mod told;

use clap::Args;
use futures_util::{StreamExt, stream};

use super::names::Named;
use super::output::{self, Bar};
use super::reading::ReadingRole;
use super::{OK, Output, UNFINISHED, Unfit, connect_with, settings};
use chosen::ChosenAccounts;
use guardrail_keeper::cloud::Patience;
use guardrail_keeper::engine::Keeper;
use keeper_core::ids::{AccountId, GuardrailArn, ParentId, Region};
use keeper_core::resolved::Unusable;
use keeper_core::settings::BaselineSource;
use told::CallersPrinter;

const LONG_ABOUT: &str = "\
Find roles and users that invoke models and would lose access by an enforcement

Where a guardrail is enforced, callers of InvokeModel or Converse need bedrock:ApplyGuardrail on it. For each role \
and user of an account, iam:SimulatePrincipalPolicy answers: may it invoke any foundation model of the Region, and \
may it apply the guardrail that the baseline wants there? Where the guardrail is encrypted with a customer managed \
KMS key, may it decrypt with the key?

Accounts are named one by one, by OU (--ou), or all at once (--all); where the baseline enforces nothing, nothing is \
simulated. An account or a Region that can't be read is listed as not known, and the others are checked all the \
same. Each account is printed as soon as it was checked, with a summary of all at the end.

The simulation covers identity policies, permissions boundaries and service control policies. It \
doesn't see resource control policies, session policies, endpoint policies of a VPC, models other than \
foundation models, nor values of conditions that only a call has. Whether the guardrail's own resource \
policy admits the account is what `doctor` and `plan` look at. Roles of AWS's services are skipped.

It runs with credentials of the account itself, or with --role: a role with read access that these \
credentials may assume in the accounts, and in the one that owns the guardrails.

Exits with 0 if no principal would lose access, with 1 if one would or it isn't known.";

/// Find roles and users that invoke models and would lose access by an enforcement
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    /// The accounts, by their ids or names
    #[arg(required_unless_present_any = ["ou", "all"])]
    account: Vec<Named<AccountId>>,
    /// The accounts under this OU or root, by its id or its name; may be given several times
    #[arg(long, value_name = "OU")]
    ou: Vec<Named<ParentId>>,
    /// All accounts of the organization
    #[arg(long, conflicts_with_all = ["account", "ou"])]
    all: bool,
    /// Only this Region; may be given several times
    #[arg(long, value_name = "CODE")]
    region: Vec<Region>,
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    /// Ask about this guardrail, whatever the baseline says; needs no baseline, and for ids no organization
    #[arg(long, value_name = "ARN", conflicts_with = "baseline")]
    guardrail: Option<GuardrailArn>,
    #[command(flatten)]
    reading: ReadingRole,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What is asked about in one Region.
struct RegionCheck {
    region: Region,
    /// In words: `corporate:2`.
    what: String,
    /// What callers need; or why that isn't known.
    needed: Result<Needed, Unusable>,
    /// What else could not be read, so that principals may be missing.
    gaps: Vec<String>,
}

/// The permissions that a principal needs to call models.
#[derive(Clone)]
struct Needed {
    /// The ARNs of guardrail and profile.
    resources: Vec<String>,
    /// The customer managed key of the guardrail, where it has one.
    key: Option<String>,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if let Some(arn) = &arguments.guardrail
        && arguments.region.iter().any(|region| *region != arn.region)
    {
        return Err(Unfit(format!("{arn} can be enforced in {} only", arn.region)).into());
    }
    let keeper = connect(arguments).await?;
    let ChosenAccounts { subjects, names, unmet } = ChosenAccounts::of(&keeper, arguments).await?;
    let all = subjects.len();
    let bar = Bar::new();
    bar.begin_principals();
    let mut telling = CallersPrinter::begin(arguments.output, &names, all, &bar);
    let given = arguments.guardrail.as_ref();
    let looks = subjects.into_iter().map(|subject| look::look(&keeper, subject, given, &bar));
    let mut looks = stream::iter(looks).buffered(keeper.settings().concurrency);
    while let Some(found) = looks.next().await {
        telling.add(&found);
        if output::shown().is_err() {
            // The reader of the output has gone, and the rest isn't known.
            return Ok(UNFINISHED);
        }
    }
    Ok(if telling.end(&unmet) { OK } else { UNFINISHED })
}

async fn connect(arguments: &Arguments) -> anyhow::Result<Keeper> {
    let Arguments { baseline, guardrail, reading, .. } = arguments;
    // With a guardrail given, the baseline isn't read, and needn't be set.
    let unread = guardrail.as_ref().map(|_| BaselineSource::File(std::path::PathBuf::new()));
    let settings = reading.settings(settings(baseline.clone().or(unread))?);
    // IAM's simulation is throttled early.
    let patience =
        Patience { operation: std::time::Duration::from_secs(120), attempts: 10, ..Patience::default() };
    Ok(connect_with(settings, patience).await?)
}
