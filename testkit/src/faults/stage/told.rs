//! What is told on the bus, held against what was done: every write once, and nothing that wasn't done.
//!
//! A task tells its writes itself. So what an invocation wrote is told before it ends, unless a fault struck it:
//! then the next look tells it. How often that was so is counted. At the end nothing is left untold, but what was
//! undone before anybody looked. A write may be told twice, by the same id, where a fault struck between the telling
//! and the record of it.

use std::collections::{BTreeMap, BTreeSet};

use guardrail_keeper::ids::Target;
use guardrail_keeper::record::NewsKind;
use serde_json::Value;
use simulator::{Call, EnforcedConfiguration};

use super::Stage;
use super::planted::Plant;
use super::rule::{Rule, broken};
use super::said::regions_of_ours;
use crate::faults::scenario::Scenario;
use crate::histories::baseline::Wanted;
use crate::histories::model::{Place, Snapshot};
use crate::histories::step::PUT;
use crate::histories::told::Deed;

/// What was told in a telling, and what wasn't.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// The number of the last event that was read.
    last: u64,
    /// Writes of invocations that were struck, which nobody told yet.
    owed: Vec<Deed>,
    /// The ids of the writes that were told.
    ids: BTreeSet<String>,
    /// How many ends of sweeps were told.
    pub sweeps: usize,
    /// How often the departure of each account was told.
    departed: BTreeMap<String, usize>,
    /// What the last end of a sweep counted.
    counted: Value,
    /// Whether something was written since then.
    wrote_since: bool,
    /// Whether an event could not be put on the bus.
    lost: bool,
    /// What sweeps repaired, and people have not heard of yet.
    unheard: BTreeSet<Place>,
    /// The places that people heard of, whatever is wrong there.
    in_the_news: BTreeSet<Place>,
}

impl Stage {
    /// Nothing that was told before counts.
    pub fn listen_from_now(&mut self) {
        let last = self.server.with(|model| model.put_events().last().map_or(0, |event| event.sequence));
        // What was published before is no news any more.
        let records = self.records();
        let known = records.iter().filter(|(_, record)| record.news.iter().any(|it| it.published));
        let in_the_news = known.map(|(target, _)| place(target)).collect();
        self.told = Told { last, in_the_news, ..Told::default() };
    }

    /// The events that were put on the bus since this was asked last.
    fn heard(&mut self) -> Vec<Value> {
        let last = self.told.last;
        let mut new: Vec<(u64, Value)> = self.server.with(|model| {
            // A terminal's requests come by the same bus.
            let events = model.put_events().iter();
            let events =
                events.filter(|event| event.sequence > last && event.event["source"] == "guardrail-keeper");
            events.map(|event| (event.sequence, event.event.clone())).collect()
        });
        self.told.last = new.last().map_or(last, |(sequence, _)| *sequence);
        if let Some(plant) = self.plant {
            plant.tell(&mut new);
        }
        new.into_iter().map(|(_, event)| event).collect()
    }

    /// What one invocation told, held against what it wrote. `struck` is whether a fault struck it.
    pub fn check_told(&mut self, mut done: Vec<Deed>, after: &Snapshot, struck: bool) -> Result<(), String> {
        self.told.lost |= struck;
        self.told.wrote_since |= !done.is_empty();
        for event in self.heard() {
            let kind = event["detail-type"].as_str().unwrap_or_default();
            *self.figures.told.entry(kind.to_owned()).or_default() += 1;
            if kind == "Enforcement Repaired" && event["detail"]["cause"]["sweep"] == true {
                self.told.unheard.extend(Deed::of_event(&event).map(|deed| deed.place().clone()));
            }
            match Deed::of_event(&event) {
                Some(told) => {
                    let Some(id) = event["detail"]["write"]["id"].as_str().map(str::to_owned) else {
                        return broken(
                            Rule::ToldWrongly,
                            format!("{told:?} was told without an id: {event}"),
                        );
                    };
                    let late = event["detail"]["write"]["late"] == true;
                    if !self.told.ids.insert(id) {
                        // That it was told could not be recorded.
                        if !late || !(self.was_struck() || self.disturbed) {
                            let what = format!("{told:?} was told twice: {event}");
                            return broken(Rule::ToldWrongly, what);
                        }
                        self.figures.told_again += 1;
                    } else if let Some(at) = done.iter().position(|it| *it == told) {
                        done.remove(at);
                    } else if let Some(at) = self.told.owed.iter().position(|it| *it == told) {
                        self.told.owed.remove(at);
                        self.figures.told_late += 1;
                    } else {
                        let what = format!("{told:?} was told, and not done since: {event}");
                        return broken(Rule::ToldWrongly, what);
                    }
                }
                None => self.check_event(kind, &event, after)?,
            }
        }
        match done.first() {
            Some(deed) if !struck => broken(Rule::Untold, format!("{deed:?} was done, and not told")),
            _ => {
                self.told.owed.append(&mut done);
                Ok(())
            }
        }
    }

