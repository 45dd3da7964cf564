//! Organizations: its policies of type `BEDROCK_POLICY`, what is attached where, and what accounts have of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_organizations::Client;
use aws_sdk_organizations::operation::list_accounts_with_invalid_effective_policy::ListAccountsWithInvalidEffectivePolicyOutput;
use aws_sdk_organizations::operation::list_effective_policy_validation_errors::ListEffectivePolicyValidationErrorsOutput;
use aws_sdk_organizations::operation::list_policies::ListPoliciesOutput;
use aws_sdk_organizations::operation::list_policies_for_target::ListPoliciesForTargetOutput;
use aws_sdk_organizations::operation::list_targets_for_policy::ListTargetsForPolicyOutput;
use aws_sdk_organizations::types::{EffectivePolicyType, PolicySummary, PolicyType};

use super::error::failure;
use super::pace::Paces;
use super::{Cloud, Session};
use crate::bedrock_policy::{
    AttachPoint, AttachedPolicies, BedrockPolicy, NamedPolicy, PolicyId, PolicyKey, PublishedPolicy,
    ReportedError, SeenAccountPolicies,
};
use crate::failure::{Category, Code, Failure};
use crate::ids::{AccountId, InvalidId};
use crate::organization::OrgPath;
use crate::organization_level::ReadPolicies;

/// Every page of a list, each in its turn: AWS counts pages, not lists.
macro_rules! paced {
    ($pace:expr, $pages:expr) => {{
        let mut pages = $pages;
        let mut read = Vec::new();
        loop {
            $pace.turn().await;
            match pages.next().await {
                None => break Ok(read),
                Some(Err(error)) => break Err(error),
                Some(Ok(page)) => {
                    let is_last = page.next_token().is_none();
                    read.push(page);
                    if is_last {
                        break Ok(read);
                    }
                }
            }
        }
    }};
}

/// Every Bedrock policy of an organization.
#[derive(Clone, Debug, Default)]
pub struct SeenPolicies {
    /// What each says, and where it is attached.
    pub policies: AttachedPolicies,
    /// What people call them.
    pub names: BTreeMap<PolicyId, String>,
}

/// What is read next of the Bedrock policies of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadNext {
    /// What a policy says, and what it is attached to.
    Policy {
        /// How many policies there are.
        of: usize,
    },
    /// What is attached to a point.
    Point,
}

/// Reads Bedrock policies with the credentials of the management account, or of a member that may read the organization.
/// Has no way to write.
#[derive(Debug)]
pub struct BedrockPolicyReader {
    client: Client,
    paces: Arc<Paces>,
}

impl Cloud {
    /// What reads the organization's Bedrock policies with a session's credentials.
    pub fn bedrock_policies(&self, session: &Session) -> BedrockPolicyReader {
        BedrockPolicyReader { client: Client::new(session.sdk()), paces: Arc::clone(&self.paces) }
    }

    /// What reads the organization's Bedrock policies with our own credentials.
    ///
    /// # Errors
    /// When there are none.
    pub async fn own_bedrock_policies(&self) -> Result<BedrockPolicyReader, Failure> {
        Ok(self.bedrock_policies(&self.session(self.own_account()).await?))
    }
}

impl BedrockPolicyReader {
    /// Everything that concerns one account. What can't be read stays in it, as that.
    pub async fn of_account(&self, account: &AccountId, path: &OrgPath) -> SeenAccountPolicies {
        let mut attached = BTreeMap::new();
        let mut contents = BTreeMap::new();
        for point in AttachPoint::chain(account, path) {
            let listed = self.attached(&point).await;
            for policy in listed.iter().flatten() {
                if !contents.contains_key(&policy.id) {
                    contents.insert(policy.id.clone(), self.content(&policy.id).await);
                }
            }
            attached.insert(point, listed);
        }
        // What is published comes last: a change that was made before this began has had the most time.
        let published = self.effective(account).await;
        let errors = self.errors(account).await;
        let (account, path) = (account.clone(), path.clone());
        SeenAccountPolicies { account, path, published, errors, attached, contents }
    }

