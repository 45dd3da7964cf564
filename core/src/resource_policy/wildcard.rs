//! The wildcards of IAM: `*` is any text, `?` is any one character.

/// Whether the whole text matches. Takes at most pattern × text steps, whatever the pattern.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut seen) = (0, 0);
    // Where to take up again when the text after the last star doesn't fit: at that star, one character later.
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match (pattern.get(at), retry) {
            (Some('*'), _) => {
                retry = Some((at, seen));
                at += 1;
            }
            (Some(&wanted), _) if wanted == '?' || wanted == text[seen] => {
                at += 1;
                seen += 1;
            }
            (_, Some((star, from))) => (at, seen) = (star, from + 1),
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "abc"),
            ("a*c", "abbc"),
            ("a*c", "ac"),
            ("a?c", "abc"),
            ("*b*b*", "abcb"),
            ("o-x/*/ou-y/*", "o-x/r-a/ou-y/"),
            ("o-x/*/ou-y/*", "o-x/r-a/ou-z/ou-y/ou-w/"),
            ("**a**", "a"),
            ("é?", "éé"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("a", ""), ("?", ""), ("a*c", "abcd"), ("a?c", "ac"), ("A", "a"), ("*ab", "aab?")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        assert!(!matches(&"*a".repeat(5_000), &"b".repeat(5_000)));
        assert!(!matches(&format!("{}b", "a*".repeat(1_000)), &"a".repeat(5_000)));
    }
}
