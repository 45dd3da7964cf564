//! The closed list of events, service by service.

/// Defines the events of one service that the keeper knows, acted on or not.
macro_rules! event_names {
    ($(#[$doc:meta])* $source:literal { $($variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Name {
            $($variant,)+
        }

        impl Name {
            /// The `source` of the service's events.
            pub(super) const SOURCE: &'static str = $source;

            /// Every name.
            pub(super) const TEXTS: &'static [&'static str] = &[$($name,)+];

            fn of(text: &str) -> Option<Name> {
                match text {
                    $($name => Some(Name::$variant),)+
                    _ => None,
                }
            }
        }
    };
}
pub(super) use event_names;
