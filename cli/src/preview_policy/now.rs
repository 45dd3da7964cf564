//! What AWS says now of the accounts that a change concerns.

use std::collections::{BTreeMap, BTreeSet};

use crate::output::Bar;
use guardrail_keeper::cloud::BedrockPolicyReader;
use keeper_core::bedrock_policy::{AccountNow, EffectivePolicy, PolicyChain, PublishedPolicy};
use keeper_core::failure::Failure;
use keeper_core::ids::AccountId;

/// What was asked, and what could not be read.
#[derive(Debug, Default)]
pub(super) struct PresentState {
    pub(super) now: BTreeMap<AccountId, AccountNow>,
    /// Whether Bedrock policies are enabled, as far as that is known.
    pub(super) is_enabled: bool,
    pub(super) warnings: Vec<String>,
}

/// Asks which accounts are frozen, and what is published: of all accounts with one chain of policies to one of them, and of
/// each frozen account to itself, because it keeps what it had when it froze.
pub(super) async fn ask(
    reader: &BedrockPolicyReader,
    chains: &BTreeMap<PolicyChain, BTreeSet<AccountId>>,
    bar: &Bar,
) -> PresentState {
    let mut asked = PresentState { is_enabled: true, ..PresentState::default() };
    let frozen = match reader.frozen().await {
        Ok(Some(frozen)) => Some(frozen),
        Ok(None) => {
            asked.is_enabled = false;
            Some(BTreeSet::new())
        }
        Err(failure) => {
            asked.warn("which accounts AWS calls frozen", &failure);
            None
        }
    };
    let is_frozen = |account: &AccountId| frozen.as_ref().map(|frozen| frozen.contains(account));
    for accounts in chains.values() {
        let (stuck, free): (Vec<_>, Vec<_>) =
            accounts.iter().partition(|account| is_frozen(account) == Some(true));
        for account in stuck {
            let published = asked.published(reader, account, bar).await;
            asked.now.insert(account.clone(), AccountNow { published, is_frozen: Some(true) });
        }
        if let Some(first) = free.first() {
            let published = asked.published(reader, first, bar).await;
            for account in free {
                let now = AccountNow { published: published.clone(), is_frozen: is_frozen(account) };
                asked.now.insert(account.clone(), now);
            }
        }
    }
    asked
}

impl PresentState {
    async fn published(
        &mut self,
        reader: &BedrockPolicyReader,
        account: &AccountId,
        bar: &Bar,
    ) -> Option<EffectivePolicy> {
        bar.read_one("accounts", 0);
        match reader.effective(account).await {
            Ok(PublishedPolicy::Effective(policy)) => Some(policy),
            Ok(PublishedPolicy::NotSetUp) => Some(EffectivePolicy::default()),
            Ok(PublishedPolicy::Strange(invalid)) => {
                let invalid = invalid.to_string().replace('\n', "; ");
                self.warnings.push(format!(
                    "what {account} has now has a form that this program does not know: {invalid}"
                ));
                None
            }
            Err(failure) => {
                self.warn(&format!("what {account} has now"), &failure);
                None
            }
        }
    }

    fn warn(&mut self, what: &str, failure: &Failure) {
        let permission = &failure.operation;
        self.warnings.push(format!(
            "{what} is not known, so every possibility is shown: {failure} (needs organizations:{permission})"
        ));
    }
}
