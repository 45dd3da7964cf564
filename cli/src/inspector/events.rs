//! EventBridge: buses, rules, and where they send.

use super::Inspector;
use guardrail_keeper::cloud::{failure, is_missing};
use keeper_core::doctor::{Listens, Rule};
use keeper_core::failure::Failure;

/// The state of a rule that is shown calls that only read, too.
const SHOWN_ALL: &str = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS";

/// A bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusSeen {
    /// Its ARN.
    pub arn: String,
    /// Its policy, as JSON, if it has one.
    pub policy: Option<String>,
}

impl Inspector {
    fn events(&self) -> aws_sdk_eventbridge::Client {
        let config = aws_sdk_eventbridge::config::Builder::from(&self.sdk_of(|own| &own.events));
        aws_sdk_eventbridge::Client::from_conf(config.retry_partition(self.session.retries().clone()).build())
    }

    /// A bus; `None` where no bus has that name.
    ///
    /// # Errors
    /// When EventBridge can't be read.
    pub async fn bus(&self, name: &str) -> Result<Option<BusSeen>, Failure> {
        match self.events().describe_event_bus().name(name).send().await {
            Ok(answer) => Ok(answer.arn().map(|arn| BusSeen {
                arn: arn.to_owned(),
                policy: answer.policy().filter(|policy| !policy.is_empty()).map(str::to_owned),
            })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failure("DescribeEventBus", &error)),
        }
    }

    /// The rules on a bus that listen for one of these, with their targets. `prefix` is how their names
    /// begin; empty for all.
    ///
    /// # Errors
    /// When the list can't be read. A rule whose targets can't be says so itself.
    pub async fn rules(&self, bus: &str, prefix: &str, needs: &[Listens]) -> Result<Vec<Rule>, Failure> {
        let client = self.events();
        let mut rules = Vec::new();
        let mut from = None;
        loop {
            let request = client.list_rules().event_bus_name(bus).set_next_token(from.clone());
            let request = request.set_name_prefix((!prefix.is_empty()).then(|| prefix.to_owned()));
            let answer = request.send().await.map_err(|error| failure("ListRules", &error))?;
            for rule in answer.rules() {
                let pattern = rule.event_pattern().map(str::to_owned);
                let wanted =
                    pattern.as_deref().is_some_and(|text| needs.iter().any(|need| need.is_for(text)));
                let Some(name) = rule.name().filter(|_| wanted) else { continue };
                rules.push(Rule {
                    name: name.to_owned(),
                    // ENABLED, or ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS.
                    enabled: rule.state().is_some_and(|state| state.as_str().starts_with("ENABLED")),
                    shows_reads: rule.state().is_some_and(|state| state.as_str() == SHOWN_ALL),
                    pattern,
                    targets: targets(&client, bus, name).await,
                });
            }
            let next = answer.next_token().map(str::to_owned);
            if next.is_none() || next == from {
                return Ok(rules);
            }
            from = next;
        }
    }
}

async fn targets(
    client: &aws_sdk_eventbridge::Client,
    bus: &str,
    rule: &str,
) -> Result<Vec<String>, Failure> {
    let mut targets = Vec::new();
    let mut from = None;
    loop {
        let request = client.list_targets_by_rule().event_bus_name(bus).rule(rule);
        let answer = request.set_next_token(from.clone()).send().await;
        let answer = answer.map_err(|error| failure("ListTargetsByRule", &error))?;
        targets.extend(answer.targets().iter().map(|target| target.arn().to_owned()));
        let next = answer.next_token().map(str::to_owned);
        if next.is_none() || next == from {
            return Ok(targets);
        }
        from = next;
    }
}
