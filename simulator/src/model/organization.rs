//! The organization: its tree, its accounts, and what may be read of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Model;
use super::caller::Caller;
use super::delegation_policy::DelegationPolicy;
use super::error::ApiError;
use super::iam::{self, Role, User};
use super::organization_policy::effective::EffectivePolicy;
use super::organization_policy::{OrganizationPolicy, PolicyTypeStatus};
use super::regions::{OptStatus, RegionState};

/// The tree and what hangs on it.
#[derive(Clone, Debug, Serialize)]
pub struct Organization {
    /// e.g. `o-exampleorgid`.
    pub id: String,
    /// e.g. `r-exam`.
    pub root: String,
    /// The account that owns the organization.
    pub management_account: String,
    /// Organizational units by id.
    pub units: BTreeMap<String, Unit>,
    /// Service control policies, reduced to what they deny.
    pub service_control: Vec<ServiceControl>,
    /// Policies of every type. Service control policies are shown and deny nothing by that.
    pub policies: Vec<OrganizationPolicy>,
    /// How many times a policy was attached.
    #[serde(skip)]
    pub(crate) attached: u64,
    /// Whether policies of type BEDROCK_POLICY can be attached.
    pub bedrock_policies: PolicyTypeStatus,
    /// When a policy was changed or attached last, or its type switched.
    #[serde(skip)]
    pub(crate) policies_changed_at: Option<Timestamp>,
    /// What the policies of type BEDROCK_POLICY come to, by account.
    pub effective: BTreeMap<String, EffectivePolicy>,
    /// The organization's own resource policy.
    pub delegation_policy: Option<DelegationPolicy>,
    /// Services that have trusted access, and since when.
    pub trusted_services: BTreeMap<String, Timestamp>,
    /// Tags of the root and of units, by their id.
    pub tags: BTreeMap<String, Tags>,
}

/// Tags of one resource.
pub type Tags = BTreeMap<String, String>;

/// An organizational unit.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// e.g. `ou-exam-workload`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The root or another unit.
    pub parent: String,
}

/// A service control policy, reduced to a denial.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceControl {
    /// The root, units or accounts it is attached to; it binds everything below.
    pub targets: Vec<String>,
    /// What it denies, e.g. `bedrock:PutEnforcedGuardrailConfiguration` or `bedrock:*`.
    pub deny: Vec<String>,
    /// Principals it spares: patterns over role ARNs.
    #[serde(default)]
    pub except: Vec<String>,
    /// Regions it is limited to; everywhere when empty.
    #[serde(default)]
    pub regions: Vec<String>,
}

/// An AWS account, in the organization or not.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The address of its root user.
    pub email: String,
    /// Whether it can be used.
    pub state: AccountState,
    /// What Organizations tells of that instead, if anything else.
    pub told_state: Option<ToldState>,
    /// What ListAccounts tells of its id instead, if anything else; an empty text for no id at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_id: Option<String>,
    /// Where it is in the organization; nothing for an account outside of it.
    pub membership: Option<Membership>,
    /// Its roles.
    pub roles: Vec<Arc<Role>>,
    /// Its users of IAM.
    pub users: Vec<User>,
    /// Its tags in Organizations.
    pub tags: Tags,
    /// The services it is a delegated administrator for, and since when.
    pub delegated: BTreeMap<String, Timestamp>,
    /// Whether the organization's delegation policy lets it read the organization.
    pub reads_organization: bool,
    /// The Regions somebody changed the opt-in status of.
    pub opt_in: BTreeMap<String, OptStatus>,
    /// What it holds in each Region; made when first needed.
    pub regions: BTreeMap<String, RegionState>,
}

/// An account's place in the organization.
#[derive(Clone, Debug, Serialize)]
pub struct Membership {
    /// The root or unit it is in.
    pub parent: String,
    /// How it came.
    pub method: JoinedMethod,
    /// When it came.
    pub at: Timestamp,
}

/// How an account came into the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JoinedMethod {
    /// It accepted an invitation.
    Invited,
    /// Organizations made it.
    Created,
}

/// `Account.State` (aws-facts §5): only an active account can be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountState {
    /// Not usable yet.
    PendingActivation,
    /// Usable.
    Active,
    /// Closed by AWS or by `CloseAccount`; it stays listed for 90 days.
    Suspended,
    /// `CloseAccount` was called and isn't through.
    PendingClosure,
    /// Closed for good.
    Closed,
}

/// What Organizations tells of an account's state where it doesn't tell the state itself: clients have to live
/// with words that AWS adds, and with members that it leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToldState {
    /// This word as `State`.
    Word(String),
    /// Neither `State` nor `Status`.
    Nothing,
}

/// A child of the root or of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildKind {
    /// An account.
    Account,
    /// A unit.
    Unit,
}

impl Organization {
    /// The root and the units above `parent`, `parent` last.
    pub(crate) fn chain(&self, parent: &str) -> Vec<&str> {
        let mut chain = Vec::new();
        let mut current = parent;
        while let Some(unit) = self.units.get(current) {
            chain.push(unit.id.as_str());
            current = &unit.parent;
        }
        chain.push(self.root.as_str());
        chain.reverse();
        chain
    }

    /// The path of the root or a unit, as `aws:PrincipalOrgPaths` writes it: with a slash at the end.
    pub fn path(&self, parent: &str) -> String {
        format!("{}/{}/", self.id, self.chain(parent).join("/"))
    }

    /// Whether `id` is the root or a unit.
    pub fn is_parent(&self, id: &str) -> bool {
        id == self.root || self.units.contains_key(id)
    }

    /// How many units deep `parent` is; the root is 0.
    pub(crate) fn depth(&self, parent: &str) -> usize {
        self.chain(parent).len() - 1
    }

