//! What a sweep does that has nothing to do: it looks once at everybody, records when, and tells its end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use simulator::{Call, Model};

use super::planted::Plant;
use super::rule::{Rule, broken};
use super::{Stage, in_words, is_own};
use crate::histories::setting::LEDGER;

/// What the ledger has at one moment, less the times of looks: each value by its document and its place there.
pub(super) type Recorded = BTreeMap<String, Value>;

/// What each look may change of what is recorded, by the end of its place: when it was, and for which message.
/// A day's first sweep, by UTC, records that it reported.
const OF_A_LOOK: [&str; 8] = [
    "/checked/at",
    "/checked/event",
    "/looked_ms",
    "/seen/at",
    "/sequence",
    "/placement/placed_at",
    "/history",
    "publications/reported",
];

/// What one sweep did.
#[derive(Default)]
pub struct Swept {
    /// What it wrote to AWS first, whether or not AWS took it.
    pub wrote: Option<Call>,
    /// What else it did that a sweep at rest doesn't do.
    pub restless: Option<String>,
}

impl Stage {
    /// A sweep that nothing disturbs, and what it did.
    pub async fn sweep_and_tell(&mut self) -> Result<Swept, String> {
        let (before, sweeps) = (self.calls.len(), self.told.sweeps);
        let (recorded, told) = (self.recorded(), self.figures.told.clone());
        self.turns.clear();
        self.sweep().await?;
        self.check_status_at_rest()?;
        self.check_sweep_told(sweeps)?;
        let wrote = self.calls[before..].iter().find(|it| it.write && !is_own(it)).cloned();
        let differing = difference(&recorded, &self.recorded());
        let told_now: Vec<&String> = self
            .figures
            .told
            .iter()
            .filter(|(kind, count)| told.get(*kind) != Some(count))
            .map(|(kind, _)| kind)
            .filter(|kind| !self.scenario.is_told_by_each_sweep(kind))
            .collect();
        // A sweep begins and ends with the owner's side.
        let most = |group: &str| if group.starts_with("owner.") { 2 } else { 1 };
        let again = self.turns.iter().find(|(group, turns)| **turns > most(group) && self.scenario.settles());
        let restless = match (differing, told_now.first(), again) {
            (Some(what), ..) => Some(format!("the ledger has something else: {what}")),
            (None, Some(kind), _) => Some(format!("it told {kind}")),
            (None, None, Some((group, turns))) => Some(format!("{group} had {turns} tasks")),
            (None, None, None) => None,
        };
        Ok(Swept { wrote, restless })
    }

    /// Sweeps until one has nothing to do. The first may write, and record what it found; the second takes back what
    /// nobody needs. A sweep after one that wrote records that all is as wanted.
    pub async fn come_to_rest(&mut self) -> Result<(), String> {
        // What is recorded and told at rest takes one more sweep to see: that is looked at after every fourth fault.
        let one_of_four = self.fault.as_ref().is_none_or(|fault| fault.number.is_multiple_of(4));
        let thorough = one_of_four && self.endpoint == self.server.url();
        let most = self.scenario.sweeps_to_tidy_up(self.setting.placement);
        let mut may_record = true;
        for sweep in 0.. {
            let Swept { wrote, restless } = self.sweep_and_tell().await?;
            if sweep == 0 {
                self.expect_converged().map_err(|what| format!("after a sweep: {what}"))?;
            }
            match (&wrote, restless.filter(|_| thorough)) {
                (None, None) => break,
                (Some(call), _) if sweep > most => {
                    let what = format!("sweep {} wrote again: {}", sweep + 1, in_words(call));
                    return broken(Rule::Restless, what);
                }
                (None, Some(what)) if !may_record => {
                    return broken(Rule::Restless, format!("in sweep {}, {what}", sweep + 1));
                }
                _ => self.figures.sweeps_to_rest += 1,
            }
            may_record = wrote.is_some();
        }
        Ok(())
    }

    fn recorded(&self) -> Recorded {
        self.server.with(|model| {
            let table = model.table(&self.setting.hub(), "us-east-1", LEDGER).expect("it was made");
            let mut recorded = Recorded::new();
            for (key, item) in &table.items {
                let text = item.get("document").and_then(|it| it["S"].as_str()).unwrap_or("null");
                let document = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
                flatten(key, &document, &mut recorded);
            }
            recorded
        })
    }

    /// What a planted bug records after each task.
    pub fn record_as_planted(&self) {
        if self.plant != Some(Plant::RecordsEachLook) {
            return;
        }
        let (hub, now) = (self.setting.hub(), self.calls.len());
        let member = format!("account#{}", self.setting.member(0));
        self.server.with(|model: &mut Model| {
            let Some(mut table) = model.take_table(&hub, "us-east-1", LEDGER) else { return };
            if let Some(item) = table.items.get_mut(&member) {
                let text = item.get("document").and_then(|it| it["S"].as_str()).unwrap_or("{}");
                let mut document: Value = serde_json::from_str(text).expect("the keeper wrote it");
                document["looks"] = json!(now);
                item.insert("document".to_owned(), json!({ "S": document.to_string() }));
            }
            model.put_table(&hub, "us-east-1", LEDGER, table).expect("it was there");
        });
    }
}

fn flatten(place: &str, value: &Value, all: &mut Recorded) {
    let of_the_owner = place.starts_with("readiness#") && place.ends_with("/at");
    if of_the_owner || OF_A_LOOK.iter().any(|end| place.ends_with(end)) {
        return;
    }
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| flatten(&format!("{place}/{name}"), value, all));
        }
        value => drop(all.insert(place.to_owned(), value.clone())),
    }
}

fn difference(before: &Recorded, after: &Recorded) -> Option<String> {
    let places = before.keys().chain(after.keys());
    let differing: BTreeSet<&String> =
        places.filter(|place| before.get(*place) != after.get(*place)).collect();
    let shown = |recorded: &Recorded, place: &String| {
        recorded.get(place).map_or("nothing".to_owned(), Value::to_string)
    };
    let lines = differing
        .into_iter()
        .map(|place| format!("{place}: {} became {}", shown(before, place), shown(after, place)));
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}
