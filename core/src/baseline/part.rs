//! A part of the document on its way through the checker: the node, and where it is.
//!
//! Each reader returns what it could read and reports what it could not. `None` always means that
//! a problem was reported.

use std::str::FromStr;

use super::document::{Node, NodeKind, item_path, key_path};
use super::keys::{Choices, Mistake, and, or};
use super::problem::{Problems, TextPlace, lines, quoted};
use crate::words::nearest;

/// A node with its place.
#[derive(Clone, Debug)]
pub(super) struct PlacedNode<'a> {
    pub(super) node: &'a Node,
    pub(super) place: TextPlace,
}

/// A key of a mapping, with where the key itself stands.
#[derive(Clone, Debug)]
pub(super) struct KeyNode<'a> {
    pub(super) text: &'a str,
    pub(super) place: TextPlace,
}

/// A key that may be left out: absent is not the same as refused, which was reported already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OptionalKey<T> {
    Absent,
    Refused,
    Read(T),
}

impl<'a> PlacedNode<'a> {
    pub(super) fn root(node: &'a Node) -> PlacedNode<'a> {
        PlacedNode { node, place: TextPlace { position: node.position, path: String::new() } }
    }

    /// Whether nothing is written here.
    pub(super) fn is_null(&self) -> bool {
        self.node.is_null()
    }

    /// Says that something else belongs here.
    pub(super) fn report_kind(&self, wanted: &str, instead: &str, problems: &mut Problems) {
        let message = match &self.node.kind {
            NodeKind::Refused => return,
            NodeKind::Scalar { .. } if self.is_null() => format!("empty, where {wanted} belongs"),
            NodeKind::Scalar { text, .. } => format!("{} stands where {wanted} belongs", quoted(text)),
            NodeKind::Sequence(_) => format!("a list stands where {wanted} belongs"),
            NodeKind::Mapping(_) => format!("keys stand where {wanted} belongs"),
        };
        problems.report(&self.place, message, instead);
    }

    /// A scalar's text.
    pub(super) fn text(&self, wanted: &str, instead: &str, problems: &mut Problems) -> Option<&'a str> {
        match &self.node.kind {
            NodeKind::Scalar { text, .. } if !self.is_null() => Some(text),
            NodeKind::Scalar { .. } | NodeKind::Sequence(_) | NodeKind::Mapping(_) | NodeKind::Refused => {
                self.report_kind(wanted, instead, problems);
                None
            }
        }
    }