    /// A new revision is told with what the ledger says of it.
    fn check_changed(&self, event: &Value) -> Result<(), String> {
        let detail = &event["detail"];
        let known = self.server.with(|model| super::document(model, &self.setting, "rollout"));
        let known: Value = known.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let same = |told: &str, known: &Value| detail[told] == *known;
        if same("revision", &known["revision"])
            && same("begins", &known["approved"])
            && same("counted", &known["counted"])
        {
            return Ok(());
        }
        broken(Rule::ToldWrongly, format!("the ledger says {known} of the baseline: {event}"))
    }

    /// What is told of no write.
    fn check_event(&mut self, kind: &str, event: &Value, after: &Snapshot) -> Result<(), String> {
        let detail = &event["detail"];
        match kind {
            "Sweep Completed" => {
                self.told.sweeps += 1;
                self.told.counted = detail["targets"].clone();
                self.told.wrote_since = false;
                Ok(())
            }
            "Baseline Changed" => self.check_changed(event),
            "Attention Needed" => self.check_news(event, after),
            "Enforcement Held" => self.check_held(event, after),
            "Accounts Unguarded" => self.check_unguarded(event, after),
            "Enforcement Broken" if self.scenario.breaks() => Ok(()),
            // Until the grant is back. Nobody would see it if nothing failed.
            "Enforcement Broken"
                if self.scenario == Scenario::PolicyDeleted && (self.was_struck() || self.disturbed) =>
            {
                Ok(())
            }
            "Account Departed" => {
                let account = detail["account"].as_str().unwrap_or_default();
                *self.told.departed.entry(account.to_owned()).or_default() += 1;
                let listed = detail["left_behind"].as_array().into_iter().flatten();
                let told: Vec<&str> = listed.filter_map(Value::as_str).collect();
                let there = after.enforced.keys().filter(|place| place.account == account);
                let there: Vec<&str> = there.map(|place| place.region.as_str()).collect();
                if told == there {
                    return Ok(());
                }
                let what = format!("{account} left, told is {told:?} and there is {there:?}: {event}");
                broken(Rule::ToldWrongly, what)
            }
            _ => broken(Rule::ToldWrongly, format!("nothing of that kind happened: {event}")),
        }
    }

    /// What is told to be held isn't as wanted, for a reason that there is: the scenario, or a fault that struck.
    fn check_held(&self, event: &Value, after: &Snapshot) -> Result<(), String> {
        let detail = &event["detail"];
        let word = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
        let place = Place { account: word("account"), region: word("region") };
        let code = detail["reason"]["code"].as_str().unwrap_or_default();
        if !self.may_be_held(code, &place) && !self.was_struck() && !self.disturbed {
            let what = format!("{place} is told to be held, and nothing is in the way: {event}");
            return broken(Rule::ToldWrongly, what);
        }
        let is_met = self.server.with(|model| {
            let there = after.enforced.get(&place);
            self.wants.of(&self.setting, model, &place) == Wanted::Guardrail
                && there.is_some_and(|seen| self.wants.is_met(&self.setting, model, &place, seen))
        });
        let may_not_know = self.was_struck() || self.disturbed || self.may_be_held(code, &place);
        match is_met && !may_not_know {
            true => broken(Rule::ToldWrongly, format!("{place} is as wanted: {event}")),
            false => Ok(()),
        }
    }

