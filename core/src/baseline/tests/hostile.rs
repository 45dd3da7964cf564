//! Text that wants to hurt, and text that is nearly right.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Parses, and demands what must hold of every text.
#[track_caller]
fn parse_any(text: &str) -> Result<Baseline, InvalidBaseline> {
    let started = Instant::now();
    let result = Baseline::parse(text);
    // A thousand times what it takes; a loop or a blow-up would still be caught.
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
    if let Err(invalid) = &result {
        assert!(!invalid.problems().is_empty(), "refused without a problem");
        let lines = text.split(['\n', '\r']).count();
        for problem in invalid.problems() {
            let shown = problem.to_string();
            assert!((1..=lines + 1).contains(&problem.line) && problem.column >= 1, "{shown}");
            assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
            assert!(!problem.message.is_empty() && !problem.instead.is_empty(), "{shown}");
            assert!(shown.len() < 2000, "{shown}");
        }
        assert!(invalid.problems().is_sorted_by_key(|problem| (problem.line, problem.column)));
    }
    result
}

#[test]
fn bombs_do_not_go_off() {
    let mut laughs = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (previous, name) in ('a'..='y').zip('b'..='z') {
        laughs += &format!("{name}: &{name} [{}]\n", vec![format!("*{previous}"); 9].join(","));
    }
    for text in [
        laughs,
        "[".repeat(1 << 20),
        "[".repeat(8192),
        "{".repeat(8192),
        "{a: ".repeat(2048),
        "- ".repeat(4096),
        "? ".repeat(4096),
        "a: ".repeat(2730),
        "&a ".repeat(2730),
        "!a ".repeat(2730),
        "*a ".repeat(2730),
        "\u{feff}".repeat(2730),
        "\0".repeat(8192),
        "\t".repeat(8192),
        "\r".repeat(8192),
        "\n".repeat(8192),
        "'".repeat(8192),
        "\"".repeat(8191),
        "\"\\".repeat(4096),
        "#".repeat(8192),
        "%".repeat(8192),
        "---\n".repeat(2048),
        "...\n".repeat(2048),
        "k: 1\n".repeat(1638),
        (0..900).map(|n| format!("k{n}: 1\n")).collect(),
        (0..100).map(|n| format!("{}- a\n", " ".repeat(n))).collect(),
        "|\n".repeat(4096),
        "é".repeat(4096),
        format!("{}: 1", "k".repeat(8000)),
        format!("version: {}", "9".repeat(8000)),
        format!("exclude: [{}]", "1,".repeat(4000)),
    ] {
        assert!(parse_any(&text).is_err(), "{:?}", &text.chars().take(20).collect::<String>());
    }
}

#[test]
fn nesting_stops_at_a_limit() {
    check(
        &format!("exclude: {}1{}\n", "[".repeat(20), "]".repeat(20)),
        expect![[r#"
            1:21: nested deeper than 12 levels; write the baseline as docs/baseline.md shows it; it needs five
        "#]],
    );
}

/// A change of one place in a text.
#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, String),
    Remove(usize, usize),
    RepeatLine(usize),
    SwapLines(usize, usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let tokens = prop_oneof![
        Just(": "),
        Just("- "),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just(","),
        Just("\n"),
        Just("\n  "),
        Just("\t"),
        Just("\r\n"),
        Just("#"),
        Just("&a "),
        Just("*a"),
        Just("!t "),
        Just("<<: "),
        Just("~"),
        Just("'"),
        Just("\""),
        Just("|"),
        Just(">"),
        Just("---\n"),
        Just("...\n"),
        Just("\u{feff}"),
        Just("\0"),
        Just("DRAFT"),
        Just("none"),
        Just("é"),
        Just("? "),
        Just("%"),
        Just("\\"),
        Just("0"),
        Just("  "),
    ];
    let edit = prop_oneof![
        (any::<usize>(), tokens).prop_map(|(at, token)| Edit::Insert(at, token.to_owned())),
        (any::<usize>(), "\\PC{0,4}").prop_map(|(at, text)| Edit::Insert(at, text)),
        (any::<usize>(), 1..12usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        any::<usize>().prop_map(Edit::RepeatLine),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Edit::SwapLines(a, b)),
    ];
    proptest::collection::vec(edit, 1..6)
}

fn apply(text: &str, edits: &[Edit]) -> String {
    edits.iter().fold(text.to_owned(), |text, edit| {
        let characters: Vec<char> = text.chars().collect();
        let mut lines: Vec<&str> = text.split('\n').collect();
        let at = |n: usize| n % (characters.len() + 1);
        match edit {
            Edit::Insert(n, new) => characters[..at(*n)]
                .iter()
                .copied()
                .chain(new.chars())
                .chain(characters[at(*n)..].iter().copied())
                .collect(),
            Edit::Remove(n, length) => {
                let end = (at(*n) + length).min(characters.len());
                characters[..at(*n)].iter().chain(&characters[end..]).collect()
            }
            Edit::RepeatLine(n) => {
                let index = n % lines.len();
                lines.insert(index, lines[index]);
                lines.join("\n")
            }
            Edit::SwapLines(a, b) => {
                let (a, b) = (a % lines.len(), b % lines.len());
                lines.swap(a, b);
                lines.join("\n")
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        prop_assert!(parse_any(&text).is_err());
    }

    #[test]
    fn text_of_yaml_characters_never_panics(text in "[-?:,\\[\\]{}#&*!|>'\"%@` \t\r\na-c0-1~<]{0,120}") {
        prop_assert!(parse_any(&text).is_err());
    }

    #[test]
    fn a_good_text_with_slips_is_good_or_told_why(edits in edits(), which in 0..3_usize) {
        let _ = parse_any(&apply([SHORT, FULL, levels::BOTH][which], &edits));
    }
}
