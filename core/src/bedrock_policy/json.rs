//! JSON with the place of every part, members given twice included: AWS's own refusal says nowhere what is wrong.

/// More than AWS takes even where it merges ten documents. A longer text is no Bedrock policy.
const MAX_BYTES: usize = 1024 * 1024;

/// A value, and where it begins, in bytes from the start of the text.
#[derive(Debug)]
pub(super) struct JsonNode {
    pub(super) at: usize,
    pub(super) kind: JsonKind,
}

#[derive(Debug)]
pub(super) enum JsonKind {
    Null,
    /// A number or a boolean, as it was written.
    Scalar(String),
    Text(String),
    List(Vec<JsonNode>),
    /// In the order of the text.
    Object(Vec<(JsonName, JsonNode)>),
}

/// The name of a member, and where it begins.
#[derive(Debug)]
pub(super) struct JsonName {
    pub(super) at: usize,
    pub(super) text: String,
}

/// Why a text is no JSON, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidSyntax {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
}

/// Reads a text. Its depth is what `serde_json` lets through, 128 levels.
pub(super) fn read(text: &str) -> Result<JsonNode, InvalidSyntax> {
    if text.len() > MAX_BYTES {
        let message = format!("it has {} bytes, more than {MAX_BYTES}", text.len());
        return Err(InvalidSyntax { line: 1, column: 1, message });
    }
    if text.starts_with('\u{feff}') {
        let message =
            "it begins with a byte order mark, which is no JSON; save it as UTF-8 without one".to_owned();
        return Err(InvalidSyntax { line: 1, column: 1, message });
    }
    // What is let through here is JSON, so that the scanner has nothing to check.
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(said, _)| said);
        return Err(InvalidSyntax {
            line: error.line().max(1),
            column: error.column().max(1),
            message: format!("this is not JSON: {message}"),
        });
    }
    Ok(Scanner { text, at: 0 }.value())
}

/// The line and the column, in characters, both from 1.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Walks over a text that is JSON.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn value(&mut self) -> JsonNode {
        self.skip_space();
        let at = self.at;
        let kind = match self.peek() {
            Some(b'{') => JsonKind::Object(self.members()),
            Some(b'[') => JsonKind::List(self.items()),
            Some(b'"') => JsonKind::Text(self.string()),
            Some(_) | None => self.word(),
        };
        JsonNode { at, kind }
    }

    fn members(&mut self) -> Vec<(JsonName, JsonNode)> {
        let mut members = Vec::new();
        self.at += 1;
        while self.goes_on(b'}') {
            let at = self.at;
            let text = self.string();
            self.skip_space();
            // The colon.
            self.at += 1;
            members.push((JsonName { at, text }, self.value()));
        }
        members
    }

    fn items(&mut self) -> Vec<JsonNode> {
        let mut items = Vec::new();
        self.at += 1;
        while self.goes_on(b']') {
            items.push(self.value());
        }
        items
    }

    /// Whether another member or item begins here; its comma or the end is passed over.
    fn goes_on(&mut self, end: u8) -> bool {
        self.skip_space();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.skip_space();
        }
        let goes_on = self.peek().is_some_and(|byte| byte != end);
        if !goes_on {
            self.at += 1;
        }
        goes_on
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(quoted).unwrap_or_default()
    }

    fn word(&mut self) -> JsonKind {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_end = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | ']' | '}');
        let word = rest.split(is_end).next().unwrap_or_default();
        self.at += word.len();
        if word == "null" { JsonKind::Null } else { JsonKind::Scalar(word.to_owned()) }
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(node: &JsonNode, text: &str) -> String {
        let (line, column) = position(text, node.at);
        let what = match &node.kind {
            JsonKind::Null => "null".to_owned(),
            JsonKind::Scalar(text) => text.clone(),
            JsonKind::Text(text) => format!("{text:?}"),
            JsonKind::List(items) => {
                let items: Vec<String> = items.iter().map(|item| shown(item, text)).collect();
                format!("[{}]", items.join(" "))
            }
            JsonKind::Object(members) => {
                let member = |(name, value): &(JsonName, JsonNode)| {
                    let (line, column) = position(text, name.at);
                    format!("{}@{line}:{column}={}", name.text, shown(value, text))
                };
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(" "))
            }
        };
        format!("{what}@{line}:{column}")
    }

    #[test]
    fn every_part_has_its_place() {
        for (text, expected) in [
            ("{}", "{}@1:1"),
            (" [ ] ", "[]@1:2"),
            (
                "{\"a\":\n  [1, true ,null],\"a\":\"x\"}",
                "{a@1:2=[1@2:4 true@2:7 null@2:13]@2:3 a@2:19=\"x\"@2:23}@1:1",
            ),
            // Columns are characters, and an escaped name is the name that it means.
            (r#"{"é\"}":"\\","\u0061":{}}"#, r#"{é"}@1:2="\\"@1:9 a@1:14={}@1:23}@1:1"#),
            (
                "{\"a\":{\"b\":1e2}\t,\"c\":[[],[-0.5]]}",
                "{a@1:2={b@1:7=1e2@1:11}@1:6 c@1:17=[[]@1:22 [-0.5@1:26]@1:25]@1:21}@1:1",
            ),
        ] {
            assert_eq!(shown(&read(text).unwrap(), text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_is_wrong() {
        for (text, line, column) in
            [("", 1, 1), ("{", 1, 1), ("{\"a\":1,}", 1, 8), ("{}\n{}", 2, 1), ("{\"a\":\n 'x'}", 2, 2)]
        {
            let error = read(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text}: {}", error.message);
            assert!(error.message.starts_with("this is not JSON: "), "{}", error.message);
            assert!(!error.message.contains(" at line "), "{}", error.message);
        }
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&" ".repeat(MAX_BYTES + 1)).is_err());
        assert!(read(&format!("{}[]", " ".repeat(MAX_BYTES - 2))).is_ok());
    }
}
