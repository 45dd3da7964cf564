//! The hub's queues and its table, and the organization as it sees it.

use aws_sdk_sqs::types::QueueAttributeName;

use super::Inspector;
use guardrail_keeper::cloud::{failure, is_missing};
use keeper_core::failure::Failure;

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSeen {
    /// Its ARN.
    pub arn: String,
    /// Whether what can't be handled goes to another queue.
    pub has_dead_letters: bool,
}

impl Inspector {
    /// A queue of ours; `None` where it doesn't exist.
    ///
    /// # Errors
    /// When SQS can't be read.
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

    /// The ARN and the status of a table of ours; `None` where it doesn't exist.
    ///
    /// # Errors
    /// When DynamoDB can't be read.
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
