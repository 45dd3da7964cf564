//! No enforcement is written before the ledger has what will be written: looked at in the moment of each write.

use std::sync::{Arc, Mutex};

use simulator::{Call, Model, Server};

use super::account_record;
use super::rule::Rule;
use crate::histories::check::{recorded_signature, signature};
use crate::histories::setting::{LEDGER, Setting};
use crate::histories::step::{DELETE, PUT};

/// What was seen of writes.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// How many writes were begun.
    pub writes: usize,
    /// The first that the ledger knew nothing of.
    pub unrecorded: Option<String>,
    /// A planted bug: what is about to be written isn't recorded.
    pub forgets_intents: bool,
}

/// Looks at every call from now on.
pub(super) fn watch(server: &Server, setting: &Setting) -> Arc<Mutex<Watched>> {
    let watched = Arc::new(Mutex::new(Watched::default()));
    let (watching, setting) = (Arc::clone(&watched), setting.clone());
    server.watch(move |call, model| {
        watching.lock().expect("no judge panics").see(&setting, call, model);
    });
    watched
}

impl Watched {
    fn see(&mut self, setting: &Setting, call: &Call, model: &mut Model) {
        if self.forgets_intents && call.service == "dynamodb" && call.write {
            forget_intents(setting, model);
        }
        let releases = call.operation == DELETE;
        if !releases && call.operation != PUT {
            return;
        }
        self.writes += 1;
        let record = account_record(model, setting, &call.account);
        let intent = record
            .regions
            .iter()
            .find(|(region, _)| region.as_str() == call.region)
            .and_then(|(_, here)| here.intent.as_ref());
        let wrong = match intent {
            None => Some("the ledger knows of no write that was begun".to_owned()),
            Some(intent) if releases != intent.to.is_none() => {
                Some(format!("the ledger has another write: {intent:?}"))
            }
            Some(intent) if (200..300).contains(&call.status) => {
                let there = model.enforcement(&call.account, &call.region).map(signature);
                let recorded = intent.to.as_ref().map(recorded_signature);
                (there != recorded).then(|| format!("{there:?} was written, and the ledger has {recorded:?}"))
            }
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            let Call { operation, account, region, .. } = call;
            let what = format!("{}: {operation} in {account}/{region}: {wrong}", Rule::WroteUnrecorded);
            self.unrecorded.get_or_insert(what);
        }
    }
}

/// Takes what was begun out of every record.
fn forget_intents(setting: &Setting, model: &mut Model) {
    let hub = setting.hub();
    let Some(mut table) = model.take_table(&hub, "us-east-1", LEDGER) else { return };
    for item in table.items.values_mut() {
        let Some(text) = item.get("document").and_then(|it| it["S"].as_str()) else { continue };
        let Ok(mut document) = serde_json::from_str::<serde_json::Value>(text) else { continue };
        let regions = document.get_mut("regions").and_then(|regions| regions.as_object_mut());
        let Some(regions) = regions else { continue };
        for record in regions.values_mut() {
            record["intent"] = serde_json::Value::Null;
        }
        item.insert("document".to_owned(), serde_json::json!({ "S": document.to_string() }));
    }
    model.put_table(&hub, "us-east-1", LEDGER, table).expect("it was there");
}