    /// The effective policy of an account.
    ///
    /// # Errors
    /// When Organizations doesn't say.
    pub async fn effective(&self, account: &AccountId) -> Result<PublishedPolicy, Failure> {
        self.paces.effective_policies.turn().await;
        self.effective_of(Some(account)).await
    }

    /// The effective policy of the account that the session is of, by its own call: it needs no permission for others, and
    /// counts against that account's rate. `is_ours` is whether that is the account whose rate the other calls count
    /// against.
    ///
    /// # Errors
    /// When Organizations doesn't say.
    pub async fn own_effective(&self, is_ours: bool) -> Result<PublishedPolicy, Failure> {
        if is_ours {
            self.paces.effective_policies.turn().await;
        }
        self.effective_of(None).await
    }

    async fn effective_of(&self, account: Option<&AccountId>) -> Result<PublishedPolicy, Failure> {
        const OPERATION: &str = "DescribeEffectivePolicy";
        let account = account.map(|account| account.as_str().to_owned());
        let request = self.client.describe_effective_policy().set_target_id(account);
        let answer = request.policy_type(EffectivePolicyType::BedrockPolicy).send().await;
        let answer = answer.map_err(|error| failure(OPERATION, &error));
        let Some(answer) = where_set_up(answer)? else { return Ok(PublishedPolicy::read(None)) };
        let content = answer.effective_policy().and_then(|policy| policy.policy_content());
        let content = content.ok_or_else(|| Failure::incomplete(OPERATION, "PolicyContent"))?;
        Ok(PublishedPolicy::read(Some(content)))
    }

    /// Why the present merge of an account's policies is invalid; nothing where it is valid, or where Bedrock policies
    /// are not enabled.
    ///
    /// # Errors
    /// When Organizations doesn't say.
    pub async fn errors(&self, account: &AccountId) -> Result<Vec<ReportedError>, Failure> {
        const OPERATION: &str = "ListEffectivePolicyValidationErrors";
        let request = self.client.list_effective_policy_validation_errors().account_id(account.as_str());
        let pages = request.policy_type(EffectivePolicyType::BedrockPolicy).into_paginator().send();
        let pages = paced!(self.paces.effective_policies, pages).map_err(|error| failure(OPERATION, &error));
        let pages = where_set_up(pages)?.unwrap_or_default();
        let errors = pages
            .iter()
            .flat_map(ListEffectivePolicyValidationErrorsOutput::effective_policy_validation_errors);
        let read = errors.map(|error| ReportedError {
            code: error.error_code().unwrap_or("an error without a code").to_owned(),
            message: error.error_message().unwrap_or_default().to_owned(),
            path: error.path_to_error().unwrap_or_default().to_owned(),
            policies: error.contributing_policies().to_vec(),
        });
        Ok(read.collect())
    }

    /// The accounts whose present merge is invalid; `None` where Bedrock policies are not enabled.
    ///
    /// # Errors
    /// When a page can't be read, or names no account.
    pub async fn frozen(&self) -> Result<Option<BTreeSet<AccountId>>, Failure> {
        const OPERATION: &str = "ListAccountsWithInvalidEffectivePolicy";
        let request = self.client.list_accounts_with_invalid_effective_policy();
        let pages = request.policy_type(EffectivePolicyType::BedrockPolicy).into_paginator().send();
        let pages = paced!(self.paces.effective_policies, pages).map_err(|error| failure(OPERATION, &error));
        let Some(pages) = where_set_up(pages)? else { return Ok(None) };
        let ids =
            pages.iter().flat_map(ListAccountsWithInvalidEffectivePolicyOutput::accounts).map(|account| {
                let id = account.id().ok_or_else(|| Failure::incomplete(OPERATION, "Id"))?;
                id.parse().map_err(|invalid: InvalidId| Failure::rejected(OPERATION, invalid.to_string()))
            });
        ids.collect::<Result<_, _>>().map(Some)
    }

