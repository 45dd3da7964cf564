//! Writes, as outcome events tell them.

use serde_json::Value;

use crate::histories::model::Place;

/// A write, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// This guardrail, in this version.
    Enforced(Place, String, String),
    Released(Place),
}

impl Deed {
    /// The write that an event tells.
    pub fn of_event(event: &Value) -> Option<Deed> {
        let detail = &event["detail"];
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = Place { account: word(&detail["account"]), region: word(&detail["region"]) };
        match event["detail-type"].as_str()? {
            "Enforcement Applied" | "Enforcement Repaired" => {
                let guardrail = &detail["guardrail"];
                Some(Deed::Enforced(place, word(&guardrail["arn"]), word(&guardrail["version"])))
            }
            "Enforcement Released" => Some(Deed::Released(place)),
            _ => None,
        }
    }

    pub fn place(&self) -> &Place {
        match self {
            Deed::Enforced(place, ..) | Deed::Released(place) => place,
        }
    }
}
