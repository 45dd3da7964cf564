//! Time: how long something took, and waiting for it. Tests bring a clock of their own that never sleeps.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A clock.
pub trait PollClock {
    /// How long it has been running.
    fn elapsed(&self) -> Duration;

    /// The date and the time.
    fn now(&self) -> Timestamp;

    /// Waits.
    fn wait(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct MachineClock(Instant);

impl MachineClock {
    /// A clock that starts now.
    pub fn start() -> MachineClock {
        MachineClock(Instant::now())
    }
}

impl PollClock for MachineClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn wait(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
