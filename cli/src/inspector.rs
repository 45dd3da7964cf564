//! Looks at what the keeper rests on and never touches: roles, trails, rules, StackSets, Regions, functions.
//! For people at a terminal; the function has no use for it.

mod events;
mod hub;
mod iam;
mod lambda;
mod stack_sets;
mod topics;
mod trails;

use std::collections::BTreeMap;

use aws_config::{Region as SdkRegion, SdkConfig};

pub use events::BusSeen;
use guardrail_keeper::cloud::failure;
use guardrail_keeper::cloud::{Cloud, Service, Session};
pub use hub::QueueSeen;
use keeper_core::failure::Failure;
use keeper_core::ids::{AccountId, Region};

/// Reads in one account and Region. Has no way to write.
#[derive(Clone, Debug)]
pub struct Inspector {
    session: Session,
    region: Region,
    /// Where EventBridge, SQS and DynamoDB are for us; in members they are where everything is.
    own: Option<Box<Own>>,
}

#[derive(Clone, Debug)]
struct Own {
    events: SdkConfig,
    queues: SdkConfig,
    table: SdkConfig,
}

impl Inspector {
    /// An inspector with the session's credentials.
    pub fn new(session: &Session, region: &Region) -> Inspector {
        Inspector { session: session.clone(), region: region.clone(), own: None }
    }

    /// An inspector of our own account, in our own Region unless another is named.
    ///
    /// # Errors
    /// When no Region is configured.
    pub async fn own(cloud: &Cloud, region: Option<&Region>) -> Result<Inspector, Failure> {
        let session = cloud.session(cloud.own_account()).await?;
        let configured = || session.sdk().region().and_then(|region| region.as_ref().parse().ok());
        let region = region
            .cloned()
            .or_else(configured)
            .ok_or_else(|| Failure::rejected("configure", "no Region is configured: set AWS_REGION"))?;
        let own = Own {
            events: cloud.sdk(Service::EventBridge),
            queues: cloud.sdk(Service::Sqs),
            table: cloud.sdk(Service::DynamoDb),
        };
        Ok(Inspector { session, region, own: Some(Box::new(own)) })
    }

    /// The Region that is looked at.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// What a client in this account and Region is made from.
    fn sdk(&self) -> SdkConfig {
        self.in_region(self.session.sdk())
    }

    fn in_region(&self, sdk: &SdkConfig) -> SdkConfig {
        sdk.to_builder().region(SdkRegion::new(self.region.to_string())).build()
    }

    fn sdk_of(&self, own: impl Fn(&Own) -> &SdkConfig) -> SdkConfig {
        match &self.own {
            Some(services) => self.in_region(own(services)),
            None => self.sdk(),
        }
    }

    /// The status of every Region in this account; or in another one, for the management account and
    /// for a delegated administrator of Account Management.
    ///
    /// # Errors
    /// When AWS can't be read.
    pub async fn regions(&self, of: Option<&AccountId>) -> Result<BTreeMap<String, String>, Failure> {
        let config = aws_sdk_account::config::Builder::from(&self.sdk());
        let config = config.retry_partition(self.session.retries().clone()).build();
        let client = aws_sdk_account::Client::from_conf(config);
        let request = client.list_regions().set_account_id(of.map(ToString::to_string));
        let all = request.into_paginator().items().send().try_collect().await;
        let all = all.map_err(|error| failure("ListRegions", &error))?;
        let regions = all.iter().filter_map(|region| {
            let status = region.region_opt_status()?.as_str().to_owned();
            Some((region.region_name()?.to_owned(), status))
        });
        Ok(regions.collect())
    }

    /// The ARNs of the foundation models of the Region.
    ///
    /// # Errors
    /// When AWS can't be read.
    pub async fn models(&self) -> Result<Vec<String>, Failure> {
        let config = aws_sdk_bedrock::config::Builder::from(&self.sdk());
        let config = config.retry_partition(self.session.retries().clone()).build();
        let client = aws_sdk_bedrock::Client::from_conf(config);
        let answer = client.list_foundation_models().send().await;
        let answer = answer.map_err(|error| failure("ListFoundationModels", &error))?;
        Ok(answer.model_summaries().iter().map(|model| model.model_arn().to_owned()).collect())
    }
}
