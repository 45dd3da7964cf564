//! The merge of the policies that reach an account, as it was measured (organization-policies §1.4).
//!
//! From the root down to the account. Of several policies on one target the first assignment in the order of their
//! attachment counts, then everything that is appended, then everything that is removed. What a policy leaves its
//! children to do is what every policy on its target and above leaves them; only a lock on the value itself counts,
//! not one on what is around it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::document::{LeafValue, Operator, Place, Wants};
use crate::switches::Presence;

/// One policy on one target: its id, and what it wants.
pub(super) type Member<'a> = (&'a str, &'a BTreeMap<Place, Wants>);

/// What came of a merge, place by place.
#[derive(Clone, Debug, Default)]
pub(super) struct Merged {
    pub(super) leaves: BTreeMap<Place, Leaf>,
    /// What a policy wanted and a lock above didn't let it: where, and which policy.
    pub(super) refused: Vec<(Place, String)>,
}

/// A place in a merged document.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) value: Option<LeafValue>,
    allowed: BTreeSet<Operator>,
    /// The ids of the policies that made the value.
    pub(super) from: Vec<String>,
}

impl Default for Leaf {
    fn default() -> Leaf {
        Leaf { value: None, allowed: Operator::ALL.into(), from: Vec::new() }
    }
}

impl Merged {
    /// Goes one target further down; the policies are in the order of their attachment.
    pub(super) fn descend(&mut self, policies: &[Member<'_>]) {
        let places: BTreeSet<&Place> = policies.iter().flat_map(|(_, wants)| wants.keys()).collect();
        for place in places {
            let here: Vec<(&str, &Wants)> =
                policies.iter().filter_map(|(id, wants)| Some((*id, wants.get(place)?))).collect();
            let leaf = self.leaves.entry(place.clone()).or_default();
            for (operator, id) in leaf.apply(&here) {
                if !leaf.allowed.contains(&operator) {
                    self.refused.push((place.clone(), id));
                }
            }
            for (_, wants) in &here {
                if let Some(allowed) = &wants.allowed {
                    leaf.allowed = leaf.allowed.intersection(allowed).copied().collect();
                }
            }
        }
    }

    /// The document that is published: plain values, and nothing where nothing is.
    pub(super) fn document(&self, empty_lists: Presence) -> Value {
        let mut document = Map::new();
        for (place, leaf) in &self.leaves {
            let value = match &leaf.value {
                Some(LeafValue::Text(text)) => Value::from(text.as_str()),
                Some(LeafValue::List(items)) if !items.is_empty() || empty_lists == Presence::Present => {
                    Value::from(items.clone())
                }
                _ => continue,
            };
            insert(&mut document, place, value);
        }
        Value::Object(document)
    }

    /// Whether there is a value at a place.
    pub(super) fn has(&self, place: &[&str]) -> bool {
        let place: Place = place.iter().map(|&name| name.to_owned()).collect();
        self.leaves.get(&place).is_some_and(|leaf| leaf.value.is_some())
    }
}

impl Leaf {
    /// Lets the policies of one target have their will as far as they may. Answers what each of them wanted.
    fn apply(&mut self, policies: &[(&str, &Wants)]) -> Vec<(Operator, String)> {
        let mut wanted = Vec::new();
        let assigning = policies.iter().find_map(|(id, wants)| Some((*id, wants.assign.as_ref()?)));
        if let Some((id, value)) = assigning {
            wanted.push((Operator::Assign, id.to_owned()));
            if self.allowed.contains(&Operator::Assign) {
                self.value = Some(value.clone());
                self.from = vec![id.to_owned()];
            }
        }
        for (id, wants) in policies.iter().filter(|(_, wants)| !wants.append.is_empty()) {
            wanted.push((Operator::Append, (*id).to_owned()));
            if self.allowed.contains(&Operator::Append) {
                self.append(id, &wants.append);
            }
        }
        for (id, wants) in policies.iter().filter(|(_, wants)| !wants.remove.is_empty()) {
            wanted.push((Operator::Remove, (*id).to_owned()));
            if let (true, Some(LeafValue::List(items))) =
                (self.allowed.contains(&Operator::Remove), &mut self.value)
            {
                items.retain(|item| !wants.remove.contains(item));
                self.from.push((*id).to_owned());
            }
        }
        wanted
    }

