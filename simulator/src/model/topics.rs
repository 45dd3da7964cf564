//! Topics of SNS and who is subscribed to them, as they are shown. Nothing is sent.

use serde::{Deserialize, Serialize};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Whose it is.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// Who is subscribed, or was asked to confirm it.
    #[serde(default)]
    pub subscriptions: Vec<TopicSubscription>,
}

/// A subscription of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSubscription {
    /// `email`, `https` and others.
    pub protocol: String,
    /// Where it sends.
    pub endpoint: String,
    /// Whether whoever reads there confirmed it.
    #[serde(default)]
    pub confirmed: bool,
}

impl Topic {
    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:sns:{}:{}:{}", self.region, self.account, self.name)
    }
}

impl Model {
    /// A topic of the caller's account, by its ARN.
    pub(crate) fn topic_as(&self, caller: &Caller, arn: &str) -> Result<&Topic, ApiError> {
        self.authorize(caller, "sns:ListSubscriptionsByTopic", arn)?;
        let here = |topic: &&Topic| {
            topic.arn() == arn && topic.account == caller.account() && topic.region == caller.region
        };
        self.topics.iter().find(here).ok_or_else(|| ApiError::new("NotFound", "Topic does not exist"))
    }
}
