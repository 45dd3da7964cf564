//! The organization's tree, with as few calls as its low limits ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_organizations::types as aws;
use jiff::Timestamp;

use super::error::{failure, is_missing, is_unknown_account, shortened};
use super::pace::Paces;
use crate::failure::Failure;
use crate::ids::{AccountId, OrganizationId, ParentId};
use crate::organization::{Account, AccountState, OrgPath, Organization, Unplaced};

/// How deep a tree can be: the root, five levels of OUs, and one to notice that it isn't so.
const MAX_DEPTH: usize = 8;

/// Reads the organization. Never writes.
#[derive(Clone, Debug)]
pub struct Organizations {
    pub(super) client: aws_sdk_organizations::Client,
    pub(super) paces: Arc<Paces>,
}

/// The organization's id and who pays for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub id: OrganizationId,
    /// The management account.
    pub management: AccountId,
}

/// A page of the list of accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// Those that can't be placed.
    pub unplaced: Unplaced,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<String>,
}

impl Organizations {
    pub(super) fn new(sdk: &SdkConfig, paces: Arc<Paces>) -> Organizations {
        Organizations { client: aws_sdk_organizations::Client::new(sdk), paces }
    }

    /// The organization's id and management account.
    ///
    /// # Errors
    /// When Organizations doesn't tell.
    pub async fn head(&self) -> Result<Head, Failure> {
        const OPERATION: &str = "DescribeOrganization";
        self.paces.describe_organization.turn().await;
        let answer =
            self.client.describe_organization().send().await.map_err(|error| failure(OPERATION, &error))?;
        let organization =
            answer.organization().ok_or_else(|| Failure::incomplete(OPERATION, "organization"))?;
        Ok(Head {
            id: parsed(OPERATION, "Id", organization.id())?,
            management: parsed(OPERATION, "MasterAccountId", organization.master_account_id())?,
        })
    }

    /// One account, or `None` where the organization doesn't know it.
    ///
    /// # Errors
    /// When Organizations doesn't tell.
    pub async fn account(&self, head: &Head, id: &AccountId) -> Result<Option<Account>, Failure> {
        const OPERATION: &str = "DescribeAccount";
        self.paces.describe_account.turn().await;
        let answer = match self.client.describe_account().account_id(id.as_str()).send().await {
            Ok(answer) => answer,
            Err(error) if is_unknown_account(&error) => return Ok(None),
            Err(error) => return Err(failure(OPERATION, &error)),
        };
        let account = answer.account().ok_or_else(|| Failure::incomplete(OPERATION, "Account"))?;
        self.account_from(OPERATION, head, account).await.map(Some)
    }

    /// Every account: pages of ListAccounts and nothing else, where AWS fills `Paths`.
    ///
    /// # Errors
    /// When a page can't be read, or no account is named: half an organization is not one.
    pub async fn everything(&self, head: Head) -> Result<Organization, Failure> {
        let mut accounts = BTreeMap::new();
        let mut unplaced = Unplaced::new();
        let mut from = None;
        loop {
            let Page { accounts: listed, unplaced: odd, next } = self.page(&head, from.clone()).await?;
            accounts.extend(listed.into_iter().map(|account| (account.id.clone(), account)));
            unplaced.extend(odd);
            if next.is_none() {
                if accounts.is_empty() {
                    return Err(unplaced.into_values().next().unwrap_or_else(Failure::no_accounts));
                }
                let Head { id, management } = head;
                return Ok(Organization { id, management, accounts, unplaced, complete: true });
            }
            if next == from {
                return Err(Failure::incomplete("ListAccounts", "a page other than the one it is on"));
            }
            from = next;
        }
    }

