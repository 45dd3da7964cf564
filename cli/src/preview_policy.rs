//! `guardrailctl preview-policy`: what would this change of a Bedrock policy do, and to whom?

mod json;
mod print;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::names::Names;
use super::output::{self, Bar};
use super::{OK, Output, UNFINISHED, Unfit, connect, read_file, settings};
use crate::inspector::{BedrockPolicyReader, SeenPolicies};
use guardrail_keeper::engine::{self, Stopped};
use keeper_core::bedrock_policy::{
    AccountPaths, AttachPoint, BedrockPolicy, ChangePreview, ConfigurationContent, Consequence,
    InvalidBedrockPolicy, PolicyChange, PolicyId, RegionContent, preview,
};
use keeper_core::failure::Failure;
use keeper_core::ids::AccountId;
use keeper_core::organization::Organization;
use keeper_core::settings::BaselineSource;

const LONG_ABOUT: &str = "\
Show what a change of a Bedrock policy would do to each account, before anybody makes it

Four changes can be looked at:

  FILE --attach-to TARGET        a new policy is attached
  FILE --policy ID               a policy says what is in the file, wherever it is attached
  --policy ID --attach-to TARGET     a policy is attached there, besides
  --policy ID --detach-from TARGET   a policy is detached

Every Bedrock policy of the organization and every account's place are read. What each account has now and would have \
is computed by the rules of docs/organization-level.md, under every answer to what AWS doesn't document: whom the \
change freezes, whom it gives something else, and where it depends on an order that AWS doesn't show. Nothing is \
written. Whether the guardrail exists, and whether the accounts may apply it, isn't looked at.

It needs credentials that may read the organization: the management account's, or those of a delegated administrator.

Exits with 0 if no account is frozen, guarded less than before, or not known; with 1 otherwise.";

/// Show what a change of a Bedrock policy would do to each account, before anybody makes it
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    /// The file with the policy's content, as JSON; - is standard input
    file: Option<PathBuf>,
    /// A policy that is there, by its id
    #[arg(long, value_name = "ID")]
    policy: Option<PolicyId>,
    /// The root, the OU or the account that a policy would be attached to, by its id
    #[arg(long, value_name = "TARGET", conflicts_with = "detach_from")]
    attach_to: Option<AttachPoint>,
    /// The root, the OU or the account that a policy would be detached from, by its id
    #[arg(long, value_name = "TARGET")]
    detach_from: Option<AttachPoint>,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let change = arguments.change()?;
    // No baseline is read, and none needs to be set.
    let keeper = connect(settings(Some(BaselineSource::File(PathBuf::new())))?).await?;
    let organization = engine::whole_organization(&keeper).await?;
    let reader = BedrockPolicyReader::new(keeper.cloud()).await.map_err(Stopped::NoIdentity)?;
    let bar = Bar::new();
    let seen = reader.everything(|all| bar.read_one("policies", all)).await;
    let seen = seen.map_err(Stopped::OrganizationUnreadable)?;
    drop(bar);
    let paths: AccountPaths =
        organization.accounts.values().map(|account| (account.id.clone(), account.path.clone())).collect();
    let after = change.applied(&seen.policies).map_err(|impossible| Unfit(impossible.to_string()))?;
    let preview = preview(&seen.policies, &after, &paths);
    let shown = preview.groups.iter().flat_map(|group| &group.accounts);
    let names = Names::read(&keeper, shown.filter_map(|account| organization.accounts.get(account))).await;
    let previewed = PreviewedChange {
        change: &change,
        preview: &preview,
        seen: &seen,
        organization: &organization,
        names,
    };
    match arguments.output {
        Output::Json => output::print_json(&previewed.to_json()),
        Output::Text => previewed.print(),
    }
    previewed.warn_of_owners();
    let is_known = previewed.compare_frozen(reader.frozen().await);
    let is_harmful = preview.groups.iter().any(|group| group.consequence.is_harmful());
    Ok(if is_harmful || !is_known || !organization.unplaced.is_empty() { UNFINISHED } else { OK })
}

/// What is shown of a change.
struct PreviewedChange<'a> {
    change: &'a PolicyChange,
    preview: &'a ChangePreview,
    seen: &'a SeenPolicies,
    organization: &'a Organization,
    names: Names,
}

