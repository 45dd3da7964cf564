//! SNS: who is subscribed to a topic.

use super::Inspector;
use guardrail_keeper::cloud::{failure, is_missing};
use keeper_core::doctor::Subscription;
use keeper_core::failure::Failure;

/// What SNS gives for the ARN of a subscription that nobody has confirmed.
const PENDING: &str = "PendingConfirmation";

impl Inspector {
    /// Who is subscribed to a topic; `None` where there is no such topic.
    ///
    /// # Errors
    /// When a page can't be read.
    pub async fn subscriptions(&self, topic: &str) -> Result<Option<Vec<Subscription>>, Failure> {
        let client = aws_sdk_sns::Client::new(&self.sdk());
        let request = client.list_subscriptions_by_topic().topic_arn(topic);
        let all = match request.into_paginator().items().send().try_collect().await {
            Ok(all) => all,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failure("ListSubscriptionsByTopic", &error)),
        };
        let subscriptions = all.iter().map(|one| Subscription {
            protocol: one.protocol().unwrap_or("another protocol").to_owned(),
            // One that was ended is shown as `Deleted` for a while.
            confirmed: one.subscription_arn().is_some_and(|arn| arn != PENDING && arn.starts_with("arn:")),
        });
        Ok(Some(subscriptions.collect()))
    }
}
