//! Times as people write and read them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

/// A length of time: a number with `s`, `m`, `h` or `d` behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Length {
    pub(super) seconds: i64,
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Length, String> {
        let expected = || format!("{text:?} is not a length of time: write 90s, 15m, 2h or 3d");
        let mut letters = text.chars();
        let unit = match letters.next_back() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 24 * 3600,
            Some(_) | None => return Err(expected()),
        };
        let number: u32 = letters.as_str().parse().map_err(|_| expected())?;
        Ok(Length { seconds: i64::from(number) * unit })
    }
}

/// A point in time: written as such, or as how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    At(Timestamp),
    Ago(Length),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        if let Ok(at) = text.parse() {
            return Ok(Moment::At(at));
        }
        text.parse().map(Moment::Ago).map_err(|_| {
            format!("{text:?} is no time: write how long ago, as in 15m, 2h or 3d, or 2026-11-22T18:00:00Z")
        })
    }
}

impl Moment {
    /// The second that it is, in seconds since 1970.
    pub(super) fn second(self, now: Timestamp) -> i64 {
        match self {
            Moment::At(at) => at.as_second(),
            Moment::Ago(Length { seconds }) => now.as_second() - seconds,
        }
    }
}

/// How old something is, roughly: a minute and a day look different at a glance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age {
    seconds: i64,
}

impl Age {
    pub(super) fn of(at: Timestamp, now: Timestamp) -> Age {
        Age { seconds: (now.as_second() - at.as_second()).max(0) }
    }

    pub(super) fn seconds(self) -> i64 {
        self.seconds
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            ..60 => f.write_str("under a minute ago"),
            60..7200 => write!(f, "{} min ago", self.seconds / 60),
            7200..172_800 => write!(f, "{} h ago", self.seconds / 3600),
            172_800.. => write!(f, "{} days ago", self.seconds / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_moments_are_read_or_refused() {
        assert_eq!("90s".parse(), Ok(Length { seconds: 90 }));
        assert_eq!("2h".parse(), Ok(Length { seconds: 7200 }));
        for wrong in ["", "h", "2", "-2h", "2 h", "1.5h", "2w", "ü", "99999999999d"] {
            assert!(wrong.parse::<Length>().is_err(), "{wrong}");
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
        let now = Timestamp::from_second(10_000).unwrap();
        assert_eq!("2h".parse::<Moment>().unwrap().second(now), 2800);
        assert_eq!("1970-01-01T00:00:07Z".parse::<Moment>().unwrap().second(now), 7);
    }

    #[test]
    fn an_age_is_told_roughly_and_never_negative() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let told = [0, 59, 60, 7199, 7200, 172_800].map(|age| Age::of(at(1000), at(1000 + age)).to_string());
        let expected =
            ["under a minute ago", "under a minute ago", "1 min ago", "119 min ago", "2 h ago", "2 days ago"];
        assert_eq!(told, expected);
        assert_eq!(Age::of(at(5), at(1)).seconds(), 0);
    }
}