    /// People hear of nothing that isn't so.
    fn check_news(&mut self, event: &Value, after: &Snapshot) -> Result<(), String> {
        let wrong = |why: &str| broken(Rule::ToldWrongly, format!("{why}: {event}"));
        for news in event["detail"]["news"].as_array().into_iter().flatten() {
            for target in news["targets"].as_array().into_iter().flatten() {
                let word = |name: &str| target[name].as_str().unwrap_or_default().to_owned();
                let place = Place { account: word("account"), region: word("region") };
                self.told.unheard.remove(&place);
                self.told.in_the_news.insert(place);
            }
        }
        for news in event["detail"]["news"].as_array().into_iter().flatten() {
            match news["kind"].as_str().unwrap_or_default() {
                "held" | "failed" => {
                    for target in news["targets"].as_array().into_iter().flatten() {
                        let mut held = target.clone();
                        held["reason"] = news["reason"].clone();
                        self.check_held(&serde_json::json!({ "detail": held }), after)?;
                    }
                }
                // As for the events of these kinds.
                "broken" | "unguarded" if self.scenario.breaks() || self.was_struck() || self.disturbed => {}
                "broken" | "unguarded" => return wrong("nothing broke"),
                "unannounced" if self.figures.told.contains_key("Enforcement Repaired") => {}
                "unannounced" => return wrong("nothing was repaired"),
                "leaving" if self.scenario.offboards() => {}
                "leaving" => return wrong("nobody said that an account leaves"),
                "ended" => {
                    for target in news["targets"].as_array().into_iter().flatten() {
                        let word = |name: &str| target[name].as_str().unwrap_or_default().to_owned();
                        let place = Place { account: word("account"), region: word("region") };
                        // What is released is gone; what is left alone is there.
                        let is_released = news["reason"]["code"] == "released";
                        if after.enforced.contains_key(&place) == is_released {
                            return wrong("it didn't end so");
                        }
                    }
                }
                _ => return wrong("nobody wrote in the keeper's name"),
            }
        }
        Ok(())
    }

    fn check_unguarded(&self, event: &Value, after: &Snapshot) -> Result<(), String> {
        let listed = event["detail"]["accounts"].as_array().into_iter().flatten();
        for account in listed.filter_map(Value::as_str) {
            let there = after.enforced.keys().any(|place| place.account == account);
            if there || !self.scenario.breaks() {
                let what = format!("{account} is told to be unguarded, and it isn't: {event}");
                return broken(Rule::ToldWrongly, what);
            }
        }
        Ok(())
    }