    /// A scalar that parses, and needs no more advice than one example when it does not.
    pub(super) fn id<T: FromStr>(&self, wanted: &str, instead: &str, problems: &mut Problems) -> Option<T> {
        let text = self.text(wanted, instead, problems)?;
        let id = text.parse().ok();
        if id.is_none() {
            problems.report(&self.place, format!("{} is not {wanted}", quoted(text)), instead);
        }
        id
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &Choices<T>, problems: &mut Problems) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        let allowed = format!("write {}", or(words()));
        let text = self.text("one word", &allowed, problems)?;
        let choice = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        if choice.is_none() {
            let instead = match nearest(text, words()) {
                Some(word) => format!("write {word} (known are {})", and(words())),
                None => allowed,
            };
            problems.report(&self.place, format!("{} is not known", quoted(text)), instead);
        }
        choice
    }

    /// The items of a list.
    pub(super) fn items(
        &self,
        wanted: &str,
        instead: &str,
        problems: &mut Problems,
    ) -> Option<Vec<PlacedNode<'a>>> {
        let NodeKind::Sequence(items) = &self.node.kind else {
            self.report_kind(wanted, instead, problems);
            return None;
        };
        let part = |(index, node): (usize, &'a Node)| PlacedNode {
            node,
            place: TextPlace { position: node.position, path: item_path(&self.place.path, index) },
        };
        Some(items.iter().enumerate().map(part).collect())
    }

    /// The keys of a mapping with their values, in the order of the text, each key once.
    pub(super) fn entries(
        &self,
        wanted: &str,
        instead: &str,
        problems: &mut Problems,
    ) -> Option<Vec<(KeyNode<'a>, PlacedNode<'a>)>> {
        let NodeKind::Mapping(pairs) = &self.node.kind else {
            self.report_kind(wanted, instead, problems);
            return None;
        };
        let mut entries: Vec<(KeyNode<'a>, PlacedNode<'a>)> = Vec::new();
        for (key, value) in pairs {
            let NodeKind::Scalar { text, quoted: is_quoted } = &key.kind else {
                let place = TextPlace { position: key.position, path: self.place.path.clone() };
                problems.report(&place, "a list or mapping stands where a key belongs", "write a plain key");
                continue;
            };
            let path = key_path(&self.place.path, text);
            let place = TextPlace { position: key.position, path: path.clone() };
            if text == "<<" && !is_quoted {
                problems.report(&place, "a merge key is not read", "write the keys themselves");
            } else if let Some((first, _)) = entries.iter().find(|(earlier, _)| earlier.text == text) {
                let lines = lines(&first.place, &place);
                problems.report(&place, format!("{} is written twice, {lines}", quoted(text)), "keep one");
            } else {
                let value = PlacedNode { node: value, place: TextPlace { position: value.position, path } };
                entries.push((KeyNode { text, place }, value));
            }
        }
        Some(entries)
    }

    /// The members of a mapping whose keys are known. Every other key is reported.
    pub(super) fn fields(
        &self,
        known: &'static [&'static str],
        mistakes: &[Mistake],
        problems: &mut Problems,
    ) -> Option<Fields<'a>> {
        let all = and(known.iter().copied());
        let instead = format!("write a mapping of the keys {all}");
        let mut entries = self.entries("a mapping", &instead, problems)?;
        let mut meant = Vec::new();
        entries.retain(|(key, _)| {
            if known.contains(&key.text) {
                return true;
            } else if let Some(mistake) = mistakes.iter().find(|mistake| mistake.key == key.text) {
                problems.report(&key.place, mistake.message, mistake.instead);
                meant.push(mistake.meant);
            } else if let Some(near) = nearest(key.text, known.iter().copied()) {
                problems.report(&key.place, "unknown key", format!("write {near}, or remove it"));
                meant.extend(known.iter().copied().filter(|known| *known == near));
            } else {
                problems.report(&key.place, "unknown key", format!("remove it; known here are {all}"));
            }
            false
        });
        Some(Fields { place: self.place.clone(), entries, meant })
    }
}

/// The members of a mapping whose keys are known.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    place: TextPlace,
    entries: Vec<(KeyNode<'a>, PlacedNode<'a>)>,
    /// What unknown keys were probably meant to be. It isn't reported as missing as well.
    meant: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn optional(&self, key: &str) -> Option<&PlacedNode<'a>> {
        self.entries.iter().find(|(entry, _)| entry.text == key).map(|(_, part)| part)
    }

    pub(super) fn required(
        &self,
        key: &str,
        instead: &str,
        problems: &mut Problems,
    ) -> Option<&PlacedNode<'a>> {
        let part = self.optional(key);
        if part.is_none() && !self.is_meant(key) {
            problems.report(&self.missing(key), "missing", instead);
        }
        part
    }

    /// Reads a key that something else may stand in for.
    pub(super) fn member<T>(
        &self,
        key: &str,
        read: impl FnOnce(&PlacedNode<'a>) -> Option<T>,
    ) -> OptionalKey<T> {
        match self.optional(key) {
            Some(part) => read(part).map_or(OptionalKey::Refused, OptionalKey::Read),
            None if self.is_meant(key) => OptionalKey::Refused,
            None => OptionalKey::Absent,
        }
    }

    fn is_meant(&self, key: &str) -> bool {
        self.meant.contains(&key)
    }

    /// Where a key that is not there should be.
    pub(super) fn missing(&self, key: &str) -> TextPlace {
        TextPlace { position: self.place.position, path: key_path(&self.place.path, key) }
    }
}
