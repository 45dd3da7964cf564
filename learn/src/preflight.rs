//! Whether the account is one to make experiments in: it has to be empty. Only reads.

use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_sdk_organizations::types::{ChildType, EffectivePolicyType, PolicyType};
use jiff::SignedDuration;
use serde_json::Value;

use crate::calls::{Calling, Halt};
use crate::cloud::{NAME, TwoAccounts};
use crate::undo::enforcements;

/// How far back calls of models are looked for.
const DAYS: i64 = 30;
/// How many pages of CloudTrail's history are read for one operation.
const PAGES: usize = 20;
/// The calls of models that CloudTrail's history has; others are data events, which it hasn't.
const MODEL_CALLS: [&str; 4] = ["Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"];

/// What there is in the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountContents {
    /// Whether it is the management account.
    pub is_management: bool,
    /// The guardrails that it enforces.
    pub enforced: Vec<String>,
    /// Whether a Bedrock policy has an effect there.
    pub has_effective_policy: bool,
    /// Whether an invalid policy froze it.
    pub is_frozen: bool,
    /// Bedrock policies that are attached to it or above it: target and policy.
    pub attached: Vec<(String, String)>,
    /// Operations by which others than this program called models there.
    pub called: Vec<String>,
    /// The OU of `--ou`, and what else it holds; or that the account isn't in it.
    pub unit: Option<(String, Option<String>)>,
}

impl AccountContents {
    /// Why nothing is made there; every reason at once.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.is_management {
            reasons.push("it is the management account".to_owned());
        }
        for guardrail in &self.enforced {
            reasons.push(format!("it enforces the guardrail {guardrail}"));
        }
        if self.has_effective_policy {
            reasons.push("a Bedrock policy has an effect in it".to_owned());
        }
        if self.is_frozen {
            reasons.push("an invalid Bedrock policy froze it".to_owned());
        }
        for (target, policy) in &self.attached {
            reasons.push(format!("the Bedrock policy {policy} is attached to {target}"));
        }
        for operation in &self.called {
            reasons.push(format!("models were called there by {operation} within the last {DAYS} days"));
        }
        if let Some((unit, Some(why))) = &self.unit {
            reasons.push(format!("the OU {unit} {why}"));
        }
        reasons
    }
}

/// Looks at everything.
///
/// # Errors
/// [`Halt`] where something can't be read: what isn't known isn't empty.
pub async fn look(calls: &Calling, cloud: &TwoAccounts, unit: Option<&str>) -> Result<AccountContents, Halt> {
    let member = &cloud.member;
    let mut found = AccountContents {
        is_management: member.account == cloud.management_account,
        has_effective_policy: has_effective_policy(calls, cloud).await?,
        called: called(calls, cloud).await?,
        ..AccountContents::default()
    };
    for configuration in enforcements(calls, cloud).await? {
        found.enforced.push(configuration.guardrail_arn().unwrap_or("without an ARN").to_owned());
    }
    if cloud.management.is_some() {
        found.is_frozen = is_frozen(calls, cloud).await?;
        let path = path(calls, cloud).await?;
        for target in &path {
            found.attached.extend(attached(calls, cloud, target).await?);
        }
        if let Some(unit) = unit {
            found.unit = Some((unit.to_owned(), unfit(calls, cloud, unit, &path).await?));
        }
    }
    Ok(found)
}

async fn has_effective_policy(calls: &Calling, cloud: &TwoAccounts) -> Result<bool, Halt> {
    let client = &cloud.member.organizations;
    let said = calls.call("DescribeEffectivePolicy", async || {
        client.describe_effective_policy().policy_type(EffectivePolicyType::BedrockPolicy).send().await
    });
    match said.await? {
        Err(refusal) if refusal.code == "EffectivePolicyNotFoundException" => Ok(false),
        said => {
            let said = said?;
            let text = said.effective_policy().and_then(|policy| policy.policy_content()).unwrap_or("{}");
            let document: Value = serde_json::from_str(text).unwrap_or_default();
            Ok(document.as_object().is_none_or(|members| !members.is_empty()))
        }
    }
}

async fn is_frozen(calls: &Calling, cloud: &TwoAccounts) -> Result<bool, Halt> {
    let client = cloud.organizations()?;
    let mut token: Option<String> = None;
    loop {
        let said = calls.call("ListEffectivePolicyValidationErrors", async || {
            let list = client.list_effective_policy_validation_errors().account_id(&cloud.member.account);
            list.policy_type(EffectivePolicyType::BedrockPolicy).set_next_token(token.clone()).send().await
        });
        let said = match said.await? {
            Err(refusal) if refusal.code == "EffectivePolicyNotFoundException" => return Ok(false),
            said => said?,
        };
        if !said.effective_policy_validation_errors().is_empty() {
            return Ok(true);
        }
        match said.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(false),
        }
    }
}

/// The account and what is above it, up to the root.
async fn path(calls: &Calling, cloud: &TwoAccounts) -> Result<Vec<String>, Halt> {
    let client = cloud.organizations()?;
    let mut path = vec![cloud.member.account.clone()];
    // The tree has five levels of OUs at most.
    for _ in 0..8 {
        let child = path.last().cloned().unwrap_or_default();
        if child.starts_with("r-") {
            break;
        }
        path.extend(parent(calls, client, &child).await?);
    }
    Ok(path)
}

