//! CloudTrail: which trails an account sees in a Region, and what they log.

use aws_sdk_cloudtrail::types as aws;

use super::Inspector;
use guardrail_keeper::cloud::failure;
use keeper_core::doctor::{Basic, Field, Selectors, Trail};
use keeper_core::failure::Failure;

impl Inspector {
    fn cloudtrail(&self, region: &str) -> aws_sdk_cloudtrail::Client {
        let config = aws_sdk_cloudtrail::config::Builder::from(self.session.sdk())
            .region(aws_sdk_cloudtrail::config::Region::new(region.to_owned()))
            .retry_partition(self.session.retries().clone());
        aws_sdk_cloudtrail::Client::from_conf(config.build())
    }

    /// The trails that are seen in this Region, those of other Regions and of the organization included.
    ///
    /// # Errors
    /// When the list can't be read. What a single trail keeps to itself stands with it.
    pub async fn trails(&self) -> Result<Vec<Trail>, Failure> {
        let client = self.cloudtrail(self.region.as_str());
        let answer = client.describe_trails().include_shadow_trails(true).send().await;
        let answer = answer.map_err(|error| failure("DescribeTrails", &error))?;
        let mut trails = Vec::new();
        for trail in answer.trail_list() {
            trails.push(self.trail(trail).await);
        }
        Ok(trails)
    }

    async fn trail(&self, trail: &aws::Trail) -> Trail {
        let home = trail.home_region().unwrap_or(self.region.as_str());
        let client = self.cloudtrail(home);
        // Another account's trail, as the organization's is in a member, goes by its ARN only.
        let named = trail.trail_arn().or(trail.name()).unwrap_or_default();
        let logging = client.get_trail_status().name(named).send().await;
        let logging = logging.map_err(|error| failure("GetTrailStatus", &error)).and_then(|answer| {
            answer.is_logging().ok_or_else(|| Failure::incomplete("GetTrailStatus", "IsLogging"))
        });
        let selectors = client.get_event_selectors().trail_name(named).send().await;
        let selectors = selectors.map_err(|error| failure("GetEventSelectors", &error)).map(|answer| {
            match answer.advanced_event_selectors() {
                [] => Selectors::Basic(answer.event_selectors().iter().map(basic).collect()),
                advanced => Selectors::Advanced(
                    advanced.iter().map(|one| one.field_selectors().iter().map(field).collect()).collect(),
                ),
            }
        });
        Trail {
            name: trail.name().unwrap_or(named).to_owned(),
            home: trail.home_region().map(str::to_owned),
            multi_region: trail.is_multi_region_trail() == Some(true),
            logging,
            selectors,
        }
    }
}

fn basic(selector: &aws::EventSelector) -> Basic {
    Basic {
        management: selector.include_management_events() == Some(true),
        kind: selector.read_write_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        excluded: selector.exclude_management_event_sources().iter().cloned().collect(),
    }
}

fn field(selector: &aws::AdvancedFieldSelector) -> Field {
    let otherwise =
        [selector.starts_with(), selector.ends_with(), selector.not_starts_with(), selector.not_ends_with()];
    Field {
        name: selector.field().to_owned(),
        equals: selector.equals().iter().cloned().collect(),
        not_equals: selector.not_equals().iter().cloned().collect(),
        otherwise: otherwise.iter().any(|values| !values.is_empty()),
    }
}
