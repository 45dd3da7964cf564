//! The organization's accounts and where they stand, as Organizations says.

use std::collections::BTreeMap;

use super::{Keeper, Stopped};
use crate::baseline::Baseline;
use crate::cloud::{Head, Page};
use crate::failure::Failure;
use crate::ids::AccountId;
use crate::organization::{AccountPlacement, Organization};
use crate::trigger::Accounts;

/// The organization's id and management account. They don't change while the process lives.
pub(super) async fn head(keeper: &Keeper) -> Result<Head, Stopped> {
    let ask = || async { keeper.cloud.organizations().head().await };
    let head = keeper.head.get_or_try_init(ask).await.map_err(Stopped::OrganizationUnreadable)?;
    Ok(head.clone())
}

/// The organization's id and management account, checked against the baseline.
///
/// # Errors
/// When they can't be read, or the baseline is for another organization.
pub(super) async fn head_of(keeper: &Keeper, baseline: &Baseline) -> Result<Head, Stopped> {
    let head = head(keeper).await?;
    if head.id == baseline.organization {
        Ok(head)
    } else {
        Err(Stopped::WrongOrganization { baseline: baseline.organization.clone(), actual: head.id })
    }
}

/// The whole organization.
///
/// # Errors
/// When it can't be read.
pub async fn whole_organization(keeper: &Keeper) -> Result<Organization, Stopped> {
    let head = head(keeper).await?;
    keeper.cloud.organizations().everything(head).await.map_err(Stopped::OrganizationUnreadable)
}

/// A page of the organization's accounts.
///
/// # Errors
/// When it can't be read.
pub async fn page_of_accounts(keeper: &Keeper, from: Option<String>) -> Result<Page, Stopped> {
    let head = head(keeper).await?;
    let page = keeper.cloud.organizations().page(&head, from).await;
    page.map_err(Stopped::OrganizationUnreadable)
}

/// The organization's management account.
///
/// # Errors
/// When Organizations can't be read.
pub async fn management(keeper: &Keeper) -> Result<AccountId, Stopped> {
    Ok(head(keeper).await?.management)
}

/// Where an account stands now; `None` if the organization doesn't have the account.
///
/// # Errors
/// When Organizations doesn't say.
pub async fn place(keeper: &Keeper, id: &AccountId) -> Result<Option<AccountPlacement>, Stopped> {
    let head = head(keeper).await?;
    let placed_at = keeper.clock.now();
    match keeper.cloud.organizations().account(&head, id).await {
        Ok(account) => Ok(account.map(|account| AccountPlacement { account, placed_at })),
        Err(failure) => Err(Stopped::AccountNotPlaced { account: id.clone(), failure }),
    }
}

/// The accounts of a scope, and the requested ids that are not in the organization.
///
/// # Errors
/// When none of them can be placed, or the baseline is for another organization.
pub(super) async fn asked_about(
    keeper: &Keeper,
    baseline: &Baseline,
    accounts: &Accounts,
) -> Result<(Organization, Vec<AccountId>), Stopped> {
    let Head { id, management } = head_of(keeper, baseline).await?;
    let Accounts::Only(ids) = accounts else {
        let organization = whole_organization(keeper).await?;
        if !organization.accounts.values().any(|account| account.state.admits_work()) {
            return Err(Stopped::OrganizationUnreadable(Failure::no_accounts()));
        }
        return Ok((organization, Vec::new()));
    };
    let (mut accounts, mut unplaced, mut strangers) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for id in ids {
        // An event may name any account. Only one that the organization knows is entered.
        match place(keeper, id).await {
            Ok(Some(AccountPlacement { account, placed_at: _ })) => {
                accounts.insert(account.id.clone(), account);
            }
            Ok(None) => strangers.push(id.clone()),
            Err(Stopped::AccountNotPlaced { account, failure }) => {
                unplaced.insert(account, failure);
            }
            Err(stopped) => return Err(stopped),
        }
    }
    if unplaced.len() == ids.len()
        && let Some((account, failure)) = unplaced.pop_first()
    {
        return Err(Stopped::AccountNotPlaced { account, failure });
    }
    let unplaced = unplaced.into_iter().map(|(id, failure)| (id.to_string(), failure)).collect();
    Ok((Organization { unplaced, ..Organization::part(id, management, accounts) }, strangers))
}
