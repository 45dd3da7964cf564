//! When an invocation has to end.

use std::time::Duration;

/// When an invocation has to end.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<tokio::time::Instant>);

impl Deadline {
    /// No deadline.
    pub const NONE: Deadline = Deadline(None);

    /// This long from now.
    pub fn after(left: Duration) -> Deadline {
        Deadline(tokio::time::Instant::now().checked_add(left))
    }

    /// Whether at least this many seconds are left.
    pub fn leaves(self, seconds: u64) -> bool {
        self.0.is_none_or(|end| {
            end.saturating_duration_since(tokio::time::Instant::now()) >= Duration::from_secs(seconds)
        })
    }
}