    /// One page of all accounts. It may be empty and still not the last.
    ///
    /// # Errors
    /// When the page can't be read.
    pub async fn page(&self, head: &Head, from: Option<String>) -> Result<Page, Failure> {
        const OPERATION: &str = "ListAccounts";
        self.paces.list_accounts.turn().await;
        let answer = self.client.list_accounts().set_next_token(from).send().await;
        let answer = answer.map_err(|error| failure(OPERATION, &error))?;
        let mut page = Page { next: answer.next_token().map(str::to_owned), ..Page::default() };
        for account in answer.accounts() {
            match self.account_from(OPERATION, head, account).await {
                Ok(account) => page.accounts.push(account),
                Err(failure) => {
                    page.unplaced.insert(called(account), failure);
                }
            }
        }
        Ok(page)
    }

    async fn account_from(
        &self,
        operation: &'static str,
        head: &Head,
        account: &aws::Account,
    ) -> Result<Account, Failure> {
        let id: AccountId = parsed(operation, "Id", account.id())?;
        let path = account.paths().iter().find_map(|path| path.parse::<OrgPath>().ok());
        let path = match path {
            Some(path) => path,
            // Whether AWS fills `Paths` for every account is not documented.
            None => self.walk(head, &id).await?,
        };
        Ok(Account {
            name: shortened(account.name().unwrap_or(id.as_str())),
            state: state(account),
            joined: account.joined_timestamp().and_then(|joined| Timestamp::from_second(joined.secs()).ok()),
            path,
            id,
        })
    }

    /// The way up from an account, parent by parent.
    async fn walk(&self, head: &Head, account: &AccountId) -> Result<OrgPath, Failure> {
        const OPERATION: &str = "ListParents";
        let mut parents: Vec<ParentId> = Vec::new();
        let mut child = account.as_str().to_owned();
        while !parents.last().is_some_and(ParentId::is_root) {
            if parents.len() > MAX_DEPTH {
                return Err(Failure::incomplete(OPERATION, "a root within the depth of a tree"));
            }
            let parent: ParentId = parsed(OPERATION, "Id", self.parent(&child).await?.as_deref())?;
            child = parent.as_str().to_owned();
            parents.push(parent);
        }
        parents.reverse();
        OrgPath::new(head.id.clone(), parents)
            .map_err(|error| Failure::rejected(OPERATION, error.to_string()))
    }

    /// The one parent that a child has. A page may be empty and still not the last.
    async fn parent(&self, child: &str) -> Result<Option<String>, Failure> {
        const OPERATION: &str = "ListParents";
        let mut from = None;
        loop {
            self.paces.list_parents.turn().await;
            let request = self.client.list_parents().child_id(child).set_next_token(from.clone());
            let answer = request.send().await.map_err(|error| failure(OPERATION, &error))?;
            if let Some(parent) = answer.parents().first() {
                return Ok(parent.id().map(str::to_owned));
            }
            let next = answer.next_token().map(str::to_owned);
            if next.is_none() || next == from {
                return Ok(None);
            }
            from = next;
        }
    }

    /// The feature set: `ALL`, or `CONSOLIDATED_BILLING`.
    ///
    /// # Errors
    /// When Organizations doesn't tell.
    pub async fn features(&self) -> Result<String, Failure> {
        self.paces.describe_organization.turn().await;
        let answer = self.client.describe_organization().send().await;
        let answer = answer.map_err(|error| failure("DescribeOrganization", &error))?;
        let features = answer.organization().and_then(|organization| organization.feature_set());
        Ok(features.map_or_else(|| "none that AWS shows".to_owned(), |features| features.as_str().to_owned()))
    }

    /// The name of an OU.
    ///
    /// # Errors
    /// When Organizations doesn't tell.
    pub async fn unit_name(&self, unit: &ParentId) -> Result<String, Failure> {
        const OPERATION: &str = "DescribeOrganizationalUnit";
        // Its rate isn't published; that of the slowest reads is.
        self.paces.list_parents.turn().await;
        let answer = self.client.describe_organizational_unit().organizational_unit_id(unit.as_str());
        let answer = answer.send().await.map_err(|error| failure(OPERATION, &error))?;
        let name = answer.organizational_unit().and_then(|unit| unit.name()).map(shortened);
        name.ok_or_else(|| Failure::transient(OPERATION, "the answer leaves out Name"))
    }

