//! A part of the document on its way through the checker: the node, and where it is.
//!
//! Each reader returns what it could read and reports what it could not. `None` always means that
//! a problem was reported.

use std::str::FromStr;

use super::document::{Kind, Node, item_path, key_path};
use super::keys::{Choices, listed, nearest};
use super::problem::{Place, Problems, quoted};

/// A node with its place.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub(super) node: &'a Node,
    pub(super) place: Place,
}

/// A key of a mapping, with where the key itself stands.
#[derive(Clone, Debug)]
pub(super) struct Key<'a> {
    pub(super) text: &'a str,
    pub(super) place: Place,
}

/// A key that may be left out: absent is not the same as refused, which was reported already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Member<T> {
    Absent,
    Refused,
    Read(T),
}

impl<T> Member<T> {
    pub(super) fn of(read: Option<T>) -> Member<T> {
        read.map_or(Member::Refused, Member::Read)
    }
}

impl<'a> Part<'a> {
    pub(super) fn root(node: &'a Node) -> Part<'a> {
        Part { node, place: Place { position: node.position, path: String::new() } }
    }

    /// Whether nothing is written here.
    pub(super) fn is_null(&self) -> bool {
        self.node.is_null()
    }

    /// Says that something else belongs here.
    pub(super) fn report_kind(&self, wanted: &str, instead: &str, problems: &mut Problems) {
        let message = match &self.node.kind {
            Kind::Refused => return,
            Kind::Scalar { .. } if self.is_null() => format!("empty, where {wanted} belongs"),
            Kind::Scalar { text, .. } => format!("{} stands where {wanted} belongs", quoted(text)),
            Kind::Sequence(_) => format!("a list stands where {wanted} belongs"),
            Kind::Mapping(_) => format!("keys stand where {wanted} belongs"),
        };
        problems.report(&self.place, message, instead);
    }

    /// A scalar's text.
    pub(super) fn text(&self, wanted: &str, instead: &str, problems: &mut Problems) -> Option<&'a str> {
        match &self.node.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_) | Kind::Refused => {
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
        let allowed = format!("write {}", listed(words()));
        let text = self.text("one word", &allowed, problems)?;
        let choice = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        if choice.is_none() {
            let instead = match nearest(text, words()) {
                Some(word) => format!("write {word} (known are {})", listed(words())),
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
    ) -> Option<Vec<Part<'a>>> {
        let Kind::Sequence(items) = &self.node.kind else {
            self.report_kind(wanted, instead, problems);
            return None;
        };
        let part = |(index, node): (usize, &'a Node)| Part {
            node,
            place: Place { position: node.position, path: item_path(&self.place.path, index) },
        };
        Some(items.iter().enumerate().map(part).collect())
    }

    /// The keys of a mapping with their values, in the order of the text, each key once.
    pub(super) fn entries(
        &self,
        wanted: &str,
        instead: &str,
        problems: &mut Problems,
    ) -> Option<Vec<(Key<'a>, Part<'a>)>> {
        let Kind::Mapping(pairs) = &self.node.kind else {
            self.report_kind(wanted, instead, problems);
            return None;
        };
        let mut entries: Vec<(Key<'a>, Part<'a>)> = Vec::new();
        for (key, value) in pairs {
            let Kind::Scalar { text, quoted: is_quoted } = &key.kind else {
                let place = Place { position: key.position, path: self.place.path.clone() };
                problems.report(&place, "a list or mapping stands where a key belongs", "write a plain key");
                continue;
            };
            let path = key_path(&self.place.path, text);
            let place = Place { position: key.position, path: path.clone() };
            if text == "<<" && !is_quoted {
                problems.report(&place, "a merge key is not read", "write the keys themselves");
            } else if let Some((first, _)) = entries.iter().find(|(earlier, _)| earlier.text == text) {
                let line = first.place.position.line;
                problems.report(
                    &place,
                    format!("{} is written twice, on lines {line} and {}", quoted(text), key.position.line),
                    "keep one",
                );
            } else {
                let value = Part { node: value, place: Place { position: value.position, path } };
                entries.push((Key { text, place }, value));
            }
        }
        Some(entries)
    }

    /// The members of a mapping whose keys are known.
    pub(super) fn fields(
        &self,
        wanted: &str,
        known: &'static [&'static str],
        problems: &mut Problems,
    ) -> Option<Fields<'a>> {
        let instead = format!("write the keys {}", listed(known.iter().copied()));
        let entries = self.entries(wanted, &instead, problems)?;
        Some(Fields { place: self.place.clone(), known, entries })
    }
}

/// The members of a mapping whose keys are known.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    place: Place,
    known: &'static [&'static str],
    entries: Vec<(Key<'a>, Part<'a>)>,
}

impl<'a> Fields<'a> {
    /// Takes out a key that is known only to be explained.
    pub(super) fn take(&mut self, key: &str) -> Option<Key<'a>> {
        let index = self.entries.iter().position(|(entry, _)| entry.text == key)?;
        Some(self.entries.remove(index).0)
    }

    /// Reports every key that is not known.
    pub(super) fn refuse_unknown(&self, problems: &mut Problems) {
        for (key, _) in self.entries.iter().filter(|(key, _)| !self.known.contains(&key.text)) {
            let all = listed(self.known.iter().copied());
            let instead = match nearest(key.text, self.known.iter().copied()) {
                Some(near) => format!("write {near}, or remove it"),
                None => format!("remove it; known here are {all}"),
            };
            problems.report(&key.place, "unknown key", instead);
        }
    }

    pub(super) fn optional(&self, key: &str) -> Option<&Part<'a>> {
        debug_assert!(self.known.contains(&key), "{key} is in no table");
        self.entries.iter().find(|(entry, _)| entry.text == key).map(|(_, part)| part)
    }

    pub(super) fn required(&self, key: &str, instead: &str, problems: &mut Problems) -> Option<&Part<'a>> {
        let part = self.optional(key);
        if part.is_none() {
            problems.report(&self.missing(key), "missing", instead);
        }
        part
    }

    /// Where a key that is not there should be.
    pub(super) fn missing(&self, key: &str) -> Place {
        Place { position: self.place.position, path: key_path(&self.place.path, key) }
    }
}