    /// The ARN of one of its parts, e.g. `account`, `ou`, `root`.
    pub fn arn(&self, kind: &str, id: &str) -> String {
        format!("arn:aws:organizations::{}:{kind}/{}/{id}", self.management_account, self.id)
    }
}

impl Account {
    /// A new account outside of any organization.
    pub fn standalone(id: &str, name: &str, email: &str) -> Account {
        Account {
            id: id.to_owned(),
            name: name.to_owned(),
            email: email.to_owned(),
            state: AccountState::Active,
            told_state: None,
            told_id: None,
            membership: None,
            roles: Vec::new(),
            users: Vec::new(),
            tags: Tags::new(),
            delegated: BTreeMap::new(),
            reads_organization: false,
            opt_in: BTreeMap::new(),
            regions: BTreeMap::new(),
        }
    }

    /// The root or unit it is in, if it is in the organization.
    pub fn parent(&self) -> Option<&str> {
        self.membership.as_ref().map(|membership| membership.parent.as_str())
    }
}

impl Model {
    /// An account, whether in the organization or not.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// An account that is in the organization.
    pub fn member(&self, id: &str) -> Option<&Account> {
        self.account(id).filter(|account| account.membership.is_some())
    }

    /// All accounts of the organization, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().filter(|account| account.membership.is_some())
    }

    /// The account's path, `o-…/r-…/ou-…/<account>/` (aws-facts §5), if it is in the organization.
    pub fn account_path(&self, id: &str) -> Option<String> {
        let account = self.member(id)?;
        Some(format!("{}{id}/", self.organization.path(account.parent()?)))
    }

    /// `aws:PrincipalOrgPaths`: where the caller's account is, without the account itself.
    pub(crate) fn principal_path(&self, account: &str) -> Option<String> {
        Some(self.organization.path(self.member(account)?.parent()?))
    }

    /// Whether a service control policy denies the action.
    pub(crate) fn denied_by_service_control(&self, caller: &Caller, action: &str) -> bool {
        self.organization_denies(caller.account(), &caller.principal.role_arn(), &caller.region, action)
    }

    /// The same for a principal that isn't calling.
    pub(crate) fn organization_denies(
        &self,
        account: &str,
        principal_arn: &str,
        region: &str,
        action: &str,
    ) -> bool {
        if self.organization.service_control.is_empty() || account == self.organization.management_account {
            return false;
        }
        let Some(parent) = self.member(account).and_then(Account::parent) else { return false };
        let chain = self.organization.chain(parent);
        self.organization.service_control.iter().any(|policy| {
            policy.targets.iter().any(|target| target == account || chain.contains(&target.as_str()))
                && policy.deny.iter().any(|denied| iam::matches(denied, action))
                && (policy.regions.is_empty() || policy.regions.iter().any(|one| one == region))
                && !policy.except.iter().any(|spared| iam::matches(spared, principal_arn))
        })
    }

    /// A member account, or the error that Organizations answers.
    ///
    /// # Errors
    /// `AccountNotFoundException`.
    pub fn require_member(&self, id: &str) -> Result<&Account, ApiError> {
        self.member(id).ok_or_else(|| {
            ApiError::new(
                "AccountNotFoundException",
                "You specified an account that doesn't exist in the organization.",
            )
        })
    }

    /// The root or a unit, or the error that Organizations answers.
    ///
    /// # Errors
    /// `ParentNotFoundException`.
    pub fn require_parent(&self, id: &str) -> Result<(), ApiError> {
        if self.organization.is_parent(id) {
            Ok(())
        } else {
            let message = "You specified parent that doesn't exist.";
            Err(ApiError::new("ParentNotFoundException", message))
        }
    }

    /// The parent of an account or unit.
    ///
    /// # Errors
    /// `ChildNotFoundException`.
    pub fn parent_of(&self, child: &str) -> Result<String, ApiError> {
        let unit = self.organization.units.get(child).map(|unit| unit.parent.as_str());
        let parent = unit.or_else(|| self.member(child).and_then(Account::parent));
        parent
            .map(str::to_owned)
            .ok_or_else(|| ApiError::new("ChildNotFoundException", "You specified child that doesn't exist."))
    }

    /// The ids of the accounts or units directly below `parent`.
    pub fn children(&self, parent: &str, kind: ChildKind) -> Vec<&str> {
        match kind {
            ChildKind::Account => {
                let inside = |account: &&Account| account.parent() == Some(parent);
                self.accounts.values().filter(inside).map(|account| account.id.as_str()).collect()
            }
            ChildKind::Unit => {
                let units = self.organization.units.values();
                units.filter(|unit| unit.parent == parent).map(|unit| unit.id.as_str()).collect()
            }
        }
    }

    /// The tags of an account, a unit, the root, a policy or the delegation policy.
    ///
    /// # Errors
    /// `TargetNotFoundException`.
    pub fn organization_tags(&mut self, id: &str) -> Result<&mut Tags, ApiError> {
        if self.organization.is_parent(id) {
            return Ok(self.organization.tags.entry(id.to_owned()).or_default());
        }
        if let Some(policy) = self.organization.policies.iter_mut().find(|policy| policy.id == id) {
            return Ok(&mut policy.tags);
        }
        if let Some(policy) = self.organization.delegation_policy.as_mut().filter(|policy| policy.id == id) {
            return Ok(&mut policy.tags);
        }
        let member = self.accounts.get_mut(id).filter(|account| account.membership.is_some());
        member.map(|account| &mut account.tags).ok_or_else(|| {
            ApiError::new("TargetNotFoundException", "You specified a target that doesn't exist.")
        })
    }
}
