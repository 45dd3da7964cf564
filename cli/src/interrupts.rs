//! Ctrl-C, and what a CI system or a service manager sends, while something is being written.
//!
//! The first one begins nothing new and lets what is under way come to its end. The second one leaves at once.

use std::future::Future;

use tokio::sync::watch;

use super::ending::Ended;
use super::{INTERRUPTED, TERMINATED, output};

/// Hears the signals of this process, from when it is made.
#[derive(Clone, Debug)]
pub(super) struct Interrupts(watch::Receiver<Heard>);

/// How many signals came, and the exit code of the last.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    times: u32,
    code: u8,
}

impl Interrupts {
    /// Begins to listen: from now on a signal doesn't end the process by itself.
    pub(super) fn listen() -> anyhow::Result<Interrupts> {
        let (sender, receiver) = watch::channel(Heard::default());
        let mut signals = Signals::new()?;
        tokio::spawn(async move {
            while let Some(code) = signals.next().await {
                sender.send_modify(|heard| *heard = Heard { times: heard.times + 1, code });
            }
        });
        Ok(Interrupts(receiver))
    }

    /// Whether a signal asked the program to end.
    pub(super) fn heard(&self) -> bool {
        self.0.borrow().times > 0
    }

    /// The error to end with: that it was interrupted, and what was done.
    pub(super) fn ended(&self, done: String) -> anyhow::Error {
        let code = self.0.borrow().code;
        Ended::Interrupted { done, code }.into()
    }

    /// Waits for what writes nothing; a signal ends that at once.
    pub(super) async fn or<T, E: Into<anyhow::Error>>(
        &self,
        reading: impl Future<Output = Result<T, E>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            () = self.times(1) => Err(self.ended("nothing was changed".to_owned())),
            read = reading => read.map_err(Into::into),
        }
    }

    /// Waits for what writes. The first signal is passed to `stop`, the second one ends it: then it isn't known
    /// whether what was under way arrived. `None` stands for that.
    pub(super) async fn finish<T>(&self, writing: impl Future<Output = T>, stop: impl Fn()) -> Option<T> {
        tokio::pin!(writing);
        tokio::select! {
            biased;
            () = self.times(1) => {
                stop();
                output::note("stopping: calls under way are finished first; press Ctrl-C again to stop at once");
            }
            written = &mut writing => return Some(written),
        }
        tokio::select! {
            biased;
            written = writing => Some(written),
            () = self.times(2) => None,
        }
    }

    async fn times(&self, times: u32) {
        let mut heard = self.0.clone();
        if heard.wait_for(|heard| heard.times >= times).await.is_err() {
            // There is no listener any more, so no signal will come.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Option<u8> {
        tokio::select! {
            heard = self.interrupt.recv() => heard.map(|()| INTERRUPTED),
            heard = self.terminate.recv() => heard.map(|()| TERMINATED),
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals)
    }

    async fn next(&mut self) -> Option<u8> {
        tokio::signal::ctrl_c().await.ok().map(|()| INTERRUPTED)
    }
}
