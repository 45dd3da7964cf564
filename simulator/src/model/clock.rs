//! The simulator's own time: fixed unless moved, so that two runs give the same answers.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// A clock that stands still and moves when it is told to, or runs with the machine's.
#[derive(Clone, Debug)]
pub struct Clock {
    base: Timestamp,
    running_since: Option<Instant>,
}

impl Clock {
    /// A clock that stands at `start`.
    pub fn fixed(start: Timestamp) -> Clock {
        Clock { base: start, running_since: None }
    }

    /// A clock that starts now and runs.
    pub fn real() -> Clock {
        Clock { base: Timestamp::now(), running_since: Some(Instant::now()) }
    }

    /// The time it shows, in whole milliseconds, because no protocol here carries more.
    pub fn now(&self) -> Timestamp {
        let elapsed = self.running_since.map_or(Duration::ZERO, |since| since.elapsed());
        let now = self.base.saturating_add(SignedDuration::try_from(elapsed).unwrap_or_default());
        let now = now.unwrap_or(Timestamp::MAX);
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Moves it on.
    pub fn advance(&mut self, by: Duration) {
        self.set(self.base + SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX));
    }

    /// Puts it to a time. Going back is allowed, as clocks of machines do.
    pub fn set(&mut self, to: Timestamp) {
        self.base = to;
        if self.running_since.is_some() {
            self.running_since = Some(Instant::now());
        }
    }
}

/// `at` plus a number of seconds, without ever overflowing.
pub(crate) fn after(at: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// The way REST-JSON and CloudTrail write a time, e.g. `2026-11-02T09:00:00Z`.
pub(crate) fn iso8601(at: Timestamp) -> String {
    if at.subsec_nanosecond() == 0 { format!("{at:.0}") } else { format!("{at:.3}") }
}

/// The way JSON 1.1 writes a time: seconds since 1970, with a fraction.
pub(crate) fn epoch_seconds(at: Timestamp) -> serde_json::Value {
    let milliseconds = at.as_millisecond();
    if milliseconds % 1000 == 0 {
        serde_json::Value::from(milliseconds / 1000)
    } else {
        serde_json::Value::from(milliseconds as f64 / 1000.0)
    }
}
