//! The clean-up: what was made is removed, the last first. What is gone already is no failure.

use std::cell::RefCell;
use std::time::Duration;

use aws_sdk_bedrock::types::GuardrailSummary;
use aws_sdk_organizations::types::PolicyType;

use crate::answered::{Answered, AwsRefusal};
use crate::calls::{Calling, Halt};
use crate::cloud::{Party, TwoAccounts};
use crate::journal::{Journal, JournalEntry, Made};

/// How long something of ours is looked for whose id isn't known: AWS may not list at once what was just made.
const LOOKED_FOR: Duration = Duration::from_secs(6);
/// How long a guardrail may be in use that nothing enforces any more.
const RELEASED: Duration = Duration::from_secs(300);

/// Something that could not be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What.
    pub what: Made,
    /// Why.
    pub why: String,
}

/// Removes what was made since a mark, the last first; what can't be removed is tried once more at the end. The first
/// signal doesn't end it. Answers what is left, and why.
pub async fn unwind(
    calls: &Calling,
    cloud: &TwoAccounts,
    journal: &RefCell<Journal>,
    mark: usize,
) -> Vec<Left> {
    let before = calls.outlast(true);
    let mut left = Vec::new();
    for _ in 0..2 {
        left.clear();
        let open = journal.borrow().since(mark);
        for entry in open {
            match undo(calls, cloud, &entry).await {
                Ok(()) => {
                    let written = journal.borrow_mut().undone(entry.number);
                    // It is gone; that the journal doesn't say so only makes a later clean-up look again.
                    drop(written);
                }
                Err(why) => left.push(Left { what: entry.what, why: why.to_string() }),
            }
        }
        if left.is_empty() {
            break;
        }
    }
    calls.outlast(before);
    left
}

/// Removes one thing.
///
/// # Errors
/// [`Halt`] where it could not be removed.
async fn undo(calls: &Calling, cloud: &TwoAccounts, entry: &JournalEntry) -> Result<(), Halt> {
    match &entry.what {
        Made::Guardrail { owner, name } => {
            match known_or_found(calls, entry, async || guardrail_id(calls, cloud, *owner, name).await)
                .await?
            {
                Some(id) => delete_guardrail(calls, cloud, *owner, &id).await,
                None => Ok(()),
            }
        }
        Made::ResourcePolicy { owner, guardrail } => {
            delete_resource_policy(calls, cloud, *owner, guardrail).await
        }
        Made::Enforcement { guardrail } => release(calls, cloud, guardrail, entry.id.as_deref()).await,
        Made::Policy { name } => {
            match known_or_found(calls, entry, async || policy_id(calls, cloud, name).await).await? {
                Some(id) => delete_policy(calls, cloud, &id).await,
                None => Ok(()),
            }
        }
        Made::Attachment { policy, target } => detach(calls, cloud, policy, target).await,
        Made::PolicyType { .. } => Ok(()),
    }
}

async fn known_or_found(
    calls: &Calling,
    entry: &JournalEntry,
    find: impl AsyncFn() -> Result<Option<String>, Halt>,
) -> Result<Option<String>, Halt> {
    match &entry.id {
        Some(id) => Ok(Some(id.clone())),
        None => calls.until(LOOKED_FOR, find).await,
    }
}

/// The id of the guardrail with this name.
async fn guardrail_id(
    calls: &Calling,
    cloud: &TwoAccounts,
    owner: Party,
    name: &str,
) -> Result<Option<String>, Halt> {
    listed_guardrail(calls, cloud, owner, |guardrail| guardrail.name() == name).await
}

/// The id of a guardrail, from a list that may have many pages.
async fn listed_guardrail(
    calls: &Calling,
    cloud: &TwoAccounts,
    owner: Party,
    is_it: impl Fn(&GuardrailSummary) -> bool,
) -> Result<Option<String>, Halt> {
    let client = &cloud.side(owner)?.bedrock;
    let mut token: Option<String> = None;
    loop {
        let page = calls.call("ListGuardrails", async || {
            client.list_guardrails().set_next_token(token.clone()).send().await
        });
        let page = page.await??;
        if let Some(found) = page.guardrails().iter().find(|guardrail| is_it(guardrail)) {
            return Ok(Some(found.id().to_owned()));
        }
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(None),
        }
    }
}

/// A deletion about a guardrail. Permissions that go by its tag deny every call about one that is gone, so a denial is
/// looked into.
async fn gone_with(
    calls: &Calling,
    cloud: &TwoAccounts,
    owner: Party,
    guardrail: &str,
    answered: Answered<()>,
) -> Result<(), Halt> {
    match answered {
        Err(refusal) if refusal.is_denied() => {
            let is_it = |one: &GuardrailSummary| one.id() == guardrail || one.arn() == guardrail;
            match listed_guardrail(calls, cloud, owner, is_it).await? {
                Some(_) => Err(refusal.into()),
                None => Ok(()),
            }
        }
        answered => gone(answered, &["ResourceNotFoundException"]),
    }
}

