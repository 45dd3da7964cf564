//! The hub's queues and its table, and the organization as it sees it.

use std::collections::BTreeSet;

use aws_sdk_sqs::types::QueueAttributeName;

use super::Inspector;
use crate::cloud::Organizations;
use crate::cloud::error::{failure, is_missing, shortened};
use crate::failure::Failure;
use crate::ids::{AccountId, ParentId};

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSeen {
    /// Its ARN.
    pub arn: String,
    /// Whether what can't be handled goes to another queue.
    pub has_dead_letters: bool,
}

impl Inspector {
    /// A queue of ours; `None` where there is none.
    ///
    /// # Errors
    /// When SQS doesn't tell.
    pub async fn queue(&self, url: &str) -> Result<Option<QueueSeen>, Failure> {
        const OPERATION: &str = "GetQueueAttributes";
        let client = aws_sdk_sqs::Client::new(&self.sdk_of(|own| &own.queues));
        let request = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failure(OPERATION, &error)),
        };
        let attribute = |name| answer.attributes().and_then(|all| all.get(&name)).cloned();
        let arn = attribute(QueueAttributeName::QueueArn)
            .ok_or_else(|| Failure::incomplete(OPERATION, "QueueArn"))?;
        Ok(Some(QueueSeen { arn, has_dead_letters: attribute(QueueAttributeName::RedrivePolicy).is_some() }))
    }

    /// The ARN and the status of a table of ours; `None` where there is none.
    ///
    /// # Errors
    /// When DynamoDB doesn't tell.
    pub async fn table(&self, name: &str) -> Result<Option<(String, String)>, Failure> {
        let client = aws_sdk_dynamodb::Client::new(&self.sdk_of(|own| &own.table));
        match client.describe_table().table_name(name).send().await {
            Ok(answer) => Ok(answer.table().map(|table| {
                let status = table.table_status().map(|status| status.as_str().to_owned());
                (table.table_arn().unwrap_or_default().to_owned(), status.unwrap_or_default())
            })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failure("DescribeTable", &error)),
        }
    }
}

impl Organizations {
    /// The feature set: `ALL`, or `CONSOLIDATED_BILLING`.
    ///
    /// # Errors
    /// When Organizations doesn't tell.
    pub async fn features(&self) -> Result<String, Failure> {
        self.paces.describe_organization.turn().await;
        let answer = self.client.describe_organization().send().await;
        let answer = answer.map_err(|error| failure("DescribeOrganization", &error))?;
        let features = answer.organization().and_then(|organization| organization.feature_set());
        Ok(features.map_or_else(|| "none that AWS tells".to_owned(), |features| features.as_str().to_owned()))
    }

    /// The name of an OU.
    ///
    /// # Errors
    /// When Organizations doesn't tell.
    pub async fn unit_name(&self, unit: &ParentId) -> Result<String, Failure> {
        const OPERATION: &str = "DescribeOrganizationalUnit";
        // Its rate isn't published; that of the slowest reads is.
        self.paces.list_parents.turn().await;
        let answer = self.client.describe_organizational_unit().organizational_unit_id(unit.as_str());
        let answer = answer.send().await.map_err(|error| failure(OPERATION, &error))?;
        let name = answer.organizational_unit().and_then(|unit| unit.name()).map(shortened);
        name.ok_or_else(|| Failure::transient(OPERATION, "the answer leaves out Name"))
    }

    /// The services that an account is a delegated administrator for.
    ///
    /// # Errors
    /// When Organizations doesn't tell. To an account that isn't one it doesn't.
    pub async fn delegated_services(&self, account: &AccountId) -> Result<BTreeSet<String>, Failure> {
        let mut services = BTreeSet::new();
        let request = self.client.list_delegated_services_for_account().account_id(account.as_str());
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure("ListDelegatedServicesForAccount", &error))?;
            let named = page.delegated_services().iter().filter_map(|one| one.service_principal());
            services.extend(named.map(str::to_owned));
        }
        Ok(services)
    }
}
