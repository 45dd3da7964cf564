//! The text of a policy as a tree, and what it wants at each of its places.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// What a child may do where it says nothing else, and the key that limits it.
pub(super) const CONTROL: &str = "@@operators_allowed_for_child_policies";

/// JSON that keeps every member, also one that is there twice.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Object(Vec<(String, Tree)>),
    List(Vec<Tree>),
    Text(String),
    Nothing,
}

/// What can be done to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operator {
    Assign,
    Append,
    Remove,
}

/// A text, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LeafValue {
    Text(String),
    List(Vec<String>),
}

/// What a document does at one place.
#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    pub(super) assign: Option<LeafValue>,
    pub(super) append: Vec<String>,
    pub(super) remove: Vec<String>,
    /// What documents further down may do; everything where the document doesn't say.
    pub(super) allowed: Option<BTreeSet<Operator>>,
}

/// The names from the root of a document to a value.
pub(super) type Place = Vec<String>;

impl Operator {
    pub(super) const ALL: [Operator; 3] = [Operator::Assign, Operator::Append, Operator::Remove];

    pub(super) fn key(self) -> &'static str {
        match self {
            Operator::Assign => "@@assign",
            Operator::Append => "@@append",
            Operator::Remove => "@@remove",
        }
    }
}

impl Tree {
    pub(super) fn parse(text: &str) -> Option<Tree> {
        serde_json::from_str(text).ok()
    }

    /// The texts of a list of texts.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        let Tree::List(items) = self else { return None };
        items.iter().map(|item| if let Tree::Text(text) = item { Some(text.clone()) } else { None }).collect()
    }

    /// What is wanted at each place that has an operator. What isn't legal wants nothing.
    pub(super) fn wants(&self, lowered: bool) -> BTreeMap<Place, Wants> {
        let mut found = BTreeMap::new();
        self.gather(lowered, &mut Vec::new(), &mut found);
        found
    }

    fn gather(&self, lowered: bool, place: &mut Place, found: &mut BTreeMap<Place, Wants>) {
        let Tree::Object(members) = self else { return };
        let mut wants = Wants::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                ("@@assign", Tree::Text(text)) => wants.assign = Some(LeafValue::Text(text.clone())),
                ("@@assign", list) => wants.assign = list.texts().map(LeafValue::List),
                ("@@append", list) => wants.append = list.texts().unwrap_or_default(),
                ("@@remove", list) => wants.remove = list.texts().unwrap_or_default(),
                (CONTROL, list) => wants.allowed = list.texts().and_then(|words| allowed(&words)),
                (_, value) => {
                    place.push(if lowered { name.to_lowercase() } else { name.clone() });
                    value.gather(lowered, place, found);
                    place.pop();
                }
            }
        }
        let has_operator = members.iter().any(|(name, _)| name.starts_with("@@"));
        if has_operator {
            found.insert(place.clone(), wants);
        }
    }
}

/// The operators that the words of a control name; nothing if there is one that means nothing. `@@all` and `@@none`
/// stand alone (organization-policies §1.4).
pub(super) fn allowed(words: &[String]) -> Option<BTreeSet<Operator>> {
    match words.iter().map(String::as_str).collect::<Vec<&str>>().as_slice() {
        [] => None,
        ["@@all"] => Some(Operator::ALL.into()),
        ["@@none"] => Some(BTreeSet::new()),
        words => {
            let named = |word: &&str| Operator::ALL.into_iter().find(|operator| operator.key() == *word);
            words.iter().map(named).collect()
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Tree;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("JSON")
            }

            // Organizations may make texts of numbers and of truth values (organization-policies §1.2).
            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Nothing)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Tree::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
                let mut object = Vec::new();
                while let Some(member) = members.next_entry()? {
                    object.push(member);
                }
                Ok(Tree::Object(object))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}
