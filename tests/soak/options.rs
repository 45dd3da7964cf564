//! How long, how large, and what is broken on purpose.

/// How a run is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) accounts: usize,
    /// Simulated.
    pub(crate) minutes: usize,
    pub(crate) seed: u64,
    pub(crate) leak: Option<Leak>,
}

/// What the measured process holds on to with each invocation, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leak {
    Answers,
    Connections,
}

/// What the arguments come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Soak(Options),
    Keeper(Option<Leak>),
    /// Cargo's own questions: which tests there are, or one of another name.
    List,
    Nothing,
    Help(Option<String>),
}

pub(crate) const USAGE: &str = "\
usage: soak [--accounts N] [--minutes N] [--seed N] [--leak answers|connections]

An organization of N accounts in two Regions under load, for so many simulated
minutes, a multiple of 12. By default 120 accounts and 12 minutes. --leak breaks it on purpose: it must fail then.
";

/// The name by which Cargo's filters find it.
pub(crate) const NAME: &str = "nothing_grows_without_bound";

/// The form that belongs to the ordinary tests.
pub(crate) const SMALL: Options = Options { accounts: 120, minutes: 12, seed: 1, leak: None };

impl Leak {
    fn named(name: &str) -> Option<Leak> {
        match name {
            "answers" => Some(Leak::Answers),
            "connections" => Some(Leak::Connections),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Leak::Answers => "answers",
            Leak::Connections => "connections",
        }
    }
}

/// Reads the arguments. What Cargo hands to every test, a filter or a flag of the usual harness, is no mistake.
pub(crate) fn asked(arguments: impl IntoIterator<Item = String>) -> Asked {
    let mut arguments = arguments.into_iter();
    let mut options = SMALL;
    let mut keeper = false;
    let mut filters = Vec::new();
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u32>().ok()).filter(|it| *it > 0);
        let taken = match argument.as_str() {
            "--accounts" => number().map(|number| options.accounts = number as usize),
            "--minutes" => number().map(|number| options.minutes = number as usize),
            "--seed" => number().map(|number| options.seed = number.into()),
            "--leak" => {
                let leak = arguments.next().and_then(|name| Leak::named(&name));
                leak.map(|leak| options.leak = Some(leak))
            }
            "--list" => return Asked::List,
            "--ignored" => return Asked::Nothing,
            "-h" | "--help" => return Asked::Help(None),
            "keeper" => {
                keeper = true;
                Some(())
            }
            flag if flag.starts_with('-') => Some(()),
            _ => {
                filters.push(argument.clone());
                Some(())
            }
        };
        if taken.is_none() {
            return Asked::Help(Some(format!("what follows {argument} can't be")));
        }
    }
    if keeper {
        return Asked::Keeper(options.leak);
    }
    let wanted = filters.is_empty() || filters.iter().any(|filter| NAME.contains(filter.as_str()));
    match wanted {
        // Quarters are compared, and something happens in each third of one.
        true if !options.minutes.is_multiple_of(12) || options.accounts < 50 => {
            Asked::Help(Some("minutes are a multiple of 12, and accounts at least 50".to_owned()))
        }
        true => Asked::Soak(options),
        false => Asked::Nothing,
    }
}