    fn append(&mut self, id: &str, added: &[String]) {
        let value = self.value.get_or_insert_with(|| LeafValue::List(Vec::new()));
        let LeafValue::List(items) = value else { return };
        for item in added {
            if !items.contains(item) {
                items.push(item.clone());
            }
        }
        self.from.push(id.to_owned());
    }
}

fn insert(document: &mut Map<String, Value>, place: &[String], value: Value) {
    match place {
        [] => {}
        [name] => {
            document.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let inner = document.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Some(inner) = inner.as_object_mut() {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::document::Tree;
    use super::*;

    /// What comes of documents, level by level, the policies of a level in the order of their attachment.
    fn merged(levels: &[&[&Value]]) -> Merged {
        let mut merged = Merged::default();
        for (depth, level) in levels.iter().enumerate() {
            let read: Vec<_> = level
                .iter()
                .map(|document| Tree::parse(&document.to_string()).expect("JSON").wants(true))
                .collect();
            let ids: Vec<String> = (0..read.len()).map(|number| format!("{depth}.{number}")).collect();
            let members: Vec<Member<'_>> = ids.iter().map(String::as_str).zip(&read).collect();
            merged.descend(&members);
        }
        merged
    }

    fn list(operators: &Value) -> Value {
        json!({ "a": operators })
    }

    #[track_caller]
    fn makes(levels: &[&[&Value]], expected: &Value) {
        assert_eq!(merged(levels).document(Presence::Absent), *expected);
    }

    #[test]
    fn a_child_replaces_what_its_parent_assigned() {
        let (parent, child) = (list(&json!({ "@@assign": "p" })), list(&json!({ "@@assign": "c" })));
        makes(&[&[&parent], &[&child]], &json!({ "a": "c" }));
        makes(&[&[&parent], &[], &[]], &json!({ "a": "p" }));
        makes(&[], &json!({}));
    }

    #[test]
    fn of_peers_the_first_assignment_counts_then_all_that_is_appended_then_all_that_is_removed() {
        let first = list(&json!({ "@@assign": ["x"], "@@append": ["y"] }));
        let second = list(&json!({ "@@assign": ["z"], "@@append": ["w", "y"], "@@remove": ["x"] }));
        makes(&[&[&first, &second]], &json!({ "a": ["y", "w"] }));
        makes(&[&[&second, &first]], &json!({ "a": ["z", "w", "y"] }));
    }

    #[test]
    fn what_is_appended_to_nothing_is_a_list() {
        makes(&[&[&list(&json!({ "@@append": ["x"] }))]], &json!({ "a": ["x"] }));
        makes(
            &[&[&list(&json!({ "@@append": ["x"] }))], &[&list(&json!({ "@@append": ["y"] }))]],
            &json!({ "a": ["x", "y"] }),
        );
        makes(&[&[&list(&json!({ "@@remove": ["x"] }))]], &json!({}));
    }

    #[test]
    fn a_lock_holds_for_those_below_and_for_nobody_beside() {
        let locked = list(&json!({ "@@assign": "p", "@@operators_allowed_for_child_policies": ["@@none"] }));
        let other = list(&json!({ "@@assign": "o" }));
        makes(&[&[&other, &locked]], &json!({ "a": "o" }));
        makes(&[&[&locked], &[], &[&other]], &json!({ "a": "p" }));
        assert_eq!(merged(&[&[&locked], &[&other]]).refused, [(vec!["a".to_owned()], "1.0".to_owned())]);
        // A child can't loosen what its parent restricted.
        let loosening = list(&json!({ "@@operators_allowed_for_child_policies": ["@@all"] }));
        makes(&[&[&locked], &[&loosening], &[&other]], &json!({ "a": "p" }));
    }

    #[test]
    fn peers_leave_their_children_what_all_of_them_leave() {
        let leaves = |words: Value| list(&json!({ "@@operators_allowed_for_child_policies": words }));
        let base = list(&json!({ "@@assign": ["x"] }));
        let (first, second) =
            (leaves(json!(["@@append", "@@remove"])), leaves(json!(["@@append", "@@assign"])));
        let child = list(&json!({ "@@assign": ["c"], "@@append": ["y"], "@@remove": ["x"] }));
        makes(&[&[&base, &first, &second], &[&child]], &json!({ "a": ["x", "y"] }));
    }

    #[test]
    fn a_lock_around_a_value_doesnt_lock_the_value() {
        let around = json!({
            "@@operators_allowed_for_child_policies": ["@@none"], "a": { "@@assign": "p" },
        });
        makes(&[&[&around], &[&list(&json!({ "@@assign": "c" }))]], &json!({ "a": "c" }));
    }

    #[test]
    fn empty_fragments_vanish() {
        let empty = json!({ "a": { "b": {} }, "c": { "@@assign": [] } });
        makes(&[&[&empty]], &json!({}));
        assert_eq!(merged(&[&[&empty]]).document(Presence::Present), json!({ "c": [] }));
    }
}
