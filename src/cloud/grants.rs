//! Writes resource policies in the account that owns the guardrails. The only writer of them.

use super::error::failure;
use super::{Reader, Session};
use crate::failure::Failure;
use crate::ids::Region;
use crate::observed::ResourcePolicySeen;
use crate::plan::{GrantChange, GrantPurpose};
use crate::resource_policy::{Document, Ensure, ensure};

const PUT: &str = "PutResourcePolicy";
const DELETE: &str = "DeleteResourcePolicy";

/// Writes the resource policies of one Region.
#[derive(Clone, Debug)]
pub struct GrantWriter {
    reader: Reader,
}

impl GrantWriter {
    /// A writer with the owner's credentials.
    pub fn new(session: &Session, region: &Region) -> GrantWriter {
        GrantWriter { reader: Reader::new(session, region) }
    }

    /// Makes the change, and reads it back.
    ///
    /// # Errors
    /// When AWS refuses, when somebody else changed the resource policy since it was read (then nothing is
    /// overwritten: there is no compare-and-set, so it is read again first), or when AWS doesn't show the written
    /// resource policy yet.
    pub async fn write(&self, change: &GrantChange) -> Result<(), Failure> {
        let GrantChange { grant, purpose, from, to } = change;
        if self.attached(PUT, change).await? != *from {
            return Err(Failure::transient(
                PUT,
                "another caller changed the resource policy meanwhile; nothing was overwritten",
            ));
        }
        let resource = grant.resource.to_string();
        match to {
            Some(document) => {
                let request = self.reader.bedrock.put_resource_policy().resource_arn(resource);
                let answer = request.resource_policy(document.text()).send().await;
                answer.map_err(|error| failure(PUT, &error))?;
                let attached = self.attached(PUT, change).await?;
                // A grant is judged by its effect; taking one back leaves exactly what others wrote.
                let arrived = match purpose {
                    GrantPurpose::Grant => ensure(attached.as_ref(), grant) == Ensure::NotNeeded,
                    GrantPurpose::Withdraw => attached.as_ref() == Some(document),
                };
                if !arrived {
                    return Err(Failure::transient(PUT, "AWS doesn't show the written resource policy yet"));
                }
            }
            None => {
                let request = self.reader.bedrock.delete_resource_policy().resource_arn(resource);
                request.send().await.map_err(|error| failure(DELETE, &error))?;
            }
        }
        Ok(())
    }

    async fn attached(
        &self,
        operation: &'static str,
        change: &GrantChange,
    ) -> Result<Option<Document>, Failure> {
        match self.reader.resource_policy(&change.grant.resource).await {
            ResourcePolicySeen::Absent => Ok(None),
            ResourcePolicySeen::Attached(document) => Ok(Some(document)),
            ResourcePolicySeen::Unreadable(failure) => Err(failure),
            ResourcePolicySeen::Invalid(invalid) => Err(Failure::rejected(operation, invalid.to_string())),
        }
    }
}