async fn parent(
    calls: &Calling,
    client: &aws_sdk_organizations::Client,
    child: &str,
) -> Result<Option<String>, Halt> {
    let mut token: Option<String> = None;
    loop {
        let page = calls.call("ListParents", async || {
            client.list_parents().child_id(child).set_next_token(token.clone()).send().await
        });
        let page = page.await??;
        if let Some(parent) = page.parents().first() {
            return Ok(parent.id().map(str::to_owned));
        }
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(None),
        }
    }
}

async fn attached(calls: &Calling, cloud: &TwoAccounts, target: &str) -> Result<Vec<(String, String)>, Halt> {
    let client = cloud.organizations()?;
    let (mut found, mut token) = (Vec::new(), None::<String>);
    loop {
        let page = calls.call("ListPoliciesForTarget", async || {
            let list = client.list_policies_for_target().target_id(target).filter(PolicyType::BedrockPolicy);
            list.set_next_token(token.clone()).send().await
        });
        let page = match page.await? {
            Err(refusal) if refusal.code == "PolicyTypeNotEnabledException" => return Ok(found),
            page => page?,
        };
        let ids = page.policies().iter().filter_map(|policy| policy.id());
        found.extend(ids.map(|id| (target.to_owned(), id.to_owned())));
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(found),
        }
    }
}

/// Why an OU isn't one that holds the account and nothing else.
async fn unfit(
    calls: &Calling,
    cloud: &TwoAccounts,
    unit: &str,
    path: &[String],
) -> Result<Option<String>, Halt> {
    if path.get(1).map(String::as_str) != Some(unit) {
        return Ok(Some("is not the one that the account is in".to_owned()));
    }
    for kind in [ChildType::Account, ChildType::OrganizationalUnit] {
        for child in children(calls, cloud, unit, &kind).await? {
            if child != cloud.member.account {
                return Ok(Some(format!("holds {child}, too")));
            }
        }
    }
    Ok(None)
}

async fn children(
    calls: &Calling,
    cloud: &TwoAccounts,
    unit: &str,
    kind: &ChildType,
) -> Result<Vec<String>, Halt> {
    let client = cloud.organizations()?;
    let (mut found, mut token) = (Vec::new(), None::<String>);
    loop {
        let page = calls.call("ListChildren", async || {
            let list = client.list_children().parent_id(unit).child_type(kind.clone());
            list.set_next_token(token.clone()).send().await
        });
        let page = page.await??;
        found.extend(page.children().iter().filter_map(|child| child.id()).map(str::to_owned));
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(found),
        }
    }
}

/// By which operations others called models, as CloudTrail's event history tells. This program's own calls don't count.
async fn called(calls: &Calling, cloud: &TwoAccounts) -> Result<Vec<String>, Halt> {
    let client = aws_sdk_cloudtrail::Client::new(&cloud.member.config);
    let mut found = Vec::new();
    for operation in MODEL_CALLS {
        if was_called(calls, &client, operation).await? {
            found.push(operation.to_owned());
        }
    }
    Ok(found)
}

async fn was_called(
    calls: &Calling,
    client: &aws_sdk_cloudtrail::Client,
    operation: &str,
) -> Result<bool, Halt> {
    let since = calls.now().saturating_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or_default();
    let since = aws_smithy_types::DateTime::from_secs(since.as_second());
    let by_name = LookupAttribute::builder()
        .attribute_key(LookupAttributeKey::EventName)
        .attribute_value(operation)
        .build()
        .map_err(|error| Halt::Because(error.to_string()))?;
    let mut token: Option<String> = None;
    for _ in 0..PAGES {
        let page = calls.call("LookupEvents", async || {
            let look = client.lookup_events().lookup_attributes(by_name.clone()).start_time(since);
            look.set_next_token(token.clone()).send().await
        });
        let page = page.await??;
        if page.events().iter().any(|event| !is_own(event.cloud_trail_event())) {
            return Ok(true);
        }
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(false),
        }
    }
    Err(Halt::Because(format!("CloudTrail's history has more {operation} than were looked through")))
}

/// Whether this program made a call: the SDK puts the program's name into the user agent.
fn is_own(event: Option<&str>) -> bool {
    let event: Option<Value> = event.and_then(|event| serde_json::from_str(event).ok());
    let agent = event.as_ref().and_then(|event| event["userAgent"].as_str()).unwrap_or_default();
    agent.split_whitespace().any(|part| part.strip_prefix("app/") == Some(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_given_at_once() {
        let found = AccountContents {
            is_management: true,
            enforced: vec!["arn".to_owned()],
            has_effective_policy: true,
            is_frozen: true,
            attached: vec![("r-exam".to_owned(), "p-1".to_owned())],
            called: vec!["Converse".to_owned()],
            unit: Some(("ou-exam-1".to_owned(), Some("holds another, too".to_owned()))),
        };
        assert_eq!(found.reasons().len(), 7);
        assert!(
            AccountContents { unit: Some(("ou-exam-1".to_owned(), None)), ..AccountContents::default() }
                .reasons()
                .is_empty()
        );
    }

    #[test]
    fn only_calls_in_the_programs_name_are_its_own() {
        let event = |agent: &str| serde_json::json!({ "userAgent": agent }).to_string();
        assert!(is_own(Some(&event("aws-sdk-rust/1.3 os/linux app/guardrail-learn"))));
        assert!(!is_own(Some(&event("aws-sdk-rust/1.3 os/linux app/guardrail-learner"))));
        assert!(!is_own(Some(&event("Boto3/1.40 md/guardrail-learn"))));
        assert!(!is_own(None));
    }
}
