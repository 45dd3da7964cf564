//! One mail about what is published at once in many Regions. Pure.
//!
//! Whoever undoes the repairs of one account in many Regions begins a contest in each of them, and one task may find them
//! all. A guardrail that can't be used is another one in each Region, and the end of a sweep has an event for each. Each
//! event is there, for programs. People get one message of a kind: SNS suspends an e-mail subscription that gets more than
//! ten a second (SNS quotas, e-mail delivery), and then no alarm is heard any more.

use std::collections::BTreeMap;

use serde_json::Value;

use super::detail::{TEXT_KEPT, cut, plural};
use super::{Event, Kind};

/// How much of the first event's own reason stays at least, in characters.
const REASON_KEPT: usize = 200;

/// Lets the first of the events of one kind name the others that are published with it: those of the same account, or
/// of the whole organization. Its text has how many there are and where, and theirs have its Region as `named_with`. The
/// rule that mails leaves those out.
pub(super) fn name_together(events: &mut [Event]) {
    let mut groups: BTreeMap<(Kind, String), Vec<&mut Value>> = BTreeMap::new();
    for Event { kind, detail, time: _ } in events {
        let is_mailed = match kind {
            Kind::Contested | Kind::Opened => true,
            Kind::Broken | Kind::Unguarded => detail["whole_organization"] == true,
            _ => false,
        };
        if is_mailed {
            let account = word(detail, "account").to_owned();
            groups.entry((*kind, account)).or_default().push(detail);
        }
    }
    for ((kind, _), mut group) in groups {
        let Some((first, others)) = group.split_first_mut().filter(|(_, others)| !others.is_empty()) else {
            continue;
        };
        let text = text(kind, first, others);
        first["reason"]["text"] = text.into();
        for other in others {
            other["named_with"] = first["region"].clone();
        }
    }
}

/// What the first event says. How many others there are comes before which, so that a text that is cut still has it.
fn text(kind: Kind, first: &Value, others: &[&mut Value]) -> String {
    let code = |event: &Value| event["reason"]["code"].clone();
    // A list of accounts that one event can't hold is one entry.
    let others: Vec<&Value> = others
        .iter()
        .map(|other| &**other)
        .filter(|other| other["part"]["number"].as_u64().is_none_or(|part| part == 1))
        .collect();
    let name = |other: &&Value| {
        let region = word(other, "region");
        match kind {
            Kind::Contested => region.to_owned(),
            Kind::Opened => {
                let id = word(other, "resource").rsplit(':').next().unwrap_or_default();
                format!("{region} {id}")
            }
            _ if code(other) == code(first) => format!("{region} ({})", other["accounts_in_all"]),
            _ => {
                let why = other["reason"]["code"].as_str().unwrap_or_default();
                format!("{region} ({}, {why})", other["accounts_in_all"])
            }
        }
    };
    let mut more = String::new();
    if first["part"]["of"].as_u64().is_some_and(|parts| parts > 1) {
        more = format!("; {} accounts in all", first["accounts_in_all"]);
    }
    if !others.is_empty() {
        let names: Vec<String> = others.iter().map(name).collect();
        let of = |noun: &str| plural(others.len(), &format!("more {noun}"));
        let how_many = match kind {
            Kind::Contested => format!("the same in {}", of("Region")),
            Kind::Opened => format!("and {}", of("resource")),
            _ => format!("and {} with so many accounts", of("guardrail version")),
        };
        more = format!("{more}; {how_many}: {}", names.join(", "));
    }
    let kept = TEXT_KEPT.saturating_sub(more.chars().count() + 1).max(REASON_KEPT);
    let reason = crate::words::cut(first["reason"]["text"].as_str().unwrap_or_default(), kept);
    cut(&format!("{reason}{more}"))
}

fn word<'a>(detail: &'a Value, name: &str) -> &'a str {
    detail[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn event(kind: Kind, account: &str, region: &str) -> Event {
        let detail =
            json!({ "account": account, "region": region, "reason": { "code": "x", "text": "4 repairs" } });
        Event { kind, detail, time: Timestamp::UNIX_EPOCH }
    }

    fn read(events: &[Event], kind: Kind) -> Vec<(&str, &Value)> {
        let of_it = events.iter().filter(|event| event.kind == kind);
        of_it
            .map(|event| (event.detail["reason"]["text"].as_str().unwrap(), &event.detail["named_with"]))
            .collect()
    }

    #[test]
    fn contests_that_begin_at_once_are_one_message() {
        let mut alone =
            vec![event(Kind::Contested, "1", "us-east-1"), event(Kind::Repaired, "1", "us-east-1")];
        let before = alone.clone();
        name_together(&mut alone);
        assert_eq!(alone, before);
        let mut several: Vec<Event> = ["eu-west-1", "us-east-1", "us-west-2"]
            .into_iter()
            .flat_map(|region| [event(Kind::Repaired, "1", region), event(Kind::Contested, "1", region)])
            .chain([event(Kind::Contested, "2", "eu-west-1")])
            .collect();
        name_together(&mut several);
        assert_eq!(
            read(&several, Kind::Contested),
            [
                ("4 repairs; the same in 2 more Regions: us-east-1, us-west-2", &Value::Null),
                ("4 repairs", &json!("eu-west-1")),
                ("4 repairs", &json!("eu-west-1")),
                // Another account has a message of its own.
                ("4 repairs", &Value::Null),
            ]
        );
        assert!(read(&several, Kind::Repaired).iter().all(|(_, named_with)| named_with.is_null()));
    }

    #[test]
    fn guardrails_that_are_open_are_one_message() {
        let opened = |region: &str| {
            let mut event = event(Kind::Opened, "1", region);
            event.detail["resource"] = json!(format!("arn:aws:bedrock:{region}:1:guardrail/base"));
            event
        };
        let mut events = [opened("eu-west-1"), opened("us-east-1")];
        name_together(&mut events);
        assert_eq!(
            read(&events, Kind::Opened),
            [
                ("4 repairs; and 1 more resource: us-east-1 guardrail/base", &Value::Null),
                ("4 repairs", &json!("eu-west-1"))
            ]
        );
    }

    #[test]
    fn a_text_that_is_cut_says_how_many_there_are() {
        let mut events: Vec<Event> =
            (0..200).map(|number| event(Kind::Contested, "1", &format!("region-{number}"))).collect();
        events[0].detail["reason"]["text"] = "ü".repeat(500).into();
        name_together(&mut events);
        let text = read(&events, Kind::Contested)[0].0;
        assert!(text.contains("ü…; the same in 199 more Regions: region-1, region-2, "), "{text}");
        assert_eq!(text.chars().count(), TEXT_KEPT + 1);
    }
}
