//! Buses and rules of EventBridge, as they are shown. What rules do to events is `EventRule`'s business.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Model;
use super::caller::Caller;
use super::error::ApiError;

/// A bus besides the default one, which every account and Region has.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EventBus {
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// Its policy. What puts events here is not held to it: tests evaluate the templates'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BusRule {
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// The bus that it listens on.
    #[serde(default = "default_bus")]
    pub bus: String,
    /// Its name.
    pub name: String,
    /// The events that it takes.
    pub pattern: Value,
    /// Whether it is on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether it is shown management events that only read, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_management_events: bool,
    /// Where events go.
    #[serde(default)]
    pub targets: Vec<RuleTarget>,
}

/// Where a rule sends events.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleTarget {
    /// Its id among the rule's targets.
    pub id: String,
    /// The queue, bus or topic.
    pub arn: String,
    /// The role by which they are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

fn default_bus() -> String {
    "default".to_owned()
}

fn yes() -> bool {
    true
}

impl EventBus {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn(&self.account, &self.region, &self.name)
    }
}

impl BusRule {
    /// Its ARN.
    pub fn arn(&self) -> String {
        let BusRule { account, region, bus, name, .. } = self;
        let bus = if bus == "default" { String::new() } else { format!("{bus}/") };
        format!("arn:aws:events:{region}:{account}:rule/{bus}{name}")
    }
}

fn arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:events:{region}:{account}:event-bus/{name}")
}

impl Model {
    /// Finds a bus of the caller's by name or ARN: its name and ARN.
    pub(crate) fn event_bus_as(
        &self,
        caller: &Caller,
        action: &str,
        named: Option<&str>,
    ) -> Result<(String, String), ApiError> {
        let named = named.unwrap_or("default");
        let own = arn(caller.account(), &caller.region, "");
        let name = named.strip_prefix(&own).unwrap_or(named);
        let arn = if name.starts_with("arn:") { name.to_owned() } else { format!("{own}{name}") };
        self.authorize(caller, &format!("events:{action}"), &arn)?;
        let exists = name == "default" || self.event_buses.iter().any(|bus| bus.arn() == arn);
        if exists {
            return Ok((name.to_owned(), arn));
        }
        let message = format!("Event bus {name} does not exist.");
        Err(ApiError::new("ResourceNotFoundException", message))
    }

    /// The policy of a bus, by its ARN.
    pub(crate) fn bus_policy(&self, arn: &str) -> Option<&Value> {
        self.event_buses.iter().find(|bus| bus.arn() == arn)?.policy.as_ref()
    }

    /// The rules on a bus of the caller's whose names begin so, in the order of their names.
    pub(crate) fn rules_as(
        &self,
        caller: &Caller,
        bus: Option<&str>,
        prefix: &str,
    ) -> Result<Vec<&BusRule>, ApiError> {
        let (bus, _) = self.event_bus_as(caller, "ListRules", bus)?;
        let mut rules = self.rules_on(caller, &bus);
        rules.retain(|rule| rule.name.starts_with(prefix));
        rules.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(rules)
    }

    /// One rule on a bus of the caller's.
    pub(crate) fn rule_as(
        &self,
        caller: &Caller,
        bus: Option<&str>,
        name: &str,
    ) -> Result<&BusRule, ApiError> {
        let (bus, _) = self.event_bus_as(caller, "ListTargetsByRule", bus)?;
        let rule = self.rules_on(caller, &bus).into_iter().find(|rule| rule.name == name);
        rule.ok_or_else(|| {
            let message = format!("Rule {name} does not exist on EventBus {bus}.");
            ApiError::new("ResourceNotFoundException", message)
        })
    }

    fn rules_on(&self, caller: &Caller, bus: &str) -> Vec<&BusRule> {
        let here = |rule: &&BusRule| {
            rule.account == caller.account() && rule.region == caller.region && rule.bus == bus
        };
        self.bus_rules.iter().filter(here).collect()
    }
}
