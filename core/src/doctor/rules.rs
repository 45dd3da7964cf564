//! Whether events are forwarded: rules on a bus, judged by what they match and where they send it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pattern::takes;
use super::{CheckedPlace, Finding};
use crate::failure::Failure;

/// The bus that every account has, on which AWS tells its events.
const DEFAULT_BUS: &str = "default";

/// A rule on a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
    /// Whether it is shown calls that only read, on an account's default bus.
    pub shows_reads: bool,
    /// The events that it takes, as JSON.
    pub pattern: Option<String>,
    /// The ARNs that it sends to.
    pub targets: Result<Vec<String>, Failure>,
}

/// Events that have to be forwarded, by one event for each kind of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Listens {
    /// What they are called, as in “a rule forwards …”.
    pub what: String,
    /// One of each kind, as EventBridge has it, with the kind's name.
    pub samples: Vec<(&'static str, Value)>,
}

impl Listens {
    /// Whether a rule of that pattern takes some of these events, or may do so.
    pub fn is_for(&self, pattern: &str) -> bool {
        let Ok(pattern) = serde_json::from_str::<Value>(pattern) else { return false };
        self.samples.iter().any(|(_, event)| takes(&pattern, event) != Some(false))
    }
}

/// Judges whether each kind of event on a bus is sent to where it belongs.
pub fn rules(
    here: &CheckedPlace,
    bus: &str,
    needs: &[Listens],
    seen: &Result<Vec<Rule>, Failure>,
    destination: &str,
    todo: &str,
) -> Vec<Finding> {
    let rules = match seen {
        Ok(rules) => rules,
        Err(failure) => {
            return vec![here.unread(format_args!("the rules on {bus} can't be read"), failure)];
        }
    };
    let read: Vec<(&Rule, Value)> = rules
        .iter()
        .filter_map(|rule| Some((rule, serde_json::from_str(rule.pattern.as_deref()?).ok()?)))
        .collect();
    let judge = |need: &Listens| one(here, bus, need, &read, destination, todo);
    needs.iter().map(judge).collect()
}

/// What becomes of one kind of event; the worst for what is to be said comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum EventFate<'a> {
    /// No rule sends it there.
    Lost,
    /// A rule would, and is off.
    Disabled(&'a str),
    /// A rule would, and isn't shown calls that only read.
    Unshown(&'a str),
    /// A rule takes it, and where it sends it to can't be read.
    Unread(&'a str),
    /// A rule sends something there, and its pattern isn't known here.
    Unclear(&'a str),
    Sent,
}

fn fate<'a>(event: &Value, bus: &str, rules: &'a [(&'a Rule, Value)], destination: &str) -> EventFate<'a> {
    let only_reads = bus == DEFAULT_BUS && event["detail"]["readOnly"] == true;
    let of = |(rule, pattern): &'a (&'a Rule, Value)| {
        let sends = match &rule.targets {
            Ok(targets) => targets.iter().any(|target| target == destination).then_some(true),
            Err(_) => Some(false),
        };
        let name = rule.name.as_str();
        match (sends?, takes(pattern, event)) {
            (_, Some(false)) => None,
            (false, _) => Some(EventFate::Unread(name)),
            (true, Some(true)) if rule.enabled && only_reads && !rule.shows_reads => {
                Some(EventFate::Unshown(name))
            }
            (true, Some(true)) if rule.enabled => Some(EventFate::Sent),
            (true, Some(true)) => Some(EventFate::Disabled(name)),
            (true, None) => Some(EventFate::Unclear(name)),
        }
    };
    let fates: BTreeSet<EventFate<'a>> = rules.iter().filter_map(of).collect();
    if fates.contains(&EventFate::Sent) {
        EventFate::Sent
    } else {
        fates.into_iter().next().unwrap_or(EventFate::Lost)
    }
}

fn one(
    here: &CheckedPlace,
    bus: &str,
    need: &Listens,
    rules: &[(&Rule, Value)],
    destination: &str,
    todo: &str,
) -> Finding {
    let what = &need.what;
    let fates: Vec<(&str, EventFate<'_>)> =
        need.samples.iter().map(|(name, event)| (*name, fate(event, bus, rules, destination))).collect();
    let worst = fates.iter().map(|(_, fate)| fate).min().cloned().unwrap_or(EventFate::Sent);
    let alike: Vec<&str> = fates.iter().filter(|(_, fate)| *fate == worst).map(|(name, _)| *name).collect();
    // Where it is so of some of them only, these are named.
    let which = if alike.len() == fates.len() { String::new() } else { format!(": {}", alike.join(", ")) };
    match worst {
        EventFate::Sent => here.ok(format!("a rule forwards {what} on {bus}")),
        EventFate::Lost => {
            let name = destination.rsplit([':', '/']).next().unwrap_or(destination);
            here.problem(format!("no rule sends {what} on {bus} to {name}{which}"), todo)
        }
        EventFate::Disabled(rule) => {
            here.problem(format!("rule {rule} for {what} on {bus} is disabled{which}"), "enable it")
        }
        EventFate::Unshown(rule) => {
            let text = format!("rule {rule} for {what} on {bus} isn't shown calls that only read{which}");
            here.problem(text, "set its state to ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
        }
        EventFate::Unread(rule) => {
            let failure = rules
                .iter()
                .find(|(one, _)| one.name == rule)
                .and_then(|(one, _)| one.targets.as_ref().err());
            let what = format!("it isn't known where the rule for {what} on {bus} sends them");
            failure.map_or_else(|| here.unknown(&what, todo), |failure| here.unread(&what, failure))
        }
        EventFate::Unclear(rule) => {
            let text = format!("it isn't known whether rule {rule} takes {what} on {bus}{which}");
            here.unknown(text, "compare its pattern with the template's")
        }
    }
}
