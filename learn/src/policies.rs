//! Bedrock policies: their text, making them, and what an account has of them.

use std::time::Duration;

use aws_sdk_organizations::types::{EffectivePolicyType, PolicyType};
use serde_json::{Value, json};

use crate::answered::Answered;
use crate::calls::Halt;
use crate::journal::Made;
use crate::lab::Lab;

/// How long Organizations may take to publish a document, or to say why it doesn't.
const PUBLISHED: Duration = Duration::from_secs(120);

/// What an account has after a change.
#[derive(Clone, Debug, PartialEq)]
pub enum MergeSeen {
    /// A new document.
    Published(Value),
    /// The old one: the merge isn't valid, for these reasons.
    Frozen(Vec<String>),
}

/// A configuration of a policy, in the operators' form.
#[derive(Clone, Debug)]
pub struct PolicySettings(Value);

impl PolicySettings {
    /// One that names a guardrail version.
    pub fn of(guardrail: &str, version: &str) -> PolicySettings {
        PolicySettings(json!({ "identifier": { "@@assign": format!("{guardrail}:{version}") } }))
    }

    /// With an assignment at a place of one or two names.
    #[must_use]
    pub fn with(mut self, place: &[&str], value: &Value) -> PolicySettings {
        let mut at = &mut self.0;
        for name in place {
            at = &mut at[*name];
        }
        *at = json!({ "@@assign": value });
        self
    }

    /// With both lists of models.
    #[must_use]
    pub fn models(self, included: &[&str], excluded: &[&str]) -> PolicySettings {
        self.with(&["model_enforcement", "included_models"], &json!(included))
            .with(&["model_enforcement", "excluded_models"], &json!(excluded))
    }

    /// With a lock on the identifier, for the policies below.
    #[must_use]
    pub fn locked(mut self) -> PolicySettings {
        self.0["identifier"]["@@operators_allowed_for_child_policies"] = json!(["@@none"]);
        self
    }
}

/// A policy without any configuration.
pub fn nothing() -> String {
    json!({ "bedrock": {} }).to_string()
}

impl Lab {
    /// The text of a policy with these configurations in the run's Region.
    pub fn document(&self, configurations: &[(&str, PolicySettings)]) -> String {
        let named = configurations.iter().map(|(name, settings)| ((*name).to_owned(), settings.0.clone()));
        let named: serde_json::Map<String, Value> = named.collect();
        json!({ "bedrock": { "guardrail_inference": { self.cloud.region.as_str(): named } } }).to_string()
    }

