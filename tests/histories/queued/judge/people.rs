//! What people read: the outcome events that the template's rules send to the topic.
//!
//! `NewsForPeople`, `OutcomeNeedsAttention` and `BaselineChangeCounted` of template.yaml do; `status`, the examples of
//! `Sweep Completed` and events about one target that are for programs don't count.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use simulator::Model;

use super::Judge;
use testkit::histories::check::{Invariant, Violation, broken};
use testkit::histories::model::Place;

/// How many targets an event names of each kind of reason, as docs/outcomes.md says.
const TARGETS_NAMED: usize = 25;
/// The kinds of news of something that happened, which is over.
const OF_DEEDS: [&str; 3] = ["unannounced", "in_our_name", "ended"];

/// The kinds of news that say of a target that it isn't guarded as it should be.
const OF_TROUBLE: [&str; 4] = ["held", "failed", "broken", "unguarded"];

/// Events of which the first names the others: of one kind, by one invocation, about one account or all (`""`).
type Together = (usize, String, String);

/// The end of a sweep, as it is published.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    pub(super) began: Timestamp,
    pub(super) at: Timestamp,
    /// Whether it says that everybody was looked at.
    pub(super) whole: bool,
    /// Since when the invocation has been running that ends it.
    pub(super) worked_since: Timestamp,
}

/// What people read so far.
#[derive(Clone, Debug, Default)]
pub(super) struct People {
    /// Which targets were named as not guarded as they should be, until they are.
    named: BTreeSet<Place>,
    /// Of which targets they read that somebody undoes repairs, and when.
    contested: BTreeMap<Place, Timestamp>,
    /// The Regions that events name in their texts besides their own, and the events that say that another names them.
    /// The bus may take them in any order.
    others: BTreeMap<Together, BTreeSet<String>>,
    unread: Vec<(Together, Value)>,
    /// What they read that the keeper had done, and when.
    deeds: Vec<(Place, String, Timestamp)>,
    /// Which targets are said to be looked at again soon, for programs.
    tried_again: BTreeSet<Place>,
    sweeps: Vec<Sweep>,
    /// The ends that the invocation whose turn it is published, and whether the bus refused something of it.
    fresh: BTreeMap<usize, Vec<Sweep>>,
    refused: BTreeSet<usize>,
}

impl People {
    /// Whether an event leaves targets out that it has room for.
    fn leaves_out(event: &Value) -> bool {
        let groups = event["detail"]["news"].as_array().into_iter().flatten();
        groups.into_iter().any(|group| {
            let named = group["targets"].as_array().map_or(0, Vec::len);
            let all = group["targets_in_all"].as_u64().and_then(|all| usize::try_from(all).ok());
            all.is_some_and(|all| named < all.min(TARGETS_NAMED))
        })
    }

    /// An event is on the bus. `turn` is the invocation that put it there, and since when it is running.
    fn note(&mut self, event: &Value, now: Timestamp, turn: (usize, Timestamp)) {
        let detail = &event["detail"];
        let kind = event["detail-type"].as_str().unwrap_or_default();
        let place = |it: &Value| Place { account: word(&it["account"]), region: word(&it["region"]) };
        match kind {
            "Attention Needed" => {
                for group in detail["news"].as_array().into_iter().flatten() {
                    let targets = group["targets"].as_array().into_iter().flatten().map(place);
                    let kind = word(&group["kind"]);
                    if OF_DEEDS.contains(&kind.as_str()) {
                        self.deeds.extend(targets.map(|place| (place, kind.clone(), now)));
                    } else if OF_TROUBLE.contains(&kind.as_str()) {
                        self.named.extend(targets);
                    }
                }
            }
            // What is broken or unguarded in one account is news, and comes by that.
            "Enforcement Broken" | "Accounts Unguarded" if detail["whole_organization"] != false => {
                self.note_together((turn.0, kind.to_owned(), String::new()), detail, now);
            }
            "Enforcement Contested" => {
                self.note_together((turn.0, kind.to_owned(), word(&detail["account"])), detail, now);
            }
            "Enforcement Held" => {
                let place = place(detail);
                match detail["tried_again"] == true {
                    true => self.tried_again.insert(place),
                    false => self.tried_again.remove(&place),
                };
            }
            "Sweep Completed" => {
                let accounts = &detail["accounts"];
                let number = |name: &str| accounts[name].as_u64().unwrap_or_default();
                let whole = number("looked_at") >= number("in_scope") && number("not_looked_at") == 0;
                let began = word(&detail["began"]).parse().unwrap_or(Timestamp::MIN);
                let sweep = Sweep { began, at: now, whole, worked_since: turn.1 };
                self.fresh.entry(turn.0).or_default().push(sweep);
            }
            _ => {}
        }
    }

    /// One of the events that people get one message of. They read of another one where the message names its Region.
    fn note_together(&mut self, together: Together, detail: &Value, now: Timestamp) {
        if detail.get("named_with").is_some() {
            self.unread.push((together, detail.clone()));
        } else {
            self.name(detail, now);
            let text = word(&detail["reason"]["text"]);
            let listed = text.rsplit_once(": ").map(|(_, listed)| listed.to_owned()).unwrap_or_default();
            let words = listed.split([' ', ',']).map(str::to_owned);
            self.others.entry(together).or_default().extend(words);
        }
        let is_named = |(together, detail): &(Together, Value)| {
            self.others.get(together).is_some_and(|regions| regions.contains(&word(&detail["region"])))
        };
        let (read, unread) = std::mem::take(&mut self.unread).into_iter().partition(is_named);
        self.unread = unread;
        let read: Vec<(Together, Value)> = read;
        read.iter().for_each(|(_, detail)| self.name(detail, now));
    }