/// Deletes a guardrail. AWS may refuse it as in use for as long as it takes until a release or a detachment has effect.
async fn delete_guardrail(calls: &Calling, cloud: &TwoAccounts, owner: Party, id: &str) -> Result<(), Halt> {
    let client = &cloud.side(owner)?.bedrock;
    let last = RefCell::new(None);
    let free = calls.until(RELEASED, async || {
        let deleted = calls
            .call("DeleteGuardrail", async || client.delete_guardrail().guardrail_identifier(id).send().await)
            .await?;
        let in_use = deleted.as_ref().is_err_and(AwsRefusal::is_in_use);
        *last.borrow_mut() = Some(deleted.map(drop));
        Ok((!in_use).then_some(()))
    });
    free.await?;
    let last = last.borrow_mut().take();
    gone_with(calls, cloud, owner, id, last.unwrap_or(Ok(()))).await
}

async fn delete_resource_policy(
    calls: &Calling,
    cloud: &TwoAccounts,
    owner: Party,
    guardrail: &str,
) -> Result<(), Halt> {
    let client = &cloud.side(owner)?.bedrock;
    let deleted = calls.call("DeleteResourcePolicy", async || {
        client.delete_resource_policy().resource_arn(guardrail).send().await
    });
    let deleted = deleted.await?.map(drop);
    gone_with(calls, cloud, owner, guardrail, deleted).await
}

/// Deletes the account's configuration if it names a guardrail of this run. List may lag behind: what it doesn't show is
/// deleted by the id that Put answered with.
async fn release(
    calls: &Calling,
    cloud: &TwoAccounts,
    guardrail: &str,
    known: Option<&str>,
) -> Result<(), Halt> {
    let look = async || {
        let listed = enforcements(calls, cloud).await?;
        let ours = listed.iter().find(|one| one.guardrail_arn() == Some(guardrail));
        Ok(match ours.and_then(|one| one.config_id()) {
            Some(id) => Some(Some(id.to_owned())),
            // Somebody else's is there instead, so this one isn't.
            None if !listed.is_empty() => Some(None),
            None => known.map(|id| Some(id.to_owned())),
        })
    };
    let Some(Some(id)) = calls.until(LOOKED_FOR, look).await? else { return Ok(()) };
    let client = &cloud.member.bedrock;
    let deleted = calls.call("DeleteEnforcedGuardrailConfiguration", async || {
        client.delete_enforced_guardrail_configuration().config_id(&id).send().await
    });
    gone(deleted.await?, &["ResourceNotFoundException"])
}

/// What the throw-away account itself enforces. List answers an error where there is nothing, or may.
///
/// # Errors
/// [`Halt`] where it can't be read.
pub async fn enforcements(
    calls: &Calling,
    cloud: &TwoAccounts,
) -> Result<Vec<aws_sdk_bedrock::types::AccountEnforcedGuardrailOutputConfiguration>, Halt> {
    let own = |configuration: &aws_sdk_bedrock::types::AccountEnforcedGuardrailOutputConfiguration| {
        configuration.owner().is_none_or(|owner| owner.as_str() == "ACCOUNT")
    };
    Ok(listed(calls, cloud).await?.unwrap_or_default().into_iter().filter(own).collect())
}

/// Everything that List shows; nothing where it answers that there is nothing.
///
/// # Errors
/// [`Halt`] where it can't be read.
pub async fn listed(
    calls: &Calling,
    cloud: &TwoAccounts,
) -> Result<Option<Vec<aws_sdk_bedrock::types::AccountEnforcedGuardrailOutputConfiguration>>, Halt> {
    let client = &cloud.member.bedrock;
    let (mut found, mut token) = (Vec::new(), None::<String>);
    loop {
        let page = calls.call("ListEnforcedGuardrailsConfiguration", async || {
            client.list_enforced_guardrails_configuration().set_next_token(token.clone()).send().await
        });
        let page = match page.await? {
            Err(refusal) if refusal.is_missing() => return Ok(None),
            page => page?,
        };
        found.extend(page.guardrails_config().iter().cloned());
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(Some(found)),
        }
    }
}

async fn policy_id(calls: &Calling, cloud: &TwoAccounts, name: &str) -> Result<Option<String>, Halt> {
    let client = cloud.organizations()?;
    let mut token: Option<String> = None;
    loop {
        let page = calls.call("ListPolicies", async || {
            let list = client.list_policies().filter(PolicyType::BedrockPolicy);
            list.set_next_token(token.clone()).send().await
        });
        let page = page.await??;
        if let Some(found) = page.policies().iter().find(|policy| policy.name() == Some(name)) {
            return Ok(found.id().map(str::to_owned));
        }
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(None),
        }
    }
}

async fn delete_policy(calls: &Calling, cloud: &TwoAccounts, id: &str) -> Result<(), Halt> {
    let client = cloud.organizations()?;
    let deleted =
        calls.call("DeletePolicy", async || client.delete_policy().policy_id(id).send().await).await?;
    gone(deleted, &["PolicyNotFoundException"])
}

async fn detach(calls: &Calling, cloud: &TwoAccounts, policy: &str, target: &str) -> Result<(), Halt> {
    let client = cloud.organizations()?;
    let detached = calls.call("DetachPolicy", async || {
        client.detach_policy().policy_id(policy).target_id(target).send().await
    });
    gone(detached.await?, &["PolicyNotAttachedException", "PolicyNotFoundException"])
}

/// A deletion whose refusal may say that there is nothing to delete.
fn gone<T>(answered: Answered<T>, missing: &[&str]) -> Result<(), Halt> {
    let is_missing = |refusal: &AwsRefusal| missing.contains(&refusal.code.as_str());
    match answered {
        Err(refusal) if !is_missing(&refusal) => Err(refusal.into()),
        _ => Ok(()),
    }
}