    /// The configurations that a published document has in the run's Region.
    pub fn configurations<'a>(&self, document: &'a Value) -> &'a Value {
        &document["bedrock"]["guardrail_inference"][self.cloud.region.as_str()]
    }

    /// Makes a policy that is attached to nothing; answers its id.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn make_policy(&self, label: &str, content: &str) -> Result<Answered<String>, Halt> {
        let client = self.cloud.organizations()?;
        let name = self.name(label);
        let number = self.record(Made::Policy { name: name.clone() })?;
        let made = self.calls.firmly("CreatePolicy", async || {
            let create = client.create_policy().name(&name).content(content);
            create
                .description("Made to learn from, and removed again.")
                .r#type(PolicyType::BedrockPolicy)
                .send()
                .await
        });
        let made = match made.await? {
            Err(refusal) => return Ok(Err(refusal)),
            Ok(made) => made,
        };
        let summary = made.policy().and_then(|policy| policy.policy_summary());
        let id = summary.and_then(|summary| summary.id());
        let id = id.ok_or_else(|| Halt::Because("CreatePolicy answered without an id".to_owned()))?;
        self.identify(number, id)?;
        Ok(Ok(id.to_owned()))
    }

    /// Attaches a policy.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn attach(&self, policy: &str, target: &str) -> Result<Answered<()>, Halt> {
        let client = self.cloud.organizations()?;
        self.record(Made::Attachment { policy: policy.to_owned(), target: target.to_owned() })?;
        let attached = self.calls.firmly("AttachPolicy", async || {
            client.attach_policy().policy_id(policy).target_id(target).send().await
        });
        match attached.await? {
            // An earlier attempt arrived, and its answer got lost.
            Err(refusal) if refusal.code == "DuplicatePolicyAttachmentException" => Ok(Ok(())),
            attached => Ok(attached.map(drop)),
        }
    }

    /// Makes a policy, attaches it to the throw-away account and waits for what it comes to.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn apply_policy(&self, label: &str, content: &str) -> Result<Answered<MergeSeen>, Halt> {
        self.until_no_policy().await?;
        let policy = match self.make_policy(label, content).await? {
            Ok(policy) => policy,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let account = &self.cloud.member.account;
        self.attach(&policy, account).await??;
        Ok(Ok(self.evaluated(account, &json!({})).await?))
    }

    /// Waits until an account has something else than before, or is frozen.
    ///
    /// # Errors
    /// [`Halt::Because`] where neither comes.
    pub async fn evaluated(&self, account: &str, before: &Value) -> Result<MergeSeen, Halt> {
        let began = self.calls.elapsed();
        let seen = self.calls.until(PUBLISHED, async || {
            let document = self.effective(account).await?;
            if document != *before {
                return Ok(Some(MergeSeen::Published(document)));
            }
            let errors = self.validation_errors(account).await?;
            Ok((!errors.is_empty()).then_some(MergeSeen::Frozen(errors)))
        });
        let never =
            || Halt::Because(format!("{account} got no other policy within {} s", PUBLISHED.as_secs()));
        let seen = seen.await?.ok_or_else(never)?;
        if matches!(seen, MergeSeen::Published(_)) {
            let what = "from a change of a policy to the account's document";
            self.measure("policy_publication_seconds", what, self.calls.elapsed() - began);
        }
        Ok(seen)
    }

    /// Waits until an account's policy passes a test.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn until_effective(
        &self,
        account: &str,
        limit: Duration,
        test: impl Fn(&Value) -> bool,
    ) -> Result<bool, Halt> {
        let look = async || Ok(test(&self.effective(account).await?).then_some(()));
        Ok(self.calls.until(limit, look).await?.is_some())
    }

    /// Waits until no policy of an earlier experiment is left in the throw-away account.
    ///
    /// # Errors
    /// [`Halt::Because`] where one stays.
    pub async fn until_no_policy(&self) -> Result<(), Halt> {
        let account = &self.cloud.member.account;
        let look = async || {
            let is_free = self.effective(account).await? == json!({});
            Ok((is_free && self.validation_errors(account).await?.is_empty()).then_some(()))
        };
        let still = || Halt::Because(format!("{account} still has an earlier policy"));
        self.calls.until(PUBLISHED, look).await?.ok_or_else(still)
    }

    /// What Organizations publishes to an account.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn effective(&self, account: &str) -> Result<Value, Halt> {
        let client = self.cloud.organizations()?;
        let said = self.calls.call("DescribeEffectivePolicy", async || {
            let describe = client.describe_effective_policy().policy_type(EffectivePolicyType::BedrockPolicy);
            describe.target_id(account).send().await
        });
        let said = said.await??;
        let text = said.effective_policy().and_then(|policy| policy.policy_content()).unwrap_or("{}");
        serde_json::from_str(text).map_err(|_| Halt::Because("the effective policy is not JSON".to_owned()))
    }

    /// Why an account's merge isn't valid, by AWS's codes.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn validation_errors(&self, account: &str) -> Result<Vec<String>, Halt> {
        let client = self.cloud.organizations()?;
        let (mut codes, mut token) = (Vec::new(), None::<String>);
        loop {
            let said = self.calls.call("ListEffectivePolicyValidationErrors", async || {
                let list = client.list_effective_policy_validation_errors().account_id(account);
                list.policy_type(EffectivePolicyType::BedrockPolicy)
                    .set_next_token(token.clone())
                    .send()
                    .await
            });
            let said = said.await??;
            let errors = said.effective_policy_validation_errors().iter();
            codes.extend(errors.filter_map(|error| error.error_code()).map(str::to_owned));
            match said.next_token() {
                Some(next) => token = Some(next.to_owned()),
                None => return Ok(codes),
            }
        }
    }

    /// Replaces the text of a policy.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn update_policy(&self, policy: &str, content: &str) -> Result<Answered<()>, Halt> {
        let client = self.cloud.organizations()?;
        let updated = self.calls.firmly("UpdatePolicy", async || {
            client.update_policy().policy_id(policy).content(content).send().await
        });
        Ok(updated.await?.map(drop))
    }
}
