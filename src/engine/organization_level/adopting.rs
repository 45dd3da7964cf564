//! Takes somebody's policy over, for a person at a terminal: the keeper's function never does.
//!
//! ```text
//! read again ─► tag ─► record ─► rename ─► read back
//! ```
//!
//! Each moment is safe. A tag has no effect. What is recorded under another name than the policy has is not the keeper's:
//! its jobs leave it alone. With the new name it is, and by then the role of the function may write it. A run that is
//! stopped anywhere is continued by the next one.

use std::collections::BTreeMap;

use super::looking::organization_session;
use crate::baseline::Baseline;
use crate::bedrock_policy::{BedrockPolicy, PolicyId};
use crate::cloud::{BedrockPolicyReader, BedrockPolicyWriter};
use crate::engine::Keeper;
use crate::engine::accounts::head_of;
use crate::failure::{Code, Failure};
use crate::ledger::LedgerError;
use crate::organization_level::{
    AdoptablePolicy, AdoptionStart, FoundPolicy, NotAdoptable, OrganizationLevelRecord, adoptable,
};

/// Why a policy could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// No Bedrock policy has this id.
    #[error("there is no Bedrock policy {0}")]
    NoSuchPolicy(PolicyId),
    /// The type isn't enabled.
    #[error(
        "Bedrock policies are not enabled in the organization, so AWS lists none and none is attached: guardrailctl \
         enable-policy-type"
    )]
    NotEnabled,
    /// The deployment has nothing to do with Bedrock policies.
    #[error("KEEPER_ORGANIZATION_ROLE is none, so nobody writes Bedrock policies")]
    NotDeployed,
    /// It could not be read, in words.
    #[error("{0}")]
    Unread(String),
}

impl From<Failure> for NotFound {
    fn from(failure: Failure) -> NotFound {
        NotFound::Unread(failure.said())
    }
}

impl From<LedgerError> for NotFound {
    fn from(error: LedgerError) -> NotFound {
        NotFound::Unread(format!("the ledger could not be read: {error}"))
    }
}

/// How far taking over came, where it did not come to its end.
#[derive(Debug)]
pub enum Unadopted {
    /// Nothing of it counts: the policy stays what it was.
    Stopped {
        /// Why, in words.
        why: String,
        /// Whether it has got the keeper's tag, which has no effect by itself.
        is_tagged: bool,
    },
    /// It isn't known whether the policy has its new name: run it again. In words.
    Unknown(String),
}

/// What takes a policy over.
#[derive(Debug)]
pub struct PolicyAdopter<'a> {
    keeper: &'a Keeper,
    baseline: &'a Baseline,
    reader: BedrockPolicyReader,
    writer: BedrockPolicyWriter,
}

impl<'a> PolicyAdopter<'a> {
    /// With the credentials that write Bedrock policies.
    ///
    /// # Errors
    /// When nobody is to write them, or there are no credentials.
    pub async fn connect(keeper: &'a Keeper, baseline: &'a Baseline) -> Result<PolicyAdopter<'a>, NotFound> {
        let head =
            head_of(keeper, baseline).await.map_err(|stopped| NotFound::Unread(stopped.to_string()))?;
        let session = organization_session(keeper, &head.management).await?;
        let session = session.ok_or(NotFound::NotDeployed)?;
        let (reader, writer) =
            (keeper.cloud.bedrock_policies(&session), keeper.cloud.bedrock_policy_writer(&session));
        Ok(PolicyAdopter { keeper, baseline, reader, writer })
    }

    /// Reads a policy, and judges whether it can become the keeper's.
    ///
    /// # Errors
    /// When it isn't there, or can't be read.
    pub async fn look(
        &self,
        id: &PolicyId,
    ) -> Result<(FoundPolicy, Result<AdoptionStart, Vec<NotAdoptable>>), NotFound> {
        let all = self.reader.listed().await?.ok_or(NotFound::NotEnabled)?;
        let names: BTreeMap<PolicyId, String> =
            all.into_iter().map(|policy| (policy.id, policy.name)).collect();
        let name = names.get(id).ok_or_else(|| NotFound::NoSuchPolicy(id.clone()))?;
        let points = self.reader.targets(id).await?;
        let content = BedrockPolicy::parse(&self.reader.content(id).await?);
        let found = FoundPolicy { id: id.clone(), name: name.clone(), points, content };
        let known = self.keeper.ledger.organization_level().await?;
        let start = adoptable(&found, self.baseline, &known, &names);
        Ok((found, start))
    }

    /// Takes over what was shown. `seen` is how the policy was then.
    ///
    /// # Errors
    /// When it stopped on the way.
    pub async fn adopt(&self, seen: &FoundPolicy, policy: &AdoptablePolicy) -> Result<(), Unadopted> {
        let AdoptablePolicy { id, part, content } = policy;
        let stopped =
            |why: &dyn std::fmt::Display| Unadopted::Stopped { why: why.to_string(), is_tagged: false };
        let (now, start) = self.look(id).await.map_err(|why| stopped(&why))?;
        if now != *seen || start != Ok(AdoptionStart::Adoptable(policy.clone())) {
            return Err(stopped(&format_args!("somebody changed {id} since it was shown")));
        }
        self.writer.tag(id).await.map_err(|failure| stopped(&failure.said()))?;
        // What was carried out before says nothing of this policy: its first change is no repair.
        let change = |known: &mut OrganizationLevelRecord| {
            known.own.insert(id.clone(), part.clone());
            known.confirmed = None;
        };
        let recorded = self.keeper.ledger.change_organization_level(change).await;
        recorded.map_err(|error| Unadopted::Stopped {
            why: format!("the ledger could not take note of it: {error}"),
            is_tagged: true,
        })?;
        match self.writer.rename(id, part).await {
            Ok(()) => {}
            Err(failure) if failure.category.is_worth_waiting() => {
                return Err(Unadopted::Unknown(failure.said()));
            }
            Err(failure) => return Err(self.forget(id, &failure).await),
        }
        match self.reader.content(id).await.map(|text| BedrockPolicy::parse(&text)) {
            Ok(Ok(now)) if now.says(content) => Ok(()),
            Ok(_) => Err(Unadopted::Unknown(format!("{id} says something else than was shown"))),
            Err(failure) => Err(Unadopted::Unknown(failure.said())),
        }
    }

    /// Takes back what was recorded, where AWS refused the name.
    async fn forget(&self, id: &PolicyId, failure: &Failure) -> Unadopted {
        let why = match failure.code {
            Code::Conflict => "another policy has this name by now".to_owned(),
            _ => failure.said(),
        };
        let change = |known: &mut OrganizationLevelRecord| drop(known.own.remove(id));
        let why = match self.keeper.ledger.change_organization_level(change).await {
            Ok(()) => why,
            // It counts for nothing under the name that it has.
            Err(error) => format!("{why}; the ledger still names it: {error}"),
        };
        Unadopted::Stopped { why, is_tagged: true }
    }
}