    /// The organization's own resource policy, by which it delegates policies to members; `None` where there is none.
    ///
    /// # Errors
    /// When Organizations doesn't tell.
    pub async fn resource_policy(&self) -> Result<Option<String>, Failure> {
        const OPERATION: &str = "DescribeResourcePolicy";
        let answer = match self.client.describe_resource_policy().send().await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failure(OPERATION, &error)),
        };
        let content = answer.resource_policy().and_then(|policy| policy.content());
        content.map(|text| Some(text.to_owned())).ok_or_else(|| Failure::incomplete(OPERATION, "Content"))
    }

    /// The accounts that are delegated administrators, of whatever service.
    ///
    /// # Errors
    /// When Organizations doesn't tell.
    pub async fn delegated_administrators(&self) -> Result<BTreeSet<AccountId>, Failure> {
        const OPERATION: &str = "ListDelegatedAdministrators";
        let pages = self.client.list_delegated_administrators().into_paginator().send();
        let pages = pages.try_collect().await.map_err(|error| failure(OPERATION, &error))?;
        let accounts = pages.iter().flat_map(aws_sdk_organizations::operation::list_delegated_administrators::ListDelegatedAdministratorsOutput::delegated_administrators);
        accounts.map(|account| parsed(OPERATION, "Id", account.id())).collect()
    }

    /// The services that an account is a delegated administrator for; none for one that isn't any.
    ///
    /// # Errors
    /// When Organizations doesn't tell.
    pub async fn delegated_services(&self, account: &AccountId) -> Result<BTreeSet<String>, Failure> {
        const OPERATION: &str = "ListDelegatedServicesForAccount";
        let request = self.client.list_delegated_services_for_account().account_id(account.as_str());
        let pages = match request.into_paginator().send().try_collect().await {
            Ok(pages) => pages,
            Err(error) if is_missing(&error) => Vec::new(),
            Err(error) => return Err(failure(OPERATION, &error)),
        };
        let services = pages.iter().flat_map(aws_sdk_organizations::operation::list_delegated_services_for_account::ListDelegatedServicesForAccountOutput::delegated_services);
        Ok(services.filter_map(|one| one.service_principal()).map(str::to_owned).collect())
    }
}

/// What an account is called that can't be placed: by its id. Where that can't be one, by its name as well, which
/// tells two such accounts apart.
fn called(account: &aws::Account) -> String {
    let name = || account.name().map(|name| format!(", named {:?},", shortened(name))).unwrap_or_default();
    match account.id() {
        Some(id) if id.parse::<AccountId>().is_ok() => id.to_owned(),
        Some(id) => format!("an account with the id {:?}{}", shortened(id), name()),
        None => format!("an account without an id{}", name()),
    }
}

/// `State` where AWS sends it; `Status` is its retired forerunner.
fn state(account: &aws::Account) -> AccountState {
    let name = account
        .state()
        .map(aws::AccountState::as_str)
        .or_else(|| account.status().map(aws::AccountStatus::as_str));
    match name {
        Some("ACTIVE") => AccountState::Active,
        Some("PENDING_ACTIVATION") => AccountState::PendingActivation,
        Some("SUSPENDED") => AccountState::Suspended,
        Some("PENDING_CLOSURE") => AccountState::PendingClosure,
        Some("CLOSED") => AccountState::Closed,
        Some(other) => AccountState::Other(shortened(other)),
        None => AccountState::not_told(),
    }
}

fn parsed<T: std::str::FromStr<Err = crate::ids::InvalidId>>(
    operation: &'static str,
    member: &'static str,
    text: Option<&str>,
) -> Result<T, Failure> {
    let text = text.ok_or_else(|| Failure::incomplete(operation, member))?;
    text.parse().map_err(|error: crate::ids::InvalidId| Failure::rejected(operation, error.to_string()))
}
