//! Which targets the keeper named on the bus as not being as they should be.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Judge;
use testkit::histories::model::Place;

/// What names a target that isn't guarded as it should be, or one that somebody takes the guard from.
const NAMING: [&str; 5] = [
    "Enforcement Held",
    "Enforcement Broken",
    "Accounts Unguarded",
    "Enforcement Contested",
    "Enforcement Handed Back",
];

/// The same as it is written by a sweep that ends, and one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct Reported {
    /// The examples of the last sweep that ended, in words.
    examples: Option<Vec<String>>,
    /// What was ever named by an event of its own.
    named: BTreeSet<Place>,
}

impl Reported {
    pub(super) fn note(&mut self, event: &Value) {
        let detail = &event["detail"];
        let texts = |value: &Value| -> Vec<String> {
            let many = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            many.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
        };
        match event["detail-type"].as_str().unwrap_or_default() {
            "Sweep Completed" => self.examples = Some(texts(&detail["examples"])),
            kind if NAMING.contains(&kind) => {
                let accounts = texts(&detail["account"]).into_iter().chain(texts(&detail["accounts"]));
                for account in accounts {
                    for region in texts(&detail["region"]) {
                        self.named.insert(Place { account: account.clone(), region });
                    }
                }
            }
            _ => {}
        }
    }
}

impl Judge {
    /// Another sweep is to end.
    pub(crate) fn forget_sweeps(&mut self) {
        self.reported.examples = None;
    }

    /// Whether the end of the last sweep names a target among those that aren't as they should be.
    pub(crate) fn names_at_the_end_of_the_sweep(&self, place: &Place) -> bool {
        let begins = format!("{place} ");
        self.reported.examples.iter().flatten().any(|example| example.starts_with(&begins))
    }

    /// Whether an event of its own ever named a target so.
    pub(crate) fn was_named(&self, place: &Place) -> bool {
        self.reported.named.contains(place)
    }
}