    /// Every Bedrock policy of the organization; none where they are not enabled.
    ///
    /// # Errors
    /// When a page can't be read: half a list is none.
    pub async fn all(&self) -> Result<Vec<NamedPolicy>, Failure> {
        Ok(self.listed().await?.unwrap_or_default())
    }

    /// Every Bedrock policy of the organization; `None` where they are not enabled, since then AWS lists none.
    ///
    /// # Errors
    /// When a page can't be read: half a list is none.
    pub async fn listed(&self) -> Result<Option<Vec<NamedPolicy>>, Failure> {
        const OPERATION: &str = "ListPolicies";
        let pages = self.client.list_policies().filter(PolicyType::BedrockPolicy).into_paginator().send();
        let pages = paced!(self.paces.list_policies, pages).map_err(|error| failure(OPERATION, &error));
        let Some(pages) = where_set_up(pages)? else { return Ok(None) };
        named(OPERATION, pages.iter().flat_map(ListPoliciesOutput::policies)).map(Some)
    }

    /// What a policy is attached to.
    ///
    /// # Errors
    /// When a page can't be read, or names nothing that a policy can be attached to.
    pub async fn targets(&self, policy: &PolicyId) -> Result<BTreeSet<AttachPoint>, Failure> {
        const OPERATION: &str = "ListTargetsForPolicy";
        let pages = self.client.list_targets_for_policy().policy_id(policy.as_str()).into_paginator().send();
        let pages = paced!(self.paces.list_policies, pages).map_err(|error| failure(OPERATION, &error))?;
        let targets = pages.iter().flat_map(ListTargetsForPolicyOutput::targets).map(|target| {
            let id = target.target_id().ok_or_else(|| Failure::incomplete(OPERATION, "TargetId"))?;
            id.parse().map_err(|invalid: InvalidId| Failure::rejected(OPERATION, invalid.to_string()))
        });
        targets.collect()
    }

    /// Every Bedrock policy with what it says, and what is attached where, in AWS's order. `read` is called for each policy
    /// that was read, with how many there are. One that is deleted meanwhile is left out.
    ///
    /// # Errors
    /// When anything of it can't be read: a prediction rests on all of it.
    pub async fn everything(&self, read: impl Fn(usize)) -> Result<SeenPolicies, Failure> {
        let mut so_far = ReadPolicies::default();
        loop {
            let goes_on = |next| {
                if let ReadNext::Policy { of } = next {
                    read(of);
                }
                true
            };
            if let Some(seen) = self.read_on(&mut so_far, goes_on).await? {
                return Ok(seen);
            }
        }
    }

    /// Reads what wasn't read so far, as long as `goes_on` says so. `None` where something is left to read.
    ///
    /// # Errors
    /// When anything of it can't be read; what was read before stays in `so_far`.
    pub async fn read_on(
        &self,
        so_far: &mut ReadPolicies,
        mut goes_on: impl FnMut(ReadNext) -> bool,
    ) -> Result<Option<SeenPolicies>, Failure> {
        let policies = self.all().await?;
        for NamedPolicy { id, .. } in &policies {
            if so_far.targets.contains_key(id) {
                continue;
            }
            if !goes_on(ReadNext::Policy { of: policies.len() }) {
                return Ok(None);
            }
            match self.targets_and_content(id).await {
                Ok((targets, content)) => {
                    so_far.contents.insert(id.clone(), content);
                    so_far.targets.insert(id.clone(), targets);
                }
                Err(failure) if may_be_gone(&failure) && !self.lists(id).await? => {}
                Err(failure) => return Err(failure),
            }
        }
        let mut seen = SeenPolicies::default();
        let mut points = BTreeSet::new();
        for NamedPolicy { id, name } in policies.iter().filter(|one| so_far.targets.contains_key(&one.id)) {
            points.extend(so_far.targets.get(id).into_iter().flatten().cloned());
            let content = so_far.contents.get(id).map(|content| BedrockPolicy::parse(content));
            seen.policies.contents.extend(content.map(|content| (PolicyKey::Id(id.clone()), content)));
            seen.names.insert(id.clone(), name.clone());
        }
        for point in points {
            if !so_far.attached.contains_key(&point) {
                if !goes_on(ReadNext::Point) {
                    return Ok(None);
                }
                let listed = self.attached(&point).await?;
                so_far.attached.insert(point.clone(), listed.into_iter().map(|policy| policy.id).collect());
            }
            let keys =
                so_far.attached.get(&point).into_iter().flatten().cloned().map(PolicyKey::Id).collect();
            seen.policies.attached.insert(point, keys);
        }
        Ok(Some(seen))
    }

