//! Defines a list of reasons as one table: each row has the code, the sentence, the remedy, and what ends it.

/// Defines an enum of reasons, one row per reason. Each row says:
///
/// - `code`: a short stable name, which metrics and events carry. `"code" of failure` adds what AWS's refusal means;
///   `"code" or inner` takes the code of the reason inside, and lists its own name only in `CODES`.
/// - `says`: why, as a sentence. It may name the fields of the reason.
/// - `remedy`: what a person can do. It stands behind the sentence. A reason has none where there is nothing to do
///   but to wait, or where the reason inside says it.
/// - `waits`: whether time alone may end it, so that to look again soon is worth it.
/// - one more question, which the head of the table names.
macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident, $(#[$question_meta:meta])* $question:ident {$(
        $(#[$doc:meta])*
        $variant:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ })? => {
            code: $code:literal $(of $failure:ident)? $(or $inner:ident)?,
            says: $says:literal $(($($said:expr),+))?,
            $(remedy: $remedy:literal $(($($advised:expr),+))?,)?
            waits: $waits:expr,
            $answer_to:ident: $answer:expr,
        }
    )+}) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case", tag = "kind")]
        pub enum $name {
            $($(#[$doc])* $variant $({ $($(#[$field_doc])* $field: $type,)+ })?,)+
        }

        impl $name {
            /// The code of every row, without what is added to some of them.
            pub const CODES: &[&str] = &[$($code,)+];

            /// A short stable name, for metrics, events and whatever compares two looks. What a call was refused
            /// for is a part of it: a role that isn't there yet and one that is refused need two cures.
            pub fn code(&self) -> String {
                match self {
                    $($name::$variant $({ $($field,)+ })? => {
                        $($(let _ = $field;)+)?
                        $crate::reasons::reasons!(@code $code $(of $failure)? $(or $inner)?)
                    })+
                }
            }

            /// Whether time alone may end it, so that to look again soon is worth it.
            pub fn is_worth_waiting(&self) -> bool {
                match self {
                    $($name::$variant $({ $($field,)+ })? => {
                        $($(let _ = $field;)+)?
                        $waits
                    })+
                }
            }

            $(#[$question_meta])*
            pub fn $question(&self) -> bool {
                match self {
                    $($name::$variant $({ $($field,)+ })? => {
                        $($(let _ = $field;)+)?
                        $answer
                    })+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $($name::$variant $({ $($field,)+ })? => {
                        $($(let _ = $field;)+)?
                        write!(f, $says $(, $($said),+)?)?;
                        $(
                            f.write_str(": ")?;
                            write!(f, $remedy $(, $($advised),+)?)?;
                        )?
                        Ok(())
                    })+
                }
            }
        }
    };
    (@code $code:literal) => { $code.to_owned() };
    (@code $code:literal of $failure:ident) => { format!(concat!($code, ".{}"), $failure.category.code()) };
    (@code $code:literal or $inner:ident) => { $inner.code() };
}

pub(crate) use reasons;
