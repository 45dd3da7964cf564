//! CloudFormation: the StackSets of the organization.

use aws_sdk_cloudformation::types::{AutoDeployment, CallAs};

use super::Inspector;
use guardrail_keeper::cloud::{failure, is_missing};
use keeper_core::doctor::{Instance, StackSet};
use keeper_core::failure::Failure;

impl Inspector {
    fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.sdk())
    }

    /// A StackSet of the organization; `None` where no StackSet has that name. `as_delegate` for any
    /// account but the management account.
    ///
    /// # Errors
    /// When CloudFormation can't be read.
    pub async fn stack_set(&self, name: &str, as_delegate: bool) -> Result<Option<StackSet>, Failure> {
        let request =
            self.cloudformation().describe_stack_set().stack_set_name(name).call_as(caller(as_delegate));
        match request.send().await {
            Ok(answer) => Ok(answer.stack_set().map(|set| StackSet {
                status: set.status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
                auto_deployment: set.auto_deployment().and_then(AutoDeployment::enabled),
            })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failure("DescribeStackSet", &error)),
        }
    }

    /// The stacks of a StackSet.
    ///
    /// # Errors
    /// When a page can't be read.
    pub async fn stack_instances(&self, name: &str, as_delegate: bool) -> Result<Vec<Instance>, Failure> {
        let request = self.cloudformation().list_stack_instances().stack_set_name(name);
        let all = request.call_as(caller(as_delegate)).into_paginator().items().send().try_collect().await;
        let all = all.map_err(|error| failure("ListStackInstances", &error))?;
        let instances = all.iter().map(|one| Instance {
            account: one.account().unwrap_or_default().to_owned(),
            region: one.region().unwrap_or_default().to_owned(),
            status: one.status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
            detailed: one
                .stack_instance_status()
                .and_then(|status| status.detailed_status())
                .map(|status| status.as_str().to_owned()),
            reason: one.status_reason().map(str::to_owned),
        });
        Ok(instances.collect())
    }
}

fn caller(as_delegate: bool) -> CallAs {
    if as_delegate { CallAs::DelegatedAdmin } else { CallAs::SelfValue }
}
