//! Words: enums in which each variant has one, as one table, and texts that are cut or listed.

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
