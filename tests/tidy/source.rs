//! Rust text seen as a reader of code sees it: without comments, with or without the contents of
//! strings, and with tests told apart.

use super::row;

pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) raw: String,
    /// `raw` with comments and the contents of strings blanked; same lines.
    code: String,
    /// `raw` with comments blanked; same lines.
    strings: String,
    /// For each line, whether it belongs to tests.
    test: Vec<bool>,
}

impl Source {
    pub(crate) fn new(path: String, raw: String) -> Source {
        let (code, strings) = blank(&raw);
        let mut source = Source { test: Vec::new(), path, raw, code, strings };
        source.test = vec![source.is_test_file(); source.raw.lines().count()];
        for (first, last) in test_items(&source.code) {
            source.test[first..=last].fill(true);
        }
        source
    }

    pub(crate) fn is_test_file(&self) -> bool {
        let path = &self.path;
        path.starts_with("tests/")
            || path.starts_with("testkit/")
            || path.contains("/tests/")
            || path.contains("benches/")
            || path.ends_with("/tests.rs")
    }

    /// The path below `core/src` or `src`.
    fn inside(&self) -> Option<&str> {
        let path = self.path.strip_prefix("core/").unwrap_or(&self.path);
        path.strip_prefix("src/").filter(|inside| *inside != "lib.rs")
    }

    /// The top-level module this file belongs to: `plan` for `core/src/plan.rs` and `core/src/plan/…`.
    pub(crate) fn module(&self) -> Option<&str> {
        let name = self.inside()?.split('/').next()?;
        (name != "bin").then(|| name.trim_end_matches(".rs"))
    }

    /// Every line of code with its number, tests included.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines())
    }

    pub(crate) fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().filter(|(line, _)| !self.test[line - 1])
    }

    /// Every function that is no test: its first line, its name, and how many lines it has. rustfmt ends a function
    /// where it begins.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (usize, &str, usize)> {
        let lines: Vec<(usize, &str)> = self.production().collect();
        let begins: Vec<(usize, usize, &str, usize)> = lines
            .iter()
            .enumerate()
            .filter_map(|(position, (line, code))| {
                let indent = code.len() - code.trim_start().len();
                let words = code.trim_start();
                let (before, after) = words.split_once("fn ")?;
                let is_declaration = words.trim_end().ends_with(';');
                let is_function = before
                    .split_whitespace()
                    .all(|word| word.starts_with("pub") || ["async", "const"].contains(&word));
                let name = after.split(['(', '<']).next()?;
                (is_function && !is_declaration).then_some((position, *line, name, indent))
            })
            .collect();
        let mut functions = Vec::new();
        for (position, line, name, indent) in begins {
            let is_end =
                |code: &str| code.trim_end().len() == indent + 1 && code.trim_start().starts_with('}');
            let end = lines[position..].iter().find(|(_, code)| is_end(code));
            functions.extend(end.map(|(end, _)| (line, name, end - line + 1)));
        }
        functions.into_iter()
    }

    pub(crate) fn production_with_strings(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.strings.lines()).filter(|(line, _)| !self.test[line - 1])
    }

    pub(crate) fn tests(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().filter(|(line, _)| self.test[line - 1])
    }

    /// The code that isn't tests, as one text, so that a `use` may span lines.
    fn production_text(&self) -> String {
        let line = |(line, code): (usize, &str)| {
            if self.test[line - 1] { "\n".into() } else { format!("{code}\n") }
        };
        self.code().map(line).collect()
    }

    /// Names of top-level modules of this crate used here, with the line.
    pub(crate) fn modules_used(&self) -> Vec<(usize, String)> {
        let text = self.production_text();
        let mut used = paths_under(&text, "crate::");
        // In `core/src/plan.rs`, `super` is the crate; types come through there from nested modules.
        if self.inside().is_some_and(|inside| !inside.contains('/')) {
            let above = paths_under(&text, "super::");
            used.extend(above.into_iter().filter(|(_, name)| row(name).is_some()));
        }
        used
    }
}

/// Whether `code` holds `word`, not as a part of a longer identifier. A word that ends in `_`
/// stands for all that begin with it.
pub(crate) fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(ident);
        let after = code[at + word.len()..].chars().next().is_some_and(ident);
        let longer = after && word.ends_with(ident) && !word.ends_with('_');
        let shorter = before && word.starts_with(ident);
        !(longer || shorter)
    })
}

fn ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What follows each `prefix`: one identifier, or the first identifiers of a `{…}` list.
fn paths_under(text: &str, prefix: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(prefix) {
        // `pub(crate) mod` is meant, `super::super::` and `mycrate::` aren't.
        let before = text[..at].chars().next_back();
        if before.is_some_and(|before| ident(before) || before == ':') {
            continue;
        }
        let mut depth = 0;
        let mut expected = true;
        let mut name = String::new();
        for (offset, c) in text[at + prefix.len()..].char_indices() {
            if ident(c) && expected {
                name.push(c);
                continue;
            }
            if !name.is_empty() {
                let line = text[..at + prefix.len() + offset].matches('\n').count() + 1;
                let line = if c == '\n' { line } else { line.max(1) };
                found.push((line, std::mem::take(&mut name)));
                expected = false;
            }
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => expected = true,
                _ => {}
            }
            if depth == 0 || (c == ';' && !expected) {
                break;
            }
        }
    }
    found
}

