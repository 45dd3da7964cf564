//! Until when an invocation has to be done.

use std::time::Duration;

/// Until when an invocation has to be done.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<tokio::time::Instant>);

impl Deadline {
    /// There is none.
    pub const NONE: Deadline = Deadline(None);

    /// So long from now.
    pub fn after(left: Duration) -> Deadline {
        Deadline(tokio::time::Instant::now().checked_add(left))
    }

    /// Whether at least so many seconds are left.
    pub fn leaves(self, seconds: u64) -> bool {
        self.0.is_none_or(|end| {
            end.saturating_duration_since(tokio::time::Instant::now()) >= Duration::from_secs(seconds)
        })
    }
}
