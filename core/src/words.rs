//! Defines an enum in which each variant has a word, as one table.

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