    async fn targets_and_content(&self, id: &PolicyId) -> Result<(BTreeSet<AttachPoint>, String), Failure> {
        Ok((self.targets(id).await?, self.content(id).await?))
    }

    /// Whether AWS lists a policy.
    ///
    /// # Errors
    /// When a page can't be read.
    pub async fn lists(&self, id: &PolicyId) -> Result<bool, Failure> {
        Ok(self.all().await?.iter().any(|policy| policy.id == *id))
    }

    /// The policies that are attached to the root, an OU or an account itself, in AWS's order; none where Bedrock
    /// policies are not enabled.
    ///
    /// # Errors
    /// When a page can't be read, or names no policy.
    pub async fn attached(&self, point: &AttachPoint) -> Result<Vec<NamedPolicy>, Failure> {
        const OPERATION: &str = "ListPoliciesForTarget";
        let request = self.client.list_policies_for_target().target_id(point.to_string());
        let pages = request.filter(PolicyType::BedrockPolicy).into_paginator().send();
        let pages = paced!(self.paces.list_policies, pages).map_err(|error| failure(OPERATION, &error));
        let pages = where_set_up(pages)?.unwrap_or_default();
        named(OPERATION, pages.iter().flat_map(ListPoliciesForTargetOutput::policies))
    }

    /// What a policy says.
    ///
    /// # Errors
    /// When it isn't there, or can't be read.
    pub async fn content(&self, id: &PolicyId) -> Result<String, Failure> {
        const OPERATION: &str = "DescribePolicy";
        self.paces.describe_policy.turn().await;
        let answer = self.client.describe_policy().policy_id(id.as_str()).send().await;
        let answer = answer.map_err(|error| failure(OPERATION, &error))?;
        let content = answer.policy().and_then(|policy| policy.content());
        content.map(str::to_owned).ok_or_else(|| Failure::incomplete(OPERATION, "Content"))
    }
}

/// Whether a policy that could not be read may be gone. The permission to read it is for policies of one type. A policy that
/// isn't there has no type, so AWS may deny access instead of saying that there is none.
pub fn may_be_gone(failure: &Failure) -> bool {
    failure.code == Code::Missing || failure.category == Category::Denied
}

/// `None` where Bedrock policies are not enabled, which is no failure.
fn where_set_up<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.code == Code::NotSetUp => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn named<'a>(
    operation: &'static str,
    policies: impl Iterator<Item = &'a PolicySummary>,
) -> Result<Vec<NamedPolicy>, Failure> {
    let named = policies.map(|policy| {
        let id = policy.id().ok_or_else(|| Failure::incomplete(operation, "Id"))?;
        let name = policy.name().unwrap_or(id).to_owned();
        let id =
            id.parse().map_err(|invalid: InvalidId| Failure::rejected(operation, invalid.to_string()))?;
        Ok(NamedPolicy { id, name })
    });
    named.collect()
}
