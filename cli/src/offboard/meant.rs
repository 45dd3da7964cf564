//! Accounts that others depend on: to offboard one takes more than a yes.

use super::Offboarding;
use crate::asking::{self, Asking};
use crate::output;
use guardrail_keeper::engine;

impl Offboarding<'_> {
    /// The guardrails of the account, in words.
    fn owned(&self) -> String {
        if self.baseline.owners().len() == 1 {
            return "the guardrails".to_owned();
        }
        let of_it = self.baseline.guardrails.iter().filter(|(_, guardrail)| guardrail.owner == *self.account);
        let names: Vec<&str> = of_it.map(|(key, _)| key.as_str()).collect();
        format!("guardrails ({})", names.join(", "))
    }

    /// Whether an account that others depend on is meant indeed: that takes more than a yes.
    pub(super) async fn is_meant(&self, asking: Asking) -> anyhow::Result<bool> {
        let account = self.account;
        let hub = self.keeper.settings().own_roles.function.as_ref().map(|role| &role.account);
        let mut meanings = Vec::new();
        if self.baseline.is_owner(account) {
            meanings.push(format!(
                "{account} owns {}: once it has left, no other account can apply them, and Bedrock calls \
                 fail wherever they are enforced; name another owner in the baseline first",
                self.owned()
            ));
        }
        if *account == self.interrupts.or(engine::management(self.keeper)).await? {
            meanings.push(format!(
                "{account} is the organization's management account, and that can't leave: it would be unguarded \
                 and stay"
            ));
        }
        if hub == Some(account) {
            meanings.push(format!(
                "the keeper runs in {account}: once it has left, no keeper guards and repairs the other accounts"
            ));
        }
        meanings.iter().for_each(output::warning);
        if meanings.is_empty() || self.arguments.confirm.as_ref() == Some(account) {
            return Ok(true);
        }
        if asking.asks() && asking::typed(account.as_str(), &self.interrupts).await? {
            return Ok(true);
        }
        output::note(format_args!(
            "nothing was changed: if you do mean {account}, type its id, or give --confirm {account}"
        ));
        Ok(false)
    }
}