    /// People read of each target of an event.
    fn name(&mut self, detail: &Value, now: Timestamp) {
        let region = word(&detail["region"]);
        if let Some(accounts) = detail["accounts"].as_array() {
            let places = accounts.iter().map(|it| Place { account: word(it), region: region.clone() });
            self.named.extend(places);
        } else {
            self.contested.insert(Place { account: word(&detail["account"]), region }, now);
        }
    }

    pub(super) fn forget(&mut self, place: &Place) {
        self.named.remove(place);
        self.tried_again.remove(place);
    }

    /// Whether they read that a target is not guarded as it should be, or lately that somebody undoes repairs there.
    pub(super) fn read_of(&self, place: &Place, now: Timestamp, contested: i64) -> bool {
        let lately = |at: &Timestamp| now.as_second() - at.as_second() < contested;
        self.named.contains(place) || self.contested.get(place).is_some_and(lately)
    }

    /// Whether they read since then that the keeper did something of one of these kinds in a place.
    pub(super) fn read_of_deed(&self, place: &Place, kinds: &[&str], since: Timestamp) -> bool {
        let is_it = |kind: &str, read: Timestamp| kinds.contains(&kind) && read >= since;
        self.deeds.iter().any(|(there, kind, read)| there == place && is_it(kind, *read))
    }

    /// Whether programs read that the keeper tries again soon by itself what it could not do in a place.
    pub(super) fn is_tried_again(&self, place: &Place) -> bool {
        self.tried_again.contains(place)
    }

    pub(super) fn sweeps(&self) -> impl Iterator<Item = &Sweep> {
        self.sweeps.iter()
    }
}

impl Judge {
    /// The invocation whose turn it is has put an event on the bus.
    pub(super) fn read(&mut self, event: &Value, model: &mut Model) -> Result<(), Violation> {
        let turn = (self.working.0, self.working.1);
        if std::env::var_os("HISTORIES_TRACE").is_some() {
            eprintln!("           published: {} {}", event["detail-type"], event["detail"]);
        }
        self.people.note(event, self.clock.now(), turn);
        if People::leaves_out(event) {
            return broken(Invariant::Unreported, format!("people don't read of each target: {event}"));
        }
        match event["detail-type"] == "Baseline Changed" {
            true => self.hear_of_baseline(&event["detail"], model),
            false => Ok(()),
        }
    }

    /// The bus refused what the invocation whose turn it is put there.
    pub(super) fn note_refused(&mut self) {
        self.people.refused.insert(self.working.0);
    }

    /// Whose turn it is, by the number of the invocation, and since when that has been running.
    pub(crate) fn goes_on(&mut self, number: usize, began: Timestamp) {
        self.working = (number, began);
    }

    /// An invocation has ended. Where it came to its end, and the bus took all, the sweeps that it ended are judged.
    pub(crate) fn end_of_invocation(
        &mut self,
        number: usize,
        whole: bool,
        model: &mut Model,
    ) -> Result<(), Violation> {
        let sweeps = self.people.fresh.remove(&number).unwrap_or_default();
        if self.people.refused.remove(&number) || !whole {
            return Ok(());
        }
        for sweep in sweeps {
            self.judge_sweep(&sweep, model)?;
            self.people.sweeps.push(sweep);
        }
        Ok(())
    }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Of events that people get one message of, they read of those that the message names; and news of what somebody
    /// said or whom a role admits say nothing of how a target is guarded.
    #[test]
    fn people_read_of_what_a_message_names() {
        let now = Timestamp::UNIX_EPOCH;
        let place = |region: &str| Place { account: "1".to_owned(), region: region.to_owned() };
        let of_sweep = |region: &str, text: &str| {
            json!({
                "detail-type": "Enforcement Broken",
                "detail": { "whole_organization": true, "region": region, "accounts": ["1"], "reason": { "text": text } },
            })
        };
        let contested = |region: &str, text: &str| {
            json!({
                "detail-type": "Enforcement Contested",
                "detail": { "account": "1", "region": region, "reason": { "text": text } },
            })
        };
        let first = |more: &str| of_sweep("a-1", &format!("gone; and 2 more guardrail versions: {more}"));
        let with = |mut event: Value| {
            event["detail"]["named_with"] = json!("a-1");
            event
        };
        let news = |kind: &str| {
            let group = json!({ "kind": kind, "targets": [{ "account": "1", "region": "b-1" }] });
            json!({ "detail-type": "Attention Needed", "detail": { "news": [group] } })
        };
        let second = with(of_sweep("b-1", "gone"));
        for (events, is_read) in [
            (vec![second.clone()], false),
            (vec![first("b-1 (1), c-1 (1)"), second.clone()], true),
            (vec![second.clone(), first("c-1 (1), b-1 (1, not_ready)")], true),
            (vec![first("c-1 (1)"), second.clone()], false),
            // One of another kind names nothing of this one.
            (vec![contested("a-1", "4; the same in 1 more Region: b-1"), second], false),
            (vec![contested("a-1", "4; the same in 1 more Region: b-1"), with(contested("b-1", "4"))], true),
            (vec![news("held")], true),
            (vec![news("leaving")], false),
            (vec![news("member_role")], false),
            (vec![news("ended")], false),
        ] {
            let mut people = People::default();
            events.iter().for_each(|event| people.note(event, now, (1, now)));
            assert_eq!(people.read_of(&place("b-1"), now, 60), is_read, "{events:?}");
        }
    }
}
