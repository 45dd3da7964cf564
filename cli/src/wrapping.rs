//! Breaks lines between words, so that a terminal doesn't break them within one.

use console::measure_text_width;

/// Less than this leaves no room for words.
const NARROWEST: usize = 30;

/// Behind so many columns at most a line begins with a word of its own, such as a state, and goes on in a column.
const FIRST_COLUMN: usize = 16;

/// Breaks each line of a text that is longer than `width`. What doesn't fit goes on under the column that the line
/// begins with. A word that is too long by itself, such as an ARN, stays whole, so that it can be copied.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let fits = |line: &str| width < NARROWEST || measure_text_width(line) <= width;
    let lines = text.split('\n').map(|line| if fits(line) { line.to_owned() } else { broken(line, width) });
    lines.collect::<Vec<_>>().join("\n")
}

fn broken(line: &str, width: usize) -> String {
    let hang = hang(&console::strip_ansi_codes(line)).min(width / 2);
    let (mut text, mut used, mut begun) = (String::new(), 0, false);
    for word in line.split_inclusive(' ') {
        let long = measure_text_width(word.trim_end_matches(' '));
        if begun && long > 0 && used + long > width {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', hang));
            used = hang;
        }
        text.push_str(word);
        used += measure_text_width(word);
        begun |= long > 0 && used > hang;
    }
    text
}

/// Where a line's second column begins; of a line that has none, two columns behind its beginning.
fn hang(line: &str) -> usize {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let rest = &line[indent..];
    let column = rest.find("  ").filter(|at| indent + at <= FIRST_COLUMN).map(|at| {
        let behind = &rest[at..];
        indent + measure_text_width(&rest[..at]) + behind.len() - behind.trim_start_matches(' ').len()
    });
    column.unwrap_or(indent + 2)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "an `expect!` at every call reads better than a `&expect!`"
    )]
    #[track_caller]
    fn check(text: &str, width: usize, expected: Expect) {
        let told = wrapped(text, width);
        expected.assert_eq(&told);
        // Nothing but spaces is left out or added.
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&told), words(text));
    }

    #[test]
    fn lines_are_broken_between_words_and_go_on_under_their_column() {
        check(
            "! 300000000001/eu-west-1 held [denied]: it could not be read",
            40,
            expect![[r#"
            ! 300000000001/eu-west-1 held [denied]:
              it could not be read"#]],
        );
        check(
            "held        300000000001/eu-west-1 (Workload/payments)  [denied]: why",
            40,
            expect![[r#"
            held        300000000001/eu-west-1
                        (Workload/payments)
                        [denied]: why"#]],
        );
        check(
            "problem\n           → see docs/resource-policy.md for what to do about it",
            40,
            expect![[r#"
            problem
                       → see docs/resource-policy.md
                         for what to do about it"#]],
        );
        check(
            "short\n\na line that is a little longer than the terminal is",
            40,
            expect![[r#"
            short

            a line that is a little longer than the
              terminal is"#]],
        );
    }

    #[test]
    fn a_word_that_is_too_long_stays_whole_and_colours_take_no_room() {
        check(
            &format!("! arn:{} is open", "x".repeat(50)),
            40,
            expect![[r#"
            ! arn:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
              is open"#]],
        );
        let green = "\u{1b}[32m+\u{1b}[0m ";
        let exactly = format!("{green}{}", "word ".repeat(8).trim_end());
        assert_eq!(wrapped(&exactly, 41), exactly);
        assert_eq!(wrapped(&exactly, 40).matches('\n').count(), 1);
    }

    #[test]
    fn a_terminal_that_is_too_narrow_is_left_to_itself() {
        let line = "word ".repeat(20);
        assert_eq!(wrapped(&line, 0), line);
        assert_eq!(wrapped(&line, 29), line);
    }
}
