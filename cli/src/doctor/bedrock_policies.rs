//! Policies of Organizations that enforce guardrails, beside what the keeper does.

use std::collections::{BTreeMap, BTreeSet};

use super::{Doctor, Ground};
use guardrail_keeper::cloud::BedrockPolicyReader;
use keeper_core::bedrock_policy::{AccountPaths, NamedPolicy, PublishedPolicy, reached_alike};
use keeper_core::doctor::{self, FrozenAccounts};
use keeper_core::failure::Failure;
use keeper_core::ids::{AccountId, Region};
use keeper_core::organization::Account;

/// What AWS publishes to each account.
type PublishedPolicies = BTreeMap<AccountId, Result<PublishedPolicy, Failure>>;

impl Doctor<'_> {
    /// Looks at the organization's Bedrock policies. Returns whether they are enabled, as far as that is known.
    pub(super) async fn bedrock_policies(&mut self, ground: Option<&Ground>) -> Option<bool> {
        let reader = match self.keeper.cloud().own_bedrock_policies().await {
            Ok(reader) => reader,
            Err(failure) => {
                self.findings.extend(doctor::bedrock_policies(&Err(failure), &Ok(Vec::new())));
                return None;
            }
        };
        let frozen = self.frozen(&reader).await;
        let policies = match &frozen {
            Ok(Some(_)) => reader.all().await,
            // Without the type there is no list of policies.
            Ok(None) | Err(_) => Ok(Vec::new()),
        };
        self.findings.extend(doctor::bedrock_policies(&frozen, &policies));
        if let (Some(ground), Ok(Some(frozen)), Ok(policies)) = (ground, &frozen, &policies)
            && !policies.is_empty()
        {
            let guarded = guarded(ground);
            let published = published(&reader, ground, &guarded, policies, frozen).await;
            self.findings.extend(doctor::both_levels(&guarded, &published));
        }
        frozen.ok().map(|frozen| frozen.is_some())
    }

    /// The frozen accounts with AWS's reasons; of all accounts, unless some were chosen.
    async fn frozen(&self, reader: &BedrockPolicyReader) -> Result<Option<FrozenAccounts>, Failure> {
        let Some(frozen) = reader.frozen().await? else { return Ok(None) };
        let is_asked = |account: &AccountId| self.chosen.is_empty() || self.chosen.contains(account);
        let mut errors = FrozenAccounts::new();
        for account in frozen.into_iter().filter(is_asked) {
            let reasons = reader.errors(&account).await;
            errors.insert(account, reasons);
        }
        Ok(Some(errors))
    }
}

/// The Regions that the baseline guards on the account level, in the accounts that are looked into.
fn guarded(ground: &Ground) -> BTreeMap<AccountId, BTreeSet<Region>> {
    let Ground { baseline, accounts, .. } = ground;
    let regions = |account: &Account| {
        let assignment = baseline.assignment(&account.id, &account.path)?;
        let guardrail = baseline.guardrail(assignment.guardrail.as_ref()?)?;
        let is_guarded = !baseline.exclude.contains(&account.id);
        is_guarded.then(|| (account.id.clone(), guardrail.regions.keys().cloned().collect()))
    };
    accounts.iter().filter_map(regions).collect()
}

/// What AWS publishes to guarded accounts that a policy reaches. Of accounts that the same points with policies reach,
/// one is asked about: a call for each of thousands takes long. A frozen account may have anything.
async fn published(
    reader: &BedrockPolicyReader,
    ground: &Ground,
    guarded: &BTreeMap<AccountId, BTreeSet<Region>>,
    policies: &[NamedPolicy],
    frozen: &FrozenAccounts,
) -> Result<PublishedPolicies, Failure> {
    let mut points = BTreeSet::new();
    for policy in policies {
        points.extend(reader.targets(&policy.id).await?);
    }
    let paths = |wanted: &dyn Fn(&AccountId) -> bool| -> AccountPaths {
        let accounts = ground.accounts.iter().filter(|account| guarded.contains_key(&account.id));
        let accounts = accounts.filter(|account| wanted(&account.id));
        accounts.map(|account| (account.id.clone(), account.path.clone())).collect()
    };
    let mut published = PublishedPolicies::new();
    for account in paths(&|account| frozen.contains_key(account)).into_keys() {
        let seen = reader.effective(&account).await;
        published.insert(account, seen);
    }
    for alike in reached_alike(&points, &paths(&|account| !frozen.contains_key(account))).into_values() {
        let Some(first) = alike.first() else { continue };
        let seen = reader.effective(first).await;
        published.extend(alike.into_iter().map(|account| (account, seen.clone())));
    }
    Ok(published)
}
