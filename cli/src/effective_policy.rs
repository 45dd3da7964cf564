//! `guardrailctl effective-policy`: what does the organization enforce in this account, and which policy says so?

mod json;
mod print;

use std::path::PathBuf;

use clap::Args;

use super::names::{self, Named, Names};
use super::output;
use super::reading::ReadingRole;
use super::{OK, Output, UNFINISHED, Unfit, connect, settings};
use guardrail_keeper::cloud::Head;
use guardrail_keeper::engine::{Keeper, Stopped};
use keeper_core::bedrock_policy::{ExplainedPolicy, PublishedPolicy, SeenAccountPolicies};
use keeper_core::ids::{AccountId, Region};
use keeper_core::organization::Account;
use keeper_core::record::{AccountRecord, LastSeen};
use keeper_core::settings::{BaselineSource, LedgerSource};

const LONG_ABOUT: &str = "\
Show an account's effective Bedrock policy, and which policy each value comes from

Policies of AWS Organizations of type BEDROCK_POLICY enforce guardrails in every account below the root, an OU or an \
account. This shows what AWS publishes to one account, and what the policies on its path come to by the rules of \
docs/organization-level.md, value by value. Where both differ, both are shown; a value that depends on the order in \
which policies were attached, which AWS shows nowhere, is marked. A frozen account is shown with AWS's reasons and \
the policies to correct.

Only reads. It needs credentials that may read the organization: the management account's, or those of a delegated \
administrator. It needs no baseline; where KEEPER_LEDGER names the keeper's ledger, it says in which Regions the \
account level enforces a guardrail too.

Exits with 0 if everything could be read and AWS publishes what the attached policies come to, or no policy reaches \
the account, with 1 otherwise.";

/// Show an account's effective Bedrock policy, and which policy each value comes from
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    /// The account, by its id or its name
    account: Named<AccountId>,
    #[command(flatten)]
    reading: ReadingRole,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    // No baseline is read, and none needs to be set.
    let settings = settings(Some(BaselineSource::File(PathBuf::new())))?;
    let keeper = connect(arguments.reading.settings(settings)).await?;
    let id = names::account(&keeper, &arguments.account).await?;
    let (head, account) = placed(&keeper, &id).await?;
    let reader = keeper.cloud().own_bedrock_policies().await.map_err(Stopped::NoIdentity)?;
    let seen = reader.of_account(&id, &account.path).await;
    let explained = seen.explained();
    let mut names = Names::default();
    names.add(&id, &account.name, Some(&account.path));
    let names = names.and_units(&keeper, account.path.parents().iter().cloned().collect()).await;
    let shown = ShownPolicies {
        is_management: id == head.management,
        account_level: account_level(&keeper, &id, &seen).await,
        names,
        seen: &seen,
        explained: &explained,
    };
    match arguments.output {
        Output::Json => output::print_json(&shown.to_json()),
        Output::Text => shown.print(),
    }
    Ok(if explained.state.is_good() { OK } else { UNFINISHED })
}

/// The account as Organizations has it.
async fn placed(keeper: &Keeper, id: &AccountId) -> anyhow::Result<(Head, Account)> {
    let organizations = keeper.cloud().organizations();
    let head = organizations.head().await.map_err(Stopped::OrganizationUnreadable)?;
    let account = organizations.account(&head, id).await.map_err(Stopped::OrganizationUnreadable)?;
    match account {
        Some(account) => Ok((head, account)),
        None => Err(Unfit(format!(
            "{id} is no account of {}: correct the number, or use credentials of its organization",
            head.id
        ))
        .into()),
    }
}

/// What is shown of an account.
struct ShownPolicies<'a> {
    seen: &'a SeenAccountPolicies,
    explained: &'a ExplainedPolicy,
    names: Names,
    is_management: bool,
    /// The Regions in which both levels enforce a guardrail, with what the record last saw on the account's own.
    account_level: Vec<(Region, LastSeen)>,
}

/// What the ledger knows of the account's own level, in Regions in which the organization enforces something.
async fn account_level(
    keeper: &Keeper,
    account: &AccountId,
    seen: &SeenAccountPolicies,
) -> Vec<(Region, LastSeen)> {
    let Ok(PublishedPolicy::Effective(published)) = &seen.published else { return Vec::new() };
    match &keeper.settings().ledger {
        LedgerSource::Memory => return Vec::new(),
        LedgerSource::File(path) if !path.exists() => return Vec::new(),
        LedgerSource::File(_) | LedgerSource::Table(_) => {}
    }
    let record: AccountRecord = match keeper.ledger().account(account).await {
        Ok(record) => record,
        Err(error) => {
            output::warning(format_args!(
                "what is enforced on the account level is not known: {}",
                Stopped::Ledger(error)
            ));
            return Vec::new();
        }
    };
    let both = published.regions().into_keys().filter_map(|region| {
        let seen = record.regions.get(&region)?.seen.clone()?;
        seen.enforcement.is_some().then_some((region, seen))
    });
    both.collect()
}
