//! The baseline's letters: from the bytes of a file to a text in which a reader sees what YAML reads.

use super::problem::{Position, Problem, Problems, TextPlace};

const AS_UTF_8: &str = "save the file as UTF-8, in the editor or by `iconv -f utf-16 -t utf-8`; Windows PowerShell \
    writes UTF-8 with `Out-File -Encoding utf8`";

/// Reads the bytes of a file as UTF-8.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, Problem> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(is_utf_16());
    }
    String::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let before = String::from_utf8_lossy(valid);
        let line = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let byte = rest.first().copied().unwrap_or_default();
        let place = TextPlace { position: Position { line, column }, path: String::new() };
        Problem::error(
            &place,
            format!(
                "the byte 0x{byte:02X} is not UTF-8: the file is in another encoding, such as Windows-1252"
            ),
            "save the file as UTF-8, in the editor or by `iconv -f windows-1252 -t utf-8`",
        )
    })
}

/// UTF-16 without a byte order mark is valid UTF-8 as well: each letter has a zero before or behind it.
pub(super) fn utf_16(text: &str) -> Option<Problem> {
    let mut first = text.bytes();
    match (first.next(), first.next()) {
        (Some(0), Some(letter)) | (Some(letter), Some(0)) if letter != 0 => Some(is_utf_16()),
        _ => None,
    }
}

fn is_utf_16() -> Problem {
    let start = TextPlace { position: Position::START, path: String::new() };
    Problem::error(&start, "the text is UTF-16, and a baseline is UTF-8", AS_UTF_8)
}

/// Refuses what a reader of the text would not see, and what SSM would not store.
pub(super) fn refuse_unfit(text: &str, problems: &mut Problems) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut place = TextPlace { position: Position::START, path: String::new() };
    let mut previous = '\n';
    let mut reported_line = 0;
    for c in text.chars() {
        let line = place.position.line;
        if is_unseen(c) && reported_line != line {
            reported_line = line;
            let message = format!("the character U+{:04X} can't be seen", u32::from(c));
            problems.report(&place, message, "remove it");
        }
        if c == '{' && previous == '{' && reported_line != line {
            reported_line = line;
            let instead = "write the value itself; the baseline has no placeholders";
            problems.report(&place, "`{{` can't be stored in an SSM parameter", instead);
        }
        match (previous, c) {
            ('\r', '\n') => {}
            (_, '\n' | '\r') => place.position = Position { line: line + 1, column: 1 },
            (_, _) => place.position.column += 1,
        }
        previous = c;
    }
}

/// Control characters, spaces of no width, and what reorders the text that a reader sees.
///
/// Joiners are left alone: names in comments and emoji need them.
fn is_unseen(c: char) -> bool {
    // A lone carriage return is a line break to YAML.
    let control = c.is_control() && c != '\t' && c != '\n' && c != '\r';
    let unseen = matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'
            ..='\u{2064}' | '\u{feff}'
    );
    let reordering =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}');
    control || unseen || reordering
}

/// The text with plain spaces in the place of those that only look like them.
///
/// YAML takes a no-break space for a letter, and its errors then name other lines than the one to be
/// mended. So each is reported where it stands, and the rest is checked as if it had been mended: a
/// column stays the same column. Comments and quoted text may hold any.
pub(super) fn with_plain_spaces(text: &str, problems: &mut Problems) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut line = TextLine::at(1);
    let mut previous = '\n';
    for c in text.chars() {
        match (previous, c) {
            ('\r', '\n') => {}
            (_, '\n' | '\r') => line = TextLine::at(line.place.position.line + 1),
            // A byte order mark has no column.
            ('\n', '\u{feff}') if plain.is_empty() => {}
            (_, c) => {
                if line.takes_for_space(c) {
                    line.report(c, problems);
                    plain.push(' ');
                    previous = ' ';
                    continue;
                }
            }
        }
        plain.push(c);
        previous = c;
    }
    plain
}

/// A line that is read from left to right.
struct TextLine {
    place: TextPlace,
    /// The quote that is open.
    quote: Option<char>,
    comment: bool,
    /// Whether a value or a comment could begin here.
    between: bool,
    escaped: bool,
    reported: bool,
}

impl TextLine {
    fn at(line: usize) -> TextLine {
        let place = TextPlace { position: Position { line, column: 0 }, path: String::new() };
        TextLine { place, quote: None, comment: false, between: true, escaped: false, reported: false }
    }

    /// Whether the next character is a space to people and none to YAML, where that makes a difference.
    fn takes_for_space(&mut self, c: char) -> bool {
        self.place.position.column += 1;
        let between = std::mem::replace(&mut self.between, matches!(c, ' ' | '\t' | '[' | '{' | ','));
        match self.quote {
            Some(quote) => {
                if c == quote && !self.escaped {
                    self.quote = None;
                }
                self.escaped = quote == '"' && c == '\\' && !self.escaped;
                false
            }
            None if self.comment => false,
            None => {
                match c {
                    '#' if between => self.comment = true,
                    '"' | '\'' if between => self.quote = Some(c),
                    _ => {}
                }
                let odd = is_odd_space(c);
                self.between |= odd;
                odd
            }
        }
    }

    /// Once a line: who indents with one does so with many.
    fn report(&mut self, c: char, problems: &mut Problems) {
        if !std::mem::replace(&mut self.reported, true) {
            let name = match c {
                '\u{a0}' => "a no-break space",
                '\u{202f}' => "a narrow no-break space",
                '\u{3000}' => "an ideographic space",
                _ => "a space that YAML doesn't take for one",
            };
            let message = format!("{name} (U+{:04X}) stands where YAML needs a plain one", u32::from(c));
            problems.report(&self.place, message, "type plain spaces in this line");
        }
    }
}

/// What looks like a space; line ends and characters without width are handled elsewhere.
fn is_odd_space(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{2800}' | '\u{3000}' | '\u{3164}'
    )
}