/// First and last line (from 0) of every item under `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let line = |at: usize| code[..at].matches('\n').count();
    let mut items = Vec::new();
    for (at, attribute) in code.match_indices("#[cfg(test)]") {
        let (mut depth, mut end) = (0, code.len());
        for (offset, c) in code[at + attribute.len()..].char_indices() {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 && (c == '}' || c == ';') {
                end = at + attribute.len() + offset;
                break;
            }
        }
        items.push((line(at), line(end).min(code.lines().count() - 1)));
    }
    items
}

/// Blanks comments, and in the first of the two texts the contents of strings and characters.
fn blank(raw: &str) -> (String, String) {
    let (mut code, mut strings) = (String::new(), String::new());
    let mut rest = raw;
    while !rest.is_empty() {
        let previous = code.chars().next_back();
        let (length, keep) = token(rest, previous.is_some_and(ident));
        let (piece, after) = rest.split_at(length);
        let spaces = || piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' });
        match keep {
            Keep::All => {
                code.push_str(piece);
                strings.push_str(piece);
            }
            Keep::Strings => {
                code.extend(spaces());
                strings.push_str(piece);
            }
            Keep::Nothing => {
                code.extend(spaces());
                strings.extend(spaces());
            }
        }
        rest = after;
    }
    (code, strings)
}

enum Keep {
    All,
    Strings,
    Nothing,
}

/// The length of the token that `rest` begins with, and what it is.
fn token(rest: &str, inside_ident: bool) -> (usize, Keep) {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let until = |end: Option<usize>| end.unwrap_or(rest.len());
    if rest.starts_with("//") {
        return (until(rest.find('\n')), Keep::Nothing);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Keep::Nothing);
    }
    if !inside_ident {
        let prefix = rest.len() - rest.trim_start_matches(['b', 'c']).len();
        let raw = &rest[prefix..];
        let hashes = raw.strip_prefix('r').map(|raw| raw.len() - raw.trim_start_matches('#').len());
        if let Some(hashes) = hashes.filter(|hashes| raw[1 + hashes..].starts_with('"')) {
            let open = prefix + 1 + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            return (until(rest[open..].find(&close).map(|end| open + end + close.len())), Keep::Strings);
        }
    }
    if rest.starts_with('"') {
        return (until(closing(rest, '"')), Keep::Strings);
    }
    if let Some(quoted) = rest.strip_prefix('\'') {
        let mut after = quoted.chars();
        let escaped = after.next() == Some('\\');
        if escaped || after.next() == Some('\'') {
            return (until(closing(rest, '\'')), Keep::Strings);
        }
    }
    (first, Keep::All)
}

/// Where a literal that opens with `quote` ends, past the closing one.
fn closing(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    for (at, _) in rest.char_indices() {
        if rest[at..].starts_with("/*") {
            depth += 1;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at + 2;
            }
        }
    }
    rest.len()
}

/// The rules are only as good as the eye that reads the sources.
#[cfg(test)]
mod the_reader {
    use super::{Source, mentions};

    fn read(path: &str, text: &str) -> Source {
        Source::new(path.into(), text.into())
    }

    #[test]
    fn sees_code_and_neither_comments_nor_strings() {
        let source = read(
            "core/src/plan.rs",
            r###"//! tokio in a comment
let a = "tokio \" tokio"; /* tokio /* tokio */ tokio */ let b = r#"tokio " tokio"#;
let c = '"'; let d: &'static str = b"tokio"; let e = '\''; tokio::spawn();
"###,
        );
        let lines: Vec<_> = source.code().filter(|(_, code)| mentions(code, "tokio")).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0].0, 3);
        assert!(source.production_with_strings().any(|(line, text)| line == 2 && text.contains("tokio")));
    }

    #[test]
    fn tells_tests_apart() {
        let source = read(
            "core/src/plan.rs",
            "fn one() {}\n#[cfg(test)]\nuse a::{b, c};\nfn two() {}\n#[cfg(test)]\nmod tests {\n    fn three() {}\n}\nfn four() {}\n",
        );
        let production: Vec<_> = source.production().map(|(line, _)| line).collect();
        assert_eq!(production, [1, 4, 9]);
        assert!(read("simulator/tests/it/main.rs", "").is_test_file());
        assert!(read("core/src/plan/tests.rs", "").is_test_file());
    }

    #[test]
    fn follows_paths_to_modules() {
        let source = read(
            "core/src/trigger.rs",
            "use crate::ids::{AccountId, Region};\nuse crate::{\n    baseline::Baseline,\n    plan,\n};\nfn f() -> crate::report::Report {}\nuse super::task;\nuse super::Local;\nuse other_crate::cloud;\n$crate::ids::x();\n",
        );
        let mut used: Vec<_> = source.modules_used().into_iter().collect();
        used.sort();
        let used: Vec<_> = used.iter().map(|(line, name)| (*line, name.as_str())).collect();
        assert_eq!(used, [(1, "ids"), (3, "baseline"), (4, "plan"), (6, "report"), (7, "task"), (10, "ids")]);
        assert_eq!(source.module(), Some("trigger"));
        assert_eq!(read("core/src/plan/decide.rs", "").module(), Some("plan"));
        assert_eq!(read("src/cloud/error.rs", "").module(), Some("cloud"));
        assert_eq!(read("src/bin/bootstrap.rs", "").module(), None);
    }

    #[test]
    fn matches_whole_identifiers() {
        assert!(mentions("aws_sdk_bedrock::Client", "aws_sdk_"));
        assert!(mentions("x.await?", ".await"));
        assert!(mentions("pub async fn", "async"));
        assert!(!mentions("let asynchronous = 1;", "async"));
        assert!(!mentions("self.unsafe_plan()", "unsafe"));
        assert!(!mentions("eprintln!(", "println!"));
    }
}
