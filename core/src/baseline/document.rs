//! The YAML text as a small tree in which every part knows its line and column.
//!
//! Scalars stay text: nothing here guesses a number, a boolean or a date, so an account id keeps
//! its leading zeros. What makes YAML dangerous or surprising is refused: anchors, aliases, tags,
//! several documents, deep nesting, characters that are not seen.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::letters;
use super::problem::{Position, Problems, TextPlace};

/// What an SSM parameter of the advanced tier holds.
pub(super) const MAX_BYTES: usize = 8192;

/// The format needs five levels; a few more keep the message for a misplaced key exact.
const MAX_DEPTH: usize = 12;

/// One part of the document.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) kind: NodeKind,
}

#[derive(Debug)]
pub(super) enum NodeKind {
    Scalar {
        text: String,
        quoted: bool,
    },
    Sequence(Vec<Node>),
    /// In the order of the text, duplicates included.
    Mapping(Vec<(Node, Node)>),
    /// Reported already; nothing more is to be said of it.
    Refused,
}

impl Node {
    /// Whether nothing is written here, or one of YAML's words for it.
    pub(super) fn is_null(&self) -> bool {
        match &self.kind {
            NodeKind::Scalar { text, quoted: false } => {
                matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            NodeKind::Scalar { quoted: true, .. }
            | NodeKind::Sequence(_)
            | NodeKind::Mapping(_)
            | NodeKind::Refused => false,
        }
    }
}

/// Reads the text. `None` where there is nothing to check, and then a problem says why.
pub(super) fn read(text: &str, problems: &mut Problems) -> Option<Node> {
    let start = TextPlace { position: Position::START, path: String::new() };
    if text.len() > MAX_BYTES {
        let over = text.len() - MAX_BYTES;
        problems.report(
            &start,
            format!("the baseline has {} bytes, and an SSM parameter holds at most {MAX_BYTES}", text.len()),
            format!("shorten it by {over}: assign OUs instead of accounts, drop comments"),
        );
        return None;
    }
    if let Some(problem) = letters::utf_16(text) {
        problems.add(problem);
        return None;
    }
    letters::refuse_unfit(text, problems);
    let text = &letters::with_plain_spaces(text, problems);

    let mut tree = Tree::default();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                if !tree.take(event, span, problems) {
                    return None;
                }
            }
            Err(error) => {
                report_syntax(text, &error, tree.open_bracket(), problems);
                return None;
            }
        }
    }
    let root = tree.root.filter(|root| !root.is_null());
    if root.is_none() {
        problems.report(
            &start,
            "the baseline is empty",
            "write at least version, organization, owner, guardrails and assignments",
        );
    }
    root
}

/// The tree so far: what is open, outermost first, and the root once it is whole.
#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    root: Option<Node>,
}

/// A list or a mapping whose end has not come yet.
struct Open {
    position: Position,
    /// Whether it began with a bracket, not with indentation.
    bracket: bool,
    content: NodeContent,
}

enum NodeContent {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Node, Node)>, key: Option<Node> },
}

