//! Writes settings as one JSON text: minified, keys sorted.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::leaf::{LeafPath, LeafValue};

/// Keys, and at their ends values that are JSON already.
enum Branch {
    Value(String),
    Keys(BTreeMap<String, Branch>),
}

/// The text of settings, each with its value as JSON. Of two that stand in each other's way, as `a` and `a.b`, the
/// longer path is written: [`super::merge`] lets no such two through.
pub(super) fn text_of(leaves: impl IntoIterator<Item = (LeafPath, String)>) -> String {
    let mut root = BTreeMap::new();
    for (path, value) in leaves {
        insert(&mut root, path.keys(), value);
    }
    let mut text = String::new();
    write_keys(&root, &mut text);
    text
}

fn insert(keys: &mut BTreeMap<String, Branch>, path: &[String], value: String) {
    match path {
        [] => {}
        [last] => drop(keys.insert(last.clone(), Branch::Value(value))),
        [first, rest @ ..] => {
            let branch = keys.entry(first.clone()).or_insert_with(|| Branch::Keys(BTreeMap::new()));
            if let Branch::Value(_) = branch {
                *branch = Branch::Keys(BTreeMap::new());
            }
            if let Branch::Keys(keys) = branch {
                insert(keys, rest, value);
            }
        }
    }
}

fn write_keys(keys: &BTreeMap<String, Branch>, text: &mut String) {
    text.push('{');
    for (position, (key, branch)) in keys.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        text.push_str(&json_string(key));
        text.push(':');
        match branch {
            Branch::Value(value) => text.push_str(value),
            Branch::Keys(keys) => write_keys(keys, text),
        }
    }
    text.push('}');
}

/// `{"@@assign":…}`.
pub(super) fn assigning(value: &LeafValue) -> String {
    format!("{{\"@@assign\":{}}}", plain(value))
}

/// The value alone, as in an effective policy.
pub(super) fn plain(value: &LeafValue) -> String {
    match value {
        LeafValue::Text(text) => json_string(text),
        LeafValue::List(items) => {
            let mut list = "[".to_owned();
            for (position, item) in items.iter().enumerate() {
                let comma = if position > 0 { "," } else { "" };
                // Writing to a String can't fail.
                let _ = write!(list, "{comma}{}", json_string(item));
            }
            list.push(']');
            list
        }
    }
}

fn json_string(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
