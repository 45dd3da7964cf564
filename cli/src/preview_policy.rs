//! `guardrailctl preview-policy`: what would this change of a Bedrock policy do, and to whom?

mod json;
mod now;
mod print;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;

use super::names::Names;
use super::output::{self, Bar};
use super::{OK, Output, UNFINISHED, Unfit, connect, read_policy, settings};
use guardrail_keeper::cloud::SeenPolicies;
use guardrail_keeper::engine::{self, Keeper, Stopped};
use keeper_core::bedrock_policy::{
    AccountPaths, AttachPoint, BedrockPolicy, ChangePreview, ConfigurationContent, ImpossibleChange,
    InvalidBedrockPolicy, PolicyChange, PolicyId, RegionContent, concerned, preview,
};
use keeper_core::enforcement::Enforcement;
use keeper_core::failure::Category;
use keeper_core::ids::ParentId;
use keeper_core::organization::Organization;
use keeper_core::settings::BaselineSource;
use now::{PresentState, ask};

const LONG_ABOUT: &str = "\
Show what a change of a Bedrock policy would do to each account, before anybody makes it

Four changes can be looked at:

  FILE --attach-to TARGET            a new policy is attached
  FILE --policy ID                   a policy says what is in the file, wherever it is attached
  --policy ID --attach-to TARGET     a policy is attached there, besides
  --policy ID --detach-from TARGET   a policy is detached

Every Bedrock policy of the organization and every account's place are read, and what AWS publishes to the accounts \
that the change concerns. What each would have is computed by the rules of docs/organization-level.md, under every \
answer to what AWS doesn't document and every order of attachment, as far as what is published doesn't disprove them. \
Nothing is written. Whether the guardrails exist, and whether the accounts may apply them, isn't looked at.

It needs credentials that may read the organization: the management account's, or those of a delegated administrator.

Exits with 0 if every account's result is known, and no account is or stays frozen, is guarded less than before, or gets \
a guardrail that its calls would fail with; with 1 otherwise.";

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
    let reader = keeper.cloud().own_bedrock_policies().await.map_err(Stopped::NoIdentity)?;
    let bar = Bar::new();
    let seen = reader.everything(|all| bar.read_one("policies", all)).await;
    let seen = seen.map_err(Stopped::OrganizationUnreadable)?;
    let paths: AccountPaths =
        organization.accounts.values().map(|account| (account.id.clone(), account.path.clone())).collect();
    if let Some(point) = change.point() {
        is_there(&keeper, &organization, point).await?;
    }
    let impossible = |impossible: ImpossibleChange| Unfit(impossible.to_string());
    let after = change.applied(&seen.policies).map_err(impossible)?;
    let PresentState { now, is_enabled, warnings } =
        ask(&reader, &concerned(&seen.policies, &after, &paths), &bar).await;
    drop(bar);
    let preview = preview(&change, &seen.policies, &paths, &now).map_err(impossible)?;
    let shown = preview.groups.iter().flat_map(|group| &group.accounts);
    let names = Names::read(&keeper, shown.filter_map(|account| organization.accounts.get(account))).await;
    let mut previewed = PreviewedChange {
        change: &change,
        preview: &preview,
        seen: &seen,
        organization: &organization,
        names,
        is_enabled,
        warnings,
    };
    let of_others = previewed.warn_of_owners();
    match arguments.output {
        Output::Json => output::print_json(&previewed.to_json()),
        Output::Text => previewed.print(),
    }
    let is_harmful = preview.groups.iter().any(|group| group.consequence.is_harmful());
    let is_known = organization.unplaced.is_empty() && now.values().all(|now| now.is_frozen.is_some());
    Ok(if is_harmful || of_others || !is_known { UNFINISHED } else { OK })
}

/// Whether there is such a root, OU or account in the organization.
async fn is_there(keeper: &Keeper, organization: &Organization, point: &AttachPoint) -> anyhow::Result<()> {
    let is_known = match point {
        AttachPoint::Account(account) => {
            organization.accounts.contains_key(account)
                || organization.unplaced.contains_key(account.as_str())
        }
        AttachPoint::Parent(parent) => {
            let mut parents = organization.accounts.values().flat_map(|account| account.path.parents());
            parents.any(|known| known == parent)
                || (!parent.is_root() && is_empty_unit(keeper, parent).await?)
        }
    };
    if is_known {
        return Ok(());
    }
    Err(Unfit(format!(
        "there is no {point} in {}: give the id of its root (r-…), of an OU (ou-…) or of an account (12 digits)",
        organization.id
    ))
    .into())
}

/// Whether there is an OU of this id, in which no account stands.
async fn is_empty_unit(keeper: &Keeper, unit: &ParentId) -> anyhow::Result<bool> {
    match keeper.cloud().organizations().unit_name(unit).await {
        Ok(_) => Ok(true),
        Err(failure) if failure.category == Category::Gone || failure.category == Category::Rejected => {
            Ok(false)
        }
        Err(failure) => Err(Stopped::OrganizationUnreadable(failure).into()),
    }
}

/// What is shown of a change.
struct PreviewedChange<'a> {
    change: &'a PolicyChange,
    preview: &'a ChangePreview,
    seen: &'a SeenPolicies,
    organization: &'a Organization,
    names: Names,
    is_enabled: bool,
    warnings: Vec<String>,
}

impl PreviewedChange<'_> {
    /// Warns of guardrails that aren't the management account's. Returns whether there are any.
    fn warn_of_owners(&mut self) -> bool {
        let of_others: BTreeSet<String> = self
            .enforced()
            .filter(|enforcement| enforcement.guardrail.account != self.organization.management)
            .map(|enforcement| enforcement.guardrail.to_string())
            .collect();
        let management = &self.organization.management;
        self.warnings.extend(of_others.iter().map(|guardrail| {
            format!(
                "{guardrail} is not the management account's ({management}): AWS asks that of guardrails in Bedrock \
                 policies, and calls may fail"
            )
        }));
        !of_others.is_empty()
    }

    /// Everything that accounts may have after, in Regions that change.
    fn enforced(&self) -> impl Iterator<Item = &Enforcement> {
        let regions = self.preview.groups.iter().filter_map(|group| group.consequence.regions());
        let after = regions.flat_map(BTreeMap::values).flat_map(|change| &change.after);
        after.flat_map(RegionContent::values).filter_map(ConfigurationContent::enforcement)
    }

    /// The guardrail versions among it, in words.
    fn versions(&self) -> BTreeSet<String> {
        self.enforced()
            .map(|enforcement| format!("{}:{}", enforcement.guardrail, enforcement.version))
            .collect()
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
                    "this does not say which change is meant: give FILE and --attach-to, FILE and --policy, --policy and \
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
    let (name, text) = read_policy(file)?;
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
