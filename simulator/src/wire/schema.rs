//! What AWS's service models say about inputs: `schema.json`, which `tools/schema.py` writes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use serde::Deserialize;

/// Every service that is modelled.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    serde_json::from_str(include_str!("schema.json")).expect("schema.json is part of the program and tested")
});

#[derive(Debug, Deserialize)]
pub(crate) struct Schema {
    pub(crate) services: BTreeMap<String, Service>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Service {
    pub(crate) operations: BTreeMap<String, Operation>,
    /// The HTTP status of each error code.
    pub(crate) errors: HashMap<String, u16>,
    pub(crate) shapes: HashMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) uri: String,
    /// The status of success.
    pub(crate) status: u16,
    /// The name of the input shape.
    #[serde(default)]
    pub(crate) input: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Shape {
    Structure {
        members: BTreeMap<String, Member>,
        #[serde(default)]
        required: Vec<String>,
        /// The member that is the whole body.
        #[serde(default)]
        payload: Option<String>,
        /// Whether exactly one member must be there.
        #[serde(default)]
        union: bool,
    },
    List {
        member: String,
        #[serde(default)]
        min: Option<f64>,
        #[serde(default)]
        max: Option<f64>,
    },
    Map {
        key: String,
        value: String,
    },
    String {
        #[serde(default)]
        min: Option<f64>,
        #[serde(default)]
        max: Option<f64>,
        #[serde(default)]
        pattern: Option<Pattern>,
        #[serde(default, rename = "enum")]
        values: Option<Vec<String>>,
    },
    Integer(Range),
    Long(Range),
    Double(Range),
    Float(Range),
    Boolean {},
    Blob {},
    Timestamp {},
    /// Any JSON.
    Document {},
}

#[derive(Debug, Deserialize)]
pub(crate) struct Range {
    #[serde(default)]
    pub(crate) min: Option<f64>,
    #[serde(default)]
    pub(crate) max: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) shape: String,
    #[serde(default)]
    pub(crate) location: Option<Location>,
    /// What the member is called in its location.
    #[serde(default)]
    pub(crate) name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Location {
    Uri,
    Querystring,
    Header,
}

/// A pattern, compiled when it is first needed.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Pattern {
    pub(crate) text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Pattern {
        Pattern { text, compiled: OnceLock::new() }
    }
}

impl Pattern {
    /// AWS matches the whole value, whether the pattern has anchors or not.
    pub(crate) fn matches(&self, value: &str) -> bool {
        self.regex().is_none_or(|regex| regex.is_match(value))
    }

    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&format!("^(?:{})$", self.text)).ok()).as_ref()
    }
}

impl Schema {
    /// The shape of an operation's input.
    pub(crate) fn input(&self, service: &str, operation: &str) -> Option<(&Service, &Shape)> {
        let service = self.services.get(service)?;
        let name = service.operations.get(operation)?.input.as_ref()?;
        Some((service, service.shapes.get(name)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_service_models_compiles() {
        for (name, service) in &SCHEMA.services {
            for (shape_name, shape) in &service.shapes {
                if let Shape::String { pattern: Some(pattern), .. } = shape {
                    assert!(pattern.regex().is_some(), "{name} {shape_name}: {}", pattern.text);
                }
            }
        }
    }

    #[test]
    fn a_pattern_means_the_whole_value() {
        let pattern = Pattern::from("[a-z0-9]+".to_owned());
        assert!(pattern.matches("abc123"));
        assert!(!pattern.matches("abc-123"));
    }
}
