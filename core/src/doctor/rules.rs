//! Whether events are forwarded: rules on a bus, judged by what they match and where they send it.

use serde_json::Value;

use super::{Check, Finding, Place};
use crate::failure::Failure;

/// A rule on a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
    /// The events that it takes, as JSON.
    pub pattern: Option<String>,
    /// The ARNs that it sends to.
    pub targets: Result<Vec<String>, Failure>,
}

/// The events that a rule has to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listens {
    /// Events of this source, for example `aws.bedrock`.
    Source(&'static str),
    /// Events of this detail type, whatever their source.
    DetailType(&'static str),
}

impl Listens {
    /// Whether a rule of that pattern takes some of these events. That it takes enough of them is the
    /// templates' business.
    pub fn is_for(self, pattern: &str) -> bool {
        let Ok(pattern) = serde_json::from_str::<Value>(pattern) else { return false };
        let (member, wanted) = match self {
            Listens::Source(source) => ("source", source),
            Listens::DetailType(kind) => ("detail-type", kind),
        };
        let named = pattern.get(member).and_then(Value::as_array);
        named.is_some_and(|named| named.iter().any(|one| takes(one, wanted)))
    }

    fn words(self) -> String {
        match self {
            Listens::Source(source) => format!("events of {source}"),
            Listens::DetailType(kind) => format!("events “{kind}”"),
        }
    }
}

/// A value of a pattern: a text, or `{"prefix": …}`.
fn takes(one: &Value, wanted: &str) -> bool {
    match one {
        Value::String(text) => text == wanted,
        other => other.get("prefix").and_then(Value::as_str).is_some_and(|prefix| wanted.starts_with(prefix)),
    }
}

/// Judges whether each kind of event on a bus is sent to where it belongs.
pub fn rules(
    check: Check,
    place: &Place,
    bus: &str,
    needs: &[Listens],
    seen: &Result<Vec<Rule>, Failure>,
    destination: &str,
    todo: &str,
) -> Vec<Finding> {
    let rules = match seen {
        Ok(rules) => rules,
        Err(failure) => {
            let what = format!("the rules on {bus} can't be read");
            return vec![Finding::unread(check, place.clone(), &what, failure)];
        }
    };
    let judge = |need: &Listens| one(check, place, bus, *need, rules, destination, todo);
    needs.iter().map(judge).collect()
}

fn one(
    check: Check,
    place: &Place,
    bus: &str,
    need: Listens,
    rules: &[Rule],
    destination: &str,
    todo: &str,
) -> Finding {
    let what = need.words();
    let listening: Vec<&Rule> =
        rules.iter().filter(|rule| rule.pattern.as_deref().is_some_and(|text| need.is_for(text))).collect();
    let sends = |rule: &Rule| {
        rule.targets.as_ref().is_ok_and(|targets| targets.iter().any(|target| target == destination))
    };
    let ours: Vec<&&Rule> = listening.iter().filter(|rule| sends(rule)).collect();
    if ours.iter().any(|rule| rule.enabled) {
        return Finding::ok(check, place.clone(), format!("a rule forwards {what} on {bus}"));
    }
    if let Some(rule) = ours.first() {
        let text = format!("rule {} for {what} on {bus} is disabled", rule.name);
        return Finding::problem(check, place.clone(), text, "enable it");
    }
    if let Some(failure) = listening.iter().find_map(|rule| rule.targets.as_ref().err()) {
        let what = format!("it isn't known where the rule for {what} on {bus} sends them");
        return Finding::unread(check, place.clone(), &what, failure);
    }
    let name = destination.rsplit([':', '/']).next().unwrap_or(destination);
    Finding::problem(check, place.clone(), format!("no rule sends {what} on {bus} to {name}"), todo)
}