impl PreviewedChange<'_> {
    /// Warns of accounts that AWS calls frozen and that are not predicted to be: the change reaches none of them. Returns
    /// whether there are none.
    fn compare_frozen(&self, frozen: Result<Option<BTreeSet<AccountId>>, Failure>) -> bool {
        let frozen = match frozen {
            Ok(Some(frozen)) => frozen,
            Ok(None) => {
                output::note(
                    "Bedrock policies are not enabled in this organization: nothing can be attached before they are",
                );
                return true;
            }
            Err(failure) => {
                output::warning(format_args!("which accounts AWS calls frozen is not known: {failure}"));
                return false;
            }
        };
        let stays = self.preview.groups.iter().filter_map(|group| match &group.consequence {
            Consequence::StaysFrozen(_) => Some(&group.accounts),
            Consequence::Freezes(_) | Consequence::NotKnown(_) | Consequence::Changes(_) => None,
        });
        let predicted: BTreeSet<&AccountId> = stays.flatten().collect();
        let others: Vec<&AccountId> = frozen.iter().filter(|account| !predicted.contains(account)).collect();
        for account in &others {
            output::warning(format_args!(
                "AWS calls {account} frozen, which is not what its attached policies come to here: the change does not \
                 reach it (guardrailctl effective-policy {account} says why)"
            ));
        }
        others.is_empty()
    }

    /// Warns of guardrails that aren't the management account's.
    fn warn_of_owners(&self) {
        let mut others = BTreeSet::new();
        for group in &self.preview.groups {
            let Consequence::Changes(regions) = &group.consequence else { continue };
            let contents = regions.values().flat_map(|change| &change.after).flat_map(RegionContent::values);
            others.extend(contents.filter_map(|content| match content {
                ConfigurationContent::Enforces(one) | ConfigurationContent::OtherRegion(one) => {
                    (one.guardrail.account != self.organization.management).then(|| one.guardrail.to_string())
                }
                ConfigurationContent::Unclear => None,
            }));
        }
        for guardrail in others {
            output::warning(format_args!(
                "{guardrail} isn't the management account's ({}), as AWS asks of guardrails in Bedrock policies",
                self.organization.management
            ));
        }
    }
}

impl Arguments {
    /// The change that is asked about.
    fn change(&self) -> anyhow::Result<PolicyChange> {
        let Arguments { file, policy, attach_to, detach_from, output: _ } = self;
        Ok(match (file, policy, attach_to, detach_from) {
            (Some(file), None, Some(point), None) => {
                PolicyChange::Attach { content: content(file)?, point: point.clone() }
            }
            (Some(file), Some(policy), None, None) => {
                PolicyChange::Update { policy: policy.clone(), content: content(file)? }
            }
            (None, Some(policy), Some(point), None) => {
                PolicyChange::AttachToo { policy: policy.clone(), point: point.clone() }
            }
            (None, Some(policy), None, Some(point)) => {
                PolicyChange::Detach { policy: policy.clone(), point: point.clone() }
            }
            _ => {
                return Err(Unfit(
                    "this says not which change is meant: give FILE and --attach-to, FILE and --policy, --policy and \
                     --attach-to, or --policy and --detach-from"
                        .to_owned(),
                )
                .into());
            }
        })
    }
}

/// The policy in a file. What AWS takes and is wrong all the same is a warning: the preview shows what it does.
fn content(file: &Path) -> anyhow::Result<BedrockPolicy> {
    let name = file.display();
    let unread = || format!("{name} could not be read");
    let text = read_file(file).with_context(unread)?;
    let text = String::from_utf8(text).context("it is not UTF-8: save it as UTF-8").with_context(unread)?;
    let policy = BedrockPolicy::parse(&text).map_err(|invalid| {
        let problems: Vec<String> =
            invalid.problems().iter().map(|problem| format!("\n  {name}:{problem}")).collect();
        Unfit(format!("AWS would refuse {name}:{}", problems.concat()))
    })?;
    let known: BTreeSet<String> = BedrockPolicy::check(&text)
        .err()
        .iter()
        .flat_map(InvalidBedrockPolicy::problems)
        .map(ToString::to_string)
        .collect();
    known.iter().for_each(|problem| output::warning(format_args!("{name}:{problem}")));
    Ok(policy)
}
