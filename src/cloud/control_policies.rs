//! Service control policies: which are attached where, and what they say.

use aws_sdk_organizations::types::PolicyType;

use super::Organizations;
use super::error::failure;
use crate::doctor::ControlPolicy;
use crate::failure::Failure;

impl Organizations {
    /// The ids and names of the service control policies that are attached to the root, an OU or an
    /// account itself, without AWS's own, which deny nothing.
    ///
    /// # Errors
    /// When a page can't be read: half a list is none.
    pub async fn attached_policies(&self, target: &str) -> Result<Vec<(String, String)>, Failure> {
        const OPERATION: &str = "ListPoliciesForTarget";
        let request = self.client.list_policies_for_target().target_id(target);
        let pages = request.filter(PolicyType::ServiceControlPolicy).into_paginator().send();
        let pages = pages.try_collect().await.map_err(|error| failure(OPERATION, &error))?;
        let policies = pages.iter().flat_map(aws_sdk_organizations::operation::list_policies_for_target::ListPoliciesForTargetOutput::policies).filter(|policy| !policy.aws_managed());
        let named = policies.map(|policy| {
            let id = policy.id().ok_or_else(|| Failure::incomplete(OPERATION, "Id"))?;
            Ok((id.to_owned(), policy.name().unwrap_or(id).to_owned()))
        });
        named.collect()
    }

    /// What a policy says.
    ///
    /// # Errors
    /// When Organizations doesn't tell.
    pub async fn control_policy(&self, id: &str, name: &str) -> Result<ControlPolicy, Failure> {
        const OPERATION: &str = "DescribePolicy";
        // Its rate isn't published; that of the slowest reads is.
        self.paces.list_parents.turn().await;
        let answer = self.client.describe_policy().policy_id(id).send().await;
        let answer = answer.map_err(|error| failure(OPERATION, &error))?;
        let content = answer.policy().and_then(|policy| policy.content());
        let content = content.ok_or_else(|| Failure::incomplete(OPERATION, "Content"))?;
        Ok(ControlPolicy { id: id.to_owned(), name: name.to_owned(), content: content.to_owned() })
    }
}
