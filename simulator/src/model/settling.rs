//! A value whose last change takes a while to have effect.

use jiff::Timestamp;
use serde::Serialize;

use super::clock;

/// A value that is read back at once but has effect only after a delay.
///
/// How long enforcement and policies take on AWS is not documented (aws-facts §9), so the delay is a setting.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Settling<T> {
    value: T,
    #[serde(skip)]
    change: Option<Box<Change<T>>>,
}

#[derive(Clone, Debug)]
struct Change<T> {
    before: T,
    at: Timestamp,
}

impl<T: Clone> Settling<T> {
    /// A value that has been there for ever.
    pub fn settled(value: T) -> Settling<T> {
        Settling { value, change: None }
    }

    /// What was written last.
    pub fn latest(&self) -> &T {
        &self.value
    }

    /// What has effect at `now`, when a change needs `delay` seconds.
    pub fn effective(&self, now: Timestamp, delay: u64) -> &T {
        match &self.change {
            Some(change) if clock::after(change.at, delay) > now => &change.before,
            _ => &self.value,
        }
    }

    /// Writes a new value; until it has effect, what has effect now goes on having it.
    pub fn write(&mut self, value: T, now: Timestamp, delay: u64) {
        self.change = if delay == 0 {
            None
        } else {
            Some(Box::new(Change { before: self.effective(now, delay).clone(), at: now }))
        };
        self.value = value;
    }
}
