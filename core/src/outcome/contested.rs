//! One mail about contests that begin at once. Pure.
//!
//! Whoever undoes the repairs of one account in many Regions begins a contest in each of them, and one task may find them
//! all. Each has its event, for programs. People get one message: SNS suspends an e-mail subscription that gets more than
//! ten a second (SNS quotas, e-mail delivery), and then no alarm is heard any more.

use serde_json::Value;

use super::detail::cut;
use super::{Event, Kind};

/// Lets the first contest name the others of one report, which is about one account: its text has their Regions, and
/// theirs have its Region as `named_with`. The rule that mails leaves those out.
pub(super) fn name_together(events: &mut [Event]) {
    let mut contests: Vec<&mut Value> = events
        .iter_mut()
        .filter(|event| event.kind == Kind::Contested)
        .map(|event| &mut event.detail)
        .collect();
    let Some((first, others)) = contests.split_first_mut().filter(|(_, others)| !others.is_empty()) else {
        return;
    };
    let others: Vec<&mut &mut Value> =
        others.iter_mut().filter(|other| other["account"] == first["account"]).collect();
    let regions: Vec<&str> = others.iter().filter_map(|other| other["region"].as_str()).collect();
    let text = first["reason"]["text"].as_str().unwrap_or_default();
    let text = cut(&format!("{text}; the same in {}", regions.join(", ")));
    first["reason"]["text"] = text.into();
    for other in others {
        other["named_with"] = first["region"].clone();
    }
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
        let told: Vec<(&str, &Value)> = several
            .iter()
            .filter(|event| event.kind == Kind::Contested)
            .map(|event| (event.detail["reason"]["text"].as_str().unwrap(), &event.detail["named_with"]))
            .collect();
        assert_eq!(
            told,
            [
                ("4 repairs; the same in us-east-1, us-west-2", &Value::Null),
                ("4 repairs", &json!("eu-west-1")),
                ("4 repairs", &json!("eu-west-1")),
                // Another account has a message of its own.
                ("4 repairs", &Value::Null),
            ]
        );
        let repaired = several.iter().filter(|event| event.kind == Kind::Repaired);
        assert!(repaired.clone().all(|event| event.detail.get("named_with").is_none()));
    }
}
