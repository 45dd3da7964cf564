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
                    match OF_DEEDS.contains(&kind.as_str()) {
                        true => self.deeds.extend(targets.map(|place| (place, kind.clone(), now))),
                        false => self.named.extend(targets),
                    }
                }
            }
            // What is broken or unguarded in one account is news, and comes by that.
            "Enforcement Broken" | "Accounts Unguarded" if detail["whole_organization"] != false => {
                let accounts = detail["accounts"].as_array().into_iter().flatten();
                let region = word(&detail["region"]);
                self.named.extend(accounts.map(|it| Place { account: word(it), region: region.clone() }));
            }
            "Enforcement Contested" => drop(self.contested.insert(place(detail), now)),
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