impl Tree {
    /// Adds one event; `false` when reading on makes no sense, and then a problem says why.
    fn take(&mut self, event: Event<'_>, span: Span, problems: &mut Problems) -> bool {
        let position = position(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                if self.root.is_some() {
                    problems.report(
                        &TextPlace { position, path: String::new() },
                        "a second document begins here",
                        "keep one document, and remove the `---` before the other",
                    );
                    return false;
                }
            }
            Event::Alias(_) => {
                let place = self.place(position);
                problems.report(&place, "an alias (`*…`) is not read", "write the value itself");
                self.close(Node { position, kind: NodeKind::Refused });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_properties(position, anchor, tag.is_some(), problems);
                // An empty value stands where its key's colon is.
                let quoted = style != ScalarStyle::Plain;
                self.close(Node { position, kind: NodeKind::Scalar { text: text.into_owned(), quoted } });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_properties(position, anchor, tag.is_some(), problems);
                return self.open(span, NodeContent::Sequence(Vec::new()), problems);
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_properties(position, anchor, tag.is_some(), problems);
                return self.open(span, NodeContent::Mapping { entries: Vec::new(), key: None }, problems);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { position, bracket: _, content }) = self.open.pop() {
                    let kind = match content {
                        NodeContent::Sequence(items) => NodeKind::Sequence(items),
                        NodeContent::Mapping { entries, key: _ } => NodeKind::Mapping(entries),
                    };
                    self.close(Node { position, kind });
                }
            }
        }
        true
    }

    fn open(&mut self, span: Span, content: NodeContent, problems: &mut Problems) -> bool {
        let position = position(span.start);
        if self.open.len() == MAX_DEPTH {
            problems.report(
                &TextPlace { position, path: String::new() },
                format!("nested deeper than {MAX_DEPTH} levels"),
                "write the baseline as docs/baseline.md shows it; it needs five",
            );
            return false;
        }
        self.open.push(Open { position, bracket: !span.is_empty(), content });
        true
    }

    /// Puts a whole node where it belongs.
    fn close(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(NodeContent::Sequence(items)) => items.push(node),
            Some(NodeContent::Mapping { entries, key }) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }

    /// Anchors and tags are refused; what they stand on is read all the same.
    fn refuse_properties(&self, position: Position, anchor: usize, tag: bool, problems: &mut Problems) {
        if anchor != 0 {
            problems.report(&self.place(position), "an anchor (`&…`) is not read", "remove it");
        }
        if tag {
            problems.report(&self.place(position), "a tag (`!…`) is not read", "write the value alone");
        }
    }

    /// The innermost `[` or `{` that is not closed yet.
    fn open_bracket(&self) -> Option<Position> {
        self.open.iter().rev().find(|open| open.bracket).map(|open| open.position)
    }

    fn place(&self, position: Position) -> TextPlace {
        let mut path = String::new();
        for open in &self.open {
            match &open.content {
                NodeContent::Sequence(items) => path = item_path(&path, items.len()),
                NodeContent::Mapping {
                    entries: _,
                    key: Some(Node { kind: NodeKind::Scalar { text, .. }, .. }),
                } => {
                    path = key_path(&path, text);
                }
                NodeContent::Mapping { .. } => {}
            }
        }
        TextPlace { position, path }
    }
}

/// The path of a key's value.
pub(super) fn key_path(parent: &str, key: &str) -> String {
    const SHOWN: usize = 64;
    let dot = if parent.is_empty() { "" } else { "." };
    let shown: String = key.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    let more = if key.chars().nth(SHOWN).is_some() { "…" } else { "" };
    format!("{parent}{dot}{shown}{more}")
}

/// The path of an item, counted from 0 as JSON tools do.
pub(super) fn item_path(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

/// YAML's own errors, in words of what is usually behind them.
fn report_syntax(text: &str, error: &ScanError, bracket: Option<Position>, problems: &mut Problems) {
    let mut place = TextPlace { position: position(*error.marker()), path: String::new() };
    let info = error.info();
    let has = |part: &str| info.contains(part);
    let (message, instead) = if has("unprintable") && !problems.is_empty() {
        return; // Told already, with its code.
    } else if has(" tab") || has("tabs ") {
        place.position = tab_in_indentation(text, place.position);
        ("a tab stands where only spaces may indent".to_owned(), "indent with spaces")
    } else if has("must be followed by") {
        ("a `:` is followed by something else than a space".to_owned(), "put a space behind it")
    } else if has("unknown anchor") {
        (
            "an alias (`*…`) is not read".to_owned(),
            "write the value itself, in quotes where it begins with `*`",
        )
    } else if has("mapping values are not allowed") {
        (
            "a `:` stands where no key can be".to_owned(),
            "quote a value that holds `: `, write one key a line, and look for a missing `:` in the line above",
        )
    } else if has("expected key") || has("expected '-'") {
        (
            "this line is indented neither like those above nor like their parent".to_owned(),
            "line it up with the keys or items that it belongs to",
        )
    } else if let Some(Position { line, column }) = bracket.filter(|_| has("flow") || has("':' indicator")) {
        (
            format!("the bracket that opens at {line}:{column} needs a `,` or its end before this point"),
            "write the `,`, or close it with `]` or `}`",
        )
    } else if has("simple key") {
        ("a line without a `:` stands among keys".to_owned(), "write `key: value`")
    } else if has("quoted scalar, found unexpected end") {
        ("this quote is never closed".to_owned(), "close it on the same line")
    } else if has("unexpected character") {
        (format!("no value can begin like this ({info})"), "put the value in quotes")
    } else {
        (format!("this is not YAML: {info}"), "check indentation, quotes and brackets around this point")
    };
    problems.report(&place, message, instead);
}

/// The first tab in an indentation from here on: the parser points at what is around it.
fn tab_in_indentation(text: &str, near: Position) -> Position {
    let tab = |(index, line): (usize, &str)| {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        let column = line[..indentation].find('\t')? + 1;
        Some(Position { line: index + 1, column })
    };
    text.lines().enumerate().skip(near.line - 1).find_map(tab).unwrap_or(near)
}
