//! Words: enums in which each variant has one, as one table; the word that was meant; and texts that are cut or listed.

use std::fmt;

/// Defines an enum with a word for each variant. Behind the enum stands what gives the word: a function, `impl
/// Display;`, or both. `ALL` lists every variant in the order of the table.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {$(
            $(#[$doc:meta])*
            $variant:ident = $word:literal,
        )+}

        $(
            $(#[$word_doc:meta])*
            pub fn $function:ident(self) -> &'static str;
        )?
        $(impl $display:ident;)?
    ) => {
        $(#[$meta])*
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Every one, in the order in which they are listed.
            pub const ALL: [$name; [$($word),+].len()] = [$($name::$variant),+];

            fn its_word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }

            $(
                $(#[$word_doc])*
                pub fn $function(self) -> &'static str {
                    self.its_word()
                }
            )?
        }

        $(
            impl std::fmt::$display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.pad(self.its_word())
                }
            }
        )?
    };
}

pub(crate) use words;

/// The word that was probably meant, if one is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if word.chars().count() > LONGEST {
        return None;
    }
    let word = folded(word);
    known
        .into_iter()
        .map(|candidate| (distance(&word, &folded(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1) && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Without what people mix up most: case, hyphens, underscores, spaces.
fn folded(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).filter(|c| !matches!(c, '-' | '_' | ' ')).collect()
}

/// How many characters must be put in, left out or changed to make one word of the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The beginning of a text of which so many characters are kept.
pub(crate) fn cut(text: &str, kept: usize) -> String {
    match text.char_indices().nth(kept) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Writes items with something between them.
pub(crate) fn write_list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = T>,
    between: &str,
) -> fmt::Result {
    items.into_iter().enumerate().try_for_each(|(position, item)| {
        let between = if position > 0 { between } else { "" };
        write!(f, "{between}{item}")
    })
}