    /// After a sweep that nothing disturbed: its end was told, and counts what `status` counts.
    pub fn check_sweep_told(&mut self, before: usize) -> Result<(), String> {
        let told = self.told.sweeps - before;
        if told == 0 {
            return broken(Rule::Untold, "a sweep came to its end, and nobody was told");
        }
        self.check_news_told()?;
        if !self.scenario.settles() || self.endpoint != self.server.url() || self.told.wrote_since {
            // What was looked at since then may be otherwise by now.
            return Ok(());
        }
        let counted: BTreeMap<&str, u64> = self
            .told
            .counted
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(state, count)| Some((state.as_str(), count.as_u64().filter(|it| *it > 0)?)))
            .collect();
        let said: BTreeMap<&str, u64> =
            self.standings().into_iter().map(|(state, count)| (state, count as u64)).collect();
        match counted == said {
            true => Ok(()),
            false => broken(Rule::ToldWrongly, format!("a sweep counted {counted:?}, and status {said:?}")),
        }
    }

    /// After a sweep that nothing disturbed: whatever is wrong and won't pass, and whatever a sweep repaired, people have
    /// heard of.
    fn check_news_told(&self) -> Result<(), String> {
        if self.was_struck() || self.disturbed {
            return Ok(());
        }
        for (target, record) in self.records() {
            let place = place(&target);
            if let Some(news) = record.news.iter().find(|news| !news.published && !news.waits) {
                return broken(Rule::Untold, format!("nobody heard of {place}: {news:?}"));
            }
            // Each end of a sweep publishes what is broken in an event of its own.
            let heard = record
                .news
                .iter()
                .any(|it| it.published && !matches!(it.kind, NewsKind::Broken | NewsKind::Unguarded));
            if heard && !self.told.in_the_news.contains(&place) {
                return broken(
                    Rule::Untold,
                    format!("{place} counts as heard of, and nothing was published"),
                );
            }
        }
        match self.told.unheard.first() {
            Some(place) => {
                broken(Rule::Untold, format!("a sweep repaired {place}, and people heard nothing of it"))
            }
            None => Ok(()),
        }
    }

    /// At the end: whoever left was told once, with what stays there; what was never told is counted.
    pub fn check_all_told(&mut self) -> Result<(), String> {
        let left: Vec<String> = self.server.with(|model| {
            let gone = self.setting.assignable().into_iter();
            gone.filter(|account| model.member(account).is_none()).collect()
        });
        for account in &left {
            let record = self.server.with(|model| super::account_record(model, &self.setting, account));
            if regions_of_ours(&record).is_empty() {
                continue;
            }
            match self.told.departed.get(account).copied().unwrap_or_default() {
                1 => {}
                // That it was told could not be recorded; or AWS told an old state in between, as if the account had
                // come back.
                2 if self.was_struck() || self.disturbed => self.figures.departures_told_again += 1,
                0 if self.told.lost && self.disturbed => self.figures.departures_untold += 1,
                count => {
                    let what = format!("{account} left, and that was told {count} times");
                    return broken(Rule::Untold, what);
                }
            }
        }
        if !self.told.owed.is_empty() {
            let struck = self.fault.as_ref().and_then(|fault| Some((fault.kind, fault.struck.as_ref()?)));
            let by = struck.map_or_else(
                || "several".to_owned(),
                |(kind, call)| format!("{} {}", kind.name(), call.operation),
            );
            *self.figures.untold.entry(by).or_default() += self.told.owed.len();
        }
        Ok(())
    }
}

fn place(target: &Target) -> Place {
    Place { account: target.account.to_string(), region: target.region.to_string() }
}

/// What changed of enforcements, and what was written over its like.
pub(super) fn deeds(before: &Snapshot, after: &Snapshot, calls: &[Call]) -> Vec<Deed> {
    let wrote = |place: &Place| {
        calls.iter().any(|call| {
            call.operation == PUT
                && (200..300).contains(&call.status)
                && (&call.account, &call.region) == (&place.account, &place.region)
        })
    };
    let mut deeds = Vec::new();
    for (place, there) in &after.enforced {
        if before.enforced.get(place) != Some(there) || wrote(place) {
            let EnforcedConfiguration { guardrail_arn, guardrail_version, .. } = there;
            deeds.push(Deed::Enforced(place.clone(), guardrail_arn.clone(), guardrail_version.clone()));
        }
    }
    let gone = before.enforced.keys().filter(|place| !after.enforced.contains_key(*place));
    deeds.extend(gone.cloned().map(Deed::Released));
    deeds
}

impl Plant {
    /// What a planted bug makes of what is told.
    fn tell(self, events: &mut Vec<(u64, Value)>) {
        let is_a = |event: &Value, kind: &str| event["detail-type"] == kind;
        match self {
            Plant::TellsNoNews => events.retain(|(_, event)| !is_a(event, "Attention Needed")),
            Plant::TellsNothing => events.retain(|(_, event)| Deed::of_event(event).is_none()),
            Plant::TellsTwice => {
                let again: Vec<_> =
                    events.iter().filter(|(_, event)| Deed::of_event(event).is_some()).cloned().collect();
                events.extend(again);
            }
            Plant::TellsNoDeparture => events.retain(|(_, event)| !is_a(event, "Account Departed")),
            Plant::ForgetsWhatWasLeft => {
                for (_, event) in events.iter_mut().filter(|(_, event)| is_a(event, "Account Departed")) {
                    event["detail"]["left_behind"] = Value::Array(Vec::new());
                }
            }
            _ => {}
        }
    }
}
